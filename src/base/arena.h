/* SPDX-License-Identifier: Apache-2.0 */
/* base/arena: many small allocations with one end. Zero-initialise; am_arena_close frees all.
 * One thread at a time. Pointers stay valid until the close; 16-byte aligned.
 * `limit_bytes` (0 = none) bounds the sum, for work on hostile input. */
#ifndef AM_BASE_ARENA_H
#define AM_BASE_ARENA_H

#include <stddef.h>

typedef struct am_arena_block am_arena_block;
typedef struct am_arena {
  am_arena_block *head;
  size_t used_bytes;  /* handed out in all */
  size_t limit_bytes; /* set by the owner before first use */
} am_arena;

void *am_arena_alloc(am_arena *arena, size_t n_bytes); /* uninitialised; NULL: out of memory or limit */
void *am_arena_zalloc(am_arena *arena, size_t count, size_t size);
char *am_arena_dup(am_arena *arena, const void *bytes, size_t n_bytes); /* adds a NUL */
void am_arena_close(am_arena *arena);

#endif
