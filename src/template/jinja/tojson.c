/* SPDX-License-Identifier: Apache-2.0 */
/* The tojson filter as transformers defines it: json.dumps without HTML escapes. */
#include "template/jinja/filters.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "template/jinja/eval.h"
#include "template/jinja/format.h"
#include "template/jinja/iterate.h"
#include "template/jinja/number.h"
#include "template/jinja/sort.h"
#include "template/jinja/unicode.h"

typedef struct writer {
  am_jinja *jinja;
  bool ascii, sort_keys, has_indent;
  const am_jstring *indent;
  int64_t n_indent; /* spaces, where indent is NULL */
  const am_jstring *item_separator, *key_separator;
} writer;

static bool put_value(writer *w, const am_jvalue *value, unsigned level);

static bool put_code_unit(writer *w, uint32_t unit) {
  char text[16];
  snprintf(text, sizeof text, "\\u%04x", unit);
  return am_jinja_put(w->jinja, text, 6);
}

static bool put_escape(writer *w, uint32_t c) {
  const char *simple = c == '"'    ? "\\\""
                       : c == '\\' ? "\\\\"
                       : c == '\n' ? "\\n"
                       : c == '\r' ? "\\r"
                       : c == '\t' ? "\\t"
                       : c == '\b' ? "\\b"
                       : c == '\f' ? "\\f"
                                   : NULL;
  if (simple) return am_jinja_put(w->jinja, simple, 2);
  if (c < 0x10000) return put_code_unit(w, c);
  return put_code_unit(w, 0xD800 + ((c - 0x10000) >> 10)) &&
         put_code_unit(w, 0xDC00 + ((c - 0x10000) & 0x3FF));
}

static bool put_string(writer *w, const am_jstring *s) {
  size_t done = 0;
  if (!am_jinja_put(w->jinja, "\"", 1)) return false;
  for (size_t i = 0; i < s->n_bytes;) {
    size_t start = i;
    unsigned char byte = (unsigned char)s->data[i];
    if (byte >= ' ' && byte != '"' && byte != '\\' && (!w->ascii || byte < 0x7F)) {
      i++;
      continue;
    }
    uint32_t c = am_unicode_next(s->data, s->n_bytes, &i);
    if (!am_jinja_put(w->jinja, s->data + done, start - done) || !put_escape(w, c)) return false;
    done = i;
  }
  return am_jinja_put(w->jinja, s->data + done, s->n_bytes - done) && am_jinja_put(w->jinja, "\"", 1);
}

static bool put_number(writer *w, const am_jvalue *number) {
  if (number->kind == AM_J_BOOL) return am_jinja_put_text(w->jinja, number->as.boolean ? "true" : "false");
  if (number->kind == AM_J_FLOAT && !isfinite(number->as.real))
    return am_jinja_put_text(w->jinja, isnan(number->as.real) ? "NaN"
                                       : number->as.real < 0  ? "-Infinity"
                                                              : "Infinity");
  return am_jnumber_put(w->jinja, number);
}

static bool put_break(writer *w, unsigned level) {
  if (!w->has_indent) return true;
  if (!am_jinja_put(w->jinja, "\n", 1)) return false;
  if (w->indent) return am_jinja_put_repeated(w->jinja, w->indent->data, w->indent->n_bytes, level);
  if (w->n_indent <= 0) return true;
  return am_jinja_put_repeated(w->jinja, " ", 1, (uint64_t)w->n_indent * level);
}

static bool put_separator(writer *w, unsigned level) {
  return am_jinja_put(w->jinja, w->item_separator->data, w->item_separator->n_bytes) && put_break(w, level);
}

static bool put_list(writer *w, const am_jlist *list, unsigned level) {
  if (!list->n) return am_jinja_put(w->jinja, "[]", 2);
  if (!am_jinja_put(w->jinja, "[", 1) || !put_break(w, level + 1)) return false;
  for (size_t i = 0; i < list->n; i++)
    if ((i && !put_separator(w, level + 1)) || !put_value(w, &list->items[i], level + 1)) return false;
  return put_break(w, level) && am_jinja_put(w->jinja, "]", 1);
}

static bool put_key(writer *w, const am_jvalue *key) {
  if (key->kind == AM_J_STRING) return put_string(w, key->as.string);
  if (key->kind != AM_J_NONE && !am_jvalue_is_number(key))
    return am_jinja_raise(w->jinja, "keys must be str, int, float, bool or None, not %s",
                          am_jvalue_type(key));
  return am_jinja_put(w->jinja, "\"", 1) &&
         (key->kind == AM_J_NONE ? am_jinja_put_text(w->jinja, "null") : put_number(w, key)) &&
         am_jinja_put(w->jinja, "\"", 1);
}

