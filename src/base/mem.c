/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/size.h"

static _Atomic uint64_t fault_left; /* 0 = off; else the allocation that many calls ahead fails */
static atomic_int fault_fired;

static int fault_due(void) {
  if (atomic_load_explicit(&fault_left, memory_order_relaxed) == 0) return 0;
  uint64_t left = atomic_load(&fault_left);
  while (left > 0) {
    if (atomic_compare_exchange_weak(&fault_left, &left, left - 1)) {
      if (left > 1) return 0;
      atomic_store(&fault_fired, 1);
      return 1;
    }
  }
  return 0;
}

void am_mem_fault_set(uint64_t n) {
  atomic_store(&fault_fired, 0);
  atomic_store(&fault_left, n);
}

int am_mem_fault_fired(void) { return atomic_load(&fault_fired); }

void *am_mem_alloc(size_t n_bytes) {
  if (fault_due()) return NULL;
  return malloc(n_bytes > 0 ? n_bytes : 1);
}

void *am_mem_zalloc(size_t count, size_t size) {
  size_t n_bytes;
  if (!am_size_mul(count, size, &n_bytes) || fault_due()) return NULL;
  return n_bytes > 0 ? calloc(count, size) : calloc(1, 1);
}

void *am_mem_resize(void *p, size_t count, size_t size) {
  size_t n_bytes;
  if (!am_size_mul(count, size, &n_bytes) || fault_due()) return NULL;
  return realloc(p, n_bytes > 0 ? n_bytes : 1);
}

void *am_mem_aligned(size_t alignment, size_t n_bytes) {
  if (fault_due()) return NULL;
  void *p = NULL;
  if (alignment < sizeof(void *)) alignment = sizeof(void *);
  return posix_memalign(&p, alignment, n_bytes > 0 ? n_bytes : 1) == 0 ? p : NULL;
}

void *am_mem_huge(size_t n_bytes) {
  const size_t page = (size_t)2 << 20;
  void *p = am_mem_aligned(page, n_bytes);
  /* Whole pages only: what lies behind the block belongs to others. Advice, so failure is fine. */
  if (p && n_bytes >= page) (void)madvise(p, n_bytes & ~(page - 1), MADV_HUGEPAGE);
  return p;
}

char *am_mem_dup(const void *bytes, size_t n_bytes) {
  size_t total;
  if (!am_size_add(n_bytes, 1, &total)) return NULL;
  char *copy = am_mem_alloc(total);
  if (!copy) return NULL;
  if (n_bytes > 0) memcpy(copy, bytes, n_bytes);
  copy[n_bytes] = 0;
  return copy;
}

void am_mem_free(void *p) { free(p); }
