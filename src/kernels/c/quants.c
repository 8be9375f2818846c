/* SPDX-License-Identifier: Apache-2.0 */
/* Plain C: rows of every dtype to float32, and activations to 8 bits. */
#include "kernels/blocks.h"
#include "kernels/c/half.h"
#include "kernels/kernels.h"
#include <math.h>
#include <string.h>

static void dequantize_f32(float *out, const void *row, size_t n) { memcpy(out, row, n * sizeof *out); }

static void dequantize_f16(float *out, const void *row, size_t n) {
  const uint8_t *bytes = row;
  for (size_t i = 0; i < n; i++) out[i] = half_to_float(load_u16(bytes + 2 * i));
}

static void dequantize_bf16(float *out, const void *row, size_t n) {
  const uint8_t *bytes = row;
  for (size_t i = 0; i < n; i++) out[i] = bfloat_to_float(load_u16(bytes + 2 * i));
}

static void dequantize_f64(float *out, const void *row, size_t n) {
  const uint8_t *bytes = row;
  for (size_t i = 0; i < n; i++) {
    double v;
    memcpy(&v, bytes + sizeof v * i, sizeof v);
    out[i] = (float)v;
  }
}

static void dequantize_q4_0(float *out, const void *row, size_t n) {
  const am_block_q4_0 *b = row;
  for (size_t i = 0; i < n / 32; i++, out += 32) {
    float d = half_to_float(b[i].d);
    for (int j = 0; j < 16; j++) {
      out[j] = d * (float)((b[i].qs[j] & 15) - 8);
      out[j + 16] = d * (float)((b[i].qs[j] >> 4) - 8);
    }
  }
}

static void dequantize_q4_1(float *out, const void *row, size_t n) {
  const am_block_q4_1 *b = row;
  for (size_t i = 0; i < n / 32; i++, out += 32) {
    float d = half_to_float(b[i].d), m = half_to_float(b[i].m);
    for (int j = 0; j < 16; j++) {
      out[j] = d * (float)(b[i].qs[j] & 15) + m;
      out[j + 16] = d * (float)(b[i].qs[j] >> 4) + m;
    }
  }
}

static void dequantize_q5_0(float *out, const void *row, size_t n) {
  const am_block_q5_0 *b = row;
  for (size_t i = 0; i < n / 32; i++, out += 32) {
    float d = half_to_float(b[i].d);
    uint32_t qh = b[i].qh;
    for (int j = 0; j < 16; j++) {
      out[j] = d * (float)((int)((b[i].qs[j] & 15) | ((qh >> j & 1) << 4)) - 16);
      out[j + 16] = d * (float)((int)((b[i].qs[j] >> 4) | ((qh >> (j + 16) & 1) << 4)) - 16);
    }
  }
}

static void dequantize_q5_1(float *out, const void *row, size_t n) {
  const am_block_q5_1 *b = row;
  for (size_t i = 0; i < n / 32; i++, out += 32) {
    float d = half_to_float(b[i].d), m = half_to_float(b[i].m);
    uint32_t qh = b[i].qh;
    for (int j = 0; j < 16; j++) {
      out[j] = d * (float)((b[i].qs[j] & 15) | ((qh >> j & 1) << 4)) + m;
      out[j + 16] = d * (float)((b[i].qs[j] >> 4) | ((qh >> (j + 16) & 1) << 4)) + m;
    }
  }
}

static void dequantize_q8_0(float *out, const void *row, size_t n) {
  const am_block_q8_0 *b = row;
  for (size_t i = 0; i < n / 32; i++, out += 32) {
    float d = half_to_float(b[i].d);
    for (int j = 0; j < 32; j++) out[j] = (float)b[i].qs[j] * d;
  }
}

static void dequantize_q2_k(float *out, const void *row, size_t n) {
  const am_block_q2_k *b = row;
  for (size_t i = 0; i < n / 256; i++, out += 256) {
    float d = half_to_float(b[i].d), dmin = half_to_float(b[i].dmin);
    for (int j = 0; j < 256; j++) {
      int half = j / 128, k = j / 32 % 4, l = j % 32;
      float scale = d * (float)(b[i].scales[j / 16] & 15), minimum = dmin * (float)(b[i].scales[j / 16] >> 4);
      out[j] = scale * (float)(b[i].qs[32 * half + l] >> (2 * k) & 3) - minimum;
    }
  }
}

static void dequantize_q3_k(float *out, const void *row, size_t n) {
  const am_block_q3_k *b = row;
  for (size_t i = 0; i < n / 256; i++, out += 256) {
    float d = half_to_float(b[i].d);
    int8_t scales[16];
    am_k3_scales(b[i].scales, scales);
    for (int j = 0; j < 256; j++) {
      int half = j / 128, k = j / 32 % 4, l = j % 32;
      int q = (b[i].qs[32 * half + l] >> (2 * k) & 3) - (b[i].hmask[l] >> (4 * half + k) & 1 ? 0 : 4);
      out[j] = d * (float)scales[j / 16] * (float)q;
    }
  }
}

static void dequantize_q4_k(float *out, const void *row, size_t n) {
  const am_block_q4_k *b = row;
  for (size_t i = 0; i < n / 256; i++, out += 256) {
    float d = half_to_float(b[i].d), dmin = half_to_float(b[i].dmin);
    uint8_t scales[8], minima[8];
    am_k4_scales(b[i].scales, scales, minima);
    for (int j = 0; j < 256; j++) {
      int q = b[i].qs[32 * (j / 64) + j % 32] >> (j & 32 ? 4 : 0) & 15;
      out[j] = d * (float)scales[j / 32] * (float)q - dmin * (float)minima[j / 32];
    }
  }
}

