/* SPDX-License-Identifier: Apache-2.0 */
/* device: the verbs of a forward pass on a CPU or a GPU.
 * Purpose: the one seam between model maths and hardware. A model records verbs into a queue, in
 *   order, and am_queue_run executes them: the CPU splits each verb over its threads with a barrier
 *   between dependent ones, a GPU can capture the same list as a graph. In: views of device memory.
 *   Out: filled views, complete when am_queue_run returns. Owns buffers, threads and streams.
 * Threads: a device is shared by all; a queue belongs to one thread at a time; runs of several
 *   queues of one device are serialised inside. Invariant: recording and running allocate nothing,
 *   and each output element is computed in an order that does not depend on the number of threads
 *   or of tokens in the call (byte-exact for any batch, chunk size and thread count). */
#ifndef AM_DEVICE_DEVICE_H
#define AM_DEVICE_DEVICE_H

#include "base/error.h"
#include "tensor/tensor.h"

typedef struct am_device am_device;
typedef struct am_queue am_queue;

enum { AM_DEVICE_MAX_THREADS = 256 };

typedef struct am_device_options {
  const char *name;  /* "cpu" or "auto"; "cuda": ADAM_UNAVAILABLE where there is none */
  int32_t n_threads; /* 0 = as many as am_cpu_count */
} am_device_options;

adam_status am_device_open(const am_device_options *options, am_device **out, adam_error *error);
void am_device_close(am_device **device);
const char *am_device_name(const am_device *device); /* "cpu" */
const char *am_device_tier(const am_device *device); /* "avx2", ... */
int32_t am_device_threads(const am_device *device);

/* Memory of the device, zeroed, 64-byte aligned; owned by the caller. */
void *am_device_alloc(am_device *device, size_t n_bytes);
void am_device_free(am_device *device, void *memory);
adam_status am_device_read(am_device *device, const void *device_memory, void *out, size_t n_bytes,
                           adam_error *error);
adam_status am_device_write(am_device *device, void *device_memory, const void *in, size_t n_bytes,
                            adam_error *error);

/* A weight matrix (n_out, n_in) or vector made ready for the device. CPU: borrows the tensor's
 * mapped bytes. ADAM_UNSUPPORTED for a dtype that no kernel multiplies. */
typedef struct am_weight am_weight;
adam_status am_weight_open(am_device *device, const am_tensor *tensor, am_weight **out, adam_error *error);
void am_weight_close(am_weight **weight);
uint64_t am_weight_rows(const am_weight *weight);    /* n_out; 1 for a vector */
uint64_t am_weight_columns(const am_weight *weight); /* n_in */

/* Key and value cache of one timeline: per layer k and v of (n_kv_heads, positions held, head_dim). A layer
 * with a window holds only the last window + max_batch positions, as a ring. */
typedef struct am_kv am_kv;
typedef struct am_kv_options {
  uint32_t n_layers, n_kv_heads, head_dim;
  uint64_t n_ctx;
  am_dtype dtype;          /* F32 or F16 */
  const uint32_t *windows; /* (n_layers) tokens that a query sees, 0 = all; NULL = all layers full; borrowed
                              during the call */
  uint32_t max_batch;      /* most tokens that one run adds; 0 = n_ctx */
} am_kv_options;
adam_status am_kv_open(am_device *device, const am_kv_options *options, am_kv **out, adam_error *error);
void am_kv_close(am_kv **kv);
uint64_t am_kv_bytes(const am_kv_options *options); /* what open will allocate; 0 on overflow */
/* Whether every position that a token at `position` may look back to is still held: always without
 * windows and for 0, and for the end of what was stored; a ring forgets as it goes on. */
bool am_kv_can_continue(const am_kv *kv, uint64_t position);

/* A run of tokens of one timeline inside a batch: rows [first, first + n) of every activation have
 * positions [position, position + n) of kv. Segments come with ascending rows, no two sharing one; they stay
 * valid and unchanged from recording to the run; rows of the activations that no segment covers are left
 * alone. kv may be NULL for rope and attend_all, which use no cache. */
