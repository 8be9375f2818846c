/* SPDX-License-Identifier: Apache-2.0 */
#include "template/jinja/iterate.h"

#include <string.h>

#include "template/jinja/unicode.h"

static bool next_list(am_jinja *jinja, am_jiterator *self, am_jvalue *out, bool *done) {
  (void)jinja;
  am_jlist *list = self->source.as.list;
  *done = self->index >= list->n;
  if (!*done) *out = list->items[self->index++];
  return true;
}

static bool next_char(am_jinja *jinja, am_jiterator *self, am_jvalue *out, bool *done) {
  const am_jstring *s = self->source.as.string;
  *done = self->index >= s->n_bytes;
  if (*done) return true;
  size_t start = self->index;
  am_unicode_next(s->data, s->n_bytes, &self->index);
  return am_jstring_view(jinja, s->data + start, self->index - start, out);
}

static bool next_range(am_jinja *jinja, am_jiterator *self, am_jvalue *out, bool *done) {
  (void)jinja;
  const am_jrange *range = self->source.as.range;
  *done = (int64_t)self->index >= range->n;
  if (!*done) *out = am_jint(am_jrange_at(range, (int64_t)self->index++));
  return true;
}

static bool next_entry(am_jinja *jinja, am_jdict *dict, am_jview_kind kind, am_jiterator *self,
                       am_jvalue *out, bool *done) {
  *done = self->index >= dict->n;
  if (*done) return true;
  am_jentry *entry = &dict->entries[self->index++];
  if (kind == AM_JVIEW_ITEMS) return am_jtuple_pair(jinja, entry->key, entry->value, out);
  *out = kind == AM_JVIEW_KEYS ? entry->key : entry->value;
  return true;
}

static bool next_key(am_jinja *jinja, am_jiterator *self, am_jvalue *out, bool *done) {
  return next_entry(jinja, self->source.as.dict, AM_JVIEW_KEYS, self, out, done);
}

static bool next_view(am_jinja *jinja, am_jiterator *self, am_jvalue *out, bool *done) {
  return next_entry(jinja, self->source.as.view->dict, self->source.as.view->kind, self, out, done);
}

static bool next_nothing(am_jinja *jinja, am_jiterator *self, am_jvalue *out, bool *done) {
  (void)jinja;
  (void)self;
  (void)out;
  return *done = true;
}

static am_jnext next_of(const am_jvalue *value) {
  switch (value->kind) {
    case AM_J_UNDEFINED:
      return next_nothing;
    case AM_J_STRING:
      return next_char;
    case AM_J_LIST:
    case AM_J_TUPLE:
      return next_list;
    case AM_J_DICT:
      return next_key;
    case AM_J_RANGE:
      return next_range;
    case AM_J_VIEW:
      return next_view;
    default:
      return NULL;
  }
}

bool am_jvalue_iterable(const am_jvalue *value) { return value->kind == AM_J_ITERATOR || next_of(value); }

bool am_jiterator_open(am_jinja *jinja, const am_jvalue *value, am_jiterator **out) {
  if (value->kind == AM_J_ITERATOR) {
    *out = value->as.iterator;
    return true;
  }
  am_jnext next = next_of(value);
  if (!next) return am_jinja_raise(jinja, "'%s' object is not iterable", am_jvalue_type(value));
  am_jiterator *iterator = am_jinja_alloc(jinja, 1, sizeof *iterator);
  if (!iterator) return false;
  *iterator = (am_jiterator){.next = next, .source = *value};
  *out = iterator;
  return true;
}

bool am_jiterator_next(am_jinja *jinja, am_jiterator *iterator, am_jvalue *out, bool *done) {
  *done = false;
  return am_jinja_charge(jinja, 1) && am_jinja_stack_ok(jinja) && iterator->next(jinja, iterator, out, done);
}

bool am_jiterator_new(am_jinja *jinja, am_jnext next, const am_jvalue *source, void *state, const char *type,
                      am_jvalue *out) {
  am_jiterator *iterator = am_jinja_alloc(jinja, 1, sizeof *iterator);
  if (!iterator) return false;
  *iterator = (am_jiterator){.next = next, .source = *source, .state = state, .type = type};
  *out = (am_jvalue){.kind = AM_J_ITERATOR, .as.iterator = iterator};
  return true;
}

bool am_jiterator_list(am_jinja *jinja, const am_jvalue *value, am_jlist **out) {
  am_jiterator *iterator = NULL;
  am_jlist *list = NULL;
  size_t n = 0;
  am_jvalue_length(value, &n);
  if (!am_jiterator_open(jinja, value, &iterator) || !am_jlist_new(jinja, n, &list)) return false;
  for (;;) {
    am_jvalue item;
    bool done = false;
    if (!am_jiterator_next(jinja, iterator, &item, &done)) return false;
    if (done) break;
    if (!am_jlist_push(jinja, list, item)) return false;
  }
  *out = list;
  return true;
}
