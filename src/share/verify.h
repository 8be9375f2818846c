/* SPDX-License-Identifier: Apache-2.0 */
/* share/verify: is every file the content that its name says, and is everything there that is referred to? */
#ifndef AM_SHARE_VERIFY_H
#define AM_SHARE_VERIFY_H

#include "share/inventory.h"

typedef enum am_finding_kind {
  AM_FINDING_DAMAGED,  /* the content is not what the name says, and no sound copy is in any store */
  AM_FINDING_MISSING,  /* a snapshot's link or a manifest names a blob that is in no store */
  AM_FINDING_REPAIRED, /* was one of these, and has been linked to a sound file of a store */
  AM_FINDING_RENAMED,  /* sound content under a wrong name, which has its right name now */
  AM_FINDING_UNUSED    /* a blob that nobody refers to; left alone */
} am_finding_kind;

typedef struct am_finding {
  am_finding_kind kind;
  am_place place;
  const char *path;   /* the name that is wrong or missing; borrowed for the call */
  const char *digest; /* what its content should have */
  const char *owner;
  const char *source; /* the sound file it was linked to; NULL = none */
} am_finding;
typedef void (*am_on_finding)(void *user, const am_finding *finding);

typedef struct am_verification {
  size_t n_checked, n_damaged, n_missing, n_repaired, n_unused;
  uint64_t bytes_checked;
} am_verification;

/* Reads every blob whose name is a digest (SHA-256; of the Hub's small files git's SHA-1) and compares; looks for
 * every blob that a snapshot or a manifest names. only: of this owner alone ("ORG/NAME", "ollama:NAME:TAG");
 * NULL = all. What is wrong is repaired from another store where the digest is there and sound. Under
 * am_places_lock. */
adam_status am_verify(am_inventory *inventory, const char *only, am_work *work, am_on_finding on_finding, void *user,
                      am_verification *out, adam_error *error);

#endif
