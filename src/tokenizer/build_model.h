/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer/build_model: what the classes of transformers make of a tokenizer.model. build_model.c has the
 * BPE ones and all that they share, model_unigram.c those of Unigram. */
#ifndef AM_TOKENIZER_BUILD_MODEL_H
#define AM_TOKENIZER_BUILD_MODEL_H

#include "tokenizer/build_vocab.h"
#include "tokenizer/model_tokens.h"

typedef struct am_model_maker am_model_maker;

/* A class of transformers: its defaults, and what it makes around the model. */
typedef struct am_model_class {
  const char *name;                                     /* without "Fast" */
  const char *bos, *eos, *unk, *sep, *pad, *cls, *mask; /* NULL = none */
  const char *const *more;
  bool adds_bos; /* where add_bos_token is not said */
  void (*write_stages)(const am_model_maker *m, am_buf *out);
  /* Unigram, else NULL: sets words and scores instead of the pieces; false: memory is out. */
  bool (*arrange)(am_model_maker *m);
  void (*write_post)(const am_model_maker *m, const am_model_tokens *tokens, am_buf *out); /* with arrange */
} am_model_class;

struct am_model_maker {
  const char *name;
  am_sp_model model;
  const am_json *config; /* NULL = none */
  const am_model_class *class;
  am_model_defaults defaults;
  am_arena *arena;
  am_vocabulary_word *words; /* (n_words) owned */
  float *scores;             /* (n_words) owned; NULL for BPE */
  size_t n_words;
};

/* Room for n words with scores; false: memory is out. */
bool am_model_set_words(am_model_maker *m, size_t n);
/* Pieces [from, n_pieces) as the words with ids from `at` on. */
void am_model_copy_pieces(am_model_maker *m, size_t from, size_t at);

extern const am_model_class am_model_class_t5, am_model_class_xlm_roberta;

#endif
