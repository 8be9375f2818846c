/* SPDX-License-Identifier: Apache-2.0 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* O_TMPFILE, fallocate */
#endif
#include "os/outfile.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/error.h"
#include "base/mem.h"
#include "base/rng.h"
#include "os/file.h"
#include "os/temp.h"

struct am_outfile {
  int fd;
  char *path, *folder; /* the target, links followed */
  char *temporary;     /* NULL = the file has no name yet */
  uint64_t n_bytes;
};

static adam_status fail_errno(adam_error *error, const char *path, const char *doing) {
  int number = errno;
  char bytes[128];
  const char *words = strerror_r(number, bytes, sizeof bytes); /* the GNU form: returns the text */
  bool full = number == ENOSPC || number == EDQUOT || number == EFBIG;
  if (number == ENOMEM) return am_fail_memory(error, path);
  return am_fail(error, number == ENOENT || number == ENOTDIR ? ADAM_NOT_FOUND : full ? ADAM_LIMIT : ADAM_IO,
                 path, full ? "make room, or choose another place" : NULL, "%s: %s", doing, words);
}

adam_status am_outfile_check_space(const char *folder, const char *what, uint64_t n_bytes, adam_error *error) {
  struct statvfs facts;
  if (statvfs(folder, &facts) != 0 || facts.f_frsize == 0 || facts.f_blocks == 0) return ADAM_OK;
  uint64_t left;
  if (__builtin_mul_overflow((uint64_t)facts.f_bavail, (uint64_t)facts.f_frsize, &left) || left >= n_bytes)
    return ADAM_OK;
  return am_fail(error, ADAM_LIMIT, what, "make room, or choose another place",
                 "it takes %" PRIu64 " bytes, and the disk has %" PRIu64 " left", n_bytes, left);
}

/* Beyond RLIMIT_FSIZE the system would send a signal that ends the process. */
static adam_status check_limit(const char *path, uint64_t n_bytes, adam_error *error) {
  struct rlimit limit;
  if (n_bytes > INT64_MAX)
    return am_fail(error, ADAM_LIMIT, path, NULL, "a file of %" PRIu64 " bytes", n_bytes);
  if (getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur >= n_bytes)
    return ADAM_OK;
  return am_fail(error, ADAM_LIMIT, path, "see ulimit -f",
                 "it takes %" PRIu64 " bytes, and this process may write files of %" PRIu64, n_bytes,
                 (uint64_t)limit.rlim_cur);
}

/* folder/.adam-RANDOM.tmp, owned; NULL: memory is out. */
static char *temporary_name(const char *folder) {
  am_buf name = {0};
  am_buf_printf(&name, "%s/.adam-%016" PRIx64 ".tmp", folder, am_rng_system_seed());
  return am_buf_take(&name);
}

static adam_status open_file(am_outfile *o, adam_error *error) {
  if (am_file_fault_due()) return fail_errno(error, o->path, "cannot be written");
  am_temp_sweep(o->folder);
  /* A file without a name gets one through /proc, so that has to be there. */
  if (access("/proc/self/fd", X_OK) == 0)
    o->fd = open(o->folder, O_TMPFILE | O_RDWR | O_CLOEXEC, (mode_t)0666);
  for (int attempt = 0; o->fd < 0 && attempt < 16; attempt++) {
    o->temporary = temporary_name(o->folder);
    if (!o->temporary) return am_fail_memory(error, o->path);
    o->fd = open(o->temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, (mode_t)0666);
    if (o->fd >= 0) break;
    am_mem_free(o->temporary);
    o->temporary = NULL;
    if (errno != EEXIST) break;
  }
  if (o->fd >= 0) (void)am_temp_hold(o->fd);
  return o->fd >= 0 ? ADAM_OK : fail_errno(error, o->path, "cannot be written");
}

