/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes of a small file, written down by hand after ggml's docs/gguf.md; what the reader makes of one
 * with every type; refusals; failing memory and writes. */
#include "formats/gguf_write.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "os/file.h"

static char folder[] = "gguf-write-test-XXXXXX";

static int make_folder(void **state) {
  (void)state;
  return mkdtemp(folder) ? 0 : -1;
}

static bool count_one(void *user, const char *name) {
  (void)name;
  ++*(int *)user;
  return false;
}

static int n_files(void) {
  int n = 0;
  assert_int_equal(am_dir_list(folder, count_one, &n, NULL), ADAM_OK);
  return n;
}

static int remove_folder(void **state) {
  (void)state;
  return rmdir(folder);
}

static const char *path_of(const char *name) {
  static char path[256];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  return path;
}

static void bytes_by_hand(void **state) {
  (void)state;
  static const uint8_t expected[] = {
      'G', 'G', 'U', 'F', 3, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, /* one tensor, one pair */
      1, 0, 0, 0, 0, 0, 0, 0, 'a', 4, 0, 0, 0, 7, 1, 0, 0,                             /* a: u32 = 263 */
      1, 0, 0, 0, 0, 0, 0, 0, 't', 2, 0, 0, 0,                                         /* t: two axes */
      3, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0,                                  /* the fastest first */
      1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,                                              /* F16 at 0 */
      0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,                                        /* from 82 to 96 */
      1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
  static const uint8_t data[12] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
  static const uint64_t shape[2] = {2, 3};
  am_gguf_writer *w = NULL;
  am_buf found = {0};
  assert_int_equal(am_gguf_writer_open(&w, NULL), ADAM_OK);
  assert_int_equal(am_gguf_write_u32(w, "a", 263, NULL), ADAM_OK);
  assert_int_equal(am_gguf_write_tensor(w, "t", AM_DTYPE_F16, 2, shape, NULL), ADAM_OK);
  assert_int_equal(am_gguf_writer_bytes(w), sizeof expected);
  assert_int_equal(am_gguf_writer_begin(w, path_of("one.gguf"), NULL), ADAM_OK);
  assert_int_equal(am_gguf_writer_data(w, 0, 6, data + 6, 6, NULL), ADAM_OK);
  assert_int_equal(am_gguf_writer_data(w, 0, 0, data, 6, NULL), ADAM_OK);
  assert_int_equal(am_gguf_writer_data(w, 0, 7, data, 6, NULL), ADAM_INVALID);
  assert_int_equal(am_gguf_writer_data(w, 1, 0, data, 0, NULL), ADAM_INVALID);
  assert_false(am_file_is_regular(path_of("one.gguf")));
  assert_int_equal(am_gguf_writer_finish(w, NULL), ADAM_OK);
  am_gguf_writer_close(&w);
  assert_null(w);
  assert_int_equal(am_file_read(path_of("one.gguf"), 4096, &found, NULL), ADAM_OK);
  assert_int_equal(found.len, sizeof expected);
  assert_memory_equal(found.data, expected, sizeof expected);
  am_buf_close(&found);
  assert_int_equal(unlink(path_of("one.gguf")), 0);
}

static adam_status write_all_types(am_gguf_writer *w, adam_error *error) {
  static const am_gguf_string strings[2] = {{"x", 1}, {"", 0}};
  static const int32_t ints[3] = {-1, 0, 70000};
  static const float reals[2] = {0.5f, -3};
  static const uint8_t bytes[3] = {0, 255, 7};
  static const uint64_t one[1] = {3}, three[3] = {2, 1, 32};
  adam_status status = am_gguf_write_string(w, "general.architecture", "none", error);
  if (!status) status = am_gguf_write_i32(w, "i32", -5, error);
  if (!status) status = am_gguf_write_f32(w, "f32", 0.25f, error);
  if (!status) status = am_gguf_write_bool(w, "bool", true, error);
  if (!status) status = am_gguf_write_strings(w, "strings", strings, 2, error);
  if (!status) status = am_gguf_write_i32s(w, "ints", ints, 3, error);
  if (!status) status = am_gguf_write_f32s(w, "reals", reals, 2, error);
  if (!status) status = am_gguf_write_u8s(w, "bytes", bytes, 3, error);
  if (!status) status = am_gguf_write_tensor(w, "first", AM_DTYPE_F32, 1, one, error);
  if (!status) status = am_gguf_write_tensor(w, "second", AM_DTYPE_Q8_0, 3, three, error);
  return status;
}

static void check_all_types(const char *path) {
  am_gguf *file = NULL;
  assert_int_equal(am_gguf_open(path, &file, NULL), ADAM_OK);
  assert_int_equal(am_gguf_n_values(file), 8);
  assert_int_equal(am_gguf_int(file, "i32", 0), -5);
  assert_true(am_gguf_real(file, "f32", 0) == 0.25);
  assert_true(am_gguf_bool(file, "bool", false));
  const am_gguf_value *strings = am_gguf_get(file, "strings");
  assert_int_equal(strings->n, 2);
  assert_memory_equal(strings->strings[0].bytes, "x", 1);
  assert_int_equal(strings->strings[1].n_bytes, 0);
  int32_t third;
  memcpy(&third, am_gguf_get(file, "ints")->as.array + 8, 4);
  assert_int_equal(third, 70000);
  float second;
  memcpy(&second, am_gguf_get(file, "reals")->as.array + 4, 4);
  assert_true(second == -3);
  assert_int_equal(am_gguf_get(file, "bytes")->as.array[1], 255);
  const am_tensor *tensor = am_gguf_find(file, "second");
  assert_int_equal(tensor->n_dims, 3);
  assert_int_equal(tensor->shape[0], 2);
  assert_int_equal(tensor->shape[2], 32);
  assert_int_equal(((const uint8_t *)tensor->data)[34], 9);
  am_gguf_close(&file);
}

static void read_back_and_copied(void **state) {
  (void)state;
  static const uint8_t nine = 9;
  char copy[256];
  snprintf(copy, sizeof copy, "%s", path_of("copy.gguf"));
  for (int from_file = 0; from_file < 2; from_file++) {
    am_gguf_writer *w = NULL;
    am_gguf *source = NULL;
    assert_int_equal(am_gguf_writer_open(&w, NULL), ADAM_OK);
    if (from_file) {
      assert_int_equal(am_gguf_open(path_of("all.gguf"), &source, NULL), ADAM_OK);
      for (size_t i = 0; i < am_gguf_n_values(source); i++)
        assert_int_equal(am_gguf_write_value(w, am_gguf_value_at(source, i), NULL), ADAM_OK);
      for (size_t i = 0; i < am_gguf_count(source); i++) {
        const am_tensor *t = am_gguf_at(source, i);
        assert_int_equal(am_gguf_write_tensor(w, t->name, t->dtype, t->n_dims, t->shape, NULL), ADAM_OK);
      }
    } else {
      assert_int_equal(write_all_types(w, NULL), ADAM_OK);
    }
    assert_true(am_gguf_writer_has(w, "reals"));
    assert_false(am_gguf_writer_has(w, "real"));
    assert_false(am_gguf_writer_has(w, "first"));
    const char *path = from_file ? copy : path_of("all.gguf");
    assert_int_equal(am_gguf_writer_begin(w, path, NULL), ADAM_OK);
    assert_int_equal(am_gguf_writer_data(w, 1, 34, &nine, 1, NULL), ADAM_OK);
    assert_int_equal(am_gguf_writer_finish(w, NULL), ADAM_OK);
    am_gguf_writer_close(&w);
    am_gguf_close(&source);
    check_all_types(path);
  }
  am_buf a = {0}, b = {0};
  assert_int_equal(am_file_read(path_of("all.gguf"), 4096, &a, NULL), ADAM_OK);
  assert_int_equal(am_file_read(copy, 4096, &b, NULL), ADAM_OK);
  assert_int_equal(a.len, b.len);
  assert_memory_equal(a.data, b.data, a.len);
  am_buf_close(&a);
  am_buf_close(&b);
  assert_int_equal(unlink(copy), 0);
  assert_int_equal(unlink(path_of("all.gguf")), 0);
}

static void refusals(void **state) {
  (void)state;
  static const uint64_t ragged[2] = {2, 33}, five[5] = {1, 1, 1, 1, 1}, huge[2] = {UINT64_MAX / 2, 4};
  char name[65];
  memset(name, 'n', 64);
  name[64] = 0;
  am_gguf_writer *w = NULL;
  assert_int_equal(am_gguf_writer_open(&w, NULL), ADAM_OK);
  assert_int_equal(am_gguf_write_u32(w, "twice", 1, NULL), ADAM_OK);
  assert_int_equal(am_gguf_write_string(w, "twice", "2", NULL), ADAM_INVALID);
  assert_int_equal(am_gguf_write_tensor(w, "twice", AM_DTYPE_F32, 2, ragged, NULL), ADAM_OK);
  assert_int_equal(am_gguf_write_tensor(w, "twice", AM_DTYPE_F32, 2, ragged, NULL), ADAM_INVALID);
  assert_int_equal(am_gguf_write_tensor(w, name, AM_DTYPE_F32, 2, ragged, NULL), ADAM_INVALID);
  assert_int_equal(am_gguf_write_tensor(w, name + 1, AM_DTYPE_F32, 2, ragged, NULL), ADAM_OK);
  assert_int_equal(am_gguf_write_tensor(w, "a", AM_DTYPE_Q4_0, 2, ragged, NULL), ADAM_INVALID);
  assert_int_equal(am_gguf_write_tensor(w, "b", AM_DTYPE_F32, 5, five, NULL), ADAM_INVALID);
  assert_int_equal(am_gguf_write_tensor(w, "c", AM_DTYPE_F32, 2, huge, NULL), ADAM_INVALID);
  assert_int_equal(am_gguf_write_tensor(w, "d", AM_DTYPE_U32, 2, ragged, NULL), ADAM_INVALID);
  assert_int_equal(am_gguf_writer_finish(w, NULL), ADAM_INVALID);
  assert_int_equal(am_gguf_writer_begin(w, path_of("no such folder/x.gguf"), NULL), ADAM_NOT_FOUND);
  assert_int_equal(am_gguf_writer_begin(w, folder, NULL), ADAM_IO);
  am_gguf_writer_close(&w);
  assert_int_equal(n_files(), 0);
}

static void no_room(void **state) {
  (void)state;
  static const uint64_t shape[2] = {1 << 20, 1 << 30};
  struct rlimit before, small;
  adam_error error = {0};
  am_gguf_writer *w = NULL;
  assert_int_equal(am_gguf_writer_open(&w, NULL), ADAM_OK);
  assert_int_equal(am_gguf_write_tensor(w, "t", AM_DTYPE_F32, 2, shape, NULL), ADAM_OK);
  assert_int_equal(am_gguf_writer_begin(w, path_of("large.gguf"), &error), ADAM_LIMIT);
  am_gguf_writer_close(&w);
  assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
  small = before;
  small.rlim_cur = 256;
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
  assert_int_equal(am_gguf_writer_open(&w, NULL), ADAM_OK);
  assert_int_equal(write_all_types(w, NULL), ADAM_OK);
  assert_int_equal(am_gguf_writer_begin(w, path_of("large.gguf"), &error), ADAM_LIMIT);
  assert_non_null(strstr(error.why, "256"));
  am_gguf_writer_close(&w);
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
  assert_int_equal(n_files(), 0);
}

static adam_status write_one(void) {
  static const uint8_t nine = 9;
  am_gguf_writer *w = NULL;
  adam_status status = am_gguf_writer_open(&w, NULL);
  if (!status) status = write_all_types(w, NULL);
  if (!status) status = am_gguf_writer_begin(w, path_of("fault.gguf"), NULL);
  if (!status) status = am_gguf_writer_data(w, 1, 34, &nine, 1, NULL);
  if (!status) status = am_gguf_writer_finish(w, NULL);
  am_gguf_writer_close(&w);
  return status;
}

static void faults(void **state) {
  (void)state;
  for (uint64_t n = 1;; n++) {
    am_mem_fault_set(n);
    adam_status status = write_one();
    int fired = am_mem_fault_fired();
    am_mem_fault_set(0);
    assert_int_equal(status, fired ? ADAM_NO_MEMORY : ADAM_OK);
    assert_int_equal(n_files(), fired ? 0 : 1);
    if (!fired) break;
  }
  assert_int_equal(unlink(path_of("fault.gguf")), 0);
  for (uint64_t n = 1;; n++) {
    am_file_fault_set(n);
    adam_status status = write_one();
    int fired = am_file_fault_fired();
    am_file_fault_set(0);
    assert_int_equal(status, fired ? ADAM_IO : ADAM_OK);
    assert_int_equal(n_files(), fired ? 0 : 1);
    if (!fired) break;
    assert_true(n < 100);
  }
  assert_int_equal(unlink(path_of("fault.gguf")), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(bytes_by_hand), cmocka_unit_test(read_back_and_copied), cmocka_unit_test(refusals),
      cmocka_unit_test(no_room),       cmocka_unit_test(faults),
  };
  return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
