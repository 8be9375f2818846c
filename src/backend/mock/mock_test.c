/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "backend/backends.h"
#include "backend/mock/mock.h"
#include "base/mem.h"
#include "os/clock.h"
#include "os/file.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What came through a sink: pieces joined by '|', thinking ones in brackets; ids; notices. */
typedef struct heard {
  char text[4096];
  int32_t ids[4096];
  size_t n_ids, n_pieces, n_empty, n_notices;
  size_t cancel_at; /* cancel at this piece, counted from 1, empty ones too; 0 = never */
  adam_outcome outcome;
  adam_error error;
} heard;

static bool hear(void *user, const adam_chunk *chunk) {
  heard *h = user;
  if (!chunk->text_bytes && !chunk->n_ids) return ++h->n_empty == h->cancel_at;
  size_t n = strlen(h->text);
  if (chunk->text_bytes)
    snprintf(h->text + n, sizeof h->text - n, chunk->thinking ? "[%.*s]" : "%.*s|", (int)chunk->text_bytes,
             chunk->text);
  for (size_t i = 0; i < chunk->n_ids; i++) h->ids[h->n_ids++] = chunk->ids[i];
  return ++h->n_pieces + h->n_empty == h->cancel_at;
}

static void hear_notice(void *user, const adam_notice *notice) {
  heard *h = user;
  assert_int_equal(notice->level, ADAM_NOTICE_DEGRADED);
  h->n_notices++;
}

static adam_backend_model *open_mock(const char *script) {
  adam_backend_model *model = NULL;
  adam_error error = {0};
  const adam_backend_ops *ops = am_backend_mock();
  if (ops->open(ops->context, script, NULL, &model, &error)) fail_msg("%s: %s", script, error.why);
  return model;
}

static adam_status ask(adam_backend_model *model, const adam_request *request, heard *h) {
  const adam_backend_ops *ops = am_backend_mock();
  adam_sink sink = {h, hear, hear_notice};
  h->outcome.struct_size = sizeof h->outcome;
  return ops->generate(ops->context, model, request, &sink, &h->outcome, &h->error);
}

static adam_status say(const char *script, adam_request request, heard *h) {
  adam_backend_model *model = open_mock(script);
  request.struct_size = sizeof request;
  if (!request.prompt && !request.messages_json) request.prompt = "hi", request.prompt_bytes = 2;
  adam_status status = ask(model, &request, h);
  am_backend_mock()->close(NULL, model);
  return status;
}

static void test_scripts(void **state) {
  (void)state;
  static const struct {
    const char *script, *pieces;
  } cases[] = {
      {"", "h|i|"},
      {"echo", "h|i|"},
      {"echo;tokens_per_chunk=2", "hi|"},
      {"Hello", "H|e|l|l|o|"},
      {"Hello; world=3", "H|e|l|l|o|;| |w|o|r|l|d|=|3|"},
      {"say=a\\;b\\n;tokens_per_chunk=9", "a;b\n|"},
      {"say=abcde;tokens_per_chunk=2", "ab|cd|e|"},
      {"say=a\xc3\xa9\xe2\x82\xac!;chunk_bytes=1", "a|\xc3\xa9|\xe2\x82\xac|!|"},
      {"say=a\xc3\xa9\xe2\x82\xac!;chunk_bytes=2", "a|\xc3\xa9|\xe2\x82\xac|!|"},
      {"say=abcdefg;chunk_bytes=3", "abc|def|g|"},
      {"think=hm;say=yes;tokens_per_chunk=8", "[hm]yes|"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    heard h = {0};
    assert_int_equal(say(cases[i].script, (adam_request){0}, &h), ADAM_OK);
    assert_string_equal(h.text, cases[i].pieces);
    assert_int_equal(h.outcome.finish_reason, ADAM_FINISH_STOP);
    assert_int_equal(h.ids[h.n_ids - 1], 0x110000);
    assert_int_equal(h.outcome.completion_tokens, h.n_ids);
  }
}

static void test_bad_scripts(void **state) {
  (void)state;
  static const char *const scripts[] = {"say=a;colour=red",     "fail_at=0;say=a", "delay_ms=-1",
                                        "delay_ms=1x",          "error=strange",   "finish=maybe",
                                        "chunk_bytes=1.5",      "say=\xff",        "\xc3",
                                        "tokens_per_chunk=nan", "say=a;stray"};
  for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++) {
    adam_backend_model *model = NULL;
    adam_error error = {0};
    assert_int_equal(am_backend_mock()->open(NULL, scripts[i], NULL, &model, &error), ADAM_INVALID);
    assert_null(model);
    assert_true(*error.why);
  }
  adam_backend_model *model = NULL;
  adam_error error = {0};
  assert_int_equal(
      am_backend_mock()->open(NULL, "open_error=unavailable;error_text=closed", NULL, &model, &error),
      ADAM_UNAVAILABLE);
  assert_string_equal(error.why, "closed");
  assert_int_equal(am_backend_mock()->open(NULL, "/nowhere/x.json", NULL, &model, &error), ADAM_NOT_FOUND);
}

