/* SPDX-License-Identifier: Apache-2.0 */
/* net/lines: a stream of bytes cut into lines, for NDJSON and server-sent events.
 * In: pieces of any size. Out: each line once, without its \n or \r\n, empty ones too; NUL-terminated, borrowed
 * until the callback returns; it may hold NULs. Memory: one line of at most limit_bytes. One thread at a time. */
#ifndef AM_NET_LINES_H
#define AM_NET_LINES_H

#include "base/buf.h"
#include <adam/status.h>

enum { AM_LINES_LIMIT_BYTES = 8 << 20 }; /* what Ollama's own client reads */

typedef bool (*am_on_line)(void *user, char *line, size_t n_bytes); /* true = stop */

/* Zero-initialise; am_lines_close. */
typedef struct am_lines {
  size_t limit_bytes; /* 0 = AM_LINES_LIMIT_BYTES */
  uint64_t n_lines;   /* handed over */
  bool stopped;       /* the callback said so; what comes later is dropped */
  am_buf pending;     /* the line that has not ended */
} am_lines;

/* ADAM_LIMIT: a line is longer than the limit; `what` names the stream in errors. */
adam_status am_lines_push(am_lines *lines, const void *bytes, size_t n_bytes, const char *what,
                          am_on_line on_line, void *user, adam_error *error);
/* The end of the stream: hands over a last line that has no line end, if there is one. */
void am_lines_end(am_lines *lines, am_on_line on_line, void *user);
void am_lines_close(am_lines *lines);

#endif
