/* SPDX-License-Identifier: Apache-2.0 */
/* Dictionaries in order of insertion: a plain array while small, an index by hash after that. */
#include "template/jinja/value.h"

#include <math.h>
#include <string.h>

#include "base/map.h"
#include "template/jinja/interp.h"

enum { SMALL = 8 };
/* One seed per process would do; a fixed one would let hostile keys collide. */
static uint64_t hash_seed(const am_jdict *dict) { return (uintptr_t)dict * 0x9E3779B97F4A7C15ull; }

bool am_jvalue_hashable(am_jinja *jinja, const am_jvalue *value) {
  if (value->kind == AM_J_LIST || value->kind == AM_J_DICT || !am_jinja_stack_ok(jinja)) return false;
  if (value->kind == AM_J_VIEW) return value->as.view->kind == AM_JVIEW_VALUES;
  if (value->kind == AM_J_TUPLE)
    for (size_t i = 0; i < value->as.list->n; i++)
      if (!am_jvalue_hashable(jinja, &value->as.list->items[i])) return false;
  return true;
}

/* Equal values have equal hashes: 1, 1.0 and true are one key. */
static bool hash_value(am_jinja *jinja, const am_jvalue *value, uint64_t seed, uint64_t *out) {
  if (!am_jinja_stack_ok(jinja)) return false;
  int64_t i;
  double real;
  switch (value->kind) {
    case AM_J_STRING:
      *out = am_hash_bytes(value->as.string->data, value->as.string->n_bytes, seed);
      return am_jinja_charge(jinja, value->as.string->n_bytes / 64);
    case AM_J_BOOL:
    case AM_J_INT:
      am_jvalue_as_int(value, &i);
      *out = am_hash_bytes(&i, sizeof i, seed);
      return true;
    case AM_J_BIG:
    case AM_J_FLOAT:
      real = am_jvalue_as_real(value);
      if (real >= -9.2e18 && real <= 9.2e18 && real == floor(real)) {
        i = (int64_t)real;
        *out = am_hash_bytes(&i, sizeof i, seed);
      } else {
        *out = am_hash_bytes(&real, sizeof real, seed);
      }
      return true;
    case AM_J_TUPLE: {
      uint64_t hash = seed + 1;
      for (size_t k = 0; k < value->as.list->n; k++)
        if (!hash_value(jinja, &value->as.list->items[k], hash, &hash)) return false;
      *out = hash;
      return true;
    }
    case AM_J_NONE:
    case AM_J_UNDEFINED:
      *out = seed ^ value->kind;
      return true;
    case AM_J_LIST:
    case AM_J_DICT:
      return am_jinja_raise(jinja, "unhashable type: '%s'", am_jvalue_type(value));
    default:
      *out = am_hash_bytes(&value->as.string, sizeof value->as.string, seed);
      return true;
  }
}

bool am_jdict_new(am_jinja *jinja, size_t capacity, am_jdict **out) {
  am_jdict *dict = am_jinja_alloc(jinja, 1, sizeof *dict);
  if (!dict) return false;
  *dict = (am_jdict){0};
  if (capacity) {
    dict->entries = am_jinja_alloc(jinja, capacity, sizeof *dict->entries);
    if (!dict->entries) return false;
    dict->capacity = capacity;
  }
  *out = dict;
  return true;
}

static bool rebuild_index(am_jinja *jinja, am_jdict *dict) {
  size_t n_index = 32;
  while (n_index < dict->capacity * 2) n_index *= 2;
  uint32_t *index = am_jinja_alloc(jinja, n_index, sizeof *index);
  if (!index) return false;
  memset(index, 0, n_index * sizeof *index);
  for (size_t i = 0; i < dict->n; i++) {
    size_t slot = dict->entries[i].hash & (n_index - 1);
    while (index[slot]) slot = (slot + 1) & (n_index - 1);
    index[slot] = (uint32_t)i + 1;
  }
  dict->index = index;
  dict->n_index = n_index;
  return true;
}

