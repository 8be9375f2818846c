/* SPDX-License-Identifier: Apache-2.0 */
#include "os/link.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/rng.h"
#include "os/file.h"
#include "os/temp.h"

static atomic_uint forbidden;

void am_link_forbid(unsigned methods) { atomic_store(&forbidden, methods); }

static bool allowed(am_link_method method) { return !(atomic_load(&forbidden) & (1u << method)); }

const char *am_link_method_name(am_link_method method) {
  static const char *const names[] = {"same", "hard link", "reflink", "copy"};
  return names[method];
}

static adam_status fail_errno(adam_error *error, const char *path, const char *doing) {
  int number = errno;
  char bytes[128];
  const char *words = strerror_r(number, bytes, sizeof bytes);
  const char *hint = number == ENOSPC || number == EDQUOT ? "free some disk space" : NULL;
  bool missing = number == ENOENT || number == ENOTDIR;
  return am_fail(error, missing ? ADAM_NOT_FOUND : ADAM_IO, path, hint, "%s: %s", doing, words);
}

bool am_file_identity(const char *path, uint64_t *device, uint64_t *inode, uint64_t *n_links,
                      uint64_t *bytes) {
  struct stat facts;
  if (stat(path, &facts) != 0 || !S_ISREG(facts.st_mode)) return false;
  if (device) *device = (uint64_t)facts.st_dev;
  if (inode) *inode = (uint64_t)facts.st_ino;
  if (n_links) *n_links = (uint64_t)facts.st_nlink;
  if (bytes) *bytes = (uint64_t)facts.st_blocks * 512;
  return true;
}

/* One link under way. */
typedef struct linking {
  const char *source, *target;
  int source_fd, made_fd; /* the second holds the lock of a new file until it has its name; -1 = none */
  struct stat source_facts;
  char *temporary; /* owned; beside the target */
  adam_error *error;
} linking;

static char *temporary_name(const char *target) {
  char *folder = am_path_dirname(target);
  am_buf name = {0};
  if (folder) am_temp_sweep(folder);
  if (folder) am_buf_printf(&name, "%s/.adam-%016" PRIx64 ".tmp", folder, am_rng_system_seed());
  am_mem_free(folder);
  return am_buf_take(&name);
}

/* Of what the descriptor is open on, not of what the source's name may have become since. */
static bool hard_link_as(const linking *l, const char *name) {
  char self[64];
  (void)snprintf(self, sizeof self, "/proc/self/fd/%d", l->source_fd);
  return linkat(AT_FDCWD, self, AT_FDCWD, name, AT_SYMLINK_FOLLOW) == 0;
}

static bool hard_link(linking *l) {
  if (hard_link_as(l, l->temporary)) return true;
  char real[PATH_MAX];
  struct stat made;
  if (!realpath(l->source, real) || link(real, l->temporary) != 0) return false;
  if (lstat(l->temporary, &made) == 0 && made.st_ino == l->source_facts.st_ino &&
      made.st_dev == l->source_facts.st_dev)
    return true;
  (void)unlink(l->temporary);
  return false;
}

