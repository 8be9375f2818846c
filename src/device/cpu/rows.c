/* SPDX-License-Identifier: Apache-2.0 */
/* Operations that go row by row. */
#include "device/cpu/cpu.h"
#include <math.h>
#include <string.h>

void am_cpu_cut(am_cpu_op *op, uint32_t n, uint64_t steps) {
  uint64_t rows = AM_CPU_SMALL_STEPS / 2 / (steps ? steps : 1);
  op->chunk_rows = rows < 1 ? 1 : rows > n ? n : (uint32_t)rows;
  op->n_chunks = (n + op->chunk_rows - 1) / op->chunk_rows;
  op->is_small = n * steps <= AM_CPU_SMALL_STEPS;
}

static am_cpu_range floats(const float *p, uint64_t n) { return (am_cpu_range){p, n * sizeof *p}; }

static am_cpu_range rows_of(const float *p, const am_verb *verb) {
  return floats(p, (uint64_t)verb->n * verb->columns);
}

static void run_embed(am_cpu_queue *q, const am_cpu_op *op, uint32_t chunk, uint32_t thread) {
  const am_verb *v = op->verb;
  const am_weight *w = v->weight;
  uint32_t begin, end;
  (void)thread;
  am_cpu_rows(op, chunk, v->n, &begin, &end);
  for (uint32_t i = begin; i < end; i++)
    q->kernels->dequantize[w->dtype](v->out + (size_t)i * v->columns,
                                     (const uint8_t *)w->data + (size_t)v->as.ids[i] * w->row_bytes,
                                     v->columns);
}

void am_cpu_op_embed(am_cpu_queue *q, const am_verb *verb, am_cpu_op *op) {
  (void)q;
  op->run = run_embed;
  op->writes = rows_of(verb->out, verb);
  am_cpu_cut(op, verb->n, 2 * (uint64_t)verb->columns);
}

static void run_rms_norm(am_cpu_queue *q, const am_cpu_op *op, uint32_t chunk, uint32_t thread) {
  const am_verb *v = op->verb;
  uint32_t begin, end, n = v->weight->columns;
  (void)thread;
  am_cpu_rows(op, chunk, v->n, &begin, &end);
  for (size_t i = (size_t)begin * v->as.norm.groups; i < (size_t)end * v->as.norm.groups; i++)
    q->kernels->rms_norm(v->out + i * n, v->x + i * n, v->weight->values, v->as.norm.eps,
                         v->as.norm.weight_offset, n);
}

void am_cpu_op_rms_norm(am_cpu_queue *q, const am_verb *verb, am_cpu_op *op) {
  (void)q;
  op->run = run_rms_norm;
  op->reads[0] = rows_of(verb->x, verb);
  op->writes = rows_of(verb->out, verb);
  am_cpu_cut(op, verb->n, verb->columns);
}

static void run_layer_norm(am_cpu_queue *q, const am_cpu_op *op, uint32_t chunk, uint32_t thread) {
  const am_verb *v = op->verb;
  uint32_t begin, end;
  (void)thread;
  am_cpu_rows(op, chunk, v->n, &begin, &end);
  for (size_t i = begin; i < end; i++)
    q->kernels->layer_norm(v->out + i * v->columns, v->x + i * v->columns, v->weight->values,
                           v->bias ? v->bias->values : NULL, v->as.norm.eps, v->columns);
}

void am_cpu_op_layer_norm(am_cpu_queue *q, const am_verb *verb, am_cpu_op *op) {
  (void)q;
  op->run = run_layer_norm;
  op->reads[0] = rows_of(verb->x, verb);
  op->writes = rows_of(verb->out, verb);
  am_cpu_cut(op, verb->n, 2 * (uint64_t)verb->columns);
}

/* Frequency i of dynamic NTK scaling for a length, in float32 as transformers has it. */
static float dynamic_frequency(const am_rope *rope, float length, uint32_t i) {
  float dims = (float)rope->n_rot, factor = (float)rope->dynamic_factor;
  float growth = factor * length / (float)rope->switch_length - (float)(rope->dynamic_factor - 1);
  float base = (float)rope->dynamic_theta * powf(growth, (float)((double)rope->n_rot / (rope->n_rot - 2.0)));
  return 1.0f / powf(base, (float)(2 * i) / dims);
}

