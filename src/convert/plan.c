/* SPDX-License-Identifier: Apache-2.0 */
#include "convert/plan.h"

#include <stdlib.h>
#include <string.h>

#include "arch/pairs.h"
#include "base/error.h"
#include "base/map.h"
#include "base/mem.h"

enum { NAME_CAPACITY = 256 };

static adam_status add(am_convert_plan *plan, const char *name, uint32_t n_dims, const uint64_t *shape,
                       am_convert_item **out, adam_error *error) {
  if (plan->n_items == plan->capacity) {
    size_t capacity = plan->capacity ? 2 * plan->capacity : 512;
    am_convert_item *grown = am_mem_resize(plan->items, capacity, sizeof *grown);
    if (!grown) return am_fail_memory(error, name);
    plan->items = grown;
    plan->capacity = capacity;
  }
  am_convert_item *item = &plan->items[plan->n_items];
  *item = (am_convert_item){.name = am_arena_dup(&plan->arena, name, strlen(name)), .n_dims = n_dims};
  if (!item->name) return am_fail_memory(error, name);
  if (n_dims > 4)
    return am_fail(error, ADAM_UNSUPPORTED, name, NULL, "a tensor of %u axes has no form there", n_dims);
  item->n_rows = 1;
  for (uint32_t i = 0; i < n_dims; i++) {
    item->shape[i] = shape[i];
    if (i + 1 < n_dims && __builtin_mul_overflow(item->n_rows, shape[i], &item->n_rows))
      return am_fail(error, ADAM_DAMAGED, name, NULL, "its shape is absurd");
  }
  item->n_columns = n_dims ? shape[n_dims - 1] : 1;
  plan->n_items++;
  *out = item;
  return ADAM_OK;
}

static adam_status set_parts(am_convert_plan *plan, am_convert_item *item, const am_tensor *parts, uint32_t n,
                             adam_error *error) {
  item->parts = am_arena_alloc(&plan->arena, n * sizeof *parts);
  if (!item->parts) return am_fail_memory(error, item->name);
  memcpy(item->parts, parts, n * sizeof *parts);
  item->n_parts = n;
  item->dtype = parts[0].dtype;
  return ADAM_OK;
}

/* A vector's elements are rows where a transform moves them. */
static void set_transform(am_convert_plan *plan, const am_loader *loader, const char *field,
                          am_convert_item *item) {
  const am_config *from = am_loader_config(loader), *to = &plan->config;
  const am_arch *arch = from->arch;
  item->transform = am_arch_transform(arch, field);
  item->undo = from->source == AM_SOURCE_GGUF;
  item->head_rows = to->head_dim;
  if (item->transform == AM_TRANSFORM_CUT && !item->undo) item->cut_rows = from->position_offset;
  bool moves = item->cut_rows > 0 ||
               (item->transform != AM_TRANSFORM_NONE && item->transform != AM_TRANSFORM_ADD_ONE);
  if (item->n_dims == 1 && moves) {
    item->n_rows = item->n_columns;
    item->n_columns = 1;
  }
}

/* q, k and v that are one matrix on one side and three on the other. */
static const struct {
  const char *whole, *parts[3];
} fused[] = {{"attn_qkv", {"attn_q", "attn_k", "attn_v"}},
             {"attn_qkv_bias", {"attn_q_bias", "attn_k_bias", "attn_v_bias"}}};

/* What the target's field is made of; *n 0: the source has nothing of it; *first: the row of the part that it begins
 * with. */
