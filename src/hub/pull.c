/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/pull.h"

#include "base/json.h"
#include "base/mem.h"
#include "hub/cache.h"
#include "hub/download.h"
#include "hub/folder.h"
#include "hub/places.h"
#include "hub/select.h"
#include "os/clock.h"
#include "os/file.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { INDEX_BYTES = 64 << 20 };

/* One pull under way. */
typedef struct work {
  am_hub_pull *pull;
  am_hub_remote remote;
  am_hub_tree tree;
  am_hub_layout layout;
  am_hub_subject subject;
  bool *wanted;       /* n_files; owned */
  am_hub_item *items; /* owned */
  size_t n_items;
  bool *fresh;        /* n_files: the file's blob was downloaded by this call; owned */
  char note[96];      /* what the asking waits for */
  double note_until_ms;
} work;

static void on_wait(void *user, const char *why, double wait_ms) {
  work *w = user;
  if (wait_ms >= 1500)
    snprintf(w->note, sizeof w->note, "%s: %.0f s", why, wait_ms / 1000);
  else
    snprintf(w->note, sizeof w->note, "%s", why);
  w->note_until_ms = am_clock_ms() + wait_ms;
}

/* While the listing is fetched: nothing to show yet, but the caller may cancel. */
static bool ask_caller(void *user) {
  const work *w = user;
  const adam_pull_options *o = w->pull->options;
  const char *note = am_clock_ms() < w->note_until_ms ? w->note : NULL;
  const adam_pull_progress progress = {.struct_size = sizeof progress, .model = w->pull->what, .note = note};
  return o->on_progress && o->on_progress(o->user, &progress);
}

static int smaller_first(const void *a, const void *b) {
  const am_hub_file *x = ((const am_hub_item *)a)->file, *y = ((const am_hub_item *)b)->file;
  if (x->bytes != y->bytes) return x->bytes < y->bytes ? -1 : 1;
  return strcmp(x->path, y->path);
}

/* The wanted files that are not in the snapshot, each digest once, small ones first: many of them go at once, and
 * the large ones then have all connections. `only`: of them the one file. */
static void list_items(work *w, const char *only) {
  w->n_items = 0;
  for (size_t i = 0; i < w->tree.n_files; i++) {
    const am_hub_file *file = &w->tree.files[i];
    if (!w->wanted[i] || (only && strcmp(file->path, only) != 0)) continue;
    if (am_hub_layout_has(&w->layout, file->path, file->etag, file->bytes)) continue;
    bool known = false;
    for (size_t k = 0; k < w->n_items && !known; k++) known = !strcmp(w->items[k].file->etag, file->etag);
    if (!known) w->items[w->n_items++] = (am_hub_item){.file = file};
  }
  qsort(w->items, w->n_items, sizeof *w->items, smaller_first);
}

static bool ask_quietly(void *user, const adam_pull_progress *progress) {
  (void)progress;
  return ask_caller(user);
}

/* quietly: the caller is not shown this list of files, as another one follows. */
static adam_status download(work *w, bool quietly, adam_error *error) {
  am_hub_pull *pull = w->pull;
  int32_t n = pull->options->n_connections;
  am_hub_download d = {.remote = &w->remote, .layout = &w->layout, .subject = &w->subject, .items = w->items,
                       .n_items = w->n_items, .n_connections = n > 0 ? (uint32_t)n : 0,
                       .on_progress = quietly ? ask_quietly : pull->options->on_progress,
                       .user = quietly ? (void *)w : pull->options->user};
  adam_status status = am_hub_download_run(&d, error);
  pull->received_bytes += d.received_bytes;
  for (size_t k = 0; k < w->n_items && !status; k++)
    if (w->items[k].fresh) w->fresh[w->items[k].file - w->tree.files] = true;
  return status;
}

