/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <locale.h>
#include <math.h>

#include "base/mem.h"
#include "golden/lines.h"

static am_arena arena;

static adam_status parse(const char *text, size_t n, uint32_t flags, am_json *out, adam_error *error) {
  char *exact = malloc(n > 0 ? n : 1); /* no NUL behind it: the sanitizer sees a read past the end */
  if (n > 0) memcpy(exact, text, n);
  adam_status status = am_json_parse(exact, n, "test.json", flags, &arena, out, error);
  free(exact); /* and nothing may point into the text afterwards */
  return status;
}

static am_json value_of(const char *text) {
  am_json value;
  adam_error error = {0};
  if (parse(text, strlen(text), 0, &value, &error)) fail_msg("%s: %s", text, error.why);
  return value;
}

static void expect_error(const char *text, const char *words) {
  am_json value = {.n = 77};
  adam_error error = {0};
  assert_int_equal(parse(text, strlen(text), 0, &value, &error), ADAM_DAMAGED);
  assert_string_equal(error.why, words);
  assert_string_equal(error.what, "test.json");
  assert_int_equal(value.n, 77); /* untouched */
}

static uint64_t bits_of(double d) {
  uint64_t u;
  memcpy(&u, &d, sizeof u);
  return u;
}

/* Python's json: the same verdict, and the same value written the same way. */
static void like_python(char *words[4], int n_words) {
  assert_int_equal(n_words, 2);
  char shown[400];
  snprintf(shown, sizeof shown, "%s", words[0]);
  size_t n = golden_bytes(words[0]);
  am_json value;
  adam_error error = {0};
  adam_status status = parse(words[0], n, 0, &value, &error);
  if (strcmp(words[1], "-") == 0) {
    if (status != ADAM_DAMAGED) fail_msg("%s is accepted", shown);
    assert_non_null(strstr(error.why, "byte"));
  } else {
    if (status) fail_msg("%s is refused: %s", shown, error.why);
    size_t n_want = golden_bytes(words[1]);
    am_buf out = {0};
    assert_true(am_json_write(&out, &value));
    if (out.len != n_want || memcmp(out.data, words[1], n_want) != 0) fail_msg("%s became %s", words[1], out.data);
    am_buf_close(&out);
  }
  am_arena_close(&arena);
}

static void documents(void **state) {
  (void)state;
  assert_true(golden_lines("documents.txt", like_python) > 500);
}

static void number_case(char *words[4], int n_words) {
  assert_int_equal(n_words, 2);
  am_json value = value_of(words[0]);
  bool is_real = strpbrk(words[0], ".eE") != NULL;
  double got = am_json_real(&value, 77);
  if (is_real) assert_int_equal(value.type, AM_JSON_FLOAT);
  if (value.type == AM_JSON_FLOAT) assert_int_equal(value.is_big, !is_real);
  uint64_t want = strtoull(words[1], NULL, 16);
  if (bits_of(got) != want && strcmp(words[0], "-0") != 0) fail_msg("%s is %a", words[0], got);
  am_arena_close(&arena);
}

static void numbers(void **state) {
  (void)state;
  assert_true(golden_lines("numbers.txt", number_case) > 700);
}

static void real_case(char *words[4], int n_words) {
  assert_int_equal(n_words, 2);
  uint64_t bits = strtoull(words[0], NULL, 16);
  double value;
  memcpy(&value, &bits, sizeof value);
  am_buf out = {0};
  assert_true(am_json_write_real(&out, value));
  if (strcmp(out.data, words[1]) != 0) fail_msg("%s is written %s", words[1], out.data);
  am_buf_close(&out);
}

static void reals(void **state) {
  (void)state;
  assert_true(golden_lines("reals.txt", real_case) > 3000);
}

/* A program that uses a locale with a decimal comma must not change what we read and write. */
static void other_locale(void **state) {
  (void)state;
  static const char *const names[] = {"de_DE.UTF-8", "fr_FR.UTF-8", "de_DE.utf8", "ps_AF.UTF-8"};
  bool set = false;
  for (size_t i = 0; i < sizeof names / sizeof names[0] && !set; i++) set = setlocale(LC_ALL, names[i]) != NULL;
  if (!set) skip(); /* no such locale on this machine */
  golden_lines("numbers.txt", number_case);
  golden_lines("reals.txt", real_case);
  setlocale(LC_ALL, "C");
}

