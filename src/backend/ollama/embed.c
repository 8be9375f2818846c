/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/ollama/ollama.h"

#include "backend/remote/vectors.h"
#include <string.h>

enum { BATCH = 64 /* texts of one call */ };

/* One request under way. */
typedef struct embedding {
  adam_backend_model *model;
  const adam_embed_request *request;
  bool (*on_embedding)(void *user, size_t index, const float *values, size_t n_values);
  void *user;
  adam_embed_outcome *outcome;
  am_remote_vector vector;
} embedding;

static size_t text_bytes(const adam_embed_request *r, size_t i) {
  return r->text_bytes ? r->text_bytes[i] : strlen(r->texts[i]);
}

static void write_body(const embedding *e, size_t first, size_t n, bool truncate, am_buf *body) {
  const am_ollama_client *client = &e->model->client;
  const char *prompt = e->request->prompt ? e->request->prompt : "";
  am_ollama_body_begin(client, e->model->name, body);
  am_buf_append_str(body, ",\"input\":");
  for (size_t i = first; i < first + n; i++) {
    am_buf text = {0};
    am_buf_append_str(&text, prompt);
    am_buf_append(&text, e->request->texts[i], text_bytes(e->request, i));
    am_buf_append_char(body, i == first ? '[' : ',');
    am_json_write_string(body, text.data ? text.data : "", text.len);
    if (text.failed) body->failed = true;
    am_buf_close(&text);
  }
  am_buf_printf(body, "],\"truncate\":%s", truncate ? "true" : "false");
  if (client->n_ctx > 0 || client->n_threads > 0) {
    am_buf_append_str(body, ",\"options\":{");
    if (client->n_ctx > 0) am_buf_printf(body, "\"num_ctx\":%lld", (long long)client->n_ctx);
    if (client->n_threads > 0)
      am_buf_printf(body, "%s\"num_thread\":%d", client->n_ctx > 0 ? "," : "", (int)client->n_threads);
    am_buf_append_char(body, '}');
  }
  am_buf_append_char(body, '}');
}

static adam_status hand_over(embedding *e, const am_json *vector, size_t index, adam_error *error) {
  size_t n = 0;
  adam_status status = am_remote_vector_read(vector, index, e->model->name, &e->vector, error);
  if (!status) status = am_remote_vector_shape(&e->vector, e->request, e->model->name, &n, error);
  if (!status && e->on_embedding(e->user, index, e->vector.values, n))
    status = am_fail(error, ADAM_CANCELLED, e->model->name, NULL, "embedding was cancelled");
  return status;
}

static adam_status embed_batch(embedding *e, size_t first, size_t n, bool truncate, adam_error *error) {
  am_buf body = {0};
  am_arena arena = {0};
  am_json answer = {0};
  write_body(e, first, n, truncate, &body);
  adam_status status = am_ollama_call(&e->model->client, "POST", "/api/embed", &body, e->model->name, &arena, &answer, error);
  const am_json *vectors = status ? NULL : am_json_get(&answer, "embeddings");
  if (!status && (!vectors || vectors->type != AM_JSON_ARRAY || vectors->n != n))
    status = am_fail(error, ADAM_FAILED, e->model->name, NULL, "Ollama gave %u embeddings for %zu texts",
                     vectors && vectors->type == AM_JSON_ARRAY ? vectors->n : 0, n);
  if (!status) e->outcome->n_tokens += (size_t)am_json_int(am_json_get(&answer, "prompt_eval_count"), 0);
  for (size_t i = 0; i < n && !status; i++) status = hand_over(e, am_json_at(vectors, i), first + i, error);
  am_arena_close(&arena);
  am_buf_close(&body);
  return status;
}

/* "input length exceeds maximum context length" (v0.9), "the input length exceeds the context length" (v0.12). */
static bool is_too_long(adam_status status, const adam_error *error) {
  return status == ADAM_LIMIT && strstr(error->why, "input length exceeds");
}

/* Some text of the batch is too long for the model; which ones is found out by asking. */
static adam_status embed_one_by_one(embedding *e, size_t first, size_t n, adam_error *error) {
  adam_status status = ADAM_OK;
  for (size_t i = first; i < first + n && !status; i++) {
    status = embed_batch(e, i, 1, false, error);
    if (!is_too_long(status, error)) continue;
    e->outcome->n_truncated++;
    status = embed_batch(e, i, 1, true, error);
  }
  return status;
}

adam_status am_ollama_embed(void *context, adam_backend_model *model, const adam_embed_request *request,
                            const adam_sink *sink,
                            bool (*on_embedding)(void *user, size_t index, const float *values,
                                                 size_t n_values),
                            void *user, adam_embed_outcome *outcome, adam_error *error) {
  (void)context;
  embedding e = {model, request, on_embedding, user, outcome, {0}};
  adam_status status = ADAM_OK;
  if (request->prompt_name && !request->prompt)
    return am_fail(error, ADAM_INVALID, request->prompt_name, "give the text itself as the prompt",
                   "a model of Ollama has no prompts of its own");
  if (request->normalize == ADAM_NORMALIZE_OFF && sink->on_notice)
    sink->on_notice(sink->user, &(adam_notice){"normalized", ADAM_NOTICE_DEGRADED,
                                               "Ollama's embeddings have the length 1 whatever is asked for"});
  for (size_t first = 0; first < request->n_texts && !status; first += BATCH) {
    size_t n = request->n_texts - first < BATCH ? request->n_texts - first : BATCH;
    adam_error found = {0};
    status = embed_batch(&e, first, n, false, &found);
    if (is_too_long(status, &found)) status = embed_one_by_one(&e, first, n, &found);
    if (status && error) *error = found;
  }
  am_remote_vector_close(&e.vector);
  return status;
}
