/* SPDX-License-Identifier: Apache-2.0 */
/* AVX-512 VNNI: the 256-element types. A block is four vectors of 64 unsigned quants; VPMADDUBSW with
 * the activations, then VPDPWSSD with the scales keeps the whole block in integers. What made quants
 * unsigned is taken off through the sums of 16 activations. */
#include "kernels/kernels.h"
#include "kernels/x86/k_scales.h"
#include "kernels/x86/tiles.h"
#include "kernels/x86/vec512.h"

/* The same 32 bytes twice. */
AM_INLINE __m512i twice(const uint8_t *p) {
  return _mm512_broadcast_i64x4(_mm256_loadu_si256((const void *)p));
}
AM_INLINE __m512i halves(int low, int high) {
  return _mm512_inserti64x4(_mm512_set1_epi32(low), _mm256_set1_epi32(high), 1);
}
AM_INLINE __m512i and_byte(__m512i v, int mask) { return _mm512_and_si512(v, _mm512_set1_epi8((char)mask)); }

/* `low`, plus `value` where a byte of the 32 at p has bit 2 i (first half) or 2 i + 1 (second). */
AM_INLINE __m512i add_bit(__m512i low, const uint8_t *p, int i, int value) {
  __m512i bit =
      _mm512_inserti64x4(_mm512_set1_epi8((char)(1 << 2 * i)), _mm256_set1_epi8((char)(2 << 2 * i)), 1);
  return _mm512_mask_add_epi8(low, _mm512_test_epi8_mask(twice(p), bit), low, _mm512_set1_epi8((char)value));
}

/* Elements 64 i .. 64 i + 63 as unsigned bytes. */
AM_INLINE __m512i quants(k_kind k, const uint8_t *w, int i) {
  int half = i / 2, second = i % 2;
  switch (k) {
    case Q2_K: {
      const am_block_q2_k *b = (const void *)w;
      return and_byte(_mm512_srlv_epi32(twice(b->qs + 32 * half), halves(4 * second, 4 * second + 2)), 3);
    }
    case Q3_K: {
      const am_block_q3_k *b = (const void *)w;
      __m512i low =
          and_byte(_mm512_srlv_epi32(twice(b->qs + 32 * half), halves(4 * second, 4 * second + 2)), 3);
      return add_bit(low, b->hmask, i, 4);
    }
    case Q4_K: {
      const am_block_q4_k *b = (const void *)w;
      return and_byte(_mm512_srlv_epi32(twice(b->qs + 32 * i), halves(0, 4)), 15);
    }
    case Q5_K: {
      const am_block_q5_k *b = (const void *)w;
      return add_bit(and_byte(_mm512_srlv_epi32(twice(b->qs + 32 * i), halves(0, 4)), 15), b->qh, i, 16);
    }
    default: {
      const am_block_q6_k *b = (const void *)w;
      __m512i low = _mm512_loadu_si512(b->ql + 64 * half), high = twice(b->qh + 32 * half);
      if (second) low = _mm512_srli_epi16(low, 4);
      high = second ? _mm512_srlv_epi32(high, halves(0, 2)) : _mm512_sllv_epi32(high, halves(4, 2));
      return _mm512_or_si512(and_byte(low, 15), and_byte(high, 48));
    }
  }
}

/* Scale of 16 elements in each quarter, for elements 64 i ..: words 4 (i % 2) + 0..3 of `eight`,
 * which all quarters hold. */
AM_INLINE __m512i spread(__m512i eight, int i) {
  const __m512i first =
      _mm512_set_epi64(0x0706070607060706, 0x0706070607060706, 0x0504050405040504, 0x0504050405040504,
                       0x0302030203020302, 0x0302030203020302, 0x0100010001000100, 0x0100010001000100);
  return _mm512_shuffle_epi8(eight, _mm512_add_epi8(first, _mm512_set1_epi8((char)(8 * (i % 2)))));
}

