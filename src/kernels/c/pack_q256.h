/* SPDX-License-Identifier: Apache-2.0 */
/* kernels/c/pack_q256: the types of 256 elements to a block, whose parts of 16 or 32 have scales (and minima) that
 * are small integers times the block's own. Included by the file of each tier (pack_tile.h).
 * The parts are the lanes. Each is fitted alone; then the block's scale follows from the greatest; then each part
 * tries the integers next to its fit, with the error measured; then the block's scale is solved anew for the codes
 * so found, and the parts try again, which is kept where it is better. */
#ifndef AM_KERNELS_C_PACK_Q256_H
#define AM_KERNELS_C_PACK_Q256_H

#include "kernels/c/pack_fit.h"

/* Attempts at a block's scale: at least, and at most where it is nearly exact. */
enum { SIGNED_ATTEMPTS = 3, RANGED_ATTEMPTS = 2, MOST_ATTEMPTS = 16 };

/* A tile of parts under scales of blocks: block b has the lanes [b * n_parts, (b + 1) * n_parts). */
typedef struct packed256 {
  float d[TILE], m[TILE];           /* the block's scale and minimum, the same in all of its lanes */
  float scales[TILE], minima[TILE]; /* integers */
  float error[TILE];
} packed256;

/* The binary16 next to a scale >= 0; none becomes zero (v_half_scale). */
AM_INLINE float half_of(float v) {
  if (v > 0 && v < 0x1p-24f) v = 0x1p-24f;
  return am_f16_to_f32(am_f32_to_f16(v > 65504.0f ? 65504.0f : v));
}

/* Natural order: element i of lane b at [b * n + i]. */
AM_INLINE void codes_in_order(uint8_t *out, uint8_t (*codes)[TILE], int n) {
  uint8_t turned[TILE][16];
  for (int part = 0; part < n; part += 16) {
    turn_bytes(turned, (const uint8_t(*)[16])(codes + part));
    for (int b = 0; b < TILE; b++) memcpy(out + b * n + part, turned[b], 16);
  }
}

/* Which of two attempts at a block has the smaller error; that one into best. Only blocks of `these`, if not NULL. */
AM_INLINE void keep_better(packed256 *best, const packed256 *next, int n_parts, const bool these[TILE]) {
  for (int at = 0; at < TILE; at += n_parts) {
    float old_error = 0, new_error = 0;
    for (int b = at; b < at + n_parts; b++) {
      old_error += best->error[b];
      new_error += next->error[b];
    }
    if (!(new_error < old_error) || (these && !these[at])) continue;
    for (int b = at; b < at + n_parts; b++) {
      best->d[b] = next->d[b];
      best->m[b] = next->m[b];
      best->scales[b] = next->scales[b];
      best->minima[b] = next->minima[b];
      best->error[b] = next->error[b];
    }
  }
}

/* Which blocks, by lane, are nearly exact: of one value or two, where only the rounding of the scale counts and any
 * error is worth another attempt. false: none. Each block is looked at alone. */
AM_INLINE bool find_nearly_exact(bool found[TILE], const packed256 *p, float (*tile)[TILE], int n, int n_parts) {
  bool any = false;
  for (int at = 0; at < TILE; at += n_parts) {
    float error = 0, energy = 0;
    for (int b = at; b < at + n_parts; b++) error += p->error[b];
    if (error > 0)
      for (int i = 0; i < n; i++)
        for (int b = at; b < at + n_parts; b++) energy += tile[i][b] * tile[i][b];
    found[at] = error < 2e-5f * energy && error > 0;
    any = any || found[at];
  }
  return any;
}

/* y = d scale q, with scales of either sign. */
typedef struct signed_parts {
  signed_grid grid;
  float low_scale, high_scale;
} signed_parts;

AM_INLINE void signed_choose(const signed_parts *parts, float (*tile)[TILE], const float fits[TILE], packed256 *p) {
  for (int lane = 0; lane < TILE; lane += LANES) {
    vf d = v_load(&p->d[lane]), least = v_all(FLT_MAX), best = v_all(0);
    vf nearest = v_round(v_clamp(v_load(&fits[lane]) * v_ratio(v_all(1), d), parts->low_scale, parts->high_scale));
    for (int step = -1; step <= 1; step++) {
      vf scale = v_clamp(nearest + (float)step, parts->low_scale, parts->high_scale);
      vf error = signed_error(&parts->grid, tile, lane, d * scale);
      best = v_if_less(error, least, scale, best);
      least = v_min(error, least);
    }
    v_store(&p->scales[lane], best);
    v_store(&p->error[lane], least);
  }
}

