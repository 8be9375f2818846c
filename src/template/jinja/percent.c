/* SPDX-License-Identifier: Apache-2.0 */
/* format % argument, as Python's str.__mod__; Markup escapes what it inserts. */
#include "template/jinja/format.h"

#include <stdio.h>
#include <string.h>

#include "template/jinja/number.h"
#include "template/jinja/unicode.h"

typedef struct percent {
  am_jinja *jinja;
  const char *at, *end;
  const am_jvalue *argument;
  bool is_tuple;
  size_t next; /* positional argument */
  bool escapes;
} percent;

static bool take(percent *p, am_jvalue *out) {
  size_t n = p->is_tuple ? p->argument->as.list->n : 1;
  if (p->next >= n) return am_jinja_raise(p->jinja, "not enough arguments for format string");
  *out = p->is_tuple ? p->argument->as.list->items[p->next] : *p->argument;
  p->next++;
  return true;
}

static bool take_key(percent *p, am_jvalue *out) {
  const char *start = ++p->at;
  int depth = 1;
  while (p->at < p->end && depth > 0) {
    depth += *p->at == '(' ? 1 : *p->at == ')' ? -1 : 0;
    p->at++;
  }
  if (depth > 0) return am_jinja_raise(p->jinja, "incomplete format key");
  if (p->argument->kind != AM_J_DICT) return am_jinja_raise(p->jinja, "format requires a mapping");
  size_t n = (size_t)(p->at - 1 - start);
  const am_jvalue *value = am_jdict_find(p->argument->as.dict, start, n);
  if (!value) return am_jinja_raise(p->jinja, "KeyError: '%.*s'", (int)(n < 200 ? n : 200), start);
  *out = *value;
  return true;
}

static bool number_or_star(percent *p, int64_t *out) {
  am_jvalue value;
  if (p->at < p->end && *p->at == '*') {
    p->at++;
    if (!take(p, &value)) return false;
    if (!am_jvalue_as_int(&value, out)) return am_jinja_raise(p->jinja, "* wants int");
    return true;
  }
  for (*out = 0; p->at < p->end && *p->at >= '0' && *p->at <= '9'; p->at++) {
    *out = *out * 10 + (*p->at - '0');
    if (*out > INT32_MAX) return am_jinja_raise(p->jinja, "width too big");
  }
  return true;
}

static bool parse_spec(percent *p, am_jspec *spec) {
  *spec = (am_jspec){.precision = -1};
  bool left = false;
  for (; p->at < p->end; p->at++) {
    if (*p->at == '-')
      left = true;
    else if (*p->at == '+')
      spec->sign = '+';
    else if (*p->at == ' ')
      spec->sign = spec->sign ? spec->sign : ' ';
    else if (*p->at == '#')
      spec->alternate = true;
    else if (*p->at == '0')
      spec->zero = true;
    else
      break;
  }
  if (!number_or_star(p, &spec->width)) return false;
  if (spec->width < 0) {
    left = true;
    spec->width = -spec->width;
  }
  if (left) {
    spec->align = '<';
    spec->zero = false;
  }
  if (p->at < p->end && *p->at == '.') {
    p->at++;
    if (!number_or_star(p, &spec->precision)) return false;
    if (spec->precision < 0) spec->precision = 0;
  }
  if (p->at < p->end && (*p->at == 'h' || *p->at == 'l' || *p->at == 'L')) p->at++;
  if (p->at >= p->end) return am_jinja_raise(p->jinja, "incomplete format");
  spec->type = *p->at++;
  return true;
}

/* %s, %r, %a, %c: text, cut to the precision and padded. */
static bool put_text(percent *p, const am_jspec *spec, const am_jvalue *value) {
  am_jinja *jinja = p->jinja;
  size_t mark = am_jinja_mark(jinja);
  am_jvalue text;
  bool ok = spec->type == 's' ? (p->escapes ? am_jput_escaped(jinja, value) : am_jput_str(jinja, value))
                              : am_jput_repr(jinja, value);
  if (!ok || !am_jinja_cut(jinja, mark, &text)) return false;
  const am_jstring *s = text.as.string;
  size_t end = spec->precision >= 0 && (uint64_t)spec->precision < s->n_chars
                   ? am_jstring_offset(s, (size_t)spec->precision)
                   : s->n_bytes;
  if (spec->type == 'a') {
    for (size_t i = 0; i < end;) {
      char code[16];
      size_t start = i;
      uint32_t c = am_unicode_next(s->data, end, &i);
      snprintf(code, sizeof code, c < 0x100 ? "\\x%02x" : c < 0x10000 ? "\\u%04x" : "\\U%08x", c);
      if (!(c < 0x80 ? am_jinja_put(jinja, s->data + start, 1) : am_jinja_put_text(jinja, code)))
        return false;
    }
  } else if (!am_jinja_put(jinja, s->data, end)) {
    return false;
  }
  return am_jput_padded(jinja, spec, '>', mark);
}

static bool put_char(percent *p, const am_jspec *spec, const am_jvalue *value) {
  size_t mark = am_jinja_mark(p->jinja);
  int64_t code = 0;
  bool ok;
  if (value->kind == AM_J_STRING && value->as.string->n_chars == 1)
    ok = am_jput_str(p->jinja, value);
  else if (!am_jvalue_as_int(value, &code))
    return am_jinja_raise(p->jinja, "%%c requires int or char");
  else if (code < 0 || code > 0x10FFFF)
    return am_jinja_raise(p->jinja, "%%c arg not in range(0x110000)");
  else
    ok = am_jinja_put_codepoint(p->jinja, (uint32_t)code);
  return ok && am_jput_padded(p->jinja, spec, '>', mark);
}

