/* SPDX-License-Identifier: Apache-2.0 */
/* Phi-1, 1.5 and 2 (Li et al., "Textbooks Are All You Need II", 2023): attention and feed-forward read the
 * same LayerNorm side by side, after GPT-J; a bias on every projection and on the logits; only the first
 * n_rot numbers of a head turn with the position. Reference: transformers' modeling_phi.py.
 * D = n_embd, H = n_heads, G = n_kv_heads, d = head_dim, F = n_ff. */
#include "base/error.h"
#include "base/mem.h"
#include "model/family.h"

#include <math.h>

typedef struct layer {
  am_weight *norm, *norm_bias;               /* (D), (D) */
  am_weight *attn_q, *attn_q_bias;           /* (H d, D), (H d) */
  am_weight *attn_k, *attn_k_bias;           /* (G d, D), (G d) */
  am_weight *attn_v, *attn_v_bias;           /* (G d, D), (G d) */
  am_weight *attn_q_norm, *attn_q_norm_bias; /* (d), (d); NULL without qk_layernorm */
  am_weight *attn_k_norm, *attn_k_norm_bias; /* (d), (d) */
  am_weight *attn_output, *attn_output_bias; /* (D, H d), (D) */
  am_weight *ffn_up, *ffn_up_bias;           /* (F, D), (F) */
  am_weight *ffn_down, *ffn_down_bias;       /* (D, F), (D) */
} layer;

typedef struct phi2 {
  am_weight *norm_bias;   /* (D) of the final norm */
  am_weight *output_bias; /* (n_vocab) */
  layer layers[];
} phi2;

/* q, k and v: of their own, or rows of one matrix (older GGUF files). */
static adam_status bind_qkv(am_model *model, const am_loader *loader, uint32_t i, layer *l,
                            adam_error *error) {
  const am_config *c = &model->config;
  const uint64_t n_q = (uint64_t)c->n_heads * c->head_dim, n_kv = (uint64_t)c->n_kv_heads * c->head_dim;
  const struct {
    const char *field, *bias;
    am_weight **out, **out_bias;
    uint64_t first, n; /* rows of the fused matrix */
  } parts[] = {
      {"attn_q", "attn_q_bias", &l->attn_q, &l->attn_q_bias, 0, n_q},
      {"attn_k", "attn_k_bias", &l->attn_k, &l->attn_k_bias, n_q, n_kv},
      {"attn_v", "attn_v_bias", &l->attn_v, &l->attn_v_bias, n_q + n_kv, n_kv},
  };
  adam_status status = ADAM_OK;
  for (size_t p = 0; p < 3 && !status; p++) {
    if (c->fused_qkv) {
      status = am_bind_rows(model, loader, "attn_qkv", i, parts[p].first, parts[p].n, parts[p].out, error);
      if (!status)
        status = am_bind_rows(model, loader, "attn_qkv_bias", i, parts[p].first, parts[p].n,
                              parts[p].out_bias, error);
    } else {
      status = am_bind(model, loader, parts[p].field, i, parts[p].out, error);
      if (!status) status = am_bind(model, loader, parts[p].bias, i, parts[p].out_bias, error);
    }
  }
  return status;
}

static adam_status bind_layer(am_model *model, const am_loader *loader, uint32_t i, layer *l,
                              adam_error *error) {
  const am_binding wanted[] = {
      {"attn_norm", &l->norm},          {"attn_norm_bias", &l->norm_bias},
      {"attn_q_norm", &l->attn_q_norm}, {"attn_q_norm_bias", &l->attn_q_norm_bias},
      {"attn_k_norm", &l->attn_k_norm}, {"attn_k_norm_bias", &l->attn_k_norm_bias},
      {"attn_output", &l->attn_output}, {"attn_output_bias", &l->attn_output_bias},
      {"ffn_up", &l->ffn_up},           {"ffn_up_bias", &l->ffn_up_bias},
      {"ffn_down", &l->ffn_down},       {"ffn_down_bias", &l->ffn_down_bias},
  };
  adam_status status = am_bind_all(model, loader, i, wanted, sizeof wanted / sizeof *wanted, error);
  return status ? status : bind_qkv(model, loader, i, l, error);
}

static adam_status bind(am_model *model, const am_loader *loader, adam_error *error) {
  phi2 *fields = am_mem_zalloc(1, sizeof *fields + model->config.n_layers * sizeof *fields->layers);
  if (!fields) return am_fail_memory(error, "model");
  model->fields = fields;
  adam_status status = am_bind(model, loader, "output_norm_bias", 0, &fields->norm_bias, error);
  if (!status) status = am_bind(model, loader, "output_bias", 0, &fields->output_bias, error);
  for (uint32_t i = 0; i < model->config.n_layers && !status; i++)
    status = bind_layer(model, loader, i, &fields->layers[i], error);
  return status;
}

