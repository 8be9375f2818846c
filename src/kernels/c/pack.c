/* SPDX-License-Identifier: Apache-2.0 */
/* Plain C: weights to smaller types. Four blocks side by side, which any compiler makes of vector_size. */
#define LANES 4
#include "kernels/c/pack_plain.h"
#include "kernels/c/pack_q256.h"
#include "kernels/c/pack_q32.h"
#include "kernels/kernels.h"

static void pack_f16(void *out, const float *x, size_t n) {
  uint8_t *bytes = out;
  for (size_t i = 0; i < n; i++) {
    uint16_t h = am_f32_to_f16(x[i]);
    memcpy(bytes + 2 * i, &h, sizeof h);
  }
}

void am_kernels_c_pack(am_kernels *k) {
  pack_plain_fill(k);
  k->pack[AM_DTYPE_F16] = pack_f16;
  pack_q32_fill(k);
  pack_q256_fill(k);
}
