/* SPDX-License-Identifier: Apache-2.0 */
/* Constrained answers of a tiny random model, which says nonsense: what is JSON came from the masks. */
#include "engine/engine.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#define MODEL ADAM_SOURCE_DIR "/tests/golden/models/qwen3-bf16-tied"

static const char schema[] =
    "{\"type\":\"object\",\"properties\":{\"name\":{\"type\":\"string\",\"minLength\":2},"
    "\"n\":{\"type\":\"integer\"}},\"required\":[\"name\",\"n\"]}";

typedef struct heard {
  am_buf text, thinking;
  size_t n_ids;
  int32_t ids[512];
} heard;

static bool on_chunk(void *user, const adam_chunk *chunk) {
  heard *h = user;
  for (size_t i = 0; i < chunk->n_ids && h->n_ids < 512; i++) h->ids[h->n_ids++] = chunk->ids[i];
  am_buf_append(chunk->thinking ? &h->thinking : &h->text, chunk->text, chunk->text_bytes);
  return false;
}

static void forget(heard *h) {
  am_buf_close(&h->text);
  am_buf_close(&h->thinking);
  *h = (heard){0};
}

typedef struct fixture {
  am_engine *engine;
  am_session *session;
} fixture;

static int open_model(void **state) {
  static fixture f;
  adam_model_options options = {.struct_size = sizeof options, .device = "cpu", .n_threads = 1};
  *state = &f;
  return am_engine_open(MODEL, &options, &f.engine, NULL) || am_session_open(f.engine, &f.session, NULL);
}

static int close_model(void **state) {
  fixture *f = *state;
  am_session_close(&f->session);
  am_engine_close(&f->engine);
  return 0;
}

static adam_request asking(int64_t max_tokens, uint64_t seed) {
  return (adam_request){.struct_size = sizeof(adam_request),
                        .prompt = "q",
                        .prompt_bytes = 1,
                        .constraint = ADAM_CONSTRAINT_SCHEMA,
                        .constraint_text = schema,
                        .sampling = {.set = ADAM_SET_MAX_TOKENS | ADAM_SET_TEMPERATURE | ADAM_SET_SEED,
                                     .max_tokens = max_tokens,
                                     .temperature = 1.5,
                                     .seed = seed}};
}

static adam_status run(fixture *f, const adam_request *request, heard *h, adam_outcome *outcome,
                       adam_error *error) {
  adam_sink sink = {.user = h, .on_chunk = on_chunk};
  *outcome = (adam_outcome){.struct_size = sizeof *outcome};
  return am_session_generate(f->session, request, &sink, outcome, error);
}

static void assert_valid(const heard *h) {
  json_error_t fault;
  json_t *value = json_loadb(h->text.data ? h->text.data : "", h->text.len, 0, &fault);
  if (!value) fail_msg("%s: %.*s", fault.text, (int)h->text.len, h->text.data);
  assert_true(json_string_length(json_object_get(value, "name")) >= 2);
  assert_true(json_is_integer(json_object_get(value, "n")));
  json_decref(value);
}

/* The number behind "needs". */
static int64_t least_of(const adam_error *error) {
  const char *at = strstr(error->why, "needs ");
  if (!at) fail_msg("no number in: %s", error->why);
  return strtoll(at + 6, NULL, 10);
}

static void answers_are_whole_at_any_length(void **state) {
  fixture *f = *state;
  heard h = {0};
  adam_outcome outcome;
  adam_error error = {0};
  adam_request request = asking(1, 1);
  request.think = ADAM_THINK_OFF;
  assert_int_equal(run(f, &request, &h, &outcome, &error), ADAM_INVALID);
  int64_t least = least_of(&error);
  assert_true(least > 4);
  request.sampling.max_tokens = least - 1;
  assert_int_equal(run(f, &request, &h, &outcome, &error), ADAM_INVALID);
  for (int64_t n = least; n < least + 40; n++)
    for (uint64_t seed = 0; seed < 2; seed++) {
      request = asking(n, seed);
      request.think = ADAM_THINK_OFF;
      assert_int_equal(run(f, &request, &h, &outcome, &error), ADAM_OK);
      assert_int_equal(outcome.finish_reason, ADAM_FINISH_STOP);
      assert_true(outcome.completion_tokens <= (size_t)n);
      assert_valid(&h);
      forget(&h);
    }
}

static void ban_nothing_but_count(float *logits, size_t n_vocab, int32_t favoured) {
  for (size_t i = 0; i < n_vocab; i++) logits[i] = (int32_t)i == favoured ? 1e6F : 0;
}

typedef struct favour {
  int32_t first, then;
} favour;

