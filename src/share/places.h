/* SPDX-License-Identifier: Apache-2.0 */
/* share: one model in several stores, its bytes on disk once.
 * Purpose: sees every file of every store (the Hub's caches, Ollama's store, adam's own folder, what was
 *   converted), counts each once, links what is there twice, removes one owner, checks digests, and puts a
 *   model into the other store. In: folders that other programs write at the same time. Out: plain records,
 *   and links made under a temporary name and renamed. Threads: one thread at a time.
 * Invariant: bytes go only when their last owner was removed on purpose. No link out of a store is followed, and
 *   what a kill leaves behind (names with .adam- in front) is finished or undone by the next call, under the
 *   lock of am_places_lock. */
#ifndef AM_SHARE_PLACES_H
#define AM_SHARE_PLACES_H

#include "os/lock.h"
#include <adam/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum am_place {
  AM_PLACE_HUGGINGFACE, /* a folder with models--* */
  AM_PLACE_OLLAMA,      /* a folder with blobs and manifests */
  AM_PLACE_ADAM,        /* adam's own folder of model files */
  AM_PLACE_CONVERTED    /* what adam converted for both sides */
} am_place;

/* "huggingface", "ollama", "adam", "converted" */
const char *am_place_name(am_place place);

enum { AM_PLACES = 8 };
typedef struct am_place_root {
  am_place place;
  char *path; /* real path, owned */
} am_place_root;
typedef struct am_places {
  am_place_root roots[AM_PLACES];
  size_t n;
} am_places;

/* The folders of all stores that exist, each once. cache_dir: NULL = the Hub's rules. */
adam_status am_places_open(const char *cache_dir, am_places *out, adam_error *error);
void am_places_close(am_places *places);
/* $ADAM_CACHE_DIR/converted, owned, not created; NULL: memory is out or there is no home. */
char *am_places_converted(void);
/* One writer of adam among all processes of this user. */
adam_status am_places_lock(am_lock **out, adam_error *error);

#endif
