/* SPDX-License-Identifier: Apache-2.0 */
/* nomic-bert (Nussbaum et al., "Nomic Embed", 2024): BERT's post-norm encoder with rotary positions over the
 * whole head, SwiGLU, and no biases but those of the norms. Reference: transformers' modeling_nomic_bert.py.
 * D = n_embd, H = n_heads, d = head_dim, F = n_ff. */
#include "base/error.h"
#include "base/mem.h"
#include "model/family.h"

#include <math.h>

typedef struct layer {
  am_weight *attn_q, *attn_k, *attn_v;                   /* (D, D), in most files rows of one (3 D, D) */
  am_weight *attn_output;                                /* (D, D) */
  am_weight *attn_output_norm, *attn_output_norm_bias;   /* (D), (D) */
  am_weight *ffn_up, *ffn_gate;                          /* (F, D), (F, D) */
  am_weight *ffn_down;                                   /* (D, F) */
  am_weight *layer_output_norm, *layer_output_norm_bias; /* (D), (D) */
} layer;

typedef struct fields {
  am_weight *token_types;                /* (n_types, D); NULL = none */
  am_weight *embd_norm, *embd_norm_bias; /* (D), (D) */
  layer layers[];                        /* n_layers */
} fields;

static adam_status bind_qkv(am_model *model, const am_loader *loader, uint32_t i, layer *l,
                            adam_error *error) {
  static const char *const unfused[] = {"attn_q", "attn_k", "attn_v"};
  am_weight **const out[] = {&l->attn_q, &l->attn_k, &l->attn_v};
  const uint64_t n = model->config.n_embd;
  adam_status status = ADAM_OK;
  for (uint32_t part = 0; part < 3 && !status; part++)
    status = model->config.fused_qkv
                 ? am_bind_rows(model, loader, "attn_qkv", i, part * n, n, out[part], error)
                 : am_bind(model, loader, unfused[part], i, out[part], error);
  return status;
}

static adam_status bind_layer(am_model *model, const am_loader *loader, uint32_t i, layer *l,
                              adam_error *error) {
  const am_binding wanted[] = {
      {"attn_output", &l->attn_output},
      {"attn_output_norm", &l->attn_output_norm},
      {"attn_output_norm_bias", &l->attn_output_norm_bias},
      {"ffn_up", &l->ffn_up},
      {"ffn_gate", &l->ffn_gate},
      {"ffn_down", &l->ffn_down},
      {"layer_output_norm", &l->layer_output_norm},
      {"layer_output_norm_bias", &l->layer_output_norm_bias},
  };
  adam_status status = bind_qkv(model, loader, i, l, error);
  return status ? status : am_bind_all(model, loader, i, wanted, sizeof wanted / sizeof *wanted, error);
}

static adam_status bind(am_model *model, const am_loader *loader, adam_error *error) {
  fields *f = am_mem_zalloc(1, sizeof *f + model->config.n_layers * sizeof *f->layers);
  if (!f) return am_fail_memory(error, "model");
  model->fields = f;
  adam_status status = am_bind(model, loader, "token_types", 0, &f->token_types, error);
  if (!status) status = am_bind(model, loader, "embd_norm", 0, &f->embd_norm, error);
  if (!status) status = am_bind(model, loader, "embd_norm_bias", 0, &f->embd_norm_bias, error);
  for (uint32_t i = 0; i < model->config.n_layers && !status; i++)
    status = bind_layer(model, loader, i, &f->layers[i], error);
  return status;
}

/* x = norm(word + type) */
static void embed(const am_model *model, am_queue *q, const am_activations *a, const am_batch *batch) {
  const am_config *c = &model->config;
  const fields *f = model->fields;
  const uint32_t n = batch->n_tokens;
  if (f->token_types) {
    am_queue_embed(q, a->y, f->token_types, a->types, n); /* (n, D) */
    am_queue_add(q, a->x, a->y, n, c->n_embd);
  }
  am_queue_layer_norm(q, a->x, a->x, f->embd_norm, f->embd_norm_bias, c->norm_eps, n);
}

/* x = norm(x + output(attend(rope(q), rope(k), v))) */
static void attention(const am_model *model, am_queue *q, const am_activations *a, const am_batch *batch,
                      const layer *l) {
  const am_config *c = &model->config;
  const uint32_t n = batch->n_tokens;
  const am_attend how = {.n_heads = c->n_heads,
                         .n_kv_heads = c->n_heads,
                         .head_dim = c->head_dim,
                         .scale = 1.0f / sqrtf((float)c->head_dim)};

  am_queue_matmul(q, a->q, l->attn_q, NULL, a->x, n); /* (n, H d) */
  am_queue_matmul(q, a->k, l->attn_k, NULL, a->x, n); /* (n, H d) */
  am_queue_matmul(q, a->v, l->attn_v, NULL, a->x, n); /* (n, H d) */
  am_queue_rope(q, a->q, &model->rope, c->n_heads, c->head_dim, batch->segments, batch->n_segments);
  am_queue_rope(q, a->k, &model->rope, c->n_heads, c->head_dim, batch->segments, batch->n_segments);
  am_queue_attend_all(q, a->attended, a->q, a->k, a->v, &how, batch->segments, batch->n_segments);
  am_queue_matmul(q, a->y, l->attn_output, NULL, a->attended, n); /* (n, D) */
  am_queue_add(q, a->x, a->y, n, c->n_embd);
  am_queue_layer_norm(q, a->x, a->x, l->attn_output_norm, l->attn_output_norm_bias, c->norm_eps, n);
}

/* x = norm(x + down(silu(gate(x)) * up(x))) */
static void feed_forward(const am_model *model, am_queue *q, const am_activations *a, uint32_t n,
                         const layer *l) {
  const am_config *c = &model->config;
  am_queue_matmul(q, a->gate, l->ffn_gate, NULL, a->x, n);   /* (n, F) */
  am_queue_matmul(q, a->up, l->ffn_up, NULL, a->x, n);       /* (n, F) */
  am_queue_silu_mul(q, a->gate, a->gate, a->up, n, c->n_ff); /* (n, F) */
  am_queue_matmul(q, a->y, l->ffn_down, NULL, a->gate, n);   /* (n, D) */
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

const am_family am_family_nomic_bert = {
    .name = "nomic-bert", .bind = bind, .embed = embed, .layers = layers, .verbs_per_layer = 15};
