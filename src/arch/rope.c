/* SPDX-License-Identifier: Apache-2.0 */
/* The rope part of a config: transformers' two dialects (rope_theta and rope_scaling; rope_parameters), and
 * llama.cpp's keys. The precedence is that of transformers 5.23's modeling_rope_utils. */
#include "arch/decoder.h"

#include <math.h>
#include <string.h>

#define DEFAULT_THETA 10000.0 /* of these families in transformers and in llama.cpp */
#define QWEN3_FACTOR 4.0      /* Qwen's documented recipe for 131,072 tokens */
enum { MOST_CTX = 0x7FFFFFFF, QWEN3_NATIVE_CTX = 40960, QWEN3_ORIGINAL_CTX = 32768, QWEN3_LONG_WIDTH = 4096 };

static adam_status check_rope_type(const am_keys *keys, const char *type, am_rope_scaling *out) {
  static const struct {
    const char *name;
    am_rope_scaling scaling;
  } known[] = {{"default", AM_ROPE_NONE}, {"linear", AM_ROPE_LINEAR},     {"dynamic", AM_ROPE_DYNAMIC},
               {"yarn", AM_ROPE_YARN},    {"longrope", AM_ROPE_LONGROPE}, {"su", AM_ROPE_LONGROPE},
               {"llama3", AM_ROPE_LLAMA3}};
  for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
    if (strcmp(known[i].name, type) != 0) continue;
    *out = known[i].scaling;
    /* Phi-3 checkpoints of before the names were settled call it "yarn" or "su". */
    if (*out == AM_ROPE_YARN && am_keys_get(keys, "long_factor")) *out = AM_ROPE_LONGROPE;
    return ADAM_OK;
  }
  return am_keys_unsupported(keys, "rope_type", type);
}

/* head_dim * partial, rounded down as int() does it. */
static adam_status set_dims(const am_keys *keys, am_config *c) {
  if (c->rope.partial == 0) c->rope.partial = 1;
  c->rope.n_dims = (uint32_t)(c->head_dim * c->rope.partial);
  if (c->rope.n_dims >= 2) return ADAM_OK;
  return am_fail(keys->error, ADAM_DAMAGED, keys->path, NULL,
                 "partial_rotary_factor is %g: nothing of a head of %u is rotated", c->rope.partial,
                 c->head_dim);
}

static adam_status read_factors(const am_keys *keys, const char *key, uint32_t n, float *out) {
  const am_json *list = am_keys_get(keys, key);
  if (!list || list->type != AM_JSON_ARRAY || list->n != n) {
    return am_fail(keys->error, ADAM_DAMAGED, keys->path, NULL, "%s: expected a list of %u numbers", key, n);
  }
  for (uint32_t i = 0; i < n; i++) {
    double factor = am_json_real(am_json_at(list, i), 0);
    if (!(factor >= 1e-6 && factor <= 1e9)) {
      return am_fail(keys->error, ADAM_DAMAGED, keys->path, NULL,
                     "%s: number %u is %g, expected 1e-06 to 1e+09", key, i, factor);
    }
    out[i] = (float)factor;
  }
  return ADAM_OK;
}

static adam_status read_longrope(const am_keys *in, am_config *c) {
  c->rope.n_factors = (c->rope.n_dims + 1) / 2;
  if (c->rope.n_factors > AM_ARCH_MOST_FACTORS) {
    return am_fail(in->error, ADAM_UNSUPPORTED, in->path, NULL,
                   "longrope for %u rotated numbers of a head, at most %d are supported", c->rope.n_dims,
                   2 * AM_ARCH_MOST_FACTORS);
  }
  adam_status status = read_factors(in, "short_factor", c->rope.n_factors, c->rope.short_factor);
  return status ? status : read_factors(in, "long_factor", c->rope.n_factors, c->rope.long_factor);
}

