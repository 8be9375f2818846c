/* SPDX-License-Identifier: Apache-2.0 */
/* Methods of Python's str; methods_collection.c has those of dict, list, tuple and range. */
#include "template/jinja/methods.h"

#include <string.h>

#include "template/jinja/attribute.h"
#include "template/jinja/eval.h"
#include "template/jinja/format.h"
#include "template/jinja/iterate.h"
#include "template/jinja/text.h"
#include "template/jinja/unicode.h"

#define METHOD(name) \
  static bool name(am_jinja *jinja, const am_jfunction *self, const am_jargs *args, am_jvalue *out)

/* Positional arguments alone; missing ones are MISSING. */
static bool bind(am_jinja *jinja, const am_jfunction *self, const am_jargs *args, size_t required, size_t n,
                 am_jvalue *out) {
  return am_jargs_bind(jinja, self->name, args, NULL, n, required, out);
}

static bool no_arguments(am_jinja *jinja, const am_jfunction *self, const am_jargs *args) {
  if (!args->n && !args->n_keywords) return am_jinja_charge(jinja, self->receiver.as.string->n_bytes / 8);
  return am_jinja_raise(jinja, "str.%s() takes no arguments (%zu given)", self->name,
                        args->n + args->n_keywords);
}

static bool need_string(am_jinja *jinja, const am_jfunction *self, const am_jvalue *value) {
  if (value->kind == AM_J_STRING) return true;
  return am_jinja_raise(jinja, "%s() argument must be str, not %s", self->name, am_jvalue_type(value));
}

static bool optional_int(am_jinja *jinja, const am_jvalue *value, int64_t fallback, int64_t *out) {
  *out = fallback;
  if (value->kind == AM_J_MISSING || am_jvalue_as_int(value, out)) return true;
  return am_jinja_raise(jinja, "'%s' object cannot be interpreted as an integer", am_jvalue_type(value));
}

/* --- case --- */
#define CASE_METHOD(name, how) \
  METHOD(name) { return no_arguments(jinja, self, args) && am_jtext_case(jinja, &self->receiver, how, out); }
CASE_METHOD(str_upper, AM_JCASE_UPPER)
CASE_METHOD(str_lower, AM_JCASE_LOWER)
CASE_METHOD(str_title, AM_JCASE_TITLE)
CASE_METHOD(str_capitalize, AM_JCASE_CAPITAL)
CASE_METHOD(str_swapcase, AM_JCASE_SWAP)
CASE_METHOD(str_casefold, AM_JCASE_FOLD)

/* --- strip --- */
static bool strip(am_jinja *jinja, const am_jfunction *self, const am_jargs *args, bool left, bool right,
                  am_jvalue *out) {
  am_jvalue chars;
  if (!bind(jinja, self, args, 0, 1, &chars)) return false;
  if (chars.kind == AM_J_MISSING) chars = am_jnone();
  if (chars.kind != AM_J_NONE && chars.kind != AM_J_STRING)
    return am_jinja_raise(jinja, "%s arg must be None or str", self->name);
  return am_jtext_strip(jinja, &self->receiver, &chars, left, right, out);
}
METHOD(str_strip) { return strip(jinja, self, args, true, true, out); }
METHOD(str_lstrip) { return strip(jinja, self, args, true, false, out); }
METHOD(str_rstrip) { return strip(jinja, self, args, false, true, out); }

/* --- split --- */
static bool split(am_jinja *jinja, const am_jfunction *self, const am_jargs *args, bool from_right,
                  am_jvalue *out) {
  static const char *const params[] = {"sep", "maxsplit"};
  am_jvalue given[2];
  int64_t limit;
  am_jlist *list = NULL;
  if (!am_jargs_bind(jinja, self->name, args, params, 2, 0, given) ||
      !optional_int(jinja, &given[1], -1, &limit))
    return false;
  if (given[0].kind == AM_J_MISSING) given[0] = am_jnone();
  if (!am_jtext_split(jinja, &self->receiver, &given[0], limit, from_right, &list)) return false;
  *out = am_jlist_value(list);
  return true;
}
METHOD(str_split) { return split(jinja, self, args, false, out); }
METHOD(str_rsplit) { return split(jinja, self, args, true, out); }

METHOD(str_splitlines) {
  static const char *const params[] = {"keepends"};
  am_jvalue keep;
  am_jlist *list = NULL;
  int64_t flag;
  if (!am_jargs_bind(jinja, self->name, args, params, 1, 0, &keep) || !optional_int(jinja, &keep, 0, &flag) ||
      !am_jtext_lines(jinja, &self->receiver, flag != 0, &list))
    return false;
  *out = am_jlist_value(list);
  return true;
}

