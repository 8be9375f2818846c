/* SPDX-License-Identifier: Apache-2.0 */
#include "device/device.h"
#include "base/mem.h"
#include "kernels/kernels.h"
#include "os/cpu.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static am_device *open_cpu(int32_t n_threads) {
  am_device *device = NULL;
  adam_error error;
  assert_int_equal(am_device_open(&(am_device_options){"cpu", n_threads}, &device, &error), ADAM_OK);
  return device;
}

static void test_names(void **state) {
  (void)state;
  am_device *device = NULL;
  adam_error error = {0};
  assert_int_equal(am_device_open(&(am_device_options){"cuda", 0}, &device, &error), ADAM_UNAVAILABLE);
  assert_string_not_equal(error.why, "");
  assert_string_not_equal(error.hint, "");
  assert_int_equal(adam_status_exit_code(error.status), 5);
  assert_int_equal(am_device_open(&(am_device_options){"abacus", 0}, &device, &error), ADAM_INVALID);
  assert_non_null(strstr(error.why, "abacus"));
  assert_int_equal(am_device_open(&(am_device_options){"cpu", -1}, &device, &error), ADAM_INVALID);
  assert_int_equal(am_device_open(&(am_device_options){"cpu", 100000}, &device, &error), ADAM_INVALID);
  assert_null(device);
  static const char *const known[] = {"auto", "cpu", NULL};
  for (int i = 0; i < 3; i++) {
    assert_int_equal(am_device_open(&(am_device_options){known[i], 0}, &device, &error), ADAM_OK);
    assert_string_equal(am_device_name(device), "cpu");
    assert_string_equal(am_device_tier(device), am_kernels_get()->tier);
    assert_int_equal(am_device_threads(device), am_cpu_count());
    am_device_close(&device);
    assert_null(device);
  }
  am_device_close(&device);
}

static void test_memory(void **state) {
  (void)state;
  am_device *device = open_cpu(1);
  for (size_t n = 0; n < 300; n += 37) {
    uint8_t *memory = am_device_alloc(device, n), in[300], out[300];
    assert_non_null(memory);
    assert_int_equal((uintptr_t)memory % 64, 0);
    for (size_t i = 0; i < n; i++) assert_int_equal(memory[i], 0);
    for (size_t i = 0; i < n; i++) in[i] = (uint8_t)(i * 7);
    assert_int_equal(am_device_write(device, memory, in, n, NULL), ADAM_OK);
    assert_int_equal(am_device_read(device, memory, out, n, NULL), ADAM_OK);
    assert_memory_equal(in, out, n);
    am_device_free(device, memory);
  }
  assert_null(am_device_alloc(device, SIZE_MAX));
  am_device_free(device, NULL);
  am_device_close(&device);
}

static void test_weights(void **state) {
  (void)state;
  am_device *device = open_cpu(1);
  am_weight *weight = NULL;
  adam_error error;
  uint8_t bytes[144 * 2] = {0};
  const am_tensor good = {"w", AM_DTYPE_Q4_0, 2, {4, 64}, bytes, 144};
  am_tensor t = good;
  assert_int_equal(am_weight_open(device, &t, &weight, &error), ADAM_OK);
  assert_int_equal(am_weight_rows(weight), 4);
  assert_int_equal(am_weight_columns(weight), 64);
  am_weight_close(&weight);
  assert_null(weight);
  t.n_bytes = 143;
  assert_int_equal(am_weight_open(device, &t, &weight, &error), ADAM_DAMAGED);
  t = good;
  t.shape[1] = 65;
  assert_int_equal(am_weight_open(device, &t, &weight, &error), ADAM_DAMAGED);
  t = good;
  t.n_dims = 3;
  assert_int_equal(am_weight_open(device, &t, &weight, &error), ADAM_UNSUPPORTED);
  t = good;
  t.shape[0] = 0;
  assert_int_equal(am_weight_open(device, &t, &weight, &error), ADAM_UNSUPPORTED);
  t.shape[0] = UINT64_MAX / 2;
  assert_int_equal(am_weight_open(device, &t, &weight, &error), ADAM_UNSUPPORTED);
  t = (am_tensor){"ids", AM_DTYPE_I32, 2, {4, 4}, bytes, 64};
  assert_int_equal(am_weight_open(device, &t, &weight, &error), ADAM_UNSUPPORTED);
  assert_string_equal(error.what, "ids");
  assert_null(weight);
  am_device_close(&device);
}