static void test_limits_and_errors(void **state) {
  (void)state;
  heard h = {0};
  adam_request five = {.sampling = {.set = ADAM_SET_MAX_TOKENS, .max_tokens = 5}};
  assert_int_equal(say("Hello", five, &h), ADAM_OK); /* five letters fit, the end token does not */
  assert_int_equal(h.outcome.finish_reason, ADAM_FINISH_LENGTH);
  assert_int_equal(h.outcome.completion_tokens, 5);
  h = (heard){0};
  assert_int_equal(say("ab", (adam_request){.ignore_eos = true, .sampling = five.sampling}, &h), ADAM_OK);
  assert_string_equal(h.text, "a|b|a|b|a|");
  assert_int_equal(h.outcome.finish_reason, ADAM_FINISH_LENGTH);
  h = (heard){0};
  assert_int_equal(say("say=Hello;fail_at=3;error=unavailable;error_text=gone", (adam_request){0}, &h),
                   ADAM_UNAVAILABLE);
  assert_string_equal(h.text, "H|e|");
  assert_string_equal(h.error.why, "gone");
  assert_int_equal(h.outcome.finish_reason, ADAM_FINISH_ERROR);
  h = (heard){0};
  assert_int_equal(say("say=abc;error=limit", (adam_request){0}, &h), ADAM_LIMIT);
  assert_string_equal(h.text, "");
  h = (heard){0};
  assert_int_equal(say("say=abc;finish=length;notice=clipped", (adam_request){0}, &h), ADAM_OK);
  assert_int_equal(h.outcome.finish_reason, ADAM_FINISH_LENGTH);
  assert_int_equal(h.n_notices, 1);
  assert_int_equal(h.n_ids, 3);
  h = (heard){0};
  assert_int_equal(say("think=hm;say=a", (adam_request){.think = ADAM_THINK_OFF}, &h), ADAM_OK);
  assert_string_equal(h.text, "a|");
  /* 1000 tokens when nobody said how many. */
  h = (heard){0};
  assert_int_equal(say("random=2000", (adam_request){0}, &h), ADAM_OK);
  assert_int_equal(h.outcome.completion_tokens, 1000);
  assert_int_equal(h.outcome.sampling.set, 511);
}

static void test_context(void **state) {
  (void)state;
  adam_request request = {.struct_size = sizeof request, .prompt = "hi", .prompt_bytes = 2}; /* 20 tokens */
  static const int64_t contexts[] = {20, 22, 30};
  for (size_t i = 0; i < 3; i++) {
    adam_model_options options = {.struct_size = sizeof options, .n_ctx = contexts[i]};
    adam_backend_model *model = NULL;
    heard h = {0};
    assert_int_equal(am_backend_mock()->open(NULL, "Hello", &options, &model, NULL), ADAM_OK);
    adam_status status = ask(model, &request, &h);
    am_backend_mock()->close(NULL, model);
    assert_int_equal(status, i == 0 ? ADAM_LIMIT : ADAM_OK);
    assert_string_equal(h.text, i == 0 ? "" : i == 1 ? "H|e|" : "H|e|l|l|o|");
    if (i == 1) assert_int_equal(h.outcome.finish_reason, ADAM_FINISH_LENGTH);
  }
}

static void test_stop(void **state) {
  (void)state;
  const char *border[] = {"lo wo"}, *two[] = {"world", "or"}, *absent[] = {"Hello?", "dx"}, *all[] = {"H"};
  heard h = {0};
  assert_int_equal(say("say=Hello world;chunk_bytes=3", (adam_request){.stop = border, .n_stop = 1}, &h),
                   ADAM_OK);
  assert_string_equal(h.text, "He|l|"); /* "l", then "lo ", could begin the stop string */
  assert_int_equal(h.outcome.finish_reason, ADAM_FINISH_STOP);
  assert_int_equal(h.outcome.completion_tokens, 8); /* up to the o of "wo", no end token */
  h = (heard){0};
  assert_int_equal(say("say=Hello world;tokens_per_chunk=4", (adam_request){.stop = two, .n_stop = 2}, &h),
                   ADAM_OK);
  assert_string_equal(h.text, "Hell|o |w|"); /* "wo" is held; "or" is complete before "world" */
  h = (heard){0};
  assert_int_equal(
      say("say=Hello world;tokens_per_chunk=11", (adam_request){.stop = absent, .n_stop = 2}, &h), ADAM_OK);
  assert_string_equal(h.text, "Hello worl|d|"); /* the d is held until the end */
  assert_int_equal(h.n_ids, 12);
  h = (heard){0};
  assert_int_equal(say("Hello", (adam_request){.stop = all, .n_stop = 1}, &h), ADAM_OK);
  assert_string_equal(h.text, "");
}

