/* SPDX-License-Identifier: Apache-2.0 */
#include "tokenizer/word_cache.h"

#include "base/mem.h"

_Static_assert(sizeof(am_word_line) == 64, "a cache line a piece");

bool am_word_cache_open(am_word_cache *cache) {
  size_t n_bytes = AM_WORD_CACHE_LINES * sizeof *cache->lines;
  cache->lines = am_mem_aligned(64, n_bytes);
  /* An all-zero line is no piece: the length in its key is 0. */
  if (cache->lines) memset(cache->lines, 0, n_bytes);
  return cache->lines != NULL;
}

void am_word_cache_close(am_word_cache *cache) {
  am_mem_free(cache->lines);
  cache->lines = NULL;
}
