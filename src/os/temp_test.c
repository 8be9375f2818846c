/* SPDX-License-Identifier: Apache-2.0 */
/* What dead writers leave goes with the next write in the same folder, and nothing else does. */
#include "os/temp.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "os/file.h"

static char folder[] = "temp-test-XXXXXX";

static const char *path_of(const char *name) {
  static char path[4][512];
  static int turn;
  turn = (turn + 1) % 4;
  snprintf(path[turn], sizeof path[turn], "%s/%s", folder, name);
  return path[turn];
}

static int make_folder(void **state) {
  (void)state;
  return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state) {
  (void)state;
  return rmdir(folder);
}

static void touch(const char *name) {
  int fd = open(path_of(name), O_CREAT | O_WRONLY, 0644);
  assert_true(fd >= 0);
  close(fd);
}

static bool exists(const char *name) { return access(path_of(name), F_OK) == 0; }

static void only_the_dead_go(void **state) {
  static const char dead[] = ".adam-0123456789abcdef.tmp", held[] = ".adam-aaaaaaaaaaaaaaaa.tmp";
  static const char linked[] = ".adam-bbbbbbbbbbbbbbbb.tmp";
  static const char *const foreign[] = {".adam-0123.tmp", "x.tmp", ".adam-0123456789ABCDEF.tmp", "model.gguf",
                                        ".adam-0123456789abcdef.tmp2"};
  char *made = NULL;
  (void)state;
  touch(dead);
  touch(held);
  for (size_t i = 0; i < 5; i++) touch(foreign[i]);
  assert_int_equal(link(path_of("model.gguf"), path_of(linked)), 0);
  assert_int_equal(symlink("model.gguf", path_of(".adam-cccccccccccccccc.tmp")), 0);
  int fd = open(path_of(held), O_RDONLY);
  assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
  int mine = am_temp_create(folder, 0600, &made);
  assert_true(mine >= 0);
  assert_false(exists(dead));
  assert_true(exists(held) && exists(linked));
  for (size_t i = 0; i < 5; i++) assert_true(exists(foreign[i]));
  am_temp_sweep(folder); /* its own is held */
  assert_int_equal(access(made, F_OK), 0);
  close(fd);
  close(mine);
  am_temp_sweep(folder);
  assert_false(exists(held));
  assert_int_not_equal(access(made, F_OK), 0);
  am_mem_free(made);
  for (size_t i = 0; i < 5; i++) unlink(path_of(foreign[i]));
  unlink(path_of(linked));
  unlink(path_of(".adam-cccccccccccccccc.tmp"));
}

/* A child is killed while it has one. */
static void killed_writers_leave_nothing_for_long(void **state) {
  int ready[2];
  (void)state;
  assert_int_equal(pipe(ready), 0);
  pid_t child = fork();
  if (child == 0) {
    char *made = NULL;
    if (am_temp_create(folder, 0644, &made) < 0 || write(ready[1], "x", 1) != 1) _exit(1);
    for (;;) pause();
  }
  char byte;
  assert_int_equal(read(ready[0], &byte, 1), 1);
  am_temp_sweep(folder);
  assert_int_equal(am_file_write_atomic(path_of("a"), "1", 1, 0644, NULL), ADAM_OK);
  kill(child, SIGKILL);
  assert_int_equal(waitpid(child, NULL, 0), child);
  assert_int_equal(am_file_write_atomic(path_of("a"), "2", 1, 0644, NULL), ADAM_OK);
  unlink(path_of("a"));
  close(ready[0]);
  close(ready[1]); /* that the folder is empty shows at the end */
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(only_the_dead_go),
                                     cmocka_unit_test(killed_writers_leave_nothing_for_long)};
  return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