/* The d that is best for the codes under p's scales. */
AM_INLINE void signed_again(const signed_parts *parts, float (*tile)[TILE], const packed256 *p, float d[TILE]) {
  float xq[TILE], qq[TILE], sum_xq = 0, sum_qq = 0;
  for (int lane = 0; lane < TILE; lane += LANES) {
    vf scale = v_load(&p->scales[lane]);
    signed_sums sums = signed_trial(&parts->grid, tile, lane, v_ratio(v_all(1), v_load(&p->d[lane]) * scale));
    v_store(&xq[lane], sums.xq * scale);
    v_store(&qq[lane], sums.qq * scale * scale);
  }
  for (int b = 0; b < TILE; b++) {
    sum_xq += xq[b];
    sum_qq += qq[b];
  }
  float solved = sum_qq > 0 ? sum_xq / sum_qq : 0;
  solved = solved < 0 ? -half_of(-solved) : half_of(solved);
  for (int b = 0; b < TILE; b++) d[b] = solved;
}

/* One block of 16 parts of 16. */
AM_INLINE void pack256_signed(packed256 *p, uint8_t (*codes)[TILE], float (*tile)[TILE], const signed_parts *parts) {
  float fits[TILE], greatest = 0;
  packed256 next;
  bool exact[TILE];
  memset(p, 0, sizeof *p);
  for (int lane = 0; lane < TILE; lane += LANES)
    v_store(&fits[lane], signed_fit(&parts->grid, tile, lane, signed_peak(tile, parts->grid.n, lane)));
  for (int b = 0; b < TILE; b++) {
    float size = fits[b] < 0 ? -fits[b] : fits[b], most = greatest < 0 ? -greatest : greatest;
    if (size > most) greatest = fits[b];
  }
  const float low = parts->low_scale, high = parts->high_scale;
  for (int attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
    bool more = attempt >= SIGNED_ATTEMPTS;
    if (more && !find_nearly_exact(exact, p, tile, parts->grid.n, TILE)) break;
    packed256 *to = attempt ? &next : p;
    /* the greatest part's scale becomes low, low + 1, high, then what comes next on either side */
    float whole = attempt == 0 ? low : attempt % 2 ? low + (float)(attempt / 2 + 1) : high - (float)(attempt / 2 - 1);
    float d = greatest / whole;
    memset(to, 0, sizeof *to);
    d = d < 0 ? -half_of(-d) : half_of(d);
    for (int b = 0; b < TILE; b++) to->d[b] = d;
    signed_choose(parts, tile, fits, to);
    if (attempt) keep_better(p, &next, TILE, more ? exact : NULL);
  }
  memset(&next, 0, sizeof next);
  signed_again(parts, tile, p, next.d);
  signed_choose(parts, tile, fits, &next);
  keep_better(p, &next, TILE, NULL);
  for (int lane = 0; lane < TILE; lane += LANES) {
    vf inverse = v_ratio(v_all(1), v_load(&p->d[lane]) * v_load(&p->scales[lane]));
    for (int i = 0; i < parts->grid.n; i++)
      v_bytes(&codes[i][lane], signed_code(&parts->grid, v_load(&tile[i][lane]), inverse) - parts->grid.low);
  }
}

/* y = d scale q - m minimum. */
typedef struct ranged_parts {
  ranged_grid grid;
  int n_parts;
  float high; /* of scales and minima */
} ranged_parts;

