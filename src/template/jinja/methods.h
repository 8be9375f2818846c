/* SPDX-License-Identifier: Apache-2.0 */
/* template/jinja/methods: the methods of Python's built-in types. A new one is a function and a row. */
#ifndef AM_TEMPLATE_JINJA_METHODS_H
#define AM_TEMPLATE_JINJA_METHODS_H

#include "template/jinja/interp.h"

typedef struct am_jmethod {
  const char *name;
  am_jcall call;
} am_jmethod;

const am_jmethod *am_jmethods_of_str(size_t *n);
/* str.isupper (upper) and str.islower. */
bool am_jmethod_has_case(const am_jstring *string, bool upper);

#endif
