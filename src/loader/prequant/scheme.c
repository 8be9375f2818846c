/* SPDX-License-Identifier: Apache-2.0 */
#include "loader/prequant/scheme.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>

typedef struct reader {
  const am_json *config;
  const char *path;
  adam_error *error;
} reader;

/* An integer in [least, most]; absent or null: *out is left alone. */
static adam_status read_int(const reader *r, const am_json *object, const char *key, int64_t least,
                            int64_t most, int64_t *out) {
  const am_json *value = am_json_get(object, key);
  if (am_json_is_null(value)) return ADAM_OK;
  int64_t number = am_json_int(value, INT64_MIN);
  if (number < least || number > most)
    return am_fail(r->error, ADAM_DAMAGED, r->path, NULL,
                   "quantization: %s is not a whole number from %lld to %lld", key, (long long)least,
                   (long long)most);
  *out = number;
  return ADAM_OK;
}

static adam_status unsupported(const reader *r, const char *key, const char *value) {
  return am_fail(r->error, ADAM_UNSUPPORTED, r->path, NULL,
                 "weights quantised with %s '%s' are not supported", key, value);
}

static adam_status read_bitsandbytes(const reader *r, am_scheme *s) {
  if (am_json_bool(am_json_get(r->config, "load_in_8bit"), false) ||
      am_json_bool(am_json_get(r->config, "_load_in_8bit"), false)) {
    snprintf(s->name, sizeof s->name, "int8");
    return ADAM_OK;
  }
  const char *type = am_json_str(am_json_get(r->config, "bnb_4bit_quant_type"), "nf4");
  if (strcmp(type, "nf4") != 0 && strcmp(type, "fp4") != 0)
    return unsupported(r, "bnb_4bit_quant_type", type);
  snprintf(s->name, sizeof s->name, "%s", type);
  return ADAM_OK;
}

/* Bits and group size under the keys of AutoGPTQ and of AutoAWQ. */
static adam_status read_packed(const reader *r, const char *bits_key, const char *group_key, am_scheme *s) {
  int64_t bits = 4, group = 128;
  const char *other_bits = strcmp(bits_key, "bits") == 0 ? "w_bit" : "bits";
  const char *other_group = strcmp(group_key, "group_size") == 0 ? "q_group_size" : "group_size";
  adam_status status = read_int(r, r->config, other_bits, 1, 64, &bits);
  if (!status) status = read_int(r, r->config, bits_key, 1, 64, &bits);
  if (!status) status = read_int(r, r->config, other_group, -1, 1 << 24, &group);
  if (!status) status = read_int(r, r->config, group_key, -1, 1 << 24, &group);
  if (status) return status;
  s->bits = (uint32_t)bits;
  s->group_size = group > 0 ? (uint32_t)group : 0;
  return ADAM_OK;
}

static adam_status read_gptq(const reader *r, am_scheme *s) {
  const char *format = am_json_str(am_json_get(r->config, "checkpoint_format"), "gptq");
  const am_json *dynamic = am_json_get(r->config, "dynamic");
  adam_status status = read_packed(r, "bits", "group_size", s);
  if (status) return status;
  if (strcmp(format, "gptq") != 0 && strcmp(format, "gptq_v2") != 0)
    return unsupported(r, "GPTQ's checkpoint_format", format);
  if (am_json_bool(am_json_get(r->config, "is_marlin_format"), false))
    return unsupported(r, "GPTQ's checkpoint_format", "marlin");
  if (s->bits != 2 && s->bits != 3 && s->bits != 4 && s->bits != 8)
    return am_fail(r->error, ADAM_UNSUPPORTED, r->path, NULL,
                   "GPTQ with %u bits is not supported, only 2, 3, 4, 8", s->bits);
  s->zeros_less_one = strcmp(format, "gptq") == 0;
  s->mixed_bits = dynamic && dynamic->type == AM_JSON_OBJECT && dynamic->n > 0;
  snprintf(s->name, sizeof s->name, "gptq-%ubit", s->bits);
  return ADAM_OK;
}

