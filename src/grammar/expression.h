/* SPDX-License-Identifier: Apache-2.0 */
/* grammar/expression: the tree that regular expressions and grammar files are read into, and its way into
 * a builder. Nodes live in the arena of whoever made them; a charset is owned by its node and freed by
 * am_expr_close. One thread. */
#ifndef AM_GRAMMAR_EXPRESSION_H
#define AM_GRAMMAR_EXPRESSION_H

#include "base/arena.h"
#include "grammar/charset.h"

#define AM_EXPR_FOREVER UINT32_MAX
enum { AM_EXPR_MOST_DEPTH = 200, AM_EXPR_MOST_REPEAT = 100000 };

typedef enum am_expr_kind {
  AM_EXPR_SEQUENCE, /* children one after the other; none = the empty text */
  AM_EXPR_CHOICE,   /* one of the children */
  AM_EXPR_SET,      /* one character */
  AM_EXPR_REPEAT,   /* the child, least to most times */
  AM_EXPR_RULE,     /* a rule of the builder */
  AM_EXPR_BEGIN,    /* ^ and $, which must be resolved before emitting */
  AM_EXPR_END
} am_expr_kind;

typedef struct am_expr am_expr;
struct am_expr {
  am_expr_kind kind;
  am_expr *child, *last, *sibling;
  am_charset set;
  uint32_t least, most; /* REPEAT */
  uint32_t rule;
};

am_expr *am_expr_new(am_arena *arena, am_expr_kind kind); /* NULL: memory or the arena's limit */
void am_expr_append(am_expr *parent, am_expr *child);
void am_expr_close(am_expr *expr);

/* How a set of characters is written. */
typedef enum am_alphabet {
  AM_ALPHABET_TEXT, /* as UTF-8 */
  AM_ALPHABET_JSON  /* inside of a JSON string: what must be escaped is, as \" \\ \n or \u001f, and nothing
                       else; NUL cannot be written */
} am_alphabet;

void am_expr_emit(const am_expr *expr, am_alphabet alphabet, am_builder *builder, uint32_t from, uint32_t to);
void am_expr_emit_set(const am_charset *set, am_alphabet alphabet, am_builder *builder, uint32_t from,
                      uint32_t to);

#endif
