/* SPDX-License-Identifier: Apache-2.0 */
/* A mixture of experts. Which experts a run needs is known only inside it: chunks are planned for as many
 * as there can be, and those beyond have nothing to do. A chunk is some rows of one expert's matrix by all
 * rows of activations that chose it, so that a weight is read once a batch, and only where it was chosen. */
#include "device/cpu/cpu.h"
#include <string.h>

static am_cpu_range routes_range(const am_verb *verb) {
  const am_routing *how = &verb->as.experts.how;
  return (am_cpu_range){how->routes, (size_t)am_routing_bytes(verb->as.experts.n, how)};
}

static am_routes routes_of(const am_verb *verb) {
  const am_routing *how = &verb->as.experts.how;
  return am_routes_in(how->routes, how->n_experts, verb->as.experts.n_pairs);
}

/* The n_used most probable experts of one row, ascending, with their probabilities: the first of equal ones
 * is taken. NaN is never greater, so whatever the logits are, the ids are valid and differ. */
static void choose(const am_routing *how, float *p, uint32_t *expert, float *weight) {
  enum { TAKEN = -1 }; /* no probability */
  for (uint32_t s = 0; s < how->n_used; s++) {
    uint32_t best = how->n_experts;
    for (uint32_t e = 0; e < how->n_experts; e++)
      if (p[e] != TAKEN && (best == how->n_experts || p[e] > p[best])) best = e;
    uint32_t at = s;
    float probability = p[best];
    for (; at > 0 && expert[at - 1] > best; at--) {
      expert[at] = expert[at - 1];
      weight[at] = weight[at - 1];
    }
    expert[at] = best;
    weight[at] = probability;
    p[best] = TAKEN;
  }
}

/* softmax over all experts, the best of them, and where wanted their sum made one. */
static void run_choose(am_cpu_queue *q, const am_cpu_op *op, uint32_t chunk, uint32_t thread) {
  const am_verb *v = op->verb;
  const am_routing *how = &v->as.experts.how;
  am_routes routes = routes_of(v);
  float *p = (float *)q->probabilities.memory + (size_t)thread * how->n_experts;
  uint32_t begin, end;
  am_cpu_rows(op, chunk, v->n, &begin, &end);
  for (size_t i = begin; i < end; i++) {
    float *weight = routes.weight + i * how->n_used;
    memcpy(p, v->x + i * how->n_experts, how->n_experts * sizeof *p);
    float sum = q->kernels->exp_sum(p, q->kernels->max(p, how->n_experts), how->n_experts);
    for (uint32_t e = 0; e < how->n_experts; e++) p[e] /= sum;
    choose(how, p, routes.expert + i * how->n_used, weight);
    float total = 0;
    for (uint32_t s = 0; s < how->n_used; s++) total += weight[s];
    for (uint32_t s = 0; s < how->n_used && how->normalise; s++) weight[s] /= total;
  }
}

void am_cpu_op_choose(am_cpu_queue *q, const am_verb *verb, am_cpu_op *op) {
  (void)q;
  op->run = run_choose;
  op->reads[0] = (am_cpu_range){verb->x, (uint64_t)verb->n * verb->columns * sizeof(float)};
  op->writes = routes_range(verb);
  am_cpu_cut(op, verb->n, (uint64_t)verb->columns * (4 + verb->as.experts.how.n_used));
}

