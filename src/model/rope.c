/* SPDX-License-Identifier: Apache-2.0 */
/* Frequencies of rotary position embedding (Su et al., "RoFormer", 2021), as transformers'
 * modeling_rope_utils computes them. */
#include "base/error.h"
#include "base/mem.h"
#include "model/family.h"

#include <math.h>
#include <string.h>

/* Llama 3.1: long waves are stretched by `factor`, short ones kept, those between blended. float32
 * like the reference: at position 40,000 one unit in the last place is a thousandth of a radian. */
static float llama3_frequency(float frequency, const am_config *c) {
  float low = (float)c->rope.low_freq_factor, high = (float)c->rope.high_freq_factor;
  float factor = (float)c->rope.factor, original = (float)c->rope.original_ctx;
  float wave = (float)(2 * 3.14159265358979323846) / frequency;
  if (wave > original / low) return frequency / factor;
  if (wave < original / high) return frequency;
  float smooth = (original / wave - low) / (high - low);
  return (1 - smooth) * frequency / factor + smooth * frequency;
}

static adam_status divide_by_factors(am_model *model, const am_loader *loader, adam_error *error) {
  const am_tensor *factors = NULL;
  uint32_t half = model->config.head_dim / 2;
  adam_status status = am_loader_role(loader, "rope_freqs", 0, &factors, error);
  if (status || !factors) return status;
  if (factors->dtype != AM_DTYPE_F32 || factors->n_bytes != half * sizeof(float))
    return am_fail(error, ADAM_DAMAGED, am_loader_path(loader), NULL,
                   "tensor %s has %llu bytes, expected %u f32 frequency factors", factors->name,
                   (unsigned long long)factors->n_bytes, half);
  for (uint32_t i = 0; i < half; i++) {
    float factor;
    memcpy(&factor, (const char *)factors->data + i * sizeof factor, sizeof factor);
    if (!(fabsf(factor) >= 1e-6f && fabsf(factor) <= 1e9f))
      return am_fail(error, ADAM_DAMAGED, am_loader_path(loader), NULL, "tensor %s: factor %u is %g",
                     factors->name, i, (double)factor);
    model->rope_memory[i] /= factor;
  }
  return ADAM_OK;
}

adam_status am_rope_open(am_model *model, const am_loader *loader, adam_error *error) {
  const am_config *c = &model->config;
  uint32_t half = c->head_dim / 2;
  model->rope_memory = am_mem_zalloc(half, sizeof *model->rope_memory);
  if (!model->rope_memory) return am_fail_memory(error, "model");
  for (uint32_t i = 0; i < half; i++) {
    float power = powf((float)c->rope.theta, (float)(2 * i) / (float)c->head_dim);
    float frequency = 1.0f / power;
    if (c->rope.scaling == AM_ROPE_LINEAR) frequency /= (float)c->rope.factor;
    if (c->rope.scaling == AM_ROPE_LLAMA3) frequency = llama3_frequency(frequency, c);
    model->rope_memory[i] = frequency;
  }
  model->rope = (am_rope){.inv_freq = model->rope_memory,
                          .scale = 1,
                          .n_rot = c->head_dim,
                          .interleaved = c->rope.style == AM_ROPE_PAIRS};
  return divide_by_factors(model, loader, error);
}
