/* SPDX-License-Identifier: Apache-2.0 */
/* adam list, adam show, adam backends, adam version. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "commands.h"
#include "output.h"
#include "reply.h"
#include "report.h"

/* A size for people: "98 MB", decimal units. */
static void format_bytes(uint64_t bytes, char out[16]) {
  static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
  double value = (double)bytes;
  size_t unit = 0;
  while (value >= 999.5 && unit < 4) {
    value /= 1000;
    unit++;
  }
  snprintf(out, 16, unit && value < 9.95 ? "%.1f %s" : "%.0f %s", value, units[unit]);
}

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
    known = json_pack("{s:o, s:o, s:I, s:o, s:[], s:o}", "name", am_reply_string(entry->name), "path",
                      am_reply_string(entry->path), "bytes", (json_int_t)entry->bytes, "quantization",
                      am_reply_string(entry->quantization), "stores", "last_used",
                      time_json(entry->last_used_unix_s));
    json_array_append_new(models, known);
  }
  if (entry->store) json_array_append_new(json_object_get(known, "stores"), am_reply_string(entry->store));
}

static const char *text_of(const json_t *object, const char *key, const char *otherwise) {
  const char *text = json_string_value(json_object_get(object, key));
  return text ? text : otherwise;
}

static void print_models(const json_t *models) {
  size_t i;
  json_t *model;
  am_output_format("%-40s %9s  %-8s  %-12s %s\n", "NAME", "SIZE", "TYPE", "STORE", "LAST USED");
  json_array_foreach(models, i, model) {
    char size[16];
    format_bytes((uint64_t)json_integer_value(json_object_get(model, "bytes")), size);
    const char *store = json_string_value(json_array_get(json_object_get(model, "stores"), 0));
    char line[1024];
    int n =
        snprintf(line, sizeof line, "%-40s %9s  %-8s  %-12s %.10s\n", text_of(model, "name", "?"), size,
                 text_of(model, "quantization", "?"), store ? store : "?", text_of(model, "last_used", "-"));
    am_output_model_text(line, n < (int)sizeof line ? (size_t)n : sizeof line - 1);
  }
}

int am_list_command(const am_arguments *arguments) {
  adam_model_options options = {.struct_size = sizeof options,
                                .cache_dir = arguments->text[AM_OPTION_CACHE_DIR]};
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

static json_t *info_json(const adam_model_info *info) {
  json_t *object = json_object();
  const struct {
    const char *key, *text;
  } texts[] = {{"name", info->name},
               {"path", info->path},
               {"backend", info->backend},
               {"device", info->device},
               {"architecture", info->architecture},
               {"dtype", info->dtype},
               {"tokenizer", info->tokenizer}};
  const struct {
    const char *key;
    int64_t number;
  } numbers[] = {{"n_parameters", (int64_t)info->n_parameters},
                 {"weights_bytes", (int64_t)info->weights_bytes},
                 {"kv_bytes_per_token", (int64_t)info->kv_bytes_per_token},
                 {"n_layers", info->n_layers},
                 {"n_embd", info->n_embd},
                 {"n_vocab", info->n_vocab},
                 {"n_ctx_train", info->n_ctx_train},
                 {"n_ctx", info->n_ctx}};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
    json_object_set_new(object, texts[i].key, am_reply_string(texts[i].text));
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
    json_object_set_new(object, numbers[i].key, json_integer(numbers[i].number));
  json_object_set_new(object, "has_chat_template", json_boolean(info->has_chat_template));
  json_object_set_new(object, "end_ids", am_reply_ids(info->end_ids, info->n_end_ids));
  json_object_set_new(object, "generation_defaults", am_reply_sampling(&info->defaults));
  json_object_set_new(object, "load_ms", am_reply_number(info->load_ms));
  return object;
}

static void print_fact(const char *label, const json_t *value) {
  char *text = json_is_string(value) ? NULL : json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(6));
  const char *shown = text ? text : json_string_value(value);
  am_output_format("%-20s ", label);
  if (shown) am_output_model_text(shown, strlen(shown));
  am_output_text("\n");
  free(text);
}

/* Facts that are known, one a line; the sampling values that come with the model below. */
static void print_info(const json_t *info) {
  const char *key;
  json_t *value;
  void *object = (void *)(uintptr_t)info;
  json_object_foreach(object, key, value) {
    bool unknown = json_is_null(value) || (json_is_integer(value) && json_integer_value(value) == 0);
    if (!unknown && !json_is_object(value)) print_fact(key, value);
    if (json_is_integer(value) && strstr(key, "weights_bytes") && !unknown) {
      char size[16];
      format_bytes((uint64_t)json_integer_value(value), size);
      am_output_format("%-20s %s\n", "size", size);
    }
  }
  json_t *defaults = json_object_get(info, "generation_defaults");
  if (json_object_size(defaults) == 0) return;
  am_output_text("generation_config.json, used where no option says otherwise:\n");
  json_object_foreach(defaults, key, value) print_fact(key, value);
}

int am_show_command(const am_arguments *arguments) {
  bool named = arguments->is_set[AM_OPTION_MODEL] || arguments->is_set[AM_OPTION_SIZE];
  adam_model_info info = {.struct_size = sizeof info};
  adam_manager *manager = NULL;
  adam_error error = {0};
  if (named && arguments->n_positional > 0)
    return am_exit_code(am_report_fill(&error, ADAM_INVALID, "adam show", "see: adam show --help",
                                       "the model is named twice"),
                        &error);
  adam_status status =
      am_open_model(arguments, named || !arguments->n_positional ? NULL : arguments->positional[0], false,
                    &manager, &error);
  if (status == ADAM_OK) status = adam_manager_info(manager, &info, &error);
  if (status == ADAM_OK) {
    json_t *object = info_json(&info);
    if (arguments->is_set[AM_OPTION_JSON]) {
      status = am_reply_print(object, &error);
    } else {
      print_info(object);
      json_decref(object);
    }
  }
  adam_manager_close(&manager);
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
