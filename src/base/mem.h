/* SPDX-License-Identifier: Apache-2.0 */
/* base/mem: the one door to the heap.
 * Purpose: every allocation of the library goes through here, so that the fault suite can make the
 *   n-th one fail. Out: owned memory, freed with am_mem_free. Threads: any. Invariant: a failed
 *   call changes nothing. A size of 0 yields a valid pointer. */
#ifndef AM_BASE_MEM_H
#define AM_BASE_MEM_H

#include <stddef.h>
#include <stdint.h>

/* Uninitialised n_bytes; NULL when memory is out. */
void *am_mem_alloc(size_t n_bytes);
/* count * size zeroed bytes; NULL when memory is out or the product overflows. */
void *am_mem_zalloc(size_t count, size_t size);
/* Grows or shrinks to count * size bytes; NULL (p stays valid) on failure. p may be NULL. */
void *am_mem_resize(void *p, size_t count, size_t size);
/* Aligned to `alignment` (a power of two); free with am_mem_free. */
void *am_mem_aligned(size_t alignment, size_t n_bytes);
/* For blocks of megabytes: aligned to 2 MiB and, where the system offers it, backed by huge pages, so
 * that first touch costs little. Free with am_mem_free. */
void *am_mem_huge(size_t n_bytes);
/* Owned copy of n_bytes, with a NUL after them that does not count. */
char *am_mem_dup(const void *bytes, size_t n_bytes);
void am_mem_free(void *p); /* NULL is fine */

/* Fault injection, for tests only: the n-th allocation from now (1 = the next) fails and all after
 * it succeed; 0 switches off. am_mem_fault_fired tells whether it has come to that. */
void am_mem_fault_set(uint64_t n);
int am_mem_fault_fired(void);

#endif
