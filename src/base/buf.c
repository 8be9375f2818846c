/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/size.h"
#include "base/utf8.h"

bool am_buf_reserve(am_buf *buf, size_t extra_bytes) {
  if (buf->failed) return false;
  size_t need;
  if (!am_size_add(buf->len, extra_bytes, &need) || !am_size_add(need, 1, &need)) {
    buf->failed = true;
    return false;
  }
  if (need <= buf->capacity) return true;
  size_t capacity = buf->capacity + buf->capacity / 2;
  if (capacity < need) capacity = need;
  if (capacity < 64) capacity = 64;
  char *data = am_mem_resize(buf->data, capacity, 1);
  if (!data) {
    buf->failed = true;
    return false;
  }
  buf->data = data;
  buf->capacity = capacity;
  buf->data[buf->len] = 0;
  return true;
}

bool am_buf_append(am_buf *buf, const void *bytes, size_t n_bytes) {
  if (!am_buf_reserve(buf, n_bytes)) return false;
  if (n_bytes > 0) memcpy(buf->data + buf->len, bytes, n_bytes);
  buf->len += n_bytes;
  buf->data[buf->len] = 0;
  return true;
}

bool am_buf_append_str(am_buf *buf, const char *text) { return am_buf_append(buf, text, strlen(text)); }

bool am_buf_append_char(am_buf *buf, char c) { return am_buf_append(buf, &c, 1); }

bool am_buf_append_codepoint(am_buf *buf, uint32_t codepoint) {
  char bytes[4];
  int n = am_utf8_encode(codepoint, bytes);
  if (n == 0) n = am_utf8_encode(AM_UTF8_REPLACEMENT, bytes);
  return am_buf_append(buf, bytes, (size_t)n);
}

bool am_buf_printf(am_buf *buf, const char *format, ...) {
  if (buf->failed) return false;
  char small[256];
  va_list arguments;
  va_start(arguments, format);
  int n = vsnprintf(small, sizeof small, format, arguments);
  va_end(arguments);
  if (n < 0) {
    buf->failed = true;
    return false;
  }
  if ((size_t)n < sizeof small) return am_buf_append(buf, small, (size_t)n);
  if (!am_buf_reserve(buf, (size_t)n)) return false;
  va_start(arguments, format);
  (void)vsnprintf(buf->data + buf->len, (size_t)n + 1, format, arguments);
  va_end(arguments);
  buf->len += (size_t)n;
  return true;
}

char *am_buf_take(am_buf *buf) {
  char *data = NULL;
  if (am_buf_reserve(buf, 0)) {
    data = buf->data;
    buf->data = NULL;
  }
  am_buf_close(buf);
  return data;
}

void am_buf_clear(am_buf *buf) {
  buf->len = 0;
  buf->failed = false;
  if (buf->data) buf->data[0] = 0;
}

void am_buf_close(am_buf *buf) {
  if (!buf) return;
  am_mem_free(buf->data);
  *buf = (am_buf){0};
}