AM_INLINE void ranged_choose(const ranged_parts *parts, float (*tile)[TILE], const ranged_block blocks[TILE / LANES],
                             const float fits[2][TILE], packed256 *p) {
  const ranged_grid *grid = &parts->grid;
  for (int lane = 0; lane < TILE; lane += LANES) {
    const ranged_block *block = &blocks[lane / LANES];
    vf d = v_load(&p->d[lane]), m = v_load(&p->m[lane]), per_m = v_ratio(v_all(1), m), least = v_all(FLT_MAX);
    vf best_scale = v_all(0), best_minimum = v_all(0), fitted = v_load(&fits[1][lane]);
    vf nearest = v_round(v_clamp(v_load(&fits[0][lane]) * v_ratio(v_all(1), d), 0, parts->high));
    for (int step = -1; step <= 1; step++) {
      vf scale = v_clamp(nearest + (float)step, 0, parts->high), ds = d * scale;
      ranged_sums sums = ranged_trial(grid, tile, lane, block, fitted, v_ratio(v_all(1), ds));
      vf wanted = (ds * sums.q * (1.0f / (float)grid->n) - block->mean) * per_m;
      vf minimum = v_round(v_clamp(wanted, 0, parts->high));
      vf error = ranged_error(grid, tile, lane, ds, v_all(0) - m * minimum);
      best_scale = v_if_less(error, least, scale, best_scale);
      best_minimum = v_if_less(error, least, minimum, best_minimum);
      least = v_min(error, least);
    }
    v_store(&p->scales[lane], best_scale);
    v_store(&p->minima[lane], best_minimum);
    v_store(&p->error[lane], least);
  }
}

/* The d and m that are best for the codes under p's scales and minima: two unknowns, the normal equations. */
AM_INLINE void ranged_again(const ranged_parts *parts, float (*tile)[TILE], const ranged_block blocks[TILE / LANES],
                            const packed256 *p, packed256 *next) {
  float q[TILE], qq[TILE], xq[TILE], sx[TILE], n = (float)parts->grid.n;
  for (int lane = 0; lane < TILE; lane += LANES) {
    const ranged_block *block = &blocks[lane / LANES];
    vf d = v_load(&p->d[lane]) * v_load(&p->scales[lane]), m = v_load(&p->m[lane]) * v_load(&p->minima[lane]);
    ranged_sums sums = ranged_trial(&parts->grid, tile, lane, block, v_all(0) - m, v_ratio(v_all(1), d));
    v_store(&q[lane], sums.q);
    v_store(&qq[lane], sums.qq);
    v_store(&xq[lane], sums.xq + block->mean * sums.q);
    v_store(&sx[lane], block->mean * n);
  }
  for (int at = 0; at < TILE; at += parts->n_parts) {
    float dd = 0, dm = 0, mm = 0, xd = 0, xm = 0;
    for (int b = at; b < at + parts->n_parts; b++) {
      float s = p->scales[b], z = p->minima[b];
      dd += s * s * qq[b];
      dm += s * z * q[b];
      mm += z * z * n;
      xd += s * xq[b];
      xm += z * sx[b];
    }
    float det = dd * mm - dm * dm, d = p->d[at], m = p->m[at];
    if (det > 1e-6f * dd * mm) { /* far from parallel */
      d = (xd * mm - xm * dm) / det;
      m = (xd * dm - xm * dd) / det;
    } else if (dd > 0) {
      d = (xd + m * dm) / dd;
    }
    d = half_of(d > 0 ? d : 0);
    m = half_of(m > 0 ? m : 0);
    for (int b = at; b < at + parts->n_parts; b++) {
      next->d[b] = d;
      next->m[b] = m;
    }
  }
}

/* The scales of the block whose lanes begin at `at`, so that its greatest part gets the integer `whole`. */
AM_INLINE void ranged_scales(const ranged_parts *parts, float (*fits)[TILE], int at, float whole, packed256 *p) {
  float d = 0, m = 0;
  for (int b = at; b < at + parts->n_parts; b++) {
    if (fits[0][b] > d) d = fits[0][b];
    if (-fits[1][b] > m) m = -fits[1][b];
  }
  for (int b = at; b < at + parts->n_parts; b++) {
    p->d[b] = half_of(d / whole);
    p->m[b] = half_of(m / parts->high);
  }
}

