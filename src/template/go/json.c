/* SPDX-License-Identifier: Apache-2.0 */
/* encoding/json: map keys sorted, <, >, & and the two line separators escaped, floats shortest. */
#include <math.h>
#include <string.h>

#include "base/json.h"
#include "base/utf8.h"
#include "template/go/eval.h"

static bool write_string(am_buf *out, const char *text, size_t n) {
  am_buf_append_char(out, '"');
  for (size_t i = 0; i < n;) {
    uint32_t c = 0;
    int length = am_utf8_decode(text + i, n - i, &c);
    if (length < 0) { /* Go replaces each bad byte by itself */
      am_buf_append_str(out, "\\ufffd");
      i++;
      continue;
    }
    static const char plain[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";
    const char *known = c && c < 0x80 ? strchr(plain, (int)c) : NULL;
    if (known)
      am_buf_printf(out, "\\%c", letters[known - plain]);
    else if (c < 0x20 || c == '<' || c == '>' || c == '&' || c == 0x2028 || c == 0x2029)
      am_buf_printf(out, "\\u%04x", (unsigned)c);
    else
      am_buf_append(out, text + i, (size_t)length);
    i += (size_t)length;
  }
  return am_buf_append_char(out, '"');
}

/* Shortest digits of a positive number: d.ddd * 10^exponent. */
static bool shortest(double value, char digits[32], int *n_digits, int *exponent) {
  am_buf text = {0};
  if (!am_json_write_real(&text, value)) {
    am_buf_close(&text);
    return false;
  }
  int point = -1, n = 0, shift = 0;
  const char *p = text.data;
  for (; *p && *p != 'e' && n < 31; p++) {
    if (*p == '.')
      point = n;
    else
      digits[n++] = *p;
  }
  if (*p == 'e') {
    bool minus = p[1] == '-';
    for (p += 1 + (p[1] == '-' || p[1] == '+'); *p >= '0' && *p <= '9'; p++) shift = shift * 10 + (*p - '0');
    if (minus) shift = -shift;
  }
  am_buf_close(&text);
  if (point < 0) point = n;
  int zeros = 0;
  while (zeros < n - 1 && digits[zeros] == '0') zeros++;
  memmove(digits, digits + zeros, (size_t)(n - zeros));
  n -= zeros;
  while (n > 1 && digits[n - 1] == '0') n--;
  *n_digits = n;
  *exponent = digits[0] == '0' ? 0 : point - zeros - 1 + shift;
  return true;
}

bool am_go_write_real(am_buf *out, double value, int least_exponent) {
  char digits[32];
  int n = 0, exponent = 0;
  if (isnan(value)) return am_buf_append_str(out, "NaN");
  if (isinf(value)) return am_buf_append_str(out, value > 0 ? "+Inf" : "-Inf");
  if (signbit(value)) am_buf_append_char(out, '-');
  if (!shortest(fabs(value), digits, &n, &exponent)) return !(out->failed = true);
  if (exponent < (least_exponent == 21 ? -6 : -4) || exponent >= least_exponent) {
    am_buf_append_char(out, digits[0]);
    if (n > 1) am_buf_append_char(out, '.'), am_buf_append(out, digits + 1, (size_t)n - 1);
    /* JSON writes e-9, fmt e-09 */
    return am_buf_printf(out, least_exponent == 21 && exponent < 0 ? "e%+d" : "e%+03d", exponent);
  }
  if (exponent < 0) {
    am_buf_append_str(out, "0.");
    for (int i = -1; i > exponent; i--) am_buf_append_char(out, '0');
    return am_buf_append(out, digits, (size_t)n);
  }
  for (int i = 0; i <= exponent; i++) am_buf_append_char(out, i < n ? digits[i] : '0');
  if (n > exponent + 1) {
    am_buf_append_char(out, '.');
    am_buf_append(out, digits + exponent + 1, (size_t)(n - exponent - 1));
  }
  return !out->failed;
}

static bool is_empty(const am_go_value *value) {
  switch ((am_go_kind)value->kind) {
    case AM_GO_INVALID:
    case AM_GO_NIL:
      return true;
    case AM_GO_STRUCT:
      return false;
    default:
      return !am_go_truth(value);
  }
}

static bool write_struct(am_buf *out, const am_go_value *value) {
  const am_go_field *fields = am_go_fields(value->type);
  bool first = true;
  am_buf_append_char(out, '{');
  for (size_t i = 0; fields[i].name; i++) {
    if (fields[i].newer || (fields[i].omit_empty && is_empty(&value->as.items[i]))) continue;
    if (!first) am_buf_append_char(out, ',');
    first = false;
    am_buf_printf(out, "\"%s\":", fields[i].json);
    if (!am_go_json(out, &value->as.items[i])) return false;
  }
  return am_buf_append_char(out, '}');
}

bool am_go_json(am_buf *out, const am_go_value *value) {
  switch ((am_go_kind)value->kind) {
    case AM_GO_INVALID:
    case AM_GO_NIL:
      return am_buf_append_str(out, "null");
    case AM_GO_BOOL:
      return am_buf_append_str(out, value->as.boolean ? "true" : "false");
    case AM_GO_INT:
    case AM_GO_BYTE:
      return am_buf_printf(out, "%lld", (long long)value->as.integer);
    case AM_GO_FLOAT:
      return am_go_write_real(out, value->as.real, 21);
    case AM_GO_STRING:
      return write_string(out, value->as.string, value->n);
    case AM_GO_STRUCT:
      return write_struct(out, value);
    case AM_GO_LIST:
      if (value->type == AM_GO_PROPERTY_TYPE && value->n == 1) return am_go_json(out, &value->as.items[0]);
      if (value->is_nil) return am_buf_append_str(out, "null");
      am_buf_append_char(out, '[');
      for (size_t i = 0; i < value->n; i++) {
        if (i > 0) am_buf_append_char(out, ',');
        if (!am_go_json(out, &value->as.items[i])) return false;
      }
      return am_buf_append_char(out, ']');
    case AM_GO_MAP:
      if (value->is_nil) return am_buf_append_str(out, "null");
      am_buf_append_char(out, '{');
      for (size_t i = 0; i < value->n; i++) {
        if (i > 0) am_buf_append_char(out, ',');
        write_string(out, value->as.entries[i].key, value->as.entries[i].key_bytes);
        am_buf_append_char(out, ':');
        if (!am_go_json(out, &value->as.entries[i].value)) return false;
      }
      return am_buf_append_char(out, '}');
  }
  return false;
}

bool am_go_own_text(am_buf *out, const am_go_value *value) {
  if (value->type != AM_GO_PROPERTY_TYPE) return am_go_json(out, value);
  if (value->n == 1) return am_buf_append(out, value->as.items[0].as.string, value->as.items[0].n);
  if (value->n == 0) return !out->failed;
  for (size_t i = 0; i < value->n; i++) {
    am_buf_append_char(out, i ? ' ' : '[');
    am_buf_append(out, value->as.items[i].as.string, value->as.items[i].n);
  }
  return am_buf_append_char(out, ']');
}
