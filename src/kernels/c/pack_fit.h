/* SPDX-License-Identifier: Apache-2.0 */
/* kernels/c/pack_fit: the search for a block's scale (and minimum), in the lanes of pack_tile.h.
 * A trial rounds the block to codes on a guessed grid; the least-squares scale of those codes is known in closed
 * form, and so is the error that it leaves. The guesses differ in where they put the ends of the block: a little
 * clipping of the ends pays for finer steps between. */
#ifndef AM_KERNELS_C_PACK_FIT_H
#define AM_KERNELS_C_PACK_FIT_H

#include "kernels/c/pack_tile.h"

/* Guesses: what won most often in a dense search over Gaussian and heavier-tailed blocks. The plain one is first.
 * targetsB: codes of B bits for the element of greatest magnitude. endsB: steps left over below and above. */
static const float targets3[] = {-4, -4.5f, -4.25f, -3.75f, -3.5f, -3.25f, 3.75f, 3.5f, 3.25f, 3, -3, 2.75f};
static const float targets4[] = {-8, -8.75f, -8.25f, -7.75f, -7.25f, 7.75f, 7.25f, -7, 6.75f};
static const float targets5[] = {-16, -16.5f, -15.5f, -15, 15.5f, 15, -14.5f, 14.5f};
static const float targets6[] = {-32, -32.5f, -31.5f, -31.25f, -31, -30.5f, -30.25f, -29.25f, 31, 30.25f};
static const float ends2[][2] = {{0, 0},         {-.25f, -.25f}, {-.5f, -.5f}, {.25f, .25f}, {-.5f, 0},     {0, -.5f},
                                 {.5f, 0},       {0, .5f},       {-.5f, .25f}, {.25f, -.5f}, {-.25f, .25f},
                                 {.25f, -.25f},  {-.25f, 0},     {0, -.25f},   {1, -.25f},   {-.25f, 1}};
static const float ends4[][2] = {{0, 0},      {-.5f, -.5f},  {-.25f, -.25f}, {.25f, .25f}, {-.5f, 0},
                                 {0, -.5f},   {.5f, 0},      {0, .5f},       {.5f, .5f},   {.75f, -.25f},
                                 {-.25f, .75f}, {0, 1},      {1, 0},         {-.25f, .25f}, {.25f, -.25f}};
static const float ends5[][2] = {{0, 0},         {-.25f, -.25f}, {.5f, .5f}, {0, 1}, {1, 0},
                                 {-.25f, .25f},  {.25f, -.25f},  {.5f, 0},   {0, .5f}};
#define COUNT(table) ((int)(sizeof table / sizeof *table))

/* What a later trial must win by, so that rounding errors do not choose among equals: the first is the plain one,
 * whose scale binary16 holds best where the block is one value or two. */
#define MORE 1.000002f

/* y = d q, low <= q <= high. */
typedef struct signed_grid {
  int n; /* elements of a block */
  float low, high;
  const float *targets; /* codes that the element of greatest magnitude is tried at; plain rounding first */
  int n_targets;
} signed_grid;

typedef struct signed_sums {
  vf xq, qq;
} signed_sums;

AM_INLINE vf signed_code(const signed_grid *grid, vf x, vf inverse) {
  return v_round(v_clamp(x * inverse, grid->low, grid->high));
}

AM_INLINE signed_sums signed_trial(const signed_grid *grid, float (*tile)[TILE], int lane, vf inverse) {
  signed_sums sums = {v_all(0), v_all(0)};
  for (int i = 0; i < grid->n; i++) {
    vf x = v_load(&tile[i][lane]), q = signed_code(grid, x, inverse);
    sums.xq += x * q;
    sums.qq += q * q;
  }
  return sums;
}

/* The element of greatest magnitude. */
AM_INLINE vf signed_peak(float (*tile)[TILE], int n, int lane) {
  vf peak = v_all(0), most = peak;
  for (int i = 0; i < n; i++) {
    vf x = v_load(&tile[i][lane]), size = v_abs(x);
    peak = v_if_less(most, size, x, peak);
    most = v_max(most, size);
  }
  return peak;
}

/* The best scale of the trials, once refined. */
AM_INLINE vf signed_fit(const signed_grid *grid, float (*tile)[TILE], int lane, vf peak) {
  vf best = v_all(0), most = best;
  for (int t = 0; t < grid->n_targets; t++) {
    signed_sums sums = signed_trial(grid, tile, lane, v_ratio(v_all(grid->targets[t]), peak));
    vf d = v_ratio(sums.xq, sums.qq), gain = d * sums.xq;
    best = v_if_less(most, gain, d, best);
    most = v_if_less(most, gain, gain * MORE, most);
  }
  signed_sums sums = signed_trial(grid, tile, lane, v_ratio(v_all(1), best));
  vf d = v_ratio(sums.xq, sums.qq), gain = d * sums.xq;
  return v_if_less(most, gain, d, best);
}

