/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/partial.h"

#include "base/buf.h"
#include "os/file.h"
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum { MB = 1 << 20, BYTES = 3 * MB + 10 };

static char folder[] = "/tmp/adam-partial-XXXXXX";
static char blob[256], partial_path[300], old_path[300];
static adam_error error;
static char content[BYTES];

static int make_folder(void **state) {
  (void)state;
  for (int i = 0; i < BYTES; i++) content[i] = (char)(i % 251);
  if (!mkdtemp(folder)) return -1;
  snprintf(blob, sizeof blob, "%s/abc", folder);
  snprintf(partial_path, sizeof partial_path, "%s.ada0ada0.incomplete", blob);
  snprintf(old_path, sizeof old_path, "%s.incomplete", blob);
  return 0;
}

static int remove_folder(void **state) {
  (void)state;
  unlink(blob);
  unlink(partial_path);
  unlink(old_path);
  return rmdir(folder);
}

static void write_file(const char *path, const void *bytes, size_t n) {
  unlink(path);
  assert_int_equal(am_file_write_atomic(path, bytes, n, 0666, &error), ADAM_OK);
}

static uint32_t cells_here(void) {
  am_hub_partial p;
  uint32_t bits = 0;
  assert_int_equal(am_hub_partial_open(blob, BYTES, false, &p, &error), ADAM_OK);
  assert_int_equal(p.n_cells, 4);
  assert_int_equal(am_hub_partial_cell_bytes(&p, 3), 10);
  for (uint32_t i = 0; i < 4; i++) bits |= (uint32_t)am_hub_partial_has(&p, i) << i;
  am_hub_partial_close(&p, false);
  return bits;
}

static void what_came_is_kept(void **state) {
  (void)state;
  am_hub_partial p;
  assert_int_equal(cells_here(), 0);
  assert_int_equal(am_hub_partial_open(blob, BYTES, false, &p, &error), ADAM_OK);
  assert_int_equal(am_hub_partial_write(&p, MB, content + MB, MB, &error), ADAM_OK);
  assert_int_equal(am_hub_partial_mark(&p, 1, &error), ADAM_OK);
  assert_int_equal(am_hub_partial_write(&p, 3 * MB, content + 3 * MB, 10, &error), ADAM_OK);
  assert_int_equal(am_hub_partial_mark(&p, 3, &error), ADAM_OK);
  am_hub_partial_close(&p, false);
  assert_int_equal(cells_here(), 10);
  assert_int_equal(am_hub_partial_open(blob, BYTES, false, &p, &error), ADAM_OK);
  assert_int_equal(am_hub_partial_write(&p, 0, content, MB, &error), ADAM_OK);
  assert_int_equal(am_hub_partial_write(&p, 2 * MB, content + 2 * MB, MB, &error), ADAM_OK);
  assert_int_equal(am_hub_partial_publish(&p, blob, &error), ADAM_OK);
  am_hub_partial_close(&p, false);
  am_buf got = {0};
  assert_int_equal(am_file_read(blob, BYTES, &got, &error), ADAM_OK);
  assert_int_equal(got.len, BYTES);
  assert_memory_equal(got.data, content, BYTES);
  am_buf_close(&got);
  assert_false(am_file_is_regular(partial_path));
  unlink(blob);
}

static void files_without_a_trailer(void **state) {
  (void)state;
  write_file(partial_path, content, 2 * MB + 5); /* a prefix */
  assert_int_equal(cells_here(), 3);
  write_file(partial_path, content, BYTES); /* all of it, in the moment before it gets its name */
  assert_int_equal(cells_here(), 15);
  char longer[64] = "adampart";
  am_buf text = {0}; /* too long, and the trailer is not ours */
  am_buf_append(&text, content, BYTES);
  am_buf_append(&text, longer, 25);
  write_file(partial_path, text.data, text.len);
  am_buf_close(&text);
  assert_int_equal(cells_here(), 0);
  am_hub_partial p; /* of another length: not the same file */
  assert_int_equal(am_hub_partial_open(blob, BYTES - 5, false, &p, &error), ADAM_OK);
  assert_false(am_hub_partial_has(&p, 0));
  am_hub_partial_close(&p, true);
  assert_false(am_file_is_regular(partial_path));
}

