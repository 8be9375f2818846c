/* SPDX-License-Identifier: Apache-2.0 */
/* AVX-512: everything that is no matrix product. */
#include "kernels/blocks.h"
#include "kernels/kernels.h"
#include "kernels/x86/vec512.h"
#include <math.h>

static void store_f16(void *out, const float *x, size_t n) {
  uint16_t *half = out;
  size_t i = 0;
  for (; i + 16 <= n; i += 16)
    _mm256_storeu_si256((void *)(half + i),
                        _mm512_cvtps_ph(_mm512_loadu_ps(x + i), _MM_FROUND_TO_NEAREST_INT));
  if (i < n) {
    __mmask16 mask = vec512_tail(n - i);
    _mm256_mask_storeu_epi16(half + i, mask,
                             _mm512_cvtps_ph(_mm512_maskz_loadu_ps(mask, x + i), _MM_FROUND_TO_NEAREST_INT));
  }
}

static void rms_norm(float *out, const float *x, const float *weight, float eps, float weight_offset,
                     size_t n) {
  __m512 sum = _mm512_setzero_ps();
  size_t i = 0;
  for (; i + 16 <= n; i += 16) {
    __m512 v = _mm512_loadu_ps(x + i);
    sum = _mm512_fmadd_ps(v, v, sum);
  }
  __mmask16 mask = vec512_tail(n - i);
  __m512 last = _mm512_maskz_loadu_ps(mask, x + i);
  sum = _mm512_fmadd_ps(last, last, sum);
  __m512 factor = _mm512_set1_ps(1.0f / sqrtf(vec512_sum(sum) / (float)n + eps));
  __m512 offset = _mm512_set1_ps(weight_offset);
  last = _mm512_mul_ps(_mm512_mul_ps(last, factor),
                       _mm512_add_ps(offset, _mm512_maskz_loadu_ps(mask, weight + i)));
  _mm512_mask_storeu_ps(out + i, mask, last);
  for (i = 0; i + 16 <= n; i += 16)
    _mm512_storeu_ps(out + i, _mm512_mul_ps(_mm512_mul_ps(_mm512_loadu_ps(x + i), factor),
                                            _mm512_add_ps(offset, _mm512_loadu_ps(weight + i))));
}

static void rope_half(float *x, const float *c, const float *s, size_t half) {
  for (size_t i = 0; i < half; i += 16) {
    __mmask16 mask = half - i < 16 ? vec512_tail(half - i) : 0xFFFF;
    __m512 a = _mm512_maskz_loadu_ps(mask, x + i), b = _mm512_maskz_loadu_ps(mask, x + half + i);
    __m512 cos = _mm512_maskz_loadu_ps(mask, c + i), sin = _mm512_maskz_loadu_ps(mask, s + i);
    _mm512_mask_storeu_ps(x + i, mask, _mm512_fmsub_ps(a, cos, _mm512_mul_ps(b, sin)));
    _mm512_mask_storeu_ps(x + half + i, mask, _mm512_fmadd_ps(b, cos, _mm512_mul_ps(a, sin)));
  }
}

static void rope_pairs(float *x, const float *c, const float *s, size_t half) {
  const __m512i twice = _mm512_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7);
  for (size_t i = 0; i < half; i += 8) {
    size_t n = half - i < 8 ? half - i : 8;
    __mmask16 mask = n < 8 ? vec512_tail(2 * n) : 0xFFFF, mask_half = vec512_tail(n);
    __m512 cos = _mm512_permutexvar_ps(twice, _mm512_maskz_loadu_ps(mask_half, c + i));
    __m512 sin = _mm512_permutexvar_ps(twice, _mm512_maskz_loadu_ps(mask_half, s + i));
    __m512 v = _mm512_maskz_loadu_ps(mask, x + 2 * i), swapped = _mm512_permute_ps(v, 0xB1);
    /* even lanes a c - b s, odd lanes b c + a s */
    _mm512_mask_storeu_ps(x + 2 * i, mask, _mm512_fmaddsub_ps(v, cos, _mm512_mul_ps(swapped, sin)));
  }
}

