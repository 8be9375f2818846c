/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"
#include "net/lines.h"
#include <string.h>

typedef struct seen {
  am_buf text; /* every line in brackets */
  uint64_t stop_at;
} seen;

static bool on_line(void *user, char *line, size_t n_bytes) {
  seen *s = user;
  assert_int_equal(line[n_bytes], 0);
  am_buf_append_char(&s->text, '[');
  am_buf_append(&s->text, line, n_bytes);
  am_buf_append_char(&s->text, ']');
  return s->stop_at && --s->stop_at == 0;
}

/* In pieces of n bytes. */
static void check(const char *stream, size_t n_stream, size_t piece, uint64_t stop_at, const char *expected,
                  size_t n_expected) {
  am_lines lines = {0};
  seen s = {.stop_at = stop_at};
  for (size_t at = 0; at < n_stream; at += piece) {
    size_t n = piece < n_stream - at ? piece : n_stream - at;
    assert_int_equal(am_lines_push(&lines, stream + at, n, "test", on_line, &s, NULL), ADAM_OK);
  }
  am_lines_end(&lines, on_line, &s);
  assert_int_equal(s.text.len, n_expected);
  assert_memory_equal(s.text.data, expected, n_expected);
  am_buf_close(&s.text);
  am_lines_close(&lines);
}

static void test_lines(void **state) {
  (void)state;
#define CHECK(stream, stop_at, expected) \
  check(stream, sizeof stream - 1, piece, stop_at, expected, sizeof expected - 1)
  for (size_t piece = 1; piece < 20; piece++) {
    CHECK("a\nbc\r\n\n\r\nd", 0, "[a][bc][][][d]");
    CHECK("a\rb\nc\n", 0, "[a\rb][c]");
    CHECK("x\0y\nz\r", 0, "[x\0y][z]");
    CHECK("1\n2\n3\n4", 2, "[1][2]");
  }
}

static void test_limit(void **state) {
  (void)state;
  am_lines lines = {.limit_bytes = 4};
  seen s = {0};
  adam_error error = {0};
  assert_int_equal(am_lines_push(&lines, "1234\n123", 8, "test", on_line, &s, &error), ADAM_OK);
  assert_int_equal(am_lines_push(&lines, "4", 1, "test", on_line, &s, &error), ADAM_OK);
  assert_int_equal(am_lines_push(&lines, "5", 1, "test", on_line, &s, &error), ADAM_LIMIT);
  assert_non_null(strstr(error.why, "line 2"));
  assert_string_equal(s.text.data, "[1234]");
  am_buf_close(&s.text);
  am_lines_close(&lines);
}

static void test_fault(void **state) {
  (void)state;
  am_lines lines = {0};
  seen s = {0};
  am_mem_fault_set(1);
  assert_int_equal(am_lines_push(&lines, "\n", 1, "test", on_line, &s, NULL), ADAM_NO_MEMORY);
  am_mem_fault_set(0);
  am_lines_close(&lines);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_lines), cmocka_unit_test(test_limit),
                                     cmocka_unit_test(test_fault)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
