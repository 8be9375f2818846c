/* SPDX-License-Identifier: Apache-2.0 */
/* Against tests/e2e/fault_server.py, a server of this machine that misbehaves on demand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/json.h"
#include "base/mem.h"
#include "net/http.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/thread.h"
#include "python_server.h"
#include <adam/adam.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int port, other_port;

typedef struct answer {
  am_buf body;
  am_http_response response;
  adam_error error;
  adam_status status;
  am_arena arena;
  am_json json;
} answer;

static void done(answer *a) {
  am_buf_close(&a->body);
  am_http_response_close(&a->response);
  am_arena_close(&a->arena);
}

/* Asks for path; the request is changed by the caller beforehand. */
static answer ask(am_http_request request, const char *path) {
  answer a = {0};
  char url[256];
  snprintf(url, sizeof url, "http://127.0.0.1:%d%s", port, path);
  request.url = url;
  a.status = am_http_fetch(&request, &a.body, &a.response, &a.error);
  if (!a.status && a.body.len > 0 && *a.body.data == '{')
    assert_int_equal(am_json_parse(a.body.data, a.body.len, "echo", 0, &a.arena, &a.json, NULL), ADAM_OK);
  return a;
}

static const char *echoed(const answer *a, const char *path) {
  return am_json_str(am_json_path(&a->json, path), "(none)");
}

static void test_echo(void **state) {
  (void)state;
  const char *const headers[] = {"X-Mine: yes", "Content-Type: application/json"};
  answer a = ask((am_http_request){.method = "POST", .body = "a\0b", .body_bytes = 3, .headers = headers, .n_headers = 2},
                 "/echo?q=1");
  assert_int_equal(a.status, ADAM_OK);
  assert_int_equal(a.response.status, 200);
  assert_int_equal(a.response.body_bytes, a.body.len);
  assert_string_equal(am_http_header(&a.response, "x-odd"), "some value");
  assert_null(am_http_header(&a.response, "x-even"));
  assert_string_equal(echoed(&a, "method"), "POST");
  assert_string_equal(echoed(&a, "path"), "/echo?q=1");
  assert_int_equal(am_json_path(&a.json, "body")->n, 3);
  assert_string_equal(echoed(&a, "headers.x-mine"), "yes");
  assert_string_equal(echoed(&a, "headers.content-type"), "application/json");
  assert_string_equal(echoed(&a, "headers.user-agent"), "adam/" ADAM_VERSION);
  int64_t connection = am_json_int(am_json_path(&a.json, "connection"), 0);
  done(&a);
  for (int i = 0; i < 3; i++) { /* the connection is used again, and nothing of the last request is left */
    a = ask((am_http_request){.method = i == 1 ? "DELETE" : NULL}, "/echo");
    assert_int_equal(am_json_int(am_json_path(&a.json, "connection"), 0), connection);
    assert_string_equal(echoed(&a, "method"), i == 1 ? "DELETE" : "GET");
    assert_string_equal(echoed(&a, "headers.x-mine"), "(none)");
    assert_string_equal(echoed(&a, "headers.content-type"), "(none)");
    assert_string_equal(echoed(&a, "body"), "");
    done(&a);
  }
  a = ask((am_http_request){.method = "POST"}, "/echo");
  assert_string_equal(echoed(&a, "headers.content-length"), "0");
  assert_string_equal(echoed(&a, "headers.content-type"), "(none)");
  done(&a);
  a = ask((am_http_request){.method = "HEAD"}, "/sum");
  assert_int_equal(a.status, ADAM_OK);
  assert_int_equal(a.body.len, 0);
  assert_string_equal(am_http_header(&a.response, "Content-Length"), "3");
  done(&a);
}

static void test_status(void **state) {
  (void)state;
  static const int statuses[] = {400, 404, 429, 503};
  for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
    char path[32];
    snprintf(path, sizeof path, "/status?%d", statuses[i]);
    answer a = ask((am_http_request){0}, path);
    assert_int_equal(a.status, ADAM_OK);
    assert_int_equal(a.response.status, statuses[i]);
    assert_string_equal(a.body.data, "words of the server");
    done(&a);
  }
}

