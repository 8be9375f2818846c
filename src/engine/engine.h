/* SPDX-License-Identifier: Apache-2.0 */
/* engine: our own inference engine as a whole.
 * Purpose: engine = one loaded model, immutable, shared by reference count; session = one timeline
 *   with its cache, sampler and text stream. In: a path and options; ids, text or messages. Out:
 *   pieces of text through a callback. Threads: an engine from any thread; a session by one at a
 *   time. Invariant: the same seed, ids and options give the same ids, whatever the chunk size,
 *   the thread count and the sessions beside. */
#ifndef AM_ENGINE_ENGINE_H
#define AM_ENGINE_ENGINE_H

#include "loader/loader.h"
#include <adam/backend.h>

typedef struct am_engine am_engine;
typedef struct am_session am_session;

adam_status am_engine_open(const char *path, const adam_model_options *options, am_engine **out,
                           adam_error *error);
void am_engine_close(am_engine **engine); /* sessions must be closed first */
const am_loader *am_engine_loader(const am_engine *engine);
adam_status am_engine_info(const am_engine *engine, adam_model_info *info, adam_error *error);
/* Messages to prompt text through the model's template or the one given. */
adam_status am_engine_render(const am_engine *engine, const adam_render_request *request,
                             am_buf *out, adam_error *error);

adam_status am_session_open(am_engine *engine, am_session **out, adam_error *error);
void am_session_close(am_session **session);
/* Generates. The cache of the longest common prefix with the tokens so far is kept. */
adam_status am_session_generate(am_session *session, const adam_request *request,
                                const adam_sink *sink, adam_outcome *outcome, adam_error *error);
/* Teacher-forced logits, position by position. */
adam_status am_session_score(am_session *session, const int32_t *ids, size_t n,
                             bool (*on_logits)(void *, size_t, const float *, size_t), void *user,
                             adam_error *error);

#endif
