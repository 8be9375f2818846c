/* SPDX-License-Identifier: Apache-2.0 */
#include "os/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

static char root[] = "file_test_XXXXXX";

static char *at(const char *name) {
  static char paths[4][512]; /* a few at a time, for the calls that take two */
  static int next;
  char *path = paths[next++ % 4];
  snprintf(path, sizeof paths[0], "%s/%s", root, name);
  return path;
}

static void put(const char *name, const char *bytes, size_t n) {
  adam_error error = {0};
  if (am_file_write_atomic(at(name), bytes, n, 0644, &error)) fail_msg("%s: %s", error.what, error.why);
}

static int set_up(void **state) {
  (void)state;
  if (!mkdtemp(root)) return -1;
  put("text", "hello\0there", 11);
  put("empty", "", 0);
  if (mkdir(at("folder"), 0755) || mkfifo(at("pipe"), 0644)) return -1;
  if (symlink("text", at("link")) || symlink("nothing", at("dangling")) || symlink("loop", at("loop"))) return -1;
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  char command[64];
  snprintf(command, sizeof command, "rm -rf ./%s", root);
  return system(command) == 0 ? 0 : -1;
}

static void mapping(void **state) {
  (void)state;
  am_file_map map = {0};
  assert_int_equal(am_file_map_open(at("link"), &map, NULL), ADAM_OK);
  assert_int_equal(map.size, 11);
  assert_memory_equal(map.bytes, "hello\0there", 11);
  am_file_map_close(&map);
  assert_null(map.bytes);
  am_file_map_close(&map);
  am_file_map_close(NULL);
  assert_int_equal(am_file_map_open(at("empty"), &map, NULL), ADAM_OK);
  assert_int_equal(map.size, 0);
  assert_non_null(map.bytes);
  am_file_map_close(&map);
}

/* None of these may wait for anything: the alarm ends the test if one does. */
static void not_files(void **state) {
  (void)state;
  static const struct {
    const char *name, *words;
    adam_status status;
  } cases[] = {
      {"folder", "expected a regular file, found a directory", ADAM_IO},
      {"pipe", "expected a regular file, found a pipe", ADAM_IO},
      {"missing", "cannot be opened: No such file or directory", ADAM_NOT_FOUND},
      {"dangling", "cannot be opened: No such file or directory", ADAM_NOT_FOUND},
      {"text/below", "cannot be opened: Not a directory", ADAM_NOT_FOUND},
      {"loop", "cannot be opened: Too many levels of symbolic links", ADAM_IO},
  };
  alarm(20);
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    adam_error error = {0};
    am_file_map map = {NULL, 5};
    am_buf buf = {0};
    assert_int_equal(am_file_map_open(at(cases[i].name), &map, &error), cases[i].status);
    assert_string_equal(error.why, cases[i].words);
    assert_string_equal(error.what, at(cases[i].name));
    assert_int_equal(map.size, 5); /* untouched */
    assert_int_equal(am_file_read(at(cases[i].name), 100, &buf, &error), cases[i].status);
    assert_string_equal(error.why, cases[i].words);
    am_buf_close(&buf);
    assert_false(am_file_is_regular(at(cases[i].name)));
  }
  am_file_map map;
  assert_int_equal(am_file_map_open("/dev/null", &map, NULL), ADAM_IO);
  alarm(0);
  assert_true(am_file_is_dir(at("folder")) && !am_file_is_dir(at("text")) && am_file_is_regular(at("link")));
}

static void reading(void **state) {
  (void)state;
  am_buf buf = {0};
  adam_error error = {0};
  assert_int_equal(am_file_read(at("text"), 11, &buf, &error), ADAM_OK);
  assert_int_equal(buf.len, 11);
  assert_memory_equal(buf.data, "hello\0there", 12);
  assert_int_equal(am_file_read(at("text"), 10, &buf, &error), ADAM_LIMIT);
  assert_string_equal(error.why, "more than the 10 bytes allowed for it");
  assert_int_equal(buf.len, 0);
  assert_int_equal(am_file_read(at("empty"), 0, &buf, &error), ADAM_OK);
  assert_int_equal(buf.len, 0);
  assert_non_null(buf.data);
  assert_int_equal(am_file_read("/proc/self/status", 1 << 20, &buf, &error), ADAM_OK); /* says it has 0 bytes */
  assert_true(buf.len > 100);
  assert_int_equal(am_file_read("/proc/self/status", 50, &buf, &error), ADAM_LIMIT);
  char *large = malloc(300000);
  for (int i = 0; i < 300000; i++) large[i] = (char)(i * 31 >> 3);
  put("large", large, 300000);
  assert_int_equal(am_file_read(at("large"), 1 << 20, &buf, &error), ADAM_OK);
  assert_int_equal(buf.len, 300000);
  assert_memory_equal(buf.data, large, 300000);
  free(large);
  put("secret", "key\n", 4);
  static const struct {
    mode_t mode;
    adam_status status;
  } modes[] = {{0600, ADAM_OK}, {0400, ADAM_OK}, {0640, ADAM_INVALID}, {0604, ADAM_INVALID}, {0620, ADAM_INVALID},
               {0601, ADAM_INVALID}};
  for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
    assert_int_equal(chmod(at("secret"), modes[i].mode), 0);
    assert_int_equal(am_file_read_secret(at("secret"), 100, &buf, &error), modes[i].status);
    assert_int_equal(buf.len, modes[i].status ? 0 : 4);
  }
  assert_non_null(strstr(error.hint, "chmod 600"));
  am_buf_close(&buf);
}

