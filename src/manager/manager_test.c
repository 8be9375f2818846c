/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"
#include <adam/manager.h>
#include <adam/registry.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static adam_manager *open_ref(const char *ref) {
  adam_manager_options options = {.struct_size = sizeof options, .model = ref};
  adam_manager *manager = NULL;
  adam_error error = {0};
  if (adam_manager_open(&options, &manager, &error)) fail_msg("%s: %s (%s)", ref, error.why, error.hint);
  return manager;
}

static adam_request text_request(const char *text) {
  return (adam_request){.struct_size = sizeof(adam_request), .prompt = text, .prompt_bytes = strlen(text)};
}

typedef struct stream {
  char text[256];
  size_t n, cancel_at;
} stream;

static bool hear(void *user, const adam_chunk *chunk) {
  stream *s = user;
  strncat(s->text, chunk->text, chunk->text_bytes);
  return ++s->n == s->cancel_at;
}

static void test_generate(void **state) {
  (void)state;
  adam_manager *m = open_ref("mock:think=hm;say=Hello;notice=odd");
  adam_request request = text_request("x");
  request.sampling = (adam_sampling){.set = ADAM_SET_SEED | ADAM_SET_TOP_K, .seed = 5, .top_k = 3};
  adam_result r;
  stream s = {0};
  assert_int_equal(adam_manager_generate(m, &request, hear, &s, &r, NULL), ADAM_OK);
  assert_string_equal(s.text, "hmHello");
  assert_string_equal(r.text, "Hello");
  assert_int_equal(r.text_bytes, 5);
  assert_string_equal(r.thinking, "hm");
  assert_int_equal(r.n_ids, 8);
  assert_int_equal(r.ids[2], 'H');
  assert_int_equal(r.completion_tokens, 8);
  assert_int_equal(r.prompt_tokens, strlen("user: x\nassistant: "));
  assert_int_equal(r.finish_reason, ADAM_FINISH_STOP);
  assert_string_equal(r.backend, "mock");
  assert_string_equal(r.device, "cpu");
  assert_string_equal(r.model, "mock:think=hm;say=Hello;notice=odd");
  assert_int_equal(r.seed, 5);
  assert_int_equal(r.sampling.top_k, 3);
  assert_true(r.sampling.temperature == 0.7 && r.sampling.top_p == 0.9 && r.sampling.max_tokens == 1000);
  assert_int_equal(r.n_notices, 1);
  assert_string_equal(r.notices[0].text, "odd");
  assert_true(r.timings.load_ms > 0 && r.timings.first_token_ms > 0);
  adam_result_close(&r);
  adam_manager_close(&m);
  assert_null(m);
  adam_manager_close(&m);
}

static bool never_called(void *user, size_t position, float *logits, size_t n_vocab) {
  (void)user, (void)position, (void)logits, (void)n_vocab;
  fail_msg("the mock has no logits");
  return true;
}

static void test_what_a_backend_cannot(void **state) {
  (void)state;
  adam_manager *m = open_ref("mock:say=Hello");
  adam_request request = text_request("x");
  adam_result r;
  adam_error error = {0};
  request.top_logprobs = 1;
  assert_int_equal(adam_manager_generate(m, &request, NULL, NULL, &r, &error), ADAM_UNSUPPORTED);
  assert_string_equal(error.what, "mock");
  request.top_logprobs = -1;
  assert_int_equal(adam_manager_generate(m, &request, NULL, NULL, &r, &error), ADAM_INVALID);
  request.top_logprobs = 0;
  request.on_logits = never_called;
  assert_int_equal(adam_manager_generate(m, &request, NULL, NULL, &r, &error), ADAM_UNSUPPORTED);
  request.on_logits = NULL;
  assert_int_equal(adam_manager_next_logprobs(m, &request, 5, &r, &error), ADAM_UNSUPPORTED);
  assert_int_equal(adam_manager_next_logprobs(m, &request, 0, &r, &error), ADAM_INVALID);
  adam_result_close(&r);
  adam_manager_close(&m);
}