static adam_status read_yarn(const am_keys *in, am_config *c) {
  bool truncate = true;
  double beta_fast = 0, beta_slow = 0;
  adam_status status = am_keys_real(in, "beta_fast", false, 0, 1e9, &beta_fast);
  if (!status) status = am_keys_real(in, "beta_slow", false, 0, 1e9, &beta_slow);
  if (!status) status = am_keys_real(in, "mscale", false, 0, 1e9, &c->rope.mscale);
  if (!status) status = am_keys_real(in, "mscale_all_dim", false, 0, 1e9, &c->rope.mscale_all_dim);
  if (!status) status = am_keys_bool(in, "truncate", &truncate);
  c->rope.beta_fast = beta_fast == 0 ? 32 : beta_fast; /* as `beta_fast or 32` has it */
  c->rope.beta_slow = beta_slow == 0 ? 1 : beta_slow;
  c->rope.no_truncate = !truncate;
  return status;
}

static adam_status read_llama3(const am_keys *in, am_config *c) {
  adam_status status = am_keys_real(in, "low_freq_factor", true, 1e-6, 1e9, &c->rope.low_freq_factor);
  if (!status) status = am_keys_real(in, "high_freq_factor", true, 1e-6, 1e9, &c->rope.high_freq_factor);
  if (status || c->rope.high_freq_factor > c->rope.low_freq_factor) return status;
  return am_fail(in->error, ADAM_DAMAGED, in->path, NULL,
                 "high_freq_factor is %g, expected more than low_freq_factor, which is %g",
                 c->rope.high_freq_factor, c->rope.low_freq_factor);
}

/* transformers lets the top level win, then this object, then max_position_embeddings. */
static adam_status read_original(const am_keys *in, am_config *c) {
  double original = c->rope.original_ctx;
  adam_status status = ADAM_OK;
  if (original == 0) {
    original = c->n_ctx_train;
    status =
        am_keys_real(in, "original_max_position_embeddings", c->n_ctx_train == 0, 1, MOST_CTX, &original);
  }
  if (!status) c->rope.original_ctx = (uint32_t)original;
  return status;
}

/* YaRN's and longrope's factor: max_position_embeddings over the original where it is not given. */
static adam_status read_factor(const am_keys *in, am_config *c) {
  bool derived = c->rope.scaling == AM_ROPE_YARN || c->rope.scaling == AM_ROPE_LONGROPE;
  if (derived && c->n_ctx_train > 0 && c->rope.original_ctx > 0)
    c->rope.factor = (double)c->n_ctx_train / c->rope.original_ctx;
  else
    derived = false;
  return am_keys_real(in, "factor", !derived, 1e-3, 1e9, &c->rope.factor);
}

/* One object of rope parameters, of either dialect. *c has the defaults. */
static adam_status read_rope(const am_keys *keys, const am_json *object, am_config *c) {
  am_keys in = *keys;
  in.object = object;
  const char *type = "default";
  adam_status status = am_keys_string(&in, "type", &type);
  if (!status) status = am_keys_string(&in, "rope_type", &type);
  if (!status) status = check_rope_type(&in, type, &c->rope.scaling);
  if (!status) status = am_keys_real(&in, "rope_theta", false, 1e-3, 1e18, &c->rope.theta);
  if (!status) status = am_keys_real(&in, "partial_rotary_factor", false, 1e-6, 1, &c->rope.partial);
  if (!status) status = set_dims(&in, c);
  if (status || c->rope.scaling == AM_ROPE_NONE) return status;
  bool has_original = c->rope.scaling == AM_ROPE_YARN || c->rope.scaling == AM_ROPE_LONGROPE ||
                      c->rope.scaling == AM_ROPE_LLAMA3;
  if (has_original) status = read_original(&in, c);
  if (!status) status = read_factor(&in, c);
  if (!status) status = am_keys_real(&in, "attention_factor", false, 1e-6, 1e6, &c->rope.attention_factor);
  if (status) return status;
  switch (c->rope.scaling) {
    case AM_ROPE_YARN:
      return read_yarn(&in, c);
    case AM_ROPE_LONGROPE:
      return read_longrope(&in, c);
    case AM_ROPE_LLAMA3:
      return read_llama3(&in, c);
    case AM_ROPE_DYNAMIC:
      if (c->n_ctx_train == 0 || c->rope.n_dims <= 2 || c->rope.factor < 1)
        return am_fail(
            keys->error, ADAM_DAMAGED, keys->path, NULL,
            "dynamic rope needs max_position_embeddings, a factor of 1 or more (it is %g) and more "
            "than two rotated numbers of a head",
            c->rope.factor);
      return ADAM_OK;
    default:
      return ADAM_OK;
  }
}

