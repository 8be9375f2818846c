/* SPDX-License-Identifier: Apache-2.0 */
/* Methods of dict, list, tuple and range, and which attributes the sandbox forbids. */
#include "template/jinja/attribute.h"

#include <math.h>
#include <string.h>

#include "template/jinja/eval.h"
#include "template/jinja/iterate.h"
#include "template/jinja/methods.h"

#define METHOD(name) \
  static bool name(am_jinja *jinja, const am_jfunction *self, const am_jargs *args, am_jvalue *out)

static bool make_view(am_jinja *jinja, const am_jfunction *self, const am_jargs *args, am_jview_kind kind,
                      am_jvalue *out) {
  if (!am_jargs_bind(jinja, self->name, args, NULL, 0, 0, NULL)) return false;
  am_jview *view = am_jinja_alloc(jinja, 1, sizeof *view);
  if (!view) return false;
  *view = (am_jview){.kind = kind, .dict = self->receiver.as.dict};
  *out = (am_jvalue){.kind = AM_J_VIEW, .as.view = view};
  return true;
}
METHOD(dict_items) { return make_view(jinja, self, args, AM_JVIEW_ITEMS, out); }
METHOD(dict_keys) { return make_view(jinja, self, args, AM_JVIEW_KEYS, out); }
METHOD(dict_values) { return make_view(jinja, self, args, AM_JVIEW_VALUES, out); }

METHOD(dict_get) {
  am_jvalue given[2], *found = NULL;
  if (!am_jargs_bind(jinja, "get", args, NULL, 2, 1, given) ||
      !am_jdict_get(jinja, self->receiver.as.dict, &given[0], &found))
    return false;
  *out = found ? *found : given[1].kind == AM_J_MISSING ? am_jnone() : given[1];
  return true;
}

METHOD(copy) { /* what cannot change is its own copy */
  *out = self->receiver;
  return am_jargs_bind(jinja, "copy", args, NULL, 0, 0, NULL);
}

METHOD(dict_fromkeys) {
  am_jvalue given[2], key;
  am_jiterator *iterator = NULL;
  am_jdict *dict = NULL;
  if (!am_jargs_bind(jinja, "fromkeys", args, NULL, 2, 1, given) ||
      !am_jiterator_open(jinja, &given[0], &iterator) || !am_jdict_new(jinja, 0, &dict))
    return false;
  if (given[1].kind == AM_J_MISSING) given[1] = am_jnone();
  for (;;) {
    bool done = false;
    if (!am_jiterator_next(jinja, iterator, &key, &done)) return false;
    if (done) break;
    if (!am_jdict_set(jinja, dict, key, given[1])) return false;
  }
  (void)self;
  *out = am_jdict_value(dict);
  return true;
}

static bool matches(am_jinja *jinja, const am_jvalue *item, const am_jvalue *wanted, bool *out) {
  *out = am_jvalue_same(item, wanted);
  return *out || am_jvalue_equal(jinja, item, wanted, out);
}

METHOD(sequence_count) {
  am_jvalue wanted, item;
  am_jiterator *iterator = NULL;
  int64_t n = 0;
  if (!am_jargs_bind(jinja, "count", args, NULL, 1, 1, &wanted) ||
      !am_jiterator_open(jinja, &self->receiver, &iterator))
    return false;
  for (;;) {
    bool done = false, same = false;
    if (!am_jiterator_next(jinja, iterator, &item, &done)) return false;
    if (done) break;
    if (!matches(jinja, &item, &wanted, &same)) return false;
    n += same;
  }
  *out = am_jint(n);
  return true;
}

