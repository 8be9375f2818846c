/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/cache.h"

#include <ctype.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/map.h"
#include "base/mem.h"
#include "os/dirs.h"
#include "os/file.h"

enum { COMMIT_BYTES = 128, NAME_LIMIT = 96, DEPTH_LIMIT = 8, FILE_LIMIT = 100000 };

static bool is_word(char c) { return isalnum((unsigned char)c) || c == '_'; }

/* Letters, digits, '_', '-', '.'; a word character at both ends (huggingface_hub's REPO_ID_REGEX). */
static bool part_valid(const char *part, size_t n) {
  if (n == 0 || !is_word(part[0]) || !is_word(part[n - 1])) return false;
  for (size_t i = 0; i < n; i++)
    if (!is_word(part[i]) && part[i] != '-' && part[i] != '.') return false;
  return true;
}

bool am_hub_name_valid(const char *id) {
  size_t n = strlen(id);
  const char *slash = strchr(id, '/');
  const char *name = slash ? slash + 1 : id;
  size_t n_name = n - (size_t)(name - id);
  if (slash && !part_valid(id, (size_t)(slash - id))) return false;
  if (!part_valid(name, n_name) || n_name > NAME_LIMIT) return false;
  if (strstr(id, "--") || strstr(id, "..")) return false;
  return n < 4 || strcmp(id + n - 4, ".git") != 0;
}

/* A branch, tag or commit: parts between '/', none of them empty, "." or "..". */
static bool revision_valid(const char *revision) {
  for (const char *part = revision;;) {
    size_t n = strcspn(part, "/");
    if (n == 0 || n > 255 || (part[0] == '.' && (n == 1 || (n == 2 && part[1] == '.')))) return false;
    for (size_t i = 0; i < n; i++)
      if ((unsigned char)part[i] < 0x20 || part[i] == 0x7F || part[i] == '\\') return false;
    if (part[n] == 0) return true;
    part += n + 1;
  }
}

static bool is_commit(const char *name) {
  size_t n = strlen(name);
  if (n == 0 || n >= COMMIT_BYTES) return false;
  for (size_t i = 0; i < n; i++)
    if (!isalnum((unsigned char)name[i])) return false;
  return true;
}

/* What one walk through a snapshot collects. */
typedef struct walk {
  am_buf path; /* of the folder being read */
  int depth;
  size_t n_files;
  bool only_any; /* stop at the first file */
  bool failed;   /* memory is out */
  am_map seen;   /* device and inode of each file */
  am_arena keys;
  uint64_t bytes;
  int64_t last_used_unix_s;
} walk;

/* A blob that two names point to counts once. */
static void count_file(walk *w, const char *path) {
  am_file_stamp stamp;
  int64_t used;
  uint64_t before;
  if (!am_file_stamp_get(path, &stamp)) return;
  const uint64_t identity[2] = {stamp.device, stamp.inode};
  if (am_map_get(&w->seen, (const char *)identity, sizeof identity, &before)) return;
  const char *key = am_arena_dup(&w->keys, identity, sizeof identity);
  if (!key || !am_map_set(&w->seen, key, sizeof identity, 1)) {
    w->failed = true;
    return;
  }
  w->bytes += stamp.size_bytes;
  if (am_file_last_used(path, &used) && used > w->last_used_unix_s) w->last_used_unix_s = used;
}

static bool is_garbage(const char *name) {
  static const char *const endings[] = {".incomplete", ".tmp", ".lock"};
  size_t n = strlen(name);
  for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
    size_t k = strlen(endings[i]);
    if (n > k && strcmp(name + n - k, endings[i]) == 0) return true;
  }
  return false;
}

static bool visit(void *user, const char *name) {
  walk *w = user;
  if (is_garbage(name)) return false;
  size_t before = w->path.len;
  if (!am_buf_append_char(&w->path, '/') || !am_buf_append_str(&w->path, name)) {
    w->failed = true;
    return true;
  }
  if (am_file_is_regular(w->path.data)) { /* follows links: a dangling one is no file */
    w->n_files++;
    if (!w->only_any) count_file(w, w->path.data);
  } else if (w->depth < DEPTH_LIMIT && am_file_is_dir(w->path.data)) {
    w->depth++;
    adam_status status = am_dir_list(w->path.data, visit, w, NULL); /* what cannot be read is not there */
    if (status == ADAM_NO_MEMORY) w->failed = true;
    w->depth--;
  }
  w->path.len = before;
  w->path.data[before] = 0;
  return w->failed || w->n_files >= FILE_LIMIT || (w->only_any && w->n_files > 0);
}

static void walk_close(walk *w) {
  am_buf_close(&w->path);
  am_map_close(&w->seen);
  am_arena_close(&w->keys);
}

