/* SPDX-License-Identifier: Apache-2.0 */
/* device/backend: what lies between device.h and one kind of hardware.
 * The front (device.c, queue.c) checks what a caller records and keeps it as a list of verbs; a
 * kind of device is an operations table over these structs. Adding one: a folder with its table,
 * one row in device.c. A backend's own structs have these as their first member. */
#ifndef AM_DEVICE_BACKEND_H
#define AM_DEVICE_BACKEND_H

#include "device/device.h"
#include "device/routing.h"

typedef enum am_verb_kind {
  AM_VERB_EMBED,
  AM_VERB_MATMUL,
  AM_VERB_RMS_NORM,
  AM_VERB_LAYER_NORM,
  AM_VERB_ROPE,
  AM_VERB_STORE_KV,
  AM_VERB_ATTEND,
  AM_VERB_ATTEND_ALL,
  AM_VERB_SILU_MUL,
  AM_VERB_GELU_MUL,
  AM_VERB_GELU,
  AM_VERB_SCALE,
  AM_VERB_SOFTCAP,
  AM_VERB_ADD,
  AM_VERB_TAKE_ROWS,
  AM_VERB_ROUTE,
  AM_VERB_MATMUL_EXPERTS,
  AM_VERB_MIX_EXPERTS
} am_verb_kind;

/* One recorded verb; the fields that its am_queue_ function has, checked as far as shapes go. */
typedef struct am_verb {
  am_verb_kind kind;
  uint32_t n;       /* rows */
  uint32_t columns; /* of out */
  float *out;       /* also what is changed in place */
  const float *x, *y, *z;
  const am_weight *weight, *bias;
  const am_segment *segments;
  uint32_t n_segments;
  union {
    const int32_t *ids;
    const uint32_t *rows;
    struct {
      float eps, weight_offset;
      uint32_t groups;
    } norm;
    struct {
      const am_rope *how;
      uint32_t n_heads, head_dim;
    } rope;
    uint32_t layer; /* store_kv */
    am_attend attend;
    float factor;   /* scale, softcap */
    bool tanh_form; /* gelu */
    struct {
      am_routing how;
      uint32_t n, n_pairs; /* verb.n is n_pairs where x has a row for each pair */
      bool by_row;
      const am_weight *const *weights; /* verb.weight is the first */
    } experts;
  } as;
} am_verb;

typedef struct am_device_ops {
  const char *name;
  adam_status (*open)(const am_device_options *options, am_device **out, adam_error *error);
  void (*close)(am_device *device);
  void *(*alloc)(am_device *device, size_t n_bytes); /* zeroed, 64-byte aligned; NULL: memory is out */
  void (*free)(am_device *device, void *memory);
  adam_status (*read)(am_device *device, const void *from, void *to, size_t n_bytes, adam_error *error);
  adam_status (*write)(am_device *device, void *to, const void *from, size_t n_bytes, adam_error *error);
  /* Makes the data of a weight (dtype, shape and bytes are checked) usable: sets its backend fields. */
  adam_status (*weight_open)(am_device *device, const am_tensor *tensor, am_weight *weight,
                             adam_error *error);
  void (*weight_close)(am_weight *weight);
  adam_status (*queue_open)(am_device *device, uint32_t capacity, am_queue **out, adam_error *error);
  void (*queue_close)(am_queue *queue);
  /* Reserves what running this verb will need; grows on first use only. ADAM_NO_MEMORY. */
  adam_status (*queue_reserve)(am_queue *queue, const am_verb *verb, adam_error *error);
  /* Executes queue->verbs[0 .. n_verbs), which are valid. */
  adam_status (*queue_run)(am_queue *queue, adam_error *error);
} am_device_ops;

struct am_device {
  const am_device_ops *ops;
  const char *tier;
  int32_t n_threads;
};

struct am_weight {
  am_device *device;
  am_dtype dtype;
  bool is_vector;
  uint32_t rows, columns;
  size_t row_bytes;
  const void *data;    /* device memory, or mapped bytes of the file */
  const float *values; /* of a vector: (columns) float32 in device memory */
  void *owned;         /* what weight_close frees */
};

/* K and V of one layer are (n_kv_heads, held, head_dim) each: one head's keys lie side by side, that of
 * position p at p % held. */
typedef struct am_kv_layer {
  uint64_t held; /* n_ctx, or the length of the ring: a multiple of AM_KV_TILE */
  uint32_t window;
  size_t plane_bytes; /* K or V */
  uint8_t *data;      /* K, V */
} am_kv_layer;

enum { AM_KV_TILE = 64 }; /* positions p .. p + 63 lie side by side where p is a multiple of this */

struct am_kv {
  am_device *device;
  am_kv_options options; /* windows is NULL here, and max_batch is not 0 */
  size_t row_bytes;      /* head_dim elements */
  uint64_t peak;         /* positions below it have been stored since the last store at 0 */
  uint8_t *data;
  am_kv_layer layers[]; /* (n_layers) */
};

static inline uint8_t *am_kv_plane(const am_kv *kv, uint32_t layer, bool values) {
  return kv->layers[layer].data + (values ? kv->layers[layer].plane_bytes : 0);
}

struct am_queue {
  am_device *device;
  am_verb *verbs;
  uint32_t n_verbs, capacity;
  bool failed;
  bool exact;       /* am_queue_set_exact */
  adam_error error; /* of recording */
};

extern const am_device_ops am_cpu_ops;

#endif
