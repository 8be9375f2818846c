/* SPDX-License-Identifier: Apache-2.0 */
#include "store/store.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "os/clock.h"
#include "os/file.h"
#include "store/state.h"

enum { LAYER_LIMIT = 100000, TEXT_LIMIT = 4 << 20, CONFIG_LIMIT = 8 << 20, LICENSE_LIMIT = 64 };
static const size_t arena_limit = (size_t)512 << 20;
static const char media_prefix[] = "application/vnd.ollama.image.";

/* Ollama writes manifests in place, so a reader may see the beginning of one: it is read again. */
adam_status am_store_manifest_read(const char *path, am_buf *text, am_arena *arena, am_json *out, adam_error *error) {
  adam_status status = ADAM_OK;
  for (int attempt = 0; attempt < 3; attempt++) {
    am_file_stamp stamp;
    status = am_file_read(path, AM_STORE_MANIFEST_LIMIT, text, error);
    if (status == ADAM_LIMIT)
      return am_fail(error, ADAM_DAMAGED, path, NULL, "more than the %d bytes a manifest may have",
                     AM_STORE_MANIFEST_LIMIT);
    if (status) return status;
    status = am_json_parse(text->data, text->len, path, 0, arena, out, error);
    if (!status && out->type != AM_JSON_OBJECT)
      status = am_fail(error, ADAM_DAMAGED, path, NULL, "a manifest is a JSON object");
    if (status == ADAM_LIMIT) status = ADAM_DAMAGED;
    if (status != ADAM_DAMAGED) return status;
    bool is_fresh = am_file_stamp_get(path, &stamp) &&
                    (int64_t)(stamp.mtime_ns / 1000000000u) >= am_clock_unix_s() - 2;
    if (!is_fresh) break;
    am_clock_sleep_ms(20);
  }
  if (error) error->status = status;
  return status;
}

static const char *dup_in(am_store_model *model, const char *text) {
  return text ? am_arena_dup(&model->arena, text, strlen(text)) : NULL;
}

/* The first thing that is wrong stays. */
static adam_error *problem_of(am_store_model *model, adam_error *spare) {
  return model->problem.status ? spare : &model->problem;
}

/* Path of a blob by its digest alone; the form sha256:HEX is that of older versions. */
static adam_status find_blob(const am_store *store, am_store_model *model, am_store_layer *layer, adam_error *error) {
  struct stat facts;
  char *path = am_store_blob_path(store, layer->digest);
  bool found = path && stat(path, &facts) == 0;
  int number = errno;
  layer->path = dup_in(model, path);
  am_mem_free(path);
  if (!layer->path) return am_fail_memory(error, "manifest");
  adam_error spare;
  adam_error *problem = problem_of(model, &spare);
  if (!found && number == EACCES) {
    am_fail(problem, ADAM_UNAVAILABLE, layer->path, "join the group of the service, or ask its server",
            "this user may not read it");
  } else if (!found) {
    am_fail(problem, ADAM_DAMAGED, layer->path, "pull or create the model again", "the blob is missing");
  } else if (!S_ISREG(facts.st_mode)) {
    am_fail(problem, ADAM_DAMAGED, layer->path, NULL, "no regular file");
  } else if ((uint64_t)facts.st_size != layer->bytes) {
    am_fail(problem, ADAM_DAMAGED, layer->path, "pull or create the model again",
            "the file has %llu bytes, the manifest says %llu", (unsigned long long)facts.st_size,
            (unsigned long long)layer->bytes);
  } else {
    return ADAM_OK;
  }
  layer->is_missing = true;
  return ADAM_OK;
}

