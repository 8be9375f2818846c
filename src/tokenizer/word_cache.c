/* SPDX-License-Identifier: Apache-2.0 */
#include "tokenizer/word_cache.h"

#include "base/mem.h"

_Static_assert(sizeof(am_word_line) == 64, "a cache line a piece");

bool am_word_cache_open(am_word_cache *cache) {
  cache->memory = am_mem_zalloc(AM_WORD_CACHE_LINES + 1, sizeof *cache->lines);
  cache->tags = am_mem_zalloc(AM_WORD_CACHE_LINES, sizeof *cache->tags);
  uintptr_t at = (uintptr_t)cache->memory;
  cache->lines = (am_word_line *)((at + 63) & ~(uintptr_t)63);
  if (cache->memory && cache->tags) return true;
  am_word_cache_close(cache);
  return false;
}

void am_word_cache_close(am_word_cache *cache) {
  am_mem_free(cache->memory);
  am_mem_free(cache->tags);
  *cache = (am_word_cache){0};
}
