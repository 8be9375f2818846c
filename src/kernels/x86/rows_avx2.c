/* SPDX-License-Identifier: Apache-2.0 */
/* AVX2, FMA, F16C: everything that is no matrix product. */
#include "kernels/blocks.h"
#include "kernels/kernels.h"
#include "kernels/x86/vec256.h"
#include <math.h>

AM_INLINE __m256 load_tail(const float *x, size_t n) { return _mm256_maskload_ps(x, vec256_tail(n)); }

static void store_f16(void *out, const float *x, size_t n) {
  uint16_t *half = out;
  size_t i = 0;
  for (; i + 8 <= n; i += 8)
    _mm_storeu_si128((void *)(half + i), _mm256_cvtps_ph(_mm256_loadu_ps(x + i), _MM_FROUND_TO_NEAREST_INT));
  if (i < n) {
    uint16_t last[8];
    _mm_storeu_si128((void *)last, _mm256_cvtps_ph(load_tail(x + i, n - i), _MM_FROUND_TO_NEAREST_INT));
    memcpy(half + i, last, 2 * (n - i));
  }
}

static void rms_norm(float *out, const float *x, const float *weight, float eps, float weight_offset,
                     size_t n) {
  __m256 sum = _mm256_setzero_ps(), sum2 = sum;
  size_t i = 0;
  for (; i + 16 <= n; i += 16) {
    __m256 a = _mm256_loadu_ps(x + i), b = _mm256_loadu_ps(x + i + 8);
    sum = _mm256_fmadd_ps(a, a, sum);
    sum2 = _mm256_fmadd_ps(b, b, sum2);
  }
  for (; i < n; i += 8) {
    __m256 a = n - i < 8 ? load_tail(x + i, n - i) : _mm256_loadu_ps(x + i);
    sum = _mm256_fmadd_ps(a, a, sum);
  }
  __m256 factor = _mm256_set1_ps(1.0f / sqrtf(vec256_sum(_mm256_add_ps(sum, sum2)) / (float)n + eps));
  __m256 offset = _mm256_set1_ps(weight_offset);
  for (i = 0; i + 8 <= n; i += 8)
    _mm256_storeu_ps(out + i, _mm256_mul_ps(_mm256_mul_ps(_mm256_loadu_ps(x + i), factor),
                                            _mm256_add_ps(offset, _mm256_loadu_ps(weight + i))));
  if (i < n)
    _mm256_maskstore_ps(out + i, vec256_tail(n - i),
                        _mm256_mul_ps(_mm256_mul_ps(load_tail(x + i, n - i), factor),
                                      _mm256_add_ps(offset, load_tail(weight + i, n - i))));
}

AM_INLINE __m256 load_some(const float *x, size_t n) { return n < 8 ? load_tail(x, n) : _mm256_loadu_ps(x); }

AM_INLINE void store_some(float *x, __m256 v, size_t n) {
  if (n < 8)
    _mm256_maskstore_ps(x, vec256_tail(n), v);
  else
    _mm256_storeu_ps(x, v);
}

static void layer_norm(float *out, const float *x, const float *weight, const float *bias, float eps,
                       size_t n) {
  __m256 sum = _mm256_setzero_ps(), squares = sum;
  for (size_t i = 0; i < n; i += 8) sum = _mm256_add_ps(sum, load_some(x + i, n - i));
  __m256 mean = _mm256_set1_ps(vec256_sum(sum) / (float)n);
  for (size_t i = 0; i < n; i += 8) {
    __m256 d = _mm256_sub_ps(load_some(x + i, n - i), mean);
    if (n - i < 8) d = _mm256_and_ps(d, _mm256_castsi256_ps(vec256_tail(n - i)));
    squares = _mm256_fmadd_ps(d, d, squares);
  }
  __m256 factor = _mm256_set1_ps(1.0f / sqrtf(vec256_sum(squares) / (float)n + eps));
  for (size_t i = 0; i < n; i += 8) {
    __m256 y = _mm256_mul_ps(_mm256_sub_ps(load_some(x + i, n - i), mean), factor);
    __m256 b = bias ? load_some(bias + i, n - i) : _mm256_setzero_ps();
    store_some(out + i, _mm256_fmadd_ps(y, load_some(weight + i, n - i), b), n - i);
  }
}

static void rope_half(float *x, const float *c, const float *s, size_t half) {
  size_t i = 0;
  for (; i + 8 <= half; i += 8) {
    __m256 a = _mm256_loadu_ps(x + i), b = _mm256_loadu_ps(x + half + i);
    __m256 cos = _mm256_loadu_ps(c + i), sin = _mm256_loadu_ps(s + i);
    _mm256_storeu_ps(x + i, _mm256_fmsub_ps(a, cos, _mm256_mul_ps(b, sin)));
    _mm256_storeu_ps(x + half + i, _mm256_fmadd_ps(b, cos, _mm256_mul_ps(a, sin)));
  }
  for (; i < half; i++) {
    float a = x[i], b = x[half + i];
    x[i] = a * c[i] - b * s[i];
    x[half + i] = b * c[i] + a * s[i];
  }
}

