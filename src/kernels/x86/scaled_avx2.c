/* SPDX-License-Identifier: Apache-2.0 */
/* AVX2, FMA, F16C: the SCALED dtypes. */
#include "kernels/x86/vec256.h"
#include <stdbool.h>

typedef __m256 vec;
enum { LANES = 8 };
#define AM_FILL am_kernels_avx2_scaled
#define AM_ROWS 2

AM_INLINE vec vec_zero(void) { return _mm256_setzero_ps(); }
AM_INLINE vec vec_set(float f) { return _mm256_set1_ps(f); }
AM_INLINE vec vec_load(const float *p) { return _mm256_loadu_ps(p); }
AM_INLINE vec vec_fmadd(vec a, vec b, vec c) { return _mm256_fmadd_ps(a, b, c); }
AM_INLINE vec vec_sub(vec a, vec b) { return _mm256_sub_ps(a, b); }
AM_INLINE vec vec_mul(vec a, vec b) { return _mm256_mul_ps(a, b); }
AM_INLINE float vec_sum(vec v) { return vec256_sum(v); }
AM_INLINE vec vec_gather(const float *p, const uint32_t *columns) {
  return _mm256_i32gather_ps(p, _mm256_loadu_si256((const void *)columns), 4);
}

enum { MOST_PICKS = 8 };
typedef __m256 picks;

AM_INLINE picks picks_make(const float *p, uint32_t n) {
  return n < 8 ? _mm256_maskload_ps(p, vec256_tail(n)) : _mm256_loadu_ps(p);
}

AM_INLINE vec vec_pick(picks from, const uint32_t *groups) {
  return _mm256_permutevar8x32_ps(from, _mm256_loadu_si256((const void *)groups));
}

typedef struct lookup {
  __m256 low, high;
} lookup;

AM_INLINE lookup lookup_make(const float table[16], vec zero, vec scale) {
  return (lookup){_mm256_mul_ps(_mm256_sub_ps(_mm256_loadu_ps(table), zero), scale),
                  _mm256_mul_ps(_mm256_sub_ps(_mm256_loadu_ps(table + 8), zero), scale)};
}

/* i: codes in bits 0..2; their bit 3 stands in the sign of `high` and chooses. */
AM_INLINE vec choose(lookup t, __m256i i, __m256i high) {
  return _mm256_blendv_ps(_mm256_permutevar8x32_ps(t.low, i), _mm256_permutevar8x32_ps(t.high, i),
                          _mm256_castsi256_ps(high));
}

AM_INLINE __m256i bytes_u8(const uint8_t *p) {
  return _mm256_cvtepu8_epi32(_mm_loadl_epi64((const void *)p));
}

AM_INLINE vec vec_lookup(lookup t, const uint8_t *codes) {
  __m256i i = bytes_u8(codes);
  return choose(t, i, _mm256_slli_epi32(i, 28));
}

/* 16 columns at a time: 8 low nibbles, then 8 high ones. */
AM_INLINE void split_lookup(lookup t, const uint8_t *codes, vec out[4]) {
  for (int half = 0; half < 2; half++) {
    __m256i i = bytes_u8(codes + 8 * half);
    out[2 * half] = choose(t, i, _mm256_slli_epi32(i, 28));
    out[2 * half + 1] = choose(t, _mm256_srli_epi32(i, 4), _mm256_slli_epi32(i, 24));
  }
}

AM_INLINE void split_x(const float *x, bool high_first, vec out[4]) {
  for (int half = 0; half < 2; half++) {
    const float *p = x + 16 * half;
    __m256 a = _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(p)), _mm_loadu_ps(p + 8), 1);
    __m256 b = _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(p + 4)), _mm_loadu_ps(p + 12), 1);
    __m256 even = _mm256_shuffle_ps(a, b, 0x88), odd = _mm256_shuffle_ps(a, b, 0xDD);
    out[2 * half] = high_first ? odd : even;
    out[2 * half + 1] = high_first ? even : odd;
  }
}

AM_INLINE vec widen_u8(const uint8_t *p) { return _mm256_cvtepi32_ps(bytes_u8(p)); }

AM_INLINE vec widen_i8(const uint8_t *p) {
  return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64((const void *)p)));
}

AM_INLINE void widen_f8(const uint8_t *p, vec out[2]) { /* binary16 with another bias */
  __m256i v = _mm256_slli_epi16(_mm256_cvtepu8_epi16(_mm_loadu_si128((const void *)p)), 8);
  __m256i size = _mm256_and_si256(_mm256_srli_epi16(v, 1), _mm256_set1_epi16(0x3F80));
  __m256i nan = _mm256_cmpeq_epi16(size, _mm256_set1_epi16(0x3F80));
  nan = _mm256_and_si256(nan, _mm256_set1_epi16(0x7E00));
  v = _mm256_or_si256(_mm256_and_si256(v, _mm256_set1_epi16((short)0x8000)), _mm256_or_si256(size, nan));
  out[0] = _mm256_cvtph_ps(_mm256_castsi256_si128(v));
  out[1] = _mm256_cvtph_ps(_mm256_extracti128_si256(v, 1));
}

#include "kernels/x86/scaled.h"