static adam_status read_awq(const reader *r, am_scheme *s) {
  const char *version = am_json_str(am_json_get(r->config, "version"), "gemm");
  adam_status status = read_packed(r, "bits", "group_size", s);
  if (status) return status;
  if (strcasecmp(version, "gemm") != 0) return unsupported(r, "AWQ's version", version);
  if (s->bits != 4)
    return am_fail(r->error, ADAM_UNSUPPORTED, r->path, NULL, "AWQ with %u bits is not supported, only 4",
                   s->bits);
  snprintf(s->name, sizeof s->name, "awq-4bit");
  return ADAM_OK;
}

/* [rows, columns] of a block of scales; absent or null leaves both 0. */
static adam_status read_block(const reader *r, const am_json *object, const char *key, uint32_t *rows,
                              uint32_t *columns) {
  const am_json *block = am_json_get(object, key);
  if (am_json_is_null(block)) return ADAM_OK;
  int64_t n_rows = am_json_int(am_json_at(block, 0), 0), n_columns = am_json_int(am_json_at(block, 1), 0);
  if (block->type != AM_JSON_ARRAY || block->n != 2 || n_rows < 1 || n_columns < 1 || n_rows > 1 << 24 ||
      n_columns > 1 << 24)
    return am_fail(r->error, ADAM_DAMAGED, r->path, NULL, "quantization: %s is not two sizes of a block",
                   key);
  *rows = (uint32_t)n_rows;
  *columns = (uint32_t)n_columns;
  return ADAM_OK;
}

static adam_status read_group(const reader *r, const am_json *group, am_scheme *s) {
  const am_json *weights = am_json_get(group, "weights");
  if (am_json_is_null(weights)) return ADAM_OK; /* activations or the cache alone */
  if (s->n_groups == AM_SCHEME_MAX_GROUPS)
    return am_fail(r->error, ADAM_UNSUPPORTED, r->path, NULL, "quantization: more than %d config_groups",
                   AM_SCHEME_MAX_GROUPS);
  am_scheme_group *g = &s->groups[s->n_groups];
  int64_t bits = 8, group_size = 0;
  adam_status status = read_int(r, weights, "num_bits", 1, 64, &bits);
  if (!status) status = read_int(r, weights, "group_size", -1, 1 << 24, &group_size);
  if (status) return status;
  const char *type = am_json_str(am_json_get(weights, "type"), "int");
  g->bits = (uint32_t)bits;
  g->group_size = group_size > 0 ? (uint32_t)group_size : 0;
  g->is_float = strcmp(type, "float") == 0;
  if (!g->is_float && strcmp(type, "int") != 0) return unsupported(r, "compressed-tensors' type", type);
  if (g->is_float ? bits != 4 && bits != 8 : bits > 8)
    return am_fail(r->error, ADAM_UNSUPPORTED, r->path, NULL,
                   "compressed-tensors with num_bits %lld of type %s is not supported", (long long)bits,
                   type);
  status = read_block(r, weights, "block_structure", &g->block_rows, &g->block_columns);
  if (!status) s->n_groups++;
  return status;
}

static bool is_known_format(const char *format) {
  static const char *const known[] = {
      "dense",          "int-quantized",   "float-quantized",      "naive-quantized",
      "pack-quantized", "mixed-precision", "nvfp4-pack-quantized", "mxfp4-pack-quantized"};
  for (size_t i = 0; i < sizeof known / sizeof *known; i++)
    if (strcmp(format, known[i]) == 0) return true;
  return false;
}

