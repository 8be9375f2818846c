/* SPDX-License-Identifier: Apache-2.0 */
/* Filters over sequences that answer at once; filters_lazy.c has those that answer item by item. */
#include "template/jinja/filters.h"

#include <string.h>

#include "template/jinja/attribute.h"
#include "template/jinja/eval.h"
#include "template/jinja/format.h"
#include "template/jinja/getter.h"
#include "template/jinja/iterate.h"
#include "template/jinja/sort.h"

#define FILTER(name) \
  bool am_jfilter_##name(am_jinja *jinja, const am_jvalue *value, const am_jargs *args, am_jvalue *out)

FILTER(length) {
  size_t n = 0;
  if (!am_jargs_bind(jinja, "len", args, NULL, 0, 0, NULL)) return false;
  if (!am_jvalue_length(value, &n))
    return am_jinja_raise(jinja, "object of type '%s' has no len()", am_jvalue_type(value));
  *out = am_jint((int64_t)n);
  return true;
}

FILTER(first) {
  am_jiterator *iterator = NULL;
  bool done = false;
  if (!am_jargs_bind(jinja, "do_first", args, NULL, 0, 0, NULL) ||
      !am_jiterator_open(jinja, value, &iterator) || !am_jiterator_next(jinja, iterator, out, &done))
    return false;
  return !done || am_jundefined_new(jinja, false, out, "No first item, sequence was empty.");
}

FILTER(last) {
  size_t n = 0;
  if (!am_jargs_bind(jinja, "do_last", args, NULL, 0, 0, NULL)) return false;
  if (!am_jvalue_length(value, &n))
    return am_jinja_raise(jinja, "'%s' object is not reversible", am_jvalue_type(value));
  if (!n) return am_jundefined_new(jinja, false, out, "No last item, sequence was empty.");
  const am_jdict *dict = value->kind == AM_J_DICT   ? value->as.dict
                         : value->kind == AM_J_VIEW ? value->as.view->dict
                                                    : NULL;
  if (value->kind == AM_J_STRING) {
    bool ok = am_jstring_part(jinja, value, n - 1, n, out);
    out->marked = value->marked;
    return ok;
  }
  if (value->kind == AM_J_RANGE) return *out = am_jint(am_jrange_at(value->as.range, (int64_t)n - 1)), true;
  if (!dict) return *out = value->as.list->items[n - 1], true;
  const am_jentry *entry = &dict->entries[n - 1];
  if (value->kind == AM_J_VIEW && value->as.view->kind == AM_JVIEW_ITEMS)
    return am_jtuple_pair(jinja, entry->key, entry->value, out);
  *out = value->kind == AM_J_VIEW && value->as.view->kind == AM_JVIEW_VALUES ? entry->value : entry->key;
  return true;
}

FILTER(list) {
  am_jlist *list = NULL;
  if (!am_jargs_bind(jinja, "do_list", args, NULL, 0, 0, NULL) || !am_jiterator_list(jinja, value, &list))
    return false;
  *out = am_jlist_value(list);
  return true;
}

FILTER(join) {
  static const char *const params[] = {"d", "attribute"};
  am_jvalue given[2], separator, item;
  am_jgetter getter;
  am_jiterator *iterator = NULL;
  if (!am_jargs_bind(jinja, "do_join", args, params, 2, 0, given)) return false;
  if (given[1].kind == AM_J_MISSING) given[1] = am_jnone();
  if (given[0].kind == AM_J_MISSING && !am_jstring_text(jinja, "", &given[0])) return false;
  if (!am_jgetter_open(jinja, &given[1], true, NULL, &getter) ||
      !am_jvalue_str(jinja, &given[0], &separator) || !am_jiterator_open(jinja, value, &iterator))
    return false;
  size_t mark = am_jinja_mark(jinja);
  for (size_t i = 0;; i++) {
    bool done = false;
    if (!am_jiterator_next(jinja, iterator, &item, &done)) return false;
    if (done) return am_jinja_cut(jinja, mark, out);
    if ((i && !am_jput_str(jinja, &separator)) || !am_jgetter_get(jinja, &getter, &item, &item) ||
        !am_jput_str(jinja, &item))
      return false;
  }
}

