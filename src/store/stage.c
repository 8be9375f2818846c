/* SPDX-License-Identifier: Apache-2.0 */
/* A stage is a folder of names "sha256-HEX" (new) and "kept-HEX" (already in blobs/), held by a lock on the folder;
 * one without a holder was left by a killed writer. It lies in ROOT, or in blobs/ where that is another disk. */
#include "store/state.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/mem.h"
#include "base/rng.h"
#include "os/file.h"

static const char stage_prefix[] = ".adam-stage-";

void am_store_adopt(const am_store *store, const char *path) {
  if (geteuid() == 0 && store->owner != 0) (void)lchown(path, store->owner, store->group);
}

/* Where stages of this store lie. */
static const char *stage_parent(const am_store *store) {
  struct stat root, blobs;
  bool same = stat(store->root, &root) != 0 || stat(store->blobs, &blobs) != 0 || root.st_dev == blobs.st_dev;
  return same ? store->root : store->blobs;
}

static int open_stage(const char *path) {
  int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  struct stat facts;
  if (fd < 0) return -1;
  if (flock(fd, LOCK_EX | LOCK_NB) == 0 || errno == ENOTSUP || errno == ENOLCK) {
    if (fstat(fd, &facts) == 0 && facts.st_nlink > 0) return fd;
  }
  (void)close(fd);
  return -1;
}

adam_status am_stage_need(am_store *store, adam_error *error) {
  if (store->stage) return ADAM_OK;
  adam_status status = am_store_writable(store, error);
  for (int attempt = 0; !status && attempt < 8; attempt++) {
    am_buf path = {0};
    am_buf_printf(&path, "%s/%s%016" PRIx64, stage_parent(store), stage_prefix, am_rng_system_seed());
    char *name = am_buf_take(&path);
    if (!name) return am_fail_memory(error, store->root);
    if (mkdir(name, 0755) != 0) {
      status = am_store_fail_errno(error, name, "the folder cannot be made");
    } else if ((store->stage_fd = open_stage(name)) >= 0) {
      am_store_adopt(store, name);
      store->stage = name;
      return ADAM_OK;
    } /* else: another writer took the empty folder for a dead one's */
    am_mem_free(name);
  }
  return status ? status : am_fail(error, ADAM_IO, store->root, NULL, "no folder for new blobs can be had");
}

const am_stage_blob *am_stage_find(const am_store *store, const char digest[65]) {
  for (size_t i = 0; i < store->n_staged; i++)
    if (!strcmp(store->staged[i].digest, digest)) return &store->staged[i];
  return NULL;
}

static char *staged_path(const am_store *store, const char *digest, bool is_new) {
  am_buf path = {0};
  am_buf_printf(&path, "%s/%s-%.64s", store->stage, is_new ? "sha256" : "kept", digest);
  return am_buf_take(&path);
}

/* Takes source. */
static adam_status record(am_store *store, const char *digest, uint64_t bytes, bool is_new, char *source,
                          adam_error *error) {
  am_stage_blob *all = am_mem_resize(store->staged, store->n_staged + 1, sizeof *all);
  if (!all) {
    am_mem_free(source);
    return am_fail_memory(error, "stage");
  }
  store->staged = all;
  am_stage_blob *blob = &all[store->n_staged++];
  *blob = (am_stage_blob){.bytes = bytes, .is_new = is_new, .source = source};
  memcpy(blob->digest, digest, 65);
  return ADAM_OK;
}

adam_status am_stage_keep(am_store *store, const char digest[65], adam_error *error) {
  uint64_t bytes;
  if (am_stage_find(store, digest)) return ADAM_OK;
  adam_status status = am_stage_need(store, error);
  if (status) return status;
  char *blob = am_store_blob_path(store, digest), *kept = staged_path(store, digest, false);
  if (!blob || !kept)
    status = am_fail_memory(error, digest);
  else if (!am_file_size(blob, &bytes))
    status = am_fail(error, ADAM_DAMAGED, blob, "pull or create the model again", "the blob is missing");
  else /* where no link can be had (another user's file) it is watched all the same */
    (void)am_link_file(blob, kept, true, false, NULL, NULL, NULL);
  am_mem_free(blob);
  am_mem_free(kept);
  return status ? status : record(store, digest, bytes, false, NULL, error);
}

static adam_status hash_file(const char *path, char hex[65], adam_error *error) {
  am_file_map map = {0};
  adam_status status = am_file_map_open(path, &map, error);
  if (!status && !am_sha256_hex(map.bytes, map.size, hex)) status = am_fail_memory(error, path);
  am_file_map_close(&map);
  return status;
}

/* Can the account that owns the store read what this path would give it? */
static adam_status check_readable(const am_store *store, const char *path, adam_error *error) {
  struct stat facts;
  if (stat(path, &facts) != 0) return am_store_fail_errno(error, path, "cannot be opened");
  if (store->owner == 0 || facts.st_uid == store->owner || facts.st_mode & S_IROTH) return ADAM_OK;
  if (facts.st_gid == store->group && facts.st_mode & S_IRGRP) return ADAM_OK;
  am_buf hint = {0};
  am_buf_printf(&hint, "chmod a+r '%s'", path);
  am_fail(error, ADAM_IO, path, hint.data,
          "its mode %03o keeps it from the account that owns the Ollama store", (unsigned)facts.st_mode & 0777);
  am_buf_close(&hint);
  return ADAM_IO;
}

