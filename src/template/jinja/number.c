/* SPDX-License-Identifier: Apache-2.0 */
#include "template/jinja/number.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "template/jinja/unicode.h"

static int digit_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  c = (char)(c | 0x20);
  return c >= 'a' && c <= 'z' ? c - 'a' + 10 : 99;
}

bool am_jnumber_parse_int(const char *text, size_t n_bytes, int base, am_jvalue *out) {
  int64_t value = 0;
  for (size_t i = 0; i < n_bytes; i++) {
    int digit = digit_value(text[i]);
    if (digit >= base || __builtin_mul_overflow(value, base, &value) ||
        __builtin_add_overflow(value, digit, &value))
      return false;
  }
  if (!n_bytes) return false;
  *out = am_jint(value);
  return true;
}

enum { NUMBER_TEXT = 512 };
/* Strips blanks, turns Unicode decimal digits into ASCII. 0: does not fit or has other characters. */
static size_t ascii_number(const am_jstring *text, char out[NUMBER_TEXT]) {
  size_t n = 0, start = 0, end = text->n_bytes;
  while (start < end) {
    size_t next = start;
    if (!am_unicode_is_space(am_unicode_next(text->data, end, &next))) break;
    start = next;
  }
  while (end > start) {
    size_t previous = end;
    if (!am_unicode_is_space(am_unicode_previous(text->data, &previous))) break;
    end = previous;
  }
  while (start < end) {
    uint32_t c = am_unicode_next(text->data, end, &start);
    int digit = am_unicode_decimal_value(c);
    if (n + 1 >= NUMBER_TEXT || (c >= 0x80 && digit < 0) || c == 0) return 0;
    out[n++] = digit >= 0 ? (char)('0' + digit) : (char)c;
  }
  out[n] = 0;
  return n;
}

/* Removes single underscores between digits; false for one anywhere else. */
static bool drop_underscores(char *text, bool allow_leading) {
  char *to = text;
  char previous = allow_leading ? '0' : 0;
  for (const char *from = text; *from; from++) {
    bool is_alnum = digit_value(*from) < 99;
    if (*from == '_') {
      if (digit_value(previous) == 99 || previous == 0 || digit_value(from[1]) == 99) return false;
    } else {
      *to++ = *from;
    }
    previous = is_alnum ? *from : *from == '_' ? '_' : 0;
  }
  *to = 0;
  return true;
}

am_jparse am_jnumber_int_of_text(const am_jstring *text, int base, am_jvalue *out) {
  char buffer[NUMBER_TEXT];
  if (!ascii_number(text, buffer)) return AM_JPARSE_INVALID;
  char *p = buffer;
  bool negative = *p == '-';
  if (*p == '-' || *p == '+') p++;
  char mark = p[0] == '0' ? (char)(p[1] | 0x20) : 0;
  int marked = mark == 'x' ? 16 : mark == 'o' ? 8 : mark == 'b' ? 2 : 0;
  if (marked && (base == marked || base == 0)) {
    p += 2;
    if (!drop_underscores(p, true)) return AM_JPARSE_INVALID;
    base = marked;
  } else {
    if (!drop_underscores(p, false)) return AM_JPARSE_INVALID;
    if (base == 0) {
      if (p[0] == '0' && strspn(p, "0") != strlen(p)) return AM_JPARSE_INVALID;
      base = 10;
    }
  }
  if (!*p) return AM_JPARSE_INVALID;
  for (const char *c = p; *c; c++)
    if (digit_value(*c) >= base) return AM_JPARSE_INVALID;
  if (!am_jnumber_parse_int(p, strlen(p), base, out)) return AM_JPARSE_TOO_BIG;
  if (negative) out->as.integer = -out->as.integer;
  return AM_JPARSE_OK;
}

