/* SPDX-License-Identifier: Apache-2.0 */
/* bitsandbytes. 4 bits (NF4, FP4): the matrix is one long row of codes, high nibble first, in blocks that may
 * cross the rows; y = quant_map[code] * absmax[block]. With double quantisation absmax is bytes itself:
 * absmax = nested_quant_map[byte] * nested_absmax[byte's block] + nested_offset. 8 bits (LLM.int8): y = code
 * * SCB[row] / 127; the rounding of activations that the original does is a detail of its kernel, not done
 * here. Sources: bitsandbytes/functional.py (QuantState, dequantize_4bit, int8_vectorwise_dequant). */
#include <inttypes.h>
#include <string.h>

#include "loader/prequant/prequant.h"

static const char nf4_state[] = ".quant_state.bitsandbytes__nf4",
                  fp4_state[] = ".quant_state.bitsandbytes__fp4";
static const char scb_ending[] = ".SCB", weight_ending[] = ".weight";
static const char *const parts[] = {".absmax", ".quant_map", ".nested_absmax", ".nested_quant_map",
                                    nf4_state, fp4_state,    ".SCB",           ".weight_format",
                                    NULL};

/* "NAME.weight" has its SCB beside it, as "NAME.SCB". */
static size_t without_weight(const char *name) {
  size_t n = strlen(name), n_ending = sizeof weight_ending - 1;
  return n > n_ending && strcmp(name + n - n_ending, weight_ending) == 0 ? n - n_ending : n;
}

static bool is_codes(const am_loader *loader, const am_tensor *tensor, size_t *base) {
  *base = strlen(tensor->name);
  if (tensor->dtype == AM_DTYPE_I8) return tensor->n_dims == 2;
  return am_prequant_part(loader, tensor->name, ".absmax") ||
         am_prequant_part(loader, tensor->name, nf4_state) ||
         am_prequant_part(loader, tensor->name, fp4_state);
}

/* 8 bits. */

static adam_status build_int8(am_prequant *p, adam_error *error) {
  float *scales;
  adam_status status = am_prequant_alloc(p, p->n_rows, sizeof *scales, &scales, error);
  if (status) return status;
  /* the reference multiplies by this rounding of 1/127 as well */
  for (uint64_t r = 0; r < p->n_rows; r++)
    scales[r] = am_prequant_number(p->scales, r) * 7.874015718698502e-3f;
  return am_prequant_rows(p, p->codes->data, p->n_in, scales, NULL, 1, 1, error);
}

static adam_status plan_int8(am_prequant *p, const am_loader *loader, const char *base, adam_error *error) {
  char name[512] = "";
  size_t n = without_weight(base);
  if (n < sizeof name) memcpy(name, base, n);
  adam_status status = am_prequant_need(p, loader, name, scb_ending, &p->scales, error);
  if (!status)
    status = am_prequant_matrix(p, AM_DTYPE_SCALED_I8, p->codes->shape[0], p->codes->shape[1], error);
  if (!status) status = am_prequant_dtype(p, p->scales, AM_DTYPE_F32, error);
  uint64_t n_scales;
  if (!status && (!am_tensor_elements(p->scales, &n_scales) || n_scales != p->n_rows))
    status = am_prequant_shape(p, p->scales, 1, p->n_rows, 0, error);
  const am_tensor *format = am_prequant_part(loader, name, ".weight_format");
  if (!status && format && format->dtype == AM_DTYPE_U8 && format->n_bytes >= 1 &&
      *(const uint8_t *)format->data != 0)
    status = am_fail(error, ADAM_UNSUPPORTED, p->file, NULL,
                     "tensor %s is %u: only weights in rows (0) are supported", format->name,
                     *(const uint8_t *)format->data);
  p->group = (uint32_t)p->n_in;
  p->build = build_int8;
  return status;
}

/* 4 bits. */