static bool same_rope(const am_config *a, const am_config *b) {
  return a->rope.theta == b->rope.theta && a->rope.scaling == b->rope.scaling &&
         a->rope.factor == b->rope.factor && a->rope.low_freq_factor == b->rope.low_freq_factor &&
         a->rope.high_freq_factor == b->rope.high_freq_factor &&
         a->rope.original_ctx == b->rope.original_ctx && a->rope.n_dims == b->rope.n_dims &&
         a->rope.attention_factor == b->rope.attention_factor && a->rope.beta_fast == b->rope.beta_fast &&
         a->rope.beta_slow == b->rope.beta_slow && a->rope.mscale == b->rope.mscale &&
         a->rope.mscale_all_dim == b->rope.mscale_all_dim && a->rope.no_truncate == b->rope.no_truncate &&
         memcmp(a->rope.short_factor, b->rope.short_factor, sizeof a->rope.short_factor) == 0 &&
         memcmp(a->rope.long_factor, b->rope.long_factor, sizeof a->rope.long_factor) == 0;
}

/* transformers 5 may nest rope_parameters per layer type; one rope for all is what these families have. */
static adam_status read_nested_rope(const am_keys *keys, const am_json *object, am_config *c) {
  am_config first = *c;
  bool any = false;
  for (uint32_t i = 0; i < object->n; i++) {
    const am_json *value = &object->as.members[i].value;
    if (value->type != AM_JSON_OBJECT) continue;
    am_config one = *c;
    adam_status status = read_rope(keys, value, &one);
    if (status) return status;
    if (any && !same_rope(&first, &one)) {
      return am_fail(keys->error, ADAM_UNSUPPORTED, keys->path, NULL,
                     "rope_parameters differ between layer types, which is not supported");
    }
    first = one;
    any = true;
  }
  *c = first;
  return ADAM_OK;
}

adam_status am_rope_from_hf(const am_keys *keys, am_config *c) {
  c->rope.theta = DEFAULT_THETA;
  c->rope.factor = 1;
  c->rope.style = AM_ROPE_HALF;
  adam_status status = am_keys_real(keys, "rope_theta", false, 1e-3, 1e18, &c->rope.theta);
  if (!status) status = am_keys_real(keys, "partial_rotary_factor", false, 1e-6, 1, &c->rope.partial);
  if (!status) {
    status = am_keys_u32(keys, "original_max_position_embeddings", false, 1, MOST_CTX, &c->rope.original_ctx);
  }
  if (status) return status;
  /* As transformers: a rope_scaling that says something wins over rope_parameters. */
  const char *key = "rope_scaling";
  const am_json *object = am_keys_get(keys, key);
  if (!object || (object->type == AM_JSON_OBJECT && object->n == 0)) {
    key = "rope_parameters";
    object = am_keys_get(keys, key);
  }
  if (!object) return set_dims(keys, c);
  if (object->type != AM_JSON_OBJECT) {
    return am_fail(keys->error, ADAM_DAMAGED, keys->path, NULL, "%s: expected an object or null", key);
  }
  for (uint32_t i = 0; i < object->n; i++) {
    if (object->as.members[i].value.type == AM_JSON_OBJECT) return read_nested_rope(keys, object, c);
  }
  return read_rope(keys, object, c);
}

/* llama.cpp multiplies YaRN's own attention factor with the key's; longrope has the key's alone. */
static adam_status read_gguf_scaled(const am_keys *keys, am_config *c) {
  double attention = 1;
  uint32_t original = c->n_ctx_train;
  c->rope.beta_fast = 32;
  c->rope.beta_slow = 1;
  bool needed = c->rope.scaling == AM_ROPE_YARN && c->n_ctx_train == 0;
  adam_status status =
      am_keys_u32(keys, "rope.scaling.original_context_length", needed, 1, MOST_CTX, &original);
  if (!status) status = am_keys_real(keys, "rope.scaling.attn_factor", false, 1e-6, 1e6, &attention);
  if (!status) {
    status = am_keys_real(keys, "rope.scaling.yarn_beta_fast", false, 1e-6, 1e9, &c->rope.beta_fast);
  }
  if (!status) {
    status = am_keys_real(keys, "rope.scaling.yarn_beta_slow", false, 1e-6, 1e9, &c->rope.beta_slow);
  }
  c->rope.original_ctx = original;
  c->rope.attention_factor = attention;
  if (c->rope.scaling == AM_ROPE_YARN && c->rope.factor > 1)
    c->rope.attention_factor *= 0.1 * log(c->rope.factor) + 1;
  return status;
}

