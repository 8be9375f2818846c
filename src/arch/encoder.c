/* SPDX-License-Identifier: Apache-2.0 */
#include "arch/encoder.h"

#include <string.h>

enum {
  MOST_LAYERS = 4096,
  MOST_WIDTH = 1 << 24,
  MOST_HEADS = 65536,
  MOST_VOCAB = 1 << 28,
  MOST_TYPES = 65536,
  MOST_LABELS = 65536,
  MOST_CTX = 0x7FFFFFFF,
};
#define DEFAULT_EPS 1e-12 /* of BERT in transformers */

adam_status am_encoder_check(const am_keys *keys, am_config *c) {
  if (c->n_embd % c->n_heads != 0)
    return am_fail(keys->error, ADAM_DAMAGED, keys->path, NULL,
                   "the hidden size is %u, expected a multiple of the %u heads", c->n_embd, c->n_heads);
  c->n_kv_heads = c->n_heads;
  c->head_dim = c->n_embd / c->n_heads;
  if (c->n_positions && c->n_positions <= c->position_offset)
    return am_fail(keys->error, ADAM_DAMAGED, keys->path, NULL, "%u positions, and the first is number %u",
                   c->n_positions, c->position_offset);
  return ADAM_OK;
}

/* A classifier's labels: num_labels, else as many as id2label has, else transformers' default of 2; none
 * where the architecture has no such head. */
static adam_status read_labels(const am_keys *keys, am_config *c) {
  static const char head[] = "ForSequenceClassification";
  const am_json *names = am_keys_get(keys, "id2label");
  const char *architecture = am_json_str(am_json_at(am_keys_get(keys, "architectures"), 0), "");
  size_t n = strlen(architecture), n_head = sizeof head - 1;
  if (n < n_head || strcmp(architecture + n - n_head, head) != 0) return ADAM_OK;
  c->n_labels = names && names->type == AM_JSON_OBJECT && names->n ? names->n : 2;
  adam_status status = am_keys_u32(keys, "num_labels", false, 1, MOST_LABELS, &c->n_labels);
  if (!status && c->n_labels > MOST_LABELS)
    status = am_keys_unsupported(keys, "id2label", "longer than 65536 labels");
  return status;
}

adam_status am_encoder_from_hf(const am_keys *keys, am_config *c) {
  const char *position_type = "absolute";
  double eps = DEFAULT_EPS;
  bool decoder = false;
  c->n_types = 2;
  c->rope.theta = 10000; /* not used: positions are learned */
  c->rope.factor = 1;
  adam_status status = am_keys_u32(keys, "num_hidden_layers", true, 1, MOST_LAYERS, &c->n_layers);
  if (!status) status = am_keys_u32(keys, "hidden_size", true, 2, MOST_WIDTH, &c->n_embd);
  if (!status) status = am_keys_u32(keys, "intermediate_size", true, 1, MOST_WIDTH, &c->n_ff);
  if (!status) status = am_keys_u32(keys, "num_attention_heads", true, 1, MOST_HEADS, &c->n_heads);
  if (!status) status = am_keys_u32(keys, "vocab_size", true, 1, MOST_VOCAB, &c->n_vocab);
  if (!status) status = am_keys_u32(keys, "max_position_embeddings", true, 1, MOST_CTX, &c->n_positions);
  if (!status) status = am_keys_u32(keys, "type_vocab_size", false, 0, MOST_TYPES, &c->n_types);
  if (!status) status = am_keys_real(keys, "layer_norm_eps", false, 0, 1, &eps);
  if (!status) status = am_decoder_gelu_from_hf(keys, "gelu", c);
  if (!status) status = am_keys_string(keys, "position_embedding_type", &position_type);
  if (!status && strcmp(position_type, "absolute") != 0)
    status = am_keys_unsupported(keys, "position_embedding_type", position_type);
  if (!status) status = am_keys_bool(keys, "is_decoder", &decoder);
  if (!status && decoder) status = am_keys_unsupported(keys, "is_decoder", "true");
  if (!status) status = read_labels(keys, c);
  if (status) return status;
  c->norm_eps = (float)eps;
  return am_encoder_check(keys, c);
}

