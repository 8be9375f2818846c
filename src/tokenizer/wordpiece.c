/* SPDX-License-Identifier: Apache-2.0 */
/* WordPiece: from the left, always the longest word that fits; words after the first carry a prefix.
 * A piece that cannot be covered, or that is too long, is one unknown token. */
#include "tokenizer/model.h"

#include "base/mem.h"
#include "tokenizer/trie.h"
#include "tokenizer/unicode.h"

#include <string.h>

typedef struct wordpiece {
  am_trie trie;
  uint32_t continuing; /* unit behind the prefix; AM_TRIE_NONE: no word has it */
  int32_t unknown_id;  /* -1: not in the vocabulary */
  size_t most_characters;
} wordpiece;

struct am_model_memory {
  char unused; /* encoding needs none */
};

static am_model_memory *memory_open(void) { return am_mem_zalloc(1, sizeof(am_model_memory)); }
static void memory_close(am_model_memory *memory) { am_mem_free(memory); }

static adam_status build(const am_model_source *source, const am_vocabulary *vocabulary,
                         am_image_writer *writer, adam_error *error) {
  (void)source;
  return am_trie_build(vocabulary, writer, error);
}

static adam_status bind(const am_image *image, const am_json *settings, am_model *model, adam_error *error) {
  const am_vocabulary *v = &model->vocabulary;
  const char *unknown = am_json_str(am_json_get(settings, "unk_token"), "[UNK]");
  const am_json *prefix = am_json_get(settings, "continuing_subword_prefix");
  int64_t most = am_json_int(am_json_get(settings, "max_input_chars_per_word"), 100);
  if (v->raw_bytes)
    return am_fail(error, ADAM_DAMAGED, "tokenizer cache", NULL, "WordPiece over a byte vocabulary");
  wordpiece *own = am_mem_zalloc(1, sizeof *own);
  if (!own) return am_fail_memory(error, "tokenizer");
  adam_status status = am_trie_bind(image, v->n_ids, &own->trie, error);
  if (status != ADAM_OK) {
    am_mem_free(own);
    return status;
  }
  bool given = prefix && prefix->type == AM_JSON_STRING;
  own->continuing = am_trie_walk(&own->trie, given ? prefix->as.string : "##", given ? prefix->n : 2);
  own->unknown_id = am_vocabulary_find_spelling(v, unknown, strlen(unknown));
  own->most_characters = most < 0 ? 0 : (size_t)most;
  model->own = own;
  return ADAM_OK;
}

static bool is_too_long(const wordpiece *w, const char *piece, size_t n_bytes) {
  if (n_bytes <= w->most_characters) return false;
  size_t n = 0;
  for (size_t i = 0; i < n_bytes; i++) n += ((uint8_t)piece[i] & 0xC0) != 0x80;
  return n > w->most_characters;
}

/* The longest word at piece[start]; -1 = none. A word ends where a character ends, as both it and
 * the piece are valid UTF-8. */
static int32_t longest(const wordpiece *w, const char *piece, size_t n_bytes, size_t start, size_t *end) {
  uint32_t at = start > 0 ? w->continuing : 0;
  int32_t best = -1;
  if (at == AM_TRIE_NONE) return -1;
  for (size_t p = start; p < n_bytes && am_trie_step(&w->trie, &at, (uint8_t)piece[p]); p++) {
    if (w->trie.units[at].id < 0) continue;
    best = w->trie.units[at].id;
    *end = p + 1;
  }
  return best;
}

static adam_status encode(const am_model *model, am_model_memory *memory, const char *piece, size_t n_bytes,
                          size_t readable, am_ids *ids, adam_error *error) {
  const wordpiece *w = model->own;
  size_t before = ids->n;
  bool known = !is_too_long(w, piece, n_bytes);
  (void)memory;
  (void)readable;
  for (size_t start = 0, end = 0; known && start < n_bytes; start = end) {
    int32_t id = longest(w, piece, n_bytes, start, &end);
    known = id >= 0;
    if (known && !am_ids_add(ids, id)) return am_fail_memory(error, "tokenizer");
  }
  if (known) return ADAM_OK;
  ids->n = before;
  if (w->unknown_id < 0)
    return am_fail(error, ADAM_DAMAGED, "tokenizer", NULL, "model: unk_token is not in the vocabulary");
  return am_ids_add(ids, w->unknown_id) ? ADAM_OK : am_fail_memory(error, "tokenizer");
}

const am_model_row am_model_wordpiece = {"WordPiece", "wordpiece", build,        bind,
                                         am_mem_free, memory_open, memory_close, encode};
