/* SPDX-License-Identifier: Apache-2.0 */
/* template/jinja/interp: the state of one rendering and the ways in which it ends early.
 * Bounded work: `steps_left` counts evaluated nodes and, for work that grows with its data, elements
 * and bytes; memory is the arena's limit; C recursion is bounded by the stack bytes used since the
 * start of the rendering, whatever the caller's thread has. */
#ifndef AM_TEMPLATE_JINJA_INTERP_H
#define AM_TEMPLATE_JINJA_INTERP_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "template/jinja/value.h"

typedef struct am_jprogram am_jprogram; /* the compiled template: ast.h */
typedef struct am_jframe am_jframe;

/* Variables of one activation (template, block, macro, recursive loop). */
struct am_jframe {
  am_jframe *parent; /* the activation in which this one's code was defined */
  am_jvalue slots[];
};

struct am_jinja {
  const char *name; /* of the template, for errors */
  const am_jprogram *program;
  am_arena arena;
  am_buf out;          /* captures ({% set %}...) are cut off its end again */
  am_jdict *globals;   /* functions and the caller's variables */
  am_jdict *top_level; /* set at the top level of the template: seen by macros and blocks */
  uint64_t steps_left;
  size_t max_output_bytes;
  uint32_t depth, max_depth; /* calls under way */
  const char *stack_start;
  uint32_t line; /* of the statement under way */
  int64_t now_unix_s;
  adam_status status; /* of the first failure */
  adam_error *error;
};

#define AM_JINJA_STACK_BYTES (400u << 10)

/* Records what Python would raise; always false. */
bool am_jinja_raise(am_jinja *jinja, const char *format, ...) AM_PRINTF(2, 3);
/* Records that a limit of ours was reached; always false. */
bool am_jinja_limit(am_jinja *jinja, const char *what, const char *hint);
/* Pays for n units of work. */
bool am_jinja_charge(am_jinja *jinja, uint64_t n);
/* Room on the C stack; every function that recurses over data or code asks first. */
bool am_jinja_stack_ok(am_jinja *jinja);
/* Arena memory, uninitialised; NULL after a recorded error. */
void *am_jinja_alloc(am_jinja *jinja, size_t count, size_t size);
/* Raises the error that the use of an undefined value is. Always false. */
bool am_jinja_raise_undefined(am_jinja *jinja, const am_jvalue *undefined);
/* Text is built at the end of `out` and cut off again into a string of the arena; builders nest. */
static inline size_t am_jinja_mark(const am_jinja *jinja) { return jinja->out.len; }
bool am_jinja_put(am_jinja *jinja, const char *data, size_t n_bytes);
bool am_jinja_put_text(am_jinja *jinja, const char *text);
bool am_jinja_put_repeated(am_jinja *jinja, const char *data, size_t n_bytes, uint64_t times);
bool am_jinja_put_codepoint(am_jinja *jinja, uint32_t codepoint);
bool am_jinja_cut(am_jinja *jinja, size_t mark, am_jvalue *out);
void am_jinja_drop(am_jinja *jinja, size_t mark); /* forgets what was put since the mark */

#endif
