/* SPDX-License-Identifier: Apache-2.0 */
/* GPTQ (AutoGPTQ, GPTQModel) and AWQ (AutoAWQ, "gemm"): codes packed across the rows of the matrix that we
 * multiply, so they are repacked once, to 4 bits or to int8.
 * GPTQ: qweight (n_in bits / 32, n_out) int32: code i of column o is bits [i b, i b + b) of the words of
 * column o; qzeros (G, n_out bits / 32): likewise along a row; scales (G, n_out); g_idx (n_in): group of each
 * input. y[o][i] = scale[g][o] (code - zero[g][o]), where version 1 stores the zero less one. AWQ: qweight
 * (n_in, n_out / 8), qzeros (G, n_out / 8), scales (G, n_out): nibble k of word c is column 8 c + order[k]; y
 * = scale (code - zero). Sources: auto_gptq/nn_modules/qlinear (qlinear_cuda_old.py),
 * awq/utils/packing_utils.py. */
#include <inttypes.h>
#include <string.h>

#include "loader/prequant/prequant.h"

static const char qweight_ending[] = ".qweight";
static const char *const parts[] = {".qzeros", ".scales", ".g_idx", NULL};
enum { AWQ_BITS = 4, AWQ_COLUMNS = 8 };
/* Where column c of 8 stands in a word of AWQ: the inverse of 0 2 4 6 1 3 5 7. */
static const uint8_t awq_nibble[AWQ_COLUMNS] = {0, 4, 1, 5, 2, 6, 3, 7};

static bool is_codes(const am_loader *loader, const am_tensor *tensor, size_t *base) {
  size_t n = strlen(tensor->name), n_ending = sizeof qweight_ending - 1;
  (void)loader;
  *base = n - n_ending;
  return n > n_ending && strcmp(tensor->name + n - n_ending, qweight_ending) == 0;
}

/* Code i of output o. */
static inline uint32_t gptq_code(const am_prequant *p, uint64_t o, uint64_t i) {
  return am_prequant_bits((const uint8_t *)p->codes->data + 4 * o, p->n_rows, i * p->bits, p->bits);
}

static inline uint32_t awq_code(const am_tensor *tensor, uint64_t n_out, uint64_t row, uint64_t o) {
  const uint8_t *words = (const uint8_t *)tensor->data + row * (n_out / AWQ_COLUMNS) * 4;
  uint32_t word;
  memcpy(&word, words + o / AWQ_COLUMNS * 4, 4);
  return word >> (4 * awq_nibble[o % AWQ_COLUMNS]) & 15;
}

/* A square of codes at a time: what is read across is still in the cache when its neighbour is. */
enum { SIDE = 64 };

/* 32 bits of one output, as they are: 8 codes of 4 bits, or 4 of 8, low ones first. */
static void repack_words(const am_prequant *p, uint8_t *codes, uint64_t row_bytes, uint32_t flip) {
  const uint8_t *words = p->codes->data;
  uint64_t n_words = p->codes->shape[0];
  for (uint64_t w0 = 0; w0 < n_words; w0 += SIDE)
    for (uint64_t o0 = 0; o0 < p->n_rows; o0 += SIDE)
      for (uint64_t o = o0; o < o0 + SIDE && o < p->n_rows; o++)
        for (uint64_t w = w0; w < w0 + SIDE && w < n_words; w++) {
          uint32_t word;
          memcpy(&word, words + (w * p->n_rows + o) * 4, 4);
          word ^= flip;
          memcpy(codes + o * row_bytes + w * 4, &word, 4);
        }
}

/* Two bits or three to a nibble each. */
static void repack_few_bits(const am_prequant *p, uint8_t *codes, uint64_t row_bytes) {
  for (uint64_t i0 = 0; i0 < p->n_in; i0 += SIDE)
    for (uint64_t o = 0; o < p->n_rows; o++)
      for (uint64_t i = i0; i < i0 + SIDE && i < p->n_in; i++)
        codes[o * row_bytes + i / 2] |= (uint8_t)(gptq_code(p, o, i) << (4 * (i % 2)));
}

static void repack_awq(const am_prequant *p, uint8_t *codes, uint64_t row_bytes) {
  for (uint64_t i0 = 0; i0 < p->n_in; i0 += SIDE)
    for (uint64_t o = 0; o < p->n_rows; o++)
      for (uint64_t i = i0; i < i0 + SIDE && i < p->n_in; i++)
        codes[o * row_bytes + i / 2] |= (uint8_t)(awq_code(p->codes, p->n_rows, i, o) << (4 * (i % 2)));
}

/* scales (n_out, G) out of (G, n_out); zeros likewise, as the repacked codes count. */
static adam_status turn_scales(am_prequant *p, uint64_t n_groups, const float **scales_out,
                               const float **zeros_out, adam_error *error) {
  bool is_awq = p->scheme->method == AM_SCHEME_AWQ;
  uint64_t n = p->n_rows * n_groups, zero_bytes = is_awq ? 0 : p->zeros->shape[1] * 4;
  uint32_t mask = (1u << p->bits) - 1, less = p->scheme->zeros_less_one && !is_awq;
  float *scales, *zeros;
  adam_status status = am_prequant_alloc(p, n, sizeof *scales, &scales, error);
  if (!status) status = am_prequant_alloc(p, n, sizeof *zeros, &zeros, error);
  if (status) return status;
  for (uint64_t g = 0; g < n_groups; g++)
    for (uint64_t o = 0; o < p->n_rows; o++) {
      const uint8_t *row = (const uint8_t *)p->zeros->data + g * zero_bytes;
      uint32_t zero = is_awq ? awq_code(p->zeros, p->n_rows, g, o)
                             : (am_prequant_bits(row, 1, o * p->bits, p->bits) + less) & mask;
      scales[o * n_groups + g] = am_prequant_number(p->scales, g * p->n_rows + o);
      zeros[o * n_groups + g] = (float)zero - (p->bits == 8 ? 128.0f : 0.0f);
    }
  *scales_out = scales;
  *zeros_out = zeros;
  return ADAM_OK;
}

