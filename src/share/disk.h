/* SPDX-License-Identifier: Apache-2.0 */
/* share/disk: what the stores take, and making one file of identical ones. */
#ifndef AM_SHARE_DISK_H
#define AM_SHARE_DISK_H

#include "share/inventory.h"

typedef struct am_disk_root {
  am_place place;
  const char *path;      /* borrowed from the inventory */
  uint64_t bytes;        /* of its files, each inode once */
  uint64_t only_bytes;   /* of those that no other store has a name for */
} am_disk_root;

typedef struct am_disk_use {
  uint64_t total_bytes;      /* over all stores, each inode once */
  uint64_t disk_bytes;       /* the same in blocks of the disk, as du(1) counts */
  uint64_t duplicated_bytes; /* of files whose content another file has too: what dedupe could free */
  size_t n_files;            /* inodes */
  am_disk_root roots[AM_PLACES];
  size_t n_roots;
} am_disk_use;

/* One of several files (inodes) with the same content. is_first: the group begins; the others could go. */
typedef bool (*am_disk_on_duplicate)(void *user, const am_item *item, bool is_first);

/* Names that claim a digest are believed; others are read where only their content can tell, once: the ledger
 * remembers. on_duplicate: NULL = none; true = stop. */
adam_status am_disk_measure(am_inventory *inventory, am_work *work, am_disk_on_duplicate on_duplicate, void *user,
                            am_disk_use *out, adam_error *error);

typedef struct am_dedupe_step {
  const char *kept, *replaced; /* paths; borrowed for the call */
  uint64_t bytes_freed;        /* 0: another name of the replaced file is still there */
  const char *skipped;         /* why it was left alone; NULL = it was linked (would be, in a dry run) */
} am_dedupe_step;
typedef bool (*am_dedupe_on_step)(void *user, const am_dedupe_step *step); /* true = stop */

/* Replaces files of the same content, size and disk by hard links to one of them. Both are read and compared by
 * SHA-256 before (a dry run believes names and the ledger); a file that changes meanwhile stays as it is. */
adam_status am_disk_dedupe(am_inventory *inventory, bool dry_run, am_work *work, am_dedupe_on_step on_step, void *user,
                           uint64_t *bytes_freed, adam_error *error);

/* Finishes or undoes what a killed adam left in the stores. Under am_places_lock. */
adam_status am_disk_clean(const am_places *places, adam_error *error);

#endif
