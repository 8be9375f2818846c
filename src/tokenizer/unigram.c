/* SPDX-License-Identifier: Apache-2.0 */
/* Unigram: of all ways to cut a piece into words, the one whose scores have the highest sum (Viterbi; Kudo
 * 2018, arXiv:1804.10959), as the library's encode_optimized: a way that is found later must be better,
 * not equal. What no word covers costs 10 below the lowest score for each character. */
#include "base/mem.h"
#include "tokenizer/cached_encode.h"
#include "tokenizer/model.h"
#include "tokenizer/trie.h"
#include "tokenizer/unicode.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define TAG_SCORES AM_IMAGE_TAG('U', 'S', 'C', 'O')
#define MOST_WORD_BYTES 1024u /* bounds the work for one place of the text */
#define UNKNOWN_PENALTY 10.0
#define UNREACHED UINT32_MAX
#define KEPT_NODES ((size_t)1 << 16) /* beyond, the memory of a long piece is given back */

typedef struct unigram {
  am_trie trie;
  const double *scores; /* (n_ids) */
  double unknown_score;
  int32_t unknown_id;    /* -1 = none */
  int32_t byte_ids[256]; /* of <0xXX>, -1 = none */
  bool byte_fallback;
} unigram;

/* The best way to a place of the text. */
typedef struct node {
  double score;
  uint32_t start; /* where its last word begins; on the way back: where the next word ends */
  int32_t id;
} node;

struct am_model_memory {
  node *nodes; /* owned */
  size_t capacity;
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
  am_mem_free(memory->nodes);
  am_word_cache_close(&memory->cache);
  am_mem_free(memory);
}

static adam_status build(const am_model_source *source, const am_vocabulary *vocabulary,
                         am_image_writer *writer, adam_error *error) {
  for (size_t i = 0; i < source->n_words; i++)
    if (source->words[i].n_bytes > MOST_WORD_BYTES)
      return am_fail(error, ADAM_LIMIT, "tokenizer", NULL,
                     "model: word %zu has %u bytes, at most %u are allowed", i, source->words[i].n_bytes,
                     MOST_WORD_BYTES);
  if (vocabulary->n_ids != source->n_words || (!source->pieces && !source->scores))
    return am_fail(error, ADAM_DAMAGED, "tokenizer", NULL, "model: not every word of Unigram has a score");
  double *scores = am_mem_zalloc(source->n_words + 1, sizeof *scores);
  if (!scores) return am_fail_memory(error, "tokenizer");
  for (size_t i = 0; i < source->n_words; i++)
    scores[i] = source->pieces ? am_json_real(am_json_at(am_json_at(source->pieces, i), 1), 0.0)
                               : (double)source->scores[i];
  bool ok = am_image_add(writer, TAG_SCORES, scores, source->n_words * sizeof *scores);
  am_mem_free(scores);
  return ok ? am_trie_build(vocabulary, writer, error) : am_fail_memory(error, "tokenizer");
}

static adam_status fill(const am_image *image, const am_json *settings, const am_vocabulary *v, unigram *u,
                        adam_error *error) {
  size_t n = 0;
  double lowest = INFINITY;
  const am_json *unknown = am_json_get(settings, "unk_id");
  u->scores = am_image_section(image, TAG_SCORES, sizeof *u->scores, &n);
  if (!u->scores || n != v->n_ids || v->raw_bytes)
    return am_fail(error, ADAM_DAMAGED, "tokenizer cache", NULL, "Unigram sections do not fit together");
  for (size_t i = 0; i < n; i++)
    if (u->scores[i] < lowest) lowest = u->scores[i];
  u->unknown_score = lowest - UNKNOWN_PENALTY;
  int64_t id = am_json_int(unknown, -1);
  if (!am_json_is_null(unknown) && (id < 0 || (uint64_t)id >= n))
    return am_fail(error, ADAM_DAMAGED, "tokenizer", NULL, "model: unk_id is not in the vocabulary");
  u->unknown_id = (int32_t)id;
  u->byte_fallback = am_json_bool(am_json_get(settings, "byte_fallback"), false);
  for (int byte = 0; byte < 256; byte++) {
    char name[8];
    int n_name = snprintf(name, sizeof name, "<0x%02X>", (unsigned)byte);
    u->byte_ids[byte] = am_vocabulary_find(v, name, (size_t)n_name);
  }
  return am_trie_bind(image, v->n_ids, &u->trie, error);
}

static adam_status bind(const am_image *image, const am_json *settings, am_model *model, adam_error *error) {
  unigram *own = am_mem_zalloc(1, sizeof *own);
  if (!own) return am_fail_memory(error, "tokenizer");
  adam_status status = fill(image, settings, &model->vocabulary, own, error);
  if (status == ADAM_OK)
    model->own = own;
  else
    am_mem_free(own);
  return status;
}

