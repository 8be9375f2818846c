/* SPDX-License-Identifier: Apache-2.0 */
#include "store/store.h"

#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/dirs.h"
#include "os/file.h"
#include "store/state.h"

/* Links among the folders can lead back to where they lie: so what is looked at has a limit, too. */
enum { ENTRY_LIMIT = 100000, VISIT_LIMIT = 400000 };

adam_status am_store_fail_errno(adam_error *error, const char *path, const char *doing) {
  int number = errno;
  char bytes[128];
  const char *words = strerror_r(number, bytes, sizeof bytes);
  const char *hint = number == ENOSPC || number == EDQUOT ? "free some disk space" : NULL;
  if (number == ENOMEM) return am_fail_memory(error, path);
  bool missing = number == ENOENT || number == ENOTDIR;
  return am_fail(error, missing ? ADAM_NOT_FOUND : ADAM_IO, path, hint, "%s: %s", doing, words);
}

size_t am_store_roots(char *roots[AM_STORE_ROOTS]) {
  static const char *const service[] = {"/usr/share/ollama/.ollama/models", "/var/lib/ollama",
                                        "/var/lib/ollama/.ollama/models"};
  size_t n = 0;
  const char *set = getenv("OLLAMA_MODELS");
  if (set && *set) {
    roots[0] = am_mem_dup(set, strlen(set));
    return roots[0] != NULL;
  }
  char *home = am_dirs_home();
  bool failed = false;
  if (home) failed = !(roots[n++] = am_path_join(home, ".ollama/models"));
  am_mem_free(home);
  for (size_t i = 0; i < sizeof service / sizeof *service && n < AM_STORE_ROOTS; i++)
    if (!(roots[n++] = am_mem_dup(service[i], strlen(service[i])))) failed = true;
  for (size_t i = 0; failed && i < n; i++) am_mem_free(roots[i]);
  return failed ? 0 : n;
}

/* Where errno of a look at a folder puts it. */
static adam_status fail_folder(adam_error *error, const char *path) {
  if (errno != EACCES && errno != EPERM)
    return am_fail(error, ADAM_NOT_FOUND, path, "set OLLAMA_MODELS to the store's folder", "no Ollama store here");
  return am_fail(error, ADAM_UNAVAILABLE, path, "join the group of the service (usermod -aG ollama USER), or ask its server",
                 "this user may not read the store");
}

static adam_status make_folders(const am_store *store, adam_error *error) {
  adam_status status = am_dir_make(store->blobs, error);
  return status ? status : am_dir_make(store->manifests, error);
}

static adam_status open_root(const char *root, bool create, am_store **out, adam_error *error) {
  am_store *store = am_mem_zalloc(1, sizeof *store);
  if (!store) return am_fail_memory(error, root);
  store->stage_fd = -1;
  store->root = am_mem_dup(root, strlen(root));
  store->manifests = am_path_join(root, "manifests");
  store->blobs = am_path_join(root, "blobs");
  struct stat facts = {0};
  adam_status status = ADAM_OK;
  if (!store->root || !store->manifests || !store->blobs)
    status = am_fail_memory(error, root);
  else if (create)
    status = make_folders(store, error);
  bool hidden = !status && access(store->manifests, R_OK | X_OK) != 0;
  if (hidden && errno == ENOENT && am_file_is_dir(store->blobs)) hidden = false; /* a server removes it when it is empty */
  if (hidden) status = fail_folder(error, root);
  if (!status && stat(store->blobs, &facts) != 0) {
    if (errno == ENOENT && stat(root, &facts) == 0) errno = 0; /* manifests alone: everything is missing */
    else status = fail_folder(error, root);
  }
  store->owner = facts.st_uid;
  store->group = facts.st_gid;
  if (status) am_store_close(&store);
  else *out = store;
  return status;
}

static adam_status find_and_open(const char *root, bool create, am_store **out, adam_error *error) {
  if (root) return open_root(root, create, out, error);
  char *roots[AM_STORE_ROOTS];
  size_t n = am_store_roots(roots);
  adam_status status = ADAM_NOT_FOUND;
  bool found = false;
  for (size_t i = 0; i < n && !found; i++) {
    status = open_root(roots[i], false, out, i == 0 ? error : NULL);
    found = status == ADAM_OK || status == ADAM_NO_MEMORY;
  }
  if (!found && n > 0) status = open_root(roots[0], create, out, error);
  if (n == 0) status = am_fail_memory(error, "OLLAMA_MODELS");
  for (size_t i = 0; i < n; i++) am_mem_free(roots[i]);
  return status;
}