static adam_status read_compressed(const reader *r, am_scheme *s) {
  const char *format = am_json_str(am_json_get(r->config, "format"), "dense");
  const char *sparse = am_json_str(am_json_path(r->config, "sparsity_config.format"), "dense");
  const am_json *groups = am_json_get(r->config, "config_groups");
  adam_status status = ADAM_OK;
  if (!is_known_format(format)) return unsupported(r, "compressed-tensors' format", format);
  if (strcmp(sparse, "dense") != 0) return unsupported(r, "compressed-tensors' sparsity", sparse);
  for (uint32_t i = 0; groups && groups->type == AM_JSON_OBJECT && i < groups->n && !status; i++) {
    const am_json *group = &groups->as.members[i].value;
    const char *own = am_json_str(am_json_get(group, "format"), "dense");
    if (!is_known_format(own)) return unsupported(r, "compressed-tensors' format", own);
    status = read_group(r, group, s);
  }
  if (status) return status;
  const am_scheme_group *g = &s->groups[0];
  if (s->n_groups == 0)
    snprintf(s->name, sizeof s->name, "compressed-tensors");
  else if (g->is_float && g->bits == 8)
    snprintf(s->name, sizeof s->name, g->block_rows ? "fp8-block" : "fp8");
  else if (g->is_float)
    snprintf(s->name, sizeof s->name, strcmp(format, "mxfp4-pack-quantized") == 0 ? "mxfp4" : "nvfp4");
  else
    snprintf(s->name, sizeof s->name, "int%u", g->bits);
  return ADAM_OK;
}

static adam_status read_fp8(const reader *r, am_scheme *s) {
  const char *format = am_json_str(am_json_get(r->config, "fmt"), "e4m3");
  if (strcmp(format, "e4m3") != 0 && strcmp(format, "float8_e4m3fn") != 0)
    return unsupported(r, "FP8's fmt", format);
  adam_status status = read_block(r, r->config, "weight_block_size", &s->block_rows, &s->block_columns);
  if (status) return status;
  snprintf(s->name, sizeof s->name, s->block_rows ? "fp8-block" : "fp8");
  return ADAM_OK;
}

static adam_status read_fbgemm(const reader *r, am_scheme *s) {
  (void)r;
  snprintf(s->name, sizeof s->name, "fp8");
  return ADAM_OK;
}

static adam_status read_mxfp4(const reader *r, am_scheme *s) {
  (void)r;
  snprintf(s->name, sizeof s->name, "mxfp4");
  return ADAM_OK;
}

adam_status am_scheme_read(const am_json *config, const char *path, const char *assumed, am_scheme *out,
                           adam_error *error) {
  static const struct {
    const char *name;
    am_scheme_method method;
    adam_status (*read)(const reader *r, am_scheme *s);
  } methods[] = {
      {"bitsandbytes", AM_SCHEME_BITSANDBYTES, read_bitsandbytes},
      {"gptq", AM_SCHEME_GPTQ, read_gptq},
      {"awq", AM_SCHEME_AWQ, read_awq},
      {"compressed-tensors", AM_SCHEME_COMPRESSED, read_compressed},
      {"fp8", AM_SCHEME_FP8, read_fp8},
      {"fbgemm_fp8", AM_SCHEME_FP8, read_fbgemm},
      {"mxfp4", AM_SCHEME_MXFP4, read_mxfp4},
  };
  am_scheme made = {0};
  if (am_json_is_null(config)) {
    *out = made;
    return ADAM_OK;
  }
  if (config->type != AM_JSON_OBJECT)
    return am_fail(error, ADAM_DAMAGED, path, NULL, "quantization_config is not an object");
  const char *name = am_json_str(am_json_get(config, "quant_method"), NULL);
  if (!name && (am_json_bool(am_json_get(config, "load_in_4bit"), false) ||
                am_json_bool(am_json_get(config, "load_in_8bit"), false)))
    name = "bitsandbytes"; /* as transformers takes configs from before quant_method */
  if (!name) name = assumed;
  const reader r = {config, path, error};
  for (size_t i = 0; name && i < sizeof methods / sizeof *methods; i++) {
    if (strcmp(methods[i].name, name) != 0) continue;
    made.method = methods[i].method;
    adam_status status = methods[i].read(&r, &made);
    if (!status) *out = made;
    return status;
  }
  return am_fail(error, ADAM_UNSUPPORTED, path,
                 "known are bitsandbytes, gptq, awq, compressed-tensors, fp8, fbgemm_fp8, mxfp4",
                 "weights quantised by '%s' are not supported", name ? name : "an unnamed method");
}
