/* SPDX-License-Identifier: Apache-2.0 */
#include "os/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/temp.h"

static _Atomic uint64_t fault_left; /* 0 = off */
static atomic_int fault_fired;

bool am_file_fault_due(void) {
  if (atomic_load_explicit(&fault_left, memory_order_relaxed) == 0) return false;
  uint64_t left = atomic_load(&fault_left);
  while (left > 0) {
    if (!atomic_compare_exchange_weak(&fault_left, &left, left - 1)) continue;
    if (left > 1) return false;
    atomic_store(&fault_fired, 1);
    errno = EIO;
    return true;
  }
  return false;
}

void am_file_fault_set(uint64_t n) {
  atomic_store(&fault_fired, 0);
  atomic_store(&fault_left, n);
}

int am_file_fault_fired(void) { return atomic_load(&fault_fired); }

/* Status of errno, with the system's words. */
static adam_status fail_errno(adam_error *error, const char *path, const char *doing) {
  int number = errno;
  char bytes[128];
  const char *words = strerror_r(number, bytes, sizeof bytes); /* the GNU form: returns the text */
  if (number == ENOMEM) return am_fail_memory(error, path);
  bool missing = number == ENOENT || number == ENOTDIR;
  return am_fail(error, missing ? ADAM_NOT_FOUND : ADAM_IO, path, NULL, "%s: %s", doing, words);
}

static const char *kind_of(mode_t mode) {
  if (S_ISDIR(mode)) return "a directory";
  if (S_ISFIFO(mode)) return "a pipe";
  if (S_ISSOCK(mode)) return "a socket";
  if (S_ISCHR(mode) || S_ISBLK(mode)) return "a device";
  return "something else";
}

/* Opens a regular file for reading. The kind is asked before the open, since opening a pipe waits
 * and opening a device can act, and again after it, since the path can change in between. */
static adam_status open_regular(const char *path, int *out, struct stat *facts, adam_error *error) {
  if (am_file_fault_due() || stat(path, facts) != 0) return fail_errno(error, path, "cannot be opened");
  int fd = -1;
  if (S_ISREG(facts->st_mode)) {
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 || fstat(fd, facts) != 0) {
      adam_status status = fail_errno(error, path, "cannot be opened");
      if (fd >= 0) close(fd);
      return status;
    }
  }
  if (!S_ISREG(facts->st_mode)) {
    if (fd >= 0) close(fd);
    return am_fail(error, ADAM_IO, path, NULL, "expected a regular file, found %s", kind_of(facts->st_mode));
  }
  *out = fd;
  return ADAM_OK;
}

