/* SPDX-License-Identifier: Apache-2.0 */
/* template/go/literal: Go's spelling of strings, characters and numbers -> values. Pure but for the arena. */
#ifndef AM_TEMPLATE_GO_LITERAL_H
#define AM_TEMPLATE_GO_LITERAL_H

#include "template/go/ast.h"

typedef enum am_go_literal { AM_GO_LITERAL_OK, AM_GO_LITERAL_BAD, AM_GO_LITERAL_NO_MEMORY } am_go_literal;

/* "..." with escapes or `...`, with its quotes. */
am_go_literal am_go_unquote(am_go_name text, am_arena *arena, am_go_value *out);
/* '.' -> its code point. */
am_go_literal am_go_character(am_go_name text, am_go_value *out);
/* An int or a float64; INVALID is an integer that only fits uint64. */
am_go_literal am_go_number(am_go_name text, am_go_value *out);

#endif
