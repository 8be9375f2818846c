/* SPDX-License-Identifier: Apache-2.0 */
/* Recorded verbs -> operations -> phases. */
#include "device/cpu/cpu.h"
#include <string.h>

static bool overlap(am_cpu_range a, am_cpu_range b) {
  uintptr_t a0 = (uintptr_t)a.begin, b0 = (uintptr_t)b.begin;
  return a.n_bytes > 0 && b.n_bytes > 0 && a0 < b0 + b.n_bytes && b0 < a0 + a.n_bytes;
}

static bool reads(const am_cpu_op *op, am_cpu_range range) {
  for (int i = 0; i < AM_CPU_MAX_READS; i++)
    if (overlap(op->reads[i], range)) return true;
  return false;
}

/* Whether b must wait for a. */
static bool depends(const am_cpu_op *a, const am_cpu_op *b) {
  if (reads(b, a->writes) || reads(a, b->writes) || overlap(a->writes, b->writes)) return true;
  return (a->writes_cache && (b->reads_cache || b->writes_cache)) || (a->reads_cache && b->writes_cache);
}

static am_cpu_op *next_op(am_cpu_queue *q, const am_verb *verb) {
  am_cpu_op *op = &q->ops[q->n_ops++];
  memset(op, 0, sizeof *op);
  op->verb = verb;
  return op;
}

/* What the scratch slots hold: activations x of a verb, quantised; those of a verb's pairs in order; a
 * table of angles. */
typedef struct held {
  const am_verb *x[AM_CPU_X_SLOTS];
  const am_verb *routed;
  const am_verb *angles;
  uint32_t next_slot;
} held;

static bool reads_x_in(const am_verb *v, am_cpu_range written) {
  return overlap(written, (am_cpu_range){v->x, (uint64_t)v->n * v->weight->columns * sizeof(float)});
}

static void forget_overwritten(held *have, am_cpu_range written) {
  for (int i = 0; i < AM_CPU_X_SLOTS; i++)
    if (have->x[i] && reads_x_in(have->x[i], written)) have->x[i] = NULL;
  const am_verb *v = have->routed;
  if (v && (reads_x_in(v, written) || overlap(written, (am_cpu_range){v->as.experts.how.routes, 1})))
    have->routed = NULL;
}

/* Activations of a matmul in the kernel's format; NULL: x as it is. */
static void *quantized(am_cpu_queue *q, const am_verb *verb, held *have) {
  am_x_format format = am_cpu_x_format(q, verb->weight);
  if (format == AM_X_F32) return NULL;
  for (int i = 0; i < AM_CPU_X_SLOTS; i++) {
    const am_verb *v = have->x[i];
    if (v && v->x == verb->x && v->n >= verb->n && v->weight->columns == verb->weight->columns &&
        q->kernels->x_format[v->weight->dtype] == format)
      return q->x[i].memory;
  }
  uint32_t slot = have->next_slot;
  have->next_slot = (slot + 1) % AM_CPU_X_SLOTS;
  have->x[slot] = verb;
  am_cpu_op_quantize(q, verb, q->x[slot].memory, next_op(q, verb));
  return q->x[slot].memory;
}

static void add_matmul(am_cpu_queue *q, const am_verb *verb, held *have) {
  void *scratch = quantized(q, verb, have);
  am_cpu_op_matmul(q, verb, scratch, next_op(q, verb));
}

static bool same_pairs(const am_cpu_queue *q, const am_verb *a, const am_verb *b) {
  return a && a->x == b->x && a->as.experts.how.routes == b->as.experts.how.routes &&
         a->as.experts.n_pairs == b->as.experts.n_pairs && a->weight->columns == b->weight->columns &&
         am_cpu_x_format(q, a->weight) == am_cpu_x_format(q, b->weight);
}

static void add_matmul_experts(am_cpu_queue *q, const am_verb *verb, held *have) {
  const void *scratch;
  if (am_cpu_gathers(verb)) {
    if (!same_pairs(q, have->routed, verb)) {
      scratch = quantized(q, verb, have);
      am_cpu_op_gather(q, verb, scratch, next_op(q, verb));
      have->routed = verb;
    }
    scratch = q->routed.memory;
  } else {
    scratch = quantized(q, verb, have);
  }
  am_cpu_op_matmul_experts(q, verb, scratch, next_op(q, verb));
}

