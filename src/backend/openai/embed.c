/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/openai/openai.h"

#include "backend/remote/answer.h"
#include "backend/remote/fields.h"
#include "backend/remote/vectors.h"
#include "base/mem.h"
#include <math.h>
#include <string.h>

enum { BATCH = 64 /* texts of one call */, MOST_ATTEMPTS = 3 };

/* One request under way. */
typedef struct embedding {
  adam_backend_model *model;
  const adam_embed_request *request;
  const adam_sink *sink;
  bool (*on_embedding)(void *user, size_t index, const float *values, size_t n_values);
  void *user;
  adam_embed_outcome *outcome;
  am_remote_vector vector;
  uint32_t sent;
  bool told; /* that the vectors have the length 1 */
} embedding;

static size_t text_bytes(const adam_embed_request *r, size_t i) {
  return r->text_bytes ? r->text_bytes[i] : strlen(r->texts[i]);
}

static void write_body(embedding *e, size_t first, size_t n, am_buf *body) {
  const char *prompt = e->request->prompt ? e->request->prompt : "";
  uint32_t lacks = e->model->lacks;
  e->sent = 0;
  am_buf_append_char(body, '{');
  am_field_text(body, "model", e->model->name, strlen(e->model->name));
  am_field_key(body, "input");
  for (size_t i = first; i < first + n; i++) {
    am_buf text = {0};
    am_buf_append_str(&text, prompt);
    am_buf_append(&text, e->request->texts[i], text_bytes(e->request, i));
    am_buf_append_char(body, i == first ? '[' : ',');
    am_json_write_string(body, text.data ? text.data : "", text.len);
    if (text.failed) body->failed = true;
    am_buf_close(&text);
  }
  am_buf_append_char(body, ']');
  if (!(lacks & AM_OPENAI_BASE64)) {
    e->sent |= AM_OPENAI_BASE64;
    am_field_text(body, "encoding_format", "base64", 6);
  }
  /* The server would give what it cuts the length 1. */
  if (e->request->dimensions > 0 && e->request->normalize != ADAM_NORMALIZE_OFF &&
      !(lacks & AM_OPENAI_DIMENSIONS)) {
    e->sent |= AM_OPENAI_DIMENSIONS;
    am_field_int(body, "dimensions", e->request->dimensions);
  }
  am_buf_append_char(body, '}');
}

static void tell_unit(embedding *e) {
  double square = 0;
  if (e->request->normalize != ADAM_NORMALIZE_OFF || e->told) return;
  for (size_t i = 0; i < e->vector.n; i++) square += (double)e->vector.values[i] * e->vector.values[i];
  e->told = fabs(square - 1) < 1e-3;
  if (e->told)
    am_remote_notice(e->sink, ADAM_NOTICE_DEGRADED, "normalized",
                     "the server's embeddings have the length 1 whatever is asked for");
}

static adam_status hand_over(embedding *e, const am_json *item, size_t index, adam_error *error) {
  const char *name = e->model->name;
  size_t n = 0;
  adam_status status = am_remote_vector_read(am_json_get(item, "embedding"), index, name, &e->vector, error);
  if (status) return status;
  tell_unit(e);
  status = am_remote_vector_shape(&e->vector, e->request, name, &n, error);
  if (!status && e->on_embedding(e->user, index, e->vector.values, n))
    status = am_fail(error, ADAM_CANCELLED, name, NULL, "embedding was cancelled");
  return status;
}

/* The items in the order of the texts: each says which it is, and none is there twice. */
static adam_status sort_items(const embedding *e, const am_json *data, size_t n, const am_json **items,
                              adam_error *error) {
  const char *name = e->model->name;
  size_t n_here = data && data->type == AM_JSON_ARRAY ? data->n : 0;
  if (n_here != n)
    return am_fail(error, ADAM_FAILED, name, NULL, "the server gave %zu embeddings for %zu texts", n_here, n);
  for (size_t i = 0; i < n; i++) {
    int64_t index = am_json_int(am_json_get(am_json_at(data, i), "index"), (int64_t)i);
    if (index < 0 || (size_t)index >= n || items[index])
      return am_fail(error, ADAM_FAILED, name, NULL,
                     "the server gave an embedding of text %lld of %zu, or gave it twice",
                     (long long)index + 1, n);
    items[index] = am_json_at(data, i);
  }
  return ADAM_OK;
}

static adam_status embed_batch(embedding *e, size_t first, size_t n, adam_error *error) {
  am_arena arena = {0};
  am_json answer = {0};
  const am_json *items[BATCH] = {NULL};
  adam_status status = ADAM_OK;
  bool again = true;
  for (int attempt = 0; attempt < MOST_ATTEMPTS && again; attempt++) {
    am_buf body = {0};
    am_remote_refusal refusal = {0};
    write_body(e, first, n, &body);
    const am_remote_ask ask = {"POST", "/embeddings", &body, e->model->name, false};
    status = am_remote_call(&e->model->server, &ask, &arena, &answer, &refusal, error);
    again = status && am_openai_yield(e->model, &refusal, e->sent);
    am_buf_close(&body);
  }
  if (!status) status = sort_items(e, am_json_get(&answer, "data"), n, items, error);
  int64_t n_tokens = am_json_int(am_json_path(&answer, "usage.prompt_tokens"), 0);
  if (!status && n_tokens > 0) e->outcome->n_tokens += (size_t)n_tokens;
  for (size_t i = 0; i < n && !status; i++) status = hand_over(e, items[i], first + i, error);
  am_arena_close(&arena);
  return status;
}

adam_status am_openai_embed(void *context, adam_backend_model *model, const adam_embed_request *request,
                            const adam_sink *sink,
                            bool (*on_embedding)(void *user, size_t index, const float *values,
                                                 size_t n_values),
                            void *user, adam_embed_outcome *outcome, adam_error *error) {
  (void)context;
  embedding e = {.model = model,
                 .request = request,
                 .sink = sink,
                 .on_embedding = on_embedding,
                 .user = user,
                 .outcome = outcome};
  adam_error found = {0};
  adam_status status = ADAM_OK;
  if (request->prompt_name && !request->prompt)
    return am_fail(error, ADAM_INVALID, request->prompt_name, "give the text itself as the prompt",
                   "a model of this API has no prompts of its own");
  for (size_t first = 0; first < request->n_texts && !status; first += BATCH) {
    size_t n = request->n_texts - first < BATCH ? request->n_texts - first : BATCH;
    status = embed_batch(&e, first, n, &found);
  }
  if (status && error) *error = found;
  am_remote_vector_close(&e.vector);
  return status;
}
