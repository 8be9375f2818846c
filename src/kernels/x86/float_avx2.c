/* SPDX-License-Identifier: Apache-2.0 */
/* AVX2, FMA, F16C: weights and caches of F32, F16 and BF16; one 8-lane sum per output. */
#include "kernels/kernels.h"
#include "kernels/x86/tiles.h"
#include "kernels/x86/vec256.h"

typedef enum kind { F32, F16, BF16 } kind;

AM_INLINE __m256 widen(kind k, __m128i half) {
  if (k == F16) return _mm256_cvtph_ps(half);
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(half), 16));
}

AM_INLINE __m256 load(kind k, const uint8_t *row, size_t i) {
  if (k == F32) return _mm256_loadu_ps((const float *)(const void *)(row + 4 * i));
  return widen(k, _mm_loadu_si128((const void *)(row + 2 * i)));
}

/* The n < 8 elements from i on, then zero. */
AM_INLINE __m256 load_tail(kind k, const uint8_t *row, size_t i, size_t n) {
  if (k == F32) return _mm256_maskload_ps((const float *)(const void *)(row + 4 * i), vec256_tail(n));
  uint16_t half[8] = {0};
  memcpy(half, row + 2 * i, 2 * n);
  return widen(k, _mm_loadu_si128((const void *)half));
}

AM_INLINE void tile(const am_matmul *m, uint32_t row, uint32_t token, const int R, const int T, kind k) {
  const uint8_t *w = (const uint8_t *)m->w + row * m->w_stride;
  const uint8_t *x = (const uint8_t *)m->x + token * m->x_stride;
  __m256 sums[4][4];
  size_t i = 0;
  AM_UNROLL for (int r = 0; r < R; r++) AM_UNROLL for (int t = 0; t < T; t++) sums[r][t] =
      _mm256_setzero_ps();
  for (; i + 8 <= m->n_in; i += 8) {
    AM_UNROLL for (int r = 0; r < R; r++) {
      __m256 weight = load(k, w + r * m->w_stride, i);
      if (T <= 2) am_prefetch(w + (r + AM_PREFETCH_ROWS) * m->w_stride + i * (k == F32 ? 4 : 2), 1);
      AM_UNROLL for (int t = 0; t < T; t++) sums[r][t] =
          _mm256_fmadd_ps(weight, load(F32, x + t * m->x_stride, i), sums[r][t]);
    }
  }
  if (i < m->n_in) {
    size_t n = m->n_in - i;
    AM_UNROLL for (int r = 0; r < R; r++) {
      __m256 weight = load_tail(k, w + r * m->w_stride, i, n);
      AM_UNROLL for (int t = 0; t < T; t++) sums[r][t] =
          _mm256_fmadd_ps(weight, load_tail(F32, x + t * m->x_stride, i, n), sums[r][t]);
    }
  }
  AM_UNROLL for (int t = 0; t < T; t++) {
    float *out = m->out + (token + (uint32_t)t) * m->out_stride + row;
    if (R == 4)
      _mm_storeu_ps(out, vec256_sum4(sums[0][t], sums[1][t], sums[2][t], sums[3][t]));
    else
      AM_UNROLL for (int r = 0; r < R; r++) out[r] = vec256_sum(sums[r][t]);
  }
}

#define F32_TILE(m, r, t, R, T) tile(m, r, t, R, T, F32)
#define F16_TILE(m, r, t, R, T) tile(m, r, t, R, T, F16)
#define BF16_TILE(m, r, t, R, T) tile(m, r, t, R, T, BF16)
AM_TILES(matmul_f32, F32_TILE, 3, 4, 4)
AM_TILES(matmul_f16, F16_TILE, 3, 4, 4)
AM_TILES(matmul_bf16, BF16_TILE, 3, 4, 4)

/* R rows and 8 C columns, or n < 8 of them (C = 1, n > 0), of a mix: keys one after the other. */
AM_INLINE void mix_tile(const am_mix *m, uint32_t row, uint32_t column, size_t n, const int R, const int C,
                        kind k) {
  const uint8_t *v = (const uint8_t *)m->v + column * (size_t)(k == F32 ? 4 : 2);
  float *out = m->out + row * m->out_stride + column;
  __m256 sums[3][4];
  AM_UNROLL for (int r = 0; r < R; r++) AM_UNROLL for (int c = 0; c < C; c++) {
    const uint8_t *from = (const uint8_t *)(out + r * m->out_stride + 8 * c);
    sums[r][c] = _mm256_mul_ps(_mm256_set1_ps(m->decay[row + (uint32_t)r]),
                               n ? load_tail(F32, from, 0, n) : load(F32, from, 0));
  }
  for (uint32_t j = 0; j < m->n_keys; j++, v += m->v_stride) {
    if (R < 4) am_prefetch(v + AM_PREFETCH_ROWS * m->v_stride, C * (k == F32 ? 32 : 16));
    __m256 values[4];
    AM_UNROLL for (int c = 0; c < C; c++) values[c] = n ? load_tail(k, v, 0, n) : load(k, v, 8 * (size_t)c);
    AM_UNROLL for (int r = 0; r < R; r++) {
      __m256 p = _mm256_set1_ps(m->p[(row + (uint32_t)r) * m->p_stride + j]);
      AM_UNROLL for (int c = 0; c < C; c++) sums[r][c] = _mm256_fmadd_ps(p, values[c], sums[r][c]);
    }
  }
  AM_UNROLL for (int r = 0; r < R; r++) AM_UNROLL for (int c = 0; c < C; c++) {
    float *to = out + r * m->out_stride + 8 * c;
    if (n)
      _mm256_maskstore_ps(to, vec256_tail(n), sums[r][c]);
    else
      _mm256_storeu_ps(to, sums[r][c]);
  }
}

AM_INLINE void mix_columns(const am_mix *m, uint32_t row, const int R, kind k) {
  uint32_t c = 0;
  for (; c + 32 <= m->n_columns; c += 32) mix_tile(m, row, c, 0, R, 4, k);
  for (; c + 8 <= m->n_columns; c += 8) mix_tile(m, row, c, 0, R, 1, k);
  if (c < m->n_columns) mix_tile(m, row, c, m->n_columns - c, R, 1, k);
}

AM_INLINE void mix(const am_mix *m, kind k) {
  uint32_t row = 0;
  for (; row + 3 <= m->n_rows; row += 3) mix_columns(m, row, 3, k);
  for (; row < m->n_rows; row++) mix_columns(m, row, 1, k);
}

static void mix_f32(const am_mix *m) { mix(m, F32); }
static void mix_f16(const am_mix *m) { mix(m, F16); }

void am_kernels_avx2_float(am_kernels *k) {
  k->matmul[AM_DTYPE_F32] = matmul_f32;
  k->matmul[AM_DTYPE_F16] = matmul_f16;
  k->matmul[AM_DTYPE_BF16] = matmul_bf16;
  k->mix[AM_DTYPE_F32] = mix_f32;
  k->mix[AM_DTYPE_F16] = mix_f16;
}
