/* SPDX-License-Identifier: Apache-2.0 */
/* Go's package fmt, for the values that templates have: what a bare value prints as, Sprint's blanks between
 * operands that are no strings, and Sprintf with flags, width, precision, * and explicit indexes. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "template/go/eval.h"
#include "template/go/quote.h"

enum { LARGEST_WIDTH = 1000000 };

typedef struct format {
  am_go_state *state;
  am_buf *out;
  uint32_t verb;
  bool plus, minus, sharp, space, zero, has_width, has_precision, plus_v;
  size_t width, precision;
} format;

static adam_status print_value(const format *f, const am_go_value *value, int depth);

/* Characters as Go counts them: each bad byte is one. */
static size_t runes(const char *text, size_t n) {
  size_t count = 0;
  for (size_t i = 0; i < n; count++) {
    uint32_t c;
    int length = am_utf8_decode(text + i, n - i, &c);
    i += length < 0 ? 1u : (size_t)length;
  }
  return count;
}

static void padding(const format *f, size_t n, bool zero) {
  if (am_buf_reserve(f->out, n))
    for (size_t i = 0; i < n; i++) am_buf_append_char(f->out, zero && !f->minus ? '0' : ' ');
}

static void padded(const format *f, const char *text, size_t n, bool zero) {
  size_t count = f->has_width ? runes(text, n) : 0,
         gap = f->has_width && f->width > count ? f->width - count : 0;
  if (!f->minus) padding(f, gap, zero);
  am_buf_append(f->out, text, n);
  if (f->minus) padding(f, gap, zero);
}

static adam_status bad_verb(const format *f, const am_go_value *value) {
  format plain = *f;
  plain.verb = 'v';
  am_buf_append_str(f->out, "%!");
  am_buf_append_codepoint(f->out, f->verb);
  adam_status status = ADAM_OK;
  if (value->kind == AM_GO_INVALID || value->kind == AM_GO_NIL) {
    am_buf_append_str(f->out, "(<nil>");
  } else {
    am_buf_printf(f->out, "(%s=", am_go_type_name(value));
    status = print_value(&plain, value, 0);
  }
  am_buf_append_char(f->out, ')');
  return status;
}

/* --- integers --- */

/* In the base, with sign, prefix and precision; 40 bytes are enough for what has no precision. */
static void integer(const format *f, bool negative, uint64_t value, unsigned base, bool upper) {
  const char *digits = upper ? "0123456789ABCDEFX" : "0123456789abcdefx";
  char reversed[96];
  size_t n = 0, least = 0;
  if (f->has_precision) {
    least = f->precision;
    if (least == 0 && value == 0) {
      padding(f, f->has_width ? f->width : 0, false);
      return;
    }
  } else if (f->zero && !f->minus && f->has_width) {
    least = f->width;
    if (least > 0 && (negative || f->plus || f->space)) least--;
  }
  do reversed[n++] = digits[value % base];
  while ((value /= base) > 0);
  am_buf text = {0};
  if (negative)
    am_buf_append_char(&text, '-');
  else if (f->plus || f->space)
    am_buf_append_char(&text, f->plus ? '+' : ' ');
  if (f->verb == 'O') am_buf_append_str(&text, "0o");
  if (f->sharp && base == 2) am_buf_append_str(&text, "0b");
  if (f->sharp && base == 8 && reversed[n - 1] != '0' && least <= n) am_buf_append_char(&text, '0');
  if (f->sharp && base == 16) am_buf_append_char(&text, '0'), am_buf_append_char(&text, digits[16]);
  for (size_t i = n; i < least; i++) am_buf_append_char(&text, '0');
  while (n > 0) am_buf_append_char(&text, reversed[--n]);
  padded(f, text.data ? text.data : "", text.len, false);
  if (text.failed) f->out->failed = true;
  am_buf_close(&text);
}

static void unicode_point(const format *f, uint64_t value) {
  am_buf text = {0};
  int digits = f->has_precision && f->precision > 4 ? (int)f->precision : 4;
  am_buf_printf(&text, "U+%0*llX", digits, (unsigned long long)value);
  if (f->sharp && value <= 0x10FFFF && am_go_is_print((uint32_t)value)) {
    am_buf_append_str(&text, " '");
    am_buf_append_codepoint(&text, (uint32_t)value);
    am_buf_append_char(&text, '\'');
  }
  padded(f, text.data ? text.data : "", text.len, false);
  am_buf_close(&text);
}

