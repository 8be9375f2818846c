/* SPDX-License-Identifier: Apache-2.0 */
/* Plain C: everything that is no matrix product. */
#include "base/half.h"
#include "kernels/c/half.h"
#include "kernels/kernels.h"
#include <math.h>
#include <string.h>

static void mix_rows(const am_mix *m, size_t value_bytes, float (*load)(const uint8_t *)) {
  for (uint32_t i = 0; i < m->n_rows; i++) {
    float *out = m->out + i * m->out_stride;
    for (uint32_t c = 0; c < m->n_columns; c++) out[c] *= m->decay[i];
    for (uint32_t j = 0; j < m->n_keys; j++) {
      const uint8_t *v = (const uint8_t *)m->v + j * m->v_stride;
      float p = m->p[i * m->p_stride + j];
      for (uint32_t c = 0; c < m->n_columns; c++) out[c] += p * load(v + value_bytes * c);
    }
  }
}

static float load_f32(const uint8_t *p) {
  float v;
  memcpy(&v, p, sizeof v);
  return v;
}
static float load_f16(const uint8_t *p) { return half_to_float(load_u16(p)); }

static void mix_f32(const am_mix *m) { mix_rows(m, 4, load_f32); }
static void mix_f16(const am_mix *m) { mix_rows(m, 2, load_f16); }

static void store_f32(void *out, const float *x, size_t n) { memcpy(out, x, n * sizeof *x); }

static void store_f16(void *out, const float *x, size_t n) {
  uint16_t *half = out;
  for (size_t i = 0; i < n; i++) half[i] = am_f32_to_f16(x[i]);
}

static void rms_norm(float *out, const float *x, const float *weight, float eps, float weight_offset,
                     size_t n) {
  double sum = 0;
  for (size_t i = 0; i < n; i++) sum += (double)x[i] * x[i];
  float factor = 1.0f / sqrtf((float)(sum / (double)n) + eps);
  for (size_t i = 0; i < n; i++) out[i] = x[i] * factor * (weight_offset + weight[i]);
}

static void layer_norm(float *out, const float *x, const float *weight, const float *bias, float eps,
                       size_t n) {
  double sum = 0, squares = 0;
  for (size_t i = 0; i < n; i++) sum += x[i];
  float mean = (float)(sum / (double)n);
  for (size_t i = 0; i < n; i++) squares += (double)(x[i] - mean) * (x[i] - mean);
  float factor = 1.0f / sqrtf((float)(squares / (double)n) + eps);
  for (size_t i = 0; i < n; i++) out[i] = (x[i] - mean) * factor * weight[i] + (bias ? bias[i] : 0);
}

static void rope_half(float *x, const float *c, const float *s, size_t half) {
  for (size_t i = 0; i < half; i++) {
    float a = x[i], b = x[half + i];
    x[i] = a * c[i] - b * s[i];
    x[half + i] = b * c[i] + a * s[i];
  }
}

static void rope_pairs(float *x, const float *c, const float *s, size_t half) {
  for (size_t i = 0; i < half; i++) {
    float a = x[2 * i], b = x[2 * i + 1];
    x[2 * i] = a * c[i] - b * s[i];
    x[2 * i + 1] = b * c[i] + a * s[i];
  }
}

static float max_value(const float *x, size_t n) {
  float most = -INFINITY;
  for (size_t i = 0; i < n; i++)
    if (x[i] > most) most = x[i];
  return most;
}

static float exp_sum(float *x, float max, size_t n) {
  double sum = 0;
  for (size_t i = 0; i < n; i++) {
    x[i] = expf(x[i] - max);
    sum += x[i];
  }
  return (float)sum;
}

static void silu_mul(float *out, const float *gate, const float *up, size_t n) {
  for (size_t i = 0; i < n; i++) out[i] = gate[i] / (1.0f + expf(-gate[i])) * up[i];
}

/* 0.5 (1 + tanh(u)) = 1 / (1 + e^(-2u)), u = sqrt(2 / pi) (x + 0.044715 x^3): no difference of near equals */
static float gelu_one(float x) {
  float u = 0.797884560802865356f * (x + 0.044715f * x * x * x);
  return x / (1.0f + expf(-2.0f * u));
}

static void gelu_mul(float *out, const float *gate, const float *up, size_t n) {
  for (size_t i = 0; i < n; i++) out[i] = gelu_one(gate[i]) * up[i];
}

static void gelu_tanh(float *x, size_t n) {
  for (size_t i = 0; i < n; i++) x[i] = gelu_one(x[i]);
}

static void gelu_erf(float *x, size_t n) {
  for (size_t i = 0; i < n; i++) x[i] = 0.5f * x[i] * erfcf(-0.707106781186547524f * x[i]);
}

static void softcap(float *x, float cap, size_t n) {
  for (size_t i = 0; i < n; i++) x[i] = cap * tanhf(x[i] / cap);
}

static void add(float *x, const float *y, size_t n) {
  for (size_t i = 0; i < n; i++) x[i] += y[i];
}

static void scale(float *x, float factor, size_t n) {
  for (size_t i = 0; i < n; i++) x[i] *= factor;
}

void am_kernels_c_rows(am_kernels *k) {
  k->mix[AM_DTYPE_F32] = mix_f32;
  k->mix[AM_DTYPE_F16] = mix_f16;
  k->store[AM_DTYPE_F32] = store_f32;
  k->store[AM_DTYPE_F16] = store_f16;
  k->rms_norm = rms_norm;
  k->layer_norm = layer_norm;
  k->rope_half = rope_half;
  k->rope_pairs = rope_pairs;
  k->max = max_value;
  k->exp_sum = exp_sum;
  k->silu_mul = silu_mul;
  k->gelu_mul = gelu_mul;
  k->gelu_tanh = gelu_tanh;
  k->gelu_erf = gelu_erf;
  k->softcap = softcap;
  k->add = add;
  k->scale = scale;
}
