/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void sizes(void **state) {
  (void)state;
  void *p = am_mem_alloc(0);
  assert_non_null(p);
  am_mem_free(p);
  assert_null(am_mem_zalloc(SIZE_MAX / 2, 3));
  assert_null(am_mem_resize(NULL, SIZE_MAX / 2, 3));
  assert_null(am_mem_dup("", SIZE_MAX));
  unsigned char *zeroed = am_mem_zalloc(7, 11);
  assert_non_null(zeroed);
  for (int i = 0; i < 77; i++) assert_int_equal(zeroed[i], 0);
  am_mem_free(zeroed);
  for (size_t alignment = 1; alignment <= 4096; alignment *= 2) {
    void *aligned = am_mem_aligned(alignment, 100);
    assert_int_equal((uintptr_t)aligned % alignment, 0);
    am_mem_free(aligned);
  }
  char *huge = am_mem_huge(5 << 20);
  assert_non_null(huge);
  memset(huge, 1, 5 << 20);
  am_mem_free(huge);
  char *copy = am_mem_dup("a\0b", 3);
  assert_memory_equal(copy, "a\0b\0", 4);
  copy = am_mem_resize(copy, 100, 1);
  assert_memory_equal(copy, "a\0b\0", 4);
  am_mem_free(copy);
}

static void nth_fails(void **state) {
  (void)state;
  am_mem_fault_set(3);
  void *a = am_mem_alloc(1), *b = am_mem_zalloc(1, 1);
  assert_non_null(a);
  assert_non_null(b);
  assert_false(am_mem_fault_fired());
  assert_null(am_mem_resize(a, 2, 1)); /* a stays valid */
  assert_true(am_mem_fault_fired());
  void *c = am_mem_aligned(64, 1);
  assert_non_null(c);
  am_mem_fault_set(1);
  assert_null(am_mem_dup("x", 1));
  am_mem_fault_set(0);
  assert_false(am_mem_fault_fired());
  am_mem_free(a);
  am_mem_free(b);
  am_mem_free(c);
  am_mem_free(NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(sizes), cmocka_unit_test(nth_fails)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