static void test_body_file(void **state) {
  (void)state;
  char path[] = "/tmp/adam-http-XXXXXX", expected[64];
  enum { N = 3 << 20 };
  uint64_t sum = 0;
  int file = mkstemp(path);
  assert_true(file >= 0);
  char *bytes = am_mem_alloc(N);
  for (int i = 0; i < N; i++) bytes[i] = (char)(i % 101), sum += (uint64_t)(i % 101);
  assert_int_equal(write(file, bytes, N), N);
  close(file);
  snprintf(expected, sizeof expected, "%d %llu", N, (unsigned long long)sum);
  answer a = ask((am_http_request){.method = "PUT", .body_file = path}, "/sum");
  assert_int_equal(a.status, ADAM_OK);
  assert_string_equal(a.body.data, expected);
  done(&a);
  a = ask((am_http_request){.method = "POST", .body = bytes, .body_bytes = N}, "/sum");
  assert_string_equal(a.body.data, expected);
  done(&a);
  unlink(path);
  a = ask((am_http_request){.method = "PUT", .body_file = path}, "/sum");
  assert_int_equal(a.status, ADAM_NOT_FOUND);
  assert_string_equal(a.error.what, path);
  done(&a);
  am_mem_free(bytes);
}

static const char *const secrets[] = {"Authorization: Bearer hf_secret", "cookie: c=1", "X-Mine: yes",
                                      "x-api-key: sk-secret"};

static answer follow(const char *method, const char *path) {
  return ask((am_http_request){.method = method,
                               .headers = secrets,
                               .n_headers = 4,
                               .follow_redirects = true,
                               .body = method ? "payload" : NULL,
                               .body_bytes = method ? 7 : 0},
             path);
}

static void test_redirects(void **state) {
  (void)state;
  char url[128];
  answer a = follow(NULL, "/same");
  assert_int_equal(a.status, ADAM_OK);
  assert_string_equal(echoed(&a, "path"), "/echo?q=1");
  assert_string_equal(echoed(&a, "headers.authorization"), "Bearer hf_secret");
  assert_string_equal(echoed(&a, "headers.x-api-key"), "sk-secret");
  snprintf(url, sizeof url, "http://127.0.0.1:%d/echo?q=1", port);
  assert_string_equal(a.response.final_url, url);
  assert_int_equal(a.response.n_redirects, 1);
  done(&a);
  static const char *const away[] = {"/other", "/there-and-back"};
  for (size_t i = 0; i < 2; i++) {
    a = follow(NULL, away[i]);
    assert_int_equal(a.status, ADAM_OK);
    assert_string_equal(echoed(&a, "headers.authorization"), "(none)");
    assert_string_equal(echoed(&a, "headers.cookie"), "(none)");
    assert_string_equal(echoed(&a, "headers.x-api-key"), "(none)");
    assert_string_equal(echoed(&a, "headers.x-mine"), "yes");
    done(&a);
  }
  a = follow("POST", "/same");
  assert_string_equal(echoed(&a, "method"), "GET");
  assert_string_equal(echoed(&a, "body"), "");
  done(&a);
  a = follow("POST", "/keep");
  assert_string_equal(echoed(&a, "method"), "POST");
  assert_string_equal(echoed(&a, "body"), "payload");
  done(&a);
  a = ask((am_http_request){0}, "/other");
  assert_int_equal(a.response.status, 302);
  snprintf(url, sizeof url, "http://localhost:%d/echo", other_port);
  assert_string_equal(a.response.location, url);
  done(&a);
  static const struct {
    const char *path, *word;
  } bad[] = {{"/circle", "more than 10"}, {"/nowhere", "no URL of HTTP"}};
  for (size_t i = 0; i < 2; i++) {
    a = follow(NULL, bad[i].path);
    assert_int_equal(a.status, ADAM_FAILED);
    assert_non_null(strstr(a.error.why, bad[i].word));
    done(&a);
  }
}