static bool put_integer(percent *p, am_jspec *spec, am_jvalue value) {
  const char *why = NULL;
  int64_t whole = 0;
  if (value.kind == AM_J_UNDEFINED) return am_jinja_raise_undefined(p->jinja, &value);
  bool decimal = spec->type == 'd' || spec->type == 'i' || spec->type == 'u';
  if (value.kind == AM_J_FLOAT && decimal) {
    if (!am_jnumber_truncate(value.as.real, &whole, &why)) return am_jinja_raise(p->jinja, "%s", why);
    value = am_jint(whole);
  }
  if (!am_jvalue_is_number(&value) || value.kind == AM_J_FLOAT)
    return am_jinja_raise(p->jinja, "%%%c format: %s is required, not %s", spec->type,
                          decimal ? "a real number" : "an integer", am_jvalue_type(&value));
  if (decimal) spec->type = 'd';
  if (spec->precision < 0) return am_jput_number(p->jinja, spec, &value);
  /* a precision is a least number of digits */
  am_jspec digits = {
      .sign = spec->sign, .type = spec->type, .alternate = spec->alternate, .precision = -1, .zero = true};
  am_jvalue plain;
  size_t mark = am_jinja_mark(p->jinja);
  am_jspec bare = {.type = spec->type, .precision = -1, .sign = spec->sign, .alternate = spec->alternate};
  if (!am_jput_number(p->jinja, &bare, &value) || !am_jinja_cut(p->jinja, mark, &plain)) return false;
  size_t head = 0;
  const am_jstring *s = plain.as.string;
  while (head < s->n_bytes && strchr("+- ", s->data[head])) head++;
  if (spec->alternate && spec->type != 'd') head += 2;
  int64_t least = spec->precision + (int64_t)head;
  digits.width = least > (int64_t)s->n_bytes ? least : (int64_t)s->n_bytes;
  if (spec->zero && spec->width > digits.width) digits.width = spec->width;
  return am_jput_number(p->jinja, &digits, &value) && am_jput_padded(p->jinja, spec, '>', mark);
}

static bool put_real(percent *p, const am_jspec *spec, am_jvalue value) {
  if (value.kind == AM_J_UNDEFINED) return am_jinja_raise_undefined(p->jinja, &value);
  if (!am_jvalue_is_number(&value))
    return am_jinja_raise(p->jinja, "must be real number, not %s", am_jvalue_type(&value));
  value = am_jreal(am_jvalue_as_real(&value));
  return am_jput_number(p->jinja, spec, &value);
}

static bool put_conversion(percent *p) {
  am_jspec spec;
  am_jvalue value = am_jmissing();
  if (p->at >= p->end) return am_jinja_raise(p->jinja, "incomplete format");
  if (*p->at == '(' && !take_key(p, &value)) return false;
  if (!parse_spec(p, &spec)) return false;
  if (spec.type == '%') return am_jinja_put(p->jinja, "%", 1);
  if (!strchr("diouxXeEfFgGcrsa", spec.type) || !spec.type)
    return am_jinja_raise(p->jinja, "unsupported format character '%c' (0x%x)",
                          spec.type >= ' ' && spec.type < 127 ? spec.type : '?', (unsigned char)spec.type);
  if (value.kind == AM_J_MISSING && !take(p, &value)) return false;
  switch (spec.type) {
    case 's':
    case 'r':
    case 'a':
      return put_text(p, &spec, &value);
    case 'c':
      return put_char(p, &spec, &value);
    case 'd':
    case 'i':
    case 'u':
    case 'o':
    case 'x':
    case 'X':
      return put_integer(p, &spec, value);
    default:
      return put_real(p, &spec, value);
  }
}

bool am_jformat_percent(am_jinja *jinja, const am_jvalue *format, const am_jvalue *argument, am_jvalue *out) {
  const am_jstring *s = format->as.string;
  percent p = {.jinja = jinja,
               .at = s->data,
               .end = s->data + s->n_bytes,
               .argument = argument,
               .is_tuple = argument->kind == AM_J_TUPLE,
               .escapes = format->marked};
  size_t mark = am_jinja_mark(jinja);
  bool marked = format->marked;
  while (p.at < p.end) {
    const char *sign = memchr(p.at, '%', (size_t)(p.end - p.at));
    const char *stop = sign ? sign : p.end;
    if (!am_jinja_put(jinja, p.at, (size_t)(stop - p.at))) return false;
    if (!sign) break;
    p.at = sign + 1;
    if (!am_jinja_charge(jinja, 1) || !put_conversion(&p)) return false;
  }
  /* what has [] may be there for named fields alone */
  bool is_mapping = argument->kind == AM_J_DICT || argument->kind == AM_J_LIST ||
                    argument->kind == AM_J_RANGE || argument->kind == AM_J_UNDEFINED;
  if (!is_mapping && p.next < (p.is_tuple ? argument->as.list->n : 1))
    return am_jinja_raise(jinja, "not all arguments converted during string formatting");
  if (!am_jinja_cut(jinja, mark, out)) return false;
  out->marked = marked;
  return true;
}
