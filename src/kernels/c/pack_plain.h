/* SPDX-License-Identifier: Apache-2.0 */
/* kernels/c/pack_plain: what a tier's compiler makes fast by itself. Included by the file of each tier. */
#ifndef AM_KERNELS_C_PACK_PLAIN_H
#define AM_KERNELS_C_PACK_PLAIN_H

#include "base/half.h"
#include "kernels/c/half.h"
#include "kernels/kernels.h"

static void pack_f32(void *out, const float *x, size_t n) { memcpy(out, x, n * sizeof *x); }

static void pack_bf16(void *out, const float *x, size_t n) {
  uint8_t *bytes = out;
  for (size_t i = 0; i < n; i++) {
    uint16_t h = am_f32_to_bf16(x[i]);
    memcpy(bytes + 2 * i, &h, sizeof h);
  }
}

/* As integers magnitudes have the order of the numbers, with NaN past infinity. */
static float greatest(const float *x, size_t n) {
  uint32_t most = 0;
  for (size_t i = 0; i < n; i++) {
    uint32_t u;
    memcpy(&u, &x[i], sizeof u);
    u &= 0x7FFFFFFFu;
    most = u > most ? u : most;
  }
  return half_bits(most);
}

static void pack_plain_fill(am_kernels *k) {
  k->pack[AM_DTYPE_F32] = pack_f32;
  k->pack[AM_DTYPE_BF16] = pack_bf16;
  k->greatest = greatest;
}

#endif
