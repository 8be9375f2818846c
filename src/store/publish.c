/* SPDX-License-Identifier: Apache-2.0 */
#include "store/state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/clock.h"
#include "os/file.h"

/* After the manifest is there: a server that had listed blobs/ and read the manifests before it can still remove a
 * blob, in the middle of whatever else it removes. So the blobs are watched until nothing has gone from blobs/ this
 * often. */
enum { WATCH_MS = 20, WATCH_QUIET = 5, WATCH_LIMIT = 1000 };

int am_store_lock(const am_store *store) {
  int fd = open(store->manifests, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return -1;
  while (flock(fd, LOCK_EX) != 0)
    if (errno != EINTR) break;
  return fd;
}

void am_store_unlock(int lock) {
  if (lock >= 0) (void)close(lock);
}

static void flush_folder(const char *path) {
  int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;
  (void)fsync(fd);
  (void)close(fd);
}

/* HOST/NAMESPACE/MODEL below manifests/, each with the mode and owner of the one above it. */
static adam_status make_folders(const am_store *store, const char *folder, adam_error *error) {
  char *path = am_mem_dup(folder, strlen(folder));
  if (!path) return am_fail_memory(error, folder);
  adam_status status = ADAM_OK;
  struct stat above;
  mode_t mode = stat(store->manifests, &above) == 0 ? (above.st_mode & 0777) | 0700 : 0755;
  if (mkdir(store->manifests, mode) == 0) am_store_adopt(store, store->manifests); /* pruned: it was empty */
  for (char *at = path + strlen(store->manifests); at && !status;) {
    char *slash = strchr(at + 1, '/');
    if (slash) *slash = 0;
    if (mkdir(path, mode) == 0) {
      (void)chmod(path, mode);
      am_store_adopt(store, path);
    } else if (errno != EEXIST || !am_file_is_dir(path)) {
      status = am_store_fail_errno(error, path, "the folder cannot be made");
    }
    if (slash) *slash = '/';
    at = slash;
  }
  am_mem_free(path);
  return status;
}

/* rename(2) of the finished manifest to its name; a server that starts removes empty folders, also the new ones. */
static adam_status place(const am_store *store, const char *temporary, const char *path, const char *folder,
                         adam_error *error) {
  for (int attempt = 0; attempt < 20; attempt++) {
    adam_status status = make_folders(store, folder, error);
    if (status && status != ADAM_NOT_FOUND) return status;
    if (!status && rename(temporary, path) == 0) return ADAM_OK;
    if (!status && errno != ENOENT) break;
  }
  return am_store_fail_errno(error, path, "cannot be written");
}

/* The manifest under a temporary name on the file system of manifests/, never four levels deep. */
static adam_status write_temporary(am_store *store, const char *text, size_t n_bytes, char **temporary,
                                   adam_error *error) {
  struct stat stage, manifests;
  bool same = stat(store->stage, &stage) == 0 && stat(store->manifests, &manifests) == 0 &&
              stage.st_dev == manifests.st_dev;
  char *path = same ? am_path_join(store->stage, "manifest") : am_path_join(store->manifests, ".adam-manifest.tmp");
  if (!path) return am_fail_memory(error, store->root);
  adam_status status = am_file_write_atomic(path, text, n_bytes, 0644, error);
  if (!status) {
    (void)chmod(path, 0644);
    am_store_adopt(store, path);
    *temporary = path;
  } else {
    am_mem_free(path);
  }
  return status;
}

static bool count(void *user, const char *name) {
  (void)name;
  ++*(size_t *)user;
  return false;
}

static adam_status watch(am_store *store, const char *path, adam_error *error) {
  int quiet = 0;
  size_t n_before = 0;
  for (int round = 0; round < WATCH_LIMIT && quiet < WATCH_QUIET; round++) {
    size_t n_put = 0, n = 0;
    (void)am_dir_list(store->blobs, count, &n, NULL);
    adam_status status = am_stage_put(store, &n_put, error);
    if (status) return status;
    if (!am_file_is_regular(path)) /* removed by someone: then the blobs are theirs to remove too */
      return am_fail(error, ADAM_FAILED, path, "try again", "the new manifest was removed by another program");
    quiet = n_put || n < n_before ? 0 : quiet + 1;
    n_before = n;
    am_clock_sleep_ms(WATCH_MS);
  }
  if (quiet >= WATCH_QUIET) return ADAM_OK;
  return am_fail(error, ADAM_FAILED, path, "stop the program that does, then try again",
                 "the model's blobs are removed again and again");
}

adam_status am_store_publish_text(am_store *store, const am_store_name *name, const char *text, size_t n_bytes,
                                  adam_error *error) {
  char below[AM_STORE_NAME_BYTES];
  am_store_name_path(name, below);
  char *temporary = NULL, *path = am_path_join(store->manifests, below);
  char *folder = path ? am_path_dirname(path) : NULL;
  adam_status status = folder ? am_stage_need(store, error) : am_fail_memory(error, below);
  if (!status) status = write_temporary(store, text, n_bytes, &temporary, error);
  if (!status) status = make_folders(store, folder, error);
  if (status == ADAM_NOT_FOUND) status = ADAM_OK; /* pruned in the middle: place makes them again */
  if (!status) {
    flush_folder(store->stage);
    status = am_stage_put(store, NULL, error);
  }
  if (!status) status = place(store, temporary, path, folder, error);
  if (!status) {
    flush_folder(store->blobs);
    flush_folder(folder);
    status = watch(store, path, error);
  } else if (temporary) {
    (void)unlink(temporary);
  }
  am_mem_free(temporary);
  am_mem_free(folder);
  am_mem_free(path);
  return status;
}

static adam_status write_descriptor(const am_store *store, am_buf *text, const char *media, const char *kind,
                                    const char *digest, const char *from, adam_error *error) {
  const am_stage_blob *blob = am_stage_find(store, digest);
  if (!blob) return am_fail(error, ADAM_INVALID, digest, NULL, "a layer that was not added to the store");
  am_buf_printf(text, "{\"mediaType\":\"%s%s\",\"digest\":\"sha256:%s\",\"size\":%llu", media, kind, digest,
                (unsigned long long)blob->bytes);
  if (from) {
    am_buf_append_str(text, ",\"from\":");
    am_json_write_string(text, from, strlen(from));
  }
  am_buf_append_char(text, '}');
  return text->failed ? am_fail_memory(error, "manifest") : ADAM_OK;
}

static adam_status write_manifest(am_store *store, const char *config, const am_store_piece *pieces, size_t n_pieces,
                                  am_buf *text, adam_error *error) {
  am_buf_append_str(text, "{\"schemaVersion\":2,\"mediaType\":\"application/vnd.docker.distribution.manifest.v2+json\","
                          "\"config\":");
  adam_status status = write_descriptor(store, text, "application/vnd.docker.container.image.v1+json", "", config,
                                        NULL, error);
  am_buf_append_str(text, ",\"layers\":[");
  for (size_t i = 0; i < n_pieces && !status; i++) {
    if (i > 0) am_buf_append_char(text, ',');
    status = am_stage_keep(store, pieces[i].digest, error);
    if (!status)
      status = write_descriptor(store, text, "application/vnd.ollama.image.", pieces[i].kind, pieces[i].digest,
                                pieces[i].from, error);
  }
  am_buf_append_str(text, "]}");
  if (!status && text->failed) status = am_fail_memory(error, "manifest");
  return status;
}

adam_status am_store_publish(am_store *store, const am_store_name *name, const char *config_json,
                             const am_store_piece *pieces, size_t n_pieces, bool replace, adam_error *error) {
  am_store_model *old = NULL;
  am_store_name stored = *name;
  char *there = NULL, config[65];
  am_buf text = {0};
  adam_error ignored;
  adam_status status = am_store_writable(store, error);
  if (status) return status;
  int lock = am_store_lock(store);
  status = am_store_locate(store, name, &stored, &there, &ignored);
  if (!status && !replace) {
    char shown[AM_STORE_NAME_BYTES];
    am_store_name_print(&stored, shown);
    status = am_fail(error, ADAM_INVALID, shown, "choose another name", "a model of this name is there already");
  } else if (status == ADAM_NOT_FOUND) {
    status = ADAM_OK;
  } else if (status && error) {
    *error = ignored;
  }
  if (!status && there) (void)am_store_model_open(store, &stored, &old, NULL);
  if (!status) status = am_stage_recover(store, error);
  if (!status) status = am_store_add_bytes(store, config_json, strlen(config_json), config, NULL, error);
  if (!status) status = write_manifest(store, config, pieces, n_pieces, &text, error);
  if (!status) status = am_store_publish_text(store, &stored, text.data, text.len, error);
  if (!status) am_stage_drop(store);
  bool kept;
  if (!status && old) (void)am_store_sweep(store, old, NULL, &kept, NULL); /* the new model is there all the same */
  am_store_unlock(lock);
  am_store_model_close(&old);
  am_buf_close(&text);
  am_mem_free(there);
  return status;
}
