/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer/build_vocab: what a GGUF's vocabulary becomes, kind by kind. build_vocab.c has what all kinds
 * share and "gpt2"; a new tokenizer.ggml.model is a file and a row in its table. */
#ifndef AM_TOKENIZER_BUILD_VOCAB_H
#define AM_TOKENIZER_BUILD_VOCAB_H

#include "tokenizer/pipeline.h"
#include "tokenizer/pre_types.h"

enum { AM_GGUF_UNKNOWN = 2, AM_GGUF_CONTROL = 3, AM_GGUF_USER = 4 };

typedef struct am_vocab_builder {
  const am_vocab *vocab;
  const am_pre_type *pre;          /* "gpt2" */
  const am_vocabulary_word *words; /* (n_tokens) by id, valid UTF-8 */
} am_vocab_builder;

typedef struct am_vocab_row {
  const char *model; /* tokenizer.ggml.model */
  const am_model_row *row;
  bool raw_bytes; /* pieces are spelled in the byte alphabet */
  bool (*write_config)(void *builder, const am_vocabulary *vocabulary, am_buf *out);
  /* Gives a word the spelling that the model wants; false: memory is out. NULL: all stay as they are. */
  bool (*respell)(am_vocabulary_word *word, am_arena *arena);
} am_vocab_row;
extern const am_vocab_row am_vocab_llama, am_vocab_bert, am_vocab_t5;

/* The items of added_tokens: what the types call control, unknown or user-defined. */
void am_vocab_write_tokens(const am_vocab_builder *b, am_buf *out);

/* true: id is one of the file's tokens. */
bool am_vocab_has(const am_vocab *vocab, int64_t id);
/* TemplateProcessing that puts bos before and eos behind each text; -1 = none. */
void am_vocab_write_post_processor(am_buf *out, int64_t bos_id, int64_t eos_id);
/* build_t5.c: the members normalizer, pre_tokenizer and decoder of a Unigram model of SentencePiece; then
 * ",model". prefix: a space before the text. drop_blanks: runs of blanks count as one. */
void am_unigram_write_stages(am_buf *out, am_vocab_string charsmap, bool prefix, bool drop_blanks);
void am_unigram_write_model(am_buf *out, int64_t unknown_id, bool byte_fallback); /* -1 = none */

#endif
