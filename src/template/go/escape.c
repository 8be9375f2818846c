/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/utf8.h"
#include "template/go/eval.h"
#include "template/jinja/unicode.h"

static bool escape_html(am_buf *out, const char *text, size_t n) {
  for (size_t i = 0; i < n; i++) {
    switch (text[i]) {
      case 0:
        am_buf_append_str(out, "\xEF\xBF\xBD");
        break;
      case '"':
        am_buf_append_str(out, "&#34;");
        break;
      case '\'':
        am_buf_append_str(out, "&#39;");
        break;
      case '&':
        am_buf_append_str(out, "&amp;");
        break;
      case '<':
        am_buf_append_str(out, "&lt;");
        break;
      case '>':
        am_buf_append_str(out, "&gt;");
        break;
      default:
        am_buf_append_char(out, text[i]);
    }
  }
  return !out->failed;
}

static bool escape_js(am_buf *out, const char *text, size_t n) {
  for (size_t i = 0; i < n;) {
    uint32_t c = 0;
    int length = am_utf8_decode(text + i, n - i, &c);
    if (length < 0) length = 1; /* one byte at a time, as U+FFFD, which is printable */
    if (c == '\\' || c == '\'' || c == '"')
      am_buf_printf(out, "\\%c", (char)c);
    else if (c < 0x20 || c == '<' || c == '>' || c == '&' || c == '=' ||
             (c >= 0x80 && !am_unicode_is_printable(c)))
      am_buf_printf(out, "\\u%04X", (unsigned)c);
    else
      am_buf_append(out, text + i, (size_t)length);
    i += (size_t)length;
  }
  return !out->failed;
}

static bool escape_query(am_buf *out, const char *text, size_t n) {
  for (size_t i = 0; i < n; i++) {
    unsigned char c = (unsigned char)text[i];
    bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                 (c && strchr("-_.~", c));
    if (plain)
      am_buf_append_char(out, (char)c);
    else if (c == ' ')
      am_buf_append_char(out, '+');
    else
      am_buf_printf(out, "%%%02X", c);
  }
  return !out->failed;
}

bool am_go_escape(am_buf *out, am_go_function function, const char *text, size_t n_bytes) {
  if (function == AM_GO_F_HTML) return escape_html(out, text, n_bytes);
  return function == AM_GO_F_JS ? escape_js(out, text, n_bytes) : escape_query(out, text, n_bytes);
}
