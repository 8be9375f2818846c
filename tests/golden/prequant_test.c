/* SPDX-License-Identifier: Apache-2.0 */
/* What quantization_config says, and composed weights of a few numbers worked out by hand. Whole models in
 * each scheme stand in tests/golden/models, damaged ones in tests/e2e/prequant_test.py. */
#include "loader/prequant/prequant.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "kernels/kernels.h"

static adam_status scheme_of(const char *text, const char *assumed, am_scheme *out, adam_error *error) {
  am_arena arena = {0};
  am_json json;
  assert_int_equal(am_json_parse(text, strlen(text), "test", 0, &arena, &json, error), ADAM_OK);
  adam_status status = am_scheme_read(&json, "test", assumed, out, error);
  am_arena_close(&arena);
  return status;
}

static void schemes(void **state) {
  (void)state;
  static const struct {
    const char *text, *assumed, *name;
    am_scheme_method method;
  } good[] = {
      {"null", NULL, "", AM_SCHEME_NONE},
      {"{\"load_in_4bit\": true}", NULL, "nf4", AM_SCHEME_BITSANDBYTES},
      {"{\"quant_method\": \"bitsandbytes\", \"load_in_8bit\": true}", NULL, "int8", AM_SCHEME_BITSANDBYTES},
      {"{\"quant_method\": \"bitsandbytes\", \"bnb_4bit_quant_type\": \"fp4\"}", NULL, "fp4",
       AM_SCHEME_BITSANDBYTES},
      {"{\"bits\": 3, \"group_size\": -1}", "gptq", "gptq-3bit", AM_SCHEME_GPTQ},
      {"{\"quant_method\": \"gptq\", \"bits\": 8, \"checkpoint_format\": \"gptq_v2\"}", NULL, "gptq-8bit",
       AM_SCHEME_GPTQ},
      {"{\"w_bit\": 4, \"q_group_size\": 64, \"version\": \"GEMM\"}", "awq", "awq-4bit", AM_SCHEME_AWQ},
      {"{\"quant_method\": \"fp8\", \"weight_block_size\": [128, 64]}", NULL, "fp8-block", AM_SCHEME_FP8},
      {"{\"quant_method\": \"fbgemm_fp8\", \"activation_scale_ub\": 1200.0}", NULL, "fp8", AM_SCHEME_FP8},
      {"{\"quant_method\": \"mxfp4\"}", NULL, "mxfp4", AM_SCHEME_MXFP4},
      {"{\"quant_method\": \"compressed-tensors\", \"format\": \"pack-quantized\", \"config_groups\": "
       "{\"g\": "
       "{\"weights\": {\"num_bits\": 4, \"type\": \"int\", \"group_size\": 32}}}}",
       NULL, "int4", AM_SCHEME_COMPRESSED},
  };
  for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
    am_scheme scheme;
    adam_error error = {0};
    if (scheme_of(good[i].text, good[i].assumed, &scheme, &error))
      fail_msg("%s: %s", good[i].text, error.why);
    assert_int_equal(scheme.method, good[i].method);
    assert_string_equal(scheme.name, good[i].name);
  }
  am_scheme scheme;
  adam_error error = {0};
  assert_int_equal(scheme_of(good[4].text, "gptq", &scheme, &error), ADAM_OK);
  assert_true(scheme.zeros_less_one && scheme.group_size == 0);
  assert_int_equal(scheme_of(good[5].text, NULL, &scheme, &error), ADAM_OK);
  assert_true(!scheme.zeros_less_one && scheme.group_size == 128);
  assert_int_equal(scheme_of(good[7].text, NULL, &scheme, &error), ADAM_OK);
  assert_true(scheme.block_rows == 128 && scheme.block_columns == 64);
}

static void unknown_schemes(void **state) {
  (void)state;
  static const struct {
    const char *text, *said;
    adam_status status;
  } bad[] = {
      {"{\"quant_method\": \"aqlm\"}", "'aqlm'", ADAM_UNSUPPORTED},
      {"{}", "an unnamed method", ADAM_UNSUPPORTED},
      {"[]", "not an object", ADAM_DAMAGED},
      {"{\"quant_method\": \"awq\", \"version\": \"gemv_fast\"}", "'gemv_fast'", ADAM_UNSUPPORTED},
      {"{\"quant_method\": \"gptq\", \"bits\": 6}", "6 bits", ADAM_UNSUPPORTED},
      {"{\"quant_method\": \"gptq\", \"bits\": 1e3}", "bits is not", ADAM_DAMAGED},
      {"{\"quant_method\": \"compressed-tensors\", \"sparsity_config\": {\"format\": \"sparse-24-bitmask\"}}",
       "'sparse-24-bitmask'", ADAM_UNSUPPORTED},
      {"{\"quant_method\": \"compressed-tensors\", \"format\": \"mxfp6-pack-quantized\"}",
       "'mxfp6-pack-quantized'", ADAM_UNSUPPORTED},
  };
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    am_scheme scheme = {.bits = 77};
    adam_error error = {0};
    assert_int_equal(scheme_of(bad[i].text, NULL, &scheme, &error), bad[i].status);
    if (!strstr(error.why, bad[i].said)) fail_msg("%s: %s", bad[i].text, error.why);
    assert_int_equal(scheme.bits, 77); /* untouched */
  }
}

/* A safetensors file in memory, as a loader sees it. */
typedef struct fixture {
  am_loader *loader;
  uint8_t bytes[4096];
} fixture;

