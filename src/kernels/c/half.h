/* SPDX-License-Identifier: Apache-2.0 */
/* kernels/c/half: binary16 -> float for inner loops, without a call or a branch. Exact for every
 * input, as base/half is: normal numbers are moved to the float's exponent and rescaled, denormal
 * ones go through the mantissa of 0.5 (the method of M. Dukhan's FP16 library). */
#ifndef AM_KERNELS_C_HALF_H
#define AM_KERNELS_C_HALF_H

#include <stdint.h>
#include <string.h>

static inline float half_bits(uint32_t u) {
  float f;
  memcpy(&f, &u, sizeof f);
  return f;
}

static inline float half_to_float(uint16_t h) {
  uint32_t w = (uint32_t)h << 16, sign = w & 0x80000000u, twice = w + w;
  float normal = half_bits((twice >> 4) + (0xE0u << 23)) * 0x1.0p-112f;
  float denormal = half_bits((twice >> 17) | (126u << 23)) - 0.5f;
  float magnitude = twice < (1u << 27) ? denormal : normal;
  uint32_t u;
  memcpy(&u, &magnitude, sizeof u);
  return half_bits(sign | u);
}

static inline float bfloat_to_float(uint16_t h) { return half_bits((uint32_t)h << 16); }

static inline uint16_t load_u16(const void *p) {
  uint16_t v;
  memcpy(&v, p, sizeof v);
  return v;
}

#endif
