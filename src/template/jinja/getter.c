/* SPDX-License-Identifier: Apache-2.0 */
#include "template/jinja/getter.h"

#include <string.h>

#include "template/jinja/attribute.h"
#include "template/jinja/number.h"
#include "template/jinja/text.h"

bool am_jvalue_ignore_case(am_jinja *jinja, am_jvalue *value) {
  am_jvalue lower;
  if (value->kind != AM_J_STRING) return true;
  if (!am_jtext_case(jinja, value, AM_JCASE_LOWER, &lower)) return false;
  *value = lower;
  return true;
}

static bool is_number(const am_jstring *s) {
  for (size_t i = 0; i < s->n_bytes; i++)
    if (s->data[i] < '0' || s->data[i] > '9') return false;
  return s->n_bytes > 0;
}

bool am_jgetter_open(am_jinja *jinja, const am_jvalue *attribute, bool case_sensitive,
                     const am_jvalue *fallback, am_jgetter *out) {
  *out = (am_jgetter){.case_sensitive = case_sensitive, .fallback = fallback};
  if (attribute->kind == AM_J_NONE) return true;
  am_jlist *parts = NULL;
  am_jvalue dot;
  if (attribute->kind != AM_J_STRING) {
    if (!am_jlist_new(jinja, 1, &parts) || !am_jlist_push(jinja, parts, *attribute)) return false;
  } else if (!am_jstring_text(jinja, ".", &dot) ||
             !am_jtext_split(jinja, attribute, &dot, -1, false, &parts)) {
    return false;
  }
  for (size_t i = 0; attribute->kind == AM_J_STRING && i < parts->n; i++) {
    const am_jstring *s = parts->items[i].as.string;
    if (is_number(s) && !am_jnumber_parse_int(s->data, s->n_bytes, 10, &parts->items[i]))
      return am_jinja_raise(jinja, "integers over 64 bits are not supported");
  }
  out->parts = parts->items;
  out->n_parts = parts->n;
  if (!fallback) return true;
  am_jvalue *copy = am_jinja_alloc(jinja, 1, sizeof *copy);
  if (!copy) return false;
  *copy = *fallback;
  out->fallback = copy;
  return true;
}

bool am_jgetter_open_all(am_jinja *jinja, const am_jvalue *attribute, bool case_sensitive, am_jgetter **out,
                         size_t *n) {
  am_jlist *names = NULL;
  am_jvalue comma;
  if (attribute->kind != AM_J_STRING) {
    if (!am_jlist_new(jinja, 1, &names) || !am_jlist_push(jinja, names, *attribute)) return false;
  } else if (!am_jstring_text(jinja, ",", &comma) ||
             !am_jtext_split(jinja, attribute, &comma, -1, false, &names)) {
    return false;
  }
  am_jgetter *getters = am_jinja_alloc(jinja, names->n, sizeof *getters);
  if (!getters) return false;
  for (size_t i = 0; i < names->n; i++)
    if (!am_jgetter_open(jinja, &names->items[i], case_sensitive, NULL, &getters[i])) return false;
  *out = getters;
  *n = names->n;
  return true;
}

bool am_jgetter_get(am_jinja *jinja, const am_jgetter *getter, const am_jvalue *item, am_jvalue *out) {
  am_jvalue value = *item;
  for (size_t i = 0; i < getter->n_parts; i++) {
    am_jvalue next;
    if (!am_jvalue_getitem(jinja, &value, &getter->parts[i], &next)) return false;
    value = next.kind == AM_J_UNDEFINED && getter->fallback ? *getter->fallback : next;
  }
  *out = value;
  return getter->case_sensitive || am_jvalue_ignore_case(jinja, out);
}
