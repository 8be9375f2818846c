/* SPDX-License-Identifier: Apache-2.0 */
#include "template/jinja/value.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "template/jinja/interp.h"

/* --- strings --- */
void am_jstring_set(am_jstring *string, const char *data, size_t n_bytes) {
  size_t n_chars = 0;
  for (size_t i = 0; i < n_bytes; i++) n_chars += ((unsigned char)data[i] & 0xC0u) != 0x80u;
  *string = (am_jstring){.data = data, .n_bytes = n_bytes, .n_chars = n_chars};
}

bool am_jstring_view(am_jinja *jinja, const char *data, size_t n_bytes, am_jvalue *out) {
  am_jstring *string = am_jinja_alloc(jinja, 1, sizeof *string);
  if (!string || (n_bytes >= 64 && !am_jinja_charge(jinja, n_bytes / 64))) return false;
  am_jstring_set(string, data, n_bytes);
  *out = (am_jvalue){.kind = AM_J_STRING, .as.string = string};
  return true;
}

bool am_jstring_copy(am_jinja *jinja, const char *data, size_t n_bytes, am_jvalue *out) {
  char *copy = am_jinja_alloc(jinja, n_bytes ? n_bytes : 1, 1);
  if (!copy) return false;
  if (n_bytes) memcpy(copy, data, n_bytes);
  return am_jstring_view(jinja, copy, n_bytes, out);
}

bool am_jstring_text(am_jinja *jinja, const char *text, am_jvalue *out) {
  return am_jstring_view(jinja, text, strlen(text), out);
}

size_t am_jstring_offset(const am_jstring *string, size_t index) {
  if (am_jstring_is_ascii(string) || index == 0) return index;
  if (index >= string->n_chars) return string->n_bytes;
  size_t i = 0;
  for (;; i++) {
    if (((unsigned char)string->data[i] & 0xC0u) == 0x80u) continue;
    if (index-- == 0) return i;
  }
}

bool am_jstring_equal(const am_jstring *a, const am_jstring *b) {
  return a->n_bytes == b->n_bytes && (a->n_bytes == 0 || memcmp(a->data, b->data, a->n_bytes) == 0);
}

bool am_jstring_is(const am_jvalue *value, const char *text) {
  return value->kind == AM_J_STRING && value->as.string->n_bytes == strlen(text) &&
         memcmp(value->as.string->data, text, value->as.string->n_bytes) == 0;
}

/* --- lists --- */
bool am_jlist_new(am_jinja *jinja, size_t capacity, am_jlist **out) {
  am_jlist *list = am_jinja_alloc(jinja, 1, sizeof *list);
  if (!list) return false;
  *list = (am_jlist){0};
  if (capacity) {
    list->items = am_jinja_alloc(jinja, capacity, sizeof *list->items);
    if (!list->items) return false;
    list->capacity = capacity;
  }
  *out = list;
  return true;
}

bool am_jlist_push(am_jinja *jinja, am_jlist *list, am_jvalue item) {
  if (list->n == list->capacity) {
    size_t capacity = list->capacity ? list->capacity * 2 : 4;
    am_jvalue *items = am_jinja_alloc(jinja, capacity, sizeof *items);
    if (!items) return false;
    if (list->n) memcpy(items, list->items, list->n * sizeof *items);
    list->items = items;
    list->capacity = capacity;
  }
  list->items[list->n++] = item;
  return true;
}

bool am_jtuple_pair(am_jinja *jinja, am_jvalue a, am_jvalue b, am_jvalue *out) {
  am_jlist *pair = NULL;
  if (!am_jlist_new(jinja, 2, &pair)) return false;
  pair->items[0] = a;
  pair->items[1] = b;
  pair->n = 2;
  *out = am_jtuple_value(pair);
  return true;
}

int64_t am_jrange_at(const am_jrange *range, int64_t index) {
  return (int64_t)((uint64_t)range->start + (uint64_t)index * (uint64_t)range->step);
}

/* --- undefined --- */
bool am_jundefined_new(am_jinja *jinja, bool is_security, am_jvalue *out, const char *format, ...) {
  char text[400];
  va_list list;
  va_start(list, format);
  int n = vsnprintf(text, sizeof text, format, list);
  va_end(list);
  size_t n_bytes = n < 0 ? 0 : (size_t)n < sizeof text ? (size_t)n : sizeof text - 1;
  am_jundefined *undefined = am_jinja_alloc(jinja, 1, sizeof *undefined);
  char *message = am_jinja_alloc(jinja, n_bytes + 1, 1);
  if (!undefined || !message) return false;
  memcpy(message, text, n_bytes);
  message[n_bytes] = 0;
  *undefined = (am_jundefined){.message = message, .is_security = is_security};
  *out = (am_jvalue){.kind = AM_J_UNDEFINED, .as.undefined = undefined};
  return true;
}

/* --- from JSON --- */
static bool from_json_object(am_jinja *jinja, const am_json *json, am_jvalue *out) {
  am_jdict *dict = NULL;
  if (!am_jdict_new(jinja, json->n, &dict)) return false;
  for (uint32_t i = 0; i < json->n; i++) {
    const am_json_member *member = &json->as.members[i];
    am_jvalue key, value;
    if (!am_jstring_view(jinja, member->key, member->key_bytes, &key) ||
        !am_jvalue_from_json(jinja, &member->value, &value) || !am_jdict_set(jinja, dict, key, value))
      return false;
  }
  *out = am_jdict_value(dict);
  return true;
}