static adam_status walk_snapshot(walk *w, const char *path, adam_error *error) {
  if (!am_buf_append_str(&w->path, path)) return am_fail_memory(error, path);
  adam_error ignored;
  adam_status status = am_dir_list(path, visit, w, &ignored);
  return w->failed || status == ADAM_NO_MEMORY ? am_fail_memory(error, path) : ADAM_OK;
}

/* *path = FOLDER/snapshots/COMMIT when that has at least one file; else *path stays NULL. */
static adam_status usable_snapshot(const char *folder, const char *commit, char **path, adam_error *error) {
  am_buf text = {0};
  am_buf_printf(&text, "%s/snapshots/%s", folder, commit);
  char *candidate = am_buf_take(&text);
  if (!candidate) return am_fail_memory(error, folder);
  walk w = {.only_any = true};
  adam_status status = walk_snapshot(&w, candidate, error);
  if (!status && w.n_files > 0) {
    *path = candidate;
    candidate = NULL;
  }
  walk_close(&w);
  am_mem_free(candidate);
  return status;
}

/* Reads FOLDER/refs/REVISION into commit; empty where there is no such ref. */
static adam_status read_ref(const char *folder, const char *revision, char commit[COMMIT_BYTES], adam_error *error) {
  commit[0] = 0;
  am_buf path = {0}, text = {0};
  if (!am_buf_printf(&path, "%s/refs/%s", folder, revision)) return am_fail_memory(error, folder);
  bool exists = am_file_is_regular(path.data); /* "refs/pr" is a folder, and no ref */
  adam_status status = exists ? am_file_read(path.data, 4096, &text, error) : ADAM_OK;
  if (exists && !status) {
    size_t n = text.len;
    while (n > 0 && isspace((unsigned char)text.data[n - 1])) n--;
    text.data[n] = 0;
    if (strlen(text.data) == n && is_commit(text.data)) {
      memcpy(commit, text.data, n + 1);
    } else {
      status = am_fail(error, ADAM_DAMAGED, path.data, "delete that file and download again",
                       "a commit of hexadecimal digits was expected in it");
    }
  }
  am_buf_close(&path);
  am_buf_close(&text);
  return status;
}

/* The usable snapshots of one repository. */
typedef struct choice {
  const char *folder;
  char *path; /* owned: the first one */
  size_t n;
  adam_status status;
  adam_error *error;
} choice;

static bool see_snapshot(void *user, const char *name) {
  choice *c = user;
  char *path = NULL;
  if (!is_commit(name)) return false;
  c->status = usable_snapshot(c->folder, name, &path, c->error);
  if (path) c->n++;
  if (path && !c->path) {
    c->path = path;
  } else {
    am_mem_free(path);
  }
  return c->status != ADAM_OK;
}

static adam_status only_snapshot(const char *folder, const char *repository, char **path, adam_error *error) {
  choice c = {.folder = folder, .error = error};
  char *snapshots = am_path_join(folder, "snapshots");
  if (!snapshots) return am_fail_memory(error, folder);
  adam_error ignored;
  adam_status listed = am_dir_list(snapshots, see_snapshot, &c, &ignored);
  adam_status status = c.status;
  if (!status && listed == ADAM_NO_MEMORY) status = am_fail_memory(error, folder);
  if (!status && c.n == 0) {
    status = am_fail(error, ADAM_NOT_FOUND, repository, NULL, "no downloaded files in %s", snapshots);
  } else if (!status && c.n > 1) {
    status = am_fail(error, ADAM_NOT_FOUND, repository, "name one of them as NAME@COMMIT",
                     "%zu snapshots and no branch main in %s", c.n, snapshots);
  }
  if (!status) {
    *path = c.path;
    c.path = NULL;
  }
  am_mem_free(c.path);
  am_mem_free(snapshots);
  return status;
}

/* CACHE/models--ORG--NAME, owned. */
static char *repository_folder(const char *cache_dir, const char *repository) {
  am_buf text = {0};
  am_buf_printf(&text, "%s/models--", cache_dir);
  for (const char *at = repository; *at; at++) {
    if (*at == '/') am_buf_append_str(&text, "--");
    else am_buf_append_char(&text, *at);
  }
  return am_buf_take(&text);
}

/* A commit names its folder; anything else is looked up in refs. */
static adam_status named_snapshot(const char *folder, const char *repository, const char *revision, char **path,
                                  adam_error *error) {
  char commit[COMMIT_BYTES];
  char *found = NULL;
  adam_status status = ADAM_OK;
  if (is_commit(revision)) status = usable_snapshot(folder, revision, &found, error);
  if (!status && !found) {
    status = read_ref(folder, revision, commit, error);
    if (!status && commit[0]) status = usable_snapshot(folder, commit, &found, error);
  }
  if (!status && !found) {
    status = am_fail(error, ADAM_NOT_FOUND, repository, NULL, "no downloaded files of revision %s in %s", revision,
                     folder);
  }
  if (!status) *path = found;
  return status;
}

