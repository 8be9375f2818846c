/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/thinking.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* Every way to cut the text in pieces of one size gives the same two parts. */
static void expect(bool inside, const char *text, const char *thought, const char *answer) {
  am_thinking splitter = {0};
  for (size_t piece = 1; piece <= strlen(text) + 1; piece++) {
    am_buf got_thought = {0}, got_answer = {0};
    am_buf_append_str(&got_thought, "");
    am_buf_append_str(&got_answer, "");
    am_thinking_begin(&splitter, inside);
    for (size_t at = 0; at < strlen(text); at += piece) {
      size_t left = strlen(text) - at;
      assert_true(
          am_thinking_push(&splitter, text + at, left < piece ? left : piece, &got_thought, &got_answer));
    }
    assert_true(am_thinking_finish(&splitter, &got_thought, &got_answer));
    assert_string_equal(got_thought.data, thought);
    assert_string_equal(got_answer.data, answer);
    am_buf_close(&got_thought);
    am_buf_close(&got_answer);
  }
  am_thinking_close(&splitter);
}

static void splits(void **state) {
  (void)state;
  expect(false, "<think>\nwell, 2 < 3\n</think>\n\nYes.", "well, 2 < 3", "Yes.");
  expect(false, "\n <think>a\n\nb</think>c\n", "a\n\nb", "c\n");
  expect(false, "<think>\n\n</think>\n\nHi", "", "Hi");
  expect(true, "\nso </thin </think>\nDone", "so </thin ", "Done");
  expect(true, "never closed\n", "never closed", "");
  expect(true, "cut in the tag\n</thi", "cut in the tag\n</thi", "");
}

static void leaves_other_text_alone(void **state) {
  (void)state;
  expect(false, "Plain answer", "", "Plain answer");
  expect(false, "\n\n  <thin ice", "", "\n\n  <thin ice");
  expect(false, "  <thi", "", "  <thi");
  expect(false, "Use <think> and </think>.", "", "Use <think> and </think>.");
  expect(false, "<think>x</think>\n\nagain <think>y</think>", "x", "again <think>y</think>");
  expect(false, "", "", "");
}

/* What can be told is told at once. */
static void holds_back_only_markup(void **state) {
  (void)state;
  am_thinking splitter = {0};
  am_buf thought = {0}, answer = {0};
  am_thinking_begin(&splitter, false);
  assert_true(am_thinking_push(&splitter, "<think>ab\n<", 11, &thought, &answer));
  assert_string_equal(thought.data, "ab");
  assert_true(am_thinking_push(&splitter, "c", 1, &thought, &answer));
  assert_string_equal(thought.data, "ab\n<c");
  assert_true(am_thinking_push(&splitter, "</think>d", 9, &thought, &answer));
  assert_string_equal(answer.data, "d");
  am_thinking_close(&splitter);
  am_buf_close(&thought);
  am_buf_close(&answer);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(splits),
      cmocka_unit_test(leaves_other_text_alone),
      cmocka_unit_test(holds_back_only_markup),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
