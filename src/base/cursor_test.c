/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cursor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/size.h"

static void reads(void **state) {
  (void)state;
  static const uint8_t bytes[] = {1, 0x34, 0x12, 0xFE, 0xFF, 0xFF, 0xFF, 8, 7, 6, 5, 4, 3, 2, 1, 0, 0, 0x80, 0x3F, 'a', 'b'};
  am_cursor c = {bytes, sizeof bytes, 0, false};
  assert_int_equal(am_cursor_u8(&c), 1);
  assert_int_equal(am_cursor_u16(&c), 0x1234);
  assert_int_equal(am_cursor_i32(&c), -2);
  assert_true(am_cursor_u64(&c) == 0x0102030405060708u);
  assert_true(am_cursor_f32(&c) == 1.0f);
  assert_false(c.failed);
  assert_int_equal(am_cursor_u32(&c), 0); /* two bytes are left */
  assert_true(c.failed);
  assert_int_equal(c.offset, 19);
  assert_int_equal(am_cursor_u8(&c), 0); /* and stays failed */
  assert_int_equal(c.offset, 19);
  c.failed = false;
  assert_null(am_cursor_bytes(&c, SIZE_MAX));
  c.failed = false;
  assert_memory_equal(am_cursor_bytes(&c, 2), "ab", 2);
  assert_non_null(am_cursor_bytes(&c, 0));
}

static void checked_sizes(void **state) {
  (void)state;
  size_t n = 7;
  uint64_t u = 7;
  assert_false(am_size_add(SIZE_MAX, 1, &n));
  assert_false(am_size_mul(SIZE_MAX / 2 + 1, 2, &n));
  assert_false(am_u64_add(UINT64_MAX, 1, &u));
  assert_false(am_u64_mul((uint64_t)1 << 32, (uint64_t)1 << 32, &u));
  assert_true(n == 7 && u == 7);
  assert_true(am_size_mul(n, n, &n) && n == 49);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(reads), cmocka_unit_test(checked_sizes)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
