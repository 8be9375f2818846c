/* SPDX-License-Identifier: Apache-2.0 */
/* template/go/eval: one rendering of a parsed tree. One thread. */
#ifndef AM_TEMPLATE_GO_EVAL_H
#define AM_TEMPLATE_GO_EVAL_H

#include "template/go/ast.h"
#include "template/go/functions.h"

enum { AM_GO_MAX_OUTPUT_BYTES = 64 << 20, AM_GO_MAX_MEMORY_BYTES = 256 << 20, AM_GO_MAX_STEPS = 20000000 };

typedef struct am_go_variable {
  am_go_name name;
  am_go_value value;
} am_go_variable;

typedef enum am_go_flow { AM_GO_FLOWS, AM_GO_BREAKS, AM_GO_CONTINUES } am_go_flow;

typedef struct am_go_state {
  const am_go_template *tmpl;
  const am_go_definition *definitions; /* what {{ template }} finds */
  size_t n_definitions;
  bool full; /* false in the last turn of a legacy template: there Ollama runs without its own functions, and
                a missing key is no value at all */
  am_arena *arena; /* values; its limit is set by the owner */
  am_buf *out;
  adam_error *error;
  uint32_t line; /* of what is evaluated, for errors */
  am_go_variable *variables;
  size_t n_variables, capacity, first_variable;
  uint64_t n_steps, max_steps;
  size_t max_output_bytes;
  uint32_t depth;
  am_go_flow flow;
  int64_t now_unix_s;
} am_go_state;

/* Runs the tree with `root` as . and $, appending to state->out. */
adam_status am_go_run(am_go_state *state, const am_go_node *tree, const am_go_value *root);

/* For its helpers: an error with the line; memory; one step of work. */
adam_status am_go_fail(const am_go_state *state, const char *why_format, ...) AM_PRINTF(2, 3);
adam_status am_go_no_memory(const am_go_state *state);
adam_status am_go_step(am_go_state *state);
/* The buffer's text as a value of the arena; the buffer is closed. */
adam_status am_go_take(const am_go_state *state, am_buf *text, am_go_value *out);

/* functions.c: calls with evaluated arguments (their number was checked). Not for and, or. */
adam_status am_go_call(am_go_state *state, am_go_function function, am_go_value *arguments, size_t n,
                       am_go_value *out);
/* The element of a list, as Go's Index gives it. */
am_go_value am_go_element(const am_go_value *list, size_t index);

/* print.c: fmt. what {{ value }} writes; Sprint, Sprintln and Sprintf of arguments. */
adam_status am_go_write(am_go_state *state, am_buf *out, const am_go_value *value);
adam_status am_go_sprint(am_go_state *state, am_buf *out, const am_go_value *arguments, size_t n, bool line);
adam_status am_go_sprintf(am_go_state *state, am_buf *out, const am_go_value *arguments, size_t n);

/* json.c: encoding/json's Marshal, with HTML escaped. */
bool am_go_json(am_buf *out, const am_go_value *value);
/* What the type's String gives. */
bool am_go_own_text(am_buf *out, const am_go_value *value);
/* A float64 as strconv's shortest 'g' ('e' from exponent `least_exponent` on). */
bool am_go_write_real(am_buf *out, double value, int least_exponent);

/* escape.c: html, js and urlquery of a text. */
bool am_go_escape(am_buf *out, am_go_function function, const char *text, size_t n_bytes);

#endif
