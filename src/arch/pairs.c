/* SPDX-License-Identifier: Apache-2.0 */
#include "arch/pairs.h"

#include <stdio.h>
#include <string.h>

static am_pair *add(am_pairs *p, const char *key, am_pair_type type) {
  am_pair *pair = &p->items[p->n];
  int length = snprintf(pair->key, sizeof pair->key, "%s%s", p->prefix, key);
  pair->type = type;
  if (p->n == AM_PAIRS_MOST || length >= (int)sizeof pair->key) p->full = true;
  else p->n++;
  return pair;
}

void am_pairs_u32(am_pairs *p, const char *key, uint32_t value) { add(p, key, AM_PAIR_U32)->as.u32 = value; }

void am_pairs_real(am_pairs *p, const char *key, double value) { add(p, key, AM_PAIR_REAL)->as.real = value; }

void am_pairs_bool(am_pairs *p, const char *key, bool value) { add(p, key, AM_PAIR_BOOL)->as.boolean = value; }

void am_pairs_string(am_pairs *p, const char *key, const char *value) {
  add(p, key, AM_PAIR_STRING)->as.string = value;
}

void am_pairs_null(am_pairs *p, const char *key) { (void)add(p, key, AM_PAIR_NULL); }

void am_pairs_reals(am_pairs *p, const char *key, const float *values, uint32_t n) {
  am_pair *pair = add(p, key, AM_PAIR_REALS);
  pair->reals = values;
  pair->n = n;
}

void am_pairs_ids(am_pairs *p, const char *key, const int32_t *ids, uint32_t n) {
  am_pair *pair = add(p, key, AM_PAIR_IDS);
  pair->ids = ids;
  pair->n = n;
}

void am_pairs_layers(am_pairs *p, const char *key, const am_config *c, const uint64_t *bits, bool is_set) {
  am_pair *pair = add(p, key, AM_PAIR_LAYERS);
  pair->bits = bits;
  pair->is_set = is_set;
  pair->n = c->n_layers;
}

void am_pairs_notice(am_pairs *p, const char *text) {
  if (p->n_notices < AM_PAIRS_NOTICES) p->notices[p->n_notices++] = text;
}

void am_decoder_to_gguf(const am_config *c, am_pairs *p) {
  am_pairs_u32(p, "block_count", c->n_layers);
  if (c->n_ctx_train) am_pairs_u32(p, "context_length", c->n_ctx_train);
  am_pairs_u32(p, "embedding_length", c->n_embd);
  am_pairs_u32(p, "feed_forward_length", c->n_ff);
  am_pairs_u32(p, "attention.head_count", c->n_heads);
  am_pairs_u32(p, "attention.head_count_kv", c->n_kv_heads);
}

void am_decoder_to_hf(const am_config *c, const char *norm_key, am_pairs *p) {
  am_pairs_u32(p, "vocab_size", c->n_vocab);
  am_pairs_u32(p, "hidden_size", c->n_embd);
  am_pairs_u32(p, "intermediate_size", c->n_ff);
  am_pairs_u32(p, "num_hidden_layers", c->n_layers);
  am_pairs_u32(p, "num_attention_heads", c->n_heads);
  am_pairs_u32(p, "num_key_value_heads", c->n_kv_heads);
  if (c->n_ctx_train) am_pairs_u32(p, "max_position_embeddings", c->n_ctx_train);
  am_pairs_real(p, norm_key, c->norm_eps);
  am_pairs_bool(p, "tie_word_embeddings", c->tied_embeddings);
  if (c->bos_id >= 0) am_pairs_u32(p, "bos_token_id", (uint32_t)c->bos_id);
  else am_pairs_null(p, "bos_token_id");
  if (c->n_end_ids) am_pairs_ids(p, "eos_token_id", c->end_ids, c->n_end_ids);
  else am_pairs_null(p, "eos_token_id");
}

void am_encoder_to_gguf(const am_config *c, am_pairs *p) {
  am_pairs_u32(p, "block_count", c->n_layers);
  if (c->n_ctx_train) am_pairs_u32(p, "context_length", c->n_ctx_train);
  am_pairs_u32(p, "embedding_length", c->n_embd);
  am_pairs_u32(p, "feed_forward_length", c->n_ff);
  am_pairs_u32(p, "attention.head_count", c->n_heads);
  am_pairs_real(p, "attention.layer_norm_epsilon", c->norm_eps);
  am_pairs_bool(p, "attention.causal", false);
}

void am_encoder_to_hf(const am_config *c, am_pairs *p) {
  am_pairs_u32(p, "vocab_size", c->n_vocab);
  am_pairs_u32(p, "hidden_size", c->n_embd);
  am_pairs_u32(p, "intermediate_size", c->n_ff);
  am_pairs_u32(p, "num_hidden_layers", c->n_layers);
  am_pairs_u32(p, "num_attention_heads", c->n_heads);
  am_pairs_u32(p, "type_vocab_size", c->n_types);
  am_pairs_real(p, "layer_norm_eps", c->norm_eps);
}

void am_qwen_to_gguf(const am_config *c, am_pairs *p) {
  am_decoder_to_gguf(c, p);
  am_pairs_real(p, "attention.layer_norm_rms_epsilon", c->norm_eps);
  am_pairs_u32(p, "attention.key_length", c->head_dim);
  am_pairs_u32(p, "attention.value_length", c->head_dim);
  if (c->rope.n_dims && c->rope.n_dims != c->head_dim) am_pairs_u32(p, "rope.dimension_count", c->rope.n_dims);
  if (strcmp(c->arch->name, "qwen2") == 0 && c->n_heads * (uint64_t)c->head_dim != c->n_embd)
    am_pairs_notice(p, "heads of another size than the width over their number: llama.cpp will not open it");
  if (c->window)
    am_pairs_notice(p, "the window of some layers has no words in GGUF: beyond it answers will differ");
}

void am_qwen_to_hf(const am_config *c, am_pairs *p) {
  am_decoder_to_hf(c, "rms_norm_eps", p);
  am_pairs_u32(p, "head_dim", c->head_dim);
  am_pairs_string(p, "hidden_act", "silu");
  am_pairs_bool(p, "use_sliding_window", false);
}
