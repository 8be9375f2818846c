/* SPDX-License-Identifier: Apache-2.0 */
/* engine/context: how many tokens a session holds and how many are computed at once, from what the
 * model was trained for and from the memory that is free. */
#ifndef AM_ENGINE_CONTEXT_H
#define AM_ENGINE_CONTEXT_H

#include "engine/loaded.h"

/* Sets engine->n_ctx, chunk_tokens, extended and clipped, and switches the model to its documented YaRN
 * where the context asked for needs it; the rules are am_engine_open's. */
adam_status am_context_choose(am_engine *engine, int64_t asked, adam_error *error);
/* ADAM_NO_MEMORY, with the numbers, unless a cache of n_ctx tokens and a workspace of this size fit
 * into what is free now. `what` names the thing that is opened. */
adam_status am_context_check(const am_engine *engine, const char *what, uint64_t n_ctx, am_dtype dtype,
                             uint32_t max_tokens, uint32_t max_outputs, adam_error *error);
enum { AM_CONTEXT_SCORE_ROWS = 32 };
/* Rows of logits that scoring computes at once: at most the above, at most 8 MiB. */
uint32_t am_context_score_rows(const am_engine *engine);

#endif