static void dequantize_q5_k(float *out, const void *row, size_t n) {
  const am_block_q5_k *b = row;
  for (size_t i = 0; i < n / 256; i++, out += 256) {
    float d = half_to_float(b[i].d), dmin = half_to_float(b[i].dmin);
    uint8_t scales[8], minima[8];
    am_k4_scales(b[i].scales, scales, minima);
    for (int j = 0; j < 256; j++) {
      int q = b[i].qs[32 * (j / 64) + j % 32] >> (j & 32 ? 4 : 0) & 15;
      q |= (b[i].qh[j % 32] >> (j / 32) & 1) << 4;
      out[j] = d * (float)scales[j / 32] * (float)q - dmin * (float)minima[j / 32];
    }
  }
}

static void dequantize_q6_k(float *out, const void *row, size_t n) {
  const am_block_q6_k *b = row;
  for (size_t i = 0; i < n / 256; i++, out += 256) {
    float d = half_to_float(b[i].d);
    for (int j = 0; j < 256; j++) {
      int half = j / 128, k = j / 32 % 4, l = j % 32;
      int low = b[i].ql[64 * half + 32 * (k & 1) + l] >> (k & 2 ? 4 : 0) & 15;
      int high = b[i].qh[32 * half + l] >> (2 * k) & 3;
      out[j] = d * (float)b[i].scales[j / 16] * (float)((low | high << 4) - 32);
    }
  }
}

/* Scale of n values: d and the factor that takes them to -127..127; both 0 for a block of (almost)
 * nothing, d NaN for a block with NaN or infinity. Magnitudes are compared as integers, where NaN
 * is largest. */
static float block_scale(const float *x, size_t n, float *factor) {
  uint32_t most = 0, tiny;
  const float tiny_value = 1e-30f;
  memcpy(&tiny, &tiny_value, sizeof tiny);
  for (size_t i = 0; i < n; i++) {
    uint32_t u;
    memcpy(&u, &x[i], sizeof u);
    u &= 0x7FFFFFFFu;
    if (u > most) most = u;
  }
  *factor = 0;
  if (most >= 0x7F800000u) return half_bits(0x7FC00000u);
  if (most < tiny) return 0;
  *factor = 127.0f / half_bits(most);
  return half_bits(most) / 127.0f;
}

/* Nearest, ties to even; 0 for a factor of 0, where x may be NaN. */
static int8_t block_round(float x, float factor) { return factor == 0 ? 0 : (int8_t)rintf(x * factor); }

static void quantize_q8(void *out, const float *x, size_t n) {
  am_x8_group *groups = out;
  size_t n_blocks = n / 32;
  for (size_t block = 0; block < (n_blocks + 3) / 4 * 4; block++) {
    am_x8_group *g = &groups[block / 4];
    uint32_t b = block % 4, at = am_x8_scale_at(b);
    float factor = 0, d = block < n_blocks ? block_scale(x + block * 32, 32, &factor) : 0;
    int sum = 0;
    for (uint32_t j = 0; j < 32; j++) {
      int8_t q = block < n_blocks ? block_round(x[block * 32 + j], factor) : 0;
      g->q[am_x8_at(b, j)] = q;
      sum += q;
    }
    g->d[at] = g->d[at + 2] = d;
    g->s[at] = d * (float)sum;
    g->s[at + 2] = 0;
  }
}

static void quantize_q8k(void *out, const float *x, size_t n) {
  am_x256_block *b = out;
  for (size_t i = 0; i < n / 256; i++, x += 256) {
    float factor;
    b[i].d = block_scale(x, 256, &factor);
    for (int j = 0; j < 256; j++) b[i].q[j] = block_round(x[j], factor);
    for (int s = 0; s < 16; s++) {
      int sum = 0;
      for (int j = 0; j < 16; j++) sum += b[i].q[16 * s + j];
      b[i].sums[s] = (int16_t)sum;
    }
    memset(b[i].zero, 0, sizeof b[i].zero);
  }
}

void am_kernels_c_quants(am_kernels *k) {
  k->dequantize[AM_DTYPE_F32] = dequantize_f32;
  k->dequantize[AM_DTYPE_F16] = dequantize_f16;
  k->dequantize[AM_DTYPE_BF16] = dequantize_bf16;
  k->dequantize[AM_DTYPE_F64] = dequantize_f64;
  k->dequantize[AM_DTYPE_Q4_0] = dequantize_q4_0;
  k->dequantize[AM_DTYPE_Q4_1] = dequantize_q4_1;
  k->dequantize[AM_DTYPE_Q5_0] = dequantize_q5_0;
  k->dequantize[AM_DTYPE_Q5_1] = dequantize_q5_1;
  k->dequantize[AM_DTYPE_Q8_0] = dequantize_q8_0;
  k->dequantize[AM_DTYPE_Q2_K] = dequantize_q2_k;
  k->dequantize[AM_DTYPE_Q3_K] = dequantize_q3_k;
  k->dequantize[AM_DTYPE_Q4_K] = dequantize_q4_k;
  k->dequantize[AM_DTYPE_Q5_K] = dequantize_q5_k;
  k->dequantize[AM_DTYPE_Q6_K] = dequantize_q6_k;
  k->quantize[AM_X_Q8] = quantize_q8;
  k->quantize[AM_X_Q8K] = quantize_q8k;
}