static void test_cache(void **state) {
  (void)state;
  am_device *device = open_cpu(1);
  am_kv *kv = NULL;
  adam_error error;
  am_kv_options o = {.n_layers = 2, .n_kv_heads = 3, .head_dim = 8, .n_ctx = 100, .dtype = AM_DTYPE_F16};
  assert_int_equal(am_kv_bytes(&o), 2 * 3 * 8 * 100 * 2 * 2);
  assert_int_equal(am_kv_open(device, &o, &kv, &error), ADAM_OK);
  am_kv_close(&kv);
  assert_null(kv);
  o.n_ctx = UINT64_MAX / 4;
  assert_int_equal(am_kv_bytes(&o), 0);
  assert_int_equal(am_kv_open(device, &o, &kv, &error), ADAM_INVALID);
  o.n_ctx = 100;
  o.dtype = AM_DTYPE_Q8_0;
  assert_int_equal(am_kv_open(device, &o, &kv, &error), ADAM_INVALID);
  o = (am_kv_options){.n_layers = 1u << 30,
                      .n_kv_heads = 1u << 10,
                      .head_dim = 1u << 10,
                      .n_ctx = 1u << 20,
                      .dtype = AM_DTYPE_F32};
  assert_int_not_equal(am_kv_open(device, &o, &kv, &error), ADAM_OK);
  am_device_close(&device);
}

/* Layer 0 sees all, layer 1 a window of 10: with batches of 6 its ring is 64 positions, one tile. */
static void test_ring(void **state) {
  (void)state;
  static const uint32_t windows[2] = {0, 10};
  static const float inputs[6 * 2 * 8] = {1};
  am_device *device = open_cpu(1);
  am_queue *queue = NULL;
  am_kv *kv = NULL;
  adam_error error;
  am_kv_options o = {.n_layers = 2,
                     .n_kv_heads = 2,
                     .head_dim = 8,
                     .n_ctx = 300,
                     .dtype = AM_DTYPE_F32,
                     .windows = windows,
                     .max_batch = 6};
  assert_int_equal(am_kv_bytes(&o), 2 * 2 * 8 * 4 * (300 + 64));
  o.max_batch = 0; /* as much as the context: nothing to save */
  assert_int_equal(am_kv_bytes(&o), 2 * 2 * 8 * 4 * (300 + 300));
  o.max_batch = 6;
  assert_int_equal(am_kv_open(device, &o, &kv, &error), ADAM_OK);
  assert_int_equal(am_queue_open(device, 8, &queue, &error), ADAM_OK);
  float *x = am_device_alloc(device, sizeof inputs);
  for (uint32_t at = 0; at < 120; at += 6) {
    am_segment segment = {.kv = kv, .n = 6, .position = at};
    for (uint32_t layer = 0; layer < 2; layer++) am_queue_store_kv(queue, layer, inputs, inputs, &segment, 1);
    assert_int_equal(am_queue_run(queue, &error), ADAM_OK);
  }
  /* 120 stored: positions 56 to 119 are held, and position p looks back to p - 9. */
  for (uint64_t p = 0; p <= 120; p++) assert_int_equal(am_kv_can_continue(kv, p), p == 0 || p >= 65);
  am_segment wrong[3] = {{.kv = kv, .n = 1, .position = 64},
                         {.kv = kv, .n = 7, .position = 120},
                         {.kv = kv, .n = 1, .position = 65}};
  am_attend wide = {.layer = 1, .n_heads = 2, .n_kv_heads = 2, .head_dim = 8, .scale = 1, .window = 11};
  for (int i = 0; i < 3; i++) {
    if (i < 2)
      am_queue_store_kv(queue, 0, inputs, inputs, &wrong[i], 1);
    else
      am_queue_attend(queue, x, inputs, &wide, &wrong[i], 1);
    assert_int_equal(am_queue_run(queue, &error), ADAM_INVALID);
  }
  am_segment again = {.kv = kv, .n = 3};
  am_queue_store_kv(queue, 1, inputs, inputs, &again, 1); /* a new timeline */
  assert_int_equal(am_queue_run(queue, &error), ADAM_OK);
  for (uint64_t p = 0; p <= 3; p++) assert_true(am_kv_can_continue(kv, p));
  am_device_free(device, x);
  am_queue_close(&queue);
  am_kv_close(&kv);
  am_device_close(&device);
}

