/* SPDX-License-Identifier: Apache-2.0 */
#include "arch/decoder.h"

#include <string.h>

/* Far above every model that exists, and small enough that products of two stay in 64 bits. */
enum {
  MOST_LAYERS = AM_ARCH_MOST_LAYERS,
  MOST_WIDTH = 1 << 24, /* hidden size, intermediate size, heads * head_dim */
  MOST_HEADS = 65536,
  MOST_HEAD_DIM = 65536,
  MOST_VOCAB = 1 << 28,
  MOST_CTX = 0x7FFFFFFF,
};
#define DEFAULT_EPS 1e-6 /* of both families in transformers */

/* Completes and checks the sizes of heads. Keys are named as the file at hand names them. */
static adam_status check_heads(const am_keys *keys, am_config *c) {
  static const char *const hf[] = {"num_attention_heads", "num_key_value_heads", "head_dim", "hidden_size"};
  static const char *const gguf[] = {"attention.head_count", "attention.head_count_kv",
                                     "attention.key_length", "embedding_length"};
  const char *const *names = c->source == AM_SOURCE_HF ? hf : gguf;
  if (c->n_kv_heads == 0) c->n_kv_heads = c->n_heads;
  if (c->n_heads % c->n_kv_heads != 0) {
    return am_fail(keys->error, ADAM_DAMAGED, keys->path, NULL,
                   "%s is %u, expected a multiple of %s, which is %u", names[0], c->n_heads, names[1],
                   c->n_kv_heads);
  }
  if (c->head_dim == 0) {
    if (c->n_embd % c->n_heads != 0) {
      return am_fail(keys->error, ADAM_DAMAGED, keys->path, NULL,
                     "%s is %u, expected a multiple of %s, which is %u, as there is no %s", names[3],
                     c->n_embd, names[0], c->n_heads, names[2]);
    }
    c->head_dim = c->n_embd / c->n_heads;
  }
  if (c->head_dim % 2 != 0 || (uint64_t)c->n_heads * c->head_dim > MOST_WIDTH) {
    return am_fail(keys->error, ADAM_DAMAGED, keys->path, NULL,
                   "%s is %u, expected an even number and, with %u heads, at most %d in all", names[2],
                   c->head_dim, c->n_heads, MOST_WIDTH);
  }
  return ADAM_OK;
}

adam_status am_decoder_sizes_from_hf(const am_keys *keys, am_config *c) {
  adam_status status = am_keys_u32(keys, "num_hidden_layers", true, 1, MOST_LAYERS, &c->n_layers);
  if (!status) status = am_keys_u32(keys, "hidden_size", true, 1, MOST_WIDTH, &c->n_embd);
  if (!status) status = am_keys_u32(keys, "intermediate_size", true, 1, MOST_WIDTH, &c->n_ff);
  if (!status) status = am_keys_u32(keys, "num_attention_heads", true, 1, MOST_HEADS, &c->n_heads);
  if (!status) status = am_keys_u32(keys, "num_key_value_heads", false, 1, MOST_HEADS, &c->n_kv_heads);
  if (!status) status = am_keys_u32(keys, "head_dim", false, 2, MOST_HEAD_DIM, &c->head_dim);
  if (!status) status = check_heads(keys, c);
  if (!status) status = am_keys_u32(keys, "vocab_size", true, 1, MOST_VOCAB, &c->n_vocab);
  if (!status) status = am_keys_u32(keys, "max_position_embeddings", false, 1, MOST_CTX, &c->n_ctx_train);
  return status;
}

adam_status am_decoder_silu_from_hf(const am_keys *keys) {
  const char *act = "silu";
  adam_status status = am_keys_string(keys, "hidden_act", &act);
  if (!status && strcmp(act, "silu") != 0 && strcmp(act, "swish") != 0)
    status = am_keys_unsupported(keys, "hidden_act", act);
  return status;
}

adam_status am_decoder_gelu_from_hf(const am_keys *keys, const char *absent, am_config *c) {
  static const char *const by_tanh[] = {"gelu_new", "gelu_pytorch_tanh", "gelu_fast"};
  const char *act = absent;
  adam_status status = am_keys_string(keys, "hidden_act", &act);
  for (size_t i = 0; i < sizeof by_tanh / sizeof *by_tanh && !status; i++)
    if (strcmp(act, by_tanh[i]) == 0) c->gelu_tanh = true;
  if (!status && !c->gelu_tanh && strcmp(act, "gelu") != 0)
    status = am_keys_unsupported(keys, "hidden_act", act);
  return status;
}

