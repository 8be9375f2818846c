/* SPDX-License-Identifier: Apache-2.0 */
#include "tokenizer/word_pairs.h"

#include "base/mem.h"
#include "tokenizer/pieces.h"
#include "tokenizer/unicode.h"

#define MOST_WORK ((uint64_t)1 << 33) /* bytes hashed while looking for pairs: a few seconds */

typedef struct finder {
  const am_vocabulary *vocabulary;
  const uint32_t *odd;
  size_t n_odd, most;
  uint64_t work;
  am_word_pairs pairs;
} finder;

int64_t am_word_pairs_odd(const uint32_t *odd, size_t n_odd, uint32_t codepoint) {
  size_t low = 0, high = n_odd;
  while (low < high) {
    size_t middle = (low + high) / 2;
    if (odd[middle] < codepoint)
      low = middle + 1;
    else
      high = middle;
  }
  return low < n_odd && odd[low] == codepoint ? (int64_t)low : -1;
}

/* The symbol that a part of a word is; UINT32_MAX: none. */
static uint32_t symbol_of(finder *f, const char *text, size_t n_bytes) {
  uint32_t codepoint;
  int32_t id = am_vocabulary_find(f->vocabulary, text, n_bytes);
  f->work += n_bytes;
  if (id >= 0) return (uint32_t)id;
  if (f->n_odd == 0 || am_unicode_next((const uint8_t *)text, &codepoint) != n_bytes) return UINT32_MAX;
  int64_t at = am_word_pairs_odd(f->odd, f->n_odd, codepoint);
  return at < 0 ? UINT32_MAX : (uint32_t)(f->vocabulary->n_ids + (size_t)at);
}

static adam_status split(finder *f, size_t id, const char *text, size_t n_bytes, adam_error *error) {
  uint32_t codepoint;
  for (size_t p = am_unicode_next((const uint8_t *)text, &codepoint); p < n_bytes;
       p += am_unicode_next((const uint8_t *)text + p, &codepoint)) {
    uint32_t left = symbol_of(f, text, p);
    uint32_t right = left == UINT32_MAX ? left : symbol_of(f, text + p, n_bytes - p);
    if (f->work > MOST_WORK || f->pairs.n == f->most)
      return am_fail(error, ADAM_LIMIT, "tokenizer", NULL,
                     "the words are made of each other in too many ways");
    if (right == UINT32_MAX) continue;
    am_word_pair *data = am_grow(f->pairs.data, f->pairs.n, 1, &f->pairs.capacity, sizeof *data);
    if (!data) return am_fail_memory(error, "tokenizer");
    f->pairs.data = data;
    data[f->pairs.n++] = (am_word_pair){left, right, (uint32_t)id};
  }
  return ADAM_OK;
}

adam_status am_word_pairs_find(const am_vocabulary *v, const uint32_t *odd, size_t n_odd, size_t most,
                               am_word_pairs *out, adam_error *error) {
  finder f = {.vocabulary = v, .odd = odd, .n_odd = n_odd, .most = most};
  adam_status status = ADAM_OK;
  for (size_t id = 0; status == ADAM_OK && id < v->n_ids; id++) {
    const char *text = v->bytes + v->bytes_at[id];
    size_t n_bytes = v->bytes_at[id + 1] - v->bytes_at[id];
    /* Of words with one spelling only the one that can be found is made. */
    if (n_bytes > 1 && am_vocabulary_find(v, text, n_bytes) == (int32_t)id)
      status = split(&f, id, text, n_bytes, error);
  }
  if (status == ADAM_OK)
    *out = f.pairs;
  else
    am_word_pairs_close(&f.pairs);
  return status;
}

void am_word_pairs_close(am_word_pairs *pairs) {
  am_mem_free(pairs->data);
  *pairs = (am_word_pairs){0};
}
