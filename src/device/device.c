/* SPDX-License-Identifier: Apache-2.0 */
#include "device/device.h"
#include "base/mem.h"
#include "base/size.h"
#include "device/backend.h"
#include <string.h>

static adam_status open_cuda(const am_device_options *options, am_device **out, adam_error *error) {
  (void)options;
  (void)out;
  return am_fail(error, ADAM_UNAVAILABLE, "device cuda", "use --device cpu", "adam was built without CUDA");
}

static adam_status open_cpu(const am_device_options *options, am_device **out, adam_error *error) {
  return am_cpu_ops.open(options, out, error);
}

/* Kinds of device; `auto` is the first. */
static const struct {
  const char *name;
  adam_status (*open)(const am_device_options *options, am_device **out, adam_error *error);
} kinds[] = {
    {"cpu", open_cpu},
    {"cuda", open_cuda},
};

adam_status am_device_open(const am_device_options *options, am_device **out, adam_error *error) {
  static const am_device_options automatic = {"auto", 0};
  if (!options) options = &automatic;
  const char *name = options->name ? options->name : "auto";
  if (options->n_threads < 0 || options->n_threads > AM_DEVICE_MAX_THREADS)
    return am_fail(error, ADAM_INVALID, "--threads", NULL, "%d is not between 0 (automatic) and %d",
                   (int)options->n_threads, AM_DEVICE_MAX_THREADS);
  if (strcmp(name, "auto") == 0) return kinds[0].open(options, out, error);
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
    if (strcmp(name, kinds[i].name) == 0) return kinds[i].open(options, out, error);
  return am_fail(error, ADAM_INVALID, "--device", "known: auto, cpu, cuda", "no device is called '%s'", name);
}

void am_device_close(am_device **device) {
  if (!device || !*device) return;
  (*device)->ops->close(*device);
  *device = NULL;
}

const char *am_device_name(const am_device *device) { return device->ops->name; }
const char *am_device_tier(const am_device *device) { return device->tier; }
int32_t am_device_threads(const am_device *device) { return device->n_threads; }

void *am_device_alloc(am_device *device, size_t n_bytes) { return device->ops->alloc(device, n_bytes); }

void am_device_free(am_device *device, void *memory) {
  if (memory) device->ops->free(device, memory);
}

adam_status am_device_read(am_device *device, const void *device_memory, void *out, size_t n_bytes,
                           adam_error *error) {
  return device->ops->read(device, device_memory, out, n_bytes, error);
}

adam_status am_device_write(am_device *device, void *device_memory, const void *in, size_t n_bytes,
                            adam_error *error) {
  return device->ops->write(device, device_memory, in, n_bytes, error);
}

/* Shape and bytes of a weight; the backend decides about the dtype. */
static adam_status check_tensor(const am_tensor *tensor, adam_error *error) {
  uint64_t n_bytes;
  const am_dtype_row *info = am_dtype_info(tensor->dtype);
  if (tensor->n_dims < 1 || tensor->n_dims > 2)
    return am_fail(error, ADAM_UNSUPPORTED, tensor->name, NULL, "a weight has 1 or 2 axes, this has %u",
                   tensor->n_dims);
  for (uint32_t i = 0; i < tensor->n_dims; i++)
    if (tensor->shape[i] == 0 || tensor->shape[i] > INT32_MAX)
      return am_fail(error, ADAM_UNSUPPORTED, tensor->name, NULL, "axis %u has %llu elements", i,
                     (unsigned long long)tensor->shape[i]);
  if (!am_tensor_bytes(tensor->dtype, tensor->n_dims, tensor->shape, &n_bytes))
    return am_fail(error, ADAM_DAMAGED, tensor->name, NULL,
                   "rows of %llu are not a multiple of %s's block of %u",
                   (unsigned long long)tensor->shape[tensor->n_dims - 1], info->name, info->block_elements);
  if (!tensor->data || n_bytes != tensor->n_bytes)
    return am_fail(error, ADAM_DAMAGED, tensor->name, NULL,
                   "shape and dtype ask for %llu bytes, there are %llu", (unsigned long long)n_bytes,
                   (unsigned long long)(tensor->data ? tensor->n_bytes : 0));
  return ADAM_OK;
}

adam_status am_weight_open(am_device *device, const am_tensor *tensor, am_weight **out, adam_error *error) {
  adam_status status = check_tensor(tensor, error);
  if (status) return status;
  am_weight *weight = am_mem_zalloc(1, sizeof *weight);
  if (!weight) return am_fail_memory(error, tensor->name);
  uint64_t row_bytes = 0;
  weight->device = device;
  weight->dtype = tensor->dtype;
  weight->is_vector = tensor->n_dims == 1;
  weight->rows = weight->is_vector ? 1 : (uint32_t)tensor->shape[0];
  weight->columns = (uint32_t)tensor->shape[tensor->n_dims - 1];
  (void)am_dtype_row_bytes(tensor->dtype, weight->columns, &row_bytes);
  weight->row_bytes = (size_t)row_bytes;
  status = device->ops->weight_open(device, tensor, weight, error);
  if (status) {
    am_mem_free(weight);
    return status;
  }
  *out = weight;
  return ADAM_OK;
}

void am_weight_close(am_weight **weight) {
  if (!weight || !*weight) return;
  (*weight)->device->ops->weight_close(*weight);
  am_mem_free(*weight);
  *weight = NULL;
}

