/* SPDX-License-Identifier: Apache-2.0 */
#include "tensor/tensor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* Type numbers and block sizes as ggml.h and ggml-common.h define them, written out by hand: a block of
 * K elements has K weights and its scales. */
static void rows(void **state) {
  (void)state;
  enum { K = 256, HALF = 2 };
  static const struct {
    uint32_t gguf;
    const char *name;
    uint64_t elements, bytes;
  } want[] = {
      {0, "f32", 1, 4}, {1, "f16", 1, 2}, {30, "bf16", 1, 2}, {28, "f64", 1, 8},
      {2, "q4_0", 32, HALF + 16}, {3, "q4_1", 32, 2 * HALF + 16}, {6, "q5_0", 32, HALF + 4 + 16},
      {7, "q5_1", 32, 2 * HALF + 4 + 16}, {8, "q8_0", 32, HALF + 32},
      {10, "q2_k", K, K / 16 + K / 4 + 2 * HALF}, {11, "q3_k", K, K / 8 + K / 4 + 12 + HALF},
      {12, "q4_k", K, 2 * HALF + 12 + K / 2}, {13, "q5_k", K, 2 * HALF + 12 + K / 8 + K / 2},
      {14, "q6_k", K, K / 2 + K / 4 + K / 16 + HALF},
      {20, "iq4_nl", 32, HALF + 16}, {23, "iq4_xs", K, HALF + 2 + K / 64 + K / 2}, {39, "mxfp4", 32, 1 + 16}, {24, "i8", 1, 1}, {25, "i16", 1, 2}, {26, "i32", 1, 4},
      {27, "i64", 1, 8},
  };
  for (size_t i = 0; i < sizeof want / sizeof want[0]; i++) {
    am_dtype dtype;
    assert_true(am_dtype_from_gguf(want[i].gguf, &dtype));
    const am_dtype_row *row = am_dtype_info(dtype);
    assert_string_equal(row->name, want[i].name);
    assert_int_equal(row->block_elements, want[i].elements);
    assert_int_equal(row->block_bytes, want[i].bytes);
    assert_int_equal(am_dtype_is_quantized(dtype), want[i].elements > 1);
    assert_int_equal(am_dtype_is_float(dtype), want[i].name[0] != 'i' || want[i].elements > 1);
    uint64_t bytes = 0;
    assert_true(am_dtype_row_bytes(dtype, want[i].elements * 12, &bytes));
    assert_int_equal(bytes, want[i].bytes * 12);
    bytes = 9;
    assert_int_equal(am_dtype_row_bytes(dtype, want[i].elements * 12 + 1, &bytes), want[i].elements == 1);
    if (want[i].elements > 1) assert_int_equal(bytes, 9); /* untouched */
  }
  am_dtype dtype = AM_DTYPE_COUNT;
  assert_false(am_dtype_from_gguf(4, &dtype)); /* types that were taken out of ggml */
  assert_false(am_dtype_from_gguf(31, &dtype));
  assert_false(am_dtype_from_gguf(UINT32_MAX, &dtype)); /* -1 in the table is not a number */
  assert_int_equal(dtype, AM_DTYPE_COUNT);
}

static void safetensors_names(void **state) {
  (void)state;
  static const struct {
    const char *name;
    am_dtype dtype;
    uint32_t bytes;
  } want[] = {{"F64", AM_DTYPE_F64, 8}, {"F32", AM_DTYPE_F32, 4}, {"F16", AM_DTYPE_F16, 2}, {"BF16", AM_DTYPE_BF16, 2},
              {"I64", AM_DTYPE_I64, 8}, {"I32", AM_DTYPE_I32, 4}, {"I16", AM_DTYPE_I16, 2}, {"I8", AM_DTYPE_I8, 1},
              {"U64", AM_DTYPE_U64, 8}, {"U32", AM_DTYPE_U32, 4}, {"U16", AM_DTYPE_U16, 2}, {"U8", AM_DTYPE_U8, 1},
              {"BOOL", AM_DTYPE_BOOL, 1}, {"F8_E4M3", AM_DTYPE_F8_E4M3, 1}, {"F8_E5M2", AM_DTYPE_F8_E5M2, 1},
              {"F8_E8M0", AM_DTYPE_F8_E8M0, 1}};
  for (size_t i = 0; i < sizeof want / sizeof want[0]; i++) {
    am_dtype dtype;
    assert_true(am_dtype_from_safetensors(want[i].name, strlen(want[i].name), &dtype));
    assert_int_equal(dtype, want[i].dtype);
    assert_int_equal(am_dtype_info(dtype)->block_bytes, want[i].bytes);
  }
  am_dtype dtype;
  assert_false(am_dtype_from_safetensors("", 0, &dtype)); /* quantized rows have no name there */
  assert_false(am_dtype_from_safetensors("F3", 2, &dtype));
  assert_false(am_dtype_from_safetensors("f32", 3, &dtype));
}

static void shapes(void **state) {
  (void)state;
  am_tensor tensor = {.n_dims = 3, .shape = {2, 3, 256}};
  uint64_t n = 0, bytes = 0;
  assert_true(am_tensor_elements(&tensor, &n) && n == 1536);
  assert_true(am_tensor_bytes(AM_DTYPE_Q6_K, 3, tensor.shape, &bytes) && bytes == 6 * 210);
  assert_true(am_tensor_bytes(AM_DTYPE_F16, 0, tensor.shape, &bytes) && bytes == 2); /* a scalar */
  tensor.shape[2] = 255;
  assert_false(am_tensor_bytes(AM_DTYPE_Q6_K, 3, tensor.shape, &bytes)); /* a ragged row */
  tensor = (am_tensor){.n_dims = 2, .shape = {0, 7}};
  assert_true(am_tensor_elements(&tensor, &n) && n == 0);
  assert_true(am_tensor_bytes(AM_DTYPE_F32, 2, tensor.shape, &bytes) && bytes == 0);
  tensor = (am_tensor){.n_dims = 2, .shape = {(uint64_t)1 << 62, 4}};
  assert_false(am_tensor_elements(&tensor, &n));
  assert_false(am_tensor_bytes(AM_DTYPE_U8, 2, tensor.shape, &bytes));
  tensor.shape[1] = 2; /* the elements still fit, their bytes do not */
  assert_true(am_tensor_elements(&tensor, &n));
  assert_false(am_tensor_bytes(AM_DTYPE_F32, 2, tensor.shape, &bytes));
}

static void texts(void **state) {
  (void)state;
  const uint64_t shape[] = {1024, 3072, UINT64_MAX};
  char out[64];
  am_tensor_shape_text(2, shape, out, sizeof out);
  assert_string_equal(out, "(1024, 3072)");
  am_tensor_shape_text(1, shape, out, sizeof out);
  assert_string_equal(out, "(1024)");
  am_tensor_shape_text(0, shape, out, sizeof out);
  assert_string_equal(out, "()");
  am_tensor_shape_text(3, shape, out, sizeof out);
  assert_string_equal(out, "(1024, 3072, 18446744073709551615)");
  for (size_t capacity = 1; capacity < 40; capacity++) { /* cut, but always ended */
    char small[40];
    memset(small, 'x', sizeof small);
    am_tensor_shape_text(3, shape, small, capacity);
    assert_int_equal(strlen(small), capacity - 1 < 34 ? capacity - 1 : 34);
    assert_memory_equal(small, "(1024, 3072, 18446744073709551615)", strlen(small));
  }
  am_tensor_shape_text(3, shape, out, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(rows), cmocka_unit_test(safetensors_names),
                                     cmocka_unit_test(shapes), cmocka_unit_test(texts)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