static bool partition(am_jinja *jinja, const am_jfunction *self, const am_jargs *args, bool from_right,
                      am_jvalue *out) {
  am_jvalue separator, parts[3];
  if (!bind(jinja, self, args, 1, 1, &separator) || !need_string(jinja, self, &separator)) return false;
  const am_jstring *s = self->receiver.as.string, *sep = separator.as.string;
  if (!sep->n_bytes) return am_jinja_raise(jinja, "empty separator");
  size_t at = am_jtext_find(jinja, s, sep, 0, s->n_bytes, from_right), n = s->n_bytes;
  size_t cuts[4] = {0, at, at + sep->n_bytes, n};
  if (at == SIZE_MAX) { /* not there: everything is the first (or last) part */
    cuts[1] = cuts[2] = from_right ? 0 : n;
  }
  am_jlist *list = NULL;
  if (!am_jlist_new(jinja, 3, &list)) return false;
  for (int i = 0; i < 3; i++)
    if (!am_jtext_bytes(jinja, &self->receiver, cuts[i], cuts[i + 1], &parts[i]) ||
        !am_jlist_push(jinja, list, parts[i]))
      return false;
  *out = am_jtuple_value(list);
  return am_jinja_charge(jinja, n / 64);
}
METHOD(str_partition) { return partition(jinja, self, args, false, out); }
METHOD(str_rpartition) { return partition(jinja, self, args, true, out); }

/* --- search --- */
static bool bound_of(am_jinja *jinja, const am_jvalue *value, int64_t n, int64_t fallback, int64_t *out) {
  *out = fallback;
  if (value->kind == AM_J_MISSING || value->kind == AM_J_NONE) return true;
  if (!am_jvalue_as_int(value, out))
    return am_jinja_raise(jinja, "slice indices must be integers or None or have an __index__ method");
  if (*out < 0) *out = *out < -n ? 0 : *out + n;
  return true;
}

/* The part of the string that the arguments from and to name, in bytes; false in *inside: none. */
static bool window(am_jinja *jinja, const am_jstring *s, const am_jvalue *bounds, size_t *start, size_t *end,
                   bool *inside) {
  int64_t n = (int64_t)s->n_chars, from, to;
  if (!bound_of(jinja, &bounds[0], n, 0, &from) || !bound_of(jinja, &bounds[1], n, n, &to)) return false;
  if (to > n) to = n;
  *inside = from <= to;
  if (!*inside) return true;
  *start = am_jstring_offset(s, (size_t)from);
  *end = am_jstring_offset(s, (size_t)to);
  return am_jinja_charge(jinja, s->n_bytes / 64);
}

static int64_t chars_before(const am_jstring *s, size_t offset) {
  am_jstring head;
  am_jstring_set(&head, s->data, offset);
  return (int64_t)head.n_chars;
}

static bool find(am_jinja *jinja, const am_jfunction *self, const am_jargs *args, bool from_right, bool must,
                 am_jvalue *out) {
  am_jvalue given[3];
  const am_jstring *s = self->receiver.as.string;
  size_t start = 0, end = 0, at = SIZE_MAX;
  bool inside = false;
  if (!bind(jinja, self, args, 1, 3, given) || !need_string(jinja, self, &given[0]) ||
      !window(jinja, s, given + 1, &start, &end, &inside))
    return false;
  if (inside) at = am_jtext_find(jinja, s, given[0].as.string, start, end, from_right);
  if (at == SIZE_MAX && must) return am_jinja_raise(jinja, "substring not found");
  *out = am_jint(at == SIZE_MAX ? -1 : chars_before(s, at));
  return true;
}
METHOD(str_find) { return find(jinja, self, args, false, false, out); }
METHOD(str_rfind) { return find(jinja, self, args, true, false, out); }
METHOD(str_index) { return find(jinja, self, args, false, true, out); }
METHOD(str_rindex) { return find(jinja, self, args, true, true, out); }

METHOD(str_count) {
  am_jvalue given[3];
  const am_jstring *s = self->receiver.as.string;
  size_t start = 0, end = 0;
  bool inside = false;
  int64_t n = 0;
  if (!bind(jinja, self, args, 1, 3, given) || !need_string(jinja, self, &given[0]) ||
      !window(jinja, s, given + 1, &start, &end, &inside))
    return false;
  const am_jstring *part = given[0].as.string;
  if (inside && !part->n_bytes) {
    am_jstring middle;
    am_jstring_set(&middle, s->data + start, end - start);
    n = (int64_t)middle.n_chars + 1;
  }
  while (inside && part->n_bytes) {
    size_t at = am_jtext_find(jinja, s, part, start, end, false);
    if (at == SIZE_MAX) break;
    n++;
    start = at + part->n_bytes;
  }
  *out = am_jint(n);
  return true;
}