FILTER(dictsort) {
  static const char *const params[] = {"case_sensitive", "by", "reverse"};
  am_jvalue given[3];
  if (!am_jargs_bind(jinja, "do_dictsort", args, params, 3, 0, given)) return false;
  bool by_value = am_jstring_is(&given[1], "value");
  if (!by_value && given[1].kind != AM_J_MISSING && !am_jstring_is(&given[1], "key"))
    return am_jinja_raise(jinja, "You can only sort by either \"key\" or \"value\"");
  if (value->kind == AM_J_UNDEFINED) return am_jinja_raise_undefined(jinja, value);
  if (value->kind != AM_J_DICT)
    return am_jinja_raise(jinja, "'%s' object has no attribute 'items'", am_jvalue_type(value));
  size_t n = value->as.dict->n;
  am_jlist *pairs = NULL;
  am_jvalue *keys = am_jinja_alloc(jinja, n ? n : 1, sizeof *keys);
  if (!keys || !am_jlist_new(jinja, n, &pairs)) return false;
  for (size_t i = 0; i < n; i++) {
    const am_jentry *entry = &value->as.dict->entries[i];
    keys[i] = by_value ? entry->value : entry->key;
    if (!am_jvalue_truth(&given[0]) && !am_jvalue_ignore_case(jinja, &keys[i])) return false;
    if (!am_jtuple_pair(jinja, entry->key, entry->value, &pairs->items[i])) return false;
  }
  pairs->n = n;
  if (!am_jsort(jinja, keys, pairs->items, n, am_jvalue_truth(&given[2]))) return false;
  *out = am_jlist_value(pairs);
  return true;
}

/* The keys by which the items are sorted or compared. */
static bool collect_keys(am_jinja *jinja, const am_jgetter *getters, size_t n_getters, bool multiple,
                         const am_jlist *items, am_jvalue **out) {
  am_jvalue *keys = am_jinja_alloc(jinja, items->n ? items->n : 1, sizeof *keys);
  if (!keys) return false;
  for (size_t i = 0; i < items->n; i++) {
    am_jlist *list = NULL;
    if (!multiple) {
      if (!am_jgetter_get(jinja, getters, &items->items[i], &keys[i])) return false;
      continue;
    }
    if (!am_jlist_new(jinja, n_getters, &list)) return false;
    for (size_t k = 0; k < n_getters; k++) {
      am_jvalue key;
      if (!am_jgetter_get(jinja, &getters[k], &items->items[i], &key) || !am_jlist_push(jinja, list, key))
        return false;
    }
    keys[i] = am_jlist_value(list);
  }
  *out = keys;
  return true;
}

FILTER(sort) {
  static const char *const params[] = {"reverse", "case_sensitive", "attribute"};
  am_jvalue given[3], *keys = NULL;
  am_jgetter *getters = NULL;
  size_t n_getters = 0;
  am_jlist *items = NULL;
  if (!am_jargs_bind(jinja, "do_sort", args, params, 3, 0, given)) return false;
  if (given[2].kind == AM_J_MISSING) given[2] = am_jnone();
  if (!am_jgetter_open_all(jinja, &given[2], am_jvalue_truth(&given[1]), &getters, &n_getters) ||
      !am_jiterator_list(jinja, value, &items) ||
      !collect_keys(jinja, getters, n_getters, true, items, &keys) ||
      !am_jsort(jinja, keys, items->items, items->n, am_jvalue_truth(&given[0])))
    return false;
  *out = am_jlist_value(items);
  return true;
}

