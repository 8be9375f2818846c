/* SPDX-License-Identifier: Apache-2.0 */
/* Plain C: rows of weights times tokens, one dot product at a time. The float types add in LANES
 * partial sums, so that long rows stay accurate and compilers can use the vectors they have. */
#include "kernels/blocks.h"
#include "kernels/c/half.h"
#include "kernels/kernels.h"

enum { LANES = 16 };

#define AM_C_MATMUL(name)                                                                  \
  static void matmul_##name(const am_matmul *m) {                                          \
    for (uint32_t t = 0; t < m->n_tokens; t++) {                                           \
      const uint8_t *x = (const uint8_t *)m->x + t * m->x_stride;                          \
      for (uint32_t r = 0; r < m->n_rows; r++)                                             \
        m->out[t * m->out_stride + r] =                                                    \
            dot_##name((const uint8_t *)m->w + r * m->w_stride, (const void *)x, m->n_in); \
    }                                                                                      \
  }

static float lanes_sum(float lanes[LANES]) {
  for (int width = LANES / 2; width > 0; width /= 2)
    for (int i = 0; i < width; i++) lanes[i] += lanes[i + width];
  return lanes[0];
}

static inline float load_f32(const void *p) {
  float v;
  memcpy(&v, p, sizeof v);
  return v;
}

#define AM_C_DOT_FLOAT(name, bytes, load)                                                  \
  static float dot_##name(const uint8_t *w, const void *activations, size_t n) {           \
    const float *x = activations;                                                          \
    float lanes[LANES] = {0};                                                              \
    size_t i = 0;                                                                          \
    for (; i + LANES <= n; i += LANES)                                                     \
      for (size_t l = 0; l < LANES; l++) lanes[l] += load(w + bytes * (i + l)) * x[i + l]; \
    for (size_t l = 0; i < n; i++, l++) lanes[l] += load(w + bytes * i) * x[i];            \
    return lanes_sum(lanes);                                                               \
  }                                                                                        \
  AM_C_MATMUL(name)

static inline float load_f16(const void *p) { return half_to_float(load_u16(p)); }
static inline float load_bf16(const void *p) { return bfloat_to_float(load_u16(p)); }

AM_C_DOT_FLOAT(f32, 4, load_f32)
AM_C_DOT_FLOAT(f16, 2, load_f16)
AM_C_DOT_FLOAT(bf16, 2, load_bf16)

/* 32-element types: dot product of unpacked weights with block b of a group. */
static int dot_block(const int8_t w[32], const am_x8_group *x, uint32_t b) {
  int sum = 0;
  for (uint32_t j = 0; j < 32; j += 4) {
    const int8_t *q = x->q + am_x8_at(b, j);
    for (uint32_t i = 0; i < 4; i++) sum += w[j + i] * q[i];
  }
  return sum;
}

static float dot_q4_0(const uint8_t *w, const void *activations, size_t n) {
  const am_block_q4_0 *b = (const void *)w;
  const am_x8_group *x = activations;
  float sum = 0;
  for (size_t i = 0; i < n / 32; i++) {
    int8_t q[32];
    for (int j = 0; j < 16; j++) {
      q[j] = (int8_t)((b[i].qs[j] & 15) - 8);
      q[j + 16] = (int8_t)((b[i].qs[j] >> 4) - 8);
    }
    uint32_t k = i % 4;
    sum += half_to_float(b[i].d) * x[i / 4].d[am_x8_scale_at(k)] * (float)dot_block(q, &x[i / 4], k);
  }
  return sum;
}

static float dot_q4_1(const uint8_t *w, const void *activations, size_t n) {
  const am_block_q4_1 *b = (const void *)w;
  const am_x8_group *x = activations;
  float sum = 0;
  for (size_t i = 0; i < n / 32; i++) {
    int8_t q[32];
    for (int j = 0; j < 16; j++) {
      q[j] = (int8_t)(b[i].qs[j] & 15);
      q[j + 16] = (int8_t)(b[i].qs[j] >> 4);
    }
    uint32_t k = i % 4, at = am_x8_scale_at(k);
    sum += half_to_float(b[i].d) * x[i / 4].d[at] * (float)dot_block(q, &x[i / 4], k);
    sum += half_to_float(b[i].m) * x[i / 4].s[at];
  }
  return sum;
}