static bool affix_matches(const am_jstring *s, size_t start, size_t end, const am_jstring *affix,
                          bool at_end) {
  if (affix->n_bytes > end - start) return false;
  return memcmp(s->data + (at_end ? end - affix->n_bytes : start), affix->data, affix->n_bytes) == 0;
}

static bool affix(am_jinja *jinja, const am_jfunction *self, const am_jargs *args, bool at_end,
                  am_jvalue *out) {
  am_jvalue given[3];
  const am_jstring *s = self->receiver.as.string;
  size_t start = 0, end = 0;
  bool inside = false, matches = false;
  if (!bind(jinja, self, args, 1, 3, given) || !window(jinja, s, given + 1, &start, &end, &inside))
    return false;
  if (given[0].kind == AM_J_STRING) {
    matches = inside && affix_matches(s, start, end, given[0].as.string, at_end);
  } else if (given[0].kind == AM_J_TUPLE) {
    for (size_t i = 0; i < given[0].as.list->n && !matches; i++) {
      const am_jvalue *item = &given[0].as.list->items[i];
      if (item->kind != AM_J_STRING)
        return am_jinja_raise(jinja, "tuple for %s must only contain str, not %s", self->name,
                              am_jvalue_type(item));
      matches = inside && affix_matches(s, start, end, item->as.string, at_end);
    }
  } else {
    return am_jinja_raise(jinja, "%s first arg must be str or a tuple of str, not %s", self->name,
                          am_jvalue_type(&given[0]));
  }
  *out = am_jbool(matches);
  return true;
}
METHOD(str_startswith) { return affix(jinja, self, args, false, out); }
METHOD(str_endswith) { return affix(jinja, self, args, true, out); }

static bool remove_affix(am_jinja *jinja, const am_jfunction *self, const am_jargs *args, bool at_end,
                         am_jvalue *out) {
  am_jvalue given;
  const am_jstring *s = self->receiver.as.string;
  if (!bind(jinja, self, args, 1, 1, &given) || !need_string(jinja, self, &given)) return false;
  size_t n = affix_matches(s, 0, s->n_bytes, given.as.string, at_end) ? given.as.string->n_bytes : 0;
  return am_jtext_bytes(jinja, &self->receiver, at_end ? 0 : n, at_end ? s->n_bytes - n : s->n_bytes, out);
}
METHOD(str_removeprefix) { return remove_affix(jinja, self, args, false, out); }
METHOD(str_removesuffix) { return remove_affix(jinja, self, args, true, out); }

/* --- building --- */
METHOD(str_replace) {
  am_jvalue given[3];
  int64_t count;
  if (!bind(jinja, self, args, 2, 3, given) || !need_string(jinja, self, &given[0]) ||
      !need_string(jinja, self, &given[1]) || !optional_int(jinja, &given[2], -1, &count))
    return false;
  if (self->receiver.marked && !am_jvalue_escape(jinja, &given[1], &given[1])) return false;
  return am_jtext_replace(jinja, &self->receiver, given[0].as.string, given[1].as.string, count, out);
}

METHOD(str_join) {
  am_jvalue given, item;
  am_jiterator *iterator = NULL;
  bool marked = self->receiver.marked;
  const am_jstring *s = self->receiver.as.string;
  if (!bind(jinja, self, args, 1, 1, &given)) return false;
  if (!am_jvalue_iterable(&given)) return am_jinja_raise(jinja, "can only join an iterable");
  if (!am_jiterator_open(jinja, &given, &iterator)) return false;
  size_t mark = am_jinja_mark(jinja);
  for (size_t i = 0;; i++) {
    bool done = false;
    if (!am_jiterator_next(jinja, iterator, &item, &done)) return false;
    if (done) break;
    if (i && !am_jinja_put(jinja, s->data, s->n_bytes)) return false;
    if (item.kind != AM_J_STRING && !marked)
      return am_jinja_raise(jinja, "sequence item %zu: expected str instance, %s found", i,
                            am_jvalue_type(&item));
    if (!(marked ? am_jput_escaped(jinja, &item) : am_jput_str(jinja, &item))) return false;
  }
  if (!am_jinja_cut(jinja, mark, out)) return false;
  out->marked = marked;
  return true;
}

