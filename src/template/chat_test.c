/* SPDX-License-Identifier: Apache-2.0 */
/* What the goldens (render_driver_test) do not have: refusals, coerced content, faults. */
#include "template/chat.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/mem.h"

static am_arena arena;

static const am_json *json(const char *text) {
  am_json *value = am_arena_zalloc(&arena, 1, sizeof *value);
  adam_error error;
  if (am_json_parse(text, strlen(text), "test", 0, &arena, value, &error))
    fail_msg("%s: %s", text, error.why);
  return value;
}

static int close_arena(void **state) {
  (void)state;
  am_arena_close(&arena);
  memset(&arena, 0, sizeof arena);
  return 0;
}

static adam_status render(const char *text, const am_chat_request *request, am_buf *out, adam_error *error) {
  am_template *tmpl = NULL;
  adam_status status = am_template_open("test", text, strlen(text), &tmpl, error);
  if (!status) status = am_chat_render(tmpl, request, out, error);
  am_template_close(&tmpl);
  return status;
}

static void expect(const char *text, const am_chat_request *request, const char *wanted) {
  am_buf out = {0};
  adam_error error = {.status = ADAM_CANCELLED};
  if (render(text, request, &out, &error)) fail_msg("%s", error.why);
  assert_int_equal(error.status, ADAM_CANCELLED); /* untouched on success */
  assert_string_equal(out.data ? out.data : "", wanted);
  am_buf_close(&out);
}

static void absent_lists_are_none(void **state) {
  (void)state;
  am_chat_request request = {.messages = json("[]"), .enable_thinking = -1};
  expect(
      "{{ tools }} {{ documents }} {{ messages }} {{ add_generation_prompt }} {{ enable_thinking is defined "
      "}} {{ bos_token is defined }}",
      &request, "None None [] False False False");
}

static void arguments_come_last(void **state) {
  (void)state;
  am_chat_request request = {.messages = json("[]"),
                             .special_tokens = json("{\"bos_token\": \"<s>\", \"eos_token\": \"</s>\"}"),
                             .kwargs = json("{\"eos_token\": \"!\", \"enable_thinking\": \"maybe\"}"),
                             .enable_thinking = 1};
  expect("{{ bos_token }}{{ eos_token }}{{ enable_thinking }}", &request, "<s>!maybe");
}

/* transformers.utils.chat_template_utils._alias_reasoning_fields */
static void reasoning_has_several_names(void **state) {
  (void)state;
  am_chat_request request = {
      .messages = json("[{\"role\": \"a\", \"reasoning\": \"r\"},"
                       " {\"role\": \"b\", \"thinking\": \"t\", \"x\": 1, \"reasoning_content\": null},"
                       " {\"role\": \"c\", \"thinking\": null}]"),
      .enable_thinking = -1};
  expect("{% for m in messages %}{{ m }}\n{% endfor %}", &request,
         "{'thinking': 'r', 'role': 'a', 'reasoning': 'r', 'reasoning_content': 'r'}\n"
         "{'thinking': 't', 'role': 'b', 'x': 1, 'reasoning_content': 't'}\n"
         "{'role': 'c', 'thinking': None}\n");
}

static void content_is_coerced_on_request_alone(void **state) {
  (void)state;
  const char *text = "{% for m in messages %}{{ m.content.upper() }}|{% endfor %}";
  am_chat_request request = {
      .messages = json("[{\"role\": \"u\", \"content\": [{\"type\": \"text\", \"text\": \"a\"}, {\"type\": "
                       "\"text\", \"text\": \"b\"}]},"
                       " {\"role\": \"a\", \"content\": null}, {\"role\": \"u\", \"content\": \"c\"}]"),
      .enable_thinking = -1};
  am_buf out = {0};
  adam_error error = {0};
  assert_int_equal(render(text, &request, &out, &error), ADAM_TEMPLATE);
  assert_string_equal(error.why, "line 1: 'list object' has no attribute 'upper'");
  request.coerce_content = true;
  expect(text, &request, "AB||C|");
  /* a template that takes lists gets them */
  expect("{{ messages[0].content|length }}", &request, "2");
  /* other parts cannot become text, and the first error is told */
  request.messages =
      json("[{\"role\": \"u\", \"content\": [{\"type\": \"image\"}]}, {\"role\": \"u\", \"content\": null}]");
  assert_int_equal(render(text, &request, &out, &error), ADAM_TEMPLATE);
  assert_string_equal(error.why, "line 1: 'list object' has no attribute 'upper'");
  assert_null(out.data);
}

static void wrong_requests_are_refused(void **state) {
  (void)state;
  am_chat_request requests[] = {{.messages = NULL},
                                {.messages = json("{}")},
                                {.messages = json("[1]")},
                                {.messages = json("[]"), .tools = json("[\"x\"]")},
                                {.messages = json("[]"), .documents = json("{}")},
                                {.messages = json("[]"), .kwargs = json("[]")},
                                {.messages = json("[]"), .special_tokens = json("1")}};
  for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
    am_buf out = {0};
    adam_error error = {0};
    assert_int_equal(render("x", &requests[i], &out, &error), ADAM_INVALID);
    assert_true(error.why[0] != 0);
    assert_null(out.data);
  }
}

static void failing_allocations_are_clean(void **state) {
  (void)state;
  am_chat_request request = {.messages = json("[{\"role\": \"u\", \"content\": null, \"reasoning\": \"r\"}]"),
                             .tools = json("[{\"name\": \"f\"}]"),
                             .enable_thinking = 1,
                             .coerce_content = true};
  for (uint64_t n = 1;; n++) {
    am_buf out = {0};
    adam_error error = {0};
    am_mem_fault_set(n);
    adam_status status = render("{{ messages[0].content.strip() }}{{ tools }}", &request, &out, &error);
    int fired = am_mem_fault_fired();
    am_mem_fault_set(0);
    /* a second try may be what ran out of memory: then the first error stands */
    if (fired) assert_true(status == ADAM_NO_MEMORY || status == ADAM_TEMPLATE);
    am_buf_close(&out);
    if (fired) continue;
    assert_int_equal(status, ADAM_OK);
    break;
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_teardown(absent_lists_are_none, close_arena),
      cmocka_unit_test_teardown(arguments_come_last, close_arena),
      cmocka_unit_test_teardown(reasoning_has_several_names, close_arena),
      cmocka_unit_test_teardown(content_is_coerced_on_request_alone, close_arena),
      cmocka_unit_test_teardown(wrong_requests_are_refused, close_arena),
      cmocka_unit_test_teardown(failing_allocations_are_clean, close_arena)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
