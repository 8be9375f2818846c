/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/openai/openai.h"

#include "backend/backends.h"
#include "base/mem.h"
#include <string.h>

static const am_remote_vendor vendor = {
    .name = "openai",
    .url = "https://api.openai.com/v1",
    .url_hint = "an address is like http://HOST:PORT/v1; --base-url or OPENAI_BASE_URL",
    .name_hint = "adam list names the models of the server at OPENAI_BASE_URL",
    .url_variable = "OPENAI_BASE_URL",
    .key_variable = "OPENAI_API_KEY",
    .key_header = "Authorization: Bearer ",
};

static void openai_close(void *context, adam_backend_model *model) {
  (void)context;
  if (!model) return;
  am_remote_close(&model->server);
  am_arena_close(&model->arena);
  am_mem_free(model->name);
  am_mem_free(model);
}

static const am_json *models_of(const am_json *list) {
  const am_json *data = am_json_get(list, "data");
  return data && data->type == AM_JSON_ARRAY ? data : NULL;
}

static const char *id_at(const am_json *models, size_t i) {
  return am_json_str(am_json_get(am_json_at(models, i), "id"), "");
}

/* The entry of that name; n_name bytes of it. */
static const am_json *find_entry(const am_json *models, const char *name, size_t n_name) {
  for (size_t i = 0; models && i < models->n; i++)
    if (!strncmp(id_at(models, i), name, n_name) && !id_at(models, i)[n_name]) return am_json_at(models, i);
  return NULL;
}

static adam_status fail_missing(const adam_backend_model *m, const am_json *models, adam_error *error) {
  am_buf hint = {0};
  for (size_t i = 0; i < models->n && i < 4; i++)
    am_buf_printf(&hint, "%s%s", i ? ", " : "it has ", id_at(models, i));
  if (models->n > 4) am_buf_printf(&hint, " and %u more", models->n - 4);
  if (!models->n) am_buf_append_str(&hint, "it has none at all");
  am_fail(error, ADAM_NOT_FOUND, m->name, hint.failed ? NULL : hint.data,
          "the server at %s has no model of this name", m->server.url);
  am_buf_close(&hint);
  return ADAM_NOT_FOUND;
}

/* A name that the list lacks can still be one: an alias, which the server knows when it is asked for it
 * alone, or a listed one with a variant behind a colon (a tag of Ollama, ":free" of OpenRouter). */
