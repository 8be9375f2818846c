/* SPDX-License-Identifier: Apache-2.0 */
#include "loader/prequant/prequant.h"
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/half.h"
#include "base/mem.h"
#include "base/size.h"
#include "os/cpu.h"
#include "os/file.h"
#include "os/thread.h"

static const am_prequant_ops *ops_of(am_scheme_method method) {
  switch (method) {
    case AM_SCHEME_BITSANDBYTES:
      return &am_prequant_bitsandbytes;
    case AM_SCHEME_GPTQ:
      return &am_prequant_gptq;
    case AM_SCHEME_AWQ:
      return &am_prequant_awq;
    case AM_SCHEME_COMPRESSED:
      return &am_prequant_compressed;
    case AM_SCHEME_FP8:
      return &am_prequant_fp8;
    case AM_SCHEME_MXFP4:
      return &am_prequant_mxfp4;
    default:
      return NULL;
  }
}

/* Planning: the table of tensors becomes one of weights. */

static bool is_part(const am_prequant_ops *ops, const char *name) {
  size_t n = strlen(name);
  for (const char *const *part = ops->parts; *part; part++) {
    size_t n_part = strlen(*part);
    if (n > n_part && strcmp(name + n - n_part, *part) == 0) return true;
  }
  return false;
}

enum { MOST_PARTS = 7 };

/* Its tensors in the files; NULL = absent. */
static void parts_of(const am_prequant *p, const am_tensor *out[MOST_PARTS]) {
  const am_tensor *parts[MOST_PARTS] = {p->codes, p->scales,        p->zeros,       p->map,
                                        p->table, p->nested_scales, p->nested_table};
  memcpy(out, parts, sizeof parts);
}

static adam_status plan_one(am_loader *loader, const am_prequant_ops *ops, const am_tensor *codes,
                            size_t n_base, adam_error *error) {
  am_prequant *p = &loader->prequants[loader->n_prequants];
  char *base = am_arena_dup(&loader->arena, codes->name, n_base);
  size_t n_name = n_base + strlen(ops->weight) + 1;
  char *name = am_arena_alloc(&loader->arena, n_name);
  if (!base || !name) return am_fail_memory(error, loader->file);
  snprintf(name, n_name, "%s%s", base, ops->weight);
  *p = (am_prequant){.scheme = &loader->scheme, .file = loader->file, .codes = codes};
  p->tensor.name = name;
  adam_status status = ops->plan(p, loader, base, error);
  if (status) return status;
  const am_tensor *parts[MOST_PARTS];
  parts_of(p, parts);
  for (size_t i = 0; i < MOST_PARTS; i++)
    if (parts[i]) p->stored_bytes += parts[i]->n_bytes;
  p->file_bytes = p->stored_bytes;
  loader->n_prequants++;
  return ADAM_OK;
}

/* What the table holds afterwards: composed weights and tensors that are no part of one. */
static adam_status plan_all(am_loader *loader, const am_prequant_ops *ops, const am_tensor **kept,
                            size_t *n_kept, adam_error *error) {
  for (size_t i = 0; i < loader->n_tensors; i++) {
    const am_tensor *tensor = loader->tensors[i];
    size_t n_base;
    if (ops->is_codes(loader, tensor, &n_base)) {
      adam_status status = plan_one(loader, ops, tensor, n_base, error);
      if (status) return status;
      kept[(*n_kept)++] = &loader->prequants[loader->n_prequants - 1].tensor;
    } else if (!is_part(ops, tensor->name)) {
      kept[(*n_kept)++] = tensor;
    }
  }
  return ADAM_OK;
}

static adam_status replace_table(am_loader *loader, const am_tensor **kept, size_t n_kept,
                                 adam_error *error) {
  am_map_close(&loader->by_name);
  loader->n_tensors = 0;
  adam_status status = am_loader_reserve(loader, n_kept, error);
  for (size_t i = 0; i < n_kept && !status; i++) {
    if (am_loader_find(loader, kept[i]->name))
      return am_fail(error, ADAM_DAMAGED, loader->file, NULL,
                     "the weight %s is there twice, quantised and as it is", kept[i]->name);
    status = am_loader_add(loader, kept[i], error);
  }
  return status;
}

/* Building, a few weights at a time. */

static adam_status build_one(am_prequant *p, adam_error *error) {
  adam_status status = p->build(p, error);
  if (status) return status;
  p->tensor.data = p->rows;
  p->tensor.n_bytes = p->n_rows * sizeof *p->rows;
  return ADAM_OK;
}

