/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"

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

static void pieces(void **state) {
  (void)state;
  am_arena arena = {0};
  unsigned char *kept[2000];
  size_t sum = 0;
  for (int i = 0; i < 2000; i++) {
    size_t n = (size_t)(i * 7919 % 5000);
    kept[i] = am_arena_alloc(&arena, n);
    assert_non_null(kept[i]);
    assert_int_equal((uintptr_t)kept[i] % 16, 0);
    memset(kept[i], i & 255, n);
    sum += n;
  }
  for (int i = 0; i < 2000; i++) /* nobody wrote into another's piece */
    for (size_t k = 0; k < (size_t)(i * 7919 % 5000); k++) assert_int_equal(kept[i][k], i & 255);
  assert_true(arena.used_bytes >= sum);
  assert_string_equal(am_arena_dup(&arena, "hello there", 5), "hello");
  unsigned char *zeroed = am_arena_zalloc(&arena, 3, 1000000);
  for (int i = 0; i < 3000000; i++) assert_int_equal(zeroed[i], 0);
  am_arena_close(&arena);
  assert_null(arena.head);
  am_arena_close(&arena);
  am_arena_close(NULL);
}

static void limits(void **state) {
  (void)state;
  am_arena arena = {.limit_bytes = 1000};
  assert_non_null(am_arena_alloc(&arena, 500));
  assert_null(am_arena_alloc(&arena, 500));
  assert_non_null(am_arena_alloc(&arena, 480));
  am_arena_close(&arena);
  am_arena open = {0};
  assert_null(am_arena_alloc(&open, SIZE_MAX));
  assert_null(am_arena_alloc(&open, SIZE_MAX - 40));
  assert_null(am_arena_zalloc(&open, SIZE_MAX / 2, 4));
  assert_null(am_arena_dup(&open, "", SIZE_MAX));
  am_arena_close(&open);
}

static void memory_runs_out(void **state) {
  (void)state;
  for (uint64_t n = 1;; n++) {
    am_arena arena = {0};
    am_mem_fault_set(n);
    bool all = true;
    for (int i = 0; i < 20; i++) all = am_arena_alloc(&arena, (size_t)1 << i) && all;
    bool fired = am_mem_fault_fired();
    am_mem_fault_set(0);
    assert_int_equal(all, !fired);
    assert_non_null(am_arena_alloc(&arena, 100)); /* a failure leaves it usable */
    am_arena_close(&arena);
    if (!fired) break;
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(pieces), cmocka_unit_test(limits),
                                     cmocka_unit_test(memory_runs_out)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
