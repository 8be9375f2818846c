/* SPDX-License-Identifier: Apache-2.0 */
/* hub/download: files of the Hub into the blobs of the cache.
 * Purpose: several files at once and several ranges of a large one, over n_connections threads; one more thread
 *   computes the digests behind them and gives each finished file its name. In: files with digest and size.
 *   Out: blobs, complete and verified, or the unfinished files of hub/partial.h for the next call.
 * Among processes: each blob is fetched by the holder of its lock, as huggingface_hub does it; the others wait.
 * Threads: one call by one thread; the progress callback comes on it. Invariant: under a digest's name there is
 *   only content of that digest. */
#ifndef AM_HUB_DOWNLOAD_H
#define AM_HUB_DOWNLOAD_H

#include "hub/layout.h"
#include "hub/tree.h"
#include <adam/models.h>

typedef struct am_hub_item {
  const am_hub_file *file; /* each digest once */
  bool fresh;              /* out: downloaded by this call */
} am_hub_item;

typedef struct am_hub_download {
  const am_hub_remote *remote;
  const am_hub_layout *layout;
  const am_hub_subject *subject;
  am_hub_item *items;
  size_t n_items;
  uint32_t n_connections;   /* 0 = 8 */
  adam_on_pull on_progress; /* NULL = none */
  void *user;
  uint64_t received_bytes;  /* out */
} am_hub_download;

/* ADAM_IO before anything is fetched where the disk has no room for what is missing. */
adam_status am_hub_download_run(am_hub_download *download, adam_error *error);

#endif
