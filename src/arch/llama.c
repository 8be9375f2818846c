/* SPDX-License-Identifier: Apache-2.0 */
/* Llama 1 to 3.3, TinyLlama, SmolLM2 and other models of their shape. In GGUF the rows of q and k
 * are permuted, so that rope turns pairs (2i, 2i + 1), and llama3 rope scaling is the tensor
 * rope_freqs. */
#include "arch/decoder.h"
#include "arch/families.h"
#include "arch/pairs.h"

static adam_status from_hf(const am_json *config_json, const char *path, am_config *config,
                           adam_error *error) {
  am_keys keys = {config_json, path, "", error};
  adam_status status = am_decoder_from_hf(&keys, config);
  return status ? status : am_keys_bool(&keys, "mlp_bias", &config->mlp_bias);
}

static adam_status from_gguf(const am_json *metadata, const char *path, am_config *config,
                             adam_error *error) {
  am_keys keys = {metadata, path, "llama.", error};
  uint32_t window = 0; /* Mistral v0.1 is of this family here */
  adam_status status = am_decoder_from_gguf(&keys, AM_ROPE_PAIRS, config);
  if (!status) status = am_keys_u32(&keys, "attention.sliding_window", false, 0, INT32_MAX, &window);
  if (!status) am_decoder_set_window(config, window, 0, 1);
  return status;
}

/* llama.cpp takes head_dim from rope.dimension_count, and knows no window of this family: adam reads it. */
static adam_status to_gguf(const am_config *c, am_pairs *p, adam_error *error) {
  am_decoder_to_gguf(c, p);
  adam_status status = am_rope_to_gguf(c, p, error);
  am_pairs_real(p, "attention.layer_norm_rms_epsilon", c->norm_eps);
  am_pairs_u32(p, "attention.key_length", c->head_dim);
  am_pairs_u32(p, "attention.value_length", c->head_dim);
  am_pairs_u32(p, "vocab_size", c->n_vocab);
  am_pairs_u32(p, "rope.dimension_count", c->rope.n_dims ? c->rope.n_dims : c->head_dim);
  if (c->window) {
    am_pairs_u32(p, "attention.sliding_window", c->window);
    am_pairs_notice(p, "llama.cpp and Ollama do not read the window: beyond it their answers will differ");
  }
  return status;
}

/* A window makes it Mistral's, which has no biases. */
static adam_status to_hf(const am_config *c, am_pairs *p, adam_error *error) {
  am_pairs_string(p, "model_type", c->window ? "mistral" : "llama");
  am_pairs_string(p, "architectures", c->window ? "MistralForCausalLM" : "LlamaForCausalLM");
  am_decoder_to_hf(c, "rms_norm_eps", p);
  am_pairs_u32(p, "head_dim", c->head_dim);
  am_pairs_string(p, "hidden_act", "silu");
  if (c->window) am_pairs_u32(p, "sliding_window", c->window);
  am_pairs_bool(p, "attention_bias", c->attention_bias);
  am_pairs_bool(p, "mlp_bias", c->mlp_bias);
  if (c->window && (c->attention_bias || c->mlp_bias))
    return am_fail(error, ADAM_UNSUPPORTED, "config.json", NULL, "no family has a window and biases");
  return am_rope_to_hf(c, p, error);
}

static const am_transform_rule transforms[] = {{"attn_q", AM_TRANSFORM_PAIRS},
                                               {"attn_q_bias", AM_TRANSFORM_PAIRS},
                                               {"attn_k", AM_TRANSFORM_KV_PAIRS},
                                               {"attn_k_bias", AM_TRANSFORM_KV_PAIRS}};

#define HF "model.layers.%u."
#define GGUF "blk.%u."
static const am_tensor_role roles[] = {
    {"token_embd", "model.embed_tokens.weight", "token_embd.weight", false, false, am_shape_embd},
    {"output_norm", "model.norm.weight", "output_norm.weight", false, false, am_shape_norm},
    {"output", "lm_head.weight", "output.weight", false, false, am_shape_output},
    {"rope_freqs", "", "rope_freqs.weight", false, true, am_shape_rope_freqs},
    {"attn_norm", HF "input_layernorm.weight", GGUF "attn_norm.weight", true, false, am_shape_norm},
    {"attn_q", HF "self_attn.q_proj.weight", GGUF "attn_q.weight", true, false, am_shape_q},
    {"attn_q_bias", HF "self_attn.q_proj.bias", GGUF "attn_q.bias", true, true, am_shape_q_bias},
    {"attn_k", HF "self_attn.k_proj.weight", GGUF "attn_k.weight", true, false, am_shape_kv},
    {"attn_k_bias", HF "self_attn.k_proj.bias", GGUF "attn_k.bias", true, true, am_shape_kv_bias},
    {"attn_v", HF "self_attn.v_proj.weight", GGUF "attn_v.weight", true, false, am_shape_kv},
    {"attn_v_bias", HF "self_attn.v_proj.bias", GGUF "attn_v.bias", true, true, am_shape_kv_bias},
    {"attn_output", HF "self_attn.o_proj.weight", GGUF "attn_output.weight", true, false,
     am_shape_attn_output},
    {"attn_output_bias", HF "self_attn.o_proj.bias", GGUF "attn_output.bias", true, true,
     am_shape_attn_output_bias},
    {"ffn_norm", HF "post_attention_layernorm.weight", GGUF "ffn_norm.weight", true, false, am_shape_norm},
    {"ffn_gate", HF "mlp.gate_proj.weight", GGUF "ffn_gate.weight", true, false, am_shape_ffn},
    {"ffn_gate_bias", HF "mlp.gate_proj.bias", GGUF "ffn_gate.bias", true, true, am_shape_ffn_bias},
    {"ffn_up", HF "mlp.up_proj.weight", GGUF "ffn_up.weight", true, false, am_shape_ffn},
    {"ffn_up_bias", HF "mlp.up_proj.bias", GGUF "ffn_up.bias", true, true, am_shape_ffn_bias},
    {"ffn_down", HF "mlp.down_proj.weight", GGUF "ffn_down.weight", true, false, am_shape_ffn_down},
    {"ffn_down_bias", HF "mlp.down_proj.bias", GGUF "ffn_down.bias", true, true, am_shape_ffn_down_bias},
};

static const char *const hf_model_types[] = {"llama", NULL};
static const char *const gguf_names[] = {"llama", NULL};

const am_arch am_arch_llama = {
    .name = "llama",
    .hf_model_types = hf_model_types,
    .gguf_names = gguf_names,
    .from_hf = from_hf,
    .from_gguf = from_gguf,
    .from_tensors = am_decoder_from_tensors,
    .roles = roles,
    .n_roles = sizeof roles / sizeof *roles,
    .to_gguf = to_gguf,
    .to_hf = to_hf,
    .transforms = transforms,
    .n_transforms = sizeof transforms / sizeof *transforms,
};