bool am_jnumber_float_of_text(const am_jstring *text, double *out) {
  char buffer[NUMBER_TEXT];
  if (!ascii_number(text, buffer) || !drop_underscores(buffer, false)) return false;
  const char *p = buffer + (buffer[0] == '-' || buffer[0] == '+');
  bool is_word = !strcasecmp(p, "inf") || !strcasecmp(p, "infinity") || !strcasecmp(p, "nan");
  if (!is_word && (strspn(p, "0123456789.eE+-") != strlen(p) || strspn(p, ".0123456789") == 0)) return false;
  char *end;
  double value = strtod(buffer, &end);
  if (*end || end == buffer) return false;
  *out = value;
  return true;
}

bool am_jnumber_truncate(double real, int64_t *out, const char **why) {
  *why = isnan(real)   ? "cannot convert float NaN to integer"
         : isinf(real) ? "cannot convert float infinity to integer"
                       : "the integer is over 64 bits";
  if (!(real >= -9223372036854775808.0 && real < 9223372036854775808.0)) return false;
  *out = (int64_t)real;
  return true;
}

static bool overflow(am_jinja *jinja) {
  return am_jinja_raise(jinja, "integers over 64 bits are not supported");
}

static bool int_pow(am_jinja *jinja, int64_t base, int64_t exponent, am_jvalue *out) {
  int64_t result = 1;
  while (exponent > 0) {
    if ((exponent & 1) && __builtin_mul_overflow(result, base, &result)) return overflow(jinja);
    exponent >>= 1;
    if (exponent && __builtin_mul_overflow(base, base, &base)) return overflow(jinja);
  }
  *out = am_jint(result);
  return true;
}

static bool divides_by_zero(am_jinja *jinja, am_joperator op, bool is_int) {
  return am_jinja_raise(jinja, "%s",
                        op == AM_JOP_DIV   ? (is_int ? "division by zero" : "float division by zero")
                        : is_int           ? "integer division or modulo by zero"
                        : op == AM_JOP_MOD ? "float modulo"
                                           : "float floor division by zero");
}

static bool int_binary(am_jinja *jinja, am_joperator op, int64_t a, int64_t b, am_jvalue *out) {
  int64_t r = 0;
  bool over = false;
  switch (op) {
    case AM_JOP_ADD:
      over = __builtin_add_overflow(a, b, &r);
      break;
    case AM_JOP_SUB:
      over = __builtin_sub_overflow(a, b, &r);
      break;
    case AM_JOP_MUL:
      over = __builtin_mul_overflow(a, b, &r);
      break;
    default: /* FLOORDIV, MOD: the quotient rounds down, the remainder has the divisor's sign */
      if (!b) return divides_by_zero(jinja, op, true);
      if (b == -1) {
        over = op == AM_JOP_FLOORDIV && __builtin_sub_overflow(0, a, &r);
        break;
      }
      r = op == AM_JOP_FLOORDIV ? a / b : a % b;
      if (a % b != 0 && (a < 0) != (b < 0)) r += op == AM_JOP_FLOORDIV ? -1 : b;
  }
  if (over) return overflow(jinja);
  *out = am_jint(r);
  return true;
}

static double floor_mod(double a, double b, double *quotient) {
  double mod = fmod(a, b);
  double div = (a - mod) / b;
  if (mod != 0) {
    if ((b < 0) != (mod < 0)) {
      mod += b;
      div -= 1;
    }
  } else {
    mod = copysign(0.0, b);
  }
  if (div != 0) {
    double down = floor(div);
    *quotient = div - down > 0.5 ? down + 1 : down;
  } else {
    *quotient = copysign(0.0, a / b);
  }
  return mod;
}

static bool real_pow(am_jinja *jinja, double a, double b, am_jvalue *out) {
  if (a == 0 && b < 0) return am_jinja_raise(jinja, "0.0 cannot be raised to a negative power");
  if (a < 0 && isfinite(b) && b != floor(b))
    return am_jinja_raise(jinja, "complex numbers are not supported");
  double r = pow(a, b);
  if (isinf(r) && isfinite(a) && isfinite(b))
    return am_jinja_raise(jinja, "(34, 'Numerical result out of range')");
  *out = am_jreal(r);
  return true;
}

