/* SPDX-License-Identifier: Apache-2.0 */
/* adam show: what a model is, from its headers alone. */
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "format.h"
#include "interrupt.h"
#include "output.h"
#include "progress.h"
#include "reply.h"
#include "report.h"

/* A digest that must be computed is, without being asked for, up to this size: a second of work. */
static const uint64_t DIGEST_UNASKED_BYTES = (uint64_t)1 << 30;

/* Every tensor into an array, the bytes of each type into an object. */
typedef struct tensors {
  json_t *list, *bytes_by_dtype;
} tensors;

static bool on_tensor(void *user, const adam_tensor_entry *entry) {
  tensors *all = user;
  json_t *shape = json_array();
  for (uint32_t i = 0; i < entry->n_dims; i++)
    json_array_append_new(shape, json_integer((json_int_t)entry->shape[i]));
  json_array_append_new(all->list,
                        json_pack("{s:o, s:s, s:o, s:I}", "name", am_reply_string(entry->name), "dtype",
                                  entry->dtype, "shape", shape, "bytes", (json_int_t)entry->n_bytes));
  json_int_t before = json_integer_value(json_object_get(all->bytes_by_dtype, entry->dtype));
  json_object_set_new(all->bytes_by_dtype, entry->dtype, json_integer(before + (json_int_t)entry->n_bytes));
  return false;
}

static json_t *features_json(const adam_model_info *info) {
  const adam_template_features *f = &info->template_features;
  return json_pack("{s:b, s:b, s:b, s:b, s:b}", "present", info->has_chat_template, "system", f->system,
                   "tools", f->tools, "thinking", f->thinking, "thinking_switch", f->thinking_switch);
}

static json_t *info_json(const adam_model_info *info) {
  json_t *object = json_object();
  const struct {
    const char *key, *text;
  } texts[] = {{"name", info->name},       {"path", info->path},
               {"backend", info->backend}, {"architecture", info->architecture},
               {"dtype", info->dtype},     {"tokenizer", info->tokenizer},
               {"license", info->license}};
  const struct {
    const char *key;
    int64_t number;
  } numbers[] = {{"n_parameters", (int64_t)info->n_parameters},
                 {"n_active_parameters", (int64_t)info->n_active_parameters},
                 {"weights_bytes", (int64_t)info->weights_bytes},
                 {"kv_bytes_per_token", (int64_t)info->kv_bytes_per_token},
                 {"n_layers", info->n_layers},
                 {"n_embd", info->n_embd},
                 {"n_vocab", info->n_vocab},
                 {"n_ctx_train", info->n_ctx_train},
                 {"n_ctx_extended", info->n_ctx_extended},
                 {"n_embedding", info->n_embedding}};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
    json_object_set_new(object, texts[i].key, am_reply_string(texts[i].text));
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
    json_object_set_new(object, numbers[i].key, json_integer(numbers[i].number));
  json_object_set_new(object, "is_embedding", json_boolean(info->is_embedding));
  json_object_set_new(object, "is_reranker", json_boolean(info->is_reranker));
  json_object_set_new(object, "has_chat_template", json_boolean(info->has_chat_template));
  json_object_set_new(object, "template", features_json(info));
  json_object_set_new(object, "end_ids", am_reply_ids(info->end_ids, info->n_end_ids));
  json_object_set_new(object, "generation_defaults", am_reply_sampling(&info->defaults));
  if (info->origin_json)
    json_object_set_new(object, "origin", json_loads(info->origin_json, JSON_DECODE_ANY, NULL));
  return object;
}

static void print_fact(const char *label, const char *text) {
  am_output_format("%-18s ", label);
  am_output_model_text(text, strlen(text));
  am_output_text("\n");
}

static void print_text(const json_t *object, const char *key, const char *label) {
  const char *text = json_string_value(json_object_get(object, key));
  if (text) print_fact(label, text);
}

static uint64_t number_of(const json_t *object, const char *key) {
  json_int_t number = json_integer_value(json_object_get(object, key));
  return number > 0 ? (uint64_t)number : 0;
}

static void print_size(const json_t *info) {
  char count[16], active[16], size[16], line[256];
  uint64_t all = number_of(info, "n_parameters"), used = number_of(info, "n_active_parameters");
  am_format_count(all, count);
  am_format_count(used, active);
  am_format_bytes(number_of(info, "weights_bytes"), size);
  snprintf(line, sizeof line, used && used < all ? "%s, %s of them for each token" : "%s", count, active);
  if (all) print_fact("parameters", line);
  if (!number_of(info, "weights_bytes")) return;
  size_t n = (size_t)snprintf(line, sizeof line, "%s", size);
  const char *dtype;
  json_t *bytes;
  void *by_dtype = json_object_get(info, "bytes_by_dtype");
  json_object_foreach(by_dtype, dtype, bytes) {
    am_format_bytes((uint64_t)json_integer_value(bytes), size);
    if (n < sizeof line) n += (size_t)snprintf(line + n, sizeof line - n, ", %s %s", dtype, size);
  }
  print_fact("weights", line);
}

