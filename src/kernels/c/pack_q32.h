/* SPDX-License-Identifier: Apache-2.0 */
/* kernels/c/pack_q32: the types of 32 elements to a block. Included by the file of each tier (pack_tile.h). */
#ifndef AM_KERNELS_C_PACK_Q32_H
#define AM_KERNELS_C_PACK_Q32_H

#include "kernels/c/pack_fit.h"

typedef struct packed32 {
  uint16_t d[TILE], m[TILE];
  uint8_t codes[32][TILE];
} packed32;

AM_INLINE void pack32_signed(packed32 *out, float (*tile)[TILE], const signed_grid *grid) {
  for (int lane = 0; lane < TILE; lane += LANES) {
    uint16_t bits[LANES];
    vf peak = signed_peak(tile, grid->n, lane);
    vf plain = v_half_scale(bits, peak * (1.0f / grid->low));
    vf found = v_half_scale(bits, signed_fit(grid, tile, lane, peak));
    vf worse = signed_error(grid, tile, lane, plain), better = signed_error(grid, tile, lane, found);
    vf d = v_half(&out->d[lane], v_if_less(better, worse, found, plain)), inverse = v_ratio(v_all(1), d);
    for (int i = 0; i < 32; i++)
      v_bytes(&out->codes[i][lane], signed_code(grid, v_load(&tile[i][lane]), inverse) - grid->low);
  }
}

AM_INLINE void pack32_ranged(packed32 *out, float (*tile)[TILE], const ranged_grid *grid) {
  for (int lane = 0; lane < TILE; lane += LANES) {
    uint16_t bits[LANES];
    ranged_block block = ranged_look(grid, tile, lane);
    ranged_fit fit = ranged_search(grid, tile, lane, &block);
    vf d0 = v_half_scale(bits, (block.greatest - block.least) * (1.0f / grid->high));
    vf m0 = v_half(bits, block.least), d = v_half_scale(bits, fit.d), m = v_half(bits, fit.m);
    vf worse = ranged_error(grid, tile, lane, d0, m0), better = ranged_error(grid, tile, lane, d, m);
    d = v_half(&out->d[lane], v_if_less(better, worse, d, d0));
    m = v_half(&out->m[lane], v_if_less(better, worse, m, m0));
    vf inverse = v_ratio(v_all(1), d);
    for (int i = 0; i < 32; i++)
      v_bytes(&out->codes[i][lane], ranged_code(grid, v_load(&tile[i][lane]), m, inverse));
  }
}

/* Codes of a tile to the nibbles of its blocks, 16 bytes each. */
AM_INLINE void nibbles_of(uint8_t nibbles[TILE][16], uint8_t (*codes)[TILE]) {
  uint8_t pairs[16][TILE];
  for (int j = 0; j < 16; j++)
    for (int b = 0; b < TILE; b++) pairs[j][b] = (uint8_t)((codes[j][b] & 15) | (codes[j + 16][b] & 15) << 4);
  turn_bytes(nibbles, (const uint8_t(*)[16])pairs);
}

/* Their fifth bits: bit j of block b. */
AM_INLINE void fifths_of(uint32_t fifths[TILE], uint8_t (*codes)[TILE]) {
  for (int b = 0; b < TILE; b++) fifths[b] = 0;
  for (int j = 0; j < 32; j++)
    for (int b = 0; b < TILE; b++) fifths[b] |= (uint32_t)(codes[j][b] >> 4 & 1) << j;
}

static void pack_q4_0(void *out, const float *x, size_t n) {
  const signed_grid grid = {32, -8, 7, targets4, COUNT(targets4)};
  am_block_q4_0 *blocks = out;
  for (size_t at = 0, n_blocks = n / 32; at < n_blocks; at += TILE) {
    float tile[32][TILE];
    uint8_t nibbles[TILE][16];
    packed32 packed;
    int n_here = n_blocks - at < TILE ? (int)(n_blocks - at) : TILE;
    tile_load(tile, x + at * 32, 32, n_here);
    pack32_signed(&packed, tile, &grid);
    nibbles_of(nibbles, packed.codes);
    for (int b = 0; b < n_here; b++) {
      blocks[at + b].d = packed.d[b];
      memcpy(blocks[at + b].qs, nibbles[b], 16);
    }
  }
}

