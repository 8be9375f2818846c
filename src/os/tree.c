/* SPDX-License-Identifier: Apache-2.0 */
#include "os/tree.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "os/file.h"

enum { DEEPEST = 64 };

bool am_tree_look(const char *path, am_tree_entry *out) {
  struct stat facts;
  if (lstat(path, &facts) != 0) return false;
  *out = (am_tree_entry){
      .kind = S_ISREG(facts.st_mode)   ? AM_TREE_FILE
              : S_ISDIR(facts.st_mode) ? AM_TREE_FOLDER
              : S_ISLNK(facts.st_mode) ? AM_TREE_LINK
                                       : AM_TREE_OTHER,
      .bytes = (uint64_t)facts.st_size,
      .disk_bytes = (uint64_t)facts.st_blocks * 512,
      .device = (uint64_t)facts.st_dev,
      .inode = (uint64_t)facts.st_ino,
      .n_links = (uint64_t)facts.st_nlink,
      .mtime_ns = (uint64_t)facts.st_mtim.tv_sec * 1000000000u + (uint64_t)facts.st_mtim.tv_nsec,
      .ctime_ns = (uint64_t)facts.st_ctim.tv_sec * 1000000000u + (uint64_t)facts.st_ctim.tv_nsec,
      .mode = (uint32_t)(facts.st_mode & 07777),
      .owner = (uint32_t)facts.st_uid};
  return true;
}

char *am_tree_link_text(const char *path) {
  char text[PATH_MAX];
  ssize_t n = readlink(path, text, sizeof text);
  return n > 0 && n < (ssize_t)sizeof text ? am_mem_dup(text, (size_t)n) : NULL;
}

typedef struct walking {
  am_buf path;
  uint32_t depth, max_depth;
  am_tree_on_entry on_entry;
  void *user;
  bool stop, failed;
} walking;

static bool visit(void *user, const char *name) {
  walking *w = user;
  size_t before = w->path.len;
  am_tree_entry entry;
  if (!am_buf_append_char(&w->path, '/') || !am_buf_append_str(&w->path, name)) {
    w->failed = true;
    return true;
  }
  if (am_tree_look(w->path.data, &entry)) {
    entry.path = w->path.data;
    entry.name = w->path.data + before + 1;
    entry.depth = w->depth;
    am_tree_step step = w->on_entry(w->user, &entry);
    w->stop = step == AM_TREE_STOP;
    if (step == AM_TREE_ON && entry.kind == AM_TREE_FOLDER && w->depth < w->max_depth) {
      w->depth++;
      if (am_dir_list(w->path.data, visit, w, NULL) == ADAM_NO_MEMORY) w->failed = true;
      w->depth--;
    }
  }
  w->path.len = before;
  w->path.data[before] = 0;
  return w->stop || w->failed;
}

adam_status am_tree_walk(const char *root, uint32_t max_depth, am_tree_on_entry on_entry, void *user,
                         adam_error *error) {
  walking w = {.max_depth = max_depth < DEEPEST ? max_depth : DEEPEST, .on_entry = on_entry, .user = user};
  if (!am_buf_append_str(&w.path, root)) return am_fail_memory(error, root);
  adam_status status = am_dir_list(root, visit, &w, NULL);
  am_buf_close(&w.path);
  return w.failed || status == ADAM_NO_MEMORY ? am_fail_memory(error, root) : ADAM_OK;
}

typedef struct removal {
  am_buf path;
  uint32_t depth;
  bool failed; /* memory is out, or nothing could be done about errno */
  int number;
} removal;

static void remove_at(removal *r);

static bool remove_one(void *user, const char *name) {
  removal *r = user;
  size_t before = r->path.len;
  r->failed = !am_buf_append_char(&r->path, '/') || !am_buf_append_str(&r->path, name);
  if (!r->failed) remove_at(r);
  r->path.len = before;
  r->path.data[before] = 0;
  return r->failed || r->number;
}

/* remove(3) takes files, links and empty folders as they are. */
static void remove_at(removal *r) {
  am_tree_entry entry;
  if (!am_tree_look(r->path.data, &entry)) return;
  if (entry.kind == AM_TREE_FOLDER && r->depth < DEEPEST) {
    r->depth++;
    if (am_dir_list(r->path.data, remove_one, r, NULL) == ADAM_NO_MEMORY) r->failed = true;
    r->depth--;
  }
  if (!r->failed && !r->number && remove(r->path.data) != 0 && errno != ENOENT) r->number = errno;
}

adam_status am_tree_remove(const char *path, adam_error *error) {
  removal r = {0};
  if (!am_buf_append_str(&r.path, path)) return am_fail_memory(error, path);
  remove_at(&r);
  am_buf_close(&r.path);
  if (r.failed) return am_fail_memory(error, path);
  char words[128];
  return r.number ? am_fail(error, ADAM_IO, path, NULL, "cannot be removed: %s",
                            strerror_r(r.number, words, sizeof words))
                  : ADAM_OK;
}