/* Sum of (x - d q)^2 with the nearest codes. */
AM_INLINE vf signed_error(const signed_grid *grid, float (*tile)[TILE], int lane, vf d) {
  vf inverse = v_ratio(v_all(1), d), sum = v_all(0);
  for (int i = 0; i < grid->n; i++) {
    vf x = v_load(&tile[i][lane]), e = x - d * signed_code(grid, x, inverse);
    sum += e * e;
  }
  return sum;
}

/* y = d q + m, 0 <= q <= high. */
typedef struct ranged_grid {
  int n;
  float high;
  const float (*ends)[2]; /* what the steps are tried to leave over below the least element and above the greatest */
  int n_ends;
  bool below_zero; /* m must be <= 0 */
} ranged_grid;

typedef struct ranged_sums {
  vf q, qq, xq; /* of q, q^2, (x - mean) q */
} ranged_sums;

typedef struct ranged_fit {
  vf d, m;
} ranged_fit;

typedef struct ranged_block {
  vf least, greatest, mean, spread; /* spread: sum of (x - mean)^2 */
} ranged_block;

AM_INLINE ranged_block ranged_look(const ranged_grid *grid, float (*tile)[TILE], int lane) {
  ranged_block block;
  vf sum = block.least = block.greatest = v_load(&tile[0][lane]);
  for (int i = 1; i < grid->n; i++) {
    vf x = v_load(&tile[i][lane]);
    block.least = v_min(block.least, x);
    block.greatest = v_max(block.greatest, x);
    sum += x;
  }
  block.mean = sum * (1.0f / (float)grid->n);
  block.spread = v_all(0);
  for (int i = 0; i < grid->n; i++) {
    vf e = v_load(&tile[i][lane]) - block.mean;
    block.spread += e * e;
  }
  if (grid->below_zero) block.least = v_min(block.least, v_all(0));
  return block;
}

AM_INLINE vf ranged_code(const ranged_grid *grid, vf x, vf m, vf inverse) {
  return v_round(v_clamp((x - m) * inverse, 0, grid->high));
}

AM_INLINE ranged_sums ranged_trial(const ranged_grid *grid, float (*tile)[TILE], int lane, const ranged_block *block,
                                   vf m, vf inverse) {
  ranged_sums sums = {v_all(0), v_all(0), v_all(0)};
  for (int i = 0; i < grid->n; i++) {
    vf x = v_load(&tile[i][lane]), q = ranged_code(grid, x, m, inverse);
    sums.q += q;
    sums.qq += q * q;
    sums.xq += (x - block->mean) * q;
  }
  return sums;
}

/* Least squares for the codes of a trial; returns the error that is left. */
AM_INLINE vf ranged_solve(const ranged_grid *grid, const ranged_block *block, const ranged_sums *sums,
                          ranged_fit *out) {
  float n = (float)grid->n;
  vf mean_q = sums->q * (1.0f / n), zero = v_all(0);
  vf d = v_ratio(sums->xq, sums->qq - sums->q * mean_q), m = block->mean - d * mean_q;
  vf error = block->spread - d * sums->xq;
  if (grid->below_zero) {
    vf xq = sums->xq + block->mean * sums->q, d0 = v_max(v_ratio(xq, sums->qq), zero);
    vf error0 = block->spread + block->mean * block->mean * n - d0 * xq;
    error = v_if_less(zero, m, error0, error);
    d = v_if_less(zero, m, d0, d);
    m = v_min(m, zero);
  }
  out->d = d;
  out->m = m;
  return error;
}

AM_INLINE ranged_fit ranged_search(const ranged_grid *grid, float (*tile)[TILE], int lane, const ranged_block *block) {
  ranged_fit best = {v_all(0), block->mean}, fit;
  if (grid->below_zero) best.m = v_min(best.m, v_all(0));
  vf width = block->greatest - block->least, least = v_all(FLT_MAX);
  for (int t = 0; t <= grid->n_ends; t++) {
    vf m, inverse;
    if (t < grid->n_ends) {
      float below = grid->ends[t][0], above = grid->ends[t][1], steps = grid->high - below - above;
      inverse = v_ratio(v_all(steps), width);
      m = block->least - width * (below / steps);
    } else { /* once more, from the best */
      inverse = v_ratio(v_all(1), best.d);
      m = best.m;
    }
    ranged_sums sums = ranged_trial(grid, tile, lane, block, m, inverse);
    vf error = ranged_solve(grid, block, &sums, &fit);
    best.d = v_if_less(error, least, fit.d, best.d);
    best.m = v_if_less(error, least, fit.m, best.m);
    least = v_if_less(error, least, error - block->spread * (MORE - 1.0f), least);
  }
  return best;
}

AM_INLINE vf ranged_error(const ranged_grid *grid, float (*tile)[TILE], int lane, vf d, vf m) {
  vf inverse = v_ratio(v_all(1), d), sum = v_all(0);
  for (int i = 0; i < grid->n; i++) {
    vf x = v_load(&tile[i][lane]), e = x - (d * ranged_code(grid, x, m, inverse) + m);
    sum += e * e;
  }
  return sum;
}

#endif
