/* SPDX-License-Identifier: Apache-2.0 */
/* Qwen 3, mixture of experts: the dense family's attention; most layers choose some of many small
 * feed-forward matrices for each token. */
#include <string.h>

#include "arch/decoder.h"
#include "arch/families.h"
#include "arch/pairs.h"

enum {
  MOST_EXPERTS = 4096,
  MOST_MATRICES = 1 << 18, /* experts over all layers: a hostile file's tables stay small */
  MOST_WIDTH = 1 << 24,
  MOST_WINDOW = 0x7FFFFFFF,
};

static void set_layer(uint64_t bits[AM_ARCH_MOST_LAYERS / 64], uint32_t layer, bool value) {
  uint64_t bit = (uint64_t)1 << layer % 64;
  bits[layer / 64] = value ? bits[layer / 64] | bit : bits[layer / 64] & ~bit;
}

static adam_status check_experts(const am_keys *keys, const char *count, const char *used,
                                 const am_config *c) {
  if (c->n_experts_used > c->n_experts)
    return am_fail(keys->error, ADAM_DAMAGED, keys->path, NULL,
                   "%s%s is %u, expected at most %s, which is %u", keys->prefix, used, c->n_experts_used,
                   count, c->n_experts);
  if ((uint64_t)c->n_experts * c->n_layers > MOST_MATRICES)
    return am_fail(keys->error, ADAM_UNSUPPORTED, keys->path, NULL,
                   "%u experts in %u layers, expected at most %d in all", c->n_experts, c->n_layers,
                   MOST_MATRICES);
  return ADAM_OK;
}

/* Layers of experts: every decoder_sparse_step-th, but for those of mlp_only_layers. */
static adam_status read_sparse_layers(const am_keys *keys, am_config *c) {
  const am_json *dense = am_keys_get(keys, "mlp_only_layers");
  uint32_t step = 1;
  adam_status status = am_keys_u32(keys, "decoder_sparse_step", false, 1, UINT32_MAX, &step);
  if (status) return status;
  if (dense && dense->type != AM_JSON_ARRAY)
    return am_fail(keys->error, ADAM_DAMAGED, keys->path, NULL, "mlp_only_layers: expected a list or null");
  for (uint32_t i = 0; i < c->n_layers && c->n_experts > 0; i++) set_layer(c->sparse, i, (i + 1) % step == 0);
  for (uint32_t i = 0; dense && i < dense->n; i++) {
    const am_json *layer = am_json_at(dense, i);
    int64_t n = am_json_int(layer, -1);
    if (layer->type != AM_JSON_INT)
      return am_fail(keys->error, ADAM_DAMAGED, keys->path, NULL, "mlp_only_layers: expected whole numbers");
    if (n >= 0 && n < c->n_layers) set_layer(c->sparse, (uint32_t)n, false);
  }
  return ADAM_OK;
}

/* transformers gives the window to all layers or none; released models have none. */
static adam_status read_window(const am_keys *keys, am_config *c) {
  bool used = false;
  uint32_t window =
      am_json_get(keys->object, "sliding_window") ? 0 : 4096; /* null: none; absent: the default */
  adam_status status = am_keys_bool(keys, "use_sliding_window", &used);
  if (!status) status = am_keys_u32(keys, "sliding_window", false, 1, MOST_WINDOW, &window);
  if (status || !used || window == 0) return status;
  c->window = window;
  for (uint32_t i = 0; i < c->n_layers; i++) set_layer(c->windowed, i, true);
  return ADAM_OK;
}

static adam_status from_hf(const am_json *config_json, const char *path, am_config *c, adam_error *error) {
  am_keys keys = {config_json, path, "", error};
  /* transformers 5 writes num_local_experts. These are Qwen3MoeConfig's defaults. */
  const char *count = am_keys_get(&keys, "num_experts") ? "num_experts" : "num_local_experts";
  c->n_experts = 128;
  c->n_experts_used = 8;
  c->n_ff_expert = 768;
  c->n_kv_heads = 4;
  adam_status status = am_decoder_from_hf(&keys, c);
  if (!status) status = am_keys_u32(&keys, count, false, 0, MOST_EXPERTS, &c->n_experts);
  if (!status)
    status =
        am_keys_u32(&keys, "num_experts_per_tok", false, c->n_experts > 0, MOST_EXPERTS, &c->n_experts_used);
  if (!status) status = am_keys_u32(&keys, "moe_intermediate_size", false, 1, MOST_WIDTH, &c->n_ff_expert);
  if (!status) status = am_keys_bool(&keys, "norm_topk_prob", &c->normalise_experts);
  if (!status && c->n_experts == 0) c->n_experts_used = 0;
  if (!status) status = check_experts(&keys, count, "num_experts_per_tok", c);
  if (!status) status = read_sparse_layers(&keys, c);
  if (!status) status = read_window(&keys, c);
  return status;
}

