/* SPDX-License-Identifier: Apache-2.0 */
/* The rope part of a config on the way out: llama.cpp's keys and tensors, transformers' rope_scaling. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "arch/pairs.h"
#include "base/error.h"

#define PI 3.14159265358979323846

static uint32_t n_dims(const am_config *c) { return c->rope.n_dims ? c->rope.n_dims : c->head_dim; }

/* What cos and sin are multiplied with under YaRN or longrope. */
static double attention_scaling(const am_config *c) {
  double factor = c->rope.factor, own = factor > 1 ? 0.1 * log(factor) + 1 : 1;
  if (c->rope.attention_factor > 0) return c->rope.attention_factor;
  if (c->rope.scaling == AM_ROPE_LONGROPE)
    return factor > 1 && c->rope.original_ctx > 1 ? sqrt(1 + log(factor) / log((double)c->rope.original_ctx)) : 1;
  if (c->rope.mscale > 0 && c->rope.mscale_all_dim > 0 && factor > 1)
    return (0.1 * c->rope.mscale * log(factor) + 1) / (0.1 * c->rope.mscale_all_dim * log(factor) + 1);
  return own;
}

/* llama.cpp multiplies its own 0.1 ln(factor) + 1 with the key's. */
static adam_status yarn_to_gguf(const am_config *c, am_pairs *p, adam_error *error) {
  double own = c->rope.factor > 1 ? 0.1 * log(c->rope.factor) + 1 : 1, rest = attention_scaling(c) / own;
  if (c->rope.no_truncate)
    return am_fail(error, ADAM_UNSUPPORTED, "rope_scaling", NULL,
                   "YaRN whose bounds are not rounded (truncate is false) has no words in GGUF");
  am_pairs_string(p, "rope.scaling.type", "yarn");
  am_pairs_real(p, "rope.scaling.factor", c->rope.factor);
  am_pairs_u32(p, "rope.scaling.original_context_length", c->rope.original_ctx);
  if (fabs(rest - 1) > 1e-6) am_pairs_real(p, "rope.scaling.attn_factor", rest);
  if (c->rope.beta_fast != 32) am_pairs_real(p, "rope.scaling.yarn_beta_fast", c->rope.beta_fast);
  if (c->rope.beta_slow != 1) am_pairs_real(p, "rope.scaling.yarn_beta_slow", c->rope.beta_slow);
  return ADAM_OK;
}

adam_status am_rope_to_gguf(const am_config *c, am_pairs *p, adam_error *error) {
  am_pairs_real(p, "rope.freq_base", c->rope.theta);
  switch (c->rope.scaling) {
    case AM_ROPE_NONE:
      return ADAM_OK;
    case AM_ROPE_LINEAR:
      am_pairs_string(p, "rope.scaling.type", "linear");
      am_pairs_real(p, "rope.scaling.factor", c->rope.factor);
      return ADAM_OK;
    case AM_ROPE_YARN:
      return yarn_to_gguf(c, p, error);
    case AM_ROPE_DYNAMIC:
      am_pairs_notice(p, "dynamic rope has no words in GGUF: beyond the trained context answers will differ");
      return ADAM_OK;
    case AM_ROPE_LLAMA3:
    case AM_ROPE_FACTORS:
      if (am_arch_role(c->arch, "rope_freqs")) return ADAM_OK; /* a tensor */
      break;
    case AM_ROPE_LONGROPE:
      if (!am_arch_role(c->arch, "rope_factors_long")) break;
      am_pairs_u32(p, "rope.scaling.original_context_length", c->rope.original_ctx);
      am_pairs_real(p, "rope.scaling.attn_factor", attention_scaling(c));
      return ADAM_OK;
  }
  return am_fail(error, ADAM_UNSUPPORTED, "rope_scaling", NULL,
                 "%s models with this rope scaling have no form in GGUF", c->arch->name);
}

/* Frequency i is divided by this. */
static double llama3_divisor(const am_config *c, uint32_t i) {
  float power = powf((float)c->rope.theta, (float)(2 * i) / (float)n_dims(c)), frequency = 1.0f / power;
  float low = (float)c->rope.low_freq_factor, high = (float)c->rope.high_freq_factor;
  float factor = (float)c->rope.factor, original = (float)c->rope.original_ctx;
  float wave = (float)(2 * PI) / frequency;
  if (wave > original / low) return factor;
  if (wave < original / high) return 1;
  double smooth = (original / wave - low) / (high - low);
  return 1 / ((1 - smooth) / factor + smooth);
}

void am_rope_computed(const am_config *c, const char *field, float out[AM_ARCH_MOST_FACTORS], uint32_t *n) {
  *n = 0;
  if (strcmp(field, "rope_freqs") == 0 && c->rope.scaling == AM_ROPE_LLAMA3 &&
      n_dims(c) / 2 <= AM_ARCH_MOST_FACTORS) {
    *n = (n_dims(c) + 1) / 2;
    for (uint32_t i = 0; i < *n; i++) out[i] = (float)llama3_divisor(c, i);
  }
  bool is_short = strcmp(field, "rope_factors_short") == 0, is_long = strcmp(field, "rope_factors_long") == 0;
  if (c->rope.scaling == AM_ROPE_LONGROPE && (is_short || is_long)) {
    *n = c->rope.n_factors;
    memcpy(out, is_short ? c->rope.short_factor : c->rope.long_factor, *n * sizeof *out);
  }
}

/* The divisors of c's parameters are these, to float32's rounding. */
static bool fits(const am_config *c, const float *divisors, uint32_t n) {
  for (uint32_t i = 0; i < n; i++)
    if (!(fabs(llama3_divisor(c, i) - (double)divisors[i]) <= 2e-5 * fabs((double)divisors[i]))) return false;
  return true;
}

