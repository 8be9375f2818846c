/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/ref.h"

#include "base/buf.h"
#include "base/mem.h"
#include "hub/cache.h"
#include "hub/folder.h"
#include "hub/places.h"
#include "manager/stored.h"
#include "os/dirs.h"
#include "os/file.h"
#include "os/memory.h"
#include "presets/presets.h"
#include <adam/registry.h>
#include <stdlib.h>
#include <string.h>

static const char native_name[] = "huggingface";

static char *dup_text(const char *text) { return am_mem_dup(text, strlen(text)); }

void am_ref_close(am_ref *ref) {
  am_mem_free(ref->model);
  am_mem_free(ref->name);
  *ref = (am_ref){0};
}

/* Takes model, also on failure. */
static adam_status set_ref(const adam_backend_ops *ops, char *model, const char *name, am_ref *out,
                           adam_error *error) {
  am_ref ref = {ops, model, dup_text(name)};
  if (!ref.model || !ref.name) {
    am_ref_close(&ref);
    return am_fail_memory(error, name);
  }
  *out = ref;
  return ADAM_OK;
}

/* The snapshot folder, or an error in the user's words that says how to get one. */
static adam_status find_snapshot(const char *cache_dir, const char *repository, const char *revision,
                                 const char *what, char **folder, adam_error *error) {
  adam_error found = {0};
  adam_status status = am_hub_find(cache_dir, repository, revision, folder, &found);
  if (status == ADAM_NOT_FOUND) {
    bool is_folder = am_file_is_dir(repository) && !revision;
    am_buf hint = {0};
    if (is_folder)
      am_buf_printf(&hint, "for the folder of that name write ./%s", repository);
    else if (*found.hint)
      am_buf_append_str(&hint, found.hint);
    else
      am_buf_printf(&hint, "download it with: adam pull %s", what);
    am_fail(error, status, what, hint.data, "%s", found.why);
    am_buf_close(&hint);
    return status;
  }
  if (status && error) *error = found, am_error_rename(error, what);
  return status;
}

/* [hf:]ORG/NAME[@REVISION][:FILE-or-QUANT] to a path. */
static adam_status resolve_hub(const char *text, const char *cache_dir, char **path, am_notices *notices,
                               adam_error *error) {
  char *repository = dup_text(text);
  char *folder = NULL;
  if (!repository) return am_fail_memory(error, text);
  char *choice = strchr(repository, ':');
  if (choice) *choice++ = 0;
  char *revision = strchr(repository, '@');
  if (revision) *revision++ = 0;
  adam_status status = ADAM_OK;
  const char *real = am_presets_renamed(repository);
  if (!am_hub_name_valid(repository) || (choice && !*choice) || (revision && !*revision))
    status = am_fail(error, ADAM_INVALID, text, NULL, "not of the form ORG/NAME[@REVISION][:FILE-or-QUANT]");
  else if (real &&
           !am_notices_printf(notices, "renamed", ADAM_NOTICE_INFO, "%s is %s on the Hub", repository, real))
    status = am_fail_memory(error, text);
  if (!status) status = find_snapshot(cache_dir, real ? real : repository, revision, text, &folder, error);
  if (!status) status = am_hub_pick(folder, choice, text, path, error);
  am_mem_free(folder);
  am_mem_free(repository);
  return status;
}

static adam_status resolve_path(const char *text, char **path, adam_error *error) {
  char *expanded = *text == '~' ? am_dirs_expand(text) : dup_text(text);
  if (!expanded) return am_fail_memory(error, text);
  adam_status status = ADAM_OK;
  if (am_file_is_dir(expanded))
    status = am_hub_pick(expanded, NULL, text, path, error);
  else if (am_file_is_regular(expanded))
    *path = expanded, expanded = NULL;
  else
    status = am_fail(error, ADAM_NOT_FOUND, text, NULL, "no such file or folder");
  am_mem_free(expanded);
  return status;
}

static adam_status resolve_preset(const am_preset *preset, const char *cache_dir, char **path,
                                  am_notices *notices, adam_error *error) {
  if (preset->path) return resolve_path(preset->path, path, error);
  if (!preset->huggingface)
    return am_fail(error, ADAM_NOT_FOUND, preset->name, NULL,
                   "the preset has no model on the Hugging Face Hub");
  *path = am_hub_own_file(preset->huggingface);
  return *path ? ADAM_OK : resolve_hub(preset->huggingface, cache_dir, path, notices, error);
}

