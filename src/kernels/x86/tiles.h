/* SPDX-License-Identifier: Apache-2.0 */
/* kernels/x86/tiles: walks a matmul in tiles of rows and tokens. TILE(m, row, token, R, T) must be
 * always_inline, so that each call below becomes a loop of its own with everything in registers.
 * Tokens outside, rows inside: a chunk's weights stay in cache while the tokens pass. */
#ifndef AM_KERNELS_X86_TILES_H
#define AM_KERNELS_X86_TILES_H

#define AM_TILES(name, TILE, ROWS, TOKENS)                                              \
  static void name(const am_matmul *m) {                                                \
    uint32_t t = 0;                                                                     \
    for (; t + TOKENS <= m->n_tokens; t += TOKENS) {                                    \
      uint32_t r = 0;                                                                   \
      for (; r + ROWS <= m->n_rows; r += ROWS) TILE(m, r, t, ROWS, TOKENS);             \
      for (; r < m->n_rows; r++) TILE(m, r, t, 1, TOKENS);                              \
    }                                                                                   \
    for (; t + 2 <= m->n_tokens; t += 2) {                                              \
      uint32_t r = 0;                                                                   \
      for (; r + ROWS <= m->n_rows; r += ROWS) TILE(m, r, t, ROWS, 2);                  \
      for (; r < m->n_rows; r++) TILE(m, r, t, 1, 2);                                   \
    }                                                                                   \
    for (; t < m->n_tokens; t++) {                                                      \
      uint32_t r = 0;                                                                   \
      for (; r + 4 <= m->n_rows; r += 4) TILE(m, r, t, 4, 1);                           \
      for (; r < m->n_rows; r++) TILE(m, r, t, 1, 1);                                   \
    }                                                                                   \
  }

/* Loops over rows and tokens of a tile are unrolled, else the sums would live in memory. */
#define AM_UNROLL _Pragma("GCC unroll 16")

#endif
