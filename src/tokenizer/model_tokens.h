/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer/model_tokens: which tokens transformers adds to a tokenizer that it makes of a tokenizer.model,
 * and with which flags: those of added_tokens_decoder, the named ones (bos_token, ...), then the extra ones
 * of the configuration or, where it has none, the control and user-defined pieces of the file. */
#ifndef AM_TOKENIZER_MODEL_TOKENS_H
#define AM_TOKENIZER_MODEL_TOKENS_H

#include "base/json.h"
#include "base/map.h"
#include "tokenizer/sentencepiece.h"
#include "tokenizer/vocabulary.h"

enum {
  AM_NAMED_BOS,
  AM_NAMED_EOS,
  AM_NAMED_UNK,
  AM_NAMED_SEP,
  AM_NAMED_PAD,
  AM_NAMED_CLS,
  AM_NAMED_MASK,
  AM_NAMED_N
};

/* What a tokenizer class of transformers says where the configuration is silent. Borrowed. */
typedef struct am_model_defaults {
  am_vocab_string named[AM_NAMED_N]; /* bytes NULL = none */
  const char *const *more;           /* further named tokens of the class, NULL-terminated; or NULL */
} am_model_defaults;

typedef struct am_model_token {
  am_vocab_string content;
  int64_t id;
  bool single_word, left_strip, right_strip, normalized, special;
} am_model_token;

typedef struct am_model_tokens {
  am_model_token *data;         /* owned */
  size_t n, capacity, n_listed; /* the first n_listed are of added_tokens_decoder */
  am_map by_content;            /* index in data */
  int64_t next_id;
  const am_vocabulary *vocabulary;
} am_model_tokens;

/* config may be NULL. Everything is borrowed but data. false: memory is out. */
bool am_model_tokens_open(const am_sp_model *model, const am_json *config, const am_model_defaults *defaults,
                          const am_vocabulary *vocabulary, am_model_tokens *out);
void am_model_tokens_close(am_model_tokens *tokens);
/* Appends them as the JSON array that am_added_open reads. */
void am_model_tokens_write(const am_model_tokens *tokens, am_buf *out);
/* The text that a name stands for; bytes NULL = none. */
am_vocab_string am_model_tokens_named(const am_json *config, const am_model_defaults *defaults, int name);
/* Id of a token by its text; -1 = none. */
int64_t am_model_tokens_id(const am_model_tokens *tokens, const am_vocab_string *content);

#endif