typedef struct am_segment {
  am_kv *kv;
  uint32_t first;
  uint32_t n;
  uint64_t position;
  uint64_t length; /* tokens that the timeline has when the caller's present run (a whole prompt, or one
                      step) is done: what length-dependent rope follows; 0 = position + n */
} am_segment;

/* Queue with room for `capacity` verbs. */
adam_status am_queue_open(am_device *device, uint32_t capacity, am_queue **out, adam_error *error);
void am_queue_close(am_queue **queue);
/* exact: quantised weights are multiplied with float32 activations as they are, dequantised a few rows at
 * a time: slow, and nothing is rounded. Off (the default), kernels may round the activations that meet
 * a quantised weight to 8 bits per element. Changed only while nothing is recorded. */
void am_queue_set_exact(am_queue *queue, bool exact);
/* Runs everything recorded, then empties the queue. The first error of recording is reported here. */
adam_status am_queue_run(am_queue *queue, adam_error *error);

/* Verbs. Activations are float32, row-major (n_rows, columns), in device memory; ids live in host
 * memory and must stay valid until the run. Nothing may alias unless it says "in place". */

/* out (n, columns of table) = rows `ids` of table, dequantised. */
void am_queue_embed(am_queue *q, float *out, const am_weight *table, const int32_t *ids, uint32_t n);
/* out (n, n_out) = x (n, n_in) * weight^T (+ bias (n_out), NULL = none). */
void am_queue_matmul(am_queue *q, float *out, const am_weight *weight, const am_weight *bias, const float *x,
                     uint32_t n);
/* out (n, columns) = x / sqrt(mean(x^2) + eps) * (weight_offset + weight); weight_offset is 1 for Gemma's
 * zero-centred weights, 0 else; `groups` vectors of weight's length side by side in each row (1 for a
 * layer norm, n_heads for a head norm). In place allowed. */
void am_queue_rms_norm(am_queue *q, float *out, const float *x, const am_weight *weight, float eps,
                       float weight_offset, uint32_t n, uint32_t groups);
/* out (n, columns) = (x - mean) / sqrt(variance + eps) * weight + bias (NULL = none). In place allowed. */
void am_queue_layer_norm(am_queue *q, float *out, const float *x, const am_weight *weight,
                         const am_weight *bias, float eps, uint32_t n);

/* Rotation of one kind of layer: angle position * frequency[i], i < n_rot / 2, for the pairs
 * (i, i + n_rot / 2) of the first n_rot numbers of a head, or (2i, 2i + 1) with interleaved; the rest of the
 * head stays. Host memory, borrowed until the run. L is the segment's length. */
typedef struct am_rope {
  const float *inv_freq;      /* (n_rot / 2) */
  const float *inv_freq_long; /* the same where L > switch_length; NULL = none (longrope) */
  uint64_t switch_length;
  double dynamic_factor; /* dynamic NTK, 0 = none: where L > switch_length, frequency[i] = B^(-2i / n_rot), */
  double dynamic_theta;  /* B = dynamic_theta (factor L / switch_length - factor + 1)^(n_rot / (n_rot - 2)) */
  float scale, scale_long; /* on cos and sin, 1 = none; scale_long goes with inv_freq_long */
  uint32_t n_rot;          /* even, <= head_dim */
  bool interleaved;
} am_rope;
/* Rotates x (n, n_heads, head_dim) in place. */
void am_queue_rope(am_queue *q, float *x, const am_rope *rope, uint32_t n_heads, uint32_t head_dim,
                   const am_segment *segments, uint32_t n_segments);
/* Writes k and v (n, n_kv_heads, head_dim) into layer `layer` of each segment's cache. */
void am_queue_store_kv(am_queue *q, uint32_t layer, const float *k, const float *v,
                       const am_segment *segments, uint32_t n_segments);
/* out (n, n_heads, head_dim) = causal attention of query x over each segment's cache with grouped
 * heads: softmax(scale * q k^T) v, online over key tiles, no n x n buffer. */
