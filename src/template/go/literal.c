/* SPDX-License-Identifier: Apache-2.0 */
#include "template/go/literal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

static int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/* n digits of base `base` at text[*at]; false where there are fewer. */
static bool digits(am_go_name text, size_t *at, int n, int base, uint32_t *out) {
  uint32_t value = 0;
  for (int i = 0; i < n; i++, ++*at) {
    int digit = *at < text.n_bytes ? hex_digit(text.text[*at]) : -1;
    if (digit < 0 || digit >= base) return false;
    value = value * (uint32_t)base + (uint32_t)digit;
  }
  *out = value;
  return true;
}

/* What a backslash (at *at) and what follows stand for; *is_byte: a byte, not a character. */
static bool escape(am_go_name text, size_t *at, char quote, uint32_t *out, bool *is_byte) {
  static const char letters[] = "abfnrtv\\", values[] = "\a\b\f\n\r\t\v\\";
  *is_byte = false;
  if (++*at >= text.n_bytes) return false;
  char c = text.text[(*at)++];
  const char *letter = c ? strchr(letters, c) : NULL;
  if (letter) {
    *out = (unsigned char)values[letter - letters];
    return true;
  }
  if (c == quote) {
    *out = (unsigned char)c;
    return true;
  }
  if (c == 'x') {
    *is_byte = true;
    return digits(text, at, 2, 16, out);
  }
  if (c >= '0' && c <= '7') {
    --*at;
    *is_byte = true;
    return digits(text, at, 3, 8, out) && *out <= 255;
  }
  if (c != 'u' && c != 'U') return false;
  char encoded[4];
  return digits(text, at, c == 'u' ? 4 : 8, 16, out) && am_utf8_encode(*out, encoded) > 0;
}

am_go_literal am_go_unquote(am_go_name text, am_arena *arena, am_go_value *out) {
  if (text.n_bytes < 2) return AM_GO_LITERAL_BAD;
  char quote = text.text[0];
  size_t end = text.n_bytes - 1, at = 1, n = 0;
  char *bytes = am_arena_alloc(arena, text.n_bytes + 1);
  if (!bytes) return AM_GO_LITERAL_NO_MEMORY;
  while (at < end) {
    uint32_t c = 0;
    bool is_byte = true;
    if (quote == '`' && text.text[at] == '\r') {
      at++;
      continue;
    }
    if (quote == '`' || text.text[at] != '\\') {
      bytes[n++] = text.text[at++];
      continue;
    }
    if (!escape((am_go_name){text.text, end}, &at, quote, &c, &is_byte)) return AM_GO_LITERAL_BAD;
    if (is_byte)
      bytes[n++] = (char)(unsigned char)c;
    else
      n += (size_t)am_utf8_encode(c, bytes + n); /* never longer than its escape */
  }
  *out = am_go_string(bytes, n);
  return AM_GO_LITERAL_OK;
}

am_go_literal am_go_character(am_go_name text, am_go_value *out) {
  size_t at = 1;
  uint32_t c = 0;
  bool is_byte;
  if (text.n_bytes < 3 || text.text[1] == '\'') return AM_GO_LITERAL_BAD;
  if (text.text[1] == '\\') {
    if (!escape(text, &at, '\'', &c, &is_byte)) return AM_GO_LITERAL_BAD;
  } else {
    int length = am_utf8_decode(text.text + 1, text.n_bytes - 1, &c);
    if (length < 0) return AM_GO_LITERAL_BAD;
    at += (size_t)length;
  }
  if (at != text.n_bytes - 1) return AM_GO_LITERAL_BAD;
  *out = am_go_int((int64_t)c);
  return AM_GO_LITERAL_OK;
}

/* Underscores as Go allows them in a literal: between digits, or behind the base's prefix. */
static bool underscores_fit(const char *text) {
  size_t i = text[0] == '+' || text[0] == '-';
  bool based = text[i] == '0' && text[i + 1] && strchr("xXoObB", text[i + 1]);
  bool hexadecimal = based && (text[i + 1] == 'x' || text[i + 1] == 'X');
  char before = based ? '0' : '^'; /* '0': a digit, '_', or anything else */
  for (i += based ? 2 : 0; text[i]; i++) {
    bool digit = (text[i] >= '0' && text[i] <= '9') || (hexadecimal && hex_digit(text[i]) >= 0);
    if (text[i] == '_' ? before != '0' : !digit && before == '_') return false;
    before = digit ? '0' : text[i] == '_' ? '_' : '!';
  }
  return before != '_';
}

/* Without underscores and sign; base 0 as in Go. -1 = no integer, 1 = over 64 bits. */
static int parse_unsigned(const char *text, uint64_t *out) {
  int base = 10;
  if (text[0] == '0' && text[1]) {
    base = strchr("xX", text[1]) ? 16 : strchr("bB", text[1]) ? 2 : 8;
    text += strchr("xXbBoO", text[1]) ? 2 : 1;
  }
  uint64_t value = 0;
  if (!*text) return -1;
  int over = 0;
  for (; *text; text++) {
    int digit = hex_digit(*text);
    if (digit < 0 || digit >= base) return -1;
    if (value > (UINT64_MAX - (uint64_t)digit) / (uint64_t)base) over = 1;
    value = value * (uint64_t)base + (uint64_t)digit;
  }
  *out = value;
  return over;
}

enum { NUMBER_BYTES = 512 };

am_go_literal am_go_number(am_go_name text, am_go_value *out) {
  char spelled[NUMBER_BYTES], plain[NUMBER_BYTES];
  size_t n = 0;
  if (text.n_bytes == 0 || text.n_bytes >= NUMBER_BYTES) return AM_GO_LITERAL_BAD;
  memcpy(spelled, text.text, text.n_bytes);
  spelled[text.n_bytes] = 0;
  for (size_t i = 0; i < text.n_bytes; i++)
    if (spelled[i] != '_') plain[n++] = spelled[i];
  plain[n] = 0;
  bool sign = plain[0] == '-' || plain[0] == '+', negative = plain[0] == '-';
  const char *body = plain + sign;
  bool prefixed = body[0] == '0' && body[1];
  if (n != text.n_bytes && !underscores_fit(spelled)) return AM_GO_LITERAL_BAD;
  bool hexadecimal = prefixed && (body[1] == 'x' || body[1] == 'X');
  uint64_t value = 0;
  int parsed = parse_unsigned(body, &value);
  if (parsed == 0 && (negative ? value <= (uint64_t)1 << 63 : value <= INT64_MAX)) {
    *out = am_go_int(negative ? (int64_t)(0 - value) : (int64_t)value);
    return AM_GO_LITERAL_OK;
  }
  if (parsed == 0 && !sign) { /* uint64 only */
    *out = am_go_invalid();
    return AM_GO_LITERAL_OK;
  }
  if (!strpbrk(plain, hexadecimal ? ".pP" : ".eE")) return AM_GO_LITERAL_BAD;
  if (hexadecimal ? !strpbrk(plain, "pP") : prefixed && strchr("oObB", body[1]) != NULL)
    return AM_GO_LITERAL_BAD;
  char *end = NULL;
  errno = 0;
  double real = strtod(plain, &end);
  if (*end || end == plain || (errno == ERANGE && (real > 1 || real < -1))) return AM_GO_LITERAL_BAD;
  *out = am_go_real(real);
  return AM_GO_LITERAL_OK;
}
