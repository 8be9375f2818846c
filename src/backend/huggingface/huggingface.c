/* SPDX-License-Identifier: Apache-2.0 */
/* The operations table over our own engine. A model is an engine and one session, opened when it is first
 * needed, so that tokenizing and rendering reserve no cache. Threads: a model by one thread at a
 * time; different models by different threads. */
#include "backend/backends.h"
#include "backend/huggingface/stored.h"
#include "base/error.h"
#include "base/mem.h"
#include "engine/engine.h"

#include <string.h>

struct adam_backend_model {
  am_engine *engine;   /* owned */
  am_session *session; /* owned; NULL until the first generate or score */
  char *origin_json;   /* owned; NULL: of no store */
};

static adam_status hf_open(void *context, const char *path, const adam_model_options *options,
                           adam_backend_model **out, adam_error *error) {
  (void)context;
  adam_backend_model *model = am_mem_zalloc(1, sizeof *model);
  if (!model) return am_fail_memory(error, path);
  const char *stored = am_stored_name(path);
  adam_status status = stored ? am_stored_open(stored, options, &model->engine, &model->origin_json, error)
                              : am_engine_open(path, options, &model->engine, error);
  if (status) {
    am_mem_free(model);
    return status;
  }
  *out = model;
  return ADAM_OK;
}

static void hf_close(void *context, adam_backend_model *model) {
  (void)context;
  if (!model) return;
  am_session_close(&model->session);
  am_engine_close(&model->engine);
  am_mem_free(model->origin_json);
  am_mem_free(model);
}

static adam_status need_session(adam_backend_model *model, adam_error *error) {
  return model->session ? ADAM_OK : am_session_open(model->engine, &model->session, error);
}

static adam_status hf_generate(void *context, adam_backend_model *model, const adam_request *request,
                               const adam_sink *sink, adam_outcome *outcome, adam_error *error) {
  (void)context;
  adam_status status = need_session(model, error);
  if (status) {
    outcome->finish_reason = ADAM_FINISH_ERROR;
    return status;
  }
  return am_session_generate(model->session, request, sink, outcome, error);
}

static adam_status hf_info(void *context, adam_backend_model *model, adam_model_info *info,
                           adam_error *error) {
  (void)context;
  adam_status status = am_engine_info(model->engine, info, error);
  if (!status) info->origin_json = model->origin_json;
  return status;
}

static adam_status tokenizer_of(const adam_backend_model *model, const am_tokenizer **out,
                                adam_error *error) {
  return am_loader_need_tokenizer(am_engine_loader(model->engine), out, error);
}

static adam_status hf_tokenize(void *context, adam_backend_model *model, const char *text, size_t text_bytes,
                               uint32_t flags, int32_t *ids, size_t capacity, size_t *n_ids,
                               adam_error *error) {
  (void)context;
  am_ids all = {0};
  uint32_t how = flags & ADAM_TOKENIZE_NO_SPECIAL ? 0 : AM_ENCODE_SPECIAL;
  const am_tokenizer *tokenizer = NULL;
  adam_status status = tokenizer_of(model, &tokenizer, error);
  if (!status) status = am_tokenizer_encode(tokenizer, text, text_bytes, how, &all, error);
  if (!status) {
    size_t n = all.n < capacity ? all.n : capacity;
    if (n > 0) memcpy(ids, all.data, n * sizeof *ids);
    *n_ids = all.n;
  }
  am_ids_close(&all);
  return status;
}

/* Hands the collected text to the caller's writer. */
static adam_status hand_over(am_buf *buf, adam_status status, const char *what, adam_write write, void *user,
                             adam_error *error) {
  if (!status && buf->failed) status = am_fail_memory(error, what);
  if (!status && buf->len > 0 && !write(user, buf->data, buf->len)) status = am_fail_memory(error, what);
  am_buf_close(buf);
  return status;
}

static adam_status hf_detokenize(void *context, adam_backend_model *model, const int32_t *ids, size_t n_ids,
                                 adam_write write, void *user, adam_error *error) {
  (void)context;
  am_buf text = {0};
  const am_tokenizer *tokenizer = NULL;
  adam_status status = tokenizer_of(model, &tokenizer, error);
  if (!status) status = am_tokenizer_decode(tokenizer, ids, n_ids, false, &text, error);
  return hand_over(&text, status, "detokenize", write, user, error);
}

