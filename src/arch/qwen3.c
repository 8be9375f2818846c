/* SPDX-License-Identifier: Apache-2.0 */
/* Qwen 3, dense: the common decoder with an RMS norm on each head's query and key, and a head size
 * of its own. */
#include "arch/decoder.h"
#include "arch/families.h"
#include "arch/pairs.h"

static adam_status from_hf(const am_json *config_json, const char *path, am_config *config,
                           adam_error *error) {
  am_keys keys = {config_json, path, "", error};
  adam_status status = am_decoder_from_hf(&keys, config);
  return status ? status : am_qwen_windows_from_hf(&keys, config);
}

static adam_status from_gguf(const am_json *metadata, const char *path, am_config *config,
                             adam_error *error) {
  am_keys keys = {metadata, path, "qwen3.", error};
  return am_decoder_from_gguf(&keys, AM_ROPE_HALF, config);
}

static adam_status to_gguf(const am_config *c, am_pairs *p, adam_error *error) {
  am_qwen_to_gguf(c, p);
  return am_rope_to_gguf(c, p, error);
}

static adam_status to_hf(const am_config *c, am_pairs *p, adam_error *error) {
  am_pairs_string(p, "model_type", "qwen3");
  am_pairs_string(p, "architectures", "Qwen3ForCausalLM");
  am_qwen_to_hf(c, p);
  am_pairs_bool(p, "attention_bias", c->attention_bias);
  return am_rope_to_hf(c, p, error);
}

#define HF "model.layers.%u."
#define GGUF "blk.%u."
static const am_tensor_role roles[] = {
    {"token_embd", "model.embed_tokens.weight", "token_embd.weight", false, false, am_shape_embd},
    {"output_norm", "model.norm.weight", "output_norm.weight", false, false, am_shape_norm},
    {"output", "lm_head.weight", "output.weight", false, false, am_shape_output},
    {"attn_norm", HF "input_layernorm.weight", GGUF "attn_norm.weight", true, false, am_shape_norm},
    {"attn_q", HF "self_attn.q_proj.weight", GGUF "attn_q.weight", true, false, am_shape_q},
    {"attn_q_bias", HF "self_attn.q_proj.bias", GGUF "attn_q.bias", true, true, am_shape_q_bias},
    {"attn_k", HF "self_attn.k_proj.weight", GGUF "attn_k.weight", true, false, am_shape_kv},
    {"attn_k_bias", HF "self_attn.k_proj.bias", GGUF "attn_k.bias", true, true, am_shape_kv_bias},
    {"attn_v", HF "self_attn.v_proj.weight", GGUF "attn_v.weight", true, false, am_shape_kv},
    {"attn_v_bias", HF "self_attn.v_proj.bias", GGUF "attn_v.bias", true, true, am_shape_kv_bias},
    {"attn_q_norm", HF "self_attn.q_norm.weight", GGUF "attn_q_norm.weight", true, false, am_shape_head_norm},
    {"attn_k_norm", HF "self_attn.k_norm.weight", GGUF "attn_k_norm.weight", true, false, am_shape_head_norm},
    {"attn_output", HF "self_attn.o_proj.weight", GGUF "attn_output.weight", true, false,
     am_shape_attn_output},
    {"attn_output_bias", HF "self_attn.o_proj.bias", GGUF "attn_output.bias", true, true,
     am_shape_attn_output_bias},
    {"ffn_norm", HF "post_attention_layernorm.weight", GGUF "ffn_norm.weight", true, false, am_shape_norm},
    {"ffn_gate", HF "mlp.gate_proj.weight", GGUF "ffn_gate.weight", true, false, am_shape_ffn},
    {"ffn_up", HF "mlp.up_proj.weight", GGUF "ffn_up.weight", true, false, am_shape_ffn},
    {"ffn_down", HF "mlp.down_proj.weight", GGUF "ffn_down.weight", true, false, am_shape_ffn_down},
};

static const char *const hf_model_types[] = {"qwen3", NULL};
static const char *const gguf_names[] = {"qwen3", NULL};

const am_arch am_arch_qwen3 = {
    .name = "qwen3",
    .hf_model_types = hf_model_types,
    .gguf_names = gguf_names,
    .from_hf = from_hf,
    .from_gguf = from_gguf,
    .from_tensors = am_decoder_from_tensors,
    .roles = roles,
    .n_roles = sizeof roles / sizeof *roles,
    .to_gguf = to_gguf,
    .to_hf = to_hf,
};