static adam_status read_layer(const am_store *store, am_store_model *model, const am_json *json, am_store_layer *out,
                              adam_error *error) {
  const char *media = am_json_str(am_json_get(json, "mediaType"), "");
  const char *digest = am_json_str(am_json_get(json, "digest"), "");
  const am_json *size = am_json_get(json, "size");
  size_t n = sizeof media_prefix - 1;
  am_store_layer layer = {.kind = dup_in(model, strncmp(media, media_prefix, n) ? media : media + n)};
  if (!layer.kind) return am_fail_memory(error, "manifest");
  if (!am_store_digest_parse(digest, layer.digest))
    return am_fail(error, ADAM_DAMAGED, model->manifest_path, NULL,
                   "a layer's digest is no sha256: followed by 64 hexadecimal digits: '%.80s'", digest);
  if (!size || size->type != AM_JSON_INT || size->as.integer < 0 || size->as.integer > (int64_t)1 << 50)
    return am_fail(error, ADAM_DAMAGED, model->manifest_path, NULL, "the size of layer %s is no number of bytes",
                   digest);
  layer.bytes = (uint64_t)size->as.integer;
  const char *name = am_json_str(am_json_get(json, "name"), NULL), *from = am_json_str(am_json_get(json, "from"), NULL);
  layer.name = dup_in(model, name);
  layer.from = dup_in(model, from);
  if ((name && !layer.name) || (from && !layer.from)) return am_fail_memory(error, "manifest");
  model->bytes += layer.bytes;
  *out = layer;
  return find_blob(store, model, out, error);
}

/* The text of a small blob, in the model's arena; *out stays NULL where it cannot be had. */
static adam_status read_text(am_store_model *model, const am_store_layer *layer, size_t limit_bytes, const char **out,
                             size_t *n_bytes, adam_error *error) {
  if (layer->is_missing) return ADAM_OK;
  adam_error why = {0}, spare;
  am_buf text = {0};
  adam_status status = am_file_read(layer->path, limit_bytes, &text, &why);
  if (status == ADAM_NO_MEMORY) {
    am_buf_close(&text);
    return am_fail_memory(error, layer->path);
  }
  if (!status && (!am_utf8_valid(text.data, text.len) || strlen(text.data) != text.len))
    status = am_fail(&why, ADAM_DAMAGED, layer->path, NULL, "the %s is no UTF-8 text", layer->kind);
  if (status == ADAM_LIMIT) why.status = ADAM_DAMAGED;
  if (status == ADAM_IO && access(layer->path, R_OK) != 0 && errno == EACCES) why.status = ADAM_UNAVAILABLE;
  if (status) {
    *problem_of(model, &spare) = why;
  } else {
    *out = am_arena_dup(&model->arena, text.data, text.len);
    *n_bytes = text.len;
    if (!*out) status = am_fail_memory(error, layer->path);
  }
  am_buf_close(&text);
  return status == ADAM_NO_MEMORY ? status : ADAM_OK;
}

/* Reads a blob as JSON of the wanted type; *out stays NULL where that cannot be had. */
static adam_status read_json(am_store_model *model, const am_store_layer *layer, size_t limit_bytes, am_json_type type,
                             const am_json **out, adam_error *error) {
  const char *text = NULL;
  size_t n_bytes = 0;
  adam_error why = {0}, spare;
  adam_status status = read_text(model, layer, limit_bytes, &text, &n_bytes, error);
  if (status || !text) return status;
  am_json *json = am_arena_zalloc(&model->arena, 1, sizeof *json);
  if (!json) return am_fail_memory(error, layer->path);
  status = am_json_parse(text, n_bytes, layer->path, 0, &model->arena, json, &why);
  if (!status && json->type != type && json->type != AM_JSON_NULL)
    status = am_fail(&why, ADAM_DAMAGED, layer->path, NULL, "the %s is no JSON %s", layer->kind,
                     type == AM_JSON_OBJECT ? "object" : "array");
  if (status == ADAM_NO_MEMORY) return am_fail_memory(error, layer->path);
  why.status = ADAM_DAMAGED;
  if (status) *problem_of(model, &spare) = why;
  else if (json->type == type) *out = json;
  return ADAM_OK;
}

/* Ollama decodes them into structs: a role and a content are text, or the model does not open. */
static adam_status read_messages(am_store_model *model, const am_store_layer *layer, adam_error *error) {
  adam_error spare;
  const am_json *list = NULL;
  adam_status status = read_json(model, layer, TEXT_LIMIT, AM_JSON_ARRAY, &list, error);
  for (uint32_t i = 0; list && i < list->n; i++) {
    const am_json *message = am_json_at(list, i), *content = am_json_get(message, "content");
    if (am_json_str(am_json_get(message, "role"), NULL) && (!content || content->type == AM_JSON_STRING)) continue;
    am_fail(problem_of(model, &spare), ADAM_DAMAGED, layer->path, NULL, "message %u has no role, or a content that is no text", i);
    return status;
  }
  model->messages = list;
  return status;
}

