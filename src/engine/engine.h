/* SPDX-License-Identifier: Apache-2.0 */
/* engine: our own inference engine as a whole.
 * Purpose: engine = one loaded model, immutable; session = one timeline with its cache, sampler and
 *   text stream. In: a path and options; ids, text or messages. Out: pieces of text through a
 *   callback. Threads: an engine from any thread; a session by one at a time. Invariant: the same
 *   seed, ids and options give the same ids, whatever the chunk size, the thread count and the
 *   sessions beside. */
#ifndef AM_ENGINE_ENGINE_H
#define AM_ENGINE_ENGINE_H

#include "loader/loader.h"
#include <adam/backend.h>

typedef struct am_engine am_engine;
typedef struct am_session am_session;

/* Context: options->n_ctx, at most what the model was trained for; 0 = the model's own, at most 8192,
 * halved (down to 512) while cache and activations would take over 3/4 of the free memory. A context
 * that was asked for and does not fit is ADAM_NO_MEMORY with the bytes needed and there. */
adam_status am_engine_open(const char *path, const adam_model_options *options, am_engine **out,
                           adam_error *error);
/* The same with what a store says beside the file; extra is copied, NULL = nothing. */
adam_status am_engine_open_with(const char *path, const adam_model_options *options, const am_loader_extra *extra,
                                am_engine **out, adam_error *error);
void am_engine_close(am_engine **engine); /* sessions must be closed first */
const am_loader *am_engine_loader(const am_engine *engine);
adam_status am_engine_info(am_engine *engine, adam_model_info *info, adam_error *error);
/* What the model's chat template does with a system text, tools and thinking, found by rendering. */
void am_engine_template_features(am_engine *engine, adam_template_features *out);
/* Which template a conversation goes through: "go", "jinja", "none"; "" = it cannot be compiled. */
const char *am_engine_template_used(am_engine *engine);
/* SHA-256 of the weights as 64 hex digits: of the one file, or of the lines "DIGEST  NAME\n" of several, sorted
 * by name. A file whose store has named it by its digest is not read; by_name_only: ADAM_NOT_FOUND instead of
 * reading any. */
adam_status am_engine_digest(const am_engine *engine, bool by_name_only, adam_on_progress on_progress, void *user,
                             char out[65], adam_error *error);
/* Messages to prompt text through the model's template or the one given. */
adam_status am_engine_render(am_engine *engine, const adam_render_request *request, am_buf *out,
                             adam_error *error);
/* The values that a request would be generated with, all bits set except the seed's when none was
 * given: request over generation_config over built-in. ADAM_INVALID for a value out of range. */
adam_status am_engine_sampling(const am_engine *engine, const adam_sampling *asked, adam_sampling *out,
                               adam_error *error);

/* Teacher-forced logits of n >= 1 ids, position by position, with a float32 cache of its own whatever
 * the engine's type is; n may exceed the context. true from on_logits = ADAM_CANCELLED.
 * ADAM_UNSUPPORTED for an engine that was opened vocab_only. */
adam_status am_engine_score(am_engine *engine, const int32_t *ids, size_t n,
                            bool (*on_logits)(void *, size_t, const float *, size_t), void *user,
                            adam_error *error);

/* Embeds texts as the model's files say (loader/sentence.h); on_embedding gets them in order, true =
 * ADAM_CANCELLED. ADAM_INVALID: an unknown prompt, too many dimensions. */
adam_status am_engine_embed(am_engine *engine, const adam_embed_request *request, const adam_sink *sink,
                            bool (*on_embedding)(void *user, size_t index, const float *values,
                                                 size_t n_values),
                            void *user, adam_embed_outcome *outcome, adam_error *error);
/* Scores documents against a query into scores (n_documents). ADAM_UNSUPPORTED: neither a classifier with one
 * label nor tokens to answer yes and no with. */
adam_status am_engine_rerank(am_engine *engine, const adam_rerank_request *request, const adam_sink *sink,
                             double *scores, adam_embed_outcome *outcome, adam_error *error);
/* Was the model made for that, as far as its files say? */
bool am_engine_is_reranker(const am_engine *engine);
/* Longest text that is embedded whole, tokens; 0 = any. */
uint64_t am_engine_text_limit(const am_engine *engine);

/* Reserves cache and activations. ADAM_UNSUPPORTED for an engine that was opened vocab_only. */
adam_status am_session_open(am_engine *engine, am_session **out, adam_error *error);
void am_session_close(am_session **session);
/* Generates. The cache of the longest common prefix with the tokens so far is kept. sink->on_chunk is
 * called for every token, also where it has no text yet, and without text and ids between the chunks
 * of a long prompt, so that it can cancel at any time. */
adam_status am_session_generate(am_session *session, const adam_request *request, const adam_sink *sink,
                                adam_outcome *outcome, adam_error *error);
/* The same from n prompt ids; the request's prompt, messages and system are not looked at. */
adam_status am_session_generate_ids(am_session *session, const int32_t *ids, size_t n,
                                    const adam_request *request, const adam_sink *sink, adam_outcome *outcome,
                                    adam_error *error);

#endif
