/* SPDX-License-Identifier: Apache-2.0 */
#include "share/inventory.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/mem.h"
#include "os/file.h"
#include "os/tree.h"
#include "store/store.h"

enum { CHUNK = 1 << 20, DEPTH = 12, ITEMS = 4000000 };

/* One root being walked. */
typedef struct walk {
  am_inventory *inventory;
  uint32_t root;
  const char *repository; /* of the Hub's cache; in the arena */
  am_map *users;          /* digest -> index of the Ollama model's name */
  const char **names;
  size_t n_names;
  bool failed;
} walk;

static const char *keep(am_inventory *inventory, const char *text) {
  return am_arena_dup(&inventory->arena, text, strlen(text) + 1);
}

static bool is_hex64(const char *text) {
  return strlen(text) == 64 && strspn(text, "0123456789abcdef") == 64;
}

static bool ends_with(const char *text, const char *ending) {
  size_t n = strlen(text), k = strlen(ending);
  return n >= k && !strcmp(text + n - k, ending);
}

/* Where in models--ORG--NAME the path lies: "blobs", "snapshots", ...; "" = elsewhere. */
static const char *part_of_repository(const am_tree_entry *entry, const char *root) {
  const char *at = strchr(entry->path + strlen(root) + 1, '/');
  return at ? at + 1 : "";
}

static bool is_unfinished(const char *name) {
  return *name == '.' || ends_with(name, ".incomplete") || ends_with(name, ".tmp") || ends_with(name, ".lock") ||
         strstr(name, "-partial");
}

static am_item *push(walk *w, const am_tree_entry *entry) {
  am_inventory *inventory = w->inventory;
  if (inventory->n == inventory->capacity) {
    size_t capacity = inventory->capacity ? inventory->capacity * 2 : 256;
    am_item *items = capacity <= ITEMS ? am_mem_resize(inventory->items, capacity, sizeof *items) : NULL;
    if (!items) return NULL;
    inventory->items = items;
    inventory->capacity = capacity;
  }
  am_item *item = &inventory->items[inventory->n];
  *item = (am_item){.place = inventory->places.roots[w->root].place,
                    .root = w->root,
                    .path = keep(inventory, entry->path),
                    .owner = "",
                    .bytes = entry->bytes,
                    .disk_bytes = entry->disk_bytes,
                    .device = entry->device,
                    .inode = entry->inode,
                    .n_links = entry->n_links,
                    .mtime_ns = entry->mtime_ns,
                    .ctime_ns = entry->ctime_ns,
                    .mode = entry->mode,
                    .user = entry->owner,
                    .next_name = SIZE_MAX};
  if (!item->path) return NULL;
  inventory->n++;
  return item;
}

/* "models--ORG--NAME" -> "ORG/NAME"; other folders of the cache (datasets, spaces, locks) are no models. */
static am_tree_step enter_repository(walk *w, const am_tree_entry *entry) {
  static const char prefix[] = "models--";
  if (strncmp(entry->name, prefix, sizeof prefix - 1) != 0) return AM_TREE_SKIP;
  char *name = am_arena_dup(&w->inventory->arena, entry->name + sizeof prefix - 1,
                            strlen(entry->name) - sizeof prefix + 2);
  if (!name) {
    w->failed = true;
    return AM_TREE_STOP;
  }
  char *dashes = strstr(name, "--");
  if (dashes) {
    *dashes = '/';
    memmove(dashes + 1, dashes + 2, strlen(dashes + 2) + 1);
  }
  w->repository = name;
  return AM_TREE_ON;
}

