/* SPDX-License-Identifier: Apache-2.0 */
/* Phi-3 and Phi-4-mini (Abdin et al., "Phi-3 Technical Report", 2024): Llama's decoder with q, k and v in one
 * matrix and gate and up in another, whose rows are bound as parts. Every layer may see a window only.
 * Long contexts turn by LongRoPE (Ding et al. 2024), whose factors change where the timeline outgrows the
 * original context; and Phi-4-mini turns three quarters of each head. Reference: transformers'
 * modeling_phi3.py. D = n_embd, H = n_heads, G = n_kv_heads, d = head_dim, F = n_ff. */
#include "model/family.h"

#include <math.h>

typedef struct layer {
  am_weight *attn_norm;                /* (D) */
  am_weight *attn_q, *attn_k, *attn_v; /* (H d, D), (G d, D), (G d, D): rows of attn_qkv in this order */
  am_weight *attn_output;              /* (D, H d) */
  am_weight *ffn_norm;                 /* (D) */
  am_weight *ffn_gate, *ffn_up;        /* (F, D), (F, D): rows of ffn_gate_up in this order */
  am_weight *ffn_down;                 /* (D, F) */
} layer;

static adam_status bind_layer(am_model *model, const am_loader *loader, uint32_t i, void *fields,
                              adam_error *error) {
  layer *l = fields;
  const am_config *c = &model->config;
  const uint64_t n_q = (uint64_t)c->n_heads * c->head_dim, n_kv = (uint64_t)c->n_kv_heads * c->head_dim;
  const struct {
    const char *field;
    am_weight **out;
    uint64_t first, n; /* rows; n = 0: all */
  } wanted[] = {
      {"attn_norm", &l->attn_norm, 0, 0},        {"attn_qkv", &l->attn_q, 0, n_q},
      {"attn_qkv", &l->attn_k, n_q, n_kv},       {"attn_qkv", &l->attn_v, n_q + n_kv, n_kv},
      {"attn_output", &l->attn_output, 0, 0},    {"ffn_norm", &l->ffn_norm, 0, 0},
      {"ffn_gate_up", &l->ffn_gate, 0, c->n_ff}, {"ffn_gate_up", &l->ffn_up, c->n_ff, c->n_ff},
      {"ffn_down", &l->ffn_down, 0, 0},
  };
  adam_status status = ADAM_OK;
  for (size_t w = 0; w < sizeof wanted / sizeof *wanted && !status; w++) {
    status = wanted[w].n ? am_bind_rows(model, loader, wanted[w].field, i, wanted[w].first, wanted[w].n,
                                        wanted[w].out, error)
                         : am_bind(model, loader, wanted[w].field, i, wanted[w].out, error);
  }
  return status;
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

const am_family am_family_phi3 = {.name = "phi3", .bind = bind, .layers = layers, .verbs_per_layer = 16};
