/* SPDX-License-Identifier: Apache-2.0 */
/* A repository of the Hub's cache goes as `hf cache rm` has it go: refs of the revision, its snapshot, the blobs that
 * no other snapshot links to, and the folder with the last one. */
#include "share/remove.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "hub/cache.h"
#include "os/file.h"
#include "os/tree.h"
#include "store/store.h"

static const char gone_prefix[] = ".adam-removed-";
enum { SNAPSHOT_DEPTH = 10 };

/* A repository's folder and what is being taken out of it. */
typedef struct target {
  const char *folder;  /* CACHE/models--ORG--NAME */
  const char *commit;  /* NULL = all of them */
  const char *file;    /* NULL = all of them; below the snapshot */
  char **blobs;        /* base names that the part to go links to; owned */
  size_t n_blobs;
  size_t n_found;      /* names of files that go */
  bool failed;
} target;

static void target_close(target *t) {
  for (size_t i = 0; i < t->n_blobs; i++) am_mem_free(t->blobs[i]);
  am_mem_free(t->blobs);
  *t = (target){.folder = t->folder};
}

static bool add_blob(target *t, const char *name) {
  char **blobs = am_mem_resize(t->blobs, t->n_blobs + 1, sizeof *blobs);
  if (blobs) t->blobs = blobs;
  char *copy = blobs ? am_mem_dup(name, strlen(name)) : NULL;
  if (copy) blobs[t->n_blobs++] = copy;
  t->failed = t->failed || !copy;
  return copy != NULL;
}

static adam_status fail_io(adam_error *error, const char *path, const char *doing) {
  char words[128];
  return am_fail(error, ADAM_IO, path, NULL, "%s: %s", doing, strerror_r(errno, words, sizeof words));
}

/* ../../blobs/NAME, any number of levels up; NULL = it leads elsewhere. */
static const char *blob_of_link(const char *text) {
  while (!strncmp(text, "../", 3)) text += 3;
  return !strncmp(text, "blobs/", 6) && !strchr(text + 6, '/') && text[6] ? text + 6 : NULL;
}

/* FOLDER/snapshots/COMMIT/FILE -> is this in the part that goes? */
static bool is_going(const target *t, const char *path) {
  const char *at = path + strlen(t->folder) + strlen("/snapshots/");
  size_t n = strcspn(at, "/");
  if (t->commit && (strlen(t->commit) != n || strncmp(at, t->commit, n) != 0)) return false;
  return !t->file || (at[n] == '/' && !strcmp(at + n + 1, t->file));
}

static am_tree_step see_going(void *user, const am_tree_entry *entry) {
  target *t = user;
  if (entry->kind == AM_TREE_FOLDER || !is_going(t, entry->path)) return AM_TREE_ON;
  t->n_found++;
  char *text = entry->kind == AM_TREE_LINK ? am_tree_link_text(entry->path) : NULL;
  const char *blob = text ? blob_of_link(text) : NULL;
  bool fine = !blob || add_blob(t, blob);
  am_mem_free(text);
  return fine ? AM_TREE_ON : AM_TREE_STOP;
}

/* Whether a snapshot that stays links to the blob. */
typedef struct asking {
  const target *t;
  const char *blob;
  bool used;
} asking;

static am_tree_step see_staying(void *user, const am_tree_entry *entry) {
  asking *a = user;
  if (entry->kind != AM_TREE_LINK || is_going(a->t, entry->path)) return AM_TREE_ON;
  char *text = am_tree_link_text(entry->path);
  const char *blob = text ? blob_of_link(text) : NULL;
  a->used = blob && !strcmp(blob, a->blob);
  am_mem_free(text);
  return a->used ? AM_TREE_STOP : AM_TREE_ON;
}

static bool is_used(const target *t, const char *blob) {
  asking a = {t, blob, false};
  char *snapshots = am_path_join(t->folder, "snapshots");
  adam_status status = snapshots ? am_tree_walk(snapshots, SNAPSHOT_DEPTH, see_staying, &a, NULL) : ADAM_NO_MEMORY;
  am_mem_free(snapshots);
  return a.used || status != ADAM_OK; /* not sure: it stays */
}