AM_INLINE void pack256_ranged(packed256 *p, uint8_t (*codes)[TILE], float (*tile)[TILE], const ranged_parts *parts) {
  float fits[2][TILE];
  ranged_block blocks[TILE / LANES];
  packed256 next;
  bool exact[TILE];
  memset(p, 0, sizeof *p);
  for (int lane = 0; lane < TILE; lane += LANES) {
    blocks[lane / LANES] = ranged_look(&parts->grid, tile, lane);
    ranged_fit fit = ranged_search(&parts->grid, tile, lane, &blocks[lane / LANES]);
    v_store(&fits[0][lane], fit.d);
    v_store(&fits[1][lane], fit.m);
  }
  for (int attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
    bool more = attempt >= RANGED_ATTEMPTS;
    if (more && !find_nearly_exact(exact, p, tile, parts->grid.n, parts->n_parts)) break;
    packed256 *to = attempt ? &next : p;
    memset(to, 0, sizeof *to);
    for (int at = 0; at < TILE; at += parts->n_parts)
      ranged_scales(parts, fits, at, parts->high - (float)(attempt % 8), to);
    ranged_choose(parts, tile, blocks, fits, to);
    if (attempt) keep_better(p, &next, parts->n_parts, more ? exact : NULL);
  }
  memset(&next, 0, sizeof next);
  ranged_again(parts, tile, blocks, p, &next);
  ranged_choose(parts, tile, blocks, fits, &next);
  keep_better(p, &next, parts->n_parts, NULL);
  for (int lane = 0; lane < TILE; lane += LANES) {
    vf inverse = v_ratio(v_all(1), v_load(&p->d[lane]) * v_load(&p->scales[lane]));
    vf m = v_all(0) - v_load(&p->m[lane]) * v_load(&p->minima[lane]);
    for (int i = 0; i < parts->grid.n; i++)
      v_bytes(&codes[i][lane], ranged_code(&parts->grid, v_load(&tile[i][lane]), m, inverse));
  }
}

static void pack_q6_k(void *out, const float *x, size_t n) {
  const signed_parts parts = {{16, -32, 31, targets6, COUNT(targets6)}, -128, 127};
  am_block_q6_k *block = out;
  for (size_t at = 0; at < n / 256; at++, block++) {
    float tile[16][TILE];
    uint8_t codes[16][TILE], flat[256];
    packed256 p;
    tile_load(tile, x + 256 * at, 16, TILE);
    pack256_signed(&p, codes, tile, &parts);
    codes_in_order(flat, codes, 16);
    block->d = am_f32_to_f16(p.d[0]);
    for (int b = 0; b < TILE; b++) block->scales[b] = (int8_t)p.scales[b];
    for (int half = 0; half < 2; half++) {
      const uint8_t *v = flat + 128 * half;
      for (int l = 0; l < 32; l++) {
        block->ql[64 * half + l] = (uint8_t)((v[l] & 15) | (v[l + 64] & 15) << 4);
        block->ql[64 * half + 32 + l] = (uint8_t)((v[l + 32] & 15) | (v[l + 96] & 15) << 4);
        block->qh[32 * half + l] =
            (uint8_t)(v[l] >> 4 | v[l + 32] >> 4 << 2 | v[l + 64] >> 4 << 4 | v[l + 96] >> 4 << 6);
      }
    }
  }
}

static void pack_q3_k(void *out, const float *x, size_t n) {
  const signed_parts parts = {{16, -4, 3, targets3, COUNT(targets3)}, -32, 31};
  am_block_q3_k *block = out;
  for (size_t at = 0; at < n / 256; at++, block++) {
    float tile[16][TILE];
    uint8_t codes[16][TILE], flat[256];
    packed256 p;
    tile_load(tile, x + 256 * at, 16, TILE);
    pack256_signed(&p, codes, tile, &parts);
    codes_in_order(flat, codes, 16);
    memset(block, 0, sizeof *block);
    block->d = am_f32_to_f16(p.d[0]);
    for (int b = 0; b < TILE; b++) {
      int scale = (int)p.scales[b] + 32;
      block->scales[b % 8] |= (uint8_t)((scale & 15) << (b < 8 ? 0 : 4));
      block->scales[8 + b % 4] |= (uint8_t)(scale >> 4 << (2 * (b / 4)));
    }
    for (int half = 0; half < 2; half++)
      for (int k = 0; k < 4; k++)
        for (int l = 0; l < 32; l++) {
          uint8_t q = flat[128 * half + 32 * k + l];
          block->qs[32 * half + l] |= (uint8_t)((q & 3) << (2 * k));
          block->hmask[l] |= (uint8_t)(q >> 2 << (4 * half + k));
        }
  }
}