AM_INLINE void tile(const am_matmul *m, uint32_t row, uint32_t token, const int T, k_kind k) {
  const uint8_t *w = (const uint8_t *)m->w + row * m->w_stride;
  const uint8_t *x = (const uint8_t *)m->x + token * m->x_stride;
  __m512 sums[8];
  AM_UNROLL for (int t = 0; t < T; t++) sums[t] = _mm512_setzero_ps();
  for (size_t i = 0; i < m->n_in / 256; i++, w += k_bytes(k), x += sizeof(am_x256_block)) {
    k_scales s = k_load_scales(k, w);
    if (T == 1) am_prefetch(w + AM_PREFETCH_BYTES, k_bytes(k));
    __m512i eight[2] = {_mm512_broadcast_i32x4(_mm256_castsi256_si128(s.scales)),
                        _mm512_broadcast_i32x4(_mm256_extracti128_si256(s.scales, 1))};
    __m512i dots[8];
    AM_UNROLL for (int t = 0; t < T; t++) dots[t] = _mm512_setzero_si512();
    AM_UNROLL for (int j = 0; j < 4; j++) {
      __m512i q = quants(k, w, j), scale = spread(eight[j / 2], j);
      AM_UNROLL for (int t = 0; t < T; t++) {
        const am_x256_block *b = (const void *)(x + t * m->x_stride);
        dots[t] =
            _mm512_dpwssd_epi32(dots[t], _mm512_maddubs_epi16(q, _mm512_load_si512(b->q + 64 * j)), scale);
      }
    }
    AM_UNROLL for (int t = 0; t < T; t++) {
      const am_x256_block *b = (const void *)(x + t * m->x_stride);
      __m256i x_sums = _mm256_load_si256((const __m256i *)(const void *)b->sums);
      if (k_offset_bits(k)) {
        __m256i excess = _mm256_slli_epi32(_mm256_madd_epi16(s.scales, x_sums), k_offset_bits(k));
        dots[t] = _mm512_sub_epi32(dots[t], _mm512_zextsi256_si512(excess));
      }
      sums[t] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(dots[t]), _mm512_set1_ps(s.d * b->d), sums[t]);
      if (!k_offset_bits(k)) {
        __m512 minima = _mm512_zextps256_ps512(_mm256_cvtepi32_ps(_mm256_madd_epi16(s.minima, x_sums)));
        sums[t] = _mm512_fnmadd_ps(minima, _mm512_set1_ps(s.dmin * b->d), sums[t]);
      }
    }
  }
  AM_UNROLL for (int t = 0; t < T; t++) m->out[(token + (uint32_t)t) * m->out_stride + row] =
      vec512_sum(sums[t]);
}

#define Q2_K_TILE(m, r, t, R, T) tile(m, r, t, T, Q2_K)
#define Q3_K_TILE(m, r, t, R, T) tile(m, r, t, T, Q3_K)
#define Q4_K_TILE(m, r, t, R, T) tile(m, r, t, T, Q4_K)
#define Q5_K_TILE(m, r, t, R, T) tile(m, r, t, T, Q5_K)
#define Q6_K_TILE(m, r, t, R, T) tile(m, r, t, T, Q6_K)
AM_TILES(matmul_q2_k, Q2_K_TILE, 1, 8, 1)
AM_TILES(matmul_q3_k, Q3_K_TILE, 1, 8, 1)
AM_TILES(matmul_q4_k, Q4_K_TILE, 1, 8, 1)
AM_TILES(matmul_q5_k, Q5_K_TILE, 1, 8, 1)
AM_TILES(matmul_q6_k, Q6_K_TILE, 1, 8, 1)

void am_kernels_avx512vnni_q256(am_kernels *k) {
  k->matmul[AM_DTYPE_Q2_K] = matmul_q2_k;
  k->matmul[AM_DTYPE_Q3_K] = matmul_q3_k;
  k->matmul[AM_DTYPE_Q4_K] = matmul_q4_k;
  k->matmul[AM_DTYPE_Q5_K] = matmul_q5_k;
  k->matmul[AM_DTYPE_Q6_K] = matmul_q6_k;
}