adam_status am_file_map_open(const char *path, am_file_map *out, adam_error *error) {
  int fd;
  struct stat facts;
  adam_status status = open_regular(path, &fd, &facts, error);
  if (status) return status;
  static const uint8_t empty[1];
  am_file_map map = {empty, 0};
  if (facts.st_size > 0) {
    map.size = (size_t)facts.st_size;
    void *bytes = am_file_fault_due() ? MAP_FAILED : mmap(NULL, map.size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (bytes == MAP_FAILED) status = fail_errno(error, path, "cannot be mapped");
    map.bytes = bytes;
  }
  close(fd);
  if (!status) *out = map;
  return status;
}

void am_file_map_close(am_file_map *map) {
  if (!map) return;
  if (map->bytes && map->size > 0) (void)munmap((void *)(uintptr_t)map->bytes, map->size);
  *map = (am_file_map){0};
}

void am_file_map_release(const void *bytes, size_t n_bytes) {
  long page = sysconf(_SC_PAGESIZE);
  if (page <= 0) return;
  uintptr_t mask = (uintptr_t)page - 1, first = ((uintptr_t)bytes + mask) & ~mask;
  uintptr_t end = ((uintptr_t)bytes + n_bytes) & ~mask;
  if (end > first) (void)madvise((void *)first, end - first, MADV_DONTNEED); /* a map of a file: nothing is lost */
}

static adam_status too_large(adam_error *error, const char *path, size_t limit_bytes) {
  return am_fail(error, ADAM_LIMIT, path, NULL, "more than the %zu bytes allowed for it", limit_bytes);
}

static adam_status read_all(int fd, const char *path, size_t limit_bytes, am_buf *buf, adam_error *error) {
  for (;;) {
    if (buf->capacity - buf->len < 4096 && !am_buf_reserve(buf, buf->len < 65536 ? 8192 : 65536)) {
      return am_fail_memory(error, path);
    }
    ssize_t n = am_file_fault_due() ? -1 : read(fd, buf->data + buf->len, buf->capacity - buf->len - 1);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno(error, path, "cannot be read");
    buf->len += (size_t)n;
    buf->data[buf->len] = 0;
    if (buf->len > limit_bytes) return too_large(error, path, limit_bytes);
    if (n == 0) return ADAM_OK;
  }
}

static adam_status read_file(const char *path, size_t limit_bytes, bool is_secret, am_buf *buf, adam_error *error) {
  int fd;
  struct stat facts;
  adam_status status = open_regular(path, &fd, &facts, error);
  if (status) return status;
  am_buf_clear(buf);
  if (is_secret && (facts.st_mode & (S_IRWXG | S_IRWXO))) {
    char hint[256];
    snprintf(hint, sizeof hint, "chmod 600 %s", path);
    status = am_fail(error, ADAM_INVALID, path, hint, "it holds a secret and its mode is %03o: others could read it",
                     (unsigned)(facts.st_mode & 0777));
  } else if ((uint64_t)facts.st_size > limit_bytes) {
    status = too_large(error, path, limit_bytes);
  } else if (!am_buf_reserve(buf, (size_t)facts.st_size + 1)) { /* files of /proc say 0 and have more */
    status = am_fail_memory(error, path);
  } else {
    status = read_all(fd, path, limit_bytes, buf, error);
  }
  if (status) am_buf_clear(buf);
  close(fd);
  return status;
}

adam_status am_file_read(const char *path, size_t limit_bytes, am_buf *buf, adam_error *error) {
  return read_file(path, limit_bytes, false, buf, error);
}

adam_status am_file_read_secret(const char *path, size_t limit_bytes, am_buf *buf, adam_error *error) {
  return read_file(path, limit_bytes, true, buf, error);
}

static bool write_all(int fd, const char *bytes, size_t n_bytes) {
  while (n_bytes > 0) {
    ssize_t n = am_file_fault_due() ? -1 : write(fd, bytes, n_bytes);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return false;
    bytes += n;
    n_bytes -= (size_t)n;
  }
  return true;
}

/* Makes the rename itself durable; some file systems refuse to flush a folder, which is no failure. */
static void flush_folder(const char *folder) {
  int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;
  (void)fsync(fd);
  close(fd);
}

adam_status am_file_write_atomic(const char *path, const void *bytes, size_t n_bytes, uint32_t mode,
                                 adam_error *error) {
  adam_status status = ADAM_OK;
  char *temporary = NULL;
  char real[PATH_MAX];
  const char *target = realpath(path, real) ? real : path; /* a link stays; what it points to is replaced */
  struct stat facts;
  if (stat(target, &facts) == 0 && !S_ISREG(facts.st_mode)) { /* never a rename over a device */
    return am_fail(error, ADAM_IO, path, NULL, "expected a regular file, found %s", kind_of(facts.st_mode));
  }
  char *folder = am_path_dirname(target);
  if (!folder) return am_fail_memory(error, path);
  int fd = am_temp_create(folder, mode, &temporary);
  if (fd < 0) {
    status = fail_errno(error, path, "cannot be written");
    goto cleanup;
  }
  if (!write_all(fd, bytes, n_bytes) || am_file_fault_due() || fsync(fd) != 0) {
    status = fail_errno(error, path, "cannot be written");
  }
  if (!status && (am_file_fault_due() || rename(temporary, target) != 0)) {
    status = fail_errno(error, path, "cannot be replaced");
  }
  if (status) (void)unlink(temporary);
  else flush_folder(folder);
  (void)close(fd); /* its lock is held until it has its name; what it holds is on the disk since fsync */
cleanup:
  am_mem_free(temporary);
  am_mem_free(folder);
  return status;
}

bool am_file_is_regular(const char *path) {
  struct stat facts;
  return stat(path, &facts) == 0 && S_ISREG(facts.st_mode);
}

bool am_file_is_dir(const char *path) {
  struct stat facts;
  return stat(path, &facts) == 0 && S_ISDIR(facts.st_mode);
}

bool am_file_size(const char *path, uint64_t *size_bytes) {
  struct stat facts;
  if (stat(path, &facts) != 0 || !S_ISREG(facts.st_mode)) return false;
  *size_bytes = (uint64_t)facts.st_size;
  return true;
}

bool am_file_stamp_get(const char *path, am_file_stamp *out) {
  struct stat facts;
  if (stat(path, &facts) != 0) return false;
  uint64_t mtime_ns = (uint64_t)facts.st_mtim.tv_sec * 1000000000u + (uint64_t)facts.st_mtim.tv_nsec;
  *out = (am_file_stamp){(uint64_t)facts.st_size, mtime_ns, (uint64_t)facts.st_ino, (uint64_t)facts.st_dev};
  return true;
}

bool am_file_last_used(const char *path, int64_t *unix_s) {
  struct stat facts;
  if (stat(path, &facts) != 0) return false;
  *unix_s = facts.st_atim.tv_sec > facts.st_mtim.tv_sec ? facts.st_atim.tv_sec : facts.st_mtim.tv_sec;
  return true;
}
