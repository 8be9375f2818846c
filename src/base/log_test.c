/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <adam/adam.h>

static char lines[1024];

static void keep(void *user, am_log_level level, const char *line) {
  size_t used = strlen(lines);
  snprintf(lines + used, sizeof lines - used, "%s%d:%.20s\n", (const char *)user, (int)level, line);
}

static void keep_public(void *user, int level, const char *line) { keep(user, (am_log_level)level, line); }

static void levels(void **state) {
  (void)state;
  char a[] = "a", b[] = "b", c[] = "c";
  am_log(AM_LOG_ERROR, "nobody listens");
  am_log_set(keep, a, AM_LOG_INFO);
  am_log(AM_LOG_ERROR, "one %d", 1);
  am_log(AM_LOG_INFO, "two");
  am_log(AM_LOG_DEBUG, "too detailed");
  am_log(AM_LOG_INFO, "%02000d", 7); /* longer than a line may be: cut, not refused */
  am_log_set(NULL, NULL, AM_LOG_DEBUG);
  am_log(AM_LOG_ERROR, "nobody listens");
  assert_string_equal(lines, "a0:one 1\na2:two\na2:00000000000000000000\n");
  lines[0] = 0;
  adam_log_set(keep_public, b, 99);
  am_log(AM_LOG_DEBUG, "debug");
  adam_log_set(keep_public, c, -5);
  am_log(AM_LOG_WARNING, "warning");
  am_log(AM_LOG_ERROR, "error");
  adam_log_set(NULL, NULL, 3);
  am_log(AM_LOG_ERROR, "nobody");
  assert_string_equal(lines, "b3:debug\nc0:error\n");
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(levels)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