static bool pad(am_jinja *jinja, const am_jfunction *self, const am_jargs *args, char align, am_jvalue *out) {
  am_jvalue given[2];
  int64_t width;
  am_jstring blank;
  am_jstring_set(&blank, " ", 1);
  if (!bind(jinja, self, args, 1, 2, given) || !optional_int(jinja, &given[0], 0, &width)) return false;
  if (given[1].kind != AM_J_MISSING && (given[1].kind != AM_J_STRING || given[1].as.string->n_chars != 1))
    return am_jinja_raise(jinja, "The fill character must be exactly one character long");
  return am_jtext_pad(jinja, &self->receiver, width,
                      given[1].kind == AM_J_STRING ? given[1].as.string : &blank, align, out);
}
METHOD(str_center) { return pad(jinja, self, args, '^', out); }
METHOD(str_ljust) { return pad(jinja, self, args, '<', out); }
METHOD(str_rjust) { return pad(jinja, self, args, '>', out); }

METHOD(str_zfill) {
  am_jvalue given;
  int64_t width;
  const am_jstring *s = self->receiver.as.string;
  if (!bind(jinja, self, args, 1, 1, &given) || !optional_int(jinja, &given, 0, &width)) return false;
  if (width <= (int64_t)s->n_chars) return *out = self->receiver, true;
  size_t mark = am_jinja_mark(jinja), sign = s->n_bytes && (s->data[0] == '+' || s->data[0] == '-');
  if (!am_jinja_put(jinja, s->data, sign) ||
      !am_jinja_put_repeated(jinja, "0", 1, (uint64_t)width - s->n_chars) ||
      !am_jinja_put(jinja, s->data + sign, s->n_bytes - sign) || !am_jinja_cut(jinja, mark, out))
    return false;
  out->marked = self->receiver.marked;
  return true;
}

METHOD(str_expandtabs) {
  static const char *const params[] = {"tabsize"};
  am_jvalue given;
  int64_t tab;
  uint64_t column = 0;
  const am_jstring *s = self->receiver.as.string;
  if (!am_jargs_bind(jinja, self->name, args, params, 1, 0, &given) || !optional_int(jinja, &given, 8, &tab))
    return false;
  size_t mark = am_jinja_mark(jinja);
  for (size_t i = 0; i < s->n_bytes;) {
    size_t start = i;
    uint32_t c = am_unicode_next(s->data, s->n_bytes, &i);
    if (c == '\t') {
      uint64_t n = tab > 0 ? (uint64_t)tab - column % (uint64_t)tab : 0;
      if (!am_jinja_put_repeated(jinja, " ", 1, n)) return false;
      column += n;
      continue;
    }
    column = c == '\n' || c == '\r' ? 0 : column + 1;
    if (!am_jinja_put(jinja, s->data + start, i - start)) return false;
  }
  if (!am_jinja_cut(jinja, mark, out)) return false;
  out->marked = self->receiver.marked;
  return true;
}

METHOD(str_format) { return am_jformat_braces(jinja, &self->receiver, args, out); }

METHOD(str_format_map) {
  am_jvalue mapping;
  if (!bind(jinja, self, args, 1, 1, &mapping)) return false;
  if (mapping.kind != AM_J_DICT) return am_jinja_raise(jinja, "format_map() argument must be a mapping");
  am_jargs named = {.keywords = mapping.as.dict->entries, .n_keywords = mapping.as.dict->n};
  return am_jformat_braces(jinja, &self->receiver, &named, out);
}

METHOD(str_unsupported) {
  (void)args;
  (void)out;
  return am_jinja_raise(jinja, "str.%s() is not supported in chat templates", self->name);
}

/* --- questions --- */
static bool every(am_jinja *jinja, const am_jfunction *self, const am_jargs *args, bool (*is)(uint32_t),
                  bool if_empty, am_jvalue *out) {
  const am_jstring *s = self->receiver.as.string;
  if (!no_arguments(jinja, self, args)) return false;
  bool all = s->n_bytes > 0 || if_empty;
  for (size_t i = 0; i < s->n_bytes && all;) all = is(am_unicode_next(s->data, s->n_bytes, &i));
  *out = am_jbool(all);
  return true;
}