static adam_status build(am_prequant *p, adam_error *error) {
  uint64_t n_groups = p->scales->shape[0], row_bytes = p->bits == 8 ? p->n_in : (p->n_in + 1) / 2;
  uint8_t *codes;
  const float *scales, *zeros;
  adam_status status = am_prequant_alloc(p, p->n_rows, row_bytes, &codes, error);
  if (!status) status = turn_scales(p, n_groups, &scales, &zeros, error);
  if (!status) status = am_prequant_map(p, n_groups, error);
  if (status) return status;
  if (p->scheme->method == AM_SCHEME_AWQ)
    repack_awq(p, codes, row_bytes);
  else if (p->bits >= 4)
    repack_words(p, codes, row_bytes, p->bits == 8 ? 0x80808080u : 0);
  else
    repack_few_bits(p, codes, row_bytes);
  p->file_bytes -= p->codes->n_bytes; /* not looked at again */
  am_prequant_one_zero(p, &zeros, p->n_rows * n_groups);
  return am_prequant_rows(p, codes, row_bytes, scales, zeros, n_groups, 1, error);
}

/* scales (G, n_out) with as many groups as the group size makes of n_in columns, or as a map wants. */
static adam_status plan_groups(am_prequant *p, uint64_t n_out, uint64_t n_in, adam_error *error) {
  uint64_t group = p->scheme->group_size ? p->scheme->group_size : n_in,
           n_groups = (n_in + group - 1) / group;
  p->group = (uint32_t)group;
  if (!am_dtype_is_float(p->scales->dtype)) return am_prequant_dtype(p, p->scales, AM_DTYPE_F16, error);
  return am_prequant_shape(p, p->scales, 2, n_groups, n_out, error);
}

static adam_status find_parts(am_prequant *p, const am_loader *loader, const char *base, adam_error *error) {
  adam_status status = am_prequant_need(p, loader, base, ".scales", &p->scales, error);
  if (!status) status = am_prequant_need(p, loader, base, ".qzeros", &p->zeros, error);
  if (!status) status = am_prequant_dtype(p, p->codes, AM_DTYPE_I32, error);
  if (!status) status = am_prequant_dtype(p, p->zeros, AM_DTYPE_I32, error);
  if (status) return status;
  p->map = am_prequant_part(loader, base, ".g_idx");
  p->build = build;
  p->bits = p->scheme->bits;
  if (p->codes->n_dims == 2 && p->scales->n_dims == 2 && p->zeros->n_dims == 2) return ADAM_OK;
  return am_fail(error, ADAM_DAMAGED, p->file, NULL,
                 "tensor %s and its scales and qzeros have %u, %u and %u axes, expected 2", p->codes->name,
                 p->codes->n_dims, p->scales->n_dims, p->zeros->n_dims);
}

static adam_status plan_gptq(am_prequant *p, const am_loader *loader, const char *base, adam_error *error) {
  adam_status status = find_parts(p, loader, base, error);
  if (status) return status;
  uint64_t n_out = p->codes->shape[1];
  if (p->scheme->mixed_bits && n_out > 0) { /* "dynamic": the zeros tell */
    uint64_t bits = p->zeros->shape[1] * 32 / n_out;
    if (bits != 2 && bits != 3 && bits != 4 && bits != 8)
      return am_fail(error, ADAM_UNSUPPORTED, p->file, NULL,
                     "tensor %s has %" PRIu64 " bits, expected 2, 3, 4 or 8", p->codes->name, bits);
    p->bits = (uint32_t)bits;
  }
  uint64_t n_in = p->codes->shape[0] * 32 / p->bits;
  status = am_prequant_matrix(p, p->bits == 8 ? AM_DTYPE_SCALED_I8 : AM_DTYPE_SCALED_U4, n_out, n_in, error);
  if (!status) status = plan_groups(p, n_out, n_in, error);
  if (!status) status = am_prequant_shape(p, p->codes, 2, (n_in * p->bits + 31) / 32, n_out, error);
  if (status) return status;
  return am_prequant_shape(p, p->zeros, 2, p->scales->shape[0], (n_out * p->bits + 31) / 32, error);
}

static adam_status plan_awq(am_prequant *p, const am_loader *loader, const char *base, adam_error *error) {
  adam_status status = find_parts(p, loader, base, error);
  if (status) return status;
  uint64_t n_in = p->codes->shape[0], n_out = p->codes->shape[1];
  if (n_out > INT32_MAX) n_out = 0;
  n_out *= AWQ_COLUMNS;
  p->map = NULL;
  status = am_prequant_matrix(p, AM_DTYPE_SCALED_U4, n_out, n_in, error);
  if (!status) status = plan_groups(p, n_out, n_in, error);
  if (status) return status;
  return am_prequant_shape(p, p->zeros, 2, p->scales->shape[0], n_out / AWQ_COLUMNS, error);
}

const am_prequant_ops am_prequant_gptq = {
    .is_codes = is_codes, .parts = parts, .weight = ".weight", .plan = plan_gptq};
const am_prequant_ops am_prequant_awq = {
    .is_codes = is_codes, .parts = parts, .weight = ".weight", .plan = plan_awq};
