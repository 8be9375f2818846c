/* SPDX-License-Identifier: Apache-2.0 */
/* Filters that are generators in Jinja: they do nothing, and fail at nothing, before an item is asked for. */
#include "template/jinja/filters.h"

#include <string.h>

#include "template/jinja/attribute.h"
#include "template/jinja/checks.h"
#include "template/jinja/eval.h"
#include "template/jinja/getter.h"
#include "template/jinja/iterate.h"

#define FILTER(name) \
  bool am_jfilter_##name(am_jinja *jinja, const am_jvalue *value, const am_jargs *args, am_jvalue *out)

typedef struct lazy {
  am_jargs args;
  bool started;
  bool negate;       /* reject */
  bool by_attribute; /* selectattr */
  am_jgetter getter;
  const am_jfilter *filter;
  const am_jcheck *check; /* NULL: the truth of the item */
  am_jargs rest;          /* for the filter or test */
  am_jvalue given[2];     /* batch, slice: size and filler */
  am_jdict *seen;         /* unique */
  int64_t n_done;         /* slice */
  am_jlist *items;        /* slice */
  bool finished;
} lazy;

static bool make(am_jinja *jinja, const am_jvalue *value, const am_jargs *args, am_jnext next, lazy **out,
                 am_jvalue *result) {
  lazy *state = am_jinja_alloc(jinja, 1, sizeof *state);
  if (!state) return false;
  *state = (lazy){0};
  if (args) state->args = *args;
  *out = state;
  return am_jiterator_new(jinja, next, value, state, "generator", result);
}

/* The name of a filter or test that map, select, ... is given. */
static bool no_such(am_jinja *jinja, const char *what, const am_jvalue *name) {
  if (name->kind == AM_J_STRING)
    return am_jinja_raise(jinja, "No %s named '%.*s'.", what,
                          (int)(name->as.string->n_bytes < 100 ? name->as.string->n_bytes : 100),
                          name->as.string->data);
  if (name->kind == AM_J_UNDEFINED)
    return am_jinja_raise(jinja, "No %s named Undefined. (%s; did you forget to quote the callable name?)",
                          what, name->as.undefined->message);
  return am_jinja_raise(jinja, "No %s of this name: a %s.", what, am_jvalue_type(name));
}

static am_jargs skip_args(const am_jargs *args, size_t n) {
  return (am_jargs){
      .items = args->items + n, .n = args->n - n, .keywords = args->keywords, .n_keywords = args->n_keywords};
}

/* --- map --- */
static bool map_attribute(am_jinja *jinja, lazy *state, bool *found) {
  am_jvalue attribute = am_jmissing(), fallback = am_jnone();
  const am_jargs *args = &state->args;
  *found = false;
  for (size_t i = 0; i < args->n_keywords; i++)
    if (am_jstring_is(&args->keywords[i].key, "attribute")) attribute = args->keywords[i].value;
  if (args->n || attribute.kind == AM_J_MISSING) return true;
  *found = true;
  for (size_t i = 0; i < args->n_keywords; i++) {
    const am_jvalue *key = &args->keywords[i].key;
    if (am_jstring_is(key, "default"))
      fallback = args->keywords[i].value;
    else if (!am_jstring_is(key, "attribute"))
      return am_jinja_raise(jinja, "Unexpected keyword argument '%.*s'", (int)key->as.string->n_bytes,
                            key->as.string->data);
  }
  return am_jgetter_open(jinja, &attribute, true, fallback.kind == AM_J_NONE ? NULL : &fallback,
                         &state->getter);
}

static bool start_map(am_jinja *jinja, lazy *state) {
  bool by_attribute = false;
  if (!map_attribute(jinja, state, &by_attribute)) return false;
  if (by_attribute) return true;
  if (!state->args.n) return am_jinja_raise(jinja, "map requires a filter argument");
  const am_jvalue *name = &state->args.items[0];
  if (name->kind == AM_J_STRING)
    state->filter = am_jfilter_find(name->as.string->data, name->as.string->n_bytes);
  state->rest = skip_args(&state->args, 1);
  return true;
}

