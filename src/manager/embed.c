/* SPDX-License-Identifier: Apache-2.0 */
/* Embeddings and scores of pairs: which model makes them, and the results that own what came. */
#include "manager/manager.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/size.h"
#include "os/clock.h"
#include "presets/presets.h"

static adam_status open_embedder(adam_manager *m, const char *ref, adam_error *error) {
  adam_manager_options options = {.struct_size = sizeof options,
                                  .model = ref,
                                  .ignore_settings = true, /* they are in what m was opened with */
                                  .model_options = {.struct_size = sizeof options.model_options,
                                                    .device = m->embedding_device,
                                                    .n_threads = m->embedding_threads,
                                                    .cache_dir = m->embedding_cache_dir,
                                                    .ollama_host = m->embedding_host,
                                                    .keep_alive = m->embedding_keep_alive,
                                                    .start_server = m->embedding_start,
                                                    .timeout_ms = m->embedding_timeout_ms}};
  /* "ollama:NAME" beside a model of Ollama's server is that server's, too; another vendor gets no key of this one. */
  size_t n = strlen(m->ops->name);
  if ((m->ops->features & ADAM_FEATURE_SERVER) && !strncmp(ref, m->ops->name, n) && ref[n] == ':') {
    options.backend = m->ops->name;
    options.model_options.base_url = m->embedding_url;
    options.model_options.api_key_file = m->embedding_key_file;
  }
  return adam_manager_open(&options, &m->embedder, error);
}

/* The manager that embeds: m itself when its model was named for it, or is made for it and nothing else was
 * named. */
static adam_status choose_embedder(adam_manager *m, adam_manager **out, adam_error *error) {
  const char *ref = m->embedding_ref;
  bool itself = ref ? !strcmp(ref, m->ref ? m->ref : m->name) : m->info.is_embedding;
  if (itself) {
    *out = m;
    return ADAM_OK;
  }
  const am_preset *usual = ref ? NULL : am_presets_find("embedding");
  if (!ref) ref = usual && usual->huggingface && !usual->path ? usual->huggingface : "embedding";
  adam_status status = m->embedder ? ADAM_OK : open_embedder(m, ref, error);
  if (!status) *out = m->embedder;
  return status;
}

/* Gathers what a backend sends. */
typedef struct collector {
  float *values; /* (n_texts, n_values), owned */
  size_t n_texts, n_values, n_seen;
  am_notices notices;
  bool failed;   /* memory is out */
  bool confused; /* the backend sent another number of values, or another text than the next one */
} collector;

static void collect_notice(void *user, const adam_notice *notice) {
  collector *c = user;
  if (!am_notices_add(&c->notices, notice)) c->failed = true;
}

static bool collect_embedding(void *user, size_t index, const float *values, size_t n_values) {
  collector *c = user;
  size_t n = 0;
  if (c->n_seen == 0) {
    c->n_values = n_values;
    if (am_size_mul(c->n_texts, n_values, &n)) c->values = am_mem_zalloc(n, sizeof *c->values);
    if (!c->values) return c->failed = true;
  }
  if (index != c->n_seen || index >= c->n_texts || n_values != c->n_values) return c->confused = true;
  memcpy(c->values + index * n_values, values, n_values * sizeof *values);
  c->n_seen++;
  return c->failed;
}

static bool dup_text(const char *text, char **out) {
  *out = am_mem_dup(text ? text : "", text ? strlen(text) : 0);
  return *out != NULL;
}

static bool name_result(const adam_manager *m, char **model, char **backend, char **device) {
  return dup_text(m->name, model) && dup_text(m->ops->name, backend) && dup_text(m->info.device, device);
}

/* Notices of opening the embedding model come with the first answer that needed it. */
static bool add_opening_notices(const adam_manager *m, const adam_manager *embedder, am_notices *notices) {
  if (embedder == m) return true;
  for (size_t i = 0; i < embedder->notices.n; i++)
    if (!am_notices_add(notices, &embedder->notices.items[i])) return false;
  return true;
}

static adam_status check_texts(const char *const *texts, size_t n, const char *what, adam_error *error) {
  if (n && !texts) return am_fail(error, ADAM_INVALID, what, NULL, "a number of texts without the texts");
  for (size_t i = 0; i < n; i++)
    if (!texts[i]) return am_fail(error, ADAM_INVALID, what, NULL, "text %zu is NULL", i);
  return ADAM_OK;
}