typedef struct builders {
  am_loader *loader;
  atomic_size_t next;
  am_mutex mutex;      /* guards the first error */
  size_t first_failed; /* lowest index: the error does not depend on who was faster */
  adam_status status;
  adam_error error;
} builders;

static void *build_some(void *user) {
  builders *b = user;
  size_t i;
  while ((i = atomic_fetch_add(&b->next, 1)) < b->loader->n_prequants) {
    am_prequant *p = &b->loader->prequants[i];
    adam_error error = {0};
    adam_status status = build_one(p, &error);
    if (!status) continue;
    am_mutex_lock(&b->mutex);
    if (!b->status || i < b->first_failed) {
      b->status = status;
      b->error = error;
      b->first_failed = i;
    }
    am_mutex_unlock(&b->mutex);
    atomic_store(&b->next, b->loader->n_prequants); /* nobody begins another */
  }
  return NULL;
}

static adam_status build_all(am_loader *loader, adam_error *error) {
  enum { MOST_THREADS = 16, BYTES_A_THREAD = 32 << 20 };
  am_thread threads[MOST_THREADS];
  size_t n_threads = 0;
  uint64_t bytes = 0;
  builders b = {.loader = loader};
  for (size_t i = 0; i < loader->n_prequants; i++) bytes += loader->prequants[i].file_bytes;
  size_t wanted = bytes / BYTES_A_THREAD < MOST_THREADS ? (size_t)(bytes / BYTES_A_THREAD) : MOST_THREADS;
  if (wanted > 0) { /* beside this one */
    size_t others = (size_t)am_cpu_count() - 1;
    if (wanted > others) wanted = others;
  }
  if (!am_mutex_open(&b.mutex)) return am_fail_memory(error, loader->file);
  while (n_threads < wanted && am_thread_start(&threads[n_threads], build_some, &b)) n_threads++;
  (void)build_some(&b);
  for (size_t i = 0; i < n_threads; i++) am_thread_join(&threads[i]);
  am_mutex_close(&b.mutex);
  if (b.status && error) *error = b.error;
  return b.status;
}

adam_status am_prequant_compose(am_loader *loader, bool build, adam_error *error) {
  const am_prequant_ops *ops = ops_of(loader->scheme.method);
  size_t n_kept = 0, n_codes = 0, n_base;
  if (!ops) return ADAM_OK;
  for (size_t i = 0; i < loader->n_tensors; i++)
    n_codes += ops->is_codes(loader, loader->tensors[i], &n_base);
  const am_tensor **kept = am_arena_alloc(&loader->arena, (loader->n_tensors + 1) * sizeof *kept);
  loader->prequants = am_arena_zalloc(&loader->arena, n_codes + 1, sizeof *loader->prequants);
  if (!kept || !loader->prequants) return am_fail_memory(error, loader->file);
  adam_status status = plan_all(loader, ops, kept, &n_kept, error);
  if (!status) status = replace_table(loader, kept, n_kept, error);
  if (!status && build) status = build_all(loader, error);
  return status;
}

static void close_one(am_prequant *p) {
  for (uint32_t i = 0; i < p->n_owned; i++) am_mem_free(p->owned[i]);
}

void am_prequant_close(am_loader *loader) {
  for (size_t i = 0; i < loader->n_prequants; i++) close_one(&loader->prequants[i]);
}

/* A copy of the plan with data of its own: the loader stays as it is. */
struct am_loader_built {
  am_prequant weight;
};

adam_status am_loader_build(const am_loader *loader, const char *name, am_loader_built **out, adam_error *error) {
  const am_tensor *tensor = am_loader_find(loader, name);
  const am_prequant *planned = NULL;
  if (tensor && am_dtype_is_scaled(tensor->dtype)) planned = (const am_prequant *)tensor; /* its first member */
  if (!planned || planned->rows)
    return am_fail(error, ADAM_INVALID, loader->file, NULL, "%s is no weight that must be built", name);
  am_loader_built *built = am_mem_zalloc(1, sizeof *built);
  if (!built) return am_fail_memory(error, name);
  built->weight = *planned;
  adam_status status = build_one(&built->weight, error);
  if (status) am_loader_built_close(&built);
  else *out = built;
  return status;
}

const void *am_loader_built_data(const am_loader_built *built) { return built->weight.tensor.data; }

void am_loader_built_close(am_loader_built **built) {
  const am_tensor *parts[MOST_PARTS];
  if (!built || !*built) return;
  parts_of(&(*built)->weight, parts);
  for (size_t i = 0; i < MOST_PARTS; i++)
    if (parts[i]) am_file_map_release(parts[i]->data, (size_t)parts[i]->n_bytes);
  close_one(&(*built)->weight);
  am_mem_free(*built);
  *built = NULL;
}

