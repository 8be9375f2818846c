/* SPDX-License-Identifier: Apache-2.0 */
/* Frequencies of rotary position embedding (Su et al., "RoFormer", 2021) and of its extensions, as
 * transformers' modeling_rope_utils computes them: in float32, as at position 40,000 one unit in the last
 * place is a thousandth of a radian. */
#include "base/error.h"
#include "base/mem.h"
#include "model/family.h"

#include <math.h>
#include <string.h>

#define PI 3.14159265358979323846

/* Llama 3.1: long waves are stretched by `factor`, short ones kept, those between blended. */
static float llama3_frequency(float frequency, const am_config *c) {
  float low = (float)c->rope.low_freq_factor, high = (float)c->rope.high_freq_factor;
  float factor = (float)c->rope.factor, original = (float)c->rope.original_ctx;
  float wave = (float)(2 * PI) / frequency;
  if (wave > original / low) return frequency / factor;
  if (wave < original / high) return frequency;
  float smooth = (original / wave - low) / (high - low);
  return (1 - smooth) * frequency / factor + smooth * frequency;
}

/* YaRN (Peng et al., 2023): the dimension whose wave turns n times in the original context. */
static double yarn_dimension(double n, const am_config *c, uint32_t n_dims) {
  return n_dims * log(c->rope.original_ctx / (n * 2 * PI)) / (2 * log(c->rope.theta));
}

/* Waves that turn often are kept, those that hardly turn are stretched by `factor`, a ramp between. */
static float yarn_frequency(float power, uint32_t i, const am_config *c, uint32_t n_dims) {
  double low = yarn_dimension(c->rope.beta_fast, c, n_dims);
  double high = yarn_dimension(c->rope.beta_slow, c, n_dims);
  if (!c->rope.no_truncate) {
    low = floor(low);
    high = ceil(high);
  }
  if (low < 0) low = 0;
  if (high > n_dims - 1) high = n_dims - 1;
  if (low == high) high += 0.001;
  float ramp = ((float)i - (float)low) / (float)(high - low);
  ramp = ramp < 0 ? 0 : ramp > 1 ? 1 : ramp;
  float kept = 1.0f / power, stretched = 1.0f / ((float)c->rope.factor * power), keep = 1.0f - ramp;
  return stretched * (1.0f - keep) + kept * keep;
}

static double mscale(double factor, double by) { return factor <= 1 ? 1 : 0.1 * by * log(factor) + 1; }

/* What cos and sin are multiplied with. */
static double attention_scaling(const am_config *c) {
  double factor = c->rope.factor;
  if (c->rope.scaling != AM_ROPE_YARN && c->rope.scaling != AM_ROPE_LONGROPE) return 1;
  if (c->rope.attention_factor > 0) return c->rope.attention_factor;
  if (c->rope.scaling == AM_ROPE_LONGROPE)
    return factor <= 1 ? 1 : sqrt(1 + log(factor) / log((double)c->rope.original_ctx));
  if (c->rope.mscale > 0 && c->rope.mscale_all_dim > 0)
    return mscale(factor, c->rope.mscale) / mscale(factor, c->rope.mscale_all_dim);
  return mscale(factor, 1);
}

/* n divisors of frequencies that a file gives as a tensor. */
static adam_status divide_by_tensor(const am_loader *loader, const char *role, float *frequencies, uint32_t n,
                                    adam_error *error) {
  const am_tensor *factors = NULL;
  adam_status status = am_loader_role(loader, role, 0, &factors, error);
  if (status || !factors) return status;
  if (factors->dtype != AM_DTYPE_F32 || factors->n_bytes != n * sizeof(float))
    return am_fail(error, ADAM_DAMAGED, am_loader_path(loader), NULL,
                   "tensor %s has %llu bytes, expected %u f32 frequency factors", factors->name,
                   (unsigned long long)factors->n_bytes, n);
  for (uint32_t i = 0; i < n; i++) {
    float factor;
    memcpy(&factor, (const char *)factors->data + i * sizeof factor, sizeof factor);
    if (!(fabsf(factor) >= 1e-6f && fabsf(factor) <= 1e9f))
      return am_fail(error, ADAM_DAMAGED, am_loader_path(loader), NULL, "tensor %s: factor %u is %g",
                     factors->name, i, (double)factor);
    frequencies[i] /= factor;
  }
  return ADAM_OK;
}

