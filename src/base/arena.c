/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/mem.h"
#include "base/size.h"

enum { ARENA_ALIGN = 16, ARENA_FIRST_BYTES = 4096, ARENA_MOST_BYTES = 4 << 20, ARENA_HUGE_BYTES = 2 << 20 };

struct am_arena_block {
  am_arena_block *next;
  size_t size; /* of bytes[] */
  size_t used;
  size_t pad; /* keeps bytes[] on 16 */
  unsigned char bytes[];
};

_Static_assert(sizeof(am_arena_block) % ARENA_ALIGN == 0, "bytes[] must start aligned");

/* Blocks double from 4 KiB to 4 MiB. A large piece gets a block of its own behind the head, so that
 * the room left in the head is not lost. */
static am_arena_block *add_block(am_arena *arena, size_t need) {
  size_t size = ARENA_FIRST_BYTES - sizeof(am_arena_block);
  if (arena->head) {
    size = arena->head->size * 2 + sizeof(am_arena_block);
    if (size > ARENA_MOST_BYTES) size = ARENA_MOST_BYTES - sizeof(am_arena_block);
  }
  bool own = need > size / 2 && arena->head;
  if (own || need > size) size = need;
  size_t total;
  if (!am_size_add(size, sizeof(am_arena_block), &total)) return NULL;
  am_arena_block *block = total >= ARENA_HUGE_BYTES ? am_mem_huge(total) : am_mem_alloc(total);
  if (!block) return NULL;
  block->size = size;
  block->used = 0;
  if (own) {
    block->next = arena->head->next;
    arena->head->next = block;
  } else {
    block->next = arena->head;
    arena->head = block;
  }
  return block;
}

void *am_arena_alloc(am_arena *arena, size_t n_bytes) {
  size_t need;
  if (!am_size_add(n_bytes, ARENA_ALIGN - 1, &need)) return NULL;
  need &= ~(size_t)(ARENA_ALIGN - 1);
  if (need == 0) need = ARENA_ALIGN;
  size_t used;
  if (!am_size_add(arena->used_bytes, need, &used)) return NULL;
  if (arena->limit_bytes > 0 && used > arena->limit_bytes) return NULL;
  am_arena_block *block = arena->head;
  if (!block || block->size - block->used < need) {
    block = add_block(arena, need);
    if (!block) return NULL;
  }
  void *p = block->bytes + block->used;
  block->used += need;
  arena->used_bytes = used;
  return p;
}

void *am_arena_zalloc(am_arena *arena, size_t count, size_t size) {
  size_t n_bytes;
  if (!am_size_mul(count, size, &n_bytes)) return NULL;
  void *p = am_arena_alloc(arena, n_bytes);
  if (p) memset(p, 0, n_bytes);
  return p;
}

char *am_arena_dup(am_arena *arena, const void *bytes, size_t n_bytes) {
  size_t total;
  if (!am_size_add(n_bytes, 1, &total)) return NULL;
  char *copy = am_arena_alloc(arena, total);
  if (!copy) return NULL;
  if (n_bytes > 0) memcpy(copy, bytes, n_bytes);
  copy[n_bytes] = 0;
  return copy;
}

void am_arena_close(am_arena *arena) {
  if (!arena) return;
  am_arena_block *block = arena->head;
  while (block) {
    am_arena_block *next = block->next;
    am_mem_free(block);
    block = next;
  }
  arena->head = NULL;
  arena->used_bytes = 0;
}