static bool count(void *user, const char *name) {
  (void)name;
  ++*(int *)user;
  return false;
}

static int entries(const char *name) {
  int n = 0;
  assert_int_equal(am_dir_list(at(name), count, &n, NULL), ADAM_OK);
  return n;
}

static void writing(void **state) {
  (void)state;
  struct stat facts;
  mode_t before = umask(022);
  assert_int_equal(am_file_write_atomic(at("folder/new"), "one", 3, 0666, NULL), ADAM_OK);
  assert_int_equal(stat(at("folder/new"), &facts), 0);
  assert_int_equal(facts.st_mode & 0777, 0644); /* the umask holds */
  assert_int_equal(am_file_write_atomic(at("folder/new"), "two", 3, 0600, NULL), ADAM_OK);
  assert_int_equal(stat(at("folder/new"), &facts), 0);
  assert_int_equal(facts.st_mode & 0777, 0600);
  umask(before);
  am_buf buf = {0};
  assert_int_equal(am_file_read(at("folder/new"), 10, &buf, NULL), ADAM_OK);
  assert_string_equal(buf.data, "two");
  am_buf_close(&buf);
  assert_int_equal(entries("folder"), 1);
  adam_error error = {0};
  assert_int_equal(am_file_write_atomic(at("none/x"), "x", 1, 0644, &error), ADAM_NOT_FOUND);
  assert_string_equal(error.what, at("none/x"));
  assert_int_equal(am_file_write_atomic(at("folder"), "x", 1, 0644, &error), ADAM_IO);
  assert_int_equal(am_file_write_atomic(at("pipe"), "x", 1, 0644, &error), ADAM_IO);
  assert_string_equal(error.why, "expected a regular file, found a pipe");
  assert_int_equal(symlink("new", at("folder/alias")), 0);
  assert_int_equal(am_file_write_atomic(at("folder/alias"), "three", 5, 0644, NULL), ADAM_OK);
  assert_int_equal(lstat(at("folder/alias"), &facts), 0);
  assert_true(S_ISLNK(facts.st_mode));
  assert_int_equal(am_file_read(at("folder/new"), 10, &buf, NULL), ADAM_OK);
  assert_string_equal(buf.data, "three");
  am_buf_close(&buf);
  assert_int_equal(unlink(at("folder/alias")), 0);
  assert_int_equal(unlink(at("folder/new")), 0);
}

static void facts(void **state) {
  (void)state;
  uint64_t size = 5;
  assert_true(am_file_size(at("text"), &size) && size == 11);
  assert_false(am_file_size(at("folder"), &size));
  assert_false(am_file_size(at("missing"), &size));
  am_file_stamp a, b;
  int64_t used;
  assert_true(am_file_stamp_get(at("text"), &a) && am_file_stamp_get(at("link"), &b));
  assert_memory_equal(&a, &b, sizeof a);
  put("changing", "1", 1);
  assert_true(am_file_stamp_get(at("changing"), &a));
  put("changing", "2", 1);
  assert_true(am_file_stamp_get(at("changing"), &b));
  assert_true(memcmp(&a, &b, sizeof a) != 0); /* another inode, if not another time */
  assert_false(am_file_stamp_get(at("missing"), &a));
  assert_true(am_file_last_used(at("text"), &used) && used > 1500000000);
  assert_false(am_file_last_used(at("missing"), &used));
}