static inline void offer(node *to, double score, size_t start, int32_t id) {
  if (to->start != UNREACHED && !(score > to->score)) return;
  *to = (node){score, (uint32_t)start, id};
}

/* Fills nodes (n_bytes + 1). false: a character is unknown, and there is no token for that. */
static bool forward(const unigram *u, const char *piece, size_t n_bytes, node *nodes) {
  for (size_t i = 0; i <= n_bytes; i++) nodes[i].start = UNREACHED;
  nodes[0].score = 0.0;
  for (size_t start = 0; start < n_bytes;) {
    uint32_t codepoint, at = 0;
    size_t first = start + am_unicode_next((const uint8_t *)piece + start, &codepoint);
    double score = nodes[start].score;
    bool single = false;
    for (size_t p = start; p < n_bytes && am_trie_step(&u->trie, &at, (uint8_t)piece[p]); p++) {
      int32_t id = u->trie.units[at].id;
      if (id < 0) continue;
      offer(&nodes[p + 1], u->scores[id] + score, start, id);
      single |= p + 1 == first;
    }
    if (!single) {
      bool better = nodes[first].start == UNREACHED || u->unknown_score + score > nodes[first].score;
      if (better && u->unknown_id < 0) return false;
      offer(&nodes[first], u->unknown_score + score, start, u->unknown_id);
    }
    start = first;
  }
  return true;
}

/* Turns the links round, so that they lead from the beginning; returns where the first word ends. */
static size_t turn_round(node *nodes, size_t n_bytes) {
  uint32_t end = (uint32_t)n_bytes, following = 0;
  while (end > 0) {
    uint32_t start = nodes[end].start;
    nodes[end].start = following;
    following = end;
    end = start;
  }
  return following;
}

/* A run of unknown characters counts as one word: it may even be in the vocabulary. */
static bool add_unknown(const am_model *model, const char *text, size_t n_bytes, am_ids *ids) {
  const unigram *u = model->own;
  int32_t id = am_vocabulary_find(&model->vocabulary, text, n_bytes);
  if (id >= 0) return am_ids_add(ids, id);
  bool all = u->byte_fallback;
  for (size_t i = 0; all && i < n_bytes; i++) all = u->byte_ids[(uint8_t)text[i]] >= 0;
  if (!all) return am_ids_add(ids, u->unknown_id);
  for (size_t i = 0; i < n_bytes; i++)
    if (!am_ids_add(ids, u->byte_ids[(uint8_t)text[i]])) return false;
  return true;
}

static adam_status encode_whole(const am_model *model, am_model_memory *memory, const char *piece,
                                size_t n_bytes, am_ids *ids, adam_error *error) {
  const unigram *u = model->own;
  if (n_bytes + 1 > memory->capacity) {
    node *nodes = n_bytes < UINT32_MAX / 2 ? am_mem_resize(memory->nodes, n_bytes + 1, sizeof *nodes) : NULL;
    if (!nodes) return am_fail_memory(error, "tokenizer");
    memory->nodes = nodes;
    memory->capacity = n_bytes + 1;
  }
  node *nodes = memory->nodes;
  if (!forward(u, piece, n_bytes, nodes))
    return am_fail(error, ADAM_DAMAGED, "tokenizer", NULL, "model: an unknown character, and no unk_id");
  bool ok = true;
  size_t start = 0, end = turn_round(nodes, n_bytes);
  while (ok && end > 0) {
    size_t next = nodes[end].start;
    if (nodes[end].id != u->unknown_id) {
      ok = am_ids_add(ids, nodes[end].id);
    } else {
      for (; next > 0 && nodes[next].id == u->unknown_id; next = nodes[next].start) end = next;
      ok = add_unknown(model, piece + start, end - start, ids);
    }
    start = end;
    end = next;
  }
  if (memory->capacity > KEPT_NODES) {
    am_mem_free(memory->nodes);
    memory->nodes = NULL;
    memory->capacity = 0;
  }
  return ok ? ADAM_OK : am_fail_memory(error, "tokenizer");
}

static adam_status encode(const am_model *model, am_model_memory *memory, const char *piece, size_t n_bytes,
                          size_t readable, am_ids *ids, adam_error *error) {
  return am_encode_cached(&memory->cache, encode_whole, model, memory, piece, n_bytes, readable, ids, error);
}

const am_model_row am_model_unigram = {"Unigram",   "unigram",   build,        bind,
                                       am_mem_free, memory_open, memory_close, encode};