static bool sorted_entries(writer *w, const am_jdict *dict, am_jvalue **keys, am_jvalue **values) {
  *keys = am_jinja_alloc(w->jinja, dict->n, sizeof **keys);
  *values = am_jinja_alloc(w->jinja, dict->n, sizeof **values);
  if (!*keys || !*values) return false;
  for (size_t i = 0; i < dict->n; i++) {
    (*keys)[i] = dict->entries[i].key;
    (*values)[i] = dict->entries[i].value;
  }
  return !w->sort_keys || am_jsort(w->jinja, *keys, *values, dict->n, false);
}

static bool put_dict(writer *w, const am_jdict *dict, unsigned level) {
  am_jvalue *keys = NULL, *values = NULL;
  if (!dict->n) return am_jinja_put(w->jinja, "{}", 2);
  if (w->sort_keys && !sorted_entries(w, dict, &keys, &values)) return false;
  if (!am_jinja_put(w->jinja, "{", 1) || !put_break(w, level + 1)) return false;
  for (size_t i = 0; i < dict->n; i++) {
    const am_jvalue *key = keys ? &keys[i] : &dict->entries[i].key;
    if ((i && !put_separator(w, level + 1)) || !put_key(w, key) ||
        !am_jinja_put(w->jinja, w->key_separator->data, w->key_separator->n_bytes) ||
        !put_value(w, values ? &values[i] : &dict->entries[i].value, level + 1))
      return false;
  }
  return put_break(w, level) && am_jinja_put(w->jinja, "}", 1);
}

static bool put_value(writer *w, const am_jvalue *value, unsigned level) {
  if (!am_jinja_stack_ok(w->jinja) || !am_jinja_charge(w->jinja, 1)) return false;
  switch (value->kind) {
    case AM_J_NONE:
      return am_jinja_put_text(w->jinja, "null");
    case AM_J_BOOL:
    case AM_J_INT:
    case AM_J_BIG:
    case AM_J_FLOAT:
      return put_number(w, value);
    case AM_J_STRING:
      return put_string(w, value->as.string);
    case AM_J_LIST:
    case AM_J_TUPLE:
      return put_list(w, value->as.list, level);
    case AM_J_DICT:
      return put_dict(w, value->as.dict, level);
    default:
      return am_jinja_raise(w->jinja, "Object of type %s is not JSON serializable", am_jvalue_type(value));
  }
}

static bool read_indent(writer *w, const am_jvalue *indent) {
  w->has_indent = indent->kind != AM_J_MISSING && indent->kind != AM_J_NONE;
  if (!w->has_indent || am_jvalue_as_int(indent, &w->n_indent)) return true;
  if (indent->kind != AM_J_STRING)
    return am_jinja_raise(w->jinja, "can't multiply sequence by non-int of type '%s'",
                          am_jvalue_type(indent));
  w->indent = indent->as.string;
  return true;
}

static bool read_separators(writer *w, const am_jvalue *separators, am_jvalue defaults[2]) {
  am_jlist *pair = NULL;
  if (separators->kind != AM_J_MISSING && separators->kind != AM_J_NONE) {
    if (!am_jvalue_iterable(separators))
      return am_jinja_raise(w->jinja, "cannot unpack non-iterable %s object", am_jvalue_type(separators));
    if (!am_jiterator_list(w->jinja, separators, &pair)) return false;
    if (pair->n != 2) return am_jinja_raise(w->jinja, "separators must be two strings");
    for (int i = 0; i < 2; i++) {
      if (pair->items[i].kind != AM_J_STRING)
        return am_jinja_raise(w->jinja, "separators must be two strings");
      defaults[i] = pair->items[i];
    }
  }
  w->item_separator = defaults[0].as.string;
  w->key_separator = defaults[1].as.string;
  return true;
}

bool am_jfilter_tojson(am_jinja *jinja, const am_jvalue *value, const am_jargs *args, am_jvalue *out) {
  static const char *const params[] = {"ensure_ascii", "indent", "separators", "sort_keys"};
  am_jvalue given[4], separators[2];
  writer w = {.jinja = jinja};
  if (!am_jargs_bind(jinja, "tojson", args, params, 4, 0, given) || !read_indent(&w, &given[1]) ||
      !am_jstring_text(jinja, w.has_indent ? "," : ", ", &separators[0]) ||
      !am_jstring_text(jinja, ": ", &separators[1]) || !read_separators(&w, &given[2], separators))
    return false;
  w.ascii = am_jvalue_truth(&given[0]);
  w.sort_keys = am_jvalue_truth(&given[3]);
  size_t mark = am_jinja_mark(jinja);
  return put_value(&w, value, 0) && am_jinja_cut(jinja, mark, out);
}
