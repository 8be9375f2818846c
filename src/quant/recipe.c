/* SPDX-License-Identifier: Apache-2.0 */
/* Which tensor gets which type: the mixes that users know from llama.cpp's quantize (llama-quant.cpp), found again
 * and held against its choices by tests/golden/quant_references_test.py. */
#include "quant/quant.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Numbers of enum llama_ftype (llama.h), which general.file_type holds. */
enum {
  Q2_K = 10,
  Q3_K_S = 11,
  Q3_K_M = 12,
  Q3_K_L = 13,
  Q4_K_S = 14,
  Q4_K_M = 15,
  Q5_K_S = 16,
  Q5_K_M = 17,
  Q6_K = 18
};

static const am_quant_type recipes[] = {
    {"f32", 0, AM_DTYPE_F32},        {"f16", 1, AM_DTYPE_F16},        {"bf16", 32, AM_DTYPE_BF16},
    {"q8_0", 7, AM_DTYPE_Q8_0},      {"q6_k", Q6_K, AM_DTYPE_Q6_K},   {"q5_k_m", Q5_K_M, AM_DTYPE_Q5_K},
    {"q5_k_s", Q5_K_S, AM_DTYPE_Q5_K}, {"q5_1", 9, AM_DTYPE_Q5_1},    {"q5_0", 8, AM_DTYPE_Q5_0},
    {"q4_k_m", Q4_K_M, AM_DTYPE_Q4_K}, {"q4_k_s", Q4_K_S, AM_DTYPE_Q4_K}, {"q4_1", 3, AM_DTYPE_Q4_1},
    {"q4_0", 2, AM_DTYPE_Q4_0},      {"q3_k_l", Q3_K_L, AM_DTYPE_Q3_K}, {"q3_k_m", Q3_K_M, AM_DTYPE_Q3_K},
    {"q3_k_s", Q3_K_S, AM_DTYPE_Q3_K}, {"q2_k", Q2_K, AM_DTYPE_Q2_K}};

static const struct {
  const char *other, *name;
} synonyms[] = {{"q4_k", "q4_k_m"}, {"q5_k", "q5_k_m"}, {"q3_k", "q3_k_m"}, {"4bit", "q4_k_m"}, {"8bit", "q8_0"}};

const am_quant_type *am_quant_at(size_t index) {
  return index < sizeof recipes / sizeof *recipes ? &recipes[index] : NULL;
}

bool am_quant_find(const char *name, am_quant_type *out) {
  for (size_t i = 0; i < sizeof synonyms / sizeof *synonyms; i++)
    if (!strcasecmp(name, synonyms[i].other)) name = synonyms[i].name;
  for (size_t i = 0; i < sizeof recipes / sizeof *recipes; i++) {
    if (strcasecmp(name, recipes[i].name)) continue;
    *out = recipes[i];
    return true;
  }
  return false;
}

static bool contains(const char *name, const char *part) { return strstr(name, part) != NULL; }

/* Whether the tensor is a matrix of weights that a recipe is about. */
static bool is_weights(const char *name, uint32_t n_dims) {
  static const char *const kept[] = {"_norm.weight", "ffn_gate_inp.weight", "position_embd.weight",
                                     "token_types.weight"};
  size_t n = strlen(name);
  if (n_dims < 2 || n < 6 || strcmp(name + n - 6, "weight")) return false;
  for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
    if (contains(name, kept[i])) return false;
  return true;
}

/* The layers that are hurt most: the first and last eighth, and every third between. */
static bool is_tender(uint32_t layer, uint32_t n_layers) {
  return layer < n_layers / 8 || layer >= 7 * n_layers / 8 || (layer - n_layers / 8) % 3 == 2;
}

/* llama.cpp's "70B": a whole class of models by the number of layers, whose v is an eighth of q. */
static bool is_70b(const am_quant_model *model) {
  if (model->n_layers != 80) return false;
  if (!strcmp(model->architecture, "llama")) return model->n_heads != model->n_kv_heads;
  return !strcmp(model->architecture, "qwen2");
}