static void pack_q5_0(void *out, const float *x, size_t n) {
  const signed_grid grid = {32, -16, 15, targets5, COUNT(targets5)};
  am_block_q5_0 *blocks = out;
  for (size_t at = 0, n_blocks = n / 32; at < n_blocks; at += TILE) {
    float tile[32][TILE];
    uint8_t nibbles[TILE][16];
    uint32_t fifths[TILE];
    packed32 packed;
    int n_here = n_blocks - at < TILE ? (int)(n_blocks - at) : TILE;
    tile_load(tile, x + at * 32, 32, n_here);
    pack32_signed(&packed, tile, &grid);
    nibbles_of(nibbles, packed.codes);
    fifths_of(fifths, packed.codes);
    for (int b = 0; b < n_here; b++) {
      blocks[at + b].d = packed.d[b];
      blocks[at + b].qh = fifths[b];
      memcpy(blocks[at + b].qs, nibbles[b], 16);
    }
  }
}

static void pack_q4_1(void *out, const float *x, size_t n) {
  const ranged_grid grid = {32, 15, ends4, COUNT(ends4), false};
  am_block_q4_1 *blocks = out;
  for (size_t at = 0, n_blocks = n / 32; at < n_blocks; at += TILE) {
    float tile[32][TILE];
    uint8_t nibbles[TILE][16];
    packed32 packed;
    int n_here = n_blocks - at < TILE ? (int)(n_blocks - at) : TILE;
    tile_load(tile, x + at * 32, 32, n_here);
    pack32_ranged(&packed, tile, &grid);
    nibbles_of(nibbles, packed.codes);
    for (int b = 0; b < n_here; b++) {
      blocks[at + b].d = packed.d[b];
      blocks[at + b].m = packed.m[b];
      memcpy(blocks[at + b].qs, nibbles[b], 16);
    }
  }
}

static void pack_q5_1(void *out, const float *x, size_t n) {
  const ranged_grid grid = {32, 31, ends5, COUNT(ends5), false};
  am_block_q5_1 *blocks = out;
  for (size_t at = 0, n_blocks = n / 32; at < n_blocks; at += TILE) {
    float tile[32][TILE];
    uint8_t nibbles[TILE][16];
    uint32_t fifths[TILE];
    packed32 packed;
    int n_here = n_blocks - at < TILE ? (int)(n_blocks - at) : TILE;
    tile_load(tile, x + at * 32, 32, n_here);
    pack32_ranged(&packed, tile, &grid);
    nibbles_of(nibbles, packed.codes);
    fifths_of(fifths, packed.codes);
    for (int b = 0; b < n_here; b++) {
      blocks[at + b].d = packed.d[b];
      blocks[at + b].m = packed.m[b];
      blocks[at + b].qh = fifths[b];
      memcpy(blocks[at + b].qs, nibbles[b], 16);
    }
  }
}

/* With so many steps the greatest element's own scale is as good as any; the codes are the nearest under the scale
 * as it is stored. */
static void pack_q8_0(void *out, const float *x, size_t n) {
  const signed_grid grid = {32, -127, 127, NULL, 0};
  am_block_q8_0 *blocks = out;
  for (size_t at = 0, n_blocks = n / 32; at < n_blocks; at += TILE) {
    float tile[32][TILE];
    uint8_t codes[32][TILE], turned[2][TILE][16];
    uint16_t d[TILE];
    int n_here = n_blocks - at < TILE ? (int)(n_blocks - at) : TILE;
    tile_load(tile, x + at * 32, 32, n_here);
    for (int lane = 0; lane < TILE; lane += LANES) {
      vf most = v_all(0);
      for (int i = 0; i < 32; i++) most = v_max(most, v_abs(v_load(&tile[i][lane])));
      vf inverse = v_ratio(v_all(1), v_half_scale(&d[lane], most * (1.0f / 127)));
      for (int i = 0; i < 32; i++) v_bytes(&codes[i][lane], signed_code(&grid, v_load(&tile[i][lane]), inverse));
    }
    turn_bytes(turned[0], (const uint8_t(*)[16])codes);
    turn_bytes(turned[1], (const uint8_t(*)[16])(codes + 16));
    for (int b = 0; b < n_here; b++) {
      blocks[at + b].d = d[b];
      memcpy(blocks[at + b].qs, turned[0][b], 16);
      memcpy(blocks[at + b].qs + 16, turned[1][b], 16);
    }
  }
}

AM_INLINE void pack_q32_fill(am_kernels *k) {
  k->pack[AM_DTYPE_Q4_0] = pack_q4_0;
  k->pack[AM_DTYPE_Q4_1] = pack_q4_1;
  k->pack[AM_DTYPE_Q5_0] = pack_q5_0;
  k->pack[AM_DTYPE_Q5_1] = pack_q5_1;
  k->pack[AM_DTYPE_Q8_0] = pack_q8_0;
}

#endif
