/* SPDX-License-Identifier: Apache-2.0 */
/* AVX-512: the SCALED dtypes. */
#include "kernels/x86/vec512.h"
#include <stdbool.h>

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

enum { MOST_PICKS = 32 };
typedef struct picks {
  __m512 low, high;
} picks;

AM_INLINE picks picks_make(const float *p, uint32_t n) {
  __mmask16 low = n < 16 ? vec512_tail(n) : 0xFFFF, high = n > 16 ? (__mmask16)(0xFFFFu >> (32 - n)) : 0;
  return (picks){_mm512_maskz_loadu_ps(low, p), _mm512_maskz_loadu_ps(high, p + 16)};
}

AM_INLINE vec vec_pick(picks from, const uint32_t *groups) {
  return _mm512_permutex2var_ps(from.low, _mm512_loadu_si512(groups), from.high);
}

typedef __m512 lookup;

AM_INLINE lookup lookup_make(const float table[16], vec zero, vec scale) {
  return _mm512_mul_ps(_mm512_sub_ps(_mm512_loadu_ps(table), zero), scale);
}

AM_INLINE __m512i bytes_u8(const uint8_t *p) {
  return _mm512_cvtepu8_epi32(_mm_loadu_si128((const void *)p));
}

AM_INLINE vec vec_lookup(lookup t, const uint8_t *codes) { return _mm512_permutexvar_ps(bytes_u8(codes), t); }

/* VPERMPS looks at the low four bits of each word alone. */
AM_INLINE void split_lookup(lookup t, const uint8_t *codes, vec out[2]) {
  __m512i i = bytes_u8(codes);
  out[0] = _mm512_permutexvar_ps(i, t);
  out[1] = _mm512_permutexvar_ps(_mm512_srli_epi32(i, 4), t);
}

AM_INLINE void split_x(const float *x, bool high_first, vec out[2]) {
  const __m512i evens = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
  const __m512i odds = _mm512_add_epi32(evens, _mm512_set1_epi32(1));
  __m512 a = _mm512_loadu_ps(x), b = _mm512_loadu_ps(x + 16);
  out[0] = _mm512_permutex2var_ps(a, high_first ? odds : evens, b);
  out[1] = _mm512_permutex2var_ps(a, high_first ? evens : odds, b);
}

AM_INLINE vec widen_u8(const uint8_t *p) { return _mm512_cvtepi32_ps(bytes_u8(p)); }

AM_INLINE vec widen_i8(const uint8_t *p) {
  return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const void *)p)));
}

AM_INLINE void widen_f8(const uint8_t *p, vec out[2]) { /* binary16 with another bias */
  const __m512i most = _mm512_set1_epi16(0x3F80);
  __m512i v = _mm512_slli_epi16(_mm512_cvtepu8_epi16(_mm256_loadu_si256((const void *)p)), 8);
  __m512i size = _mm512_and_si512(_mm512_srli_epi16(v, 1), most);
  __mmask32 nan = _mm512_cmpeq_epi16_mask(size, most);
  v = _mm512_ternarylogic_epi32(v, _mm512_set1_epi16((short)0x8000), size, 0xEA); /* (v & sign) | size */
  v = _mm512_mask_mov_epi16(v, nan, _mm512_set1_epi16(0x7E00));
  out[0] = _mm512_cvtph_ps(_mm512_castsi512_si256(v));
  out[1] = _mm512_cvtph_ps(_mm512_extracti64x4_epi64(v, 1));
}

#include "kernels/x86/scaled.h"
