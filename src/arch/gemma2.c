/* SPDX-License-Identifier: Apache-2.0 */
/* Gemma 2: the common decoder with four norms a layer, soft caps, and a window in every other layer. The
 * norms of a GGUF are 1 + those of the Hub. */
#include <string.h>

#include "arch/decoder.h"
#include "arch/families.h"
#include "arch/pairs.h"

/* In transformers; llama.cpp has the caps and the window too where its keys are absent. */
enum {
  DEFAULT_HEAD_DIM = 256,
  DEFAULT_KV_HEADS = 4,
  DEFAULT_QUERY_SCALAR = 256,
  DEFAULT_WINDOW = 4096,
  N_LAYERS_27B = 46
};
#define DEFAULT_EPS 1e-6
#define DEFAULT_ATTENTION_SOFTCAP 50.0
#define DEFAULT_LOGITS_SOFTCAP 30.0
#define MOST_SOFTCAP 1e9
/* llama.cpp divides by the cap of attention whatever it is: none is one that no score comes near, where tanh is
 * the number itself. */
#define NO_SOFTCAP 1e5

/* A cap; null = none, which is 0. */
static adam_status read_softcap(const am_keys *keys, const char *key, double absent, float *out) {
  const am_json *value = am_json_get(keys->object, key);
  double cap = value ? 0 : absent;
  adam_status status = am_keys_real(keys, key, false, 1e-6, MOST_SOFTCAP, &cap);
  if (!status) *out = (float)cap;
  return status;
}

static adam_status check_hf(const am_keys *keys, am_config *c) {
  const char *act = "gelu_pytorch_tanh";
  double scalar = DEFAULT_QUERY_SCALAR;
  bool bidirectional = false;
  adam_status status = am_keys_string(keys, "hidden_activation", &act);
  if (!status && strcmp(act, "gelu_pytorch_tanh") != 0 && strcmp(act, "gelu_new") != 0)
    status = am_keys_unsupported(keys, "hidden_activation", act);
  if (!status) status = am_keys_bool(keys, "use_bidirectional_attention", &bidirectional);
  if (!status && bidirectional) status = am_keys_unsupported(keys, "use_bidirectional_attention", "true");
  if (!status) status = am_keys_real(keys, "query_pre_attn_scalar", false, 1e-6, 1e9, &scalar);
  if (!status)
    status = read_softcap(keys, "attn_logit_softcapping", DEFAULT_ATTENTION_SOFTCAP, &c->attention_softcap);
  if (!status)
    status = read_softcap(keys, "final_logit_softcapping", DEFAULT_LOGITS_SOFTCAP, &c->logits_softcap);
  c->query_scalar = (float)scalar;
  return status;
}

static adam_status from_hf(const am_json *config_json, const char *path, am_config *c, adam_error *error) {
  am_keys keys = {config_json, path, "", error};
  double eps = DEFAULT_EPS;
  uint32_t window = am_json_get(config_json, "sliding_window") ? 0 : DEFAULT_WINDOW;
  c->head_dim = DEFAULT_HEAD_DIM;
  c->n_kv_heads = DEFAULT_KV_HEADS;
  c->tied_embeddings = true;
  adam_status status = am_decoder_sizes_from_hf(&keys, c);
  if (!status) status = am_keys_real(&keys, "rms_norm_eps", false, 0, 1, &eps);
  if (!status) status = check_hf(&keys, c);
  if (!status) status = am_decoder_rest_from_hf(&keys, c);
  if (!status) status = am_keys_u32(&keys, "sliding_window", false, 1, UINT32_MAX, &window);
  if (!status) status = am_decoder_window_from_hf(&keys, window, 0, 2, c);
  c->norm_eps = (float)eps;
  return status;
}

static adam_status from_gguf(const am_json *metadata, const char *path, am_config *c, adam_error *error) {
  am_keys keys = {metadata, path, "gemma2.", error};
  double attention = DEFAULT_ATTENTION_SOFTCAP, logits = DEFAULT_LOGITS_SOFTCAP;
  uint32_t window = DEFAULT_WINDOW;
  adam_status status = am_decoder_from_gguf(&keys, AM_ROPE_HALF, c);
  if (!status) status = am_keys_real(&keys, "attn_logit_softcapping", false, 0, MOST_SOFTCAP, &attention);
  if (!status) status = am_keys_real(&keys, "final_logit_softcapping", false, 0, MOST_SOFTCAP, &logits);
  if (!status) status = am_keys_u32(&keys, "attention.sliding_window", false, 0, UINT32_MAX, &window);
  if (status) return status;
  c->attention_softcap = attention < NO_SOFTCAP ? (float)attention : 0;
  c->logits_softcap = logits < NO_SOFTCAP ? (float)logits : 0;
  /* There is no key for the scale of queries: llama.cpp knows the 27B by its layers. */
  c->query_scalar = (float)(c->n_layers == N_LAYERS_27B ? c->n_embd / c->n_heads : c->head_dim);
  am_decoder_set_window(c, window, 0, 2);
  return ADAM_OK;
}

