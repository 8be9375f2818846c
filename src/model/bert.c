/* SPDX-License-Identifier: Apache-2.0 */
/* BERT (Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers", 2018), and MiniLM and RoBERTa
 * of its shape: post-norm encoder, learned positions and token types, biases everywhere, exact gelu.
 * Reference: transformers' modeling_bert.py and modeling_roberta.py. D = n_embd, H = n_heads, d = head_dim, F
 * = n_ff. */
#include "base/error.h"
#include "base/mem.h"
#include "model/family.h"

#include <math.h>

typedef struct layer {
  am_weight *attn_q, *attn_q_bias;                       /* (D, D), (D) */
  am_weight *attn_k, *attn_k_bias;                       /* (D, D), (D) */
  am_weight *attn_v, *attn_v_bias;                       /* (D, D), (D) */
  am_weight *attn_output, *attn_output_bias;             /* (D, D), (D) */
  am_weight *attn_output_norm, *attn_output_norm_bias;   /* (D), (D) */
  am_weight *ffn_up, *ffn_up_bias;                       /* (F, D), (F) */
  am_weight *ffn_down, *ffn_down_bias;                   /* (D, F), (D) */
  am_weight *layer_output_norm, *layer_output_norm_bias; /* (D), (D) */
} layer;

typedef struct fields {
  am_weight *position_embd;              /* (n_positions, D) */
  am_weight *token_types;                /* (n_types, D); NULL = none */
  am_weight *embd_norm, *embd_norm_bias; /* (D), (D) */
  layer layers[];                        /* n_layers */
} fields;

static adam_status bind_layer(am_model *model, const am_loader *loader, uint32_t i, layer *l,
                              adam_error *error) {
  const am_binding wanted[] = {
      {"attn_q", &l->attn_q},
      {"attn_q_bias", &l->attn_q_bias},
      {"attn_k", &l->attn_k},
      {"attn_k_bias", &l->attn_k_bias},
      {"attn_v", &l->attn_v},
      {"attn_v_bias", &l->attn_v_bias},
      {"attn_output", &l->attn_output},
      {"attn_output_bias", &l->attn_output_bias},
      {"attn_output_norm", &l->attn_output_norm},
      {"attn_output_norm_bias", &l->attn_output_norm_bias},
      {"ffn_up", &l->ffn_up},
      {"ffn_up_bias", &l->ffn_up_bias},
      {"ffn_down", &l->ffn_down},
      {"ffn_down_bias", &l->ffn_down_bias},
      {"layer_output_norm", &l->layer_output_norm},
      {"layer_output_norm_bias", &l->layer_output_norm_bias},
  };
  return am_bind_all(model, loader, i, wanted, sizeof wanted / sizeof *wanted, error);
}

static adam_status bind(am_model *model, const am_loader *loader, adam_error *error) {
  fields *f = am_mem_zalloc(1, sizeof *f + model->config.n_layers * sizeof *f->layers);
  if (!f) return am_fail_memory(error, "model");
  model->fields = f;
  adam_status status = am_bind(model, loader, "position_embd", 0, &f->position_embd, error);
  if (!status) status = am_bind(model, loader, "token_types", 0, &f->token_types, error);
  if (!status) status = am_bind(model, loader, "embd_norm", 0, &f->embd_norm, error);
  if (!status) status = am_bind(model, loader, "embd_norm_bias", 0, &f->embd_norm_bias, error);
  for (uint32_t i = 0; i < model->config.n_layers && !status; i++)
    status = bind_layer(model, loader, i, &f->layers[i], error);
  return status;
}

/* x = norm(word + position + type) */
static void embed(const am_model *model, am_queue *q, const am_activations *a, const am_batch *batch) {
  const am_config *c = &model->config;
  const fields *f = model->fields;
  const uint32_t n = batch->n_tokens;
  am_queue_embed(q, a->y, f->position_embd, a->positions, n); /* (n, D) */
  am_queue_add(q, a->x, a->y, n, c->n_embd);
  if (f->token_types) {
    am_queue_embed(q, a->y, f->token_types, a->types, n); /* (n, D) */
    am_queue_add(q, a->x, a->y, n, c->n_embd);
  }
  am_queue_layer_norm(q, a->x, a->x, f->embd_norm, f->embd_norm_bias, c->norm_eps, n);
}

/* x = norm(x + output(attend(q, k, v))) */
static void attention(const am_model *model, am_queue *q, const am_activations *a, const am_batch *batch,
                      const layer *l) {
  const am_config *c = &model->config;
  const uint32_t n = batch->n_tokens;
  const am_attend how = {.n_heads = c->n_heads,
                         .n_kv_heads = c->n_heads,
                         .head_dim = c->head_dim,
                         .scale = 1.0f / sqrtf((float)c->head_dim)};

  am_queue_matmul(q, a->q, l->attn_q, l->attn_q_bias, a->x, n); /* (n, H d) */
  am_queue_matmul(q, a->k, l->attn_k, l->attn_k_bias, a->x, n); /* (n, H d) */
  am_queue_matmul(q, a->v, l->attn_v, l->attn_v_bias, a->x, n); /* (n, H d) */
  am_queue_attend_all(q, a->attended, a->q, a->k, a->v, &how, batch->segments, batch->n_segments);
  am_queue_matmul(q, a->y, l->attn_output, l->attn_output_bias, a->attended, n); /* (n, D) */
  am_queue_add(q, a->x, a->y, n, c->n_embd);
  am_queue_layer_norm(q, a->x, a->x, l->attn_output_norm, l->attn_output_norm_bias, c->norm_eps, n);
}

/* x = norm(x + down(gelu(up(x)))) */
static void feed_forward(const am_model *model, am_queue *q, const am_activations *a, uint32_t n,
                         const layer *l) {
  const am_config *c = &model->config;
  am_queue_matmul(q, a->up, l->ffn_up, l->ffn_up_bias, a->x, n); /* (n, F) */
  am_queue_gelu(q, a->up, n, c->n_ff, c->gelu_tanh);
  am_queue_matmul(q, a->y, l->ffn_down, l->ffn_down_bias, a->up, n); /* (n, D) */
  am_queue_add(q, a->x, a->y, n, c->n_embd);
  am_queue_layer_norm(q, a->x, a->x, l->layer_output_norm, l->layer_output_norm_bias, c->norm_eps, n);
}

static void layers(const am_model *model, am_queue *q, const am_activations *a, const am_batch *batch) {
  const fields *f = model->fields;
  for (uint32_t i = 0; i < model->config.n_layers; i++) {
    attention(model, q, a, batch, &f->layers[i]);
    feed_forward(model, q, a, batch->n_tokens, &f->layers[i]);
  }
}

const am_family am_family_bert = {
    .name = "bert", .bind = bind, .embed = embed, .layers = layers, .verbs_per_layer = 14};
/* The same passes; positions and names differ, and those are data. */
const am_family am_family_roberta = {
    .name = "roberta", .bind = bind, .embed = embed, .layers = layers, .verbs_per_layer = 14};
