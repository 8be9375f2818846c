/* SPDX-License-Identifier: Apache-2.0 */
/* Plain C: ggml's types of 4 bits with a table: IQ4_NL, IQ4_XS, MXFP4. */
#include "kernels/blocks.h"
#include "kernels/c/half.h"
#include "kernels/kernels.h"

/* 16 bytes of nibbles to 32 values of a table. */
static inline void look_up(const int8_t table[16], const uint8_t qs[16], int8_t out[32]) {
  for (int j = 0; j < 16; j++) {
    out[j] = table[qs[j] & 15];
    out[j + 16] = table[qs[j] >> 4];
  }
}

static inline void scale_up(float *out, float d, const int8_t values[32]) {
  for (int j = 0; j < 32; j++) out[j] = d * (float)values[j];
}

static void dequantize_iq4_nl(float *out, const void *row, size_t n) {
  const am_block_iq4_nl *b = row;
  for (size_t i = 0; i < n / 32; i++) {
    int8_t values[32];
    look_up(am_iq4_values, b[i].qs, values);
    scale_up(out + 32 * i, half_to_float(b[i].d), values);
  }
}

static void dequantize_iq4_xs(float *out, const void *row, size_t n) {
  const am_block_iq4_xs *b = row;
  for (size_t i = 0; i < n / 256; i++)
    for (int part = 0; part < 8; part++) {
      int8_t values[32];
      look_up(am_iq4_values, b[i].qs + 16 * part, values);
      scale_up(out + 256 * i + 32 * part, half_to_float(b[i].d) * (float)am_iq4_xs_scale(&b[i], part),
               values);
    }
}

static void dequantize_mxfp4(float *out, const void *row, size_t n) {
  const am_block_mxfp4 *b = row;
  for (size_t i = 0; i < n / 32; i++) {
    int8_t values[32];
    look_up(am_e2m1_values, b[i].qs, values);
    scale_up(out + 32 * i, am_mxfp4_scale(b[i].e), values);
  }
}

/* d times the dot product of 32 values with block `block` of the activations. */
static inline float dot(float d, const int8_t values[32], const am_x8_group *x, size_t block) {
  const am_x8_group *group = &x[block / 4];
  uint32_t b = block % 4;
  int sum = 0;
  for (uint32_t j = 0; j < 32; j++) sum += values[j] * group->q[am_x8_at(b, j)];
  return d * group->d[am_x8_scale_at(b)] * (float)sum;
}

static float dot_iq4_nl(const uint8_t *w, const am_x8_group *x, size_t n) {
  const am_block_iq4_nl *b = (const void *)w;
  float sum = 0;
  for (size_t i = 0; i < n / 32; i++) {
    int8_t values[32];
    look_up(am_iq4_values, b[i].qs, values);
    sum += dot(half_to_float(b[i].d), values, x, i);
  }
  return sum;
}

static float dot_iq4_xs(const uint8_t *w, const am_x8_group *x, size_t n) {
  const am_block_iq4_xs *b = (const void *)w;
  float sum = 0;
  for (size_t i = 0; i < n / 32; i++) {
    const am_block_iq4_xs *block = &b[i / 8];
    int part = (int)(i % 8);
    int8_t values[32];
    look_up(am_iq4_values, block->qs + 16 * part, values);
    sum += dot(half_to_float(block->d) * (float)am_iq4_xs_scale(block, part), values, x, i);
  }
  return sum;
}

static float dot_mxfp4(const uint8_t *w, const am_x8_group *x, size_t n) {
  const am_block_mxfp4 *b = (const void *)w;
  float sum = 0;
  for (size_t i = 0; i < n / 32; i++) {
    int8_t values[32];
    look_up(am_e2m1_values, b[i].qs, values);
    sum += dot(am_mxfp4_scale(b[i].e), values, x, i);
  }
  return sum;
}

#define AM_C_MATMUL(name)                                                                 \
  static void matmul_##name(const am_matmul *m) {                                         \
    for (uint32_t t = 0; t < m->n_tokens; t++)                                            \
      for (uint32_t r = 0; r < m->n_rows; r++)                                            \
        m->out[t * m->out_stride + r] =                                                   \
            dot_##name((const uint8_t *)m->w + r * m->w_stride,                           \
                       (const void *)((const uint8_t *)m->x + t * m->x_stride), m->n_in); \
  }

AM_C_MATMUL(iq4_nl)
AM_C_MATMUL(iq4_xs)
AM_C_MATMUL(mxfp4)

void am_kernels_c_iq4(am_kernels *k) {
  k->dequantize[AM_DTYPE_IQ4_NL] = dequantize_iq4_nl;
  k->dequantize[AM_DTYPE_IQ4_XS] = dequantize_iq4_xs;
  k->dequantize[AM_DTYPE_MXFP4] = dequantize_mxfp4;
  k->matmul[AM_DTYPE_IQ4_NL] = matmul_iq4_nl;
  k->matmul[AM_DTYPE_IQ4_XS] = matmul_iq4_xs;
  k->matmul[AM_DTYPE_MXFP4] = matmul_mxfp4;
  k->x_format[AM_DTYPE_IQ4_NL] = k->x_format[AM_DTYPE_IQ4_XS] = k->x_format[AM_DTYPE_MXFP4] = AM_X_Q8;
}
