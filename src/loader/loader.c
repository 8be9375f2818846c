/* SPDX-License-Identifier: Apache-2.0 */
#include "loader/loader.h"

#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "loader/prequant/prequant.h"
#include "loader/state.h"
#include "os/file.h"

enum { JSON_LIMIT_BYTES = 128 << 20 };

const char *am_loader_join(am_loader *loader, const char *folder, const char *name) {
  char *joined = am_path_join(folder, name);
  const char *path = joined ? am_arena_dup(&loader->arena, joined, strlen(joined)) : NULL;
  am_mem_free(joined);
  return path;
}

adam_status am_loader_read_json(am_loader *loader, const char *folder, const char *name, uint32_t flags,
                                const am_json **out, adam_error *error) {
  return am_loader_read_value(loader, folder, name, AM_JSON_OBJECT, flags, out, error);
}

adam_status am_loader_read_value(am_loader *loader, const char *folder, const char *name, am_json_type type,
                                 uint32_t flags, const am_json **out, adam_error *error) {
  am_buf text = {0};
  adam_status status = ADAM_OK;
  am_json *value = NULL;
  const char *path = am_loader_join(loader, folder, name);
  if (!path) return am_fail_memory(error, folder);
  if (!am_file_is_regular(path)) return ADAM_OK;
  status = am_file_read(path, JSON_LIMIT_BYTES, &text, error);
  if (status) goto cleanup;
  value = am_arena_zalloc(&loader->arena, 1, sizeof *value);
  if (!value) {
    status = am_fail_memory(error, path);
    goto cleanup;
  }
  status = am_json_parse(text.data ? text.data : "", text.len, path, flags, &loader->arena, value, error);
  if (!status && value->type != type) {
    status = am_fail(error, ADAM_DAMAGED, path, NULL, "at byte 0: expected a JSON %s",
                     type == AM_JSON_ARRAY ? "array" : "object");
  }
  if (!status) *out = value;
cleanup:
  am_buf_close(&text);
  return status;
}

static bool ends_with(const char *text, const char *end) {
  size_t n = strlen(text), n_end = strlen(end);
  return n >= n_end && strcasecmp(text + n - n_end, end) == 0;
}

/* The last part of path; of a folder of the hub's cache, models--ORG--NAME/snapshots/COMMIT, ORG/NAME. */
static const char *model_name(am_loader *loader) {
  static const char marker[] = "models--", snapshots[] = "/snapshots/";
  const char *path = loader->path;
  size_t n = strlen(path);
  while (n > 1 && path[n - 1] == '/') n--;
  const char *hub = NULL, *at = path;
  while ((at = strstr(at, marker))) hub = at++ + sizeof marker - 1;
  const char *end = hub ? strstr(hub, snapshots) : NULL;
  if (end && (hub - path == sizeof marker - 1 || hub[-(int)sizeof marker] == '/')) {
    char *name = am_arena_dup(&loader->arena, hub, (size_t)(end - hub));
    char *dashes = name ? strstr(name, "--") : NULL;
    if (dashes) {
      *dashes = '/';
      memmove(dashes + 1, dashes + 2, strlen(dashes + 2) + 1);
    }
    return name;
  }
  size_t start = n;
  while (start > 0 && path[start - 1] != '/') start--;
  return start == n ? path : am_arena_dup(&loader->arena, path + start, n - start);
}

typedef struct gguf_search {
  am_loader *loader;
  const char *found; /* in the arena */
  size_t n_found;
  bool failed;
} gguf_search;

/* Counts models, not parts: of NAME-00002-of-00003.gguf only the first part does. Projectors
 * (mmproj) belong to a model and are none. */
static bool on_gguf(void *user, const char *name) {
  gguf_search *s = user;
  static const char form[] = "-00001-of-00001.gguf";
  size_t n = strlen(name);
  if (!ends_with(name, ".gguf") || strncasecmp(name, "mmproj", 6) == 0) return false;
  if (n >= sizeof form) {
    const char *tail = name + n - (sizeof form - 1);
    if (tail[0] == '-' && memcmp(tail + 6, "-of-", 4) == 0 && memcmp(tail, "-00001", 6) != 0) return false;
  }
  s->n_found++;
  s->found = am_arena_dup(&s->loader->arena, name, n);
  s->failed = s->found == NULL;
  return s->failed;
}