static bool next_map(am_jinja *jinja, am_jiterator *self, am_jvalue *out, bool *done) {
  lazy *state = self->state;
  am_jvalue item;
  if (!state->started) {
    state->started = true;
    state->finished = !am_jvalue_truth(&self->source);
    if (!state->finished &&
        (!start_map(jinja, state) || !am_jiterator_open(jinja, &self->source, &self->inner)))
      return false;
  }
  if (state->finished) return *done = true;
  if (!am_jiterator_next(jinja, self->inner, &item, done)) return false;
  if (*done) return true;
  if (state->filter) return state->filter->call(jinja, &item, &state->rest, out);
  if (state->args.n) return no_such(jinja, "filter", &state->args.items[0]);
  return am_jgetter_get(jinja, &state->getter, &item, out);
}

FILTER(map) {
  lazy *state = NULL;
  return make(jinja, value, args, next_map, &state, out);
}

/* --- select, reject, selectattr, rejectattr --- */
static bool start_select(am_jinja *jinja, lazy *state) {
  size_t offset = state->by_attribute;
  if (state->by_attribute) {
    if (!state->args.n) return am_jinja_raise(jinja, "Missing parameter for attribute name");
    if (!am_jgetter_open(jinja, &state->args.items[0], true, NULL, &state->getter)) return false;
  }
  if (state->args.n <= offset) return true;
  const am_jvalue *name = &state->args.items[offset];
  if (name->kind == AM_J_STRING)
    state->check = am_jcheck_find(name->as.string->data, name->as.string->n_bytes);
  state->rest = skip_args(&state->args, offset + 1);
  return true;
}

static bool selects(am_jinja *jinja, const lazy *state, const am_jvalue *item, bool *out) {
  am_jvalue value = *item;
  size_t offset = state->by_attribute;
  if (state->by_attribute && !am_jgetter_get(jinja, &state->getter, item, &value)) return false;
  if (state->args.n <= offset)
    *out = am_jvalue_truth(&value);
  else if (!state->check)
    return no_such(jinja, "test", &state->args.items[offset]);
  else if (!am_jcheck_run(jinja, state->check, &value, &state->rest, out))
    return false;
  *out = *out != state->negate;
  return true;
}

static bool next_select(am_jinja *jinja, am_jiterator *self, am_jvalue *out, bool *done) {
  lazy *state = self->state;
  am_jvalue item;
  bool yes = false;
  if (!state->started) {
    state->started = true;
    state->finished = !am_jvalue_truth(&self->source);
    if (!state->finished &&
        (!start_select(jinja, state) || !am_jiterator_open(jinja, &self->source, &self->inner)))
      return false;
  }
  if (state->finished) return *done = true;
  while (!yes) {
    if (!am_jiterator_next(jinja, self->inner, &item, done)) return false;
    if (*done) return true;
    if (!selects(jinja, state, &item, &yes)) return false;
  }
  *out = item;
  return true;
}

static bool make_select(am_jinja *jinja, const am_jvalue *value, const am_jargs *args, bool by_attribute,
                        bool negate, am_jvalue *out) {
  lazy *state = NULL;
  if (!make(jinja, value, args, next_select, &state, out)) return false;
  state->by_attribute = by_attribute;
  state->negate = negate;
  return true;
}
FILTER(select) { return make_select(jinja, value, args, false, false, out); }
FILTER(reject) { return make_select(jinja, value, args, false, true, out); }
FILTER(selectattr) { return make_select(jinja, value, args, true, false, out); }
FILTER(rejectattr) { return make_select(jinja, value, args, true, true, out); }

