/* SPDX-License-Identifier: Apache-2.0 */
/* One number in Python's formats: the tail of `%5.2f` and of `{:>+,.2f}`. */
#include "template/jinja/format.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "template/jinja/number.h"

enum { MAX_PRECISION = 400, BODY_BYTES = 1024 };

static bool is_float_type(char type) { return type && strchr("eEfFgG%", type) != NULL; }

static void to_upper(char *text) {
  for (; *text; text++)
    if (*text >= 'a' && *text <= 'z') *text = (char)(*text - 32);
}

/* No type but a precision: general format that keeps ".0" (Python's repr style). */
static void general_with_dot(double value, int precision, char *body) {
  char text[BODY_BYTES];
  if (precision < 1) precision = 1;
  snprintf(text, sizeof text, "%.*e", precision - 1, value);
  int exponent = atoi(strchr(text, 'e') + 1);
  if (exponent < -4 || exponent + 1 > precision - 1) {
    char *e = strchr(text, 'e'), *end = e;
    if (memchr(text, '.', (size_t)(e - text))) {
      while (end[-1] == '0') end--;
      if (end[-1] == '.') end--;
    }
    snprintf(body, BODY_BYTES, "%.*s%s", (int)(end - text), text, e);
    return;
  }
  snprintf(body, BODY_BYTES, "%.*g", precision, value);
  if (!strchr(body, '.')) strcat(body, ".0");
}

/* The digits of a finite or infinite double without its sign. */
static bool float_body(am_jinja *jinja, const am_jspec *spec, double value, char body[BODY_BYTES]) {
  bool upper = spec->type == 'E' || spec->type == 'F' || spec->type == 'G';
  int64_t precision = spec->precision;
  if (precision > MAX_PRECISION) return am_jinja_raise(jinja, "precision too big");
  value = fabs(value);
  if (!isfinite(value)) {
    snprintf(body, BODY_BYTES, "%s%s", isnan(value) ? "nan" : "inf", spec->type == '%' ? "%" : "");
  } else if (!spec->type && precision < 0) {
    am_buf buf = {0};
    bool ok = am_json_write_real(&buf, value);
    if (ok)
      snprintf(body, BODY_BYTES, "%s", buf.data);
    else if (!jinja->status)
      jinja->status = am_fail_memory(jinja->error, jinja->name);
    am_buf_close(&buf);
    if (!ok) return false;
  } else if (!spec->type) {
    general_with_dot(value, (int)precision, body);
  } else {
    int p = precision < 0 ? 6 : (int)precision;
    switch (spec->type | 0x20) {
      case 'e':
        snprintf(body, BODY_BYTES, spec->alternate ? "%#.*e" : "%.*e", p, value);
        break;
      case 'f':
        snprintf(body, BODY_BYTES, spec->alternate ? "%#.*f" : "%.*f", p, value);
        break;
      case 'g':
      case 'n':
        snprintf(body, BODY_BYTES, spec->alternate ? "%#.*g" : "%.*g", p, value);
        break;
      default:
        snprintf(body, BODY_BYTES, "%.*f%%", p, value * 100);
        break;
    }
  }
  if (upper) to_upper(body);
  return true;
}

static bool int_body(am_jinja *jinja, const am_jspec *spec, const am_jvalue *number, char body[BODY_BYTES],
                     const char **prefix) {
  int64_t i = 0;
  uint64_t magnitude;
  if (number->kind == AM_J_BIG) {
    const am_jstring *digits = number->as.string;
    bool negative = digits->data[0] == '-';
    if (spec->type && spec->type != 'd')
      return am_jinja_raise(jinja, "integers over 64 bits are not supported");
    if (digits->n_bytes >= BODY_BYTES) return am_jinja_raise(jinja, "the integer is too long");
    snprintf(body, BODY_BYTES, "%.*s", (int)(digits->n_bytes - negative), digits->data + negative);
    return true;
  }
  am_jvalue_as_int(number, &i);
  magnitude = i < 0 ? 0 - (uint64_t)i : (uint64_t)i;
  switch (spec->type) {
    case 'x':
      snprintf(body, BODY_BYTES, "%" PRIx64, magnitude);
      *prefix = "0x";
      break;
    case 'X':
      snprintf(body, BODY_BYTES, "%" PRIX64, magnitude);
      *prefix = "0X";
      break;
    case 'o':
      snprintf(body, BODY_BYTES, "%" PRIo64, magnitude);
      *prefix = "0o";
      break;
    case 'b': {
      size_t n = 0;
      for (int bit = 63; bit >= 0; bit--)
        if (n || (magnitude >> bit & 1) || bit == 0) body[n++] = (char)('0' + (magnitude >> bit & 1));
      body[n] = 0;
      *prefix = "0b";
      break;
    }
    default:
      snprintf(body, BODY_BYTES, "%" PRIu64, magnitude);
      break;
  }
  return true;
}