static adam_status fail_unknown(const char *text, adam_error *error) {
  const char *near[3];
  size_t n = am_presets_nearest(text, near, 3);
  am_buf hint = {0};
  if (n) am_buf_append_str(&hint, "did you mean ");
  for (size_t i = 0; i < n; i++)
    am_buf_printf(&hint, "%s%s", i == 0 ? "" : i + 1 < n ? ", " : " or ", near[i]);
  am_buf_append_str(&hint, n ? "?" : "a Hub model is ORG/NAME, a file begins with / or ./");
  am_fail(error, ADAM_NOT_FOUND, text, hint.data, "no preset has this name");
  am_buf_close(&hint);
  return ADAM_NOT_FOUND;
}

/* A REF of the native backend to a path. */
static adam_status resolve_native(const char *text, const char *cache_dir, char **path, am_notices *notices,
                                  adam_error *error) {
  bool is_file = am_hub_ends_with(text, ".gguf") || am_hub_ends_with(text, ".safetensors");
  if (!*text) return am_fail(error, ADAM_INVALID, "model", NULL, "the name is empty");
  if (!strncmp(text, "hf:", 3)) return resolve_hub(text + 3, cache_dir, path, notices, error);
  if (strchr("/.~", *text) || (is_file && (!strchr(text, ':') || am_file_is_regular(text))))
    return resolve_path(text, path, error);
  if (strchr(text, '/')) return resolve_hub(text, cache_dir, path, notices, error);
  if (!strcmp(text, "demo")) return am_hub_demo(path, error);
  const am_preset *preset = am_presets_find(text);
  return preset ? resolve_preset(preset, cache_dir, path, notices, error) : fail_unknown(text, error);
}

static adam_status fail_backend(const char *name, adam_error *error) {
  am_buf names = {0};
  const adam_backend_ops *ops;
  for (size_t i = 0; (ops = adam_backend_at(i)); i++) am_buf_printf(&names, ", %s", ops->name);
  am_fail(error, ADAM_INVALID, name, NULL, "no such backend; there are auto%s", names.data ? names.data : "");
  am_buf_close(&names);
  return ADAM_INVALID;
}

/* Length of NAME in `NAME:rest` when NAME could be a backend's; 0 = none. */
static size_t prefix_length(const char *text) {
  size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_-");
  return text[n] == ':' && n < 64 && !(n == 2 && !strncmp(text, "hf", 2)) ? n : 0;
}

/* What an Ollama server is asked for: its own names, or the preset's. */
static adam_status resolve_ollama(const char *text, const char **name, adam_error *error) {
  const am_preset *preset = am_presets_find(text);
  *name = preset ? preset->ollama : text; /* the preset's path is no model of a server */
  if (preset && !preset->ollama)
    return am_fail(error, ADAM_NOT_FOUND, text, NULL, "the preset has no model of Ollama");
  if ((*text && strchr("/.~", *text)) || am_file_is_regular(text))
    return am_fail(error, ADAM_INVALID, text, "adam share puts a file into Ollama's store; or leave out --backend ollama",
                   "an Ollama server runs the models of its own store, not files");
  return ADAM_OK;
}

/* ollama:NAME runs on the native engine from Ollama's store; where that cannot be read and any backend will do, on its
 * server. ADAM_NOT_FOUND with *ask_server: the rest of am_ref_resolve decides. */
static adam_status resolve_stored(const char *name, bool is_auto, am_ref *out, bool *ask_server, am_notices *notices,
                                  adam_error *error) {
  char *model = NULL;
  adam_error why = {0};
  adam_status status = am_stored_resolve(name, &model, ask_server, &why);
  *ask_server = *ask_server && is_auto && adam_backend_find("ollama");
  if (!status) {
    char *shown = dup_text(model);
    status = shown ? set_ref(adam_backend_find(native_name), model, shown, out, error) : am_fail_memory(error, name);
    if (!shown) am_mem_free(model);
    am_mem_free(shown);
  } else if (*ask_server) {
    if (!am_notices_printf(notices, "ollama_server", ADAM_NOTICE_INFO, "asking the Ollama server: %s: %s", why.what,
                           why.why)) {
      *ask_server = false;
      return am_fail_memory(error, name);
    }
  } else if (error) {
    *error = why;
  }
  return status;
}

