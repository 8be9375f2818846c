/* SPDX-License-Identifier: Apache-2.0 */
/* Recording: every verb is checked here, once for all devices; what it points to in host memory is
 * checked when the queue runs. */
#include "device/backend.h"
#include <stdarg.h>
#include <stdio.h>

adam_status am_queue_open(am_device *device, uint32_t capacity, am_queue **out, adam_error *error) {
  if (capacity == 0 || capacity > 1u << 20)
    return am_fail(error, ADAM_INVALID, "queue", NULL, "capacity of %u verbs", capacity);
  return device->ops->queue_open(device, capacity, out, error);
}

void am_queue_close(am_queue **queue) {
  if (!queue || !*queue) return;
  (*queue)->device->ops->queue_close(*queue);
  *queue = NULL;
}

void am_queue_set_exact(am_queue *queue, bool exact) { queue->exact = exact; }

static void fail(am_queue *q, const char *what, const char *format, ...) AM_PRINTF(3, 4);
static void fail(am_queue *q, const char *what, const char *format, ...) {
  char why[256];
  va_list arguments;
  if (q->failed) return;
  va_start(arguments, format);
  (void)vsnprintf(why, sizeof why, format, arguments);
  va_end(arguments);
  q->failed = true;
  (void)am_fail(&q->error, ADAM_INVALID, what, NULL, "%s", why);
}

static void record(am_queue *q, const am_verb *verb) {
  if (q->failed) return;
  if (q->n_verbs == q->capacity) {
    fail(q, "queue", "more than its %u verbs", q->capacity);
    return;
  }
  if (q->device->ops->queue_reserve(q, verb, &q->error)) {
    q->failed = true;
    return;
  }
  q->verbs[q->n_verbs++] = *verb;
}

static bool check_cache(am_queue *q, const char *what, const am_segment *s, uint32_t i) {
  if (!s->kv || s->kv->device != q->device) {
    fail(q, what, "segment %u has no cache of this device", i);
    return false;
  }
  const am_kv_options *o = &s->kv->options;
  if (s->position > o->n_ctx || s->n > o->n_ctx - s->position) {
    fail(q, what, "positions %llu + %u pass the context of %llu", (unsigned long long)s->position, s->n,
         (unsigned long long)o->n_ctx);
    return false;
  }
  if (s->n > o->max_batch) {
    fail(q, what, "%u tokens at once in a cache for %u", s->n, o->max_batch);
    return false;
  }
  if (!am_kv_can_continue(s->kv, s->position)) {
    fail(q, what, "what position %llu looks back to has been overwritten", (unsigned long long)s->position);
    return false;
  }
  return true;
}

/* What stands in host memory: segments inside their caches, on ascending rows that no two share. */
static bool check_segments(am_queue *q, const char *what, bool cached, const am_segment *segments,
                           uint32_t n_segments, uint32_t *n_rows) {
  uint64_t rows = 0;
  for (uint32_t i = 0; i < n_segments; i++) {
    const am_segment *s = &segments[i];
    if (cached && !check_cache(q, what, s, i)) return false;
    if (s->first < rows) {
      fail(q, what, "segment %u begins at row %u, before the end of the last one", i, s->first);
      return false;
    }
    rows = (uint64_t)s->first + s->n;
  }
  if (rows > INT32_MAX) {
    fail(q, what, "more than %d rows", INT32_MAX);
    return false;
  }
  *n_rows = (uint32_t)rows;
  return true;
}

static bool check_heads(am_queue *q, const char *what, uint32_t n_heads, uint32_t head_dim) {
  if (n_heads > 0 && head_dim > 0 && (uint64_t)n_heads * head_dim <= INT32_MAX) return true;
  fail(q, what, "%u heads of %u", n_heads, head_dim);
  return false;
}

void am_queue_embed(am_queue *q, float *out, const am_weight *table, const int32_t *ids, uint32_t n) {
  if (n == 0) return;
  am_verb verb = {.kind = AM_VERB_EMBED, .n = n, .columns = table->columns, .out = out, .weight = table};
  verb.as.ids = ids;
  record(q, &verb);
}

void am_queue_matmul(am_queue *q, float *out, const am_weight *weight, const am_weight *bias, const float *x,
                     uint32_t n) {
  if (n == 0) return;
  if (weight->is_vector) {
    fail(q, "matmul", "the weight is a vector");
    return;
  }
  if (bias && (!bias->is_vector || bias->columns != weight->rows)) {
    fail(q, "matmul", "a bias of %u for %u outputs", bias->columns, weight->rows);
    return;
  }
  am_verb verb = {.kind = AM_VERB_MATMUL,
                  .n = n,
                  .columns = weight->rows,
                  .out = out,
                  .x = x,
                  .weight = weight,
                  .bias = bias};
  record(q, &verb);
}

