/* SPDX-License-Identifier: Apache-2.0 */
#include "arch/decoder.h"

static uint32_t vector(uint64_t shape[2], uint64_t n) {
  shape[0] = n;
  return 1;
}

static uint32_t matrix(uint64_t shape[2], uint64_t n_out, uint64_t n_in) {
  shape[0] = n_out;
  shape[1] = n_in;
  return 2;
}

static uint64_t q_width(const am_config *c) { return (uint64_t)c->n_heads * c->head_dim; }
static uint64_t kv_width(const am_config *c) { return (uint64_t)c->n_kv_heads * c->head_dim; }

uint32_t am_shape_embd(const am_config *c, uint64_t shape[2]) { return matrix(shape, c->n_vocab, c->n_embd); }

uint32_t am_shape_output(const am_config *c, uint64_t shape[2]) {
  return c->tied_embeddings ? 0 : matrix(shape, c->n_vocab, c->n_embd);
}

uint32_t am_shape_norm(const am_config *c, uint64_t shape[2]) { return vector(shape, c->n_embd); }
uint32_t am_shape_head_norm(const am_config *c, uint64_t shape[2]) { return vector(shape, c->head_dim); }
uint32_t am_shape_q(const am_config *c, uint64_t shape[2]) { return matrix(shape, q_width(c), c->n_embd); }
uint32_t am_shape_kv(const am_config *c, uint64_t shape[2]) { return matrix(shape, kv_width(c), c->n_embd); }
uint32_t am_shape_fused_qkv(const am_config *c, uint64_t shape[2]) {
  return matrix(shape, q_width(c) + 2 * kv_width(c), c->n_embd);
}

uint32_t am_shape_attn_output(const am_config *c, uint64_t shape[2]) {
  return matrix(shape, c->n_embd, q_width(c));
}

uint32_t am_shape_q_bias(const am_config *c, uint64_t shape[2]) {
  return c->attention_bias ? vector(shape, q_width(c)) : 0;
}

uint32_t am_shape_kv_bias(const am_config *c, uint64_t shape[2]) {
  return c->attention_bias ? vector(shape, kv_width(c)) : 0;
}

uint32_t am_shape_attn_output_bias(const am_config *c, uint64_t shape[2]) {
  return c->attention_bias ? vector(shape, c->n_embd) : 0;
}

uint32_t am_shape_ffn(const am_config *c, uint64_t shape[2]) { return matrix(shape, c->n_ff, c->n_embd); }
uint32_t am_shape_ffn_down(const am_config *c, uint64_t shape[2]) {
  return matrix(shape, c->n_embd, c->n_ff);
}
uint32_t am_shape_ffn_bias(const am_config *c, uint64_t shape[2]) {
  return c->mlp_bias ? vector(shape, c->n_ff) : 0;
}

uint32_t am_shape_ffn_down_bias(const am_config *c, uint64_t shape[2]) {
  return c->mlp_bias ? vector(shape, c->n_embd) : 0;
}

static uint64_t n_frequencies(const am_config *c) {
  return ((c->rope.n_dims ? c->rope.n_dims : c->head_dim) + 1) / 2;
}

uint32_t am_shape_rope_freqs(const am_config *c, uint64_t shape[2]) {
  return c->rope.scaling == AM_ROPE_FACTORS ? vector(shape, n_frequencies(c)) : 0;
}

uint32_t am_shape_rope_factors(const am_config *c, uint64_t shape[2]) {
  return c->rope.scaling == AM_ROPE_LONGROPE && c->rope.n_factors == 0 ? vector(shape, n_frequencies(c)) : 0;
}
