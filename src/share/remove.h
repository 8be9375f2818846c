/* SPDX-License-Identifier: Apache-2.0 */
/* share/remove: taking one owner away from the bytes of a model, so that the others keep it. */
#ifndef AM_SHARE_REMOVE_H
#define AM_SHARE_REMOVE_H

#include "share/inventory.h"

typedef struct am_removal {
  uint64_t bytes_freed; /* of files whose last name went */
  uint64_t bytes_kept;  /* of files that somebody else still has a name for */
} am_removal;
/* A file that lost a name and stays, since `owner` has it too at `path`. */
typedef void (*am_on_kept)(void *user, const char *path, const char *owner, am_place place, uint64_t bytes);

typedef struct am_remove_request {
  const char *cache_dir;  /* NULL = the Hub's rules */
  /* one of: */
  const char *repository; /* ORG/NAME of a Hub's cache: all of it, or ... */
  const char *revision;   /* ... this branch, tag or commit; NULL = all */
  const char *file;       /* ... only this file of the snapshot(s), as ORG/NAME:FILE names it; NULL = all */
  const char *ollama;     /* NAME[:TAG] of an Ollama store */
  const char *path;       /* a file of adam's own folder or of what was converted */
  bool dry_run;
  am_on_kept on_kept;     /* NULL = none */
  void *user;
} am_remove_request;

/* Removes names, then files that no name is left for. A whole repository, or a revision, disappears in one step (a
 * rename); what a kill leaves is finished by the next call. ADAM_NOT_FOUND. Under am_places_lock. */
adam_status am_remove(const am_remove_request *request, am_removal *out, adam_error *error);
/* Finishes removals that a kill interrupted. Under am_places_lock. */
adam_status am_remove_clean(const am_places *places, adam_error *error);

#endif