static void test_next_logprobs(void **state) {
  (void)state;
  adam_manager *m = open_ref(ADAM_SOURCE_DIR "/tests/golden/models/qwen3-bf16-tied");
  adam_request request = text_request("The house");
  adam_result r;
  request.raw = true;
  assert_int_equal(adam_manager_next_logprobs(m, &request, 1000, &r, NULL), ADAM_OK);
  assert_int_equal(r.n_ids, 1);
  const adam_token_logprobs *next = &r.logprobs[0];
  double sum = 0;
  for (size_t i = 0; i < next->n_top; i++) {
    sum += exp(next->top[i].logprob);
    assert_true(i == 0 || next->top[i].logprob <= next->top[i - 1].logprob);
  }
  assert_true(next->n_top > 100 && sum > 0.5 && sum < 1 + 1e-9);
  assert_int_equal(next->token.id, next->top[0].id);
  assert_true(next->token.logprob == next->top[0].logprob);
  adam_result_close(&r);
  adam_manager_close(&m);
}

static void test_cancel(void **state) {
  (void)state;
  adam_manager *m = open_ref("mock:Hello");
  adam_request request = text_request("x");
  adam_result r;
  stream s = {.cancel_at = 2};
  assert_int_equal(adam_manager_generate(m, &request, hear, &s, &r, NULL), ADAM_OK);
  assert_string_equal(r.text, "He");
  assert_int_equal(s.n, 2);
  assert_int_equal(r.finish_reason, ADAM_FINISH_CANCELLED);
  adam_result_close(&r);
  adam_manager_close(&m);
}

static void test_failure_keeps_text(void **state) {
  (void)state;
  adam_manager *m = open_ref("mock:say=Hello;fail_at=4;error=io;error_text=cable");
  adam_request request = text_request("x");
  adam_result r;
  adam_error error = {0};
  assert_int_equal(adam_manager_generate(m, &request, NULL, NULL, &r, &error), ADAM_IO);
  assert_string_equal(r.text, "Hel");
  assert_int_equal(r.n_ids, 3);
  assert_int_equal(r.finish_reason, ADAM_FINISH_ERROR);
  assert_int_equal(error.status, ADAM_IO);
  assert_string_equal(error.why, "cable");
  adam_result_close(&r);
  adam_manager_close(&m);
}

static void test_invalid_requests(void **state) {
  (void)state;
  adam_manager *m = open_ref("mock:Hello");
  const char *empty[] = {""};
  adam_request none = {.struct_size = sizeof none}, both = text_request("x"), unsized = text_request("x");
  both.messages_json = "[]";
  unsized.struct_size = 0;
  adam_request stop = text_request("x"), no_stop = text_request("x");
  stop.stop = empty, stop.n_stop = 1;
  no_stop.n_stop = 1;
  adam_request bad[16] = {none, both, unsized, stop, no_stop};
  size_t n = 5;
#define BAD(bit, member, bad_value) \
  bad[n] = text_request("x"), bad[n].sampling.set = ADAM_SET_##bit, bad[n++].sampling.member = bad_value
  BAD(TEMPERATURE, temperature, -0.1);
  BAD(TEMPERATURE, temperature, NAN);
  BAD(TOP_P, top_p, 0);
  BAD(TOP_P, top_p, 1.01);
  BAD(TOP_K, top_k, -1);
  BAD(MIN_P, min_p, 1);
  BAD(REPETITION_PENALTY, repetition_penalty, 0);
  BAD(PRESENCE_PENALTY, presence_penalty, INFINITY);
  BAD(FREQUENCY_PENALTY, frequency_penalty, NAN);
  BAD(MAX_TOKENS, max_tokens, -1);
  for (size_t i = 0; i < n; i++) {
    adam_result r;
    adam_error error = {0};
    assert_int_equal(adam_manager_generate(m, &bad[i], NULL, NULL, &r, &error), ADAM_INVALID);
    assert_true(*error.what && *error.why);
    assert_int_equal(r.finish_reason, ADAM_FINISH_ERROR);
    adam_result_close(&r);
  }
  /* A bad value whose bit is clear is not looked at. */
  adam_request unset = text_request("x");
  unset.sampling.top_p = 7;
  adam_result r;
  assert_int_equal(adam_manager_generate(m, &unset, NULL, NULL, &r, NULL), ADAM_OK);
  adam_result_close(&r);
  adam_manager_close(&m);
}

