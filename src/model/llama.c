/* SPDX-License-Identifier: Apache-2.0 */
/* Llama (Touvron et al. 2023; Grattafiori et al. 2024): pre-norm decoder, grouped-query attention with
 * rotary positions, SwiGLU; biases where the config says so. Reference: transformers'
 * modeling_llama.py. D = n_embd, H = n_heads, G = n_kv_heads, d = head_dim, F = n_ff. */
#include "model/family.h"

#include <math.h>

typedef struct layer {
  am_weight *attn_norm;                      /* (D) */
  am_weight *attn_q, *attn_q_bias;           /* (H d, D), (H d) */
  am_weight *attn_k, *attn_k_bias;           /* (G d, D), (G d) */
  am_weight *attn_v, *attn_v_bias;           /* (G d, D), (G d) */
  am_weight *attn_output, *attn_output_bias; /* (D, H d), (D) */
  am_weight *ffn_norm;                       /* (D) */
  am_weight *ffn_gate, *ffn_gate_bias;       /* (F, D), (F) */
  am_weight *ffn_up, *ffn_up_bias;           /* (F, D), (F) */
  am_weight *ffn_down, *ffn_down_bias;       /* (D, F), (D) */
} layer;

static adam_status bind_layer(am_model *model, const am_loader *loader, uint32_t i, void *fields,
                              adam_error *error) {
  layer *l = fields;
  const am_binding wanted[] = {
      {"attn_norm", &l->attn_norm},
      {"attn_q", &l->attn_q},
      {"attn_q_bias", &l->attn_q_bias},
      {"attn_k", &l->attn_k},
      {"attn_k_bias", &l->attn_k_bias},
      {"attn_v", &l->attn_v},
      {"attn_v_bias", &l->attn_v_bias},
      {"attn_output", &l->attn_output},
      {"attn_output_bias", &l->attn_output_bias},
      {"ffn_norm", &l->ffn_norm},
      {"ffn_gate", &l->ffn_gate},
      {"ffn_gate_bias", &l->ffn_gate_bias},
      {"ffn_up", &l->ffn_up},
      {"ffn_up_bias", &l->ffn_up_bias},
      {"ffn_down", &l->ffn_down},
      {"ffn_down_bias", &l->ffn_down_bias},
  };
  return am_bind_all(model, loader, i, wanted, sizeof wanted / sizeof *wanted, error);
}

static adam_status bind(am_model *model, const am_loader *loader, adam_error *error) {
  return am_bind_layers(model, loader, sizeof(layer), bind_layer, error);
}

/* x += o_proj(attend(rope(q), rope(k), v)) of norm(x) */
static void attention(const am_model *model, am_queue *q, const am_activations *a, const am_batch *batch,
                      uint32_t i) {
  const am_config *c = &model->config;
  const layer *l = (const layer *)model->fields + i;
  const uint32_t n = batch->n_tokens;
  const am_attend how = {.layer = i,
                         .n_heads = c->n_heads,
                         .n_kv_heads = c->n_kv_heads,
                         .head_dim = c->head_dim,
                         .scale = 1.0f / sqrtf((float)c->head_dim),
                         .window = am_arch_window(c, i)};

  am_queue_rms_norm(q, a->y, a->x, l->attn_norm, c->norm_eps, 0, n, 1); /* (n, D) */
  am_queue_matmul(q, a->q, l->attn_q, l->attn_q_bias, a->y, n);         /* (n, H d) */
  am_queue_matmul(q, a->k, l->attn_k, l->attn_k_bias, a->y, n);         /* (n, G d) */
  am_queue_matmul(q, a->v, l->attn_v, l->attn_v_bias, a->y, n);         /* (n, G d) */
  am_queue_rope(q, a->q, &model->rope, c->n_heads, c->head_dim, batch->segments, batch->n_segments);
  am_queue_rope(q, a->k, &model->rope, c->n_kv_heads, c->head_dim, batch->segments, batch->n_segments);
  am_queue_store_kv(q, i, a->k, a->v, batch->segments, batch->n_segments);
  am_queue_attend(q, a->attended, a->q, &how, batch->segments, batch->n_segments); /* (n, H d) */
  am_queue_matmul(q, a->y, l->attn_output, l->attn_output_bias, a->attended, n);   /* (n, D) */
  am_queue_add(q, a->x, a->y, n, c->n_embd);
}

/* x += down(silu(gate(y)) * up(y)), y = norm(x) */
static void feed_forward(const am_model *model, am_queue *q, const am_activations *a, uint32_t n,
                         uint32_t i) {
  const am_config *c = &model->config;
  const layer *l = (const layer *)model->fields + i;
  am_queue_rms_norm(q, a->y, a->x, l->ffn_norm, c->norm_eps, 0, n, 1); /* (n, D) */
  am_queue_matmul(q, a->gate, l->ffn_gate, l->ffn_gate_bias, a->y, n); /* (n, F) */
  am_queue_matmul(q, a->up, l->ffn_up, l->ffn_up_bias, a->y, n);       /* (n, F) */
  am_queue_silu_mul(q, a->gate, a->gate, a->up, n, c->n_ff);           /* (n, F) */
  am_queue_matmul(q, a->y, l->ffn_down, l->ffn_down_bias, a->gate, n); /* (n, D) */
  am_queue_add(q, a->x, a->y, n, c->n_embd);
}

static void layers(const am_model *model, am_queue *q, const am_activations *a, const am_batch *batch) {
  for (uint32_t i = 0; i < model->config.n_layers; i++) {
    attention(model, q, a, batch, i);
    feed_forward(model, q, a, batch->n_tokens, i);
  }
}

const am_family am_family_llama = {.name = "llama", .bind = bind, .layers = layers, .verbs_per_layer = 16};