static void rope_pairs(float *x, const float *c, const float *s, size_t half) {
  const __m256i twice = _mm256_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3);
  size_t i = 0;
  for (; i + 4 <= half; i += 4) {
    __m256 cos = _mm256_permutevar8x32_ps(_mm256_castps128_ps256(_mm_loadu_ps(c + i)), twice);
    __m256 sin = _mm256_permutevar8x32_ps(_mm256_castps128_ps256(_mm_loadu_ps(s + i)), twice);
    __m256 v = _mm256_loadu_ps(x + 2 * i), swapped = _mm256_permute_ps(v, 0xB1);
    /* even lanes a c - b s, odd lanes b c + a s */
    _mm256_storeu_ps(x + 2 * i, _mm256_fmaddsub_ps(v, cos, _mm256_mul_ps(swapped, sin)));
  }
  for (; i < half; i++) {
    float a = x[2 * i], b = x[2 * i + 1];
    x[2 * i] = a * c[i] - b * s[i];
    x[2 * i + 1] = b * c[i] + a * s[i];
  }
}

static float max_value(const float *x, size_t n) {
  __m256 most = _mm256_set1_ps(-INFINITY);
  size_t i = 0;
  for (; i + 8 <= n; i += 8) most = _mm256_max_ps(_mm256_loadu_ps(x + i), most);
  __m128 four = _mm_max_ps(_mm256_castps256_ps128(most), _mm256_extractf128_ps(most, 1));
  four = _mm_max_ps(four, _mm_movehl_ps(four, four));
  float result = _mm_cvtss_f32(_mm_max_ss(four, _mm_movehdup_ps(four)));
  for (; i < n; i++) result = x[i] > result ? x[i] : result;
  return result;
}

static float exp_sum(float *x, float max, size_t n) {
  __m256 sum = _mm256_setzero_ps(), most = _mm256_set1_ps(max);
  size_t i = 0;
  for (; i + 8 <= n; i += 8) {
    __m256 e = vec256_exp(_mm256_sub_ps(_mm256_loadu_ps(x + i), most));
    _mm256_storeu_ps(x + i, e);
    sum = _mm256_add_ps(sum, e);
  }
  if (i < n) {
    __m256i mask = vec256_tail(n - i);
    __m256 e = vec256_exp(_mm256_sub_ps(load_tail(x + i, n - i), most));
    _mm256_maskstore_ps(x + i, mask, e);
    sum = _mm256_add_ps(sum, _mm256_and_ps(e, _mm256_castsi256_ps(mask)));
  }
  return vec256_sum(sum);
}

AM_INLINE __m256 silu(__m256 gate, __m256 up) {
  __m256 e = vec256_exp(_mm256_sub_ps(_mm256_setzero_ps(), gate));
  return _mm256_mul_ps(_mm256_div_ps(gate, _mm256_add_ps(_mm256_set1_ps(1.0f), e)), up);
}

static void silu_mul(float *out, const float *gate, const float *up, size_t n) {
  size_t i = 0;
  for (; i + 8 <= n; i += 8)
    _mm256_storeu_ps(out + i, silu(_mm256_loadu_ps(gate + i), _mm256_loadu_ps(up + i)));
  if (i < n)
    _mm256_maskstore_ps(out + i, vec256_tail(n - i),
                        silu(load_tail(gate + i, n - i), load_tail(up + i, n - i)));
}

/* x / (1 + e^(-2u)), u = sqrt(2 / pi) (x + 0.044715 x^3) */
AM_INLINE __m256 gelu(__m256 x) {
  __m256 cube = _mm256_mul_ps(_mm256_mul_ps(x, x), x);
  __m256 u = _mm256_fmadd_ps(cube, _mm256_set1_ps(0.044715f), x);
  __m256 e = vec256_exp(_mm256_mul_ps(u, _mm256_set1_ps(-2 * 0.797884560802865356f)));
  return _mm256_div_ps(x, _mm256_add_ps(_mm256_set1_ps(1.0f), e));
}

static void gelu_mul(float *out, const float *gate, const float *up, size_t n) {
  for (size_t i = 0; i < n; i += 8)
    store_some(out + i, _mm256_mul_ps(gelu(load_some(gate + i, n - i)), load_some(up + i, n - i)), n - i);
}

static void gelu_tanh(float *x, size_t n) {
  for (size_t i = 0; i < n; i += 8) store_some(x + i, gelu(load_some(x + i, n - i)), n - i);
}

/* 1 + erf(z): N. Juffa's minimax polynomials for erf, below 0.928 and, as the logarithm of 1 - erf,
 * above; that one is used as it is where z is negative, so that nothing cancels. */