static adam_status any_file(am_loader *loader, const char *folder, const char *const *names, size_t n,
                            bool *found, adam_error *error) {
  *found = false;
  for (size_t i = 0; i < n && !*found; i++) {
    const char *path = am_loader_join(loader, folder, names[i]);
    if (!path) return am_fail_memory(error, folder);
    *found = am_file_is_regular(path);
  }
  return ADAM_OK;
}

/* A folder with weights of its own is a Hugging Face one; else it is its GGUF; and without any, the
 * files of a tokenizer or a template are enough under VOCAB_ONLY. */
static adam_status open_folder(am_loader *loader, const char *folder, uint32_t flags, const char *cache_dir,
                               adam_error *error) {
  static const char *const weights[] = {"model.safetensors", "model.safetensors.index.json"};
  static const char *const texts[] = {"tokenizer.json", "tokenizer.model", "tokenizer_config.json",
                                      "chat_template.jinja", "chat_template.json"};
  bool found;
  adam_status status = any_file(loader, folder, weights, 2, &found, error);
  if (status) return status;
  if (found) return am_loader_open_folder(loader, folder, NULL, flags, cache_dir, error);
  gguf_search search = {.loader = loader};
  status = am_dir_list(folder, on_gguf, &search, error);
  if (status) return status;
  if (search.failed) return am_fail_memory(error, folder);
  if (search.n_found == 1) {
    const char *path = am_loader_join(loader, folder, search.found);
    return path ? am_loader_open_gguf(loader, path, flags, cache_dir, error) : am_fail_memory(error, folder);
  }
  bool vocab_only = flags & AM_LOADER_VOCAB_ONLY;
  status = any_file(loader, folder, texts, sizeof texts / sizeof *texts, &found, error);
  if (status) return status;
  if (vocab_only && found) return am_loader_open_folder(loader, folder, NULL, flags, cache_dir, error);
  if (search.n_found > 1) {
    return am_fail(error, ADAM_INVALID, folder, "name one of them", "there are %zu .gguf models in it",
                   search.n_found);
  }
  return am_fail(error, ADAM_NOT_FOUND, folder, NULL,
                 vocab_only
                     ? "there is no tokenizer.json, no tokenizer.model, no chat template and no .gguf in it"
                     : "there is no model.safetensors, no model.safetensors.index.json and no .gguf in it");
}

/* A sentence-transformers folder may hold its model one folder down (0_Transformer). */
static adam_status open_root(am_loader *loader, const char *root, uint32_t flags, const char *cache_dir,
                             adam_error *error) {
  adam_status status = am_loader_read_modules(loader, root, error);
  if (status) return status;
  const char *below = loader->sentence.transformer;
  const char *folder = below[0] ? am_loader_join(loader, root, below) : root;
  return folder ? open_folder(loader, folder, flags, cache_dir, error) : am_fail_memory(error, root);
}

static bool has_gguf_magic(const char *path) {
  am_file_map map = {0};
  if (am_file_map_open(path, &map, NULL)) return false;
  bool found = map.size >= 4 && memcmp(map.bytes, "GGUF", 4) == 0;
  am_file_map_close(&map);
  return found;
}

