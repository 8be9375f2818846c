/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer/parts: what an open tokenizer is made of, for those who write it in another format. Everything is
 * borrowed from the tokenizer. Any thread. */
#ifndef AM_TOKENIZER_PARTS_H
#define AM_TOKENIZER_PARTS_H

#include "base/json.h"
#include "tokenizer/tokenizer.h"

typedef struct am_tokenizer_parts {
  const am_json *config; /* a tokenizer.json without vocabulary and merges; added_tokens with final ids */
  const char *model;     /* "BPE", "SPM" (scores decide, as in llama.cpp), "Unigram", "WordPiece", ... */
  bool byte_level;       /* BPE over bytes, words spelled in the byte alphabet */
  size_t n_words;        /* highest id of a word of the model + 1; added tokens may have higher ones */
  const double *scores;  /* (n_words) Unigram, else NULL */
} am_tokenizer_parts;

void am_tokenizer_parts_of(const am_tokenizer *tokenizer, am_tokenizer_parts *out);
/* Spelling of a word of the model; NULL: it has none of this id. Not always what am_tokenizer_piece says,
 * which asks the added tokens first. */
const char *am_tokenizer_word(const am_tokenizer *tokenizer, int32_t id, size_t *n_bytes);

/* A merge of BPE by ids; they come in the order in which they are tried. */
typedef struct am_merge_ids {
  int32_t left, right, made;
} am_merge_ids;
/* *out is owned (am_mem_free). A model that has no merges: *n is 0. Of SPM they are made up from the words
 * and their scores. */
adam_status am_tokenizer_merges(const am_tokenizer *tokenizer, am_merge_ids **out, size_t *n,
                                adam_error *error);

/* The name for tokenizer.ggml.pre whose cuts are those of this tokenizer, which is byte-level: found by its
 * patterns, or where these are spelled in another way by what they do to the texts of probe.h. *same_merges
 * tells whether the name also implies the ignore_merges of the model. ADAM_UNSUPPORTED: no name cuts so. */
adam_status am_pre_type_match(const am_tokenizer *tokenizer, const char **name, bool *same_merges,
                              adam_error *error);

#endif
