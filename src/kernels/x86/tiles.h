/* SPDX-License-Identifier: Apache-2.0 */
/* kernels/x86/tiles: walks a matmul in tiles of ROWS x TOKENS, or ROWS_OF_ONE rows of one token.
 * TILE(m, row, token, R, T) must be always_inline, so that each call below becomes a loop of its own
 * with everything in registers. Tokens outside, rows inside: a chunk's weights stay in cache while
 * the tokens pass. */
#ifndef AM_KERNELS_X86_TILES_H
#define AM_KERNELS_X86_TILES_H

#include <stddef.h>
#include <stdint.h>

#define AM_TILE_ROWS(TILE, R, T)                                   \
  do {                                                             \
    uint32_t r = 0;                                                \
    for (; r + (R) <= m->n_rows; r += (R)) TILE(m, r, t, R, T);    \
    if ((R) > 1)                                                   \
      for (; r < m->n_rows; r++) TILE(m, r, t, 1, T);              \
  } while (0)

#define AM_TILES(name, TILE, ROWS, TOKENS, ROWS_OF_ONE)                           \
  static void name(const am_matmul *m) {                                          \
    uint32_t t = 0;                                                               \
    for (; t + (TOKENS) <= m->n_tokens; t += (TOKENS)) AM_TILE_ROWS(TILE, ROWS, TOKENS); \
    for (; t + 2 <= m->n_tokens; t += 2) AM_TILE_ROWS(TILE, ROWS, 2);             \
    for (; t < m->n_tokens; t++) AM_TILE_ROWS(TILE, ROWS_OF_ONE, 1);              \
  }

/* One token: nothing is used twice, and the memory sets the pace. Asking for the bytes this many rows
 * ahead keeps more reads under way than the processor's own prefetcher does. */
enum { AM_PREFETCH_ROWS = 4, AM_PREFETCH_BYTES = 2048 };

static inline __attribute__((always_inline)) void am_prefetch(const void *p, size_t n_bytes) {
  for (size_t i = 0; i < n_bytes; i += 64) __builtin_prefetch((const char *)p + i);
}

/* Loops over rows and tokens of a tile are unrolled, else the sums would live in memory. */
#define AM_UNROLL _Pragma("GCC unroll 16")

#endif