/* Removes the blobs that nobody links to any more. One that a download holds the lock of stays: it is about to be
 * linked again. */
static adam_status remove_blobs(target *t, adam_error *error) {
  adam_status status = ADAM_OK;
  char *cache = am_path_dirname(t->folder);
  if (!cache) return am_fail_memory(error, t->folder);
  for (size_t i = 0; i < t->n_blobs && !status; i++) {
    am_buf path = {0}, lock_path = {0};
    am_lock *lock = NULL;
    am_tree_entry entry;
    am_buf_printf(&path, "%s/blobs/%s", t->folder, t->blobs[i]);
    am_buf_printf(&lock_path, "%s/.locks/%s/%s.lock", cache, am_path_basename(t->folder), t->blobs[i]);
    if (path.failed || lock_path.failed) {
      status = am_fail_memory(error, t->folder);
    } else {
      bool locks = am_tree_look(lock_path.data, &entry);
      adam_status locked = locks ? am_lock_open(lock_path.data, 0, NULL, NULL, &lock, NULL) : ADAM_OK;
      if (locked != ADAM_LIMIT && !is_used(t, t->blobs[i]) && unlink(path.data) != 0 && errno != ENOENT)
        status = fail_io(error, path.data, "cannot be removed");
      am_lock_close(&lock);
    }
    am_buf_close(&path);
    am_buf_close(&lock_path);
  }
  am_mem_free(cache);
  return status;
}

/* Refs that hold the commit. */
static am_tree_step drop_ref(void *user, const am_tree_entry *entry) {
  const target *t = user;
  am_buf text = {0};
  if (entry->kind == AM_TREE_FILE && !am_file_read(entry->path, 4096, &text, NULL)) {
    while (text.len && isspace((unsigned char)text.data[text.len - 1])) text.data[--text.len] = 0;
    if (text.data && !strcmp(text.data, t->commit)) (void)unlink(entry->path);
  }
  am_buf_close(&text);
  return AM_TREE_ON;
}

static adam_status drop_refs(target *t, adam_error *error) {
  char *refs = am_path_join(t->folder, "refs");
  adam_status status = refs ? am_tree_walk(refs, SNAPSHOT_DEPTH, drop_ref, t, error) : am_fail_memory(error, t->folder);
  am_mem_free(refs);
  return status;
}

static bool see_name(void *user, const char *name) {
  (void)name;
  ++*(size_t *)user;
  return false;
}

static size_t count_entries(const char *folder, const char *below) {
  size_t n = 0;
  char *path = am_path_join(folder, below);
  if (path) am_dir_list(path, see_name, &n, NULL);
  am_mem_free(path);
  return n;
}

/* The folder vanishes in one rename, then at leisure. */
static adam_status remove_folder(const char *folder, const char *beside, adam_error *error) {
  am_buf gone = {0};
  adam_status status = ADAM_OK;
  if (!am_buf_printf(&gone, "%s/%s%s", beside, gone_prefix, am_path_basename(folder)))
    status = am_fail_memory(error, folder);
  if (!status) status = am_tree_remove(gone.data, error);
  if (!status && rename(folder, gone.data) != 0) status = fail_io(error, folder, "cannot be removed");
  if (!status) status = am_tree_remove(gone.data, error);
  am_buf_close(&gone);
  return status;
}

static adam_status remove_repository(const char *folder, adam_error *error) {
  char *cache = am_path_dirname(folder);
  adam_status status = cache ? remove_folder(folder, cache, error) : am_fail_memory(error, folder);
  am_mem_free(cache);
  return status;
}

/* What else the client keeps about a commit. */
static void remove_notes(const target *t) {
  am_buf path = {0};
  if (am_buf_printf(&path, "%s/.no_exist/%s", t->folder, t->commit)) (void)am_tree_remove(path.data, NULL);
  am_buf_clear(&path);
  if (am_buf_printf(&path, "%s/trees/%s.json", t->folder, t->commit)) (void)unlink(path.data);
  am_buf_close(&path);
}

/* Renames the snapshot away, removes its blobs, then it. The renamed folder's links tell a later call, should this
 * one be killed, what to go on with. */