/* A request of a header that ended after `sampling`: what lies behind it must not be read. */
static void test_smaller_structs(void **state) {
  (void)state;
  enum { SMALL = offsetof(adam_request, stop) };
  struct {
    char bytes[3 * SMALL];
  } packed;
  adam_manager *m = open_ref("mock:echo");
  static const char *const texts[] = {"one", "two", "three"};
  for (size_t i = 0; i < 3; i++) {
    adam_request request = text_request(texts[i]);
    request.struct_size = SMALL;
    memcpy(packed.bytes + i * SMALL, &request, SMALL);
  }
  adam_result r[3];
  adam_error errors[3];
  assert_int_equal(adam_manager_batch(m, (const adam_request *)(const void *)packed.bytes, 3, r, errors),
                   ADAM_OK);
  for (size_t i = 0; i < 3; i++) {
    assert_string_equal(r[i].text, texts[i]);
    adam_result_close(&r[i]);
  }
  struct {
    adam_model_info info;
  } guarded;
  memset(&guarded, 0x5a, sizeof guarded);
  guarded.info.struct_size = offsetof(adam_model_info, device);
  assert_int_equal(adam_manager_info(m, &guarded.info, NULL), ADAM_OK);
  assert_string_equal(guarded.info.name, "mock:echo");
  assert_int_equal(guarded.info.struct_size, offsetof(adam_model_info, device));
  assert_int_equal(((unsigned char *)&guarded.info.device)[0], 0x5a);
  guarded.info.struct_size = 0;
  assert_int_equal(adam_manager_info(m, &guarded.info, NULL), ADAM_INVALID);
  adam_manager_close(&m);
  adam_manager_options options = {.struct_size = offsetof(adam_manager_options, size),
                                  .model = "mock:hi",
                                  .size = (const char *)(uintptr_t)1};
  assert_int_equal(adam_manager_open(&options, &m, NULL), ADAM_OK);
  adam_manager_close(&m);
  options.struct_size = 0;
  assert_int_equal(adam_manager_open(&options, &m, NULL), ADAM_INVALID);
  assert_int_equal(adam_manager_open(NULL, &m, NULL), ADAM_INVALID);
  assert_null(m);
}

static void test_batch(void **state) {
  (void)state;
  adam_manager *m = open_ref("mock:echo;fail_at=4");
  adam_request requests[3] = {text_request("ab"), text_request("abcd"), text_request("c")};
  adam_result r[3];
  adam_error errors[3] = {0};
  assert_int_equal(adam_manager_batch(m, requests, 3, r, errors), ADAM_FAILED);
  assert_string_equal(r[0].text, "ab");
  assert_string_equal(r[1].text, "abc");
  assert_string_equal(r[2].text, "c");
  assert_int_equal(errors[0].status, ADAM_OK);
  assert_int_equal(errors[1].status, ADAM_FAILED);
  assert_int_equal(r[1].finish_reason, ADAM_FINISH_ERROR);
  for (size_t i = 0; i < 3; i++) adam_result_close(&r[i]);
  assert_int_equal(adam_manager_batch(m, requests, 3, NULL, NULL), ADAM_FAILED);
  assert_int_equal(adam_manager_batch(m, NULL, 0, NULL, NULL), ADAM_OK);
  adam_manager_close(&m);
}

static bool count_until(void *user, size_t position, const float *logits, size_t n_vocab) {
  size_t *n = user;
  assert_int_equal(position, n[0]);
  assert_int_equal(n_vocab, 0x110001);
  (void)logits;
  return ++n[0] == n[1];
}

/* The mock's logits are 1 for a repetition and 0 for the 1114112 others (mock.c). */
static void test_score(void **state) {
  (void)state;
  adam_manager *m = open_ref("mock:");
  int32_t ids[] = {'a', 'a', 'b'}, bad[] = {'a', -1}, worse[] = {'a', 0x110001};
  double logprobs[2];
  size_t n[2] = {0, 0};
  assert_int_equal(adam_manager_score(m, ids, 3, logprobs, count_until, n, NULL), ADAM_OK);
  double log_sum = log(M_E + 1114112.0);
  assert_true(fabs(logprobs[0] - (1 - log_sum)) < 1e-9);
  assert_true(fabs(logprobs[1] + log_sum) < 1e-9);
  assert_int_equal(n[0], 3);
  n[0] = 0, n[1] = 2;
  assert_int_equal(adam_manager_score(m, ids, 3, NULL, count_until, n, NULL), ADAM_CANCELLED);
  assert_int_equal(adam_manager_score(m, bad, 2, logprobs, NULL, NULL, NULL), ADAM_INVALID);
  assert_int_equal(adam_manager_score(m, worse, 2, logprobs, NULL, NULL, NULL), ADAM_INVALID);
  assert_int_equal(adam_manager_score(m, ids, 0, NULL, NULL, NULL, NULL), ADAM_INVALID);
  adam_manager_close(&m);
}