uint64_t am_weight_rows(const am_weight *weight) { return weight->rows; }
uint64_t am_weight_columns(const am_weight *weight) { return weight->columns; }

bool am_weights_alike(const am_weight *const *weights, uint32_t n) {
  for (uint32_t i = 1; i < n; i++)
    if (weights[i]->dtype != weights[0]->dtype || weights[i]->is_vector != weights[0]->is_vector ||
        weights[i]->rows != weights[0]->rows || weights[i]->columns != weights[0]->columns)
      return false;
  return true;
}

uint64_t am_routing_bytes(uint32_t n, const am_routing *how) {
  uint64_t n_pairs = (uint64_t)n * how->n_used, words = 2 + 2 * (uint64_t)how->n_experts + 4 * n_pairs;
  return n_pairs <= INT32_MAX ? words * sizeof(uint32_t) : 0;
}

/* A ring is whole tiles, so that no tile of keys lies in two pieces (backend.h). */
static uint64_t positions_held(const am_kv_options *o, uint32_t layer) {
  uint64_t window = o->windows ? o->windows[layer] : 0;
  uint64_t batch = o->max_batch ? o->max_batch : o->n_ctx;
  uint64_t ring = (window + batch + AM_KV_TILE - 1) / AM_KV_TILE * AM_KV_TILE;
  return window == 0 || ring > o->n_ctx ? o->n_ctx : ring;
}

static bool plane_size(const am_kv_options *o, uint32_t layer, size_t *plane) {
  return am_size_mul((size_t)o->head_dim * (o->dtype == AM_DTYPE_F32 ? 4 : 2), positions_held(o, layer),
                     plane) &&
         am_size_mul(*plane, o->n_kv_heads, plane);
}

static bool kv_size(const am_kv_options *o, size_t *all) {
  size_t plane = 0, both = 0, sum = 0;
  if ((o->dtype != AM_DTYPE_F32 && o->dtype != AM_DTYPE_F16) || o->n_layers == 0 || o->n_kv_heads == 0 ||
      o->head_dim == 0 || o->n_ctx == 0 || o->n_ctx > INT32_MAX)
    return false;
  if (!o->windows) { /* all alike: no walk over layers that a caller made up */
    bool fits = plane_size(o, 0, &plane) && am_size_mul(plane, o->n_layers, all) && am_size_mul(*all, 2, all);
    return fits;
  }
  for (uint32_t i = 0; i < o->n_layers; i++)
    if (!plane_size(o, i, &plane) || !am_size_mul(plane, 2, &both) || !am_size_add(sum, both, &sum))
      return false;
  *all = sum;
  return true;
}

uint64_t am_kv_bytes(const am_kv_options *options) {
  size_t all;
  return kv_size(options, &all) ? all : 0;
}

static void place_layers(am_kv *kv, const am_kv_options *options) {
  uint8_t *at = kv->data;
  for (uint32_t i = 0; i < options->n_layers; i++) {
    am_kv_layer *layer = &kv->layers[i];
    layer->held = positions_held(options, i);
    layer->window = layer->held < options->n_ctx ? options->windows[i] : 0;
    (void)plane_size(options, i, &layer->plane_bytes);
    layer->data = at;
    at += 2 * layer->plane_bytes;
  }
}

adam_status am_kv_open(am_device *device, const am_kv_options *options, am_kv **out, adam_error *error) {
  size_t all, head;
  if (!kv_size(options, &all))
    return am_fail(
        error, ADAM_INVALID, "key and value cache", NULL,
        "%u layers, %u heads of %u, %llu positions, %s: not a cache of f32 or f16 that fits in memory",
        options->n_layers, options->n_kv_heads, options->head_dim, (unsigned long long)options->n_ctx,
        am_dtype_info(options->dtype)->name);
  am_kv *kv = NULL;
  if (am_size_mul(options->n_layers, sizeof(am_kv_layer), &head) && am_size_add(head, sizeof *kv, &head))
    kv = am_mem_zalloc(1, head);
  if (!kv) return am_fail_memory(error, "key and value cache");
  kv->device = device;
  kv->options = *options;
  kv->options.windows = NULL;
  if (kv->options.max_batch == 0) kv->options.max_batch = (uint32_t)options->n_ctx;
  kv->row_bytes = (size_t)options->head_dim * (options->dtype == AM_DTYPE_F32 ? 4 : 2);
  kv->data = am_device_alloc(device, all);
  if (!kv->data) {
    am_mem_free(kv);
    return am_fail(error, ADAM_NO_MEMORY, "key and value cache", "a smaller context needs less",
                   "%llu bytes for %llu positions", (unsigned long long)all,
                   (unsigned long long)options->n_ctx);
  }
  place_layers(kv, options);
  *out = kv;
  return ADAM_OK;
}

bool am_kv_can_continue(const am_kv *kv, uint64_t position) {
  if (position == 0) return true;
  for (uint32_t i = 0; i < kv->options.n_layers; i++) {
    const am_kv_layer *layer = &kv->layers[i];
    if (layer->window == 0 || kv->peak <= layer->held) continue;
    uint64_t first = position < layer->window ? 0 : position - layer->window + 1;
    if (first < kv->peak - layer->held) return false;
  }
  return true;
}

void am_kv_close(am_kv **kv) {
  if (!kv || !*kv) return;
  am_device_free((*kv)->device, (*kv)->data);
  am_mem_free(*kv);
  *kv = NULL;
}
