/* SPDX-License-Identifier: Apache-2.0 */
/* "{} {name.attr[0]!r:>10}".format(...), as string.Formatter does with the sandbox's lookups. */
#include "template/jinja/format.h"

#include <string.h>

#include "template/jinja/attribute.h"
#include "template/jinja/number.h"
#include "template/jinja/unicode.h"

typedef struct formatter {
  am_jinja *jinja;
  const am_jargs *args;
  int64_t next; /* automatic number; -1: numbers are written out */
  bool escapes;
} formatter;

static bool put_format(formatter *f, const char *text, size_t n, int depth);

static bool all_digits(const char *text, size_t n) {
  for (size_t i = 0; i < n; i++)
    if (text[i] < '0' || text[i] > '9') return false;
  return n > 0;
}

static bool positional(formatter *f, uint64_t index, am_jvalue *out) {
  if (index >= f->args->n)
    return am_jinja_raise(f->jinja, "Replacement index %llu out of range for positional args tuple",
                          (unsigned long long)index);
  *out = f->args->items[index];
  return true;
}

/* The argument that the name before the first '.' or '[' means. */
static bool first_value(formatter *f, const char *name, size_t n, am_jvalue *out) {
  if (!n) {
    if (f->next < 0)
      return am_jinja_raise(f->jinja,
                            "cannot switch from manual field specification to automatic field numbering");
    return positional(f, (uint64_t)f->next++, out);
  }
  if (all_digits(name, n)) {
    uint64_t index = 0;
    if (f->next > 0)
      return am_jinja_raise(f->jinja,
                            "cannot switch from manual field specification to automatic field numbering");
    f->next = -1;
    for (size_t i = 0; i < n && index < UINT32_MAX; i++) index = index * 10 + (uint64_t)(name[i] - '0');
    return positional(f, index, out);
  }
  for (size_t i = 0; i < f->args->n_keywords; i++) {
    const am_jvalue *key = &f->args->keywords[i].key;
    if (key->kind != AM_J_STRING || key->as.string->n_bytes != n ||
        memcmp(key->as.string->data, name, n) != 0)
      continue;
    *out = f->args->keywords[i].value;
    return true;
  }
  return am_jinja_raise(f->jinja, "KeyError: '%.*s'", (int)(n < 200 ? n : 200), name);
}

static bool field_value(formatter *f, const char *name, size_t n, am_jvalue *out) {
  size_t i = 0;
  while (i < n && name[i] != '.' && name[i] != '[') i++;
  if (!first_value(f, name, i, out)) return false;
  while (i < n) {
    am_jvalue object = *out, key;
    size_t start = ++i;
    if (name[start - 1] == '.') {
      while (i < n && name[i] != '.' && name[i] != '[') i++;
      if (i == start) return am_jinja_raise(f->jinja, "Empty attribute in format string");
      if (!am_jvalue_getattr(f->jinja, &object, name + start, i - start, out)) return false;
      continue;
    }
    while (i < n && name[i] != ']') i++;
    if (i == n) return am_jinja_raise(f->jinja, "Missing ']' in format string");
    if (i == start) return am_jinja_raise(f->jinja, "Empty attribute in format string");
    bool ok = all_digits(name + start, i - start) ? am_jnumber_parse_int(name + start, i - start, 10, &key)
                                                  : am_jstring_view(f->jinja, name + start, i - start, &key);
    if (!ok && !f->jinja->status) return am_jinja_raise(f->jinja, "Too many decimal digits in format string");
    if (!ok || !am_jvalue_getitem(f->jinja, &object, &key, out)) return false;
    i++;
    if (i < n && name[i] != '.' && name[i] != '[')
      return am_jinja_raise(f->jinja, "Only '.' or '[' may follow ']' in format field specifier");
  }
  return true;
}

