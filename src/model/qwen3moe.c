/* SPDX-License-Identifier: Apache-2.0 */
/* Qwen 3, mixture of experts (Yang et al., "Qwen3 Technical Report", 2025): the dense family's attention; in
 * most layers each token goes through the K of E small SwiGLU feed-forwards that a router likes best.
 * Reference: transformers' modeling_qwen3_moe.py. D = n_embd, H = n_heads, G = n_kv_heads, d = head_dim, F =
 * n_ff, E = n_experts, K = n_experts_used, M = n_ff_expert. */
#include "base/error.h"
#include "base/mem.h"
#include "base/size.h"
#include "model/family.h"

#include <math.h>

typedef struct layer {
  am_weight *attn_norm;                      /* (D) */
  am_weight *attn_q, *attn_q_bias;           /* (H d, D), (H d) */
  am_weight *attn_k, *attn_k_bias;           /* (G d, D), (G d) */
  am_weight *attn_v, *attn_v_bias;           /* (G d, D), (G d) */
  am_weight *attn_q_norm, *attn_k_norm;      /* (d), (d) */
  am_weight *attn_output, *attn_output_bias; /* (D, H d), (D) */
  am_weight *ffn_norm;                       /* (D) */
  am_weight *ffn_gate, *ffn_up, *ffn_down;   /* (F, D), (F, D), (D, F): of a dense layer */
  am_weight *router;                         /* (E, D): of a sparse one; NULL = the layer is dense */
  const am_weight **gate_exps, **up_exps;    /* E of (M, D) each */
  const am_weight **down_exps;               /* E of (D, M) */
} layer;

static adam_status bind_layer(am_model *model, const am_loader *loader, uint32_t i, layer *l,
                              adam_error *error) {
  const am_binding wanted[] = {
      {"attn_norm", &l->attn_norm},
      {"attn_q", &l->attn_q},
      {"attn_q_bias", &l->attn_q_bias},
      {"attn_k", &l->attn_k},
      {"attn_k_bias", &l->attn_k_bias},
      {"attn_v", &l->attn_v},
      {"attn_v_bias", &l->attn_v_bias},
      {"attn_q_norm", &l->attn_q_norm},
      {"attn_k_norm", &l->attn_k_norm},
      {"attn_output", &l->attn_output},
      {"attn_output_bias", &l->attn_output_bias},
      {"ffn_norm", &l->ffn_norm},
      {"ffn_gate", &l->ffn_gate},
      {"ffn_up", &l->ffn_up},
      {"ffn_down", &l->ffn_down},
      {"router", &l->router},
  };
  adam_status status = am_bind_all(model, loader, i, wanted, sizeof wanted / sizeof *wanted, error);
  if (status || !l->router) return status;
  status = am_bind_experts(model, loader, "ffn_gate_exps", i, l->gate_exps, error);
  if (!status) status = am_bind_experts(model, loader, "ffn_up_exps", i, l->up_exps, error);
  if (!status) status = am_bind_experts(model, loader, "ffn_down_exps", i, l->down_exps, error);
  return status;
}

/* model->fields: the layers, and behind them the tables of their experts. */
static adam_status bind(am_model *model, const am_loader *loader, adam_error *error) {
  const am_config *c = &model->config;
  size_t n_layers_bytes = c->n_layers * sizeof(layer), n_bytes;
  if (!am_size_mul((size_t)c->n_layers * c->n_experts, 3 * sizeof(am_weight *), &n_bytes) ||
      !am_size_add(n_bytes, n_layers_bytes, &n_bytes))
    return am_fail_memory(error, "model");
  layer *layers = am_mem_zalloc(1, n_bytes);
  if (!layers) return am_fail_memory(error, "model");
  model->fields = layers;
  const am_weight **experts = (const am_weight **)(void *)(layers + c->n_layers);
  for (uint32_t i = 0; i < c->n_layers; i++) {
    layers[i].gate_exps = experts;
    layers[i].up_exps = experts + c->n_experts;
    layers[i].down_exps = experts + 2 * (size_t)c->n_experts;
    experts += 3 * (size_t)c->n_experts;
    adam_status status = bind_layer(model, loader, i, &layers[i], error);
    if (status) return status;
  }
  return ADAM_OK;
}

