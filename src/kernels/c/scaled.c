/* SPDX-License-Identifier: Apache-2.0 */
/* Plain C: rows whose codes, scales and zeros stand apart. Activations are taken as they are. */
#include "kernels/c/scaled.h"

enum { LANES = 16 };

static inline void dequantize(am_dtype dtype, float *out, const void *row, size_t n) {
  for (size_t i = 0; i < n; i++) out[i] = scaled_element(dtype, row, i);
}

/* Each row is dequantised a piece at a time, once for a few tokens. Elements go into lanes by their
 * number, so that neither the rows nor the tokens beside one change its sum. */
void am_kernels_c_scaled_matmul(am_dtype dtype, const am_matmul *m) {
  enum { PIECE = 16 * LANES, TOKENS = 8 };
  for (uint32_t r = 0; r < m->n_rows; r++) {
    const am_scaled_row *row = (const void *)((const uint8_t *)m->w + r * m->w_stride);
    for (uint32_t t = 0; t < m->n_tokens; t += TOKENS) {
      uint32_t n_tokens = m->n_tokens - t < TOKENS ? m->n_tokens - t : TOKENS;
      float lanes[TOKENS][LANES] = {{0}}, piece[PIECE];
      for (size_t i = 0; i < m->n_in; i += PIECE) {
        size_t n = m->n_in - i < PIECE ? m->n_in - i : PIECE;
        for (size_t j = 0; j < n; j++) piece[j] = scaled_element(dtype, row, i + j);
        for (uint32_t k = 0; k < n_tokens; k++) {
          const float *x = (const float *)(const void *)((const uint8_t *)m->x + (t + k) * m->x_stride) + i;
          for (size_t j = 0; j < n; j++) lanes[k][j % LANES] += piece[j] * x[j];
        }
      }
      for (uint32_t k = 0; k < n_tokens; k++) {
        for (int width = LANES / 2; width > 0; width /= 2)
          for (int l = 0; l < width; l++) lanes[k][l] += lanes[k][l + width];
        m->out[(t + k) * m->out_stride + r] = lanes[k][0];
      }
    }
  }
}

#define AM_C_SCALED(name, dtype)                                                                           \
  static void dequantize_##name(float *out, const void *row, size_t n) { dequantize(dtype, out, row, n); } \
  static void matmul_##name(const am_matmul *m) { am_kernels_c_scaled_matmul(dtype, m); }

AM_C_SCALED(u4, AM_DTYPE_SCALED_U4)
AM_C_SCALED(t4, AM_DTYPE_SCALED_T4)
AM_C_SCALED(i8, AM_DTYPE_SCALED_I8)
AM_C_SCALED(f8, AM_DTYPE_SCALED_F8)

void am_kernels_c_scaled(am_kernels *k) {
  static const struct {
    am_dtype dtype;
    void (*dequantize)(float *out, const void *row, size_t n);
    void (*matmul)(const am_matmul *m);
  } rows[] = {
      {AM_DTYPE_SCALED_U4, dequantize_u4, matmul_u4},
      {AM_DTYPE_SCALED_T4, dequantize_t4, matmul_t4},
      {AM_DTYPE_SCALED_I8, dequantize_i8, matmul_i8},
      {AM_DTYPE_SCALED_F8, dequantize_f8, matmul_f8},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    k->x_format[rows[i].dtype] = AM_X_F32;
    k->dequantize[rows[i].dtype] = rows[i].dequantize;
    k->matmul[rows[i].dtype] = rows[i].matmul;
  }
}