static void unpack_q5(const uint8_t qs[16], uint32_t qh, int offset, int8_t q[32]) {
  for (int j = 0; j < 16; j++) {
    q[j] = (int8_t)((int)((qs[j] & 15) | (qh >> j & 1) << 4) - offset);
    q[j + 16] = (int8_t)((int)((qs[j] >> 4) | (qh >> (j + 16) & 1) << 4) - offset);
  }
}

static float dot_q5_0(const uint8_t *w, const void *activations, size_t n) {
  const am_block_q5_0 *b = (const void *)w;
  const am_x8_group *x = activations;
  float sum = 0;
  for (size_t i = 0; i < n / 32; i++) {
    int8_t q[32];
    unpack_q5(b[i].qs, b[i].qh, 16, q);
    uint32_t k = i % 4;
    sum += half_to_float(b[i].d) * x[i / 4].d[am_x8_scale_at(k)] * (float)dot_block(q, &x[i / 4], k);
  }
  return sum;
}

static float dot_q5_1(const uint8_t *w, const void *activations, size_t n) {
  const am_block_q5_1 *b = (const void *)w;
  const am_x8_group *x = activations;
  float sum = 0;
  for (size_t i = 0; i < n / 32; i++) {
    int8_t q[32];
    unpack_q5(b[i].qs, b[i].qh, 0, q);
    uint32_t k = i % 4, at = am_x8_scale_at(k);
    sum += half_to_float(b[i].d) * x[i / 4].d[at] * (float)dot_block(q, &x[i / 4], k);
    sum += half_to_float(b[i].m) * x[i / 4].s[at];
  }
  return sum;
}

static float dot_q8_0(const uint8_t *w, const void *activations, size_t n) {
  const am_block_q8_0 *b = (const void *)w;
  const am_x8_group *x = activations;
  float sum = 0;
  for (size_t i = 0; i < n / 32; i++) {
    uint32_t k = i % 4;
    sum += half_to_float(b[i].d) * x[i / 4].d[am_x8_scale_at(k)] * (float)dot_block(b[i].qs, &x[i / 4], k);
  }
  return sum;
}

/* 256-element types: dot product of 16 weights, each `low` bits at `shift`, with activations. */
static int dot_q2(const uint8_t *qs, int shift, const int8_t *x) {
  int sum = 0;
  for (int l = 0; l < 16; l++) sum += (qs[l] >> shift & 3) * x[l];
  return sum;
}

static float dot_q2_k(const uint8_t *w, const void *activations, size_t n) {
  const am_block_q2_k *b = (const void *)w;
  const am_x256_block *x = activations;
  float sum = 0;
  for (size_t i = 0; i < n / 256; i++) {
    int total = 0, minimum = 0;
    for (int s = 0; s < 16; s++) { /* element 16 s: half s / 8, bits 2 (s / 2 % 4), l from 16 (s % 2) */
      const uint8_t *qs = b[i].qs + 32 * (s / 8) + 16 * (s % 2);
      total += (b[i].scales[s] & 15) * dot_q2(qs, s / 2 % 4 * 2, x[i].q + 16 * s);
      minimum += (b[i].scales[s] >> 4) * x[i].sums[s];
    }
    sum += half_to_float(b[i].d) * x[i].d * (float)total;
    sum -= half_to_float(b[i].dmin) * x[i].d * (float)minimum;
  }
  return sum;
}

static float dot_q3_k(const uint8_t *w, const void *activations, size_t n) {
  const am_block_q3_k *b = (const void *)w;
  const am_x256_block *x = activations;
  float sum = 0;
  for (size_t i = 0; i < n / 256; i++) {
    int8_t scales[16];
    int total = 0;
    am_k3_scales(b[i].scales, scales);
    for (int s = 0; s < 16; s++) {
      const uint8_t *qs = b[i].qs + 32 * (s / 8) + 16 * (s % 2), *mask = b[i].hmask + 16 * (s % 2);
      int part = dot_q2(qs, s / 2 % 4 * 2, x[i].q + 16 * s);
      for (int l = 0; l < 16; l++)
        if (!(mask[l] >> (s / 2) & 1)) part -= 4 * x[i].q[16 * s + l];
      total += scales[s] * part;
    }
    sum += half_to_float(b[i].d) * x[i].d * (float)total;
  }
  return sum;
}