adam_status am_rope_from_gguf(const am_keys *keys, am_rope_style style, am_config *c) {
  static const struct {
    const char *name;
    am_rope_scaling scaling;
  } types[] = {{"none", AM_ROPE_NONE},
               {"linear", AM_ROPE_LINEAR},
               {"yarn", AM_ROPE_YARN},
               {"longrope", AM_ROPE_LONGROPE}};
  const char *type = "linear"; /* llama.cpp's rule: no type but a factor is linear, a factor of 0 none */
  double factor = 0;
  size_t t = 0;
  c->rope.theta = DEFAULT_THETA;
  c->rope.factor = 1;
  c->rope.style = style;
  c->rope.n_dims = c->head_dim;
  adam_status status = am_keys_real(keys, "rope.freq_base", false, 1e-3, 1e18, &c->rope.theta);
  if (!status) status = am_keys_u32(keys, "rope.dimension_count", false, 2, c->head_dim, &c->rope.n_dims);
  if (!status) status = am_keys_string(keys, "rope.scaling.type", &type);
  if (!status) status = am_keys_real(keys, "rope.scale_linear", false, 0, 1e9, &factor);
  if (!status) status = am_keys_real(keys, "rope.scaling.factor", false, 0, 1e9, &factor);
  if (status) return status;
  while (t < sizeof types / sizeof *types && strcmp(types[t].name, type) != 0) t++;
  if (t == sizeof types / sizeof *types) return am_keys_unsupported(keys, "rope.scaling.type", type);
  c->rope.scaling = types[t].scaling;
  if (c->rope.scaling == AM_ROPE_LINEAR && (factor == 0 || factor == 1)) c->rope.scaling = AM_ROPE_NONE;
  if (c->rope.scaling != AM_ROPE_NONE && factor != 0) c->rope.factor = factor;
  return read_gguf_scaled(keys, c);
}

/* Qwen/Qwen3-8B and larger, "Processing Long Texts": YaRN with factor 4 validated to 131,072 tokens; the
 * small ones promise 32,768. Embedding width tells them apart: 4B has 2560, 8B 4096; every mixture has it. */
static bool is_documented(const am_config *c) {
  bool mixture = strcmp(c->arch->name, "qwen3moe") == 0;
  bool dense = strcmp(c->arch->name, "qwen3") == 0 && c->n_embd >= QWEN3_LONG_WIDTH;
  return (mixture || dense) && c->n_ctx_train == QWEN3_NATIVE_CTX && c->rope.scaling == AM_ROPE_NONE;
}

uint64_t am_arch_ctx(const am_config *c) {
  uint64_t reached = 0, n_train = c->n_ctx_train;
  if (c->rope.scaling == AM_ROPE_YARN) reached = (uint64_t)(c->rope.factor * c->rope.original_ctx);
  /* Some configs give the length before scaling here and some after it: too much is the user's to ask for. */
  if (c->rope.scaling == AM_ROPE_DYNAMIC || c->rope.scaling == AM_ROPE_LINEAR)
    reached = (uint64_t)(c->rope.factor * (double)n_train);
  if (reached > MOST_CTX) reached = MOST_CTX;
  return n_train > 0 && reached > n_train ? reached : n_train;
}

uint64_t am_arch_extended_ctx(const am_config *c) {
  return is_documented(c) ? (uint64_t)(QWEN3_FACTOR * QWEN3_ORIGINAL_CTX) : am_arch_ctx(c);
}

void am_arch_extend(am_config *c) {
  if (!is_documented(c)) return;
  c->rope.scaling = AM_ROPE_YARN;
  c->rope.factor = QWEN3_FACTOR;
  c->rope.original_ctx = QWEN3_ORIGINAL_CTX;
  c->rope.beta_fast = 32;
  c->rope.beta_slow = 1;
}
