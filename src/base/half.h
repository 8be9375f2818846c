/* SPDX-License-Identifier: Apache-2.0 */
/* base/half: IEEE binary16 and bfloat16 <-> float, exact one way, round-to-nearest-even the other;
 * denormals, infinities and NaN kept. Plain C, for places that are not hot. */
#ifndef AM_BASE_HALF_H
#define AM_BASE_HALF_H

#include <stdint.h>
#include <string.h>

static inline float am_bf16_to_f32(uint16_t h) {
  uint32_t u = (uint32_t)h << 16;
  float f;
  memcpy(&f, &u, sizeof f);
  return f;
}

static inline uint16_t am_f32_to_bf16(float f) {
  uint32_t u;
  memcpy(&u, &f, sizeof u);
  if ((u & 0x7FFFFFFFu) > 0x7F800000u) return (uint16_t)((u >> 16) | 0x40u); /* quiet NaN */
  return (uint16_t)((u + 0x7FFFu + ((u >> 16) & 1u)) >> 16);
}

/* FP8 E4M3 without infinities ("fn"): exact. 0x7F and 0xFF are NaN. */
float am_e4m3_to_f32(uint8_t code);
float am_f16_to_f32(uint16_t h);
uint16_t am_f32_to_f16(float f);

#endif