static am_tree_step see_hub(void *user, const am_tree_entry *entry) {
  walk *w = user;
  const char *root = w->inventory->places.roots[w->root].path;
  if (entry->depth == 0) return entry->kind == AM_TREE_FOLDER ? enter_repository(w, entry) : AM_TREE_ON;
  if (entry->kind != AM_TREE_FILE) return AM_TREE_ON;
  am_item *item = push(w, entry);
  if (!item) {
    w->failed = true;
    return AM_TREE_STOP;
  }
  const char *part = part_of_repository(entry, root);
  bool is_blob = !strncmp(part, "blobs/", 6);
  item->is_content = (is_blob || !strncmp(part, "snapshots/", 10)) && !is_unfinished(entry->name);
  item->owner = w->repository;
  item->n_owners = 1;
  if (is_blob && is_hex64(entry->name)) memcpy(item->named, entry->name, 65);
  return AM_TREE_ON;
}

static am_tree_step see_ollama(void *user, const am_tree_entry *entry) {
  walk *w = user;
  const char *part = entry->path + strlen(w->inventory->places.roots[w->root].path) + 1;
  if (entry->depth == 0)
    return !strcmp(entry->name, "blobs") || !strcmp(entry->name, "manifests") ||
                   !strncmp(entry->name, ".adam-", 6)
               ? AM_TREE_ON
               : AM_TREE_SKIP;
  if (entry->kind != AM_TREE_FILE) return AM_TREE_ON;
  am_item *item = push(w, entry);
  if (!item) {
    w->failed = true;
    return AM_TREE_STOP;
  }
  bool is_blob = entry->depth == 1 && !strncmp(part, "blobs/sha256", 12);
  uint64_t index = 0;
  if (is_blob && am_store_digest_parse(entry->name, item->named)) {
    item->is_content = true;
    if (am_map_get(w->users, item->named, 64, &index)) {
      item->owner = w->names[index & 0xffffffffu];
      item->n_owners = (uint32_t)(index >> 32);
    }
  }
  return AM_TREE_ON;
}

static am_tree_step see_own(void *user, const am_tree_entry *entry) {
  walk *w = user;
  if (entry->kind != AM_TREE_FILE) return AM_TREE_ON;
  am_item *item = push(w, entry);
  if (!item) {
    w->failed = true;
    return AM_TREE_STOP;
  }
  item->is_content = !is_unfinished(entry->name);
  item->owner = item->path + strlen(w->inventory->places.roots[w->root].path) + 1;
  item->n_owners = 1;
  return AM_TREE_ON;
}

/* Remembers who uses each blob of an Ollama store: the first name and how many. */
typedef struct users {
  walk *walk;
  am_store *store;
} users;

static bool note_user(walk *w, const am_store_layer *layer, size_t name) {
  uint64_t value = 0;
  if (am_map_get(w->users, layer->digest, 64, &value))
    value += (uint64_t)1 << 32;
  else
    value = ((uint64_t)1 << 32) | name;
  const char *key = am_arena_dup(&w->inventory->arena, layer->digest, 64);
  return key && am_map_set(w->users, key, 64, value);
}

static bool see_model(void *user, const am_store_entry *entry) {
  users *u = user;
  walk *w = u->walk;
  am_store_model *model = NULL;
  if (am_store_model_open(u->store, &entry->name, &model, NULL)) return false; /* what cannot be read owns nothing */
  am_buf text = {0};
  char printed[AM_STORE_NAME_BYTES];
  am_store_name_print(&model->name, printed);
  am_buf_printf(&text, "ollama:%s", printed);
  const char **names = am_mem_resize(w->names, w->n_names + 1, sizeof *names);
  const char *name = text.failed ? NULL : keep(w->inventory, text.data);
  if (names) w->names = names;
  w->failed = !names || !name;
  if (!w->failed) {
    names[w->n_names] = name;
    w->failed = !note_user(w, &model->config, w->n_names);
    for (size_t i = 0; i < model->n_layers && !w->failed; i++)
      w->failed = !note_user(w, &model->layers[i], w->n_names);
    w->n_names++;
  }
  am_buf_close(&text);
  am_store_model_close(&model);
  return w->failed;
}

