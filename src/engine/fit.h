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
  bool lower_case;               /* first; special tokens in the text stay */
  const int32_t *specials;       /* n_specials ids of special tokens, where lower_case needs them */
  size_t n_specials;
} am_fit;

/* Replaces ids by those of the text. *n_whole: how many there would be without a limit. */
adam_status am_fit_text(const am_fit *fit, const char *text, size_t n_bytes, am_ids *ids, size_t *n_whole,
                        adam_error *error);

#endif
