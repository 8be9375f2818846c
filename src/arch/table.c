/* SPDX-License-Identifier: Apache-2.0 */
#include "arch/arch.h"

#include <stdio.h>
#include <string.h>

#include "arch/families.h"
#include "arch/keys.h"

static const am_arch *const families[] = {&am_arch_gemma2,  &am_arch_llama,      &am_arch_phi2,
                                          &am_arch_phi3,    &am_arch_qwen3,      &am_arch_mistral,
                                          &am_arch_qwen2,   &am_arch_qwen3moe,   &am_arch_bert,
                                          &am_arch_roberta, &am_arch_nomic_bert, NULL};

const am_arch *const *am_arch_table(void) { return families; }

static const am_arch *find_family(const char *name, am_source source) {
  for (const am_arch *const *family = families; *family; family++) {
    const char *const *names = source == AM_SOURCE_HF ? (*family)->hf_model_types : (*family)->gguf_names;
    for (; *names; names++)
      if (strcmp(*names, name) == 0) return *family;
  }
  return NULL;
}

/* Sets the family and *config's beginnings; `key` is where the file names its family. */
static adam_status recognise(const am_json *object, const char *path, am_source source, const char *key,
                             am_config *config, adam_error *error) {
  am_keys keys = {object, path, "", error};
  const char *name = NULL;
  adam_status status = am_keys_string(&keys, key, &name);
  if (status) return status;
  if (!object || object->type != AM_JSON_OBJECT) {
    return am_fail(error, ADAM_DAMAGED, path, NULL, "expected a JSON object");
  }
  if (!name) return am_fail(error, ADAM_DAMAGED, path, NULL, "%s is missing", key);
  *config = (am_config){.arch = find_family(name, source), .source = source, .bos_id = -1};
  if (config->arch) return ADAM_OK;
  char known[256] = "";
  size_t at = 0;
  for (const am_arch *const *family = families; *family && at < sizeof known; family++) {
    int n = snprintf(known + at, sizeof known - at, "%s%s", at ? ", " : "known are ", (*family)->name);
    at += n > 0 ? (size_t)n : 0;
  }
  return am_fail(error, ADAM_UNSUPPORTED, path, known, "%s is '%s', a family that is not supported", key,
                 name);
}

adam_status am_arch_config_hf(const am_json *config_json, const char *path, am_config *config,
                              adam_error *error) {
  am_config made;
  adam_status status = recognise(config_json, path, AM_SOURCE_HF, "model_type", &made, error);
  if (status) return status;
  status = made.arch->from_hf(config_json, path, &made, error);
  if (!status) *config = made;
  return status;
}

adam_status am_arch_config_gguf(const am_json *metadata, const char *path, am_config *config,
                                adam_error *error) {
  am_config made;
  adam_status status = recognise(metadata, path, AM_SOURCE_GGUF, "general.architecture", &made, error);
  if (!status) status = made.arch->from_gguf(metadata, path, &made, error);
  if (!status) *config = made;
  return status;
}

const am_tensor_role *am_arch_role(const am_arch *arch, const char *field) {
  for (size_t i = 0; i < arch->n_roles; i++)
    if (strcmp(arch->roles[i].field, field) == 0) return &arch->roles[i];
  return NULL;
}

am_transform am_arch_transform(const am_arch *arch, const char *field) {
  for (size_t i = 0; i < arch->n_transforms; i++)
    if (strcmp(arch->transforms[i].field, field) == 0) return arch->transforms[i].transform;
  return AM_TRANSFORM_NONE;
}

bool am_arch_tensor_name(const am_config *config, const am_tensor_role *role, uint32_t layer,
                         uint32_t spelling, char *out, size_t capacity) {
  const char *prefix = config->arch->hf_prefix ? config->arch->hf_prefix : "model.";
  const char *pattern = config->source == AM_SOURCE_HF ? role->hf : role->gguf;
  const char *bar = strchr(pattern, '|');
  if (spelling & AM_NAME_OLD) {
    if (!bar) return false;
    pattern = bar + 1;
    bar = NULL;
  }
  if (spelling & AM_NAME_BARE) {
    if (strncmp(pattern, prefix, strlen(prefix)) != 0) return false;
    pattern += strlen(prefix);
  }
  if (pattern[0] == 0) return false;
  const char *hole = strstr(pattern, "%u"), *end = bar ? bar : pattern + strlen(pattern);
  int n = hole && hole < end ? snprintf(out, capacity, "%.*s%u%.*s", (int)(hole - pattern), pattern, layer,
                                        (int)(end - hole - 2), hole + 2)
                             : snprintf(out, capacity, "%.*s", (int)(end - pattern), pattern);
  return n > 0 && (size_t)n < capacity;
}

const am_expert_role *am_arch_expert_role(const am_arch *arch, const char *field) {
  for (size_t i = 0; i < arch->n_expert_roles; i++)
    if (strcmp(arch->expert_roles[i].field, field) == 0) return &arch->expert_roles[i];
  return NULL;
}

bool am_arch_expert_name(const am_config *config, const am_expert_role *role, uint32_t layer, uint32_t expert,
                         bool merged, bool bare, char *out, size_t capacity) {
  const char *prefix = config->arch->hf_prefix ? config->arch->hf_prefix : "model.";
  const char *pattern = config->source == AM_SOURCE_GGUF ? role->gguf : merged ? role->hf_merged : role->hf;
  uint32_t numbers[2] = {layer, expert}, n_numbers = 0;
  size_t at = 0;
  if (config->source == AM_SOURCE_GGUF && (!merged || bare)) return false;
  if (bare) {
    if (strncmp(pattern, prefix, strlen(prefix)) != 0) return false;
    pattern += strlen(prefix);
  }
  while (*pattern && at < capacity) {
    int n = 1;
    if (strncmp(pattern, "%u", 2) == 0 && n_numbers < 2) {
      n = snprintf(out + at, capacity - at, "%u", numbers[n_numbers++]);
      pattern += 2;
    } else {
      out[at] = *pattern++;
    }
    at += n > 0 ? (size_t)n : 0;
  }
  if (at == 0 || at >= capacity) return false;
  out[at] = 0;
  return true;
}

bool am_arch_is_sparse(const am_config *config, uint32_t layer) {
  return layer < AM_ARCH_MOST_LAYERS && (config->sparse[layer / 64] >> layer % 64 & 1);
}

uint64_t am_arch_active_parameters(const am_config *config, uint64_t n_parameters) {
  uint64_t idle = 0, shape[2];
  for (uint32_t i = 0; i < config->n_layers; i++)
    for (size_t r = 0; am_arch_is_sparse(config, i) && r < config->arch->n_expert_roles; r++)
      if (config->arch->expert_roles[r].shape(config, shape) == 2)
        idle += (config->n_experts - config->n_experts_used) * shape[0] * shape[1];
  return n_parameters > idle ? n_parameters - idle : 0;
}

uint32_t am_arch_window(const am_config *config, uint32_t layer) {
  bool windowed = layer < AM_ARCH_MOST_LAYERS && (config->windowed[layer / 64] >> layer % 64 & 1);
  return windowed ? config->window : 0;
}

uint64_t am_arch_kv_bytes_per_token(const am_config *config, uint32_t element_bytes) {
  return (uint64_t)2 * config->n_layers * config->n_kv_heads * config->head_dim * element_bytes;
}