/* For the methods. */

const am_tensor *am_prequant_part(const am_loader *loader, const char *base, const char *ending) {
  char name[512];
  int n = snprintf(name, sizeof name, "%s%s", base, ending);
  return n > 0 && (size_t)n < sizeof name ? am_loader_find(loader, name) : NULL;
}

adam_status am_prequant_need(const am_prequant *p, const am_loader *loader, const char *base,
                             const char *ending, const am_tensor **out, adam_error *error) {
  const am_tensor *tensor = am_prequant_part(loader, base, ending);
  if (!tensor)
    return am_fail(error, ADAM_DAMAGED, p->file, "the file is damaged or incomplete: download it again",
                   "tensor %s%s is missing: without it %s cannot be read", base, ending, p->codes->name);
  *out = tensor;
  return ADAM_OK;
}

adam_status am_prequant_shape(const am_prequant *p, const am_tensor *tensor, uint32_t n_dims, uint64_t first,
                              uint64_t second, adam_error *error) {
  const uint64_t shape[2] = {first, second};
  if (tensor->n_dims == n_dims && (n_dims < 1 || tensor->shape[0] == first) &&
      (n_dims < 2 || tensor->shape[1] == second))
    return ADAM_OK;
  char found[160], expected[160];
  am_tensor_shape_text(tensor->n_dims, tensor->shape, found, sizeof found);
  am_tensor_shape_text(n_dims, shape, expected, sizeof expected);
  return am_fail(error, ADAM_DAMAGED, p->file, NULL, "tensor %s has the shape %s, expected %s", tensor->name,
                 found, expected);
}

adam_status am_prequant_dtype(const am_prequant *p, const am_tensor *tensor, am_dtype expected,
                              adam_error *error) {
  if (tensor->dtype == expected) return ADAM_OK;
  return am_fail(error, ADAM_DAMAGED, p->file, NULL, "tensor %s has the type %s, expected %s", tensor->name,
                 am_dtype_info(tensor->dtype)->name, am_dtype_info(expected)->name);
}

adam_status am_prequant_matrix(am_prequant *p, am_dtype dtype, uint64_t n_out, uint64_t n_in,
                               adam_error *error) {
  if (n_out == 0 || n_in == 0 || n_out > INT32_MAX || n_in > INT32_MAX)
    return am_fail(error, ADAM_DAMAGED, p->file, NULL,
                   "tensor %s stands for a matrix of (%" PRIu64 ", %" PRIu64 ")", p->codes->name, n_out,
                   n_in);
  p->tensor.dtype = dtype;
  p->tensor.n_dims = 2;
  p->tensor.shape[0] = p->n_rows = n_out;
  p->tensor.shape[1] = p->n_in = n_in;
  return ADAM_OK;
}

adam_status am_prequant_alloc(am_prequant *p, uint64_t count, size_t size, void *out, adam_error *error) {
  uint64_t bytes;
  void *memory = NULL;
  if (p->n_owned < AM_PREQUANT_MAX_OWNED && am_u64_mul(count, size, &bytes) && bytes <= SIZE_MAX)
    memory = am_mem_zalloc((size_t)count, size);
  if (!memory) return am_fail_memory(error, p->tensor.name);
  p->owned[p->n_owned++] = memory;
  p->owned_bytes += bytes;
  memcpy(out, &memory, sizeof memory);
  return ADAM_OK;
}

