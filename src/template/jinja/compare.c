/* SPDX-License-Identifier: Apache-2.0 */
/* Equality, identity and order of values, as Python has them. */
#include "template/jinja/value.h"

#include <math.h>
#include <string.h>

#include "template/jinja/interp.h"

static int order_int(int64_t a, int64_t b) { return a < b ? -1 : a > b; }

/* Exact, as Python compares: no rounding of the integer. 2: unordered. */
static int order_int_real(int64_t a, double b) {
  if (isnan(b)) return 2;
  if (b >= 9223372036854775808.0) return -1;
  if (b < -9223372036854775808.0) return 1;
  double floor_b = floor(b);
  int order = order_int(a, (int64_t)floor_b);
  return order ? order : floor_b < b ? -1 : 0;
}

static int order_big(const am_jstring *a, const am_jstring *b) {
  bool negative_a = a->data[0] == '-', negative_b = b->data[0] == '-';
  if (negative_a != negative_b) return negative_a ? -1 : 1;
  int order =
      a->n_bytes != b->n_bytes ? (a->n_bytes < b->n_bytes ? -1 : 1) : memcmp(a->data, b->data, a->n_bytes);
  order = order < 0 ? -1 : order > 0;
  return negative_a ? -order : order;
}

static int order_numbers(const am_jvalue *a, const am_jvalue *b) {
  int64_t i = 0, k = 0;
  bool a_int = am_jvalue_as_int(a, &i), b_int = am_jvalue_as_int(b, &k);
  if (a_int && b_int) return order_int(i, k);
  if (a->kind == AM_J_BIG && b->kind == AM_J_BIG) return order_big(a->as.string, b->as.string);
  if (a->kind == AM_J_BIG && b_int) return a->as.string->data[0] == '-' ? -1 : 1;
  if (b->kind == AM_J_BIG && a_int) return b->as.string->data[0] == '-' ? 1 : -1;
  if (a_int) return order_int_real(i, am_jvalue_as_real(b));
  if (b_int) {
    int order = order_int_real(k, am_jvalue_as_real(a));
    return order == 2 ? 2 : -order;
  }
  double x = am_jvalue_as_real(a), y = am_jvalue_as_real(b);
  return isnan(x) || isnan(y) ? 2 : x < y ? -1 : x > y;
}

bool am_jvalue_same(const am_jvalue *a, const am_jvalue *b) {
  if (a->kind != b->kind) return false;
  switch (a->kind) {
    case AM_J_NONE:
      return true;
    case AM_J_BOOL:
      return a->as.boolean == b->as.boolean;
    /* CPython keeps one object per small integer and per equal constant; templates cannot rely on
     * more than that equal integers are usually the same. */
    case AM_J_INT:
      return a->as.integer == b->as.integer;
    default:
      return a->as.string == b->as.string;
  }
}

static bool equal_lists(am_jinja *jinja, const am_jlist *a, const am_jlist *b, bool *out) {
  if (a->n != b->n) return *out = false, true;
  for (size_t i = 0; i < a->n; i++) {
    bool same = am_jvalue_same(&a->items[i], &b->items[i]);
    if (!same && !am_jvalue_equal(jinja, &a->items[i], &b->items[i], &same)) return false;
    if (!same) return *out = false, true;
  }
  return *out = true, true;
}

static bool equal_dicts(am_jinja *jinja, const am_jdict *a, const am_jdict *b, bool *out) {
  if (a->n != b->n) return *out = false, true;
  for (size_t i = 0; i < a->n; i++) {
    am_jvalue *other = NULL;
    if (!am_jdict_get(jinja, b, &a->entries[i].key, &other)) return false;
    if (!other) return *out = false, true;
    bool same = am_jvalue_same(&a->entries[i].value, other);
    if (!same && !am_jvalue_equal(jinja, &a->entries[i].value, other, &same)) return false;
    if (!same) return *out = false, true;
  }
  return *out = true, true;
}

static bool equal_ranges(const am_jrange *a, const am_jrange *b) {
  if (a->n != b->n) return false;
  return a->n == 0 || (a->start == b->start && (a->n == 1 || a->step == b->step));
}

bool am_jvalue_equal(am_jinja *jinja, const am_jvalue *a, const am_jvalue *b, bool *out) {
  if (!am_jinja_stack_ok(jinja) || !am_jinja_charge(jinja, 1)) return false;
  if (am_jvalue_is_number(a) && am_jvalue_is_number(b)) {
    *out = order_numbers(a, b) == 0;
    return true;
  }
  if (a->kind != b->kind) return *out = false, true;
  switch (a->kind) {
    case AM_J_UNDEFINED:
      *out = true;
      return true;
    case AM_J_STRING:
      *out = am_jstring_equal(a->as.string, b->as.string);
      return am_jinja_charge(jinja, *out ? a->as.string->n_bytes / 64 : 0);
    case AM_J_LIST:
    case AM_J_TUPLE:
      return equal_lists(jinja, a->as.list, b->as.list, out);
    case AM_J_DICT:
      return equal_dicts(jinja, a->as.dict, b->as.dict, out);
    case AM_J_RANGE:
      *out = equal_ranges(a->as.range, b->as.range);
      return true;
    default:
      *out = am_jvalue_same(a, b);
      return true;
  }
}

static bool compare_lists(am_jinja *jinja, const am_jlist *a, const am_jlist *b, const char *operator,
                          int * out) {
  for (size_t i = 0; i < a->n && i < b->n; i++) {
    bool same = am_jvalue_same(&a->items[i], &b->items[i]);
    if (!same && !am_jvalue_equal(jinja, &a->items[i], &b->items[i], &same)) return false;
    if (!same) return am_jvalue_compare(jinja, &a->items[i], &b->items[i], operator, out);
  }
  *out = a->n < b->n ? -1 : a->n > b->n;
  return true;
}

bool am_jvalue_compare(am_jinja *jinja, const am_jvalue *a, const am_jvalue *b, const char *operator,
                       int * out) {
  if (!am_jinja_stack_ok(jinja) || !am_jinja_charge(jinja, 1)) return false;
  if (am_jvalue_is_number(a) && am_jvalue_is_number(b)) {
    *out = order_numbers(a, b);
    return true;
  }
  if (a->kind == AM_J_UNDEFINED) return am_jinja_raise_undefined(jinja, a);
  if (b->kind == AM_J_UNDEFINED) return am_jinja_raise_undefined(jinja, b);
  if (a->kind == AM_J_STRING && b->kind == AM_J_STRING) {
    const am_jstring *x = a->as.string, *y = b->as.string;
    size_t n = x->n_bytes < y->n_bytes ? x->n_bytes : y->n_bytes;
    int order = n ? memcmp(x->data, y->data, n) : 0; /* the order of UTF-8 is that of code points */
    if (!order) order = x->n_bytes < y->n_bytes ? -1 : x->n_bytes > y->n_bytes;
    *out = order < 0 ? -1 : order > 0;
    return am_jinja_charge(jinja, n / 64);
  }
  if (a->kind == b->kind && (a->kind == AM_J_LIST || a->kind == AM_J_TUPLE))
    return compare_lists(jinja, a->as.list, b->as.list, operator, out);
  return am_jinja_raise(jinja, "'%s' not supported between instances of '%s' and '%s'", operator,
                        am_jvalue_type(a), am_jvalue_type(b));
}
