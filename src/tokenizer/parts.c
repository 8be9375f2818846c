/* SPDX-License-Identifier: Apache-2.0 */
#include "tokenizer/parts.h"

#include "base/mem.h"
#include "tokenizer/pipeline.h"
#include "tokenizer/spm.h"

#include <stdlib.h>
#include <string.h>

void am_tokenizer_parts_of(const am_tokenizer *tokenizer, am_tokenizer_parts *out) {
  size_t n = 0;
  const am_vocabulary *v = &tokenizer->model.vocabulary;
  *out = (am_tokenizer_parts){.config = &tokenizer->config,
                              .model = tokenizer->model.row->type,
                              .byte_level = v->raw_bytes,
                              .n_words = v->n_ids};
  if (tokenizer->model.row == &am_model_unigram)
    out->scores = am_image_section(&tokenizer->image, AM_IMAGE_TAG('U', 'S', 'C', 'O'), sizeof(double), &n);
}

const char *am_tokenizer_word(const am_tokenizer *tokenizer, int32_t id, size_t *n_bytes) {
  const am_vocabulary *v = &tokenizer->model.vocabulary;
  if (!am_vocabulary_has(v, id)) return NULL;
  *n_bytes = v->spelling_at[id + 1] - v->spelling_at[id];
  return v->spelling + v->spelling_at[id];
}

/* A merge with what it is sorted by. */
typedef struct ranked {
  uint64_t rank; /* of equal ranks the shorter left part first, as transformers sorts */
  am_merge_ids merge;
} ranked;

static int by_rank(const void *a, const void *b) {
  const ranked *x = a, *y = b;
  if (x->rank != y->rank) return x->rank < y->rank ? -1 : 1;
  if (x->merge.made != y->merge.made) return x->merge.made < y->merge.made ? -1 : 1;
  return (x->merge.left > y->merge.left) - (x->merge.left < y->merge.left);
}

/* The merge of a slot; false: one of its symbols is no word. */
static bool read_slot(const am_vocabulary *v, const am_bpe *bpe, am_bpe_merge slot, ranked *out) {
  uint64_t pair = slot >> 22, value = slot & (AM_BPE_MOST_MERGES - 1);
  uint32_t made = bpe->priorities ? (uint32_t)value : bpe->results[value];
  *out = (ranked){.merge = {(int32_t)(pair >> 21), (int32_t)(pair & ((1u << 21) - 1)), (int32_t)made}};
  if (!am_vocabulary_has(v, out->merge.left) || !am_vocabulary_has(v, out->merge.right)) return false;
  out->rank = value;
  if (bpe->priorities) {
    uint64_t left_bytes = v->bytes_at[out->merge.left + 1] - v->bytes_at[out->merge.left];
    out->rank = (uint64_t)bpe->priorities[made] << 32 | left_bytes;
  }
  return true;
}

adam_status am_tokenizer_merges(const am_tokenizer *tokenizer, am_merge_ids **out, size_t *n,
                                adam_error *error) {
  const am_model_row *row = tokenizer->model.row;
  const am_bpe *bpe = row == &am_model_bpe   ? tokenizer->model.own
                      : row == &am_model_spm ? &((const am_spm *)tokenizer->model.own)->bpe
                                             : NULL;
  const am_vocabulary *v = &tokenizer->model.vocabulary;
  size_t count = 0;
  ranked *sorted = am_mem_zalloc(bpe ? bpe->mask + 1 : 1, sizeof *sorted);
  if (!sorted) return am_fail_memory(error, "tokenizer");
  for (size_t i = 0; bpe && i <= bpe->mask; i++)
    if (bpe->merges[i] != AM_BPE_EMPTY) count += read_slot(v, bpe, bpe->merges[i], &sorted[count]);
  qsort(sorted, count, sizeof *sorted, by_rank);
  am_merge_ids *merges = am_mem_zalloc(count + 1, sizeof *merges);
  for (size_t i = 0; merges && i < count; i++) merges[i] = sorted[i].merge;
  am_mem_free(sorted);
  if (!merges) return am_fail_memory(error, "tokenizer");
  *out = merges;
  *n = count;
  return ADAM_OK;
}