static void older_clients(void **state) {
  (void)state;
  static const char *const endings[] = {".incomplete", ".0123abcd.incomplete"};
  char path[600];
  const struct timespec old[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = 1000000}};
  for (size_t i = 0; i < 2; i++) {
    unlink(partial_path);
    snprintf(path, sizeof path, "%s%s", blob, endings[i]);
    write_file(path, content, MB + 7);
    assert_int_equal(cells_here(), 0); /* somebody may be writing it now */
    assert_true(am_file_is_regular(path));
    unlink(partial_path);
    assert_int_equal(utimensat(AT_FDCWD, path, old, 0), 0);
    assert_int_equal(cells_here(), 1);
    assert_false(am_file_is_regular(path));
  }
  /* Not one with a hole, nor one of another name. */
  unlink(partial_path);
  write_file(path, content, 10);
  assert_int_equal(truncate(path, 2 * MB), 0);
  assert_int_equal(utimensat(AT_FDCWD, path, old, 0), 0);
  assert_int_equal(cells_here(), 0);
  assert_int_equal(unlink(path), 0);
  unlink(partial_path);
  snprintf(path, sizeof path, "%s.0123abcX.incomplete", blob);
  write_file(path, content, MB + 7);
  assert_int_equal(utimensat(AT_FDCWD, path, old, 0), 0);
  assert_int_equal(cells_here(), 0);
  assert_int_equal(unlink(path), 0);
  unlink(partial_path);
  write_file(old_path, content, MB + 7);
  assert_int_equal(utimensat(AT_FDCWD, old_path, old, 0), 0);
  assert_int_equal(cells_here(), 1);
  assert_false(am_file_is_regular(old_path));
  am_hub_partial p;
  assert_int_equal(am_hub_partial_open(blob, BYTES, false, &p, &error), ADAM_OK);
  assert_int_equal(am_hub_partial_reset(&p, &error), ADAM_OK);
  am_hub_partial_close(&p, false);
  assert_int_equal(cells_here(), 0);
}

static void links_are_not_followed(void **state) {
  (void)state;
  unlink(partial_path);
  assert_int_equal(symlink("elsewhere", partial_path), 0);
  am_hub_partial p;
  assert_int_equal(am_hub_partial_open(blob, BYTES, false, &p, &error), ADAM_IO);
  assert_int_equal(am_hub_partial_open(blob, BYTES, true, &p, &error), ADAM_OK); /* a name of its own */
  am_hub_partial_close(&p, true);
  unlink(partial_path);
}

static void sizes(void **state) {
  (void)state;
  am_hub_partial p;
  assert_int_equal(am_hub_partial_open(blob, 0, false, &p, &error), ADAM_OK);
  assert_int_equal(p.n_cells, 0);
  assert_int_equal(am_hub_partial_publish(&p, blob, &error), ADAM_OK);
  am_hub_partial_close(&p, false);
  uint64_t bytes = 1;
  assert_true(am_file_size(blob, &bytes) && bytes == 0);
  unlink(blob);
  uint64_t large = (uint64_t)400 << 30;
  assert_int_equal(am_hub_partial_open(blob, large, false, &p, &error), ADAM_OK); /* sparse */
  assert_true(p.n_cells <= AM_HUB_MAX_CELLS && p.n_cells * p.cell_bytes >= large);
  am_hub_partial_close(&p, true);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(what_came_is_kept), cmocka_unit_test(files_without_a_trailer),
                                     cmocka_unit_test(older_clients), cmocka_unit_test(links_are_not_followed),
                                     cmocka_unit_test(sizes)};
  return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