/* What other families' experts have and this one's do not. */
static adam_status check_gguf_experts(const am_keys *keys) {
  uint32_t gating = 1, n_shared = 0, n_groups = 0;
  double scale = 1;
  adam_status status = am_keys_u32(keys, "expert_gating_func", false, 0, UINT32_MAX, &gating);
  if (!status) status = am_keys_u32(keys, "expert_shared_count", false, 0, UINT32_MAX, &n_shared);
  if (!status) status = am_keys_u32(keys, "expert_group_count", false, 0, UINT32_MAX, &n_groups);
  if (!status) status = am_keys_real(keys, "expert_weights_scale", false, -1e9, 1e9, &scale);
  if (status) return status;
  if (gating > 1) return am_keys_unsupported(keys, "expert_gating_func", "not softmax");
  if (n_shared > 0) return am_keys_unsupported(keys, "expert_shared_count", "not 0");
  if (n_groups > 1) return am_keys_unsupported(keys, "expert_group_count", "more than 1");
  if (scale != 0 && scale != 1) return am_keys_unsupported(keys, "expert_weights_scale", "not 1");
  return ADAM_OK;
}

/* llama.cpp always normalises; Ollama's converter writes norm_top_k_prob, the gguf package
 * expert_weights_norm. */
static adam_status from_gguf(const am_json *metadata, const char *path, am_config *c, adam_error *error) {
  am_keys keys = {metadata, path, "qwen3moe.", error};
  c->normalise_experts = true;
  adam_status status = am_keys_u32(&keys, "expert_count", true, 1, MOST_EXPERTS, &c->n_experts);
  if (!status) status = am_decoder_from_gguf(&keys, AM_ROPE_HALF, c);
  if (!status) status = am_keys_u32(&keys, "expert_used_count", true, 1, MOST_EXPERTS, &c->n_experts_used);
  if (!status)
    status = am_keys_u32(&keys, "expert_feed_forward_length", false, 0, MOST_WIDTH, &c->n_ff_expert);
  if (!status) status = am_keys_bool(&keys, "norm_top_k_prob", &c->normalise_experts);
  if (!status) status = am_keys_bool(&keys, "expert_weights_norm", &c->normalise_experts);
  if (!status) status = check_gguf_experts(&keys);
  if (!status) status = check_experts(&keys, "expert_count", "expert_used_count", c);
  for (uint32_t i = 0; i < c->n_layers && !status; i++) set_layer(c->sparse, i, true);
  return status;
}

/* A GGUF has no key for its dense layers: they are those with a dense layer's tensors. Ollama writes no
 * expert_feed_forward_length. */
static adam_status from_tensors(am_config *c, am_find_tensor find, const void *user, const char *path,
                                adam_error *error) {
  char name[64];
  const am_tensor_role *dense = am_arch_role(c->arch, "ffn_gate");
  const am_expert_role *gate = am_arch_expert_role(c->arch, "ffn_gate_exps");
  for (uint32_t i = 0; i < c->n_layers && c->source == AM_SOURCE_GGUF; i++) {
    if (am_arch_tensor_name(c, dense, i, 0, name, sizeof name) && find(user, name))
      set_layer(c->sparse, i, false);
    if (c->n_ff_expert > 0 || !am_arch_expert_name(c, gate, i, 0, true, false, name, sizeof name)) continue;
    const am_tensor *experts = find(user, name);
    if (experts && experts->n_dims == 3 && experts->shape[1] <= MOST_WIDTH)
      c->n_ff_expert = (uint32_t)experts->shape[1];
  }
  return am_decoder_from_tensors(c, find, user, path, error);
}

