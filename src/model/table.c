/* SPDX-License-Identifier: Apache-2.0 */
/* The families that can run, and a model's open and close. */
#include "base/error.h"
#include "base/mem.h"
#include "model/family.h"

#include <string.h>

static const am_family *const families[] = {
    &am_family_bert,    &am_family_gemma2,  &am_family_llama, &am_family_nomic_bert,
    &am_family_phi2,    &am_family_phi3,    &am_family_qwen3, &am_family_qwen3moe,
    &am_family_roberta, &am_family_mistral, &am_family_qwen2,
};

static const am_family *find_family(const char *name) {
  for (size_t i = 0; i < sizeof families / sizeof *families; i++)
    if (strcmp(families[i]->name, name) == 0) return families[i];
  return NULL;
}

static adam_status open_weight(am_model *model, const am_tensor *tensor, am_weight **out, adam_error *error) {
  am_weight *weight = NULL;
  if (model->n_opened == model->capacity) {
    size_t capacity = model->capacity ? model->capacity * 2 : 64;
    am_weight **grown = am_mem_resize(model->opened, capacity, sizeof *grown);
    if (!grown) return am_fail_memory(error, "model");
    model->opened = grown;
    model->capacity = capacity;
  }
  adam_status status = am_weight_open(model->device, tensor, &weight, error);
  if (status) return status;
  model->opened[model->n_opened++] = weight;
  *out = weight;
  return ADAM_OK;
}

adam_status am_bind(am_model *model, const am_loader *loader, const char *field, uint32_t layer,
                    am_weight **out, adam_error *error) {
  const am_tensor *tensor = NULL;
  adam_status status = am_loader_role(loader, field, layer, &tensor, error);
  if (status) return status;
  if (tensor) return open_weight(model, tensor, out, error);
  *out = NULL;
  return ADAM_OK;
}

adam_status am_bind_all(am_model *model, const am_loader *loader, uint32_t layer, const am_binding *wanted,
                        size_t n, adam_error *error) {
  adam_status status = ADAM_OK;
  for (size_t i = 0; i < n && !status; i++)
    status = am_bind(model, loader, wanted[i].field, layer, wanted[i].out, error);
  return status;
}

adam_status am_bind_layers(am_model *model, const am_loader *loader, size_t layer_bytes,
                           adam_status (*bind_layer)(am_model *model, const am_loader *loader, uint32_t layer,
                                                     void *fields, adam_error *error),
                           adam_error *error) {
  adam_status status = ADAM_OK;
  model->fields = am_mem_zalloc(model->config.n_layers, layer_bytes);
  if (!model->fields) return am_fail_memory(error, "model");
  for (uint32_t i = 0; i < model->config.n_layers && !status; i++)
    status = bind_layer(model, loader, i, (char *)model->fields + i * layer_bytes, error);
  return status;
}

adam_status am_bind_rows(am_model *model, const am_loader *loader, const char *field, uint32_t layer,
                         uint64_t first_row, uint64_t n_rows, am_weight **out, adam_error *error) {
  const am_tensor *whole = NULL;
  uint64_t before = 0, n_bytes = 0;
  adam_status status = am_loader_role(loader, field, layer, &whole, error);
  if (status) return status;
  if (!whole) {
    *out = NULL;
    return ADAM_OK;
  }
  const uint64_t front[2] = {first_row, whole->shape[1]}, taken[2] = {n_rows, whole->shape[1]};
  if (n_rows > whole->shape[0] || first_row > whole->shape[0] - n_rows ||
      !am_tensor_bytes(whole->dtype, whole->n_dims, front, &before) ||
      !am_tensor_bytes(whole->dtype, whole->n_dims, taken, &n_bytes) || before > whole->n_bytes ||
      n_bytes > whole->n_bytes - before)
    return am_fail(error, ADAM_DAMAGED, am_loader_path(loader), NULL,
                   "tensor %s has %llu rows, expected %llu behind the first %llu", whole->name,
                   (unsigned long long)whole->shape[0], (unsigned long long)n_rows,
                   (unsigned long long)first_row);
  am_tensor part = *whole;
  part.shape[0] = n_rows;
  part.data = (const uint8_t *)whole->data + before;
  part.n_bytes = n_bytes;
  return open_weight(model, &part, out, error);
}

