/* SPDX-License-Identifier: Apache-2.0 */
/* The models that a server has: listing, pulling, removing, unloading, copying. */
#include "backend/ollama/ollama.h"

#include "base/mem.h"
#include <string.h>

/* YYYY-MM-DDTHH:MM:SS[.f](Z|+hh:mm) as seconds since 1970; 0 = no such text. */
static int64_t unix_time(const char *text) {
  int field[6], at[6] = {0, 5, 8, 11, 14, 17};
  if (strlen(text) < 20) return 0;
  for (int i = 0; i < 6; i++) {
    field[i] = 0;
    for (int k = 0; k < (i ? 2 : 4); k++) {
      char c = text[at[i] + k];
      if (c < '0' || c > '9') return 0;
      field[i] = field[i] * 10 + (c - '0');
    }
  }
  /* Days from civil, after Howard Hinnant's "chrono-compatible low-level date algorithms". */
  int64_t y = field[0] - (field[1] <= 2), era = y / 400, yoe = y - era * 400;
  int64_t doy = (153 * (field[1] + (field[1] > 2 ? -3 : 9)) + 2) / 5 + field[2] - 1;
  int64_t days = era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
  int64_t seconds = days * 86400 + field[3] * 3600 + field[4] * 60 + field[5];
  const char *zone = text + 19;
  if (*zone == '.') zone += 1 + strspn(zone + 1, "0123456789");
  if ((*zone == '+' || *zone == '-') && strlen(zone) >= 6 && zone[3] == ':') {
    int64_t shift = ((zone[1] - '0') * 10 + (zone[2] - '0')) * 3600 + ((zone[4] - '0') * 10 + (zone[5] - '0')) * 60;
    seconds += *zone == '+' ? -shift : shift;
  }
  return seconds;
}

/* "Q4_K_M" as adam spells types. */
static void lower(const char *text, char *out, size_t capacity) {
  size_t n = strnlen(text, capacity - 1);
  for (size_t i = 0; i < n; i++) out[i] = (char)(text[i] >= 'A' && text[i] <= 'Z' ? text[i] - 'A' + 'a' : text[i]);
  out[n] = 0;
}

adam_status am_ollama_list(void *context, const adam_model_options *options, adam_on_model on_model, void *user,
                           adam_error *error) {
  (void)context;
  am_ollama_client client = {0};
  am_arena arena = {0};
  am_json answer = {0};
  adam_status status = am_ollama_client_open(options, &client, error);
  if (status) return status;
  client.start_server = false;
  status = am_ollama_call(&client, "GET", "/api/tags", NULL, NULL, &arena, &answer, NULL);
  const am_json *models = status ? NULL : am_json_get(&answer, "models");
  for (size_t i = 0; models && models->type == AM_JSON_ARRAY && i < models->n; i++) {
    const am_json *model = am_json_at(models, i);
    const char *plain = am_json_str(am_json_get(model, "name"), NULL);
    am_buf name = {0};
    if (!plain) continue;
    am_buf_printf(&name, "ollama:%s", plain);
    char quantization[32];
    lower(am_json_str(am_json_path(model, "details.quantization_level"), ""), quantization, sizeof quantization);
    adam_model_entry entry = {.name = name.data,
                              .bytes = (uint64_t)am_json_int(am_json_get(model, "size"), 0),
                              .quantization = *quantization && strcmp(quantization, "unknown") ? quantization : NULL,
                              .store = "ollama",
                              .reachable = "ollama",
                              .last_used_unix_s = unix_time(am_json_str(am_json_get(model, "modified_at"), ""))};
    if (!name.failed) on_model(user, &entry);
    am_buf_close(&name);
  }
  am_arena_close(&arena);
  am_ollama_client_close(&client);
  return status == ADAM_NO_MEMORY ? am_fail_memory(error, "ollama") : ADAM_OK; /* no server: no models */
}

typedef struct pulling {
  adam_on_backend_step on_step;
  void *user;
  char text[96], item[160];
  adam_backend_step last;
} pulling;

static void keep(char *to, size_t capacity, const char *from) {
  size_t n = strnlen(from, capacity - 1);
  memcpy(to, from, n);
  to[n] = 0;
}

