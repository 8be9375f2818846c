/* SPDX-License-Identifier: Apache-2.0 */
/* share/inventory: every file of every store, by walking their folders; no link is followed. The items are owned
 * by the inventory. One thread at a time. */
#ifndef AM_SHARE_INVENTORY_H
#define AM_SHARE_INVENTORY_H

#include "base/arena.h"
#include "base/map.h"
#include "journal/journal.h"
#include "share/places.h"

typedef struct am_item {
  am_place place;
  uint32_t root;        /* index of am_places */
  bool is_content;      /* a blob or a model file, finished: the same bytes may be one file; else a ref, a
                           manifest, a part of a download, which only counts */
  const char *path;     /* of a regular file */
  const char *owner;    /* "ORG/NAME", "ollama:NAME", a file's name; "" = nobody uses it */
  uint32_t n_owners;
  uint64_t bytes, disk_bytes, device, inode, n_links, mtime_ns, ctime_ns;
  uint32_t mode, user;
  size_t next_name;     /* another item with the same inode; SIZE_MAX = none */
  bool is_first_name;   /* of its inode in this inventory */
  char named[65];       /* SHA-256 that the name claims; "" = none */
  char digest[65];      /* SHA-256 as known: by the ledger or by reading; "" = not yet */
} am_item;

typedef struct am_inventory {
  am_places places;
  am_item *items;
  size_t n, capacity;
  am_journal *journal;  /* NULL where there is none */
  bool journal_rebuilt; /* it was damaged, and filled again from the stores */
  am_arena arena;
} am_inventory;

/* cache_dir: NULL = the Hub's rules. Always close *out, also on failure. */
adam_status am_inventory_open(const char *cache_dir, am_inventory *out, adam_error *error);
void am_inventory_close(am_inventory *inventory);
/* The item whose file is behind `path` (links are followed); NULL = none. */
const am_item *am_inventory_find(const am_inventory *inventory, const char *path);

/* The ledger hears that `path` is now a name of item's file. */
void am_inventory_relinked(am_inventory *inventory, const am_item *item, const char *path);

/* Work that takes long: done and total bytes; true = cancel. NULL = none. */
typedef bool (*am_share_progress)(void *user, const char *doing, const char *what, uint64_t done, uint64_t total);
typedef struct am_work {
  am_share_progress on_progress;
  void *user;
  uint64_t done, total; /* of all that is to be read */
  const char *doing;
} am_work;

/* SHA-256 of a file's content. The file is given up as changed (ADAM_LIMIT) when it is not the same before and
 * after. ADAM_CANCELLED. */
adam_status am_share_hash(const char *path, am_work *work, char digest[65], adam_error *error);
/* item->digest, from the ledger unless `read`; every name of the inode gets it, and the ledger. */
adam_status am_inventory_digest(am_inventory *inventory, am_item *item, bool read, am_work *work, adam_error *error);

#endif
