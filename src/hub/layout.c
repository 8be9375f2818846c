/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/layout.h"

#include "base/buf.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/rng.h"
#include "os/file.h"
#include "os/link.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char cachedir_tag[] = "Signature: 8a477f597d28d172789f06886806bc55\n"
                                   "# This file is a cache directory tag created by adam.\n"
                                   "# For information about cache directory tags, see:\n"
                                   "#\thttps://bford.info/cachedir/\n";

static adam_status fail_system(const char *path, const char *doing, adam_error *error) {
  int number = errno;
  char bytes[128];
  bool full = number == ENOSPC || number == EDQUOT;
  return am_fail(error, ADAM_IO, path, full ? "free some space and call again: what came is kept" : NULL, "%s: %s",
                 doing, full ? "the disk is full" : strerror_r(number, bytes, sizeof bytes));
}

/* "models--ORG--NAME" behind `prefix`, owned. */
static char *folder_name(const char *prefix, const char *repository) {
  am_buf text = {0};
  am_buf_printf(&text, "%smodels--", prefix);
  for (const char *at = repository; *at; at++) {
    if (*at == '/')
      am_buf_append_str(&text, "--");
    else
      am_buf_append_char(&text, *at);
  }
  return am_buf_take(&text);
}

adam_status am_hub_layout_open(const char *cache, const char *repository, const char *commit, am_hub_layout *out,
                               adam_error *error) {
  am_hub_layout layout = {.cache = am_mem_dup(cache, strlen(cache))};
  char *name = folder_name("", repository), *locks = folder_name(".locks/", repository);
  layout.folder = name ? am_path_join(cache, name) : NULL;
  layout.locks = locks ? am_path_join(cache, locks) : NULL;
  snprintf(layout.commit, sizeof layout.commit, "%s", commit);
  am_mem_free(name);
  am_mem_free(locks);
  if (!layout.cache || !layout.folder || !layout.locks) {
    am_hub_layout_close(&layout);
    return am_fail_memory(error, repository);
  }
  *out = layout;
  return ADAM_OK;
}

void am_hub_layout_close(am_hub_layout *layout) {
  am_mem_free(layout->cache);
  am_mem_free(layout->folder);
  am_mem_free(layout->locks);
  *layout = (am_hub_layout){0};
}

static char *joined(const char *folder, const char *between, const char *name, const char *ending) {
  am_buf text = {0};
  am_buf_printf(&text, "%s%s%s%s", folder, between, name, ending);
  return am_buf_take(&text);
}

adam_status am_hub_layout_prepare(const am_hub_layout *layout, adam_error *error) {
  char *blobs = joined(layout->folder, "/blobs", "", "");
  char *tag = am_path_join(layout->cache, "CACHEDIR.TAG");
  adam_status status = blobs && tag ? am_dir_make(blobs, error) : am_fail_memory(error, layout->folder);
  struct stat facts;
  if (!status && lstat(tag, &facts) != 0) /* a courtesy to backup programs: its failure is none of the download */
    (void)am_file_write_atomic(tag, cachedir_tag, sizeof cachedir_tag - 1, 0666, NULL);
  am_mem_free(blobs);
  am_mem_free(tag);
  return status;
}

char *am_hub_layout_blob(const am_hub_layout *layout, const char *etag) {
  return joined(layout->folder, "/blobs/", etag, "");
}

char *am_hub_layout_lock(const am_hub_layout *layout, const char *etag) {
  return joined(layout->locks, "/", etag, ".lock");
}

char *am_hub_layout_snapshot(const am_hub_layout *layout, const char *path) {
  am_buf text = {0};
  am_buf_printf(&text, "%s/snapshots/%s%s%s", layout->folder, layout->commit, *path ? "/" : "", path);
  return am_buf_take(&text);
}

bool am_hub_layout_has(const am_hub_layout *layout, const char *path, const char *etag, uint64_t bytes) {
  char *file = am_hub_layout_snapshot(layout, path);
  char target[PATH_MAX];
  uint64_t size = 0;
  bool has = file && am_file_size(file, &size) && size == bytes;
  if (has) {
    ssize_t n = readlink(file, target, sizeof target - 1);
    target[n < 0 ? 0 : n] = 0;
    has = n < 0 || strcmp(am_path_basename(target), etag) == 0;
  }
  am_mem_free(file);
  return has;
}