static adam_status on_pulled(void *user, const am_json *object, bool *done, bool *cancel, adam_error *error) {
  (void)error;
  pulling *p = user;
  keep(p->text, sizeof p->text, am_json_str(am_json_get(object, "status"), ""));
  keep(p->item, sizeof p->item, am_json_str(am_json_get(object, "digest"), ""));
  int64_t total = am_json_int(am_json_get(object, "total"), 0), have = am_json_int(am_json_get(object, "completed"), 0);
  p->last = (adam_backend_step){p->text, *p->item ? p->item : NULL, have > 0 ? (uint64_t)have : 0, total > 0 ? (uint64_t)total : 0};
  *done = !strcmp(p->text, "success");
  *cancel = p->on_step && p->on_step(p->user, &p->last) && !*done;
  return ADAM_OK;
}

static bool on_idle(void *user) {
  pulling *p = user;
  return p->on_step && p->last.text && p->on_step(p->user, &p->last);
}

static adam_status check_name(const char *model, adam_error *error) {
  return *model ? ADAM_OK : am_fail(error, ADAM_INVALID, "model", "for example llama3.2", "the name is empty");
}

/* A client whose server is there. */
static adam_status reach(const adam_model_options *options, const char *model, am_ollama_client *client,
                         adam_error *error) {
  adam_status status = check_name(model, error);
  if (!status) status = am_ollama_client_open(options, client, error);
  if (!status && (status = am_ollama_reach(client, error))) am_ollama_client_close(client);
  return status;
}

adam_status am_ollama_pull(void *context, const char *model, const adam_model_options *options,
                           adam_on_backend_step on_step, void *user, adam_error *error) {
  (void)context;
  am_ollama_client client = {0};
  pulling p = {.on_step = on_step, .user = user};
  const am_ollama_stream stream = {on_pulled, on_idle, &p};
  am_buf body = {0};
  adam_status status = reach(options, model, &client, error);
  if (status) return status;
  am_buf_append_str(&body, "{\"model\":");
  am_json_write_string(&body, model, strlen(model));
  am_buf_append_str(&body, ",\"stream\":true}");
  status = am_ollama_stream_call(&client, "/api/pull", &body, model, &stream, error);
  /* The registry's own answer, in Ollama's words. */
  if (status == ADAM_FAILED && error && strstr(error->why, "file does not exist")) {
    status = ADAM_NOT_FOUND;
    am_fail(error, status, model, "the library is at https://ollama.com/library", "Ollama's registry has no such model");
  }
  am_buf_close(&body);
  am_ollama_client_close(&client);
  return status;
}

static adam_status simple(const char *method, const char *path, const char *model, const char *rest,
                          const adam_model_options *options, adam_error *error) {
  am_ollama_client client = {0};
  am_buf body = {0};
  adam_status status = reach(options, model, &client, error);
  if (status) return status;
  am_buf_append_str(&body, "{\"model\":");
  am_json_write_string(&body, model, strlen(model));
  am_buf_append_str(&body, rest);
  status = am_ollama_call(&client, method, path, &body, model, NULL, NULL, error);
  am_buf_close(&body);
  am_ollama_client_close(&client);
  return status;
}

adam_status am_ollama_remove(void *context, const char *model, const adam_model_options *options, adam_error *error) {
  (void)context;
  return simple("DELETE", "/api/delete", model, "}", options, error);
}

adam_status am_ollama_unload(void *context, const char *model, const adam_model_options *options, adam_error *error) {
  (void)context;
  return simple("POST", "/api/generate", model, ",\"keep_alive\":0,\"stream\":false}", options, error);
}

adam_status am_ollama_copy(void *context, const char *from, const char *to, const adam_model_options *options,
                           adam_error *error) {
  (void)context;
  am_ollama_client client = {0};
  am_buf body = {0};
  adam_status status = check_name(to, error);
  if (!status) status = reach(options, from, &client, error);
  if (status) return status;
  am_buf_append_str(&body, "{\"source\":");
  am_json_write_string(&body, from, strlen(from));
  am_buf_append_str(&body, ",\"destination\":");
  am_json_write_string(&body, to, strlen(to));
  am_buf_append_char(&body, '}');
  status = am_ollama_call(&client, "POST", "/api/copy", &body, from, NULL, NULL, error);
  am_buf_close(&body);
  am_ollama_client_close(&client);
  return status;
}