/* A new file of the store: readable for all, its server's own. */
static void settle(const am_store *store, const char *path) {
  (void)chmod(path, 0644);
  am_store_adopt(store, path);
}

static adam_status stage_file(am_store *store, const char *path, const char *digest, const char *staged,
                              am_link_method *method, uint64_t *added, adam_error *error) {
  char found[65];
  adam_status status = am_link_file(path, staged, true, true, method, added, error);
  if (status) return status;
  if (*method == AM_LINK_HARD || *method == AM_LINK_SAME) {
    status = check_readable(store, path, error);
  } else {
    settle(store, staged);
    status = hash_file(staged, found, error);
    if (!status && strcmp(found, digest) != 0)
      status = am_fail(error, ADAM_DAMAGED, path, "download it again", "its SHA-256 is %s, not %s", found, digest);
  }
  if (status) (void)unlink(staged);
  return status;
}

adam_status am_store_add_file(am_store *store, const char *path, const char digest[65], am_link_method *method,
                              uint64_t *bytes_added, adam_error *error) {
  char text[72], hex[65];
  uint64_t bytes, there, added = 0;
  am_link_method how = AM_LINK_SAME;
  (void)snprintf(text, sizeof text, "sha256:%.64s", digest);
  if (!am_store_digest_parse(text, hex) || strcmp(hex, digest) != 0)
    return am_fail(error, ADAM_INVALID, path, NULL, "a digest is 64 lower-case hexadecimal digits");
  if (!am_file_size(path, &bytes)) return am_fail(error, ADAM_NOT_FOUND, path, NULL, "no regular file");
  const am_stage_blob *staged = am_stage_find(store, digest);
  adam_status status = ADAM_OK;
  if (!staged && am_store_has_blob(store, digest, &there) && there == bytes) {
    status = am_stage_keep(store, digest, error);
  } else if (!staged) {
    status = am_stage_need(store, error);
    char *name = status ? NULL : staged_path(store, digest, true);
    char *source = am_mem_dup(path, strlen(path));
    if (!status && (!name || !source)) status = am_fail_memory(error, path);
    if (!status) status = stage_file(store, path, digest, name, &how, &added, error);
    if (!status) status = record(store, digest, bytes, true, source, error), source = NULL;
    am_mem_free(source);
    am_mem_free(name);
  }
  if (!status && method) *method = how;
  if (!status && bytes_added) *bytes_added = added;
  return status;
}

/* Is what blobs/ has under this name these very bytes? */
static bool blob_is(const am_store *store, const char *digest, size_t n_bytes) {
  uint64_t there;
  char found[65];
  if (!am_store_has_blob(store, digest, &there) || there != n_bytes) return false;
  char *path = am_store_blob_path(store, digest);
  bool same = path && !hash_file(path, found, NULL) && !strcmp(found, digest);
  am_mem_free(path);
  return same;
}

adam_status am_store_add_bytes(am_store *store, const void *bytes, size_t n_bytes, char digest[65],
                               uint64_t *bytes_added, adam_error *error) {
  char hex[65];
  uint64_t added = 0;
  if (!am_sha256_hex(bytes, n_bytes, hex)) return am_fail_memory(error, "blob");
  adam_status status = ADAM_OK;
  if (!am_stage_find(store, hex)) {
    if (blob_is(store, hex, n_bytes)) {
      status = am_stage_keep(store, hex, error);
    } else {
      status = am_stage_need(store, error);
      char *name = status ? NULL : staged_path(store, hex, true);
      if (!status && !name) status = am_fail_memory(error, "blob");
      if (!status) status = am_file_write_atomic(name, bytes, n_bytes, 0644, error);
      if (!status) settle(store, name);
      if (!status) status = record(store, hex, n_bytes, true, NULL, error);
      added = n_bytes;
      am_mem_free(name);
    }
  }
  if (status) return status;
  if (digest) memcpy(digest, hex, 65);
  if (bytes_added) *bytes_added = added;
  return ADAM_OK;
}

/* Gives one staged file its name in blobs/. The staged name stays where the file system has links. */
static adam_status put_one(const am_store *store, const am_stage_blob *blob, bool *was_there, adam_error *error) {
  uint64_t bytes;
  char *to = am_store_blob_path(store, blob->digest), *from = staged_path(store, blob->digest, blob->is_new);
  adam_status status = ADAM_OK;
  *was_there = to && am_file_size(to, &bytes) && (bytes == blob->bytes || !blob->is_new);
  if (!to || !from) {
    status = am_fail_memory(error, "blob");
  } else if (!*was_there && link(from, to) != 0) {
    bool no_links = errno == EPERM || errno == EMLINK || errno == ENOTSUP || errno == EOPNOTSUPP;
    if (errno == EEXIST) { /* a blob of the wrong size, or a link that leads nowhere */
      status = am_link_file(from, to, true, false, NULL, NULL, error);
    } else if (errno == ENOENT && blob->source) {
      status = am_link_file(blob->source, to, true, true, NULL, NULL, error);
    } else if (!no_links || rename(from, to) != 0) {
      status = am_store_fail_errno(error, to, "cannot be written");
    }
  }
  am_mem_free(to);
  am_mem_free(from);
  return status;
}

