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

static bool kv_sizes(const am_kv_options *o, size_t *row, size_t *plane, size_t *all) {
  if (o->dtype != AM_DTYPE_F32 && o->dtype != AM_DTYPE_F16) return false;
  *row = (size_t)o->head_dim * (o->dtype == AM_DTYPE_F32 ? 4 : 2);
  return o->n_layers > 0 && o->n_kv_heads > 0 && o->head_dim > 0 && o->n_ctx > 0 && o->n_ctx <= INT32_MAX &&
         am_size_mul(*row, o->n_ctx, plane) && am_size_mul(*plane, o->n_kv_heads, plane) &&
         am_size_mul(*plane, o->n_layers, all) && am_size_mul(*all, 2, all);
}

uint64_t am_kv_bytes(const am_kv_options *options) {
  size_t row, plane, all;
  return kv_sizes(options, &row, &plane, &all) ? all : 0;
}

adam_status am_kv_open(am_device *device, const am_kv_options *options, am_kv **out, adam_error *error) {
  size_t row, plane, all;
  if (!kv_sizes(options, &row, &plane, &all))
    return am_fail(
        error, ADAM_INVALID, "key and value cache", NULL,
        "%u layers, %u heads of %u, %llu positions, %s: not a cache of f32 or f16 that fits in memory",
        options->n_layers, options->n_kv_heads, options->head_dim, (unsigned long long)options->n_ctx,
        am_dtype_info(options->dtype)->name);
  am_kv *kv = am_mem_zalloc(1, sizeof *kv);
  if (!kv) return am_fail_memory(error, "key and value cache");
  kv->device = device;
  kv->options = *options;
  kv->row_bytes = row;
  kv->plane_bytes = plane;
  kv->data = am_device_alloc(device, all);
  if (!kv->data) {
    am_mem_free(kv);
    return am_fail(error, ADAM_NO_MEMORY, "key and value cache", "a smaller context needs less",
                   "%llu bytes for %llu positions", (unsigned long long)all,
                   (unsigned long long)options->n_ctx);
  }
  *out = kv;
  return ADAM_OK;
}

void am_kv_close(am_kv **kv) {
  if (!kv || !*kv) return;
  am_device_free((*kv)->device, (*kv)->data);
  am_mem_free(*kv);
  *kv = NULL;
}