adam_status am_encoder_from_gguf(const am_keys *keys, am_config *c) {
  double eps = DEFAULT_EPS;
  bool causal = false;
  am_keys plain = *keys;
  plain.prefix = "tokenizer.ggml.";
  adam_status status = am_keys_u32(keys, "block_count", true, 1, MOST_LAYERS, &c->n_layers);
  if (!status) status = am_keys_u32(keys, "embedding_length", true, 2, MOST_WIDTH, &c->n_embd);
  if (!status) status = am_keys_u32(keys, "feed_forward_length", true, 1, MOST_WIDTH, &c->n_ff);
  if (!status) status = am_keys_u32(keys, "attention.head_count", true, 1, MOST_HEADS, &c->n_heads);
  if (!status) status = am_keys_u32(keys, "context_length", true, 1, MOST_CTX, &c->n_ctx_train);
  if (!status) status = am_keys_real(keys, "attention.layer_norm_epsilon", true, 0, 1, &eps);
  if (!status) status = am_keys_bool(keys, "attention.causal", &causal);
  if (!status && causal) status = am_keys_unsupported(keys, "attention.causal", "true");
  if (!status) status = am_keys_u32(&plain, "token_type_count", false, 0, MOST_TYPES, &c->n_types);
  if (status) return status;
  c->norm_eps = (float)eps;
  return am_encoder_check(keys, c);
}

static uint64_t rows_of(const am_tensor *tensor) {
  return tensor && tensor->n_dims == 2 ? tensor->shape[0] : 0;
}

static const am_tensor *find_role(const am_config *c, const char *field, am_find_tensor find,
                                  const void *user) {
  const am_tensor_role *role = am_arch_role(c->arch, field);
  char name[160];
  if (!role || !am_arch_tensor_name(c, role, 0, false, name, sizeof name)) return NULL;
  return find(user, name);
}

adam_status am_encoder_from_tensors(am_config *c, am_find_tensor find, const void *user, const char *path,
                                    adam_error *error) {
  if (c->source == AM_SOURCE_HF) return ADAM_OK;
  uint64_t n_vocab = rows_of(find_role(c, "token_embd", find, user));
  uint64_t n_positions = rows_of(find_role(c, "position_embd", find, user));
  uint64_t n_types = rows_of(find_role(c, "token_types", find, user));
  uint64_t n_labels = rows_of(find_role(c, "labels", find, user));
  if (n_vocab < 1 || n_vocab > MOST_VOCAB || n_positions > MOST_CTX || n_types > MOST_TYPES ||
      n_labels > MOST_LABELS)
    return am_fail(error, ADAM_DAMAGED, path, NULL, "no token embedding, or tables of absurd sizes");
  c->n_vocab = (uint32_t)n_vocab;
  c->n_positions = (uint32_t)n_positions;
  if (n_positions) c->n_ctx_train = (uint32_t)n_positions;
  c->n_types = (uint32_t)n_types;
  c->n_labels = (uint32_t)n_labels;
  c->fused_qkv = find_role(c, "attn_qkv", find, user) != NULL;
  c->attention_bias = find_role(c, "attn_q_bias", find, user) || find_role(c, "attn_qkv_bias", find, user);
  return ADAM_OK;
}

static uint32_t vector(uint64_t shape[2], uint64_t n) {
  shape[0] = n;
  return 1;
}

static uint32_t matrix(uint64_t shape[2], uint64_t n_out, uint64_t n_in) {
  shape[0] = n_out;
  shape[1] = n_in;
  return 2;
}

uint32_t am_shape_positions(const am_config *c, uint64_t shape[2]) {
  return matrix(shape, c->n_positions, c->n_embd);
}
uint32_t am_shape_types(const am_config *c, uint64_t shape[2]) {
  return c->n_types ? matrix(shape, c->n_types, c->n_embd) : 0;
}
uint32_t am_shape_inner_bias(const am_config *c, uint64_t shape[2]) { return vector(shape, c->n_ff); }
uint32_t am_shape_qkv(const am_config *c, uint64_t shape[2]) {
  return c->fused_qkv ? matrix(shape, 3 * (uint64_t)c->n_embd, c->n_embd) : 0;
}
uint32_t am_shape_unfused(const am_config *c, uint64_t shape[2]) {
  return c->fused_qkv ? 0 : matrix(shape, c->n_embd, c->n_embd);
}
uint32_t am_shape_pooler(const am_config *c, uint64_t shape[2]) {
  return c->n_labels ? matrix(shape, c->n_embd, c->n_embd) : 0;
}
uint32_t am_shape_pooler_bias(const am_config *c, uint64_t shape[2]) {
  return c->n_labels ? vector(shape, c->n_embd) : 0;
}
uint32_t am_shape_labels(const am_config *c, uint64_t shape[2]) {
  return c->n_labels ? matrix(shape, c->n_labels, c->n_embd) : 0;
}
uint32_t am_shape_labels_bias(const am_config *c, uint64_t shape[2]) {
  return c->n_labels ? vector(shape, c->n_labels) : 0;
}