adam_status am_hub_snapshot(const char *cache_dir, const char *repository, const char *revision, char **path,
                            adam_error *error) {
  if (!am_hub_name_valid(repository)) {
    return am_fail(error, ADAM_INVALID, repository, "names look like ORG/NAME", "not a repository name of the Hub");
  }
  if (revision && !revision_valid(revision)) {
    return am_fail(error, ADAM_INVALID, repository, NULL, "'%s' is not a branch, tag or commit", revision);
  }
  char *folder = repository_folder(cache_dir, repository);
  if (!folder) return am_fail_memory(error, repository);
  adam_status status;
  if (!am_file_is_dir(folder)) {
    status = am_fail(error, ADAM_NOT_FOUND, repository, NULL, "not downloaded: no folder %s", folder);
  } else if (revision) {
    status = named_snapshot(folder, repository, revision, path, error);
  } else {
    status = named_snapshot(folder, repository, "main", path, error);
    if (status == ADAM_NOT_FOUND) status = only_snapshot(folder, repository, path, error);
  }
  am_mem_free(folder);
  return status;
}

/* am_hub_list on its way through the cache folder. */
typedef struct listing {
  const char *cache_dir;
  const char *repository, *folder; /* of the repository being listed */
  bool (*on_entry)(void *user, const am_hub_entry *entry);
  void *user;
  bool stop;
  adam_status status;
  adam_error *error;
} listing;

static void report(listing *l, const char *revision, const char *path) {
  walk w = {0};
  l->status = walk_snapshot(&w, path, l->error);
  if (!l->status) {
    const am_hub_entry entry = {l->repository, revision, path, w.bytes, w.last_used_unix_s};
    l->stop = l->on_entry(l->user, &entry);
  }
  walk_close(&w);
}

static bool list_snapshot(void *user, const char *name) {
  listing *l = user;
  char *path = NULL;
  if (!is_commit(name)) return false;
  l->status = usable_snapshot(l->folder, name, &path, l->error);
  if (path) report(l, name, path);
  am_mem_free(path);
  return l->stop || l->status != ADAM_OK;
}

/* The branch main where it is downloaded, else every snapshot under its commit. A damaged ref does
 * not hide the rest of the cache. */
static void list_repository(listing *l) {
  char *path = NULL;
  adam_error ignored;
  adam_status status = named_snapshot(l->folder, l->repository, "main", &path, &ignored);
  if (status == ADAM_NO_MEMORY) {
    l->status = am_fail_memory(l->error, l->repository);
  } else if (!status) {
    report(l, "main", path);
    am_mem_free(path);
  } else {
    char *snapshots = am_path_join(l->folder, "snapshots");
    status = snapshots ? am_dir_list(snapshots, list_snapshot, l, &ignored) : ADAM_NO_MEMORY;
    if (status == ADAM_NO_MEMORY && !l->status) l->status = am_fail_memory(l->error, l->repository);
    am_mem_free(snapshots);
  }
}

/* "models--ORG--NAME" -> "ORG/NAME"; NULL also for what is no repository of models. */
static char *repository_of(const char *folder_name, bool *no_memory) {
  static const char prefix[] = "models--";
  *no_memory = false;
  if (strncmp(folder_name, prefix, sizeof prefix - 1) != 0) return NULL;
  char *id = am_mem_dup(folder_name + sizeof prefix - 1, strlen(folder_name) - (sizeof prefix - 1));
  *no_memory = !id;
  char *dashes = id ? strstr(id, "--") : NULL;
  if (dashes) {
    *dashes = '/';
    memmove(dashes + 1, dashes + 2, strlen(dashes + 2) + 1);
  }
  if (id && am_hub_name_valid(id)) return id;
  am_mem_free(id);
  return NULL;
}

static bool list_folder(void *user, const char *name) {
  listing *l = user;
  bool no_memory;
  char *repository = repository_of(name, &no_memory);
  char *folder = repository ? am_path_join(l->cache_dir, name) : NULL;
  if (no_memory || (repository && !folder)) {
    l->status = am_fail_memory(l->error, l->cache_dir);
  } else if (folder && am_file_is_dir(folder)) {
    l->repository = repository;
    l->folder = folder;
    list_repository(l);
  }
  am_mem_free(folder);
  am_mem_free(repository);
  return l->stop || l->status != ADAM_OK;
}

adam_status am_hub_list(const char *cache_dir, bool (*on_entry)(void *user, const am_hub_entry *entry), void *user,
                        adam_error *error) {
  listing l = {.cache_dir = cache_dir, .on_entry = on_entry, .user = user, .error = error};
  adam_error why;
  adam_status status = am_dir_list(cache_dir, list_folder, &l, &why);
  if (l.status) return l.status;
  if (status == ADAM_NOT_FOUND) return ADAM_OK; /* no cache yet: nothing in it */
  if (status && error) *error = why;
  return status;
}
