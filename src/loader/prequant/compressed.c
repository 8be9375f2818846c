/* SPDX-License-Identifier: Apache-2.0 */
/* compressed-tensors (llm-compressor). Which format a weight has, its tensors tell:
 * weight_packed int32 (pack-quantized): codes of b bits side by side along each row, with 2^(b-1) added;
 *   weight_shape; weight_scale; weight_zero_point packed down the columns; weight_g_idx.
 *   y = (code - 2^(b-1) - zero) scale.
 * weight_packed uint8 (nvfp4-, mxfp4-pack-quantized): E2M1, the low nibble first; weight_scale E4M3 by 16
 * inputs over weight_global_scale, or E8M0 by 32. weight int8 or E4M3 (int-, float-, naive-quantized):
 * weight_scale, weight_zero_point. Scales of activations are not used: activations are not rounded here.
 * Sources: compressed_tensors/compressors (pack_quantized, nvfp4, mxfp4, naive_quantized),
 * quantization/lifecycle. */
#include <inttypes.h>
#include <string.h>

#include "loader/prequant/prequant.h"

static const char packed_ending[] = ".weight_packed", weight_ending[] = ".weight";
static const char *const parts[] = {".weight_scale",
                                    ".weight_zero_point",
                                    ".weight_shape",
                                    ".weight_g_idx",
                                    ".weight_global_scale",
                                    ".input_scale",
                                    ".input_zero_point",
                                    ".input_global_scale",
                                    ".output_scale",
                                    ".output_zero_point",
                                    ".k_scale",
                                    ".v_scale",
                                    ".q_scale",
                                    NULL};

static bool ends_with(const char *name, const char *ending, size_t *base) {
  size_t n = strlen(name), n_ending = strlen(ending);
  *base = n - n_ending;
  return n > n_ending && strcmp(name + *base, ending) == 0;
}

static bool is_codes(const am_loader *loader, const am_tensor *tensor, size_t *base) {
  (void)loader;
  if (ends_with(tensor->name, packed_ending, base)) return true;
  return ends_with(tensor->name, weight_ending, base) && tensor->n_dims == 2 &&
         (tensor->dtype == AM_DTYPE_I8 || tensor->dtype == AM_DTYPE_F8_E4M3);
}

/* pack-quantized. */

/* Zeros (n_rows, n_groups) as the codes count: plain int8, or packed down each column. */
static adam_status read_zeros(am_prequant *p, uint64_t n_rows, uint64_t n_groups, const float **out,
                              adam_error *error) {
  float *zeros, half = (float)(1u << (p->bits - 1)), shift = p->bits > 4 ? 0 : half;
  adam_status status = am_prequant_alloc(p, n_rows * n_groups, sizeof *zeros, &zeros, error);
  if (status) return status;
  for (uint64_t r = 0; r < n_rows; r++)
    for (uint64_t g = 0; g < n_groups; g++) {
      float zero;
      if (p->zeros->dtype == AM_DTYPE_I8)
        zero = am_prequant_number(p->zeros, r * n_groups + g);
      else
        zero =
            (float)am_prequant_bits((const uint8_t *)p->zeros->data + 4 * g, n_groups, r * p->bits, p->bits) -
            half;
      zeros[r * n_groups + g] = zero + shift;
    }
  *out = zeros;
  return ADAM_OK;
}

/* Any number of bits to nibbles, or to int8. */
static adam_status repack(am_prequant *p, uint64_t packed_bytes, const uint8_t **codes, uint64_t *row_bytes,
                          adam_error *error) {
  uint8_t *to;
  bool bytes = p->bits > 4;
  *row_bytes = bytes ? p->n_in : (p->n_in + 1) / 2;
  adam_status status = am_prequant_alloc(p, p->n_rows, *row_bytes, &to, error);
  if (status) return status;
  for (uint64_t r = 0; r < p->n_rows; r++)
    for (uint64_t i = 0; i < p->n_in; i++) {
      uint32_t code =
          am_prequant_bits((const uint8_t *)p->codes->data + r * packed_bytes, 1, i * p->bits, p->bits);
      if (bytes)
        to[r * *row_bytes + i] = (uint8_t)(code - (1u << (p->bits - 1)));
      else
        to[r * *row_bytes + i / 2] |= (uint8_t)(code << (4 * (i % 2)));
    }
  *codes = to;
  p->file_bytes -= p->codes->n_bytes; /* not looked at again */
  return ADAM_OK;
}