/* Sorts the pairs by expert, rows ascending within one. */
static void run_group(am_cpu_queue *q, const am_cpu_op *op, uint32_t chunk, uint32_t thread) {
  const am_verb *v = op->verb;
  uint32_t n_experts = v->as.experts.how.n_experts, n_used = v->as.experts.how.n_used;
  uint64_t n_pairs = v->as.experts.n_pairs;
  am_routes routes = routes_of(v);
  (void)q;
  (void)chunk;
  (void)thread;
  memset(routes.begin, 0, ((size_t)n_experts + 1) * sizeof *routes.begin);
  for (uint64_t i = 0; i < n_pairs; i++) routes.begin[routes.expert[i] + 1]++;
  *routes.n_active = 0;
  for (uint32_t e = 0; e < n_experts; e++) {
    if (routes.begin[e + 1] > 0) routes.active[(*routes.n_active)++] = e;
    routes.begin[e + 1] += routes.begin[e];
  }
  for (uint64_t i = 0; i < n_pairs; i++) { /* begin[e] is the next free pair of e */
    uint32_t pair = routes.begin[routes.expert[i]]++;
    routes.row[pair] = (uint32_t)(i / n_used);
    routes.pair[i] = pair;
  }
  memmove(routes.begin + 1, routes.begin, n_experts * sizeof *routes.begin);
  routes.begin[0] = 0;
}

void am_cpu_op_group(am_cpu_queue *q, const am_verb *verb, am_cpu_op *op) {
  (void)q;
  op->run = run_group;
  op->writes = routes_range(verb);
  op->n_chunks = op->chunk_rows = 1;
  op->is_small = true;
}

bool am_cpu_gathers(const am_verb *verb) { return verb->as.experts.by_row && verb->n > 1; }

/* Activations of the pairs, in their order. */
static void run_gather(am_cpu_queue *q, const am_cpu_op *op, uint32_t chunk, uint32_t thread) {
  const am_verb *v = op->verb;
  am_routes routes = routes_of(v);
  const uint8_t *from = op->source;
  uint8_t *to = op->scratch;
  uint32_t begin, end;
  (void)q;
  (void)thread;
  am_cpu_rows(op, chunk, (uint32_t)v->as.experts.n_pairs, &begin, &end);
  for (size_t i = begin; i < end; i++)
    memcpy(to + i * op->x_stride, from + routes.row[i] * op->source_stride, op->source_stride);
}

void am_cpu_op_gather(am_cpu_queue *q, const am_verb *verb, const void *scratch, am_cpu_op *op) {
  am_x_format format = am_cpu_x_format(q, verb->weight);
  op->run = run_gather;
  op->scratch = q->routed.memory;
  op->x_stride = am_kernels_x_bytes(format, verb->weight->columns);
  op->source = scratch ? scratch : verb->x;
  op->source_stride = scratch ? op->x_stride : verb->weight->columns * sizeof(float);
  op->reads[0] = (am_cpu_range){op->source, verb->n * op->source_stride};
  op->reads[1] = routes_range(verb);
  op->writes = (am_cpu_range){op->scratch, verb->as.experts.n_pairs * op->x_stride};
  am_cpu_cut(op, (uint32_t)verb->as.experts.n_pairs, op->source_stride / sizeof(float));
}

/* The most experts that can be active: chunks are planned for them all. */
static uint32_t most_active(const am_verb *verb) {
  const am_routing *how = &verb->as.experts.how;
  return verb->as.experts.n_pairs < how->n_experts ? (uint32_t)verb->as.experts.n_pairs : how->n_experts;
}

static void run_matmul_experts(am_cpu_queue *q, const am_cpu_op *op, uint32_t chunk, uint32_t thread) {
  const am_verb *v = op->verb;
  am_routes routes = routes_of(v);
  uint32_t chunks = (v->columns + op->chunk_rows - 1) / op->chunk_rows; /* of one expert */
  if (chunk / chunks >= *routes.n_active) return;
  uint32_t expert = routes.active[chunk / chunks], first = routes.begin[expert], begin, end;
  bool one_row = v->as.experts.by_row && v->n == 1; /* the one row of x, and one pair for each expert */
  am_cpu_product product = {.out = v->out + (size_t)first * v->columns,
                            .out_stride = v->columns,
                            .weight = v->as.experts.weights[expert],
                            .format = op->format,
                            .x = (const uint8_t *)op->source + (one_row ? 0 : first * op->x_stride),
                            .x_stride = op->x_stride,
                            .n = routes.begin[expert + 1] - first};
  am_cpu_rows(op, chunk % chunks, v->columns, &begin, &end);
  am_cpu_multiply(q, &product, begin, end, thread);
}