static adam_status remove_revision(target *t, adam_error *error) {
  am_buf snapshot = {0}, gone = {0};
  am_buf_printf(&snapshot, "%s/snapshots/%s", t->folder, t->commit);
  am_buf_printf(&gone, "%s/%s%s", t->folder, gone_prefix, t->commit);
  adam_status status = snapshot.failed || gone.failed ? am_fail_memory(error, t->folder) : drop_refs(t, error);
  if (!status) status = am_tree_remove(gone.data, error);
  if (!status && rename(snapshot.data, gone.data) != 0) status = fail_io(error, snapshot.data, "cannot be removed");
  if (!status && count_entries(t->folder, "snapshots") == 0) {
    status = remove_repository(t->folder, error);
  } else if (!status) {
    status = remove_blobs(t, error);
    if (!status) status = am_tree_remove(gone.data, error);
    remove_notes(t);
  }
  am_buf_close(&snapshot);
  am_buf_close(&gone);
  return status;
}

static am_tree_step unlink_going(void *user, const am_tree_entry *entry) {
  target *t = user;
  if (entry->kind == AM_TREE_FOLDER || !is_going(t, entry->path)) return AM_TREE_ON;
  t->failed = unlink(entry->path) != 0 && errno != ENOENT;
  return t->failed ? AM_TREE_STOP : AM_TREE_ON;
}

static adam_status remove_file_of(target *t, adam_error *error) {
  char *snapshots = am_path_join(t->folder, "snapshots");
  if (!snapshots) return am_fail_memory(error, t->folder);
  adam_status status = am_tree_walk(snapshots, SNAPSHOT_DEPTH, unlink_going, t, error);
  if (!status && t->failed) status = fail_io(error, t->file, "cannot be removed");
  am_mem_free(snapshots);
  return status ? status : remove_blobs(t, error);
}

/* ---- what the removal means for the bytes ---- */

typedef bool (*item_test)(const void *context, const am_item *item);

static bool goes_with_target(const void *context, const am_item *item) {
  const target *t = context;
  size_t n = strlen(t->folder);
  if (strncmp(item->path, t->folder, n) != 0 || item->path[n] != '/') return false;
  if (!t->commit && !t->file) return true;
  const char *rest = item->path + n + 1;
  if (!strncmp(rest, "snapshots/", 10)) return is_going(t, item->path);
  if (strncmp(rest, "blobs/", 6) != 0) return false;
  for (size_t i = 0; i < t->n_blobs; i++)
    if (!strcmp(t->blobs[i], rest + 6)) return !is_used(t, rest + 6);
  return false;
}

/* Which bytes go and which stay, told before anything is done. */
static void weigh(const am_inventory *inventory, item_test goes, const void *context, const am_remove_request *request,
                  am_removal *out) {
  for (size_t i = 0; i < inventory->n; i++) {
    const am_item *item = &inventory->items[i];
    if (!item->is_first_name) continue;
    size_t n_going = 0;
    for (const am_item *name = item;; name = &inventory->items[name->next_name]) {
      n_going += goes(context, name);
      if (name->next_name == SIZE_MAX) break;
    }
    if (n_going == 0) continue;
    if (n_going >= item->n_links) {
      out->bytes_freed += item->bytes;
      continue;
    }
    out->bytes_kept += item->bytes;
    for (const am_item *name = item; item->is_content && request->on_kept; name = &inventory->items[name->next_name]) {
      if (!goes(context, name)) request->on_kept(request->user, name->path, name->owner, name->place, item->bytes);
      if (name->next_name == SIZE_MAX) break;
    }
  }
}

static void forget(am_inventory *inventory, item_test goes, const void *context) {
  am_journal_begin(inventory->journal);
  for (size_t i = 0; i < inventory->n; i++)
    if (goes(context, &inventory->items[i])) (void)am_journal_forget(inventory->journal, inventory->items[i].path, NULL);
  am_journal_end(inventory->journal);
}

