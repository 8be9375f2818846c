/* SPDX-License-Identifier: Apache-2.0 */
/* SPM: from words and scores to the sections of an image, and back to a model. Every way to make a word
 * of two symbols is a merge; its value is the word's id, its priority the place of the word's score. */
#include "tokenizer/spm.h"

#include "base/map.h"
#include "base/mem.h"
#include "tokenizer/pieces.h"
#include "tokenizer/unicode.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_MERGES ((size_t)1 << 23)
#define MOST_WORK ((uint64_t)1 << 33) /* bytes hashed while looking for merges: a few seconds */

typedef struct info {
  uint64_t seed;
} info;

typedef struct scored {
  float score;
  uint32_t id;
} scored;

typedef struct maker {
  const am_vocabulary *vocabulary;
  uint32_t *odd;
  size_t n_odd, odd_capacity;
  am_bpe_merge *merges; /* pair << 22 | id */
  size_t n, capacity;
  uint64_t work;
} maker;

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

uint32_t am_spm_symbol(const uint32_t *odd, size_t n_odd, size_t n_ids, uint32_t codepoint) {
  const uint32_t *found = n_odd ? bsearch(&codepoint, odd, n_odd, sizeof *odd, by_value) : NULL;
  return found ? (uint32_t)(n_ids + (size_t)(found - odd)) : AM_SPM_FOREIGN | codepoint;
}

/* Characters of longer words that are no words themselves, each once, ascending. */
static bool find_odd(maker *m) {
  const am_vocabulary *v = m->vocabulary;
  for (size_t id = 0; id < v->n_ids; id++) {
    const char *text = v->bytes + v->bytes_at[id];
    size_t n_bytes = v->bytes_at[id + 1] - v->bytes_at[id];
    for (size_t p = 0; p < n_bytes;) {
      uint32_t codepoint;
      size_t length = am_unicode_next((const uint8_t *)text + p, &codepoint);
      if (length < n_bytes && am_vocabulary_find(v, text + p, length) < 0) {
        uint32_t *odd = am_grow(m->odd, m->n_odd, 1, &m->odd_capacity, sizeof *odd);
        if (!odd) return false;
        m->odd = odd;
        odd[m->n_odd++] = codepoint;
      }
      p += length;
    }
  }
  if (m->n_odd == 0) return true;
  qsort(m->odd, m->n_odd, sizeof *m->odd, by_value);
  size_t n = 1;
  for (size_t i = 1; i < m->n_odd; i++)
    if (m->odd[i] != m->odd[n - 1]) m->odd[n++] = m->odd[i];
  m->n_odd = n;
  return true;
}

/* The symbol that a part of a word is; UINT32_MAX: none. */
static uint32_t symbol_of(maker *m, const char *text, size_t n_bytes) {
  int32_t id = am_vocabulary_find(m->vocabulary, text, n_bytes);
  uint32_t codepoint;
  m->work += n_bytes;
  if (id >= 0) return (uint32_t)id;
  if (am_unicode_next((const uint8_t *)text, &codepoint) != n_bytes) return UINT32_MAX;
  uint32_t symbol = am_spm_symbol(m->odd, m->n_odd, m->vocabulary->n_ids, codepoint);
  return symbol & AM_SPM_FOREIGN ? UINT32_MAX : symbol;
}

static adam_status add_merges(maker *m, size_t id, adam_error *error) {
  const am_vocabulary *v = m->vocabulary;
  const char *text = v->bytes + v->bytes_at[id];
  size_t n_bytes = v->bytes_at[id + 1] - v->bytes_at[id];
  uint32_t codepoint;
  for (size_t p = 0; p < n_bytes;) {
    p += am_unicode_next((const uint8_t *)text + p, &codepoint);
    if (p >= n_bytes) break;
    uint32_t left = symbol_of(m, text, p);
    uint32_t right = left == UINT32_MAX ? left : symbol_of(m, text + p, n_bytes - p);
    if (m->work > MOST_WORK || m->n == MOST_MERGES)
      return am_fail(error, ADAM_LIMIT, "tokenizer", NULL, "its words are too many ways made of each other");
    if (right == UINT32_MAX) continue;
    am_bpe_merge *merges = am_grow(m->merges, m->n, 1, &m->capacity, sizeof *merges);
    if (!merges) return am_fail_memory(error, "tokenizer");
    m->merges = merges;
    merges[m->n++] = am_bpe_pair(left, right) << 22 | id;
  }
  return ADAM_OK;
}

static bool add_table(const maker *m, am_image_writer *writer) {
  size_t n_slots = 64;
  am_bpe bpe = {.shift = 58, .seed = am_hash_bytes(m->merges, m->n * sizeof *m->merges, m->n)};
  while (n_slots < m->n + m->n / 2) n_slots *= 2, bpe.shift--;
  am_bpe_merge *slots = am_image_add(writer, AM_SPM_TAG_MERGES, NULL, n_slots * sizeof *slots);
  if (!slots) return false;
  memset(slots, 0xFF, n_slots * sizeof *slots);
  for (size_t i = 0; i < m->n; i++) {
    size_t at = am_bpe_slot(bpe.seed, bpe.shift, m->merges[i] >> 22);
    while (slots[at] != AM_BPE_EMPTY) at = (at + 1) & (n_slots - 1);
    slots[at] = m->merges[i];
  }
  info facts = {bpe.seed};
  return am_image_add(writer, AM_SPM_TAG_INFO, &facts, sizeof facts) != NULL;
}

adam_status am_spm_build(const am_model_source *source, const am_vocabulary *vocabulary,
                         am_image_writer *writer, adam_error *error) {
  maker m = {.vocabulary = vocabulary};
  adam_status status = find_odd(&m) ? ADAM_OK : am_fail_memory(error, "tokenizer");
  if (status == ADAM_OK && vocabulary->n_ids + m.n_odd >= AM_VOCABULARY_MOST_IDS)
    status = am_fail(error, ADAM_LIMIT, "tokenizer", NULL, "its words have %zu characters that are no words",
                     m.n_odd);
  for (size_t id = 0; status == ADAM_OK && id < vocabulary->n_ids; id++) {
    /* Of words with one spelling only the one that can be found is made. */
    const char *text = vocabulary->bytes + vocabulary->bytes_at[id];
    size_t n_bytes = vocabulary->bytes_at[id + 1] - vocabulary->bytes_at[id];
    if (n_bytes > 0 && am_vocabulary_find(vocabulary, text, n_bytes) == (int32_t)id)
      status = add_merges(&m, id, error);
  }
  if (status == ADAM_OK && (!add_priorities(source, vocabulary, writer) || !add_table(&m, writer) ||
                            !am_image_add(writer, AM_SPM_TAG_ODD, m.odd, m.n_odd * sizeof *m.odd)))
    status = am_fail_memory(error, "tokenizer");
  am_mem_free(m.odd);
  am_mem_free(m.merges);
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
  if (!spm || !am_char_ids_open(v, &spm->chars)) {
    am_mem_free(spm);
    return am_fail_memory(error, "tokenizer");
  }
  spm->bpe.merges = slots;
  spm->bpe.priorities = priorities;
  spm->bpe.mask = n_slots - 1;
  spm->bpe.shift = __builtin_clzll((unsigned long long)n_slots) + 1;
  spm->bpe.seed = facts->seed;
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