static void test_faults(void **state) {
  (void)state;
  const struct {
    const char *path;
    adam_status status;
    const char *word;
  } cases[] = {
      {"/cut", ADAM_FAILED, "cut after 4 bytes"},      {"/cut-chunk", ADAM_FAILED, "cut after 4 bytes"},
      {"/nothing", ADAM_FAILED, "cut after 0 bytes"},  {"/garbage", ADAM_FAILED, "not HTTP"},
      {"/silent", ADAM_FAILED, "nothing came"},        {"/drip", ADAM_FAILED, "took too long"},
      {"/flood", ADAM_LIMIT, "more headers"},          {"/interim", ADAM_LIMIT, "more headers"},
      {"/long-header", ADAM_LIMIT, "header"},          {"/trailers", ADAM_LIMIT, "more headers"},
      {"/endless", ADAM_LIMIT, "larger than"},         {"/endless-redirect", ADAM_LIMIT, "redirect"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    double begin_ms = am_clock_ms();
    answer a = ask((am_http_request){.idle_timeout_ms = 300,
                                     .total_timeout_ms = 700,
                                     .body_limit = 1 << 20,
                                     .follow_redirects = true},
                   cases[i].path);
    if (a.status != cases[i].status || !strstr(a.error.why, cases[i].word))
      fail_msg("%s: %d %s", cases[i].path, (int)a.status, a.error.why);
    assert_non_null(strstr(a.error.what, cases[i].path));
    assert_true(am_clock_ms() - begin_ms < 5000);
    assert_true(a.body.len <= 1 << 20);
    done(&a);
  }
  answer a = ask((am_http_request){0}, "/echo"); /* and the next request is as if nothing had been */
  assert_int_equal(a.status, ADAM_OK);
  done(&a);
}

static void test_unreachable(void **state) {
  (void)state;
  am_http_response response = {0};
  adam_error error = {0};
  am_http_request request = {.url = "http://user:pass@127.0.0.1:1/x?token=hf_secret"};
  assert_int_equal(am_http_send(&request, NULL, NULL, NULL, &response, &error), ADAM_UNAVAILABLE);
  assert_string_equal(error.what, "http://127.0.0.1:1/x");
  assert_null(strstr(error.why, "hf_secret"));
  am_http_response_close(&response);
  request.url = "http://no-such-host.invalid/";
  assert_int_equal(am_http_send(&request, NULL, NULL, NULL, &response, &error), ADAM_UNAVAILABLE);
  am_http_response_close(&response);
}

static void test_invalid(void **state) {
  (void)state;
  static const char *const urls[] = {"", "nowhere", "ftp://127.0.0.1/", "file:///etc/passwd", "http://", "http://a b/"};
  am_http_response response = {0};
  for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
    am_http_request request = {.url = urls[i]};
    assert_int_equal(am_http_send(&request, NULL, NULL, NULL, &response, NULL), ADAM_INVALID);
  }
  static const char *const headers[] = {"X: a\r\nEvil: b", "no colon", ": x"};
  for (size_t i = 0; i < 3; i++) {
    adam_error error = {0};
    am_http_request request = {.url = "http://127.0.0.1:1/", .headers = &headers[i], .n_headers = 1};
    assert_int_equal(am_http_send(&request, NULL, NULL, NULL, &response, &error), ADAM_INVALID);
    assert_null(strstr(error.why, "Evil"));
  }
  am_http_response_close(&response);
}

static bool stop_body(void *user, const void *bytes, size_t n_bytes) {
  (void)bytes, (void)n_bytes;
  return ++*(int *)user == 2;
}
static bool stop_idle(void *user) { return ++*(int *)user == 2; }

static void test_cancel(void **state) {
  (void)state;
  char url[128];
  snprintf(url, sizeof url, "http://127.0.0.1:%d/drip", port);
  for (int how = 0; how < 2; how++) {
    am_http_response response = {0};
    adam_error error = {0};
    int n = 0;
    double begin_ms = am_clock_ms();
    adam_status status = am_http_send(&(am_http_request){.url = url}, how ? NULL : stop_body,
                                      how ? stop_idle : NULL, &n, &response, &error);
    assert_int_equal(status, ADAM_CANCELLED);
    assert_int_equal(n, 2);
    assert_true(am_clock_ms() - begin_ms < 2000);
    am_http_response_close(&response);
  }
  bool seen = false; /* the server sees that nobody listens any more */
  for (int i = 0; i < 40 && !seen; i++) {
    answer a = ask((am_http_request){0}, "/gone");
    seen = atoi(a.body.data) >= 2;
    done(&a);
    if (!seen) am_clock_sleep_ms(50);
  }
  assert_true(seen);
}