static adam_status find_parts(const am_loader *loader, const am_convert_plan *plan, const char *field,
                              uint32_t layer, am_tensor parts[3], uint32_t *n, uint64_t *first, adam_error *error) {
  const am_tensor *tensor = NULL;
  const am_config *c = &plan->config;
  bool copies = am_loader_config(loader)->tied_embeddings && !c->tied_embeddings && strcmp(field, "output") == 0;
  adam_status status = am_loader_role(loader, copies ? "token_embd" : field, layer, &tensor, error);
  *n = tensor ? 1 : 0;
  if (tensor) parts[0] = *tensor;
  for (size_t f = 0; f < sizeof fused / sizeof *fused && !status && *n == 0; f++) {
    bool whole = strcmp(fused[f].whole, field) == 0;
    for (uint32_t i = 0; i < 3 && !status; i++) {
      bool is_part = strcmp(fused[f].parts[i], field) == 0;
      if (!whole && !is_part) continue;
      if (!am_arch_role(c->arch, whole ? fused[f].parts[i] : fused[f].whole)) continue;
      status = am_loader_role(loader, whole ? fused[f].parts[i] : fused[f].whole, layer, &tensor, error);
      if (status || !tensor) break;
      if (whole) {
        parts[(*n)++] = *tensor;
        continue;
      }
      uint64_t q = (uint64_t)c->n_heads * c->head_dim, kv = (uint64_t)c->n_kv_heads * c->head_dim;
      parts[0] = *tensor;
      *first = i == 0 ? 0 : q + (i - 1) * kv;
      if (tensor->n_dims < 1 || tensor->n_dims > 2 || tensor->shape[0] != q + 2 * kv)
        return am_fail(error, ADAM_DAMAGED, tensor->name, NULL, "its rows are not those of q, k and v");
      *n = 1;
    }
  }
  return status;
}

static adam_status add_computed(am_convert_plan *plan, const am_loader *loader, const char *field,
                                const char *name, adam_error *error) {
  float values[AM_ARCH_MOST_FACTORS];
  uint32_t n;
  am_convert_item *item = NULL;
  am_rope_computed(am_loader_config(loader), field, values, &n);
  if (n == 0) return ADAM_OK;
  uint64_t shape[1] = {n};
  adam_status status = add(plan, name, 1, shape, &item, error);
  if (status) return status;
  float *copy = am_arena_alloc(&plan->arena, n * sizeof *copy);
  if (!copy) return am_fail_memory(error, name);
  memcpy(copy, values, n * sizeof *copy);
  item->computed = copy;
  item->dtype = AM_DTYPE_F32;
  return ADAM_OK;
}

static adam_status add_role(am_convert_plan *plan, const am_loader *loader, const am_tensor_role *role,
                            uint32_t layer, adam_error *error) {
  uint64_t shape[2];
  char name[NAME_CAPACITY];
  am_tensor parts[3];
  am_convert_item *item = NULL;
  const am_config *to = &plan->config;
  uint64_t first = 0;
  uint32_t n_dims = role->shape(to, shape), n = 0;
  bool absent = n_dims == 0 || (to->arch->has && !to->arch->has(to, role, layer));
  if (absent || !am_arch_tensor_name(to, role, layer, 0, name, sizeof name)) return ADAM_OK;
  adam_status status = find_parts(loader, plan, role->field, layer, parts, &n, &first, error);
  if (status) return status;
  if (n == 0) return to->source == AM_SOURCE_GGUF ? add_computed(plan, loader, role->field, name, error) : ADAM_OK;
  if (am_arch_transform(to->arch, role->field) == AM_TRANSFORM_CUT && to->source == AM_SOURCE_GGUF)
    shape[0] -= am_loader_config(loader)->position_offset;
  status = add(plan, name, n_dims, shape, &item, error);
  if (!status) status = set_parts(plan, item, parts, n, error);
  if (status) return status;
  item->cut_rows = first;
  set_transform(plan, loader, role->field, item);
  return ADAM_OK;
}

