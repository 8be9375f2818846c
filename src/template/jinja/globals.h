/* SPDX-License-Identifier: Apache-2.0 */
/* template/jinja/globals: the functions that every template can call. */
#ifndef AM_TEMPLATE_JINJA_GLOBALS_H
#define AM_TEMPLATE_JINJA_GLOBALS_H

#include "template/jinja/interp.h"

/* Adds range, dict, namespace, cycler, joiner, lipsum, raise_exception, strftime_now. */
bool am_jglobals_add(am_jinja *jinja, am_jdict *globals);
/* strftime.c: the time of the rendering, local. */
bool am_jstrftime_now(am_jinja *jinja, const am_jstring *format, am_jvalue *out);

#endif