void am_queue_rms_norm(am_queue *q, float *out, const float *x, const am_weight *weight, float eps,
                       float weight_offset, uint32_t n, uint32_t groups) {
  if (n == 0) return;
  if (!weight->is_vector || groups == 0 || (uint64_t)groups * weight->columns > INT32_MAX) {
    fail(q, "rms_norm", "%u groups of a weight (%u, %u)", groups, weight->rows, weight->columns);
    return;
  }
  am_verb verb = {.kind = AM_VERB_RMS_NORM,
                  .n = n,
                  .columns = groups * weight->columns,
                  .out = out,
                  .x = x,
                  .weight = weight};
  verb.as.norm.eps = eps;
  verb.as.norm.weight_offset = weight_offset;
  verb.as.norm.groups = groups;
  record(q, &verb);
}

void am_queue_layer_norm(am_queue *q, float *out, const float *x, const am_weight *weight,
                         const am_weight *bias, float eps, uint32_t n) {
  if (n == 0) return;
  if (!weight->is_vector || (bias && (!bias->is_vector || bias->columns != weight->columns))) {
    fail(q, "layer_norm", "a weight (%u, %u) and a bias of %u", weight->rows, weight->columns,
         bias ? bias->columns : weight->columns);
    return;
  }
  am_verb verb = {.kind = AM_VERB_LAYER_NORM,
                  .n = n,
                  .columns = weight->columns,
                  .out = out,
                  .x = x,
                  .weight = weight,
                  .bias = bias};
  verb.as.norm.eps = eps;
  verb.as.norm.groups = 1;
  record(q, &verb);
}

void am_queue_rope(am_queue *q, float *x, const am_rope *rope, uint32_t n_heads, uint32_t head_dim,
                   const am_segment *segments, uint32_t n_segments) {
  uint32_t n;
  if (!check_heads(q, "rope", n_heads, head_dim) ||
      !check_segments(q, "rope", false, segments, n_segments, &n))
    return;
  if (n == 0 || rope->n_rot == 0) return;
  if (rope->n_rot % 2 || rope->n_rot > head_dim) {
    fail(q, "rope", "%u of %u numbers of a head are rotated", rope->n_rot, head_dim);
    return;
  }
  am_verb verb = {.kind = AM_VERB_ROPE,
                  .n = n,
                  .columns = n_heads * head_dim,
                  .out = x,
                  .segments = segments,
                  .n_segments = n_segments};
  verb.as.rope.how = rope;
  verb.as.rope.n_heads = n_heads;
  verb.as.rope.head_dim = head_dim;
  record(q, &verb);
}

/* Every segment's cache has this layer and these heads. */
static bool check_caches(am_queue *q, const char *what, uint32_t layer, uint32_t n_kv_heads,
                         uint32_t head_dim, const am_segment *segments, uint32_t n_segments) {
  for (uint32_t i = 0; i < n_segments; i++) {
    const am_kv_options *o = &segments[i].kv->options;
    if (layer < o->n_layers && n_kv_heads == o->n_kv_heads && head_dim == o->head_dim) continue;
    fail(q, what, "layer %u of %u heads of %u in a cache of %u layers of %u heads of %u", layer, n_kv_heads,
         head_dim, o->n_layers, o->n_kv_heads, o->head_dim);
    return false;
  }
  return true;
}

void am_queue_store_kv(am_queue *q, uint32_t layer, const float *k, const float *v,
                       const am_segment *segments, uint32_t n_segments) {
  uint32_t n;
  if (!check_segments(q, "store_kv", true, segments, n_segments, &n) || n == 0) return;
  const am_kv_options *o = &segments[0].kv->options;
  if (!check_caches(q, "store_kv", layer, o->n_kv_heads, o->head_dim, segments, n_segments)) return;
  am_verb verb = {.kind = AM_VERB_STORE_KV,
                  .n = n,
                  .columns = o->n_kv_heads * o->head_dim,
                  .x = k,
                  .y = v,
                  .segments = segments,
                  .n_segments = n_segments};
  verb.as.layer = layer;
  record(q, &verb);
}

