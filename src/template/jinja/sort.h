/* SPDX-License-Identifier: Apache-2.0 */
/* template/jinja/sort: Python's sorted(). */
#ifndef AM_TEMPLATE_JINJA_SORT_H
#define AM_TEMPLATE_JINJA_SORT_H

#include "template/jinja/interp.h"

/* Sorts keys and, with them, items (n each); stable, also when reversed. Keys that cannot be compared
 * are an error. */
bool am_jsort(am_jinja *jinja, am_jvalue *keys, am_jvalue *items, size_t n, bool reverse);

#endif