/* --- unique --- */
static bool next_unique(am_jinja *jinja, am_jiterator *self, am_jvalue *out, bool *done) {
  lazy *state = self->state;
  am_jvalue item, key, *known = NULL;
  if (!self->inner &&
      (!am_jiterator_open(jinja, &self->source, &self->inner) || !am_jdict_new(jinja, 0, &state->seen)))
    return false;
  do {
    if (!am_jiterator_next(jinja, self->inner, &item, done)) return false;
    if (*done) return true;
    if (!am_jgetter_get(jinja, &state->getter, &item, &key) ||
        !am_jdict_get(jinja, state->seen, &key, &known))
      return false;
  } while (known);
  *out = item;
  return am_jdict_set(jinja, state->seen, key, am_jnone());
}

FILTER(unique) {
  static const char *const params[] = {"case_sensitive", "attribute"};
  am_jvalue given[2];
  lazy *state = NULL;
  if (!am_jargs_bind(jinja, "do_unique", args, params, 2, 0, given)) return false;
  if (given[1].kind == AM_J_MISSING) given[1] = am_jnone();
  return make(jinja, value, NULL, next_unique, &state, out) &&
         am_jgetter_open(jinja, &given[1], am_jvalue_truth(&given[0]), NULL, &state->getter);
}

/* --- items --- */
static bool next_item(am_jinja *jinja, am_jiterator *self, am_jvalue *out, bool *done) {
  if (self->source.kind == AM_J_UNDEFINED) return *done = true;
  if (self->source.kind != AM_J_DICT) return am_jinja_raise(jinja, "Can only get item pairs from a mapping.");
  const am_jdict *dict = self->source.as.dict;
  *done = self->index >= dict->n;
  if (*done) return true;
  const am_jentry *entry = &dict->entries[self->index++];
  return am_jtuple_pair(jinja, entry->key, entry->value, out);
}

FILTER(items) {
  lazy *state = NULL;
  return am_jargs_bind(jinja, "do_items", args, NULL, 0, 0, NULL) &&
         make(jinja, value, NULL, next_item, &state, out);
}

/* --- batch, slice --- */
static bool next_batch(am_jinja *jinja, am_jiterator *self, am_jvalue *out, bool *done) {
  lazy *state = self->state;
  int64_t size = -1;
  bool has_size = am_jvalue_as_int(&state->given[0], &size), end = false;
  am_jlist *batch = NULL;
  if (!self->inner && !am_jiterator_open(jinja, &self->source, &self->inner)) return false;
  if (state->finished) return *done = true;
  if (!am_jlist_new(jinja, 0, &batch)) return false;
  if (has_size && size == 0 && !state->started) { /* Jinja's first batch of none is empty, the next has all */
    state->started = true;
    am_jvalue item;
    if (!am_jiterator_next(jinja, self->inner, &item, &end)) return false;
    if (end) return state->finished = *done = true;
    if (!am_jlist_new(jinja, 0, &state->items) || !am_jlist_push(jinja, state->items, item)) return false;
    *out = am_jlist_value(batch);
    return true;
  }
  if (state->items) {
    batch = state->items;
    state->items = NULL;
  }
  while (!has_size || size <= 0 || (int64_t)batch->n < size) {
    am_jvalue item;
    if (!am_jiterator_next(jinja, self->inner, &item, &end)) return false;
    if (end) break;
    if (!am_jlist_push(jinja, batch, item)) return false;
  }
  state->finished = end;
  if (end && !batch->n) return *done = true;
  const am_jvalue *filler = &state->given[1];
  if (end && filler->kind != AM_J_NONE && !has_size)
    return am_jinja_raise(jinja, "'<' not supported between instances of 'int' and '%s'",
                          am_jvalue_type(&state->given[0]));
  while (end && filler->kind != AM_J_NONE && (int64_t)batch->n < size)
    if (!am_jinja_charge(jinja, 1) || !am_jlist_push(jinja, batch, *filler)) return false;
  *out = am_jlist_value(batch);
  return true;
}

FILTER(batch) {
  static const char *const params[] = {"linecount", "fill_with"};
  lazy *state = NULL;
  if (!make(jinja, value, NULL, next_batch, &state, out) ||
      !am_jargs_bind(jinja, "do_batch", args, params, 2, 1, state->given))
    return false;
  if (state->given[1].kind == AM_J_MISSING) state->given[1] = am_jnone();
  return true;
}