/* models--ORG--NAME in the first cache that has it, owned; NULL = none. */
static char *find_folder(const am_places *places, const char *repository) {
  for (size_t i = 0; i < places->n; i++) {
    if (places->roots[i].place != AM_PLACE_HUGGINGFACE) continue;
    am_buf path = {0};
    am_tree_entry entry;
    am_buf_printf(&path, "%s/models--", places->roots[i].path);
    for (const char *at = repository; *at; at++)
      *at == '/' ? am_buf_append_str(&path, "--") : am_buf_append_char(&path, *at);
    if (!path.failed && am_tree_look(path.data, &entry) && entry.kind == AM_TREE_FOLDER) return am_buf_take(&path);
    am_buf_close(&path);
  }
  return NULL;
}

/* The commit that a revision means here, owned. */
static adam_status find_commit(const char *folder, const am_remove_request *request, char **commit,
                               adam_error *error) {
  char *cache = am_path_dirname(folder), *snapshot = NULL;
  if (!cache) return am_fail_memory(error, folder);
  adam_status status = am_hub_snapshot(cache, request->repository, request->revision, &snapshot, error);
  if (!status) {
    const char *name = am_path_basename(snapshot);
    *commit = am_mem_dup(name, strlen(name));
    if (!*commit) status = am_fail_memory(error, folder);
  }
  am_mem_free(snapshot);
  am_mem_free(cache);
  return status;
}

static adam_status remove_hub(am_inventory *inventory, const am_remove_request *request, am_removal *out,
                              adam_error *error) {
  char *commit = NULL, *snapshots = NULL;
  if (!am_hub_name_valid(request->repository))
    return am_fail(error, ADAM_INVALID, request->repository, "names look like ORG/NAME",
                   "not a repository name of the Hub");
  char *folder = find_folder(&inventory->places, request->repository);
  if (!folder)
    return am_fail(error, ADAM_NOT_FOUND, request->repository, "adam list shows what is on this machine",
                   "not in the Hugging Face cache");
  target t = {.folder = folder, .file = request->file};
  adam_status status = request->revision ? find_commit(folder, request, &commit, error) : ADAM_OK;
  t.commit = commit;
  if (!status && !(snapshots = am_path_join(folder, "snapshots"))) status = am_fail_memory(error, folder);
  if (!status) status = am_tree_walk(snapshots, SNAPSHOT_DEPTH, see_going, &t, error);
  if (!status && t.failed) status = am_fail_memory(error, folder);
  if (!status && t.file && t.n_found == 0)
    status = am_fail(error, ADAM_NOT_FOUND, request->repository, NULL, "no file %s in it", t.file);
  if (!status) weigh(inventory, goes_with_target, &t, request, out);
  if (!status && !request->dry_run) {
    forget(inventory, goes_with_target, &t);
    status = t.file   ? remove_file_of(&t, error)
             : commit ? remove_revision(&t, error)
                      : remove_repository(folder, error);
  }
  target_close(&t);
  am_mem_free(snapshots);
  am_mem_free(commit);
  am_mem_free(folder);
  return status;
}

/* The blobs of an Ollama model that no other model of its store uses. */
typedef struct ollama_target {
  const am_store_model *model;
  const char *root;
} ollama_target;

static bool goes_with_model(const void *context, const am_item *item) {
  const ollama_target *t = context;
  size_t n = strlen(t->root);
  if (!strcmp(item->path, t->model->manifest_path)) return true;
  if (item->place != AM_PLACE_OLLAMA || !*item->named || strncmp(item->path, t->root, n) != 0) return false;
  bool ours = !strcmp(item->named, t->model->config.digest);
  for (size_t i = 0; i < t->model->n_layers && !ours; i++) ours = !strcmp(item->named, t->model->layers[i].digest);
  return ours && item->n_owners <= 1;
}

static adam_status remove_ollama(am_inventory *inventory, const am_remove_request *request, am_removal *out,
                                 adam_error *error) {
  am_store_name name;
  am_store_model *model = NULL;
  am_store *store = NULL;
  char *root = NULL, *real = NULL;
  bool kept = false;
  uint64_t freed = 0;
  adam_status status = am_store_name_parse(request->ollama, &name, error);
  if (!status) status = am_store_find(&name, &model, &root, error);
  if (!status && !(real = realpath(root, NULL))) status = fail_io(error, root, "cannot be read");
  if (!status) {
    ollama_target t = {model, real};
    weigh(inventory, goes_with_model, &t, request, out);
    if (!request->dry_run) {
      status = am_store_open(root, false, &store, error);
      if (!status) status = am_store_remove(store, &model->name, &freed, &kept, error);
      if (!status) forget(inventory, goes_with_model, &t);
      am_store_close(&store);
    }
  }
  free(real);
  am_mem_free(root);
  am_store_model_close(&model);
  return status;
}