/* (ceil(elements / blocksize)) float32, as stored or out of double quantisation. */
static adam_status read_absmax(am_prequant *p, uint64_t n_blocks, const float **out, adam_error *error) {
  float *absmax, nested_table[256];
  if (!p->nested_scales) return am_prequant_floats(p, p->scales, n_blocks, out, error);
  adam_status status = am_prequant_alloc(p, n_blocks, sizeof *absmax, &absmax, error);
  if (status) return status;
  for (uint64_t i = 0; i < 256; i++) nested_table[i] = am_prequant_number(p->nested_table, i);
  for (uint64_t i = 0; i < n_blocks; i++)
    absmax[i] = nested_table[((const uint8_t *)p->scales->data)[i]] *
                    am_prequant_number(p->nested_scales, i / p->nested_group) +
                p->nested_offset;
  *out = absmax;
  return ADAM_OK;
}

/* Rows that begin within a block. Where they still begin at whole units of 32 columns, each unit gets a scale
 * of its own: then kernels need not know. */
static adam_status crossing_rows(am_prequant *p, const float *absmax, adam_error *error) {
  enum { UNIT = 32 };
  if (p->n_in % UNIT == 0 && p->group % UNIT == 0) {
    float *scales;
    uint64_t n_units = p->n_rows * (p->n_in / UNIT);
    adam_status status = am_prequant_alloc(p, n_units, sizeof *scales, &scales, error);
    if (status) return status;
    for (uint64_t i = 0; i < n_units; i++) scales[i] = absmax[i * UNIT / p->group];
    p->group = UNIT;
    return am_prequant_rows(p, p->codes->data, p->n_in / 2, scales, NULL, p->n_in / UNIT, 1, error);
  }
  p->layout.uneven = true;
  adam_status status = am_prequant_rows(p, p->codes->data, 0, absmax, NULL, 0, 0, error);
  for (uint64_t r = 0; r < p->n_rows && !status; r++) {
    uint64_t first = r * p->n_in;
    p->rows[r].codes += first / 2;
    p->rows[r].skip = (uint32_t)(first % 2);
    p->rows[r].scales += first / p->group;
    p->rows[r].offset = (uint32_t)(first % p->group);
  }
  return status;
}

static adam_status build_4bit(am_prequant *p, adam_error *error) {
  const float *absmax;
  uint64_t n_blocks = (p->n_rows * p->n_in + p->group - 1) / p->group;
  adam_status status = read_absmax(p, n_blocks, &absmax, error);
  if (status) return status;
  for (uint64_t i = 0; i < 16; i++) p->layout.table[i] = am_prequant_number(p->table, i);
  p->layout.high_first = true;
  if (p->n_in % p->group != 0) return crossing_rows(p, absmax, error);
  return am_prequant_rows(p, p->codes->data, p->n_in / 2, absmax, NULL, p->n_in / p->group, 1, error);
}

static adam_status bad_state(const am_prequant *p, const am_tensor *state, const char *why,
                             adam_error *error) {
  return am_fail(error, ADAM_DAMAGED, p->file, NULL, "tensor %s: %s", state->name, why);
}

/* {"quant_type", "blocksize", "dtype", "shape": [out, in], "nested_blocksize", "nested_dtype",
 * "nested_offset"} */
static adam_status read_state(am_prequant *p, const am_tensor *state, const am_json *json,
                              adam_error *error) {
  const am_json *shape = am_json_get(json, "shape");
  const char *type = am_json_str(am_json_get(json, "quant_type"), "");
  int64_t block = am_json_int(am_json_get(json, "blocksize"), 0);
  int64_t n_out = am_json_int(am_json_at(shape, 0), 0), n_in = am_json_int(am_json_at(shape, 1), 0);
  int64_t nested = am_json_int(am_json_get(json, "nested_blocksize"), 256);
  double offset = am_json_real(am_json_get(json, "nested_offset"), 0);
  if (strcmp(type, "nf4") != 0 && strcmp(type, "fp4") != 0)
    return am_fail(error, ADAM_UNSUPPORTED, p->file, NULL, "tensor %s: quant_type '%s' is not supported",
                   state->name, type);
  if (block < 1 || block > 1 << 24) return bad_state(p, state, "blocksize is not from 1 to 2^24", error);
  if (nested < 1 || nested > 1 << 24)
    return bad_state(p, state, "nested_blocksize is not from 1 to 2^24", error);
  if (!shape || shape->type != AM_JSON_ARRAY || shape->n != 2 || n_out < 1 || n_in < 1)
    return bad_state(p, state, "shape is not two sizes of a matrix", error);
  p->group = (uint32_t)block;
  p->nested_group = (uint32_t)nested;
  p->nested_offset = (float)offset;
  return am_prequant_matrix(p, AM_DTYPE_SCALED_T4, (uint64_t)n_out, (uint64_t)n_in, error);
}

