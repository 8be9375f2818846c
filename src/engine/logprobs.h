/* SPDX-License-Identifier: Apache-2.0 */
/* engine/logprobs: natural log-probabilities of the token that was chosen and of the likeliest ones, over
 * the model's own logits: softmax before hook, penalties, temperature, filters and masks. One thread. */
#ifndef AM_ENGINE_LOGPROBS_H
#define AM_ENGINE_LOGPROBS_H

#include "tokenizer/tokenizer.h"
#include <adam/types.h>

typedef struct am_logprobs am_logprobs;

/* n_top: how many of the likeliest to tell (clipped to n_vocab). The tokenizer is borrowed. */
adam_status am_logprobs_open(const am_tokenizer *tokenizer, size_t n_vocab, size_t n_top, am_logprobs **out,
                             adam_error *error);
void am_logprobs_close(am_logprobs **logprobs);
/* Copies the row (n_vocab) before anything changes it. */
void am_logprobs_keep(am_logprobs *logprobs, const float *logits);
/* Computes for the id that was chosen from the kept row. */
adam_status am_logprobs_take(am_logprobs *logprobs, int32_t id, adam_error *error);
/* What take computed last; borrowed until the next take. NULL for NULL. */
const adam_token_logprobs *am_logprobs_last(const am_logprobs *logprobs);

#endif
