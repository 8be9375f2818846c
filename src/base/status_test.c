/* SPDX-License-Identifier: Apache-2.0 */
#include <adam/adam.h>

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

/* The exit codes that the command promises. */
static void codes(void **state) {
  (void)state;
  assert_int_equal(ADAM_OK, 0);
  assert_int_equal(adam_status_exit_code(ADAM_OK), 0);
  assert_int_equal(adam_status_exit_code(ADAM_FAILED), 1);
  assert_int_equal(adam_status_exit_code(ADAM_INVALID), 2);
  assert_int_equal(adam_status_exit_code(ADAM_NOT_FOUND), 3);
  assert_int_equal(adam_status_exit_code(ADAM_NO_MEMORY), 4);
  assert_int_equal(adam_status_exit_code(ADAM_UNAVAILABLE), 5);
  assert_int_equal(adam_status_exit_code(ADAM_DAMAGED), 6);
  assert_int_equal(adam_status_exit_code(ADAM_UNSUPPORTED), 6);
  assert_int_equal(adam_status_exit_code(ADAM_CANCELLED), 130);
  assert_int_equal(adam_status_exit_code((adam_status)-99), 1);
  assert_string_equal(adam_status_name(ADAM_DAMAGED), "DAMAGED");
  assert_string_equal(adam_status_text(ADAM_DAMAGED), "damaged file");
  assert_string_equal(adam_status_name((adam_status)-99), "UNKNOWN");
  assert_non_null(adam_status_text((adam_status)77));
  for (int value = 0; value >= -11; value--) assert_string_not_equal(adam_status_name((adam_status)value), "UNKNOWN");
}

static void names(void **state) {
  (void)state;
  assert_string_equal(adam_finish_reason_name(ADAM_FINISH_STOP), "stop");
  assert_string_equal(adam_finish_reason_name(ADAM_FINISH_LENGTH), "length");
  assert_string_equal(adam_finish_reason_name(ADAM_FINISH_CANCELLED), "cancelled");
  assert_string_equal(adam_finish_reason_name(ADAM_FINISH_TOOL_CALLS), "tool_calls");
  assert_string_equal(adam_finish_reason_name(ADAM_FINISH_ERROR), "error");
  assert_string_equal(adam_finish_reason_name((adam_finish_reason)50), "error");
  assert_string_equal(adam_version(), ADAM_VERSION);
}

static char *owned(const char *text) { return am_mem_dup(text, strlen(text)); }

static void results(void **state) {
  (void)state;
  adam_result empty = {0};
  adam_result_close(&empty);
  adam_result_close(NULL);
  adam_result result = {.text = owned("t"), .thinking = owned("t"), .tool_calls_json = owned("[]"),
                        .ids = am_mem_alloc(4), .model = owned("m"), .backend = owned("b"), .device = owned("d"),
                        .notices = am_mem_zalloc(2, sizeof(adam_notice)), .n_notices = 2, .n_ids = 1};
  result.notices[0] = (adam_notice){owned("code"), ADAM_NOTICE_INFO, owned("text")};
  adam_result_close(&result); /* the leak checker sees what is forgotten */
  assert_memory_equal(&result, &empty, sizeof empty);
  adam_result_close(&result);
  adam_free(owned("x"));
  adam_free(NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(codes), cmocka_unit_test(names), cmocka_unit_test(results)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