FILTER(groupby) {
  static const char *const params[] = {"attribute", "default", "case_sensitive"};
  am_jvalue given[3], *keys = NULL;
  am_jgetter getter, plain;
  am_jlist *items = NULL, *groups = NULL, *group = NULL;
  if (!am_jargs_bind(jinja, "do_groupby", args, params, 3, 1, given)) return false;
  const am_jvalue *fallback = given[1].kind == AM_J_MISSING || given[1].kind == AM_J_NONE ? NULL : &given[1];
  if (!am_jgetter_open(jinja, &given[0], am_jvalue_truth(&given[2]), fallback, &getter) ||
      !am_jgetter_open(jinja, &given[0], true, fallback, &plain) ||
      !am_jiterator_list(jinja, value, &items) || !collect_keys(jinja, &getter, 1, false, items, &keys) ||
      !am_jsort(jinja, keys, items->items, items->n, false) || !am_jlist_new(jinja, 0, &groups))
    return false;
  for (size_t i = 0; i < items->n; i++) {
    bool same = false;
    am_jvalue grouper, pair;
    if (i && !am_jvalue_equal(jinja, &keys[i - 1], &keys[i], &same)) return false;
    if (!same) {
      if (!am_jgetter_get(jinja, &plain, &items->items[i], &grouper) || !am_jlist_new(jinja, 0, &group) ||
          !am_jtuple_pair(jinja, grouper, am_jlist_value(group), &pair))
        return false;
      pair.marked = true;
      if (!am_jlist_push(jinja, groups, pair)) return false;
    }
    if (!am_jlist_push(jinja, group, items->items[i])) return false;
  }
  *out = am_jlist_value(groups);
  return true;
}

static bool extreme(am_jinja *jinja, const am_jvalue *value, const am_jargs *args, bool largest,
                    am_jvalue *out) {
  static const char *const params[] = {"case_sensitive", "attribute"};
  am_jvalue given[2], item, key, best_key = am_jmissing();
  am_jgetter getter;
  am_jiterator *iterator = NULL;
  if (!am_jargs_bind(jinja, largest ? "do_max" : "do_min", args, params, 2, 0, given)) return false;
  if (given[1].kind == AM_J_MISSING) given[1] = am_jnone();
  if (!am_jgetter_open(jinja, &given[1], am_jvalue_truth(&given[0]), NULL, &getter) ||
      !am_jiterator_open(jinja, value, &iterator))
    return false;
  for (;;) {
    bool done = false;
    int order = largest ? 1 : -1;
    if (!am_jiterator_next(jinja, iterator, &item, &done)) return false;
    if (done) break;
    if (!am_jgetter_get(jinja, &getter, &item, &key)) return false;
    if (best_key.kind != AM_J_MISSING &&
        !am_jvalue_compare(jinja, &key, &best_key, largest ? ">" : "<", &order))
      return false;
    if (order != (largest ? 1 : -1)) continue;
    best_key = key;
    *out = item;
  }
  return best_key.kind != AM_J_MISSING ||
         am_jundefined_new(jinja, false, out, "No aggregated item, sequence was empty.");
}
FILTER(max) { return extreme(jinja, value, args, true, out); }
FILTER(min) { return extreme(jinja, value, args, false, out); }

FILTER(sum) {
  static const char *const params[] = {"attribute", "start"};
  am_jvalue given[2], item;
  am_jgetter getter;
  am_jiterator *iterator = NULL;
  if (!am_jargs_bind(jinja, "do_sum", args, params, 2, 0, given)) return false;
  if (given[0].kind == AM_J_MISSING) given[0] = am_jnone();
  if (!am_jgetter_open(jinja, &given[0], true, NULL, &getter) || !am_jiterator_open(jinja, value, &iterator))
    return false;
  am_jvalue total = given[1].kind == AM_J_MISSING ? am_jint(0) : given[1];
  if (total.kind == AM_J_STRING)
    return am_jinja_raise(jinja, "sum() can't sum strings [use ''.join(seq) instead]");
  for (;;) {
    bool done = false;
    am_jvalue sum;
    if (!am_jiterator_next(jinja, iterator, &item, &done)) return false;
    if (done) break;
    if (!am_jgetter_get(jinja, &getter, &item, &item) || !am_joperate(jinja, AM_JOP_ADD, &total, &item, &sum))
      return false;
    total = sum;
  }
  *out = total;
  return true;
}