adam_status am_stage_put(am_store *store, size_t *n_put, adam_error *error) {
  adam_status status = ADAM_OK;
  for (size_t i = 0; i < store->n_staged && !status; i++) {
    bool was_there;
    status = put_one(store, &store->staged[i], &was_there, error);
    if (!status && !was_there && n_put) ++*n_put;
  }
  return status;
}

/* Removes what a stage may hold, and nothing else. */
static bool empty_one(void *user, const char *name) {
  bool ours = !strncmp(name, "sha256-", 7) || !strncmp(name, "kept-", 5) || !strncmp(name, ".adam-", 6) ||
              !strcmp(name, "manifest");
  if (ours) (void)unlinkat(*(const int *)user, name, 0);
  return false;
}

void am_stage_drop(am_store *store) {
  if (store->stage) {
    (void)am_dir_list(store->stage, empty_one, &store->stage_fd, NULL);
    (void)rmdir(store->stage);
    (void)close(store->stage_fd);
    store->stage_fd = -1;
    am_mem_free(store->stage);
    store->stage = NULL;
  }
  for (size_t i = 0; i < store->n_staged; i++) am_mem_free(store->staged[i].source);
  am_mem_free(store->staged);
  store->staged = NULL;
  store->n_staged = 0;
}

typedef struct recovery {
  am_store *store;
  const char *parent;
  am_store_used *used;
  int fd; /* of the stage */
  bool failed;
} recovery;

/* A blob of a dead writer: back to its place where a manifest wants it, else away again where it was new. */
static bool recover_blob(void *user, const char *name) {
  recovery *r = user;
  char text[80], digest[65];
  bool is_new = !strncmp(name, "sha256-", 7);
  (void)snprintf(text, sizeof text, "sha256-%.70s", name + (is_new ? 7 : 5));
  if ((!is_new && strncmp(name, "kept-", 5) != 0) || !am_store_digest_parse(text, digest)) return false;
  char *blob = am_store_blob_path(r->store, digest);
  struct stat there, staged;
  uint64_t uses = 0;
  r->failed = !blob;
  if (r->failed) return true;
  bool is_used = am_map_get(&r->used->digests, digest, 64, &uses);
  bool has = lstat(blob, &there) == 0;
  bool is_file = fstatat(r->fd, name, &staged, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(staged.st_mode);
  if (is_file && is_used && !has) (void)linkat(r->fd, name, AT_FDCWD, blob, 0);
  if (is_file && !is_used && has && is_new && r->used->n_unreadable == 0 && there.st_ino == staged.st_ino &&
      there.st_dev == staged.st_dev)
    (void)unlink(blob);
  am_mem_free(blob);
  return false;
}

static bool recover_stage(void *user, const char *name) {
  recovery *r = user;
  if (strncmp(name, stage_prefix, sizeof stage_prefix - 1) != 0) return false;
  char *path = am_path_join(r->parent, name);
  r->failed = !path;
  r->fd = path ? open_stage(path) : -1;
  if (r->fd >= 0) {
    adam_status status = am_dir_list(path, recover_blob, r, NULL);
    if (!status && !r->failed) {
      (void)am_dir_list(path, empty_one, &r->fd, NULL);
      (void)rmdir(path);
    }
    (void)close(r->fd);
  }
  am_mem_free(path);
  return r->failed;
}

static bool has_stage(void *user, const char *name) {
  if (strncmp(name, stage_prefix, sizeof stage_prefix - 1) != 0) return false;
  ++*(size_t *)user;
  return true;
}

bool am_stage_any(const am_store *store) {
  size_t n = 0;
  return am_dir_list(stage_parent(store), has_stage, &n, NULL) == ADAM_OK && n > 0;
}

/* Under the lock, so that no manifest of ours appears between the look at them and the removing. */
adam_status am_stage_recover(am_store *store, adam_error *error) {
  const char *parent = stage_parent(store);
  size_t own = store->stage != NULL, n = 0;
  am_store_used used;
  adam_error ignored;
  if (!own && (am_dir_list(parent, has_stage, &n, &ignored) || n == 0)) return ADAM_OK;
  adam_status status = am_store_used_open(store, NULL, &used, error);
  if (status) return status;
  recovery r = {.store = store, .parent = parent, .used = &used, .fd = -1};
  (void)am_dir_list(parent, recover_stage, &r, &ignored);
  am_store_used_close(&used);
  return r.failed ? am_fail_memory(error, store->root) : ADAM_OK;
}