static adam_status build_packed(am_prequant *p, adam_error *error) {
  uint64_t n_groups = (p->n_in + p->group - 1) / p->group,
           n_rows = (p->n_rows + p->block_rows - 1) / p->block_rows;
  uint64_t row_bytes = p->codes->shape[1] * 4;
  const uint8_t *codes = p->codes->data;
  const float *scales, *zeros = NULL;
  adam_status status = am_prequant_floats(p, p->scales, n_rows * n_groups, &scales, error);
  if (!status && p->zeros) status = read_zeros(p, n_rows, n_groups, &zeros, error);
  if (!status) status = am_prequant_map(p, n_groups, error);
  if (!status && p->bits != 4) status = repack(p, row_bytes, &codes, &row_bytes, error);
  if (status) return status;
  p->layout.zero = p->bits > 4 ? 0 : (float)(1u << (p->bits - 1));
  if (zeros) am_prequant_one_zero(p, &zeros, n_rows * n_groups);
  return am_prequant_rows(p, codes, row_bytes, scales, zeros, n_groups, p->block_rows, error);
}

static uint64_t words_of(uint64_t n, uint32_t bits) { return (n * bits + 31) / 32; }

/* The integer group whose bits make rows of this many words. */
static adam_status find_bits(am_prequant *p, uint64_t n_in, adam_error *error) {
  for (uint32_t i = 0; i < p->scheme->n_groups; i++) {
    const am_scheme_group *g = &p->scheme->groups[i];
    if (g->is_float || words_of(n_in, g->bits) != p->codes->shape[1]) continue;
    p->bits = g->bits;
    return ADAM_OK;
  }
  return am_fail(error, ADAM_DAMAGED, p->file, NULL,
                 "tensor %s has %" PRIu64 " words a row, which no num_bits of config_groups makes of %" PRIu64
                 " inputs",
                 p->codes->name, p->codes->shape[1], n_in);
}

static adam_status read_shape(const am_prequant *p, const am_tensor *shape, uint64_t out[2],
                              adam_error *error) {
  bool known = shape->dtype == AM_DTYPE_I64 || shape->dtype == AM_DTYPE_I32;
  if (!known) return am_prequant_dtype(p, shape, AM_DTYPE_I64, error);
  adam_status status = am_prequant_shape(p, shape, 1, 2, 0, error);
  if (status) return status;
  for (uint64_t i = 0; i < 2; i++) {
    int64_t wide = 0;
    int32_t narrow = 0;
    if (shape->dtype == AM_DTYPE_I64) {
      memcpy(&wide, (const uint8_t *)shape->data + 8 * i, 8);
    } else {
      memcpy(&narrow, (const uint8_t *)shape->data + 4 * i, 4);
      wide = narrow;
    }
    if (wide < 1 || wide > INT32_MAX)
      return am_fail(error, ADAM_DAMAGED, p->file, NULL,
                     "tensor %s holds %" PRId64 ", expected a size of a matrix", shape->name, wide);
    out[i] = (uint64_t)wide;
  }
  return ADAM_OK;
}

/* A map that has nothing but -1 says that there is none. */
static bool is_real_map(const am_tensor *map) {
  int32_t first = 0;
  if (map->dtype == AM_DTYPE_I32 && map->n_bytes >= sizeof first) memcpy(&first, map->data, sizeof first);
  return first != -1;
}

static adam_status plan_zeros(am_prequant *p, uint64_t n_groups, adam_error *error) {
  uint64_t n_rows = (p->n_rows + p->block_rows - 1) / p->block_rows, n;
  if (!p->zeros) return ADAM_OK;
  if (p->zeros->dtype == AM_DTYPE_I8) {
    if (am_tensor_elements(p->zeros, &n) && n == n_rows * n_groups) return ADAM_OK;
    return am_prequant_shape(p, p->zeros, 2, n_rows, n_groups, error);
  }
  adam_status status = am_prequant_dtype(p, p->zeros, AM_DTYPE_I32, error);
  return status ? status : am_prequant_shape(p, p->zeros, 2, words_of(n_rows, p->bits), n_groups, error);
}

static adam_status plan_packed(am_prequant *p, const am_loader *loader, const char *base, adam_error *error) {
  const am_tensor *shape;
  uint64_t size[2] = {0, 0}, n_groups;
  adam_status status = am_prequant_need(p, loader, base, ".weight_shape", &shape, error);
  if (!status) status = read_shape(p, shape, size, error);
  if (!status && p->codes->n_dims != 2)
    status = am_fail(error, ADAM_UNSUPPORTED, p->file, NULL, "tensor %s has %u axes, only 2 are supported",
                     p->codes->name, p->codes->n_dims);
  if (!status) status = find_bits(p, size[1], error);
  if (!status)
    status =
        am_prequant_matrix(p, p->bits > 4 ? AM_DTYPE_SCALED_I8 : AM_DTYPE_SCALED_U4, size[0], size[1], error);
  if (!status) status = am_prequant_shape(p, p->codes, 2, size[0], words_of(size[1], p->bits), error);
  if (!status) status = am_prequant_grid(p, 0, 0, &n_groups, error);
  if (!status && !am_dtype_is_float(p->scales->dtype))
    status = am_prequant_dtype(p, p->scales, AM_DTYPE_BF16, error);
  if (status) return status;
  p->zeros = am_prequant_part(loader, base, ".weight_zero_point");
  p->map = am_prequant_part(loader, base, ".weight_g_idx");
  if (p->map && !is_real_map(p->map)) p->map = NULL;
  p->build = build_packed;
  return plan_zeros(p, n_groups, error);
}