/* The blocks, so that a full disk shows here; where the file system cannot, the length alone. */
static adam_status reserve(am_outfile *o, adam_error *error) {
  if (am_file_fault_due()) return fail_errno(error, o->path, "cannot be written");
  if (o->n_bytes > 0 && fallocate(o->fd, 0, 0, (off_t)o->n_bytes) == 0) return ADAM_OK;
  if (o->n_bytes > 0 && errno != EOPNOTSUPP && errno != ENOSYS && errno != EINTR)
    return fail_errno(error, o->path, "cannot be written");
  return ftruncate(o->fd, (off_t)o->n_bytes) == 0 ? ADAM_OK
                                                  : fail_errno(error, o->path, "cannot be written");
}

adam_status am_outfile_open(const char *path, uint64_t n_bytes, am_outfile **out, adam_error *error) {
  char real[PATH_MAX];
  struct stat facts;
  const char *target = realpath(path, real) ? real : path;
  if (stat(target, &facts) == 0 && !S_ISREG(facts.st_mode))
    return am_fail(error, ADAM_IO, path, NULL, "expected a regular file or none, found %s",
                   S_ISDIR(facts.st_mode) ? "a folder" : "something else");
  am_outfile *o = am_mem_zalloc(1, sizeof *o);
  if (!o) return am_fail_memory(error, path);
  o->fd = -1;
  o->n_bytes = n_bytes;
  o->path = am_mem_dup(target, strlen(target));
  o->folder = am_path_dirname(target);
  adam_status status = o->path && o->folder ? ADAM_OK : am_fail_memory(error, path);
  if (!status) status = check_limit(path, n_bytes, error);
  if (!status) status = am_outfile_check_space(o->folder, path, n_bytes, error);
  if (!status) status = open_file(o, error);
  if (!status) status = reserve(o, error);
  if (status) am_outfile_close(&o);
  else *out = o;
  return status;
}

adam_status am_outfile_write(am_outfile *o, uint64_t offset_bytes, const void *bytes, uint64_t n_bytes,
                            adam_error *error) {
  const uint8_t *from = bytes;
  if (offset_bytes > o->n_bytes || n_bytes > o->n_bytes - offset_bytes)
    return am_fail(error, ADAM_INVALID, o->path, NULL, "bytes beyond the file's end");
  while (n_bytes > 0) {
    size_t some = n_bytes > (1u << 30) ? 1u << 30 : (size_t)n_bytes;
    ssize_t n = am_file_fault_due() ? -1 : pwrite(o->fd, from, some, (off_t)offset_bytes);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno(error, o->path, "cannot be written");
    from += n;
    offset_bytes += (uint64_t)n;
    n_bytes -= (uint64_t)n;
  }
  return ADAM_OK;
}

/* Gives the file without a name one beside its target, since linking replaces nothing. */
static bool link_temporary(am_outfile *o) {
  char self[64];
  snprintf(self, sizeof self, "/proc/self/fd/%d", o->fd);
  for (int attempt = 0; attempt < 16; attempt++) {
    char *name = temporary_name(o->folder);
    if (!name) {
      errno = ENOMEM;
      return false;
    }
    if (linkat(AT_FDCWD, self, AT_FDCWD, name, AT_SYMLINK_FOLLOW) == 0) {
      o->temporary = name;
      return true;
    }
    am_mem_free(name);
    if (errno != EEXIST) return false;
  }
  return false;
}

adam_status am_outfile_finish(am_outfile *o, adam_error *error) {
  if (am_file_fault_due() || fsync(o->fd) != 0) return fail_errno(error, o->path, "cannot be written");
  if (am_file_fault_due() || (!o->temporary && !link_temporary(o)))
    return fail_errno(error, o->path, "cannot be named");
  if (am_file_fault_due() || rename(o->temporary, o->path) != 0)
    return fail_errno(error, o->path, "cannot be replaced");
  am_mem_free(o->temporary);
  o->temporary = NULL;
  int folder = open(o->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder >= 0) {
    (void)fsync(folder); /* some file systems refuse, which is no failure */
    close(folder);
  }
  return ADAM_OK;
}

void am_outfile_close(am_outfile **output) {
  am_outfile *o = output ? *output : NULL;
  if (!o) return;
  if (o->fd >= 0) close(o->fd);
  if (o->temporary) (void)unlink(o->temporary);
  am_mem_free(o->temporary);
  am_mem_free(o->path);
  am_mem_free(o->folder);
  am_mem_free(o);
  *output = NULL;
}
