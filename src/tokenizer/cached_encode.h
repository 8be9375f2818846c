/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer/cached_encode: a model's encode behind the cache of short pieces. */
#ifndef AM_TOKENIZER_CACHED_ENCODE_H
#define AM_TOKENIZER_CACHED_ENCODE_H

#include "tokenizer/model.h"
#include "tokenizer/word_cache.h"

typedef adam_status (*am_encode_whole)(const am_model *model, am_model_memory *memory, const char *piece,
                                       size_t n_bytes, am_ids *ids, adam_error *error);

/* As am_model_row's encode; what the cache lacks is asked of `whole`. */
static inline adam_status am_encode_cached(am_word_cache *cache, am_encode_whole whole, const am_model *model,
                                           am_model_memory *memory, const char *piece, size_t n_bytes,
                                           size_t readable, am_ids *ids, adam_error *error) {
  if (n_bytes > AM_WORD_CACHE_MOST_BYTES) return whole(model, memory, piece, n_bytes, ids, error);
  am_word_key key = am_word_key_of(piece, n_bytes, readable);
  am_word_place place = am_word_place_of(&key);
  const am_word_line *line = am_word_cache_find(cache, &key, place);
  if (line) {
    if (ids->capacity - ids->n < AM_WORD_CACHE_MOST_IDS && !am_ids_reserve(ids, AM_WORD_CACHE_MOST_IDS))
      return am_fail_memory(error, "tokenizer");
    memcpy(ids->data + ids->n, line->ids, sizeof line->ids);
    ids->n += line->n;
    return ADAM_OK;
  }
  size_t before = ids->n;
  adam_status status = whole(model, memory, piece, n_bytes, ids, error);
  size_t n = ids->n - before;
  if (status == ADAM_OK) am_word_cache_put(cache, &key, place, n > 0 ? ids->data + before : NULL, n);
  return status;
}

#endif