static int create(linking *l) {
  int fd = open(l->temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
  if (fd < 0) return fd;
  (void)am_temp_hold(fd);
  (void)fchmod(fd, 0644);
  return fd;
}

/* Flushes, and keeps it open until it has its name. */
static bool finish(linking *l, int fd) {
  if (fsync(fd) != 0) {
    (void)close(fd);
    return false;
  }
  l->made_fd = fd;
  return true;
}

static bool reflink(linking *l) {
  int fd = create(l);
  if (fd < 0) return false;
  bool fine = ioctl(fd, FICLONE, l->source_fd) == 0;
  if (!fine) (void)close(fd);
  if (fine && finish(l, fd)) return true;
  (void)unlink(l->temporary);
  return false;
}

static adam_status check_space(const linking *l) {
  struct statvfs disk;
  char *folder = am_path_dirname(l->target);
  if (!folder) return am_fail_memory(l->error, l->target);
  uint64_t need = (uint64_t)l->source_facts.st_size;
  bool fits = statvfs(folder, &disk) != 0 || (uint64_t)disk.f_bavail * disk.f_frsize >= need;
  am_mem_free(folder);
  if (fits) return ADAM_OK;
  return am_fail(l->error, ADAM_IO, l->target, "free some disk space",
                 "a copy needs %" PRIu64 " bytes, the disk has %" PRIu64, need,
                 (uint64_t)disk.f_bavail * disk.f_frsize);
}

static bool write_all(int fd, const char *bytes, size_t n_bytes) {
  while (n_bytes > 0) {
    ssize_t n = write(fd, bytes, n_bytes);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return false;
    bytes += n;
    n_bytes -= (size_t)n;
  }
  return true;
}

static bool copy_bytes(linking *l, int fd) {
  enum { CHUNK = 1 << 20 };
  char *chunk = am_mem_alloc(CHUNK);
  bool fine = chunk != NULL;
  for (off_t at = 0; fine;) {
    ssize_t n = pread(l->source_fd, chunk, CHUNK, at);
    if (n < 0 && errno == EINTR) continue;
    if (n == 0) break;
    fine = n > 0 && write_all(fd, chunk, (size_t)n);
    at += n;
  }
  if (!chunk) errno = ENOMEM;
  int number = errno;
  am_mem_free(chunk);
  errno = number;
  return fine;
}

static adam_status copy(linking *l) {
  adam_status status = check_space(l);
  if (status) return status;
  int fd = create(l);
  if (fd < 0) return fail_errno(l->error, l->target, "cannot be written");
  bool fine = copy_bytes(l, fd);
  int number = errno;
  if (!fine) {
    (void)close(fd);
    errno = number;
  }
  if (fine && finish(l, fd)) return ADAM_OK;
  status = fail_errno(l->error, l->target, "cannot be written");
  (void)unlink(l->temporary);
  return status;
}

static adam_status make(linking *l, bool may_copy, am_link_method *method, uint64_t *bytes_added) {
  *bytes_added = 0;
  *method = AM_LINK_HARD;
  errno = EXDEV;
  if (allowed(AM_LINK_HARD) && hard_link(l)) return ADAM_OK;
  if (errno == ENOENT || errno == EROFS || errno == ENOSPC)
    return fail_errno(l->error, l->target, "cannot be written");
  *method = AM_LINK_REFLINK;
  if (allowed(AM_LINK_REFLINK) && reflink(l)) return ADAM_OK;
  if (!may_copy || !allowed(AM_LINK_COPY))
    return am_fail(l->error, ADAM_UNSUPPORTED, l->target, "allow a copy",
                   "it cannot share the bytes of %s: another file system, or one without links", l->source);
  *method = AM_LINK_COPY;
  adam_status status = copy(l);
  if (!status) *bytes_added = (uint64_t)l->source_facts.st_size;
  return status;
}

static void flush_folder(const linking *l) {
  char *folder = am_path_dirname(l->target);
  int fd = folder ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
  if (fd >= 0) {
    (void)fsync(fd);
    (void)close(fd);
  }
  am_mem_free(folder);
}

/* Gives the finished file its name. A hard link's rename over another name of the same inode does nothing at all,
 * so the temporary name is removed in any case. */
static adam_status publish(const linking *l, bool replace) {
  bool fine = replace ? rename(l->temporary, l->target) == 0 : link(l->temporary, l->target) == 0;
  if (!fine && !replace && errno != EEXIST) /* a file system without links */
    fine = access(l->target, F_OK) != 0 && rename(l->temporary, l->target) == 0;
  adam_status status = fine ? ADAM_OK : fail_errno(l->error, l->target, "cannot be written");
  (void)unlink(l->temporary);
  flush_folder(l);
  return status;
}

static adam_status open_source(linking *l) {
  if (stat(l->source, &l->source_facts) != 0) return fail_errno(l->error, l->source, "cannot be opened");
  bool regular = S_ISREG(l->source_facts.st_mode);
  if (regular) {
    l->source_fd = open(l->source, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (l->source_fd < 0 || fstat(l->source_fd, &l->source_facts) != 0)
      return fail_errno(l->error, l->source, "cannot be opened");
    regular = S_ISREG(l->source_facts.st_mode);
  }
  return regular ? ADAM_OK : am_fail(l->error, ADAM_IO, l->source, NULL, "expected a regular file");
}

adam_status am_link_file(const char *source, const char *target, bool replace, bool may_copy,
                         am_link_method *method, uint64_t *bytes_added, adam_error *error) {
  linking l = {source, target, -1, -1, {0}, NULL, error};
  am_link_method how = AM_LINK_SAME;
  uint64_t added = 0;
  struct stat facts;
  adam_status status = open_source(&l);
  if (status) goto cleanup;
  if (lstat(target, &facts) == 0) {
    if (facts.st_ino == l.source_facts.st_ino && facts.st_dev == l.source_facts.st_dev) goto done;
    if (S_ISDIR(facts.st_mode) || !replace) {
      status = am_fail(error, ADAM_INVALID, target, NULL, "exists already");
      goto cleanup;
    }
  } else if (allowed(AM_LINK_HARD) && hard_link_as(&l, target)) { /* where nothing stands it needs no other name */
    how = AM_LINK_HARD;
    flush_folder(&l);
    goto done;
  }
  l.temporary = temporary_name(target);
  status = l.temporary ? make(&l, may_copy, &how, &added) : am_fail_memory(error, target);
  if (!status) status = publish(&l, replace);
done:
  if (!status && method) *method = how;
  if (!status && bytes_added) *bytes_added = added;
cleanup:
  if (l.source_fd >= 0) (void)close(l.source_fd);
  if (l.made_fd >= 0) (void)close(l.made_fd);
  am_mem_free(l.temporary);
  return status;
}
