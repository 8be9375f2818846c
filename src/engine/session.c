/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/session.h"

#include "base/error.h"
#include "base/mem.h"
#include "engine/context.h"
#include "template/tool_calls.h"

#include <string.h>

enum { PIECE_BYTES = 1024 }; /* room reserved for the text of one token, so that the loop does not grow it */

static am_marker marker(const am_tokenizer *tokenizer, const char *text) {
  int32_t id = tokenizer ? am_tokenizer_find(tokenizer, text, strlen(text)) : -1;
  return (am_marker){.id = id >= 0 && am_tokenizer_is_special(tokenizer, id) ? id : -1, .text = text};
}

static void find_markers(am_session *s) {
  const am_tokenizer *tokenizer = am_loader_tokenizer(s->engine->loader);
  const char *const *texts = am_tool_calls_markers();
  s->think_markers[0] = marker(tokenizer, "<think>");
  s->think_markers[1] = marker(tokenizer, "</think>");
  for (size_t i = 0; i < AM_SESSION_CALL_MARKERS; i++) {
    s->call_markers[i] = *texts ? marker(tokenizer, *texts) : (am_marker){.id = -1};
    if (*texts) texts++;
  }
}

adam_status am_session_open(am_engine *engine, am_session **out, adam_error *error) {
  const char *path = am_loader_path(engine->loader);
  if (!engine->model)
    return am_fail(error, ADAM_UNSUPPORTED, path, NULL, "it was opened without its weights");
  if (am_model_config(engine->model)->arch->is_encoder)
    return am_fail(error, ADAM_UNSUPPORTED, path, "adam embed", "it is an encoder: it generates no text");
  adam_status status =
      am_context_check(engine, path, engine->n_ctx, engine->kv_dtype, engine->chunk_tokens, 1, error);
  if (status) return status;
  am_session *s = am_mem_zalloc(1, sizeof *s);
  if (!s) return am_fail_memory(error, path);
  s->engine = engine;
  am_kv_options kv =
      am_model_kv_options(engine->model, engine->n_ctx, engine->chunk_tokens, engine->kv_dtype);
  status = am_kv_open(engine->device, &kv, &s->kv, error);
  if (!status) status = am_workspace_open(engine->model, engine->chunk_tokens, 1, &s->workspace, error);
  if (status) goto fail;
  s->ids = am_mem_zalloc((size_t)engine->n_ctx, sizeof *s->ids);
  if (!s->ids || !am_buf_reserve(&s->piece, PIECE_BYTES) || !am_buf_reserve(&s->thought, PIECE_BYTES) ||
      !am_buf_reserve(&s->answer, PIECE_BYTES) || !am_buf_reserve(&s->content, PIECE_BYTES) ||
      !am_buf_reserve(&s->thinking.held, PIECE_BYTES)) {
    status = am_fail_memory(error, path);
    goto fail;
  }
  find_markers(s);
  *out = s;
  return ADAM_OK;
fail:
  am_session_close(&s);
  return status;
}

void am_session_close(am_session **session) {
  if (!session || !*session) return;
  am_session *s = *session;
  am_workspace_close(&s->workspace);
  am_kv_close(&s->kv);
  am_thinking_close(&s->thinking);
  am_buf_close(&s->piece);
  am_buf_close(&s->thought);
  am_buf_close(&s->answer);
  am_buf_close(&s->content);
  am_mem_free(s->ids);
  am_mem_free(s);
  *session = NULL;
}

size_t am_session_rewind(am_session *session, const int32_t *ids, size_t n) {
  size_t common = 0, most = n == 0 ? 0 : n - 1;
  if (most > session->n_ids) most = session->n_ids;
  while (common < most && session->ids[common] == ids[common]) common++;
  if (!am_kv_can_continue(session->kv, common) ||
      !am_model_same_rope(session->engine->model, session->length, n))
    common = 0;
  session->n_ids = common;
  return common;
}

/* Runs n ids at `position`, a chunk at a time. */
static adam_status run_ids(am_session *session, const int32_t *ids, size_t n, uint64_t position,
                           uint64_t length, float **logits, adam_error *error) {
  am_engine *engine = session->engine;
  for (size_t done = 0; done < n;) {
    size_t left = n - done;
    uint32_t take = left < engine->chunk_tokens ? (uint32_t)left : engine->chunk_tokens;
    uint32_t last = take - 1;
    am_segment segment = {.kv = session->kv, .n = take, .position = position + done, .length = length};
    am_batch batch = {.ids = ids + done,
                      .n_tokens = take,
                      .segments = &segment,
                      .n_segments = 1,
                      .output_rows = &last,
                      .n_outputs = done + take == n ? 1 : 0};
    adam_status status = am_model_forward(engine->model, session->workspace, &batch, logits, error);
    if (status) return status;
    done += take;
  }
  return ADAM_OK;
}

adam_status am_session_feed(am_session *session, const int32_t *ids, size_t n, uint64_t length,
                            float **logits, adam_error *error) {
  const am_engine *engine = session->engine;
  size_t before = session->n_ids;
  uint64_t restart = am_model_restart_length(engine->model);
  if (n == 0 || n > engine->n_ctx - before)
    return am_fail(error, ADAM_LIMIT, "context", NULL, "%zu tokens do not fit behind %zu of %llu", n, before,
                   (unsigned long long)engine->n_ctx);
  if (length == 0) length = before + n;
  if (restart > 0 && before > 0 && session->length <= restart && length > restart) {
    session->n_ids = 0;
    adam_status status = run_ids(session, session->ids, before, 0, length, logits, error);
    if (status) return status;
    session->n_ids = before;
    session->length = length;
  }
  adam_status status = run_ids(session, ids, n, before, length, logits, error);
  if (status) return status;
  memcpy(session->ids + before, ids, n * sizeof *ids);
  session->n_ids = before + n;
  if (before == 0 || length > session->length) session->length = length;
  return ADAM_OK;
}
