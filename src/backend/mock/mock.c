/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/mock/mock.h"

#include "backend/backends.h"
#include "base/mem.h"
#include "base/utf8.h"
#include <string.h>

static const int32_t end_ids[] = {AM_MOCK_END_ID};

static void mock_close(void *context, adam_backend_model *model) {
  (void)context;
  if (!model) return;
  am_mock_script_close(&model->script);
  am_mem_free(model->name);
  am_mem_free(model);
}

static adam_status mock_open(void *context, const char *text, const adam_model_options *options,
                             adam_backend_model **out, adam_error *error) {
  adam_backend_model *model = am_mem_zalloc(1, sizeof *model);
  if (!model) return am_fail_memory(error, "mock");
  model->n_ctx = options && options->n_ctx > 0 ? options->n_ctx : AM_MOCK_N_CTX;
  model->name = am_mem_dup(text, strlen(text));
  adam_status status =
      model->name ? am_mock_script_open(text, &model->script, error) : am_fail_memory(error, "mock");
  if (status) {
    mock_close(context, model);
    return status;
  }
  *out = model;
  return ADAM_OK;
}

static adam_status mock_generate(void *context, adam_backend_model *model, const adam_request *request,
                                 const adam_sink *sink, adam_outcome *outcome, adam_error *error) {
  (void)context;
  return am_mock_speak(model, request, sink, outcome, error);
}

static adam_status mock_info(void *context, adam_backend_model *model, adam_model_info *info,
                             adam_error *error) {
  (void)context, (void)error;
  info->name = model->name;
  info->backend = "mock";
  info->device = "cpu";
  info->tokenizer = "codepoint";
  info->n_vocab = AM_MOCK_N_VOCAB;
  info->n_ctx = info->n_ctx_train = model->n_ctx;
  info->has_chat_template = true;
  info->end_ids = end_ids;
  info->n_end_ids = 1;
  info->n_embedding = AM_MOCK_N_EMBEDDING;
  info->is_embedding = info->is_reranker = true;
  return ADAM_OK;
}

static adam_status mock_tokenize(void *context, adam_backend_model *model, const char *text,
                                 size_t text_bytes, uint32_t flags, int32_t *ids, size_t capacity,
                                 size_t *n_ids, adam_error *error) {
  (void)context, (void)model, (void)flags, (void)error;
  size_t n = 0;
  for (size_t at = 0; at < text_bytes; n++) {
    uint32_t codepoint;
    int used = am_utf8_decode(text + at, text_bytes - at, &codepoint);
    at += (size_t)(used < 0 ? -used : used);
    if (n < capacity) ids[n] = (int32_t)codepoint;
  }
  *n_ids = n;
  return ADAM_OK;
}

static adam_status mock_token_text(void *context, adam_backend_model *model, int32_t id, adam_write write,
                                   void *user, adam_error *error) {
  (void)context, (void)model;
  static const char end[] = "<|end|>";
  char bytes[4];
  int n = id >= 0 && id < AM_MOCK_END_ID ? am_utf8_encode((uint32_t)id, bytes) : 0;
  if (n == 0 && id != AM_MOCK_END_ID)
    return am_fail(error, ADAM_INVALID, "mock", "ids are Unicode code points", "no token has the id %d",
                   (int)id);
  bool written = n ? write(user, bytes, (size_t)n) : write(user, end, sizeof end - 1);
  return written ? ADAM_OK : am_fail_memory(error, "mock");
}

static adam_status mock_detokenize(void *context, adam_backend_model *model, const int32_t *ids, size_t n_ids,
                                   adam_write write, void *user, adam_error *error) {
  for (size_t i = 0; i < n_ids; i++) {
    adam_status status = mock_token_text(context, model, ids[i], write, user, error);
    if (status) return status;
  }
  return ADAM_OK;
}

static adam_status mock_render(void *context, adam_backend_model *model, const adam_render_request *request,
                               adam_write write, void *user, adam_error *error) {
  (void)context, (void)model;
  am_buf out = {0};
  adam_status status = am_mock_render(request, &out, error);
  if (!status && !write(user, out.data ? out.data : "", out.len)) status = am_fail_memory(error, "mock");
  am_buf_close(&out);
  return status;
}

/* The mock expects every token to be followed by itself: its logit is 1, all others are 0. So the
 * probability of a repetition is e / (e + n_vocab - 1), of anything else 1 / (e + n_vocab - 1). */
static adam_status mock_score(void *context, adam_backend_model *model, const int32_t *ids, size_t n_ids,
                              bool (*on_logits)(void *, size_t, const float *, size_t), void *user,
                              adam_error *error) {
  (void)context, (void)model;
  for (size_t i = 0; i < n_ids; i++)
    if (ids[i] < 0 || ids[i] >= AM_MOCK_N_VOCAB)
      return am_fail(error, ADAM_INVALID, "mock", NULL, "no token has the id %d", (int)ids[i]);
  float *logits = am_mem_zalloc(AM_MOCK_N_VOCAB, sizeof *logits);
  if (!logits) return am_fail_memory(error, "mock");
  bool cancelled = false;
  for (size_t i = 0; i < n_ids && !cancelled; i++) {
    logits[ids[i]] = 1;
    cancelled = on_logits(user, i, logits, AM_MOCK_N_VOCAB);
    logits[ids[i]] = 0;
  }
  am_mem_free(logits);
  return cancelled ? am_fail(error, ADAM_CANCELLED, "mock", NULL, "scoring was cancelled") : ADAM_OK;
}

static const adam_backend_ops mock = {
    .version = ADAM_BACKEND_VERSION,
    .struct_size = sizeof(adam_backend_ops),
    .name = "mock",
    .description = "scripted answers, for tests and trials",
    .open = mock_open,
    .close = mock_close,
    .generate = mock_generate,
    .info = mock_info,
    .tokenize = mock_tokenize,
    .detokenize = mock_detokenize,
    .token_text = mock_token_text,
    .render = mock_render,
    .score = mock_score,
    .embed = am_mock_embed,
    .rerank = am_mock_rerank,
};

const adam_backend_ops *am_backend_mock(void) { return &mock; }