static bool next_slice(am_jinja *jinja, am_jiterator *self, am_jvalue *out, bool *done) {
  lazy *state = self->state;
  int64_t slices = 0;
  am_jlist *part = NULL;
  if (!state->items && !am_jiterator_list(jinja, &self->source, &state->items)) return false;
  if (state->given[0].kind == AM_J_UNDEFINED) return am_jinja_raise_undefined(jinja, &state->given[0]);
  if (!am_jvalue_as_int(&state->given[0], &slices))
    return am_jinja_raise(jinja, "unsupported operand type(s) for //: 'int' and '%s'",
                          am_jvalue_type(&state->given[0]));
  if (!slices) return am_jinja_raise(jinja, "integer division or modulo by zero");
  int64_t k = state->n_done++, n = (int64_t)state->items->n;
  *done = k >= slices;
  if (*done) return true;
  int64_t each = n / slices, extra = n % slices;
  int64_t start = k * each + (k < extra ? k : extra), count = each + (k < extra);
  if (!am_jlist_new(jinja, (size_t)count + 1, &part)) return false;
  for (int64_t i = 0; i < count; i++) part->items[part->n++] = state->items->items[start + i];
  if (state->given[1].kind != AM_J_NONE && k >= extra) part->items[part->n++] = state->given[1];
  *out = am_jlist_value(part);
  return true;
}

FILTER(slice) {
  static const char *const params[] = {"slices", "fill_with"};
  lazy *state = NULL;
  if (!make(jinja, value, NULL, next_slice, &state, out) ||
      !am_jargs_bind(jinja, "do_slice", args, params, 2, 1, state->given))
    return false;
  if (state->given[1].kind == AM_J_MISSING) state->given[1] = am_jnone();
  return true;
}

/* --- reverse --- */
static bool next_reversed(am_jinja *jinja, am_jiterator *self, am_jvalue *out, bool *done) {
  size_t n = 0;
  (void)jinja;
  am_jvalue_length(&self->source, &n);
  *done = self->index >= n;
  if (*done) return true;
  size_t i = n - 1 - self->index++;
  if (self->source.kind == AM_J_RANGE)
    return *out = am_jint(am_jrange_at(self->source.as.range, (int64_t)i)), true;
  if (self->source.kind != AM_J_DICT && self->source.kind != AM_J_VIEW)
    return *out = self->source.as.list->items[i], true;
  const am_jdict *dict = self->source.kind == AM_J_DICT ? self->source.as.dict : self->source.as.view->dict;
  am_jview_kind kind = self->source.kind == AM_J_DICT ? AM_JVIEW_KEYS : self->source.as.view->kind;
  if (kind == AM_JVIEW_ITEMS) return am_jtuple_pair(jinja, dict->entries[i].key, dict->entries[i].value, out);
  *out = kind == AM_JVIEW_KEYS ? dict->entries[i].key : dict->entries[i].value;
  return true;
}

FILTER(reverse) {
  if (!am_jargs_bind(jinja, "do_reverse", args, NULL, 0, 0, NULL)) return false;
  am_jvalue none = am_jnone(), back = am_jint(-1);
  size_t n = 0;
  am_jlist *list = NULL;
  if (value->kind == AM_J_STRING) return am_jvalue_slice(jinja, value, &none, &none, &back, out);
  if (am_jvalue_length(value, &n))
    return am_jiterator_new(jinja, next_reversed, value, NULL,
                            value->kind == AM_J_LIST ? "list_reverseiterator" : "reversed", out);
  if (!am_jvalue_iterable(value)) return am_jinja_raise(jinja, "argument must be iterable");
  if (!am_jiterator_list(jinja, value, &list)) return false;
  for (size_t i = 0; i < list->n / 2; i++) {
    am_jvalue swap = list->items[i];
    list->items[i] = list->items[list->n - 1 - i];
    list->items[list->n - 1 - i] = swap;
  }
  *out = am_jlist_value(list);
  return true;
}
