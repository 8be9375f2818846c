/* SPDX-License-Identifier: Apache-2.0 */
#include "share/converted.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/mem.h"
#include "convert/convert.h"
#include "formats/gguf.h"
#include "hub/folder.h"
#include "loader/loader.h"
#include "os/dirs.h"
#include "os/file.h"
#include "quant/quant.h"

/* Counted up when a newer adam would write other bytes from the same source. */
static const char form[] = "1";

/* The files that a conversion reads, by name. */
static bool is_source(const char *name) {
  static const char *const endings[] = {".safetensors", ".json", ".jinja", ".model", ".txt", ".gguf"};
  for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
    if (am_hub_ends_with(name, endings[i])) return *name != '.' && strcmp(name, "README.txt") != 0;
  return false;
}

typedef struct keying {
  const char *folder;
  am_journal *journal;
  am_work *work;
  bool believe_names;
  am_buf text; /* "DIGEST  NAME\n" of each file */
  adam_status status;
  adam_error *error;
} keying;

static bool add_file(void *user, const char *name) {
  keying *k = user;
  char digest[65];
  if (!is_source(name)) return false;
  char *path = k->folder ? am_path_join(k->folder, name) : am_mem_dup(name, strlen(name));
  if (!path) k->status = am_fail_memory(k->error, name);
  if (path && am_file_is_regular(path)) {
    k->status = am_share_digest(path, k->believe_names, k->journal, k->work, digest, k->error);
    if (!k->status && !k->believe_names) am_share_remember(k->journal, path, digest);
    if (!k->status && !am_buf_printf(&k->text, "%s  %s\n", digest, am_path_basename(name)))
      k->status = am_fail_memory(k->error, name);
  }
  am_mem_free(path);
  return k->status != ADAM_OK;
}

/* SHA-256 over the digests of what the model is made of. */
static adam_status key_of(const am_share_request *request, am_journal *journal, char key[65], adam_error *error) {
  keying k = {.journal = journal, .work = request->work, .believe_names = request->dry_run, .error = error};
  char *folder = NULL;
  adam_status status = ADAM_OK;
  if (am_hub_ends_with(request->path, ".gguf") && am_file_is_regular(request->path)) {
    am_gguf *file = NULL;
    status = am_gguf_open(request->path, &file, error);
    for (size_t i = 0; !status && i < am_gguf_n_parts(file) && !k.status; i++) add_file(&k, am_gguf_part_name(file, i));
    am_gguf_close(&file);
  } else {
    folder = am_file_is_dir(request->path) ? am_mem_dup(request->path, strlen(request->path))
                                           : am_path_dirname(request->path);
    k.folder = folder;
    status = folder ? am_dir_list(folder, add_file, &k, error) : am_fail_memory(error, request->path);
  }
  if (!status) status = k.status;
  if (!status && (!am_buf_printf(&k.text, "form %s\n", form) || !am_sha256_hex(k.text.data, k.text.len, key)))
    status = am_fail_memory(error, request->path);
  am_buf_close(&k.text);
  am_mem_free(folder);
  return status;
}

/* Whether the file can be taken as it is: one GGUF of the type that is asked for. */
static adam_status is_ready(const am_share_request *request, const am_quant_type *type, bool *ready,
                            adam_error *error) {
  am_gguf *file = NULL;
  *ready = false;
  if (!am_file_is_regular(request->path) || am_hub_ends_with(request->path, ".safetensors")) return ADAM_OK;
  adam_status status = am_gguf_open(request->path, &file, error);
  if (!status)
    *ready = am_gguf_n_parts(file) == 1 &&
             (!type || am_gguf_int(file, "general.file_type", -1) == (int64_t)type->file_type);
  am_gguf_close(&file);
  return status;
}

typedef struct converting {
  am_work *work;
} converting;

static bool on_bytes(void *user, uint64_t done, uint64_t total) {
  const converting *c = user;
  if (!c->work || !c->work->on_progress) return false;
  return c->work->on_progress(c->work->user, "converting", "", done, total);
}