static void character(const format *f, uint64_t value, bool quoted) {
  char encoded[4];
  am_buf text = {0};
  uint32_t c = value > 0x10FFFF ? AM_UTF8_REPLACEMENT : (uint32_t)value;
  if (quoted)
    am_go_quote_rune(&text, c, f->plus);
  else if (am_utf8_encode(c, encoded) > 0)
    am_buf_append_codepoint(&text, c);
  else
    am_buf_append_codepoint(&text, AM_UTF8_REPLACEMENT);
  padded(f, text.data ? text.data : "", text.len, f->zero);
  am_buf_close(&text);
}

static adam_status print_integer(const format *f, const am_go_value *value) {
  bool negative = value->as.integer < 0;
  uint64_t bits = (uint64_t)value->as.integer, size = negative ? 0 - bits : bits;
  switch (f->verb) {
    case 'v':
    case 'd':
      integer(f, negative, size, 10, false);
      return ADAM_OK;
    case 'b':
      integer(f, negative, size, 2, false);
      return ADAM_OK;
    case 'o':
    case 'O':
      integer(f, negative, size, 8, false);
      return ADAM_OK;
    case 'x':
    case 'X':
      integer(f, negative, size, 16, f->verb == 'X');
      return ADAM_OK;
    case 'c':
      character(f, bits, false);
      return ADAM_OK;
    case 'q':
      character(f, bits, true);
      return ADAM_OK;
    case 'U':
      unicode_point(f, bits);
      return ADAM_OK;
    default:
      return bad_verb(f, value);
  }
}

/* --- floats --- */

static adam_status print_real(const format *f, const am_go_value *value) {
  am_buf text = {0};
  double real = value->as.real;
  char sign = signbit(real) ? '-' : f->plus ? '+' : f->space ? ' ' : 0;
  if (f->verb == 'b' || f->verb == 'x' || f->verb == 'X')
    return am_go_fail(f->state, "printf: %%%c of a float is not supported", (char)f->verb);
  if (!(f->verb < 0x80 && f->verb && strchr("vgGfFeE", (int)f->verb))) return bad_verb(f, value);
  if (f->sharp) return am_go_fail(f->state, "printf: # with a float is not supported");
  if (f->verb == 'v' || ((f->verb == 'g' || f->verb == 'G') && !f->has_precision)) {
    if (f->has_precision)
      am_buf_printf(&text, "%.*g", f->precision ? (int)f->precision : 1, fabs(real));
    else
      am_go_write_real(&text, fabs(real), 6);
  } else {
    char c_format[8] = {'%', '.', '*', (char)(f->verb == 'F' ? 'f' : f->verb), 0};
    int precision = f->has_precision ? (int)f->precision : 6;
    char shown[400 + 1100];
    if (precision > 1000)
      return am_go_fail(f->state, "printf: a precision of more than 1000 is not supported");
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(shown, sizeof shown, c_format, precision, fabs(real));
#pragma GCC diagnostic pop
    am_buf_append_str(&text, shown);
  }
  for (size_t i = 0; f->verb == 'G' && i < text.len; i++)
    if (text.data[i] == 'e') text.data[i] = 'E';
  bool zeros = f->zero && !f->minus && f->has_width;
  size_t used = text.len + (sign ? 1 : 0);
  am_buf whole = {0};
  if (sign) am_buf_append_char(&whole, sign);
  for (size_t i = used; zeros && i < f->width; i++) am_buf_append_char(&whole, '0');
  am_buf_append(&whole, text.data ? text.data : "", text.len);
  padded(f, whole.data ? whole.data : "", whole.len, false);
  if (text.failed || whole.failed) f->out->failed = true;
  am_buf_close(&text);
  am_buf_close(&whole);
  return ADAM_OK;
}

/* --- strings --- */

static size_t cut_to_precision(const format *f, const char *text, size_t n) {
  size_t at = 0;
  for (size_t count = 0; f->has_precision && at < n; count++) {
    uint32_t c;
    if (count == f->precision) return at;
    int length = am_utf8_decode(text + at, n - at, &c);
    at += length < 0 ? 1u : (size_t)length;
  }
  return n;
}