/* x += o_proj(attend(rope(norm(q)), rope(norm(k)), v)) of norm(x) */
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

  am_queue_rms_norm(q, a->y, a->x, l->attn_norm, c->norm_eps, 0, n, 1);            /* (n, D) */
  am_queue_matmul(q, a->q, l->attn_q, l->attn_q_bias, a->y, n);                    /* (n, H d) */
  am_queue_matmul(q, a->k, l->attn_k, l->attn_k_bias, a->y, n);                    /* (n, G d) */
  am_queue_matmul(q, a->v, l->attn_v, l->attn_v_bias, a->y, n);                    /* (n, G d) */
  am_queue_rms_norm(q, a->q, a->q, l->attn_q_norm, c->norm_eps, 0, n, c->n_heads); /* each (d) */
  am_queue_rms_norm(q, a->k, a->k, l->attn_k_norm, c->norm_eps, 0, n, c->n_kv_heads);
  am_queue_rope(q, a->q, &model->rope, c->n_heads, c->head_dim, batch->segments, batch->n_segments);
  am_queue_rope(q, a->k, &model->rope, c->n_kv_heads, c->head_dim, batch->segments, batch->n_segments);
  am_queue_store_kv(q, i, a->k, a->v, batch->segments, batch->n_segments);
  am_queue_attend(q, a->attended, a->q, &how, batch->segments, batch->n_segments); /* (n, H d) */
  am_queue_matmul(q, a->y, l->attn_output, l->attn_output_bias, a->attended, n);   /* (n, D) */
  am_queue_add(q, a->x, a->y, n, c->n_embd);
}

/* y = down(silu(gate(y)) * up(y)) */
static void dense(const am_config *c, const layer *l, am_queue *q, const am_activations *a, uint32_t n) {
  am_queue_matmul(q, a->gate, l->ffn_gate, NULL, a->y, n);   /* (n, F) */
  am_queue_matmul(q, a->up, l->ffn_up, NULL, a->y, n);       /* (n, F) */
  am_queue_silu_mul(q, a->gate, a->gate, a->up, n, c->n_ff); /* (n, F) */
  am_queue_matmul(q, a->y, l->ffn_down, NULL, a->gate, n);   /* (n, D) */
}

/* y = sum over the K best e of p = softmax(router(y)): p_e down_e(silu(gate_e(y)) * up_e(y)), the K weights
 * made to sum to 1 where norm_topk_prob is set */
static void sparse(const am_config *c, const layer *l, am_queue *q, const am_activations *a, uint32_t n) {
  const uint32_t pairs = n * c->n_experts_used; /* n K */
  const am_routing how = {.routes = a->routes,
                          .n_experts = c->n_experts,
                          .n_used = c->n_experts_used,
                          .normalise = c->normalise_experts};
  am_queue_matmul(q, a->router, l->router, NULL, a->y, n);                     /* (n, E) */
  am_queue_route(q, &how, a->router, n);                                       /* K of E for each row */
  am_queue_matmul_experts(q, a->gate, l->gate_exps, a->y, true, &how, n);      /* (n K, M) */
  am_queue_matmul_experts(q, a->up, l->up_exps, a->y, true, &how, n);          /* (n K, M) */
  am_queue_silu_mul(q, a->gate, a->gate, a->up, pairs, c->n_ff_expert);        /* (n K, M) */
  am_queue_matmul_experts(q, a->mixed, l->down_exps, a->gate, false, &how, n); /* (n K, D) */
  am_queue_mix_experts(q, a->y, a->mixed, &how, n, c->n_embd);                 /* (n, D) */
}

static void layers(const am_model *model, am_queue *q, const am_activations *a, const am_batch *batch) {
  const am_config *c = &model->config;
  const uint32_t n = batch->n_tokens;
  for (uint32_t i = 0; i < c->n_layers; i++) {
    const layer *l = (const layer *)model->fields + i;
    attention(model, q, a, batch, i);
    am_queue_rms_norm(q, a->y, a->x, l->ffn_norm, c->norm_eps, 0, n, 1); /* (n, D) */
    if (l->router)
      sparse(c, l, q, a, n);
    else
      dense(c, l, q, a, n);
    am_queue_add(q, a->x, a->y, n, c->n_embd);
  }
}

const am_family am_family_qwen3moe = {
    .name = "qwen3moe", .bind = bind, .layers = layers, .verbs_per_layer = 21};
