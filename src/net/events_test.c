/* SPDX-License-Identifier: Apache-2.0 */
/* Expected events: by hand from the HTML standard, section 9.2.6. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"
#include "net/events.h"
#include <string.h>

typedef struct seen {
  am_buf text; /* every event as <name|data> */
  uint64_t stop_at;
} seen;

static bool on_event(void *user, const char *name, const char *data, size_t n_bytes) {
  seen *s = user;
  assert_int_equal(data[n_bytes], 0);
  am_buf_printf(&s->text, "<%s|", name);
  am_buf_append(&s->text, data, n_bytes);
  am_buf_append_char(&s->text, '>');
  return s->stop_at && --s->stop_at == 0;
}

static void check(const char *stream, size_t n_stream, size_t piece, uint64_t stop_at, const char *expected,
                  size_t n_expected) {
  am_events events = {0};
  seen s = {.stop_at = stop_at};
  for (size_t at = 0; at < n_stream; at += piece) {
    size_t n = piece < n_stream - at ? piece : n_stream - at;
    assert_int_equal(am_events_push(&events, stream + at, n, "test", on_event, &s, NULL), ADAM_OK);
  }
  assert_int_equal(am_events_end(&events, "test", on_event, &s, NULL), ADAM_OK);
  assert_int_equal(s.text.len, n_expected);
  if (n_expected) assert_memory_equal(s.text.data, expected, n_expected);
  am_buf_close(&s.text);
  am_events_close(&events);
}

static void test_events(void **state) {
  (void)state;
#define CHECK(stream, stop_at, expected) \
  check(stream, sizeof stream - 1, piece, stop_at, expected, sizeof expected - 1)
  for (size_t piece = 1; piece < 40; piece++) {
    CHECK("data: a\n\ndata:b\n\n", 0, "<|a><|b>");
    CHECK("data: a\r\n\r\ndata: b\r\rdata: c\n\r\n", 0, "<|a><|b><|c>");
    CHECK("event: add\ndata: 1\ndata:2\ndata\n\n", 0, "<add|1\n2\n>");
    CHECK("event: add\n\ndata: x\n\n", 0, "<|x>"); /* no data, no event; the name is forgotten */
    CHECK(": ping\n\nid: 7\nretry: 3\n\n\n\n", 0, "");
    CHECK("data\n\ndata:  two\n\n", 0, "<|><| two>");
    CHECK(
        "\xef\xbb\xbf"
        "data: bom\n\n",
        0, "<|bom>");
    CHECK("data: x\0y\n\n", 0, "<|x\0y>");
    CHECK("Data: no\nxdata: no\ndata x: no\n\ndata: last", 0, "<|last>");
    CHECK("data: 1\n\ndata: 2\n\ndata: 3\n\n", 2, "<|1><|2>");
  }
#undef CHECK
}

static void test_limits(void **state) {
  (void)state;
  adam_error error = {0};
  seen s = {0};
  am_events events = {.limit_bytes = 20};
  assert_int_equal(
      am_events_push(&events, "data: 0123456789012345678901234", 31, "long", on_event, &s, &error),
      ADAM_LIMIT);
  assert_string_equal(error.what, "long");
  am_events_close(&events);
  events.limit_bytes = 20;
  adam_status status = ADAM_OK;
  for (int i = 0; i < 4 && !status; i++)
    status = am_events_push(&events, "data: 0123456\n", 14, "much", on_event, &s, &error);
  assert_int_equal(status, ADAM_LIMIT);
  am_events_close(&events);
  assert_int_equal(s.text.len, 0);
}

static void test_no_memory(void **state) {
  (void)state;
  static const char stream[] = "event: a\ndata: one\ndata: two\n\n";
  for (uint64_t n = 1;; n++) {
    am_events events = {0};
    seen s = {0};
    assert_true(am_buf_reserve(&s.text, 100));
    am_mem_fault_set(n);
    adam_status status = am_events_push(&events, stream, sizeof stream - 1, "test", on_event, &s, NULL);
    bool fired = am_mem_fault_fired();
    am_mem_fault_set(0);
    assert_int_equal(status, fired ? ADAM_NO_MEMORY : ADAM_OK);
    am_events_close(&events);
    am_buf_close(&s.text);
    if (!fired) break;
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_events), cmocka_unit_test(test_limits),
                                     cmocka_unit_test(test_no_memory)};
  return cmocka_run_group_tests_name("net_events", tests, NULL, NULL);
}
