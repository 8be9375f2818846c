/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "net/events.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool on_event(void *user, const char *name, const char *data, size_t n_bytes) {
  am_buf *all = user;
  if (data[n_bytes] || strpbrk(name, "\r\n") || memchr(data, '\r', n_bytes)) abort();
  if (!am_buf_append_str(all, name) || !am_buf_append_char(all, 0) || !am_buf_append(all, data, n_bytes) ||
      !am_buf_append_char(all, 0))
    abort();
  return false;
}

static void split(const uint8_t *data, size_t size, size_t piece, am_buf *all) {
  am_events events = {.limit_bytes = 4096};
  adam_status status = ADAM_OK;
  for (size_t at = 0; at < size && !status; at += piece)
    status = am_events_push(&events, data + at, piece < size - at ? piece : size - at, "fuzz", on_event, all,
                            NULL);
  if (!status) am_events_end(&events, "fuzz", on_event, all, NULL);
  if (events.line.len > 4096) abort();
  am_events_close(&events);
}

/* The events are the same however the stream is cut. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0) return 0;
  am_buf whole = {0}, pieces = {0};
  split(data + 1, size - 1, size, &whole);
  split(data + 1, size - 1, data[0] % 7 + 1u, &pieces);
  if (whole.len != pieces.len || (whole.len > 0 && memcmp(whole.data, pieces.data, whole.len) != 0)) abort();
  am_buf_close(&whole);
  am_buf_close(&pieces);
  return 0;
}
