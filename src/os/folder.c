/* SPDX-License-Identifier: Apache-2.0 */
#include "os/file.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "base/size.h"

static adam_status fail_errno(adam_error *error, const char *path, const char *doing) {
  int number = errno;
  char bytes[128];
  const char *words = strerror_r(number, bytes, sizeof bytes);
  if (number == ENOMEM) return am_fail_memory(error, path);
  bool missing = number == ENOENT || number == ENOTDIR;
  return am_fail(error, missing ? ADAM_NOT_FOUND : ADAM_IO, path, NULL, "%s: %s", doing, words);
}

/* Makes one level; an existing folder is fine. */
static bool make_one(const char *path) {
  if (mkdir(path, 0777) == 0) return true;
  int number = errno;
  if (am_file_is_dir(path)) return true;
  errno = number;
  return false;
}

adam_status am_dir_make(const char *path, adam_error *error) {
  char *copy = am_mem_dup(path, strlen(path));
  if (!copy) return am_fail_memory(error, path);
  adam_status status = ADAM_OK;
  for (char *slash = strchr(copy + (copy[0] == '/'), '/'); slash && !status; slash = strchr(slash + 1, '/')) {
    *slash = 0;
    if (!make_one(copy)) status = fail_errno(error, path, "the folder cannot be made");
    *slash = '/';
  }
  if (!status && !make_one(copy)) status = fail_errno(error, path, "the folder cannot be made");
  am_mem_free(copy);
  return status;
}

typedef struct name_list {
  char **names;
  size_t n, capacity;
} name_list;

static bool push_name(name_list *list, const char *name) {
  if (list->n == list->capacity) {
    size_t capacity = list->capacity > 0 ? list->capacity * 2 : 32;
    char **names = am_mem_resize(list->names, capacity, sizeof *names);
    if (!names) return false;
    list->names = names;
    list->capacity = capacity;
  }
  list->names[list->n] = am_mem_dup(name, strlen(name));
  return list->names[list->n] && ++list->n;
}

static int by_bytes(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The folder is closed before the first call of on_name, so that it may change what is in it. */
adam_status am_dir_list(const char *path, bool (*on_name)(void *user, const char *name), void *user,
                        adam_error *error) {
  DIR *dir = opendir(path);
  if (!dir) return fail_errno(error, path, "the folder cannot be read");
  adam_status status = ADAM_OK;
  name_list list = {0};
  for (;;) {
    errno = 0;
    const struct dirent *entry = readdir(dir);
    if (!entry) {
      if (errno != 0) status = fail_errno(error, path, "the folder cannot be read");
      break;
    }
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    if (!push_name(&list, entry->d_name)) {
      status = am_fail_memory(error, path);
      break;
    }
  }
  closedir(dir);
  if (!status && list.n > 0) {
    qsort(list.names, list.n, sizeof *list.names, by_bytes);
    for (size_t i = 0; i < list.n; i++)
      if (on_name(user, list.names[i])) break;
  }
  for (size_t i = 0; i < list.n; i++) am_mem_free(list.names[i]);
  am_mem_free(list.names);
  return status;
}

char *am_path_join(const char *a, const char *b) {
  size_t n_a = strlen(a), n_b = strlen(b), total;
  while (n_a > 1 && a[n_a - 1] == '/') n_a--;
  bool slash = n_a > 0 && a[n_a - 1] != '/';
  if (!am_size_add(n_a, n_b, &total) || !am_size_add(total, 2, &total)) return NULL;
  char *path = am_mem_alloc(total);
  if (!path) return NULL;
  memcpy(path, a, n_a);
  if (slash) path[n_a++] = '/';
  memcpy(path + n_a, b, n_b + 1);
  return path;
}

char *am_path_dirname(const char *path) {
  size_t n = strlen(path);
  while (n > 1 && path[n - 1] == '/') n--;
  while (n > 0 && path[n - 1] != '/') n--;
  while (n > 1 && path[n - 1] == '/') n--;
  return n == 0 ? am_mem_dup(".", 1) : am_mem_dup(path, n);
}

const char *am_path_basename(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}
