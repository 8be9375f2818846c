/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/process.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void test_find(void **state) {
  (void)state;
  char *path = am_process_find("sh");
  assert_non_null(path);
  assert_true(strlen(path) > 3 && !strcmp(path + strlen(path) - 3, "/sh"));
  char *same = am_process_find(path);
  assert_string_equal(same, path);
  am_mem_free(same);
  am_mem_free(path);
  assert_null(am_process_find("no-such-program-of-adam"));
  assert_null(am_process_find("/no/such/program"));
}

static void test_start(void **state) {
  (void)state;
  char log[] = "/tmp/adam-process-XXXXXX";
  int file = mkstemp(log), pid = 0;
  assert_true(file >= 0);
  close(file);
  setenv("ADAM_TEST_OLD", "old", 1);
  setenv("ADAM_TEST_BOTH", "old", 1);
  char *shell = am_process_find("sh");
  const char *const arguments[] = {"sh", "-c", "echo $1 $ADAM_TEST_OLD $ADAM_TEST_BOTH; exec sleep 30", "sh", "one two", NULL};
  const char *const environment[] = {"ADAM_TEST_BOTH=new", NULL};
  assert_int_equal(am_process_start(shell, arguments, environment, log, &pid, NULL), ADAM_OK);
  assert_true(pid > 1 && am_process_runs(pid));
  am_buf said = {0};
  for (int i = 0; i < 100 && said.len == 0; i++) {
    am_clock_sleep_ms(20);
    assert_int_equal(am_file_read(log, 1000, &said, NULL), ADAM_OK);
  }
  assert_string_equal(said.data, "one two old new\n");
  assert_int_equal(kill(pid, SIGKILL), 0);
  am_buf_close(&said);
  am_mem_free(shell);
  unlink(log);
}

static void test_failure(void **state) {
  (void)state;
  adam_error error = {0};
  int pid = -5;
  const char *const arguments[] = {"x", NULL};
  assert_int_equal(am_process_start("/no/such/program", arguments, NULL, NULL, &pid, &error), ADAM_IO);
  assert_non_null(strstr(error.why, "No such file"));
  assert_int_equal(pid, -5);
  am_mem_fault_set(1);
  assert_int_equal(am_process_start("/bin/true", arguments, NULL, NULL, &pid, &error), ADAM_NO_MEMORY);
  am_mem_fault_set(0);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_find), cmocka_unit_test(test_start),
                                     cmocka_unit_test(test_failure)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
