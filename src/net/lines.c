/* SPDX-License-Identifier: Apache-2.0 */
#include "net/lines.h"

#include <string.h>

static void hand_over(am_lines *lines, am_on_line on_line, void *user) {
  am_buf *line = &lines->pending;
  if (line->len > 0 && line->data[line->len - 1] == '\r') line->data[--line->len] = 0;
  lines->n_lines++;
  lines->stopped = on_line(user, line->data, line->len);
  am_buf_clear(line);
}

/* The buffer has data from here on, also for an empty line. */
static adam_status append(am_lines *lines, const char *bytes, size_t n, const char *what, adam_error *error) {
  size_t limit = lines->limit_bytes ? lines->limit_bytes : AM_LINES_LIMIT_BYTES;
  if (n > limit - lines->pending.len)
    return am_fail(error, ADAM_LIMIT, what, NULL, "line %llu of the answer is longer than %zu bytes",
                   (unsigned long long)lines->n_lines + 1, limit);
  bool good = am_buf_reserve(&lines->pending, 1) && am_buf_append(&lines->pending, bytes, n);
  return good ? ADAM_OK : am_fail_memory(error, what);
}

adam_status am_lines_push(am_lines *lines, const void *bytes, size_t n_bytes, const char *what,
                          am_on_line on_line, void *user, adam_error *error) {
  const char *at = bytes;
  while (n_bytes > 0 && !lines->stopped) {
    const char *end = memchr(at, '\n', n_bytes);
    size_t n = end ? (size_t)(end - at) : n_bytes;
    adam_status status = append(lines, at, n, what, error);
    if (status) return status;
    if (!end) break;
    hand_over(lines, on_line, user);
    at += n + 1;
    n_bytes -= n + 1;
  }
  return ADAM_OK;
}

void am_lines_end(am_lines *lines, am_on_line on_line, void *user) {
  if (!lines->stopped && lines->pending.len > 0) hand_over(lines, on_line, user);
}

void am_lines_close(am_lines *lines) {
  am_buf_close(&lines->pending);
  *lines = (am_lines){0};
}
