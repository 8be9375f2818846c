/* SPDX-License-Identifier: Apache-2.0 */
/* BPE: merging. The pair of the lowest order goes first, the leftmost of equals. Short pieces look
 * for it in an array, long ones keep a heap with stale entries, so that no piece costs more than
 * n log n. */
#include "tokenizer/bpe.h"

#include "base/mem.h"
#include "tokenizer/pieces.h"

#define SHORT 96 /* symbols; up to here the array is faster than the heap */

static bool grow_array(uint32_t **data, size_t n) {
  uint32_t *grown = am_mem_resize(*data, n, sizeof **data);
  if (grown) *data = grown;
  return grown != NULL;
}

bool am_bpe_reserve(am_bpe_memory *memory, size_t n) {
  if (n <= memory->capacity) return true;
  size_t wanted = n + n / 2 + 128;
  if (!grow_array(&memory->ids, wanted) || !grow_array(&memory->ranks, wanted)) return false;
  memory->capacity = wanted;
  return true;
}

void am_bpe_memory_close(am_bpe_memory *memory) {
  am_mem_free(memory->ids);
  am_mem_free(memory->ranks);
  am_mem_free(memory->next);
  am_mem_free(memory->previous);
  am_mem_free(memory->heap);
  *memory = (am_bpe_memory){0};
}

/* What decides about a pair: its rank, or the priority of what it becomes. */
static inline __attribute__((always_inline)) uint32_t order_of(const am_bpe *bpe, bool scored, uint32_t left,
                                                               uint32_t right) {
  if (!scored) return am_bpe_rank(bpe, left, right);
  if ((left | right) > AM_VOCABULARY_MOST_IDS) return AM_BPE_NONE;
  uint32_t made = am_bpe_rank(bpe, left, right);
  return made == AM_BPE_NONE ? made : bpe->priorities[made];
}

/* What a pair of that order becomes. */
static inline __attribute__((always_inline)) uint32_t result_of(const am_bpe *bpe, bool scored,
                                                                uint32_t order, uint32_t left,
                                                                uint32_t right) {
  return scored ? am_bpe_rank(bpe, left, right) : bpe->results[order];
}

static inline __attribute__((always_inline)) size_t merge_short(const am_bpe *bpe, bool scored, uint32_t *ids,
                                                                uint32_t *ranks, size_t n) {
  /* The table is larger than the caches: ask for all slots before waiting for the first. */
  for (size_t i = 0; i + 1 < n; i++)
    __builtin_prefetch(&bpe->merges[am_bpe_slot(bpe->seed, bpe->shift, am_bpe_pair(ids[i], ids[i + 1]))]);
  for (size_t i = 0; i + 1 < n; i++) ranks[i] = order_of(bpe, scored, ids[i], ids[i + 1]);
  while (n > 1) {
    size_t best = 0;
    uint32_t lowest = ranks[0];
    for (size_t i = 1; i + 1 < n; i++) {
      best = ranks[i] < lowest ? i : best;
      lowest = ranks[i] < lowest ? ranks[i] : lowest;
    }
    if (lowest == AM_BPE_NONE) break;
    ids[best] = result_of(bpe, scored, lowest, ids[best], ids[best + 1]);
    n--;
    for (size_t i = best + 1; i < n; i++) ids[i] = ids[i + 1];
    for (size_t i = best + 1; i + 1 < n; i++) ranks[i] = ranks[i + 1];
    if (best + 1 < n) ranks[best] = order_of(bpe, scored, ids[best], ids[best + 1]);
    if (best > 0) ranks[best - 1] = order_of(bpe, scored, ids[best - 1], ids[best]);
  }
  return n;
}

/* A heap with four children a node: half the levels of two, and the four lie in one cache line. */
static bool heap_push(am_bpe_memory *m, uint64_t entry) {
  uint64_t *heap = am_grow(m->heap, m->heap_n, 1, &m->heap_capacity, sizeof *heap);
  if (!heap) return false;
  m->heap = heap;
  size_t at = m->heap_n++;
  while (at > 0 && heap[(at - 1) / 4] > entry) {
    heap[at] = heap[(at - 1) / 4];
    at = (at - 1) / 4;
  }
  heap[at] = entry;
  return true;
}

static uint64_t heap_pop(am_bpe_memory *m) {
  uint64_t *heap = m->heap, top = heap[0], last = heap[--m->heap_n];
  size_t at = 0, n = m->heap_n;
  for (;;) {
    size_t child = 4 * at + 1, end = child + 4 < n ? child + 4 : n, least = child;
    if (child >= n) break;
    for (size_t i = child + 1; i < end; i++) least = heap[i] < heap[least] ? i : least;
    if (heap[least] >= last) break;
    heap[at] = heap[least];
    at = least;
  }
  if (n > 0) heap[at] = last;
  return top;
}

static inline bool rate_and_push(const am_bpe *bpe, bool scored, am_bpe_memory *m, uint32_t at) {
  uint32_t right = m->next[at];
  if (right == AM_BPE_NONE) {
    m->ranks[at] = AM_BPE_NONE;
    return true;
  }
  m->ranks[at] = order_of(bpe, scored, m->ids[at], m->ids[right]);
  return m->ranks[at] == AM_BPE_NONE || heap_push(m, (uint64_t)m->ranks[at] << 32 | at);
}

static inline __attribute__((always_inline)) size_t merge_long(const am_bpe *bpe, bool scored,
                                                               am_bpe_memory *m, size_t n) {
  if (n > m->links) {
    if (!grow_array(&m->next, n) || !grow_array(&m->previous, n)) return SIZE_MAX;
    m->links = n;
  }
  m->heap_n = 0;
  for (size_t i = 0; i < n; i++) {
    m->next[i] = i + 1 < n ? (uint32_t)i + 1 : AM_BPE_NONE;
    m->previous[i] = i > 0 ? (uint32_t)i - 1 : AM_BPE_NONE;
  }
  for (size_t i = 0; i < n; i++)
    if (!rate_and_push(bpe, scored, m, (uint32_t)i)) return SIZE_MAX;
  while (m->heap_n > 0) {
    uint64_t entry = heap_pop(m);
    uint32_t at = (uint32_t)entry;
    if (m->ranks[at] != (uint32_t)(entry >> 32)) continue; /* stale: the pair has changed since */
    uint32_t right = m->next[at], behind = m->next[right];
    m->ids[at] = result_of(bpe, scored, m->ranks[at], m->ids[at], m->ids[right]);
    m->ranks[right] = AM_BPE_NONE;
    m->next[at] = behind;
    if (behind != AM_BPE_NONE) m->previous[behind] = at;
    if (!rate_and_push(bpe, scored, m, at)) return SIZE_MAX;
    if (m->previous[at] != AM_BPE_NONE && !rate_and_push(bpe, scored, m, m->previous[at])) return SIZE_MAX;
  }
  size_t left = 0;
  for (uint32_t at = 0; at != AM_BPE_NONE; at = m->next[at]) m->ids[left++] = m->ids[at];
  return left;
}

size_t am_bpe_merge_all(const am_bpe *bpe, am_bpe_memory *memory, size_t n) {
  if (n < 2) return n;
  if (bpe->priorities)
    return n <= SHORT ? merge_short(bpe, true, memory->ids, memory->ranks, n)
                      : merge_long(bpe, true, memory, n);
  return n <= SHORT ? merge_short(bpe, false, memory->ids, memory->ranks, n)
                    : merge_long(bpe, false, memory, n);
}
