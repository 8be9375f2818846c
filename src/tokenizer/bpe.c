/* SPDX-License-Identifier: Apache-2.0 */
#include "tokenizer/bpe.h"

#include "base/mem.h"
#include "tokenizer/cached_encode.h"
#include "tokenizer/unicode.h"

#include <string.h>

#define KEPT_SYMBOLS ((size_t)1 << 18) /* beyond, the memory of a long piece is given back */

struct am_model_memory {
  am_bpe_memory merge;
  am_word_cache cache;
  am_buf symbol; /* prefix + character + suffix */
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
  am_buf_close(&memory->symbol);
  am_mem_free(memory);
}

/* The first symbols of a piece, as they grow. The memory has room for one per byte. */
typedef struct symbols {
  const am_bpe *bpe;
  uint32_t *ids;
  size_t n;
  bool pending; /* an unknown token waits, to be fused with the next */
} symbols;

static void add_known(symbols *s, int32_t id) {
  if (s->pending) s->ids[s->n++] = (uint32_t)s->bpe->unknown_id;
  s->pending = false;
  s->ids[s->n++] = (uint32_t)id;
}

/* Without an unknown token the character is dropped. false: one is named but not in the vocabulary. */
static bool add_unknown(symbols *s) {
  if (!s->bpe->wants_unknown) return true;
  if (s->bpe->unknown_id < 0) return false;
  if (s->pending && !s->bpe->fuse_unknown) s->ids[s->n++] = (uint32_t)s->bpe->unknown_id;
  s->pending = true;
  return true;
}

/* The bytes of a symbol as <0xXX> tokens, if all of them exist. An unknown token that waits stays
 * behind them, as in the library. */
static bool add_bytes(symbols *s, const char *symbol, size_t n_bytes) {
  if (!s->bpe->byte_fallback) return false;
  for (size_t i = 0; i < n_bytes; i++)
    if (s->bpe->byte_ids[(uint8_t)symbol[i]] < 0) return false;
  for (size_t i = 0; i < n_bytes; i++) s->ids[s->n++] = (uint32_t)s->bpe->byte_ids[(uint8_t)symbol[i]];
  return true;
}

static bool symbols_of_bytes(symbols *s, const char *piece, size_t n_bytes) {
  bool ok = true;
  for (size_t i = 0; i < n_bytes; i++) {
    int32_t id = s->bpe->byte_ids[(uint8_t)piece[i]];
    if (id >= 0 && !s->pending)
      s->ids[s->n++] = (uint32_t)id;
    else if (id >= 0)
      add_known(s, id);
    else
      ok = ok && add_unknown(s);
  }
  return ok;
}

static bool symbols_of_characters(symbols *s, const am_vocabulary *vocabulary, am_buf *symbol,
                                  const char *piece, size_t n_bytes) {
  bool ok = true;
  for (size_t p = 0; p < n_bytes;) {
    uint32_t codepoint;
    size_t length = am_unicode_next((const uint8_t *)piece + p, &codepoint);
    const char *text = piece + p;
    size_t text_bytes = length;
    bool prefixed = p > 0 && s->bpe->prefix_bytes > 0;
    bool suffixed = p + length == n_bytes && s->bpe->suffix_bytes > 0;
    if (prefixed || suffixed) {
      am_buf_clear(symbol);
      if (prefixed) am_buf_append(symbol, s->bpe->prefix, s->bpe->prefix_bytes);
      am_buf_append(symbol, piece + p, length);
      if (suffixed) am_buf_append(symbol, s->bpe->suffix, s->bpe->suffix_bytes);
      if (symbol->failed) return false;
      text = symbol->data;
      text_bytes = symbol->len;
    }
    int32_t id = prefixed || suffixed ? am_vocabulary_find(vocabulary, text, text_bytes)
                                      : am_char_id(&s->bpe->chars, codepoint);
    if (id >= 0)
      add_known(s, id);
    else if (!add_bytes(s, text, text_bytes))
      ok = ok && add_unknown(s);
    p += length;
  }
  return ok;
}

void am_bpe_close(void *own) {
  am_bpe *bpe = own;
  am_char_ids_close(&bpe->chars);
  am_mem_free(bpe);
}

