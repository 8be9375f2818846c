/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"
#include "os/file.h"
#include "os/link.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[] = "link_test_XXXXXX";

static int set_up(void **state) {
  (void)state;
  return mkdtemp(root) && chdir(root) == 0 ? 0 : -1;
}

static int tear_down(void **state) {
  (void)state;
  if (chdir("..") != 0) return -1;
  char command[64];
  snprintf(command, sizeof command, "rm -r %s", root);
  return system(command);
}

static int before_each(void **state) {
  (void)state;
  am_link_forbid(0);
  return system("rm -rf ./* ./.adam*");
}

static void put(const char *path, const char *text) {
  assert_int_equal(am_file_write_atomic(path, text, strlen(text), 0600, NULL), ADAM_OK);
}

static void expect_text(const char *path, const char *text) {
  am_buf buf = {0};
  assert_int_equal(am_file_read(path, 1000, &buf, NULL), ADAM_OK);
  assert_string_equal(buf.data, text);
  am_buf_close(&buf);
}

static bool count_name(void *user, const char *name) {
  (void)name;
  ++*(size_t *)user;
  return false;
}

static void expect_n_files(size_t n) {
  size_t found = 0;
  assert_int_equal(am_dir_list(".", count_name, &found, NULL), ADAM_OK);
  assert_int_equal(found, n);
}

static void test_hard(void **state) {
  (void)state;
  put("a", "text");
  assert_int_equal(symlink("a", "to_a"), 0);
  am_link_method method;
  uint64_t added = 9, inode, of_a, n_links;
  assert_int_equal(am_link_file("to_a", "b", false, false, &method, &added, NULL), ADAM_OK);
  assert_int_equal(method, AM_LINK_HARD);
  assert_int_equal(added, 0);
  assert_true(am_file_identity("b", NULL, &inode, &n_links, NULL));
  assert_true(am_file_identity("a", NULL, &of_a, NULL, NULL));
  assert_int_equal(inode, of_a);
  assert_int_equal(n_links, 2);
  assert_int_equal(am_link_file("a", "b", false, false, &method, &added, NULL), ADAM_OK);
  assert_int_equal(method, AM_LINK_SAME);
  expect_n_files(3);
}

static void test_replace(void **state) {
  (void)state;
  put("a", "text");
  put("b", "other");
  put("far", "away");
  assert_int_equal(am_link_file("a", "b", false, true, NULL, NULL, NULL), ADAM_INVALID);
  expect_text("b", "other");
  assert_int_equal(am_link_file("a", "b", true, true, NULL, NULL, NULL), ADAM_OK);
  expect_text("b", "text");
  assert_int_equal(symlink("far", "link"), 0);
  assert_int_equal(am_link_file("a", "link", true, true, NULL, NULL, NULL), ADAM_OK);
  expect_text("link", "text");
  expect_text("far", "away"); /* what a link points to is not touched */
  assert_int_equal(mkdir("folder", 0755), 0);
  assert_int_equal(am_link_file("a", "folder", true, true, NULL, NULL, NULL), ADAM_INVALID);
  expect_n_files(5);
}

static void test_copy(void **state) {
  (void)state;
  put("a", "text");
  am_link_method method;
  uint64_t added, inode, of_a;
  adam_error error = {0};
  am_link_forbid(1u << AM_LINK_HARD | 1u << AM_LINK_REFLINK);
  assert_int_equal(am_link_file("a", "b", false, false, &method, &added, &error), ADAM_UNSUPPORTED);
  expect_n_files(1);
  assert_int_equal(am_link_file("a", "b", false, true, &method, &added, NULL), ADAM_OK);
  assert_int_equal(method, AM_LINK_COPY);
  assert_int_equal(added, 4);
  assert_true(am_file_identity("a", NULL, &of_a, NULL, NULL));
  assert_true(am_file_identity("b", NULL, &inode, NULL, NULL));
  assert_int_not_equal(inode, of_a);
  struct stat facts;
  assert_int_equal(stat("b", &facts), 0);
  assert_int_equal(facts.st_mode & 0777, 0644);
  expect_text("b", "text");
  expect_n_files(2);
}

static void test_refused(void **state) {
  (void)state;
  adam_error error = {0};
  put("a", "text");
  assert_int_equal(mkfifo("pipe", 0600), 0);
  assert_int_equal(am_link_file("pipe", "b", true, true, NULL, NULL, &error), ADAM_IO);
  assert_int_equal(am_link_file("none", "b", true, true, NULL, NULL, &error), ADAM_NOT_FOUND);
  assert_int_equal(am_link_file(".", "b", true, true, NULL, NULL, &error), ADAM_IO);
  assert_int_equal(am_link_file("a", "none/b", true, true, NULL, NULL, &error), ADAM_NOT_FOUND);
  assert_false(am_file_identity("pipe", NULL, NULL, NULL, NULL));
  expect_n_files(2);
}

static void test_memory(void **state) {
  (void)state;
  put("a", "text");
  am_link_forbid(1u << AM_LINK_HARD | 1u << AM_LINK_REFLINK);
  for (uint64_t n = 1;; n++) {
    am_mem_fault_set(n);
    adam_status status = am_link_file("a", "b", false, true, NULL, NULL, NULL);
    bool fired = am_mem_fault_fired() != 0;
    am_mem_fault_set(0);
    if (!fired) {
      assert_int_equal(status, ADAM_OK);
      break;
    }
    if (!status) assert_int_equal(unlink("b"), 0);
    expect_n_files(1);
  }
  expect_text("b", "text");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup(test_hard, before_each),    cmocka_unit_test_setup(test_replace, before_each),
      cmocka_unit_test_setup(test_copy, before_each),    cmocka_unit_test_setup(test_refused, before_each),
      cmocka_unit_test_setup(test_memory, before_each),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