AM_INLINE __m256 one_plus_erf(__m256 z) {
  const __m256 one = _mm256_set1_ps(1.0f), sign = _mm256_set1_ps(-0.0f);
  __m256 t = _mm256_andnot_ps(sign, z), s = _mm256_mul_ps(z, z);
  __m256 r = _mm256_fmadd_ps(_mm256_set1_ps(-1.72853470e-5f), t, _mm256_set1_ps(3.83197126e-4f));
  __m256 u = _mm256_fmadd_ps(_mm256_set1_ps(-3.88396438e-3f), t, _mm256_set1_ps(2.42546219e-2f));
  r = _mm256_fmadd_ps(r, s, u);
  r = _mm256_fmadd_ps(r, t, _mm256_set1_ps(-1.06777877e-1f));
  r = _mm256_fmadd_ps(r, t, _mm256_set1_ps(-6.34846687e-1f));
  r = _mm256_fmadd_ps(r, t, _mm256_set1_ps(-1.28717512e-1f));
  __m256 rest = vec256_exp(_mm256_fmsub_ps(r, t, t)); /* 1 - erf(|z|) */
  __m256 large = _mm256_blendv_ps(_mm256_sub_ps(_mm256_set1_ps(2.0f), rest), rest, z);
  __m256 p = _mm256_set1_ps(-5.96761703e-4f);
  p = _mm256_fmadd_ps(p, s, _mm256_set1_ps(4.99119423e-3f));
  p = _mm256_fmadd_ps(p, s, _mm256_set1_ps(-2.67681349e-2f));
  p = _mm256_fmadd_ps(p, s, _mm256_set1_ps(1.12819925e-1f));
  p = _mm256_fmadd_ps(p, s, _mm256_set1_ps(-3.76125336e-1f));
  p = _mm256_fmadd_ps(p, s, _mm256_set1_ps(1.28379166e-1f));
  __m256 small = _mm256_add_ps(one, _mm256_fmadd_ps(p, z, z));
  return _mm256_blendv_ps(small, large, _mm256_cmp_ps(t, _mm256_set1_ps(0.927734375f), _CMP_GT_OQ));
}

static void gelu_erf(float *x, size_t n) {
  for (size_t i = 0; i < n; i += 8) {
    __m256 v = load_some(x + i, n - i);
    __m256 p = one_plus_erf(_mm256_mul_ps(v, _mm256_set1_ps(0.707106781186547524f)));
    store_some(x + i, _mm256_mul_ps(_mm256_mul_ps(_mm256_set1_ps(0.5f), v), p), n - i);
  }
}

/* Cephes' tanhf (S. Moshier): a polynomial below 0.625, 1 - 2 / (e^(2x) + 1) above. */
AM_INLINE __m256 tanh8(__m256 x) {
  const __m256 one = _mm256_set1_ps(1.0f), sign = _mm256_set1_ps(-0.0f);
  __m256 t = _mm256_andnot_ps(sign, x), z = _mm256_mul_ps(x, x);
  __m256 e = _mm256_add_ps(vec256_exp(_mm256_add_ps(t, t)), one);
  __m256 large = _mm256_sub_ps(one, _mm256_div_ps(_mm256_set1_ps(2.0f), e));
  large = _mm256_or_ps(large, _mm256_and_ps(sign, x));
  __m256 p = _mm256_set1_ps(-5.70498872745e-3f);
  p = _mm256_fmadd_ps(p, z, _mm256_set1_ps(2.06390887954e-2f));
  p = _mm256_fmadd_ps(p, z, _mm256_set1_ps(-5.37397155531e-2f));
  p = _mm256_fmadd_ps(p, z, _mm256_set1_ps(1.33314422036e-1f));
  p = _mm256_fmadd_ps(p, z, _mm256_set1_ps(-3.33332819422e-1f));
  __m256 small = _mm256_fmadd_ps(_mm256_mul_ps(p, z), x, x);
  return _mm256_blendv_ps(small, large, _mm256_cmp_ps(t, _mm256_set1_ps(0.625f), _CMP_GE_OQ));
}

static void softcap(float *x, float cap, size_t n) {
  __m256 c = _mm256_set1_ps(cap);
  for (size_t i = 0; i < n; i += 8)
    store_some(x + i, _mm256_mul_ps(c, tanh8(_mm256_div_ps(load_some(x + i, n - i), c))), n - i);
}

static void add(float *x, const float *y, size_t n) {
  size_t i = 0;
  for (; i + 8 <= n; i += 8)
    _mm256_storeu_ps(x + i, _mm256_add_ps(_mm256_loadu_ps(x + i), _mm256_loadu_ps(y + i)));
  for (; i < n; i++) x[i] += y[i];
}

static void scale(float *x, float factor, size_t n) {
  size_t i = 0;
  for (; i + 8 <= n; i += 8)
    _mm256_storeu_ps(x + i, _mm256_mul_ps(_mm256_loadu_ps(x + i), _mm256_set1_ps(factor)));
  for (; i < n; i++) x[i] *= factor;
}

void am_kernels_avx2_rows(am_kernels *k) {
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
