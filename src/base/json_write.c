/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

bool am_json_write_string(am_buf *buf, const char *text, size_t n_bytes) {
  am_buf_append_char(buf, '"');
  size_t plain = 0; /* where the run begins that needs no change */
  for (size_t i = 0; i < n_bytes;) {
    unsigned char c = (unsigned char)text[i];
    uint32_t codepoint = c;
    int n = c < 0x80 ? 1 : am_utf8_decode(text + i, n_bytes - i, &codepoint);
    if (n > 0 && c >= 0x20 && c != '"' && c != '\\') {
      i += (size_t)n;
      continue;
    }
    am_buf_append(buf, text + plain, i - plain);
    if (n < 0) {
      am_buf_append_codepoint(buf, AM_UTF8_REPLACEMENT);
      n = -n;
    } else if (c == '"' || c == '\\') {
      const char escape[2] = {'\\', (char)c};
      am_buf_append(buf, escape, 2);
    } else {
      static const char letters[] = "btn?fr"; /* 8, 9, 10, 12, 13 */
      if (c >= 8 && c <= 13 && c != 11) am_buf_printf(buf, "\\%c", letters[c - 8]);
      else am_buf_printf(buf, "\\u%04x", c);
    }
    i += (size_t)n;
    plain = i;
  }
  am_buf_append(buf, text + plain, n_bytes - plain);
  return am_buf_append_char(buf, '"');
}

/* Significant decimal digits of a double, without a point: 0.DIGITS * 10^point. */
typedef struct decimal {
  char digits[20];
  int n;
  int point;
} decimal;

/* `value` > 0 rounded to n digits. %e is used, and of it only digits and exponent, so that the
 * locale's decimal point does not matter. */
static decimal round_to(double value, int n) {
  char text[64];
  (void)snprintf(text, sizeof text, "%.*e", n - 1, value);
  decimal d = {0};
  const char *at = text;
  for (; *at && *at != 'e'; at++)
    if (*at >= '0' && *at <= '9' && d.n < (int)sizeof d.digits) d.digits[d.n++] = *at;
  d.point = *at ? atoi(at + 1) + 1 : 1;
  while (d.n > 1 && d.digits[d.n - 1] == '0') d.n--;
  return d;
}

static bool reads_back(const decimal *d, double value) {
  char text[48];
  (void)snprintf(text, sizeof text, "%.*se%d", d->n, d->digits, d->point - d->n);
  locale_t c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
  if (c_locale == (locale_t)0) return false;
  double back = strtod_l(text, NULL, c_locale);
  freelocale(c_locale);
  return back == value;
}

/* The next larger decimal of n digits, for d of at most n digits. */
static decimal next_up(decimal d, int n) {
  while (d.n < n) d.digits[d.n++] = '0';
  int i = n - 1;
  while (i >= 0 && d.digits[i] == '9') d.digits[i--] = '0';
  if (i < 0) return d; /* 99..9: the caller's check refuses what comes of it */
  d.digits[i]++;
  return d;
}

/* Fewest digits that read back, the nearest of those. A normal double is what %.15g says whenever
 * any decimal of up to 15 digits names it; denormals have fewer digits, so all lengths are tried. At
 * a power of two the interval above is twice the one below: there the decimal above may read back
 * where the nearest one does not. */
static decimal shortest(double value) {
  int n = value < 0x1p-1022 ? 1 : 15;
  for (; n < 17; n++) {
    decimal d = round_to(value, n);
    if (reads_back(&d, value)) return d;
    int exponent;
    if (frexp(value, &exponent) == 0.5) {
      d = next_up(d, n);
      if (reads_back(&d, value)) return d;
    }
  }
  return round_to(value, 17);
}

bool am_json_write_real(am_buf *buf, double value) {
  if (isnan(value)) return am_buf_append_str(buf, "nan");
  if (signbit(value)) am_buf_append_char(buf, '-');
  value = fabs(value);
  if (isinf(value)) return am_buf_append_str(buf, "inf");
  if (value == 0) return am_buf_append_str(buf, "0.0");
  decimal d = shortest(value);
  if (d.point > 16 || d.point < -3) { /* Python's rule for repr: exponent below -4 or from 16 on */
    am_buf_append(buf, d.digits, 1);
    if (d.n > 1) am_buf_append_char(buf, '.');
    am_buf_append(buf, d.digits + 1, (size_t)d.n - 1);
    int exponent = d.point - 1;
    return am_buf_printf(buf, "e%c%02d", exponent < 0 ? '-' : '+', abs(exponent));
  }
  if (d.point <= 0) {
    am_buf_append(buf, "0.000", 2 + (size_t)-d.point);
    return am_buf_append(buf, d.digits, (size_t)d.n);
  }
  for (int i = 0; i < d.point; i++) am_buf_append_char(buf, i < d.n ? d.digits[i] : '0');
  am_buf_append_char(buf, '.');
  if (d.n <= d.point) return am_buf_append_char(buf, '0');
  return am_buf_append(buf, d.digits + d.point, (size_t)(d.n - d.point));
}

/* Recursion is bounded by the parser's depth limit. */
bool am_json_write(am_buf *buf, const am_json *value) {
  switch (value->type) {
    case AM_JSON_NULL: return am_buf_append_str(buf, "null");
    case AM_JSON_BOOL: return am_buf_append_str(buf, value->as.boolean ? "true" : "false");
    case AM_JSON_INT: return am_buf_printf(buf, "%" PRId64, value->as.integer);
    case AM_JSON_FLOAT:
      if (isnan(value->as.real)) return am_buf_append_str(buf, "NaN");
      if (isinf(value->as.real)) return am_buf_append_str(buf, value->as.real < 0 ? "-Infinity" : "Infinity");
      return am_json_write_real(buf, value->as.real);
    case AM_JSON_STRING: return am_json_write_string(buf, value->as.string, value->n);
    case AM_JSON_ARRAY:
      am_buf_append_char(buf, '[');
      for (uint32_t i = 0; i < value->n; i++) {
        if (i > 0) am_buf_append_char(buf, ',');
        if (!am_json_write(buf, &value->as.items[i])) return false;
      }
      return am_buf_append_char(buf, ']');
    case AM_JSON_OBJECT:
      am_buf_append_char(buf, '{');
      for (uint32_t i = 0; i < value->n; i++) {
        const am_json_member *member = &value->as.members[i];
        if (i > 0) am_buf_append_char(buf, ',');
        am_json_write_string(buf, member->key, member->key_bytes);
        am_buf_append_char(buf, ':');
        if (!am_json_write(buf, &member->value)) return false;
      }
      return am_buf_append_char(buf, '}');
  }
  return false;
}
