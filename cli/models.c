/* SPDX-License-Identifier: Apache-2.0 */
/* adam list, adam backends, adam version. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "commands.h"
#include "format.h"
#include "output.h"
#include "reply.h"
#include "report.h"

static json_t *time_json(int64_t unix_s) {
  char text[32];
  time_t when = (time_t)unix_s;
  struct tm utc;
  if (unix_s == 0 || !gmtime_r(&when, &utc)) return json_null();
  strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
  return json_string(text);
}

/* The entry of the same name and path that is in the list already: the model is in several stores. */
static json_t *find_entry(json_t *models, const adam_model_entry *entry) {
  size_t i;
  json_t *known;
  json_array_foreach(models, i, known) {
    const char *name = json_string_value(json_object_get(known, "name"));
    const char *path = json_string_value(json_object_get(known, "path"));
    if (name && strcmp(name, entry->name) == 0 &&
        strcmp(path ? path : "", entry->path ? entry->path : "") == 0)
      return known;
  }
  return NULL;
}

static void on_model(void *user, const adam_model_entry *entry) {
  json_t *models = user, *known = find_entry(models, entry);
  if (!known) {
    known = json_pack("{s:o, s:o, s:I, s:o, s:[], s:o, s:o}", "name", am_reply_string(entry->name), "path",
                      am_reply_string(entry->path), "bytes", (json_int_t)entry->bytes, "quantization",
                      am_reply_string(entry->quantization), "stores", "last_used",
                      time_json(entry->last_used_unix_s), "reachable", am_reply_string(entry->reachable));
    json_array_append_new(models, known);
  }
  if (entry->store) json_array_append_new(json_object_get(known, "stores"), am_reply_string(entry->store));
}

static const char *text_of(const json_t *object, const char *key, const char *otherwise) {
  const char *text = json_string_value(json_object_get(object, key));
  return text ? text : otherwise;
}

/* "huggingface,ollama" */
static void join_stores(const json_t *stores, char *out, size_t capacity) {
  size_t i, n = 0;
  json_t *store;
  *out = 0;
  json_array_foreach(stores, i, store) {
    int added = snprintf(out + n, capacity - n, "%s%s", i > 0 ? "," : "", json_string_value(store));
    if (added < 0 || (size_t)added >= capacity - n) return;
    n += (size_t)added;
  }
}

static void print_models(const json_t *models) {
  size_t i;
  json_t *model;
  am_output_format("%-40s %9s  %-8s  %-18s %-8s %s\n", "NAME", "SIZE", "TYPE", "STORE", "RUNS ON", "LAST USED");
  json_array_foreach(models, i, model) {
    char size[16];
    am_format_bytes((uint64_t)json_integer_value(json_object_get(model, "bytes")), size);
    char line[1024], stores[64];
    join_stores(json_object_get(model, "stores"), stores, sizeof stores);
    int n =
        snprintf(line, sizeof line, "%-40s %9s  %-8s  %-18s %-8s %.10s\n", text_of(model, "name", "?"), size,
                 text_of(model, "quantization", "?"), *stores ? stores : "?", text_of(model, "reachable", "?"),
                 text_of(model, "last_used", "-"));
    am_output_model_text(line, n < (int)sizeof line ? (size_t)n : sizeof line - 1);
  }
}

int am_list_command(const am_arguments *arguments) {
  adam_model_options options = {.struct_size = sizeof options,
                                .cache_dir = arguments->text[AM_OPTION_CACHE_DIR],
                                .ollama_host = arguments->text[AM_OPTION_OLLAMA_HOST]};
  adam_error error = {0};
  json_t *models = json_array();
  if (!models) return am_exit_code(am_report_no_memory(&error), &error);
  adam_status status = adam_models_list(&options, on_model, models, &error);
  if (status == ADAM_OK && arguments->is_set[AM_OPTION_JSON])
    status = am_reply_print(json_pack("{s:O}", "models", models), &error);
  else if (status == ADAM_OK)
    print_models(models);
  json_decref(models);
  return am_exit_code(status, &error);
}

int am_backends_command(const am_arguments *arguments) {
  const adam_backend_ops *ops = NULL;
  adam_error error = {0};
  json_t *list = json_array();
  bool json = arguments->is_set[AM_OPTION_JSON];
  for (size_t i = 0; (ops = adam_backend_at(i)); i++) {
    adam_error reason = {0};
    bool available = !ops->available || ops->available(ops->context, &reason) == ADAM_OK;
    if (!json)
      am_output_format("%-14s %-12s %s%s%s\n", ops->name, available ? "available" : "unavailable",
                       ops->description ? ops->description : "", available ? "" : ": ", reason.why);
    json_array_append_new(list,
                          json_pack("{s:o, s:o, s:b, s:o}", "name", am_reply_string(ops->name), "description",
                                    am_reply_string(ops->description), "available", available, "reason",
                                    available ? json_null() : am_reply_string(reason.why)));
  }
  adam_status status = ADAM_OK;
  if (json)
    status = am_reply_print(json_pack("{s:o}", "backends", list), &error);
  else
    json_decref(list);
  return am_exit_code(status, &error);
}

int am_version_command(const am_arguments *arguments) {
  adam_error error = {0};
  if (arguments->is_set[AM_OPTION_JSON])
    return am_exit_code(
        am_reply_print(json_pack("{s:s, s:s, s:o, s:i}", "version", adam_version(), "tier", adam_cpu_tier(),
                                 "cpu", am_reply_string(adam_cpu_name()), "n_cpus", adam_cpu_count()),
                       &error),
        &error);
  am_output_format("adam %s\n%s, %d processors, tier %s\n", adam_version(), adam_cpu_name(), adam_cpu_count(),
                   adam_cpu_tier());
  return 0;
}