static bool check_attend(am_queue *q, const char *what, const am_attend *how) {
  if (!check_heads(q, what, how->n_heads, how->head_dim)) return false;
  if (how->n_kv_heads > 0 && how->n_heads % how->n_kv_heads == 0 && how->softcap >= 0) return true;
  fail(q, what, "%u heads share %u, scores are capped at %g", how->n_heads, how->n_kv_heads,
       (double)how->softcap);
  return false;
}

void am_queue_attend(am_queue *q, float *out, const float *x, const am_attend *how,
                     const am_segment *segments, uint32_t n_segments) {
  uint32_t n;
  if (!check_attend(q, "attend", how) || !check_segments(q, "attend", true, segments, n_segments, &n) ||
      n == 0)
    return;
  if (!check_caches(q, "attend", how->layer, how->n_kv_heads, how->head_dim, segments, n_segments)) return;
  for (uint32_t i = 0; i < n_segments; i++) {
    uint32_t window = segments[i].kv->layers[how->layer].window;
    if (window == 0 || (how->window > 0 && how->window <= window)) continue;
    fail(q, "attend", "a window of %u over a cache that keeps %u", how->window, window);
    return;
  }
  am_verb verb = {.kind = AM_VERB_ATTEND,
                  .n = n,
                  .columns = how->n_heads * how->head_dim,
                  .out = out,
                  .x = x,
                  .segments = segments,
                  .n_segments = n_segments};
  verb.as.attend = *how;
  record(q, &verb);
}

void am_queue_attend_all(am_queue *q, float *out, const float *x, const float *k, const float *v,
                         const am_attend *how, const am_segment *segments, uint32_t n_segments) {
  uint32_t n;
  if (!check_attend(q, "attend_all", how) ||
      !check_segments(q, "attend_all", false, segments, n_segments, &n) || n == 0)
    return;
  if (how->layer != 0 || how->window != 0) {
    fail(q, "attend_all", "layer %u and window %u, expected 0", how->layer, how->window);
    return;
  }
  am_verb verb = {.kind = AM_VERB_ATTEND_ALL,
                  .n = n,
                  .columns = how->n_heads * how->head_dim,
                  .out = out,
                  .x = x,
                  .y = k,
                  .z = v,
                  .segments = segments,
                  .n_segments = n_segments};
  verb.as.attend = *how;
  record(q, &verb);
}

void am_queue_silu_mul(am_queue *q, float *out, const float *gate, const float *up, uint32_t n,
                       uint32_t columns) {
  if (n == 0 || columns == 0) return;
  am_verb verb = {.kind = AM_VERB_SILU_MUL, .n = n, .columns = columns, .out = out, .x = gate, .y = up};
  record(q, &verb);
}

void am_queue_gelu_mul(am_queue *q, float *out, const float *gate, const float *up, uint32_t n,
                       uint32_t columns) {
  if (n == 0 || columns == 0) return;
  am_verb verb = {.kind = AM_VERB_GELU_MUL, .n = n, .columns = columns, .out = out, .x = gate, .y = up};
  record(q, &verb);
}

void am_queue_gelu(am_queue *q, float *x, uint32_t n, uint32_t columns, bool tanh_form) {
  if (n == 0 || columns == 0) return;
  am_verb verb = {.kind = AM_VERB_GELU, .n = n, .columns = columns, .out = x};
  verb.as.tanh_form = tanh_form;
  record(q, &verb);
}

void am_queue_scale(am_queue *q, float *x, float factor, uint32_t n, uint32_t columns) {
  if (n == 0 || columns == 0) return;
  am_verb verb = {.kind = AM_VERB_SCALE, .n = n, .columns = columns, .out = x};
  verb.as.factor = factor;
  record(q, &verb);
}

void am_queue_softcap(am_queue *q, float *x, float cap, uint32_t n, uint32_t columns) {
  if (n == 0 || columns == 0) return;
  if (!(cap > 0)) {
    fail(q, "softcap", "a cap of %g", (double)cap);
    return;
  }
  am_verb verb = {.kind = AM_VERB_SOFTCAP, .n = n, .columns = columns, .out = x};
  verb.as.factor = cap;
  record(q, &verb);
}

void am_queue_add(am_queue *q, float *x, const float *y, uint32_t n, uint32_t columns) {
  if (n == 0 || columns == 0) return;
  am_verb verb = {.kind = AM_VERB_ADD, .n = n, .columns = columns, .out = x, .y = y};
  record(q, &verb);
}

