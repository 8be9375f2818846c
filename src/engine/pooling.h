/* SPDX-License-Identifier: Apache-2.0 */
/* engine/pooling: hidden states of one text, as they come, to one vector (sentence-transformers' Pooling). Sums are
 * kept in double, so that a vector does not depend on how the text was cut into batches. */
#ifndef AM_ENGINE_POOLING_H
#define AM_ENGINE_POOLING_H

#include "base/error.h"
#include "loader/sentence.h"

typedef struct am_pooled {
  const am_step *step; /* borrowed */
  uint32_t n_embd;
  uint64_t n_skipped;  /* tokens of a prompt that do not count */
  uint64_t n;          /* rows seen */
  double *sum;         /* owned; (n_embd) */
  double *weighted;    /* owned; (n_embd) */
  float *most;         /* owned; (n_embd) */
  float *first, *last; /* owned; (n_embd) */
} am_pooled;

adam_status am_pooling_open(am_pooled *pool, const am_step *step, uint32_t n_embd, adam_error *error);
void am_pooling_close(am_pooled *pool);
/* Begins a text whose first n_prompt tokens are its prompt. */
void am_pooling_begin(am_pooled *pool, uint64_t n_prompt);
/* More rows of the text, in order: hidden (n, n_embd). */
void am_pooling_add(am_pooled *pool, const float *hidden, uint32_t n);
/* out (n_out of the step). A text without a row that counts gives zeros. */
void am_pooling_end(const am_pooled *pool, float *out);

#endif
