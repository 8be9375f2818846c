/* SPDX-License-Identifier: Apache-2.0 */
/* net/events: server-sent events (the HTML standard, "Interpreting an event stream") out of a stream of
 * bytes. In: pieces of any size. Out: each event once, with its name and data; both NUL-terminated, borrowed
 * until the callback returns; data may hold NULs. Lines end in \n, \r\n or \r; a byte order mark in front,
 * comments, "id" and "retry" are passed over. Memory: one line and one event of at most limit_bytes each. One
 * thread at a time. Other than in the standard, an event that the end of the stream cuts short of its empty
 * line is handed over: some servers leave that line out behind their last event, and what is damaged shows in
 * its data. */
#ifndef AM_NET_EVENTS_H
#define AM_NET_EVENTS_H

#include "base/buf.h"
#include <adam/status.h>

enum { AM_EVENTS_LIMIT_BYTES = 8 << 20 };

/* name: "" where the event has none. true = stop. */
typedef bool (*am_on_event)(void *user, const char *name, const char *data, size_t n_bytes);

/* Zero-initialise; am_events_close. */
typedef struct am_events {
  size_t limit_bytes; /* 0 = AM_EVENTS_LIMIT_BYTES */
  uint64_t n_events;  /* handed over */
  bool stopped;       /* the callback said so; what comes later is dropped */
  bool begun, after_cr, has_data;
  am_buf line;       /* that has not ended */
  am_buf name, data; /* of the event that has not ended */
} am_events;

/* ADAM_LIMIT: a line or an event is longer than the limit; `what` names the stream in errors. */
adam_status am_events_push(am_events *events, const void *bytes, size_t n_bytes, const char *what,
                           am_on_event on_event, void *user, adam_error *error);
/* The end of the stream. */
adam_status am_events_end(am_events *events, const char *what, am_on_event on_event, void *user,
                          adam_error *error);
void am_events_close(am_events *events);

#endif