enum { COLUMNS = 32, VOCABULARY = 4 };

/* A device with one of everything that a verb can ask for. */
typedef struct fixture {
  am_device *device;
  am_weight *matrix, *vector;
  am_kv *kv;
  am_queue *queue;
  float *x, *y;
} fixture;

static adam_status fixture_open(fixture *f, adam_error *error) {
  static const float ones[VOCABULARY * COLUMNS] = {1, 1, 1};
  am_tensor matrix = {"m", AM_DTYPE_F32, 2, {VOCABULARY, COLUMNS}, ones, sizeof ones};
  am_tensor vector = {"v", AM_DTYPE_F32, 1, {COLUMNS}, ones, COLUMNS * 4};
  am_kv_options o = {.n_layers = 2, .n_kv_heads = 2, .head_dim = 8, .n_ctx = 64, .dtype = AM_DTYPE_F16};
  adam_status status;
  if ((status = am_device_open(&(am_device_options){"cpu", 2}, &f->device, error))) return status;
  if ((status = am_weight_open(f->device, &matrix, &f->matrix, error))) return status;
  if ((status = am_weight_open(f->device, &vector, &f->vector, error))) return status;
  if ((status = am_kv_open(f->device, &o, &f->kv, error))) return status;
  if ((status = am_queue_open(f->device, 8, &f->queue, error))) return status;
  f->x = am_device_alloc(f->device, 8 * COLUMNS * sizeof(float));
  f->y = am_device_alloc(f->device, 8 * COLUMNS * sizeof(float));
  return f->x && f->y ? ADAM_OK : ADAM_NO_MEMORY;
}

static void fixture_close(fixture *f) {
  if (f->device) {
    am_device_free(f->device, f->x);
    am_device_free(f->device, f->y);
  }
  am_queue_close(&f->queue);
  am_kv_close(&f->kv);
  am_weight_close(&f->vector);
  am_weight_close(&f->matrix);
  am_device_close(&f->device);
}

static void record_all(fixture *f, const am_segment *segment, const int32_t *ids) {
  static const float inv_freq[4] = {1, 0.5f, 0.25f, 0.125f};
  static const am_rope rope = {.inv_freq = inv_freq, .scale = 1, .n_rot = 8};
  am_queue_embed(f->queue, f->x, f->matrix, ids, 2);
  am_queue_rms_norm(f->queue, f->y, f->x, f->vector, 1e-6f, 0, 2, 1);
  am_queue_rope(f->queue, f->y, &rope, 4, 8, segment, 1);
  am_queue_store_kv(f->queue, 1, f->x, f->x, segment, 1);
  am_queue_attend(f->queue, f->x, f->y,
                  &(am_attend){.layer = 1, .n_heads = 4, .n_kv_heads = 2, .head_dim = 8, .scale = 1}, segment,
                  1);
  am_queue_matmul(f->queue, f->y, f->matrix, NULL, f->x, 2);
}

static void expect_failure(fixture *f, const char *what) {
  adam_error error = {0};
  assert_int_equal(am_queue_run(f->queue, &error), ADAM_INVALID);
  assert_int_equal(error.status, ADAM_INVALID);
  assert_string_equal(error.what, what);
  assert_int_equal(am_queue_run(f->queue, &error), ADAM_OK); /* the failure is told once */
}

