/* SPDX-License-Identifier: Apache-2.0 */
/* kernels/x86/tiles: walks a matmul in tiles of ROWS x TOKENS, or ROWS_OF_ONE rows of one token.
 * TILE(m, row, token, R, T) must be always_inline, so that each call below becomes a loop of its own
 * with everything in registers. Tokens outside, rows inside: a chunk's weights stay in cache while
 * the tokens pass. */
#ifndef AM_KERNELS_X86_TILES_H
#define AM_KERNELS_X86_TILES_H

#include <stddef.h>
#include <stdint.h>

#define AM_TILES(name, TILE, ROWS, TOKENS, ROWS_OF_ONE)                                         \
  static void name(const am_matmul *m) {                                                        \
    const uint32_t n_rows = m->n_rows / (ROWS) * (ROWS); /* in whole tiles */                   \
    uint32_t t = 0;                                                                             \
    for (; t + (TOKENS) <= m->n_tokens; t += (TOKENS))                                          \
      for (uint32_t r = 0; r < n_rows; r += (ROWS)) TILE(m, r, t, ROWS, TOKENS);                \
    for (; t + 2 <= m->n_tokens; t += 2)                                                        \
      for (uint32_t r = 0; r < n_rows; r += (ROWS)) TILE(m, r, t, ROWS, 2);                     \
    /* one token and many rows, or the last rows of every token */                              \
    for (uint32_t i = 0; i < m->n_tokens; i++) {                                                \
      uint32_t r = i < t ? n_rows : 0;                                                          \
      for (; r + (ROWS_OF_ONE) <= m->n_rows; r += (ROWS_OF_ONE)) TILE(m, r, i, ROWS_OF_ONE, 1); \
      for (; (ROWS_OF_ONE) > 1 && r < m->n_rows; r++) TILE(m, r, i, 1, 1);                      \
    }                                                                                           \
  }

/* One token: nothing is used twice, and the memory sets the pace. Asking for the bytes this far ahead,
 * into the second-level cache (which has more reads under way than the first), doubles what one
 * thread gets. */
enum { AM_PREFETCH_ROWS = 8, AM_PREFETCH_BYTES = 4096 };

static inline __attribute__((always_inline)) void am_prefetch(const void *p, size_t n_bytes) {
  for (size_t i = 0; i < n_bytes; i += 64) __builtin_prefetch((const char *)p + i, 0, 2);
}

/* Loops over rows and tokens of a tile are unrolled, else the sums would live in memory. */
#define AM_UNROLL _Pragma("GCC unroll 16")

#endif
