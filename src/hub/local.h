/* SPDX-License-Identifier: Apache-2.0 */
/* hub/local: content of a known digest that another store of this machine has already. Any thread. */
#ifndef AM_HUB_LOCAL_H
#define AM_HUB_LOCAL_H

#include "hub/tree.h"

/* Looks for a file with a SHA-256 under its Xet name among the blobs that huggingface_hub shares between the
 * repositories of a cache (CACHE/blobs/XX/XETHASH), and under its SHA-256 in Ollama's stores. What has that name and
 * size is read and verified, then becomes `blob` by hard link or reflink, else by copy. false: nowhere here, or
 * cancelled; nothing was made then. */
bool am_hub_local_take(const char *cache, const am_hub_file *file, const char *blob, bool (*cancelled)(void *user),
                       void *user);

#endif