/* "../../blobs/ETAG", one more ../ for each folder in path. */
static char *link_target(const char *path, const char *etag) {
  am_buf text = {0};
  am_buf_append_str(&text, "../../");
  for (const char *p = path; *p; p++)
    if (*p == '/') am_buf_append_str(&text, "../");
  am_buf_printf(&text, "blobs/%s", etag);
  return am_buf_take(&text);
}

/* A link; where there is something already, one under a name of its own, renamed over `file`. *none: the file
 * system has no links. */
static adam_status place_link(const char *file, const char *target, bool *none, adam_error *error) {
  am_buf temporary = {0};
  *none = false;
  if (symlink(target, file) == 0) return ADAM_OK;
  am_buf_printf(&temporary, "%s.%016llx.tmp", file, (unsigned long long)am_rng_system_seed());
  if (temporary.failed) return am_fail_memory(error, file);
  adam_status status = ADAM_OK;
  if (symlink(target, temporary.data) != 0) {
    *none = errno == EPERM || errno == EOPNOTSUPP || errno == ENOSYS || errno == EINVAL;
    if (!*none) status = fail_system(file, "cannot be linked", error);
  } else if (rename(temporary.data, file) != 0) {
    status = fail_system(file, "cannot be put in place", error);
    (void)unlink(temporary.data);
  }
  am_buf_close(&temporary);
  return status;
}

static adam_status make_parent(const char *file, adam_error *error) {
  char *folder = am_path_dirname(file);
  adam_status status = folder ? am_dir_make(folder, error) : am_fail_memory(error, file);
  am_mem_free(folder);
  return status;
}

adam_status am_hub_layout_place(const am_hub_layout *layout, const char *path, const char *etag,
                                am_hub_placing placing, adam_error *error) {
  char *file = am_hub_layout_snapshot(layout, path), *blob = am_hub_layout_blob(layout, etag);
  char *target = link_target(path, etag);
  adam_status status = file && blob && target ? make_parent(file, error) : am_fail_memory(error, path);
  bool itself = placing == AM_HUB_COPY || placing == AM_HUB_MOVE;
  bool move = placing == AM_HUB_MOVE || placing == AM_HUB_LINK_OR_MOVE;
  if (!status && !itself) status = place_link(file, target, &itself, error);
  if (!status && itself && move && rename(blob, file) != 0)
    status = fail_system(file, "cannot be put in place", error);
  if (!status && itself && !move) {
    am_link_method method;
    uint64_t added;
    status = am_link_file(blob, file, true, true, &method, &added, error);
  }
  am_mem_free(file);
  am_mem_free(blob);
  am_mem_free(target);
  return status;
}

adam_status am_hub_layout_ref(const am_hub_layout *layout, const char *revision, adam_error *error) {
  if (strcmp(revision, layout->commit) == 0) return ADAM_OK;
  char *ref = joined(layout->folder, "/refs/", revision, "");
  if (!ref) return am_fail_memory(error, revision);
  am_buf now = {0};
  adam_status status = ADAM_OK;
  bool same = am_file_is_regular(ref) && am_file_read(ref, 4096, &now, NULL) == ADAM_OK && now.len == 40 &&
              memcmp(now.data, layout->commit, 40) == 0;
  if (!same) status = make_parent(ref, error);
  if (!same && !status) status = am_file_write_atomic(ref, layout->commit, 40, 0666, error);
  am_buf_close(&now);
  am_mem_free(ref);
  return status;
}

adam_status am_hub_layout_absent(const am_hub_layout *layout, const char *path, adam_error *error) {
  am_buf text = {0};
  am_buf_printf(&text, "%s/.no_exist/%s/%s", layout->folder, layout->commit, path);
  char *file = am_buf_take(&text);
  if (!file) return am_fail_memory(error, path);
  adam_status status = am_file_is_regular(file) ? ADAM_OK : make_parent(file, error);
  if (!status && !am_file_is_regular(file)) {
    int fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (fd < 0) status = fail_system(file, "cannot be written", error);
    if (fd >= 0) close(fd);
  }
  am_mem_free(file);
  return status;
}
