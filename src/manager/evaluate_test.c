/* SPDX-License-Identifier: Apache-2.0 */
/* Evaluation by the public calls: what is refused, cancelling in the middle of two models, ids for a text.
 * The figures themselves are compared with transformers in tests/e2e/eval_test.py. */
#include <adam/adam.h>

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define MODELS ADAM_SOURCE_DIR "/tests/golden/models/"

static adam_manager *open_model(const char *path) {
  adam_manager *m = NULL;
  adam_manager_options options = {
      .struct_size = sizeof options,
      .model = path,
      .model_options = {.struct_size = sizeof(adam_model_options), .n_threads = 2}};
  assert_int_equal(adam_manager_open(&options, &m, NULL), ADAM_OK);
  return m;
}

static bool stop_at(void *user, uint64_t done, uint64_t total) {
  assert_true(done <= total);
  return done >= *(const uint64_t *)user;
}

static void test_refused_and_cancelled(void **state) {
  (void)state;
  const int32_t ids[] = {1, 20, 3, 44, 5, 66, 7, 88, 9};
  adam_manager *m = open_model(MODELS "qwen3-f32-gqa4"), *other = open_model(MODELS "qwen3moe-f32-old");
  adam_evaluation result = {.n_scored = 77};
  adam_evaluate_request request = {0};
  assert_int_equal(adam_manager_evaluate(m, &request, &result, NULL), ADAM_INVALID); /* no struct_size */
  request = (adam_evaluate_request){.struct_size = sizeof request, .ids = ids, .n_ids = 1};
  assert_int_equal(adam_manager_evaluate(m, &request, &result, NULL), ADAM_INVALID);
  request.n_ids = 9;
  request.against = m;
  assert_int_equal(adam_manager_evaluate(m, &request, &result, NULL), ADAM_INVALID);
  request.window_tokens = 4;
  request.on_progress = stop_at;
  for (uint64_t at = 1; at <= 8; at++) { /* two windows; the last token is alone */
    request.against = at % 2 ? other : NULL;
    request.user = &at;
    assert_int_equal(adam_manager_evaluate(m, &request, &result, NULL), ADAM_CANCELLED);
  }
  assert_int_equal(result.n_scored, 77); /* untouched so far */
  const int32_t unknown[] = {1, 2, 100000};
  request = (adam_evaluate_request){.struct_size = sizeof request, .ids = unknown, .n_ids = 3};
  assert_true(adam_manager_evaluate(m, &request, &result, NULL) != ADAM_OK);
  adam_manager_close(&m);
  adam_manager_close(&other);
}

/* The sum of adam_manager_score's own values, for one window and for three of 4, 4 and 1 (which predicts
 * nothing). */
static void test_ids(void **state) {
  (void)state;
  const int32_t ids[] = {1, 20, 3, 44, 5, 66, 7, 88, 9};
  double whole[8], first[3], second[3], nll = 0;
  adam_manager *m = open_model(MODELS "qwen3moe-bf16");
  adam_evaluation result;
  adam_evaluate_request request = {.struct_size = sizeof request, .ids = ids, .n_ids = 9};
  assert_int_equal(adam_manager_score(m, ids, 9, whole, NULL, NULL, NULL), ADAM_OK);
  assert_int_equal(adam_manager_score(m, ids, 4, first, NULL, NULL, NULL), ADAM_OK);
  assert_int_equal(adam_manager_score(m, ids + 4, 4, second, NULL, NULL, NULL), ADAM_OK);
  for (int i = 0; i < 8; i++) nll -= whole[i];
  assert_int_equal(adam_manager_evaluate(m, &request, &result, NULL), ADAM_OK);
  assert_int_equal(result.n_scored, 8);
  assert_true(fabs(result.nll - nll) < 1e-9 && fabs(result.perplexity - exp(nll / 8)) < 1e-6);
  assert_false(result.compared);
  request.window_tokens = 4;
  nll = 0;
  for (int i = 0; i < 3; i++) nll -= first[i] + second[i];
  assert_int_equal(adam_manager_evaluate(m, &request, &result, NULL), ADAM_OK);
  assert_int_equal(result.n_scored, 6);
  assert_true(fabs(result.nll - nll) < 1e-9);
  adam_manager_close(&m);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_refused_and_cancelled),
      cmocka_unit_test(test_ids),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
