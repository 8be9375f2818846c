/* SPDX-License-Identifier: Apache-2.0 */
#include "tokenizer/spm.h"

#include "base/mem.h"
#include "base/utf8.h"
#include "tokenizer/cached_encode.h"
#include "tokenizer/unicode.h"
#include "tokenizer/word_pairs.h"

#include <string.h>

#define KEPT_SYMBOLS ((size_t)1 << 18) /* beyond, the memory of a long piece is given back */

struct am_model_memory {
  am_bpe_memory merge;
  am_word_cache cache;
};

static am_model_memory *memory_open(void) {
  am_model_memory *memory = am_mem_zalloc(1, sizeof *memory);
  if (memory && !am_word_cache_open(&memory->cache)) {
    am_mem_free(memory);
    return NULL;
  }
  return memory;
}

static void memory_close(am_model_memory *memory) {
  if (!memory) return;
  am_bpe_memory_close(&memory->merge);
  am_word_cache_close(&memory->cache);
  am_mem_free(memory);
}

static void own_close(void *own) {
  am_spm *spm = own;
  am_char_ids_close(&spm->bpe.chars);
  am_mem_free(spm);
}

/* The bytes of a character that is no word. Where their tokens are missing too: unknown, or nothing. */
static bool add_bytes(const am_spm *spm, uint32_t codepoint, am_ids *ids) {
  char bytes[4];
  int n = am_utf8_encode(codepoint, bytes);
  for (int i = 0; i < n; i++) {
    int32_t id = spm->bpe.byte_ids[(uint8_t)bytes[i]];
    if (id < 0) id = spm->bpe.unknown_id;
    if (id >= 0 && !am_ids_add(ids, id)) return false;
  }
  return true;
}

static bool add_symbols(const am_spm *spm, const uint32_t *symbols, size_t n, am_ids *ids) {
  if (n > ids->capacity - ids->n && !am_ids_reserve(ids, n)) return false;
  for (size_t i = 0; i < n; i++) {
    uint32_t symbol = symbols[i];
    bool ok = symbol < spm->n_ids       ? am_ids_add(ids, (int32_t)symbol)
              : symbol & AM_SPM_FOREIGN ? add_bytes(spm, symbol & ~AM_SPM_FOREIGN, ids)
                                        : add_bytes(spm, spm->odd[symbol - spm->n_ids], ids);
    if (!ok) return false;
  }
  return true;
}

/* Of a character that is no word. */
static uint32_t symbol_of(const am_spm *spm, uint32_t codepoint) {
  int64_t at = am_word_pairs_odd(spm->odd, spm->n_odd, codepoint);
  return at < 0 ? AM_SPM_FOREIGN | codepoint : (uint32_t)(spm->n_ids + (size_t)at);
}

static adam_status encode_whole(const am_model *model, am_model_memory *memory, const char *piece,
                                size_t n_bytes, am_ids *ids, adam_error *error) {
  const am_spm *spm = model->own;
  size_t n = 0;
  if (n_bytes > UINT32_MAX / 2 || !am_bpe_reserve(&memory->merge, n_bytes))
    return am_fail_memory(error, "tokenizer");
  uint32_t *symbols = memory->merge.ids;
  for (size_t p = 0; p < n_bytes;) {
    uint32_t codepoint;
    p += am_unicode_next((const uint8_t *)piece + p, &codepoint);
    int32_t id = am_char_id(&spm->bpe.chars, codepoint);
    symbols[n++] = id >= 0 ? (uint32_t)id : symbol_of(spm, codepoint);
  }
  n = am_bpe_merge_all(&spm->bpe, &memory->merge, n);
  if (n == SIZE_MAX || !add_symbols(spm, memory->merge.ids, n, ids))
    return am_fail_memory(error, "tokenizer");
  if (memory->merge.capacity > KEPT_SYMBOLS) am_bpe_memory_close(&memory->merge);
  return ADAM_OK;
}

static adam_status encode_part(const am_model *model, am_model_memory *memory, const char *part,
                               size_t n_bytes, size_t readable, am_ids *ids, adam_error *error) {
  return am_encode_cached(&memory->cache, encode_whole, model, memory, part, n_bytes, readable, ids, error);
}

static adam_status encode(const am_model *model, am_model_memory *memory, const char *piece, size_t n_bytes,
                          size_t readable, am_ids *ids, adam_error *error) {
  const am_spm *spm = model->own;
  adam_status status = ADAM_OK;
  if (!spm->bpe.cuts.plain) return encode_part(model, memory, piece, n_bytes, readable, ids, error);
  for (size_t start = 0, stop; status == ADAM_OK && start < n_bytes; start = stop) {
    stop = am_cuts_next(&spm->bpe.cuts, (const uint8_t *)piece, n_bytes, start);
    status = encode_part(model, memory, piece + start, stop - start, readable - start, ids, error);
  }
  return status;
}

const am_model_row am_model_spm = {"SPM",     "spm",       am_spm_build, am_spm_bind,
                                   own_close, memory_open, memory_close, encode};