static adam_status encode_whole(const am_model *model, am_model_memory *memory, const char *piece,
                                size_t n_bytes, am_ids *ids, adam_error *error) {
  const am_bpe *bpe = model->own;
  if (bpe->ignore_merges) {
    int32_t id = am_vocabulary_find(&model->vocabulary, piece, n_bytes);
    if (id >= 0) return am_ids_add(ids, id) ? ADAM_OK : am_fail_memory(error, "tokenizer");
  }
  /* Every byte makes at most one symbol; prefixes and suffixes can become bytes of their own. */
  size_t most = n_bytes + 1;
  if (bpe->byte_fallback && bpe->prefix_bytes + bpe->suffix_bytes > 0)
    most += n_bytes * bpe->prefix_bytes + bpe->suffix_bytes;
  if (most > UINT32_MAX / 2 || !am_bpe_reserve(&memory->merge, most))
    return am_fail_memory(error, "tokenizer");
  symbols s = {.bpe = bpe, .ids = memory->merge.ids};
  bool ok = bpe->raw_bytes ? symbols_of_bytes(&s, piece, n_bytes)
                           : symbols_of_characters(&s, &model->vocabulary, &memory->symbol, piece, n_bytes);
  if (!ok && memory->symbol.failed) return am_fail_memory(error, "tokenizer");
  if (!ok)
    return am_fail(error, ADAM_DAMAGED, "tokenizer", NULL, "model: unk_token is not in the vocabulary");
  if (s.pending) s.ids[s.n++] = (uint32_t)bpe->unknown_id;
  size_t n = am_bpe_merge_all(bpe, &memory->merge, s.n);
  if (n == SIZE_MAX || (n > ids->capacity - ids->n && !am_ids_reserve(ids, n)))
    return am_fail_memory(error, "tokenizer");
  for (size_t i = 0; i < n; i++) ids->data[ids->n++] = (int32_t)memory->merge.ids[i];
  if (memory->merge.capacity > KEPT_SYMBOLS) am_bpe_memory_close(&memory->merge);
  return ADAM_OK;
}

static adam_status encode_cached(const am_model *model, am_model_memory *memory, const char *piece,
                                 size_t n_bytes, size_t readable, am_ids *ids, adam_error *error) {
  return am_encode_cached(&memory->cache, encode_whole, model, memory, piece, n_bytes, readable, ids, error);
}

/* Unknown characters may be fused into one token, and dropped ones let their neighbours meet: around them
 * nothing is cut. */
static bool between_words(const am_bpe *bpe, const uint8_t *piece, size_t at) {
  uint32_t before, behind;
  am_unicode_next(piece + am_unicode_previous(piece, at), &before);
  am_unicode_next(piece + at, &behind);
  return am_char_id(&bpe->chars, before) >= 0 && am_char_id(&bpe->chars, behind) >= 0;
}

/* A long piece, as of models without a pre-tokenizer, goes part by part where that changes nothing. */
static adam_status encode(const am_model *model, am_model_memory *memory, const char *piece, size_t n_bytes,
                          size_t readable, am_ids *ids, adam_error *error) {
  const am_bpe *bpe = model->own;
  if (n_bytes <= AM_WORD_CACHE_MOST_BYTES || !bpe->cuts.plain)
    return encode_cached(model, memory, piece, n_bytes, readable, ids, error);
  const uint8_t *text = (const uint8_t *)piece;
  adam_status status = ADAM_OK;
  for (size_t start = 0, stop; status == ADAM_OK && start < n_bytes; start = stop) {
    stop = am_cuts_next(&bpe->cuts, text, n_bytes, start);
    while (bpe->loses && stop < n_bytes && !between_words(bpe, text, stop))
      stop = am_cuts_next(&bpe->cuts, text, n_bytes, stop);
    status = encode_cached(model, memory, piece + start, stop - start, readable - start, ids, error);
  }
  return status;
}

const am_model_row am_model_bpe = {"BPE",        "bpe",       am_bpe_build, am_bpe_bind,
                                   am_bpe_close, memory_open, memory_close, encode};