static float load_e8m0(uint8_t code) { /* 2^(code - 127); 255 is NaN */
  uint32_t bits = code == 255 ? 0x7FC00000u : code == 0 ? 0x00400000u : (uint32_t)code << 23;
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

float am_prequant_number(const am_tensor *tensor, uint64_t i) {
  const uint8_t *at = (const uint8_t *)tensor->data + i * am_dtype_info(tensor->dtype)->block_bytes;
  uint16_t half = 0;
  int32_t whole = 0;
  double real = 0;
  float value = 0;
  switch (tensor->dtype) {
    case AM_DTYPE_F32:
      memcpy(&value, at, sizeof value);
      return value;
    case AM_DTYPE_F64:
      memcpy(&real, at, sizeof real);
      return (float)real;
    case AM_DTYPE_F16:
      memcpy(&half, at, sizeof half);
      return am_f16_to_f32(half);
    case AM_DTYPE_BF16:
      memcpy(&half, at, sizeof half);
      return am_bf16_to_f32(half);
    case AM_DTYPE_F8_E4M3:
      return am_e4m3_to_f32(*at);
    case AM_DTYPE_F8_E8M0:
    case AM_DTYPE_U8: /* where scales are bytes they are E8M0 */
      return load_e8m0(*at);
    case AM_DTYPE_I8:
      return (float)(int8_t)*at;
    case AM_DTYPE_I32:
      memcpy(&whole, at, sizeof whole);
      return (float)whole;
    default:
      return 0;
  }
}

static bool is_number(am_dtype dtype) {
  return dtype <= AM_DTYPE_F64 || dtype == AM_DTYPE_F8_E4M3 || dtype == AM_DTYPE_F8_E8M0 ||
         dtype == AM_DTYPE_U8 || dtype == AM_DTYPE_I8 || dtype == AM_DTYPE_I32;
}

adam_status am_prequant_floats(am_prequant *p, const am_tensor *tensor, uint64_t n, const float **out,
                               adam_error *error) {
  uint64_t n_found;
  float *copy = NULL;
  if (!is_number(tensor->dtype) || !am_tensor_elements(tensor, &n_found) || n_found != n) {
    char found[160];
    am_tensor_shape_text(tensor->n_dims, tensor->shape, found, sizeof found);
    return am_fail(error, ADAM_DAMAGED, p->file, NULL,
                   "tensor %s of %s has the shape %s, expected %" PRIu64 " numbers", tensor->name,
                   am_dtype_info(tensor->dtype)->name, found, n);
  }
  if (tensor->dtype == AM_DTYPE_F32 && (uintptr_t)tensor->data % sizeof(float) == 0) {
    *out = tensor->data;
    return ADAM_OK;
  }
  adam_status status = am_prequant_alloc(p, n, sizeof *copy, &copy, error);
  if (status) return status;
  for (uint64_t i = 0; i < n; i++) copy[i] = am_prequant_number(tensor, i);
  *out = copy;
  return ADAM_OK;
}

adam_status am_prequant_map(am_prequant *p, uint64_t n_groups, adam_error *error) {
  uint32_t *groups = NULL;
  bool plain = true;
  if (!p->map) return ADAM_OK;
  adam_status status = am_prequant_dtype(p, p->map, AM_DTYPE_I32, error);
  if (!status) status = am_prequant_shape(p, p->map, 1, p->n_in, 0, error);
  if (!status) status = am_prequant_alloc(p, p->n_in, sizeof *groups, &groups, error);
  if (status) return status;
  for (uint64_t i = 0; i < p->n_in; i++) {
    memcpy(&groups[i], (const uint8_t *)p->map->data + 4 * i, 4);
    if (groups[i] >= n_groups)
      return am_fail(error, ADAM_DAMAGED, p->file, NULL,
                     "tensor %s: column %" PRIu64 " has the group %" PRId32 ", expected 0 to %" PRIu64,
                     p->map->name, i, (int32_t)groups[i], n_groups - 1);
    plain = plain && groups[i] == i / p->group;
  }
  if (!plain) p->layout.group_of = groups;
  return ADAM_OK;
}

void am_prequant_one_zero(am_prequant *p, const float **zeros, uint64_t n) {
  for (uint64_t i = 1; i < n; i++)
    if ((*zeros)[i] != (*zeros)[0]) return;
  p->layout.zero = (*zeros)[0];
  *zeros = NULL;
}

/* Groups that kernels cannot take in whole vectors get a map, which any group size can have. */
static adam_status map_odd_groups(am_prequant *p, adam_error *error) {
  uint32_t *groups = NULL;
  if (p->layout.group_of || p->layout.uneven || p->group % 32 == 0 || p->group >= p->n_in) return ADAM_OK;
  adam_status status = am_prequant_alloc(p, p->n_in, sizeof *groups, &groups, error);
  if (status) return status;
  for (uint64_t i = 0; i < p->n_in; i++) groups[i] = (uint32_t)(i / p->group);
  p->layout.group_of = groups;
  return ADAM_OK;
}

adam_status am_prequant_rows(am_prequant *p, const uint8_t *codes, uint64_t code_bytes, const float *scales,
                             const float *zeros, uint64_t n_groups, uint64_t block_rows, adam_error *error) {
  adam_status status = am_prequant_alloc(p, p->n_rows, sizeof *p->rows, &p->rows, error);
  p->layout.group = p->group;
  p->layout.n_groups = (uint32_t)n_groups;
  if (!status) status = map_odd_groups(p, error);
  for (uint64_t r = 0; r < p->n_rows && !status; r++) {
    uint64_t first = block_rows ? r / block_rows * n_groups : 0;
    p->rows[r] = (am_scaled_row){.codes = codes + r * code_bytes,
                                 .scales = scales + first,
                                 .zeros = zeros ? zeros + first : NULL,
                                 .layout = &p->layout};
  }
  return status;
}