static void test_cancel_and_delay(void **state) {
  (void)state;
  heard h = {.cancel_at = 2};
  assert_int_equal(say("Hello", (adam_request){0}, &h), ADAM_OK);
  assert_string_equal(h.text, "H|e|");
  assert_int_equal(h.outcome.finish_reason, ADAM_FINISH_CANCELLED);
  h = (heard){.cancel_at = 2}; /* two empty pieces of a long wait */
  double begin_ms = am_clock_ms();
  assert_int_equal(say("say=Hello;first_delay_ms=60000", (adam_request){0}, &h), ADAM_OK);
  assert_true(am_clock_ms() - begin_ms < 10000);
  assert_string_equal(h.text, "");
  assert_int_equal(h.outcome.finish_reason, ADAM_FINISH_CANCELLED);
  h = (heard){0};
  begin_ms = am_clock_ms();
  assert_int_equal(say("say=abc;delay_ms=4;first_delay_ms=30", (adam_request){0}, &h), ADAM_OK);
  assert_true(am_clock_ms() - begin_ms >= 46); /* 30 + 4 times (three letters and the end) */
  assert_true(h.outcome.timings.first_token_ms >= 34);
  assert_true(h.outcome.timings.decode_ms >= 12);
}

static void test_prompts(void **state) {
  (void)state;
  heard h = {0};
  adam_request request = {
      .messages_json =
          "[{\"role\":\"system\",\"content\":\"S\"},{\"role\":\"user\",\"content\":\"one\"},"
          "{\"role\":\"assistant\",\"content\":\"x\"},{\"role\":\"user\",\"content\":"
          "[{\"type\":\"text\",\"text\":\"tw\"},{\"type\":\"text\",\"text\":\"o\"}]}]"};
  assert_int_equal(say("echo;tokens_per_chunk=99", request, &h), ADAM_OK);
  assert_string_equal(h.text, "two|");
  /* "system: S\n" 10, "user: one\n" 10, "assistant: x\n" 13, "user: two\n" 10, "assistant: " 11 */
  assert_int_equal(h.outcome.prompt_tokens, 54);
  h = (heard){0};
  assert_int_equal(say("echo", (adam_request){.messages_json = "[{\"content\":1}]"}, &h), ADAM_INVALID);
  h = (heard){0};
  assert_int_equal(say("echo", (adam_request){.messages_json = "[{"}, &h), ADAM_INVALID);
  assert_int_equal(h.error.status, ADAM_INVALID);
  h = (heard){0};
  assert_int_equal(say("echo", (adam_request){.prompt = "", .prompt_bytes = 0}, &h), ADAM_OK);
  assert_int_equal(h.outcome.completion_tokens, 1);
  h = (heard){0};
  assert_int_equal(
      say("echo;tokens_per_chunk=9", (adam_request){.prompt = "a\xff", .prompt_bytes = 2, .raw = true}, &h),
      ADAM_OK);
  assert_string_equal(h.text, "a\xef\xbf\xbd|");
}

static void test_file(void **state) {
  (void)state;
  char path[] = "mock_test_XXXXXX.json";
  int fd = mkstemps(path, 5);
  FILE *f = fdopen(fd, "w");
  fputs(
      "{\"tokens_per_chunk\": 99, \"answers\": [\"first\", {\"match\": \"weather\", \"say\": \"rain\"}, "
      "{\"echo\": true},"
      "{\"match\": \"fail\", \"fail_at\": 1, \"error\": \"damaged\"}]}",
      f);
  fclose(f);
  adam_backend_model *model = open_mock(path);
  static const char *const exchange[][2] = {
      {"hello", "first|"}, {"the weather?", "rain|"}, {"again", "again|"}, {"hello", "first|"}};
  for (size_t i = 0; i < 4; i++) {
    heard h = {0};
    adam_request request = {
        .struct_size = sizeof request, .prompt = exchange[i][0], .prompt_bytes = strlen(exchange[i][0])};
    assert_int_equal(ask(model, &request, &h), ADAM_OK);
    assert_string_equal(h.text, exchange[i][1]);
  }
  heard h = {0};
  adam_request request = {.struct_size = sizeof request, .prompt = "fail", .prompt_bytes = 4};
  assert_int_equal(ask(model, &request, &h), ADAM_DAMAGED);
  am_backend_mock()->close(NULL, model);
  am_file_fault_set(1);
  assert_int_equal(am_backend_mock()->open(NULL, path, NULL, &model, NULL), ADAM_IO);
  am_file_fault_set(0);
  f = fopen(path, "w");
  fputs("{\"answers\": []}", f);
  fclose(f);
  adam_error error = {0};
  assert_int_equal(am_backend_mock()->open(NULL, path, NULL, &model, &error), ADAM_INVALID);
  remove(path);
}