static adam_status to_gguf(const am_config *c, am_pairs *p, adam_error *error) {
  float scale = (float)(c->n_layers == N_LAYERS_27B ? c->n_embd / c->n_heads : c->head_dim);
  am_decoder_to_gguf(c, p);
  am_pairs_real(p, "attention.layer_norm_rms_epsilon", c->norm_eps);
  am_pairs_u32(p, "attention.key_length", c->head_dim);
  am_pairs_u32(p, "attention.value_length", c->head_dim);
  am_pairs_real(p, "attn_logit_softcapping", c->attention_softcap > 0 ? c->attention_softcap : NO_SOFTCAP);
  am_pairs_real(p, "final_logit_softcapping", c->logits_softcap > 0 ? c->logits_softcap : NO_SOFTCAP);
  am_pairs_u32(p, "attention.sliding_window", c->window ? c->window : c->n_ctx_train); /* 0 hides all tokens */
  if (c->attention_bias)
    am_pairs_notice(p, "attention has biases, which llama.cpp and Ollama do not know here: they will not open it");
  if (c->query_scalar != scale)
    return am_fail(error, ADAM_UNSUPPORTED, "query_pre_attn_scalar", NULL,
                   "%g has no words in GGUF, which takes %g for this shape", (double)c->query_scalar,
                   (double)scale);
  for (uint32_t i = 0; i < c->n_layers && c->window; i++)
    if ((am_arch_window(c, i) != 0) != (i % 2 == 0))
      return am_fail(error, ADAM_UNSUPPORTED, "layer_types", NULL,
                     "windows in other layers than every second have no words in GGUF");
  return am_rope_to_gguf(c, p, error);
}

static adam_status to_hf(const am_config *c, am_pairs *p, adam_error *error) {
  am_pairs_string(p, "model_type", "gemma2");
  am_pairs_string(p, "architectures", "Gemma2ForCausalLM");
  am_decoder_to_hf(c, "rms_norm_eps", p);
  am_pairs_u32(p, "head_dim", c->head_dim);
  am_pairs_string(p, "hidden_act", "gelu_pytorch_tanh");
  am_pairs_string(p, "hidden_activation", "gelu_pytorch_tanh");
  am_pairs_bool(p, "attention_bias", c->attention_bias);
  if (c->query_scalar == (float)(uint32_t)c->query_scalar)
    am_pairs_u32(p, "query_pre_attn_scalar", (uint32_t)c->query_scalar);
  else am_pairs_real(p, "query_pre_attn_scalar", c->query_scalar);
  if (c->attention_softcap > 0) am_pairs_real(p, "attn_logit_softcapping", c->attention_softcap);
  else am_pairs_null(p, "attn_logit_softcapping");
  if (c->logits_softcap > 0) am_pairs_real(p, "final_logit_softcapping", c->logits_softcap);
  else am_pairs_null(p, "final_logit_softcapping");
  if (c->window) am_pairs_u32(p, "sliding_window", c->window);
  else am_pairs_null(p, "sliding_window");
  return am_rope_to_hf(c, p, error);
}

static const am_transform_rule transforms[] = {{"output_norm", AM_TRANSFORM_ADD_ONE},
                                               {"attn_norm", AM_TRANSFORM_ADD_ONE},
                                               {"attn_post_norm", AM_TRANSFORM_ADD_ONE},
                                               {"ffn_norm", AM_TRANSFORM_ADD_ONE},
                                               {"ffn_post_norm", AM_TRANSFORM_ADD_ONE}};

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
    {"attn_output", HF "self_attn.o_proj.weight", GGUF "attn_output.weight", true, false,
     am_shape_attn_output},
    {"attn_output_bias", HF "self_attn.o_proj.bias", GGUF "attn_output.bias", true, true,
     am_shape_attn_output_bias},
    {"attn_post_norm", HF "post_attention_layernorm.weight", GGUF "post_attention_norm.weight", true, false,
     am_shape_norm},
    {"ffn_norm", HF "pre_feedforward_layernorm.weight", GGUF "ffn_norm.weight", true, false, am_shape_norm},
    {"ffn_gate", HF "mlp.gate_proj.weight", GGUF "ffn_gate.weight", true, false, am_shape_ffn},
    {"ffn_up", HF "mlp.up_proj.weight", GGUF "ffn_up.weight", true, false, am_shape_ffn},
    {"ffn_down", HF "mlp.down_proj.weight", GGUF "ffn_down.weight", true, false, am_shape_ffn_down},
    {"ffn_post_norm", HF "post_feedforward_layernorm.weight", GGUF "post_ffw_norm.weight", true, false,
     am_shape_norm},
};

static const char *const hf_model_types[] = {"gemma2", NULL};
static const char *const gguf_names[] = {"gemma2", NULL};

const am_arch am_arch_gemma2 = {
    .name = "gemma2",
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
