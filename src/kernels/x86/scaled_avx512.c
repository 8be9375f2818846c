/* SPDX-License-Identifier: Apache-2.0 */
/* AVX-512: the SCALED dtypes. */
#include "kernels/x86/vec512.h"

typedef __m512 vec;
enum { LANES = 16 };
#define AM_FILL am_kernels_avx512_scaled
#define AM_ROWS 4

AM_INLINE vec vec_zero(void) { return _mm512_setzero_ps(); }
AM_INLINE vec vec_set(float f) { return _mm512_set1_ps(f); }
AM_INLINE vec vec_load(const float *p) { return _mm512_loadu_ps(p); }
AM_INLINE vec vec_fmadd(vec a, vec b, vec c) { return _mm512_fmadd_ps(a, b, c); }
AM_INLINE vec vec_sub(vec a, vec b) { return _mm512_sub_ps(a, b); }
AM_INLINE vec vec_mul(vec a, vec b) { return _mm512_mul_ps(a, b); }
AM_INLINE float vec_sum(vec v) { return vec512_sum(v); }
AM_INLINE vec vec_gather(const float *p, const uint32_t *columns) {
  return _mm512_i32gather_ps(_mm512_loadu_si512(columns), p, 4);
}

typedef __m512 lookup;

AM_INLINE lookup lookup_make(const float table[16]) { return _mm512_loadu_ps(table); }

AM_INLINE __m512i bytes_u8(const uint8_t *p) {
  return _mm512_cvtepu8_epi32(_mm_loadu_si128((const void *)p));
}

AM_INLINE vec vec_lookup(lookup t, const uint8_t *codes) { return _mm512_permutexvar_ps(bytes_u8(codes), t); }
AM_INLINE vec widen_u8(const uint8_t *p) { return _mm512_cvtepi32_ps(bytes_u8(p)); }

AM_INLINE vec widen_i8(const uint8_t *p) {
  return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const void *)p)));
}

AM_INLINE vec widen_f8(const uint8_t *p) {
  __m256i v = _mm256_cvtepu8_epi16(_mm_loadu_si128((const void *)p));
  __m256i size = _mm256_and_si256(v, _mm256_set1_epi16(0x7F));
  __m256i nan =
      _mm256_and_si256(_mm256_cmpeq_epi16(size, _mm256_set1_epi16(0x7F)), _mm256_set1_epi16(0x7E00));
  __m256i sign = _mm256_slli_epi16(_mm256_andnot_si256(_mm256_set1_epi16(0x7F), v), 8);
  return _mm512_cvtph_ps(_mm256_or_si256(_mm256_or_si256(_mm256_slli_epi16(size, 7), sign), nan));
}

#include "kernels/x86/scaled.h"
