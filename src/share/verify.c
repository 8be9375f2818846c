/* SPDX-License-Identifier: Apache-2.0 */
#include "share/verify.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "os/file.h"
#include "os/link.h"
#include "os/tree.h"
#include "store/store.h"

enum { SNAPSHOT_DEPTH = 10 };

/* A blob that a snapshot or a manifest refers to. Texts are in the arena. */
typedef struct wanted {
  const char *path;  /* where it has to be */
  const char *owner;
  char digest[65];   /* "" = its name is no SHA-256 */
  am_place place;
  bool done;
} wanted;

typedef struct verifying {
  am_inventory *inventory;
  const char *only;
  am_work *work;
  am_on_finding on_finding;
  void *user;
  am_verification *out;
  wanted *wanted;
  size_t n_wanted, capacity;
  am_map by_path; /* path -> wanted */
  am_map items;   /* path -> item */
  const char *repository, *folder; /* of the cache, while it is walked */
  am_store *store;
  bool failed;
  adam_error *error;
} verifying;

static void tell(verifying *v, am_finding_kind kind, am_place place, const char *path, const char *digest,
                 const char *owner, const char *source) {
  const am_finding finding = {kind, place, path, digest, owner, source};
  if (kind == AM_FINDING_DAMAGED) v->out->n_damaged++;
  if (kind == AM_FINDING_MISSING) v->out->n_missing++;
  if (kind == AM_FINDING_REPAIRED || kind == AM_FINDING_RENAMED) v->out->n_repaired++;
  if (kind == AM_FINDING_UNUSED) v->out->n_unused++;
  if (v->on_finding) v->on_finding(v->user, &finding);
}

/* path is copied, owner stays borrowed from the arena. */
static bool want(verifying *v, am_place place, const char *path, const char *digest, const char *owner) {
  uint64_t known;
  if (am_map_get(&v->by_path, path, strlen(path), &known)) return true;
  if (v->n_wanted == v->capacity) {
    size_t capacity = v->capacity ? 2 * v->capacity : 64;
    wanted *grown = am_mem_resize(v->wanted, capacity, sizeof *grown);
    if (!grown) return false;
    v->wanted = grown;
    v->capacity = capacity;
  }
  wanted *w = &v->wanted[v->n_wanted];
  *w = (wanted){.path = am_arena_dup(&v->inventory->arena, path, strlen(path)), .owner = owner, .place = place};
  if (digest) memcpy(w->digest, digest, 65);
  return w->path && am_map_set(&v->by_path, w->path, strlen(w->path), v->n_wanted++);
}

static bool is_hex64(const char *text) {
  return strlen(text) == 64 && strspn(text, "0123456789abcdef") == 64;
}

static am_tree_step see_link(void *user, const am_tree_entry *entry) {
  verifying *v = user;
  if (entry->kind != AM_TREE_LINK) return AM_TREE_ON;
  char *text = am_tree_link_text(entry->path);
  const char *at = text;
  while (at && !strncmp(at, "../", 3)) at += 3;
  const char *blob = at && !strncmp(at, "blobs/", 6) && at[6] && !strchr(at + 6, '/') ? at + 6 : NULL;
  am_buf path = {0};
  if (blob) am_buf_printf(&path, "%s/blobs/%s", v->folder, blob);
  if (blob)
    v->failed = path.failed ||
                !want(v, AM_PLACE_HUGGINGFACE, path.data, is_hex64(blob) ? blob : NULL, v->repository);
  am_buf_close(&path);
  am_mem_free(text);
  return v->failed ? AM_TREE_STOP : AM_TREE_ON;
}

static am_tree_step see_repository(void *user, const am_tree_entry *entry) {
  verifying *v = user;
  if (entry->kind != AM_TREE_FOLDER || strncmp(entry->name, "models--", 8) != 0) return AM_TREE_SKIP;
  char *name = am_arena_dup(&v->inventory->arena, entry->name + 8, strlen(entry->name) - 8);
  char *snapshots = am_path_join(entry->path, "snapshots");
  v->failed = !name || !snapshots;
  char *dashes = name ? strstr(name, "--") : NULL;
  if (dashes) {
    *dashes = '/';
    memmove(dashes + 1, dashes + 2, strlen(dashes + 2) + 1);
  }
  if (!v->failed && (!v->only || !strcmp(v->only, name))) {
    v->repository = name;
    v->folder = entry->path;
    if (am_tree_walk(snapshots, SNAPSHOT_DEPTH, see_link, v, NULL)) v->failed = true;
  }
  am_mem_free(snapshots);
  return v->failed ? AM_TREE_STOP : AM_TREE_SKIP;
}