static void hexadecimal(const format *f, const char *text, size_t n) {
  const char *digits = f->verb == 'X' ? "0123456789ABCDEFX" : "0123456789abcdefx";
  am_buf hex = {0};
  if (f->has_precision && f->precision < n) n = f->precision;
  for (size_t i = 0; i < n; i++) {
    unsigned char c = (unsigned char)text[i];
    if (i > 0 && f->space) am_buf_append_char(&hex, ' ');
    if (f->sharp && (i == 0 || f->space)) am_buf_append_char(&hex, '0'), am_buf_append_char(&hex, digits[16]);
    am_buf_append_char(&hex, digits[c >> 4]);
    am_buf_append_char(&hex, digits[c & 15]);
  }
  padded(f, hex.data ? hex.data : "", hex.len, f->zero);
  if (hex.failed) f->out->failed = true;
  am_buf_close(&hex);
}

static adam_status print_string(const format *f, const char *text, size_t n, const am_go_value *value) {
  switch (f->verb) {
    case 'v':
    case 's':
      padded(f, text, cut_to_precision(f, text, n), f->zero);
      return ADAM_OK;
    case 'x':
    case 'X':
      hexadecimal(f, text, n);
      return ADAM_OK;
    case 'q': {
      am_buf quoted = {0};
      am_go_quote(&quoted, text, cut_to_precision(f, text, n), f->plus, f->sharp);
      padded(f, quoted.data ? quoted.data : "", quoted.len, f->zero);
      if (quoted.failed) f->out->failed = true;
      am_buf_close(&quoted);
      return ADAM_OK;
    }
    default:
      return bad_verb(f, value);
  }
}

/* --- what holds others --- */

static adam_status print_struct(const format *f, const am_go_value *value, int depth) {
  const am_go_field *fields = am_go_fields(value->type);
  bool first = true;
  am_buf_append_char(f->out, '{');
  for (size_t i = 0; fields[i].name; i++) {
    if (fields[i].newer) continue;
    if (!first) am_buf_append_char(f->out, ' ');
    first = false;
    if (f->plus_v) am_buf_printf(f->out, "%s:", fields[i].name);
    adam_status status = print_value(f, &value->as.items[i], depth + 1);
    if (status) return status;
  }
  am_buf_append_char(f->out, '}');
  return ADAM_OK;
}

static adam_status print_list(const format *f, const am_go_value *value, int depth) {
  am_buf_append_char(f->out, '[');
  for (size_t i = 0; i < value->n; i++) {
    if (i > 0) am_buf_append_char(f->out, ' ');
    adam_status status = print_value(f, &value->as.items[i], depth + 1);
    if (status) return status;
  }
  am_buf_append_char(f->out, ']');
  return ADAM_OK;
}

static adam_status print_map(const format *f, const am_go_value *value, int depth) {
  am_buf_append_str(f->out, "map[");
  for (size_t i = 0; i < value->n; i++) {
    const am_go_entry *entry = &value->as.entries[i];
    am_go_value key = am_go_string(entry->key, entry->key_bytes);
    if (i > 0) am_buf_append_char(f->out, ' ');
    adam_status status = print_value(f, &key, depth + 1);
    am_buf_append_char(f->out, ':');
    if (!status) status = print_value(f, &entry->value, depth + 1);
    if (status) return status;
  }
  am_buf_append_char(f->out, ']');
  return ADAM_OK;
}

static adam_status print_own(const format *f, const am_go_value *value) {
  am_buf text = {0};
  if (!am_go_own_text(&text, value)) text.failed = true;
  adam_status status = print_string(f, text.data ? text.data : "", text.len, value);
  if (text.failed) f->out->failed = true;
  am_buf_close(&text);
  return status;
}

static adam_status print_value(const format *f, const am_go_value *value, int depth) {
  adam_status status = am_go_step(f->state);
  if (status) return status;
  if (f->out->len > f->state->max_output_bytes) return am_go_fail(f->state, "the text grows too long");
  bool textual = f->verb == 'v' || f->verb == 's' || f->verb == 'x' || f->verb == 'X' || f->verb == 'q';
  if (textual && am_go_is_stringer(value)) return print_own(f, value);
  switch ((am_go_kind)value->kind) {
    case AM_GO_INVALID:
    case AM_GO_NIL:
      if (depth == 0 && f->verb != 'v') return bad_verb(f, value);
      if (depth == 0)
        padded(f, "<nil>", 5, f->zero); /* as a string, width and all */
      else
        am_buf_append_str(f->out, "<nil>");
      return ADAM_OK;
    case AM_GO_BOOL:
      if (f->verb != 't' && f->verb != 'v') return bad_verb(f, value);
      padded(f, value->as.boolean ? "true" : "false", value->as.boolean ? 4 : 5, f->zero);
      return ADAM_OK;
    case AM_GO_INT:
    case AM_GO_BYTE:
      return print_integer(f, value);
    case AM_GO_FLOAT:
      return print_real(f, value);
    case AM_GO_STRING:
      return print_string(f, value->as.string, value->n, value);
    case AM_GO_LIST:
      return print_list(f, value, depth);
    case AM_GO_MAP:
      return print_map(f, value, depth);
    case AM_GO_STRUCT:
      if (value->pointer && depth > 0)
        return am_go_fail(f->state, "a pointer is printed: Go prints its address");
      if (value->pointer) am_buf_append_char(f->out, '&');
      return print_struct(f, value, depth);
  }
  return ADAM_OK;
}