static adam_status walk_root(am_inventory *inventory, uint32_t root, adam_error *error) {
  static const am_tree_on_entry see[] = {see_hub, see_ollama, see_own, see_own};
  am_map map = {0};
  walk w = {.inventory = inventory, .root = root, .users = &map};
  const am_place_root *place = &inventory->places.roots[root];
  if (place->place == AM_PLACE_OLLAMA) {
    users u = {&w, NULL};
    if (!am_store_open(place->path, false, &u.store, NULL)) am_store_each(u.store, see_model, &u, NULL);
    am_store_close(&u.store);
  }
  adam_status status = w.failed ? ADAM_OK : am_tree_walk(place->path, DEPTH, see[place->place], &w, error);
  am_map_close(&map);
  am_mem_free(w.names);
  return w.failed ? am_fail_memory(error, place->path) : status;
}

/* Chains the names of each inode. */
static bool join_names(am_inventory *inventory) {
  am_map map = {0};
  bool fine = am_map_reserve(&map, inventory->n);
  for (size_t i = 0; i < inventory->n && fine; i++) {
    am_item *item = &inventory->items[i];
    uint64_t last = 0;
    const uint64_t identity[2] = {item->device, item->inode};
    const char *key = am_arena_dup(&inventory->arena, identity, sizeof identity);
    fine = key != NULL;
    item->is_first_name = fine && !am_map_get(&map, key, sizeof identity, &last);
    if (fine && !item->is_first_name) inventory->items[last].next_name = i;
    fine = fine && am_map_set(&map, key, sizeof identity, i);
  }
  am_map_close(&map);
  return fine;
}

static void note(am_inventory *inventory, const am_item *item) {
  const am_journal_record record = {.path = item->path,
                                    .digest = *item->digest ? item->digest : NULL,
                                    .bytes = item->bytes,
                                    .device = item->device,
                                    .inode = item->inode,
                                    .mtime_ns = item->mtime_ns,
                                    .store = am_place_name(item->place),
                                    .owner = *item->owner ? item->owner : NULL};
  am_journal_note(inventory->journal, &record, NULL);
}

void am_inventory_relinked(am_inventory *inventory, const am_item *item, const char *path) {
  am_item other = *item;
  other.path = path;
  for (size_t i = 0; i < inventory->n; i++)
    if (!strcmp(inventory->items[i].path, path)) {
      other.place = inventory->items[i].place;
      other.owner = inventory->items[i].owner;
    }
  note(inventory, &other);
}

/* A ledger that is new, or was damaged, is filled from the stores. Digests come as they are needed. */
static void fill_journal(am_inventory *inventory) {
  am_journal_begin(inventory->journal);
  for (size_t i = 0; i < inventory->n; i++)
    if (inventory->items[i].is_content) note(inventory, &inventory->items[i]);
  am_journal_end(inventory->journal);
}

adam_status am_inventory_open(const char *cache_dir, am_inventory *out, adam_error *error) {
  *out = (am_inventory){0};
  adam_status status = am_places_open(cache_dir, &out->places, error);
  for (uint32_t i = 0; i < out->places.n && !status; i++) status = walk_root(out, i, error);
  if (!status && !join_names(out)) status = am_fail_memory(error, "stores");
  if (!status) am_journal_open(NULL, &out->journal, &out->journal_rebuilt, NULL); /* works without one too */
  if (out->journal_rebuilt) fill_journal(out);
  return status;
}

void am_inventory_close(am_inventory *inventory) {
  am_places_close(&inventory->places);
  am_mem_free(inventory->items);
  am_journal_close(&inventory->journal);
  am_arena_close(&inventory->arena);
  *inventory = (am_inventory){0};
}

const am_item *am_inventory_find(const am_inventory *inventory, const char *path) {
  am_file_stamp stamp;
  if (!am_file_stamp_get(path, &stamp)) return NULL;
  for (size_t i = 0; i < inventory->n; i++)
    if (inventory->items[i].inode == stamp.inode && inventory->items[i].device == stamp.device)
      return &inventory->items[i];
  return NULL;
}

