/* SPDX-License-Identifier: Apache-2.0 */
#include "tokenizer/trie.h"

#include "base/mem.h"
#include "tokenizer/pieces.h"

#include <stdlib.h>
#include <string.h>

#define BLOCK 256
#define MOST_UNITS ((size_t)1 << 31)
#define MOST_TRIES 256 /* places looked at for one node before a new block is begun */

typedef struct word {
  const uint8_t *bytes;
  uint32_t n_bytes;
  int32_t id;
} word;

/* Words [first, last) share their first `depth` bytes, which end in unit `at`. */
typedef struct range {
  uint32_t first, last, depth, at;
} range;

/* Free units are a ring in ascending order through unit 0, which is the root and never free. */
typedef struct builder {
  am_trie_unit *units; /* owned; as the links below (n) */
  uint32_t *next, *previous;
  size_t n, capacity;
  uint32_t wide_from; /* where the search for nodes of several children begins; 0 = nowhere yet */
  word *words;        /* owned, sorted */
  size_t n_words;
  range *stack; /* owned */
  size_t n_stack, stack_capacity;
} builder;

static int compare_words(const void *a, const void *b) {
  const word *x = a, *y = b;
  uint32_t shorter = x->n_bytes < y->n_bytes ? x->n_bytes : y->n_bytes;
  int order = memcmp(x->bytes, y->bytes, shorter);
  if (order != 0) return order;
  return (x->n_bytes > y->n_bytes) - (x->n_bytes < y->n_bytes);
}

/* 256 more free units. */
static bool add_block(builder *b) {
  if (b->n + BLOCK > MOST_UNITS) return false;
  if (b->n + BLOCK > b->capacity) {
    size_t capacity = b->capacity + b->capacity / 2 + 16 * BLOCK;
    am_trie_unit *units = am_mem_resize(b->units, capacity, sizeof *units);
    if (units) b->units = units;
    uint32_t *next = am_mem_resize(b->next, capacity, sizeof *next);
    if (next) b->next = next;
    uint32_t *previous = am_mem_resize(b->previous, capacity, sizeof *previous);
    if (previous) b->previous = previous;
    if (!units || !next || !previous) return false;
    b->capacity = capacity;
  }
  if (b->n == 0) b->next[0] = b->previous[0] = 0;
  for (size_t k = 0; k < BLOCK; k++) {
    uint32_t unit = (uint32_t)(b->n + k);
    b->units[unit] = (am_trie_unit){0, AM_TRIE_NONE, -1};
    if (unit == 0) continue;
    uint32_t last = b->previous[0];
    b->next[last] = b->previous[0] = unit;
    b->previous[unit] = last;
    b->next[unit] = 0;
  }
  b->n += BLOCK;
  return true;
}

static bool is_free(const builder *b, uint32_t unit) {
  return unit != 0 && b->units[unit].parent == AM_TRIE_NONE;
}

static void take(builder *b, uint32_t unit, uint32_t parent) {
  if (b->wide_from == unit) b->wide_from = b->next[unit];
  b->next[b->previous[unit]] = b->next[unit];
  b->previous[b->next[unit]] = b->previous[unit];
  b->units[unit].parent = parent;
}

/* A base under which all n children are free; AM_TRIE_NONE: memory is out. */
static uint32_t find_base(builder *b, const uint8_t *children, size_t n) {
  uint32_t unit = n > 1 && b->wide_from ? b->wide_from : b->next[0];
  for (int tries = 0; unit != 0 && tries < MOST_TRIES; tries++, unit = b->next[unit]) {
    uint32_t base = unit ^ children[0];
    size_t k = 1;
    while (k < n && is_free(b, base ^ children[k])) k++;
    if (k == n) return base;
  }
  uint32_t fresh = (uint32_t)b->n;
  if (!add_block(b)) return AM_TRIE_NONE;
  if (n > 1) b->wide_from = fresh == 0 ? b->next[0] : fresh;
  return fresh;
}

/* Places the children of a range, which wait on the stack from then on. */
static bool place(builder *b, range r) {
  uint8_t children[256];
  size_t n = 0, first_child = b->n_stack;
  for (uint32_t i = r.first; i < r.last; i++) {
    if (b->words[i].n_bytes == r.depth) {
      b->units[r.at].id = b->words[i].id;
      continue;
    }
    uint8_t byte = b->words[i].bytes[r.depth];
    if (n > 0 && children[n - 1] == byte) {
      b->stack[b->n_stack - 1].last = i + 1;
      continue;
    }
    range *stack = am_grow(b->stack, b->n_stack, 1, &b->stack_capacity, sizeof *stack);
    if (!stack) return false;
    b->stack = stack;
    stack[b->n_stack++] = (range){i, i + 1, r.depth + 1, 0};
    children[n++] = byte;
  }
  if (n == 0) return true;
  uint32_t base = find_base(b, children, n);
  if (base == AM_TRIE_NONE) return false;
  b->units[r.at].base = base;
  for (size_t k = 0; k < n; k++) {
    take(b, base ^ children[k], r.at);
    b->stack[first_child + k].at = base ^ children[k];
  }
  return true;
}

static bool gather(builder *b, const am_vocabulary *v) {
  b->words = am_mem_alloc((v->n_ids + 1) * sizeof *b->words);
  if (!b->words) return false;
  for (size_t id = 0; id < v->n_ids; id++) {
    const char *bytes = v->bytes + v->bytes_at[id];
    uint32_t n_bytes = v->bytes_at[id + 1] - v->bytes_at[id];
    if (am_vocabulary_has(v, (int32_t)id) && am_vocabulary_find(v, bytes, n_bytes) == (int32_t)id)
      b->words[b->n_words++] = (word){(const uint8_t *)bytes, n_bytes, (int32_t)id};
  }
  qsort(b->words, b->n_words, sizeof *b->words, compare_words);
  return true;
}

adam_status am_trie_build(const am_vocabulary *vocabulary, am_image_writer *writer, adam_error *error) {
  builder b = {0};
  bool ok = gather(&b, vocabulary) && add_block(&b) && place(&b, (range){0, (uint32_t)b.n_words, 0, 0});
  while (ok && b.n_stack > 0) ok = place(&b, b.stack[--b.n_stack]);
  ok = ok && am_image_add(writer, AM_TRIE_TAG, b.units, b.n * sizeof *b.units);
  am_mem_free(b.units);
  am_mem_free(b.next);
  am_mem_free(b.previous);
  am_mem_free(b.words);
  am_mem_free(b.stack);
  return ok ? ADAM_OK : am_fail_memory(error, "tokenizer");
}

adam_status am_trie_bind(const am_image *image, size_t n_ids, am_trie *out, adam_error *error) {
  size_t n = 0;
  uint32_t wrong = 0;
  const am_trie_unit *units = am_image_section(image, AM_TRIE_TAG, sizeof *units, &n);
  wrong = !units || n == 0 || n % BLOCK != 0; /* then base ^ byte stays below n where base does */
  for (size_t i = 0; !wrong && i < n; i++)
    wrong |= units[i].base >= n || (units[i].id >= 0 && (size_t)units[i].id >= n_ids);
  if (wrong) return am_fail(error, ADAM_DAMAGED, "tokenizer cache", NULL, "the trie of words is damaged");
  out->units = units;
  return ADAM_OK;
}

uint32_t am_trie_walk(const am_trie *trie, const char *bytes, size_t n_bytes) {
  uint32_t at = 0;
  for (size_t i = 0; i < n_bytes; i++)
    if (!am_trie_step(trie, &at, (uint8_t)bytes[i])) return AM_TRIE_NONE;
  return at;
}
