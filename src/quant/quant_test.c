/* SPDX-License-Identifier: Apache-2.0 */
/* Names, the mix by hand, and what rows are refused. What llama.cpp chooses, and how near the packed rows come, is
 * in tests/golden/quant_references_test.py. */
#include "quant/quant.h"
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static void test_names(void **state) {
  (void)state;
  am_quant_type type, other;
  assert_true(am_quant_find("Q4_K_M", &type));
  assert_string_equal(type.name, "q4_k_m");
  assert_int_equal(type.file_type, 15);
  assert_int_equal(type.base, AM_DTYPE_Q4_K);
  assert_true(am_quant_find("4bit", &other) && other.file_type == 15);
  assert_true(am_quant_find("q5_K", &other) && other.file_type == 17);
  assert_true(am_quant_find("8BIT", &other) && other.file_type == 7);
  assert_true(am_quant_find("bf16", &other) && other.file_type == 32);
  assert_false(am_quant_find("q4", &type));
  assert_false(am_quant_find("", &type));
  assert_string_equal(type.name, "q4_k_m");
  size_t n = 0;
  while (am_quant_at(n)) n++;
  assert_int_equal(n, 17);
}

static am_dtype choose(const char *recipe, const am_quant_model *model, const char *name, uint64_t n_columns) {
  am_quant_type type;
  assert_true(am_quant_find(recipe, &type));
  return am_quant_choose(&type, model, name, 2, n_columns);
}

/* 16 layers: the first and last two are tender, and of the others 4, 7, 10, 13. */
static void test_mix(void **state) {
  (void)state;
  const am_quant_model dense = {"llama", 16, 32, 8, 0, false}, tied = {"qwen3", 16, 32, 8, 0, true},
                       experts = {"llama", 16, 32, 8, 8, false}, wide = {"llama", 80, 64, 8, 0, false};
  for (int layer = 0; layer < 16; layer++) {
    char name[] = "blk.00.ffn_down.weight";
    name[4] = (char)('0' + layer / 10);
    name[5] = (char)('0' + layer % 10);
    bool tender = layer < 2 || layer >= 14 || layer == 4 || layer == 7 || layer == 10 || layer == 13;
    assert_int_equal(choose("q4_k_m", &dense, name, 512), tender ? AM_DTYPE_Q6_K : AM_DTYPE_Q4_K);
    assert_int_equal(choose("q4_k_s", &dense, name, 512), layer < 2 ? AM_DTYPE_Q5_K : AM_DTYPE_Q4_K);
  }
  assert_int_equal(choose("q4_k_m", &dense, "output.weight", 512), AM_DTYPE_Q6_K);
  assert_int_equal(choose("q8_0", &dense, "output.weight", 512), AM_DTYPE_Q8_0);
  assert_int_equal(choose("q4_0", &tied, "token_embd.weight", 96), AM_DTYPE_Q8_0);
  assert_int_equal(choose("q4_0", &dense, "token_embd.weight", 96), AM_DTYPE_Q4_0);
  assert_int_equal(choose("q4_k_m", &tied, "token_embd.weight", 512), AM_DTYPE_Q6_K);
  assert_int_equal(choose("q4_k_m", &dense, "token_embd.weight", 512), AM_DTYPE_Q4_K);
  assert_int_equal(choose("q4_k_m", &experts, "blk.3.attn_v.weight", 512), AM_DTYPE_Q8_0);
  assert_int_equal(choose("q4_k_m", &wide, "blk.12.attn_v.weight", 512), AM_DTYPE_Q6_K);
  assert_int_equal(choose("q4_k_m", &wide, "blk.13.attn_v.weight", 512), AM_DTYPE_Q5_K);
  assert_int_equal(choose("q4_k_m", &dense, "blk.5.attn_q.weight", 96), AM_DTYPE_Q5_0);
  assert_int_equal(choose("q5_k_m", &dense, "blk.5.attn_q.weight", 96), AM_DTYPE_Q5_1);
  assert_int_equal(choose("q6_k", &dense, "blk.5.attn_q.weight", 96), AM_DTYPE_Q8_0);
  assert_int_equal(choose("q6_k", &dense, "blk.5.attn_q.weight", 90), AM_DTYPE_F16);
  assert_int_equal(choose("q4_0", &experts, "blk.5.ffn_gate_inp.weight", 512), AM_DTYPE_F32);
  assert_int_equal(choose("f16", &dense, "output_norm.weight", 512), AM_DTYPE_F32);
  assert_int_equal(choose("f16", &dense, "blk.1.attn_q.bias", 512), AM_DTYPE_F32);
  assert_int_equal(choose("bf16", &tied, "token_embd.weight", 90), AM_DTYPE_BF16);
}

static void test_refused(void **state) {
  (void)state;
  static float x[8][512];
  static uint8_t out[8 * 512 * 4];
  adam_error error = {0};
  am_quant_error sum = {0};
  assert_int_equal(am_quant_rows(AM_DTYPE_F16, &x[0][0], 8, 512, out, &sum, "w", 0, &error), ADAM_OK);
  assert_int_equal(sum.n, 8 * 512);
  assert_int_equal(am_quant_rows(AM_DTYPE_I32, &x[0][0], 8, 512, out, NULL, "w", 0, &error), ADAM_INVALID);
  x[7][3] = NAN;
  assert_int_equal(am_quant_rows(AM_DTYPE_F16, &x[0][0], 8, 512, out, NULL, "blk.0.w", 100, &error), ADAM_DAMAGED);
  assert_string_equal(error.what, "blk.0.w");
  assert_non_null(strstr(error.why, "row 107, column 3"));
  x[7][3] = -INFINITY;
  assert_int_equal(am_quant_rows(AM_DTYPE_BF16, &x[0][0], 8, 512, out, NULL, "w", 0, &error), ADAM_DAMAGED);
  x[7][3] = 65520;
  assert_int_equal(am_quant_rows(AM_DTYPE_F16, &x[0][0], 8, 512, out, NULL, "w", 0, &error), ADAM_UNSUPPORTED);
  assert_int_equal(am_quant_rows(AM_DTYPE_BF16, &x[0][0], 8, 512, out, NULL, "w", 0, &error), ADAM_OK);
  x[7][3] = -FLT_MAX; /* would round to infinity */
  assert_int_equal(am_quant_rows(AM_DTYPE_BF16, &x[0][0], 8, 512, out, NULL, "w", 0, &error), ADAM_UNSUPPORTED);
  assert_string_equal(error.hint, "use f32");
  assert_int_equal(am_quant_rows(AM_DTYPE_F32, &x[0][0], 8, 512, out, NULL, "w", 0, &error), ADAM_OK);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_names), cmocka_unit_test(test_mix),
                                     cmocka_unit_test(test_refused)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