adam_status am_decoder_rest_from_hf(const am_keys *keys, am_config *c) {
  uint32_t n_bos = 0;
  adam_status status = am_keys_bool(keys, "tie_word_embeddings", &c->tied_embeddings);
  if (!status) status = am_keys_bool(keys, "attention_bias", &c->attention_bias);
  if (!status) status = am_rope_from_hf(keys, c);
  if (!status) status = am_keys_ids(keys, "bos_token_id", &c->bos_id, 1, &n_bos);
  if (!status) status = am_keys_ids(keys, "eos_token_id", c->end_ids, 16, &c->n_end_ids);
  if (!status && n_bos == 0) c->bos_id = -1;
  return status;
}

adam_status am_decoder_from_hf(const am_keys *keys, am_config *c) {
  double eps = DEFAULT_EPS;
  adam_status status = am_decoder_sizes_from_hf(keys, c);
  if (!status) status = am_keys_real(keys, "rms_norm_eps", false, 0, 1, &eps);
  if (!status) status = am_decoder_silu_from_hf(keys);
  if (!status) status = am_decoder_rest_from_hf(keys, c);
  c->norm_eps = (float)eps;
  return status;
}

void am_decoder_set_window(am_config *c, uint32_t window, uint32_t first, uint32_t step) {
  c->window = window;
  for (uint32_t i = first; window && i < c->n_layers; i += step) c->windowed[i / 64] |= UINT64_C(1) << i % 64;
}

adam_status am_decoder_window_from_hf(const am_keys *keys, uint32_t window, uint32_t first, uint32_t step,
                                      am_config *c) {
  const am_json *types = am_keys_get(keys, "layer_types");
  if (!types) {
    am_decoder_set_window(c, window, first, step);
    return ADAM_OK;
  }
  if (types->type != AM_JSON_ARRAY || types->n < c->n_layers)
    return am_fail(keys->error, ADAM_DAMAGED, keys->path, NULL,
                   "layer_types: expected a list of the kinds of the %u layers", c->n_layers);
  c->window = window;
  for (uint32_t i = 0; i < c->n_layers; i++) {
    const char *type = am_json_str(am_json_at(types, i), "not a text");
    if (strcmp(type, "full_attention") == 0) continue;
    if (strcmp(type, "sliding_attention") != 0) return am_keys_unsupported(keys, "layer_types", type);
    if (window == 0)
      return am_fail(keys->error, ADAM_DAMAGED, keys->path, NULL,
                     "layer_types has sliding_attention, but no sliding_window is in use");
    c->windowed[i / 64] |= UINT64_C(1) << i % 64;
  }
  return ADAM_OK;
}

/* Released Qwen models have no window; use_sliding_window gives one to the layers from max_window_layers on.
 */
adam_status am_qwen_windows_from_hf(const am_keys *keys, am_config *config) {
  uint32_t first = 28, window = 4096; /* transformers' defaults; a window of null is none */
  bool used = false;
  if (am_json_get(keys->object, "sliding_window") && !am_keys_get(keys, "sliding_window")) window = 0;
  adam_status status = am_keys_bool(keys, "use_sliding_window", &used);
  if (!status) status = am_keys_u32(keys, "max_window_layers", false, 0, INT32_MAX, &first);
  if (!status) status = am_keys_u32(keys, "sliding_window", false, 1, INT32_MAX, &window);
  return status ? status : am_decoder_window_from_hf(keys, used ? window : 0, first, 1, config);
}

/* A count that llama.cpp allows to differ per layer; all alike is what we know. */
static adam_status read_per_layer(const am_keys *keys, const char *key, bool required, uint32_t most,
                                  uint32_t *out) {
  const am_json *value = am_keys_get(keys, key);
  if (!value || value->type != AM_JSON_ARRAY || value->n == 0) {
    return am_keys_u32(keys, key, required, 1, most, out);
  }
  int64_t first = am_json_int(am_json_at(value, 0), -1);
  for (uint32_t i = 1; i < value->n; i++) {
    if (am_json_int(am_json_at(value, i), -1) != first) {
      return am_keys_unsupported(keys, key, "not the same in every layer");
    }
  }
  if (first < 1 || first > most) {
    return am_fail(keys->error, ADAM_DAMAGED, keys->path, NULL, "%s%s is %lld, expected 1 to %u",
                   keys->prefix, key, (long long)first, most);
  }
  *out = (uint32_t)first;
  return ADAM_OK;
}

static adam_status check_gguf_sizes(const am_keys *keys, const am_config *c) {
  uint32_t value_length = c->head_dim, n_experts = 0;
  adam_status status = am_keys_u32(keys, "attention.value_length", false, 1, MOST_HEAD_DIM, &value_length);
  if (!status) status = am_keys_u32(keys, "expert_count", false, 0, MOST_HEADS, &n_experts);
  if (status) return status;
  if (value_length != c->head_dim) {
    return am_keys_unsupported(keys, "attention.value_length", "not the attention.key_length");
  }
  if (n_experts > 0 && c->n_experts == 0)
    return am_keys_unsupported(keys, "expert_count", "not 0: a mixture of experts");
  return ADAM_OK;
}