static adam_status open_path(am_loader *loader, uint32_t flags, const char *cache_dir, adam_error *error) {
  const char *path = loader->path;
  if (am_file_is_dir(path)) return open_root(loader, path, flags, cache_dir, error);
  if (!am_file_is_regular(path))
    return am_fail(error, ADAM_NOT_FOUND, path, NULL, "there is no such file or folder");
  if (ends_with(path, ".safetensors")) {
    char *parent = am_path_dirname(path);
    const char *folder = parent ? am_arena_dup(&loader->arena, parent, strlen(parent)) : NULL;
    am_mem_free(parent);
    if (!folder) return am_fail_memory(error, path);
    adam_status status = am_loader_read_modules(loader, folder, error);
    return status ? status : am_loader_open_folder(loader, folder, path, flags, cache_dir, error);
  }
  /* Ollama's blobs are GGUF files without an ending. */
  if (ends_with(path, ".gguf") || has_gguf_magic(path)) {
    return am_loader_open_gguf(loader, path, flags, cache_dir, error);
  }
  return am_fail(error, ADAM_UNSUPPORTED, path, "a model is a folder, a .safetensors or a .gguf file",
                 "the file is neither safetensors nor GGUF");
}

adam_status am_loader_open(const char *path, uint32_t flags, const char *cache_dir, am_loader **out,
                           adam_error *error) {
  am_loader *loader = am_mem_zalloc(1, sizeof *loader);
  adam_status status = ADAM_NO_MEMORY;
  if (!loader) return am_fail_memory(error, path);
  loader->special_tokens.type = AM_JSON_OBJECT;
  loader->path = am_arena_dup(&loader->arena, path, strlen(path));
  loader->file = loader->path;
  if (loader->path) loader->name = model_name(loader);
  if (!loader->name)
    am_fail_memory(error, path);
  else
    status = open_path(loader, flags, cache_dir, error);
  if (status) {
    am_loader_close(&loader);
    return status;
  }
  *out = loader;
  return ADAM_OK;
}

void am_loader_close(am_loader **loader) {
  if (!loader || !*loader) return;
  am_loader *l = *loader;
  am_tokenizer_close(&l->tokenizer);
  for (size_t i = 0; i < l->n_shards; i++) am_safetensors_close(&l->shards[i]);
  for (size_t i = 0; i < AM_SENTENCE_STEPS; i++) am_safetensors_close(&l->module_files[i]);
  am_prequant_close(l);
  am_gguf_close(&l->gguf);
  am_map_close(&l->by_name);
  am_arena_close(&l->arena);
  am_mem_free(l);
  *loader = NULL;
}

const char *am_loader_path(const am_loader *loader) { return loader->path; }
const char *am_loader_name(const am_loader *loader) { return loader->name; }
const am_gguf *am_loader_gguf(const am_loader *loader) { return loader->gguf; }
const char *am_loader_folder(const am_loader *loader) { return loader->folder; }
const am_config *am_loader_config(const am_loader *loader) {
  return loader->has_config ? &loader->config : NULL;
}
const am_tokenizer *am_loader_tokenizer(const am_loader *loader) { return loader->tokenizer; }

adam_status am_loader_need_tokenizer(const am_loader *loader, const am_tokenizer **out, adam_error *error) {
  if (!loader->tokenizer) {
    if (error) *error = loader->no_tokenizer;
    return loader->no_tokenizer.status;
  }
  *out = loader->tokenizer;
  return ADAM_OK;
}

const char *am_loader_template(const am_loader *loader, const char *name, bool has_tools) {
  const char *standard = NULL, *tool_use = NULL;
  for (size_t i = 0; i < loader->n_templates; i++) {
    const am_loader_text *t = &loader->templates[i];
    if (name && strcmp(t->name, name) == 0) return t->text;
    if (strcmp(t->name, "default") == 0) standard = t->text;
    if (strcmp(t->name, "tool_use") == 0) tool_use = t->text;
  }
  if (name) return NULL;
  return has_tools && tool_use ? tool_use : standard;
}

const char *am_loader_template_at(const am_loader *loader, size_t index, const char **name) {
  if (index >= loader->n_templates) return NULL;
  *name = loader->templates[index].name;
  return loader->templates[index].text;
}

const am_json *am_loader_special_tokens(const am_loader *loader) { return &loader->special_tokens; }
const adam_sampling *am_loader_sampling(const am_loader *loader) { return &loader->sampling; }

const int32_t *am_loader_end_ids(const am_loader *loader, size_t *n) {
  *n = loader->n_end_ids;
  return loader->end_ids;
}