/* The index tells which shards there are: it comes before them. */
static adam_status want_shards(work *w, adam_error *error) {
  const am_hub_file *index = am_hub_tree_find(&w->tree, am_hub_index_name);
  if (!index || !w->wanted[index - w->tree.files]) return ADAM_OK;
  list_items(w, index->path);
  adam_status status = w->n_items ? download(w, true, error) : ADAM_OK;
  if (status) return status;
  char *path = w->n_items ? am_hub_layout_blob(&w->layout, index->etag)
                          : am_hub_layout_snapshot(&w->layout, index->path);
  am_buf text = {0};
  status = path ? am_file_read(path, INDEX_BYTES, &text, error) : am_fail_memory(error, w->pull->what);
  if (!status)
    status = am_hub_select_shards(&w->tree, text.data ? text.data : "", text.len, w->pull->what, w->wanted, error);
  am_buf_close(&text);
  am_mem_free(path);
  return status;
}

/* A blob of this call that only this file uses may become the file, where there are no links or none are wanted. */
static am_hub_placing placing_of(const work *w, size_t file) {
  bool link = !am_hub_variable_is_set("HF_HUB_DISABLE_SYMLINKS"), alone = w->fresh[file];
  for (size_t i = 0; i < w->tree.n_files && alone; i++)
    alone = i == file || !w->wanted[i] || strcmp(w->tree.files[i].etag, w->tree.files[file].etag) != 0;
  if (link) return alone ? AM_HUB_LINK_OR_MOVE : AM_HUB_LINK;
  return alone ? AM_HUB_MOVE : AM_HUB_COPY;
}

/* Weights first, config.json last, then the ref: who finds a model finds a whole one. */
static adam_status place_files(work *w, adam_error *error) {
  adam_status status = ADAM_OK;
  for (int round = 0; round < 3 && !status; round++) {
    for (size_t i = 0; i < w->tree.n_files && !status; i++) {
      const am_hub_file *file = &w->tree.files[i];
      bool weights = am_hub_ends_with(file->path, ".safetensors") || am_hub_ends_with(file->path, ".gguf");
      int turn = weights ? 0 : strcmp(file->path, "config.json") ? 1 : 2;
      if (!w->wanted[i] || turn != round) continue;
      w->pull->n_files++;
      w->pull->bytes += file->bytes;
      if (!am_hub_layout_has(&w->layout, file->path, file->etag, file->bytes))
        status = am_hub_layout_place(&w->layout, file->path, file->etag, placing_of(w, i), error);
    }
  }
  if (!status) status = am_hub_layout_ref(&w->layout, w->subject.revision, error);
  return status;
}

/* Where huggingface_hub would look for model.safetensors first. */
static void note_absent(const work *w) {
  if (am_hub_tree_find(&w->tree, am_hub_index_name) && !am_hub_tree_find(&w->tree, "model.safetensors"))
    (void)am_hub_layout_absent(&w->layout, "model.safetensors", NULL);
}

static adam_status pull_online(work *w, const char *cache, adam_error *error) {
  am_hub_pull *pull = w->pull;
  adam_status status = am_hub_tree_get(&w->remote, pull->repository, pull->revision, pull->what, &w->tree, error);
  if (status) return status;
  size_t n = w->tree.n_files + 1;
  w->wanted = am_mem_zalloc(n, sizeof *w->wanted);
  w->fresh = am_mem_zalloc(n, sizeof *w->fresh);
  w->items = am_mem_zalloc(n, sizeof *w->items);
  if (!w->wanted || !w->fresh || !w->items) return am_fail_memory(error, pull->what);
  memcpy(pull->commit, w->tree.commit, sizeof pull->commit);
  status = am_hub_layout_open(cache, pull->repository, pull->commit, &w->layout, error);
  if (!status) status = am_hub_select(&w->tree, pull->choice, pull->what, w->wanted, error);
  if (status == ADAM_NOT_FOUND && pull->choice && am_hub_path_safe(pull->choice) &&
      !am_hub_tree_find(&w->tree, pull->choice) && am_hub_ends_with(pull->choice, ".gguf"))
    (void)am_hub_layout_absent(&w->layout, pull->choice, NULL);
  if (!status) status = am_hub_layout_prepare(&w->layout, error);
  /* From here on the subject's revision is the commit: what a branch points to may change meanwhile. */
  w->subject = (am_hub_subject){pull->what, pull->repository, w->tree.commit, NULL};
  if (!status) status = want_shards(w, error);
  if (status) return status;
  list_items(w, NULL);
  status = download(w, false, error);
  w->subject.revision = pull->revision ? pull->revision : "main";
  if (!status) status = place_files(w, error);
  if (!status) note_absent(w);
  char *folder = status ? NULL : am_hub_layout_snapshot(&w->layout, "");
  if (!status) status = folder ? am_hub_pick(folder, pull->choice, pull->what, &pull->path, error)
                               : am_fail_memory(error, pull->what);
  am_mem_free(folder);
  return status;
}

