/* SPDX-License-Identifier: Apache-2.0 */
/* The tensors of an open model: by number, by name, by role. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/size.h"
#include "loader/prequant/prequant.h"
#include "loader/state.h"

enum { NAME_CAPACITY = 256 };

adam_status am_loader_reserve(am_loader *loader, size_t n_more, adam_error *error) {
  const am_tensor **tensors =
      am_arena_alloc(&loader->arena, (loader->n_tensors + n_more + 1) * sizeof *tensors);
  if (!tensors || !am_map_reserve(&loader->by_name, loader->n_tensors + n_more)) {
    return am_fail_memory(error, loader->file);
  }
  if (loader->n_tensors) memcpy(tensors, loader->tensors, loader->n_tensors * sizeof *tensors);
  loader->tensors = tensors;
  return ADAM_OK;
}

adam_status am_loader_add(am_loader *loader, const am_tensor *tensor, adam_error *error) {
  if (!am_map_set(&loader->by_name, tensor->name, strlen(tensor->name), loader->n_tensors)) {
    return am_fail_memory(error, loader->file);
  }
  loader->tensors[loader->n_tensors++] = tensor;
  return ADAM_OK;
}

size_t am_loader_n_tensors(const am_loader *loader) { return loader->n_tensors; }

const am_tensor *am_loader_tensor_at(const am_loader *loader, size_t index) {
  return index < loader->n_tensors ? loader->tensors[index] : NULL;
}

const char *am_loader_tensor_type(const am_loader *loader, const am_tensor *tensor) {
  return am_dtype_is_scaled(tensor->dtype) ? loader->scheme.name : am_dtype_info(tensor->dtype)->name;
}

uint64_t am_loader_tensor_bytes(const am_loader *loader, const am_tensor *tensor) {
  if (!am_dtype_is_scaled(tensor->dtype)) return tensor->n_bytes;
  for (size_t i = 0; i < loader->n_prequants; i++)
    if (&loader->prequants[i].tensor == tensor) return loader->prequants[i].stored_bytes;
  return 0;
}

const am_tensor *am_loader_find(const am_loader *loader, const char *name) {
  uint64_t index;
  return am_map_get(&loader->by_name, name, strlen(name), &index) ? loader->tensors[index] : NULL;
}

/* The role's tensor under any of its spellings; NULL = absent. */
static const am_tensor *find_role(const am_loader *loader, const am_tensor_role *role, uint32_t layer) {
  char name[NAME_CAPACITY];
  for (uint32_t spelling = 0; spelling < AM_NAME_SPELLINGS; spelling++) {
    if (!am_arch_tensor_name(&loader->config, role, layer, spelling, name, sizeof name)) continue;
    const am_tensor *tensor = am_loader_find(loader, name);
    if (tensor) return tensor;
  }
  return NULL;
}

static adam_status missing(const am_loader *loader, const char *name, adam_error *error) {
  return am_fail(error, ADAM_DAMAGED, loader->file, "the file is damaged or incomplete: download it again",
                 "tensor %s is missing, expected one among %zu tensors", name, loader->n_tensors);
}

static adam_status check_shape(const am_loader *loader, const am_tensor *tensor, uint32_t n_dims,
                               const uint64_t *shape, adam_error *error) {
  bool same = tensor->n_dims == n_dims;
  for (uint32_t i = 0; same && i < n_dims; i++) same = tensor->shape[i] == shape[i];
  if (same && am_dtype_is_float(tensor->dtype)) return ADAM_OK;
  char found[160], expected[160];
  am_tensor_shape_text(tensor->n_dims, tensor->shape, found, sizeof found);
  am_tensor_shape_text(n_dims, shape, expected, sizeof expected);
  if (same) {
    return am_fail(error, ADAM_UNSUPPORTED, loader->file, NULL,
                   "tensor %s has the type %s, which no weight of this family has", tensor->name,
                   am_dtype_info(tensor->dtype)->name);
  }
  return am_fail(error, ADAM_DAMAGED, loader->file, NULL, "tensor %s has the shape %s, expected %s",
                 tensor->name, found, expected);
}

adam_status am_loader_role(const am_loader *loader, const char *field, uint32_t layer, const am_tensor **out,
                           adam_error *error) {
  uint64_t shape[2];
  if (!loader->has_config) {
    return am_fail(error, ADAM_INVALID, loader->file, NULL, "only the vocabulary is open");
  }
  const am_tensor_role *role = am_arch_role(loader->config.arch, field);
  const am_arch *arch = loader->config.arch;
  uint32_t n_dims = role ? role->shape(&loader->config, shape) : 0;
  if (n_dims > 0 && arch->has && !arch->has(&loader->config, role, layer)) n_dims = 0;
  if (n_dims == 0) {
    *out = NULL;
    return ADAM_OK;
  }
  const am_tensor *tensor = find_role(loader, role, layer);
  if (!tensor) {
    if (role->optional && loader->config.source == AM_SOURCE_GGUF) {
      *out = NULL;
      return ADAM_OK;
    }
    char name[NAME_CAPACITY] = "";
    am_arch_tensor_name(&loader->config, role, layer, false, name, sizeof name);
    return missing(loader, name, error);
  }
  adam_status status = check_shape(loader, tensor, n_dims, shape, error);
  if (!status) *out = tensor;
  return status;
}

static const am_tensor *find_expert(const am_loader *loader, const am_expert_role *role, uint32_t layer,
                                    uint32_t expert, bool merged) {
  char name[NAME_CAPACITY];
  for (int bare = 0; bare < 2; bare++) {
    if (!am_arch_expert_name(&loader->config, role, layer, expert, merged, bare, name, sizeof name)) continue;
    const am_tensor *tensor = am_loader_find(loader, name);
    if (tensor) return tensor;
  }
  return NULL;
}

