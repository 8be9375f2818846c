/* SPDX-License-Identifier: Apache-2.0 */
/* kernels/x86/k_scales: scales and minima of the 256-element types as sixteen 16-bit words, one for
 * every 16 elements in order, whatever their packing; the same in 256- and 512-bit tiers. */
#ifndef AM_KERNELS_X86_K_SCALES_H
#define AM_KERNELS_X86_K_SCALES_H

#include "kernels/blocks.h"
#include <immintrin.h>
#include <stdint.h>
#include <stddef.h>
#include <string.h>

typedef enum k_kind { Q2_K, Q3_K, Q4_K, Q5_K, Q6_K } k_kind;

typedef struct k_scales {
  __m256i scales, minima; /* minima: Q2_K, Q4_K, Q5_K */
  float d, dmin;
} k_scales;

static inline __attribute__((always_inline)) float k_half(const void *p) {
  uint16_t h;
  memcpy(&h, p, sizeof h);
  return _mm_cvtss_f32(_mm_cvtph_ps(_mm_cvtsi32_si128(h)));
}

/* Eight bytes -> sixteen words, each twice. */
static inline __attribute__((always_inline)) __m256i k_twice(uint32_t low, uint32_t high) {
  __m128i v = _mm_cvtsi64_si128((long long)((uint64_t)high << 32 | low));
  return _mm256_cvtepu8_epi16(_mm_unpacklo_epi8(v, v));
}

/* am_k4_scales on words of four bytes. */
static inline __attribute__((always_inline)) void k4_scales(const uint8_t packed[12], k_scales *out) {
  uint32_t a[3];
  memcpy(a, packed, sizeof a);
  out->scales = k_twice(a[0] & 0x3F3F3F3F, (a[2] & 0x0F0F0F0F) | (a[0] >> 6 & 0x03030303) << 4);
  out->minima = k_twice(a[1] & 0x3F3F3F3F, (a[2] >> 4 & 0x0F0F0F0F) | (a[1] >> 6 & 0x03030303) << 4);
}

/* am_k3_scales on words of four bytes. */
static inline __attribute__((always_inline)) __m256i k3_scales(const uint8_t packed[12]) {
  uint32_t a[3];
  const uint32_t low = 0x0F0F0F0F, top = 0x03030303;
  memcpy(a, packed, sizeof a);
  __m128i v = _mm_setr_epi32(
      (int)((a[0] & low) | (a[2] & top) << 4), (int)((a[1] & low) | (a[2] >> 2 & top) << 4),
      (int)((a[0] >> 4 & low) | (a[2] >> 4 & top) << 4), (int)((a[1] >> 4 & low) | (a[2] >> 6 & top) << 4));
  return _mm256_cvtepi8_epi16(_mm_sub_epi8(v, _mm_set1_epi8(32)));
}

static inline __attribute__((always_inline)) k_scales k_load_scales(k_kind k, const uint8_t *w) {
  k_scales s;
  s.minima = _mm256_setzero_si256();
  s.dmin = 0;
  switch (k) {
    case Q2_K: {
      const am_block_q2_k *b = (const void *)w;
      __m128i both = _mm_loadu_si128((const void *)b->scales), low = _mm_set1_epi8(15);
      s.scales = _mm256_cvtepu8_epi16(_mm_and_si128(both, low));
      s.minima = _mm256_cvtepu8_epi16(_mm_and_si128(_mm_srli_epi16(both, 4), low));
      s.d = k_half(w + offsetof(am_block_q2_k, d));
      s.dmin = k_half(w + offsetof(am_block_q2_k, dmin));
      break;
    }
    case Q3_K:
      s.scales = k3_scales(w + offsetof(am_block_q3_k, scales));
      s.d = k_half(w + offsetof(am_block_q3_k, d));
      break;
    case Q4_K:
    case Q5_K: /* the same front */
      k4_scales(w + offsetof(am_block_q4_k, scales), &s);
      s.d = k_half(w + offsetof(am_block_q4_k, d));
      s.dmin = k_half(w + offsetof(am_block_q4_k, dmin));
      break;
    case Q6_K:
      s.scales = _mm256_cvtepi8_epi16(_mm_loadu_si128((const void *)(w + offsetof(am_block_q6_k, scales))));
      s.d = k_half(w + offsetof(am_block_q6_k, d));
      break;
  }
  return s;
}

static inline __attribute__((always_inline)) size_t k_bytes(k_kind k) {
  static const uint8_t bytes[] = {sizeof(am_block_q2_k), sizeof(am_block_q3_k), sizeof(am_block_q4_k),
                                  sizeof(am_block_q5_k), sizeof(am_block_q6_k)};
  return bytes[k];
}

/* log2 of what makes quants unsigned; 0: they are, and have minima. */
static inline __attribute__((always_inline)) int k_offset_bits(k_kind k) {
  return k == Q3_K ? 2 : k == Q6_K ? 5 : 0;
}

#endif
