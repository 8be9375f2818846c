/* SPDX-License-Identifier: Apache-2.0 */
#include "base/digest.h"

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

/* FIPS 180-4 examples, as published by NIST. */
static void known_answers(void **state) {
  (void)state;
  char hex[65];
  assert_true(am_sha256_hex("", 0, hex));
  assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  assert_true(am_sha256_hex("abc", 3, hex));
  assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void streamed(void **state) {
  (void)state;
  static const char text[] = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
  static const uint8_t want[4] = {0x24, 0x8d, 0x6a, 0x61};
  am_sha256 *digest = am_sha256_open();
  assert_non_null(digest);
  for (size_t i = 0; i < sizeof text - 1; i++) assert_true(am_sha256_update(digest, text + i, 1));
  uint8_t out[32];
  assert_true(am_sha256_final(digest, out));
  assert_memory_equal(out, want, 4);
  assert_int_equal(out[31], 0xc1);
  am_sha256_close(&digest);
  assert_null(digest);
  am_sha256_close(&digest);
  am_mem_fault_set(1);
  assert_null(am_sha256_open());
  am_mem_fault_set(0);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(known_answers), cmocka_unit_test(streamed)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
