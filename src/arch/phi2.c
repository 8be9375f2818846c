/* SPDX-License-Identifier: Apache-2.0 */
/* Phi-1, 1.5 and 2: LayerNorms and biases everywhere, one norm a layer for both of its blocks. In older
 * GGUF files q, k and v are one matrix. */
#include "arch/decoder.h"
#include "arch/families.h"
#include "arch/pairs.h"

#define DEFAULT_EPS 1e-5    /* in transformers */
#define DEFAULT_PARTIAL 0.5 /* the share of a head that turns, in transformers */

static adam_status from_hf(const am_json *config_json, const char *path, am_config *c, adam_error *error) {
  am_keys keys = {config_json, path, "", error};
  double eps = DEFAULT_EPS;
  c->rope.partial = DEFAULT_PARTIAL;
  adam_status status = am_decoder_sizes_from_hf(&keys, c);
  if (!status) status = am_keys_real(&keys, "layer_norm_eps", false, 0, 1, &eps);
  if (!status) status = am_decoder_gelu_from_hf(&keys, "gelu_new", c);
  if (!status) status = am_keys_bool(&keys, "qk_layernorm", &c->qk_norm);
  if (!status) status = am_decoder_rest_from_hf(&keys, c);
  c->norm_eps = (float)eps;
  return status;
}

static adam_status from_gguf(const am_json *metadata, const char *path, am_config *c, adam_error *error) {
  am_keys keys = {metadata, path, "phi2.", error};
  double eps = 0;
  adam_status status = am_decoder_sizes_from_gguf(&keys, c);
  if (!status) status = am_keys_real(&keys, "attention.layer_norm_epsilon", true, 0, 1, &eps);
  if (!status) status = am_decoder_rest_from_gguf(&keys, AM_ROPE_HALF, c);
  c->norm_eps = (float)eps;
  c->gelu_tanh = true;
  return status;
}

/* The biases are not optional, except for that of an output matrix that is not there either. */
static adam_status from_tensors(am_config *c, am_find_tensor find, const void *user, const char *path,
                                adam_error *error) {
  adam_status status = am_decoder_from_tensors(c, find, user, path, error);
  bool gguf = c->source == AM_SOURCE_GGUF;
  c->attention_bias = c->mlp_bias = true;
  c->output_bias = find(user, gguf ? "output.weight" : "lm_head.weight") ||
                   find(user, gguf ? "output.bias" : "lm_head.bias");
  c->fused_qkv = gguf && find(user, "blk.0.attn_qkv.weight");
  return status;
}

static uint32_t q_alone(const am_config *c, uint64_t shape[2]) {
  return c->fused_qkv ? 0 : am_shape_q(c, shape);
}
static uint32_t kv_alone(const am_config *c, uint64_t shape[2]) {
  return c->fused_qkv ? 0 : am_shape_kv(c, shape);
}
static uint32_t q_bias_alone(const am_config *c, uint64_t shape[2]) {
  return c->fused_qkv ? 0 : am_shape_q_bias(c, shape);
}
static uint32_t kv_bias_alone(const am_config *c, uint64_t shape[2]) {
  return c->fused_qkv ? 0 : am_shape_kv_bias(c, shape);
}

/* ((n_heads + 2 n_kv_heads) head_dim, D) */
static uint32_t fused(const am_config *c, uint64_t shape[2]) {
  return c->fused_qkv ? am_shape_fused_qkv(c, shape) : 0;
}

static uint32_t fused_bias(const am_config *c, uint64_t shape[2]) {
  return fused(c, shape) ? 1 : 0; /* its rows */
}

static uint32_t head_norm(const am_config *c, uint64_t shape[2]) {
  return c->qk_norm ? am_shape_head_norm(c, shape) : 0;
}

/* (n_vocab), with a tied output matrix too */
static uint32_t output_bias(const am_config *c, uint64_t shape[2]) {
  shape[0] = c->n_vocab;
  return c->output_bias ? 1 : 0;
}

static adam_status to_gguf(const am_config *c, am_pairs *p, adam_error *error) {
  am_decoder_to_gguf(c, p);
  am_pairs_real(p, "attention.layer_norm_epsilon", c->norm_eps);
  am_pairs_u32(p, "rope.dimension_count", c->rope.n_dims ? c->rope.n_dims : c->head_dim);
  if (c->qk_norm)
    return am_fail(error, ADAM_UNSUPPORTED, "qk_layernorm", NULL, "norms of queries and keys have no form in GGUF");
  if (!c->gelu_tanh)
    return am_fail(error, ADAM_UNSUPPORTED, "hidden_act", NULL, "exact gelu has no words in GGUF");
  return am_rope_to_gguf(c, p, error);
}

