/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer/bpe: byte pair encoding. The merges lie in a hash table (left id, right id) -> rank, the
 * piece's first symbols are bytes or characters. Immutable after bind. */
#ifndef AM_TOKENIZER_BPE_H
#define AM_TOKENIZER_BPE_H

#include "tokenizer/char_ids.h"
#include "tokenizer/cuts.h"
#include "tokenizer/model.h"

#define AM_BPE_NONE UINT32_MAX
#define AM_BPE_MOST_MERGES (1u << 22)

/* A merge in one word, so that a cache line holds eight: left id << 43 | right id << 22 | rank. All
 * ones: an empty slot. */
typedef uint64_t am_bpe_merge;
#define AM_BPE_EMPTY UINT64_MAX
_Static_assert(AM_VOCABULARY_MOST_IDS < 1u << 21, "ids have 21 bits, and not all ones");

typedef struct am_bpe {
  const am_bpe_merge *merges; /* (mask + 1) slots, at least one empty */
  const uint32_t *results;    /* (n_results) by rank: what the pair becomes */
  size_t n_results;
  const uint32_t *priorities; /* NULL: the rank decides; else the table has results where ranks stand, and
                                 priorities[result] decides (spm.h) */
  size_t mask;
  int shift; /* 64 - log2(mask + 1) */
  uint64_t seed;
  int32_t byte_ids[256]; /* raw bytes: first symbol of a byte; with byte_fallback: of <0xXX>; -1 */
  bool raw_bytes, ignore_merges, fuse_unknown, byte_fallback;
  bool wants_unknown;          /* an unknown token is named */
  int32_t unknown_id;          /* -1: not in the vocabulary */
  am_char_ids chars;           /* owned; pieces of characters only */
  am_cuts cuts;                /* none where a piece cannot be encoded part by part */
  bool loses;                  /* a character can be no word and have no bytes: it is unknown, or dropped */
  const char *prefix, *suffix; /* continuing_subword_prefix, end_of_word_suffix; borrowed; "" = none */
  size_t prefix_bytes, suffix_bytes;
} am_bpe;

#define AM_BPE_TAG_MERGES AM_IMAGE_TAG('B', 'M', 'E', 'R')
#define AM_BPE_TAG_RESULTS AM_IMAGE_TAG('B', 'R', 'E', 'S')
#define AM_BPE_TAG_INFO AM_IMAGE_TAG('B', 'I', 'N', 'F')

static inline uint64_t am_bpe_pair(uint32_t left, uint32_t right) { return (uint64_t)left << 21 | right; }

static inline size_t am_bpe_slot(uint64_t seed, int shift, uint64_t pair) {
  uint64_t key = (pair ^ seed) * 0x9E3779B97F4A7C15u;
  key ^= key >> 29;
  return (size_t)(key * 0xD6E8FEB86659FD93u >> shift);
}

/* Rank of a pair's merge; AM_BPE_NONE when there is none. */
static inline uint32_t am_bpe_rank(const am_bpe *bpe, uint32_t left, uint32_t right) {
  uint64_t pair = am_bpe_pair(left, right);
  for (size_t at = am_bpe_slot(bpe->seed, bpe->shift, pair);; at = (at + 1) & bpe->mask) {
    am_bpe_merge merge = bpe->merges[at];
    if (merge == AM_BPE_EMPTY) return AM_BPE_NONE;
    if (merge >> 22 == pair) return (uint32_t)merge & (AM_BPE_MOST_MERGES - 1);
  }
}

adam_status am_bpe_build(const am_model_source *source, const am_vocabulary *vocabulary,
                         am_image_writer *writer, adam_error *error);
adam_status am_bpe_bind(const am_image *image, const am_json *settings, am_model *model, adam_error *error);

/* For models that hold one. */
void am_bpe_close(void *own);

/* bpe_merge.c: merges symbols (n of them, ids) in place until no pair has a merge; the new n, or
 * SIZE_MAX when memory is out. */
typedef struct am_bpe_memory {
  uint32_t *ids;   /* (capacity) symbols; the caller fills the first n */
  uint32_t *ranks; /* (capacity) of the pair that begins here */
  size_t capacity;
  uint32_t *next, *previous; /* (links) linked symbols for long pieces */
  uint64_t *heap;            /* rank << 32 | position */
  size_t links, heap_n, heap_capacity;
} am_bpe_memory;
bool am_bpe_reserve(am_bpe_memory *memory, size_t n);
size_t am_bpe_merge_all(const am_bpe *bpe, am_bpe_memory *memory, size_t n);
void am_bpe_memory_close(am_bpe_memory *memory);

#endif
