/* SPDX-License-Identifier: Apache-2.0 */
/* kernels/x86/q256_256: the 256-element types in 256-bit vectors; included by a file of each tier
 * that defines AM_FILL and, where there is VPDPWSSD, AM_VNNI. A block is eight vectors of 32 unsigned
 * quants: VPMADDUBSW with the activations, then a 16-bit multiply-add with the scales keeps the whole
 * block in integers. What made quants unsigned is taken off through the sums of 16 activations. */
#include "kernels/kernels.h"
#include "kernels/x86/k_scales.h"
#include "kernels/x86/tiles.h"
#include "kernels/x86/vec256.h"

AM_INLINE __m256i bytes_at(const uint8_t *p) { return _mm256_loadu_si256((const void *)p); }
AM_INLINE __m256i and_byte(__m256i v, int mask) { return _mm256_and_si256(v, _mm256_set1_epi8((char)mask)); }
/* Bytes moved left by n bits (right: -n); what crosses into a neighbour is masked off by the caller. */
AM_INLINE __m256i move(__m256i v, int n) {
  return n >= 0 ? _mm256_slli_epi16(v, n) : _mm256_srli_epi16(v, -n);
}

/* Elements 32 j .. 32 j + 31 as unsigned bytes. */
AM_INLINE __m256i quants(k_kind k, const uint8_t *w, int j) {
  int half = j / 4, part = j % 4;
  switch (k) {
    case Q2_K: {
      const am_block_q2_k *b = (const void *)w;
      return and_byte(move(bytes_at(b->qs + 32 * half), -2 * part), 3);
    }
    case Q3_K: {
      const am_block_q3_k *b = (const void *)w;
      __m256i low = and_byte(move(bytes_at(b->qs + 32 * half), -2 * part), 3);
      return _mm256_or_si256(low, and_byte(move(bytes_at(b->hmask), 2 - j), 4));
    }
    case Q4_K: {
      const am_block_q4_k *b = (const void *)w;
      return and_byte(move(bytes_at(b->qs + 32 * (j / 2)), j % 2 * -4), 15);
    }
    case Q5_K: {
      const am_block_q5_k *b = (const void *)w;
      __m256i low = and_byte(move(bytes_at(b->qs + 32 * (j / 2)), j % 2 * -4), 15);
      return _mm256_or_si256(low, and_byte(move(bytes_at(b->qh), 4 - j), 16));
    }
    default: {
      const am_block_q6_k *b = (const void *)w;
      __m256i low = and_byte(move(bytes_at(b->ql + 64 * half + 32 * (part % 2)), part / 2 * -4), 15);
      return _mm256_or_si256(low, and_byte(move(bytes_at(b->qh + 32 * half), 4 - 2 * part), 48));
    }
  }
}

/* Scale of 16 elements in each half, for elements 32 j ..: words 2 (j % 4), 2 (j % 4) + 1 of `eight`,
 * which both halves hold. */
AM_INLINE __m256i spread(__m256i eight, int j) {
  const __m256i first =
      _mm256_setr_epi64x(0x0100010001000100, 0x0100010001000100, 0x0302030203020302, 0x0302030203020302);
  return _mm256_shuffle_epi8(eight, _mm256_add_epi8(first, _mm256_set1_epi8((char)(4 * (j % 4)))));
}

AM_INLINE __m256i multiply_add(__m256i sum, __m256i a, __m256i b) {
#ifdef AM_VNNI
  return _mm256_dpwssd_avx_epi32(sum, a, b);
#else
  return _mm256_add_epi32(sum, _mm256_madd_epi16(a, b));
#endif
}

AM_INLINE void tile(const am_matmul *m, uint32_t row, uint32_t token, const int T, k_kind k) {
  const uint8_t *w = (const uint8_t *)m->w + row * m->w_stride;
  const uint8_t *x = (const uint8_t *)m->x + token * m->x_stride;
  __m256 sums[4];
  AM_UNROLL for (int t = 0; t < T; t++) sums[t] = _mm256_setzero_ps();
  for (size_t i = 0; i < m->n_in / 256; i++, w += k_bytes(k), x += sizeof(am_x256_block)) {
    k_scales s = k_load_scales(k, w);
    if (T == 1) am_prefetch(w + AM_PREFETCH_BYTES, k_bytes(k));
    __m256i eight[2] = {_mm256_permute4x64_epi64(s.scales, 0x44), _mm256_permute4x64_epi64(s.scales, 0xEE)};
    __m256i dots[4];
    AM_UNROLL for (int t = 0; t < T; t++) dots[t] = _mm256_setzero_si256();
    AM_UNROLL for (int j = 0; j < 8; j++) {
      __m256i q = quants(k, w, j), scale = spread(eight[j / 4], j);
      AM_UNROLL for (int t = 0; t < T; t++) {
        const am_x256_block *b = (const void *)(x + t * m->x_stride);
        __m256i pairs = _mm256_maddubs_epi16(q, _mm256_load_si256((const __m256i *)(const void *)b->q + j));
        dots[t] = multiply_add(dots[t], pairs, scale);
      }
    }
    AM_UNROLL for (int t = 0; t < T; t++) {
      const am_x256_block *b = (const void *)(x + t * m->x_stride);
      __m256i x_sums = _mm256_load_si256((const __m256i *)(const void *)b->sums);
      if (k_offset_bits(k))
        dots[t] = _mm256_sub_epi32(dots[t],
                                   _mm256_slli_epi32(_mm256_madd_epi16(s.scales, x_sums), k_offset_bits(k)));
      sums[t] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(dots[t]), _mm256_set1_ps(s.d * b->d), sums[t]);
      if (!k_offset_bits(k))
        sums[t] = _mm256_fnmadd_ps(_mm256_cvtepi32_ps(_mm256_madd_epi16(s.minima, x_sums)),
                                   _mm256_set1_ps(s.dmin * b->d), sums[t]);
    }
  }
  AM_UNROLL for (int t = 0; t < T; t++) m->out[(token + (uint32_t)t) * m->out_stride + row] =
      vec256_sum(sums[t]);
}

#define Q2_K_TILE(m, r, t, R, T) tile(m, r, t, T, Q2_K)
#define Q3_K_TILE(m, r, t, R, T) tile(m, r, t, T, Q3_K)
#define Q4_K_TILE(m, r, t, R, T) tile(m, r, t, T, Q4_K)
#define Q5_K_TILE(m, r, t, R, T) tile(m, r, t, T, Q5_K)
#define Q6_K_TILE(m, r, t, R, T) tile(m, r, t, T, Q6_K)
AM_TILES(matmul_q2_k, Q2_K_TILE, 1, 4, 1)
AM_TILES(matmul_q3_k, Q3_K_TILE, 1, 4, 1)
AM_TILES(matmul_q4_k, Q4_K_TILE, 1, 4, 1)
AM_TILES(matmul_q5_k, Q5_K_TILE, 1, 4, 1)
AM_TILES(matmul_q6_k, Q6_K_TILE, 1, 4, 1)

void AM_FILL(am_kernels *k) {
  k->matmul[AM_DTYPE_Q2_K] = matmul_q2_k;
  k->matmul[AM_DTYPE_Q3_K] = matmul_q3_k;
  k->matmul[AM_DTYPE_Q4_K] = matmul_q4_k;
  k->matmul[AM_DTYPE_Q5_K] = matmul_q5_k;
  k->matmul[AM_DTYPE_Q6_K] = matmul_q6_k;
}
