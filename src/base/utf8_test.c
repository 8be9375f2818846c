/* SPDX-License-Identifier: Apache-2.0 */
#include "base/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/buf.h"
#include "golden/lines.h"

/* Python: where decoding stops, and what errors='replace' makes of the bytes. */
static void like_python(char *words[4], int n_words) {
  assert_int_equal(n_words, 3);
  size_t n = golden_bytes(words[0]), n_want = golden_bytes(words[2]);
  char *exact = malloc(n + 1); /* no byte too many, so that the sanitizer sees a read past the end */
  memcpy(exact, words[0], n);
  exact = realloc(exact, n > 0 ? n : 1);
  assert_int_equal(am_utf8_valid_prefix(exact, n), atoi(words[1]));
  assert_int_equal(am_utf8_valid(exact, n), (size_t)atoi(words[1]) == n);
  am_buf out = {0};
  size_t n_characters = 0;
  for (size_t i = 0; i < n; n_characters++) {
    uint32_t codepoint;
    int length = am_utf8_decode(exact + i, n - i, &codepoint);
    assert_true(length != 0 && (length > 0 || codepoint == AM_UTF8_REPLACEMENT));
    am_buf_append_codepoint(&out, codepoint);
    i += (size_t)abs(length);
  }
  assert_int_equal(out.len, n_want);
  if (n_want > 0) assert_memory_equal(out.data, words[2], n_want);
  assert_int_equal(am_utf8_count(out.data, out.len), n_characters);
  am_buf_close(&out);
  free(exact);
}

static void golden(void **state) {
  (void)state;
  assert_true(golden_lines("utf8.txt", like_python) > 800);
}

static void every_character(void **state) {
  (void)state;
  for (uint32_t c = 0; c <= 0x110000; c++) {
    char bytes[4];
    uint32_t back;
    int n = am_utf8_encode(c, bytes);
    bool is_character = c <= 0x10FFFF && !(c >= 0xD800 && c <= 0xDFFF);
    if (n != (is_character ? c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4 : 0)) fail_msg("U+%X has length %d", c, n);
    if (!is_character) continue;
    if (am_utf8_decode(bytes, (size_t)n, &back) != n || back != c) fail_msg("U+%X does not come back", c);
    if (am_utf8_valid_prefix(bytes, (size_t)n) != (size_t)n) fail_msg("U+%X is not valid", c);
    for (int cut = 1; cut < n; cut++)
      if (am_utf8_incomplete_tail(bytes, (size_t)cut) != (size_t)cut) fail_msg("U+%X cut at %d", c, cut);
    if (am_utf8_incomplete_tail(bytes, (size_t)n) != 0) fail_msg("U+%X whole", c);
  }
}

static void tails(void **state) {
  (void)state;
  assert_int_equal(am_utf8_incomplete_tail("", 0), 0);
  assert_int_equal(am_utf8_incomplete_tail("abc", 3), 0);
  assert_int_equal(am_utf8_incomplete_tail("ab\xE4\xB8", 4), 2);
  assert_int_equal(am_utf8_incomplete_tail("ab\x80", 3), 0);             /* no more bytes can mend it */
  assert_int_equal(am_utf8_incomplete_tail("\xE0\x80", 2), 0);           /* overlong */
  assert_int_equal(am_utf8_incomplete_tail("\xED\xA0", 2), 0);           /* surrogate */
  assert_int_equal(am_utf8_incomplete_tail("\xF4\x90", 2), 0);           /* above U+10FFFF */
  assert_int_equal(am_utf8_incomplete_tail("\xC0", 1), 0);
  assert_int_equal(am_utf8_incomplete_tail("\xF0\x9F\x98", 3), 3);
  assert_int_equal(am_utf8_incomplete_tail("\xF0\x9F\x98\x80\x80", 5), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(golden), cmocka_unit_test(every_character),
                                     cmocka_unit_test(tails)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