static bool read_number(formatter *f, const char *text, size_t n, size_t *i, int64_t *out) {
  for (*out = 0; *i < n && text[*i] >= '0' && text[*i] <= '9'; (*i)++) {
    *out = *out * 10 + (text[*i] - '0');
    if (*out > INT32_MAX) return am_jinja_raise(f->jinja, "Too many decimal digits in format string");
  }
  return true;
}

static bool is_align(char c) { return c == '<' || c == '>' || c == '^' || c == '='; }

static bool parse_spec(formatter *f, const am_jstring *text, am_jspec *spec) {
  const char *s = text->data;
  size_t n = text->n_bytes, i = 0, after_fill = 0;
  *spec = (am_jspec){.precision = -1};
  if (n) {
    uint32_t fill = am_unicode_next(s, n, &after_fill);
    if (after_fill < n && is_align(s[after_fill])) {
      spec->fill = fill;
      spec->align = s[after_fill];
      i = after_fill + 1;
    } else if (is_align(s[0])) {
      spec->align = s[i++];
    }
  }
  if (i < n && (s[i] == '+' || s[i] == '-' || s[i] == ' ')) spec->sign = s[i++];
  if (i < n && s[i] == '#') spec->alternate = true, i++;
  if (i < n && s[i] == '0') {
    if (!spec->fill) spec->zero = true, spec->fill = spec->align && spec->align != '=' ? '0' : 0;
    i++;
  }
  if (!read_number(f, s, n, &i, &spec->width)) return false;
  if (i < n && (s[i] == ',' || s[i] == '_')) spec->grouping = s[i++];
  if (i < n && s[i] == '.') {
    size_t start = ++i;
    if (!read_number(f, s, n, &i, &spec->precision)) return false;
    if (i == start) return am_jinja_raise(f->jinja, "Format specifier missing precision");
  }
  if (i < n) spec->type = s[i++];
  if (i < n) return am_jinja_raise(f->jinja, "Invalid format specifier");
  return true;
}

static bool put_string(formatter *f, const am_jspec *spec, const am_jvalue *value) {
  const am_jstring *s = value->as.string;
  if (spec->type && spec->type != 's')
    return am_jinja_raise(f->jinja, "Unknown format code '%c' for object of type 'str'", spec->type);
  if (spec->sign) return am_jinja_raise(f->jinja, "Sign not allowed in string format specifier");
  if (spec->align == '=')
    return am_jinja_raise(f->jinja, "'=' alignment not allowed in string format specifier");
  size_t mark = am_jinja_mark(f->jinja);
  size_t end = spec->precision >= 0 && (uint64_t)spec->precision < s->n_chars
                   ? am_jstring_offset(s, (size_t)spec->precision)
                   : s->n_bytes;
  am_jspec padded = *spec;
  if (spec->zero && !spec->fill) padded.fill = '0';
  return am_jinja_put(f->jinja, s->data, end) && am_jput_padded(f->jinja, &padded, '<', mark);
}

static bool put_value(formatter *f, const am_jvalue *value, const am_jstring *spec_text) {
  am_jspec spec;
  if (!spec_text->n_bytes)
    return f->escapes ? am_jput_escaped(f->jinja, value) : am_jput_str(f->jinja, value);
  if (!parse_spec(f, spec_text, &spec)) return false;
  if (value->kind == AM_J_STRING) return put_string(f, &spec, value);
  if (!am_jvalue_is_number(value))
    return am_jinja_raise(f->jinja, "unsupported format string passed to %s.__format__",
                          am_jvalue_type(value));
  const char *types = value->kind == AM_J_FLOAT ? "eEfFgGn%" : "bcdoxXneEfFgG%";
  if (spec.type && !strchr(types, spec.type))
    return am_jinja_raise(f->jinja, "Unknown format code '%c' for object of type '%s'", spec.type,
                          am_jvalue_type(value));
  if (value->kind != AM_J_FLOAT && spec.precision >= 0 && !(spec.type && strchr("eEfFgG%", spec.type)))
    return am_jinja_raise(f->jinja, "Precision not allowed in integer format specifier");
  int64_t code;
  if (spec.type == 'c') {
    size_t mark = am_jinja_mark(f->jinja);
    if (!am_jvalue_as_int(value, &code) || code < 0 || code > 0x10FFFF)
      return am_jinja_raise(f->jinja, "%%c arg not in range(0x110000)");
    return am_jinja_put_codepoint(f->jinja, (uint32_t)code) && am_jput_padded(f->jinja, &spec, '<', mark);
  }
  return am_jput_number(f->jinja, &spec, value);
}

