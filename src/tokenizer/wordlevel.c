/* SPDX-License-Identifier: Apache-2.0 */
/* WordLevel: a piece is a word of the vocabulary, or the unknown token. */
#include "tokenizer/model.h"

#include "base/mem.h"

#include <string.h>

typedef struct wordlevel {
  int32_t unknown_id; /* -1: not in the vocabulary */
} wordlevel;

struct am_model_memory {
  char unused; /* encoding needs none */
};

static am_model_memory *memory_open(void) { return am_mem_zalloc(1, sizeof(am_model_memory)); }
static void memory_close(am_model_memory *memory) { am_mem_free(memory); }

static adam_status build(const am_model_source *source, const am_vocabulary *vocabulary,
                         am_image_writer *writer, adam_error *error) {
  (void)source;
  (void)vocabulary;
  (void)writer;
  (void)error;
  return ADAM_OK;
}

static adam_status bind(const am_image *image, const am_json *settings, am_model *model, adam_error *error) {
  const char *unknown = am_json_str(am_json_get(settings, "unk_token"), "<unk>");
  wordlevel *own = am_mem_zalloc(1, sizeof *own);
  (void)image;
  if (!own) return am_fail_memory(error, "tokenizer");
  own->unknown_id = am_vocabulary_find_spelling(&model->vocabulary, unknown, strlen(unknown));
  model->own = own;
  return ADAM_OK;
}

static adam_status encode(const am_model *model, am_model_memory *memory, const char *piece, size_t n_bytes,
                          size_t readable, am_ids *ids, adam_error *error) {
  const wordlevel *w = model->own;
  int32_t id = am_vocabulary_find(&model->vocabulary, piece, n_bytes);
  (void)memory;
  (void)readable;
  if (id < 0) id = w->unknown_id;
  if (id < 0)
    return am_fail(error, ADAM_DAMAGED, "tokenizer", NULL, "model: unk_token is not in the vocabulary");
  return am_ids_add(ids, id) ? ADAM_OK : am_fail_memory(error, "tokenizer");
}

const am_model_row am_model_wordlevel = {"WordLevel", "wordlevel", build,        bind,
                                         am_mem_free, memory_open, memory_close, encode};
