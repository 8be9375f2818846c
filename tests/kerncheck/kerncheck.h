/* SPDX-License-Identifier: Apache-2.0 */
/* kerncheck: what its programs share: the tiers of this machine, random numbers, and memory that
 * ends at a page nobody may touch, so that one byte read or written too far is a crash. */
#ifndef AM_TESTS_KERNCHECK_H
#define AM_TESTS_KERNCHECK_H

#include "kernels/kernels.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

enum { KERNCHECK_MAX_TIERS = 6 };

/* Plain C first, then each tier that this processor has, with all below it. */
static inline int kerncheck_tiers(am_kernels out[KERNCHECK_MAX_TIERS]) {
  const am_cpu_flags *have = am_cpu();
  am_cpu_flags flags = {0};
  int n = 0;
  am_kernels_fill(&out[n++], &flags);
  if ((flags.avx2 = have->avx2)) am_kernels_fill(&out[n++], &flags);
  if ((flags.avxvnni = have->avxvnni)) am_kernels_fill(&out[n++], &flags);
  if ((flags.avx512 = have->avx512)) am_kernels_fill(&out[n++], &flags);
  if ((flags.avx512vnni = have->avx512vnni)) am_kernels_fill(&out[n++], &flags);
  return n;
}

static uint64_t kerncheck_seed = 88172645463325252u;
static inline uint32_t random_bits(void) {
  kerncheck_seed ^= kerncheck_seed << 13;
  kerncheck_seed ^= kerncheck_seed >> 7;
  kerncheck_seed ^= kerncheck_seed << 17;
  return (uint32_t)(kerncheck_seed >> 32);
}
static inline uint32_t random_below(uint32_t n) { return random_bits() % n; }
static inline float random_float(void) { return (float)(int32_t)random_bits() / 2147483648.0f; } /* -1..1 */

/* n_bytes that end at a forbidden page; the bytes before them are GUARD_BYTE. */
enum { GUARD_BYTE = 0xA5 };
typedef struct guarded {
  uint8_t *bytes;
  uint8_t *pages;
  size_t n_bytes, n_mapped;
} guarded;

static inline guarded guarded_open(size_t n_bytes) {
  size_t page = (size_t)sysconf(_SC_PAGESIZE), n = (n_bytes + page - 1) / page * page + page;
  guarded g = {.n_bytes = n_bytes, .n_mapped = n + page};
  g.pages = mmap(NULL, g.n_mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  assert_true(g.pages != MAP_FAILED);
  assert_int_equal(mprotect(g.pages + n, page, PROT_NONE), 0);
  g.bytes = g.pages + n - n_bytes;
  memset(g.pages, GUARD_BYTE, n);
  return g;
}

/* Whether nobody wrote before the bytes. */
static inline bool guarded_is_clean(const guarded *g) {
  for (const uint8_t *p = g->pages; p < g->bytes; p++)
    if (*p != GUARD_BYTE) return false;
  return true;
}

static inline void guarded_close(guarded *g) { munmap(g->pages, g->n_mapped); }

/* Byte ranges of a block: which are binary16 scales, which hold quants. */
typedef struct block_fields {
  am_dtype dtype;
  int halves[2]; /* -1: none */
  int quants, quants_end;
} block_fields;

static inline const block_fields *block_fields_of(am_dtype dtype) {
  static const block_fields rows[] = {{AM_DTYPE_Q4_0, {0, -1}, 2, 18},   {AM_DTYPE_Q4_1, {0, 2}, 4, 20},
                                      {AM_DTYPE_Q5_0, {0, -1}, 2, 22},   {AM_DTYPE_Q5_1, {0, 2}, 4, 24},
                                      {AM_DTYPE_Q8_0, {0, -1}, 2, 34},   {AM_DTYPE_Q2_K, {80, 82}, 16, 80},
                                      {AM_DTYPE_Q3_K, {108, -1}, 0, 96}, {AM_DTYPE_Q4_K, {0, 2}, 16, 144},
                                      {AM_DTYPE_Q5_K, {0, 2}, 16, 176},  {AM_DTYPE_Q6_K, {208, -1}, 0, 192},
                                      {AM_DTYPE_IQ4_NL, {0, -1}, 2, 18}, {AM_DTYPE_IQ4_XS, {0, -1}, 8, 136},
                                      {AM_DTYPE_MXFP4, {-1, -1}, 1, 17}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    if (rows[i].dtype == dtype) return &rows[i];
  return NULL;
}

#endif