static adam_status read_license(am_store_model *model, const am_store_layer *layer, const char **licenses,
                                adam_error *error) {
  size_t n_bytes;
  const char *text = NULL;
  if (model->n_licenses >= LICENSE_LIMIT) return ADAM_OK;
  adam_status status = read_text(model, layer, TEXT_LIMIT, &text, &n_bytes, error);
  if (text) licenses[model->n_licenses++] = text;
  return status;
}

/* As Ollama: of several layers of one kind the last one counts; licenses add up. */
static adam_status use_layer(am_store_model *model, const am_store_layer *layer, const char **licenses,
                             adam_error *error) {
  size_t n_bytes;
  const char *kind = layer->kind;
  if (!strcmp(kind, "model")) model->weights = layer;
  else if (!strcmp(kind, "projector")) model->projector = layer;
  else if (!strcmp(kind, "adapter")) model->adapter = layer;
  else if (!strcmp(kind, "draft")) model->draft = layer;
  else if (!strcmp(kind, "template") || !strcmp(kind, "prompt"))
    return read_text(model, layer, TEXT_LIMIT, &model->template_text, &n_bytes, error);
  else if (!strcmp(kind, "system")) return read_text(model, layer, TEXT_LIMIT, &model->system, &n_bytes, error);
  else if (!strcmp(kind, "params"))
    return read_json(model, layer, TEXT_LIMIT, AM_JSON_OBJECT, &model->params, error);
  else if (!strcmp(kind, "messages"))
    return read_messages(model, layer, error);
  else if (!strcmp(kind, "license")) return read_license(model, layer, licenses, error);
  return ADAM_OK;
}

static adam_status read_layers(const am_store *store, am_store_model *model, const am_json *list, adam_error *error) {
  if (list && list->type != AM_JSON_ARRAY && list->type != AM_JSON_NULL)
    return am_fail(error, ADAM_DAMAGED, model->manifest_path, NULL, "layers is no array");
  size_t n = list && list->type == AM_JSON_ARRAY ? list->n : 0;
  if (n > LAYER_LIMIT)
    return am_fail(error, ADAM_DAMAGED, model->manifest_path, NULL, "%zu layers, %d may be there", n, LAYER_LIMIT);
  am_store_layer *layers = am_arena_zalloc(&model->arena, n ? n : 1, sizeof *layers);
  const char **licenses = am_arena_zalloc(&model->arena, LICENSE_LIMIT, sizeof *licenses);
  if (!layers || !licenses) return am_fail_memory(error, "manifest");
  model->layers = layers;
  model->licenses = licenses;
  adam_status status = ADAM_OK;
  for (size_t i = 0; i < n && !status; i++) {
    status = read_layer(store, model, &list->as.items[i], &layers[i], error);
    if (!status) model->n_layers++;
    if (!status) status = use_layer(model, &layers[i], licenses, error);
  }
  return status;
}

static adam_status read_config(const am_store *store, am_store_model *model, const am_json *json, adam_error *error) {
  const am_json *config = NULL;
  adam_status status = read_layer(store, model, json, &model->config, error);
  if (!status) status = read_json(model, &model->config, CONFIG_LIMIT, AM_JSON_OBJECT, &config, error);
  if (status || !config) return status;
  model->config_json = *config;
  model->format = am_json_str(am_json_get(config, "model_format"), NULL);
  model->family = am_json_str(am_json_get(config, "model_family"), NULL);
  model->size_text = am_json_str(am_json_get(config, "model_type"), NULL);
  model->quantization = am_json_str(am_json_get(config, "file_type"), NULL);
  model->renderer = am_json_str(am_json_get(config, "renderer"), NULL);
  model->parser = am_json_str(am_json_get(config, "parser"), NULL);
  model->requires_version = am_json_str(am_json_get(config, "requires"), NULL);
  model->remote_host = am_json_str(am_json_get(config, "remote_host"), NULL);
  return ADAM_OK;
}

