/* SPDX-License-Identifier: Apache-2.0 */
/* enum and const: the values written out, those that the other keywords beside them do not allow left out. */
#include "grammar/schema.h"

#include "base/error.h"
#include "base/utf8.h"

#include <math.h>
#include <string.h>

static bool is_number(const am_json *v) { return v->type == AM_JSON_INT || v->type == AM_JSON_FLOAT; }

/* Equal as JSON Schema has it: 1 and 1.0 are, members in any order. */
static bool equal(const am_json *a, const am_json *b, int depth) {
  if (is_number(a) && is_number(b)) {
    if (a->type == AM_JSON_INT && b->type == AM_JSON_INT) return a->as.integer == b->as.integer;
    return am_json_real(a, 0) == am_json_real(b, 0);
  }
  if (a->type != b->type || depth > 256) return false;
  switch (a->type) {
    case AM_JSON_BOOL:
      return a->as.boolean == b->as.boolean;
    case AM_JSON_STRING:
      return a->n == b->n && memcmp(a->as.string, b->as.string, a->n) == 0;
    case AM_JSON_ARRAY:
      if (a->n != b->n) return false;
      for (uint32_t i = 0; i < a->n; i++)
        if (!equal(am_json_at(a, i), am_json_at(b, i), depth + 1)) return false;
      return true;
    case AM_JSON_OBJECT:
      if (a->n != b->n) return false;
      for (uint32_t i = 0; i < a->n; i++) {
        const am_json *other = am_json_get(b, a->as.members[i].key);
        if (!other || !equal(&a->as.members[i].value, other, depth + 1)) return false;
      }
      return true;
    default:
      return true;
  }
}

static unsigned type_of(const am_json *value) {
  switch (value->type) {
    case AM_JSON_NULL:
      return AM_TYPE_NULL;
    case AM_JSON_BOOL:
      return AM_TYPE_BOOLEAN;
    case AM_JSON_INT:
      return AM_TYPE_INTEGER;
    case AM_JSON_STRING:
      return AM_TYPE_STRING;
    case AM_JSON_ARRAY:
      return AM_TYPE_ARRAY;
    case AM_JSON_OBJECT:
      return AM_TYPE_OBJECT;
    default:
      return value->as.real == floor(value->as.real) ? AM_TYPE_INTEGER : AM_TYPE_FRACTION;
  }
}

static bool in_list(const am_json *list, const am_json *value) {
  for (uint32_t i = 0; i < list->n; i++)
    if (equal(am_json_at(list, i), value, 0)) return true;
  return false;
}

/* Whether one schema allows the value, one of the list `from`; what cannot be told is an error. */
static bool allows(am_schema *s, const am_json *schema, const am_json *value, const am_json *from,
                   bool *out) {
  static const char *const hard[] = {
      "pattern",       "format",      "properties", "required",          "additionalProperties",
      "items",         "prefixItems", "multipleOf", "patternProperties", "propertyNames",
      "contains",      "uniqueItems", "minItems",   "maxItems",          "minProperties",
      "maxProperties", NULL};
  const am_json *list = am_json_get(schema, "enum"), *one = am_json_get(schema, "const"), *found = NULL;
  unsigned types = 0;
  if (!am_schema_types(s, schema, &types)) return false;
  if (list && list->type != AM_JSON_ARRAY) return am_schema_fail(s, schema, "enum", "expected a list");
  *out = (types & type_of(value)) && (!list || list == from || in_list(list, value)) &&
         (!one || equal(one, value, 0));
  for (size_t i = 0; *out && hard[i]; i++)
    if (am_json_get(schema, hard[i]))
      return am_schema_fail(s, schema, hard[i], "not supported beside enum or const");
  if (*out && is_number(value)) {
    double n = am_json_real(value, 0);
    static const char *const bounds[] = {"minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum"};
    for (size_t i = 0; i < 4; i++) {
      found = am_json_get(schema, bounds[i]);
      if (found && !is_number(found)) return am_schema_fail(s, schema, bounds[i], "expected a number");
      double limit = am_json_real(found, 0);
      if (found && !(i == 0 ? n >= limit : i == 1 ? n > limit : i == 2 ? n <= limit : n < limit))
        *out = false;
    }
  }
  if (*out && value->type == AM_JSON_STRING) {
    double n = (double)am_utf8_count(value->as.string, value->n);
    found = am_json_get(schema, "minLength");
    if (found && n < am_json_real(found, 0)) *out = false;
    found = am_json_get(schema, "maxLength");
    if (found && n > am_json_real(found, n)) *out = false;
  }
  return true;
}

/* A value as compact JSON, in the arena. */
static bool write_value(am_schema *s, const am_json *value, am_literal *out) {
  am_buf text = {0};
  char *copy = am_json_write(&text, value) ? am_arena_dup(s->arena, text.data, text.len) : NULL;
  *out = (am_literal){copy, text.len};
  am_buf_close(&text);
  return copy || am_schema_no_memory(s);
}

bool am_schema_values(am_schema *s, const am_view *view, uint32_t from, uint32_t to, bool *found) {
  const am_json *value = NULL, *schema = am_view_find(view, "const", &value);
  bool is_const = schema != NULL;
  if (!is_const) schema = am_view_find(view, "enum", &value);
  *found = schema != NULL;
  if (!schema) return true;
  if (!is_const && value->type != AM_JSON_ARRAY) return am_schema_fail(s, schema, "enum", "expected a list");
  uint32_t n = is_const ? 1 : value->n;
  size_t n_texts = 0;
  am_literal *texts = am_arena_alloc(s->arena, (n + 1) * sizeof *texts);
  if (!texts) return am_schema_no_memory(s);
  for (uint32_t i = 0; i < n; i++) {
    const am_json *one = is_const ? value : am_json_at(value, i);
    bool ok = true;
    if (one->is_big || (one->type == AM_JSON_FLOAT && !isfinite(one->as.real)))
      return am_schema_fail(s, schema, is_const ? "const" : "enum", "a number is too large");
    for (size_t k = 0; ok && k < view->n; k++)
      if (!allows(s, view->parts[k].schema, one, value, &ok)) return false;
    if (ok && !write_value(s, one, &texts[n_texts++])) return false;
  }
  am_builder_literals(s->builder, from, texts, n_texts, to);
  return true;
}
