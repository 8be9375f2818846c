/* SPDX-License-Identifier: Apache-2.0 */
/* The parts that the servers' backends share. Expected values: by hand; base64 and bytes of floats by
 * Python's base64.b64encode(struct.pack("<3f", 1, -2.5, 0.1)). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "backend/remote/answer.h"
#include "backend/remote/fields.h"
#include "backend/remote/server.h"
#include "backend/remote/vectors.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static am_arena arena;

static const am_json *json(const char *text) {
  am_json *out = am_arena_zalloc(&arena, 1, sizeof *out);
  assert_int_equal(am_json_parse(text, strlen(text), "test", 0, &arena, out, NULL), ADAM_OK);
  return out;
}

static adam_status read_vector(const char *text, am_remote_vector *v, adam_error *error) {
  return am_remote_vector_read(json(text), 0, "test", v, error);
}

static void test_vectors(void **state) {
  (void)state;
  adam_error error = {0};
  am_remote_vector v = {0};
  assert_int_equal(read_vector("\"AACAPwAAIMDNzMw9\"", &v, &error), ADAM_OK);
  assert_int_equal(v.n, 3);
  assert_true(v.values[0] == 1.0f && v.values[1] == -2.5f && v.values[2] == 0.1f);
  assert_int_equal(read_vector("[0.5, 1, -1e-3]", &v, &error), ADAM_OK);
  assert_true(v.values[0] == 0.5f && v.values[1] == 1.0f && v.values[2] == -1e-3f);
  static const char *const bad[] = {
      "[1, 2]", "[1, 2, null]",         "[1, 2, \"x\"]",       "[]",
      "{}",     "\"AACAPw==\"",         "\"AACAPwAAIMDNzMw\"", "\"AACAPwAAIMDNzM*9\"",
      "\"\"",   "\"AADAfwAAIMDNzMw9\"", "[1, 2, 1e39]"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    error.why[0] = 0;
    assert_int_equal(read_vector(bad[i], &v, &error), ADAM_FAILED);
    assert_true(*error.why);
  }
  assert_int_equal(read_vector("[3, 4, 12]", &v, &error), ADAM_OK);
  size_t n = 0;
  adam_embed_request request = {.dimensions = 2};
  assert_int_equal(am_remote_vector_shape(&v, &request, "test", &n, &error), ADAM_OK);
  assert_true(n == 2 && fabsf(v.values[0] - 0.6f) < 1e-6f && fabsf(v.values[1] - 0.8f) < 1e-6f);
  request.dimensions = 4;
  assert_int_equal(am_remote_vector_shape(&v, &request, "test", &n, &error), ADAM_INVALID);
  am_remote_vector_close(&v);
}

static void add(am_remote_calls *calls, int64_t index, const char *id, const char *name,
                const char *arguments) {
  am_remote_call_part *call = NULL;
  assert_int_equal(am_remote_calls_at(calls, index, id, "test", &call, NULL), ADAM_OK);
  if (!call->name.len) am_buf_append_str(&call->name, name);
  assert_int_equal(am_remote_calls_add(calls, call, arguments, strlen(arguments), "test", NULL), ADAM_OK);
}

static void test_calls(void **state) {
  (void)state;
  am_remote_calls calls = {0};
  add(&calls, 1, "b", "g", "{");
  add(&calls, 0, "a", "f", "{\"x\"");
  add(&calls, 1, NULL, "", "}");
  add(&calls, 0, NULL, "", ":1}");
  assert_int_equal(calls.n, 2);
  assert_string_equal(calls.items[0].arguments.data, "{}");
  assert_string_equal(calls.items[1].arguments.data, "{\"x\":1}");
  am_remote_calls_close(&calls);
  add(&calls, -1, "a", "f", "1"); /* a server that gives no index */
  add(&calls, -1, NULL, "", "2");
  add(&calls, -1, "a", "", "3");
  add(&calls, -1, "b", "g", "4");
  assert_int_equal(calls.n, 2);
  assert_string_equal(calls.items[0].arguments.data, "123");
  am_remote_calls_close(&calls);
  adam_status status = ADAM_OK;
  am_remote_call_part *call = NULL;
  for (int64_t i = 0; i < 1000 && !status; i++)
    status = am_remote_calls_at(&calls, i, NULL, "test", &call, NULL);
  assert_int_equal(status, ADAM_LIMIT);
  am_remote_calls_close(&calls);
  am_buf text = {0};
  assert_true(am_remote_call_json(&text, "a\"", 1, 0, "f", "{\"x\": 1}", 8));
  assert_string_equal(text.data,
                      "{\"id\": \"a\\\"\", \"type\": \"function\", \"function\": {\"name\": \"f\", "
                      "\"arguments\": \"{\\\"x\\\": 1}\"}}");
  am_buf_close(&text);
}

static void test_logprobs(void **state) {
  (void)state;
  am_remote_logprobs got = {0};
  const am_json *list = json(
      "[{\"token\":\"?\",\"logprob\":-1.5,\"bytes\":[195],\"top_logprobs\":[{\"token\":\"x\",\"logprob\":-2,"
      "\"bytes\":null}]}]");
  assert_int_equal(am_remote_logprobs_read(list, "test", &arena, &got, NULL), ADAM_OK);
  assert_true(got.n == 1 && got.ids[0] == -1 && got.tokens[0].token.n_bytes == 1 &&
              got.tokens[0].token.bytes[0] == '\xc3');
  assert_true(got.tokens[0].n_top == 1 && got.tokens[0].top[0].bytes[0] == 'x' &&
              got.tokens[0].top[0].logprob == -2);
  const am_json *columns = json(
      "{\"tokens\":[\"a\",\"b\"],\"token_logprobs\":[null,-1],\"top_logprobs\":[null,{\"c\":-3,\"b\":-1}]}");
  assert_int_equal(am_remote_logprobs_read_columns(columns, "test", &arena, &got, NULL), ADAM_OK);
  assert_true(got.n == 2 && isinf(got.tokens[0].token.logprob) && got.tokens[1].token.logprob == -1);
  assert_true(got.tokens[1].n_top == 2 && got.tokens[1].top[0].bytes[0] == 'b'); /* best first */
  assert_int_equal(am_remote_logprobs_read(json("[{}]"), "test", &arena, &got, NULL), ADAM_FAILED);
}

