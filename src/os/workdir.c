/* SPDX-License-Identifier: Apache-2.0 */
#include "os/workdir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/mem.h"
#include "os/file.h"

enum { DEEPEST = 8 }; /* of folders in the folder: what we made has two */

struct am_workdir {
  char *target, *path; /* path: NULL once finished */
  char *parent;
  int fd; /* of path, locked */
};

static adam_status fail_errno(adam_error *error, const char *path, const char *doing) {
  int number = errno;
  char bytes[128];
  const char *words = strerror_r(number, bytes, sizeof bytes);
  if (number == ENOMEM) return am_fail_memory(error, path);
  return am_fail(error, number == ENOSPC || number == EDQUOT ? ADAM_LIMIT : ADAM_IO, path, NULL, "%s: %s", doing,
                 words);
}

/* Everything in an open folder; links are removed, not followed. */
static void empty(int fd, int depth) {
  int copy = dup(fd);
  DIR *dir = copy >= 0 ? fdopendir(copy) : NULL;
  if (!dir) {
    if (copy >= 0) close(copy);
    return;
  }
  rewinddir(dir);
  for (const struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) {
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    if (unlinkat(fd, entry->d_name, 0) == 0 || depth == DEEPEST) continue;
    int inner = openat(fd, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (inner < 0) continue;
    empty(inner, depth + 1);
    close(inner);
    (void)unlinkat(fd, entry->d_name, AT_REMOVEDIR);
  }
  closedir(dir);
}

static bool note(void *user, const char *name) {
  (void)name;
  *(bool *)user = true;
  return true;
}

static adam_status check_target(const char *path, adam_error *error) {
  struct stat facts;
  bool any = false;
  if (lstat(path, &facts) != 0) return ADAM_OK;
  if (!S_ISDIR(facts.st_mode))
    return am_fail(error, ADAM_INVALID, path, "choose another name", "there is a file of that name");
  adam_status status = am_dir_list(path, note, &any, error);
  if (!status && any)
    status = am_fail(error, ADAM_INVALID, path, "choose another name", "the folder is there, and not empty");
  return status;
}

/* Makes and locks w->path; one that its maker has left is taken over. */
static adam_status make(am_workdir *w, adam_error *error) {
  for (int attempt = 0; attempt < 16; attempt++) {
    struct stat ours, named;
    if (am_file_fault_due() || (mkdir(w->path, 0777) != 0 && errno != EEXIST))
      return fail_errno(error, w->target, "the folder cannot be made");
    w->fd = open(w->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (w->fd < 0 && errno == ENOENT) continue; /* its maker has just finished */
    if (w->fd < 0) return fail_errno(error, w->path, "cannot be opened");
    if (flock(w->fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
      close(w->fd);
      w->fd = -1;
      return am_fail(error, ADAM_LIMIT, w->target, "wait for it", "another process is making it");
    }
    if (fstat(w->fd, &ours) == 0 && stat(w->path, &named) == 0 && ours.st_ino == named.st_ino) {
      empty(w->fd, 0);
      return ADAM_OK;
    }
    close(w->fd);
    w->fd = -1;
  }
  return am_fail(error, ADAM_LIMIT, w->target, NULL, "another process keeps making it");
}

adam_status am_workdir_open(const char *path, am_workdir **out, adam_error *error) {
  am_workdir *w = am_mem_zalloc(1, sizeof *w);
  am_buf name = {0};
  if (!w) return am_fail_memory(error, path);
  size_t n = strlen(path);
  while (n > 1 && path[n - 1] == '/') n--;
  w->fd = -1;
  w->target = am_mem_dup(path, n);
  w->parent = w->target ? am_path_dirname(w->target) : NULL;
  adam_status status = w->parent ? check_target(w->target, error) : am_fail_memory(error, path);
  if (!status) status = am_dir_make(w->parent, error);
  if (!status) {
    am_buf_printf(&name, "%s/.%s.adam-tmp", w->parent, am_path_basename(w->target));
    char *made = am_buf_take(&name);
    if (!made) status = am_fail_memory(error, path);
    w->path = made;
  }
  if (!status) status = make(w, error);
  if (status && w->fd < 0) { /* not ours to remove */
    am_mem_free(w->path);
    w->path = NULL;
  }
  if (status) am_workdir_close(&w);
  else *out = w;
  return status;
}

const char *am_workdir_path(const am_workdir *w) { return w->path; }

static void flush(const char *path) {
  int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;
  (void)fsync(fd); /* some file systems refuse, which is no failure */
  close(fd);
}

adam_status am_workdir_finish(am_workdir *w, adam_error *error) {
  (void)fsync(w->fd);
  if (am_file_fault_due() || rename(w->path, w->target) != 0)
    return fail_errno(error, w->target, "the folder cannot be named");
  am_mem_free(w->path);
  w->path = NULL;
  flush(w->parent);
  return ADAM_OK;
}

void am_workdir_close(am_workdir **workdir) {
  am_workdir *w = workdir ? *workdir : NULL;
  if (!w) return;
  if (w->path && w->fd >= 0) {
    empty(w->fd, 0);
    (void)rmdir(w->path);
  }
  if (w->fd >= 0) close(w->fd);
  am_mem_free(w->path);
  am_mem_free(w->target);
  am_mem_free(w->parent);
  am_mem_free(w);
  *workdir = NULL;
}