/* As in matmul.c: what is used for many rows stays in the first-level cache meanwhile, and all threads
 * have several chunks. */
static uint32_t rows_per_chunk(const am_cpu_queue *q, const am_verb *verb) {
  enum { TILE = 8, CACHED_BYTES = 24 << 10, STREAMED_BYTES = 128 << 10, CHUNKS_A_THREAD = 4 };
  const am_weight *w = verb->weight;
  uint64_t n_active = most_active(verb), threads = am_pool_threads(q->pool);
  bool streams = verb->as.experts.n_pairs < TILE * n_active;
  uint64_t rows = (streams ? STREAMED_BYTES : CACHED_BYTES) / w->row_bytes;
  uint64_t share = w->rows * n_active / (threads * CHUNKS_A_THREAD);
  if (rows > share) rows = share;
  if (rows > w->rows) rows = w->rows;
  rows = rows / TILE * TILE;
  return rows < TILE ? TILE : (uint32_t)rows;
}

void am_cpu_op_matmul_experts(am_cpu_queue *q, const am_verb *verb, const void *scratch, am_cpu_op *op) {
  const am_weight *w = verb->weight;
  uint64_t n_x = am_cpu_gathers(verb) ? verb->as.experts.n_pairs : verb->n;
  op->run = run_matmul_experts;
  op->source = scratch ? scratch : verb->x;
  op->format = am_cpu_x_format(q, w);
  op->x_stride = scratch ? am_kernels_x_bytes(op->format, w->columns) : w->columns * sizeof(float);
  op->reads[0] = (am_cpu_range){op->source, n_x * op->x_stride};
  op->reads[1] = routes_range(verb);
  op->writes = (am_cpu_range){verb->out, verb->as.experts.n_pairs * (uint64_t)verb->columns * sizeof(float)};
  op->chunk_rows = rows_per_chunk(q, verb);
  op->n_chunks = most_active(verb) * ((w->rows + op->chunk_rows - 1) / op->chunk_rows);
  op->is_small = w->rows * verb->as.experts.n_pairs * w->columns <= 4 * AM_CPU_SMALL_STEPS;
}

/* Each row's weighted sum, from zero, experts ascending: the order of transformers' Qwen3MoeExperts. */
static void run_mix_experts(am_cpu_queue *q, const am_cpu_op *op, uint32_t chunk, uint32_t thread) {
  const am_verb *v = op->verb;
  uint32_t begin, end, n_used = v->as.experts.how.n_used;
  am_routes routes = routes_of(v);
  (void)q;
  (void)thread;
  am_cpu_rows(op, chunk, v->n, &begin, &end);
  for (size_t i = begin; i < end; i++) {
    float *out = v->out + i * v->columns;
    memset(out, 0, v->columns * sizeof *out);
    for (uint32_t s = 0; s < n_used; s++) {
      const float *y = v->x + (size_t)routes.pair[i * n_used + s] * v->columns;
      float weight = routes.weight[i * n_used + s];
      for (uint32_t c = 0; c < v->columns; c++) out[c] += weight * y[c];
    }
  }
}

void am_cpu_op_mix_experts(am_cpu_queue *q, const am_verb *verb, am_cpu_op *op) {
  (void)q;
  op->run = run_mix_experts;
  op->reads[0] = (am_cpu_range){verb->x, verb->as.experts.n_pairs * (uint64_t)verb->columns * sizeof(float)};
  op->reads[1] = routes_range(verb);
  op->writes = (am_cpu_range){verb->out, (uint64_t)verb->n * verb->columns * sizeof(float)};
  am_cpu_cut(op, verb->n, (uint64_t)verb->columns * verb->as.experts.how.n_used);
}
