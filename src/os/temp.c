/* SPDX-License-Identifier: Apache-2.0 */
#include "os/temp.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/rng.h"

enum { HEX_DIGITS = 16, LINK_AGE_S = 60, ATTEMPTS = 16 };

static bool is_ours(const char *name) {
  static const char prefix[] = ".adam-", ending[] = ".tmp";
  size_t n = strlen(name), n_prefix = sizeof prefix - 1;
  return n == n_prefix + HEX_DIGITS + sizeof ending - 1 && memcmp(name, prefix, n_prefix) == 0 &&
         strspn(name + n_prefix, "0123456789abcdef") == HEX_DIGITS && strcmp(name + n - 4, ending) == 0;
}

/* Holding its lock: nobody can be about to name it. */
static void remove_dead(int folder, const char *name) {
  struct stat facts;
  int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return;
  bool dead = fstat(fd, &facts) == 0 && S_ISREG(facts.st_mode) && flock(fd, LOCK_EX | LOCK_NB) == 0;
  if (dead && facts.st_nlink > 1) dead = time(NULL) - facts.st_ctim.tv_sec > LINK_AGE_S;
  if (dead) (void)unlinkat(folder, name, 0);
  (void)close(fd);
}

void am_temp_sweep(const char *folder) {
  DIR *dir = opendir(folder);
  if (!dir) return;
  for (struct dirent *entry; (entry = readdir(dir));)
    if (is_ours(entry->d_name)) remove_dead(dirfd(dir), entry->d_name);
  (void)closedir(dir);
}

bool am_temp_hold(int fd) {
  struct stat facts;
  if (flock(fd, LOCK_EX | LOCK_NB) != 0) return errno != EWOULDBLOCK; /* no locks here: nobody removes it */
  return fstat(fd, &facts) == 0 && facts.st_nlink > 0;
}

int am_temp_create(const char *folder, uint32_t mode, char **path) {
  am_temp_sweep(folder);
  for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
    am_buf name = {0};
    am_buf_printf(&name, "%s/.adam-%016" PRIx64 ".tmp", folder, am_rng_system_seed());
    char *text = am_buf_take(&name);
    if (!text) {
      errno = ENOMEM;
      return -1;
    }
    int fd = open(text, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, (mode_t)mode);
    if (fd >= 0 && am_temp_hold(fd)) {
      *path = text;
      return fd;
    }
    int why = errno;
    am_mem_free(text);
    if (fd >= 0)
      (void)close(fd);
    else if (why != EEXIST) {
      errno = why;
      return -1;
    }
  }
  errno = EAGAIN;
  return -1;
}
