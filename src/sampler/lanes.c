/* SPDX-License-Identifier: Apache-2.0 */
#include "sampler/lanes.h"

#include <float.h>
#include <math.h>
#include <string.h>

enum { LANES = 4 };
typedef float lanes __attribute__((vector_size(LANES * sizeof(float)), aligned(4)));
typedef int32_t masks __attribute__((vector_size(LANES * sizeof(int32_t)), aligned(4)));

static inline lanes load(const float *x) {
  lanes v;
  memcpy(&v, x, sizeof v);
  return v;
}

static inline void store(float *x, lanes v) { memcpy(x, &v, sizeof v); }

static inline lanes fill(float value) { return (lanes){value, value, value, value}; }

static inline lanes choose(masks mask, lanes yes, lanes no) {
  return (lanes)((mask & (masks)yes) | (~mask & (masks)no));
}

/* Copies a ragged end of x into a whole group, the rest filled with `pad`. */
static lanes load_tail(const float *x, size_t n, float pad) {
  float group[LANES];
  for (size_t i = 0; i < LANES; i++) group[i] = i < n ? x[i] : pad;
  return load(group);
}

static inline lanes clean(lanes v, lanes divisor) {
  v = choose((masks)(v == v), v, fill(-INFINITY));
  v = choose((masks)(v > fill(FLT_MAX)), fill(FLT_MAX), v) / divisor;
  /* a divisor below 1 can push a value over the top again */
  return choose((masks)(v > fill(FLT_MAX)), fill(FLT_MAX), v);
}

float am_lanes_clean(float *x, size_t n, float divisor) {
  lanes best = fill(-INFINITY), by = fill(divisor);
  size_t i = 0;
  for (; i + LANES <= n; i += LANES) {
    lanes v = clean(load(x + i), by);
    store(x + i, v);
    best = choose((masks)(v > best), v, best);
  }
  if (i < n) {
    lanes v = clean(load_tail(x + i, n - i, -INFINITY), by);
    memcpy(x + i, &v, (n - i) * sizeof *x);
    best = choose((masks)(v > best), v, best);
  }
  float greatest = -INFINITY;
  for (int lane = 0; lane < LANES; lane++) greatest = best[lane] > greatest ? best[lane] : greatest;
  return greatest;
}

static inline int any(masks mask) {
  uint64_t words[LANES / 2];
  memcpy(words, &mask, sizeof words);
  return (words[0] | words[1]) != 0;
}

size_t am_lanes_find(const float *x, size_t from, size_t n, float least) {
  lanes bound = fill(least);
  size_t i = from;
  /* one look at the next few by hand: hits often come side by side */
  for (; i < n && i < from + 4; i++)
    if (x[i] >= least) return i;
  for (; i + 4 * LANES <= n; i += 4 * LANES) {
    masks low = (masks)(load(x + i) >= bound) | (masks)(load(x + i + LANES) >= bound);
    masks high = (masks)(load(x + i + 2 * LANES) >= bound) | (masks)(load(x + i + 3 * LANES) >= bound);
    if (any(low | high)) break;
  }
  while (i < n && !(x[i] >= least)) i++;
  return i;
}

/* exp(v) for v <= 0 by v = k ln 2 + r, |r| <= ln 2 / 2: 2^k times the Taylor polynomial of degree 7 in r
 * (truncation below 6e-9), ln 2 split in two so that r keeps its bits (Cody and Waite). */
static inline lanes exp_lanes(lanes v) {
  const float magic = 12582912.0f; /* 1.5 * 2^23: adding it rounds to an integer in the low bits */
  masks dead = (masks)(v < fill(-87.0f));
  v = choose(dead, fill(0.0f), v);
  lanes shifted = v * fill(1.44269504088896341f) + fill(magic);
  lanes k = shifted - fill(magic);
  lanes r = v - k * fill(0.693359375f);
  r = r + k * fill(2.12194440e-4f);
  lanes p = fill(1.0f / 5040.0f);
  p = p * r + fill(1.0f / 720.0f);
  p = p * r + fill(1.0f / 120.0f);
  p = p * r + fill(1.0f / 24.0f);
  p = p * r + fill(1.0f / 6.0f);
  p = p * r + fill(0.5f);
  p = p * r * r + r + fill(1.0f);
  masks power = ((masks)shifted - (masks)fill(magic) + 127) << 23;
  return choose(dead, fill(0.0f), p * (lanes)power);
}

double am_lanes_exp(const float *x, size_t n, float greatest, float *out) {
  lanes shift = fill(greatest);
  double sum = 0;
  size_t i = 0;
  while (i + LANES <= n) {
    /* short sums stay in float: 8 terms lose at most 7 roundings of 2^-24 */
    lanes part = fill(0.0f);
    for (int group = 0; group < 8 && i + LANES <= n; group++, i += LANES) {
      lanes w = exp_lanes(load(x + i) - shift);
      store(out + i, w);
      part += w;
    }
    for (int lane = 0; lane < LANES; lane++) sum += (double)part[lane];
  }
  if (i < n) {
    lanes w = exp_lanes(load_tail(x + i, n - i, -INFINITY) - shift);
    memcpy(out + i, &w, (n - i) * sizeof *out);
    for (size_t lane = 0; lane < n - i; lane++) sum += (double)w[lane];
  }
  return sum;
}