static void test_queries(void **state) {
  (void)state;
  adam_manager *m = open_ref("mock:");
  static const char text[] = "a\xc3\xa9\xe2\x82\xac";
  int32_t *ids = NULL;
  size_t n = 0, n_bytes = 0;
  char *back = NULL;
  assert_int_equal(adam_manager_tokenize(m, text, 6, 0, &ids, &n, NULL), ADAM_OK);
  assert_int_equal(n, 3);
  assert_int_equal(ids[1], 0xe9);
  assert_int_equal(adam_manager_detokenize(m, ids, n, &back, &n_bytes, NULL), ADAM_OK);
  assert_int_equal(n_bytes, 6);
  assert_string_equal(back, text);
  adam_free(back);
  adam_free(ids);
  assert_int_equal(adam_manager_count_tokens(m, text, 6, &n, NULL), ADAM_OK);
  assert_int_equal(n, 3);
  assert_int_equal(adam_manager_token_text(m, 0x110000, &back, &n_bytes, NULL), ADAM_OK);
  assert_string_equal(back, "<|end|>");
  adam_free(back);
  back = NULL;
  assert_int_equal(adam_manager_token_text(m, 0xd800, &back, &n_bytes, NULL), ADAM_INVALID);
  assert_null(back);
  adam_render_request render = {.struct_size = sizeof render,
                                .messages_json = "[{\"role\":\"user\",\"content\":\"q\"}]"};
  assert_int_equal(adam_manager_render(m, &render, &back, &n_bytes, NULL), ADAM_OK);
  assert_string_equal(back, "user: q\nassistant: ");
  adam_free(back);
  render.no_generation_prompt = true;
  assert_int_equal(adam_manager_render(m, &render, &back, NULL, NULL), ADAM_OK);
  assert_string_equal(back, "user: q\n");
  adam_free(back);
  render.messages_json = NULL;
  assert_int_equal(adam_manager_render(m, &render, &back, NULL, NULL), ADAM_INVALID);
  adam_manager_close(&m);
}

static void test_open_errors(void **state) {
  (void)state;
  adam_manager_options options = {.struct_size = sizeof options,
                                  .model = "mock:open_error=no_memory;error_text=huge"};
  adam_manager *m = NULL;
  adam_error error = {0};
  assert_int_equal(adam_manager_open(&options, &m, &error), ADAM_NO_MEMORY);
  assert_string_equal(error.why, "huge");
  options = (adam_manager_options){.struct_size = sizeof options, .size = "qwen3_smal"};
  assert_int_equal(adam_manager_open(&options, &m, &error), ADAM_INVALID);
  assert_non_null(strstr(error.why, "did you mean qwen3_small?"));
  options = (adam_manager_options){.struct_size = sizeof options, .backend = "mock"};
  assert_int_equal(adam_manager_open(&options, &m, NULL), ADAM_OK); /* no script: echo */
  adam_request request = text_request("abc");
  adam_result r;
  assert_int_equal(adam_manager_generate(m, &request, NULL, NULL, &r, NULL), ADAM_OK);
  assert_string_equal(r.text, "abc");
  assert_null(adam_manager_notice_at(m, 0));
  adam_result_close(&r);
  adam_manager_close(&m);
}

static void test_presets(void **state) {
  (void)state;
  adam_preset preset = {.struct_size = sizeof preset};
  size_t n = 0;
  bool has_small = false;
  for (; adam_preset_at(n, &preset); n++)
    if (!strcmp(preset.name, "qwen3_small")) has_small = !strcmp(preset.huggingface, "Qwen/Qwen3-0.6B");
  assert_true(has_small);
  assert_true(n >= 8 && !adam_preset_at(n + 1000, &preset));
  preset.struct_size = 0;
  assert_false(adam_preset_at(0, &preset));
}

static void test_faults(void **state) {
  (void)state;
  adam_manager_options options = {.struct_size = sizeof options,
                                  .model = "mock:think=hm;say=Hello;notice=odd"};
  for (uint64_t n = 1;; n++) {
    adam_manager *m = NULL;
    adam_result r = {0};
    adam_error error = {0};
    adam_request request = text_request("x");
    int32_t *ids = NULL;
    size_t n_ids = 0;
    char *text = NULL;
    am_mem_fault_set(n);
    adam_status status = adam_manager_open(&options, &m, &error);
    if (!status) status = adam_manager_generate(m, &request, NULL, NULL, &r, &error);
    if (!status) status = adam_manager_tokenize(m, "abc", 3, 0, &ids, &n_ids, &error);
    if (!status) status = adam_manager_detokenize(m, ids, n_ids, &text, NULL, &error);
    bool fired = am_mem_fault_fired();
    am_mem_fault_set(0);
    bool whole = !status && !strcmp(r.text, "Hello") && !strcmp(text, "abc");
    adam_result_close(&r);
    adam_free(ids);
    adam_free(text);
    adam_manager_close(&m);
    if (!fired) {
      assert_true(whole && n > 10);
      return;
    }
    /* Only the shrinking of ids may fail unnoticed. */
    assert_true(status == ADAM_NO_MEMORY ? error.status == ADAM_NO_MEMORY : whole);
  }
}

