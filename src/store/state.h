/* SPDX-License-Identifier: Apache-2.0 */
/* store/state: an open store as the files of this room see it. */
#ifndef AM_STORE_STATE_H
#define AM_STORE_STATE_H

#include "base/map.h"
#include "store/store.h"
#include <sys/types.h>

/* What a writer has collected for one publication. */
typedef struct am_stage_blob {
  char digest[65];
  uint64_t bytes;
  char *source; /* to make it again from, where it has no name of its own in the stage; owned, NULL = none */
  bool is_new;  /* it was not in blobs/ before */
} am_stage_blob;

struct am_store {
  char *root, *manifests, *blobs; /* owned */
  char *stage;                    /* owned; NULL: nothing is staged */
  int stage_fd;                   /* holds the stage's lock; -1 */
  am_stage_blob *staged;          /* owned */
  size_t n_staged;
  uid_t owner; /* of blobs/ */
  gid_t group;
};

/* store.c */
adam_status am_store_fail_errno(adam_error *error, const char *path, const char *doing);
/* am_store_each that also counts folders that cannot be read. */
adam_status am_store_walk(am_store *store, bool (*on_entry)(void *user, const am_store_entry *entry), void *user,
                          size_t *n_unreadable, adam_error *error);
/* The stored spelling of a name and its manifest (owned); ADAM_NOT_FOUND. */
adam_status am_store_locate(am_store *store, const am_store_name *name, am_store_name *stored, char **path,
                            adam_error *error);

/* model.c */
enum { AM_STORE_MANIFEST_LIMIT = 32 << 20 };
/* Reads and parses a manifest file into arena; the bytes stay in text. */
adam_status am_store_manifest_read(const char *path, am_buf *text, am_arena *arena, am_json *out, adam_error *error);

/* uses.c: digests that manifests use. */
typedef struct am_store_used {
  am_map digests; /* hex -> how many manifests */
  am_arena keys;
  size_t n_unreadable; /* manifests or folders of them that cannot be read: then nothing may be thought unused */
} am_store_used;
adam_status am_store_used_open(am_store *store, const am_store_name *except, am_store_used *out, adam_error *error);
void am_store_used_close(am_store_used *used);

/* stage.c */
adam_status am_stage_need(am_store *store, adam_error *error);
const am_stage_blob *am_stage_find(const am_store *store, const char digest[65]);
/* Keeps a blob that is in blobs/ already from a pruning server. */
adam_status am_stage_keep(am_store *store, const char digest[65], adam_error *error);
/* Each staged blob gets its name in blobs/ (where it lacks one); *n_put counts (may be NULL). */
adam_status am_stage_put(am_store *store, size_t *n_put, adam_error *error);
void am_stage_drop(am_store *store);
/* Finishes or undoes what killed writers left. */
adam_status am_stage_recover(am_store *store, adam_error *error);
/* Somebody's stage is there, a living writer's or a dead one's. */
bool am_stage_any(const am_store *store);
/* What root makes in the store of another account becomes that account's. */
void am_store_adopt(const am_store *store, const char *path);

/* publish.c */
/* One writer at a time; -1: without a lock (a file system that has none). */
int am_store_lock(const am_store *store);
void am_store_unlock(int lock);
/* Under the lock. */
adam_status am_store_publish_text(am_store *store, const am_store_name *name, const char *text, size_t n_bytes,
                                  adam_error *error);
/* remove.c, under the lock: the manifest and the folders that become empty. */
adam_status am_store_unlink_manifest(am_store *store, const am_store_name *stored, adam_error *error);
/* Removes the blobs of a model that is gone, as far as no manifest uses them. */
adam_status am_store_sweep(am_store *store, const am_store_model *gone, uint64_t *bytes_freed, bool *kept,
                           adam_error *error);

#endif
