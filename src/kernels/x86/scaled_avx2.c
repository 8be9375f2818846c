/* SPDX-License-Identifier: Apache-2.0 */
/* AVX2, FMA, F16C: the SCALED dtypes. */
#include "kernels/x86/vec256.h"

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

typedef struct lookup {
  __m256 low, high;
} lookup;

AM_INLINE lookup lookup_make(const float table[16]) {
  return (lookup){_mm256_loadu_ps(table), _mm256_loadu_ps(table + 8)};
}

AM_INLINE __m256i bytes_u8(const uint8_t *p) {
  return _mm256_cvtepu8_epi32(_mm_loadl_epi64((const void *)p));
}

AM_INLINE vec vec_lookup(lookup t, const uint8_t *codes) {
  __m256i i = bytes_u8(codes); /* bit 3 of a code becomes the sign, which chooses */
  return _mm256_blendv_ps(_mm256_permutevar8x32_ps(t.low, i), _mm256_permutevar8x32_ps(t.high, i),
                          _mm256_castsi256_ps(_mm256_slli_epi32(i, 28)));
}

AM_INLINE vec widen_u8(const uint8_t *p) { return _mm256_cvtepi32_ps(bytes_u8(p)); }

AM_INLINE vec widen_i8(const uint8_t *p) {
  return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64((const void *)p)));
}

AM_INLINE vec widen_f8(const uint8_t *p) {
  __m128i v = _mm_cvtepu8_epi16(_mm_loadl_epi64((const void *)p));
  __m128i size = _mm_and_si128(v, _mm_set1_epi16(0x7F));
  __m128i nan = _mm_and_si128(_mm_cmpeq_epi16(size, _mm_set1_epi16(0x7F)), _mm_set1_epi16(0x7E00));
  __m128i sign = _mm_slli_epi16(_mm_andnot_si128(_mm_set1_epi16(0x7F), v), 8);
  return _mm256_cvtph_ps(_mm_or_si128(_mm_or_si128(_mm_slli_epi16(size, 7), sign), nan));
}

#include "kernels/x86/scaled.h"
