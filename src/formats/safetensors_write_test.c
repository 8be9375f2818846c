/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes of a small file, written down by hand after the format's specification; where a limit cuts, and the index
 * that tells; refusals; failing memory and writes leave nothing. What the reference makes of such folders:
 * tests/golden/convert_references_test.py. */
#include "formats/safetensors_write.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "formats/safetensors.h"
#include "os/file.h"

static char folder[] = "safetensors-write-test-XXXXXX";

static int make_folder(void **state) {
  (void)state;
  return mkdtemp(folder) ? 0 : -1;
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

static bool remove_one(void *user, const char *name) {
  (void)user;
  assert_int_equal(unlink(path_of(name)), 0);
  return false;
}

static void clear(void) { assert_int_equal(am_dir_list(folder, remove_one, NULL, NULL), ADAM_OK); }

/* The wider type stands first, whatever the order of the calls. */
static void bytes_by_hand(void **state) {
  (void)state;
  static const char head[] = "{\"__metadata__\":{\"format\":\"pt\"},"
                             "\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
                             "\"a\":{\"dtype\":\"BF16\",\"shape\":[3,1],\"data_offsets\":[4,10]}}";
  static const uint64_t three[2] = {3, 1}, one[1] = {1};
  static const uint8_t half[6] = {1, 2, 3, 4, 5, 6}, whole[4] = {7, 8, 9, 10};
  size_t n_head = (sizeof head - 1 + 7) / 8 * 8;
  am_safetensors_writer *w = NULL;
  am_buf found = {0};
  assert_int_equal(am_safetensors_writer_open(0, &w, NULL), ADAM_OK);
  assert_int_equal(am_safetensors_write_tensor(w, "a", AM_DTYPE_BF16, 2, three, NULL), ADAM_OK);
  assert_int_equal(am_safetensors_write_tensor(w, "b", AM_DTYPE_F32, 1, one, NULL), ADAM_OK);
  assert_int_equal(am_safetensors_writer_begin(w, folder, NULL), ADAM_OK);
  assert_int_equal(am_safetensors_writer_bytes(w), 8 + n_head + 10);
  assert_int_equal(am_safetensors_writer_data(w, 1, 0, whole, 4, NULL), ADAM_OK);
  assert_int_equal(am_safetensors_writer_data(w, 0, 2, half + 2, 4, NULL), ADAM_OK);
  assert_int_equal(am_safetensors_writer_data(w, 0, 0, half, 2, NULL), ADAM_OK);
  assert_int_equal(am_safetensors_writer_data(w, 0, 3, half, 4, NULL), ADAM_INVALID);
  assert_int_equal(am_safetensors_writer_data(w, 2, 0, half, 0, NULL), ADAM_INVALID);
  assert_false(am_file_is_regular(path_of("model.safetensors")));
  assert_int_equal(am_safetensors_writer_finish(w, NULL), ADAM_OK);
  am_safetensors_writer_close(&w);
  assert_null(w);
  assert_int_equal(n_files(), 1);
  assert_int_equal(am_file_read(path_of("model.safetensors"), 4096, &found, NULL), ADAM_OK);
  assert_int_equal(found.len, 8 + n_head + 10);
  const uint8_t length[8] = {(uint8_t)n_head};
  assert_memory_equal(found.data, length, 8);
  assert_memory_equal(found.data + 8, head, sizeof head - 1);
  for (size_t i = sizeof head - 1; i < n_head; i++) assert_int_equal(found.data[8 + i], ' ');
  assert_memory_equal(found.data + 8 + n_head, whole, 4);
  assert_memory_equal(found.data + 8 + n_head + 4, half, 6);
  am_buf_close(&found);
  clear();
}

/* Bytes of the tensors: 400, 600, 1, 1500, 100; a file takes up to 1000, a larger tensor alone. */
static adam_status write_five(uint64_t shard_bytes) {
  static const struct {
    const char *name;
    am_dtype dtype;
    uint64_t n, n_bytes;
  } tensors[] = {{"z", AM_DTYPE_F32, 100, 400},
                 {"y", AM_DTYPE_F16, 300, 600},
                 {"x", AM_DTYPE_U8, 1, 1},
                 {"w", AM_DTYPE_F32, 375, 1500},
                 {"v", AM_DTYPE_BF16, 50, 100}};
  uint8_t bytes[1500];
  am_safetensors_writer *w = NULL;
  adam_status status = am_safetensors_writer_open(shard_bytes, &w, NULL);
  for (size_t i = 0; i < 5 && !status; i++)
    status = am_safetensors_write_tensor(w, tensors[i].name, tensors[i].dtype, 1, &tensors[i].n, NULL);
  if (!status) status = am_safetensors_writer_begin(w, folder, NULL);
  for (size_t i = 0; i < 5 && !status; i++) {
    memset(bytes, (int)i + 1, sizeof bytes);
    status = am_safetensors_writer_data(w, i, 0, bytes, tensors[i].n_bytes, NULL);
  }
  if (!status) status = am_safetensors_writer_finish(w, NULL);
  am_safetensors_writer_close(&w);
  return status;
}

static void cut_at_the_limit(void **state) {
  (void)state;
  static const char index[] = "{\n  \"metadata\": {\n    \"total_size\": 2601\n  },\n  \"weight_map\": {\n"
                              "    \"v\": \"model-00004-of-00004.safetensors\",\n"
                              "    \"w\": \"model-00003-of-00004.safetensors\",\n"
                              "    \"x\": \"model-00002-of-00004.safetensors\",\n"
                              "    \"y\": \"model-00001-of-00004.safetensors\",\n"
                              "    \"z\": \"model-00001-of-00004.safetensors\"\n  }\n}\n";
  static const struct {
    const char *name;
    char tensor;
    uint8_t fill;
    uint64_t n_bytes;
  } expected[] = {{"model-00001-of-00004.safetensors", 'z', 1, 400},
                  {"model-00001-of-00004.safetensors", 'y', 2, 600},
                  {"model-00002-of-00004.safetensors", 'x', 3, 1},
                  {"model-00003-of-00004.safetensors", 'w', 4, 1500},
                  {"model-00004-of-00004.safetensors", 'v', 5, 100}};
  am_buf found = {0};
  assert_int_equal(write_five(1000), ADAM_OK);
  assert_int_equal(n_files(), 5);
  assert_int_equal(am_file_read(path_of("model.safetensors.index.json"), 4096, &found, NULL), ADAM_OK);
  assert_int_equal(found.len, sizeof index - 1);
  assert_memory_equal(found.data, index, found.len);
  am_buf_close(&found);
  for (size_t i = 0; i < 5; i++) {
    const char name[2] = {expected[i].tensor, 0};
    am_safetensors *file = NULL;
    assert_int_equal(am_safetensors_open(path_of(expected[i].name), &file, NULL), ADAM_OK);
    const am_tensor *t = am_safetensors_find(file, name);
    assert_non_null(t);
    assert_int_equal(t->n_bytes, expected[i].n_bytes);
    for (uint64_t b = 0; b < t->n_bytes; b++) assert_int_equal(((const uint8_t *)t->data)[b], expected[i].fill);
    am_safetensors_close(&file);
  }
  clear();
  assert_int_equal(write_five(2601), ADAM_OK); /* just enough */
  assert_int_equal(n_files(), 1);
  assert_true(am_file_is_regular(path_of("model.safetensors")));
  clear();
}

static void refusals(void **state) {
  (void)state;
  static const uint64_t two[2] = {2, 32}, huge[2] = {UINT64_MAX / 2, 4};
  am_safetensors_writer *w = NULL;
  assert_int_equal(am_safetensors_writer_open(0, &w, NULL), ADAM_OK);
  assert_int_equal(am_safetensors_write_tensor(w, "a", AM_DTYPE_F32, 2, two, NULL), ADAM_OK);
  assert_int_equal(am_safetensors_write_tensor(w, "a", AM_DTYPE_F16, 2, two, NULL), ADAM_INVALID);
  assert_int_equal(am_safetensors_write_tensor(w, "b", AM_DTYPE_Q4_0, 2, two, NULL), ADAM_INVALID);
  assert_int_equal(am_safetensors_write_tensor(w, "c", AM_DTYPE_F32, 2, huge, NULL), ADAM_INVALID);
  assert_int_equal(am_safetensors_writer_data(w, 0, 0, two, 1, NULL), ADAM_INVALID);
  assert_int_equal(am_safetensors_writer_finish(w, NULL), ADAM_INVALID);
  assert_int_equal(am_safetensors_writer_begin(w, folder, NULL), ADAM_OK);
  assert_int_equal(am_safetensors_write_tensor(w, "d", AM_DTYPE_F32, 2, two, NULL), ADAM_INVALID);
  assert_int_equal(am_safetensors_writer_begin(w, folder, NULL), ADAM_INVALID);
  am_safetensors_writer_close(&w);
  assert_int_equal(n_files(), 0);
}

static void no_room(void **state) {
  (void)state;
  static const uint64_t shape[2] = {1 << 20, 1 << 30};
  struct rlimit before, small;
  am_safetensors_writer *w = NULL;
  assert_int_equal(am_safetensors_writer_open(0, &w, NULL), ADAM_OK);
  assert_int_equal(am_safetensors_write_tensor(w, "t", AM_DTYPE_F32, 2, shape, NULL), ADAM_OK);
  assert_int_equal(am_safetensors_writer_begin(w, folder, NULL), ADAM_LIMIT);
  am_safetensors_writer_close(&w);
  assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
  small = before;
  small.rlim_cur = 1000;
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
  assert_int_equal(write_five(1000), ADAM_LIMIT); /* the third file is larger */
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
  assert_int_equal(n_files(), 0);
}

static void faults(void **state) {
  (void)state;
  for (uint64_t n = 1;; n++) {
    am_mem_fault_set(n);
    adam_status status = write_five(1000);
    int fired = am_mem_fault_fired();
    am_mem_fault_set(0);
    assert_int_equal(status, fired ? ADAM_NO_MEMORY : ADAM_OK);
    if (!fired) break;
    clear(); /* files that were finished stay: the folder is its maker's (os/workdir.h) */
  }
  clear();
  for (uint64_t n = 1;; n++) {
    am_file_fault_set(n);
    adam_status status = write_five(1000);
    int fired = am_file_fault_fired();
    am_file_fault_set(0);
    assert_int_equal(status, fired ? ADAM_IO : ADAM_OK);
    if (!fired) break;
    clear();
    assert_true(n < 200);
  }
  clear();
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(bytes_by_hand), cmocka_unit_test(cut_at_the_limit), cmocka_unit_test(refusals),
      cmocka_unit_test(no_room),       cmocka_unit_test(faults),
  };
  return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
