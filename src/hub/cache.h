/* SPDX-License-Identifier: Apache-2.0 */
/* hub/cache: the standard Hugging Face cache, read only.
 * Layout: CACHE/models--ORG--NAME/{refs/REV, snapshots/COMMIT/..., blobs/...}. Hostile names (.., /)
 * are refused; a dangling link counts as absent. Owned paths come back. Any thread. */
#ifndef AM_HUB_CACHE_H
#define AM_HUB_CACHE_H

#include <adam/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* True when `id` is ORG/NAME or NAME as the Hub allows. */
bool am_hub_name_valid(const char *id);
/* The snapshot folder of `repository` at `revision` (NULL = main, then any single snapshot) that is
 * on this machine: ADAM_NOT_FOUND with what was looked for where. */
adam_status am_hub_snapshot(const char *cache_dir, const char *repository, const char *revision,
                            char **path, adam_error *error);
/* Each repository with a usable snapshot; true = stop. bytes: distinct blobs of the snapshot. */
typedef struct am_hub_entry {
  const char *repository, *revision, *path;
  uint64_t bytes;
  int64_t last_used_unix_s;
} am_hub_entry;
adam_status am_hub_list(const char *cache_dir, bool (*on_entry)(void *user, const am_hub_entry *entry),
                        void *user, adam_error *error);

#endif