static uint32_t shape_router(const am_config *c, uint64_t shape[2]) {
  shape[0] = c->n_experts;
  shape[1] = c->n_embd;
  return 2;
}

static uint32_t shape_expert(const am_config *c, uint64_t shape[2]) {
  shape[0] = c->n_ff_expert;
  shape[1] = c->n_embd;
  return 2;
}

static uint32_t shape_expert_down(const am_config *c, uint64_t shape[2]) {
  shape[0] = c->n_embd;
  shape[1] = c->n_ff_expert;
  return 2;
}

static bool has(const am_config *c, const am_tensor_role *role, uint32_t layer) {
  if (role->shape == shape_router) return am_arch_is_sparse(c, layer);
  if (role->shape == am_shape_ffn || role->shape == am_shape_ffn_down) return !am_arch_is_sparse(c, layer);
  return true;
}

static adam_status to_gguf(const am_config *c, am_pairs *p, adam_error *error) {
  am_qwen_to_gguf(c, p);
  am_pairs_u32(p, "expert_count", c->n_experts);
  am_pairs_u32(p, "expert_used_count", c->n_experts_used);
  am_pairs_u32(p, "expert_feed_forward_length", c->n_ff_expert);
  if (!c->normalise_experts) {
    am_pairs_bool(p, "expert_weights_norm", false);
    am_pairs_notice(p, "norm_topk_prob is false, which llama.cpp and Ollama do not read: they will differ");
  }
  for (uint32_t i = 0; i < c->n_layers; i++)
    if (!am_arch_is_sparse(c, i)) {
      am_pairs_notice(p, "some layers have no experts: llama.cpp and Ollama will not open it");
      break;
    }
  if (c->n_experts == 0)
    return am_fail(error, ADAM_UNSUPPORTED, "num_experts", NULL, "a mixture without experts has no form in GGUF");
  return am_rope_to_gguf(c, p, error);
}

static adam_status to_hf(const am_config *c, am_pairs *p, adam_error *error) {
  am_pairs_string(p, "model_type", "qwen3_moe");
  am_pairs_string(p, "architectures", "Qwen3MoeForCausalLM");
  am_qwen_to_hf(c, p);
  am_pairs_bool(p, "attention_bias", c->attention_bias);
  am_pairs_u32(p, "num_experts", c->n_experts);
  am_pairs_u32(p, "num_experts_per_tok", c->n_experts_used);
  am_pairs_u32(p, "moe_intermediate_size", c->n_ff_expert);
  am_pairs_bool(p, "norm_topk_prob", c->normalise_experts);
  am_pairs_u32(p, "decoder_sparse_step", 1);
  am_pairs_layers(p, "mlp_only_layers", c, c->sparse, false);
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
    {"router", HF "mlp.gate.weight", GGUF "ffn_gate_inp.weight", true, false, shape_router},
};

#define EXPERTS HF "mlp.experts."
static const am_expert_role expert_roles[] = {
    {"ffn_gate_exps", EXPERTS "%u.gate_proj.weight", EXPERTS "gate_up_proj", 0, 2,
     GGUF "ffn_gate_exps.weight", shape_expert},
    {"ffn_up_exps", EXPERTS "%u.up_proj.weight", EXPERTS "gate_up_proj", 1, 2, GGUF "ffn_up_exps.weight",
     shape_expert},
    {"ffn_down_exps", EXPERTS "%u.down_proj.weight", EXPERTS "down_proj", 0, 1, GGUF "ffn_down_exps.weight",
     shape_expert_down},
};

static const char *const hf_model_types[] = {"qwen3_moe", NULL};
static const char *const gguf_names[] = {"qwen3moe", NULL};

const am_arch am_arch_qwen3moe = {
    .name = "qwen3moe",
    .hf_model_types = hf_model_types,
    .gguf_names = gguf_names,
    .from_hf = from_hf,
    .from_gguf = from_gguf,
    .from_tensors = from_tensors,
    .roles = roles,
    .n_roles = sizeof roles / sizeof *roles,
    .gguf_untied = true,
    .expert_roles = expert_roles,
    .n_expert_roles = sizeof expert_roles / sizeof *expert_roles,
    .has = has,
    .to_gguf = to_gguf,
    .to_hf = to_hf,
};
