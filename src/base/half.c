/* SPDX-License-Identifier: Apache-2.0 */
#include "base/half.h"

float am_f16_to_f32(uint16_t h) {
  uint32_t sign = (uint32_t)(h & 0x8000u) << 16;
  uint32_t exponent = h >> 10 & 0x1Fu;
  uint32_t mantissa = h & 0x3FFu;
  uint32_t u;
  if (exponent == 31) {
    u = sign | 0x7F800000u | mantissa << 13;
  } else if (exponent > 0) {
    u = sign | (exponent + 112) << 23 | mantissa << 13;
  } else {
    /* Zero or denormal: mantissa * 2^-24, exact in float. */
    float f = (float)mantissa * 0x1p-24f;
    memcpy(&u, &f, sizeof u);
    u |= sign;
  }
  float f;
  memcpy(&f, &u, sizeof f);
  return f;
}

uint16_t am_f32_to_f16(float f) {
  uint32_t u;
  memcpy(&u, &f, sizeof u);
  uint16_t sign = (uint16_t)(u >> 16 & 0x8000u);
  u &= 0x7FFFFFFFu;
  if (u > 0x7F800000u) return (uint16_t)(sign | 0x7E00u | (u >> 13 & 0x3FFu)); /* quiet NaN */
  if (u >= 0x47800000u) return (uint16_t)(sign | 0x7C00u);                    /* >= 65536, and infinity */
  if (u >= 0x38800000u) { /* normal: round at bit 13; a carry runs into the exponent, 65520 and above to infinity */
    u += 0xFFFu + (u >> 13 & 1u);
    return (uint16_t)(sign | (u - 0x38000000u) >> 13);
  }
  if (u < 0x33000000u) return sign; /* below half of the least denormal 2^-24 */
  /* Denormal: the significand with its hidden bit, in units of 2^-24. */
  uint32_t shift = 126u - (u >> 23); /* 14..24 */
  uint32_t significand = (u & 0x7FFFFFu) | 0x800000u;
  uint32_t rounded = significand >> shift;
  uint32_t rest = significand & ((1u << shift) - 1u), half = 1u << (shift - 1);
  if (rest > half || (rest == half && (rounded & 1u))) rounded++;
  return (uint16_t)(sign | rounded);
}

float am_e4m3_to_f32(uint8_t code) {
  if ((code & 0x7F) == 0x7F) return am_f16_to_f32((uint16_t)(0x7E00 | (code & 0x80) << 8));
  /* binary16 with fewer bits and another bias */
  return am_f16_to_f32((uint16_t)((code & 0x80) << 8 | (code & 0x7F) << 7)) * 256.0f;
}
