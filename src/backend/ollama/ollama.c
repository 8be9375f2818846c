/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/ollama/ollama.h"

#include "backend/backends.h"
#include "base/mem.h"
#include "hub/cache.h"
#include "presets/presets.h"
#include <string.h>

static void ollama_close(void *context, adam_backend_model *model) {
  (void)context;
  if (!model) return;
  am_ollama_client_close(&model->client);
  am_arena_close(&model->arena);
  am_mem_free(model->name);
  am_mem_free(model);
}

/* The repository of a model that the server lacks and the Hugging Face cache has; NULL = none. */
static const char *repository_here(const char *name, const adam_model_options *options) {
  const char *repository = strchr(name, '/') ? name : NULL;
  size_t n = 0;
  const am_preset *presets = am_presets_all(&n);
  for (size_t i = 0; i < n && !repository; i++)
    if (presets[i].ollama && !strcmp(presets[i].ollama, name)) repository = presets[i].huggingface;
  char *path = NULL;
  if (!repository || !am_hub_name_valid(repository)) return NULL;
  adam_status status = am_hub_snapshot(options ? options->cache_dir : NULL, repository, NULL, &path, NULL);
  am_mem_free(path);
  return status ? NULL : repository;
}

static adam_status fail_missing(const char *name, const adam_model_options *options, adam_error *error) {
  const char *repository = repository_here(name, options);
  am_buf hint = {0};
  if (repository)
    am_buf_printf(&hint, "it is in the Hugging Face cache: adam share %s --to ollama", repository);
  else
    am_buf_printf(&hint, "adam pull ollama:%s", name);
  am_fail(error, ADAM_NOT_FOUND, name, hint.data, "the Ollama server has no model of this name");
  am_buf_close(&hint);
  return ADAM_NOT_FOUND;
}

static adam_status read_show(adam_backend_model *m, const adam_model_options *options, adam_error *error) {
  am_buf body = {0};
  am_buf_append_str(&body, "{\"model\":");
  am_json_write_string(&body, m->name, strlen(m->name));
  am_buf_append_char(&body, '}');
  adam_status status = am_ollama_call(&m->client, "POST", "/api/show", &body, m->name, &m->arena, &m->show, error);
  am_buf_close(&body);
  if (status == ADAM_NOT_FOUND) return fail_missing(m->name, options, error);
  return status ? status : am_ollama_facts_read(m, error);
}

static adam_status ollama_open(void *context, const char *name, const adam_model_options *options,
                               adam_backend_model **out, adam_error *error) {
  if (!*name) return am_fail(error, ADAM_INVALID, "model", "for example ollama:llama3.2", "the name is empty");
  adam_backend_model *m = am_mem_zalloc(1, sizeof *m);
  if (!m) return am_fail_memory(error, name);
  m->name = am_mem_dup(name, strlen(name));
  adam_status status = m->name ? am_ollama_client_open(options, &m->client, error) : am_fail_memory(error, name);
  if (!status) status = am_ollama_reach(&m->client, error);
  if (!status) m->version = am_ollama_version(&m->client);
  if (!status) status = read_show(m, options, error);
  if (status)
    ollama_close(context, m);
  else
    *out = m;
  return status;
}

static adam_status ollama_available(void *context, adam_error *error) {
  (void)context;
  am_ollama_client client = {0};
  adam_status status = am_ollama_client_open(NULL, &client, error);
  if (!status) status = am_ollama_reach(&client, error);
  am_ollama_client_close(&client);
  return status == ADAM_OK || status == ADAM_NO_MEMORY ? status : ADAM_UNAVAILABLE;
}

static adam_status ollama_info(void *context, adam_backend_model *model, adam_model_info *info, adam_error *error) {
  (void)context, (void)error;
  am_ollama_facts_info(model, info);
  return ADAM_OK;
}

static adam_status ollama_digest(void *context, adam_backend_model *model, bool by_name_only,
                                 adam_on_progress on_progress, void *user, char digest[65], adam_error *error) {
  (void)context, (void)by_name_only, (void)on_progress, (void)user;
  return am_ollama_digest(model, digest, error);
}

static const adam_backend_ops ops = {
    .version = ADAM_BACKEND_VERSION,
    .struct_size = sizeof ops,
    .name = "ollama",
    .description = "an Ollama server, here or elsewhere",
    .available = ollama_available,
    .open = ollama_open,
    .close = ollama_close,
    .generate = am_ollama_generate,
    .info = ollama_info,
    .list = am_ollama_list,
    .embed = am_ollama_embed,
    .features = ADAM_FEATURE_LOGPROBS | ADAM_FEATURE_SCHEMA | ADAM_FEATURE_SERVER,
    .digest = ollama_digest,
    .pull = am_ollama_pull,
    .remove = am_ollama_remove,
    .unload = am_ollama_unload,
    .copy = am_ollama_copy,
};

const adam_backend_ops *am_backend_ollama(void) { return &ops; }
