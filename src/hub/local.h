/* SPDX-License-Identifier: Apache-2.0 */
/* hub/local: content of a known digest that another store of this machine has already. Any thread. */
#ifndef AM_HUB_LOCAL_H
#define AM_HUB_LOCAL_H

#include <stdbool.h>
#include <stdint.h>

/* Looks for the SHA-256 in Ollama's stores; what has that name and size is read and verified, then becomes `blob`
 * by hard link or reflink, else by copy. false: nowhere here, or cancelled; nothing was made then. */
bool am_hub_local_take(const char *sha256, uint64_t bytes, const char *blob, bool (*cancelled)(void *user),
                       void *user);

#endif