static bool want_layer(verifying *v, const am_store_layer *layer, const char *owner) {
  char *path = am_store_blob_path(v->store, layer->digest);
  bool fine = path && want(v, AM_PLACE_OLLAMA, path, layer->digest, owner);
  am_mem_free(path);
  return fine;
}

static bool see_model(void *user, const am_store_entry *entry) {
  verifying *v = user;
  am_store_model *model = NULL;
  am_buf text = {0};
  char printed[AM_STORE_NAME_BYTES];
  am_store_name_print(&entry->name, printed);
  am_buf_printf(&text, "ollama:%s", printed);
  if (text.failed) {
    v->failed = true;
  } else if (!v->only || !strcmp(v->only, text.data)) {
    adam_status status = am_store_model_open(v->store, &entry->name, &model, NULL);
    if (status == ADAM_NO_MEMORY) v->failed = true;
    if (status == ADAM_DAMAGED) tell(v, AM_FINDING_DAMAGED, AM_PLACE_OLLAMA, entry->path, "", text.data, NULL);
    const char *owner = am_arena_dup(&v->inventory->arena, text.data, text.len);
    if (!owner) v->failed = true;
    if (model && !v->failed) {
      v->failed = !want_layer(v, &model->config, owner);
      for (size_t i = 0; i < model->n_layers && !v->failed; i++) v->failed = !want_layer(v, &model->layers[i], owner);
    }
  }
  am_store_model_close(&model);
  am_buf_close(&text);
  return v->failed;
}

static adam_status collect(verifying *v) {
  for (size_t i = 0; i < v->inventory->places.n && !v->failed; i++) {
    const am_place_root *root = &v->inventory->places.roots[i];
    if (root->place == AM_PLACE_HUGGINGFACE && am_tree_walk(root->path, 0, see_repository, v, NULL)) v->failed = true;
    if (root->place == AM_PLACE_OLLAMA && !am_store_open(root->path, false, &v->store, NULL)) {
      am_store_each(v->store, see_model, v, NULL);
      am_store_close(&v->store);
    }
  }
  for (size_t i = 0; i < v->inventory->n && !v->failed; i++) {
    const char *path = v->inventory->items[i].path;
    v->failed = !am_map_set(&v->items, path, strlen(path), i);
  }
  return v->failed ? am_fail_memory(v->error, "stores") : ADAM_OK;
}

static am_item *item_at(const verifying *v, const char *path) {
  uint64_t index = 0;
  return am_map_get(&v->items, path, strlen(path), &index) ? &v->inventory->items[index] : NULL;
}

static wanted *wanted_at(const verifying *v, const char *path) {
  uint64_t index = 0;
  return am_map_get(&v->by_path, path, strlen(path), &index) ? &v->wanted[index] : NULL;
}

static bool is_in_scope(const verifying *v, const am_item *item) {
  return *item->named && (!v->only || wanted_at(v, item->path));
}

static adam_status read_all(verifying *v) {
  am_inventory *inventory = v->inventory;
  if (v->work) v->work->done = v->work->total = 0;
  for (size_t i = 0; i < inventory->n && v->work; i++)
    if (inventory->items[i].is_first_name && is_in_scope(v, &inventory->items[i]))
      v->work->total += inventory->items[i].bytes;
  for (size_t i = 0; i < inventory->n; i++) {
    am_item *item = &inventory->items[i];
    if (!is_in_scope(v, item)) continue;
    if (!*item->digest) {
      adam_status status = am_inventory_digest(inventory, item, true, v->work, v->error);
      if (status == ADAM_CANCELLED || status == ADAM_NO_MEMORY) return status;
      if (!status) v->out->bytes_checked += item->bytes;
      if (status) memcpy(item->digest, "?", 2); /* cannot be read: not what it says */
    }
    v->out->n_checked++;
  }
  return ADAM_OK;
}

/* A file with that content, read and found sound; NULL = none in any store. */
static am_item *find_sound(verifying *v, const char *digest, const char *but) {
  for (size_t i = 0; i < v->inventory->n; i++) {
    am_item *item = &v->inventory->items[i];
    if (!item->is_content || !strcmp(item->path, but)) continue;
    if (!*item->digest && !strcmp(item->named, digest))
      (void)am_inventory_digest(v->inventory, item, true, v->work, NULL);
    if (!strcmp(item->digest, digest)) return item;
  }
  return NULL;
}

