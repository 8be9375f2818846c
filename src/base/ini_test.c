/* SPDX-License-Identifier: Apache-2.0 */
#include "base/ini.h"

#include "base/buf.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static adam_status write_entry(void *user, const am_ini_entry *e, adam_error *error) {
  if (!strcmp(e->key, "stop")) return am_ini_fail(error, "test", e->line, NULL, "stopped");
  am_buf_printf(user, "%zu[%s]%s=%s|", e->line, e->section, e->key, e->value);
  return ADAM_OK;
}

static void read_all(const char *text, const char *want) {
  am_buf got = {0};
  adam_error error = {0};
  adam_status status = am_ini_parse(text, strlen(text), "f", write_entry, &got, &error);
  if (status) fail_msg("%s: %s", error.what, error.why);
  assert_string_equal(got.data ? got.data : "", want);
  am_buf_close(&got);
}

static void entries(void **state) {
  (void)state;
  read_all("", "");
  read_all("a = b", "1[]a=b|");
  read_all(
      "\xef\xbb\xbf"
      "a=b\r\n; c\r\n[s]\r\nc : d ; not this\r\n",
      "1[]a=b|4[s]c=d|");
  read_all("a = 1\n  2\n\n\t3 = x ; y\nb=\n", "1[]a=1\n2\n3 = x ; y|5[]b=|");
  read_all(" \n\t; c\na = 1\n[s]\nb = 2\n c\n", "3[]a=1|5[s]b=2\nc|");
  read_all("# x\n[ a b ]\nk = [v]\n", "3[a b]k=[v]|");
  read_all("gr\xc3\xbc\xc3\x9f = \xe2\x82\xac\n", "1[]gr\xc3\xbc\xc3\x9f=\xe2\x82\xac|");
}

static void refused(const char *text, size_t n, const char *what, const char *why) {
  am_buf got = {0};
  adam_error error = {0};
  assert_int_equal(am_ini_parse(text, n, "f", write_entry, &got, &error), ADAM_INVALID);
  if (strcmp(error.what, what) != 0 || !strstr(error.why, why)) fail_msg("%s: %s", error.what, error.why);
  am_buf_close(&got);
}

static void mistakes(void **state) {
  (void)state;
  char text[1024];
  refused("a=b\nc\n", 6, "f, line 2", "neither");
  refused("a=b\n[c]\n d=e\n", 13, "f, line 3", "begins with a space");
  refused(" [a]\nb=c\n", 9, "f, line 1", "begins with a space");
  refused("[a\nb=c\n", 7, "f, line 1", "neither");
  refused("a=b\n=c\n", 7, "f, line 2", "a name is missing");
  refused("a=b\n\nstop=1\nd=e\n", 16, "test, line 3", "stopped");
  refused("a=b\nc=\xff\n", 8, "f, line 2", "no UTF-8");
  refused("a=b\0c", 5, "f, line 1", "control character 0");
  refused("a=\x1b[2J", 6, "f, line 1", "control character 27");
  refused("a=b\rc=d", 7, "f, line 1", "control character 13");
  int n = snprintf(text, sizeof text, "a=b\nk=%0300d\n", 7);
  refused(text, (size_t)n, "f, line 2", "longer than 198");
  n = snprintf(text, sizeof text, "%060d=b\n", 7);
  refused(text, (size_t)n, "f, line 1", "is too long");
  n = snprintf(text, sizeof text, "[%060d]\na=b\n", 7);
  refused(text, (size_t)n, "f, line 2", "is too long");
}

/* The longest line that is taken loses nothing. */
static void longest(void **state) {
  (void)state;
  char text[256], want[256];
  snprintf(text, sizeof text, "k=%0196d\n", 7);
  snprintf(want, sizeof want, "1[]k=%0196d|", 7);
  read_all(text, want);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(entries), cmocka_unit_test(mistakes),
                                     cmocka_unit_test(longest)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
