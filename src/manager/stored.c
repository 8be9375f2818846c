/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/stored.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "os/file.h"
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

typedef struct lister {
  am_store *store;
  adam_on_model on_model;
  void *user;
  bool failed; /* memory is out */
} lister;

/* A model whose manifest cannot be read is left out: verify tells of it. */
static bool see_entry(void *user, const am_store_entry *entry) {
  lister *l = user;
  am_store_model *model = NULL;
  char name[AM_STORE_NAME_BYTES + 8] = "ollama:", quantization[32] = "";
  adam_status status = am_store_model_open(l->store, &entry->name, &model, NULL);
  l->failed = status == ADAM_NO_MEMORY;
  if (status) return l->failed;
  am_store_name_print(&model->name, name + strlen(name));
  if (model->quantization) (void)snprintf(quantization, sizeof quantization, "%s", model->quantization);
  for (char *c = quantization; *c; c++) *c = (char)tolower((unsigned char)*c);
  bool has_weights = model->weights && !model->weights->is_missing;
  int64_t used = model->modified_unix_s, read = 0;
  if (has_weights && am_file_last_used(model->weights->path, &read) && read > used) used = read;
  adam_model_entry told = {.name = name,
                           .path = has_weights ? model->weights->path : model->manifest_path,
                           .bytes = model->bytes,
                           .quantization = *quantization && strcmp(quantization, "unknown") ? quantization : NULL,
                           .store = "ollama",
                           .reachable = am_store_model_check(model, NULL) ? "ollama" : "both",
                           .last_used_unix_s = used};
  l->on_model(l->user, &told);
  am_store_model_close(&model);
  return false;
}

adam_status am_stored_list(adam_on_model on_model, void *user, adam_error *error) {
  char *roots[AM_STORE_ROOTS];
  size_t n = am_store_roots(roots);
  adam_status status = ADAM_OK;
  for (size_t i = 0; i < n && !status; i++) {
    lister l = {.on_model = on_model, .user = user};
    if (!am_store_open(roots[i], false, &l.store, NULL)) status = am_store_each(l.store, see_entry, &l, error);
    if (l.failed) status = am_fail_memory(error, "list of models");
    if (status != ADAM_NO_MEMORY) status = ADAM_OK; /* what cannot be read is not here */
    am_store_close(&l.store);
  }
  for (size_t i = 0; i < n; i++) am_mem_free(roots[i]);
  return status;
}
