/* SPDX-License-Identifier: Apache-2.0 */
/* Answers as the families' documentation shows them, in every way of being cut. */
#include "template/tool_calls.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/json.h"
#include "base/mem.h"

static const char tools[] =
    "[{\"type\": \"function\", \"function\": {\"name\": \"get_weather\", \"parameters\": {\"type\": "
    "\"object\", "
    "\"properties\": {\"city\": {\"type\": \"string\"}, \"days\": {\"type\": \"integer\"}}}}}, {\"name\": "
    "\"now\"}]";

typedef struct sample {
  const char *answer;
  const char *text;  /* what is left as text */
  const char *calls; /* NAME ARGUMENTS lines */
  bool cut;
} sample;

static const sample samples[] = {
    {"Hello there. ", "Hello there. ", "", false},
    {"", "", "", false},
    /* Hermes, Qwen */
    {"<tool_call>\n{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Köln\"}}\n</tool_call>", "",
     "get_weather {\"city\":\"Köln\"}\n", false},
    {"Let me look.\n\n<tool_call>\n{\"name\": \"now\", \"arguments\": "
     "{}}\n</tool_call>\n<tool_call>\n{\"name\": "
     "\"get_weather\", \"arguments\": {\"city\": \"</tool_call>\", \"days\": 2}}\n</tool_call>\n",
     "Let me look.", "now {}\nget_weather {\"city\":\"</tool_call>\",\"days\":2}\n", false},
    {"<tool_call>{\"name\": \"now\"}", "", "now {}\n", false},
    {"<tool_call>{\"name\": \"now\"}</tool_ca", "", "now {}\n", false},
    {"<tool_call>{\"name\": \"now\"}</tool_call> and text", "and text", "now {}\n", false},
    {"<tool_call>\n{\"name\": \"get_weather\", \"argum", "<tool_call>\n{\"name\": \"get_weather\", \"argum",
     "", true},
    {"<tool_call>{name: now}</tool_call>", "<tool_call>{name: now}</tool_call>", "", false},
    {"a <tool_call> is written so: <tool_call>", "a <tool_call> is written so: <tool_call>", "", true},
    {"1 < 2 <tool", "1 < 2 <tool", "", false},
    {"<tool_call>{\"name\": \"now\", \"arguments\": \"{\\\"a\\\": 1}\"}</tool_call>", "", "now {\"a\": 1}\n",
     false},
    /* Qwen3-Coder */
    {"<tool_call>\n<function=get_weather>\n<parameter=city>\n42\n</parameter>\n<parameter=days>\n3\n</"
     "parameter>\n"
     "<parameter=note>\ntwo\nlines\n</parameter>\n</function>\n</tool_call>",
     "", "get_weather {\"city\":\"42\",\"days\":3,\"note\":\"two\\nlines\"}\n", false},
    /* Mistral v3, v11, v13 */
    {"[TOOL_CALLS][{\"name\": \"now\", \"arguments\": {}, \"id\": \"VvvODy9mT\"}, {\"name\": "
     "\"get_weather\", "
     "\"arguments\": {\"city\": \"Oslo\"}}]",
     "", "now {} VvvODy9mT\nget_weather {\"city\":\"Oslo\"}\n", false},
    {"[TOOL_CALLS]get_weather[ARGS]{\"city\": \"Oslo\"}[TOOL_CALLS]now[CALL_ID]abcdefghi[ARGS]{}", "",
     "get_weather {\"city\":\"Oslo\"}\nnow {} abcdefghi\n", false},
    {"[TOOL_CALLS]get_weather{\"city\": \"Oslo\"}", "", "get_weather {\"city\":\"Oslo\"}\n", false},
    {"[TOOL] is no call", "[TOOL] is no call", "", false},
    /* Llama 3 */
    {"{\"name\": \"get_weather\", \"parameters\": {\"city\": \"Rome\"}}", "",
     "get_weather {\"city\":\"Rome\"}\n", false},
    {"{\"type\": \"function\", \"name\": \"now\", \"parameters\": {}}; {\"name\": \"now\", \"parameters\": "
     "{\"a\": "
     "[1]}}",
     "", "now {}\nnow {\"a\":[1]}\n", false},
    {"<|python_tag|>{\"name\": \"now\", \"parameters\": {}}", "", "now {}\n", false},
    {"{\"name\": \"unknown\", \"parameters\": {}}", "{\"name\": \"unknown\", \"parameters\": {}}", "", false},
    {"{\"answer\": \"now\"}", "{\"answer\": \"now\"}", "", false},
    {"[1] A list", "[1] A list", "", false},
    {"Say {\"name\": \"now\"} aloud", "Say {\"name\": \"now\"} aloud", "", false},
    /* Phi-4-mini */
    {"<|tool_call|>[{\"name\": \"now\", \"arguments\": {}}]<|/tool_call|>", "", "now {}\n", false},
    {"functools[{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Bern\"}}]", "",
     "get_weather {\"city\":\"Bern\"}\n", false},
};