static adam_status bind_ends(am_model *model, const am_loader *loader, adam_error *error) {
  adam_status status = am_bind(model, loader, "token_embd", 0, &model->embedding, error);
  if (status || model->config.arch->is_encoder) return status;
  status = am_bind(model, loader, "output_norm", 0, &model->norm, error);
  if (status) return status;
  status = am_bind(model, loader, "output", 0, &model->output, error);
  if (status) return status;
  if (!model->embedding || !model->norm)
    return am_fail(error, ADAM_DAMAGED, am_loader_path(loader), NULL,
                   "the token embedding or the final norm is missing");
  if (!model->output) model->output = model->embedding; /* tied: one matrix, looked up and multiplied */
  return ADAM_OK;
}

adam_status am_bind_experts(am_model *model, const am_loader *loader, const char *field, uint32_t layer,
                            const am_weight **out, adam_error *error) {
  uint32_t n = model->config.n_experts;
  for (uint32_t i = 0; i < n; i++) {
    am_tensor tensor;
    am_weight *weight = NULL;
    adam_status status = am_loader_expert(loader, field, layer, i, &tensor, error);
    if (!status) status = open_weight(model, &tensor, &weight, error);
    if (status) return status;
    out[i] = weight;
  }
  if (am_weights_alike(out, n)) return ADAM_OK;
  return am_fail(error, ADAM_UNSUPPORTED, am_loader_path(loader), NULL,
                 "the experts of layer %u have %s of different types", layer, field);
}

static adam_status list_windows(am_model *model, adam_error *error) {
  const am_config *c = &model->config;
  if (c->window == 0) return ADAM_OK;
  model->windows = am_mem_zalloc(c->n_layers, sizeof *model->windows);
  if (!model->windows) return am_fail_memory(error, "model");
  for (uint32_t i = 0; i < c->n_layers; i++) model->windows[i] = am_arch_window(c, i);
  return ADAM_OK;
}

adam_status am_model_open(const am_loader *loader, am_device *device, am_model **out, adam_error *error) {
  const am_config *config = am_loader_config(loader);
  if (!config)
    return am_fail(error, ADAM_INVALID, am_loader_path(loader), NULL,
                   "there is no config, so it cannot be run");
  const am_family *family = find_family(config->arch->name);
  if (!family)
    return am_fail(error, ADAM_UNSUPPORTED, am_loader_path(loader), NULL,
                   "the architecture %s can be read but not run", config->arch->name);
  am_model *model = am_mem_zalloc(1, sizeof *model);
  if (!model) return am_fail_memory(error, "model");
  model->family = family;
  model->config = *config;
  model->device = device;
  adam_status status = list_windows(model, error);
  if (!status) status = am_rope_open(model, loader, error);
  if (!status) status = bind_ends(model, loader, error);
  if (!status) status = family->bind(model, loader, error);
  if (status) {
    am_model_close(&model);
    return status;
  }
  *out = model;
  return ADAM_OK;
}

void am_model_close(am_model **model) {
  if (!model || !*model) return;
  am_model *m = *model;
  for (size_t i = 0; i < m->n_opened; i++) am_weight_close(&m->opened[i]);
  am_mem_free(m->opened);
  am_mem_free(m->fields);
  am_mem_free(m->rope_memory);
  am_mem_free(m->windows);
  am_mem_free(m);
  *model = NULL;
}

const am_config *am_model_config(const am_model *model) { return &model->config; }

am_device *am_model_device(const am_model *model) { return model->device; }

am_kv_options am_model_kv_options(const am_model *model, uint64_t n_ctx, uint32_t max_batch, am_dtype dtype) {
  const am_config *c = &model->config;
  return (am_kv_options){.n_layers = c->n_layers,
                         .n_kv_heads = c->n_kv_heads,
                         .head_dim = c->head_dim,
                         .n_ctx = n_ctx,
                         .dtype = dtype,
                         .windows = model->windows,
                         .max_batch = max_batch};
}