/* Q4_K and Q5_K; qh NULL: no fifth bit. */
static float dot_k4_block(float d, float dmin, const uint8_t packed[12], const uint8_t *qh, const uint8_t *qs,
                          const am_x256_block *x) {
  uint8_t scales[8], minima[8];
  int total = 0, minimum = 0;
  am_k4_scales(packed, scales, minima);
  for (int s = 0; s < 8; s++) {
    int part = 0;
    for (int l = 0; l < 32; l++) {
      int q = qs[32 * (s / 2) + l] >> (4 * (s & 1)) & 15;
      if (qh) q |= (qh[l] >> s & 1) << 4;
      part += q * x->q[32 * s + l];
    }
    total += scales[s] * part;
    minimum += minima[s] * (x->sums[2 * s] + x->sums[2 * s + 1]);
  }
  return d * x->d * (float)total - dmin * x->d * (float)minimum;
}

static float dot_q4_k(const uint8_t *w, const void *activations, size_t n) {
  const am_block_q4_k *b = (const void *)w;
  const am_x256_block *x = activations;
  float sum = 0;
  for (size_t i = 0; i < n / 256; i++)
    sum += dot_k4_block(half_to_float(b[i].d), half_to_float(b[i].dmin), b[i].scales, NULL, b[i].qs, &x[i]);
  return sum;
}

static float dot_q5_k(const uint8_t *w, const void *activations, size_t n) {
  const am_block_q5_k *b = (const void *)w;
  const am_x256_block *x = activations;
  float sum = 0;
  for (size_t i = 0; i < n / 256; i++)
    sum +=
        dot_k4_block(half_to_float(b[i].d), half_to_float(b[i].dmin), b[i].scales, b[i].qh, b[i].qs, &x[i]);
  return sum;
}

static float dot_q6_k(const uint8_t *w, const void *activations, size_t n) {
  const am_block_q6_k *b = (const void *)w;
  const am_x256_block *x = activations;
  float sum = 0;
  for (size_t i = 0; i < n / 256; i++) {
    int total = 0;
    for (int s = 0; s < 16; s++) {
      int half = s / 8, k = s / 2 % 4, part = 0;
      const uint8_t *ql = b[i].ql + 64 * half + 32 * (k & 1) + 16 * (s % 2);
      const uint8_t *qh = b[i].qh + 32 * half + 16 * (s % 2);
      for (int l = 0; l < 16; l++) {
        int q = (ql[l] >> (k & 2 ? 4 : 0) & 15) | (qh[l] >> (2 * k) & 3) << 4;
        part += (q - 32) * x[i].q[16 * s + l];
      }
      total += b[i].scales[s] * part;
    }
    sum += half_to_float(b[i].d) * x[i].d * (float)total;
  }
  return sum;
}

AM_C_MATMUL(q4_0)
AM_C_MATMUL(q4_1)
AM_C_MATMUL(q5_0)
AM_C_MATMUL(q5_1)
AM_C_MATMUL(q8_0)
AM_C_MATMUL(q2_k)
AM_C_MATMUL(q3_k)
AM_C_MATMUL(q4_k)
AM_C_MATMUL(q5_k)
AM_C_MATMUL(q6_k)

void am_kernels_c_matmul(am_kernels *k) {
  static const struct {
    am_dtype dtype;
    am_x_format format;
    void (*matmul)(const am_matmul *m);
  } rows[] = {
      {AM_DTYPE_F32, AM_X_F32, matmul_f32},   {AM_DTYPE_F16, AM_X_F32, matmul_f16},
      {AM_DTYPE_BF16, AM_X_F32, matmul_bf16}, {AM_DTYPE_Q4_0, AM_X_Q8, matmul_q4_0},
      {AM_DTYPE_Q4_1, AM_X_Q8, matmul_q4_1},  {AM_DTYPE_Q5_0, AM_X_Q8, matmul_q5_0},
      {AM_DTYPE_Q5_1, AM_X_Q8, matmul_q5_1},  {AM_DTYPE_Q8_0, AM_X_Q8, matmul_q8_0},
      {AM_DTYPE_Q2_K, AM_X_Q8K, matmul_q2_k}, {AM_DTYPE_Q3_K, AM_X_Q8K, matmul_q3_k},
      {AM_DTYPE_Q4_K, AM_X_Q8K, matmul_q4_k}, {AM_DTYPE_Q5_K, AM_X_Q8K, matmul_q5_k},
      {AM_DTYPE_Q6_K, AM_X_Q8K, matmul_q6_k},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    k->x_format[rows[i].dtype] = rows[i].format;
    k->matmul[rows[i].dtype] = rows[i].matmul;
  }
}
