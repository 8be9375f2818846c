/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "store/name.h"
#include <stdio.h>
#include <string.h>

/* Text, path below manifests/ and short form, as Ollama's own types/model has them. */
static const struct {
  const char *text, *path, *shown;
} good[] = {
    {"qwen3", "registry.ollama.ai/library/qwen3/latest", "qwen3:latest"},
    {"qwen3:0.6b", "registry.ollama.ai/library/qwen3/0.6b", "qwen3:0.6b"},
    {"me/mine", "registry.ollama.ai/me/mine/latest", "me/mine:latest"},
    {"hf.co/bartowski/X-GGUF:Q4_K_M", "hf.co/bartowski/X-GGUF/Q4_K_M", "hf.co/bartowski/X-GGUF:Q4_K_M"},
    {"https://registry.ollama.ai/library/a:b", "registry.ollama.ai/library/a/b", "a:b"},
    {"localhost:5000/a/b", "localhost:5000/a/b/latest", "localhost:5000/a/b:latest"},
    {"localhost:5000/a/b:c", "localhost:5000/a/b/c", "localhost:5000/a/b:c"},
    {"_x", "registry.ollama.ai/library/_x/latest", "_x:latest"},
};

static const char *const bad[] = {
    "",       ":",         "a:",         "/a",         "a/",      "a//b",      "../a",           "a:..",
    "..",     "a:.b",      "a b",        "a/b/c/d",    "h/../m",  "a.b/c",     "http://",        "-a",
    "a\nb",   "a:b:c",     "h/n/m:t:u",  "a@sha256:1", "\xc3\xa4", "h/n/m/latest:", "./a",
};

static void test_names(void **state) {
  (void)state;
  am_store_name name;
  char text[AM_STORE_NAME_BYTES];
  for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
    assert_int_equal(am_store_name_parse(good[i].text, &name, NULL), ADAM_OK);
    am_store_name_path(&name, text);
    assert_string_equal(text, good[i].path);
    am_store_name_print(&name, text);
    assert_string_equal(text, good[i].shown);
    am_store_name again;
    assert_int_equal(am_store_name_parse(text, &again, NULL), ADAM_OK);
    assert_true(am_store_name_same(&name, &again));
  }
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    adam_error error = {0};
    if (am_store_name_parse(bad[i], &name, &error) != ADAM_INVALID) fail_msg("accepted: '%s'", bad[i]);
    assert_true(error.why[0] != 0);
  }
}

static void test_limits(void **state) {
  (void)state;
  char text[1000];
  am_store_name name;
  memset(text, 'a', sizeof text);
  text[80] = 0;
  assert_int_equal(am_store_name_parse(text, &name, NULL), ADAM_OK);
  text[80] = 'a', text[81] = 0;
  assert_int_equal(am_store_name_parse(text, &name, NULL), ADAM_INVALID);
  text[81] = 'a', text[350] = '/', text[351] = 'n', text[352] = '/', text[353] = 'm', text[354] = 0;
  assert_int_equal(am_store_name_parse(text, &name, NULL), ADAM_OK);
  char shown[AM_STORE_NAME_BYTES];
  am_store_name_print(&name, shown);
  assert_int_equal(strlen(shown), 354 + strlen(":latest"));
  assert_false(am_store_name_set(&name, "h", "n", "m", "a/b"));
  assert_false(am_store_name_set(&name, "h", ".", "m", "t"));
  assert_true(am_store_name_set(&name, "h", "n", "m", "t"));
}

static void test_same(void **state) {
  (void)state;
  am_store_name a, b;
  assert_int_equal(am_store_name_parse("QWEN3:Latest", &a, NULL), ADAM_OK);
  assert_int_equal(am_store_name_parse("qwen3", &b, NULL), ADAM_OK);
  assert_true(am_store_name_same(&a, &b));
  assert_int_equal(am_store_name_parse("qwen3:x", &b, NULL), ADAM_OK);
  assert_false(am_store_name_same(&a, &b));
}

static void test_clean(void **state) {
  (void)state;
  char out[81];
  assert_true(am_store_name_clean("TinyLlama-1.1B-Chat-v1.0", out));
  assert_string_equal(out, "TinyLlama-1.1B-Chat-v1.0");
  assert_true(am_store_name_clean("..//a b(c)..", out));
  assert_string_equal(out, "a-b-c-..");
  assert_false(am_store_name_clean("/. -", out));
}

static void test_digests(void **state) {
  (void)state;
  char hex[65], text[80], digits[65];
  for (int i = 0; i < 64; i++) digits[i] = "0123456789abcdef"[i % 16];
  digits[64] = 0;
  snprintf(text, sizeof text, "sha256:%s", digits);
  assert_true(am_store_digest_parse(text, hex));
  assert_string_equal(hex, digits);
  text[6] = '-', text[17] = 'A';
  assert_true(am_store_digest_parse(text, hex));
  assert_string_equal(hex, digits);
  text[70] = 0;
  assert_false(am_store_digest_parse(text, hex));
  assert_false(am_store_digest_parse("sha256:../../../../etc/passwd", hex));
  assert_false(am_store_digest_parse("sha512:", hex));
  assert_false(am_store_digest_parse("", hex));
  snprintf(text, sizeof text, "sha256:%s0", digits);
  assert_false(am_store_digest_parse(text, hex));
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_names), cmocka_unit_test(test_limits),
                                     cmocka_unit_test(test_same), cmocka_unit_test(test_clean),
                                     cmocka_unit_test(test_digests)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
