/* SPDX-License-Identifier: Apache-2.0 */
/* Qwen 3, dense: the common decoder with an RMS norm on each head's query and key, and a head size
 * of its own. */
#include <string.h>

#include "arch/decoder.h"
#include "arch/families.h"

/* Layers that see a window only: layer_types says it per layer (transformers 5), else the layers
 * from max_window_layers on, where use_sliding_window is true. Released models have none. */
static adam_status check_window(const am_keys *keys, const am_config *config) {
  const am_json *types = am_keys_get(keys, "layer_types");
  uint32_t first = 28; /* transformers' default */
  bool used = false;
  adam_status status = am_keys_bool(keys, "use_sliding_window", &used);
  if (!status) status = am_keys_u32(keys, "max_window_layers", false, 0, UINT32_MAX, &first);
  if (status) return status;
  bool slides = used && !types && am_keys_get(keys, "sliding_window") && first < config->n_layers;
  for (uint32_t i = 0; types && types->type == AM_JSON_ARRAY && i < types->n; i++) {
    const char *type = am_json_str(am_json_at(types, i), "");
    if (strcmp(type, "full_attention") != 0) slides = true;
  }
  return slides ? am_keys_unsupported(keys, "sliding_window", "used by some layers") : ADAM_OK;
}

static adam_status from_hf(const am_json *config_json, const char *path, am_config *config,
                           adam_error *error) {
  am_keys keys = {config_json, path, "", error};
  adam_status status = am_decoder_from_hf(&keys, config);
  return status ? status : check_window(&keys, config);
}

static adam_status from_gguf(const am_json *metadata, const char *path, am_config *config,
                             adam_error *error) {
  am_keys keys = {metadata, path, "qwen3.", error};
  return am_decoder_from_gguf(&keys, AM_ROPE_HALF, config);
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
};