/* The nearest number of few decimals, where it is very near. */
static double tidy(double x) {
  double rounded = round(x * 1000) / 1000;
  return fabs(rounded - x) <= 1e-4 * fabs(x) ? rounded : x;
}

/* Turns of frequency i in one token, in double. */
static double turns(const am_config *c, uint32_t i) {
  return pow(c->rope.theta, -2.0 * i / n_dims(c)) / (2 * PI);
}

/* llama3's smooth = (original turns - low) / (high - low) is linear in turns, and only the ratios of original,
 * low and high count. So two blended frequencies give all; with one, high is taken as 4 low (as released
 * models have it); with none, the bounds are put at the frequencies beside the step. */
adam_status am_rope_fit_llama3(am_config *c, const float *divisors, uint32_t n, const char *path,
                               adam_error *error) {
  double factor = 1, t[2] = {0}, s[2] = {0}, slowest_kept = 0, fastest_stretched = 0;
  uint32_t n_blended = 0;
  for (uint32_t i = 0; i < n; i++)
    if (divisors[i] > factor) factor = divisors[i];
  for (uint32_t i = 0; i < n; i++) {
    double d = divisors[i];
    if (d <= 1) {
      slowest_kept = turns(c, i);
    } else if (d >= factor) {
      if (fastest_stretched == 0) fastest_stretched = turns(c, i);
    } else {
      t[n_blended > 0] = turns(c, i);
      s[n_blended > 0] = (1 / d - 1 / factor) / (1 - 1 / factor);
      n_blended++;
    }
  }
  double low = 1, high = 4, original = 1;
  if (n_blended >= 2) {
    double slope = (s[0] - s[1]) / (t[0] - t[1]), offset = slope * t[0] - s[0]; /* original, low over high - low */
    if (offset > 0) {
      high = 1 + 1 / offset;
      original = slope / offset;
    }
  } else if (n_blended == 1) {
    original = (3 * s[0] + 1) / t[0];
  } else if (fastest_stretched > 0 && slowest_kept > 0) {
    original = 0.999 / fastest_stretched;
    high = original * slowest_kept * 0.999;
  } else if (fastest_stretched > 0) {
    original = 0.5 / fastest_stretched;
  } else if (slowest_kept > 0) {
    original = 8 / slowest_kept;
  }
  /* original is a whole number, and the trained one where models say it: 8192. */
  am_config made = *c;
  made.rope.scaling = AM_ROPE_LLAMA3;
  made.rope.factor = tidy(factor);
  made.rope.original_ctx = 8192;
  made.rope.low_freq_factor = tidy(low * 8192 / original);
  made.rope.high_freq_factor = tidy(high * 8192 / original);
  if (!(made.rope.high_freq_factor > made.rope.low_freq_factor && made.rope.low_freq_factor > 0) ||
      !fits(&made, divisors, n))
    return am_fail(error, ADAM_UNSUPPORTED, path, NULL,
                   "the frequencies of rope_freqs.weight are not those of a llama3 rope scaling");
  *c = made;
  return ADAM_OK;
}

static void scaled(am_pairs *p, const char *type, double factor) {
  am_pairs_string(p, "rope_scaling.rope_type", type);
  am_pairs_real(p, "rope_scaling.factor", factor);
}

adam_status am_rope_to_hf(const am_config *c, am_pairs *p, adam_error *error) {
  const char *original = "rope_scaling.original_max_position_embeddings";
  am_pairs_real(p, "rope_theta", c->rope.theta);
  if (n_dims(c) != c->head_dim) am_pairs_real(p, "partial_rotary_factor", (double)n_dims(c) / c->head_dim);
  switch (c->rope.scaling) {
    case AM_ROPE_NONE:
      am_pairs_null(p, "rope_scaling");
      return ADAM_OK;
    case AM_ROPE_LINEAR:
      scaled(p, "linear", c->rope.factor);
      return ADAM_OK;
    case AM_ROPE_DYNAMIC:
      scaled(p, "dynamic", c->rope.factor);
      return ADAM_OK;
    case AM_ROPE_YARN:
      scaled(p, "yarn", c->rope.factor);
      am_pairs_u32(p, original, c->rope.original_ctx);
      am_pairs_real(p, "rope_scaling.attention_factor", attention_scaling(c));
      am_pairs_real(p, "rope_scaling.beta_fast", c->rope.beta_fast);
      am_pairs_real(p, "rope_scaling.beta_slow", c->rope.beta_slow);
      return ADAM_OK;
    case AM_ROPE_LLAMA3:
      scaled(p, "llama3", c->rope.factor);
      am_pairs_u32(p, original, c->rope.original_ctx);
      am_pairs_real(p, "rope_scaling.low_freq_factor", c->rope.low_freq_factor);
      am_pairs_real(p, "rope_scaling.high_freq_factor", c->rope.high_freq_factor);
      return ADAM_OK;
    case AM_ROPE_LONGROPE:
      am_pairs_string(p, "rope_scaling.rope_type", "longrope");
      am_pairs_string(p, "rope_scaling.type", "longrope");
      am_pairs_reals(p, "rope_scaling.short_factor", c->rope.short_factor, c->rope.n_factors);
      am_pairs_reals(p, "rope_scaling.long_factor", c->rope.long_factor, c->rope.n_factors);
      am_pairs_real(p, "rope_scaling.attention_factor", attention_scaling(c));
      am_pairs_u32(p, "original_max_position_embeddings", c->rope.original_ctx);
      return ADAM_OK;
    case AM_ROPE_FACTORS:
      break;
  }
  return am_fail(error, ADAM_UNSUPPORTED, "rope_freqs.weight", NULL, "it has no form in config.json");
}
