/* SPDX-License-Identifier: Apache-2.0 */
/* Teacher-forced scoring: a whole chunk through the layers, then its logits a few rows at a time, so that
 * a large vocabulary needs little memory. */
#include "base/error.h"
#include "engine/context.h"
#include "engine/loaded.h"

static adam_status score_chunk(const am_model *model, am_workspace *workspace, const am_batch *batch,
                               uint64_t position, uint32_t max_rows,
                               bool (*on_logits)(void *, size_t, const float *, size_t), void *user,
                               adam_error *error) {
  size_t n_vocab = am_model_config(model)->n_vocab;
  uint32_t rows[AM_CONTEXT_SCORE_ROWS];
  float *logits = NULL;
  adam_status status = am_model_forward(model, workspace, batch, &logits, error);
  for (uint32_t done = 0; !status && done < batch->n_tokens;) {
    uint32_t n = 0;
    while (n < max_rows && done + n < batch->n_tokens) rows[n] = done + n, n++;
    status = am_model_logits(model, workspace, rows, n, &logits, error);
    for (uint32_t i = 0; !status && i < n; i++)
      if (on_logits(user, (size_t)position + done + i, logits + i * n_vocab, n_vocab))
        status = am_fail(error, ADAM_CANCELLED, "score", NULL, "cancelled");
    done += n;
  }
  return status;
}

adam_status am_engine_score(am_engine *engine, const int32_t *ids, size_t n,
                            bool (*on_logits)(void *, size_t, const float *, size_t), void *user,
                            adam_error *error) {
  const char *path = am_loader_path(engine->loader);
  am_workspace *workspace = NULL;
  am_kv *kv = NULL;
  if (!engine->model)
    return am_fail(error, ADAM_UNSUPPORTED, path, NULL, "it was opened without its weights");
  if (am_model_config(engine->model)->arch->is_encoder)
    return am_fail(error, ADAM_UNSUPPORTED, path, NULL, "it is an encoder: it predicts no next token");
  if (n == 0) return am_fail(error, ADAM_INVALID, "ids", NULL, "there are none");
  uint32_t rows = am_context_score_rows(engine);
  uint32_t chunk = n < engine->chunk_tokens ? (uint32_t)n : engine->chunk_tokens;
  adam_status status = am_context_check(engine, path, n, AM_DTYPE_F32, chunk, rows, error);
  if (status) return status;
  am_kv_options options = am_model_kv_options(engine->model, n, chunk, AM_DTYPE_F32);
  status = am_kv_open(engine->device, &options, &kv, error);
  if (!status) status = am_workspace_open(engine->model, chunk, rows, &workspace, error);
  if (!status) am_workspace_set_exact(workspace, true);
  for (size_t done = 0; !status && done < n;) {
    uint32_t take = n - done < chunk ? (uint32_t)(n - done) : chunk;
    am_segment segment = {.kv = kv, .first = 0, .n = take, .position = done, .length = n};
    am_batch batch = {.ids = ids + done, .n_tokens = take, .segments = &segment, .n_segments = 1};
    status = score_chunk(engine->model, workspace, &batch, done, rows, on_logits, user, error);
    done += take;
  }
  am_workspace_close(&workspace);
  am_kv_close(&kv);
  return status;
}
