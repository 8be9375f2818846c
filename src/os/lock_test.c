/* SPDX-License-Identifier: Apache-2.0 */
#include "os/lock.h"

#include "os/file.h"
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/adam-lock-XXXXXX";
static char path[256];

static int make_folder(void **state) {
  (void)state;
  if (!mkdtemp(folder)) return -1;
  snprintf(path, sizeof path, "%s/below/it.lock", folder);
  return 0;
}

static int remove_folder(void **state) {
  (void)state;
  char below[256];
  unlink(path);
  snprintf(below, sizeof below, "%s/below", folder);
  rmdir(below);
  return rmdir(folder);
}

static void one_holder_at_a_time(void **state) {
  (void)state;
  am_lock *first = NULL, *second = NULL;
  adam_error error = {0};
  assert_int_equal(am_lock_open(path, 0, NULL, NULL, &first, &error), ADAM_OK);
  assert_int_equal(am_lock_open(path, 0, NULL, NULL, &second, &error), ADAM_LIMIT);
  assert_null(second);
  assert_int_equal(am_lock_open(path, 120, NULL, NULL, &second, &error), ADAM_LIMIT);
  am_lock_close(&first);
  assert_int_equal(am_lock_open(path, 0, NULL, NULL, &second, &error), ADAM_OK);
  struct stat facts;
  assert_int_equal(stat(path, &facts), 0);
  am_lock_close(&second);
  am_lock_close(&second);
}

static bool third_time(void *user) { return ++*(int *)user == 3; }

static void waiting_is_cancelled(void **state) {
  (void)state;
  am_lock *first = NULL, *second = NULL;
  adam_error error = {0};
  int asked = 0;
  assert_int_equal(am_lock_open(path, 0, NULL, NULL, &first, &error), ADAM_OK);
  assert_int_equal(am_lock_open(path, AM_LOCK_FOREVER, third_time, &asked, &second, &error), ADAM_CANCELLED);
  assert_int_equal(asked, 3);
  am_lock_close(&first);
}

/* What Python's filelock does on release. */
static void a_deleted_file_is_no_lock(void **state) {
  (void)state;
  am_lock *first = NULL, *second = NULL, *third = NULL;
  adam_error error = {0};
  assert_int_equal(am_lock_open(path, 0, NULL, NULL, &first, &error), ADAM_OK);
  assert_int_equal(unlink(path), 0);
  assert_int_equal(am_lock_open(path, 0, NULL, NULL, &second, &error), ADAM_OK);
  am_lock_close(&first);
  assert_int_equal(am_lock_open(path, 0, NULL, NULL, &third, &error), ADAM_LIMIT);
  am_lock_close(&second);
}

static void it_ends_with_its_process(void **state) {
  (void)state;
  int pipes[2];
  char byte = 0;
  assert_int_equal(pipe(pipes), 0);
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    am_lock *held = NULL;
    if (am_lock_open(path, 0, NULL, NULL, &held, NULL) == ADAM_OK) byte = 1;
    (void)!write(pipes[1], &byte, 1);
    pause();
    _exit(0);
  }
  assert_int_equal(read(pipes[0], &byte, 1), 1);
  assert_int_equal(byte, 1);
  am_lock *mine = NULL;
  adam_error error = {0};
  assert_int_equal(am_lock_open(path, 0, NULL, NULL, &mine, &error), ADAM_LIMIT);
  assert_int_equal(kill(child, SIGKILL), 0);
  assert_int_equal(am_lock_open(path, 5000, NULL, NULL, &mine, &error), ADAM_OK);
  am_lock_close(&mine);
  assert_int_equal(waitpid(child, NULL, 0), child);
  close(pipes[0]);
  close(pipes[1]);
}

static void no_place_for_it(void **state) {
  (void)state;
  am_lock *lock = NULL;
  adam_error error = {0};
  assert_int_equal(am_lock_open("/proc/self/none/it.lock", 0, NULL, NULL, &lock, &error) != ADAM_OK, 1);
  assert_null(lock);
  assert_true(error.why[0] != 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(one_holder_at_a_time),     cmocka_unit_test(waiting_is_cancelled),
      cmocka_unit_test(a_deleted_file_is_no_lock), cmocka_unit_test(it_ends_with_its_process),
      cmocka_unit_test(no_place_for_it),
  };
  return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
