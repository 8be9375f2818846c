/* SPDX-License-Identifier: Apache-2.0 */
/* hub/layout: writing one repository into the Hugging Face cache, so that every tool of the Hub finds it:
 *   CACHE/CACHEDIR.TAG
 *   CACHE/models--ORG--NAME/blobs/ETAG                 content
 *   CACHE/models--ORG--NAME/snapshots/COMMIT/PATH      relative link ../../blobs/ETAG, or the file itself
 *   CACHE/models--ORG--NAME/refs/REVISION              the commit, no line end
 *   CACHE/models--ORG--NAME/.no_exist/COMMIT/PATH      empty: known to be absent
 *   CACHE/.locks/models--ORG--NAME/ETAG.lock
 * Every name appears complete or not at all. Paths and revisions are checked by the caller. Paths that come back
 * are owned, NULL = memory is out. Any thread. */
#ifndef AM_HUB_LAYOUT_H
#define AM_HUB_LAYOUT_H

#include <adam/status.h>
#include <stdbool.h>

typedef struct am_hub_layout {
  char *cache;  /* owned */
  char *folder; /* owned: CACHE/models--ORG--NAME */
  char *locks;  /* owned: CACHE/.locks/models--ORG--NAME */
  char commit[41];
} am_hub_layout;

adam_status am_hub_layout_open(const char *cache, const char *repository, const char *commit, am_hub_layout *out,
                               adam_error *error);
void am_hub_layout_close(am_hub_layout *layout);
/* Makes the folders, and CACHEDIR.TAG in a cache that has none. */
adam_status am_hub_layout_prepare(const am_hub_layout *layout, adam_error *error);

char *am_hub_layout_blob(const am_hub_layout *layout, const char *etag);
char *am_hub_layout_lock(const am_hub_layout *layout, const char *etag);
char *am_hub_layout_snapshot(const am_hub_layout *layout, const char *path); /* "" = the folder itself */
/* Is the file in the snapshot: a link to its blob of that size, or a file of that size? */
bool am_hub_layout_has(const am_hub_layout *layout, const char *path, const char *etag, uint64_t bytes);

typedef enum am_hub_placing {
  AM_HUB_LINK, /* a symbolic link; where the file system has none, as AM_HUB_COPY */
  AM_HUB_LINK_OR_MOVE, /* a symbolic link; where the file system has none, as AM_HUB_MOVE */
  AM_HUB_COPY, /* HF_HUB_DISABLE_SYMLINKS: the content itself; the blob stays */
  AM_HUB_MOVE  /* the same, and nobody else needs the blob: it becomes the file */
} am_hub_placing;
adam_status am_hub_layout_place(const am_hub_layout *layout, const char *path, const char *etag,
                                am_hub_placing placing, adam_error *error);
/* Points the revision to the commit; a commit needs no ref. */
adam_status am_hub_layout_ref(const am_hub_layout *layout, const char *revision, adam_error *error);
adam_status am_hub_layout_absent(const am_hub_layout *layout, const char *path, adam_error *error);

#endif