/* x += dense(attend(rope(q), rope(k), v)) of y */
static void attention(const am_model *model, am_queue *q, const am_activations *a, const am_batch *batch,
                      uint32_t i) {
  const am_config *c = &model->config;
  const layer *l = &((const phi2 *)model->fields)->layers[i];
  const uint32_t n = batch->n_tokens;
  const am_attend how = {.layer = i,
                         .n_heads = c->n_heads,
                         .n_kv_heads = c->n_kv_heads,
                         .head_dim = c->head_dim,
                         .scale = 1.0f / sqrtf((float)c->head_dim)};

  am_queue_matmul(q, a->q, l->attn_q, l->attn_q_bias, a->y, n); /* (n, H d) */
  am_queue_matmul(q, a->k, l->attn_k, l->attn_k_bias, a->y, n); /* (n, G d) */
  am_queue_matmul(q, a->v, l->attn_v, l->attn_v_bias, a->y, n); /* (n, G d) */
  if (l->attn_q_norm) {                                         /* each head is a row of d */
    am_queue_layer_norm(q, a->q, a->q, l->attn_q_norm, l->attn_q_norm_bias, c->norm_eps, n * c->n_heads);
    am_queue_layer_norm(q, a->k, a->k, l->attn_k_norm, l->attn_k_norm_bias, c->norm_eps, n * c->n_kv_heads);
  }
  am_queue_rope(q, a->q, &model->rope, c->n_heads, c->head_dim, batch->segments, batch->n_segments);
  am_queue_rope(q, a->k, &model->rope, c->n_kv_heads, c->head_dim, batch->segments, batch->n_segments);
  am_queue_store_kv(q, i, a->k, a->v, batch->segments, batch->n_segments);
  am_queue_attend(q, a->attended, a->q, &how, batch->segments, batch->n_segments); /* (n, H d) */
  am_queue_matmul(q, a->z, l->attn_output, l->attn_output_bias, a->attended, n);   /* (n, D) */
  am_queue_add(q, a->x, a->z, n, c->n_embd);
}

/* x += down(gelu(up(y))) */
static void feed_forward(const am_model *model, am_queue *q, const am_activations *a, uint32_t n,
                         uint32_t i) {
  const am_config *c = &model->config;
  const layer *l = &((const phi2 *)model->fields)->layers[i];
  am_queue_matmul(q, a->up, l->ffn_up, l->ffn_up_bias, a->y, n);     /* (n, F) */
  am_queue_gelu(q, a->up, n, c->n_ff, c->gelu_tanh);                 /* (n, F) */
  am_queue_matmul(q, a->z, l->ffn_down, l->ffn_down_bias, a->up, n); /* (n, D) */
  am_queue_add(q, a->x, a->z, n, c->n_embd);
}

/* x += attention(y) + feed_forward(y), y = norm(x) */
static void layers(const am_model *model, am_queue *q, const am_activations *a, const am_batch *batch) {
  const am_config *c = &model->config;
  for (uint32_t i = 0; i < c->n_layers; i++) {
    const layer *l = &((const phi2 *)model->fields)->layers[i];
    am_queue_layer_norm(q, a->y, a->x, l->norm, l->norm_bias, c->norm_eps, batch->n_tokens); /* (n, D) */
    attention(model, q, a, batch, i);
    feed_forward(model, q, a, batch->n_tokens, i);
  }
}

static void final_norm(const am_model *model, am_queue *q, float *out, const float *x, uint32_t n) {
  const phi2 *fields = model->fields;
  am_queue_layer_norm(q, out, x, model->norm, fields->norm_bias, model->config.norm_eps, n); /* (n, D) */
}

/* logits = output(norm(x)) + bias */
static void head(const am_model *model, am_queue *q, float *logits, float *normed, const float *x,
                 uint32_t n) {
  const phi2 *fields = model->fields;
  final_norm(model, q, normed, x, n);                                        /* (n, D) */
  am_queue_matmul(q, logits, model->output, fields->output_bias, normed, n); /* (n, n_vocab) */
}

const am_family am_family_phi2 = {.name = "phi2",
                                  .bind = bind,
                                  .layers = layers,
                                  .verbs_per_layer = 15,
                                  .parallel_blocks = true,
                                  .head = head,
                                  .norm = final_norm};