/* One 3-D tensor of all experts in a GGUF; each its own on the Hub. */
static adam_status add_experts(am_convert_plan *plan, const am_loader *loader, const am_expert_role *role,
                               uint32_t layer, adam_error *error) {
  const am_config *to = &plan->config;
  bool merged = to->source == AM_SOURCE_GGUF;
  uint64_t shape[3] = {to->n_experts};
  char name[NAME_CAPACITY];
  am_convert_item *item = NULL;
  if (role->shape(to, shape + 1) != 2) return ADAM_OK;
  am_tensor *parts = am_mem_zalloc(to->n_experts, sizeof *parts);
  adam_status status = parts ? ADAM_OK : am_fail_memory(error, role->field);
  for (uint32_t e = 0; e < to->n_experts && !status; e++)
    status = am_loader_expert(loader, role->field, layer, e, &parts[e], error);
  for (uint32_t e = 0; e < (merged ? 1 : to->n_experts) && !status; e++) {
    if (!am_arch_expert_name(to, role, layer, e, merged, false, name, sizeof name)) continue;
    status = add(plan, name, merged ? 3 : 2, merged ? shape : shape + 1, &item, error);
    if (!status) status = set_parts(plan, item, parts + e, merged ? to->n_experts : 1, error);
  }
  am_mem_free(parts);
  return status;
}

/* Positions in the source's files: by the tensor's number, as its table is in that order. */
static adam_status set_order(am_convert_plan *plan, const am_loader *loader, adam_error *error) {
  am_map at = {0};
  adam_status status = ADAM_OK;
  for (size_t i = 0; i < am_loader_n_tensors(loader) && !status; i++) {
    const char *name = am_loader_tensor_at(loader, i)->name;
    if (!am_map_set(&at, name, strlen(name), i + 1)) status = am_fail_memory(error, name);
  }
  for (size_t i = 0; i < plan->n_items && !status; i++) {
    am_convert_item *item = &plan->items[i];
    uint64_t order = 0;
    for (uint32_t p = 0; p < item->n_parts; p++)
      if (am_map_get(&at, item->parts[p].name, strlen(item->parts[p].name), &order) && order > item->order)
        item->order = order; /* the last part's, as llama.cpp has it */
  }
  am_map_close(&at);
  return status;
}

static int by_order(const void *a, const void *b) {
  const am_convert_item *x = a, *y = b;
  if (x->order != y->order) return x->order < y->order ? -1 : 1;
  return strcmp(x->name, y->name);
}

/* The source's config as the target's reader will have it. */
static void make_config(const am_config *from, am_source target, am_config *to) {
  const am_tensor_role *whole = am_arch_role(from->arch, "attn_qkv");
  *to = *from;
  to->source = target;
  if (target == AM_SOURCE_GGUF) {
    if (from->rope.scaling == AM_ROPE_LLAMA3) to->rope.scaling = AM_ROPE_FACTORS;
    to->rope.n_factors = 0;
    if (from->arch->gguf_untied) to->tied_embeddings = false;
  } else if (whole) {
    to->fused_qkv = whole->hf[0] != 0; /* where both are there, the Hub's form decides */
  }
}

adam_status am_convert_plan_roles(const am_loader *loader, am_source target, am_convert_plan *plan,
                                  adam_error *error) {
  const am_config *from = am_loader_config(loader);
  const am_arch *arch = from->arch;
  adam_status status = ADAM_OK;
  make_config(from, target, &plan->config);
  for (size_t r = 0; r < arch->n_roles && !status; r++)
    for (uint32_t layer = 0; layer < (arch->roles[r].per_layer ? from->n_layers : 1) && !status; layer++)
      status = add_role(plan, loader, &arch->roles[r], layer, error);
  for (size_t r = 0; r < arch->n_expert_roles && !status; r++)
    for (uint32_t layer = 0; layer < from->n_layers && !status; layer++)
      if (am_arch_is_sparse(from, layer)) status = add_experts(plan, loader, &arch->expert_roles[r], layer, error);
  if (!status) status = set_order(plan, loader, error);
  if (!status && plan->n_items) qsort(plan->items, plan->n_items, sizeof *plan->items, by_order);
  return status;
}

adam_status am_convert_plan_same(const am_loader *loader, am_convert_plan *plan, adam_error *error) {
  adam_status status = ADAM_OK;
  plan->config = *am_loader_config(loader);
  for (size_t i = 0; i < am_loader_n_tensors(loader) && !status; i++) {
    const am_tensor *tensor = am_loader_tensor_at(loader, i);
    am_convert_item *item = NULL;
    status = add(plan, tensor->name, tensor->n_dims, tensor->shape, &item, error);
    if (!status) status = set_parts(plan, item, tensor, 1, error);
    if (!status) item->order = i;
  }
  return status;
}

