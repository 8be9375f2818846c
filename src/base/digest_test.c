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

/* FIPS 180-2, A.1; the name of git's empty blob. */
static void sha1(void **state) {
  (void)state;
  uint8_t out[20];
  char hex[41];
  am_sha1 *digest = am_sha1_open();
  assert_non_null(digest);
  assert_true(am_sha1_update(digest, "ab", 2) && am_sha1_update(digest, "c", 1) && am_sha1_final(digest, out));
  am_hex(out, sizeof out, hex);
  assert_string_equal(hex, "a9993e364706816aba3e25717850c26c9cd0d89d");
  am_sha1_close(&digest);
  digest = am_sha1_open();
  assert_true(am_sha1_update(digest, "blob 0", 7) && am_sha1_final(digest, out));
  am_hex(out, sizeof out, hex);
  assert_string_equal(hex, "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
  am_sha1_close(&digest);
  am_sha1_close(&digest);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(known_answers), cmocka_unit_test(streamed),
                                     cmocka_unit_test(sha1)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
