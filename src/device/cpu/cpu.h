/* SPDX-License-Identifier: Apache-2.0 */
/* device/cpu: the verbs on the processor.
 * A run turns the recorded verbs into operations and those into phases (plan.c): the operations of
 * a phase do not depend on each other and are cut into chunks, which the threads take one by one
 * from a counter. Whoever finishes a phase's last chunk alone does the small operations that follow
 * (a norm of one token is shorter than a barrier) and then opens the next phase. No thread is waited
 * for that holds no chunk, so that a loaded machine slows us only by what it takes.
 * Invariant: who computes a chunk, and how the rows are cut, changes no result. */
#ifndef AM_DEVICE_CPU_CPU_H
#define AM_DEVICE_CPU_CPU_H

#include "device/backend.h"
#include "device/cpu/pool.h"
#include "kernels/kernels.h"

typedef struct am_cpu_device {
  am_device base;
  const am_kernels *kernels;
  am_pool *pool;
} am_cpu_device;

typedef struct am_cpu_queue am_cpu_queue;
typedef struct am_cpu_op am_cpu_op;

typedef struct am_cpu_range {
  const void *begin;
  size_t n_bytes;
} am_cpu_range;

enum { AM_CPU_MAX_READS = 3 };

struct am_cpu_op {
  void (*run)(am_cpu_queue *q, const am_cpu_op *op, uint32_t chunk, uint32_t thread);
  const am_verb *verb;
  uint32_t n_chunks;
  uint32_t chunk_rows; /* rows of whatever the operation is cut along */
  bool is_small;       /* not worth a barrier: one thread does it */
  bool reads_cache, writes_cache;
  am_cpu_range reads[AM_CPU_MAX_READS], writes; /* activations and scratch */
  void *scratch; /* matmul, quantize: activations in the kernel's format; rope: table; attend: partial sums */
  size_t x_stride; /* of scratch, bytes from token to token */
  const void *source; /* gather, matmul_experts: rows that are read, source_stride or x_stride bytes each */
  size_t source_stride;
  am_x_format format;
};

typedef struct am_cpu_phase {
  uint32_t first_small, n_small; /* operations that its opener does first, in order */
  uint32_t first, n;             /* operations cut into chunks */
  uint32_t n_chunks;
  _Alignas(64) atomic_uint next; /* chunk to take */
  _Alignas(64) atomic_uint done; /* chunks finished */
} am_cpu_phase;

typedef struct am_cpu_scratch {
  void *memory;
  size_t n_bytes;
} am_cpu_scratch;

enum { AM_CPU_X_SLOTS = 2 };

struct am_cpu_queue {
  am_queue base;
  const am_kernels *kernels;
  am_pool *pool;
  am_cpu_op *ops;
  uint32_t n_ops, op_capacity;
  am_cpu_phase *phases;
  uint32_t n_phases;
  am_pool_gate opened;              /* number of phases open or over; n_phases + 1 at the end */
  am_cpu_scratch x[AM_CPU_X_SLOTS]; /* quantised activations */
  am_cpu_scratch angles;            /* (rows, cos and sin, n_rot / 2) */
  am_cpu_scratch attend;            /* per thread, attend_stride bytes each */
  size_t attend_stride;
  am_cpu_scratch partial; /* attention of one token: unmerged splits */
  am_cpu_scratch exact;   /* per thread, AM_CPU_EXACT_ROWS dequantised rows of a weight */
  am_cpu_scratch routed;  /* (pairs) activations of matmul_experts in the order of the routing */
  am_cpu_scratch probabilities; /* route: per thread, (n_experts) */
};

enum { AM_CPU_EXACT_ROWS = 8 };

/* What the activations of a matmul with this weight look like in this queue. */
static inline am_x_format am_cpu_x_format(const am_cpu_queue *q, const am_weight *weight) {
  return q->base.exact ? AM_X_F32 : q->kernels->x_format[weight->dtype];
}

/* What one chunk of an element-wise operation should have at least, and what is small: 16 K simple
 * element steps take some 3 microseconds. */
enum { AM_CPU_SMALL_STEPS = 16384 };