adam_status am_ref_resolve(const char *backend, const char *text, const char *cache_dir, am_ref *out,
                           am_notices *notices, adam_error *error) {
  bool is_auto = !backend || !*backend || !strcmp(backend, "auto");
  const adam_backend_ops *wanted = is_auto ? NULL : adam_backend_find(backend);
  if (!is_auto && !wanted) return fail_backend(backend, error);
  char name[64] = {0};
  memcpy(name, text, prefix_length(text));
  if (!strcmp(name, "ollama") && (is_auto || !strcmp(wanted->name, native_name)) && !am_file_is_regular(text)) {
    bool ask_server;
    adam_status status =
        resolve_stored(text + sizeof "ollama:" - 1, is_auto, out, &ask_server, notices, error);
    if (!status || !ask_server) return status;
  }
  const adam_backend_ops *named = *name ? adam_backend_find(name) : NULL;
  bool is_native_form = am_file_is_regular(text) || (wanted && strcmp(wanted->name, native_name));
  if (is_auto && *name && !named && !is_native_form)
    return am_fail(error, ADAM_NOT_FOUND, text, "an Ollama model is ollama:NAME", "no backend is called %s",
                   name);
  if (wanted && named && named != wanted && !strcmp(wanted->name, native_name))
    return am_fail(error, ADAM_INVALID, text, NULL, "the model belongs to the backend %s, not to %s", name,
                   backend);
  const adam_backend_ops *ops = wanted ? wanted : named ? named : adam_backend_find(native_name);
  const char *rest = named == ops ? text + strlen(name) + 1 : text;
  if (!strcmp(ops->name, "ollama")) {
    adam_status status = resolve_ollama(rest, &rest, error);
    if (status) return status;
  }
  if (strcmp(ops->name, native_name)) return set_ref(ops, dup_text(rest), text, out, error);
  char *path = NULL;
  adam_status status = resolve_native(rest, cache_dir, &path, notices, error);
  return status ? status : set_ref(ops, path, rest, out, error);
}

static int larger_first(const void *a, const void *b) {
  double x = (*(const am_preset *const *)a)->parameters, y = (*(const am_preset *const *)b)->parameters;
  return (x < y) - (x > y);
}

/* Weights plus an eighth and 256 MiB for the KV cache, scratch and the program itself. */
static bool fits(uint64_t weights_bytes) {
  return weights_bytes + weights_bytes / 8 + ((uint64_t)256 << 20) <= am_memory_available();
}

adam_status am_ref_default(const char *cache_dir, size_t *candidate, bool *last, am_ref *out,
                           am_notices *notices, adam_error *error) {
  size_t n = 0;
  const am_preset *all = am_presets_all(&n);
  const am_preset **rows = am_mem_alloc(n * sizeof *rows);
  if (!rows) return am_fail_memory(error, "default model");
  for (size_t i = 0; i < n; i++) rows[i] = &all[i];
  qsort(rows, n, sizeof *rows, larger_first);
  char *path = NULL;
  const char *name = "demo";
  while (*candidate < n && !path) {
    const am_preset *preset = rows[(*candidate)++];
    if (preset->parameters <= 0 || !strcmp(preset->name, "embedding")) continue;
    if (resolve_preset(preset, cache_dir, &path, notices, NULL)) continue;
    uint64_t weights_bytes = am_hub_weights_bytes(path);
    name = preset->name;
    if (weights_bytes && fits(weights_bytes)) break;
    am_mem_free(path);
    path = NULL;
  }
  am_mem_free(rows);
  *last = !path;
  adam_status status = path ? ADAM_OK : am_hub_demo(&path, error);
  if (!status) status = set_ref(adam_backend_find(native_name), path, *last ? "demo" : name, out, error);
  if (status) return status;
  bool noted = am_notices_printf(
      notices, "default_model", ADAM_NOTICE_INFO,
      *last ? "no model was named: this is %s, which ships with adam"
            : "no model was named: this is %s, the largest preset that is on this machine and fits",
      out->name);
  if (noted) return ADAM_OK;
  am_ref_close(out);
  return am_fail_memory(error, "default model");
}