/* What a killed writer left is finished or undone by the next that means to write, whether it then does or not. */
static void recover(am_store *store) {
  if (!am_stage_any(store) || am_store_writable(store, NULL)) return;
  int lock = am_store_lock(store);
  (void)am_stage_recover(store, NULL);
  am_store_unlock(lock);
}

adam_status am_store_open(const char *root, bool create, am_store **out, adam_error *error) {
  adam_status opened = find_and_open(root, create, out, error);
  if (opened == ADAM_OK && create) recover(*out);
  return opened;
}

void am_store_close(am_store **pointer) {
  am_store *store = *pointer;
  *pointer = NULL;
  if (!store) return;
  am_stage_drop(store);
  am_mem_free(store->root);
  am_mem_free(store->manifests);
  am_mem_free(store->blobs);
  am_mem_free(store);
}

const char *am_store_root(const am_store *store) { return store->root; }

adam_status am_store_writable(const am_store *store, adam_error *error) {
  const char *const folders[] = {store->blobs, store->manifests, store->root};
  for (size_t i = 0; i < 3; i++) {
    if (access(folders[i], W_OK | X_OK) == 0) continue;
    if (errno == ENOENT && mkdir(folders[i], 0755) == 0) { /* a server that starts removes manifests/ when it is empty */
      am_store_adopt(store, folders[i]);
      continue;
    }
    if (errno != EACCES && errno != EPERM) return am_store_fail_errno(error, folders[i], "the store cannot be written");
    struct passwd entry, *found = NULL;
    char bytes[1024];
    struct stat facts;
    if (stat(folders[i], &facts) == 0) (void)getpwuid_r(facts.st_uid, &entry, bytes, sizeof bytes, &found);
    am_buf hint = {0};
    if (found && facts.st_uid != geteuid()) am_buf_printf(&hint, "run this as the user %s", entry.pw_name);
    else am_buf_append_str(&hint, "make it writable, or set OLLAMA_MODELS to another folder");
    am_fail(error, ADAM_IO, folders[i], hint.data, "this user may not write to the store");
    am_buf_close(&hint);
    return ADAM_IO;
  }
  return ADAM_OK;
}

char *am_store_blob_path(const am_store *store, const char digest[65]) {
  am_buf path = {0};
  am_buf_printf(&path, "%s/sha256-%.64s", store->blobs, digest);
  if (!path.failed && access(path.data, F_OK) != 0) {
    path.data[path.len - 65] = ':'; /* as older versions wrote it */
    if (access(path.data, F_OK) != 0) path.data[path.len - 65] = '-';
  }
  return am_buf_take(&path);
}

bool am_store_has_blob(const am_store *store, const char digest[65], uint64_t *bytes) {
  char *path = am_store_blob_path(store, digest);
  uint64_t size = 0;
  bool has = path && am_file_size(path, &size);
  am_mem_free(path);
  if (has && bytes) *bytes = size;
  return has;
}

/* A walk through the four levels below manifests/. */
typedef struct walk {
  am_buf path;
  const char *parts[4];
  int depth;
  size_t n_entries, n_visits, *n_unreadable;
  bool (*on_entry)(void *user, const am_store_entry *entry);
  void *user;
  bool stop;
  adam_status status;
  adam_error *error;
} walk;

static void see_manifest(walk *w) {
  struct stat facts;
  am_store_entry entry = {.path = w->path.data};
  if (!am_store_name_set(&entry.name, w->parts[0], w->parts[1], w->parts[2], w->parts[3])) return;
  bool is_there = stat(w->path.data, &facts) == 0;
  if (!is_there || !S_ISREG(facts.st_mode)) {
    if ((!is_there || !S_ISDIR(facts.st_mode)) && w->n_unreadable) ++*w->n_unreadable;
    return;
  }
  entry.modified_unix_s = (int64_t)facts.st_mtim.tv_sec;
  w->stop = w->on_entry(w->user, &entry) || ++w->n_entries >= ENTRY_LIMIT;
}