static adam_status check_seen(const adam_manager *m, const collector *c, adam_status status,
                              adam_error *error) {
  if (c->failed) return am_fail_memory(error, m->name);
  if (!status && (c->confused || c->n_seen != c->n_texts))
    return am_fail(error, ADAM_FAILED, m->ops->name, NULL, "%zu of %zu texts were embedded", c->n_seen,
                   c->n_texts);
  if (c->confused)
    return am_fail(error, ADAM_FAILED, m->ops->name, NULL, "text %zu was embedded out of turn", c->n_seen);
  return status;
}

adam_status adam_manager_batch_embed(adam_manager *manager, const adam_embed_request *request,
                                     adam_embed_result *result, adam_error *error) {
  adam_embed_request r;
  adam_manager *m = NULL;
  adam_embed_outcome outcome = {.struct_size = sizeof outcome};
  memset(result, 0, sizeof *result);
  adam_status status = am_manager_copy(request, &r, sizeof r, "adam_embed_request", error);
  if (!status) status = check_texts(r.texts, r.n_texts, "texts", error);
  if (!status && r.dimensions < 0)
    status = am_fail(error, ADAM_INVALID, "dimensions", NULL, "%lld is not 0 or more", (long long)r.dimensions);
  if (!status) status = choose_embedder(manager, &m, error);
  if (status) return status;
  if (!m->ops->embed) return am_manager_unsupported(m, "embed", error);
  collector c = {.n_texts = r.n_texts};
  adam_sink sink = {.user = &c, .on_notice = collect_notice};
  double begin_ms = am_clock_ms();
  c.failed = !add_opening_notices(manager, m, &c.notices);
  status = m->ops->embed(m->ops->context, m->model, &r, &sink, collect_embedding, &c, &outcome, error);
  status = check_seen(m, &c, status, error);
  *result = (adam_embed_result){.values = c.values,
                                .n_texts = r.n_texts,
                                .dimensions = c.n_seen ? c.n_values : 0,
                                .n_tokens = outcome.n_tokens,
                                .n_truncated = outcome.n_truncated,
                                .embed_ms = am_clock_ms() - begin_ms,
                                .notices = c.notices.items,
                                .n_notices = c.notices.n};
  if (!name_result(m, &result->model, &result->backend, &result->device) && !status)
    status = am_fail_memory(error, m->name);
  if (status) adam_embed_result_close(result);
  return status;
}

adam_status adam_manager_embed(adam_manager *manager, const char *text, size_t text_bytes, float **values,
                               size_t *dimensions, adam_error *error) {
  adam_embed_request request = {
      .struct_size = sizeof request, .texts = &text, .text_bytes = &text_bytes, .n_texts = 1};
  adam_embed_result result;
  adam_status status = adam_manager_batch_embed(manager, &request, &result, error);
  if (status) return status;
  *values = result.values;
  *dimensions = result.dimensions;
  result.values = NULL;
  adam_embed_result_close(&result);
  return ADAM_OK;
}

adam_status adam_manager_rerank(adam_manager *m, const adam_rerank_request *request,
                                adam_rerank_result *result, adam_error *error) {
  adam_rerank_request r;
  adam_embed_outcome outcome = {.struct_size = sizeof outcome};
  memset(result, 0, sizeof *result);
  adam_status status = am_manager_copy(request, &r, sizeof r, "adam_rerank_request", error);
  if (!status && !r.query) status = am_fail(error, ADAM_INVALID, "query", NULL, "it is NULL");
  if (!status) status = check_texts(r.documents, r.n_documents, "documents", error);
  if (status) return status;
  if (!m->ops->rerank) return am_manager_unsupported(m, "rerank", error);
  collector c = {0};
  adam_sink sink = {.user = &c, .on_notice = collect_notice};
  double begin_ms = am_clock_ms();
  double *scores = r.n_documents ? am_mem_zalloc(r.n_documents, sizeof *scores) : NULL;
  if (r.n_documents && !scores) return am_fail_memory(error, m->name);
  status = m->ops->rerank(m->ops->context, m->model, &r, &sink, scores, &outcome, error);
  for (size_t i = 0; i < r.n_documents && !status; i++)
    if (isnan(scores[i]))
      status = am_fail(error, ADAM_FAILED, m->name, NULL, "the score of document %zu is not a number", i);
  if (c.failed) status = am_fail_memory(error, m->name);
  *result = (adam_rerank_result){.scores = scores,
                                 .n_documents = r.n_documents,
                                 .n_tokens = outcome.n_tokens,
                                 .n_truncated = outcome.n_truncated,
                                 .rerank_ms = am_clock_ms() - begin_ms,
                                 .notices = c.notices.items,
                                 .n_notices = c.notices.n};
  if (!name_result(m, &result->model, &result->backend, &result->device) && !status)
    status = am_fail_memory(error, m->name);
  if (status) adam_rerank_result_close(result);
  return status;
}
