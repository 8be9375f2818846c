/* SPDX-License-Identifier: Apache-2.0 */
/* AVX2: activations to 8 bits, byte for byte as c/quants.c has them. */
#include "kernels/blocks.h"
#include "kernels/kernels.h"
#include "kernels/x86/vec256.h"

AM_INLINE __m256i magnitude(const float *x) {
  return _mm256_and_si256(_mm256_loadu_si256((const void *)x), _mm256_set1_epi32(0x7FFFFFFF));
}

AM_INLINE uint32_t greatest(__m256i v) {
  __m128i a = _mm_max_epu32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
  a = _mm_max_epu32(a, _mm_shuffle_epi32(a, 0x4E));
  a = _mm_max_epu32(a, _mm_shuffle_epi32(a, 0xB1));
  return (uint32_t)_mm_cvtsi128_si32(a);
}

AM_INLINE int sum_of(__m256i v) {
  __m128i a = _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
  a = _mm_add_epi32(a, _mm_shuffle_epi32(a, 0x4E));
  a = _mm_add_epi32(a, _mm_shuffle_epi32(a, 0xB1));
  return _mm_cvtsi128_si32(a);
}

/* Greatest magnitude -> d and the factor to -127..127; both 0 below 1e-30, d NaN for NaN, infinity. */
AM_INLINE float block_scale(uint32_t most, float *factor) {
  const float tiny_value = 1e-30f;
  uint32_t tiny, not_a_number = 0x7FC00000u;
  float size, result = 0;
  memcpy(&tiny, &tiny_value, sizeof tiny);
  memcpy(&size, &most, sizeof size);
  *factor = 0;
  if (most >= 0x7F800000u) {
    memcpy(&result, &not_a_number, sizeof result);
  } else if (most >= tiny) {
    *factor = 127.0f / size;
    result = size / 127.0f;
  }
  return result;
}

/* 32 values to bytes in natural order, and the sums of each half; all 0 for a factor of 0. */
AM_INLINE __m256i to_bytes(const float *x, float factor, int *low_sum, int *high_sum) {
  *low_sum = *high_sum = 0;
  if (factor == 0) return _mm256_setzero_si256();
  __m256 f = _mm256_set1_ps(factor);
  __m256i a = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x), f));
  __m256i b = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + 8), f));
  __m256i c = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + 16), f));
  __m256i d = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + 24), f));
  *low_sum = sum_of(_mm256_add_epi32(a, b));
  *high_sum = sum_of(_mm256_add_epi32(c, d));
  __m256i bytes = _mm256_packs_epi16(_mm256_packs_epi32(a, b), _mm256_packs_epi32(c, d));
  return _mm256_permutevar8x32_epi32(bytes, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
}

static void quantize_q8(void *out, const float *x, size_t n) {
  am_x8_group *g = out;
  for (size_t block = 0; block < n / 32; block += 4, g++) {
    __m256i bytes[4];
    for (uint32_t b = 0; b < 4; b++) {
      uint32_t at = am_x8_scale_at(b);
      bytes[b] = _mm256_setzero_si256();
      g->d[at] = g->d[at + 2] = g->s[at] = g->s[at + 2] = 0;
      if (block + b >= n / 32) continue;
      const float *from = x + 32 * (block + b);
      __m256i most = _mm256_max_epu32(_mm256_max_epu32(magnitude(from), magnitude(from + 8)),
                                      _mm256_max_epu32(magnitude(from + 16), magnitude(from + 24)));
      float factor, d = block_scale(greatest(most), &factor);
      int low, high;
      bytes[b] = to_bytes(from, factor, &low, &high);
      g->d[at] = g->d[at + 2] = d;
      g->s[at] = d * (float)(low + high);
    }
    /* Words 0..3 | 4..7 of four blocks -> interleaved (am_x8_at). */
    __m256i lo01 = _mm256_unpacklo_epi32(bytes[0], bytes[1]),
            hi01 = _mm256_unpackhi_epi32(bytes[0], bytes[1]);
    __m256i lo23 = _mm256_unpacklo_epi32(bytes[2], bytes[3]),
            hi23 = _mm256_unpackhi_epi32(bytes[2], bytes[3]);
    __m256i *q = (void *)g->q;
    _mm256_storeu_si256(q, _mm256_permute2x128_si256(lo01, lo23, 0x20));
    _mm256_storeu_si256(q + 1, _mm256_permute2x128_si256(hi01, hi23, 0x20));
    _mm256_storeu_si256(q + 2, _mm256_permute2x128_si256(lo01, lo23, 0x31));
    _mm256_storeu_si256(q + 3, _mm256_permute2x128_si256(hi01, hi23, 0x31));
  }
}

static void quantize_q8k(void *out, const float *x, size_t n) {
  am_x256_block *b = out;
  for (size_t i = 0; i < n / 256; i++, x += 256) {
    __m256i most = _mm256_setzero_si256();
    for (int j = 0; j < 256; j += 8) most = _mm256_max_epu32(most, magnitude(x + j));
    float factor;
    b[i].d = block_scale(greatest(most), &factor);
    for (int j = 0; j < 8; j++) {
      int low, high;
      _mm256_storeu_si256((void *)(b[i].q + 32 * j), to_bytes(x + 32 * j, factor, &low, &high));
      b[i].sums[2 * j] = (int16_t)low;
      b[i].sums[2 * j + 1] = (int16_t)high;
    }
    memset(b[i].zero, 0, sizeof b[i].zero);
  }
}

void am_kernels_avx2_quants(am_kernels *k) {
  k->quantize[AM_X_Q8] = quantize_q8;
  k->quantize[AM_X_Q8K] = quantize_q8k;
}
