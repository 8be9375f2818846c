/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void filled(void **state) {
  (void)state;
  adam_error error = {0};
  assert_int_equal(am_fail(&error, ADAM_DAMAGED, "model.gguf", "download it again", "offset %d", 17), ADAM_DAMAGED);
  char text[64];
  assert_int_equal(adam_error_format(&error, text, sizeof text), strlen("model.gguf: offset 17 (download it again)"));
  assert_string_equal(text, "model.gguf: offset 17 (download it again)");
  assert_int_equal(adam_error_format(&error, text, 11), 41);
  assert_string_equal(text, "model.gguf");
  assert_int_equal(adam_error_format(&error, NULL, 0), 41);
  assert_int_equal(am_fail(&error, ADAM_LIMIT, NULL, NULL, "too long"), ADAM_LIMIT);
  adam_error_format(&error, text, sizeof text);
  assert_string_equal(text, "too long");
  error.why[0] = 0;
  adam_error_format(&error, text, sizeof text);
  assert_string_equal(text, "a limit was reached");
  assert_int_equal(am_fail(NULL, ADAM_IO, "x", NULL, "y"), ADAM_IO);
  assert_int_equal(am_fail_memory(&error, "weights"), ADAM_NO_MEMORY);
  assert_string_equal(error.what, "weights");
  am_error_rename(&error, "other");
  am_error_rename(NULL, "other");
  assert_string_equal(error.what, "other");
  am_fail(&error, ADAM_FAILED, error.what, error.why, "%s again", error.why); /* from its own texts */
  assert_string_equal(error.what, "other");
  assert_string_equal(error.why, "memory could not be allocated again");
  assert_string_equal(error.hint, "memory could not be allocated");
}

static void cut_at_a_border(void **state) {
  (void)state;
  adam_error error;
  char longer[1200];
  for (int i = 0; i < 1197; i += 3) memcpy(longer + i, "\xE4\xB8\xAD", 4);
  am_fail(&error, ADAM_FAILED, longer, longer, "%s", longer);
  assert_int_equal(strlen(error.what), 255);
  assert_int_equal(strlen(error.why), 510); /* 511 is inside a character */
  assert_int_equal(strlen(error.hint), 255);
  assert_memory_equal(error.why + 507, "\xE4\xB8\xAD", 4);
}

static void terminal_is_safe(void **state) {
  (void)state;
  adam_error error;
  am_fail(&error, ADAM_FAILED, "a\x1b[2Jb\nc\x7f", "\xC2\x9B" "31m \xC3\xA9", "x\xFFy\r%s", "\t");
  assert_string_equal(error.what, "a?[2Jb?c?");
  assert_string_equal(error.hint, "?31m \xC3\xA9"); /* U+009B is CSI for some terminals */
  assert_string_equal(error.why, "x?y??");
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(filled), cmocka_unit_test(cut_at_a_border),
                                     cmocka_unit_test(terminal_is_safe)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