/* Row i of the table: cos then sin of n_rot / 2 angles, for the position of activation row i.
 * The angle is rounded to float before cos, as the reference implementations have it. */
static void run_angles(am_cpu_queue *q, const am_cpu_op *op, uint32_t chunk, uint32_t thread) {
  const am_verb *v = op->verb;
  const am_rope *rope = v->as.rope.how;
  uint32_t begin, end, half = rope->n_rot / 2;
  (void)q;
  (void)thread;
  am_cpu_rows(op, chunk, v->n, &begin, &end);
  for (uint32_t s = 0; s < v->n_segments; s++) {
    const am_segment *segment = &v->segments[s];
    uint64_t length = segment->length ? segment->length : segment->position + segment->n;
    bool beyond = length > rope->switch_length, is_long = beyond && rope->inv_freq_long;
    bool dynamic = beyond && rope->dynamic_factor > 0;
    const float *inv_freq = is_long ? rope->inv_freq_long : rope->inv_freq;
    float scale = is_long ? rope->scale_long : rope->scale;
    uint32_t from = segment->first < begin ? begin : segment->first;
    uint32_t to = segment->first + segment->n > end ? end : segment->first + segment->n;
    for (uint32_t j = 0; j < half && from < to; j++) {
      float frequency = dynamic ? dynamic_frequency(rope, (float)length, j) : inv_freq[j];
      for (uint32_t row = from; row < to; row++) {
        float *c = (float *)op->scratch + (size_t)row * 2 * half;
        float angle = (float)(segment->position + (row - segment->first)) * frequency;
        c[j] = cosf(angle) * scale;
        c[half + j] = sinf(angle) * scale;
      }
    }
  }
}

void am_cpu_op_angles(am_cpu_queue *q, const am_verb *verb, am_cpu_op *op) {
  uint32_t n_rot = verb->as.rope.how->n_rot;
  op->run = run_angles;
  op->scratch = q->angles.memory;
  op->writes = floats(op->scratch, (uint64_t)verb->n * n_rot);
  am_cpu_cut(op, verb->n, 16 * (uint64_t)n_rot);
}

static void run_rope(am_cpu_queue *q, const am_cpu_op *op, uint32_t chunk, uint32_t thread) {
  const am_verb *v = op->verb;
  uint32_t begin, end, half = v->as.rope.how->n_rot / 2;
  void (*rotate)(float *, const float *, const float *, size_t) =
      v->as.rope.how->interleaved ? q->kernels->rope_pairs : q->kernels->rope_half;
  (void)thread;
  am_cpu_rows(op, chunk, v->n, &begin, &end);
  for (uint32_t s = 0; s < v->n_segments; s++) {
    const am_segment *segment = &v->segments[s];
    for (uint32_t i = 0; i < segment->n; i++) {
      uint32_t row = segment->first + i;
      if (row < begin || row >= end) continue;
      const float *c = (const float *)op->scratch + (size_t)row * 2 * half;
      for (uint32_t h = 0; h < v->as.rope.n_heads; h++)
        rotate(v->out + (size_t)row * v->columns + h * v->as.rope.head_dim, c, c + half, half);
    }
  }
}

void am_cpu_op_rope(am_cpu_queue *q, const am_verb *verb, am_cpu_op *op) {
  op->run = run_rope;
  op->scratch = q->angles.memory;
  op->reads[0] = floats(op->scratch, (uint64_t)verb->n * verb->as.rope.how->n_rot);
  op->writes = rows_of(verb->out, verb);
  am_cpu_cut(op, verb->n, verb->columns);
}