static bool has_name(const am_convert_plan *plan, const char *name) {
  for (size_t i = 0; i < plan->n_items; i++)
    if (strcmp(plan->items[i].name, name) == 0) return true;
  return false;
}

/* The dtype under no recipe: the source's own where the target has it. */
static am_dtype keep(const am_convert_item *item, am_source target) {
  const am_dtype_row *row = am_dtype_info(item->dtype);
  bool packed = am_dtype_is_quantized(item->dtype);
  if (item->dtype == AM_DTYPE_F64) return AM_DTYPE_F32;
  if (packed && (target == AM_SOURCE_HF || am_dtype_is_scaled(item->dtype) || row->gguf < 0)) return AM_DTYPE_F16;
  return item->dtype;
}

adam_status am_convert_plan_types(am_convert_plan *plan, am_source target, const am_quant_type *type,
                                  adam_error *error) {
  const am_config *c = &plan->config;
  am_quant_type half;
  if (!am_quant_find("f16", &half)) return am_fail(error, ADAM_FAILED, "f16", NULL, "there is no such type");
  am_quant_model model = {.architecture = c->arch->gguf_name ? c->arch->gguf_name : c->arch->name,
                          .n_layers = c->n_layers,
                          .n_heads = c->n_heads,
                          .n_kv_heads = c->n_kv_heads,
                          .n_experts = c->n_experts,
                          .tied = !has_name(plan, "output.weight")};
  for (size_t i = 0; i < plan->n_items; i++) {
    am_convert_item *item = &plan->items[i];
    if (!am_dtype_is_float(item->dtype)) { /* whole numbers stay as they are */
      if (target == AM_SOURCE_GGUF && am_dtype_info(item->dtype)->gguf < 0)
        return am_fail(error, ADAM_UNSUPPORTED, item->name, NULL, "GGUF has no %s",
                       am_dtype_info(item->dtype)->name);
      continue;
    }
    if (target == AM_SOURCE_HF) {
      item->dtype = type ? type->base : keep(item, target);
      continue;
    }
    am_dtype plain = am_quant_choose(type ? type : &half, &model, item->name, item->n_dims, item->shape[item->n_dims ? item->n_dims - 1 : 0]);
    item->dtype = type || plain == AM_DTYPE_F32 ? plain : keep(item, target);
  }
  return ADAM_OK;
}

static uint64_t rows_of(const am_tensor *part, uint64_t n_columns) {
  uint64_t n = 1;
  (void)am_tensor_elements(part, &n);
  return n_columns ? n / n_columns : 0;
}

void am_convert_locate(const am_convert_item *item, uint64_t row, uint32_t *part, uint64_t *part_row) {
  if (item->transform == AM_TRANSFORM_PAIRS || item->transform == AM_TRANSFORM_KV_PAIRS) {
    uint64_t head = row / item->head_rows, at = row % item->head_rows, half = item->head_rows / 2;
    uint64_t from = item->undo ? at % half * 2 + at / half : at % 2 * half + at / 2;
    row = head * item->head_rows + from;
  }
  row += item->cut_rows;
  *part = 0;
  if (item->n_parts > 3) { /* experts: all of one shape */
    uint64_t n = rows_of(&item->parts[0], item->n_columns);
    *part = n ? (uint32_t)(row / n) : 0;
    row -= *part * n;
  }
  while (item->n_parts <= 3 && *part + 1 < item->n_parts) {
    uint64_t n = rows_of(&item->parts[*part], item->n_columns);
    if (row < n) break;
    row -= n;
    ++*part;
  }
  *part_row = row;
}

void am_convert_plan_close(am_convert_plan *plan) {
  am_mem_free(plan->items);
  am_arena_close(&plan->arena);
  *plan = (am_convert_plan){0};
}
