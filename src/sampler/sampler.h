/* SPDX-License-Identifier: Apache-2.0 */
/* sampler: logits (n_vocab) -> token id.
 * Purpose: transformers' logits processors in transformers' order and semantics: repetition penalty
 *   (prompt and output), then presence and frequency (vLLM: output only), then temperature, top-k,
 *   top-p, min-p, then a draw from softmax. temperature 0 = argmax, lowest index on ties. Draws are
 *   a pure function of (seed, position), so a stream can be continued anywhere. Memory is reserved
 *   at open; picking allocates nothing. One thread at a time.
 * Bad logits: NaN counts as -inf and +inf as FLT_MAX; where nothing finite is left, the lowest
 *   allowed id is picked. */
#ifndef AM_SAMPLER_SAMPLER_H
#define AM_SAMPLER_SAMPLER_H

#include <adam/types.h>

typedef struct am_sampler am_sampler;

/* n_vocab: rows of the logits; n_allowed <= n_vocab: ids at and above it are never picked (padding
 * rows without a token). sampling: all fields are used, `set` is ignored. */
adam_status am_sampler_open(size_t n_vocab, size_t n_allowed, const adam_sampling *sampling, am_sampler **out,
                            adam_error *error);
void am_sampler_close(am_sampler **sampler);
/* Checks ranges: ADAM_INVALID naming the parameter, its value and the range. */
adam_status am_sampler_check(const adam_sampling *sampling, adam_error *error);
/* Counts ids into the history: prompt (repetition only) or generated (all three penalties). Ids
 * outside the vocabulary are skipped. */
void am_sampler_accept(am_sampler *sampler, const int32_t *ids, size_t n, bool generated);
/* Forbids an id until am_sampler_allow_all (end tokens under ignore_eos). */
void am_sampler_forbid(am_sampler *sampler, int32_t id);
void am_sampler_allow_all(am_sampler *sampler);
/* From now on only ids whose bit is set in mask (n_vocab bits, 64 to a word; borrowed until the next call)
 * may be picked: a grammar's. NULL = all. A mask without a bit is not allowed. */
void am_sampler_allow(am_sampler *sampler, const uint64_t *mask);
/* Picks for absolute `position` (tokens of prompt and output before it). logits are changed. */
int32_t am_sampler_pick(am_sampler *sampler, float *logits, uint64_t position);
/* The distribution that pick would draw from, for tests: probabilities (n_vocab), 0 for removed. */
void am_sampler_probabilities(am_sampler *sampler, float *logits, float *probabilities);

#endif