static void integers(void **state) {
  (void)state;
  am_json value = value_of("-9223372036854775808");
  assert_int_equal(value.type, AM_JSON_INT);
  assert_true(value.as.integer == INT64_MIN);
  value = value_of("9223372036854775807");
  assert_true(value.type == AM_JSON_INT && value.as.integer == INT64_MAX);
  value = value_of("9223372036854775808");
  assert_true(value.type == AM_JSON_FLOAT && value.is_big && value.as.real == 0x1p63);
  assert_true(am_json_int(&value, -7) == -7);
  value = value_of("-0");
  assert_true(value.type == AM_JSON_INT && value.as.integer == 0);
  value = value_of("3.0");
  assert_true(value.type == AM_JSON_FLOAT && !value.is_big && am_json_int(&value, -7) == 3);
  value = value_of("3.5");
  assert_true(am_json_int(&value, -7) == -7);
  value = value_of("-1e300");
  assert_true(am_json_int(&value, -7) == -7);
  value = value_of("NaN");
  assert_true(am_json_int(&value, -7) == -7 && isnan(am_json_real(&value, 0)));
  am_arena_close(&arena);
}

static void strings(void **state) {
  (void)state;
  am_json value = value_of("\"\\ud800x\\udc00\\ud800\\u0041\\ud800\\ud800\\udc00\"");
  assert_string_equal(value.as.string,
                      "\xEF\xBF\xBDx\xEF\xBF\xBD\xEF\xBF\xBD" "A\xEF\xBF\xBD\xF0\x90\x80\x80");
  value = value_of("\"a\\u0000b\"");
  assert_int_equal(value.n, 3);
  assert_memory_equal(value.as.string, "a\0b\0", 4);
  am_buf out = {0};
  am_json_write_string(&out, "a\"\\/\b\f\n\r\t\x01\x7f\xC3\xA9\xFF", 14);
  assert_string_equal(out.data, "\"a\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\x7f\xC3\xA9\xEF\xBF\xBD\"");
  am_buf_close(&out);
  for (int n = 0; n < 40; n++) { /* every length around the eight-byte steps, plain and with one odd byte */
    for (int odd = -1; odd < n; odd++) {
      char text[64] = "\"", want[64] = "";
      for (int i = 0; i < n; i++) text[1 + i] = want[i] = i == odd ? '\x7f' : (char)('a' + i % 26);
      text[n + 1] = '"';
      text[n + 2] = want[n] = 0;
      value = value_of(text);
      assert_int_equal(value.n, n);
      assert_string_equal(value.as.string, want);
    }
  }
  am_arena_close(&arena);
}

static void errors(void **state) {
  (void)state;
  expect_error("", "JSON ends at byte 0: expected a value");
  expect_error("{\"a\": [1, 2, ]}", "JSON at byte 13: expected a value, found ']'");
  expect_error("{\"a\" 1}", "JSON at byte 5: expected ':' after a key, found '1'");
  expect_error("[1\n  2]", "JSON at byte 5: expected ',' or ']', found '2'");
  expect_error("{\"a\":1", "JSON ends at byte 6: expected ',' or '}'");
  expect_error("\"ab\x01\"", "JSON at byte 3: expected an escape instead of a control character, found byte 0x01");
  expect_error("\"abcdefghij\xC3\x28\"", "JSON at byte 11: expected valid UTF-8, found byte 0xC3");
  expect_error("\"a\\q\"", "JSON at byte 3: expected one of \"\\/bfnrtu after a backslash, found 'q'");
  expect_error("\"\\u12\"", "JSON at byte 3: expected four hex digits after \\u, found '1'");
  expect_error("[1] x", "JSON at byte 4: expected the end of the file, found 'x'");
  expect_error("1.", "JSON ends at byte 2: expected a digit after the decimal point");
  am_arena_close(&arena);
}