static bool from_json_array(am_jinja *jinja, const am_json *json, am_jvalue *out) {
  am_jlist *list = NULL;
  if (!am_jlist_new(jinja, json->n, &list)) return false;
  for (uint32_t i = 0; i < json->n; i++) {
    if (!am_jvalue_from_json(jinja, &json->as.items[i], &list->items[i])) return false;
    list->n++;
  }
  *out = am_jlist_value(list);
  return true;
}

/* The reader keeps an integer over 64 bits as a double; its digits are exact up to 2^53 times a power
 * of two, which is what such numbers in requests are (1e20 written out, 2^64). */
static bool from_json_big(am_jinja *jinja, double real, am_jvalue *out) {
  char digits[400];
  int n = snprintf(digits, sizeof digits, "%.0f", real);
  if (!am_jstring_copy(jinja, digits, (size_t)n, out)) return false;
  out->kind = AM_J_BIG;
  return true;
}

bool am_jvalue_from_json(am_jinja *jinja, const am_json *json, am_jvalue *out) {
  if (!am_jinja_stack_ok(jinja)) return false;
  switch (json->type) {
    case AM_JSON_NULL:
      *out = am_jnone();
      return true;
    case AM_JSON_BOOL:
      *out = am_jbool(json->as.boolean);
      return true;
    case AM_JSON_INT:
      *out = am_jint(json->as.integer);
      return true;
    case AM_JSON_FLOAT:
      if (json->is_big && json->as.real - json->as.real == 0) return from_json_big(jinja, json->as.real, out);
      *out = am_jreal(json->as.real);
      return true;
    case AM_JSON_STRING:
      return am_jstring_view(jinja, json->as.string, json->n, out);
    case AM_JSON_ARRAY:
      return from_json_array(jinja, json, out);
    case AM_JSON_OBJECT:
      return from_json_object(jinja, json, out);
  }
  return am_jinja_raise(jinja, "unknown kind of JSON value");
}

/* --- questions --- */
static double big_as_real(const am_jstring *digits) {
  double value = 0;
  bool negative = digits->n_bytes && digits->data[0] == '-';
  for (size_t i = negative; i < digits->n_bytes; i++) value = value * 10 + (digits->data[i] - '0');
  return negative ? -value : value;
}

double am_jvalue_as_real(const am_jvalue *number) {
  switch (number->kind) {
    case AM_J_BOOL:
      return number->as.boolean;
    case AM_J_INT:
      return (double)number->as.integer;
    case AM_J_BIG:
      return big_as_real(number->as.string);
    default:
      return number->as.real;
  }
}

bool am_jvalue_length(const am_jvalue *value, size_t *out) {
  switch (value->kind) {
    case AM_J_UNDEFINED:
      *out = 0;
      return true;
    case AM_J_STRING:
      *out = value->as.string->n_chars;
      return true;
    case AM_J_LIST:
    case AM_J_TUPLE:
      *out = value->as.list->n;
      return true;
    case AM_J_DICT:
      *out = value->as.dict->n;
      return true;
    case AM_J_RANGE:
      *out = (size_t)value->as.range->n;
      return true;
    case AM_J_VIEW:
      *out = value->as.view->dict->n;
      return true;
    default:
      return false;
  }
}

bool am_jvalue_truth(const am_jvalue *value) {
  size_t n;
  switch (value->kind) {
    case AM_J_MISSING:
    case AM_J_UNDEFINED:
    case AM_J_NONE:
      return false;
    case AM_J_BOOL:
      return value->as.boolean;
    case AM_J_INT:
      return value->as.integer != 0;
    case AM_J_FLOAT:
      return value->as.real != 0;
    default:
      return !am_jvalue_length(value, &n) || n > 0;
  }
}

const char *am_jvalue_type(const am_jvalue *value) {
  switch ((am_jkind)value->kind) {
    case AM_J_MISSING:
      return "_MissingType";
    case AM_J_UNDEFINED:
      return "Undefined";
    case AM_J_NONE:
      return "NoneType";
    case AM_J_BOOL:
      return "bool";
    case AM_J_INT:
    case AM_J_BIG:
      return "int";
    case AM_J_FLOAT:
      return "float";
    case AM_J_STRING:
      return value->marked ? "Markup" : "str";
    case AM_J_LIST:
      return "list";
    case AM_J_TUPLE:
      return value->marked ? "_GroupTuple" : "tuple";
    case AM_J_DICT:
      return "dict";
    case AM_J_RANGE:
      return "range";
    case AM_J_VIEW: {
      static const char *const names[] = {"dict_items", "dict_keys", "dict_values"};
      return names[value->as.view->kind];
    }
    case AM_J_ITERATOR:
      return "generator";
    case AM_J_NAMESPACE:
      return "TemplateNamespace";
    case AM_J_MACRO:
      return "Macro";
    case AM_J_FUNCTION:
      return value->as.function->receiver.kind == AM_J_MISSING ? "function" : "builtin_function_or_method";
    case AM_J_LOOP:
      return "LoopContext";
    case AM_J_CYCLER:
      return "Cycler";
    case AM_J_JOINER:
      return "Joiner";
    case AM_J_BLOCKS:
      return "TemplateReference";
    case AM_J_BLOCK:
      return "BlockReference";
  }
  return "object";
}