static bool is_alnum(uint32_t c) { return am_unicode_is_alpha(c) || am_unicode_is_numeric(c); }
static bool is_ascii(uint32_t c) { return c < 0x80; }
METHOD(str_isalnum) { return every(jinja, self, args, is_alnum, false, out); }
METHOD(str_isalpha) { return every(jinja, self, args, am_unicode_is_alpha, false, out); }
METHOD(str_isascii) { return every(jinja, self, args, is_ascii, true, out); }
METHOD(str_isdecimal) { return every(jinja, self, args, am_unicode_is_decimal, false, out); }
METHOD(str_isdigit) { return every(jinja, self, args, am_unicode_is_digit, false, out); }
METHOD(str_isnumeric) { return every(jinja, self, args, am_unicode_is_numeric, false, out); }
METHOD(str_isprintable) { return every(jinja, self, args, am_unicode_is_printable, true, out); }
METHOD(str_isspace) { return every(jinja, self, args, am_unicode_is_space, false, out); }

METHOD(str_isidentifier) {
  const am_jstring *s = self->receiver.as.string;
  if (!no_arguments(jinja, self, args)) return false;
  bool ok = s->n_bytes > 0;
  for (size_t i = 0; i < s->n_bytes && ok;) {
    bool first = i == 0;
    uint32_t c = am_unicode_next(s->data, s->n_bytes, &i);
    ok = first ? am_unicode_is_identifier_start(c) : am_unicode_is_identifier_part(c);
  }
  *out = am_jbool(ok);
  return true;
}

bool am_jmethod_has_case(const am_jstring *s, bool upper) {
  bool cased = false;
  for (size_t i = 0; i < s->n_bytes;) {
    uint32_t c = am_unicode_next(s->data, s->n_bytes, &i);
    if (am_unicode_is_title(c) || (upper ? am_unicode_is_lower(c) : am_unicode_is_upper(c))) return false;
    cased = cased || (upper ? am_unicode_is_upper(c) : am_unicode_is_lower(c));
  }
  return cased;
}

METHOD(str_isupper) {
  *out = am_jbool(am_jmethod_has_case(self->receiver.as.string, true));
  return no_arguments(jinja, self, args);
}
METHOD(str_islower) {
  *out = am_jbool(am_jmethod_has_case(self->receiver.as.string, false));
  return no_arguments(jinja, self, args);
}

METHOD(str_istitle) {
  const am_jstring *s = self->receiver.as.string;
  bool cased = false, previous = false, ok = true;
  for (size_t i = 0; i < s->n_bytes && ok;) {
    uint32_t c = am_unicode_next(s->data, s->n_bytes, &i);
    if (am_unicode_is_upper(c) || am_unicode_is_title(c)) {
      ok = !previous;
      previous = cased = true;
    } else if (am_unicode_is_lower(c)) {
      ok = previous;
      previous = cased = true;
    } else {
      previous = false;
    }
  }
  *out = am_jbool(ok && cased);
  return no_arguments(jinja, self, args);
}

/* sorted by name */
static const am_jmethod methods[] = {{"capitalize", str_capitalize},
                                     {"casefold", str_casefold},
                                     {"center", str_center},
                                     {"count", str_count},
                                     {"encode", str_unsupported},
                                     {"endswith", str_endswith},
                                     {"expandtabs", str_expandtabs},
                                     {"find", str_find},
                                     {"format", str_format},
                                     {"format_map", str_format_map},
                                     {"index", str_index},
                                     {"isalnum", str_isalnum},
                                     {"isalpha", str_isalpha},
                                     {"isascii", str_isascii},
                                     {"isdecimal", str_isdecimal},
                                     {"isdigit", str_isdigit},
                                     {"isidentifier", str_isidentifier},
                                     {"islower", str_islower},
                                     {"isnumeric", str_isnumeric},
                                     {"isprintable", str_isprintable},
                                     {"isspace", str_isspace},
                                     {"istitle", str_istitle},
                                     {"isupper", str_isupper},
                                     {"join", str_join},
                                     {"ljust", str_ljust},
                                     {"lower", str_lower},
                                     {"lstrip", str_lstrip},
                                     {"maketrans", str_unsupported},
                                     {"partition", str_partition},
                                     {"removeprefix", str_removeprefix},
                                     {"removesuffix", str_removesuffix},
                                     {"replace", str_replace},
                                     {"rfind", str_rfind},
                                     {"rindex", str_rindex},
                                     {"rjust", str_rjust},
                                     {"rpartition", str_rpartition},
                                     {"rsplit", str_rsplit},
                                     {"rstrip", str_rstrip},
                                     {"split", str_split},
                                     {"splitlines", str_splitlines},
                                     {"startswith", str_startswith},
                                     {"strip", str_strip},
                                     {"swapcase", str_swapcase},
                                     {"title", str_title},
                                     {"translate", str_unsupported},
                                     {"upper", str_upper},
                                     {"zfill", str_zfill}};

const am_jmethod *am_jmethods_of_str(size_t *n) {
  *n = sizeof methods / sizeof *methods;
  return methods;
}
