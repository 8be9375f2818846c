/* SPDX-License-Identifier: Apache-2.0 */
#include <adam/manager.h>

#include "base/buf.h"
#include "base/mem.h"
#include "hub/cache.h"
#include "hub/folder.h"
#include "hub/places.h"
#include "manager/manager.h"
#include "manager/stored.h"
#include "os/file.h"
#include "presets/presets.h"
#include <adam/registry.h>
#include <string.h>

/* One listing under way; what was told already is not told again. */
typedef struct lister {
  adam_on_model on_model;
  void *user;
  char **paths; /* told so far, or names of Ollama's models; owned */
  size_t n_paths;
  const char *store, *folder, *name; /* of the folder being listed */
  int64_t last_used_unix_s;
  am_stored_files stored; /* what Ollama's models run from */
  bool failed; /* memory is out */
} lister;

static bool is_new(lister *l, const char *path) {
  for (size_t i = 0; i < l->n_paths; i++)
    if (!strcmp(l->paths[i], path)) return false;
  char **paths = am_mem_resize(l->paths, l->n_paths + 1, sizeof *paths);
  if (paths) l->paths = paths;
  char *copy = paths ? am_mem_dup(path, strlen(path)) : NULL;
  if (copy) paths[l->n_paths++] = copy;
  l->failed = !copy;
  return copy != NULL;
}

/* Tells one model; a file that a model of Ollama runs from is told of both stores. */
static void tell(lister *l, const char *name, const char *path) {
  if (!is_new(l, path)) return;
  char *quantization = am_hub_quantization(path);
  adam_model_entry entry = {.name = name,
                            .path = path,
                            .bytes = am_hub_weights_bytes(path),
                            .store = l->store,
                            .quantization = quantization && *quantization ? quantization : NULL,
                            .last_used_unix_s = l->last_used_unix_s,
                            .reachable = "native"};
  bool is_shared = am_stored_files_find(&l->stored, path, 0) < l->stored.n;
  if (is_shared) entry.reachable = "both";
  if (entry.last_used_unix_s == 0) (void)am_file_last_used(path, &entry.last_used_unix_s);
  if (quantization)
    l->on_model(l->user, &entry);
  else
    l->failed = true;
  entry.store = "ollama";
  if (quantization && is_shared) l->on_model(l->user, &entry);
  am_mem_free(quantization);
}

static bool see_in_snapshot(void *user, const char *file) {
  lister *l = user;
  am_buf name = {0};
  char *path = *file ? am_path_join(l->folder, file) : am_mem_dup(l->folder, strlen(l->folder));
  am_buf_append_str(&name, l->name);
  if (*file) am_buf_printf(&name, ":%s", file);
  if (path && !name.failed)
    tell(l, name.data, path);
  else
    l->failed = true;
  am_mem_free(path);
  am_buf_close(&name);
  return l->failed;
}

static bool see_snapshot(void *user, const am_hub_entry *entry) {
  lister *l = user;
  l->folder = entry->path;
  l->name = entry->repository;
  l->last_used_unix_s = entry->last_used_unix_s;
  am_hub_each(entry->path, see_in_snapshot, l, NULL);
  l->last_used_unix_s = 0;
  return l->failed;
}

/* A file of adam's own folder is called by the preset that finds it, else by its path. */
static bool see_own_file(void *user, const char *file) {
  lister *l = user;
  if (!am_hub_ends_with(file, ".gguf")) return false;
  char *path = am_path_join(l->folder, file);
  const char *name = path;
  size_t n_presets = 0;
  const am_preset *presets = am_presets_all(&n_presets);
  for (size_t i = 0; i < n_presets; i++)
    if (presets[i].huggingface && am_hub_is_file_of(file, presets[i].huggingface)) name = presets[i].name;
  if (path)
    tell(l, name, path);
  else
    l->failed = true;
  am_mem_free(path);
  return l->failed;
}

/* A model of the Ollama store is told by its name, so that its server's list does not tell it again. */
static void see_of_backend(void *user, const adam_model_entry *entry) {
  lister *l = user;
  bool is_stored = entry->store && !strcmp(entry->store, "ollama");
  if (!l->failed && ((!entry->path && !is_stored) || is_new(l, is_stored ? entry->name : entry->path)))
    l->on_model(l->user, entry);
}

adam_status adam_models_list(const adam_model_options *options, adam_on_model on_model, void *user,
                             adam_error *error) {
  lister l = {.on_model = on_model, .user = user, .store = "shipped"};
  adam_model_options o = {.struct_size = sizeof o};
  adam_status status =
      options ? am_manager_copy(options, &o, sizeof o, "adam_model_options", error) : ADAM_OK;
  if (!status) status = am_presets_load(NULL, error);
  if (status) return status;
  status = am_stored_files_open(&l.stored, error);
  if (status) return status;
  char *demo = NULL, *models = am_hub_models_dir(), *caches[2] = {0};
  if (!am_hub_demo(&demo, NULL)) tell(&l, "demo", demo);
  am_mem_free(demo);
  l.store = "adam";
  l.folder = models;
  if (models && am_file_is_dir(models) && !l.failed) am_dir_list(models, see_own_file, &l, NULL);
  l.store = "huggingface";
  size_t n_caches = am_hub_caches(o.cache_dir, caches);
  for (size_t i = 0; i < n_caches; i++) {
    if (!l.failed && am_file_is_dir(caches[i])) am_hub_list(caches[i], see_snapshot, &l, NULL);
    am_mem_free(caches[i]);
  }
  am_mem_free(models);
  if (!l.failed && !status) status = am_stored_list(see_of_backend, &l, error);
  const adam_backend_ops *ops;
  for (size_t i = 0; !l.failed && !status && (ops = adam_backend_at(i)); i++)
    if (ops->list) status = ops->list(ops->context, &o, see_of_backend, &l, error);
  for (size_t i = 0; i < l.n_paths; i++) am_mem_free(l.paths[i]);
  am_mem_free(l.paths);
  am_stored_files_close(&l.stored);
  return l.failed ? am_fail_memory(error, "list of models") : status;
}
