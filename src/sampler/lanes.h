/* SPDX-License-Identifier: Apache-2.0 */
/* sampler/lanes: loops over whole rows of logits, a few values at a time.
 * Why here and not in kernels: the sampler may include base alone, and its results must be the same on
 * every machine, so there is one version, in the compiler's vector extension; no instruction set is
 * named. Pure functions, any thread; n may be any number. */
#ifndef AM_SAMPLER_LANES_H
#define AM_SAMPLER_LANES_H

#include <stddef.h>
#include <stdint.h>

/* Order of float values as unsigned integers: a < b exactly when key(a) < key(b); -0 becomes +0
 * first, so that equal values have equal keys. */
static inline uint32_t am_lanes_key(float value) {
  union {
    float f;
    uint32_t u;
  } bits = {.f = value + 0.0f};
  return bits.u & 0x80000000u ? ~bits.u : bits.u | 0x80000000u;
}

/* In place: NaN -> -inf, +inf -> FLT_MAX, then divided by `divisor` (1 = not at all). Returns the
 * greatest value, -inf for n = 0. */
float am_lanes_clean(float *x, size_t n, float divisor);
/* Lowest index at or after `from` with x[i] >= least; n when there is none. */
size_t am_lanes_find(const float *x, size_t from, size_t n, float least);
/* out[i] = exp(x[i] - greatest) for x[i] <= greatest, relative error < 3e-7, 0 below exp(-87).
 * Returns the sum in double. x and out may be the same. */
double am_lanes_exp(const float *x, size_t n, float greatest, float *out);

#endif