static adam_status parse_state(am_prequant *p, const am_tensor *state, adam_error *error) {
  enum { MOST_BYTES = 1 << 16 };
  am_arena arena = {.limit_bytes = 16 * MOST_BYTES};
  am_json json;
  if (state->dtype != AM_DTYPE_U8 || state->n_bytes > MOST_BYTES)
    return bad_state(p, state, "it is not a short text of bytes", error);
  adam_status status =
      am_json_parse(state->data, (size_t)state->n_bytes, state->name, 0, &arena, &json, error);
  if (status == ADAM_LIMIT) status = bad_state(p, state, "its JSON is too large", error);
  if (!status) status = read_state(p, state, &json, error);
  am_arena_close(&arena);
  return status;
}

/* A tensor of n numbers of one type. */
static adam_status check_numbers(const am_prequant *p, const am_tensor *tensor, am_dtype dtype, uint64_t n,
                                 adam_error *error) {
  uint64_t n_found;
  adam_status status = am_prequant_dtype(p, tensor, dtype, error);
  if (status) return status;
  if (am_tensor_elements(tensor, &n_found) && n_found == n) return ADAM_OK;
  return am_prequant_shape(p, tensor, 1, n, 0, error);
}

static adam_status plan_nested(am_prequant *p, const am_loader *loader, const char *base, uint64_t n_blocks,
                               adam_error *error) {
  adam_status status = check_numbers(p, p->scales, AM_DTYPE_U8, n_blocks, error);
  if (!status) status = am_prequant_need(p, loader, base, ".nested_absmax", &p->nested_scales, error);
  if (!status) status = am_prequant_need(p, loader, base, ".nested_quant_map", &p->nested_table, error);
  if (!status) status = check_numbers(p, p->nested_table, AM_DTYPE_F32, 256, error);
  if (status) return status;
  return check_numbers(p, p->nested_scales, AM_DTYPE_F32, (n_blocks + p->nested_group - 1) / p->nested_group,
                       error);
}

static adam_status plan_4bit(am_prequant *p, const am_loader *loader, const char *base, adam_error *error) {
  const am_tensor *state = am_prequant_part(loader, base, fp4_state);
  adam_status status = ADAM_OK;
  if (!state) status = am_prequant_need(p, loader, base, nf4_state, &state, error);
  if (!status) status = am_prequant_need(p, loader, base, ".absmax", &p->scales, error);
  if (!status) status = am_prequant_need(p, loader, base, ".quant_map", &p->table, error);
  if (!status) status = parse_state(p, state, error);
  if (!status) status = check_numbers(p, p->table, AM_DTYPE_F32, 16, error);
  if (status) return status;
  uint64_t n = p->n_rows * p->n_in, n_blocks = (n + p->group - 1) / p->group;
  if (p->codes->n_bytes != (n + 1) / 2) /* of any type: bnb_4bit_quant_storage */
    return am_fail(error, ADAM_DAMAGED, p->file, NULL,
                   "tensor %s has %" PRIu64 " bytes, expected %" PRIu64 " for (%" PRIu64 ", %" PRIu64
                   ") of 4 bits",
                   p->codes->name, p->codes->n_bytes, (n + 1) / 2, p->n_rows, p->n_in);
  p->build = build_4bit;
  if (p->scales->dtype == AM_DTYPE_U8) return plan_nested(p, loader, base, n_blocks, error);
  return check_numbers(p, p->scales, AM_DTYPE_F32, n_blocks, error);
}

static adam_status plan(am_prequant *p, const am_loader *loader, const char *base, adam_error *error) {
  bool is_int8 = p->codes->dtype == AM_DTYPE_I8 && !am_prequant_part(loader, base, ".absmax");
  return is_int8 ? plan_int8(p, loader, base, error) : plan_4bit(p, loader, base, error);
}

const am_prequant_ops am_prequant_bitsandbytes = {
    .is_codes = is_codes, .parts = parts, .weight = "", .plan = plan};