static bool is_alias(const adam_backend_model *m, const am_json *models) {
  const char *colon = strrchr(m->name, ':');
  if (colon && find_entry(models, m->name, (size_t)(colon - m->name))) return true;
  if (strspn(m->name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:/") !=
      strlen(m->name))
    return false;
  am_arena arena = {0};
  am_json answer = {0};
  am_buf path = {0};
  am_buf_printf(&path, "/models/%s", m->name);
  const am_remote_ask ask = {"GET", path.data, NULL, m->name, true};
  bool good = !path.failed && !am_remote_call(&m->server, &ask, &arena, &answer, NULL, NULL) &&
              am_json_get(&answer, "id");
  am_buf_close(&path);
  am_arena_close(&arena);
  return good;
}

/* What the model is, by the server's list. A server without a list is taken as it is. */
static adam_status look_up(adam_backend_model *m, adam_error *error) {
  const am_remote_ask ask = {"GET", "/models", NULL, NULL, true};
  am_remote_refusal refusal = {0};
  adam_error found = {0};
  adam_status status = am_remote_call(&m->server, &ask, &m->arena, &m->list, &refusal, &found);
  const am_json *models = status ? NULL : models_of(&m->list);
  bool no_list = refusal.code == 404 || refusal.code == 405 || refusal.code == 501;
  if (status && !no_list) {
    if (error) *error = found;
    return status;
  }
  if (!status && !models)
    return am_fail(error, ADAM_UNAVAILABLE, "openai", vendor.url_hint,
                   "what answers at %s is no server of this API", m->server.url);
  if (models) {
    const char *owner = am_json_str(am_json_get(am_json_at(models, 0), "owned_by"), NULL);
    bool any = models->n == 1 && (!*m->name || am_openai_dialect_find(owner)->serves_any_name);
    m->entry = find_entry(models, m->name, strlen(m->name));
    if (!m->entry && any) m->entry = am_json_at(models, 0);
    if (!m->entry && *m->name && !is_alias(m, models)) return fail_missing(m, models, error);
  }
  if (!*m->name && !m->entry)
    return am_fail(error, ADAM_INVALID, "model", "for example openai:gpt-4o-mini", "the name is empty");
  /* Of an alias, the first model tells whose server it is. */
  const am_json *told = m->entry ? m->entry : am_json_at(models, 0);
  m->dialect = am_openai_dialect_find(am_json_str(am_json_get(told, "owned_by"), NULL));
  if (!m->server.is_named) m->dialect = am_openai_dialect_find("openai");
  m->lacks = m->dialect->lacks;
  return ADAM_OK;
}

static adam_status openai_open(void *context, const char *name, const adam_model_options *options,
                               adam_backend_model **out, adam_error *error) {
  adam_backend_model *m = am_mem_zalloc(1, sizeof *m);
  if (!m) return am_fail_memory(error, name);
  m->name = am_mem_dup(name, strlen(name));
  adam_status status =
      m->name ? am_remote_open(&vendor, options, &m->server, error) : am_fail_memory(error, name);
  if (!status) status = look_up(m, error);
  if (!status && !*name) { /* the only one that it has */
    const char *id = am_json_str(am_json_get(m->entry, "id"), "");
    am_mem_free(m->name);
    m->name = am_mem_dup(id, strlen(id));
    if (!m->name) status = am_fail_memory(error, id);
  }
  if (status)
    openai_close(context, m);
  else
    *out = m;
  return status;
}

static adam_status openai_available(void *context, adam_error *error) {
  (void)context;
  am_remote_server server = {0};
  am_arena arena = {0};
  am_json list = {0};
  am_remote_refusal refusal = {0};
  const am_remote_ask ask = {"GET", "/models", NULL, NULL, true};
  adam_status status = am_remote_open(&vendor, NULL, &server, error);
  if (!status) status = am_remote_call(&server, &ask, &arena, &list, &refusal, error);
  if (refusal.code == 404 || refusal.code == 405) status = ADAM_OK;
  am_arena_close(&arena);
  am_remote_close(&server);
  return status == ADAM_OK || status == ADAM_NO_MEMORY ? status : ADAM_UNAVAILABLE;
}

static adam_status openai_info(void *context, adam_backend_model *model, adam_model_info *info,
                               adam_error *error) {
  (void)context, (void)error;
  am_openai_facts(model, info);
  return ADAM_OK;
}

/* Only of a server that someone named: a vendor's own is not asked for all that it sells by a list of what is
 * here. */
static adam_status openai_list(void *context, const adam_model_options *options, adam_on_model on_model,
                               void *user, adam_error *error) {
  (void)context;
  am_remote_server server = {0};
  am_arena arena = {0};
  am_json list = {0};
  const am_remote_ask ask = {"GET", "/models", NULL, NULL, true};
  adam_status status = am_remote_open(&vendor, options, &server, NULL);
  if (!status && server.is_named) status = am_remote_call(&server, &ask, &arena, &list, NULL, NULL);
  const am_json *models = status ? NULL : models_of(&list);
  for (size_t i = 0; models && i < models->n; i++) {
    am_buf name = {0};
    int64_t bytes = am_json_int(am_json_path(am_json_at(models, i), "meta.size"), 0);
    am_buf_printf(&name, "openai:%s", id_at(models, i));
    if (!name.failed && *id_at(models, i))
      on_model(user, &(adam_model_entry){
                         .name = name.data, .bytes = bytes > 0 ? (uint64_t)bytes : 0, .store = "openai"});
    am_buf_close(&name);
  }
  am_arena_close(&arena);
  am_remote_close(&server);
  return status == ADAM_NO_MEMORY ? am_fail_memory(error, "openai") : ADAM_OK; /* no server: no models */
}

static const adam_backend_ops ops = {
    .version = ADAM_BACKEND_VERSION,
    .struct_size = sizeof ops,
    .name = "openai",
    .description = "a server of OpenAI's API: OpenAI, vLLM, SGLang, llama-server and others",
    .available = openai_available,
    .open = openai_open,
    .close = openai_close,
    .generate = am_openai_generate,
    .info = openai_info,
    .list = openai_list,
    .embed = am_openai_embed,
    .features = ADAM_FEATURE_LOGPROBS | ADAM_FEATURE_CONSTRAINT | ADAM_FEATURE_SCHEMA | ADAM_FEATURE_SERVER |
                ADAM_FEATURE_TOOL_CHOICE,
};

const adam_backend_ops *am_backend_openai(void) { return &ops; }