static void limits(void **state) {
  (void)state;
  enum { DEEP = 512 };
  char text[2 * (DEEP + 1) + 1];
  memset(text, '[', DEEP + 1);
  memset(text + DEEP + 1, ']', DEEP + 1);
  am_json value;
  adam_error error = {0};
  assert_int_equal(parse(text + 1, 2 * DEEP, 0, &value, &error), ADAM_OK);
  am_buf out = {0};
  assert_true(am_json_write(&out, &value));
  assert_memory_equal(out.data, text + 1, 2 * DEEP);
  am_buf_close(&out);
  assert_int_equal(parse(text, 2 * DEEP + 2, 0, &value, &error), ADAM_LIMIT);
  assert_non_null(strstr(error.why, "byte 512"));
  am_arena_close(&arena);
  am_arena small = {.limit_bytes = 1000};
  char many[601];
  memset(many, '1', 600);
  for (int i = 0; i < 600; i += 2) many[i] = i == 0 ? '[' : ',';
  many[600] = ']';
  assert_int_equal(am_json_parse(many, 601, "x", 0, &small, &value, &error), ADAM_LIMIT);
  am_arena_close(&small);
}

static void duplicate_keys(void **state) {
  (void)state;
  am_json value = value_of("{\"a\":1,\"b\":2,\"a\":3}");
  assert_int_equal(am_json_int(am_json_get(&value, "a"), 0), 3); /* the last one */
  assert_int_equal(value.n, 3);
  adam_error error = {0};
  static const char twice[] = "{\"x\":{\"a\":1,\"\\u0061\":2}}", once[] = "{\"a\":{\"a\":1},\"b\":{\"a\":2}}";
  assert_int_equal(parse(twice, strlen(twice), AM_JSON_UNIQUE_KEYS, &value, &error), ADAM_DAMAGED);
  assert_string_equal(error.why, "JSON object ends at byte 23 and has the key \"a\" twice");
  assert_int_equal(parse(once, strlen(once), AM_JSON_UNIQUE_KEYS, &value, &error), ADAM_OK);
  am_arena_close(&arena);
}

static void lookups(void **state) {
  (void)state;
  am_json v = value_of("{\"a\":{\"b\":[10,{\"c\":\"x\"}]},\"t\":true,\"n\":null,\"r\":1.5,\"\":9}");
  assert_int_equal(am_json_int(am_json_at(am_json_path(&v, "a.b"), 0), 0), 10);
  assert_string_equal(am_json_str(am_json_get(am_json_at(am_json_path(&v, "a.b"), 1), "c"), ""), "x");
  assert_null(am_json_at(am_json_path(&v, "a.b"), 2));
  assert_null(am_json_path(&v, "a.b.c"));
  assert_null(am_json_path(&v, "a.x.c"));
  assert_null(am_json_get(NULL, "a"));
  assert_null(am_json_at(&v, 0));
  assert_int_equal(am_json_int(am_json_get(&v, ""), 0), 9);
  assert_true(am_json_bool(am_json_get(&v, "t"), false));
  assert_true(am_json_bool(am_json_get(&v, "none"), true));
  assert_true(am_json_is_null(am_json_get(&v, "n")) && am_json_is_null(NULL) && !am_json_is_null(&v));
  assert_true(am_json_real(am_json_get(&v, "r"), 0) == 1.5);
  assert_true(am_json_real(am_json_path(&v, "t"), -2) == -2);
  assert_null(am_json_str(am_json_get(&v, "r"), NULL));
  am_arena_close(&arena);
}

static void memory_runs_out(void **state) {
  (void)state;
  am_buf text = {0};
  am_buf_append_str(&text, "[");
  for (int i = 0; i < 400; i++) am_buf_printf(&text, "{\"k%d\":[%d,[\"v\\n\",1%0150d]],\"x\":{}},", i, i, 7);
  am_buf_append_str(&text, "null]");
  for (uint64_t n = 1;; n++) {
    am_json value;
    adam_error error = {0};
    am_mem_fault_set(n);
    adam_status status = am_json_parse(text.data, text.len, "x", AM_JSON_UNIQUE_KEYS, &arena, &value, &error);
    bool fired = am_mem_fault_fired();
    am_mem_fault_set(0);
    am_arena_close(&arena);
    assert_int_equal(status, fired ? ADAM_NO_MEMORY : ADAM_OK);
    assert_int_equal(error.status, status);
    if (!fired) break;
  }
  am_buf_close(&text);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(documents),      cmocka_unit_test(numbers), cmocka_unit_test(reals),
      cmocka_unit_test(other_locale),   cmocka_unit_test(integers), cmocka_unit_test(strings),
      cmocka_unit_test(errors),         cmocka_unit_test(limits),  cmocka_unit_test(duplicate_keys),
      cmocka_unit_test(lookups),        cmocka_unit_test(memory_runs_out),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