METHOD(sequence_index) {
  am_jvalue given[3], item;
  am_jiterator *iterator = NULL;
  size_t length = 0;
  am_jvalue_length(&self->receiver, &length);
  int64_t bounds[2] = {0, (int64_t)length};
  if (!am_jargs_bind(jinja, "index", args, NULL, 3, 1, given) ||
      !am_jiterator_open(jinja, &self->receiver, &iterator))
    return false;
  for (int i = 0; i < 2; i++) {
    if (given[i + 1].kind == AM_J_MISSING) continue;
    if (!am_jvalue_as_int(&given[i + 1], &bounds[i]))
      return am_jinja_raise(jinja, "slice indices must be integers or have an __index__ method");
    if (bounds[i] < 0) bounds[i] = bounds[i] < -(int64_t)length ? 0 : bounds[i] + (int64_t)length;
  }
  for (int64_t i = 0;; i++) {
    bool done = false, same = false;
    if (!am_jiterator_next(jinja, iterator, &item, &done)) return false;
    if (done)
      return am_jinja_raise(jinja, "%s.index(x): x not in %s", am_jvalue_type(&self->receiver),
                            am_jvalue_type(&self->receiver));
    if (i < bounds[0] || i >= bounds[1]) continue;
    if (!matches(jinja, &item, &given[0], &same)) return false;
    if (same) return *out = am_jint(i), true;
  }
}

METHOD(float_is_integer) {
  double real = self->receiver.as.real;
  *out = am_jbool(isfinite(real) && real == floor(real));
  return am_jargs_bind(jinja, "is_integer", args, NULL, 0, 0, NULL);
}

static const am_jmethod dict_methods[] = {{"items", dict_items}, {"get", dict_get},
                                          {"keys", dict_keys},   {"values", dict_values},
                                          {"copy", copy},        {"fromkeys", dict_fromkeys}};
static const am_jmethod list_methods[] = {
    {"index", sequence_index}, {"count", sequence_count}, {"copy", copy}};
static const am_jmethod tuple_methods[] = {{"index", sequence_index}, {"count", sequence_count}};
static const am_jmethod float_methods[] = {{"is_integer", float_is_integer}};

static const am_jmethod *methods_of(const am_jvalue *receiver, size_t *n) {
  switch (receiver->kind) {
    case AM_J_STRING:
      return am_jmethods_of_str(n);
    case AM_J_DICT:
      *n = sizeof dict_methods / sizeof *dict_methods;
      return dict_methods;
    case AM_J_LIST:
      *n = sizeof list_methods / sizeof *list_methods;
      return list_methods;
    case AM_J_TUPLE:
    case AM_J_RANGE:
      *n = sizeof tuple_methods / sizeof *tuple_methods;
      return tuple_methods;
    case AM_J_FLOAT:
      *n = sizeof float_methods / sizeof *float_methods;
      return float_methods;
    case AM_J_FUNCTION: /* dict.fromkeys alone */
      *n = strcmp(receiver->as.function->name, "dict") == 0;
      return &dict_methods[5];
    default:
      *n = 0;
      return NULL;
  }
}

bool am_jmethod_find(const am_jvalue *receiver, const char *name, size_t n_bytes, const char **method,
                     am_jcall *call) {
  size_t n = 0;
  const am_jmethod *methods = n_bytes ? methods_of(receiver, &n) : NULL;
  for (size_t i = 0; i < n; i++) {
    if (methods[i].name[0] != name[0] || strlen(methods[i].name) != n_bytes ||
        memcmp(methods[i].name, name, n_bytes) != 0)
      continue;
    *method = methods[i].name;
    *call = methods[i].call;
    return true;
  }
  return false;
}

bool am_jattribute_unsafe(const am_jvalue *object, const char *name, size_t n_bytes) {
  static const char *const list_names[] = {"append", "clear",  "pop",    "reverse", "insert",
                                           "sort",   "extend", "remove", NULL};
  static const char *const dict_names[] = {"clear", "pop", "popitem", "setdefault", "update", NULL};
  static const char *const object_names[] = {
      "__class__",   "__delattr__", "__dir__",           "__doc__",          "__eq__",
      "__format__",  "__ge__",      "__getattribute__",  "__getstate__",     "__gt__",
      "__hash__",    "__init__",    "__init_subclass__", "__le__",           "__lt__",
      "__ne__",      "__new__",     "__reduce__",        "__reduce_ex__",    "__repr__",
      "__setattr__", "__sizeof__",  "__str__",           "__subclasshook__", NULL};
  const char *const *names = object->kind == AM_J_LIST   ? list_names
                             : object->kind == AM_J_DICT ? dict_names
                                                         : NULL;
  if (n_bytes > 4 && name[0] == '_' && name[1] == '_') names = object_names;
  for (; names && *names; names++)
    if (strlen(*names) == n_bytes && memcmp(*names, name, n_bytes) == 0) return true;
  return false;
}