static am_dtype choose_v(const am_quant_type *type, const am_quant_model *model, uint32_t layer) {
  am_dtype dtype = type->base;
  uint32_t shared = model->n_kv_heads ? model->n_heads / model->n_kv_heads : 0;
  switch (type->file_type) {
    case Q2_K:
      dtype = shared >= 4 ? AM_DTYPE_Q4_K : AM_DTYPE_Q3_K;
      break;
    case Q3_K_M:
      dtype = layer < 2 ? AM_DTYPE_Q5_K : AM_DTYPE_Q4_K;
      break;
    case Q3_K_L:
      dtype = AM_DTYPE_Q5_K;
      break;
    case Q4_K_S:
      if (layer < 4) dtype = AM_DTYPE_Q5_K;
      break;
    case Q4_K_M:
    case Q5_K_M:
      if (is_tender(layer, model->n_layers)) dtype = AM_DTYPE_Q6_K;
      break;
    default:
      break;
  }
  if (is_70b(model) && (dtype == AM_DTYPE_Q3_K || dtype == AM_DTYPE_Q4_K)) dtype = AM_DTYPE_Q5_K;
  return model->n_experts == 8 ? AM_DTYPE_Q8_0 : dtype; /* small beside eight experts */
}

static am_dtype choose_down(const am_quant_type *type, const am_quant_model *model, uint32_t layer) {
  uint32_t n = model->n_layers;
  switch (type->file_type) {
    case Q2_K:
      return AM_DTYPE_Q3_K;
    case Q3_K_M:
      return layer < n / 16 ? AM_DTYPE_Q5_K : AM_DTYPE_Q4_K;
    case Q3_K_L:
      return AM_DTYPE_Q5_K;
    case Q4_K_S:
      return layer < n / 8 ? AM_DTYPE_Q5_K : type->base;
    case Q4_K_M:
    case Q5_K_M:
      return is_tender(layer, n) ? AM_DTYPE_Q6_K : type->base;
    default:
      return type->base;
  }
}

static am_dtype choose_attention_output(const am_quant_type *type, const am_quant_model *model) {
  switch (type->file_type) {
    case Q2_K:
      return model->n_experts == 8 ? AM_DTYPE_Q5_K : AM_DTYPE_Q3_K;
    case Q3_K_M:
      return model->n_experts == 8 ? AM_DTYPE_Q5_K : AM_DTYPE_Q4_K;
    case Q3_K_L:
      return model->n_experts == 8 ? type->base : AM_DTYPE_Q5_K;
    case Q3_K_S:
    case Q4_K_S:
    case Q4_K_M:
      return model->n_experts == 8 ? AM_DTYPE_Q5_K : type->base;
    default:
      return type->base;
  }
}

static am_dtype choose_by_role(const am_quant_type *type, const am_quant_model *model, const char *name,
                               uint64_t n_columns) {
  uint32_t layer = 0;
  bool is_embedding = !strcmp(name, "token_embd.weight");
  if (!strcmp(name, "output.weight") || (is_embedding && model->tied)) {
    if (n_columns % am_dtype_info(type->base)->block_elements) return AM_DTYPE_Q8_0;
    return type->base == AM_DTYPE_Q8_0 ? AM_DTYPE_Q8_0 : AM_DTYPE_Q6_K;
  }
  if (is_embedding) return type->base;
  if (sscanf(name, "blk.%u.", &layer) != 1) layer = 0;
  if (contains(name, "attn_v.weight") || contains(name, "attn_qkv.weight")) return choose_v(type, model, layer);
  if (contains(name, "attn_k.weight") && model->n_experts == 8) return AM_DTYPE_Q8_0;
  if (contains(name, "ffn_down")) return choose_down(type, model, layer);
  if (contains(name, "attn_output.weight")) return choose_attention_output(type, model);
  return type->base;
}

static am_dtype smaller_blocks(am_dtype dtype) {
  switch (dtype) {
    case AM_DTYPE_Q2_K:
    case AM_DTYPE_Q3_K:
    case AM_DTYPE_Q4_0:
      return AM_DTYPE_Q4_0;
    case AM_DTYPE_Q4_K:
      return AM_DTYPE_Q5_0;
    case AM_DTYPE_Q5_K:
      return AM_DTYPE_Q5_1;
    case AM_DTYPE_Q6_K:
      return AM_DTYPE_Q8_0;
    default:
      return dtype;
  }
}

am_dtype am_quant_choose(const am_quant_type *type, const am_quant_model *model, const char *name, uint32_t n_dims,
                         uint64_t n_columns) {
  if (!is_weights(name, n_dims)) return AM_DTYPE_F32;
  if (!am_dtype_is_quantized(type->base)) return type->base;
  am_dtype dtype = choose_by_role(type, model, name, n_columns);
  if (n_columns % am_dtype_info(dtype)->block_elements) dtype = smaller_blocks(dtype);
  return n_columns % am_dtype_info(dtype)->block_elements ? AM_DTYPE_F16 : dtype;
}
