/* SPDX-License-Identifier: Apache-2.0 */
/* template/jinja/getter: "a.b.0" as the filters map, sort, groupby, ... look it up in each item. */
#ifndef AM_TEMPLATE_JINJA_GETTER_H
#define AM_TEMPLATE_JINJA_GETTER_H

#include "template/jinja/interp.h"

typedef struct am_jgetter {
  am_jvalue *parts;
  size_t n_parts;
  bool case_sensitive;
  const am_jvalue *fallback; /* in place of an undefined part, or NULL */
} am_jgetter;

/* attribute: NONE (the item itself), text with dots, or any single key. */
bool am_jgetter_open(am_jinja *jinja, const am_jvalue *attribute, bool case_sensitive,
                     const am_jvalue *fallback, am_jgetter *out);
/* Text with commas makes several. */
bool am_jgetter_open_all(am_jinja *jinja, const am_jvalue *attribute, bool case_sensitive, am_jgetter **out,
                         size_t *n);
bool am_jgetter_get(am_jinja *jinja, const am_jgetter *getter, const am_jvalue *item, am_jvalue *out);
/* Text becomes lower case; everything else stays. */
bool am_jvalue_ignore_case(am_jinja *jinja, am_jvalue *value);

#endif
