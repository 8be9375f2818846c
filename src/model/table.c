/* SPDX-License-Identifier: Apache-2.0 */
/* The families that can run, and a model's open and close. */
#include "base/error.h"
#include "base/mem.h"
#include "model/family.h"

#include <string.h>

static const am_family *const families[] = {&am_family_llama, &am_family_qwen3};

static const am_family *find_family(const char *name) {
  for (size_t i = 0; i < sizeof families / sizeof *families; i++)
    if (strcmp(families[i]->name, name) == 0) return families[i];
  return NULL;
}

adam_status am_bind(am_model *model, const am_loader *loader, const char *field, uint32_t layer,
                    am_weight **out, adam_error *error) {
  const am_tensor *tensor = NULL;
  am_weight *weight = NULL;
  adam_status status = am_loader_role(loader, field, layer, &tensor, error);
  if (status) return status;
  if (!tensor) {
    *out = NULL;
    return ADAM_OK;
  }
  if (model->n_opened == model->capacity) {
    size_t capacity = model->capacity ? model->capacity * 2 : 64;
    am_weight **grown = am_mem_resize(model->opened, capacity, sizeof *grown);
    if (!grown) return am_fail_memory(error, "model");
    model->opened = grown;
    model->capacity = capacity;
  }
  status = am_weight_open(model->device, tensor, &weight, error);
  if (status) return status;
  model->opened[model->n_opened++] = weight;
  *out = weight;
  return ADAM_OK;
}

static adam_status bind_ends(am_model *model, const am_loader *loader, adam_error *error) {
  adam_status status = am_bind(model, loader, "token_embd", 0, &model->embedding, error);
  if (status) return status;
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
  adam_status status = am_rope_open(model, loader, error);
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
  am_mem_free(m->inv_freq);
  am_mem_free(m);
  *model = NULL;
}

const am_config *am_model_config(const am_model *model) { return &model->config; }

am_device *am_model_device(const am_model *model) { return model->device; }

am_kv_options am_model_kv_options(const am_model *model, uint64_t n_ctx, am_dtype dtype) {
  const am_config *c = &model->config;
  return (am_kv_options){.n_layers = c->n_layers,
                         .n_kv_heads = c->n_kv_heads,
                         .head_dim = c->head_dim,
                         .n_ctx = n_ctx,
                         .dtype = dtype};
}