static void run_store_kv(am_cpu_queue *q, const am_cpu_op *op, uint32_t chunk, uint32_t thread) {
  const am_verb *v = op->verb;
  uint32_t begin, end;
  (void)thread;
  am_cpu_rows(op, chunk, v->n, &begin, &end);
  for (uint32_t s = 0; s < v->n_segments; s++) {
    const am_segment *segment = &v->segments[s];
    const am_kv *kv = segment->kv;
    uint32_t head_dim = kv->options.head_dim;
    uint64_t held = kv->layers[v->as.layer].held;
    void (*store)(void *, const float *, size_t) = q->kernels->store[kv->options.dtype];
    for (uint32_t i = 0; i < segment->n; i++) {
      uint32_t row = segment->first + i;
      if (row < begin || row >= end) continue;
      for (uint32_t h = 0; h < kv->options.n_kv_heads; h++) {
        size_t to = (h * held + (segment->position + i) % held) * kv->row_bytes;
        size_t from = (size_t)row * v->columns + h * head_dim;
        store(am_kv_plane(kv, v->as.layer, false) + to, v->x + from, head_dim);
        store(am_kv_plane(kv, v->as.layer, true) + to, v->y + from, head_dim);
      }
    }
  }
}

void am_cpu_op_store_kv(am_cpu_queue *q, const am_verb *verb, am_cpu_op *op) {
  (void)q;
  op->run = run_store_kv;
  op->reads[0] = rows_of(verb->x, verb);
  op->reads[1] = rows_of(verb->y, verb);
  op->writes_cache = true;
  am_cpu_cut(op, verb->n, 2 * (uint64_t)verb->columns);
}

static void run_silu_mul(am_cpu_queue *q, const am_cpu_op *op, uint32_t chunk, uint32_t thread) {
  const am_verb *v = op->verb;
  uint32_t begin, end;
  (void)thread;
  am_cpu_rows(op, chunk, v->n, &begin, &end);
  size_t at = (size_t)begin * v->columns;
  q->kernels->silu_mul(v->out + at, v->x + at, v->y + at, (size_t)(end - begin) * v->columns);
}

void am_cpu_op_silu_mul(am_cpu_queue *q, const am_verb *verb, am_cpu_op *op) {
  (void)q;
  op->run = run_silu_mul;
  op->reads[0] = rows_of(verb->x, verb);
  op->reads[1] = rows_of(verb->y, verb);
  op->writes = rows_of(verb->out, verb);
  am_cpu_cut(op, verb->n, 4 * (uint64_t)verb->columns);
}

static void run_gelu_mul(am_cpu_queue *q, const am_cpu_op *op, uint32_t chunk, uint32_t thread) {
  const am_verb *v = op->verb;
  uint32_t begin, end;
  (void)thread;
  am_cpu_rows(op, chunk, v->n, &begin, &end);
  size_t at = (size_t)begin * v->columns;
  q->kernels->gelu_mul(v->out + at, v->x + at, v->y + at, (size_t)(end - begin) * v->columns);
}

void am_cpu_op_gelu_mul(am_cpu_queue *q, const am_verb *verb, am_cpu_op *op) {
  (void)q;
  op->run = run_gelu_mul;
  op->reads[0] = rows_of(verb->x, verb);
  op->reads[1] = rows_of(verb->y, verb);
  op->writes = rows_of(verb->out, verb);
  am_cpu_cut(op, verb->n, 4 * (uint64_t)verb->columns);
}

static void run_gelu(am_cpu_queue *q, const am_cpu_op *op, uint32_t chunk, uint32_t thread) {
  const am_verb *v = op->verb;
  uint32_t begin, end;
  (void)thread;
  am_cpu_rows(op, chunk, v->n, &begin, &end);
  (v->as.tanh_form ? q->kernels->gelu_tanh : q->kernels->gelu_erf)(v->out + (size_t)begin * v->columns,
                                                                   (size_t)(end - begin) * v->columns);
}

void am_cpu_op_gelu(am_cpu_queue *q, const am_verb *verb, am_cpu_op *op) {
  (void)q;
  op->run = run_gelu;
  op->writes = rows_of(verb->out, verb);
  am_cpu_cut(op, verb->n, 4 * (uint64_t)verb->columns);
}

static void run_scale(am_cpu_queue *q, const am_cpu_op *op, uint32_t chunk, uint32_t thread) {
  const am_verb *v = op->verb;
  uint32_t begin, end;
  (void)thread;
  am_cpu_rows(op, chunk, v->n, &begin, &end);
  q->kernels->scale(v->out + (size_t)begin * v->columns, v->as.factor, (size_t)(end - begin) * v->columns);
}

