/* SPDX-License-Identifier: Apache-2.0 */
#include "template/jinja/literal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "template/jinja/number.h"
#include "template/jinja/unicode.h"

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

/* Digits with single underscores between them. */
static size_t digits_length(const char *text, size_t n) {
  if (!n || !is_digit(text[0])) return 0;
  size_t i = 1;
  while (i < n && (is_digit(text[i]) || (text[i] == '_' && i + 1 < n && is_digit(text[i + 1])))) i++;
  return i;
}

static size_t exponent_length(const char *text, size_t n) {
  if (!n || (text[0] != 'e' && text[0] != 'E')) return 0;
  size_t sign = n > 1 && (text[1] == '+' || text[1] == '-');
  size_t digits = digits_length(text + 1 + sign, n - 1 - sign);
  return digits ? 1 + sign + digits : 0;
}

size_t am_jliteral_float_length(const char *text, size_t n) {
  size_t whole = digits_length(text, n);
  if (!whole) return 0;
  size_t fraction = 0;
  if (whole < n && text[whole] == '.') {
    size_t digits = digits_length(text + whole + 1, n - whole - 1);
    if (digits) fraction = 1 + digits;
  }
  size_t exponent = exponent_length(text + whole + fraction, n - whole - fraction);
  return fraction || exponent ? whole + fraction + exponent : 0;
}

static bool in_base(char c, int base) {
  if (base == 16) return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
  return c >= '0' && c < '0' + base;
}

static size_t based_length(const char *text, size_t n, int base) {
  size_t i = 2;
  for (;;) {
    size_t next = i + (i < n && text[i] == '_');
    if (next >= n || !in_base(text[next], base)) break;
    i = next + 1;
  }
  return i > 2 ? i : 0;
}

size_t am_jliteral_integer_length(const char *text, size_t n) {
  if (!n || !is_digit(text[0])) return 0;
  if (text[0] != '0') return digits_length(text, n);
  if (n > 2) {
    char mark = (char)(text[1] | 0x20);
    size_t based = mark == 'b'   ? based_length(text, n, 2)
                   : mark == 'o' ? based_length(text, n, 8)
                   : mark == 'x' ? based_length(text, n, 16)
                                 : 0;
    if (based) return based;
  }
  size_t i = 1;
  while (i < n && (text[i] == '0' || (text[i] == '_' && i + 1 < n && text[i + 1] == '0'))) i++;
  return i;
}

bool am_jliteral_number(am_jinja *jinja, const char *text, size_t n_bytes, bool is_float, am_jvalue *out) {
  char *digits = am_jinja_alloc(jinja, n_bytes + 1, 1);
  if (!digits) return false;
  size_t n = 0;
  for (size_t i = 0; i < n_bytes; i++)
    if (text[i] != '_') digits[n++] = text[i];
  digits[n] = 0;
  if (is_float) {
    *out = am_jreal(strtod(digits, NULL));
    return true;
  }
  int base = n > 2 && digits[0] == '0' && !is_digit(digits[1]) ? (digits[1] | 0x20) == 'x'   ? 16
                                                                 : (digits[1] | 0x20) == 'o' ? 8
                                                                                             : 2
                                                               : 10;
  const char *start = digits + (base == 10 ? 0 : 2);
  if (am_jnumber_parse_int(start, strlen(start), base, out)) return true;
  if (base != 10) return am_jinja_raise(jinja, "integer literal %s is over 64 bits", digits);
  while (*start == '0' && start[1]) start++;
  if (!am_jstring_text(jinja, start, out)) return false;
  out->kind = AM_J_BIG;
  return true;
}

static int hex_value(char c) {
  if (is_digit(c)) return c - '0';
  c = (char)(c | 0x20);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* \xHH, \uHHHH, \UHHHHHHHH at text[0] = 'x', 'u', 'U'; *used counts them. */
static bool hex_escape(am_jinja *jinja, const char *text, size_t n, size_t *used, uint32_t *codepoint) {
  size_t digits = text[0] == 'x' ? 2 : text[0] == 'u' ? 4 : 8;
  uint32_t c = 0;
  for (size_t i = 0; i < digits; i++) {
    int value = i + 1 < n ? hex_value(text[i + 1]) : -1;
    if (value < 0)
      return am_jinja_raise(jinja, "truncated \\%c%.*s escape", text[0], (int)digits, "XXXXXXXX");
    c = c << 4 | (uint32_t)value;
  }
  if (c > 0x10FFFF) return am_jinja_raise(jinja, "illegal Unicode character");
  *codepoint = c;
  *used = digits + 1;
  return true;
}

static bool put_escape(am_jinja *jinja, const char *text, size_t n, size_t *used) {
  static const char from[] = "\\'\"abfnrtv", to[] = "\\'\"\a\b\f\n\r\t\v";
  *used = 1;
  const char *simple = memchr(from, text[0], sizeof from - 1);
  if (simple) return am_jinja_put(jinja, to + (simple - from), 1);
  if (text[0] == '\n') return true;
  if (text[0] >= '0' && text[0] <= '7') {
    uint32_t c = 0;
    size_t i = 0;
    for (; i < 3 && i < n && text[i] >= '0' && text[i] <= '7'; i++) c = c * 8 + (uint32_t)(text[i] - '0');
    *used = i;
    return am_jinja_put_codepoint(jinja, c);
  }
  if (text[0] == 'N') return am_jinja_raise(jinja, "characters by name (\\N{...}) are not supported");
  if (text[0] == 'x' || text[0] == 'u' || text[0] == 'U') {
    uint32_t c = 0, low = 0;
    size_t more = 0;
    if (!hex_escape(jinja, text, n, used, &c)) return false;
    /* a surrogate pair, which Python keeps as two characters that no output can hold */
    if (c >= 0xD800 && c < 0xDC00 && *used + 1 < n && text[*used] == '\\' && text[*used + 1] == 'u' &&
        hex_escape(jinja, text + *used + 1, n - *used - 1, &more, &low) && low >= 0xDC00 && low < 0xE000) {
      c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
      *used += 1 + more;
    }
    return !jinja->status && am_jinja_put_codepoint(jinja, c);
  }
  if ((unsigned char)text[0] < 0x80) return am_jinja_put(jinja, "\\", 1) && am_jinja_put(jinja, text, 1);
  /* Jinja decodes by way of ASCII with backslash escapes: the backslash meets that of the escape. */
  char code[16];
  size_t end = 0;
  uint32_t c = am_unicode_next(text, n, &end);
  snprintf(code, sizeof code, c < 0x100 ? "\\x%02x" : c < 0x10000 ? "\\u%04x" : "\\U%08x", c);
  *used = end;
  return am_jinja_put_text(jinja, code);
}

bool am_jliteral_string(am_jinja *jinja, const char *text, size_t n_bytes, am_jvalue *out) {
  if (!memchr(text, '\\', n_bytes)) return am_jstring_view(jinja, text, n_bytes, out);
  size_t mark = am_jinja_mark(jinja);
  for (size_t i = 0; i < n_bytes;) {
    const char *escape = memchr(text + i, '\\', n_bytes - i);
    size_t plain = escape ? (size_t)(escape - text) - i : n_bytes - i;
    if (!am_jinja_put(jinja, text + i, plain)) return false;
    i += plain;
    if (!escape) break;
    size_t used = 0;
    if (!put_escape(jinja, text + i + 1, n_bytes - i - 1, &used)) return false;
    i += 1 + used;
  }
  return am_jinja_cut(jinja, mark, out);
}