static bool hook(void *user, size_t position, float *logits, size_t n_vocab) {
  const favour *f = user;
  ban_nothing_but_count(logits, n_vocab, position == 0 ? f->first : f->then);
  return false;
}

static int32_t id_of(const fixture *f, const char *text) {
  return am_tokenizer_find(am_loader_tokenizer(am_engine_loader(f->engine)), text, strlen(text));
}

/* A model that thinks for ever is stopped while </think> and the shortest text still fit. */
static void thinking_is_closed_in_time(void **state) {
  fixture *f = *state;
  favour wish = {.first = id_of(f, "<think>"), .then = id_of(f, "a")};
  if (wish.first < 0) skip();
  for (int64_t n = 40; n < 80; n += 7) {
    heard h = {0};
    adam_outcome outcome;
    adam_error error = {0};
    adam_request request = asking(n, 3);
    request.on_logits = hook;
    request.on_logits_user = &wish;
    adam_status status = run(f, &request, &h, &outcome, &error);
    if (status) fail_msg("%s", error.why);
    assert_int_equal(outcome.finish_reason, ADAM_FINISH_STOP);
    assert_int_equal(h.ids[0], wish.first);
    assert_true(h.thinking.len > 0 && strspn(h.thinking.data, "a") == h.thinking.len);
    assert_true(outcome.completion_tokens <= (size_t)n);
    assert_valid(&h);
    forget(&h);
  }
}

static void end_tokens_come_only_where_a_text_may_end(void **state) {
  fixture *f = *state;
  size_t n_end = 0;
  const int32_t *end_ids = am_loader_end_ids(am_engine_loader(f->engine), &n_end);
  favour wish = {.first = end_ids[0], .then = end_ids[0]};
  heard h = {0};
  adam_outcome outcome;
  adam_request request = asking(50, 5);
  request.constraint = ADAM_CONSTRAINT_REGEX;
  request.constraint_text = "[a-c]{3,}";
  request.think = ADAM_THINK_OFF;
  request.on_logits = hook;
  request.on_logits_user = &wish;
  assert_int_equal(run(f, &request, &h, &outcome, NULL), ADAM_OK);
  assert_int_equal(h.ids[h.n_ids - 1], end_ids[0]);
  assert_true(h.text.len >= 3 && strspn(h.text.data, "abc") == h.text.len);
  assert_int_equal(outcome.finish_reason, ADAM_FINISH_STOP);
  forget(&h);
}

static void other_constraints(void **state) {
  fixture *f = *state;
  const char *choices[] = {"left", "right"};
  for (uint64_t seed = 0; seed < 6; seed++) {
    heard h = {0};
    adam_outcome outcome;
    adam_request request = asking(20, seed);
    request.think = ADAM_THINK_OFF;
    request.constraint = ADAM_CONSTRAINT_CHOICE;
    request.constraint_text = NULL;
    request.choices = choices;
    request.n_choices = 2;
    assert_int_equal(run(f, &request, &h, &outcome, NULL), ADAM_OK);
    assert_true(strcmp(h.text.data, "left") == 0 || strcmp(h.text.data, "right") == 0);
    forget(&h);
    request.constraint = ADAM_CONSTRAINT_GRAMMAR;
    request.constraint_text = "root ::= \"<\" [0-9]{2} \">\\n\"";
    assert_int_equal(run(f, &request, &h, &outcome, NULL), ADAM_OK);
    assert_true(h.text.len == 5 && h.text.data[0] == '<' && h.text.data[4] == '\n'); /* the newline stays */
    forget(&h);
    request.constraint_text = "root ::= oops";
    assert_int_equal(run(f, &request, &h, &outcome, NULL), ADAM_INVALID);
    forget(&h);
  }
}

static void survives_failing_allocations(void **state) {
  fixture *f = *state;
  for (uint64_t n = 1;; n++) {
    heard h = {0};
    adam_outcome outcome;
    adam_request request = asking(30, 1);
    request.think = ADAM_THINK_OFF;
    am_mem_fault_set(n);
    adam_status status = run(f, &request, &h, &outcome, NULL);
    bool fired = am_mem_fault_fired();
    am_mem_fault_set(0);
    forget(&h);
    if (!fired) {
      assert_int_equal(status, ADAM_OK);
      break;
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(answers_are_whole_at_any_length),
      cmocka_unit_test(thinking_is_closed_in_time),
      cmocka_unit_test(end_tokens_come_only_where_a_text_may_end),
      cmocka_unit_test(other_constraints),
      cmocka_unit_test(survives_failing_allocations),
  };
  return cmocka_run_group_tests(tests, open_model, close_model);
}