static void print_context(const json_t *info) {
  char native[32], extended[32], line[128];
  uint64_t n = number_of(info, "n_ctx_train"), most = number_of(info, "n_ctx_extended");
  am_format_thousands(n, native);
  am_format_thousands(most, extended);
  snprintf(line, sizeof line, most > n ? "%s tokens, %s with --ctx" : "%s tokens", native, extended);
  if (n) print_fact("context", line);
  am_format_bytes(number_of(info, "kv_bytes_per_token"), extended);
  snprintf(line, sizeof line, "%s a token", extended);
  if (number_of(info, "kv_bytes_per_token")) print_fact("KV cache", line);
}

static void print_shape(const json_t *info) {
  static const struct {
    const char *key, *label;
  } rows[] = {{"n_layers", "layers"}, {"n_embd", "embedding length"}, {"n_vocab", "vocabulary"}};
  char text[32];
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    am_format_thousands(number_of(info, rows[i].key), text);
    if (number_of(info, rows[i].key)) print_fact(rows[i].label, text);
  }
}

/* What an encoder is for; true: it is one, so that nothing is to be said of a chat. */
static bool print_purpose(const json_t *info) {
  char text[64];
  bool embeds = json_is_true(json_object_get(info, "is_embedding"));
  bool reranks = json_is_true(json_object_get(info, "is_reranker"));
  snprintf(text, sizeof text, "embeddings of %llu dimensions: adam embed",
           (unsigned long long)number_of(info, "n_embedding"));
  if (reranks)
    print_fact("made for", "scoring pairs of texts: adam rerank");
  else if (embeds)
    print_fact("made for", text);
  return embeds || reranks;
}

static void print_template(const json_t *info) {
  const json_t *features = json_object_get(info, "template");
  char line[128] = "none: the model gets plain text";
  if (json_is_true(json_object_get(features, "present"))) {
    bool sys = json_is_true(json_object_get(features, "system")),
         tools = json_is_true(json_object_get(features, "tools")),
         think = json_is_true(json_object_get(features, "thinking")),
         sw = json_is_true(json_object_get(features, "thinking_switch"));
    snprintf(line, sizeof line, "messages%s%s%s", sys ? ", system" : "", tools ? ", tools" : "",
             sw      ? ", thinking (--think, --no-think)"
             : think ? ", thinking"
                     : "");
  }
  print_fact("chat template", line);
}

static void print_texts(const json_t *origin, const char *key, const char *label) {
  size_t i;
  json_t *text;
  json_array_foreach(json_object_get(origin, key), i, text) print_fact(label, json_string_value(text));
}

/* Where the model comes from: of the Hub's cache which commit, of the Ollama store which layers, and what came along. */
static void print_origin(const json_t *origin) {
  size_t i;
  json_t *layer, *value;
  const char *key;
  char size[16], line[512];
  print_text(origin, "store", "store");
  print_text(origin, "repository", "repository");
  print_text(origin, "commit", "commit");
  print_texts(origin, "revisions", "revision");
  print_texts(origin, "also", "also");
  print_text(origin, "manifest", "manifest");
  print_text(origin, "digest", "manifest digest");
  json_array_foreach(json_object_get(origin, "layers"), i, layer) {
    const char *kind = json_string_value(json_object_get(layer, "kind")),
               *digest = json_string_value(json_object_get(layer, "digest"));
    am_format_bytes(number_of(layer, "bytes"), size);
    snprintf(line, sizeof line, "%-10.40s %9s  %.80s", kind ? kind : "?", size, digest ? digest : "?");
    print_fact("layer", line);
  }
  print_text(origin, "template_used", "template used");
  print_text(origin, "system", "system");
  void *parameters = json_object_get(origin, "parameters");
  json_object_foreach(parameters, key, value) {
    char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(6));
    snprintf(line, sizeof line, "%.60s %.400s", key, text ? text : "?");
    print_fact("parameter", line);
    free(text);
  }
}

