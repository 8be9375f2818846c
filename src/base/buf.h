/* SPDX-License-Identifier: Apache-2.0 */
/* base/buf: a growable byte string. Zero-initialise; am_buf_close frees. One thread at a time.
 * Invariant: data[len] is 0 whenever data is not NULL. Appending returns false when memory is out,
 * sets `failed` and from then on appends nothing, so a long run of appends needs one check. */
#ifndef AM_BASE_BUF_H
#define AM_BASE_BUF_H

#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct am_buf {
  char *data;
  size_t len;      /* bytes */
  size_t capacity; /* bytes */
  bool failed;
} am_buf;

bool am_buf_append(am_buf *buf, const void *bytes, size_t n_bytes);
bool am_buf_append_str(am_buf *buf, const char *text);
bool am_buf_append_char(am_buf *buf, char c);
bool am_buf_append_codepoint(am_buf *buf, uint32_t codepoint);
bool am_buf_printf(am_buf *buf, const char *format, ...) AM_PRINTF(2, 3);
bool am_buf_reserve(am_buf *buf, size_t extra_bytes);
/* Takes the bytes out (owned by the caller, never NULL unless memory is out); buf is empty after. */
char *am_buf_take(am_buf *buf);
void am_buf_clear(am_buf *buf); /* keeps the memory */
void am_buf_close(am_buf *buf);

#endif