static void add_rope(am_cpu_queue *q, const am_verb *verb, held *have) {
  const am_verb *v = have->angles;
  if (!v || v->as.rope.how != verb->as.rope.how || v->segments != verb->segments ||
      v->n_segments != verb->n_segments) {
    am_cpu_op_angles(q, verb, next_op(q, verb));
    have->angles = verb;
  }
  am_cpu_op_rope(q, verb, next_op(q, verb));
}

static void add_ops(am_cpu_queue *q, const am_verb *verb, held *have) {
  switch (verb->kind) {
    case AM_VERB_EMBED:
      am_cpu_op_embed(q, verb, next_op(q, verb));
      break;
    case AM_VERB_MATMUL:
      add_matmul(q, verb, have);
      break;
    case AM_VERB_RMS_NORM:
      am_cpu_op_rms_norm(q, verb, next_op(q, verb));
      break;
    case AM_VERB_LAYER_NORM:
      am_cpu_op_layer_norm(q, verb, next_op(q, verb));
      break;
    case AM_VERB_ROPE:
      add_rope(q, verb, have);
      break;
    case AM_VERB_STORE_KV:
      am_cpu_op_store_kv(q, verb, next_op(q, verb));
      break;
    case AM_VERB_ATTEND:
    case AM_VERB_ATTEND_ALL:
      am_cpu_op_attend(q, verb, next_op(q, verb));
      if (am_cpu_attend_splits(q, verb)) am_cpu_op_merge(q, verb, next_op(q, verb));
      break;
    case AM_VERB_SILU_MUL:
      am_cpu_op_silu_mul(q, verb, next_op(q, verb));
      break;
    case AM_VERB_GELU_MUL:
      am_cpu_op_gelu_mul(q, verb, next_op(q, verb));
      break;
    case AM_VERB_GELU:
      am_cpu_op_gelu(q, verb, next_op(q, verb));
      break;
    case AM_VERB_SCALE:
      am_cpu_op_scale(q, verb, next_op(q, verb));
      break;
    case AM_VERB_SOFTCAP:
      am_cpu_op_softcap(q, verb, next_op(q, verb));
      break;
    case AM_VERB_ADD:
      am_cpu_op_add(q, verb, next_op(q, verb));
      break;
    case AM_VERB_TAKE_ROWS:
      am_cpu_op_take_rows(q, verb, next_op(q, verb));
      break;
    case AM_VERB_ROUTE:
      am_cpu_op_choose(q, verb, next_op(q, verb));
      am_cpu_op_group(q, verb, next_op(q, verb));
      break;
    case AM_VERB_MATMUL_EXPERTS:
      add_matmul_experts(q, verb, have);
      break;
    case AM_VERB_MIX_EXPERTS:
      am_cpu_op_mix_experts(q, verb, next_op(q, verb));
      break;
  }
  forget_overwritten(have, q->ops[q->n_ops - 1].writes);
}

static am_cpu_phase *next_phase(am_cpu_queue *q, uint32_t first_small, uint32_t end_small) {
  am_cpu_phase *phase = &q->phases[q->n_phases++];
  phase->first_small = first_small;
  phase->n_small = end_small - first_small;
  phase->first = end_small;
  phase->n = phase->n_chunks = 0;
  atomic_store_explicit(&phase->next, 0, memory_order_relaxed);
  atomic_store_explicit(&phase->done, 0, memory_order_relaxed);
  return phase;
}

void am_cpu_plan(am_cpu_queue *q) {
  held have = {0};
  q->n_ops = q->n_phases = 0;
  for (uint32_t i = 0; i < q->base.n_verbs; i++) add_ops(q, &q->base.verbs[i], &have);

  am_cpu_phase *phase = NULL;
  uint32_t first_small = 0;                   /* small operations since the last big one */
  bool alone = am_pool_threads(q->pool) == 1; /* nobody to share with: all in order, no counters */
  for (uint32_t i = 0; i < q->n_ops; i++) {
    if (q->ops[i].is_small || alone) continue;
    bool joins = phase && first_small == i;
    for (uint32_t j = 0; joins && j < phase->n; j++) joins = !depends(&q->ops[phase->first + j], &q->ops[i]);
    if (!joins) phase = next_phase(q, first_small, i);
    phase->n++;
    phase->n_chunks += q->ops[i].n_chunks;
    first_small = i + 1;
  }
  if (first_small < q->n_ops) (void)next_phase(q, first_small, q->n_ops);
}