static void test_seed(void **state) {
  (void)state;
  heard a = {0}, b = {0}, c = {0}, cold = {0}, cold_again = {0};
  adam_request request = {.sampling = {.set = ADAM_SET_SEED, .seed = 7}};
  assert_int_equal(say("random=40;tokens_per_chunk=99", request, &a), ADAM_OK);
  assert_int_equal(say("random=40;tokens_per_chunk=99", request, &b), ADAM_OK);
  request.sampling.seed = 8;
  assert_int_equal(say("random=40;tokens_per_chunk=99", request, &c), ADAM_OK);
  assert_string_equal(a.text, b.text);
  assert_string_not_equal(a.text, c.text);
  assert_int_equal(a.outcome.seed, 7);
  request.sampling = (adam_sampling){.set = ADAM_SET_TEMPERATURE, .temperature = 0};
  assert_int_equal(say("random=40;tokens_per_chunk=99", request, &cold), ADAM_OK);
  assert_int_equal(say("random=40;tokens_per_chunk=99", request, &cold_again), ADAM_OK);
  assert_string_equal(cold.text, cold_again.text);
  assert_int_not_equal(cold.outcome.seed, cold_again.outcome.seed); /* drawn, and told */
}

static bool collect(void *user, const void *bytes, size_t n_bytes) {
  strncat(user, bytes, n_bytes);
  return true;
}

static void test_templates(void **state) {
  (void)state;
  adam_render_request request = {
      .struct_size = sizeof request,
      .messages_json = "[{\"role\":\"user\",\"content\":\"q\"}]",
      .kwargs_json = "{\"name\":\"adam\"}",
      .tools_json = "[{\"type\":\"function\"}]",
      .template_text =
          "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}{{ name }}{{ tools | length }}"
          "{% if add_generation_prompt %}>{% endif %}{{ enable_thinking }}",
      .think = ADAM_THINK_OFF};
  char text[256] = "";
  const adam_backend_ops *ops = am_backend_mock();
  assert_int_equal(ops->render(NULL, NULL, &request, collect, text, NULL), ADAM_OK);
  assert_string_equal(text, "<user>qadam1>False");
  adam_error error = {0};
  request.template_text = "{{ raise_exception('no') }}";
  assert_int_equal(ops->render(NULL, NULL, &request, collect, text, &error), ADAM_TEMPLATE);
  assert_non_null(strstr(error.why, "no"));
  request.template_text = "{% if";
  assert_int_equal(ops->render(NULL, NULL, &request, collect, text, &error), ADAM_TEMPLATE);
}

/* Every allocation fails once: an error or the right answer, never a leak (the sanitizer looks). */
static void test_faults(void **state) {
  (void)state;
  const adam_backend_ops *ops = am_backend_mock();
  const char *stop[] = {"zz"};
  for (uint64_t n = 1;; n++) {
    adam_backend_model *model = NULL;
    adam_error error = {0};
    heard h = {0};
    adam_request request = {.struct_size = sizeof request,
                            .stop = stop,
                            .n_stop = 1,
                            .system = "S",
                            .messages_json = "[{\"role\":\"user\",\"content\":\"hi\"}]"};
    am_mem_fault_set(n);
    adam_status status = ops->open(NULL, "think=hm;say=Hello\\n", NULL, &model, &error);
    if (!status) status = ask(model, &request, &h);
    bool fired = am_mem_fault_fired();
    am_mem_fault_set(0);
    ops->close(NULL, model);
    if (!fired) {
      assert_int_equal(status, ADAM_OK);
      assert_string_equal(h.text, "[h][m]H|e|l|l|o|\n|");
      assert_true(n > 5);
      return;
    }
    assert_int_equal(status, ADAM_NO_MEMORY);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_scripts),
      cmocka_unit_test(test_bad_scripts),
      cmocka_unit_test(test_limits_and_errors),
      cmocka_unit_test(test_stop),
      cmocka_unit_test(test_context),
      cmocka_unit_test(test_cancel_and_delay),
      cmocka_unit_test(test_prompts),
      cmocka_unit_test(test_file),
      cmocka_unit_test(test_seed),
      cmocka_unit_test(test_templates),
      cmocka_unit_test(test_faults),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
