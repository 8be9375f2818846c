/* SPDX-License-Identifier: Apache-2.0 */
/* template/jinja/iterate: walking over values, lazily as Python's generators. */
#ifndef AM_TEMPLATE_JINJA_ITERATE_H
#define AM_TEMPLATE_JINJA_ITERATE_H

#include "template/jinja/interp.h"

/* Sets *done at the end; *out is untouched then. */
typedef bool (*am_jnext)(am_jinja *jinja, am_jiterator *self, am_jvalue *out, bool *done);

struct am_jiterator {
  am_jnext next;
  am_jvalue source;
  size_t index; /* next element; bytes for strings */
  am_jiterator *inner;
  void *state;      /* of the maker */
  const char *type; /* Python's type name */
};

/* iter(value); an error for what cannot be iterated. */
bool am_jiterator_open(am_jinja *jinja, const am_jvalue *value, am_jiterator **out);
bool am_jvalue_iterable(const am_jvalue *value);
bool am_jiterator_next(am_jinja *jinja, am_jiterator *iterator, am_jvalue *out, bool *done);
/* A lazy iterator as a value. */
bool am_jiterator_new(am_jinja *jinja, am_jnext next, const am_jvalue *source, void *state, const char *type,
                      am_jvalue *out);
bool am_jiterator_list(am_jinja *jinja, const am_jvalue *value, am_jlist **out); /* list(value) */

#endif
