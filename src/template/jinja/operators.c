/* SPDX-License-Identifier: Apache-2.0 */
#include "template/jinja/eval.h"

#include <string.h>

#include "template/jinja/format.h"
#include "template/jinja/iterate.h"
#include "template/jinja/number.h"

static const char *operator_text(am_joperator op) {
  static const char *const texts[] = {"+", "-", "*", "/", "//", "%", "** or pow()"};
  return texts[op];
}

static bool unsupported(am_jinja *jinja, am_joperator op, const am_jvalue *a, const am_jvalue *b) {
  return am_jinja_raise(jinja, "unsupported operand type(s) for %s: '%s' and '%s'", operator_text(op),
                        am_jvalue_type(a), am_jvalue_type(b));
}

static bool concat_strings(am_jinja *jinja, const am_jvalue *a, const am_jvalue *b, am_jvalue *out) {
  size_t mark = am_jinja_mark(jinja);
  bool marked = a->marked || b->marked; /* Markup escapes what is not */
  bool ok = marked ? am_jput_escaped(jinja, a) && am_jput_escaped(jinja, b)
                   : am_jinja_put(jinja, a->as.string->data, a->as.string->n_bytes) &&
                         am_jinja_put(jinja, b->as.string->data, b->as.string->n_bytes);
  if (!ok || !am_jinja_cut(jinja, mark, out)) return false;
  out->marked = marked;
  return true;
}

static bool concat_lists(am_jinja *jinja, const am_jvalue *a, const am_jvalue *b, am_jvalue *out) {
  am_jlist *list = NULL;
  size_t n = a->as.list->n, m = b->as.list->n;
  if (!am_jinja_charge(jinja, (n + m) / 8) || !am_jlist_new(jinja, n + m, &list)) return false;
  if (n) memcpy(list->items, a->as.list->items, n * sizeof *list->items);
  if (m) memcpy(list->items + n, b->as.list->items, m * sizeof *list->items);
  list->n = n + m;
  *out = (am_jvalue){.kind = a->kind, .as.list = list};
  return true;
}

static bool add(am_jinja *jinja, const am_jvalue *a, const am_jvalue *b, am_jvalue *out) {
  if (a->kind == AM_J_STRING && b->kind == AM_J_STRING) return concat_strings(jinja, a, b, out);
  if (a->kind == b->kind && (a->kind == AM_J_LIST || a->kind == AM_J_TUPLE))
    return concat_lists(jinja, a, b, out);
  if (a->kind == AM_J_STRING && !a->marked)
    return am_jinja_raise(jinja, "can only concatenate str (not \"%s\") to str", am_jvalue_type(b));
  if (a->kind == AM_J_LIST || a->kind == AM_J_TUPLE)
    return am_jinja_raise(jinja, "can only concatenate %s (not \"%s\") to %s", am_jvalue_type(a),
                          am_jvalue_type(b), am_jvalue_type(a));
  return unsupported(jinja, AM_JOP_ADD, a, b);
}

static bool repeat(am_jinja *jinja, const am_jvalue *sequence, int64_t times, am_jvalue *out) {
  if (times < 0) times = 0;
  if (sequence->kind == AM_J_STRING) {
    size_t mark = am_jinja_mark(jinja);
    const am_jstring *s = sequence->as.string;
    if (!am_jinja_put_repeated(jinja, s->data, s->n_bytes, (uint64_t)times) ||
        !am_jinja_cut(jinja, mark, out))
      return false;
    out->marked = sequence->marked;
    return true;
  }
  am_jlist *list = NULL;
  size_t n = sequence->as.list->n;
  if (n && (uint64_t)times > SIZE_MAX / sizeof(am_jvalue) / n)
    return am_jinja_limit(jinja, "the template uses too much memory", NULL);
  if (!am_jlist_new(jinja, n * (size_t)times, &list)) return false;
  for (int64_t i = 0; i < times && n; i++) {
    memcpy(list->items + list->n, sequence->as.list->items, n * sizeof *list->items);
    list->n += n;
  }
  *out = (am_jvalue){.kind = sequence->kind, .as.list = list};
  return true;
}

static bool is_sequence(const am_jvalue *v) {
  return v->kind == AM_J_STRING || v->kind == AM_J_LIST || v->kind == AM_J_TUPLE;
}

static bool multiply(am_jinja *jinja, const am_jvalue *a, const am_jvalue *b, am_jvalue *out) {
  int64_t times;
  if (is_sequence(a) && am_jvalue_as_int(b, &times)) return repeat(jinja, a, times, out);
  if (is_sequence(b) && am_jvalue_as_int(a, &times)) return repeat(jinja, b, times, out);
  if (is_sequence(a))
    return am_jinja_raise(jinja, "can't multiply sequence by non-int of type '%s'", am_jvalue_type(b));
  if (is_sequence(b))
    return am_jinja_raise(jinja, "can't multiply sequence by non-int of type '%s'", am_jvalue_type(a));
  return unsupported(jinja, AM_JOP_MUL, a, b);
}

bool am_joperate(am_jinja *jinja, am_joperator op, const am_jvalue *a, const am_jvalue *b, am_jvalue *out) {
  if (am_jvalue_is_number(a) && am_jvalue_is_number(b)) return am_jnumber_binary(jinja, op, a, b, out);
  if (op == AM_JOP_MOD && a->kind == AM_J_STRING) return am_jformat_percent(jinja, a, b, out);
  if (a->kind == AM_J_UNDEFINED) return am_jinja_raise_undefined(jinja, a);
  if (b->kind == AM_J_UNDEFINED) return am_jinja_raise_undefined(jinja, b);
  if (op == AM_JOP_ADD) return add(jinja, a, b, out);
  if (op == AM_JOP_MUL) return multiply(jinja, a, b, out);
  return unsupported(jinja, op, a, b);
}

