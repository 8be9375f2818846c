/* SPDX-License-Identifier: Apache-2.0 */
/* nomic-bert (nomic-embed-text v1 and v1.5): BERT with rotary positions, SwiGLU and no biases outside of the
 * norms. Two dialects of config.json share the model_type: the Hub's own with GPT-2's keys (n_embd), and the
 * one that transformers 5 writes with BERT's (hidden_size); the tensors have the same names. */
#include <string.h>

#include "arch/encoder.h"
#include "arch/families.h"
#include "arch/pairs.h"

enum { MOST_WIDTH = 1 << 24, MOST_CTX = 0x7FFFFFFF };
#define DEFAULT_THETA 1000.0 /* transformers' NomicBertConfig */

/* A switch that our forward pass knows in one position only. */
static adam_status expect(const am_keys *keys, const char *key, bool expected) {
  bool value = expected;
  adam_status status = am_keys_bool(keys, key, &value);
  if (!status && value != expected) status = am_keys_unsupported(keys, key, value ? "true" : "false");
  return status;
}

static adam_status from_gpt2_keys(const am_keys *keys, am_config *c) {
  static const struct {
    const char *key;
    bool expected;
  } switches[] = {{"qkv_proj_bias", false}, {"mlp_fc1_bias", false},   {"mlp_fc2_bias", false},
                  {"prenorm", false},       {"parallel_block", false}, {"rotary_emb_interleaved", false},
                  {"use_rms_norm", false},  {"causal", false}};
  const char *act = "swiglu";
  double eps = 1e-12, fraction = 1, scaling = 1;
  c->rope.theta = DEFAULT_THETA;
  c->n_types = 2;
  adam_status status = am_keys_u32(keys, "n_layer", true, 1, 4096, &c->n_layers);
  if (!status) status = am_keys_u32(keys, "n_embd", true, 2, MOST_WIDTH, &c->n_embd);
  if (!status) status = am_keys_u32(keys, "n_inner", false, 1, MOST_WIDTH, &c->n_ff);
  if (!status) status = am_keys_u32(keys, "n_head", true, 1, 65536, &c->n_heads);
  if (!status) status = am_keys_u32(keys, "vocab_size", true, 1, 1 << 28, &c->n_vocab);
  if (!status) status = am_keys_u32(keys, "n_positions", false, 1, MOST_CTX, &c->n_ctx_train);
  if (!status) status = am_keys_u32(keys, "type_vocab_size", false, 0, 65536, &c->n_types);
  if (!status) status = am_keys_real(keys, "layer_norm_epsilon", false, 0, 1, &eps);
  if (!status) status = am_keys_real(keys, "rotary_emb_base", false, 1e-3, 1e18, &c->rope.theta);
  if (!status) status = am_keys_real(keys, "rotary_emb_fraction", false, 0, 1, &fraction);
  if (!status) status = am_keys_real(keys, "rotary_scaling_factor", false, 0, 1e9, &scaling);
  if (!status) status = am_keys_string(keys, "activation_function", &act);
  if (!status && fraction != 1) status = am_keys_unsupported(keys, "rotary_emb_fraction", "not 1");
  if (!status && scaling != 1) status = am_keys_unsupported(keys, "rotary_scaling_factor", "not 1");
  if (!status && strcmp(act, "swiglu") != 0) status = am_keys_unsupported(keys, "activation_function", act);
  for (size_t i = 0; i < sizeof switches / sizeof *switches && !status; i++)
    status = expect(keys, switches[i].key, switches[i].expected);
  if (c->n_ff == 0) c->n_ff = 4 * c->n_embd;
  c->norm_eps = (float)eps;
  return status;
}

static adam_status from_bert_keys(const am_keys *keys, am_config *c) {
  am_keys rope = *keys;
  const char *act = "silu", *type = "default";
  double eps = 1e-12;
  uint32_t head_dim = 0;
  c->rope.theta = DEFAULT_THETA;
  c->n_types = 2;
  rope.object = am_keys_get(keys, "rope_parameters");
  adam_status status = am_keys_u32(keys, "num_hidden_layers", true, 1, 4096, &c->n_layers);
  if (!status) status = am_keys_u32(keys, "hidden_size", true, 2, MOST_WIDTH, &c->n_embd);
  if (!status) status = am_keys_u32(keys, "intermediate_size", true, 1, MOST_WIDTH, &c->n_ff);
  if (!status) status = am_keys_u32(keys, "num_attention_heads", true, 1, 65536, &c->n_heads);
  if (!status) status = am_keys_u32(keys, "head_dim", false, 2, 65536, &head_dim);
  if (!status) status = am_keys_u32(keys, "vocab_size", true, 1, 1 << 28, &c->n_vocab);
  if (!status) status = am_keys_u32(keys, "max_position_embeddings", false, 1, MOST_CTX, &c->n_ctx_train);
  if (!status) status = am_keys_u32(keys, "type_vocab_size", false, 0, 65536, &c->n_types);
  if (!status) status = am_keys_real(keys, "layer_norm_eps", false, 0, 1, &eps);
  if (!status) status = am_keys_string(keys, "hidden_act", &act);
  if (!status) status = am_keys_real(&rope, "rope_theta", false, 1e-3, 1e18, &c->rope.theta);
  if (!status) status = am_keys_string(&rope, "rope_type", &type);
  if (!status && strcmp(act, "silu") != 0) status = am_keys_unsupported(keys, "hidden_act", act);
  if (!status && strcmp(type, "default") != 0) status = am_keys_unsupported(&rope, "rope_type", type);
  if (!status && head_dim && head_dim * (uint64_t)c->n_heads != c->n_embd)
    status = am_keys_unsupported(keys, "head_dim", "not the hidden size over the heads");
  c->norm_eps = (float)eps;
  return status;
}

