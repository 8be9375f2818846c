/* SPDX-License-Identifier: Apache-2.0 */
/* Phi-3 and Phi-4-mini: the common decoder with fused matrices, a window in every layer where the config has
 * one, and LongRoPE. */
#include "arch/decoder.h"
#include "arch/families.h"
#include "arch/pairs.h"

enum { DEFAULT_ORIGINAL_CTX = 4096 /* in transformers */ };
#define DEFAULT_EPS 1e-5 /* in transformers */

static adam_status from_hf(const am_json *config_json, const char *path, am_config *c, adam_error *error) {
  am_keys keys = {config_json, path, "", error};
  double eps = DEFAULT_EPS;
  uint32_t window = 0;
  /* The number at the top level, or else this, and never the one beside the factors. */
  c->rope.original_ctx = DEFAULT_ORIGINAL_CTX;
  c->rope.restarts = true;
  adam_status status = am_decoder_sizes_from_hf(&keys, c);
  if (!status) status = am_keys_real(&keys, "rms_norm_eps", false, 0, 1, &eps);
  if (!status) status = am_decoder_silu_from_hf(&keys);
  if (!status) status = am_keys_u32(&keys, "sliding_window", false, 1, UINT32_MAX, &window);
  if (!status) status = am_decoder_rest_from_hf(&keys, c);
  if (status) return status;
  c->norm_eps = (float)eps;
  am_decoder_set_window(c, window, 0, 1);
  return ADAM_OK;
}

static adam_status from_gguf(const am_json *metadata, const char *path, am_config *c, adam_error *error) {
  am_keys keys = {metadata, path, "phi3.", error};
  uint32_t window = 0;
  adam_status status = am_decoder_from_gguf(&keys, AM_ROPE_HALF, c);
  /* llama.cpp writes 0 for none. */
  if (!status) status = am_keys_u32(&keys, "attention.sliding_window", false, 0, UINT32_MAX, &window);
  if (status) return status;
  c->rope.restarts = true;
  am_decoder_set_window(c, window, 0, 1);
  return ADAM_OK;
}

/* (2 F, D): gate, then up */
static uint32_t gate_up(const am_config *c, uint64_t shape[2]) {
  uint32_t n_dims = am_shape_ffn(c, shape);
  shape[0] *= 2;
  return n_dims;
}

static adam_status to_gguf(const am_config *c, am_pairs *p, adam_error *error) {
  am_decoder_to_gguf(c, p);
  am_pairs_real(p, "attention.layer_norm_rms_epsilon", c->norm_eps);
  am_pairs_u32(p, "rope.dimension_count", c->rope.n_dims ? c->rope.n_dims : c->head_dim);
  am_pairs_u32(p, "attention.sliding_window", c->window);
  /* llama.cpp wants it of every Phi-3. */
  if (c->rope.scaling != AM_ROPE_LONGROPE)
    am_pairs_u32(p, "rope.scaling.original_context_length", c->n_ctx_train);
  return am_rope_to_gguf(c, p, error);
}

static adam_status to_hf(const am_config *c, am_pairs *p, adam_error *error) {
  am_pairs_string(p, "model_type", "phi3");
  am_pairs_string(p, "architectures", "Phi3ForCausalLM");
  am_decoder_to_hf(c, "rms_norm_eps", p);
  am_pairs_string(p, "hidden_act", "silu");
  if (c->window) am_pairs_u32(p, "sliding_window", c->window);
  else am_pairs_null(p, "sliding_window");
  am_pairs_null(p, "pad_token_id"); /* transformers' default is an id of the real vocabulary */
  return am_rope_to_hf(c, p, error);
}

#define HF "model.layers.%u."
#define GGUF "blk.%u."
static const am_tensor_role roles[] = {
    {"token_embd", "model.embed_tokens.weight", "token_embd.weight", false, false, am_shape_embd},
    {"output_norm", "model.norm.weight", "output_norm.weight", false, false, am_shape_norm},
    {"output", "lm_head.weight", "output.weight", false, false, am_shape_output},
    {"rope_factors_short", "", "rope_factors_short.weight", false, false, am_shape_rope_factors},
    {"rope_factors_long", "", "rope_factors_long.weight", false, false, am_shape_rope_factors},
    {"attn_norm", HF "input_layernorm.weight", GGUF "attn_norm.weight", true, false, am_shape_norm},
    {"attn_qkv", HF "self_attn.qkv_proj.weight", GGUF "attn_qkv.weight", true, false, am_shape_fused_qkv},
    {"attn_output", HF "self_attn.o_proj.weight", GGUF "attn_output.weight", true, false,
     am_shape_attn_output},
    {"ffn_norm", HF "post_attention_layernorm.weight", GGUF "ffn_norm.weight", true, false, am_shape_norm},
    {"ffn_gate_up", HF "mlp.gate_up_proj.weight", GGUF "ffn_up.weight", true, false, gate_up},
    {"ffn_down", HF "mlp.down_proj.weight", GGUF "ffn_down.weight", true, false, am_shape_ffn_down},
};

static const char *const hf_model_types[] = {"phi3", NULL};
static const char *const gguf_names[] = {"phi3", NULL};

const am_arch am_arch_phi3 = {
    .name = "phi3",
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
