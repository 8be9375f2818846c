/* SPDX-License-Identifier: Apache-2.0 */
/* template/go/lexer: template text -> tokens, one at a time. Trim markers are done here. Spaces between
 * operands are tokens: they separate arguments from field accesses. */
#ifndef AM_TEMPLATE_GO_LEXER_H
#define AM_TEMPLATE_GO_LEXER_H

#include "template/go/ast.h"

typedef enum am_go_token_kind {
  AM_GO_T_EOF,
  AM_GO_T_TEXT,
  AM_GO_T_LEFT,
  AM_GO_T_RIGHT,
  AM_GO_T_LPAREN,
  AM_GO_T_RPAREN,
  AM_GO_T_SPACE,
  AM_GO_T_PIPE,
  AM_GO_T_ASSIGN,
  AM_GO_T_DECLARE,
  AM_GO_T_CHAR, /* any other ASCII character, such as the comma */
  AM_GO_T_CHAR_CONSTANT,
  AM_GO_T_NUMBER,
  AM_GO_T_STRING,
  AM_GO_T_RAW_STRING,
  AM_GO_T_FIELD,
  AM_GO_T_VARIABLE,
  AM_GO_T_IDENTIFIER,
  AM_GO_T_BOOL,
  AM_GO_T_DOT,
  AM_GO_T_NIL,
  AM_GO_T_BLOCK,
  AM_GO_T_BREAK,
  AM_GO_T_CONTINUE,
  AM_GO_T_DEFINE,
  AM_GO_T_ELSE,
  AM_GO_T_END,
  AM_GO_T_IF,
  AM_GO_T_RANGE,
  AM_GO_T_TEMPLATE,
  AM_GO_T_WITH
} am_go_token_kind;

typedef struct am_go_token {
  am_go_token_kind kind;
  uint32_t line;
  am_go_name text; /* as written, in the source */
} am_go_token;

typedef struct am_go_lexer {
  const char *name; /* what errors call the template */
  const char *text;
  size_t n_bytes, at;
  uint32_t line;
  bool in_action;
  uint32_t parens;
  adam_error *error;
} am_go_lexer;

adam_status am_go_lexer_next(am_go_lexer *lexer, am_go_token *out);

#endif