static void open_fixture(fixture *f, const char *config, const char *header, const void *data,
                         size_t n_data) {
  adam_error error = {0};
  uint64_t n = strlen(header);
  memcpy(f->bytes, &n, 8);
  memcpy(f->bytes + 8, header, n);
  memcpy(f->bytes + 8 + n, data, n_data);
  f->loader = am_mem_zalloc(1, sizeof *f->loader);
  f->loader->file = "test";
  f->loader->shards = am_arena_zalloc(&f->loader->arena, 1, sizeof *f->loader->shards);
  assert_int_equal(scheme_of(config, NULL, &f->loader->scheme, &error), ADAM_OK);
  if (am_safetensors_open_bytes("test", f->bytes, 8 + n + n_data, &f->loader->shards[0], &error))
    fail_msg("%s", error.why);
  f->loader->n_shards = 1;
  assert_int_equal(am_loader_reserve(f->loader, 8, &error), ADAM_OK);
  for (size_t i = 0; i < am_safetensors_count(f->loader->shards[0]); i++)
    assert_int_equal(am_loader_add(f->loader, am_safetensors_at(f->loader->shards[0], i), &error), ADAM_OK);
}

/* gpt-oss: 2 experts, 1 row each, 2 groups of 32. Bytes 0x21 hold the codes 1 (0.5) and 2 (1.0), low first;
 * the second group's 0x9F hold 15 (-6) and 9 (-0.5). Scales 2^(128 - 127) = 2 and 2^(126 - 127) = 0.5. */
static void experts_of_mxfp4(void **state) {
  (void)state;
  static const char header[] =
      "{\"e.down_proj_blocks\":{\"dtype\":\"U8\",\"shape\":[2,1,2,16],\"data_offsets\":[0,64]},"
      "\"e.down_proj_scales\":{\"dtype\":\"U8\",\"shape\":[2,1,2],\"data_offsets\":[64,68]},"
      "\"e.down_proj_bias\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[68,69]}}";
  uint8_t data[69] = {0};
  memset(data, 0x21, 16);
  memset(data + 16, 0x9F, 16);
  memset(data + 48, 0x70, 16);
  data[64] = 128, data[65] = 126, data[66] = 127, data[67] = 0;
  fixture f;
  adam_error error = {0};
  float row[64];
  open_fixture(&f, "{\"quant_method\": \"mxfp4\"}", header, data, sizeof data);
  if (am_prequant_compose(f.loader, true, &error)) fail_msg("%s", error.why);
  assert_int_equal(am_loader_n_tensors(f.loader), 2);
  const am_tensor *t = am_loader_find(f.loader, "e.down_proj");
  assert_non_null(t);
  assert_true(t->n_dims == 3 && t->shape[0] == 2 && t->shape[1] == 1 && t->shape[2] == 64);
  uint64_t n_bytes;
  assert_true(am_tensor_bytes(t->dtype, t->n_dims, t->shape, &n_bytes) && n_bytes == t->n_bytes);
  const am_scaled_row *rows = t->data;
  am_kernels_get()->dequantize[t->dtype](row, &rows[0], 64);
  for (int i = 0; i < 64; i++)
    assert_true(row[i] == (i < 32 ? (i % 2 ? 2.0f : 1.0f) : (i % 2 ? -0.25f : -3.0f)));
  am_kernels_get()->dequantize[t->dtype](row, &rows[1], 64);
  for (int i = 0; i < 64; i++) assert_true(row[i] == (i < 32 || i % 2 == 0 ? 0.0f : 6 * 0x1p-127f));
  am_loader_close(&f.loader);
}

/* LLM.int8: -127, 127, 64, 0 with SCB 2 is -2, 2, 64 * 2 / 127, 0, to one rounding of the scale. Looked at
 * without data: a shape and stored bytes. */
static void int8_rows(void **state) {
  (void)state;
  static const char header[] =
      "{\"l.weight\":{\"dtype\":\"I8\",\"shape\":[1,4],\"data_offsets\":[0,4]},"
      "\"l.SCB\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}";
  static const char config[] = "{\"quant_method\": \"bitsandbytes\", \"load_in_8bit\": true}";
  const int8_t codes[4] = {-127, 127, 64, 0};
  const float scb = 2, expected[4] = {-2, 2, 128.0f / 127, 0};
  uint8_t data[8];
  memcpy(data, codes, 4);
  memcpy(data + 4, &scb, 4);
  for (int build = 0; build < 2; build++) {
    fixture f;
    adam_error error = {0};
    float row[4];
    open_fixture(&f, config, header, data, sizeof data);
    if (am_prequant_compose(f.loader, build, &error)) fail_msg("%s", error.why);
    const am_tensor *t = am_loader_find(f.loader, "l.weight");
    assert_true(t && t->dtype == AM_DTYPE_SCALED_I8 && t->shape[0] == 1 && t->shape[1] == 4);
    assert_int_equal(am_loader_tensor_bytes(f.loader, t), 8);
    assert_string_equal(am_loader_tensor_type(f.loader, t), "int8");
    assert_int_equal(t->data != NULL, build);
    if (build) am_kernels_get()->dequantize[t->dtype](row, t->data, 4);
    for (int i = 0; build && i < 4; i++)
      assert_true(row[i] >= expected[i] - 3e-7f && row[i] <= expected[i] + 3e-7f);
    am_loader_close(&f.loader);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(schemes), cmocka_unit_test(unknown_schemes),
                                     cmocka_unit_test(experts_of_mxfp4), cmocka_unit_test(int8_rows)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