/* Are all shards there that the text of an index names? */
static adam_status check_index(const char *folder, const am_buf *text, const char *what, adam_error *error) {
  am_arena arena = {.limit_bytes = (size_t)1 << 30};
  am_json index = {0};
  adam_status status = am_json_parse(text->data ? text->data : "", text->len, what, 0, &arena, &index, error);
  const am_json *map = status ? NULL : am_json_get(&index, "weight_map");
  for (uint32_t i = 0; map && map->type == AM_JSON_OBJECT && i < map->n && !status; i++) {
    const char *name = am_json_str(&map->as.members[i].value, "");
    char *path = am_hub_path_safe(name) ? am_path_join(folder, name) : NULL;
    if (!path || !am_file_is_regular(path))
      status = am_fail(error, ADAM_NOT_FOUND, what, NULL, "the download is not complete: %.100s is missing", name);
    am_mem_free(path);
  }
  am_arena_close(&arena);
  return status;
}

static adam_status check_shards(const char *folder, const char *what, adam_error *error) {
  char *single = am_path_join(folder, "model.safetensors"), *index = am_path_join(folder, am_hub_index_name);
  am_buf text = {0};
  adam_status status = single && index ? ADAM_OK : am_fail_memory(error, what);
  if (!status && !am_file_is_regular(single) && am_file_is_regular(index)) {
    status = am_file_read(index, INDEX_BYTES, &text, error);
    if (!status) status = check_index(folder, &text, what, error);
  }
  am_buf_close(&text);
  am_mem_free(single);
  am_mem_free(index);
  return status;
}

static adam_status pull_offline(am_hub_pull *pull, adam_error *error) {
  char *folder = NULL;
  adam_status status =
      am_hub_find(pull->options->cache_dir, pull->repository, pull->revision, &folder, error);
  if (!status) status = check_shards(folder, pull->what, error);
  if (!status) status = am_hub_pick(folder, pull->choice, pull->what, &pull->path, error);
  if (status == ADAM_NOT_FOUND && error) {
    am_error_rename(error, pull->what);
    am_fail(error, status, pull->what, "offline nothing can be fetched: call again without --offline", "%s",
            error->why);
  }
  const char *commit = folder ? am_path_basename(folder) : "";
  if (!status && strlen(commit) < sizeof pull->commit) memcpy(pull->commit, commit, strlen(commit) + 1);
  am_mem_free(folder);
  return status;
}

adam_status am_hub_pull_run(am_hub_pull *pull, adam_error *error) {
  work w = {.pull = pull};
  if (!am_hub_name_valid(pull->repository))
    return am_fail(error, ADAM_INVALID, pull->what, "names look like ORG/NAME", "not a repository name of the Hub");
  if (pull->revision && !am_hub_path_safe(pull->revision))
    return am_fail(error, ADAM_INVALID, pull->what, NULL, "'%s' is not a branch, tag or commit", pull->revision);
  adam_status status = am_hub_remote_open(pull->options->token, &w.remote, error);
  if (status) return status;
  char *dirs[2] = {0};
  size_t n = am_hub_caches(pull->options->cache_dir, dirs);
  w.remote.cancelled = ask_caller;
  w.remote.on_wait = on_wait;
  w.remote.user = &w;
  if (pull->options->offline || w.remote.offline)
    status = pull_offline(pull, error);
  else if (n == 0)
    status = am_fail(error, ADAM_NOT_FOUND, pull->what, "set HOME or HF_HOME", "there is no cache folder");
  else
    status = pull_online(&w, dirs[0], error);
  for (size_t i = 0; i < n; i++) am_mem_free(dirs[i]);
  if (status) am_mem_free(pull->path), pull->path = NULL;
  am_mem_free(w.wanted);
  am_mem_free(w.fresh);
  am_mem_free(w.items);
  am_hub_layout_close(&w.layout);
  am_hub_tree_close(&w.tree);
  am_hub_remote_close(&w.remote);
  return status;
}
