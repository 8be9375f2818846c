/* SPDX-License-Identifier: Apache-2.0 */
/* template/jinja/eval: expressions -> values, statements -> text at the end of jinja->out. */
#ifndef AM_TEMPLATE_JINJA_EVAL_H
#define AM_TEMPLATE_JINJA_EVAL_H

#include "template/jinja/ast.h"
#include "template/jinja/interp.h"

bool am_jeval(am_jinja *jinja, am_jframe *frame, const am_jnode *node, am_jvalue *out);
/* The filter of a block ({% filter f %}, {% set x | f %}) applied to its text. */
bool am_jeval_block_filter(am_jinja *jinja, am_jframe *frame, const am_jnode *filter, const am_jvalue *text,
                           am_jvalue *out);
/* Arguments as written -> values. */
bool am_jeval_args(am_jinja *jinja, am_jframe *frame, const am_jsignature *signature, am_jargs *out);

/* How a run of statements ended. */
typedef enum am_jflow { AM_JFLOW_NEXT, AM_JFLOW_BREAK, AM_JFLOW_CONTINUE, AM_JFLOW_FAIL } am_jflow;
am_jflow am_jexec(am_jinja *jinja, am_jframe *frame, const am_jnodes *nodes);
bool am_jassign(am_jinja *jinja, am_jframe *frame, const am_jnode *target, const am_jvalue *value);
void am_jscope_leave(am_jframe *frame, const am_jscope *scope);
bool am_jscope_enter(am_jinja *jinja, am_jframe *frame, const am_jscope *scope);
am_jframe *am_jframe_new(am_jinja *jinja, am_jframe *parent, uint16_t n_slots);

/* loop.c */
am_jflow am_jexec_for(am_jinja *jinja, am_jframe *frame, const am_jnode *node);
/* loop(items) of a recursive loop. */
bool am_jloop_recurse(am_jinja *jinja, am_jloop *loop, const am_jvalue *iterable, am_jvalue *out);
bool am_jloop_attribute(am_jinja *jinja, am_jloop *loop, const char *name, size_t n_bytes, am_jvalue *out,
                        bool *found);

/* call.c */
struct am_jmacro {
  const am_jcode *code;
  am_jframe *closure;
};
bool am_jmacro_new(am_jinja *jinja, am_jframe *frame, const am_jcode *code, am_jvalue *out);
bool am_jcall_value(am_jinja *jinja, const am_jvalue *callee, const am_jargs *args, am_jvalue *out);
/* A block of the template; `given` (may be NULL) are names that a scoped block sees. */
bool am_jblock_run(am_jinja *jinja, const am_jnode *block, am_jdict *given);
/* Binds arguments to parameters as Python does: out[i] is MISSING for one not given. params NULL: no
 * keywords are taken. */
bool am_jargs_bind(am_jinja *jinja, const char *function, const am_jargs *args, const char *const *params,
                   size_t n_params, size_t n_required, am_jvalue *out);

/* operators.c */
bool am_joperate(am_jinja *jinja, am_joperator op, const am_jvalue *a, const am_jvalue *b, am_jvalue *out);
bool am_joperate_unary(am_jinja *jinja, am_joperator op, const am_jvalue *a, am_jvalue *out);
bool am_jrelate(am_jinja *jinja, am_joperator op, const am_jvalue *a, const am_jvalue *b, bool *out);
bool am_jcontains(am_jinja *jinja, const am_jvalue *container, const am_jvalue *item, bool *out);

#endif
