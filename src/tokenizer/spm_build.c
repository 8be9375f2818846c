/* SPDX-License-Identifier: Apache-2.0 */
/* SPM: from words and scores to the sections of an image, and back to a model. Every way to make a word
 * of two symbols is a merge; its value is the word's id, its priority the place of the word's score. */
#include "tokenizer/spm.h"

#include "base/map.h"
#include "base/mem.h"
#include "tokenizer/pieces.h"
#include "tokenizer/unicode.h"
#include "tokenizer/word_pairs.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_MERGES ((size_t)1 << 23)

typedef struct info {
  uint64_t seed;
} info;

typedef struct scored {
  float score;
  uint32_t id;
} scored;

static int by_score(const void *a, const void *b) {
  const scored *x = a, *y = b;
  return (x->score < y->score) - (x->score > y->score);
}

/* Equal scores have equal priority; the best score has 0. */
static bool add_priorities(const am_model_source *source, const am_vocabulary *v, am_image_writer *writer) {
  size_t n = v->n_ids;
  scored *order = am_mem_zalloc(n + 1, sizeof *order);
  uint32_t *priorities = am_mem_zalloc(n + 1, sizeof *priorities), place = 0;
  bool ok = order && priorities;
  for (size_t id = 0; ok && id < n; id++) order[id].id = (uint32_t)id;
  for (size_t i = 0; ok && source->scores && i < source->n_words; i++) {
    float score = source->scores[i]; /* what is no number comes last */
    order[source->words[i].id].score = isnan(score) ? -INFINITY : score;
  }
  if (ok) qsort(order, n, sizeof *order, by_score);
  for (size_t i = 0; ok && i < n; i++) {
    if (i > 0 && order[i].score < order[i - 1].score) place++;
    priorities[order[i].id] = place;
  }
  ok = ok && am_image_add(writer, AM_SPM_TAG_PRIORITIES, priorities, n * sizeof *priorities);
  am_mem_free(order);
  am_mem_free(priorities);
  return ok;
}

static int by_value(const void *a, const void *b) {
  uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  return (x > y) - (x < y);
}

/* Characters of longer words that are no words themselves, each once, ascending. */
static bool find_odd(const am_vocabulary *v, uint32_t **out, size_t *n_out) {
  size_t n = 0, capacity = 0;
  for (size_t id = 0; id < v->n_ids; id++) {
    const char *text = v->bytes + v->bytes_at[id];
    size_t n_bytes = v->bytes_at[id + 1] - v->bytes_at[id];
    for (size_t p = 0; p < n_bytes;) {
      uint32_t codepoint;
      size_t length = am_unicode_next((const uint8_t *)text + p, &codepoint);
      if (length < n_bytes && am_vocabulary_find(v, text + p, length) < 0) {
        uint32_t *odd = am_grow(*out, n, 1, &capacity, sizeof *odd);
        if (!odd) return false;
        *out = odd;
        odd[n++] = codepoint;
      }
      p += length;
    }
  }
  if (n == 0) return true;
  qsort(*out, n, sizeof **out, by_value);
  size_t kept = 1;
  for (size_t i = 1; i < n; i++)
    if ((*out)[i] != (*out)[kept - 1]) (*out)[kept++] = (*out)[i];
  *n_out = kept;
  return true;
}

static bool add_table(const am_word_pairs *pairs, am_image_writer *writer) {
  size_t n_slots = 64;
  am_bpe bpe = {.shift = 58, .seed = am_hash_bytes(pairs->data, pairs->n * sizeof *pairs->data, pairs->n)};
  while (n_slots < pairs->n + pairs->n / 2) n_slots *= 2, bpe.shift--;
  am_bpe_merge *slots = am_image_add(writer, AM_SPM_TAG_MERGES, NULL, n_slots * sizeof *slots);
  if (!slots) return false;
  memset(slots, 0xFF, n_slots * sizeof *slots);
  for (size_t i = 0; i < pairs->n; i++) {
    uint64_t pair = am_bpe_pair(pairs->data[i].left, pairs->data[i].right);
    size_t at = am_bpe_slot(bpe.seed, bpe.shift, pair);
    while (slots[at] != AM_BPE_EMPTY) at = (at + 1) & (n_slots - 1);
    slots[at] = pair << 22 | pairs->data[i].made;
  }
  info facts = {bpe.seed};
  return am_image_add(writer, AM_SPM_TAG_INFO, &facts, sizeof facts) != NULL;
}