static bool visit(void *user, const char *name) {
  walk *w = user;
  size_t before = w->path.len;
  if (++w->n_visits > VISIT_LIMIT) {
    if (w->n_unreadable) ++*w->n_unreadable;
    w->stop = true;
    return true;
  }
  if (!am_buf_append_char(&w->path, '/') || !am_buf_append_str(&w->path, name)) {
    w->status = am_fail_memory(w->error, name);
    return true;
  }
  w->parts[w->depth] = name;
  if (w->depth == 3) {
    see_manifest(w);
  } else if (am_file_is_dir(w->path.data)) {
    w->depth++;
    adam_status status = am_dir_list(w->path.data, visit, w, NULL);
    w->depth--;
    if (status == ADAM_NO_MEMORY) w->status = am_fail_memory(w->error, name);
    else if (status && status != ADAM_NOT_FOUND && w->n_unreadable) ++*w->n_unreadable;
  } else if (w->n_unreadable && access(w->path.data, F_OK) != 0) {
    ++*w->n_unreadable;
  }
  w->path.len = before;
  w->path.data[before] = 0;
  return w->stop || w->status;
}

adam_status am_store_walk(am_store *store, bool (*on_entry)(void *user, const am_store_entry *entry), void *user,
                          size_t *n_unreadable, adam_error *error) {
  walk w = {.on_entry = on_entry, .user = user, .n_unreadable = n_unreadable, .error = error};
  if (!am_buf_append_str(&w.path, store->manifests)) return am_fail_memory(error, store->root);
  adam_error why;
  adam_status status = am_dir_list(store->manifests, visit, &w, &why);
  am_buf_close(&w.path);
  if (w.status) return w.status;
  if (status == ADAM_NOT_FOUND) return ADAM_OK;
  if (status && error) *error = why;
  return status;
}

adam_status am_store_each(am_store *store, bool (*on_entry)(void *user, const am_store_entry *entry), void *user,
                          adam_error *error) {
  return am_store_walk(store, on_entry, user, NULL, error);
}

typedef struct search {
  const am_store_name *name;
  am_store_name stored;
  char *path;
  bool found;
} search;

static bool see_same(void *user, const am_store_entry *entry) {
  search *s = user;
  if (!am_store_name_same(&entry->name, s->name)) return false;
  s->found = true;
  s->stored = entry->name;
  s->path = am_mem_dup(entry->path, strlen(entry->path));
  return true;
}

adam_status am_store_locate(am_store *store, const am_store_name *name, am_store_name *stored, char **path,
                            adam_error *error) {
  char below[AM_STORE_NAME_BYTES];
  am_store_name_path(name, below);
  search s = {.name = name, .stored = *name, .path = am_path_join(store->manifests, below)};
  if (!s.path) return am_fail_memory(error, name->model);
  s.found = am_file_is_regular(s.path);
  if (!s.found) {
    am_mem_free(s.path);
    s.path = NULL;
    adam_status status = am_store_each(store, see_same, &s, error);
    if (status) return status;
  }
  if (!s.found) {
    am_store_name_print(name, below);
    return am_fail(error, ADAM_NOT_FOUND, below, NULL, "no such model in the Ollama store %s", store->root);
  }
  if (!s.path) return am_fail_memory(error, name->model);
  if (stored) *stored = s.stored;
  *path = s.path;
  return ADAM_OK;
}

typedef struct blob_walk {
  am_store *store;
  am_store_on_blob on_blob;
  void *user;
  bool failed;
} blob_walk;

static bool see_blob(void *user, const char *name) {
  blob_walk *w = user;
  char digest[65];
  uint64_t bytes;
  if (!am_store_digest_parse(name, digest)) return false;
  char *path = am_path_join(w->store->blobs, name);
  w->failed = !path;
  bool stop = path && am_file_size(path, &bytes) && w->on_blob(w->user, digest, path, bytes);
  am_mem_free(path);
  return stop || w->failed;
}

adam_status am_store_each_blob(am_store *store, am_store_on_blob on_blob, void *user, adam_error *error) {
  blob_walk w = {.store = store, .on_blob = on_blob, .user = user};
  adam_error why;
  adam_status status = am_dir_list(store->blobs, see_blob, &w, &why);
  if (w.failed) return am_fail_memory(error, store->root);
  if (status == ADAM_NOT_FOUND) return ADAM_OK;
  if (status && error) *error = why;
  return status;
}
