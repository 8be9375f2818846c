/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer/model: the seam for kinds of models, one file and one row each. A model turns one piece
 * of text into ids. */
#ifndef AM_TOKENIZER_MODEL_H
#define AM_TOKENIZER_MODEL_H

#include "base/json.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/vocabulary.h"

/* What a model is made of, wherever it comes from. Borrowed. */
typedef struct am_model_source {
  const am_json *settings; /* the members of the file's "model" but vocab and merges */
  const am_vocabulary_word *words;
  size_t n_words;
  const float *scores;                /* (n_words) or NULL */
  const am_json *pieces;              /* Unigram: array of [text, score] by id, or NULL: scores */
  const am_json *merges;              /* JSON array, or NULL: */
  const am_vocab_string *merge_lines; /* "left right" */
  size_t n_merges;
  bool derive_merges; /* BPE: no merges; every two words that make a word do, lower ids first */
  bool raw_bytes;     /* pieces come as bytes, words are spelled in the byte alphabet */
} am_model_source;

typedef struct am_model_memory am_model_memory; /* what encoding needs; one thread at a time */

typedef struct am_model {
  const struct am_model_row *row;
  am_vocabulary vocabulary;
  void *own; /* the kind's own part, owned; NULL before bind */
} am_model;

typedef struct am_model_row {
  const char *type; /* in the JSON */
  const char *name; /* for am_tokenizer_kind */
  /* Appends the kind's sections; the vocabulary's are there already. */
  adam_status (*build)(const am_model_source *source, const am_vocabulary *vocabulary,
                       am_image_writer *writer, adam_error *error);
  /* Sets model->own from image and settings; checks every section. */
  adam_status (*bind)(const am_image *image, const am_json *settings, am_model *model, adam_error *error);
  void (*close)(void *own);
  am_model_memory *(*memory_open)(void); /* NULL: memory is out */
  void (*memory_close)(am_model_memory *memory);
  /* Appends the ids of one piece (n_bytes > 0) to ids. `readable` bytes (>= n_bytes) may be read at
   * piece: a copy by fixed width is faster than one by length. */
  adam_status (*encode)(const am_model *model, am_model_memory *memory, const char *piece, size_t n_bytes,
                        size_t readable, am_ids *ids, adam_error *error);
} am_model_row;

/* The row of a type; NULL: not supported. */
const am_model_row *am_model_row_named(const char *type);
extern const am_model_row am_model_bpe, am_model_spm, am_model_unigram, am_model_wordpiece,
    am_model_wordlevel;

/* Room for `more` ids; false: memory is out. */
bool am_ids_reserve(am_ids *ids, size_t more);
static inline bool am_ids_add(am_ids *ids, int32_t id) {
  if (ids->n == ids->capacity && !am_ids_reserve(ids, 1)) return false;
  ids->data[ids->n++] = id;
  return true;
}

#endif
