/* SPDX-License-Identifier: Apache-2.0 */
/* kernels/x86/vec256: what the AVX2 files share. Sums over 8 lanes always pair lanes at distance
 * 4, 2, 1: so one vector alone and four together give the same bits. */
#ifndef AM_KERNELS_X86_VEC256_H
#define AM_KERNELS_X86_VEC256_H

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define AM_INLINE static inline __attribute__((always_inline))

AM_INLINE float vec256_sum(__m256 v) {
  __m128 a = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  a = _mm_add_ps(a, _mm_movehl_ps(a, a));
  return _mm_cvtss_f32(_mm_add_ss(a, _mm_movehdup_ps(a)));
}

AM_INLINE __m128 vec256_sum4(__m256 a, __m256 b, __m256 c, __m256 d) {
  __m256 ac = _mm256_add_ps(_mm256_permute2f128_ps(a, c, 0x20), _mm256_permute2f128_ps(a, c, 0x31));
  __m256 bd = _mm256_add_ps(_mm256_permute2f128_ps(b, d, 0x20), _mm256_permute2f128_ps(b, d, 0x31));
  /* a0 b0 a1 b1 | c0 d0 c1 d1  +  a2 b2 a3 b3 | c2 d2 c3 d3 */
  __m256 v = _mm256_add_ps(_mm256_unpacklo_ps(ac, bd), _mm256_unpackhi_ps(ac, bd));
  v = _mm256_add_ps(v, _mm256_permute_ps(v, 0x4E));
  return _mm_movelh_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
}

/* Lanes below n (n < 8) set. */
AM_INLINE __m256i vec256_tail(size_t n) {
  static const int32_t ones[16] = {-1, -1, -1, -1, -1, -1, -1, -1};
  return _mm256_loadu_si256((const void *)(ones + 8 - n));
}

/* 2^n for integral n, -126 <= n <= 127. */
AM_INLINE __m256 vec256_power(__m256i n) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(n, _mm256_set1_epi32(127)), 23));
}

/* e^x, error below 2 ulp: x = n ln 2 + r, |r| <= ln 2 / 2, polynomial of Cephes' expf (S. Moshier);
 * 2^n in two factors, so that denormal results and infinity come out right. NaN stays. */
AM_INLINE __m256 vec256_exp(__m256 x) {
  x = _mm256_min_ps(_mm256_set1_ps(100.0f), _mm256_max_ps(_mm256_set1_ps(-110.0f), x));
  __m256 n = _mm256_round_ps(_mm256_mul_ps(x, _mm256_set1_ps(1.44269504088896341f)),
                             _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  __m256 r = _mm256_fnmadd_ps(n, _mm256_set1_ps(0.693359375f), x);
  r = _mm256_fnmadd_ps(n, _mm256_set1_ps(-2.12194440e-4f), r);
  __m256 p = _mm256_set1_ps(1.9875691500e-4f);
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.3981999507e-3f));
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(8.3334519073e-3f));
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(4.1665795894e-2f));
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.6666665459e-1f));
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(5.0000001201e-1f));
  p = _mm256_fmadd_ps(p, _mm256_mul_ps(r, r), r);
  p = _mm256_add_ps(p, _mm256_set1_ps(1.0f));
  __m256i whole = _mm256_cvtps_epi32(n), half = _mm256_srai_epi32(whole, 1);
  return _mm256_mul_ps(_mm256_mul_ps(p, vec256_power(half)), vec256_power(_mm256_sub_epi32(whole, half)));
}

#endif