/* nvfp4-pack-quantized, mxfp4-pack-quantized. */

static adam_status build_fp4(am_prequant *p, adam_error *error) {
  static const float e2m1[16] = {0, .5f, 1, 1.5f, 2, 3, 4, 6, -0.0f, -.5f, -1, -1.5f, -2, -3, -4, -6};
  uint64_t n_groups = p->n_in / p->group, n = p->n_rows * n_groups;
  const float *stored;
  float *scales;
  adam_status status = am_prequant_floats(p, p->scales, n, &stored, error);
  if (!status && p->global_scale) {
    float global = am_prequant_number(p->global_scale, 0);
    status = am_prequant_alloc(p, n, sizeof *scales, &scales, error);
    for (uint64_t i = 0; i < n && !status; i++) scales[i] = stored[i] / global;
    if (!status) stored = scales;
  }
  if (status) return status;
  memcpy(p->layout.table, e2m1, sizeof e2m1);
  return am_prequant_rows(p, p->codes->data, p->n_in / 2, stored, NULL, n_groups, 1, error);
}

static adam_status plan_fp4(am_prequant *p, const am_loader *loader, const char *base, adam_error *error) {
  bool is_mx = p->scales->dtype == AM_DTYPE_U8 || p->scales->dtype == AM_DTYPE_F8_E8M0;
  if (p->codes->n_dims != 2 || p->codes->shape[1] > INT32_MAX / 2)
    return am_fail(error, ADAM_DAMAGED, p->file, NULL, "tensor %s is not a matrix", p->codes->name);
  adam_status status =
      am_prequant_matrix(p, AM_DTYPE_SCALED_T4, p->codes->shape[0], 2 * p->codes->shape[1], error);
  p->group = is_mx ? 32 : 16;
  p->build = build_fp4;
  if (!status && !is_mx) status = am_prequant_dtype(p, p->scales, AM_DTYPE_F8_E4M3, error);
  if (!status && p->n_in % p->group != 0)
    status =
        am_fail(error, ADAM_DAMAGED, p->file, NULL, "tensor %s has %" PRIu64 " inputs, not a multiple of %u",
                p->codes->name, p->n_in, p->group);
  if (!status) status = am_prequant_shape(p, p->scales, 2, p->n_rows, p->n_in / p->group, error);
  if (status || is_mx) return status;
  status = am_prequant_need(p, loader, base, ".weight_global_scale", &p->global_scale, error);
  if (!status) status = am_prequant_dtype(p, p->global_scale, AM_DTYPE_F32, error);
  uint64_t n = 0;
  if (!status && (!am_tensor_elements(p->global_scale, &n) || n != 1))
    status = am_prequant_shape(p, p->global_scale, 1, 1, 0, error);
  return status;
}

static adam_status plan(am_prequant *p, const am_loader *loader, const char *base, adam_error *error) {
  size_t unused;
  adam_status status = am_prequant_need(p, loader, base, ".weight_scale", &p->scales, error);
  if (status) return status;
  if (ends_with(p->codes->name, packed_ending, &unused)) {
    if (p->codes->dtype == AM_DTYPE_I32) return plan_packed(p, loader, base, error);
    if (p->codes->dtype == AM_DTYPE_U8) return plan_fp4(p, loader, base, error);
    return am_prequant_dtype(p, p->codes, AM_DTYPE_I32, error);
  }
  const am_scheme *s = p->scheme;
  uint32_t block_rows = 0, block_columns = 0;
  for (uint32_t i = 0; i < s->n_groups && !block_rows; i++) {
    block_rows = s->groups[i].block_rows;
    block_columns = s->groups[i].block_columns;
  }
  if (p->codes->dtype == AM_DTYPE_I8) p->zeros = am_prequant_part(loader, base, ".weight_zero_point");
  p->map = am_prequant_part(loader, base, ".weight_g_idx");
  if (p->map && !is_real_map(p->map)) p->map = NULL;
  return am_prequant_plan_bytes(p, block_rows, block_columns, error);
}

const am_prequant_ops am_prequant_compressed = {
    .is_codes = is_codes, .parts = parts, .weight = ".weight", .plan = plan};
