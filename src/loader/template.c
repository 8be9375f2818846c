/* SPDX-License-Identifier: Apache-2.0 */
/* Which chat templates a folder has. As in transformers: template files win over
 * tokenizer_config.json's chat_template, a string or a list of named ones; chat_template.json is
 * where processors kept theirs. */
#include <string.h>

#include "base/utf8.h"
#include "loader/state.h"
#include "os/file.h"

enum {
  TEMPLATE_LIMIT_BYTES = 4 << 20,
  TEMPLATES_LIMIT = 64,
};

adam_status am_loader_add_template(am_loader *loader, const char *name, const char *text, adam_error *error) {
  for (size_t i = 0; i < loader->n_templates; i++) {
    if (strcmp(loader->templates[i].name, name) != 0) continue;
    loader->templates[i].text = text;
    return ADAM_OK;
  }
  if (!loader->templates) {
    loader->templates = am_arena_zalloc(&loader->arena, TEMPLATES_LIMIT, sizeof *loader->templates);
    if (!loader->templates) return am_fail_memory(error, loader->path);
  }
  if (loader->n_templates == TEMPLATES_LIMIT) {
    return am_fail(error, ADAM_DAMAGED, loader->path, NULL, "more than %d chat templates", TEMPLATES_LIMIT);
  }
  loader->templates[loader->n_templates++] = (am_loader_text){name, text};
  return ADAM_OK;
}

/* The file's text under `name`; a missing file is fine. */
static adam_status add_file(am_loader *loader, const char *path, const char *name, adam_error *error) {
  am_buf text = {0};
  if (!am_file_is_regular(path)) return ADAM_OK;
  adam_status status = am_file_read(path, TEMPLATE_LIMIT_BYTES, &text, error);
  if (!status && !am_utf8_valid(text.data ? text.data : "", text.len)) {
    status = am_fail(error, ADAM_DAMAGED, path, NULL, "at byte %zu: expected UTF-8",
                     am_utf8_valid_prefix(text.data, text.len));
  }
  if (!status) {
    const char *copy = am_arena_dup(&loader->arena, text.data ? text.data : "", text.len);
    status = copy ? am_loader_add_template(loader, name, copy, error) : am_fail_memory(error, path);
  }
  am_buf_close(&text);
  return status;
}

typedef struct listing {
  am_loader *loader;
  const char *folder;
  adam_status status;
  adam_error *error;
} listing;

static bool on_name(void *user, const char *file) {
  listing *l = user;
  static const char ending[] = ".jinja";
  size_t n = strlen(file);
  if (n < sizeof ending || strcmp(file + n - (sizeof ending - 1), ending) != 0) return false;
  const char *name = am_arena_dup(&l->loader->arena, file, n - (sizeof ending - 1));
  const char *path = am_loader_join(l->loader, l->folder, file);
  l->status = name && path ? add_file(l->loader, path, name, l->error) : am_fail_memory(l->error, l->folder);
  return l->status != ADAM_OK;
}

static adam_status add_additional(am_loader *loader, const char *folder, adam_error *error) {
  listing l = {.loader = loader, .error = error};
  l.folder = am_loader_join(loader, folder, "additional_chat_templates");
  if (!l.folder) return am_fail_memory(error, folder);
  if (!am_file_is_dir(l.folder)) return ADAM_OK;
  adam_status status = am_dir_list(l.folder, on_name, &l, error);
  return status ? status : l.status;
}

/* A string, or a list of {"name", "template"}. */
static adam_status add_value(am_loader *loader, const am_json *value, const char *path, adam_error *error) {
  if (am_json_is_null(value)) return ADAM_OK;
  if (value->type == AM_JSON_STRING)
    return am_loader_add_template(loader, "default", value->as.string, error);
  if (value->type != AM_JSON_ARRAY) {
    return am_fail(error, ADAM_DAMAGED, path, NULL, "chat_template: expected a string or a list");
  }
  for (uint32_t i = 0; i < value->n; i++) {
    const char *name = am_json_str(am_json_get(am_json_at(value, i), "name"), NULL);
    const char *text = am_json_str(am_json_get(am_json_at(value, i), "template"), NULL);
    if (!name || !text) {
      return am_fail(error, ADAM_DAMAGED, path, NULL,
                     "chat_template: expected a name and a template in item %u", i);
    }
    adam_status status = am_loader_add_template(loader, name, text, error);
    if (status) return status;
  }
  return ADAM_OK;
}

adam_status am_loader_read_templates(am_loader *loader, const char *folder, const am_json *tokenizer_config,
                                     adam_error *error) {
  const am_json *legacy = NULL;
  const char *path = am_loader_join(loader, folder, "chat_template.jinja");
  const char *config_path = am_loader_join(loader, folder, "tokenizer_config.json");
  const char *legacy_path = am_loader_join(loader, folder, "chat_template.json");
  if (!path || !config_path || !legacy_path) return am_fail_memory(error, folder);
  adam_status status = add_file(loader, path, "default", error);
  if (!status) status = add_additional(loader, folder, error);
  if (status || loader->n_templates > 0) return status;
  status = add_value(loader, am_json_get(tokenizer_config, "chat_template"), config_path, error);
  if (status || loader->n_templates > 0) return status;
  status = am_loader_read_json(loader, folder, "chat_template.json", 0, &legacy, error);
  return status ? status : add_value(loader, am_json_get(legacy, "chat_template"), legacy_path, error);
}