/* Last resort where something is missing: files whose names say nothing. */
static adam_status read_unnamed(verifying *v) {
  for (size_t i = 0; i < v->inventory->n; i++) {
    am_item *item = &v->inventory->items[i];
    if (!item->is_content || *item->named || *item->digest) continue;
    adam_status status = am_inventory_digest(v->inventory, item, false, v->work, v->error);
    if (status == ADAM_CANCELLED || status == ADAM_NO_MEMORY) return status;
  }
  return ADAM_OK;
}

/* Links a sound file to where it has to be. A file that has nothing of its own to lose is moved by am_drop_misnamed
 * after that. */
static bool repair(verifying *v, const wanted *w, bool is_there) {
  am_item *source = *w->digest ? find_sound(v, w->digest, w->path) : NULL;
  uint64_t added = 0;
  am_link_method method;
  if (!source || am_link_file(source->path, w->path, is_there, true, &method, &added, NULL)) return false;
  am_item *item = item_at(v, w->path);
  if (item) memcpy(item->digest, w->digest, 65);
  am_inventory_relinked(v->inventory, source, w->path);
  tell(v, AM_FINDING_REPAIRED, w->place, w->path, w->digest, w->owner, source->path);
  return true;
}

static adam_status check_wanted(verifying *v) {
  bool all_read = false;
  for (size_t i = 0; i < v->n_wanted; i++) {
    wanted *w = &v->wanted[i];
    am_tree_entry entry;
    const am_item *item = item_at(v, w->path);
    bool is_there = am_tree_look(w->path, &entry) && am_file_is_regular(w->path);
    bool is_sound = is_there && (!*w->digest || !item || !strcmp(item->digest, w->digest));
    if (is_sound) continue;
    w->done = repair(v, w, is_there);
    if (!w->done && *w->digest && !all_read) {
      adam_status status = read_unnamed(v);
      if (status) return status;
      all_read = true;
      w->done = repair(v, w, is_there);
    }
    if (!w->done)
      tell(v, is_there ? AM_FINDING_DAMAGED : AM_FINDING_MISSING, w->place, w->path, w->digest, w->owner, NULL);
  }
  return ADAM_OK;
}

/* A blob that nobody refers to. Where its content has got its right name by now, the wrong one goes. */
static void check_unused(verifying *v, am_item *item) {
  const char *base = am_path_basename(item->path);
  bool is_blob = item->place == AM_PLACE_OLLAMA || strstr(item->path, "/blobs/");
  if (!is_blob || wanted_at(v, item->path) || !*base) return;
  for (size_t i = 0; i < v->n_wanted && *item->digest && strcmp(item->digest, item->named) != 0; i++) {
    am_tree_entry right, wrong;
    const wanted *w = &v->wanted[i];
    if (!w->done || strcmp(w->digest, item->digest) != 0) continue;
    if (am_tree_look(w->path, &right) && am_tree_look(item->path, &wrong) && right.inode == wrong.inode &&
        right.device == wrong.device && unlink(item->path) == 0) {
      (void)am_journal_forget(v->inventory->journal, item->path, NULL);
      tell(v, AM_FINDING_RENAMED, item->place, item->path, item->digest, w->owner, w->path);
      return;
    }
  }
  tell(v, AM_FINDING_UNUSED, item->place, item->path, item->named, item->owner, NULL);
}

adam_status am_verify(am_inventory *inventory, const char *only, am_work *work, am_on_finding on_finding, void *user,
                      am_verification *out, adam_error *error) {
  am_verification verification = {0};
  verifying v = {.inventory = inventory, .only = only, .work = work, .on_finding = on_finding, .user = user,
                 .out = &verification, .error = error};
  adam_status status = collect(&v);
  if (!status && only && v.n_wanted == 0)
    status = am_fail(error, ADAM_NOT_FOUND, only, "adam list shows what is on this machine", "nothing to verify");
  if (!status) status = read_all(&v);
  if (!status) status = check_wanted(&v);
  for (size_t i = 0; i < inventory->n && !status && !only; i++)
    if (inventory->items[i].is_content) check_unused(&v, &inventory->items[i]);
  am_map_close(&v.by_path);
  am_map_close(&v.items);
  am_mem_free(v.wanted);
  if (!status) *out = verification;
  return status;
}