/* What stands between the braces: name [! conversion] [: specification]. */
static bool put_field(formatter *f, const char *text, size_t n, int depth) {
  size_t name_end = 0, brackets = 0;
  for (; name_end < n; name_end++) {
    if (text[name_end] == '[') brackets++;
    if (text[name_end] == ']' && brackets) brackets--;
    if (!brackets && (text[name_end] == '!' || text[name_end] == ':')) break;
  }
  size_t i = name_end;
  char conversion = 0;
  am_jvalue value, spec, converted;
  if (i < n && text[i] == '!') {
    if (i + 1 >= n) return am_jinja_raise(f->jinja, "end of string while looking for conversion specifier");
    conversion = text[i + 1];
    i += 2;
    if (i < n && text[i] != ':') return am_jinja_raise(f->jinja, "expected ':' after conversion specifier");
  }
  if (!field_value(f, text, name_end, &value)) return false;
  size_t mark = am_jinja_mark(f->jinja);
  if (conversion) {
    if (conversion != 'r' && conversion != 's' && conversion != 'a')
      return am_jinja_raise(f->jinja, "Unknown conversion specifier %c", conversion);
    bool ok = conversion == 's' ? am_jput_str(f->jinja, &value) : am_jput_repr(f->jinja, &value);
    if (!ok || !am_jinja_cut(f->jinja, mark, &converted)) return false;
    value = converted;
  }
  bool formatter_escapes = f->escapes;
  f->escapes = false;
  bool ok = i >= n || put_format(f, text + i + 1, n - i - 1, depth + 1);
  f->escapes = formatter_escapes;
  return ok && am_jinja_cut(f->jinja, mark, &spec) && put_value(f, &value, spec.as.string);
}

static bool put_format(formatter *f, const char *text, size_t n, int depth) {
  if (depth > 2) return am_jinja_raise(f->jinja, "Max string recursion exceeded");
  for (size_t i = 0; i < n;) {
    size_t start = i;
    while (i < n && text[i] != '{' && text[i] != '}') i++;
    if (!am_jinja_put(f->jinja, text + start, i - start)) return false;
    if (i >= n) break;
    char brace = text[i++];
    if (i < n && text[i] == brace) {
      i++;
      if (!am_jinja_put(f->jinja, &brace, 1)) return false;
      continue;
    }
    if (brace == '}') return am_jinja_raise(f->jinja, "Single '}' encountered in format string");
    start = i;
    int open = 1;
    for (; i < n && open > 0; i++) open += text[i] == '{' ? 1 : text[i] == '}' ? -1 : 0;
    if (open > 0)
      return am_jinja_raise(f->jinja, start == n ? "Single '{' encountered in format string"
                                                 : "expected '}' before end of string");
    if (!am_jinja_charge(f->jinja, 1) || !put_field(f, text + start, i - 1 - start, depth)) return false;
  }
  return true;
}

bool am_jformat_braces(am_jinja *jinja, const am_jvalue *format, const am_jargs *args, am_jvalue *out) {
  formatter f = {.jinja = jinja, .args = args, .escapes = format->marked};
  size_t mark = am_jinja_mark(jinja);
  bool marked = format->marked;
  if (!put_format(&f, format->as.string->data, format->as.string->n_bytes, 0) ||
      !am_jinja_cut(jinja, mark, out))
    return false;
  out->marked = marked;
  return true;
}