bool am_joperate_unary(am_jinja *jinja, am_joperator op, const am_jvalue *a, am_jvalue *out) {
  int64_t i;
  if (a->kind == AM_J_UNDEFINED) return am_jinja_raise_undefined(jinja, a);
  if (am_jvalue_as_int(a, &i)) {
    if (op == AM_JOP_NEG && i == INT64_MIN)
      return am_jinja_raise(jinja, "integers over 64 bits are not supported");
    *out = am_jint(op == AM_JOP_NEG ? -i : i);
    return true;
  }
  if (a->kind == AM_J_FLOAT) {
    *out = am_jreal(op == AM_JOP_NEG ? -a->as.real : a->as.real);
    return true;
  }
  if (a->kind == AM_J_BIG) {
    const am_jstring *digits = a->as.string;
    bool negative = digits->data[0] == '-';
    *out = *a;
    if (op == AM_JOP_POS) return true;
    size_t mark = am_jinja_mark(jinja);
    if (!am_jinja_put_text(jinja, negative ? "" : "-") ||
        !am_jinja_put(jinja, digits->data + negative, digits->n_bytes - negative) ||
        !am_jinja_cut(jinja, mark, out))
      return false;
    out->kind = AM_J_BIG;
    /* -9223372036854775808 fits */
    if (am_jstring_is(&(am_jvalue){.kind = AM_J_STRING, .as.string = out->as.string}, "-9223372036854775808"))
      *out = am_jint(INT64_MIN);
    return true;
  }
  return am_jinja_raise(jinja, "bad operand type for unary %s: '%s'", op == AM_JOP_NEG ? "-" : "+",
                        am_jvalue_type(a));
}

static bool string_contains(am_jinja *jinja, const am_jvalue *container, const am_jvalue *item, bool *out) {
  if (item->kind != AM_J_STRING)
    return am_jinja_raise(jinja, "'in <string>' requires string as left operand, not %s",
                          am_jvalue_type(item));
  const am_jstring *text = container->as.string, *part = item->as.string;
  *out = part->n_bytes == 0 || memmem(text->data, text->n_bytes, part->data, part->n_bytes) != NULL;
  return am_jinja_charge(jinja, text->n_bytes / 64);
}

static bool search(am_jinja *jinja, const am_jvalue *container, const am_jvalue *item, bool *out) {
  am_jiterator *iterator = NULL;
  if (!am_jiterator_open(jinja, container, &iterator)) return false;
  for (;;) {
    am_jvalue element;
    bool done = false;
    if (!am_jiterator_next(jinja, iterator, &element, &done)) return false;
    if (done) return *out = false, true;
    *out = am_jvalue_same(&element, item);
    if (!*out && !am_jvalue_equal(jinja, &element, item, out)) return false;
    if (*out) return true;
  }
}

static bool range_contains(const am_jrange *range, int64_t i) {
  if (!range->n) return false;
  int64_t last = am_jrange_at(range, range->n - 1);
  if (range->step > 0 ? i < range->start || i > last : i > range->start || i < last) return false;
  uint64_t distance =
      range->step > 0 ? (uint64_t)i - (uint64_t)range->start : (uint64_t)range->start - (uint64_t)i;
  return distance % (range->step > 0 ? (uint64_t)range->step : 0 - (uint64_t)range->step) == 0;
}

bool am_jcontains(am_jinja *jinja, const am_jvalue *container, const am_jvalue *item, bool *out) {
  am_jvalue *found = NULL;
  int64_t i;
  switch (container->kind) {
    case AM_J_STRING:
      return string_contains(jinja, container, item, out);
    case AM_J_DICT:
      if (!am_jdict_get(jinja, container->as.dict, item, &found)) return false;
      *out = found != NULL;
      return true;
    case AM_J_VIEW:
      if (container->as.view->kind != AM_JVIEW_KEYS) return search(jinja, container, item, out);
      if (!am_jdict_get(jinja, container->as.view->dict, item, &found)) return false;
      *out = found != NULL;
      return true;
    case AM_J_RANGE:
      if (!am_jvalue_as_int(item, &i)) return search(jinja, container, item, out);
      *out = range_contains(container->as.range, i);
      return true;
    default:
      if (am_jvalue_iterable(container)) return search(jinja, container, item, out);
      return am_jinja_raise(jinja, "argument of type '%s' is not iterable", am_jvalue_type(container));
  }
}

bool am_jrelate(am_jinja *jinja, am_joperator op, const am_jvalue *a, const am_jvalue *b, bool *out) {
  static const char *const texts[] = {"<", "<=", ">", ">="};
  int order = 0;
  switch (op) {
    case AM_JOP_EQ:
      return am_jvalue_equal(jinja, a, b, out);
    case AM_JOP_NE:
      if (!am_jvalue_equal(jinja, a, b, out)) return false;
      *out = !*out;
      return true;
    case AM_JOP_IN:
      return am_jcontains(jinja, b, a, out);
    case AM_JOP_NOT_IN:
      if (!am_jcontains(jinja, b, a, out)) return false;
      *out = !*out;
      return true;
    default:
      break;
  }
  if (!am_jvalue_compare(jinja, a, b, texts[op - AM_JOP_LT], &order)) return false;
  *out = op == AM_JOP_LT   ? order == -1
         : op == AM_JOP_LE ? order == -1 || order == 0
         : op == AM_JOP_GT ? order == 1
                           : order == 1 || order == 0;
  return true;
}