static float base_power(const am_config *c, uint32_t i, uint32_t n_dims) {
  return powf((float)c->rope.theta, (float)(2 * i) / (float)n_dims);
}

/* Longrope (Ding et al., 2024): two sets of divisors, from the config or from tensors. */
static adam_status open_longrope(am_model *model, const am_loader *loader, uint32_t n_dims,
                                 adam_error *error) {
  const am_config *c = &model->config;
  uint32_t half = (n_dims + 1) / 2;
  float *short_set = model->rope_memory, *long_set = short_set + half;
  if (c->rope.original_ctx == 0)
    return am_fail(error, ADAM_DAMAGED, am_loader_path(loader), NULL,
                   "longrope without the context that it was trained for");
  model->rope.inv_freq_long = long_set;
  model->rope.switch_length = c->rope.original_ctx;
  for (uint32_t i = 0; i < half; i++) {
    float power = base_power(c, i, n_dims);
    short_set[i] = 1.0f / (c->rope.n_factors ? c->rope.short_factor[i] * power : power);
    long_set[i] = 1.0f / (c->rope.n_factors ? c->rope.long_factor[i] * power : power);
  }
  if (c->rope.n_factors > 0) return ADAM_OK;
  adam_status status = divide_by_tensor(loader, "rope_factors_short", short_set, half, error);
  return status ? status : divide_by_tensor(loader, "rope_factors_long", long_set, half, error);
}

adam_status am_rope_open(am_model *model, const am_loader *loader, adam_error *error) {
  const am_config *c = &model->config;
  uint32_t n_dims = c->rope.n_dims ? c->rope.n_dims : c->head_dim, half = (n_dims + 1) / 2;
  if (c->rope.theta == 0) return ADAM_OK; /* a family without rope */
  model->rope_memory = am_mem_zalloc((size_t)half * 2, sizeof *model->rope_memory);
  if (!model->rope_memory) return am_fail_memory(error, "model");
  float scale = (float)attention_scaling(c);
  model->rope = (am_rope){.inv_freq = model->rope_memory,
                          .scale = scale,
                          .scale_long = scale,
                          .n_rot = 2 * half,
                          .interleaved = c->rope.style == AM_ROPE_PAIRS};
  if (c->rope.scaling == AM_ROPE_LONGROPE) return open_longrope(model, loader, n_dims, error);
  if (c->rope.scaling == AM_ROPE_DYNAMIC) {
    model->rope.switch_length = c->n_ctx_train;
    model->rope.dynamic_factor = c->rope.factor;
    model->rope.dynamic_theta = c->rope.theta;
  }
  for (uint32_t i = 0; i < half; i++) {
    float power = base_power(c, i, n_dims), frequency = 1.0f / power;
    if (c->rope.scaling == AM_ROPE_LINEAR) frequency /= (float)c->rope.factor;
    if (c->rope.scaling == AM_ROPE_LLAMA3) frequency = llama3_frequency(frequency, c);
    if (c->rope.scaling == AM_ROPE_YARN) frequency = yarn_frequency(power, i, c, n_dims);
    model->rope_memory[i] = frequency;
  }
  return divide_by_tensor(loader, "rope_freqs", model->rope_memory, half, error);
}

adam_status am_model_extend(am_model *model, const am_loader *loader, adam_error *error) {
  float *before = model->rope_memory; /* am_rope_open takes other memory, or none */
  model->rope_memory = NULL;
  am_arch_extend(&model->config);
  adam_status status = am_rope_open(model, loader, error);
  am_mem_free(before);
  return status;
}

bool am_model_same_rope(const am_model *model, uint64_t length, uint64_t other) {
  const am_rope *rope = &model->rope;
  bool beyond = length > rope->switch_length, other_beyond = other > rope->switch_length;
  if (!rope->inv_freq_long && rope->dynamic_factor == 0) return true;
  return am_model_restart_length(model) > 0 ? beyond == other_beyond : !beyond && !other_beyond;
}

uint64_t am_model_restart_length(const am_model *model) {
  return model->config.rope.restarts && model->rope.inv_freq_long ? model->rope.switch_length : 0;
}
