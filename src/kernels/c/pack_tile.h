/* SPDX-License-Identifier: Apache-2.0 */
/* kernels/c/pack_tile: sixteen blocks side by side, one to a lane. Included by the file of each tier after it has
 * defined LANES, how many of them a vector holds; the arithmetic of a lane is that of one block alone, in one
 * order and without contraction, and so every tier writes the same bytes.
 * A tile is x[i][b]: element i of block b < 16. */
#include "base/half.h"
#include "kernels/blocks.h"
#include "kernels/kernels.h"
#if defined(__AVX2__)
#include <immintrin.h>
#endif
#include <float.h>
#include <stdbool.h>
#include <string.h>

enum { TILE = 16 };
#define AM_INLINE static inline __attribute__((always_inline))

typedef float vf __attribute__((vector_size(4 * LANES)));
typedef int32_t vi __attribute__((vector_size(4 * LANES)));
typedef uint8_t vb __attribute__((vector_size(LANES)));
typedef float quad __attribute__((vector_size(16)));
typedef int32_t quad_i __attribute__((vector_size(16)));
typedef uint8_t octets __attribute__((vector_size(16)));

AM_INLINE vf v_load(const float *p) {
  vf v;
  memcpy(&v, p, sizeof v);
  return v;
}
AM_INLINE void v_store(float *p, vf v) { memcpy(p, &v, sizeof v); }
AM_INLINE vf v_all(float f) { return f - (vf){0}; }

/* a < b ? x : y */
AM_INLINE vf v_if_less(vf a, vf b, vf x, vf y) {
#if defined(__AVX512F__) && LANES == 16
  return (vf)_mm512_mask_blend_ps(_mm512_cmp_ps_mask((__m512)a, (__m512)b, _CMP_LT_OQ), (__m512)y, (__m512)x);
#elif defined(__AVX2__) && LANES == 8
  return (vf)_mm256_blendv_ps((__m256)y, (__m256)x, _mm256_cmp_ps((__m256)a, (__m256)b, _CMP_LT_OQ));
#else
  vi less = a < b;
  return (vf)((less & (vi)x) | (~less & (vi)y));
#endif
}
AM_INLINE vf v_min(vf a, vf b) {
#if defined(__AVX512F__) && LANES == 16
  return (vf)_mm512_min_ps((__m512)a, (__m512)b);
#elif defined(__AVX2__) && LANES == 8
  return (vf)_mm256_min_ps((__m256)a, (__m256)b);
#else
  return v_if_less(a, b, a, b);
#endif
}
AM_INLINE vf v_max(vf a, vf b) {
#if defined(__AVX512F__) && LANES == 16
  return (vf)_mm512_max_ps((__m512)a, (__m512)b);
#elif defined(__AVX2__) && LANES == 8
  return (vf)_mm256_max_ps((__m256)a, (__m256)b);
#else
  return v_if_less(b, a, a, b);
#endif
}
AM_INLINE vf v_abs(vf a) { return (vf)((vi)a & 0x7FFFFFFF); }
/* Nearest whole number, ties to even, of |a| < 2^22. */
AM_INLINE vf v_round(vf a) { return (a + 12582912.0f) - 12582912.0f; }
/* a / b; 0 where b is less than any step that binary16 could hold (2^-26). */
AM_INLINE vf v_ratio(vf a, vf b) {
  vf zero = {0}, size = v_abs(b), least = v_all(0x1p-26f);
  return v_if_less(size, least, zero, a / v_if_less(size, least, zero + 1.0f, b));
}
AM_INLINE vf v_clamp(vf a, float low, float high) { return v_min(v_max(a, v_all(low)), v_all(high)); }
/* Whole numbers to bytes (modulo 256), stored for LANES blocks. */
AM_INLINE void v_bytes(uint8_t *p, vf a) {
#if defined(__AVX512F__) && LANES == 16
  _mm_storeu_si128((void *)p, _mm512_cvtepi32_epi8(_mm512_cvtps_epi32((__m512)a)));
#else
  vb bytes = __builtin_convertvector(__builtin_convertvector(a, vi), vb);
  memcpy(p, &bytes, sizeof bytes);
#endif
}
/* Rounds to a finite binary16, whose bits go to p. */
AM_INLINE vf v_half(uint16_t *p, vf a) {
  a = v_clamp(a, -65504.0f, 65504.0f);
#if defined(__AVX512F__) && LANES == 16
  __m256i h = _mm512_cvtps_ph((__m512)a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  _mm256_storeu_si256((void *)p, h);
  return (vf)_mm512_cvtph_ps(h);
#elif defined(__AVX2__) && LANES == 8
  __m128i h = _mm256_cvtps_ph((__m256)a, _MM_FROUND_TO_NEAREST_INT);
  _mm_storeu_si128((void *)p, h);
  return (vf)_mm256_cvtph_ps(h);
#else
  vf out;
  for (int i = 0; i < LANES; i++) {
    p[i] = am_f32_to_f16(a[i]);
    out[i] = am_f16_to_f32(p[i]);
  }
  return out;
#endif
}

/* Rounds a scale to binary16, but none to zero: codes of the least step beat no codes. */
AM_INLINE vf v_half_scale(uint16_t *p, vf a) {
  vf size = v_abs(a), least = (vf)(((vi)a & INT32_MIN) | (vi)v_all(0x1p-24f));
  return v_half(p, v_if_less(size, v_all(0x1p-24f), v_if_less(v_all(0), size, least, a), a));
}

AM_INLINE void turn4(quad v[4]) {
  quad a = __builtin_shufflevector(v[0], v[1], 0, 4, 1, 5), b = __builtin_shufflevector(v[0], v[1], 2, 6, 3, 7);
  quad c = __builtin_shufflevector(v[2], v[3], 0, 4, 1, 5), d = __builtin_shufflevector(v[2], v[3], 2, 6, 3, 7);
  v[0] = __builtin_shufflevector(a, c, 0, 1, 4, 5);
  v[1] = __builtin_shufflevector(a, c, 2, 3, 6, 7);
  v[2] = __builtin_shufflevector(b, d, 0, 1, 4, 5);
  v[3] = __builtin_shufflevector(b, d, 2, 3, 6, 7);
}

/* n_blocks of n elements side by side -> a tile; lanes past the last block are zero. n divides by 4. */
AM_INLINE void tile_load(float (*tile)[TILE], const float *x, int n, int n_blocks) {
  for (int b = 0; b < TILE; b += 4)
    for (int i = 0; i < n; i += 4) {
      quad v[4] = {{0}};
      for (int k = 0; k < 4; k++)
        if (b + k < n_blocks) memcpy(&v[k], x + (b + k) * n + i, sizeof v[k]);
      turn4(v);
      for (int k = 0; k < 4; k++) memcpy(&tile[i + k][b], &v[k], sizeof v[k]);
    }
}

/* 16 rows of 16 bytes, rows and columns exchanged. */
AM_INLINE void turn_bytes(uint8_t out[16][16], const uint8_t in[16][16]) {
  octets v[16], w[16];
  memcpy(v, in, sizeof v);
  for (int round = 0; round < 4; round++) {
    for (int i = 0; i < 8; i++) {
      w[2 * i] = __builtin_shufflevector(v[i], v[i + 8], 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
      w[2 * i + 1] =
          __builtin_shufflevector(v[i], v[i + 8], 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
    }
    memcpy(v, w, sizeof v);
  }
  memcpy(out, v, sizeof v);
}
