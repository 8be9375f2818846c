/* SPDX-License-Identifier: Apache-2.0 */
#include "template/go/quote.h"

#include <string.h>

#include "base/utf8.h"
#include "template/jinja/unicode.h"

bool am_go_is_print(uint32_t codepoint) { return am_unicode_is_printable(codepoint); }

static void escaped(am_buf *out, uint32_t c, char quote, bool ascii) {
  static const char plain[] = "\a\b\f\n\r\t\v", letters[] = "abfnrtv";
  const char *known = c && c < 0x80 ? strchr(plain, (int)c) : NULL;
  if (c == (unsigned char)quote || c == '\\')
    am_buf_printf(out, "\\%c", (char)c);
  else if (ascii ? c < 0x7f && c >= 0x20 : am_go_is_print(c))
    am_buf_append_codepoint(out, c);
  else if (known)
    am_buf_printf(out, "\\%c", letters[known - plain]);
  else if (c < 0x20 || c == 0x7f)
    am_buf_printf(out, "\\x%02x", (unsigned)c);
  else
    am_buf_printf(out, c < 0x10000 ? "\\u%04x" : "\\U%08x", (unsigned)c);
}

/* One line of valid text without backquotes, control characters or a byte order mark. */
static bool fits_raw(const char *text, size_t n) {
  for (size_t i = 0; i < n;) {
    uint32_t c = 0;
    int length = am_utf8_decode(text + i, n - i, &c);
    if (length < 0 || c == 0xFEFF || (c < ' ' && c != '\t') || c == '`' || c == 0x7f) return false;
    i += (size_t)length;
  }
  return true;
}

bool am_go_quote(am_buf *out, const char *text, size_t n_bytes, bool ascii, bool raw) {
  if (raw && fits_raw(text, n_bytes)) {
    am_buf_append_char(out, '`');
    am_buf_append(out, text, n_bytes);
    return am_buf_append_char(out, '`');
  }
  am_buf_append_char(out, '"');
  for (size_t i = 0; i < n_bytes;) {
    uint32_t c = 0;
    int length = am_utf8_decode(text + i, n_bytes - i, &c);
    if (length < 0) {
      am_buf_printf(out, "\\x%02x", (unsigned)(unsigned char)text[i++]);
      continue;
    }
    escaped(out, c, '"', ascii);
    i += (size_t)length;
  }
  return am_buf_append_char(out, '"');
}

bool am_go_quote_rune(am_buf *out, uint32_t codepoint, bool ascii) {
  char encoded[4];
  if (am_utf8_encode(codepoint, encoded) == 0) codepoint = AM_UTF8_REPLACEMENT;
  am_buf_append_char(out, '\'');
  escaped(out, codepoint, '\'', ascii);
  return am_buf_append_char(out, '\'');
}
