/* SPDX-License-Identifier: Apache-2.0 */
#include "base/map.h"

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

enum { N_KEYS = 5000 };

static char keys[N_KEYS][16];

static void make_keys(void) {
  for (int i = 0; i < N_KEYS; i++) snprintf(keys[i], sizeof keys[i], "key %d", i * 31);
}

static void set_and_get(void **state) {
  (void)state;
  make_keys();
  am_map map = {0};
  uint64_t value = 99;
  assert_false(am_map_get(&map, "x", 1, &value));
  for (int i = 0; i < N_KEYS; i++) assert_true(am_map_set(&map, keys[i], strlen(keys[i]), (uint64_t)i));
  assert_int_equal(map.n_used, N_KEYS);
  for (int i = 0; i < N_KEYS; i++) {
    char copy[16]; /* the bytes count, not the pointer */
    strcpy(copy, keys[i]);
    assert_true(am_map_get(&map, copy, strlen(copy), &value));
    assert_int_equal(value, i);
  }
  assert_true(am_map_set(&map, keys[7], strlen(keys[7]), 1234));
  assert_int_equal(map.n_used, N_KEYS);
  assert_true(am_map_get(&map, keys[7], strlen(keys[7]), &value));
  assert_int_equal(value, 1234);
  value = 99;
  assert_false(am_map_get(&map, "key", 3, &value));
  assert_false(am_map_get(&map, "", 0, &value));
  assert_int_equal(value, 99);
  assert_true(am_map_set(&map, "", 0, 5));
  assert_true(am_map_set(&map, "a\0b", 3, 6)); /* NUL is a byte like any other */
  assert_true(am_map_set(&map, "a\0c", 3, 7));
  assert_true(am_map_get(&map, "", 0, &value) && value == 5);
  assert_true(am_map_get(&map, "a\0b", 3, &value) && value == 6);
  am_map_close(&map);
  am_map_close(&map);
  am_map_close(NULL);
}

static void reserve_is_enough(void **state) {
  (void)state;
  make_keys();
  for (size_t n = 0; n < 200; n++) {
    am_map map = {0};
    assert_true(am_map_reserve(&map, n));
    am_mem_fault_set(1); /* any further allocation fails */
    for (size_t i = 0; i < n; i++) assert_true(am_map_set(&map, keys[i], strlen(keys[i]), i));
    assert_false(am_mem_fault_fired());
    am_mem_fault_set(0);
    am_map_close(&map);
  }
  am_map map = {0};
  assert_false(am_map_reserve(&map, SIZE_MAX));
}

static void memory_runs_out(void **state) {
  (void)state;
  make_keys();
  for (uint64_t n = 1;; n++) {
    am_map map = {0};
    am_mem_fault_set(n);
    int refused = 0, first_refused = -1;
    for (int i = 0; i < 1000; i++)
      if (!am_map_set(&map, keys[i], strlen(keys[i]), (uint64_t)i) && refused++ == 0) first_refused = i;
    bool fired = am_mem_fault_fired();
    am_mem_fault_set(0);
    assert_int_equal(refused, fired ? 1 : 0);
    for (int i = 0; i < 1000; i++) { /* only the refused one is missing */
      uint64_t value;
      assert_int_equal(am_map_get(&map, keys[i], strlen(keys[i]), &value), i != first_refused);
    }
    am_map_close(&map);
    if (!fired) break;
  }
}

/* One flipped bit anywhere changes about half of the 64 bits of the hash. */
static void avalanche(void **state) {
  (void)state;
  uint8_t bytes[40];
  for (size_t n = 1; n <= sizeof bytes; n++) {
    memset(bytes, (int)n, n);
    uint64_t base = am_hash_bytes(bytes, n, 1);
    int flips = 0;
    for (size_t bit = 0; bit < 8 * n; bit++) {
      bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
      uint64_t changed = base ^ am_hash_bytes(bytes, n, 1);
      assert_true(changed != 0);
      flips += __builtin_popcountll(changed);
      bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    double mean = flips / (8.0 * (double)n);
    assert_true(mean > 26 && mean < 38);
    assert_true(am_hash_bytes(bytes, n, 2) != base);
    assert_true(am_hash_bytes(bytes, n - 1, 1) != base);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(set_and_get), cmocka_unit_test(reserve_is_enough),
                                     cmocka_unit_test(memory_runs_out), cmocka_unit_test(avalanche)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
