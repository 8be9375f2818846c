/* SPDX-License-Identifier: Apache-2.0 */
/* Mistral 7B from the Hub: Llama's decoder, whose layers all see a window where sliding_window is a number
 * (v0.1; null since v0.2). Its GGUF files are of the family "llama". */
#include "arch/decoder.h"
#include "arch/families.h"
#include "arch/pairs.h"

static adam_status from_hf(const am_json *config_json, const char *path, am_config *config,
                           adam_error *error) {
  am_keys keys = {config_json, path, "", error};
  uint32_t window = am_json_get(config_json, "sliding_window") ? 0 : 4096; /* transformers' default */
  adam_status status = am_decoder_from_hf(&keys, config);
  if (!status) status = am_keys_u32(&keys, "sliding_window", false, 1, INT32_MAX, &window);
  if (!status) am_decoder_set_window(config, window, 0, 1); /* layer_types is not looked at, as there */
  config->attention_bias = false;
  return status;
}

static adam_status from_gguf(const am_json *metadata, const char *path, am_config *config,
                             adam_error *error) {
  return am_arch_llama.from_gguf(metadata, path, config, error);
}

static adam_status to_gguf(const am_config *c, am_pairs *p, adam_error *error) {
  return am_arch_llama.to_gguf(c, p, error);
}

static const am_transform_rule transforms[] = {{"attn_q", AM_TRANSFORM_PAIRS},
                                               {"attn_k", AM_TRANSFORM_KV_PAIRS}};

#define HF "model.layers.%u."
#define GGUF "blk.%u."
static const am_tensor_role roles[] = {
    {"token_embd", "model.embed_tokens.weight", "token_embd.weight", false, false, am_shape_embd},
    {"output_norm", "model.norm.weight", "output_norm.weight", false, false, am_shape_norm},
    {"output", "lm_head.weight", "output.weight", false, false, am_shape_output},
    {"attn_norm", HF "input_layernorm.weight", GGUF "attn_norm.weight", true, false, am_shape_norm},
    {"attn_q", HF "self_attn.q_proj.weight", GGUF "attn_q.weight", true, false, am_shape_q},
    {"attn_k", HF "self_attn.k_proj.weight", GGUF "attn_k.weight", true, false, am_shape_kv},
    {"attn_v", HF "self_attn.v_proj.weight", GGUF "attn_v.weight", true, false, am_shape_kv},
    {"attn_output", HF "self_attn.o_proj.weight", GGUF "attn_output.weight", true, false,
     am_shape_attn_output},
    {"ffn_norm", HF "post_attention_layernorm.weight", GGUF "ffn_norm.weight", true, false, am_shape_norm},
    {"ffn_gate", HF "mlp.gate_proj.weight", GGUF "ffn_gate.weight", true, false, am_shape_ffn},
    {"ffn_up", HF "mlp.up_proj.weight", GGUF "ffn_up.weight", true, false, am_shape_ffn},
    {"ffn_down", HF "mlp.down_proj.weight", GGUF "ffn_down.weight", true, false, am_shape_ffn_down},
};

static const char *const hf_model_types[] = {"mistral", NULL};
static const char *const gguf_names[] = {NULL};

const am_arch am_arch_mistral = {
    .name = "mistral",
    .hf_model_types = hf_model_types,
    .gguf_names = gguf_names,
    .from_hf = from_hf,
    .from_gguf = from_gguf,
    .from_tensors = am_decoder_from_tensors,
    .roles = roles,
    .n_roles = sizeof roles / sizeof *roles,
    .gguf_name = "llama",
    .to_gguf = to_gguf,
    .transforms = transforms,
    .n_transforms = sizeof transforms / sizeof *transforms,
};