static void test_proxy(void **state) {
  (void)state;
  char proxy[64];
  snprintf(proxy, sizeof proxy, "http://127.0.0.1:%d", other_port);
  static const char *const names[] = {"HTTP_PROXY", "http_proxy", "ALL_PROXY"};
  for (size_t i = 0; i < 3; i++) {
    setenv(names[i], proxy, 1);
    am_buf body = {0};
    am_http_response response = {0};
    am_http_request request = {.url = "http://adam.invalid/x"};
    assert_int_equal(am_http_fetch(&request, &body, &response, NULL), ADAM_OK);
    assert_string_equal(body.data, "proxy http://adam.invalid/x");
    setenv("NO_PROXY", "other.invalid,.invalid", 1);
    assert_int_equal(am_http_fetch(&request, &body, &response, NULL), ADAM_UNAVAILABLE);
    unsetenv("NO_PROXY");
    am_buf_close(&body);
    am_http_response_close(&response);
    answer a = ask((am_http_request){0}, "/echo"); /* loopback needs none */
    assert_string_equal(echoed(&a, "path"), "/echo");
    done(&a);
    unsetenv(names[i]);
  }
}

static void *ask_many(void *argument) {
  for (int i = 0; i < 20; i++) {
    answer a = ask((am_http_request){0}, "/echo");
    if (a.status) return argument;
    done(&a);
  }
  return NULL;
}

static void test_threads(void **state) {
  (void)state;
  am_thread threads[4];
  for (int i = 0; i < 4; i++) assert_true(am_thread_start(&threads[i], ask_many, threads));
  for (int i = 0; i < 4; i++) am_thread_join(&threads[i]);
}

static void test_fault(void **state) {
  (void)state;
  bool fired = true;
  for (uint64_t n = 1; fired; n++) {
    am_http_response response = {0};
    am_buf body = {0};
    char url[128];
    snprintf(url, sizeof url, "http://127.0.0.1:%d/same", port);
    am_http_request request = {.url = url, .follow_redirects = true};
    am_mem_fault_set(n);
    adam_status status = am_http_fetch(&request, &body, &response, NULL);
    fired = am_mem_fault_fired();
    am_mem_fault_set(0);
    assert_int_equal(status, fired ? ADAM_NO_MEMORY : ADAM_OK);
    am_http_response_close(&response);
    am_buf_close(&body);
  }
}

int main(void) {
  static const char *const variables[] = {"http_proxy",  "HTTP_PROXY", "https_proxy", "HTTPS_PROXY",
                                          "all_proxy",   "ALL_PROXY",  "no_proxy",    "NO_PROXY",
                                          "SSL_CERT_FILE", "SSL_CERT_DIR"};
  for (size_t i = 0; i < sizeof variables / sizeof *variables; i++) unsetenv(variables[i]);
  python_server server = {0};
  if (!python_server_start(ADAM_SOURCE_DIR "/tests/e2e/fault_server.py", &server)) {
    printf("SKIP: python3 cannot run tests/e2e/fault_server.py\n");
    return 77;
  }
  port = server.ports[0];
  other_port = server.ports[1];
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_echo),        cmocka_unit_test(test_status),  cmocka_unit_test(test_body_file),
      cmocka_unit_test(test_redirects),   cmocka_unit_test(test_faults),  cmocka_unit_test(test_unreachable),
      cmocka_unit_test(test_invalid),     cmocka_unit_test(test_cancel),  cmocka_unit_test(test_proxy),
      cmocka_unit_test(test_threads),     cmocka_unit_test(test_fault),
  };
  int failed = cmocka_run_group_tests(tests, NULL, NULL);
  python_server_stop(&server);
  return failed;
}