adam_status am_store_model_open(am_store *store, const am_store_name *name, am_store_model **out, adam_error *error) {
  char *path = NULL;
  am_buf text = {0};
  am_json json;
  am_file_stamp stamp = {0};
  am_store_model *model = am_mem_zalloc(1, sizeof *model);
  if (!model) return am_fail_memory(error, name->model);
  model->arena.limit_bytes = arena_limit;
  adam_status status = am_store_locate(store, name, &model->name, &path, error);
  if (!status) status = am_store_manifest_read(path, &text, &model->arena, &json, error);
  if (!status) {
    model->manifest_path = dup_in(model, path);
    (void)am_file_stamp_get(path, &stamp);
    model->modified_unix_s = (int64_t)(stamp.mtime_ns / 1000000000u);
    if (!model->manifest_path || !am_sha256_hex(text.data, text.len, model->digest))
      status = am_fail_memory(error, path);
  }
  if (!status) status = read_config(store, model, am_json_get(&json, "config"), error);
  if (!status) status = read_layers(store, model, am_json_get(&json, "layers"), error);
  am_buf_close(&text);
  am_mem_free(path);
  if (status) am_store_model_close(&model);
  else *out = model;
  return status;
}

void am_store_model_close(am_store_model **pointer) {
  am_store_model *model = *pointer;
  *pointer = NULL;
  if (!model) return;
  am_arena_close(&model->arena);
  am_mem_free(model);
}

adam_status am_store_model_check(const am_store_model *model, adam_error *error) {
  char name[AM_STORE_NAME_BYTES];
  am_store_name_print(&model->name, name);
  if (model->remote_host && *model->remote_host)
    return am_fail(error, ADAM_UNSUPPORTED, name, "use a model that is on this machine",
                   "a cloud model: its answers come from %s", model->remote_host);
  if (model->problem.status) {
    if (error) *error = model->problem;
    return model->problem.status;
  }
  if (model->format && !strcmp(model->format, "safetensors"))
    return am_fail(error, ADAM_UNSUPPORTED, name, "take the model's safetensors or GGUF from the Hub",
                   "kept as single tensors (safetensors layers), which only Ollama's MLX runner reads");
  if (model->adapter)
    return am_fail(error, ADAM_UNSUPPORTED, name, "run it on Ollama's server: --backend ollama",
                   "it has a LoRA adapter layer, and adapters are not supported");
  if (!model->weights)
    return am_fail(error, ADAM_UNSUPPORTED, name, NULL, "its manifest has no layer with a model%s",
                   model->projector ? ", only a projector for images" : "");
  if (model->format && *model->format && strcmp(model->format, "gguf") != 0)
    return am_fail(error, ADAM_UNSUPPORTED, name, NULL, "models of the format %s are not supported", model->format);
  if (access(model->weights->path, R_OK) != 0)
    return am_fail(error, errno == EACCES ? ADAM_UNAVAILABLE : ADAM_DAMAGED, model->weights->path,
                   "join the group of the service, or ask its server", "the blob cannot be read");
  return ADAM_OK;
}

adam_status am_store_find(const am_store_name *name, am_store_model **out, char **root, adam_error *error) {
  char *roots[AM_STORE_ROOTS], shown[AM_STORE_NAME_BYTES];
  size_t n = am_store_roots(roots);
  am_store_name_print(name, shown);
  adam_error hidden = {0}, why = {0};
  adam_status status = ADAM_NOT_FOUND;
  am_buf looked = {0};
  if (n == 0) return am_fail_memory(error, shown);
  for (size_t i = 0; i < n && status == ADAM_NOT_FOUND; i++) {
    am_store *store = NULL;
    status = am_store_open(roots[i], false, &store, &why);
    if (status == ADAM_UNAVAILABLE) hidden = why, status = ADAM_NOT_FOUND;
    else if (!status) status = am_store_model_open(store, name, out, &why);
    am_store_close(&store);
    am_buf_printf(&looked, "%s%s", i > 0 ? ", " : "", roots[i]);
    if (!status && root) {
      *root = roots[i];
      roots[i] = NULL;
    }
  }
  if (status == ADAM_NOT_FOUND && hidden.status) {
    status = hidden.status;
    if (error) *error = hidden;
  } else if (status == ADAM_NOT_FOUND) {
    am_fail(error, status, shown, "adam list shows the models that are here, adam pull fetches one", "no such model in the Ollama store (%s)",
            looked.data ? looked.data : "no folder to look in");
  } else if (status && error) {
    *error = why;
  }
  am_buf_close(&looked);
  for (size_t i = 0; i < n; i++) am_mem_free(roots[i]);
  return status;
}