static bool told_to_stop(am_work *work, const char *what) {
  return work && work->on_progress && work->on_progress(work->user, work->doing, what, work->done, work->total);
}

static adam_status read_into(int fd, am_sha256 *sha, const char *path, am_work *work, adam_error *error) {
  char *chunk = am_mem_alloc(CHUNK);
  if (!chunk) return am_fail_memory(error, path);
  adam_status status = ADAM_OK;
  for (;;) {
    ssize_t n = read(fd, chunk, CHUNK);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      char words[128];
      status = am_fail(error, ADAM_IO, path, NULL, "cannot be read: %s", strerror_r(errno, words, sizeof words));
    }
    if (n <= 0) break;
    if (!am_sha256_update(sha, chunk, (size_t)n)) status = am_fail_memory(error, path);
    if (work) work->done += (uint64_t)n;
    if (!status && told_to_stop(work, path)) status = am_fail(error, ADAM_CANCELLED, path, NULL, "cancelled");
    if (status) break;
  }
  am_mem_free(chunk);
  return status;
}

adam_status am_share_hash(const char *path, am_work *work, char digest[65], adam_error *error) {
  static const char hex[] = "0123456789abcdef";
  am_file_stamp before, after;
  uint8_t bytes[32];
  bool seen = am_file_is_regular(path) && am_file_stamp_get(path, &before);
  int fd = seen ? open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY) : -1;
  if (fd < 0) {
    char words[128];
    return am_fail(error, errno == EACCES ? ADAM_IO : ADAM_NOT_FOUND, path, NULL, "cannot be opened: %s",
                   strerror_r(errno, words, sizeof words));
  }
  am_sha256 *sha = am_sha256_open();
  adam_status status = sha ? read_into(fd, sha, path, work, error) : am_fail_memory(error, path);
  if (!status && !am_sha256_final(sha, bytes)) status = am_fail_memory(error, path);
  am_sha256_close(&sha);
  close(fd);
  if (!status && (!am_file_stamp_get(path, &after) || before.inode != after.inode || before.device != after.device ||
                  before.mtime_ns != after.mtime_ns || before.size_bytes != after.size_bytes))
    status = am_fail(error, ADAM_LIMIT, path, "try again", "it changed while it was read");
  for (int i = 0; i < 32 && !status; i++) {
    digest[2 * i] = hex[bytes[i] >> 4];
    digest[2 * i + 1] = hex[bytes[i] & 15];
  }
  if (!status) digest[64] = 0;
  return status;
}

/* Every name of the inode gets what was learned of one. */
static void spread(am_inventory *inventory, const am_item *item) {
  for (size_t i = 0; i < inventory->n; i++) {
    am_item *other = &inventory->items[i];
    if (other->inode == item->inode && other->device == item->device) {
      if (other != item) memcpy(other->digest, item->digest, 65);
      note(inventory, other);
    }
  }
}

adam_status am_inventory_digest(am_inventory *inventory, am_item *item, bool read, am_work *work,
                                adam_error *error) {
  if (*item->digest && !read) return ADAM_OK;
  if (!read && am_journal_digest(inventory->journal, item->device, item->inode, item->bytes, item->mtime_ns,
                                 item->digest))
    return ADAM_OK;
  char digest[65];
  adam_status status = am_share_hash(item->path, work, digest, error);
  if (status) return status;
  am_file_stamp now;
  if (!am_file_stamp_get(item->path, &now) || now.inode != item->inode || now.mtime_ns != item->mtime_ns ||
      now.size_bytes != item->bytes)
    return am_fail(error, ADAM_LIMIT, item->path, "try again", "it changed meanwhile");
  memcpy(item->digest, digest, 65);
  spread(inventory, item);
  return ADAM_OK;
}