static bool is_negative(const am_jvalue *number) {
  if (number->kind == AM_J_FLOAT) return signbit(number->as.real) && !isnan(number->as.real);
  if (number->kind == AM_J_BIG) return number->as.string->data[0] == '-';
  return number->kind == AM_J_INT && number->as.integer < 0;
}

/* Inserts separators into the whole digits of body and zeros before them up to min_width. */
static bool put_grouped(am_jinja *jinja, const char *body, char separator, size_t group, uint64_t min_width) {
  size_t whole = strspn(body, "0123456789abcdefABCDEF");
  if (strpbrk(body, ".e") && group == 3) whole = strspn(body, "0123456789");
  size_t rest = strlen(body) - whole;
  uint64_t digits = whole;
  while (digits + (digits ? (digits - 1) / group : 0) + rest < min_width) digits++;
  for (uint64_t i = 0; i < digits; i++) {
    uint64_t left = digits - i;
    if (i && left % group == 0 && !am_jinja_put(jinja, &separator, 1)) return false;
    if (!am_jinja_put(jinja, left > whole ? "0" : body + (whole - left), 1)) return false;
  }
  return am_jinja_put_text(jinja, body + whole);
}

bool am_jput_padded(am_jinja *jinja, const am_jspec *spec, char default_align, size_t mark) {
  am_jvalue text;
  char fill[4];
  if (!am_jinja_cut(jinja, mark, &text)) return false;
  const am_jstring *s = text.as.string;
  uint64_t pad = spec->width > (int64_t)s->n_chars ? (uint64_t)spec->width - s->n_chars : 0;
  char align = spec->align ? spec->align : default_align;
  uint64_t left = align == '>' ? pad : align == '^' ? pad / 2 : 0;
  int n = am_utf8_encode(spec->fill ? spec->fill : ' ', fill);
  return am_jinja_put_repeated(jinja, fill, (size_t)(n > 0 ? n : 1), left) &&
         am_jinja_put(jinja, s->data, s->n_bytes) &&
         am_jinja_put_repeated(jinja, fill, (size_t)(n > 0 ? n : 1), pad - left);
}

bool am_jput_number(am_jinja *jinja, const am_jspec *spec, const am_jvalue *number) {
  char body[BODY_BYTES];
  const char *prefix = "";
  bool is_float = number->kind == AM_J_FLOAT || is_float_type(spec->type);
  bool ok = is_float ? float_body(jinja, spec, am_jvalue_as_real(number), body)
                     : int_body(jinja, spec, number, body, &prefix);
  if (!ok) return false;
  if (!spec->alternate) prefix = "";
  const char *sign = is_negative(number) ? "-" : spec->sign == '+' ? "+" : spec->sign == ' ' ? " " : "";
  size_t mark = am_jinja_mark(jinja);
  if (!am_jinja_put_text(jinja, sign) || !am_jinja_put_text(jinja, prefix)) return false;
  bool zero_fill = spec->zero && (!spec->align || spec->align == '=');
  uint64_t head = strlen(sign) + strlen(prefix);
  uint64_t inner = zero_fill && spec->width > (int64_t)head ? (uint64_t)spec->width - head : 0;
  if (spec->grouping) {
    bool by_four = spec->type && strchr("xXob", spec->type);
    if (!put_grouped(jinja, body, spec->grouping, by_four ? 4 : 3, inner)) return false;
  } else if (spec->align == '=' && !spec->zero) {
    uint64_t width =
        spec->width > (int64_t)(head + strlen(body)) ? (uint64_t)spec->width - head - strlen(body) : 0;
    char fill[4];
    int n = am_utf8_encode(spec->fill ? spec->fill : ' ', fill);
    if (!am_jinja_put_repeated(jinja, fill, (size_t)(n > 0 ? n : 1), width) ||
        !am_jinja_put_text(jinja, body))
      return false;
  } else {
    size_t n = strlen(body);
    if ((inner > n && !am_jinja_put_repeated(jinja, "0", 1, inner - n)) || !am_jinja_put_text(jinja, body))
      return false;
  }
  return am_jput_padded(jinja, spec, '>', mark);
}