void am_cpu_op_scale(am_cpu_queue *q, const am_verb *verb, am_cpu_op *op) {
  (void)q;
  op->run = run_scale;
  op->writes = rows_of(verb->out, verb);
  am_cpu_cut(op, verb->n, verb->columns);
}

static void run_softcap(am_cpu_queue *q, const am_cpu_op *op, uint32_t chunk, uint32_t thread) {
  const am_verb *v = op->verb;
  uint32_t begin, end;
  (void)thread;
  am_cpu_rows(op, chunk, v->n, &begin, &end);
  q->kernels->softcap(v->out + (size_t)begin * v->columns, v->as.factor, (size_t)(end - begin) * v->columns);
}

void am_cpu_op_softcap(am_cpu_queue *q, const am_verb *verb, am_cpu_op *op) {
  (void)q;
  op->run = run_softcap;
  op->writes = rows_of(verb->out, verb);
  am_cpu_cut(op, verb->n, 4 * (uint64_t)verb->columns);
}

static void run_add(am_cpu_queue *q, const am_cpu_op *op, uint32_t chunk, uint32_t thread) {
  const am_verb *v = op->verb;
  uint32_t begin, end;
  (void)thread;
  am_cpu_rows(op, chunk, v->n, &begin, &end);
  size_t at = (size_t)begin * v->columns;
  q->kernels->add(v->out + at, v->y + at, (size_t)(end - begin) * v->columns);
}

void am_cpu_op_add(am_cpu_queue *q, const am_verb *verb, am_cpu_op *op) {
  (void)q;
  op->run = run_add;
  op->reads[0] = rows_of(verb->y, verb);
  op->writes = rows_of(verb->out, verb);
  am_cpu_cut(op, verb->n, verb->columns);
}

static void run_take_rows(am_cpu_queue *q, const am_cpu_op *op, uint32_t chunk, uint32_t thread) {
  const am_verb *v = op->verb;
  uint32_t begin, end;
  (void)q;
  (void)thread;
  am_cpu_rows(op, chunk, v->n, &begin, &end);
  for (uint32_t i = begin; i < end; i++)
    memcpy(v->out + (size_t)i * v->columns, v->x + (size_t)v->as.rows[i] * v->columns,
           v->columns * sizeof *v->out);
}

void am_cpu_op_take_rows(am_cpu_queue *q, const am_verb *verb, am_cpu_op *op) {
  (void)q;
  uint64_t last = 0;
  for (uint32_t i = 0; i < verb->n; i++)
    if (verb->as.rows[i] > last) last = verb->as.rows[i];
  op->run = run_take_rows;
  op->reads[0] = floats(verb->x, (last + 1) * verb->columns);
  op->writes = rows_of(verb->out, verb);
  am_cpu_cut(op, verb->n, verb->columns);
}

static void run_quantize(am_cpu_queue *q, const am_cpu_op *op, uint32_t chunk, uint32_t thread) {
  const am_verb *v = op->verb;
  uint32_t begin, end, n_in = v->weight->columns;
  (void)thread;
  am_cpu_rows(op, chunk, v->n, &begin, &end);
  for (size_t i = begin; i < end; i++)
    q->kernels->quantize[op->format]((uint8_t *)op->scratch + i * op->x_stride, v->x + i * n_in, n_in);
}

void am_cpu_op_quantize(am_cpu_queue *q, const am_verb *verb, void *scratch, am_cpu_op *op) {
  uint32_t n_in = verb->weight->columns;
  op->run = run_quantize;
  op->format = q->kernels->x_format[verb->weight->dtype];
  op->scratch = scratch;
  op->x_stride = am_kernels_x_bytes(op->format, n_in);
  op->reads[0] = floats(verb->x, (uint64_t)verb->n * n_in);
  op->writes = (am_cpu_range){scratch, verb->n * op->x_stride};
  am_cpu_cut(op, verb->n, 2 * (uint64_t)n_in);
}
