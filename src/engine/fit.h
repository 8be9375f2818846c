/* SPDX-License-Identifier: Apache-2.0 */
/* engine/fit: text to the ids that an embedding model reads, at most as many as it can. Special tokens of
 * the post-processor stay; the text between them is cut, as transformers' truncation does. */
#ifndef AM_ENGINE_FIT_H
#define AM_ENGINE_FIT_H

#include "tokenizer/tokenizer.h"

typedef struct am_fit {
  const am_tokenizer *tokenizer; /* borrowed */
  uint64_t limit;                /* tokens in all; 0 = none */
  bool keep_end;                 /* of a longer text the end is kept */
  bool lower_case;
} am_fit;

/* Replaces ids by those of the text. *n_whole: how many there would be without a limit. */
adam_status am_fit_text(const am_fit *fit, const char *text, size_t n_bytes, am_ids *ids, size_t *n_whole,
                        adam_error *error);
/* Lower case by code point, as tokenizers' Lowercase; appends to out. */
adam_status am_fit_lower(const char *text, size_t n_bytes, am_buf *out, adam_error *error);

#endif