/* The expert's rows of a tensor that holds all of the layer's. */
static adam_status cut_expert(const am_loader *loader, const am_expert_role *role, const am_tensor *whole,
                              uint32_t expert, const uint64_t matrix[2], am_tensor *out, adam_error *error) {
  const am_config *c = &loader->config;
  uint64_t n_parts = c->source == AM_SOURCE_GGUF ? 1 : role->n_parts, row_bytes;
  uint64_t part = c->source == AM_SOURCE_GGUF ? 0 : role->part;
  const uint64_t shape[3] = {c->n_experts, n_parts * matrix[0], matrix[1]};
  adam_status status = check_shape(loader, whole, 3, shape, error);
  if (status) return status;
  if (!am_dtype_row_bytes(whole->dtype, matrix[1], &row_bytes))
    return am_fail(error, ADAM_DAMAGED, loader->file, NULL, "tensor %s: rows of %llu are no whole blocks",
                   whole->name, (unsigned long long)matrix[1]);
  *out = (am_tensor){.name = whole->name,
                     .dtype = whole->dtype,
                     .n_dims = 2,
                     .shape = {matrix[0], matrix[1]},
                     .n_bytes = matrix[0] * row_bytes};
  if (whole->data) out->data = (const uint8_t *)whole->data + (expert * n_parts + part) * matrix[0] * row_bytes;
  return ADAM_OK;
}

adam_status am_loader_expert(const am_loader *loader, const char *field, uint32_t layer, uint32_t expert,
                             am_tensor *out, adam_error *error) {
  uint64_t shape[2];
  char name[NAME_CAPACITY] = "";
  const am_expert_role *role = loader->has_config ? am_arch_expert_role(loader->config.arch, field) : NULL;
  if (!role || role->shape(&loader->config, shape) != 2 || !am_arch_is_sparse(&loader->config, layer) ||
      expert >= loader->config.n_experts)
    return am_fail(error, ADAM_INVALID, loader->file, NULL, "layer %u has no %s of an expert %u", layer,
                   field, expert);
  const am_tensor *tensor = find_expert(loader, role, layer, expert, false);
  if (tensor) {
    adam_status status = check_shape(loader, tensor, 2, shape, error);
    if (!status) *out = *tensor;
    return status;
  }
  tensor = find_expert(loader, role, layer, expert, true);
  if (tensor) return cut_expert(loader, role, tensor, expert, shape, out, error);
  am_arch_expert_name(&loader->config, role, layer, expert, loader->config.source == AM_SOURCE_GGUF, false,
                      name, sizeof name);
  return missing(loader, name, error);
}

static adam_status check_experts(const am_loader *loader, const am_expert_role *role, adam_error *error) {
  adam_status status = ADAM_OK;
  for (uint32_t layer = 0; layer < loader->config.n_layers; layer++)
    for (uint32_t e = 0; !status && e < loader->config.n_experts && am_arch_is_sparse(&loader->config, layer);
         e++) {
      am_tensor tensor;
      status = am_loader_expert(loader, role->field, layer, e, &tensor, error);
    }
  return status;
}

static const am_tensor *find_by_name(const void *user, const char *name) {
  return am_loader_find(user, name);
}

adam_status am_loader_check_weights(am_loader *loader, adam_error *error) {
  const am_arch *arch = loader->config.arch;
  adam_status status = arch->from_tensors(&loader->config, find_by_name, loader, loader->file, error);
  for (size_t i = 0; i < arch->n_roles && !status; i++) {
    uint32_t n_layers = arch->roles[i].per_layer ? loader->config.n_layers : 1;
    for (uint32_t layer = 0; layer < n_layers && !status; layer++) {
      const am_tensor *tensor;
      status = am_loader_role(loader, arch->roles[i].field, layer, &tensor, error);
    }
  }
  for (size_t i = 0; i < arch->n_expert_roles && !status; i++)
    status = check_experts(loader, &arch->expert_roles[i], error);
  return status;
}

uint64_t am_loader_weights_bytes(const am_loader *loader) {
  uint64_t sum = 0;
  for (size_t i = 0; i < loader->n_tensors; i++)
    if (!am_dtype_is_scaled(loader->tensors[i]->dtype)) sum += loader->tensors[i]->n_bytes;
  for (size_t i = 0; i < loader->n_prequants; i++)
    sum += loader->prequants[i].file_bytes + loader->prequants[i].owned_bytes;
  return sum;
}

uint64_t am_loader_n_parameters(const am_loader *loader) {
  uint64_t sum = 0, n;
  for (size_t i = 0; i < loader->n_tensors; i++)
    if (am_tensor_elements(loader->tensors[i], &n)) sum += n;
  return sum;
}

am_dtype am_loader_dtype(const am_loader *loader) {
  uint64_t bytes[AM_DTYPE_COUNT] = {0};
  am_dtype most = AM_DTYPE_F32;
  for (size_t i = 0; i < loader->n_tensors; i++)
    bytes[loader->tensors[i]->dtype] += loader->tensors[i]->n_bytes;
  for (int i = 0; i < AM_DTYPE_COUNT; i++)
    if (bytes[i] > bytes[most]) most = (am_dtype)i;
  return most;
}

const char *am_loader_dtype_name(const am_loader *loader) {
  return loader->n_prequants > 0 ? loader->scheme.name : am_dtype_info(am_loader_dtype(loader))->name;
}
