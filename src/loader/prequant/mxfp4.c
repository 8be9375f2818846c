/* SPDX-License-Identifier: Apache-2.0 */
/* MXFP4 as gpt-oss is published: NAME_blocks uint8 (..., rows, n_in / 32, 16) with two E2M1 codes in a byte,
 * the low nibble first, and NAME_scales uint8 (..., rows, n_in / 32), E8M0. The axes in front (experts) stay:
 * row by row it is one long matrix. Source: transformers, integrations/mxfp4.py (convert_moe_packed_tensors).
 */
#include <inttypes.h>
#include <string.h>

#include "base/size.h"
#include "loader/prequant/prequant.h"

enum { GROUP = 32, BLOCK_BYTES = 16 };
static const char blocks_ending[] = "_blocks";
static const char *const parts[] = {"_scales", NULL};

static bool is_codes(const am_loader *loader, const am_tensor *tensor, size_t *base) {
  size_t n = strlen(tensor->name), n_ending = sizeof blocks_ending - 1;
  (void)loader;
  *base = n - n_ending;
  return n > n_ending && strcmp(tensor->name + *base, blocks_ending) == 0;
}

static adam_status build(am_prequant *p, adam_error *error) {
  static const float e2m1[16] = {0, .5f, 1, 1.5f, 2, 3, 4, 6, -0.0f, -.5f, -1, -1.5f, -2, -3, -4, -6};
  const float *scales;
  uint64_t n_groups = p->n_in / GROUP;
  adam_status status = am_prequant_floats(p, p->scales, p->n_rows * n_groups, &scales, error);
  if (status) return status;
  memcpy(p->layout.table, e2m1, sizeof e2m1);
  return am_prequant_rows(p, p->codes->data, n_groups * BLOCK_BYTES, scales, NULL, n_groups, 1, error);
}

static adam_status plan(am_prequant *p, const am_loader *loader, const char *base, adam_error *error) {
  uint32_t n_dims = p->codes->n_dims;
  const uint64_t *shape = p->codes->shape;
  uint64_t n_rows = 1;
  adam_status status = am_prequant_need(p, loader, base, "_scales", &p->scales, error);
  if (!status) status = am_prequant_dtype(p, p->codes, AM_DTYPE_U8, error);
  if (!status) status = am_prequant_dtype(p, p->scales, AM_DTYPE_U8, error);
  if (status) return status;
  bool fits =
      n_dims >= 3 && n_dims <= 4 && shape[n_dims - 1] == BLOCK_BYTES && p->scales->n_dims == n_dims - 1;
  for (uint32_t i = 0; fits && i < n_dims - 1; i++) fits = p->scales->shape[i] == shape[i];
  for (uint32_t i = 0; fits && i < n_dims - 2; i++) fits = am_u64_mul(n_rows, shape[i], &n_rows);
  if (!fits || shape[n_dims - 2] > INT32_MAX / GROUP)
    return am_fail(
        error, ADAM_DAMAGED, p->file, NULL,
        "tensors %s and %s do not fit together: expected (..., rows, groups, 16) and (..., rows, groups)",
        p->codes->name, p->scales->name);
  status = am_prequant_matrix(p, AM_DTYPE_SCALED_T4, n_rows, shape[n_dims - 2] * GROUP, error);
  if (status) return status;
  p->tensor.n_dims = n_dims - 1;
  for (uint32_t i = 0; i < n_dims - 2; i++) p->tensor.shape[i] = shape[i];
  p->tensor.shape[n_dims - 2] = p->n_in;
  p->group = GROUP;
  p->build = build;
  return ADAM_OK;
}

const am_prequant_ops am_prequant_mxfp4 = {.is_codes = is_codes, .parts = parts, .weight = "", .plan = plan};