static adam_status finish(const format *f, adam_status status) {
  return !status && f->out->failed ? am_go_no_memory(f->state) : status;
}

adam_status am_go_write(am_go_state *state, am_buf *out, const am_go_value *value) {
  format f = {.state = state, .out = out, .verb = 'v'};
  am_go_value shown = *value;
  shown.pointer = false;
  if (value->kind == AM_GO_INVALID || value->kind == AM_GO_NIL) {
    am_buf_append_str(out, "<no value>");
    return finish(&f, ADAM_OK);
  }
  return finish(&f, am_go_prints_itself(value) ? print_own(&f, value) : print_value(&f, &shown, 0));
}

adam_status am_go_sprint(am_go_state *state, am_buf *out, const am_go_value *arguments, size_t n, bool line) {
  format f = {.state = state, .out = out, .verb = 'v'};
  adam_status status = ADAM_OK;
  for (size_t i = 0; i < n && !status; i++) {
    bool strings = arguments[i].kind == AM_GO_STRING || (i > 0 && arguments[i - 1].kind == AM_GO_STRING);
    if (i > 0 && (line || !strings)) am_buf_append_char(out, ' ');
    status = print_value(&f, &arguments[i], 0);
  }
  if (line) am_buf_append_char(out, '\n');
  return finish(&f, status);
}

/* --- Sprintf --- */

typedef struct reader {
  const char *text;
  size_t n, at;
  const am_go_value *arguments;
  size_t n_arguments, next; /* the argument that the next verb takes */
  bool reordered, good_index, after_index;
} reader;

static bool is_digit(const reader *r) {
  return r->at < r->n && r->text[r->at] >= '0' && r->text[r->at] <= '9';
}

/* Digits up to `end`; a number that is too large ends there. */
static bool number(reader *r, size_t end, size_t *out) {
  bool any = false;
  *out = 0;
  while (r->at < end && is_digit(r)) {
    if (*out > LARGEST_WIDTH) {
      *out = 0;
      r->at = end;
      return false;
    }
    *out = *out * 10 + (size_t)(r->text[r->at++] - '0');
    any = true;
  }
  return any;
}

/* [3] */
static void explicit_index(reader *r) {
  r->after_index = false;
  if (r->at >= r->n || r->text[r->at] != '[') return;
  r->reordered = true;
  size_t start = r->at, index = 0;
  const char *close = r->n - start < 3 ? NULL : memchr(r->text + start + 1, ']', r->n - start - 1);
  if (!close) {
    r->good_index = false;
    r->at = start + 1;
    return;
  }
  size_t end = (size_t)(close - r->text);
  r->at = start + 1;
  bool ok = number(r, end, &index) && r->at == end;
  r->at = end + 1;
  r->after_index = ok;
  if (ok && index >= 1 && index <= r->n_arguments)
    r->next = index - 1;
  else
    r->good_index = false;
}

/* The next argument as a width or precision. */
static bool star(reader *r, int64_t *out) {
  *out = 0;
  if (r->next >= r->n_arguments) return false;
  const am_go_value *value = &r->arguments[r->next++];
  if (value->kind != AM_GO_INT && value->kind != AM_GO_BYTE) return false;
  if (value->as.integer > LARGEST_WIDTH || value->as.integer < -LARGEST_WIDTH) return false;
  *out = value->as.integer;
  return true;
}

