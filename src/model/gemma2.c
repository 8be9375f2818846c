/* SPDX-License-Identifier: Apache-2.0 */
/* Gemma 2 (Gemma Team, "Gemma 2: Improving Open Language Models at a Practical Size", 2024): each block is
 * normed before and after, every other layer sees a window only, scores and logits are bent into (-cap, cap)
 * by tanh, GeGLU, and embeddings times sqrt(D). Reference: transformers' modeling_gemma2.py.
 * D = n_embd, H = n_heads, G = n_kv_heads, d = head_dim, F = n_ff. */
#include "model/family.h"

#include <math.h>

typedef struct layer {
  am_weight *attn_norm;                      /* (D) */
  am_weight *attn_q, *attn_q_bias;           /* (H d, D), (H d) */
  am_weight *attn_k, *attn_k_bias;           /* (G d, D), (G d) */
  am_weight *attn_v, *attn_v_bias;           /* (G d, D), (G d) */
  am_weight *attn_output, *attn_output_bias; /* (D, H d), (D) */
  am_weight *attn_post_norm;                 /* (D) */
  am_weight *ffn_norm;                       /* (D) */
  am_weight *ffn_gate, *ffn_up, *ffn_down;   /* (F, D), (F, D), (D, F) */
  am_weight *ffn_post_norm;                  /* (D) */
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
      {"attn_post_norm", &l->attn_post_norm},
      {"ffn_norm", &l->ffn_norm},
      {"ffn_gate", &l->ffn_gate},
      {"ffn_up", &l->ffn_up},
      {"ffn_down", &l->ffn_down},
      {"ffn_post_norm", &l->ffn_post_norm},
  };
  return am_bind_all(model, loader, i, wanted, sizeof wanted / sizeof *wanted, error);
}

static adam_status bind(am_model *model, const am_loader *loader, adam_error *error) {
  return am_bind_layers(model, loader, sizeof(layer), bind_layer, error);
}

/* Gemma's norm: x_hat (1 + w). A checkpoint of the Hub holds w; a GGUF holds 1 + w. */
static void norm(const am_model *model, am_queue *q, float *out, const float *x, const am_weight *weight,
                 uint32_t n) {
  const float one = model->config.source == AM_SOURCE_GGUF ? 0.0f : 1.0f;
  am_queue_rms_norm(q, out, x, weight, model->config.norm_eps, one, n, 1); /* (n, D) */
}

/* x *= sqrt(D). Rounded to the type that the model runs in, here float32 (in bfloat16 the reference has
 * 59.75 for 9B's 59.87; 2B's 48 is the same in both). */
static void embed(const am_model *model, am_queue *q, const am_activations *a, const am_batch *batch) {
  const am_config *c = &model->config;
  am_queue_scale(q, a->x, (float)sqrt(c->n_embd), batch->n_tokens, c->n_embd); /* (n, D) */
}

/* x += post_norm(o_proj(attend(rope(q), rope(k), v))) of norm(x) */
static void attention(const am_model *model, am_queue *q, const am_activations *a, const am_batch *batch,
                      uint32_t i) {
  const am_config *c = &model->config;
  const layer *l = (const layer *)model->fields + i;
  const uint32_t n = batch->n_tokens;
  const am_attend how = {.layer = i,
                         .n_heads = c->n_heads,
                         .n_kv_heads = c->n_kv_heads,
                         .head_dim = c->head_dim,
                         .scale = 1.0f / sqrtf(c->query_scalar),
                         .window = am_arch_window(c, i),
                         .softcap = c->attention_softcap};

  norm(model, q, a->y, a->x, l->attn_norm, n);                  /* (n, D) */
  am_queue_matmul(q, a->q, l->attn_q, l->attn_q_bias, a->y, n); /* (n, H d) */
  am_queue_matmul(q, a->k, l->attn_k, l->attn_k_bias, a->y, n); /* (n, G d) */
  am_queue_matmul(q, a->v, l->attn_v, l->attn_v_bias, a->y, n); /* (n, G d) */
  am_queue_rope(q, a->q, &model->rope, c->n_heads, c->head_dim, batch->segments, batch->n_segments);
  am_queue_rope(q, a->k, &model->rope, c->n_kv_heads, c->head_dim, batch->segments, batch->n_segments);
  am_queue_store_kv(q, i, a->k, a->v, batch->segments, batch->n_segments);
  am_queue_attend(q, a->attended, a->q, &how, batch->segments, batch->n_segments); /* (n, H d) */
  am_queue_matmul(q, a->y, l->attn_output, l->attn_output_bias, a->attended, n);   /* (n, D) */
  norm(model, q, a->y, a->y, l->attn_post_norm, n);                                /* (n, D) */
  am_queue_add(q, a->x, a->y, n, c->n_embd);
}

/* x += post_norm(down(gelu(gate(y)) * up(y))), y = norm(x) */
static void feed_forward(const am_model *model, am_queue *q, const am_activations *a, uint32_t n,
                         uint32_t i) {
  const am_config *c = &model->config;
  const layer *l = (const layer *)model->fields + i;
  norm(model, q, a->y, a->x, l->ffn_norm, n);                /* (n, D) */
  am_queue_matmul(q, a->gate, l->ffn_gate, NULL, a->y, n);   /* (n, F) */
  am_queue_matmul(q, a->up, l->ffn_up, NULL, a->y, n);       /* (n, F) */
  am_queue_gelu_mul(q, a->gate, a->gate, a->up, n, c->n_ff); /* (n, F) */
  am_queue_matmul(q, a->y, l->ffn_down, NULL, a->gate, n);   /* (n, D) */
  norm(model, q, a->y, a->y, l->ffn_post_norm, n);           /* (n, D) */
  am_queue_add(q, a->x, a->y, n, c->n_embd);
}

static void layers(const am_model *model, am_queue *q, const am_activations *a, const am_batch *batch) {
  for (uint32_t i = 0; i < model->config.n_layers; i++) {
    attention(model, q, a, batch, i);
    feed_forward(model, q, a, batch->n_tokens, i);
  }
}

static void final_norm(const am_model *model, am_queue *q, float *out, const float *x, uint32_t n) {
  norm(model, q, out, x, model->norm, n); /* (n, D) */
}

/* logits = cap tanh(output(norm(x)) / cap) */
static void head(const am_model *model, am_queue *q, float *logits, float *normed, const float *x,
                 uint32_t n) {
  const am_config *c = &model->config;
  norm(model, q, normed, x, model->norm, n);                  /* (n, D) */
  am_queue_matmul(q, logits, model->output, NULL, normed, n); /* (n, n_vocab) */
  if (c->logits_softcap > 0) am_queue_softcap(q, logits, c->logits_softcap, n, c->n_vocab);
}

const am_family am_family_gemma2 = {.name = "gemma2",
                                    .bind = bind,
                                    .layers = layers,
                                    .verbs_per_layer = 18,
                                    .embed = embed,
                                    .head = head,
                                    .norm = final_norm};
