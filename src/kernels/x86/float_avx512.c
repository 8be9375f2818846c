/* SPDX-License-Identifier: Apache-2.0 */
/* AVX-512: weights and caches of F32, F16 and BF16; one 16-lane sum per output. */
#include "kernels/kernels.h"
#include "kernels/x86/tiles.h"
#include "kernels/x86/vec512.h"

typedef enum kind { F32, F16, BF16 } kind;

AM_INLINE __m512 load(kind k, const uint8_t *row, size_t i) {
  if (k == F32) return _mm512_loadu_ps(row + 4 * i);
  __m256i half = _mm256_loadu_si256((const void *)(row + 2 * i));
  if (k == F16) return _mm512_cvtph_ps(half);
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16));
}

AM_INLINE __m512 load_tail(kind k, const uint8_t *row, size_t i, __mmask16 mask) {
  if (k == F32) return _mm512_maskz_loadu_ps(mask, row + 4 * i);
  __m256i half = _mm256_maskz_loadu_epi16(mask, row + 2 * i);
  if (k == F16) return _mm512_cvtph_ps(half);
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16));
}

AM_INLINE void tile(const am_matmul *m, uint32_t row, uint32_t token, const int R, const int T, kind k) {
  const uint8_t *w = (const uint8_t *)m->w + row * m->w_stride;
  const uint8_t *x = (const uint8_t *)m->x + token * m->x_stride;
  __m512 sums[4][4];
  size_t i = 0;
  AM_UNROLL for (int r = 0; r < R; r++) AM_UNROLL for (int t = 0; t < T; t++) sums[r][t] =
      _mm512_setzero_ps();
  for (; i + 16 <= m->n_in; i += 16) {
    __m512 values[4];
    AM_UNROLL for (int t = 0; t < T; t++) values[t] = _mm512_loadu_ps(x + t * m->x_stride + 4 * i);
    AM_UNROLL for (int r = 0; r < R; r++) {
      __m512 weight = load(k, w + r * m->w_stride, i);
      if (T <= 2) am_prefetch(w + (r + AM_PREFETCH_ROWS) * m->w_stride + i * (k == F32 ? 4 : 2), 1);
      AM_UNROLL for (int t = 0; t < T; t++) sums[r][t] = _mm512_fmadd_ps(weight, values[t], sums[r][t]);
    }
  }
  if (i < m->n_in) {
    __mmask16 mask = vec512_tail(m->n_in - i);
    AM_UNROLL for (int r = 0; r < R; r++) {
      __m512 weight = load_tail(k, w + r * m->w_stride, i, mask);
      AM_UNROLL for (int t = 0; t < T; t++) sums[r][t] =
          _mm512_fmadd_ps(weight, _mm512_maskz_loadu_ps(mask, x + t * m->x_stride + 4 * i), sums[r][t]);
    }
  }
  AM_UNROLL for (int t = 0; t < T; t++) {
    float *out = m->out + (token + (uint32_t)t) * m->out_stride + row;
    if (R == 4)
      _mm_storeu_ps(out, vec512_sum4(sums[0][t], sums[1][t], sums[2][t], sums[3][t]));
    else
      *out = vec512_sum(sums[0][t]);
  }
}

#define F32_TILE(m, r, t, R, T) tile(m, r, t, R, T, F32)
#define F16_TILE(m, r, t, R, T) tile(m, r, t, R, T, F16)
#define BF16_TILE(m, r, t, R, T) tile(m, r, t, R, T, BF16)
AM_TILES(matmul_f32, F32_TILE, 4, 4, 4)
AM_TILES(matmul_f16, F16_TILE, 4, 4, 4)
AM_TILES(matmul_bf16, BF16_TILE, 4, 4, 4)

/* R rows and 16 C columns (the last one masked) of a mix: keys one after the other. */
AM_INLINE void mix_tile(const am_mix *m, uint32_t row, uint32_t column, __mmask16 mask, const int R,
                        const int C, kind k) {
  size_t bytes = k == F32 ? 4 : 2;
  const uint8_t *v = (const uint8_t *)m->v + column * bytes;
  float *out = m->out + row * m->out_stride + column;
  __m512 sums[4][4];
  AM_UNROLL for (int r = 0; r < R; r++) AM_UNROLL for (int c = 0; c < C; c++) sums[r][c] =
      _mm512_mul_ps(_mm512_set1_ps(m->decay[row + (uint32_t)r]),
                    _mm512_maskz_loadu_ps(c == C - 1 ? mask : 0xFFFF, out + r * m->out_stride + 16 * c));
  for (uint32_t j = 0; j < m->n_keys; j++, v += m->v_stride) {
    if (R < 4) am_prefetch(v + AM_PREFETCH_ROWS * m->v_stride, C * (k == F32 ? 64 : 32));
    __m512 values[4];
    AM_UNROLL for (int c = 0; c < C; c++) values[c] =
        c == C - 1 ? load_tail(k, v, 16 * (size_t)c, mask) : load(k, v, 16 * (size_t)c);
    AM_UNROLL for (int r = 0; r < R; r++) {
      __m512 p = _mm512_set1_ps(m->p[(row + (uint32_t)r) * m->p_stride + j]);
      AM_UNROLL for (int c = 0; c < C; c++) sums[r][c] = _mm512_fmadd_ps(p, values[c], sums[r][c]);
    }
  }
  AM_UNROLL for (int r = 0; r < R; r++) AM_UNROLL for (int c = 0; c < C; c++)
      _mm512_mask_storeu_ps(out + r * m->out_stride + 16 * c, c == C - 1 ? mask : 0xFFFF, sums[r][c]);
}

AM_INLINE void mix_columns(const am_mix *m, uint32_t row, const int R, kind k) {
  uint32_t c = 0;
  for (; c + 64 <= m->n_columns; c += 64) mix_tile(m, row, c, 0xFFFF, R, 4, k);
  for (; c + 16 <= m->n_columns; c += 16) mix_tile(m, row, c, 0xFFFF, R, 1, k);
  if (c < m->n_columns) mix_tile(m, row, c, vec512_tail(m->n_columns - c), R, 1, k);
}

AM_INLINE void mix(const am_mix *m, kind k) {
  uint32_t row = 0;
  for (; row + 4 <= m->n_rows; row += 4) mix_columns(m, row, 4, k);
  for (; row + 3 <= m->n_rows; row += 3) mix_columns(m, row, 3, k);
  for (; row < m->n_rows; row++) mix_columns(m, row, 1, k);
}

static void mix_f32(const am_mix *m) { mix(m, F32); }
static void mix_f16(const am_mix *m) { mix(m, F16); }

void am_kernels_avx512_float(am_kernels *k) {
  k->matmul[AM_DTYPE_F32] = matmul_f32;
  k->matmul[AM_DTYPE_F16] = matmul_f16;
  k->matmul[AM_DTYPE_BF16] = matmul_bf16;
  k->mix[AM_DTYPE_F32] = mix_f32;
  k->mix[AM_DTYPE_F16] = mix_f16;
}