static bool real_binary(am_jinja *jinja, am_joperator op, double a, double b, am_jvalue *out) {
  double quotient = 0;
  if (b == 0 && (op == AM_JOP_DIV || op == AM_JOP_FLOORDIV || op == AM_JOP_MOD))
    return divides_by_zero(jinja, op, false);
  switch (op) {
    case AM_JOP_ADD:
      *out = am_jreal(a + b);
      return true;
    case AM_JOP_SUB:
      *out = am_jreal(a - b);
      return true;
    case AM_JOP_MUL:
      *out = am_jreal(a * b);
      return true;
    case AM_JOP_DIV:
      *out = am_jreal(a / b);
      return true;
    case AM_JOP_POW:
      return real_pow(jinja, a, b, out);
    case AM_JOP_MOD:
      *out = am_jreal(floor_mod(a, b, &quotient));
      return true;
    default:
      floor_mod(a, b, &quotient);
      *out = am_jreal(quotient);
      return true;
  }
}

/* a / b of integers is correctly rounded in Python; below 2^53 so is the division of doubles, above
 * long double (64-bit mantissa where there is one) keeps both exact. */
static double true_divide(int64_t a, int64_t b) { return (double)((long double)a / (long double)b); }

bool am_jnumber_binary(am_jinja *jinja, am_joperator op, const am_jvalue *a, const am_jvalue *b,
                       am_jvalue *out) {
  int64_t i = 0, k = 0;
  bool a_int = am_jvalue_as_int(a, &i), b_int = am_jvalue_as_int(b, &k), ints = a_int && b_int;
  bool has_real = a->kind == AM_J_FLOAT || b->kind == AM_J_FLOAT;
  if (!ints && !has_real) return overflow(jinja);
  if (ints && op == AM_JOP_DIV) {
    if (!k) return divides_by_zero(jinja, op, true);
    *out = am_jreal(true_divide(i, k));
    return true;
  }
  if (ints && op == AM_JOP_POW && k >= 0) return int_pow(jinja, i, k, out);
  if (ints && op != AM_JOP_POW) return int_binary(jinja, op, i, k, out);
  return real_binary(jinja, op, am_jvalue_as_real(a), am_jvalue_as_real(b), out);
}

double am_jnumber_round(double real, int64_t digits) {
  if (!isfinite(real) || digits > 323) return real;
  if (digits < -308) return copysign(0.0, real);
  if (digits >= 0) { /* printf rounds the exact value, halves to even */
    char text[700];
    snprintf(text, sizeof text, "%.*f", (int)digits, real);
    return strtod(text, NULL);
  }
  double power = pow(10, (double)-digits), scaled = real / power, rounded = round(scaled);
  if (fabs(scaled - rounded) == 0.5) rounded = 2 * round(scaled / 2);
  return rounded * power;
}

bool am_jnumber_put(am_jinja *jinja, const am_jvalue *number) {
  char text[32];
  switch (number->kind) {
    case AM_J_BOOL:
      return am_jinja_put_text(jinja, number->as.boolean ? "True" : "False");
    case AM_J_INT:
      snprintf(text, sizeof text, "%" PRId64, number->as.integer);
      return am_jinja_put_text(jinja, text);
    case AM_J_BIG:
      return am_jinja_put(jinja, number->as.string->data, number->as.string->n_bytes);
    default: {
      am_buf buf = {0};
      bool ok = am_json_write_real(&buf, number->as.real);
      if (ok)
        ok = am_jinja_put(jinja, buf.data, buf.len);
      else if (!jinja->status)
        jinja->status = am_fail_memory(jinja->error, jinja->name);
      am_buf_close(&buf);
      return ok;
    }
  }
}