static void pack_q2_k(void *out, const float *x, size_t n) {
  const ranged_parts parts = {{16, 3, ends2, COUNT(ends2), true}, 16, 15};
  am_block_q2_k *block = out;
  for (size_t at = 0; at < n / 256; at++, block++) {
    float tile[16][TILE];
    uint8_t codes[16][TILE], flat[256];
    packed256 p;
    tile_load(tile, x + 256 * at, 16, TILE);
    pack256_ranged(&p, codes, tile, &parts);
    codes_in_order(flat, codes, 16);
    block->d = am_f32_to_f16(p.d[0]);
    block->dmin = am_f32_to_f16(p.m[0]);
    for (int b = 0; b < TILE; b++) block->scales[b] = (uint8_t)((int)p.scales[b] | (int)p.minima[b] << 4);
    for (int half = 0; half < 2; half++) {
      const uint8_t *v = flat + 128 * half;
      for (int l = 0; l < 32; l++)
        block->qs[32 * half + l] = (uint8_t)(v[l] | v[l + 32] << 2 | v[l + 64] << 4 | v[l + 96] << 6);
    }
  }
}

/* The inverse of am_k4_scales. */
AM_INLINE void k4_scales(uint8_t out[12], const float scales[8], const float minima[8]) {
  for (int j = 0; j < 4; j++) {
    int s = (int)scales[j], z = (int)minima[j], s4 = (int)scales[j + 4], z4 = (int)minima[j + 4];
    out[j] = (uint8_t)(s | s4 >> 4 << 6);
    out[j + 4] = (uint8_t)(z | z4 >> 4 << 6);
    out[j + 8] = (uint8_t)((s4 & 15) | (z4 & 15) << 4);
  }
}

AM_INLINE void k4_nibbles(uint8_t qs[128], const uint8_t flat[256]) {
  for (int i = 0; i < 4; i++)
    for (int l = 0; l < 32; l++)
      qs[32 * i + l] = (uint8_t)((flat[64 * i + l] & 15) | (flat[64 * i + 32 + l] & 15) << 4);
}

static void pack_q4_k(void *out, const float *x, size_t n) {
  const ranged_parts parts = {{32, 15, ends4, COUNT(ends4), true}, 8, 63};
  am_block_q4_k *blocks = out;
  for (size_t at = 0, n_blocks = n / 256; at < n_blocks; at += 2) {
    float tile[32][TILE];
    uint8_t codes[32][TILE], flat[512];
    packed256 p;
    int n_here = n_blocks - at < 2 ? 1 : 2;
    tile_load(tile, x + 256 * at, 32, 8 * n_here);
    pack256_ranged(&p, codes, tile, &parts);
    codes_in_order(flat, codes, 32);
    for (int b = 0; b < n_here; b++) {
      am_block_q4_k *block = &blocks[at + b];
      block->d = am_f32_to_f16(p.d[8 * b]);
      block->dmin = am_f32_to_f16(p.m[8 * b]);
      k4_scales(block->scales, p.scales + 8 * b, p.minima + 8 * b);
      k4_nibbles(block->qs, flat + 256 * b);
    }
  }
}

static void pack_q5_k(void *out, const float *x, size_t n) {
  const ranged_parts parts = {{32, 31, ends5, COUNT(ends5), true}, 8, 63};
  am_block_q5_k *blocks = out;
  for (size_t at = 0, n_blocks = n / 256; at < n_blocks; at += 2) {
    float tile[32][TILE];
    uint8_t codes[32][TILE], flat[512];
    packed256 p;
    int n_here = n_blocks - at < 2 ? 1 : 2;
    tile_load(tile, x + 256 * at, 32, 8 * n_here);
    pack256_ranged(&p, codes, tile, &parts);
    codes_in_order(flat, codes, 32);
    for (int b = 0; b < n_here; b++) {
      am_block_q5_k *block = &blocks[at + b];
      block->d = am_f32_to_f16(p.d[8 * b]);
      block->dmin = am_f32_to_f16(p.m[8 * b]);
      k4_scales(block->scales, p.scales + 8 * b, p.minima + 8 * b);
      k4_nibbles(block->qs, flat + 256 * b);
      for (int l = 0; l < 32; l++) {
        unsigned fifths = 0;
        for (int j = 0; j < 8; j++) fifths |= (unsigned)(flat[256 * b + 32 * j + l] >> 4) << j;
        block->qh[l] = (uint8_t)fifths;
      }
    }
  }
}

AM_INLINE void pack_q256_fill(am_kernels *k) {
  k->pack[AM_DTYPE_Q2_K] = pack_q2_k;
  k->pack[AM_DTYPE_Q3_K] = pack_q3_k;
  k->pack[AM_DTYPE_Q4_K] = pack_q4_k;
  k->pack[AM_DTYPE_Q5_K] = pack_q5_k;
  k->pack[AM_DTYPE_Q6_K] = pack_q6_k;
}

#endif
