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
    k->status = am_share_digest(path, k->journal, k->work, digest, k->error);
    if (!k->status) am_share_note(k->journal, path, digest, AM_PLACE_HUGGINGFACE, NULL, NULL);
    if (!k->status && !am_buf_printf(&k->text, "%s  %s\n", digest, am_path_basename(name)))
      k->status = am_fail_memory(k->error, name);
  }
  am_mem_free(path);
  return k->status != ADAM_OK;
}

/* SHA-256 over the digests of what the model is made of. */
static adam_status key_of(const am_share_request *request, am_journal *journal, char key[65], adam_error *error) {
  keying k = {.journal = journal, .work = request->work, .error = error};
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

static adam_status make(const am_share_request *request, const am_quant_type *type, const char *target,
                        am_share_outcome *out, adam_error *error) {
  converting c = {request->work};
  const char *base = strrchr(request->display, '/');
  am_convert_options options = {.type = type ? type->name : NULL,
                                .cache_dir = NULL,
                                .name = base ? base + 1 : request->display,
                                .on_progress = on_bytes,
                                .user = &c};
  am_convert_report report = {0};
  adam_status status = am_convert(request->path, target, &options, &report, error);
  if (status) return status;
  for (uint32_t i = 0; i < report.n_notices && request->on_notice; i++)
    request->on_notice(request->user, "converted", false, report.notices[i]);
  uint64_t bytes = 0;
  if (am_file_size(target, &bytes)) out->bytes_added += bytes;
  out->converted = true;
  return ADAM_OK;
}

/* Bytes of a conversion that is not made. */
static adam_status estimate(const am_share_request *request, const am_quant_type *type, am_share_outcome *out,
                            adam_error *error) {
  am_loader *loader = NULL;
  adam_status status = am_loader_open(request->path, AM_LOADER_NO_DATA, NULL, &loader, error);
  if (status) return status;
  uint64_t per_256 = 0; /* bytes of 256 elements */
  bool known = type && am_dtype_row_bytes(type->base, 256, &per_256);
  out->bytes_added = known ? am_loader_n_parameters(loader) / 256 * per_256 : am_loader_weights_bytes(loader);
  out->bytes_linked = out->bytes_added;
  out->converted = out->is_estimate = true;
  am_loader_close(&loader);
  return ADAM_OK;
}

/* Under a lock of its own: a conversion takes minutes, and two processes that want the same one make it once. */
static adam_status make_once(const am_share_request *request, const am_quant_type *type, const char *key,
                             const char *target, am_journal *journal, am_share_outcome *out, adam_error *error) {
  am_buf name = {0}, origin = {0};
  am_lock *lock = NULL;
  char *data = am_dirs_data(), digest[65];
  adam_status status = ADAM_OK;
  if (!data || !am_buf_printf(&name, "%s/convert-%.16s.lock", data, key)) status = am_fail_memory(error, target);
  if (!status) status = am_lock_open(name.data, AM_LOCK_FOREVER, NULL, NULL, &lock, error);
  if (!status && !am_file_is_regular(target)) {
    status = make(request, type, target, out, error);
    if (!status) status = am_share_digest(target, journal, request->work, digest, error);
    if (!status && am_buf_printf(&origin, "converted %s%s%s", request->display, type ? " " : "", type ? type->name : ""))
      am_share_note(journal, target, digest, AM_PLACE_CONVERTED, request->display, origin.data);
  }
  am_lock_close(&lock);
  am_buf_close(&origin);
  am_buf_close(&name);
  am_mem_free(data);
  return status;
}

adam_status am_share_converted(const am_share_request *request, am_journal *journal, char **gguf,
                               am_share_outcome *out, adam_error *error) {
  am_quant_type recipe;
  const am_quant_type *type = NULL;
  bool ready = false;
  char key[65];
  if (request->quantization && strcmp(request->quantization, "none") != 0) {
    if (!am_quant_find(request->quantization, &recipe))
      return am_fail(error, ADAM_INVALID, request->quantization, "such as q4_k_m, q8_0, f16", "no such quantization");
    type = &recipe;
  }
  adam_status status = is_ready(request, type, &ready, error);
  if (!status && ready) {
    *gguf = am_mem_dup(request->path, strlen(request->path));
    return *gguf ? ADAM_OK : am_fail_memory(error, request->path);
  }
  if (!status) status = key_of(request, journal, key, error);
  if (status) return status;
  char *folder = am_places_converted();
  am_buf target = {0};
  if (!folder || !am_buf_printf(&target, "%s/%s-%s.gguf", folder, key, type ? type->name : "stored"))
    status = am_fail_memory(error, request->path);
  bool there = !status && am_file_is_regular(target.data);
  if (!status && !there && request->dry_run) {
    status = estimate(request, type, out, error);
  } else if (!status) {
    if (!there) status = am_dir_make(folder, error);
    if (!status && !there) status = make_once(request, type, key, target.data, journal, out, error);
    if (!status && !(*gguf = am_buf_take(&target))) status = am_fail_memory(error, request->path);
  }
  am_buf_close(&target);
  am_mem_free(folder);
  return status;
}
