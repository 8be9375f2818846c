/* SPDX-License-Identifier: Apache-2.0 */
#include "template/jinja/filters.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "template/jinja/attribute.h"
#include "template/jinja/eval.h"
#include "template/jinja/format.h"
#include "template/jinja/iterate.h"
#include "template/jinja/number.h"
#include "template/jinja/sort.h"
#include "template/jinja/text.h"
#include "template/jinja/unicode.h"

#define FILTER(name) \
  bool am_jfilter_##name(am_jinja *jinja, const am_jvalue *value, const am_jargs *args, am_jvalue *out)

static bool no_args(am_jinja *jinja, const char *name, const am_jargs *args) {
  return am_jargs_bind(jinja, name, args, NULL, 0, 0, NULL);
}

/* An argument that has to be an integer, with a default. */
static bool int_arg(am_jinja *jinja, const am_jvalue *value, int64_t fallback, int64_t *out) {
  *out = fallback;
  if (value->kind == AM_J_MISSING || am_jvalue_as_int(value, out)) return true;
  if (value->kind == AM_J_UNDEFINED) return am_jinja_raise_undefined(jinja, value);
  return am_jinja_raise(jinja, "'%s' object cannot be interpreted as an integer", am_jvalue_type(value));
}

#define CASE_FILTER(name, how)                                                             \
  FILTER(name) {                                                                           \
    am_jvalue text;                                                                        \
    return no_args(jinja, "do_" #name, args) && am_jvalue_soft_str(jinja, value, &text) && \
           am_jtext_case(jinja, &text, how, out);                                          \
  }
CASE_FILTER(upper, AM_JCASE_UPPER)
CASE_FILTER(lower, AM_JCASE_LOWER)
CASE_FILTER(capitalize, AM_JCASE_CAPITAL)

/* Words begin after blanks, hyphens and opening brackets; unlike str.title, letters after other signs stay
 * small. */
FILTER(title) {
  am_jvalue text;
  if (!no_args(jinja, "do_title", args) || !am_jvalue_soft_str(jinja, value, &text)) return false;
  const am_jstring *s = text.as.string;
  size_t mark = am_jinja_mark(jinja);
  for (size_t start = 0; start < s->n_bytes;) {
    size_t end = start, first = start;
    uint32_t c = 0, upper[3];
    bool separators = false;
    while (end < s->n_bytes) {
      size_t next = end;
      c = am_unicode_next(s->data, s->n_bytes, &next);
      bool is_separator = am_unicode_is_space(c) || (c < 0x80 && c && strchr("-({[<", (int)c));
      if (end == start)
        separators = is_separator;
      else if (is_separator != separators)
        break;
      end = next;
    }
    c = am_unicode_next(s->data, end, &first);
    int n = am_unicode_upper(c, upper);
    for (int i = 0; i < n; i++)
      if (!am_jinja_put_codepoint(jinja, upper[i])) return false;
    am_jstring rest;
    am_jstring_set(&rest, s->data + first, end - first);
    if (!am_jtext_put_lower(jinja, &rest, 0, rest.n_bytes)) return false;
    start = end;
  }
  return am_jinja_cut(jinja, mark, out);
}

FILTER(center) {
  static const char *const params[] = {"width"};
  am_jvalue given, text;
  int64_t width;
  am_jstring blank;
  am_jstring_set(&blank, " ", 1);
  return am_jargs_bind(jinja, "do_center", args, params, 1, 0, &given) &&
         int_arg(jinja, &given, 80, &width) && am_jvalue_soft_str(jinja, value, &text) &&
         am_jtext_pad(jinja, &text, width, &blank, '^', out);
}

FILTER(escape) { return no_args(jinja, "escape", args) && am_jvalue_escape(jinja, value, out); }

FILTER(forceescape) {
  am_jvalue text;
  return no_args(jinja, "do_forceescape", args) && am_jvalue_str(jinja, value, &text) &&
         am_jvalue_escape(jinja, &text, out);
}

FILTER(safe) {
  if (!no_args(jinja, "do_mark_safe", args) || !am_jvalue_str(jinja, value, out)) return false;
  out->marked = true;
  return true;
}

FILTER(string) { return no_args(jinja, "soft_str", args) && am_jvalue_soft_str(jinja, value, out); }

FILTER(format) {
  am_jvalue text, argument;
  if (args->n && args->n_keywords)
    return am_jinja_raise(jinja, "can't handle positional and keyword arguments at the same time");
  if (args->n_keywords) {
    am_jdict *dict = NULL;
    if (!am_jdict_new(jinja, args->n_keywords, &dict)) return false;
    for (size_t i = 0; i < args->n_keywords; i++)
      if (!am_jdict_set(jinja, dict, args->keywords[i].key, args->keywords[i].value)) return false;
    argument = am_jdict_value(dict);
  } else {
    am_jlist *list = NULL;
    if (!am_jlist_new(jinja, args->n, &list)) return false;
    for (size_t i = 0; i < args->n; i++)
      if (!am_jlist_push(jinja, list, args->items[i])) return false;
    argument = am_jtuple_value(list);
  }
  return am_jvalue_soft_str(jinja, value, &text) && am_jformat_percent(jinja, &text, &argument, out);
}

FILTER(trim) {
  static const char *const params[] = {"chars"};
  am_jvalue chars, text;
  if (!am_jargs_bind(jinja, "do_trim", args, params, 1, 0, &chars)) return false;
  if (chars.kind == AM_J_MISSING) chars = am_jnone();
  if (chars.kind != AM_J_NONE && chars.kind != AM_J_STRING)
    return am_jinja_raise(jinja, "strip arg must be None or str");
  return am_jvalue_soft_str(jinja, value, &text) && am_jtext_strip(jinja, &text, &chars, true, true, out);
}

FILTER(replace) {
  static const char *const params[] = {"old", "new", "count"};
  am_jvalue given[3], text, old, new;
  int64_t count;
  if (!am_jargs_bind(jinja, "do_replace", args, params, 3, 2, given)) return false;
  if (given[2].kind == AM_J_NONE) given[2] = am_jmissing();
  return int_arg(jinja, &given[2], -1, &count) && am_jvalue_str(jinja, value, &text) &&
         am_jvalue_str(jinja, &given[0], &old) && am_jvalue_str(jinja, &given[1], &new) &&
         am_jtext_replace(jinja, &text, old.as.string, new.as.string, count, out);
}

/* s + "\n" has to work for the value, then its lines are indented; Markup stays Markup. */
FILTER(indent) {
  static const char *const params[] = {"width", "first", "blank"};
  am_jvalue given[3], newline, text, indent, blank;
  int64_t width;
  am_jlist *lines = NULL;
  if (!am_jargs_bind(jinja, "do_indent", args, params, 3, 0, given)) return false;
  bool marked = value->kind == AM_J_STRING && value->marked;
  if (given[0].kind == AM_J_STRING) {
    indent = given[0];
  } else if (!int_arg(jinja, &given[0], 4, &width) || !am_jstring_text(jinja, "", &blank) ||
             !am_jtext_pad(jinja, &blank, width, &(am_jstring){" ", 1, 1}, '<', &indent)) {
    return false;
  }
  if (!am_jstring_text(jinja, "\n", &newline) || !am_joperate(jinja, AM_JOP_ADD, value, &newline, &text))
    return false;
  text.marked = false;
  if (!am_jtext_lines(jinja, &text, false, &lines)) return false;
  size_t mark = am_jinja_mark(jinja);
  for (size_t i = 0; i < lines->n; i++) {
    const am_jstring *line = lines->items[i].as.string;
    bool indented = i ? line->n_bytes || am_jvalue_truth(&given[2]) : am_jvalue_truth(&given[1]);
    if ((i && !am_jinja_put(jinja, "\n", 1)) ||
        (indented && !am_jinja_put(jinja, indent.as.string->data, indent.as.string->n_bytes)) ||
        !am_jinja_put(jinja, line->data, line->n_bytes))
      return false;
  }
  if (!am_jinja_cut(jinja, mark, out)) return false;
  out->marked = marked;
  return true;
}

FILTER(truncate) {
  static const char *const params[] = {"length", "killwords", "end", "leeway"};
  am_jvalue given[4], head, end_text;
  int64_t length, leeway;
  size_t n = 0;
  if (!am_jargs_bind(jinja, "do_truncate", args, params, 4, 0, given)) return false;
  if (given[3].kind == AM_J_NONE) given[3] = am_jmissing();
  if (given[2].kind == AM_J_MISSING && !am_jstring_text(jinja, "...", &given[2])) return false;
  if (!int_arg(jinja, &given[0], 255, &length) || !int_arg(jinja, &given[3], 5, &leeway)) return false;
  if (given[2].kind != AM_J_STRING)
    return am_jinja_raise(jinja, "object of type '%s' has no len()", am_jvalue_type(&given[2]));
  int64_t n_end = (int64_t)given[2].as.string->n_chars;
  if (length < n_end)
    return am_jinja_raise(jinja, "expected length >= %" PRId64 ", got %" PRId64, n_end, length);
  if (leeway < 0) return am_jinja_raise(jinja, "expected leeway >= 0, got %" PRId64, leeway);
  if (!am_jvalue_length(value, &n))
    return am_jinja_raise(jinja, "object of type '%s' has no len()", am_jvalue_type(value));
  if ((int64_t)n - leeway <= length) return *out = *value, true;
  if (value->kind != AM_J_STRING)
    return am_jinja_raise(jinja, "'%s' object has no attribute 'rsplit'", am_jvalue_type(value));
  if (!am_jstring_part(jinja, value, 0, (size_t)(length - n_end), &head)) return false;
  if (!am_jvalue_truth(&given[1])) {
    const am_jstring *s = head.as.string;
    const char *blank = s->n_bytes ? memrchr(s->data, ' ', s->n_bytes) : NULL;
    if (blank && !am_jtext_bytes(jinja, &head, 0, (size_t)(blank - s->data), &head)) return false;
  }
  end_text = given[2];
  return am_joperate(jinja, AM_JOP_ADD, &head, &end_text, out);
}

FILTER(wordcount) {
  am_jvalue text;
  if (!no_args(jinja, "do_wordcount", args) || !am_jvalue_soft_str(jinja, value, &text)) return false;
  const am_jstring *s = text.as.string;
  int64_t n = 0;
  bool inside = false;
  for (size_t i = 0; i < s->n_bytes;) {
    uint32_t c = am_unicode_next(s->data, s->n_bytes, &i);
    bool is_word = c == '_' || am_unicode_is_alpha(c) || am_unicode_is_numeric(c);
    n += is_word && !inside;
    inside = is_word;
  }
  *out = am_jint(n);
  return am_jinja_charge(jinja, s->n_bytes / 8);
}

FILTER(filesizeformat) {
  static const char *const params[] = {"binary"};
  static const char *const prefixes[2][8] = {{"kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"},
                                             {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB"}};
  am_jvalue given;
  double bytes;
  char text[400];
  if (!am_jargs_bind(jinja, "do_filesizeformat", args, params, 1, 0, &given)) return false;
  if (value->kind == AM_J_UNDEFINED) return am_jinja_raise_undefined(jinja, value);
  if (am_jvalue_is_number(value))
    bytes = am_jvalue_as_real(value);
  else if (value->kind != AM_J_STRING)
    return am_jinja_raise(jinja, "float() argument must be a string or a real number, not '%s'",
                          am_jvalue_type(value));
  else if (!am_jnumber_float_of_text(value->as.string, &bytes))
    return am_jinja_raise(jinja, "could not convert string to float");
  bool binary = am_jvalue_truth(&given);
  double base = binary ? 1024 : 1000, unit = base;
  if (bytes == 1) {
    snprintf(text, sizeof text, "1 Byte");
  } else if (bytes < base) {
    if (!isfinite(bytes)) return am_jinja_raise(jinja, "cannot convert float infinity to integer");
    snprintf(text, sizeof text, "%.0f Bytes", trunc(bytes));
  } else {
    int i = 0;
    unit = base * base;
    while (i < 7 && !(bytes < unit)) {
      unit *= base;
      i++;
    }
    snprintf(text, sizeof text, "%.1f %s", base * bytes / unit, prefixes[binary][i]);
  }
  return am_jstring_copy(jinja, text, strlen(text), out);
}

/* --- URLs and HTML --- */
static bool put_quoted(am_jinja *jinja, const am_jvalue *value, bool in_query) {
  am_jvalue text;
  if (!am_jvalue_str(jinja, value, &text)) return false;
  const am_jstring *s = text.as.string;
  for (size_t i = 0; i < s->n_bytes; i++) {
    unsigned char c = (unsigned char)s->data[i];
    bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                 (c && strchr("_.-~", c)) || (c == '/' && !in_query);
    char code[4];
    snprintf(code, sizeof code, "%%%02X", c);
    if (in_query && c == ' ' ? !am_jinja_put(jinja, "+", 1)
                             : !am_jinja_put(jinja, plain ? (const char *)&s->data[i] : code, plain ? 1 : 3))
      return false;
  }
  return true;
}

static bool put_query(am_jinja *jinja, const am_jvalue *pair, bool first) {
  am_jlist *both = NULL;
  if (!am_jvalue_iterable(pair))
    return am_jinja_raise(jinja, "cannot unpack non-iterable %s object", am_jvalue_type(pair));
  if (!am_jiterator_list(jinja, pair, &both)) return false;
  if (both->n != 2)
    return am_jinja_raise(jinja, "%s values to unpack (expected 2)", both->n < 2 ? "not enough" : "too many");
  return (first || am_jinja_put(jinja, "&", 1)) && put_quoted(jinja, &both->items[0], true) &&
         am_jinja_put(jinja, "=", 1) && put_quoted(jinja, &both->items[1], true);
}

FILTER(urlencode) {
  if (!no_args(jinja, "do_urlencode", args)) return false;
  size_t mark = am_jinja_mark(jinja);
  if (value->kind == AM_J_STRING || !am_jvalue_iterable(value))
    return put_quoted(jinja, value, false) && am_jinja_cut(jinja, mark, out);
  am_jview view = {.kind = AM_JVIEW_ITEMS, .dict = value->kind == AM_J_DICT ? value->as.dict : NULL};
  am_jvalue source = value->kind == AM_J_DICT ? (am_jvalue){.kind = AM_J_VIEW, .as.view = &view} : *value;
  am_jiterator *iterator = NULL;
  if (!am_jiterator_open(jinja, &source, &iterator)) return false;
  for (bool first = true;; first = false) {
    am_jvalue pair;
    bool done = false;
    if (!am_jiterator_next(jinja, iterator, &pair, &done)) return false;
    if (done) return am_jinja_cut(jinja, mark, out);
    if (!put_query(jinja, &pair, first)) return false;
  }
}

FILTER(xmlattr) {
  static const char *const params[] = {"autospace"};
  am_jvalue given;
  if (!am_jargs_bind(jinja, "do_xmlattr", args, params, 1, 0, &given)) return false;
  if (value->kind == AM_J_UNDEFINED) return am_jinja_raise_undefined(jinja, value);
  if (value->kind != AM_J_DICT)
    return am_jinja_raise(jinja, "'%s' object has no attribute 'items'", am_jvalue_type(value));
  bool space = given.kind == AM_J_MISSING || am_jvalue_truth(&given), first = true;
  size_t mark = am_jinja_mark(jinja);
  for (size_t i = 0; i < value->as.dict->n; i++) {
    const am_jentry *entry = &value->as.dict->entries[i];
    if (entry->value.kind == AM_J_NONE || entry->value.kind == AM_J_UNDEFINED) continue;
    if (entry->key.kind != AM_J_STRING)
      return am_jinja_raise(jinja, "expected string or bytes-like object, got '%s'",
                            am_jvalue_type(&entry->key));
    const am_jstring *key = entry->key.as.string;
    for (size_t k = 0; k < key->n_bytes; k++)
      if (key->data[k] && strchr(" \t\n\r\f\v/>=", key->data[k]))
        return am_jinja_raise(jinja, "Invalid character in attribute name");
    if ((!first || space) && !am_jinja_put(jinja, " ", 1)) return false;
    if (!am_jput_escaped(jinja, &entry->key) || !am_jinja_put_text(jinja, "=\"") ||
        !am_jput_escaped(jinja, &entry->value) || !am_jinja_put(jinja, "\"", 1))
      return false;
    first = false;
  }
  return am_jinja_cut(jinja, mark, out);
}

/* The entity at text[0] = '&': its length with the semicolon, 0 for none of those known here. */
static size_t read_entity(const char *text, size_t n, uint32_t *out) {
  static const struct {
    const char *name;
    uint32_t codepoint;
  } entities[] = {{"&amp;", '&'},  {"&lt;", '<'},    {"&gt;", '>'},
                  {"&quot;", '"'}, {"&apos;", '\''}, {"&nbsp;", 0xA0}};
  for (size_t i = 0; i < sizeof entities / sizeof *entities; i++) {
    size_t length = strlen(entities[i].name);
    if (n < length || memcmp(text, entities[i].name, length) != 0) continue;
    *out = entities[i].codepoint;
    return length;
  }
  if (n < 4 || text[1] != '#') return 0;
  int base = text[2] == 'x' || text[2] == 'X' ? 16 : 10;
  size_t i = base == 16 ? 3 : 2, start = i;
  uint32_t c = 0;
  for (; i < n && c <= 0x10FFFF; i++) {
    int digit = text[i] >= '0' && text[i] <= '9'                           ? text[i] - '0'
                : base == 16 && strchr("abcdefABCDEF", text[i]) && text[i] ? (text[i] | 0x20) - 'a' + 10
                                                                           : -1;
    if (digit < 0) break;
    c = c * (uint32_t)base + (uint32_t)digit;
  }
  if (i == start || i >= n || text[i] != ';') return 0;
  *out = c == 0 || c > 0x10FFFF ? 0xFFFD : c;
  return i + 1;
}

static bool put_without_tags(am_jinja *jinja, const am_jstring *s) {
  size_t position = 0;
  for (size_t start = 0; start < s->n_bytes;) {
    const char *tag = memchr(s->data + start, '<', s->n_bytes - start);
    if (!tag) break;
    size_t at = (size_t)(tag - s->data), left = s->n_bytes - at;
    bool comment = left >= 4 && memcmp(tag, "<!--", 4) == 0;
    const char *end = comment ? memmem(tag + 4, left - 4, "-->", 3) : memchr(tag, '>', left);
    if (!end) break;
    if (!am_jinja_put(jinja, s->data + position, at - position)) return false;
    position = start = (size_t)(end - s->data) + (comment ? 3 : 1);
  }
  return am_jinja_put(jinja, s->data + position, s->n_bytes - position);
}

/* Tags go, runs of blanks become one, the common entities and numeric ones become characters. */
FILTER(striptags) {
  am_jvalue text, none = am_jnone();
  am_jlist *words = NULL;
  if (!no_args(jinja, "do_striptags", args) || !am_jvalue_str(jinja, value, &text)) return false;
  size_t mark = am_jinja_mark(jinja);
  if (!put_without_tags(jinja, text.as.string) || !am_jinja_cut(jinja, mark, &text) ||
      !am_jtext_split(jinja, &text, &none, -1, false, &words))
    return false;
  for (size_t i = 0; i < words->n; i++) {
    const am_jstring *word = words->items[i].as.string;
    if (i && !am_jinja_put(jinja, " ", 1)) return false;
    for (size_t k = 0; k < word->n_bytes;) {
      uint32_t c = 0;
      size_t n = word->data[k] == '&' ? read_entity(word->data + k, word->n_bytes - k, &c) : 0;
      if (!(n ? am_jinja_put_codepoint(jinja, c) : am_jinja_put(jinja, word->data + k, 1))) return false;
      k += n ? n : 1;
    }
  }
  return am_jinja_cut(jinja, mark, out);
}

/* --- pprint --- */
static bool sort_dicts(am_jinja *jinja, const am_jvalue *value, am_jvalue *out) {
  if (!am_jinja_stack_ok(jinja) || !am_jinja_charge(jinja, 1)) return false;
  *out = *value;
  if (value->kind == AM_J_LIST || value->kind == AM_J_TUPLE) {
    am_jlist *list = NULL;
    if (!am_jlist_new(jinja, value->as.list->n, &list)) return false;
    for (size_t i = 0; i < value->as.list->n; i++, list->n++)
      if (!sort_dicts(jinja, &value->as.list->items[i], &list->items[i])) return false;
    out->as.list = list;
  } else if (value->kind == AM_J_DICT) {
    size_t n = value->as.dict->n;
    am_jvalue *keys = am_jinja_alloc(jinja, n ? n : 1, sizeof *keys),
              *values = am_jinja_alloc(jinja, n ? n : 1, sizeof *values);
    am_jdict *dict = NULL;
    if (!keys || !values || !am_jdict_new(jinja, n, &dict)) return false;
    for (size_t i = 0; i < n; i++) {
      keys[i] = value->as.dict->entries[i].key;
      if (!sort_dicts(jinja, &value->as.dict->entries[i].value, &values[i])) return false;
    }
    if (!am_jsort(jinja, keys, values, n, false)) return false;
    for (size_t i = 0; i < n; i++)
      if (!am_jdict_set(jinja, dict, keys[i], values[i])) return false;
    out->as.dict = dict;
  }
  return true;
}

FILTER(pprint) {
  am_jvalue sorted;
  if (!no_args(jinja, "do_pprint", args) || !sort_dicts(jinja, value, &sorted)) return false;
  size_t mark = am_jinja_mark(jinja);
  if (!am_jput_repr(jinja, &sorted) || !am_jinja_cut(jinja, mark, out)) return false;
  return out->as.string->n_chars <= 80 ||
         am_jinja_raise(jinja, "pprint of more than one line (80 characters) is not supported");
}