/* A weight by n rows of activations in `format`: out[t][r] of t < n, r < the weight's rows. */
typedef struct am_cpu_product {
  float *out;
  size_t out_stride; /* floats from row to row */
  const am_weight *weight;
  am_x_format format; /* am_cpu_x_format of queue and weight */
  const void *x;
  size_t x_stride; /* bytes from row to row */
  uint32_t n;
} am_cpu_product;
/* The part of it for rows [begin, end) of the weight, without a bias (matmul.c). */
void am_cpu_multiply(am_cpu_queue *q, const am_cpu_product *product, uint32_t begin, uint32_t end,
                     uint32_t thread);
/* Cuts n rows of `steps` simple element steps each so that a chunk is worth taking (rows.c). */
void am_cpu_cut(am_cpu_op *op, uint32_t n, uint64_t steps);

/* plan.c */
void am_cpu_plan(am_cpu_queue *q);

/* Each fills op for a verb: rows.c, matmul.c, attend.c. */
void am_cpu_op_embed(am_cpu_queue *q, const am_verb *verb, am_cpu_op *op);
void am_cpu_op_rms_norm(am_cpu_queue *q, const am_verb *verb, am_cpu_op *op);
void am_cpu_op_layer_norm(am_cpu_queue *q, const am_verb *verb, am_cpu_op *op);
void am_cpu_op_angles(am_cpu_queue *q, const am_verb *verb, am_cpu_op *op); /* the table of a rope verb */
void am_cpu_op_rope(am_cpu_queue *q, const am_verb *verb, am_cpu_op *op);
void am_cpu_op_store_kv(am_cpu_queue *q, const am_verb *verb, am_cpu_op *op);
void am_cpu_op_silu_mul(am_cpu_queue *q, const am_verb *verb, am_cpu_op *op);
void am_cpu_op_gelu_mul(am_cpu_queue *q, const am_verb *verb, am_cpu_op *op);
void am_cpu_op_gelu(am_cpu_queue *q, const am_verb *verb, am_cpu_op *op);
void am_cpu_op_scale(am_cpu_queue *q, const am_verb *verb, am_cpu_op *op);
void am_cpu_op_softcap(am_cpu_queue *q, const am_verb *verb, am_cpu_op *op);
void am_cpu_op_add(am_cpu_queue *q, const am_verb *verb, am_cpu_op *op);
void am_cpu_op_take_rows(am_cpu_queue *q, const am_verb *verb, am_cpu_op *op);
void am_cpu_op_quantize(am_cpu_queue *q, const am_verb *verb, void *scratch,
                        am_cpu_op *op); /* x of a matmul */
void am_cpu_op_matmul(am_cpu_queue *q, const am_verb *verb, void *scratch,
                      am_cpu_op *op); /* NULL: x as it is */
void am_cpu_op_attend(am_cpu_queue *q, const am_verb *verb, am_cpu_op *op);
/* experts.c. scratch: activations in the kernel's format; NULL: x as it is. */
void am_cpu_op_choose(am_cpu_queue *q, const am_verb *verb, am_cpu_op *op); /* a route verb: ids and weights */
void am_cpu_op_group(am_cpu_queue *q, const am_verb *verb, am_cpu_op *op);  /* and its rows by expert */
void am_cpu_op_gather(am_cpu_queue *q, const am_verb *verb, const void *scratch, am_cpu_op *op);
void am_cpu_op_matmul_experts(am_cpu_queue *q, const am_verb *verb, const void *scratch, am_cpu_op *op);
void am_cpu_op_mix_experts(am_cpu_queue *q, const am_verb *verb, am_cpu_op *op);
bool am_cpu_gathers(const am_verb *verb); /* matmul_experts: x must be put in the order of the routing */
bool am_cpu_attend_splits(const am_cpu_queue *q, const am_verb *verb); /* leaves partial sums to merge */
void am_cpu_op_merge(am_cpu_queue *q, const am_verb *verb, am_cpu_op *op);

/* Makes scratch at least n_bytes (64-byte aligned, contents lost); false: memory is out. */
bool am_cpu_scratch_grow(am_cpu_scratch *scratch, size_t n_bytes);
bool am_cpu_attend_reserve(am_cpu_queue *q, const am_verb *verb);

/* Rows [*begin, *end) of chunk. */
static inline void am_cpu_rows(const am_cpu_op *op, uint32_t chunk, uint32_t n_rows, uint32_t *begin,
                               uint32_t *end) {
  *begin = chunk * op->chunk_rows;
  *end = n_rows - *begin < op->chunk_rows ? n_rows : *begin + op->chunk_rows;
}

#endif