static const am_remote_vendor vendor = {.name = "openai",
                                        .url = "https://api.example/v1",
                                        .url_hint = "like http://HOST/v1",
                                        .name_hint = "names",
                                        .url_variable = "TEST_BASE_URL",
                                        .key_variable = "TEST_API_KEY",
                                        .key_header = "Authorization: Bearer "};

static void refusal_of(long code, const char *text, am_remote_refusal *refusal, adam_error *error) {
  char url[] = "http://h/v1", key[] = "sk-secret";
  const am_remote_server server = {.vendor = &vendor, .url = url, .key = key};
  am_http_response response = {.status = code};
  am_buf body = {0};
  am_buf_append_str(&body, text);
  assert_true(am_remote_fail(&server, &response, &body, "model", refusal, error) < 0);
  am_buf_close(&body);
}

static void test_refusals(void **state) {
  (void)state;
  static const struct {
    long code;
    const char *text, *parameter; /* NULL = it names none that is unknown */
    adam_status status;
  } cases[] = {
      {400, "{\"error\":{\"message\":\"Unrecognized request argument supplied: top_k\"}}", "top_k",
       ADAM_UNSUPPORTED},
      {400, "{\"error\":{\"message\":\"no\",\"param\":\"max_tokens\",\"code\":\"unsupported_parameter\"}}",
       "max_tokens", ADAM_UNSUPPORTED},
      {422,
       "{\"detail\":[{\"type\":\"extra_forbidden\",\"loc\":[\"body\",\"seed\"],\"msg\":\"Extra inputs are "
       "not permitted\"}]}",
       "seed", ADAM_UNSUPPORTED},
      {400, "{\"type\":\"error\",\"error\":{\"message\":\"temperature: Extra inputs are not permitted\"}}",
       "temperature", ADAM_UNSUPPORTED},
      {400, "{\"error\":{\"message\":\"Invalid 'temperature': above maximum\",\"param\":\"temperature\"}}",
       NULL, ADAM_INVALID},
      {400, "{\"object\":\"error\",\"message\":\"bad\"}", NULL, ADAM_INVALID},
      {404, "{\"error\":{\"message\":\"The model does not exist\"}}", NULL, ADAM_NOT_FOUND},
      {404, "<html>nginx</html>", NULL, ADAM_UNAVAILABLE},
      {429, "{\"error\":\"slow down\"}", NULL, ADAM_LIMIT},
      {529, "{\"error\":{\"message\":\"Overloaded\"}}", NULL, ADAM_UNAVAILABLE},
      {500, "", NULL, ADAM_FAILED},
      {401, "{\"error\":{\"message\":\"the key sk-secret is wrong: sk-secret\"}}", NULL, ADAM_UNAVAILABLE},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    am_remote_refusal refusal = {0};
    adam_error error = {0};
    refusal_of(cases[i].code, cases[i].text, &refusal, &error);
    assert_int_equal(error.status, cases[i].status);
    assert_null(strstr(error.why, "sk-secret"));
    assert_int_equal(am_remote_refuses(&refusal, cases[i].parameter ? cases[i].parameter : "temperature"),
                     cases[i].parameter != NULL);
    assert_false(am_remote_refuses(&refusal, "temp"));
  }
}

static void test_addresses(void **state) {
  (void)state;
  static const struct {
    const char *given, *url; /* NULL = refused */
  } cases[] = {{"http://h:8000/v1/", "http://h:8000/v1"},
               {"https://h", "https://h"},
               {"http://[::1]:80/v1", "http://[::1]:80/v1"},
               {"h:8000", NULL},
               {"ftp://h", NULL},
               {"http://u:p@h/", NULL},
               {"http://h/v1?key=x", NULL},
               {"http://h\r\nX: y", NULL}};
  setenv("TEST_API_KEY", " sk-1 \n", 1);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    am_remote_server server = {0};
    adam_error error = {0};
    const adam_model_options options = {.base_url = cases[i].given};
    adam_status status = am_remote_open(&vendor, &options, &server, &error);
    assert_int_equal(status, cases[i].url ? ADAM_OK : ADAM_INVALID);
    if (cases[i].url) {
      assert_string_equal(server.url, cases[i].url);
      assert_string_equal(server.key_header, "Authorization: Bearer sk-1");
      assert_true(server.is_named && server.timeout_ms == 600000);
    } else {
      assert_null(strstr(error.why, "p@h"));
    }
    am_remote_close(&server);
  }
  unsetenv("TEST_API_KEY");
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_vectors), cmocka_unit_test(test_calls),
                                     cmocka_unit_test(test_logprobs), cmocka_unit_test(test_refusals),
                                     cmocka_unit_test(test_addresses)};
  int failed = cmocka_run_group_tests_name("backend_remote", tests, NULL, NULL);
  am_arena_close(&arena);
  return failed;
}