static void test_wrong_recordings(void **state) {
  (void)state;
  fixture f = {0};
  adam_error error;
  assert_int_equal(fixture_open(&f, &error), ADAM_OK);
  int32_t ids[2] = {0, VOCABULARY - 1};
  am_segment segment = {.kv = f.kv, .n = 2, .position = 62};
  record_all(&f, &segment, ids);
  assert_int_equal(am_queue_run(f.queue, &error), ADAM_OK);

  ids[1] = VOCABULARY;
  record_all(&f, &segment, ids);
  expect_failure(&f, "embed");
  ids[1] = -1;
  record_all(&f, &segment, ids);
  expect_failure(&f, "embed");
  ids[1] = 0;

  segment.position = 63;
  record_all(&f, &segment, ids);
  expect_failure(&f, "store_kv");
  segment.position = UINT64_MAX;
  record_all(&f, &segment, ids);
  expect_failure(&f, "store_kv");
  segment = (am_segment){.n = 2};
  record_all(&f, &segment, ids);
  expect_failure(&f, "store_kv");
  segment = (am_segment){.kv = f.kv, .n = 2};
  record_all(&f, &segment, ids);
  segment.position = 63; /* changed after recording */
  expect_failure(&f, "segments");
  segment.position = 0;

  am_segment crossing[2] = {{.kv = f.kv, .n = 2}, {.kv = f.kv, .first = 1, .n = 1, .position = 2}};
  am_queue_store_kv(f.queue, 0, f.x, f.x, crossing, 2);
  expect_failure(&f, "store_kv");
  am_queue_store_kv(f.queue, 2, f.x, f.x, &segment, 1);
  expect_failure(&f, "store_kv");
  am_queue_attend(f.queue, f.x, f.y, &(am_attend){.n_heads = 3, .n_kv_heads = 2, .head_dim = 8, .scale = 1},
                  &segment, 1);
  expect_failure(&f, "attend");
  am_queue_attend(f.queue, f.x, f.y, &(am_attend){.n_heads = 4, .n_kv_heads = 2, .head_dim = 16, .scale = 1},
                  &segment, 1);
  expect_failure(&f, "attend");
  am_queue_rms_norm(f.queue, f.x, f.y, f.matrix, 0, 0, 1, 1);
  expect_failure(&f, "rms_norm");
  am_queue_matmul(f.queue, f.x, f.vector, NULL, f.y, 1);
  expect_failure(&f, "matmul");
  am_queue_matmul(f.queue, f.x, f.matrix, f.vector, f.y, 1);
  expect_failure(&f, "matmul");
  am_queue_layer_norm(f.queue, f.x, f.y, f.matrix, NULL, 0, 1);
  expect_failure(&f, "layer_norm");
  am_queue_softcap(f.queue, f.x, 0, 1, COLUMNS);
  expect_failure(&f, "softcap");
  const am_rope wide = {.scale = 1, .n_rot = 10}, odd = {.scale = 1, .n_rot = 7};
  am_queue_rope(f.queue, f.x, &wide, 4, 8, &segment, 1);
  expect_failure(&f, "rope");
  am_queue_rope(f.queue, f.x, &odd, 4, 8, &segment, 1);
  expect_failure(&f, "rope");
  const am_attend windowed = {.n_heads = 4, .n_kv_heads = 2, .head_dim = 8, .scale = 1, .window = 3};
  am_queue_attend_all(f.queue, f.x, f.y, f.y, f.y, &windowed, &segment, 1);
  expect_failure(&f, "attend_all");
  for (int i = 0; i < 9; i++) am_queue_add(f.queue, f.x, f.y, 1, COLUMNS);
  expect_failure(&f, "queue");
  record_all(&f, &segment, ids);
  assert_int_equal(am_queue_run(f.queue, &error), ADAM_OK);
  fixture_close(&f);
}

/* The n-th allocation fails, n = 1, 2, ... until all goes well: a clean error each time. */
static void test_memory_runs_out(void **state) {
  (void)state;
  int32_t ids[2] = {0, 1};
  bool failed = true;
  for (uint64_t n = 1; failed; n++) {
    assert_true(n < 100);
    fixture f = {0};
    adam_error error = {0};
    am_mem_fault_set(n);
    adam_status status = fixture_open(&f, &error);
    if (!status) {
      am_segment segment = {.kv = f.kv, .n = 2, .position = 0};
      record_all(&f, &segment, ids);
      status = am_queue_run(f.queue, &error);
    }
    failed = am_mem_fault_fired();
    am_mem_fault_set(0);
    /* Counting processors survives a failure, with a default. */
    assert_true(status == ADAM_OK || (failed && status == ADAM_NO_MEMORY));
    fixture_close(&f);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_names),
      cmocka_unit_test(test_memory),
      cmocka_unit_test(test_weights),
      cmocka_unit_test(test_cache),
      cmocka_unit_test(test_ring),
      cmocka_unit_test(test_wrong_recordings),
      cmocka_unit_test(test_memory_runs_out),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
