/* SPDX-License-Identifier: Apache-2.0 */
/* What `adam show` wants to know and generation does not: what the chat template can do, and the digest of
 * the weights. */
#include "base/digest.h"
#include "base/error.h"
#include "base/mem.h"
#include "engine/loaded.h"
#include "os/file.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Renders with and without a feature and looks whether its mark arrives. */
static bool rendered(am_engine *engine, const char *messages, const char *tools, adam_think think,
                     am_buf *out) {
  adam_render_request request = {
      .struct_size = sizeof request, .messages_json = messages, .tools_json = tools, .think = think};
  am_buf_clear(out);
  return am_engine_render(engine, &request, out, NULL) == ADAM_OK && am_buf_reserve(out, 0);
}

void am_engine_template_features(am_engine *engine, adam_template_features *out) {
  static const char user[] = "[{\"role\": \"user\", \"content\": \"Hi\"}]",
                    with_system[] =
                        "[{\"role\": \"system\", \"content\": \"mark-of-adam\"}, "
                        "{\"role\": \"user\", \"content\": \"Hi\"}]",
                    tool[] =
                        "[{\"type\": \"function\", \"function\": {\"name\": \"mark-of-adam\", "
                        "\"description\": \"d\", \"parameters\": {\"type\": \"object\", "
                        "\"properties\": {}, \"required\": []}}}]";
  am_engine_chat chat = {0};
  am_buf on = {0}, off = {0};
  *out = (adam_template_features){0};
  if (am_engine_template(engine, false, &chat, NULL) || !chat.compiled) return;
  out->system =
      rendered(engine, with_system, NULL, ADAM_THINK_DEFAULT, &on) && strstr(on.data, "mark-of-adam");
  out->tools = rendered(engine, user, tool, ADAM_THINK_DEFAULT, &on) && strstr(on.data, "mark-of-adam");
  out->thinking_switch = rendered(engine, user, NULL, ADAM_THINK_ON, &on) &&
                         rendered(engine, user, NULL, ADAM_THINK_OFF, &off) && strcmp(on.data, off.data) != 0;
  out->thinking = out->thinking_switch || strstr(chat.text, "<think>") != NULL;
  am_buf_close(&on);
  am_buf_close(&off);
}

const char *am_engine_template_used(am_engine *engine) {
  am_engine_chat chat = {0};
  if (am_engine_template(engine, false, &chat, NULL)) return "";
  if (!chat.compiled) return "none";
  return am_chat_template_language(chat.compiled) == AM_TEMPLATE_GO ? "go" : "jinja";
}

/* The digest that the file's own name tells: a blob of the Hub's cache (64 hex digits) or of an Ollama store
 * (sha256-...), which the stores verified when they wrote it. */
static bool digest_by_name(const char *path, char out[65]) {
  char real[PATH_MAX];
  if (!realpath(path, real)) return false;
  const char *name = am_path_basename(real);
  if (strncmp(name, "sha256-", 7) == 0) name += 7;
  if (strlen(name) != 64 || strspn(name, "0123456789abcdef") != 64) return false;
  memcpy(out, name, 65);
  return true;
}

typedef struct reading {
  adam_on_progress on_progress; /* NULL = none */
  void *user;
  uint64_t done, total; /* bytes */
} reading;

static adam_status digest_of_file(const char *path, reading *progress, char out[65], adam_error *error) {
  enum { STEP_BYTES = 8 << 20 };
  am_file_map map = {0};
  uint8_t raw[32];
  am_sha256 *sha = NULL;
  adam_status status = am_file_map_open(path, &map, error);
  if (status) return status;
  sha = am_sha256_open();
  bool good = sha != NULL;
  for (size_t at = 0; at < map.size && good; at += STEP_BYTES) {
    size_t n = map.size - at < STEP_BYTES ? map.size - at : STEP_BYTES;
    good = am_sha256_update(sha, map.bytes + at, n);
    progress->done += n;
    if (good && progress->on_progress &&
        progress->on_progress(progress->user, progress->done, progress->total)) {
      status = am_fail(error, ADAM_CANCELLED, path, NULL, "the digest was cancelled");
      break;
    }
  }
  if (!status && !(good && am_sha256_final(sha, raw))) status = am_fail_memory(error, path);
  for (size_t i = 0; !status && i < sizeof raw; i++) snprintf(out + 2 * i, 3, "%02x", raw[i]);
  am_sha256_close(&sha);
  am_file_map_close(&map);
  return status;
}

static int by_name(const void *a, const void *b) {
  const char *const *left = a, *const *right = b;
  return strcmp(am_path_basename(*left), am_path_basename(*right));
}

adam_status am_engine_digest(const am_engine *engine, bool by_name_only, adam_on_progress on_progress,
                             void *user, char out[65], adam_error *error) {
  const am_loader *loader = engine->loader;
  size_t n = am_loader_n_files(loader);
  reading progress = {.on_progress = on_progress, .user = user};
  char one[65];
  am_buf list = {0};
  if (n == 0)
    return am_fail(error, ADAM_INVALID, am_loader_path(loader), NULL, "it was opened without its weights");
  const char **files = am_mem_zalloc(n, sizeof *files);
  if (!files) return am_fail_memory(error, am_loader_path(loader));
  adam_status status = ADAM_OK;
  for (size_t i = 0; i < n; i++) {
    uint64_t bytes = 0;
    files[i] = am_loader_file_at(loader, i);
    if (!digest_by_name(files[i], one) && am_file_size(files[i], &bytes)) progress.total += bytes;
  }
  qsort(files, n, sizeof *files, by_name);
  for (size_t i = 0; i < n && !status; i++) {
    if (!digest_by_name(files[i], one))
      status = by_name_only
                   ? am_fail(error, ADAM_NOT_FOUND, files[i], NULL, "its name does not tell its digest")
                   : digest_of_file(files[i], &progress, one, error);
    if (!status) am_buf_printf(&list, "%s  %s\n", one, am_path_basename(files[i]));
  }
  if (!status && (list.failed || (n > 1 && !am_sha256_hex(list.data, list.len, one))))
    status = am_fail_memory(error, am_loader_path(loader));
  if (!status) memcpy(out, one, sizeof one);
  am_mem_free(files);
  am_buf_close(&list);
  return status;
}
