/* SPDX-License-Identifier: Apache-2.0 */
#include "grammar/charset.h"

#include "base/mem.h"
#include "base/utf8.h"

#include <stdlib.h>
#include <string.h>

void am_charset_close(am_charset *set) {
  am_mem_free(set->ranges);
  *set = (am_charset){0};
}

void am_charset_add(am_charset *set, uint32_t first, uint32_t last) {
  if (set->failed || first > last) return;
  if (set->n == set->capacity) {
    size_t capacity = set->capacity ? set->capacity * 2 : 8;
    am_char_range *grown = am_mem_resize(set->ranges, capacity, sizeof *grown);
    if (!grown) {
      set->failed = true;
      return;
    }
    set->ranges = grown;
    set->capacity = capacity;
  }
  set->ranges[set->n++] = (am_char_range){first, last};
}

void am_charset_add_all(am_charset *set, const am_charset *more) {
  for (size_t i = 0; i < more->n; i++) am_charset_add(set, more->ranges[i].first, more->ranges[i].last);
  if (more->failed) set->failed = true;
}

static int by_first(const void *a, const void *b) {
  const am_char_range *x = a, *y = b;
  return x->first < y->first ? -1 : x->first > y->first;
}

static void join(am_charset *set) {
  size_t kept = 0;
  if (set->n > 1) qsort(set->ranges, set->n, sizeof *set->ranges, by_first);
  for (size_t i = 0; i < set->n; i++) {
    am_char_range range = set->ranges[i];
    if (kept > 0 && range.first <= set->ranges[kept - 1].last + 1) {
      if (range.last > set->ranges[kept - 1].last) set->ranges[kept - 1].last = range.last;
    } else {
      set->ranges[kept++] = range;
    }
  }
  set->n = kept;
}

void am_charset_normalise(am_charset *set) {
  join(set);
  for (size_t i = 0, n = set->n; i < n; i++) {
    am_char_range *range = &set->ranges[i];
    if (range->last > AM_CHARSET_LAST) range->last = AM_CHARSET_LAST;
    if (range->first > 0xDFFF || range->last < 0xD800) continue;
    uint32_t last = range->last;
    bool has_front = range->first < 0xD800;
    if (has_front) range->last = 0xD7FF;
    if (last > 0xDFFF && has_front)
      am_charset_add(set, 0xE000, last);
    else if (!has_front)
      set->ranges[i].first = 0xE000; /* empty where last is below */
  }
  size_t kept = 0;
  for (size_t i = 0; i < set->n; i++)
    if (set->ranges[i].first <= set->ranges[i].last) set->ranges[kept++] = set->ranges[i];
  set->n = kept;
  if (set->n > 1) qsort(set->ranges, set->n, sizeof *set->ranges, by_first);
}

void am_charset_negate(am_charset *set) {
  am_charset out = {.failed = set->failed};
  uint32_t next = 0;
  for (size_t i = 0; i < set->n; i++) {
    if (set->ranges[i].first > next) am_charset_add(&out, next, set->ranges[i].first - 1);
    next = set->ranges[i].last + 1;
  }
  am_charset_add(&out, next, AM_CHARSET_LAST);
  am_charset_normalise(&out);
  am_charset_close(set);
  *set = out;
}

void am_charset_clip(am_charset *set, uint32_t first, uint32_t last) {
  size_t kept = 0;
  for (size_t i = 0; i < set->n; i++) {
    am_char_range range = set->ranges[i];
    if (range.first < first) range.first = first;
    if (range.last > last) range.last = last;
    if (range.first <= range.last) set->ranges[kept++] = range;
  }
  set->n = kept;
}

bool am_charset_has(const am_charset *set, uint32_t character) {
  for (size_t i = 0; i < set->n; i++)
    if (character >= set->ranges[i].first && character <= set->ranges[i].last) return true;
  return false;
}

/* States from which n continuation bytes of any value lead to `to`; made at most once each. */
typedef struct tails {
  am_builder *builder;
  uint32_t to, tail[4];
  bool has[4];
} tails;

static uint32_t tail_of(tails *t, unsigned n) {
  if (n == 0) return t->to;
  if (!t->has[n]) {
    uint32_t next = tail_of(t, n - 1);
    t->tail[n] = am_builder_state(t->builder);
    t->has[n] = true;
    am_builder_bytes(t->builder, t->tail[n], 0x80, 0xBF, next);
  }
  return t->tail[n];
}

/* Characters of one UTF-8 length whose forms differ in the first bytes only, then share free tails. */
static void emit_block(tails *t, uint32_t from, uint32_t first, uint32_t last) {
  char low[4], high[4];
  int n = am_utf8_encode(first, low);
  am_utf8_encode(last, high);
  for (int i = 0; i < n; i++) {
    unsigned a = (uint8_t)low[i], b = (uint8_t)high[i];
    bool rest_free = true;
    for (int k = i + 1; k < n; k++)
      rest_free = rest_free && (uint8_t)low[k] == 0x80 && (uint8_t)high[k] == 0xBF;
    if (rest_free) {
      am_builder_bytes(t->builder, from, (uint8_t)a, (uint8_t)b, tail_of(t, (unsigned)(n - 1 - i)));
      return;
    }
    uint32_t next = am_builder_state(t->builder);
    am_builder_bytes(t->builder, from, (uint8_t)a, (uint8_t)b, next);
    from = next;
  }
}

/* Splits until the two ends differ in one byte that is followed by full tails. */
static void emit_range(tails *t, uint32_t from, uint32_t first, uint32_t last) {
  static const uint32_t lengths[] = {0x7F, 0x7FF, 0xFFFF};
  for (size_t i = 0; i < 3; i++)
    if (first <= lengths[i] && last > lengths[i]) {
      emit_range(t, from, first, lengths[i]);
      emit_range(t, from, lengths[i] + 1, last);
      return;
    }
  for (unsigned i = 1; i < 4 && first > 0x7F; i++) {
    uint32_t mask = (1u << (6 * i)) - 1;
    if ((first & ~mask) == (last & ~mask)) break;
    if (first & mask) {
      emit_range(t, from, first, first | mask);
      emit_range(t, from, (first | mask) + 1, last);
      return;
    }
    if ((last & mask) != mask) {
      emit_range(t, from, first, (last & ~mask) - 1);
      emit_range(t, from, last & ~mask, last);
      return;
    }
  }
  emit_block(t, from, first, last);
}

void am_charset_emit(const am_charset *set, am_builder *builder, uint32_t from, uint32_t to) {
  tails t = {.builder = builder, .to = to};
  if (set->failed) am_builder_fail_memory(builder);
  for (size_t i = 0; i < set->n; i++) emit_range(&t, from, set->ranges[i].first, set->ranges[i].last);
}