static adam_manager *open_with(const char *ref, const char *embedding_ref) {
  adam_manager_options options = {
      .struct_size = sizeof options, .model = ref, .embedding_model = embedding_ref};
  adam_manager *manager = NULL;
  assert_int_equal(adam_manager_open(&options, &manager, NULL), ADAM_OK);
  return manager;
}

/* Which model embeds: the one that is named, else the manager's own where it is made for that. */
static void test_embedding_model(void **state) {
  (void)state;
  float *values = NULL;
  size_t n = 0;
  adam_error error = {0};
  adam_manager *m = open_with("mock:echo", "mock:say=other"); /* opened when it is needed */
  adam_embed_result r;
  const char *text = "bad";
  adam_embed_request request = {.struct_size = sizeof request,
                                .texts = &text,
                                .n_texts = 1,
                                .dimensions = 5,
                                .normalize = ADAM_NORMALIZE_OFF};
  assert_int_equal(adam_manager_batch_embed(m, &request, &r, NULL), ADAM_OK);
  assert_string_equal(r.model, "mock:say=other");
  const float expected[5] = {0, 1, 1, 0, 1}; /* a, b, d are 97, 98, 100 */
  assert_int_equal(r.dimensions, 5);
  assert_memory_equal(r.values, expected, sizeof expected);
  adam_embed_result_close(&r);
  adam_embed_result_close(&r);
  request.struct_size = 0;
  assert_int_equal(adam_manager_batch_embed(m, &request, &r, &error), ADAM_INVALID);
  adam_manager_close(&m);
  m = open_with("mock:echo", NULL);
  request.struct_size = sizeof request;
  assert_int_equal(adam_manager_batch_embed(m, &request, &r, NULL), ADAM_OK);
  assert_string_equal(r.model, "mock:echo");
  adam_embed_result_close(&r);
  text = NULL;
  assert_int_equal(adam_manager_batch_embed(m, &request, &r, NULL), ADAM_INVALID);
  adam_manager_close(&m);
  m = open_with("mock:echo", "mock:open_error=damaged");
  assert_int_equal(adam_manager_embed(m, "x", 1, &values, &n, &error), ADAM_DAMAGED);
  assert_null(values);
  adam_manager_close(&m);
}

/* A generative model of its own and nothing named: MiniLM, which an empty cache does not have. Below a file
 * not even root can make one. */
static void test_embedding_default(void **state) {
  (void)state;
  float *values = NULL;
  size_t n = 0;
  adam_error error = {0};
  adam_manager_options options = {
      .struct_size = sizeof options,
      .model = ADAM_SOURCE_DIR "/tests/golden/models/qwen3-bf16-tied",
      .model_options = {.cache_dir = ADAM_SOURCE_DIR "/README.md/home", .n_threads = 1}};
  adam_manager *m = NULL;
  setenv("HOME", ADAM_SOURCE_DIR "/README.md/home", 1);
  assert_int_equal(adam_manager_open(&options, &m, NULL), ADAM_OK);
  assert_int_equal(adam_manager_embed(m, "x", 1, &values, &n, &error), ADAM_NOT_FOUND);
  assert_non_null(strstr(error.what, "all-MiniLM-L6-v2"));
  assert_true(*error.hint);
  adam_manager_close(&m);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_what_a_backend_cannot),
      cmocka_unit_test(test_next_logprobs),
      cmocka_unit_test(test_generate),
      cmocka_unit_test(test_cancel),
      cmocka_unit_test(test_failure_keeps_text),
      cmocka_unit_test(test_invalid_requests),
      cmocka_unit_test(test_smaller_structs),
      cmocka_unit_test(test_batch),
      cmocka_unit_test(test_score),
      cmocka_unit_test(test_queries),
      cmocka_unit_test(test_open_errors),
      cmocka_unit_test(test_presets),
      cmocka_unit_test(test_faults),
      cmocka_unit_test(test_embedding_model),
      cmocka_unit_test(test_embedding_default),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
