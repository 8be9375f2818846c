/* SPDX-License-Identifier: Apache-2.0 */
/* template/jinja/lexer: template text -> tokens, as Jinja's lexer with trim_blocks, lstrip_blocks and
 * without keep_trailing_newline. Tokens are made one at a time, so that of two errors the one that
 * comes first in the text is reported. */
#ifndef AM_TEMPLATE_JINJA_LEXER_H
#define AM_TEMPLATE_JINJA_LEXER_H

#include "template/jinja/interp.h"

typedef enum am_jtoken_kind {
  AM_JT_EOF,
  AM_JT_DATA,
  AM_JT_BLOCK_BEGIN,
  AM_JT_BLOCK_END,
  AM_JT_VARIABLE_BEGIN,
  AM_JT_VARIABLE_END,
  AM_JT_NAME,
  AM_JT_STRING,
  AM_JT_INTEGER,
  AM_JT_FLOAT,
  AM_JT_ADD,
  AM_JT_SUB,
  AM_JT_DIV,
  AM_JT_FLOORDIV,
  AM_JT_MUL,
  AM_JT_MOD,
  AM_JT_POW,
  AM_JT_TILDE,
  AM_JT_LBRACKET,
  AM_JT_RBRACKET,
  AM_JT_LPAREN,
  AM_JT_RPAREN,
  AM_JT_LBRACE,
  AM_JT_RBRACE,
  AM_JT_EQ,
  AM_JT_NE,
  AM_JT_GT,
  AM_JT_GTEQ,
  AM_JT_LT,
  AM_JT_LTEQ,
  AM_JT_ASSIGN,
  AM_JT_DOT,
  AM_JT_COLON,
  AM_JT_PIPE,
  AM_JT_COMMA,
  AM_JT_SEMICOLON
} am_jtoken_kind;

typedef struct am_jtoken {
  am_jtoken_kind kind;
  uint32_t line;
  const char *text; /* NAME, DATA: borrowed from the source */
  size_t n_bytes;
  am_jvalue value; /* STRING, INTEGER, FLOAT */
} am_jtoken;

typedef enum am_jlexer_state { AM_JLEX_ROOT, AM_JLEX_BLOCK, AM_JLEX_VARIABLE, AM_JLEX_RAW } am_jlexer_state;

typedef struct am_jlexer {
  am_jinja *jinja;    /* errors and memory */
  const char *source; /* newlines normalised; lives in jinja's arena */
  size_t n_bytes, position;
  uint32_t last_line; /* of the token before; the end of the template is reported there */
  uint32_t line;
  size_t line_position; /* where `line` was counted */
  bool line_starting;
  am_jlexer_state state;
  bool has_pending; /* a begin token that follows the data just returned */
  am_jtoken pending;
  char *balance; /* closing brackets expected, a stack of n_balance */
  size_t n_balance, balance_capacity;
} am_jlexer;

bool am_jlexer_open(am_jlexer *lexer, am_jinja *jinja, const char *text, size_t n_bytes);
bool am_jlexer_next(am_jlexer *lexer, am_jtoken *out);
/* What a person calls the token ("end of print statement", "+", the name itself). */
const char *am_jtoken_describe(am_jtoken_kind kind);

#endif