void am_queue_take_rows(am_queue *q, float *out, const float *x, const uint32_t *rows, uint32_t n,
                        uint32_t columns) {
  if (n == 0 || columns == 0) return;
  am_verb verb = {.kind = AM_VERB_TAKE_ROWS, .n = n, .columns = columns, .out = out, .x = x};
  verb.as.rows = rows;
  record(q, &verb);
}

static bool check_routing(am_queue *q, const char *what, const am_routing *how, uint32_t n) {
  if (how->n_used > 0 && how->n_used <= how->n_experts && am_routing_bytes(n, how) > 0) return true;
  fail(q, what, "%u of %u experts for %u rows", how->n_used, how->n_experts, n);
  return false;
}

void am_queue_route(am_queue *q, const am_routing *how, const float *logits, uint32_t n) {
  if (n == 0 || !check_routing(q, "route", how, n)) return;
  am_verb verb = {.kind = AM_VERB_ROUTE, .n = n, .columns = how->n_experts, .x = logits};
  verb.as.experts.how = *how;
  verb.as.experts.n = n;
  verb.as.experts.n_pairs = n * how->n_used;
  record(q, &verb);
}

void am_queue_matmul_experts(am_queue *q, float *out, const am_weight *const *experts, const float *x,
                             bool by_row, const am_routing *how, uint32_t n) {
  if (n == 0 || !check_routing(q, "matmul_experts", how, n)) return;
  if (experts[0]->is_vector || (uint64_t)how->n_experts * experts[0]->rows > INT32_MAX) {
    fail(q, "matmul_experts", "%u experts of %u rows", how->n_experts, experts[0]->rows);
    return;
  }
  am_verb verb = {.kind = AM_VERB_MATMUL_EXPERTS,
                  .n = by_row ? n : n * how->n_used,
                  .columns = experts[0]->rows,
                  .out = out,
                  .x = x,
                  .weight = experts[0]};
  verb.as.experts.how = *how;
  verb.as.experts.n = n;
  verb.as.experts.n_pairs = n * how->n_used;
  verb.as.experts.by_row = by_row;
  verb.as.experts.weights = experts;
  record(q, &verb);
}

void am_queue_mix_experts(am_queue *q, float *out, const float *y, const am_routing *how, uint32_t n,
                          uint32_t columns) {
  if (n == 0 || columns == 0 || !check_routing(q, "mix_experts", how, n)) return;
  am_verb verb = {.kind = AM_VERB_MIX_EXPERTS, .n = n, .columns = columns, .out = out, .x = y};
  verb.as.experts.how = *how;
  verb.as.experts.n = n;
  verb.as.experts.n_pairs = n * how->n_used;
  record(q, &verb);
}

/* Host memory may have changed since recording. */
static void check_host_memory(am_queue *q) {
  for (uint32_t i = 0; i < q->n_verbs && !q->failed; i++) {
    const am_verb *verb = &q->verbs[i];
    uint32_t n;
    if (verb->n_segments > 0) {
      bool cached = verb->kind == AM_VERB_STORE_KV || verb->kind == AM_VERB_ATTEND;
      if (check_segments(q, "segments", cached, verb->segments, verb->n_segments, &n) && n != verb->n)
        fail(q, "segments", "%u rows were recorded, now there are %u", verb->n, n);
    }
    if (verb->kind != AM_VERB_EMBED) continue;
    for (uint32_t j = 0; j < verb->n; j++)
      if (verb->as.ids[j] < 0 || (uint32_t)verb->as.ids[j] >= verb->weight->rows) {
        fail(q, "embed", "id %d is not in a table of %u", (int)verb->as.ids[j], verb->weight->rows);
        break;
      }
  }
}

/* Once it runs, a ring has lost what this overwrites, whatever comes of the run. */
static void note_stores(am_queue *q) {
  for (uint32_t i = 0; i < q->n_verbs; i++) {
    const am_verb *verb = &q->verbs[i];
    for (uint32_t s = 0; verb->kind == AM_VERB_STORE_KV && s < verb->n_segments; s++) {
      const am_segment *segment = &verb->segments[s];
      uint64_t end = segment->position + segment->n;
      if (segment->position == 0 || end > segment->kv->peak) segment->kv->peak = end;
    }
  }
}

adam_status am_queue_run(am_queue *queue, adam_error *error) {
  adam_status status = ADAM_OK;
  check_host_memory(queue);
  if (queue->failed) {
    status = queue->error.status;
    if (error) *error = queue->error;
  } else if (queue->n_verbs > 0) {
    note_stores(queue);
    status = queue->device->ops->queue_run(queue, error);
  }
  queue->n_verbs = 0;
  queue->failed = false;
  return status;
}