/* Text and calls of an answer that comes in pieces of `step` bytes. */
static bool read_all(const sample *s, size_t step, am_buf *text, am_buf *calls, bool *cut) {
  am_tool_calls *reader = NULL;
  adam_error error = {0};
  size_t n = strlen(s->answer);
  bool good = am_tool_calls_open(tools, 7, &reader, &error) == ADAM_OK;
  for (size_t at = 0; good && at <= n; at += step) {
    size_t take = n - at < step ? n - at : step;
    bool last = at + step > n;
    good = am_tool_calls_push(reader, s->answer + at, take, text, &error) == ADAM_OK;
    if (good && last) good = am_tool_calls_finish(reader, text, &error) == ADAM_OK;
    for (const char *call; good && (call = am_tool_calls_take(reader));) {
      am_arena arena = {0};
      am_json json;
      good = am_json_parse(call, strlen(call), "call", 0, &arena, &json, NULL) == ADAM_OK;
      if (good) {
        const char *id = am_json_str(am_json_get(&json, "id"), "");
        bool made = strncmp(id, "call_", 5) == 0 || strcmp(id, "VvvODy9mT") * strcmp(id, "abcdefghi") != 0;
        assert_true(strlen(id) == 9 || strlen(id) == 14);
        assert_string_equal(am_json_str(am_json_get(&json, "type"), ""), "function");
        am_buf_printf(calls, "%s %s%s%s\n", am_json_str(am_json_path(&json, "function.name"), "?"),
                      am_json_str(am_json_path(&json, "function.arguments"), "?"), made ? "" : " ",
                      made ? "" : id);
      }
      am_arena_close(&arena);
    }
  }
  if (good) *cut = am_tool_calls_cut(reader);
  am_tool_calls_close(&reader);
  return good;
}

static void every_family_in_any_pieces(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
    for (size_t step = 1; step <= strlen(samples[i].answer) + 1; step++) {
      am_buf text = {0}, calls = {0};
      bool cut = false;
      assert_true(read_all(&samples[i], step, &text, &calls, &cut));
      assert_string_equal(text.data ? text.data : "", samples[i].text);
      assert_string_equal(calls.data ? calls.data : "", samples[i].calls);
      assert_int_equal(cut, samples[i].cut);
      am_buf_close(&text);
      am_buf_close(&calls);
    }
  }
}

static void text_is_not_held_back_without_need(void **state) {
  (void)state;
  am_tool_calls *reader = NULL;
  adam_error error = {0};
  am_buf text = {0};
  assert_int_equal(am_tool_calls_open(tools, 7, &reader, &error), ADAM_OK);
  assert_int_equal(am_tool_calls_push(reader, "{\"answer\": 1", 12, &text, &error), ADAM_OK);
  assert_string_equal(text.data, "{\"answer\": 1");
  assert_int_equal(am_tool_calls_push(reader, " word<", 6, &text, &error), ADAM_OK);
  assert_string_equal(text.data, "{\"answer\": 1 word");
  am_buf_close(&text);
  am_tool_calls_close(&reader);
}

static void ids_follow_the_seed(void **state) {
  (void)state;
  char first[64] = "";
  for (uint64_t seed = 1; seed <= 3; seed++) {
    am_tool_calls *reader = NULL;
    adam_error error = {0};
    am_buf text = {0};
    static const char answer[] = "{\"name\": \"now\"}";
    assert_int_equal(am_tool_calls_open(tools, seed == 3 ? 1 : seed, &reader, &error), ADAM_OK);
    assert_int_equal(am_tool_calls_push(reader, answer, sizeof answer - 1, &text, &error), ADAM_OK);
    const char *call = am_tool_calls_take(reader);
    assert_non_null(call);
    if (seed == 1) snprintf(first, sizeof first, "%.30s", call);
    assert_int_equal(strncmp(first, call, strlen(first)) == 0, seed != 2);
    am_buf_close(&text);
    am_tool_calls_close(&reader);
  }
}

static void faults_are_clean(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
    bool done = false;
    for (int64_t n = 1; !done; n++) {
      am_buf text = {0}, calls = {0};
      bool cut = false;
      am_mem_fault_set(n);
      done = read_all(&samples[i], 5, &text, &calls, &cut) && !text.failed && !calls.failed;
      am_mem_fault_set(0);
      am_buf_close(&text);
      am_buf_close(&calls);
    }
  }
}

static void tools_must_be_json(void **state) {
  (void)state;
  am_tool_calls *reader = NULL;
  adam_error error = {0};
  assert_int_not_equal(am_tool_calls_open("[{", 1, &reader, &error), ADAM_OK);
  assert_null(reader);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_family_in_any_pieces), cmocka_unit_test(text_is_not_held_back_without_need),
      cmocka_unit_test(ids_follow_the_seed),        cmocka_unit_test(faults_are_clean),
      cmocka_unit_test(tools_must_be_json),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