static adam_status convert(const am_share_request *request, const am_share_gguf *gguf, bool plan_only,
                           am_convert_report *report, adam_error *error) {
  converting c = {request->work};
  const am_convert_options options = {.type = gguf->type,
                                      .name = request->title,
                                      .plan_only = plan_only,
                                      .on_progress = on_bytes,
                                      .user = &c};
  return am_convert(request->path, gguf->path, &options, report, error);
}

adam_status am_share_gguf_find(const am_share_request *request, am_journal *journal, am_share_gguf *out,
                               adam_error *error) {
  am_quant_type recipe;
  const am_quant_type *type = NULL;
  bool ready = false;
  *out = (am_share_gguf){0};
  if (request->quantization && strcmp(request->quantization, "none") != 0) {
    if (!am_quant_find(request->quantization, &recipe))
      return am_fail(error, ADAM_INVALID, request->quantization, "such as q4_k_m, q8_0, f16", "no such quantization");
    type = &recipe;
    out->type = type->name;
  }
  adam_status status = is_ready(request, type, &ready, error);
  if (!status && !ready) status = key_of(request, journal, out->key, error);
  char *folder = status ? NULL : am_places_converted();
  am_buf path = {0};
  if (!status && (!folder || (ready ? !am_buf_append_str(&path, request->path)
                                    : !am_buf_printf(&path, "%s/%s-%s.gguf", folder, out->key, type ? type->name : "stored"))))
    status = am_fail_memory(error, request->path);
  if (!status) out->path = am_buf_take(&path);
  am_mem_free(folder);
  am_buf_close(&path);
  if (status) return status;
  out->is_there = am_file_is_regular(out->path) && am_file_size(out->path, &out->bytes);
  if (out->is_there) return ADAM_OK;
  am_convert_report report = {0};
  status = convert(request, out, true, &report, error);
  for (uint32_t i = 0; i < report.n_notices && request->on_notice && !status; i++)
    request->on_notice(request->user, "converted", false, report.notices[i]);
  out->bytes = report.bytes;
  return status;
}

/* Under a lock of its own: a conversion takes minutes, and two processes that want the same one make it once. */
adam_status am_share_gguf_make(const am_share_request *request, am_journal *journal, am_share_gguf *gguf, bool *made,
                               adam_error *error) {
  am_buf name = {0}, origin = {0};
  am_lock *lock = NULL;
  am_convert_report report = {0};
  char *data = am_dirs_data(), *folder = am_path_dirname(gguf->path), digest[65];
  adam_status status = ADAM_OK;
  *made = false;
  if (!data || !folder || !am_buf_printf(&name, "%s/convert-%.16s.lock", data, gguf->key))
    status = am_fail_memory(error, gguf->path);
  if (!status) status = am_dir_make(folder, error);
  if (!status) status = am_lock_open(name.data, AM_LOCK_FOREVER, NULL, NULL, &lock, error);
  if (!status && !am_file_is_regular(gguf->path)) {
    status = convert(request, gguf, false, &report, error);
    *made = !status;
  }
  if (!status && !am_file_size(gguf->path, &gguf->bytes))
    status = am_fail(error, ADAM_NOT_FOUND, gguf->path, "try again", "it is gone");
  if (!status) status = am_share_digest(gguf->path, false, journal, request->work, digest, error);
  if (!status && am_buf_printf(&origin, "converted %s%s%s", request->display, gguf->type ? " " : "",
                               gguf->type ? gguf->type : ""))
    am_share_note(journal, gguf->path, digest, AM_PLACE_CONVERTED, request->display, origin.data);
  gguf->is_there = !status;
  am_lock_close(&lock);
  am_buf_close(&origin);
  am_buf_close(&name);
  am_mem_free(folder);
  am_mem_free(data);
  return status;
}

void am_share_gguf_close(am_share_gguf *gguf) {
  am_mem_free(gguf->path);
  *gguf = (am_share_gguf){0};
}
