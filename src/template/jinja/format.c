/* SPDX-License-Identifier: Apache-2.0 */
#include "template/jinja/format.h"

#include <stdio.h>
#include <string.h>

#include "template/jinja/eval.h"
#include "template/jinja/iterate.h"
#include "template/jinja/number.h"
#include "template/jinja/unicode.h"

/* --- repr --- */
static bool put_escape(am_jinja *jinja, uint32_t c, char quote) {
  char text[16];
  if (c == (uint32_t)quote || c == '\\')
    snprintf(text, sizeof text, "\\%c", (char)c);
  else if (c == '\n' || c == '\r' || c == '\t')
    snprintf(text, sizeof text, "\\%c", c == '\n' ? 'n' : c == '\r' ? 'r' : 't');
  else
    snprintf(text, sizeof text, c < 0x100 ? "\\x%02x" : c < 0x10000 ? "\\u%04x" : "\\U%08x", c);
  return am_jinja_put_text(jinja, text);
}

static bool put_string_repr(am_jinja *jinja, const am_jstring *s) {
  char quote = memchr(s->data, '\'', s->n_bytes) && !memchr(s->data, '"', s->n_bytes) ? '"' : '\'';
  if (!am_jinja_put(jinja, &quote, 1)) return false;
  size_t done = 0;
  for (size_t i = 0; i < s->n_bytes;) {
    size_t start = i;
    uint32_t c = am_unicode_next(s->data, s->n_bytes, &i);
    if (c != (uint32_t)quote && c != '\\' && (c < 0x7F ? c >= ' ' : am_unicode_is_printable(c))) continue;
    if (!am_jinja_put(jinja, s->data + done, start - done) || !put_escape(jinja, c, quote)) return false;
    done = i;
  }
  return am_jinja_put(jinja, s->data + done, s->n_bytes - done) && am_jinja_put(jinja, &quote, 1);
}

static bool put_list_repr(am_jinja *jinja, const am_jlist *list, const char *open, const char *close) {
  if (!am_jinja_put_text(jinja, open)) return false;
  for (size_t i = 0; i < list->n; i++)
    if ((i && !am_jinja_put(jinja, ", ", 2)) || !am_jput_repr(jinja, &list->items[i])) return false;
  if (list->n == 1 && *open == '(' && !am_jinja_put(jinja, ",", 1)) return false;
  return am_jinja_put_text(jinja, close);
}

static bool put_dict_repr(am_jinja *jinja, const am_jdict *dict) {
  if (!am_jinja_put(jinja, "{", 1)) return false;
  for (size_t i = 0; i < dict->n; i++)
    if ((i && !am_jinja_put(jinja, ", ", 2)) || !am_jput_repr(jinja, &dict->entries[i].key) ||
        !am_jinja_put(jinja, ": ", 2) || !am_jput_repr(jinja, &dict->entries[i].value))
      return false;
  return am_jinja_put(jinja, "}", 1);
}

static bool put_view_repr(am_jinja *jinja, const am_jvalue *view) {
  am_jlist *list = NULL;
  return am_jinja_put_text(jinja, am_jvalue_type(view)) && am_jiterator_list(jinja, view, &list) &&
         put_list_repr(jinja, list, "([", "])");
}

static bool put_range_repr(am_jinja *jinja, const am_jrange *range) {
  am_jvalue numbers[3] = {am_jint(range->start), am_jint(range->stop), am_jint(range->step)};
  int n = range->step == 1 ? 2 : 3;
  if (!am_jinja_put_text(jinja, "range(")) return false;
  for (int i = 0; i < n; i++)
    if ((i && !am_jinja_put(jinja, ", ", 2)) || !am_jnumber_put(jinja, &numbers[i])) return false;
  return am_jinja_put(jinja, ")", 1);
}

