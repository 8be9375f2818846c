/* SPDX-License-Identifier: Apache-2.0 */
/* What a model refuses, and how it fails; its numbers are compared in tests/golden/logits_test.c. */
#include "model/model.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define TINY ADAM_SOURCE_DIR "/tests/golden/models/qwen3-f32-gqa4" /* 300 words, 1 layer */

static am_loader *loader;
static am_device *device;

static int open_all(void **state) {
  (void)state;
  am_device_options options = {.name = "cpu", .n_threads = 1};
  return am_loader_open(TINY, 0, NULL, &loader, NULL) || am_device_open(&options, &device, NULL);
}

static int close_all(void **state) {
  (void)state;
  am_device_close(&device);
  am_loader_close(&loader);
  return 0;
}

static void refuses_bad_batches(void **state) {
  (void)state;
  am_model *model = NULL;
  am_workspace *workspace = NULL;
  am_kv *kv = NULL;
  float *logits = NULL;
  adam_error error = {0};
  assert_int_equal(am_model_open(loader, device, &model, &error), ADAM_OK);
  assert_int_equal(am_workspace_open(model, 0, 1, &workspace, &error), ADAM_INVALID);
  assert_int_equal(am_workspace_open(model, 4, 2, &workspace, &error), ADAM_OK);
  am_kv_options options = am_model_kv_options(model, 8, 0, AM_DTYPE_F32);
  assert_int_equal(am_kv_open(device, &options, &kv, &error), ADAM_OK);

  const int32_t ids[5] = {1, 2, 3, 4, 5};
  const uint32_t rows[3] = {0, 1, 3};
  const am_segment good = {.kv = kv, .n = 4};
  const am_batch whole = {
      .ids = ids, .n_tokens = 4, .segments = &good, .n_segments = 1, .output_rows = rows, .n_outputs = 2};
  assert_int_equal(am_model_forward(model, workspace, &whole, &logits, &error), ADAM_OK);
  const uint32_t late[1] = {4};
  assert_int_equal(am_model_logits(model, workspace, late, 1, &logits, &error), ADAM_INVALID);

#define REFUSED(change)                                                                        \
  do {                                                                                         \
    am_batch bad = whole;                                                                      \
    change;                                                                                    \
    assert_int_equal(am_model_forward(model, workspace, &bad, &logits, &error), ADAM_INVALID); \
  } while (0)
  REFUSED(bad.n_tokens = 0);
  REFUSED(bad.n_tokens = 5);
  REFUSED(bad.n_tokens = 3); /* the segment covers 4 */
  REFUSED(bad.n_segments = 0);
  REFUSED(bad.n_outputs = 3);
  const uint32_t falling[2] = {2, 1};
  REFUSED(bad.output_rows = falling);
  const int32_t outside[4] = {1, 2, 300, 4}, negative[4] = {-1, 2, 3, 4};
  REFUSED(bad.ids = outside);
  assert_non_null(strstr(error.why, "300"));
  REFUSED(bad.ids = negative);
  const am_segment past = {.kv = kv, .n = 4, .position = 5}; /* the cache has 8 */
  REFUSED(bad.segments = &past);
  const am_segment gap[2] = {{.kv = kv, .n = 2}, {.kv = kv, .first = 3, .n = 2}};
  REFUSED((bad.segments = gap, bad.n_segments = 2));
#undef REFUSED
  /* and works again afterwards */
  assert_int_equal(am_model_forward(model, workspace, &whole, &logits, &error), ADAM_OK);
  am_kv_close(&kv);
  am_workspace_close(&workspace);
  am_model_close(&model);
}

static void survives_failing_allocations(void **state) {
  (void)state;
  for (uint64_t n = 1;; n++) {
    am_model *model = NULL;
    am_workspace *workspace = NULL;
    adam_error error = {0};
    am_mem_fault_set(n);
    adam_status status = am_model_open(loader, device, &model, &error);
    if (!status) status = am_workspace_open(model, 4, 2, &workspace, &error);
    int fired = am_mem_fault_fired();
    am_mem_fault_set(0);
    assert_int_equal(status, fired ? ADAM_NO_MEMORY : ADAM_OK);
    assert_true(fired ? !workspace : !!workspace);
    am_workspace_close(&workspace);
    am_model_close(&model);
    if (!fired) break;
    assert_true(n < 1000);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(refuses_bad_batches),
      cmocka_unit_test(survives_failing_allocations),
  };
  return cmocka_run_group_tests(tests, open_all, close_all);
}
