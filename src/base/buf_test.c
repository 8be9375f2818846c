/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/mem.h"

static bool fill(am_buf *buf) {
  am_buf_append(buf, "a\0b", 3);
  am_buf_append_str(buf, "xyz");
  for (int i = 0; i < 300; i++) am_buf_append_char(buf, '.');
  am_buf_append_codepoint(buf, 0x1F600);
  am_buf_append_codepoint(buf, 0xD800); /* no character */
  am_buf_printf(buf, "%d|%300s|", 42, "right");
  return am_buf_printf(buf, "%s", "");
}

static void contents(void **state) {
  (void)state;
  am_buf buf = {0};
  assert_true(fill(&buf));
  assert_int_equal(buf.len, 3 + 3 + 300 + 4 + 3 + 2 + 1 + 300 + 1);
  assert_memory_equal(buf.data, "a\0bxyz...", 9);
  assert_memory_equal(buf.data + 306, "\xF0\x9F\x98\x80\xEF\xBF\xBD" "42|  ", 12);
  assert_string_equal(buf.data + buf.len - 6, "right|");
  size_t capacity = buf.capacity;
  am_buf_clear(&buf);
  assert_int_equal(buf.len, 0);
  assert_int_equal(buf.capacity, capacity);
  assert_string_equal(buf.data, "");
  am_buf_append_str(&buf, "taken");
  char *text = am_buf_take(&buf);
  assert_string_equal(text, "taken");
  assert_null(buf.data);
  am_mem_free(text);
  text = am_buf_take(&buf);
  assert_string_equal(text, "");
  am_mem_free(text);
  am_buf_close(&buf);
  am_buf_close(NULL);
}

static void overflow(void **state) {
  (void)state;
  am_buf buf = {0};
  assert_true(am_buf_append_char(&buf, 'x'));
  assert_false(am_buf_reserve(&buf, SIZE_MAX));
  assert_true(buf.failed);
  assert_false(am_buf_append_char(&buf, 'y')); /* nothing more goes in */
  assert_string_equal(buf.data, "x");
  assert_null(am_buf_take(&buf));
}

static void memory_runs_out(void **state) {
  (void)state;
  for (uint64_t n = 1;; n++) {
    am_buf buf = {0};
    am_mem_fault_set(n);
    bool ok = fill(&buf);
    bool fired = am_mem_fault_fired();
    am_mem_fault_set(0);
    assert_int_equal(ok, !fired);
    assert_int_equal(buf.failed, fired);
    am_buf_close(&buf);
    if (!fired) break;
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(contents), cmocka_unit_test(overflow),
                                     cmocka_unit_test(memory_runs_out)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