typedef struct am_attend {
  uint32_t layer, n_heads, n_kv_heads, head_dim;
  float scale;
  uint32_t window; /* key j is visible to query i iff j <= i and i - j < window; 0 = all; at most the
                      cache's window of this layer */
  float softcap;   /* scores become softcap * tanh(score / softcap) before the mask; 0 = none */
} am_attend;
void am_queue_attend(am_queue *q, float *out, const float *x, const am_attend *how,
                     const am_segment *segments, uint32_t n_segments);
/* out (n, n_heads, head_dim) = attention of every query x to every k and v (n, n_kv_heads, head_dim) of its
 * segment, before and behind it (encoders); segments' kv and position are not looked at, how->layer and
 * window must be 0. Nothing is cached, nothing padded. */
void am_queue_attend_all(am_queue *q, float *out, const float *x, const float *k, const float *v,
                         const am_attend *how, const am_segment *segments, uint32_t n_segments);
/* out (n, columns) = silu(gate) * up. In place on gate allowed. */
void am_queue_silu_mul(am_queue *q, float *out, const float *gate, const float *up, uint32_t n,
                       uint32_t columns);
/* out (n, columns) = gelu(gate) * up, tanh form. In place on gate allowed. */
void am_queue_gelu_mul(am_queue *q, float *out, const float *gate, const float *up, uint32_t n,
                       uint32_t columns);
/* x (n, columns) = gelu(x) in place: 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))), or, without
 * tanh_form, 0.5 x (1 + erf(x / sqrt(2))). */
void am_queue_gelu(am_queue *q, float *x, uint32_t n, uint32_t columns, bool tanh_form);
/* x (n, columns) *= factor, in place. */
void am_queue_scale(am_queue *q, float *x, float factor, uint32_t n, uint32_t columns);
/* x (n, columns) = cap * tanh(x / cap), in place. */
void am_queue_softcap(am_queue *q, float *x, float cap, uint32_t n, uint32_t columns);
/* x += y, (n, columns), in place. */
void am_queue_add(am_queue *q, float *x, const float *y, uint32_t n, uint32_t columns);
/* out row i = x row rows[i] (host memory, valid until the run). */
void am_queue_take_rows(am_queue *q, float *out, const float *x, const uint32_t *rows, uint32_t n,
                        uint32_t columns);

/* Mixture of experts: rows choose among matrices of one shape. `routes` is device memory of am_routing_bytes
 * that am_queue_route fills and the verbs after it read; nobody else looks inside. Only the weights of
 * experts that some row has chosen are read. A pair is a row with one of its n_used experts; n_pairs = n *
 * n_used, in an order of their own. */
typedef struct am_routing {
  void *routes;
  uint32_t n_experts, n_used; /* 1 <= n_used <= n_experts */
  bool normalise;             /* the weights of a row's experts are made to sum to 1 */
} am_routing;
uint64_t am_routing_bytes(uint32_t n, const am_routing *how); /* for n rows; 0 on overflow */
/* Whether the matrices have one dtype and one shape, as am_queue_matmul_experts takes for granted. */
bool am_weights_alike(const am_weight *const *weights, uint32_t n);
/* Each row's n_used best of softmax(logits (n, n_experts)), and these probabilities as weights. Of equal ones
 * the lower id is taken (torch.topk leaves that open). */
void am_queue_route(am_queue *q, const am_routing *how, const float *logits, uint32_t n);
/* out (n_pairs, n_out) = each pair's x * its expert's weight^T; experts: n_experts matrices (n_out, n_in) that
 * are alike, host memory, valid until the run. by_row: x (n, n_in), else x (n_pairs, n_in). */
void am_queue_matmul_experts(am_queue *q, float *out, const am_weight *const *experts, const float *x,
                             bool by_row, const am_routing *how, uint32_t n);
/* out (n, columns) = sum of weight * y (n_pairs, columns) over a row's pairs, in float32 from zero, experts
 * ascending. */
void am_queue_mix_experts(am_queue *q, float *out, const float *y, const am_routing *how, uint32_t n,
                          uint32_t columns);

#endif