/* Rotation turns pairs. */
static adam_status check_head(const am_keys *keys, const am_config *c) {
  if (c->head_dim % 2 == 0) return ADAM_OK;
  return am_fail(keys->error, ADAM_DAMAGED, keys->path, NULL, "a head has %u values, expected an even number",
                 c->head_dim);
}

static adam_status from_hf(const am_json *config_json, const char *path, am_config *config,
                           adam_error *error) {
  am_keys keys = {config_json, path, "", error};
  config->fused_qkv = true;
  config->rope.factor = 1;
  adam_status status =
      am_keys_get(&keys, "n_embd") ? from_gpt2_keys(&keys, config) : from_bert_keys(&keys, config);
  if (!status) status = am_encoder_check(&keys, config);
  return status ? status : check_head(&keys, config);
}

static adam_status from_gguf(const am_json *metadata, const char *path, am_config *config,
                             adam_error *error) {
  am_keys keys = {metadata, path, "nomic-bert.", error};
  config->rope.theta = DEFAULT_THETA;
  config->rope.factor = 1;
  adam_status status = am_keys_real(&keys, "rope.freq_base", false, 1e-3, 1e18, &config->rope.theta);
  if (!status) status = am_encoder_from_gguf(&keys, config);
  return status ? status : check_head(&keys, config);
}

static adam_status to_gguf(const am_config *c, am_pairs *p, adam_error *error) {
  (void)error;
  am_encoder_to_gguf(c, p);
  am_pairs_real(p, "rope.freq_base", c->rope.theta);
  return ADAM_OK;
}

static adam_status to_hf(const am_config *c, am_pairs *p, adam_error *error) {
  (void)error;
  am_pairs_string(p, "model_type", "nomic_bert");
  am_pairs_string(p, "architectures", "NomicBertModel");
  am_encoder_to_hf(c, p);
  am_pairs_u32(p, "max_position_embeddings", c->n_ctx_train);
  am_pairs_string(p, "hidden_act", "silu");
  am_pairs_string(p, "rope_parameters.rope_type", "default");
  am_pairs_real(p, "rope_parameters.rope_theta", c->rope.theta);
  return ADAM_OK;
}

#define HF "encoder.layers.%u."
#define GGUF "blk.%u."
static const am_tensor_role roles[] = {
    {"token_embd", "bert.embeddings.word_embeddings.weight", "token_embd.weight", false, false,
     am_shape_embd},
    {"token_types", "bert.embeddings.token_type_embeddings.weight", "token_types.weight", false, false,
     am_shape_types},
    {"embd_norm", "bert.emb_ln.weight", "token_embd_norm.weight", false, false, am_shape_norm},
    {"embd_norm_bias", "bert.emb_ln.bias", "token_embd_norm.bias", false, false, am_shape_norm},
    {"attn_qkv", "bert." HF "attn.Wqkv.weight", GGUF "attn_qkv.weight", true, false, am_shape_qkv},
    {"attn_q", "", GGUF "attn_q.weight", true, false, am_shape_unfused},
    {"attn_k", "", GGUF "attn_k.weight", true, false, am_shape_unfused},
    {"attn_v", "", GGUF "attn_v.weight", true, false, am_shape_unfused},
    {"attn_output", "bert." HF "attn.out_proj.weight", GGUF "attn_output.weight", true, false,
     am_shape_attn_output},
    {"attn_output_norm", "bert." HF "norm1.weight", GGUF "attn_output_norm.weight", true, false,
     am_shape_norm},
    {"attn_output_norm_bias", "bert." HF "norm1.bias", GGUF "attn_output_norm.bias", true, false,
     am_shape_norm},
    {"ffn_up", "bert." HF "mlp.fc11.weight", GGUF "ffn_up.weight", true, false, am_shape_ffn},
    {"ffn_gate", "bert." HF "mlp.fc12.weight", GGUF "ffn_gate.weight", true, false, am_shape_ffn},
    {"ffn_down", "bert." HF "mlp.fc2.weight", GGUF "ffn_down.weight", true, false, am_shape_ffn_down},
    {"layer_output_norm", "bert." HF "norm2.weight", GGUF "layer_output_norm.weight", true, false,
     am_shape_norm},
    {"layer_output_norm_bias", "bert." HF "norm2.bias", GGUF "layer_output_norm.bias", true, false,
     am_shape_norm},
};

static const char *const hf_model_types[] = {"nomic_bert", NULL};
static const char *const gguf_names[] = {"nomic-bert", NULL};

const am_arch am_arch_nomic_bert = {
    .name = "nomic-bert",
    .hf_model_types = hf_model_types,
    .gguf_names = gguf_names,
    .hf_prefix = "bert.",
    .is_encoder = true,
    .from_hf = from_hf,
    .from_gguf = from_gguf,
    .from_tensors = am_encoder_from_tensors,
    .roles = roles,
    .n_roles = sizeof roles / sizeof *roles,
    .to_gguf = to_gguf,
    .to_hf = to_hf,
};