static float max_value(const float *x, size_t n) {
  __m512 most = _mm512_set1_ps(-INFINITY);
  size_t i = 0;
  for (; i + 16 <= n; i += 16) most = _mm512_max_ps(_mm512_loadu_ps(x + i), most);
  if (i < n) {
    __mmask16 mask = vec512_tail(n - i);
    most = _mm512_mask_max_ps(most, mask, _mm512_maskz_loadu_ps(mask, x + i), most);
  }
  return _mm512_reduce_max_ps(most);
}

static float exp_sum(float *x, float max, size_t n) {
  __m512 sum = _mm512_setzero_ps(), least = _mm512_set1_ps(max);
  size_t i = 0;
  for (; i + 16 <= n; i += 16) {
    __m512 e = vec512_exp(_mm512_sub_ps(_mm512_loadu_ps(x + i), least));
    _mm512_storeu_ps(x + i, e);
    sum = _mm512_add_ps(sum, e);
  }
  if (i < n) {
    __mmask16 mask = vec512_tail(n - i);
    __m512 e = vec512_exp(_mm512_sub_ps(_mm512_maskz_loadu_ps(mask, x + i), least));
    _mm512_mask_storeu_ps(x + i, mask, e);
    sum = _mm512_mask_add_ps(sum, mask, sum, e);
  }
  return vec512_sum(sum);
}

AM_INLINE __m512 silu(__m512 gate, __m512 up) {
  __m512 e = vec512_exp(_mm512_sub_ps(_mm512_setzero_ps(), gate));
  return _mm512_mul_ps(_mm512_div_ps(gate, _mm512_add_ps(_mm512_set1_ps(1.0f), e)), up);
}

static void silu_mul(float *out, const float *gate, const float *up, size_t n) {
  size_t i = 0;
  for (; i + 16 <= n; i += 16)
    _mm512_storeu_ps(out + i, silu(_mm512_loadu_ps(gate + i), _mm512_loadu_ps(up + i)));
  if (i < n) {
    __mmask16 mask = vec512_tail(n - i);
    _mm512_mask_storeu_ps(out + i, mask,
                          silu(_mm512_maskz_loadu_ps(mask, gate + i), _mm512_maskz_loadu_ps(mask, up + i)));
  }
}

static void add(float *x, const float *y, size_t n) {
  size_t i = 0;
  for (; i + 16 <= n; i += 16)
    _mm512_storeu_ps(x + i, _mm512_add_ps(_mm512_loadu_ps(x + i), _mm512_loadu_ps(y + i)));
  for (; i < n; i++) x[i] += y[i];
}

static void scale(float *x, float factor, size_t n) {
  size_t i = 0;
  for (; i + 16 <= n; i += 16)
    _mm512_storeu_ps(x + i, _mm512_mul_ps(_mm512_loadu_ps(x + i), _mm512_set1_ps(factor)));
  for (; i < n; i++) x[i] *= factor;
}

/* Greatest magnitude -> d and the factor to -127..127, as c/quants.c has it. */
AM_INLINE float block_scale(uint32_t most, float *factor) {
  const float tiny_value = 1e-30f;
  uint32_t tiny, not_a_number = 0x7FC00000u;
  float magnitude, result = 0;
  memcpy(&tiny, &tiny_value, sizeof tiny);
  memcpy(&magnitude, &most, sizeof magnitude);
  *factor = 0;
  if (most >= 0x7F800000u) {
    memcpy(&result, &not_a_number, sizeof result);
  } else if (most >= tiny) {
    *factor = 127.0f / magnitude;
    result = magnitude / 127.0f;
  }
  return result;
}

AM_INLINE __m512i magnitude(__m512 v) {
  return _mm512_and_si512(_mm512_castps_si512(v), _mm512_set1_epi32(0x7FFFFFFF));
}