static adam_status to_hf(const am_config *c, am_pairs *p, adam_error *error) {
  am_pairs_string(p, "model_type", "phi");
  am_pairs_string(p, "architectures", "PhiForCausalLM");
  am_decoder_to_hf(c, "layer_norm_eps", p);
  am_pairs_string(p, "hidden_act", c->gelu_tanh ? "gelu_new" : "gelu");
  am_pairs_bool(p, "qk_layernorm", c->qk_norm);
  if (c->rope.n_dims == c->head_dim) am_pairs_real(p, "partial_rotary_factor", 1);
  return am_rope_to_hf(c, p, error);
}

#define HF "model.layers.%u."
#define GGUF "blk.%u."
static const am_tensor_role roles[] = {
    {"token_embd", "model.embed_tokens.weight", "token_embd.weight", false, false, am_shape_embd},
    {"output_norm", "model.final_layernorm.weight", "output_norm.weight", false, false, am_shape_norm},
    {"output_norm_bias", "model.final_layernorm.bias", "output_norm.bias", false, false, am_shape_norm},
    {"output", "lm_head.weight", "output.weight", false, false, am_shape_output},
    {"output_bias", "lm_head.bias", "output.bias", false, false, output_bias},
    {"attn_norm", HF "input_layernorm.weight", GGUF "attn_norm.weight", true, false, am_shape_norm},
    {"attn_norm_bias", HF "input_layernorm.bias", GGUF "attn_norm.bias", true, false, am_shape_norm},
    {"attn_q", HF "self_attn.q_proj.weight", GGUF "attn_q.weight", true, false, q_alone},
    {"attn_q_bias", HF "self_attn.q_proj.bias", GGUF "attn_q.bias", true, false, q_bias_alone},
    {"attn_k", HF "self_attn.k_proj.weight", GGUF "attn_k.weight", true, false, kv_alone},
    {"attn_k_bias", HF "self_attn.k_proj.bias", GGUF "attn_k.bias", true, false, kv_bias_alone},
    {"attn_v", HF "self_attn.v_proj.weight", GGUF "attn_v.weight", true, false, kv_alone},
    {"attn_v_bias", HF "self_attn.v_proj.bias", GGUF "attn_v.bias", true, false, kv_bias_alone},
    {"attn_qkv", "", GGUF "attn_qkv.weight", true, false, fused},
    {"attn_qkv_bias", "", GGUF "attn_qkv.bias", true, false, fused_bias},
    {"attn_q_norm", HF "self_attn.q_layernorm.weight", GGUF "attn_q_norm.weight", true, false, head_norm},
    {"attn_q_norm_bias", HF "self_attn.q_layernorm.bias", GGUF "attn_q_norm.bias", true, false, head_norm},
    {"attn_k_norm", HF "self_attn.k_layernorm.weight", GGUF "attn_k_norm.weight", true, false, head_norm},
    {"attn_k_norm_bias", HF "self_attn.k_layernorm.bias", GGUF "attn_k_norm.bias", true, false, head_norm},
    {"attn_output", HF "self_attn.dense.weight", GGUF "attn_output.weight", true, false,
     am_shape_attn_output},
    {"attn_output_bias", HF "self_attn.dense.bias", GGUF "attn_output.bias", true, false,
     am_shape_attn_output_bias},
    {"ffn_up", HF "mlp.fc1.weight", GGUF "ffn_up.weight", true, false, am_shape_ffn},
    {"ffn_up_bias", HF "mlp.fc1.bias", GGUF "ffn_up.bias", true, false, am_shape_ffn_bias},
    {"ffn_down", HF "mlp.fc2.weight", GGUF "ffn_down.weight", true, false, am_shape_ffn_down},
    {"ffn_down_bias", HF "mlp.fc2.bias", GGUF "ffn_down.bias", true, false, am_shape_ffn_down_bias},
};

static const char *const hf_model_types[] = {"phi", NULL};
static const char *const gguf_names[] = {"phi2", NULL};

const am_arch am_arch_phi2 = {
    .name = "phi2",
    .hf_model_types = hf_model_types,
    .gguf_names = gguf_names,
    .from_hf = from_hf,
    .from_gguf = from_gguf,
    .from_tensors = from_tensors,
    .roles = roles,
    .n_roles = sizeof roles / sizeof *roles,
    .gguf_untied = true,
    .to_gguf = to_gguf,
    .to_hf = to_hf,
};
