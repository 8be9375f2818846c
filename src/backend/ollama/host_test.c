/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "backend/ollama/host.h"
#include "base/json.h"
#include "base/mem.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Spellings and meanings: TestHost of Ollama v0.9.6's envconfig/config_test.go, with "every interface" turned
 * into loopback, as its newer clients do. */
static const struct {
  const char *text, *url;
  bool is_local;
} cases[] = {
    {NULL, "http://127.0.0.1:11434", true},
    {"", "http://127.0.0.1:11434", true},
    {"1.2.3.4", "http://1.2.3.4:11434", false},
    {":1234", "http://127.0.0.1:1234", true},
    {"1.2.3.4:1234", "http://1.2.3.4:1234", false},
    {"example.com", "http://example.com:11434", false},
    {"example.com:1234", "http://example.com:1234", false},
    {":0", "http://127.0.0.1:0", true},
    {":66000", "http://127.0.0.1:11434", true},
    {":-1", "http://127.0.0.1:11434", true},
    {"[::1]", "http://[::1]:11434", true},
    {"[::]", "http://[::1]:11434", true},
    {"::1", "http://[::1]:11434", true},
    {"[::1]:1337", "http://[::1]:1337", true},
    {" 1.2.3.4 ", "http://1.2.3.4:11434", false},
    {"\"1.2.3.4\"", "http://1.2.3.4:11434", false},
    {" \" 1.2.3.4 \" ", "http://1.2.3.4:11434", false},
    {"'1.2.3.4'", "http://1.2.3.4:11434", false},
    {"http://1.2.3.4", "http://1.2.3.4:80", false},
    {"http://1.2.3.4:4321", "http://1.2.3.4:4321", false},
    {"https://1.2.3.4", "https://1.2.3.4:443", false},
    {"https://1.2.3.4:4321", "https://1.2.3.4:4321", false},
    {"https://example.com/ollama", "https://example.com:443/ollama", false},
    {"https://example.com/a/b/", "https://example.com:443/a/b", false},
    {"ollama.com", "https://ollama.com:443", false},
    {"0.0.0.0", "http://127.0.0.1:11434", true},
    {"0.0.0.0:8080", "http://127.0.0.1:8080", true},
    {"[2001:0db8::0001]:80", "http://[2001:db8::1]:80", false},
    {"localhost", "http://localhost:11434", true},
    {"localhost:", "http://localhost:11434", true},
    {"http://localhost:5/", "http://localhost:5", true},
    {"HTTPS://x", "https://x:11434", false},
    {"::ffff:1.2.3.4", "http://1.2.3.4:11434", false},
    {"[fe80::1%eth0]:80", "http://[fe80::1%25eth0]:80", false},
    {"h/a b//../%/?q", "http://h:11434/%25/%3Fq", false},
    {"h/..", "http://h:11434", false},
    {"[::1", "http://[::1]:11434", true},
};

static void test_spellings(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    am_ollama_host host = {0};
    adam_error error = {0};
    if (am_ollama_host_parse(cases[i].text, &host, &error)) fail_msg("%s: %s", cases[i].text, error.why);
    assert_string_equal(host.url, cases[i].url);
    assert_int_equal(host.is_local, cases[i].is_local);
    assert_non_null(strstr(host.url, host.authority));
    am_ollama_host_close(&host);
  }
}

static void test_refused(void **state) {
  (void)state;
  static const char *const bad[] = {"ftp://x", "unix:///run/ollama.sock", "a b", "user@host", "a:b:c", "x?y", "a\nb", "[h]", "h:+5", "x%41",
                                    "[fe80::1%]:80", "\xc3\xa9.com", "::1]:5x["};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    am_ollama_host host = {0};
    adam_error error = {0};
    if (am_ollama_host_parse(bad[i], &host, &error) != ADAM_INVALID) fail_msg("%s", bad[i]);
    assert_null(host.url);
    assert_true(*error.why);
  }
}

static void test_fault(void **state) {
  (void)state;
  am_ollama_host host = {0};
  for (uint64_t n = 1; n < 3; n++) {
    am_mem_fault_set(n);
    assert_int_equal(am_ollama_host_parse("h", &host, NULL), ADAM_NO_MEMORY);
    am_mem_fault_set(0);
  }
}

/* For scripts: a JSON string a line in, {"url"} or {"error"} a line out. */
static int answer_lines(void) {
  char *line = NULL;
  size_t capacity = 0;
  while (getline(&line, &capacity, stdin) > 0) {
    am_arena arena = {0};
    am_json text = {0};
    am_ollama_host host = {0};
    adam_error error = {0};
    am_buf out = {0};
    if (am_json_parse(line, strlen(line), "line", 0, &arena, &text, &error) || text.type != AM_JSON_STRING) return 1;
    adam_status status = am_ollama_host_parse(text.as.string, &host, &error);
    const char *words = status ? error.why : host.url;
    am_buf_append_str(&out, status ? "{\"error\":" : "{\"url\":");
    am_json_write_string(&out, words, strlen(words));
    am_buf_append_char(&out, '}');
    puts(out.failed ? "" : out.data);
    am_buf_close(&out);
    am_ollama_host_close(&host);
    am_arena_close(&arena);
  }
  free(line);
  return 0;
}

int main(int argc, char **argv) {
  if (argc > 1 && !strcmp(argv[1], "-")) return answer_lines();
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_spellings), cmocka_unit_test(test_refused),
                                     cmocka_unit_test(test_fault)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
