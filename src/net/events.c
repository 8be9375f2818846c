/* SPDX-License-Identifier: Apache-2.0 */
#include "net/events.h"

#include <string.h>

static bool keep(am_buf *to, const char *bytes, size_t n_bytes) {
  am_buf_clear(to);
  return am_buf_append(to, bytes, n_bytes);
}

/* An empty line: the event is whole. */
static bool dispatch(am_events *e, am_on_event on_event, void *user) {
  if (e->has_data && !e->stopped) {
    if (!am_buf_reserve(&e->name, 1) || !am_buf_reserve(&e->data, 1)) return false;
    e->name.data[e->name.len] = e->data.data[e->data.len] = 0;
    e->n_events++;
    e->stopped = on_event(user, e->name.data, e->data.data, e->data.len);
  }
  am_buf_clear(&e->name);
  am_buf_clear(&e->data);
  e->has_data = false;
  return true;
}

/* "field: value", one blank behind the colon left out; false: memory is out. */
static bool take_field(am_events *e, const char *line, size_t n) {
  const char *colon = memchr(line, ':', n);
  size_t n_field = colon ? (size_t)(colon - line) : n;
  const char *value = colon ? colon + 1 : line + n;
  if (colon && value < line + n && *value == ' ') value++;
  size_t n_value = (size_t)(line + n - value);
  if (n_field == 5 && !memcmp(line, "event", 5)) return keep(&e->name, value, n_value);
  if (n_field != 4 || memcmp(line, "data", 4) != 0) return true; /* a comment has no field at all */
  bool good = (!e->has_data || am_buf_append_char(&e->data, '\n')) && am_buf_append(&e->data, value, n_value);
  e->has_data = true;
  return good;
}

static adam_status take_line(am_events *e, const char *what, am_on_event on_event, void *user,
                             adam_error *error) {
  const char *line = e->line.data ? e->line.data : "";
  size_t n = e->line.len, limit = e->limit_bytes ? e->limit_bytes : AM_EVENTS_LIMIT_BYTES;
  if (!e->begun && n >= 3 && !memcmp(line, "\xef\xbb\xbf", 3)) line += 3, n -= 3;
  e->begun = true;
  bool good = n ? take_field(e, line, n) : dispatch(e, on_event, user);
  am_buf_clear(&e->line);
  if (!good) return am_fail_memory(error, what);
  if (e->data.len > limit)
    return am_fail(error, ADAM_LIMIT, what, NULL, "an event has more than %zu bytes", limit);
  return ADAM_OK;
}

adam_status am_events_push(am_events *e, const void *bytes, size_t n_bytes, const char *what,
                           am_on_event on_event, void *user, adam_error *error) {
  size_t limit = e->limit_bytes ? e->limit_bytes : AM_EVENTS_LIMIT_BYTES;
  const char *at = bytes, *end = at + n_bytes;
  adam_status status = ADAM_OK;
  while (at < end && !status && !e->stopped) {
    if (e->after_cr) {
      e->after_cr = false;
      if (*at == '\n') {
        at++;
        continue;
      }
    }
    const char *stop = at;
    while (stop < end && *stop != '\n' && *stop != '\r') stop++;
    if (e->line.len + (size_t)(stop - at) > limit)
      return am_fail(error, ADAM_LIMIT, what, NULL, "a line of the event stream has more than %zu bytes",
                     limit);
    if (stop > at && !am_buf_append(&e->line, at, (size_t)(stop - at))) return am_fail_memory(error, what);
    if (stop < end) {
      e->after_cr = *stop++ == '\r';
      status = take_line(e, what, on_event, user, error);
    }
    at = stop;
  }
  return status;
}

adam_status am_events_end(am_events *e, const char *what, am_on_event on_event, void *user,
                          adam_error *error) {
  adam_status status = e->line.len && !e->stopped ? take_line(e, what, on_event, user, error) : ADAM_OK;
  if (!status && !e->stopped && !dispatch(e, on_event, user)) status = am_fail_memory(error, what);
  return status;
}

void am_events_close(am_events *e) {
  am_buf_close(&e->line);
  am_buf_close(&e->name);
  am_buf_close(&e->data);
  *e = (am_events){0};
}
