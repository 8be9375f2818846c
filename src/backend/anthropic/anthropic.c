/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/anthropic/anthropic.h"

#include "backend/backends.h"
#include "base/mem.h"
#include <string.h>

static const am_remote_vendor vendor = {
    .name = "anthropic",
    .url = "https://api.anthropic.com",
    .url_ends = "/v1",
    .url_hint = "an address is like https://HOST; --base-url or ANTHROPIC_BASE_URL",
    .name_hint = "names are like claude-3-haiku-20240307",
    .url_variable = "ANTHROPIC_BASE_URL",
    .key_variable = "ANTHROPIC_API_KEY",
    .key_header = "x-api-key: ",
    .other_header =
        "Authorization: Bearer ", /* what the official clients send since API version 2026-10-21 */
    .header = "anthropic-version: 2023-06-01",
};

static void anthropic_close(void *context, adam_backend_model *model) {
  (void)context;
  if (!model) return;
  am_remote_close(&model->server);
  am_arena_close(&model->arena);
  am_mem_free(model->name);
  am_mem_free(model);
}

/* Is there a model of this name? A server that has only /v1/messages is taken as it is. */
static adam_status look_up(adam_backend_model *m, adam_error *error) {
  am_remote_refusal refusal = {0};
  adam_error found = {0};
  am_buf path = {0};
  am_buf_printf(&path, "/v1/models/%s", m->name);
  const am_remote_ask ask = {"GET", path.data, NULL, m->name, true};
  adam_status status = path.failed
                           ? am_fail_memory(&found, m->name)
                           : am_remote_first_call(&m->server, &ask, &m->arena, &m->entry, &refusal, &found);
  am_buf_close(&path);
  bool no_list =
      status && (refusal.code == 405 || refusal.code == 501 || (refusal.code == 404 && !refusal.is_api));
  if (no_list) m->entry = (am_json){0};
  if (!status && !am_json_str(am_json_get(&m->entry, "id"), NULL))
    return am_fail(error, ADAM_UNAVAILABLE, "anthropic", vendor.url_hint,
                   "what answers at %s is no server of this API", m->server.url);
  if (status && !no_list && error) *error = found;
  return no_list ? ADAM_OK : status;
}

static adam_status anthropic_open(void *context, const char *name, const adam_model_options *options,
                                  adam_backend_model **out, adam_error *error) {
  static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:@/";
  if (!*name)
    return am_fail(error, ADAM_INVALID, "model", "for example anthropic:claude-3-haiku-20240307",
                   "the name is empty");
  if (strspn(name, letters) != strlen(name))
    return am_fail(error, ADAM_INVALID, name, vendor.name_hint, "not the name of a model");
  adam_backend_model *m = am_mem_zalloc(1, sizeof *m);
  if (!m) return am_fail_memory(error, name);
  m->name = am_mem_dup(name, strlen(name));
  adam_status status =
      m->name ? am_remote_open(&vendor, options, &m->server, error) : am_fail_memory(error, name);
  if (!status) status = look_up(m, error);
  if (status)
    anthropic_close(context, m);
  else
    *out = m;
  return status;
}

static adam_status anthropic_available(void *context, adam_error *error) {
  (void)context;
  am_remote_server server = {0};
  am_arena arena = {0};
  am_json list = {0};
  am_remote_refusal refusal = {0};
  const am_remote_ask ask = {"GET", "/v1/models", NULL, NULL, true};
  adam_status status = am_remote_open(&vendor, NULL, &server, error);
  if (!status) status = am_remote_first_call(&server, &ask, &arena, &list, &refusal, error);
  if (refusal.code == 404 || refusal.code == 405) status = ADAM_OK;
  am_arena_close(&arena);
  am_remote_close(&server);
  return status == ADAM_OK || status == ADAM_NO_MEMORY ? status : ADAM_UNAVAILABLE;
}

static adam_status anthropic_info(void *context, adam_backend_model *m, adam_model_info *info,
                                  adam_error *error) {
  (void)context, (void)error;
  info->name = m->name;
  info->backend = "anthropic";
  info->device = "server";
  info->n_ctx = info->n_ctx_train = am_json_int(am_json_get(&m->entry, "max_input_tokens"), 0);
  info->has_chat_template = true; /* the server puts messages into it */
  info->template_features = (adam_template_features){.system = true, .tools = true, .thinking_switch = true};
  return ADAM_OK;
}

/* A page of the list, told. *after: the last name where there is more; else NULL. */
static adam_status list_page(am_remote_server *server, char **after, adam_on_model on_model, void *user) {
  am_arena arena = {0};
  am_json list = {0};
  am_buf path = {0};
  am_buf_printf(&path, *after ? "/v1/models?limit=1000&after_id=%s" : "/v1/models?limit=1000%s",
                *after ? *after : "");
  am_remote_refusal refusal = {0};
  const am_remote_ask ask = {"GET", path.data, NULL, NULL, true};
  adam_status status =
      path.failed ? ADAM_NO_MEMORY : am_remote_first_call(server, &ask, &arena, &list, &refusal, NULL);
  const am_json *models = status ? NULL : am_json_get(&list, "data");
  for (size_t i = 0; models && models->type == AM_JSON_ARRAY && i < models->n; i++) {
    const char *id = am_json_str(am_json_get(am_json_at(models, i), "id"), "");
    am_buf name = {0};
    am_buf_printf(&name, "anthropic:%s", id);
    if (!name.failed && *id) on_model(user, &(adam_model_entry){.name = name.data, .store = "anthropic"});
    am_buf_close(&name);
  }
  const char *last = am_json_bool(am_json_get(&list, "has_more"), false)
                         ? am_json_str(am_json_get(&list, "last_id"), NULL)
                         : NULL;
  am_mem_free(*after);
  *after = last && !status && strspn(last, "abcdefghijklmnopqrstuvwxyz0123456789-_.") == strlen(last)
               ? am_mem_dup(last, strlen(last))
               : NULL;
  am_arena_close(&arena);
  am_buf_close(&path);
  return status;
}

/* Only of a server that someone named: a vendor's own is not asked for all that it sells by a list of what is
 * here. */
static adam_status anthropic_list(void *context, const adam_model_options *options, adam_on_model on_model,
                                  void *user, adam_error *error) {
  (void)context;
  enum { MOST_PAGES = 20 };
  am_remote_server server = {0};
  char *after = NULL;
  adam_status status = am_remote_open(&vendor, options, &server, NULL);
  for (int page = 0; !status && server.is_named && page < MOST_PAGES && (page == 0 || after); page++)
    status = list_page(&server, &after, on_model, user);
  am_mem_free(after);
  am_remote_close(&server);
  return status == ADAM_NO_MEMORY ? am_fail_memory(error, "anthropic") : ADAM_OK; /* no server: no models */
}

static const adam_backend_ops ops = {
    .version = ADAM_BACKEND_VERSION,
    .struct_size = sizeof ops,
    .name = "anthropic",
    .description = "Anthropic's Messages API",
    .available = anthropic_available,
    .open = anthropic_open,
    .close = anthropic_close,
    .generate = am_anthropic_generate,
    .info = anthropic_info,
    .list = anthropic_list,
    .features = ADAM_FEATURE_SCHEMA | ADAM_FEATURE_SERVER | ADAM_FEATURE_TOOL_CHOICE | ADAM_FEATURE_NO_RAW |
                ADAM_FEATURE_NO_SEED,
};

const adam_backend_ops *am_backend_anthropic(void) { return &ops; }
