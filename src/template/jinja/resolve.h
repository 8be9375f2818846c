/* SPDX-License-Identifier: Apache-2.0 */
/* template/jinja/resolve: binds every name of a parsed template to a slot and finds its filters and
 * tests. The rules of scope are those of jinja2.idtracking and jinja2.compiler, which turn templates
 * into nested Python functions: see the comments in resolve.c. */
#ifndef AM_TEMPLATE_JINJA_RESOLVE_H
#define AM_TEMPLATE_JINJA_RESOLVE_H

#include "template/jinja/ast.h"

/* program->body is set; fills the rest. Errors: unknown filters and tests, break outside of a loop, ... */
bool am_jresolve(am_jinja *jinja, am_jprogram *program);

#endif