/* Facts that are known, one a line; the sampling values that come with the model below. */
static void print_info(const json_t *info) {
  print_text(info, "name", "name");
  print_text(info, "path", "path");
  print_text(info, "architecture", "architecture");
  print_size(info);
  print_context(info);
  print_shape(info);
  print_text(info, "tokenizer", "tokenizer");
  if (!print_purpose(info)) print_template(info);
  print_text(info, "license", "license");
  print_text(info, "digest", "digest");
  print_origin(json_object_get(info, "origin"));
  const char *key;
  json_t *value;
  json_t *defaults = json_object_get(info, "generation_defaults");
  if (json_object_size(defaults) > 0) am_output_text("sampling, where no option says otherwise:\n");
  json_object_foreach(defaults, key, value) {
    char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(6));
    if (text) am_output_format("  %-16s %s\n", key, text);
    free(text);
  }
}

static void print_tensors(const json_t *list) {
  size_t i;
  json_t *tensor;
  json_array_foreach(list, i, tensor) {
    char size[16], line[1024];
    char *shape = json_dumps(json_object_get(tensor, "shape"), JSON_COMPACT);
    am_format_bytes(number_of(tensor, "bytes"), size);
    int n = snprintf(line, sizeof line, "%-56s %-8s %-18s %9s\n",
                     json_string_value(json_object_get(tensor, "name")),
                     json_string_value(json_object_get(tensor, "dtype")), shape ? shape : "?", size);
    am_output_model_text(line, n < (int)sizeof line ? (size_t)n : sizeof line - 1);
    free(shape);
  }
}

static bool on_progress(void *user, uint64_t done, uint64_t total) {
  (void)user;
  (void)done;
  (void)total;
  return am_interrupt_pending();
}

/* The digest where it is known, wanted, or quick to compute. */
static adam_status add_digest(const am_arguments *arguments, adam_manager *manager, json_t *object,
                              adam_error *error) {
  bool wanted = arguments->is_set[AM_OPTION_DIGEST];
  bool known_only = !wanted && number_of(object, "weights_bytes") > DIGEST_UNASKED_BYTES;
  char digest[80] = "sha256:";
  am_progress progress;
  am_interrupt_begin();
  am_progress_begin(&progress, "digest");
  adam_status status = adam_manager_digest(manager, known_only, on_progress, NULL, digest + 7, error);
  am_progress_end(&progress);
  am_interrupt_end();
  if (status == ADAM_OK) json_object_set_new(object, "digest", json_string(digest));
  if (status != ADAM_OK) json_object_set_new(object, "digest", json_null());
  bool quiet = !wanted && (status == ADAM_NOT_FOUND || status == ADAM_UNSUPPORTED);
  return quiet ? ADAM_OK : status;
}

static adam_status describe(const am_arguments *arguments, adam_manager *manager, adam_error *error) {
  adam_model_info info = {.struct_size = sizeof info};
  tensors all = {.list = json_array(), .bytes_by_dtype = json_object()};
  adam_status status = adam_manager_info(manager, &info, error);
  json_t *object = status == ADAM_OK ? info_json(&info) : NULL;
  if (status == ADAM_OK) {
    status = adam_manager_tensors(manager, on_tensor, &all, error);
    if (status == ADAM_UNSUPPORTED && !arguments->is_set[AM_OPTION_TENSORS]) status = ADAM_OK;
  }
  if (status == ADAM_OK) {
    json_object_set(object, "bytes_by_dtype", all.bytes_by_dtype);
    if (arguments->is_set[AM_OPTION_TENSORS]) json_object_set(object, "tensors", all.list);
    status = add_digest(arguments, manager, object, error);
  }
  if (status == ADAM_OK && arguments->is_set[AM_OPTION_JSON]) {
    status = am_reply_print(json_incref(object), error);
  } else if (status == ADAM_OK) {
    print_info(object);
    if (arguments->is_set[AM_OPTION_TENSORS]) print_tensors(all.list);
  }
  json_decref(object);
  json_decref(all.list);
  json_decref(all.bytes_by_dtype);
  return status;
}

int am_show_command(const am_arguments *arguments) {
  bool named = arguments->is_set[AM_OPTION_MODEL] || arguments->is_set[AM_OPTION_SIZE];
  adam_manager *manager = NULL;
  adam_error error = {0};
  if (named && arguments->n_positional > 0)
    return am_exit_code(am_report_fill(&error, ADAM_INVALID, "adam show", "see: adam show --help",
                                       "the model is named twice"),
                        &error);
  const char *ref = named || !arguments->n_positional ? NULL : arguments->positional[0];
  adam_status status = am_open_model(arguments, ref, AM_OPEN_TO_DESCRIBE, &manager, &error);
  if (status == ADAM_OK) status = describe(arguments, manager, &error);
  adam_manager_close(&manager);
  return am_exit_code(status, &error);
}
