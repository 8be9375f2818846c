/* SPDX-License-Identifier: Apache-2.0 */
#include "sampler/stop.h"

#include "base/buf.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Runs text through in pieces of `piece` bytes; the answer is what came out. */
static void run(const char *const *stops, size_t n, const char *text, size_t piece, am_buf *out, bool *hit) {
  am_stop *stop = NULL;
  adam_error error = {0};
  assert_int_equal(am_stop_open(stops, n, &stop, &error), ADAM_OK);
  *hit = false;
  const char *safe = NULL;
  size_t safe_bytes = 0, total = strlen(text);
  for (size_t i = 0; i < total; i += piece) {
    size_t take = total - i < piece ? total - i : piece;
    assert_int_equal(am_stop_push(stop, text + i, take, &safe, &safe_bytes, hit, &error), ADAM_OK);
    am_buf_append(out, safe, safe_bytes);
  }
  am_stop_finish(stop, &safe, &safe_bytes);
  am_buf_append(out, safe, safe_bytes);
  am_stop_close(&stop);
}

static void expect(const char *const *stops, size_t n, const char *text, const char *expected,
                   bool expected_hit) {
  for (size_t piece = 1; piece <= strlen(text) + 1; piece++) {
    am_buf out = {0};
    bool hit = false;
    am_buf_append_str(&out, "");
    run(stops, n, text, piece, &out, &hit);
    assert_string_equal(out.data, expected);
    assert_int_equal(hit, expected_hit);
    am_buf_close(&out);
  }
}

static void finds_them_however_the_text_is_cut(void **state) {
  (void)state;
  const char *one[] = {"STOP"};
  expect(one, 1, "go on STOP here", "go on ", true);
  expect(one, 1, "STOP", "", true);
  expect(one, 1, "STSTOP", "ST", true);
  expect(one, 1, "go STO", "go STO", false);
  expect(one, 1, "", "", false);
  const char *repeated[] = {"aab"};
  expect(repeated, 1, "aaaab", "aa", true);
  const char *word[] = {"ababc"};
  expect(word, 1, "abababc!", "ab", true);
  const char *several[] = {"\n\nUser:", "</s>", "\n\n#"};
  expect(several, 3, "x\n\n# y</s>", "x", true);
  expect(several, 3, "x\n\nUsed</s>\n\n#", "x\n\nUsed", true);
  const char *wide[] = {
      "\xe2\x82\xac"
      "5"}; /* the euro sign */
  expect(wide, 1,
         "cost \xe2\x82\xac"
         "4 or \xe2\x82\xac"
         "5.",
         "cost \xe2\x82\xac"
         "4 or ",
         true);
}

static void overlapping_ones_first_complete_then_longest(void **state) {
  (void)state;
  const char *nested[] = {"bc", "abcd"};
  expect(nested, 2, "xabcd", "xa", true);
  const char *same_end[] = {"c", "abc", "bc"};
  expect(same_end, 3, "xxabc", "xx", true);
  const char *prefix[] = {"ab", "abc"};
  expect(prefix, 2, "zabc", "z", true);
}

static void holds_back_only_a_beginning(void **state) {
  (void)state;
  const char *stops[] = {"<end>"};
  am_stop *stop = NULL;
  assert_int_equal(am_stop_open(stops, 1, &stop, NULL), ADAM_OK);
  const char *safe = NULL;
  size_t n = 0;
  bool hit = true;
  assert_int_equal(am_stop_push(stop, "abc <e", 6, &safe, &n, &hit, NULL), ADAM_OK);
  assert_false(hit);
  assert_int_equal(n, 4);
  assert_memory_equal(safe, "abc ", 4);
  assert_int_equal(am_stop_push(stop, "x", 1, &safe, &n, &hit, NULL), ADAM_OK);
  assert_int_equal(n, 3);
  assert_memory_equal(safe, "<ex", 3);
  assert_int_equal(am_stop_push(stop, "<end>tail", 9, &safe, &n, &hit, NULL), ADAM_OK);
  assert_true(hit);
  assert_int_equal(n, 0);
  assert_int_equal(am_stop_push(stop, "more", 4, &safe, &n, &hit, NULL), ADAM_OK);
  assert_true(hit && n == 0);
  am_stop_close(&stop);
}

static void refuses_empty_ones(void **state) {
  (void)state;
  const char *stops[] = {"a", ""};
  am_stop *stop = NULL;
  adam_error error = {0};
  assert_int_equal(am_stop_open(stops, 2, &stop, &error), ADAM_INVALID);
  assert_null(stop);
  assert_int_equal(am_stop_open(NULL, 0, &stop, &error), ADAM_OK);
  const char *safe = NULL;
  size_t n = 0;
  bool hit = true;
  assert_int_equal(am_stop_push(stop, "all", 3, &safe, &n, &hit, &error), ADAM_OK);
  assert_true(n == 3 && !hit);
  am_stop_close(&stop);
}

static void survives_failing_allocations(void **state) {
  (void)state;
  const char *stops[] = {"one", "two"};
  for (uint64_t fault = 1;; fault++) {
    am_stop *stop = NULL;
    const char *safe = NULL;
    size_t n = 0;
    bool hit = false;
    am_mem_fault_set(fault);
    adam_status status = am_stop_open(stops, 2, &stop, NULL);
    if (!status) status = am_stop_push(stop, "three two", 9, &safe, &n, &hit, NULL);
    int fired = am_mem_fault_fired();
    am_mem_fault_set(0);
    assert_int_equal(status, fired ? ADAM_NO_MEMORY : ADAM_OK);
    if (!fired) assert_true(hit && n == 6);
    am_stop_close(&stop);
    if (!fired) break;
    assert_true(fault < 100);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(finds_them_however_the_text_is_cut),
      cmocka_unit_test(overlapping_ones_first_complete_then_longest),
      cmocka_unit_test(holds_back_only_a_beginning),
      cmocka_unit_test(refuses_empty_ones),
      cmocka_unit_test(survives_failing_allocations),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