static bool equal_key(am_jinja *jinja, const am_jentry *entry, const am_jvalue *key, uint64_t hash,
                      bool *out) {
  if (entry->hash != hash) return *out = false, true;
  if (am_jvalue_same(&entry->key, key)) return *out = true, true;
  return am_jvalue_equal(jinja, &entry->key, key, out);
}

static bool locate(am_jinja *jinja, const am_jdict *dict, const am_jvalue *key, uint64_t hash,
                   am_jentry **out) {
  bool equal = false;
  *out = NULL;
  if (!dict->index) {
    for (size_t i = 0; i < dict->n; i++) {
      if (!equal_key(jinja, &dict->entries[i], key, hash, &equal)) return false;
      if (equal) return *out = &dict->entries[i], true;
    }
    return true;
  }
  for (size_t slot = hash & (dict->n_index - 1); dict->index[slot]; slot = (slot + 1) & (dict->n_index - 1)) {
    am_jentry *entry = &dict->entries[dict->index[slot] - 1];
    if (!equal_key(jinja, entry, key, hash, &equal)) return false;
    if (equal) return *out = entry, true;
  }
  return true;
}

bool am_jdict_get(am_jinja *jinja, const am_jdict *dict, const am_jvalue *key, am_jvalue **out) {
  uint64_t hash = 0;
  am_jentry *entry = NULL;
  if (!hash_value(jinja, key, hash_seed(dict), &hash) || !locate(jinja, dict, key, hash, &entry))
    return false;
  *out = entry ? &entry->value : NULL;
  return true;
}

bool am_jdict_set(am_jinja *jinja, am_jdict *dict, am_jvalue key, am_jvalue value) {
  uint64_t hash = 0;
  am_jentry *entry = NULL;
  if (!hash_value(jinja, &key, hash_seed(dict), &hash) || !locate(jinja, dict, &key, hash, &entry))
    return false;
  if (entry) {
    entry->value = value;
    return true;
  }
  if (dict->n == UINT32_MAX - 1) return am_jinja_limit(jinja, "too many keys", NULL);
  bool grown = dict->n == dict->capacity;
  if (grown) {
    size_t capacity = dict->capacity ? dict->capacity * 2 : 4;
    am_jentry *entries = am_jinja_alloc(jinja, capacity, sizeof *entries);
    if (!entries) return false;
    if (dict->n) memcpy(entries, dict->entries, dict->n * sizeof *entries);
    dict->entries = entries;
    dict->capacity = capacity;
  }
  dict->entries[dict->n++] = (am_jentry){.key = key, .value = value, .hash = hash};
  if (dict->n <= SMALL) return true;
  if (grown || !dict->index) return rebuild_index(jinja, dict);
  size_t slot = hash & (dict->n_index - 1);
  while (dict->index[slot]) slot = (slot + 1) & (dict->n_index - 1);
  dict->index[slot] = (uint32_t)dict->n;
  return true;
}

am_jvalue *am_jdict_find(const am_jdict *dict, const char *key, size_t key_bytes) {
  uint64_t hash = am_hash_bytes(key, key_bytes, hash_seed(dict));
  size_t slot = dict->index ? hash & (dict->n_index - 1) : 0;
  for (size_t i = 0;; i++) {
    size_t at = i;
    if (dict->index) {
      if (!dict->index[slot]) return NULL;
      at = dict->index[slot] - 1;
      slot = (slot + 1) & (dict->n_index - 1);
    } else if (i == dict->n) {
      return NULL;
    }
    am_jentry *entry = &dict->entries[at];
    if (entry->hash == hash && entry->key.kind == AM_J_STRING && entry->key.as.string->n_bytes == key_bytes &&
        (key_bytes == 0 || memcmp(entry->key.as.string->data, key, key_bytes) == 0))
      return &entry->value;
  }
}
