/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer/word_cache: ids of the short pieces that were seen lately. One cache line holds a piece
 * of at most 31 bytes and at most 7 ids; four lines make a set, whose tags are looked at first, so
 * that a search touches one line at most. Bounded: 2 MiB, of which only what is used becomes resident.
 * One thread at a time. */
#ifndef AM_TOKENIZER_WORD_CACHE_H
#define AM_TOKENIZER_WORD_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define AM_WORD_CACHE_MOST_BYTES 31
#define AM_WORD_CACHE_MOST_IDS 7
#define AM_WORD_CACHE_LINES ((size_t)1 << 15)

typedef struct am_word_key {
  uint64_t words[4]; /* the bytes, zero behind them; the last byte is the length */
} am_word_key;

typedef struct am_word_line {
  am_word_key key;
  int32_t ids[AM_WORD_CACHE_MOST_IDS];
  uint32_t n; /* ids */
} am_word_line;

typedef struct am_word_cache {
  am_word_line *lines; /* (AM_WORD_CACHE_LINES), aligned to 64 bytes, within: */
  void *memory;        /* owned */
  uint16_t *tags;      /* (AM_WORD_CACHE_LINES), owned; 0 = the line is empty */
  size_t victim;       /* turns round the ways of full sets */
} am_word_cache;

bool am_word_cache_open(am_word_cache *cache);
void am_word_cache_close(am_word_cache *cache);

/* Key of n_bytes (1..31) at text, of which `readable` bytes may be read. */
static inline am_word_key am_word_key_of(const char *text, size_t n_bytes, size_t readable) {
  static const uint64_t masks[9] = {
      0, 0xFF, 0xFFFF, 0xFFFFFF, 0xFFFFFFFF, 0xFFFFFFFFFF, 0xFFFFFFFFFFFF, 0xFFFFFFFFFFFFFF, UINT64_MAX};
  am_word_key key = {{0}};
  if (readable >= 32) {
    memcpy(&key, text, 32);
    for (size_t k = 0; k < 4; k++) {
      size_t left = n_bytes > 8 * k ? n_bytes - 8 * k : 0;
      key.words[k] &= masks[left < 8 ? left : 8];
    }
  } else {
    memcpy(&key, text, n_bytes);
  }
  key.words[3] |= (uint64_t)n_bytes << 56;
  return key;
}

/* Where a key belongs: the first line of its set, and its tag there. */
typedef struct am_word_place {
  size_t set;
  uint16_t tag;
} am_word_place;

static inline am_word_place am_word_place_of(const am_word_key *key) {
  uint64_t hash = key->words[0] * 0x9E3779B97F4A7C15u;
  hash ^= hash >> 32;
  hash = (hash ^ key->words[1]) * 0xD6E8FEB86659FD93u;
  hash ^= hash >> 32;
  hash = (hash ^ key->words[2]) * 0xA0761D6478BD642Fu;
  hash ^= hash >> 32;
  hash = (hash ^ key->words[3]) * 0xE7037ED1A0B428DBu;
  return (am_word_place){(size_t)(hash >> 40) & (AM_WORD_CACHE_LINES - 4), (uint16_t)(hash >> 16 | 1)};
}

/* The line of a key; NULL when it is not there. */
static inline const am_word_line *am_word_cache_find(const am_word_cache *cache, const am_word_key *key,
                                                     am_word_place place) {
  for (size_t way = 0; way < 4; way++) {
    if (cache->tags[place.set + way] != place.tag) continue;
    const am_word_line *line = &cache->lines[place.set + way];
    if (line->key.words[0] == key->words[0] && line->key.words[1] == key->words[1] &&
        line->key.words[2] == key->words[2] && line->key.words[3] == key->words[3])
      return line;
  }
  return NULL;
}

static inline void am_word_cache_put(am_word_cache *cache, const am_word_key *key, am_word_place place,
                                     const int32_t *ids, size_t n) {
  if (n > AM_WORD_CACHE_MOST_IDS) return;
  size_t way = 0;
  while (way < 4 && cache->tags[place.set + way] != 0) way++;
  if (way == 4) way = cache->victim++ % 4;
  am_word_line *line = &cache->lines[place.set + way];
  cache->tags[place.set + way] = place.tag;
  line->key = *key;
  line->n = (uint32_t)n;
  if (n > 0) memcpy(line->ids, ids, n * sizeof *ids);
}

#endif
