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

/* What stands in host memory: segments inside their caches, on ascending rows that no two share. */
static bool check_segments(am_queue *q, const char *what, const am_segment *segments, uint32_t n_segments,
                           uint32_t *n_rows) {
  uint64_t rows = 0;
  for (uint32_t i = 0; i < n_segments; i++) {
    const am_segment *s = &segments[i];
    if (!s->kv || s->kv->device != q->device) {
      fail(q, what, "segment %u has no cache of this device", i);
      return false;
    }
    if (s->position > s->kv->options.n_ctx || s->n > s->kv->options.n_ctx - s->position) {
      fail(q, what, "positions %llu + %u pass the context of %llu", (unsigned long long)s->position, s->n,
           (unsigned long long)s->kv->options.n_ctx);
      return false;
    }
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
                       uint32_t n, uint32_t groups) {
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
  verb.as.norm.groups = groups;
  record(q, &verb);
}

void am_queue_rope(am_queue *q, float *x, const float *inv_freq, float scale, bool interleaved,
                   uint32_t n_heads, uint32_t head_dim, const am_segment *segments, uint32_t n_segments) {
  uint32_t n;
  if (!check_heads(q, "rope", n_heads, head_dim) || !check_segments(q, "rope", segments, n_segments, &n))
    return;
  if (n == 0) return;
  if (head_dim % 2) {
    fail(q, "rope", "an odd head_dim of %u", head_dim);
    return;
  }
  am_verb verb = {.kind = AM_VERB_ROPE,
                  .n = n,
                  .columns = n_heads * head_dim,
                  .out = x,
                  .segments = segments,
                  .n_segments = n_segments};
  verb.as.rope.inv_freq = inv_freq;
  verb.as.rope.scale = scale;
  verb.as.rope.interleaved = interleaved;
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
  if (!check_segments(q, "store_kv", segments, n_segments, &n) || n == 0) return;
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

void am_queue_attend(am_queue *q, float *out, const float *x, const am_attend *how,
                     const am_segment *segments, uint32_t n_segments) {
  uint32_t n;
  if (!check_heads(q, "attend", how->n_heads, how->head_dim) ||
      !check_segments(q, "attend", segments, n_segments, &n) || n == 0)
    return;
  if (how->n_kv_heads == 0 || how->n_heads % how->n_kv_heads) {
    fail(q, "attend", "%u heads share %u", how->n_heads, how->n_kv_heads);
    return;
  }
  if (!check_caches(q, "attend", how->layer, how->n_kv_heads, how->head_dim, segments, n_segments)) return;
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

void am_queue_silu_mul(am_queue *q, float *out, const float *gate, const float *up, uint32_t n,
                       uint32_t columns) {
  if (n == 0 || columns == 0) return;
  am_verb verb = {.kind = AM_VERB_SILU_MUL, .n = n, .columns = columns, .out = out, .x = gate, .y = up};
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

/* Host memory may have changed since recording. */
static void check_host_memory(am_queue *q) {
  for (uint32_t i = 0; i < q->n_verbs && !q->failed; i++) {
    const am_verb *verb = &q->verbs[i];
    uint32_t n;
    if (verb->n_segments > 0) {
      if (check_segments(q, "segments", verb->segments, verb->n_segments, &n) && n != verb->n)
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

adam_status am_queue_run(am_queue *queue, adam_error *error) {
  adam_status status = ADAM_OK;
  check_host_memory(queue);
  if (queue->failed) {
    status = queue->error.status;
    if (error) *error = queue->error;
  } else if (queue->n_verbs > 0) {
    status = queue->device->ops->queue_run(queue, error);
  }
  queue->n_verbs = 0;
  queue->failed = false;
  return status;
}
