/* SPDX-License-Identifier: Apache-2.0 */
#include "tokenizer/word_cache.h"

#include "base/mem.h"

_Static_assert(sizeof(am_word_line) == 64, "a cache line a piece");

/* An all-zero line is no piece: the length in its key is 0. */
bool am_word_cache_open(am_word_cache *cache) {
  cache->memory = am_mem_zalloc(AM_WORD_CACHE_LINES + 1, sizeof *cache->lines);
  uintptr_t at = (uintptr_t)cache->memory;
  cache->lines = (am_word_line *)((at + 63) & ~(uintptr_t)63);
  return cache->memory != NULL;
}

void am_word_cache_close(am_word_cache *cache) {
  am_mem_free(cache->memory);
  *cache = (am_word_cache){0};
}
