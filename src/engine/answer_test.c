/* SPDX-License-Identifier: Apache-2.0 */
/* What the engine makes of an answer: a hook on the logits lets a tiny model say a given text. */
#include "engine/engine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/buf.h"

#define MODEL ADAM_SOURCE_DIR "/tests/golden/models/qwen3-bf16-tied"

static const char tools[] =
    "[{\"type\": \"function\", \"function\": {\"name\": \"now\", \"parameters\": {}}}]";

typedef struct spoken {
  am_ids forced; /* said one by one, then the end token */
  int32_t end_id;
  am_buf text, thinking, calls, notices;
  size_t n_ids;
} spoken;

static bool force(void *user, size_t position, float *logits, size_t n_vocab) {
  spoken *s = user;
  int32_t id = position < s->forced.n ? s->forced.data[position] : s->end_id;
  assert_true(id >= 0 && (size_t)id < n_vocab);
  for (size_t i = 0; i < n_vocab; i++) logits[i] = i == (size_t)id ? 1e9F : -1e9F;
  return false;
}

static bool on_chunk(void *user, const adam_chunk *chunk) {
  spoken *s = user;
  s->n_ids += chunk->n_ids;
  am_buf_append(chunk->thinking ? &s->thinking : &s->text, chunk->text, chunk->text_bytes);
  if (chunk->tool_call_json) am_buf_printf(&s->calls, "%s\n", chunk->tool_call_json);
  return false;
}

static void on_notice(void *user, const adam_notice *notice) {
  am_buf_printf(&((spoken *)user)->notices, "%s ", notice->code);
}

static adam_outcome say(const char *text, const char *tools_json, int64_t max_tokens, spoken *s) {
  am_engine *engine = NULL;
  am_session *session = NULL;
  adam_outcome outcome = {.struct_size = sizeof outcome};
  adam_model_options options = {.struct_size = sizeof options, .device = "cpu", .n_threads = 1};
  assert_int_equal(am_engine_open(MODEL, &options, &engine, NULL), ADAM_OK);
  assert_int_equal(am_session_open(engine, &session, NULL), ADAM_OK);
  const am_tokenizer *tokenizer = am_loader_tokenizer(am_engine_loader(engine));
  assert_int_equal(am_tokenizer_encode(tokenizer, text, strlen(text), 0, &s->forced, NULL), ADAM_OK);
  s->end_id = am_tokenizer_find(tokenizer, "<|im_end|>", 10);
  adam_request request = {
      .struct_size = sizeof request,
      .prompt = "q",
      .prompt_bytes = 1,
      .tools_json = tools_json,
      .sampling = {.set = ADAM_SET_MAX_TOKENS | ADAM_SET_TEMPERATURE, .max_tokens = max_tokens},
      .on_logits = force,
      .on_logits_user = s};
  adam_sink sink = {.user = s, .on_chunk = on_chunk, .on_notice = on_notice};
  assert_int_equal(am_session_generate(session, &request, &sink, &outcome, NULL), ADAM_OK);
  am_session_close(&session);
  am_engine_close(&engine);
  am_buf_reserve(&s->text, 1);
  am_buf_reserve(&s->thinking, 1);
  am_buf_reserve(&s->calls, 1);
  am_buf_reserve(&s->notices, 1);
  return outcome;
}

static void forget(spoken *s) {
  am_ids_close(&s->forced);
  am_buf_close(&s->text);
  am_buf_close(&s->thinking);
  am_buf_close(&s->calls);
  am_buf_close(&s->notices);
}

static void calls_come_behind_thinking_and_text(void **state) {
  (void)state;
  spoken s = {0};
  adam_outcome outcome =
      say("<think>\nThe time.\n</think>\n\nLet me look.\n<tool_call>\n{\"name\": \"now\", \"arguments\": "
          "{\"zone\": \"UTC\"}}\n</tool_call>",
          tools, 500, &s);
  assert_int_equal(outcome.finish_reason, ADAM_FINISH_TOOL_CALLS);
  assert_string_equal(s.thinking.data, "The time.");
  assert_string_equal(s.text.data, "Let me look.");
  assert_non_null(strstr(s.calls.data, "\"name\": \"now\", \"arguments\": \"{\\\"zone\\\":\\\"UTC\\\"}\""));
  assert_int_equal(s.n_ids, s.forced.n + 1);                /* every id was told, the end token too */
  assert_non_null(strstr(s.notices.data, "tools_ignored")); /* this model's template does not know tools */
  forget(&s);
}

static void without_tools_markup_is_text(void **state) {
  (void)state;
  spoken s = {0};
  adam_outcome outcome = say("<tool_call>{\"name\": \"now\"}</tool_call>", NULL, 500, &s);
  assert_int_equal(outcome.finish_reason, ADAM_FINISH_STOP);
  assert_string_equal(s.text.data, "<tool_call>{\"name\": \"now\"}</tool_call>");
  assert_string_equal(s.calls.data, "");
  forget(&s);
}

static void a_call_that_is_cut_is_told(void **state) {
  (void)state;
  spoken s = {0};
  adam_outcome outcome = say("Well. <tool_call>{\"name\": \"now\"", tools, 1000, &s);
  assert_int_equal(outcome.finish_reason, ADAM_FINISH_STOP);
  assert_string_equal(s.text.data, "Well. <tool_call>{\"name\": \"now\"");
  assert_non_null(strstr(s.notices.data, "tool_call_cut"));
  forget(&s);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(calls_come_behind_thinking_and_text),
      cmocka_unit_test(without_tools_markup_is_text),
      cmocka_unit_test(a_call_that_is_cut_is_told),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
