/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/stored.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "os/file.h"
#include "os/link.h"
#include "store/store.h"

static bool has_store(void) {
  am_store *store = NULL;
  adam_status status = am_store_open(NULL, false, &store, NULL);
  am_store_close(&store);
  return status == ADAM_OK;
}

adam_status am_stored_resolve(const char *name, char **model, bool *ask_server, adam_error *error) {
  am_store_name parsed;
  am_store_model *found = NULL;
  char text[AM_STORE_NAME_BYTES + 8] = "ollama:";
  *ask_server = false;
  adam_status status = am_store_name_parse(name, &parsed, error);
  if (status) return status;
  status = am_store_find(&parsed, &found, NULL, error);
  if (!status) status = am_store_model_check(found, error);
  *ask_server = status == ADAM_UNAVAILABLE || (status == ADAM_NOT_FOUND && !has_store());
  if (!status) {
    am_store_name_print(&found->name, text + strlen(text));
    *model = am_mem_dup(text, strlen(text));
    if (!*model) status = am_fail_memory(error, name);
  }
  am_store_model_close(&found);
  return status;
}

typedef struct walk {
  am_store *store;
  bool (*on_model)(void *user, const am_store_model *model);
  void *user;
  bool failed; /* memory is out */
} walk;

/* A model whose manifest cannot be read is left out: verify tells of it. */
static bool see_entry(void *user, const am_store_entry *entry) {
  walk *w = user;
  am_store_model *model = NULL;
  adam_status status = am_store_model_open(w->store, &entry->name, &model, NULL);
  w->failed = status == ADAM_NO_MEMORY || (!status && w->on_model(w->user, model));
  am_store_model_close(&model);
  return w->failed;
}

/* Each model of each store that can be read; on_model: true = memory is out. */
static adam_status each_model(bool (*on_model)(void *user, const am_store_model *model), void *user,
                              adam_error *error) {
  char *roots[AM_STORE_ROOTS];
  size_t n = am_store_roots(roots);
  adam_status status = n > 0 ? ADAM_OK : am_fail_memory(error, "list of models");
  for (size_t i = 0; i < n && !status; i++) {
    walk w = {.on_model = on_model, .user = user};
    adam_status opened = am_store_open(roots[i], false, &w.store, NULL);
    if (!opened) opened = am_store_each(w.store, see_entry, &w, NULL);
    if (w.failed || opened == ADAM_NO_MEMORY) status = am_fail_memory(error, "list of models");
    am_store_close(&w.store);
  }
  for (size_t i = 0; i < n; i++) am_mem_free(roots[i]);
  return status;
}

static bool has_weights(const am_store_model *model) { return model->weights && !model->weights->is_missing; }

static void print_name(const am_store_model *model, char name[AM_STORE_NAME_BYTES + 8]) {
  static const char prefix[] = "ollama:";
  memcpy(name, prefix, sizeof prefix);
  am_store_name_print(&model->name, name + sizeof prefix - 1);
}

typedef struct lister {
  adam_on_model on_model;
  void *user;
} lister;

static bool tell(void *user, const am_store_model *model) {
  const lister *l = user;
  char name[AM_STORE_NAME_BYTES + 8], quantization[32] = "";
  print_name(model, name);
  if (model->quantization) (void)snprintf(quantization, sizeof quantization, "%s", model->quantization);
  for (char *c = quantization; *c; c++) *c = (char)tolower((unsigned char)*c);
  int64_t used = model->modified_unix_s, read = 0;
  if (has_weights(model) && am_file_last_used(model->weights->path, &read) && read > used) used = read;
  adam_model_entry told = {.name = name,
                           .path = has_weights(model) ? model->weights->path : model->manifest_path,
                           .bytes = model->bytes,
                           .quantization = *quantization && strcmp(quantization, "unknown") ? quantization : NULL,
                           .store = "ollama",
                           .reachable = am_store_model_check(model, NULL) ? "ollama" : "both",
                           .last_used_unix_s = used};
  l->on_model(l->user, &told);
  return false;
}

adam_status am_stored_list(adam_on_model on_model, void *user, adam_error *error) {
  lister l = {.on_model = on_model, .user = user};
  return each_model(tell, &l, error);
}

static bool note_file(void *user, const am_store_model *model) {
  am_stored_files *files = user;
  char name[AM_STORE_NAME_BYTES + 8];
  am_stored_file file = {0};
  if (!has_weights(model) || !am_file_identity(model->weights->path, &file.device, &file.inode, NULL, NULL)) return false;
  am_stored_file *items = am_mem_resize(files->items, files->n + 1, sizeof *items);
  if (!items) return true;
  files->items = items;
  print_name(model, name);
  file.name = am_mem_dup(name, strlen(name));
  if (!file.name) return true;
  items[files->n++] = file;
  return false;
}

adam_status am_stored_files_open(am_stored_files *out, adam_error *error) {
  *out = (am_stored_files){0};
  adam_status status = each_model(note_file, out, error);
  if (status) am_stored_files_close(out);
  return status;
}

void am_stored_files_close(am_stored_files *files) {
  for (size_t i = 0; i < files->n; i++) am_mem_free(files->items[i].name);
  am_mem_free(files->items);
  *files = (am_stored_files){0};
}

size_t am_stored_files_find(const am_stored_files *files, const char *path, size_t from) {
  uint64_t device, inode;
  if (from >= files->n || !am_file_identity(path, &device, &inode, NULL, NULL)) return files->n;
  while (from < files->n && (files->items[from].device != device || files->items[from].inode != inode)) from++;
  return from;
}