adam_status am_decoder_sizes_from_gguf(const am_keys *keys, am_config *c) {
  adam_status status = am_keys_u32(keys, "block_count", true, 1, MOST_LAYERS, &c->n_layers);
  if (!status) status = am_keys_u32(keys, "embedding_length", true, 1, MOST_WIDTH, &c->n_embd);
  if (!status) status = read_per_layer(keys, "feed_forward_length", true, MOST_WIDTH, &c->n_ff);
  if (!status) status = read_per_layer(keys, "attention.head_count", true, MOST_HEADS, &c->n_heads);
  if (!status) status = read_per_layer(keys, "attention.head_count_kv", false, MOST_HEADS, &c->n_kv_heads);
  if (!status) status = am_keys_u32(keys, "attention.key_length", false, 2, MOST_HEAD_DIM, &c->head_dim);
  if (!status) status = check_heads(keys, c);
  if (!status) status = check_gguf_sizes(keys, c);
  if (!status) status = am_keys_u32(keys, "vocab_size", false, 1, MOST_VOCAB, &c->n_vocab);
  if (!status) status = am_keys_u32(keys, "context_length", false, 1, MOST_CTX, &c->n_ctx_train);
  return status;
}

adam_status am_decoder_rest_from_gguf(const am_keys *keys, am_rope_style style, am_config *c) {
  uint32_t n_bos = 0;
  am_keys plain = *keys;
  plain.prefix = "tokenizer.ggml.";
  adam_status status = am_rope_from_gguf(keys, style, c);
  if (!status) status = am_keys_ids(&plain, "bos_token_id", &c->bos_id, 1, &n_bos);
  if (!status) status = am_keys_ids(&plain, "eos_token_id", c->end_ids, 1, &c->n_end_ids);
  if (!status && n_bos == 0) c->bos_id = -1;
  return status;
}

adam_status am_decoder_from_gguf(const am_keys *keys, am_rope_style style, am_config *c) {
  double eps = 0;
  adam_status status = am_decoder_sizes_from_gguf(keys, c);
  if (!status) status = am_keys_real(keys, "attention.layer_norm_rms_epsilon", true, 0, 1, &eps);
  if (!status) status = am_decoder_rest_from_gguf(keys, style, c);
  c->norm_eps = (float)eps;
  return status;
}

static const am_tensor *find_role(const am_config *c, const char *field, am_find_tensor find,
                                  const void *user) {
  const am_tensor_role *role = am_arch_role(c->arch, field);
  char name[160];
  for (int bare = 0; role && bare < 2; bare++) {
    if (!am_arch_tensor_name(c, role, 0, bare, name, sizeof name)) continue;
    const am_tensor *tensor = find(user, name);
    if (tensor) return tensor;
  }
  return NULL;
}

/* True when one of n fields has a tensor in the first layer. */
static bool any_role(const am_config *c, const char *const *fields, size_t n, am_find_tensor find,
                     const void *user) {
  for (size_t i = 0; i < n; i++)
    if (find_role(c, fields[i], find, user)) return true;
  return false;
}

adam_status am_decoder_from_tensors(am_config *c, am_find_tensor find, const void *user, const char *path,
                                    adam_error *error) {
  static const char *const attention[] = {"attn_q_bias", "attn_k_bias", "attn_v_bias", "attn_output_bias"};
  static const char *const mlp[] = {"ffn_gate_bias", "ffn_up_bias", "ffn_down_bias"};
  const am_tensor *output = find_role(c, "output", find, user);
  if (c->source == AM_SOURCE_HF) {
    /* Base-model checkpoints have no output matrix, whatever their config says. */
    if (!output) c->tied_embeddings = true;
    return ADAM_OK;
  }
  const am_tensor *embedding = find_role(c, "token_embd", find, user);
  c->tied_embeddings = output == NULL;
  c->attention_bias = any_role(c, attention, sizeof attention / sizeof *attention, find, user);
  c->mlp_bias = any_role(c, mlp, sizeof mlp / sizeof *mlp, find, user);
  if (find_role(c, "rope_freqs", find, user)) {
    if (c->rope.scaling != AM_ROPE_NONE) {
      return am_fail(error, ADAM_UNSUPPORTED, path, NULL, "rope scaling by key and by rope_freqs at once");
    }
    c->rope.scaling = AM_ROPE_FACTORS;
  }
  if (find_role(c, "rope_factors_long", find, user)) c->rope.scaling = AM_ROPE_LONGROPE;
  if (embedding && embedding->n_dims == 2 && embedding->shape[0] >= 1 && embedding->shape[0] <= MOST_VOCAB) {
    c->n_vocab = (uint32_t)embedding->shape[0];
  }
  if (c->n_vocab == 0) {
    return am_fail(error, ADAM_DAMAGED, path, NULL, "neither vocab_size nor a token embedding of two axes");
  }
  return ADAM_OK;
}
