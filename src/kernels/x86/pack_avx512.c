/* SPDX-License-Identifier: Apache-2.0 */
/* AVX-512: weights to smaller types, byte for byte as c/pack.c has them: sixteen blocks side by side. */
#define LANES 16
#include "kernels/c/pack_plain.h"
#include "kernels/c/pack_q256.h"
#include "kernels/c/pack_q32.h"
#include "kernels/kernels.h"

void am_kernels_avx512_pack(am_kernels *k) {
  pack_plain_fill(k);
  k->pack[AM_DTYPE_F16] = k->store[AM_DTYPE_F16];
  pack_q32_fill(k);
  pack_q256_fill(k);
}
