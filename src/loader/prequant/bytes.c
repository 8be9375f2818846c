/* SPDX-License-Identifier: Apache-2.0 */
/* Weights of one byte each, and the grids of scales that go with rows of any codes. The codes stay in the
 * file. Methods: "fp8" of transformers (scale by blocks, as DeepSeek and Qwen publish; source:
 * integrations/finegrained_fp8.py), "fbgemm_fp8" (a scale for each row), and those of compressed-tensors. */
#include <inttypes.h>
#include <string.h>

#include "loader/prequant/prequant.h"

static uint64_t parts_of(uint64_t n, uint64_t size) { return (n + size - 1) / size; }

/* Columns in each of n_groups: what the config says, where it fits, else equal shares. */
static uint32_t group_size(const am_prequant *p, uint64_t n_groups) {
  for (uint32_t i = 0; i < p->scheme->n_groups; i++) {
    uint32_t size = p->scheme->groups[i].group_size;
    if (size > 0 && parts_of(p->n_in, size) == n_groups) return size;
  }
  return (uint32_t)parts_of(p->n_in, n_groups);
}

adam_status am_prequant_grid(am_prequant *p, uint32_t block_rows, uint32_t block_columns, uint64_t *n_groups,
                             adam_error *error) {
  const am_tensor *scales = p->scales;
  uint64_t n, rows = scales->n_dims > 0 ? scales->shape[0] : 1,
              columns = scales->n_dims == 2 ? scales->shape[1] : 1;
  *n_groups = columns;
  p->group = (uint32_t)p->n_in;
  p->block_rows = 1;
  if (am_tensor_elements(scales, &n) && n == 1) { /* one for all */
    p->block_rows = (uint32_t)p->n_rows;
    return ADAM_OK;
  }
  if (block_rows && scales->n_dims == 2 && rows == parts_of(p->n_rows, block_rows) &&
      columns == parts_of(p->n_in, block_columns)) {
    p->block_rows = block_rows;
    p->group = block_columns;
    return ADAM_OK;
  }
  if (scales->n_dims <= 2 && rows == p->n_rows && columns >= 1 && columns <= p->n_in) {
    p->group = group_size(p, columns);
    if (parts_of(p->n_in, p->group) == columns) return ADAM_OK;
  }
  char found[160];
  am_tensor_shape_text(scales->n_dims, scales->shape, found, sizeof found);
  return am_fail(error, ADAM_DAMAGED, p->file, NULL,
                 "tensor %s has the shape %s, expected scales of (%" PRIu64 ", %" PRIu64 ") weights",
                 scales->name, found, p->n_rows, p->n_in);
}

static adam_status build_bytes(am_prequant *p, adam_error *error) {
  uint64_t n_groups = parts_of(p->n_in, p->group), n = parts_of(p->n_rows, p->block_rows) * n_groups;
  const float *scales, *zeros = NULL;
  adam_status status = am_prequant_floats(p, p->scales, n, &scales, error);
  if (!status && p->zeros) status = am_prequant_floats(p, p->zeros, n, &zeros, error);
  if (!status) status = am_prequant_map(p, n_groups, error);
  if (status) return status;
  if (zeros) am_prequant_one_zero(p, &zeros, n);
  return am_prequant_rows(p, p->codes->data, p->n_in, scales, zeros, n_groups, p->block_rows, error);
}

adam_status am_prequant_plan_bytes(am_prequant *p, uint32_t block_rows, uint32_t block_columns,
                                   adam_error *error) {
  uint64_t n_groups;
  am_dtype dtype = p->codes->dtype == AM_DTYPE_I8 ? AM_DTYPE_SCALED_I8 : AM_DTYPE_SCALED_F8;
  if (p->codes->n_dims != 2)
    return am_fail(error, ADAM_DAMAGED, p->file, NULL, "tensor %s has %u axes, expected 2", p->codes->name,
                   p->codes->n_dims);
  if (!am_dtype_is_float(p->scales->dtype) && p->scales->dtype != AM_DTYPE_F8_E8M0)
    return am_prequant_dtype(p, p->scales, AM_DTYPE_F32, error);
  adam_status status = am_prequant_matrix(p, dtype, p->codes->shape[0], p->codes->shape[1], error);
  if (!status) status = am_prequant_grid(p, block_rows, block_columns, &n_groups, error);
  if (!status && p->zeros) status = am_prequant_dtype(p, p->zeros, AM_DTYPE_I8, error);
  p->bits = 8;
  p->build = build_bytes;
  return status;
}

/* "fp8", "fbgemm_fp8". */

static const char *const parts[] = {".weight_scale_inv", ".weight_scale",   ".input_scale",
                                    ".activation_scale", ".input_scale_ub", NULL};

static bool is_codes(const am_loader *loader, const am_tensor *tensor, size_t *base) {
  static const char ending[] = ".weight";
  size_t n = strlen(tensor->name), n_ending = sizeof ending - 1;
  (void)loader;
  *base = n - n_ending;
  return tensor->dtype == AM_DTYPE_F8_E4M3 && n > n_ending && strcmp(tensor->name + *base, ending) == 0;
}

static adam_status plan(am_prequant *p, const am_loader *loader, const char *base, adam_error *error) {
  adam_status status = ADAM_OK;
  p->scales = am_prequant_part(loader, base, ".weight_scale");
  if (!p->scales) status = am_prequant_need(p, loader, base, ".weight_scale_inv", &p->scales, error);
  if (status) return status;
  return am_prequant_plan_bytes(p, p->scheme->block_rows, p->scheme->block_columns, error);
}

const am_prequant_ops am_prequant_fp8 = {
    .is_codes = is_codes, .parts = parts, .weight = ".weight", .plan = plan};
