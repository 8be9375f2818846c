/* SPDX-License-Identifier: Apache-2.0 */
/* Mistral 7B (Jiang et al., 2023): pre-norm decoder, grouped-query attention with rotary positions over a
 * sliding window (a query sees the last W keys, its own included), SwiGLU, no biases. Reference:
 * transformers' modeling_mistral.py. D = n_embd, H = n_heads, G = n_kv_heads, d = head_dim, F = n_ff. */
#include "model/family.h"

#include <math.h>

typedef struct layer {
  am_weight *attn_norm;         /* (D) */
  am_weight *attn_q;            /* (H d, D) */
  am_weight *attn_k;            /* (G d, D) */
  am_weight *attn_v;            /* (G d, D) */
  am_weight *attn_output;       /* (D, H d) */
  am_weight *ffn_norm;          /* (D) */
  am_weight *ffn_gate, *ffn_up; /* (F, D), (F, D) */
  am_weight *ffn_down;          /* (D, F) */
} layer;

static adam_status bind_layer(am_model *model, const am_loader *loader, uint32_t i, void *fields,
                              adam_error *error) {
  layer *l = fields;
  const am_binding wanted[] = {
      {"attn_norm", &l->attn_norm}, {"attn_q", &l->attn_q},           {"attn_k", &l->attn_k},
      {"attn_v", &l->attn_v},       {"attn_output", &l->attn_output}, {"ffn_norm", &l->ffn_norm},
      {"ffn_gate", &l->ffn_gate},   {"ffn_up", &l->ffn_up},           {"ffn_down", &l->ffn_down},
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
  am_queue_matmul(q, a->q, l->attn_q, NULL, a->y, n);                   /* (n, H d) */
  am_queue_matmul(q, a->k, l->attn_k, NULL, a->y, n);                   /* (n, G d) */
  am_queue_matmul(q, a->v, l->attn_v, NULL, a->y, n);                   /* (n, G d) */
  am_queue_rope(q, a->q, &model->rope, c->n_heads, c->head_dim, batch->segments, batch->n_segments);
  am_queue_rope(q, a->k, &model->rope, c->n_kv_heads, c->head_dim, batch->segments, batch->n_segments);
  am_queue_store_kv(q, i, a->k, a->v, batch->segments, batch->n_segments);
  am_queue_attend(q, a->attended, a->q, &how, batch->segments, batch->n_segments); /* (n, H d) */
  am_queue_matmul(q, a->y, l->attn_output, NULL, a->attended, n);                  /* (n, D) */
  am_queue_add(q, a->x, a->y, n, c->n_embd);
}

/* x += down(silu(gate(y)) * up(y)), y = norm(x) */
static void feed_forward(const am_model *model, am_queue *q, const am_activations *a, uint32_t n,
                         uint32_t i) {
  const am_config *c = &model->config;
  const layer *l = (const layer *)model->fields + i;
  am_queue_rms_norm(q, a->y, a->x, l->ffn_norm, c->norm_eps, 0, n, 1); /* (n, D) */
  am_queue_matmul(q, a->gate, l->ffn_gate, NULL, a->y, n);             /* (n, F) */
  am_queue_matmul(q, a->up, l->ffn_up, NULL, a->y, n);                 /* (n, F) */
  am_queue_silu_mul(q, a->gate, a->gate, a->up, n, c->n_ff);           /* (n, F) */
  am_queue_matmul(q, a->y, l->ffn_down, NULL, a->gate, n);             /* (n, D) */
  am_queue_add(q, a->x, a->y, n, c->n_embd);
}

static void layers(const am_model *model, am_queue *q, const am_activations *a, const am_batch *batch) {
  for (uint32_t i = 0; i < model->config.n_layers; i++) {
    attention(model, q, a, batch, i);
    feed_forward(model, q, a, batch->n_tokens, i);
  }
}

const am_family am_family_mistral = {
    .name = "mistral", .bind = bind, .layers = layers, .verbs_per_layer = 16};
