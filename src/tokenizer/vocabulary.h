/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer/vocabulary: the words of a model, by id and by spelling, as sections of an image. Every
 * model kind uses it. Immutable after bind. */
#ifndef AM_TOKENIZER_VOCABULARY_H
#define AM_TOKENIZER_VOCABULARY_H

#include "tokenizer/image.h"

#define AM_VOCABULARY_MOST_IDS ((1u << 21) - 1)

typedef struct am_vocabulary_word {
  const char *bytes; /* borrowed */
  uint32_t n_bytes;
  int32_t id;
} am_vocabulary_word;

typedef struct am_vocabulary_slot {
  uint32_t tag;     /* upper half of the hash */
  uint32_t id_plus; /* id + 1, 0 = empty */
} am_vocabulary_slot;

typedef struct am_vocabulary {
  size_t n_ids;   /* highest id + 1 */
  size_t n_words; /* distinct spellings */
  uint64_t seed;
  const uint8_t *known;        /* (n_ids) bit 0: the id has a word, bit 1: find can find it */
  const uint32_t *spelling_at; /* (n_ids + 1) offsets into spelling */
  const char *spelling;        /* as in the file: valid UTF-8 */
  const uint32_t *bytes_at;    /* (n_ids + 1) offsets into bytes */
  const char *bytes;           /* what the model reads and ByteLevel decodes to: raw bytes where the
                                  pieces are byte-level, else the spelling */
  bool raw_bytes;
  const am_vocabulary_slot *slots;
  size_t mask; /* number of slots - 1, a power of two - 1 */
} am_vocabulary;

/* Appends the sections. Words with one spelling: the last counts. Ids must be below
 * AM_VOCABULARY_MOST_IDS. Spellings must be valid UTF-8. */
adam_status am_vocabulary_build(const am_vocabulary_word *words, size_t n, bool raw_bytes,
                                am_image_writer *writer, adam_error *error);
/* Checks the sections, so that no lookup can leave them. */
adam_status am_vocabulary_bind(const am_image *image, am_vocabulary *out, adam_error *error);

/* Id of a word by what the model reads; -1 = none. */
int32_t am_vocabulary_find(const am_vocabulary *vocabulary, const char *bytes, size_t n_bytes);
/* Id of a word by its spelling; -1 = none. */
int32_t am_vocabulary_find_spelling(const am_vocabulary *vocabulary, const char *spelling, size_t n_bytes);
static inline bool am_vocabulary_has(const am_vocabulary *v, int32_t id) {
  return id >= 0 && (size_t)id < v->n_ids && (v->known[id] & 1);
}

#endif
