/* SPDX-License-Identifier: Apache-2.0 */
#include "os/lock.h"

#include "base/error.h"
#include "base/mem.h"
#include "os/clock.h"
#include "os/file.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { STEP_MS = 50, MODE = 0664 };

struct am_lock {
  int fd;
};

static adam_status fail_system(adam_error *error, const char *path, int number) {
  char bytes[128];
  return am_fail(error, ADAM_IO, path, NULL, "cannot be locked: %s",
                 strerror_r(number, bytes, sizeof bytes));
}

/* Is the file behind fd still the one of that name? */
static bool is_current(int fd, const char *path) {
  struct stat held, named;
  return fstat(fd, &held) == 0 && stat(path, &named) == 0 && held.st_ino == named.st_ino &&
         held.st_dev == named.st_dev;
}

static adam_status open_file(const char *path, int *fd, adam_error *error) {
  *fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, MODE);
  if (*fd < 0 && errno == ENOENT) {
    char *folder = am_path_dirname(path);
    adam_status status = folder ? am_dir_make(folder, error) : am_fail_memory(error, path);
    am_mem_free(folder);
    if (status) return status;
    *fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, MODE);
  }
  /* Another user's lock file that may not be written can still be locked. */
  if (*fd < 0 && errno == EACCES) *fd = open(path, O_RDONLY | O_CLOEXEC);
  return *fd < 0 ? fail_system(error, path, errno) : ADAM_OK;
}

/* One attempt; *taken tells whether fd now has the lock of the file that has the name. */
static adam_status attempt(const char *path, int *fd, bool *taken, adam_error *error) {
  *taken = false;
  adam_status status = *fd < 0 ? open_file(path, fd, error) : ADAM_OK;
  if (status) return status;
  if (flock(*fd, LOCK_EX | LOCK_NB) == 0) {
    *taken = is_current(*fd, path);
    if (!*taken) close(*fd), *fd = -1;
    return ADAM_OK;
  }
  int number = errno;
  if (number == EWOULDBLOCK || number == EINTR) return ADAM_OK;
  if (number == ENOLCK || number == EOPNOTSUPP || number == ENOSYS || number == EINVAL)
    return am_fail(error, ADAM_UNSUPPORTED, path, NULL, "the file system knows no locks");
  return fail_system(error, path, number);
}

adam_status am_lock_open(const char *path, int64_t wait_ms, bool (*cancel)(void *user), void *user,
                         am_lock **out, adam_error *error) {
  am_lock *lock = am_mem_zalloc(1, sizeof *lock);
  if (!lock) return am_fail_memory(error, path);
  lock->fd = -1;
  uint64_t began = am_clock_ns();
  bool taken = false;
  adam_status status;
  for (int tries = 0;; tries++) {
    status = attempt(path, &lock->fd, &taken, error);
    if (status || taken) break;
    if (lock->fd < 0 && tries < 1000) continue; /* the file was deleted under us: the new one, at once */
    int64_t waited_ms = (int64_t)((am_clock_ns() - began) / 1000000u);
    if (wait_ms >= 0 && waited_ms >= wait_ms) {
      status = am_fail(error, ADAM_LIMIT, path, NULL, "another process has the lock");
    } else if (cancel && cancel(user)) {
      status = am_fail(error, ADAM_CANCELLED, path, NULL, "cancelled while waiting for a lock");
    }
    if (status) break;
    am_clock_sleep_ms(STEP_MS);
  }
  if (status) {
    am_lock_close(&lock);
    return status;
  }
  *out = lock;
  return ADAM_OK;
}

void am_lock_close(am_lock **lock) {
  if (!lock || !*lock) return;
  if ((*lock)->fd >= 0) close((*lock)->fd);
  am_mem_free(*lock);
  *lock = NULL;
}