/* 16 values to bytes; all 0 for a factor of 0, where a value may be NaN. */
AM_INLINE __m128i to_bytes(__m512 v, float factor, __m512i *sum) {
  __mmask16 any = factor == 0 ? 0 : 0xFFFF;
  __m512i q = _mm512_maskz_cvtps_epi32(any, _mm512_mul_ps(v, _mm512_set1_ps(factor)));
  *sum = _mm512_add_epi32(*sum, q);
  return _mm512_cvtepi32_epi8(q);
}

static void quantize_q8(void *out, const float *x, size_t n) {
  am_x8_group *g = out;
  /* Words of four blocks in natural order -> interleaved (am_x8_at). */
  const __m512i first = _mm512_setr_epi32(0, 8, 1, 9, 16, 24, 17, 25, 2, 10, 3, 11, 18, 26, 19, 27);
  const __m512i second = _mm512_add_epi32(first, _mm512_set1_epi32(4));
  for (size_t block = 0; block < n / 32; block += 4, g++) {
    __m256i bytes[4];
    for (uint32_t b = 0; b < 4; b++) {
      uint32_t at = am_x8_scale_at(b);
      bytes[b] = _mm256_setzero_si256();
      g->d[at] = g->d[at + 2] = g->s[at] = g->s[at + 2] = 0;
      if (block + b >= n / 32) continue;
      __m512 low = _mm512_loadu_ps(x + 32 * (block + b)), high = _mm512_loadu_ps(x + 32 * (block + b) + 16);
      float factor;
      float d =
          block_scale(_mm512_reduce_max_epu32(_mm512_max_epu32(magnitude(low), magnitude(high))), &factor);
      __m512i sum = _mm512_setzero_si512();
      __m128i a = to_bytes(low, factor, &sum);
      bytes[b] = _mm256_inserti128_si256(_mm256_castsi128_si256(a), to_bytes(high, factor, &sum), 1);
      g->d[at] = g->d[at + 2] = d;
      g->s[at] = d * (float)_mm512_reduce_add_epi32(sum);
    }
    __m512i b01 = _mm512_inserti64x4(_mm512_castsi256_si512(bytes[0]), bytes[1], 1);
    __m512i b23 = _mm512_inserti64x4(_mm512_castsi256_si512(bytes[2]), bytes[3], 1);
    _mm512_storeu_si512(g->q, _mm512_permutex2var_epi32(b01, first, b23));
    _mm512_storeu_si512(g->q + 64, _mm512_permutex2var_epi32(b01, second, b23));
  }
}

static void quantize_q8k(void *out, const float *x, size_t n) {
  am_x256_block *b = out;
  for (size_t i = 0; i < n / 256; i++, x += 256) {
    __m512i most = _mm512_setzero_si512();
    for (int j = 0; j < 256; j += 16) most = _mm512_max_epu32(most, magnitude(_mm512_loadu_ps(x + j)));
    float factor;
    b[i].d = block_scale(_mm512_reduce_max_epu32(most), &factor);
    for (int j = 0; j < 16; j++) {
      __m512i sum = _mm512_setzero_si512();
      _mm_storeu_si128((void *)(b[i].q + 16 * j), to_bytes(_mm512_loadu_ps(x + 16 * j), factor, &sum));
      b[i].sums[j] = (int16_t)_mm512_reduce_add_epi32(sum);
    }
    memset(b[i].zero, 0, sizeof b[i].zero);
  }
}

void am_kernels_avx512_rows(am_kernels *k) {
  k->store[AM_DTYPE_F16] = store_f16;
  k->rms_norm = rms_norm;
  k->rope_half = rope_half;
  k->rope_pairs = rope_pairs;
  k->max = max_value;
  k->exp_sum = exp_sum;
  k->silu_mul = silu_mul;
  k->add = add;
  k->scale = scale;
  k->quantize[AM_X_Q8] = quantize_q8;
  k->quantize[AM_X_Q8K] = quantize_q8k;
}