/* Objects whose text in Python is a memory address: the type alone. */
static bool put_object_repr(am_jinja *jinja, const am_jvalue *value) {
  am_jvalue name;
  switch (value->kind) {
    case AM_J_NAMESPACE:
      return am_jinja_put_text(jinja, "<Namespace ") && put_dict_repr(jinja, value->as.dict) &&
             am_jinja_put(jinja, ">", 1);
    case AM_J_MACRO:
      if (!value->as.macro->code->name.text) return am_jinja_put_text(jinja, "<Macro anonymous>");
      return am_jstring_view(jinja, value->as.macro->code->name.text, value->as.macro->code->name.n_bytes,
                             &name) &&
             am_jinja_put_text(jinja, "<Macro ") && am_jput_repr(jinja, &name) && am_jinja_put(jinja, ">", 1);
    case AM_J_LOOP: {
      am_jvalue index, length;
      bool found;
      return am_jloop_attribute(jinja, value->as.loop, "index", 5, &index, &found) &&
             am_jloop_attribute(jinja, value->as.loop, "length", 6, &length, &found) &&
             am_jinja_put_text(jinja, "<LoopContext ") && am_jput_repr(jinja, &index) &&
             am_jinja_put(jinja, "/", 1) && am_jput_repr(jinja, &length) && am_jinja_put(jinja, ">", 1);
    }
    case AM_J_FUNCTION:
      return am_jinja_put_text(jinja, "<function ") && am_jinja_put_text(jinja, value->as.function->name) &&
             am_jinja_put(jinja, ">", 1);
    default: {
      const char *type = value->kind == AM_J_ITERATOR && value->as.iterator->type ? value->as.iterator->type
                                                                                  : am_jvalue_type(value);
      return am_jinja_put(jinja, "<", 1) && am_jinja_put_text(jinja, type) &&
             am_jinja_put_text(jinja, " object>");
    }
  }
}

bool am_jput_repr(am_jinja *jinja, const am_jvalue *value) {
  if (!am_jinja_stack_ok(jinja) || !am_jinja_charge(jinja, 1)) return false;
  switch (value->kind) {
    case AM_J_UNDEFINED:
      return am_jinja_put_text(jinja, "Undefined");
    case AM_J_NONE:
      return am_jinja_put_text(jinja, "None");
    case AM_J_BOOL:
    case AM_J_INT:
    case AM_J_BIG:
    case AM_J_FLOAT:
      return am_jnumber_put(jinja, value);
    case AM_J_STRING:
      return (!value->marked || am_jinja_put_text(jinja, "Markup(")) &&
             put_string_repr(jinja, value->as.string) && (!value->marked || am_jinja_put(jinja, ")", 1));
    case AM_J_LIST:
      return put_list_repr(jinja, value->as.list, "[", "]");
    case AM_J_TUPLE:
      return put_list_repr(jinja, value->as.list, "(", ")");
    case AM_J_DICT:
      return put_dict_repr(jinja, value->as.dict);
    case AM_J_VIEW:
      return put_view_repr(jinja, value);
    case AM_J_RANGE:
      return put_range_repr(jinja, value->as.range);
    default:
      return put_object_repr(jinja, value);
  }
}

/* --- str --- */
bool am_jput_str(am_jinja *jinja, const am_jvalue *value) {
  if (value->kind == AM_J_STRING)
    return am_jinja_put(jinja, value->as.string->data, value->as.string->n_bytes);
  return value->kind == AM_J_UNDEFINED || am_jput_repr(jinja, value);
}

bool am_jvalue_str(am_jinja *jinja, const am_jvalue *value, am_jvalue *out) {
  if (value->kind == AM_J_STRING) {
    *out = *value;
    out->marked = false;
    return true;
  }
  size_t mark = am_jinja_mark(jinja);
  return am_jput_str(jinja, value) && am_jinja_cut(jinja, mark, out);
}

bool am_jvalue_soft_str(am_jinja *jinja, const am_jvalue *value, am_jvalue *out) {
  if (value->kind != AM_J_STRING) return am_jvalue_str(jinja, value, out);
  *out = *value;
  return true;
}

bool am_jput_escaped(am_jinja *jinja, const am_jvalue *value) {
  am_jvalue text;
  if (!am_jvalue_soft_str(jinja, value, &text)) return false;
  const am_jstring *s = text.as.string;
  if (text.marked) return am_jinja_put(jinja, s->data, s->n_bytes);
  size_t done = 0;
  for (size_t i = 0; i < s->n_bytes; i++) {
    const char *entity = NULL;
    switch (s->data[i]) {
      case '&':
        entity = "&amp;";
        break;
      case '<':
        entity = "&lt;";
        break;
      case '>':
        entity = "&gt;";
        break;
      case '"':
        entity = "&#34;";
        break;
      case '\'':
        entity = "&#39;";
        break;
      default:
        continue;
    }
    if (!am_jinja_put(jinja, s->data + done, i - done) || !am_jinja_put_text(jinja, entity)) return false;
    done = i + 1;
  }
  return am_jinja_put(jinja, s->data + done, s->n_bytes - done);
}

bool am_jvalue_escape(am_jinja *jinja, const am_jvalue *value, am_jvalue *out) {
  size_t mark = am_jinja_mark(jinja);
  if (!am_jput_escaped(jinja, value) || !am_jinja_cut(jinja, mark, out)) return false;
  out->marked = true;
  return true;
}