static void read_width(reader *r, format *f) {
  if (r->at < r->n && r->text[r->at] == '*') {
    int64_t width = 0;
    r->at++;
    f->has_width = star(r, &width);
    if (!f->has_width) am_buf_append_str(f->out, "%!(BADWIDTH)");
    if (width < 0) f->minus = true, f->zero = false;
    f->width = (size_t)(width < 0 ? -width : width);
    r->after_index = false;
    return;
  }
  f->has_width = number(r, r->n, &f->width);
  if (r->after_index && f->has_width) r->good_index = false;
}

static void read_precision(reader *r, format *f) {
  if (r->at + 1 >= r->n || r->text[r->at] != '.') return;
  r->at++;
  if (r->after_index) r->good_index = false;
  explicit_index(r);
  if (r->at < r->n && r->text[r->at] == '*') {
    int64_t precision = 0;
    r->at++;
    f->has_precision = star(r, &precision) && precision >= 0;
    if (!f->has_precision) am_buf_append_str(f->out, "%!(BADPREC)");
    f->precision = f->has_precision ? (size_t)precision : 0;
    r->after_index = false;
    return;
  }
  if (!number(r, r->n, &f->precision)) f->precision = 0;
  f->has_precision = true;
}

static bool read_flag(const reader *r, format *f) {
  if (r->at >= r->n) return false;
  switch (r->text[r->at]) {
    case '#':
      return f->sharp = true;
    case '0':
      return f->zero = true;
    case '+':
      return f->plus = true;
    case '-':
      return f->minus = true;
    case ' ':
      return f->space = true;
    default:
      return false;
  }
}

/* One verb, behind its %. */
static adam_status directive(reader *r, format *f) {
  r->good_index = true;
  while (read_flag(r, f)) r->at++;
  explicit_index(r);
  read_width(r, f);
  read_precision(r, f);
  if (!r->after_index) explicit_index(r);
  if (r->at >= r->n) {
    am_buf_append_str(f->out, "%!(NOVERB)");
    return ADAM_OK;
  }
  int length = am_utf8_decode(r->text + r->at, r->n - r->at, &f->verb);
  r->at += length < 0 ? 1u : (size_t)length;
  if (f->verb == '%') {
    am_buf_append_char(f->out, '%');
    return ADAM_OK;
  }
  if (!r->good_index || r->next >= r->n_arguments) {
    am_buf_append_str(f->out, "%!");
    am_buf_append_codepoint(f->out, f->verb);
    am_buf_append_str(f->out, r->good_index ? "(MISSING)" : "(BADINDEX)");
    return ADAM_OK;
  }
  if (f->verb == 'T' || f->verb == 'p' || f->verb == 'w' || (f->verb == 'v' && f->sharp))
    return am_go_fail(f->state, "printf: %%%s%c is not supported", f->verb == 'v' ? "#" : "", (char)f->verb);
  if (f->verb == 'v') f->plus_v = f->plus, f->plus = false;
  return print_value(f, &r->arguments[r->next++], 0);
}

static adam_status left_over(const reader *r, am_go_state *state, am_buf *out) {
  format f = {.state = state, .out = out, .verb = 'v'};
  adam_status status = ADAM_OK;
  am_buf_append_str(out, "%!(EXTRA ");
  for (size_t i = r->next; i < r->n_arguments && !status; i++) {
    const am_go_value *value = &r->arguments[i];
    bool none = value->kind == AM_GO_INVALID || value->kind == AM_GO_NIL;
    if (i > r->next) am_buf_append_str(out, ", ");
    if (!none) am_buf_printf(out, "%s=", am_go_type_name(value));
    status = print_value(&f, value, 0);
  }
  am_buf_append_char(out, ')');
  return status;
}

adam_status am_go_sprintf(am_go_state *state, am_buf *out, const am_go_value *arguments, size_t n) {
  reader r = {
      .text = arguments[0].as.string, .n = arguments[0].n, .arguments = arguments + 1, .n_arguments = n - 1};
  adam_status status = ADAM_OK;
  while (!status && r.at < r.n) {
    const char *percent = memchr(r.text + r.at, '%', r.n - r.at);
    size_t end = percent ? (size_t)(percent - r.text) : r.n;
    am_buf_append(out, r.text + r.at, end - r.at);
    r.at = end;
    if (!percent) break;
    r.at++;
    format f = {.state = state, .out = out};
    status = directive(&r, &f);
  }
  if (!status && !r.reordered && r.next < r.n_arguments) status = left_over(&r, state, out);
  return !status && out->failed ? am_go_no_memory(state) : status;
}