static adam_status hf_token_text(void *context, adam_backend_model *model, int32_t id, adam_write write,
                                 void *user, adam_error *error) {
  (void)context;
  size_t n_bytes = 0;
  const am_tokenizer *tokenizer = NULL;
  adam_status status = tokenizer_of(model, &tokenizer, error);
  if (status) return status;
  const char *piece = am_tokenizer_piece(tokenizer, id, &n_bytes);
  if (!piece)
    return am_fail(error, ADAM_INVALID, "token id", NULL, "%d is not in the vocabulary of %zu", id,
                   am_tokenizer_size(tokenizer));
  return write(user, piece, n_bytes) ? ADAM_OK : am_fail_memory(error, "token text");
}

static adam_status hf_render(void *context, adam_backend_model *model, const adam_render_request *request,
                             adam_write write, void *user, adam_error *error) {
  (void)context;
  am_buf text = {0};
  adam_status status = am_engine_render(model->engine, request, &text, error);
  return hand_over(&text, status, "template", write, user, error);
}

static adam_status hf_score(void *context, adam_backend_model *model, const int32_t *ids, size_t n_ids,
                            bool (*on_logits)(void *user, size_t position, const float *logits,
                                              size_t n_vocab),
                            void *user, adam_error *error) {
  (void)context;
  return am_engine_score(model->engine, ids, n_ids, on_logits, user, error);
}

static adam_status hf_tensors(void *context, adam_backend_model *model, adam_on_tensor on_tensor, void *user,
                              adam_error *error) {
  (void)context;
  (void)error;
  const am_loader *loader = am_engine_loader(model->engine);
  for (size_t i = 0; i < am_loader_n_tensors(loader); i++) {
    const am_tensor *tensor = am_loader_tensor_at(loader, i);
    const adam_tensor_entry entry = {.name = tensor->name,
                                     .dtype = am_loader_tensor_type(loader, tensor),
                                     .shape = tensor->shape,
                                     .n_dims = tensor->n_dims,
                                     .n_bytes = am_loader_tensor_bytes(loader, tensor)};
    if (on_tensor(user, &entry)) break;
  }
  return ADAM_OK;
}

static adam_status hf_digest(void *context, adam_backend_model *model, bool by_name_only,
                             adam_on_progress on_progress, void *user, char digest[65], adam_error *error) {
  (void)context;
  return am_engine_digest(model->engine, by_name_only, on_progress, user, digest, error);
}

static adam_status hf_embed(void *context, adam_backend_model *model, const adam_embed_request *request,
                            const adam_sink *sink,
                            bool (*on_embedding)(void *user, size_t index, const float *values,
                                                 size_t n_values),
                            void *user, adam_embed_outcome *outcome, adam_error *error) {
  (void)context;
  return am_engine_embed(model->engine, request, sink, on_embedding, user, outcome, error);
}

static adam_status hf_rerank(void *context, adam_backend_model *model, const adam_rerank_request *request,
                             const adam_sink *sink, double *scores, adam_embed_outcome *outcome,
                             adam_error *error) {
  (void)context;
  return am_engine_rerank(model->engine, request, sink, scores, outcome, error);
}

static const adam_backend_ops ops = {
    .version = ADAM_BACKEND_VERSION,
    .struct_size = sizeof ops,
    .name = "huggingface",
    .description = "adam's own engine: Hugging Face directories, safetensors and GGUF files",
    .open = hf_open,
    .close = hf_close,
    .generate = hf_generate,
    .info = hf_info,
    .tokenize = hf_tokenize,
    .detokenize = hf_detokenize,
    .token_text = hf_token_text,
    .render = hf_render,
    .score = hf_score,
    .embed = hf_embed,
    .rerank = hf_rerank,
    .features = ADAM_FEATURE_LOGPROBS | ADAM_FEATURE_ON_LOGITS | ADAM_FEATURE_CONSTRAINT,
    .tensors = hf_tensors,
    .digest = hf_digest,
};

const adam_backend_ops *am_backend_huggingface(void) { return &ops; }