static bool is_this_item(const void *context, const am_item *item) { return item == context; }

static adam_status remove_own(am_inventory *inventory, const am_remove_request *request, am_removal *out,
                              adam_error *error) {
  const am_item *found = NULL;
  am_tree_entry entry;
  char *real = am_tree_look(request->path, &entry) ? realpath(request->path, NULL) : NULL;
  for (size_t i = 0; i < inventory->n && real; i++)
    if (!strcmp(inventory->items[i].path, real) && inventory->items[i].place >= AM_PLACE_ADAM)
      found = &inventory->items[i];
  free(real);
  if (!found)
    return am_fail(error, ADAM_INVALID, request->path, "remove other files yourself",
                   "not a file of adam's own folder or of what it converted");
  weigh(inventory, is_this_item, found, request, out);
  if (request->dry_run) return ADAM_OK;
  if (unlink(found->path) != 0 && errno != ENOENT) return fail_io(error, found->path, "cannot be removed");
  (void)am_journal_forget(inventory->journal, found->path, NULL);
  return ADAM_OK;
}

adam_status am_remove(const am_remove_request *request, am_removal *out, adam_error *error) {
  am_inventory inventory;
  am_removal removal = {0};
  adam_status status = am_inventory_open(request->cache_dir, &inventory, error);
  if (!status) {
    if (request->repository)
      status = remove_hub(&inventory, request, &removal, error);
    else if (request->ollama)
      status = remove_ollama(&inventory, request, &removal, error);
    else
      status = remove_own(&inventory, request, &removal, error);
  }
  am_inventory_close(&inventory);
  if (!status) *out = removal;
  return status;
}

static am_tree_step see_any_link(void *user, const am_tree_entry *entry) {
  target *t = user;
  char *text = entry->kind == AM_TREE_LINK ? am_tree_link_text(entry->path) : NULL;
  const char *blob = text ? blob_of_link(text) : NULL;
  bool fine = !blob || add_blob(t, blob);
  am_mem_free(text);
  return fine ? AM_TREE_ON : AM_TREE_STOP;
}

/* A revision's renamed snapshot: its links tell which blobs were to go. */
static adam_status finish_revision(const char *gone, adam_error *error) {
  char *folder = am_path_dirname(gone);
  if (!folder) return am_fail_memory(error, gone);
  target t = {.folder = folder, .commit = ""}; /* no snapshot is called so: none is going any more */
  adam_status status = am_tree_walk(gone, SNAPSHOT_DEPTH, see_any_link, &t, error);
  if (!status) status = remove_blobs(&t, error);
  if (!status) status = am_tree_remove(gone, error);
  target_close(&t);
  am_mem_free(folder);
  return status;
}

typedef struct cleaning {
  adam_status status;
  adam_error *error;
} cleaning;

static am_tree_step clean_one(void *user, const am_tree_entry *entry) {
  cleaning *c = user;
  if (entry->kind != AM_TREE_FOLDER) return AM_TREE_ON;
  if (!strncmp(entry->name, gone_prefix, sizeof gone_prefix - 1)) {
    c->status = entry->depth == 0 ? am_tree_remove(entry->path, c->error) : finish_revision(entry->path, c->error);
    return c->status ? AM_TREE_STOP : AM_TREE_SKIP;
  }
  return entry->depth == 0 && !strncmp(entry->name, "models--", 8) ? AM_TREE_ON : AM_TREE_SKIP;
}

adam_status am_remove_clean(const am_places *places, adam_error *error) {
  cleaning c = {ADAM_OK, error};
  for (size_t i = 0; i < places->n && !c.status; i++)
    if (places->roots[i].place == AM_PLACE_HUGGINGFACE) {
      adam_status status = am_tree_walk(places->roots[i].path, 1, clean_one, &c, error);
      if (status) return status;
    }
  return c.status;
}