/* The n-th read, write, flush or rename fails: no half-written file, no leftover, the old one stays. */
static void input_fails(void **state) {
  (void)state;
  put("folder/kept", "old", 3);
  for (uint64_t n = 1;; n++) {
    adam_error error = {0};
    am_file_fault_set(n);
    adam_status status = am_file_write_atomic(at("folder/kept"), "newer", 5, 0644, &error);
    bool fired = am_file_fault_fired();
    am_file_fault_set(0);
    assert_int_equal(status, fired ? ADAM_IO : ADAM_OK);
    assert_int_equal(entries("folder"), 1);
    am_buf buf = {0};
    assert_int_equal(am_file_read(at("folder/kept"), 10, &buf, NULL), ADAM_OK);
    assert_string_equal(buf.data, fired ? "old" : "newer");
    am_buf_close(&buf);
    if (!fired) break;
    assert_non_null(strstr(error.why, "Input/output error"));
  }
  for (uint64_t n = 1;; n++) {
    am_buf buf = {0};
    am_file_map map = {0};
    am_file_fault_set(n);
    adam_status status = am_file_read(at("large"), 1 << 20, &buf, NULL);
    if (!status) status = am_file_map_open(at("large"), &map, NULL);
    bool fired = am_file_fault_fired();
    am_file_fault_set(0);
    assert_int_equal(status, fired ? ADAM_IO : ADAM_OK);
    am_file_map_close(&map);
    am_buf_close(&buf);
    if (!fired) break;
  }
  assert_int_equal(unlink(at("folder/kept")), 0);
}

static void memory_runs_out(void **state) {
  (void)state;
  for (uint64_t n = 1;; n++) {
    am_buf buf = {0};
    int names = 0;
    am_mem_fault_set(n);
    adam_status status = am_file_read(at("text"), 100, &buf, NULL);
    if (!status) status = am_file_write_atomic(at("changing"), "3", 1, 0644, NULL);
    if (!status) status = am_dir_make(at("deep/er"), NULL);
    if (!status) status = am_dir_list(root, count, &names, NULL);
    bool fired = am_mem_fault_fired();
    am_mem_fault_set(0);
    am_buf_close(&buf);
    assert_int_equal(status, fired ? ADAM_NO_MEMORY : ADAM_OK);
    if (!fired) break;
    assert_int_equal(names, 0);
  }
}

static bool collect(void *user, const char *name) {
  strcat(strcat(user, name), " ");
  return strcmp(name, "c") == 0;
}

static void folders(void **state) {
  (void)state;
  adam_error error = {0};
  assert_int_equal(am_dir_make(at("m/n/o"), NULL), ADAM_OK);
  assert_int_equal(am_dir_make(at("m/n/o"), NULL), ADAM_OK);
  assert_int_equal(am_dir_make(at("m//n/p/"), NULL), ADAM_OK);
  assert_true(am_file_is_dir(at("m/n/o")) && am_file_is_dir(at("m/n/p")));
  assert_int_equal(am_dir_make(at("text"), &error), ADAM_IO); /* a file has that name */
  assert_int_equal(am_dir_make(at("text/x"), &error), ADAM_IO);
  assert_int_equal(am_dir_make("/", NULL), ADAM_OK);
  put("m/c", "", 0);
  put("m/a", "", 0);
  put("m/B", "", 0);
  put("m/.hidden", "", 0);
  char names[256] = "";
  assert_int_equal(am_dir_list(at("m"), collect, names, &error), ADAM_OK);
  assert_string_equal(names, ".hidden B a c "); /* stopped before n */
  assert_int_equal(am_dir_list(at("missing"), collect, names, &error), ADAM_NOT_FOUND);
  assert_int_equal(am_dir_list(at("text"), collect, names, &error), ADAM_NOT_FOUND);
}

static void expect_owned(char *path, const char *want) {
  assert_string_equal(path, want);
  am_mem_free(path);
}

static void paths(void **state) {
  (void)state;
  expect_owned(am_path_join("a", "b"), "a/b");
  expect_owned(am_path_join("a/", "b"), "a/b");
  expect_owned(am_path_join("/", "b"), "/b");
  expect_owned(am_path_join("", "b"), "b");
  expect_owned(am_path_dirname("a/b/c"), "a/b");
  expect_owned(am_path_dirname("a/b/"), "a");
  expect_owned(am_path_dirname("a"), ".");
  expect_owned(am_path_dirname("/a"), "/");
  expect_owned(am_path_dirname("/"), "/");
  expect_owned(am_path_dirname(""), ".");
  assert_string_equal(am_path_basename("a/b"), "b");
  assert_string_equal(am_path_basename("b"), "b");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(mapping),     cmocka_unit_test(not_files),       cmocka_unit_test(reading),
      cmocka_unit_test(writing),     cmocka_unit_test(facts),           cmocka_unit_test(input_fails),
      cmocka_unit_test(folders),     cmocka_unit_test(memory_runs_out), cmocka_unit_test(paths),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