adam_status am_spm_build(const am_model_source *source, const am_vocabulary *vocabulary,
                         am_image_writer *writer, adam_error *error) {
  am_word_pairs pairs = {0};
  uint32_t *odd = NULL;
  size_t n_odd = 0;
  adam_status status = find_odd(vocabulary, &odd, &n_odd) ? ADAM_OK : am_fail_memory(error, "tokenizer");
  if (status == ADAM_OK && vocabulary->n_ids + n_odd >= AM_VOCABULARY_MOST_IDS)
    status = am_fail(error, ADAM_LIMIT, "tokenizer", NULL, "its words have %zu characters that are no words",
                     n_odd);
  if (status == ADAM_OK) status = am_word_pairs_find(vocabulary, odd, n_odd, MOST_MERGES, &pairs, error);
  if (status == ADAM_OK &&
      (!am_cuts_build(vocabulary, writer) || !add_priorities(source, vocabulary, writer) ||
       !add_table(&pairs, writer) || !am_image_add(writer, AM_SPM_TAG_ODD, odd, n_odd * sizeof *odd)))
    status = am_fail_memory(error, "tokenizer");
  am_mem_free(odd);
  am_word_pairs_close(&pairs);
  return status;
}

static bool sections_are_sound(const am_bpe_merge *slots, size_t n_slots, const uint32_t *odd, size_t n_odd,
                               size_t n_ids) {
  size_t empty = 0;
  uint32_t wrong = n_ids + n_odd >= AM_VOCABULARY_MOST_IDS;
  for (size_t i = 0; i < n_slots; i++) {
    bool is_empty = slots[i] == AM_BPE_EMPTY;
    empty += is_empty;
    wrong |= ((slots[i] & (AM_BPE_MOST_MERGES - 1)) >= n_ids) & !is_empty;
  }
  for (size_t i = 0; i < n_odd; i++) wrong |= odd[i] >= 0x110000 || (i > 0 && odd[i] <= odd[i - 1]);
  return empty > 0 && !wrong;
}

adam_status am_spm_bind(const am_image *image, const am_json *settings, am_model *model, adam_error *error) {
  const am_vocabulary *v = &model->vocabulary;
  size_t n_slots = 0, n_priorities = 0, n_odd = 0, n_info = 0;
  const am_bpe_merge *slots = am_image_section(image, AM_SPM_TAG_MERGES, sizeof *slots, &n_slots);
  const uint32_t *priorities =
      am_image_section(image, AM_SPM_TAG_PRIORITIES, sizeof *priorities, &n_priorities);
  const uint32_t *odd = am_image_section(image, AM_SPM_TAG_ODD, sizeof *odd, &n_odd);
  const info *facts = am_image_section(image, AM_SPM_TAG_INFO, sizeof *facts, &n_info);
  if (!slots || !priorities || !odd || !facts || n_info != 1 || n_priorities != v->n_ids || n_slots < 2 ||
      (n_slots & (n_slots - 1)) != 0 || v->raw_bytes ||
      !sections_are_sound(slots, n_slots, odd, n_odd, v->n_ids))
    return am_fail(error, ADAM_DAMAGED, "tokenizer cache", NULL, "SPM sections do not fit together");
  am_spm *spm = am_mem_zalloc(1, sizeof *spm);
  if (!spm || !am_char_ids_open(v, &spm->bpe.chars)) {
    am_mem_free(spm);
    return am_fail_memory(error, "tokenizer");
  }
  spm->bpe.merges = slots;
  spm->bpe.priorities = priorities;
  spm->bpe.mask = n_slots - 1;
  spm->bpe.shift = __builtin_clzll((unsigned long long)n_slots) + 1;
  spm->bpe.seed = facts->seed;
  if (!am_cuts_bind(image, &spm->bpe.cuts)) spm->bpe.cuts = (am_cuts){0};
  spm->odd = odd;
  spm->n_odd = n_odd;
  spm->n_ids = v->n_ids;
  int64_t unknown = am_json_int(am_json_get(settings, "unk_id"), -1);
  spm->bpe.unknown_id = unknown >= 0 && (uint64_t)unknown < v->n_ids ? (int32_t)unknown : -1;
  for (int byte = 0; byte < 256; byte++) {
    char name[8];
    int n = snprintf(name, sizeof name, "<0x%02X>", (unsigned)byte);
    spm->bpe.byte_ids[byte] = am_vocabulary_find(v, name, (size_t)n);
  }
  model->own = spm;
  return ADAM_OK;
}
