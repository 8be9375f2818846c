/* SPDX-License-Identifier: Apache-2.0 */
/* template/jinja/checks: what `is` asks; Jinja calls them tests. */
#ifndef AM_TEMPLATE_JINJA_CHECKS_H
#define AM_TEMPLATE_JINJA_CHECKS_H

#include "template/jinja/interp.h"

typedef bool (*am_jcheck_call)(am_jinja *jinja, const am_jvalue *value, const am_jvalue *other, bool *out);
struct am_jcheck {
  const char *name;
  uint8_t n_args; /* beside the value: 0 or 1 */
  am_jcheck_call call;
};
typedef struct am_jcheck am_jcheck;

const am_jcheck *am_jcheck_find(const char *name, size_t n_bytes); /* NULL: no such test */
bool am_jcheck_run(am_jinja *jinja, const am_jcheck *check, const am_jvalue *value, const am_jargs *args,
                   bool *out);

#endif
