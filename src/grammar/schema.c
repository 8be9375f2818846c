/* SPDX-License-Identifier: Apache-2.0 */
#include "grammar/schema.h"

#include "base/error.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "grammar/grammar.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Appends the JSON pointer of the node `at`; false when it is not below `from`. */
static bool find_pointer(const am_json *from, const am_json *at, am_buf *out, int depth) {
  if (from == at) return true;
  size_t length = out->len;
  for (uint32_t i = 0; depth < 512 && i < from->n; i++) {
    bool found = false;
    if (from->type == AM_JSON_OBJECT) {
      am_buf_printf(out, "/%.80s", from->as.members[i].key);
      found = find_pointer(&from->as.members[i].value, at, out, depth + 1);
    } else if (from->type == AM_JSON_ARRAY) {
      am_buf_printf(out, "/%u", i);
      found = find_pointer(&from->as.items[i], at, out, depth + 1);
    } else {
      return false;
    }
    if (found || out->failed) return found;
    out->data[out->len = length] = 0;
  }
  return false;
}

bool am_schema_fail(am_schema *s, const am_json *at, const char *keyword, const char *format, ...) {
  char text[300];
  am_buf pointer = {0};
  va_list arguments;
  if (s->status) return false;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  am_buf_append_char(&pointer, '#');
  if (at) find_pointer(s->root, at, &pointer, 0);
  s->status = am_fail(s->error, ADAM_INVALID, "schema", NULL, "\"%.60s\" at %.150s: %s", keyword,
                      pointer.data ? pointer.data : "#", text);
  am_buf_close(&pointer);
  return false;
}

bool am_schema_no_memory(am_schema *s) {
  if (!s->status)
    s->status = s->arena->limit_bytes && s->arena->used_bytes * 2 > s->arena->limit_bytes
                    ? am_fail(s->error, ADAM_LIMIT, "schema", NULL, "it is too large")
                    : am_fail_memory(s->error, "schema");
  return false;
}

bool am_view_add(am_schema *s, am_view *view, const am_json *schema, uint64_t done) {
  if (schema->type == AM_JSON_BOOL) {
    if (!schema->as.boolean) view->impossible = true;
    return true;
  }
  if (schema->type != AM_JSON_OBJECT)
    return am_schema_fail(s, schema, "schema", "expected an object or a boolean");
  if (schema->n == 0) return true;
  for (size_t i = 0; i < view->n; i++)
    if (view->parts[i].schema == schema) {
      view->parts[i].done |= done;
      return true;
    }
  if (view->n == AM_SCHEMA_MOST_PARTS)
    return am_schema_fail(s, schema, "allOf", "more than %d schemas apply to one value",
                          AM_SCHEMA_MOST_PARTS);
  view->parts[view->n++] = (am_part){schema, done};
  return true;
}

const am_json *am_view_find(const am_view *view, const char *keyword, const am_json **value) {
  for (size_t i = 0; i < view->n; i++) {
    *value = am_json_get(view->parts[i].schema, keyword);
    if (*value) return view->parts[i].schema;
  }
  return NULL;
}

bool am_view_count(am_schema *s, const am_view *view, const char *keyword, bool greatest, uint32_t fallback,
                   uint32_t *out) {
  bool has = false;
  for (size_t i = 0; i < view->n; i++) {
    const am_json *value = am_json_get(view->parts[i].schema, keyword);
    if (!value) continue;
    double n = value->type == AM_JSON_INT || value->type == AM_JSON_FLOAT ? am_json_real(value, -1) : -1;
    if (n < 0 || (n < 1e15 && n != (double)(int64_t)n))
      return am_schema_fail(s, view->parts[i].schema, keyword, "expected a whole number, 0 or more");
    uint32_t count = n > 1e9 ? 1000000000u : (uint32_t)n;
    if (!has || (greatest ? count > *out : count < *out)) *out = count;
    has = true;
  }
  if (!has) *out = fallback;
  return true;
}

/* false, 0, {} and [] ask for nothing. */
static bool is_idle(const am_json *value) {
  return (value->type == AM_JSON_BOOL && !value->as.boolean) ||
         (value->type == AM_JSON_INT && value->as.integer == 0) ||
         ((value->type == AM_JSON_OBJECT || value->type == AM_JSON_ARRAY) && value->n == 0);
}

bool am_view_refuse(am_schema *s, const am_view *view, const char *const *keywords) {
  for (; *keywords; keywords++)
    for (size_t i = 0; i < view->n; i++) {
      const am_json *value = am_json_get(view->parts[i].schema, *keywords);
      if (value && !is_idle(value))
        return am_schema_fail(s, view->parts[i].schema, *keywords, "this keyword is not supported");
    }
  return true;
}

static int by_schema(const void *a, const void *b) {
  const am_part *x = a, *y = b;
  uintptr_t p = (uintptr_t)x->schema, q = (uintptr_t)y->schema;
  return p < q ? -1 : p > q;
}

uint32_t am_schema_rule(am_schema *s, const am_view *view) {
  static const am_json nothing = {.type = AM_JSON_BOOL};
  am_view key = *view;
  uint64_t found = 0;
  if (s->status) return 0;
  if (view->impossible) {
    key.parts[0] = (am_part){&nothing, 0};
    key.n = 1;
  }
  size_t n_bytes = key.n * sizeof *key.parts;
  if (key.n > 1) qsort(key.parts, key.n, sizeof *key.parts, by_schema);
  if (am_map_get(&s->rules, (const char *)key.parts, n_bytes, &found)) return (uint32_t)found;
  /* the order of the parts as given decides the order of properties, so it is kept beside the key */
  am_pending *pending = am_arena_alloc(s->arena, sizeof *pending + n_bytes);
  char *copy = am_arena_dup(s->arena, key.parts, n_bytes);
  uint32_t rule = am_builder_rule(s->builder, NULL);
  if (!pending || !copy || !am_map_set(&s->rules, copy, n_bytes, rule)) {
    am_schema_no_memory(s);
    return 0;
  }
  *pending = (am_pending){.rule = rule, .n = key.n};
  memcpy(pending->parts, view->impossible ? key.parts : view->parts, n_bytes);
  *s->last_pending = pending;
  s->last_pending = &pending->next;
  return rule;
}

/* A local reference: "#", "#/$defs/x", "#/definitions/a~1b", percent escapes included. */
static const am_json *resolve(am_schema *s, const am_json *schema, const am_json *reference) {
  const am_json *at = s->root;
  const char *text = am_json_str(reference, NULL);
  char token[256];
  if (!text || text[0] != '#' || (text[1] && text[1] != '/')) {
    am_schema_fail(s, schema, "$ref", "only references within the document (#/...) are supported");
    return NULL;
  }
  for (text++; *text == '/' && at;) {
    size_t n = 0;
    for (text++; *text && *text != '/'; text++) {
      unsigned byte = (unsigned char)*text, value = 0;
      if (byte == '~' && (text[1] == '0' || text[1] == '1'))
        byte = *++text == '0' ? '~' : '/';
      else if (byte == '%' && sscanf(text + 1, "%2x", &value) == 1 && text[1] && text[2])
        byte = value, text += 2;
      if (n + 1 < sizeof token) token[n++] = (char)byte;
    }
    token[n] = 0;
    at = at->type == AM_JSON_ARRAY ? am_json_at(at, strtoul(token, NULL, 10)) : am_json_get(at, token);
  }
  if (!at) am_schema_fail(s, schema, "$ref", "there is nothing at %.100s", am_json_str(reference, ""));
  return at;
}

/* Follows $ref and allOf until nothing new comes. */
static bool flatten(am_schema *s, am_view *view) {
  for (size_t i = 0; i < view->n; i++) {
    const am_json *schema = view->parts[i].schema;
    const am_json *reference = am_json_get(schema, "$ref"), *all = am_json_get(schema, "allOf");
    if (reference) {
      const am_json *target = resolve(s, schema, reference);
      if (!target || !am_view_add(s, view, target, 0)) return false;
    }
    if (all && all->type != AM_JSON_ARRAY) return am_schema_fail(s, schema, "allOf", "expected a list");
    for (uint32_t k = 0; all && k < all->n; k++)
      if (!am_view_add(s, view, am_json_at(all, k), 0)) return false;
  }
  return true;
}

bool am_schema_types(am_schema *s, const am_json *schema, unsigned *types) {
  static const struct {
    const char *name;
    unsigned types;
  } rows[] = {{"null", AM_TYPE_NULL},
              {"boolean", AM_TYPE_BOOLEAN},
              {"object", AM_TYPE_OBJECT},
              {"array", AM_TYPE_ARRAY},
              {"string", AM_TYPE_STRING},
              {"integer", AM_TYPE_INTEGER},
              {"number", AM_TYPE_INTEGER | AM_TYPE_FRACTION}};
  const am_json *type = am_json_get(schema, "type");
  *types = AM_TYPE_ALL;
  if (!type) return true;
  *types = 0;
  uint32_t n = type->type == AM_JSON_ARRAY ? type->n : 1;
  for (uint32_t i = 0; i < n; i++) {
    const char *name = am_json_str(type->type == AM_JSON_ARRAY ? am_json_at(type, i) : type, "");
    size_t row = 0;
    while (row < sizeof rows / sizeof *rows && strcmp(rows[row].name, name) != 0) row++;
    if (row == sizeof rows / sizeof *rows)
      return am_schema_fail(s, schema, "type", "unknown type \"%.60s\"", name);
    *types |= rows[row].types;
  }
  return true;
}

/* Without any "type", the keywords tell what is meant: what is generated is then a part of what is valid. */
static unsigned guess_types(const am_view *view) {
  static const struct {
    const char *keyword;
    unsigned types;
  } rows[] = {{"properties", AM_TYPE_OBJECT},
              {"required", AM_TYPE_OBJECT},
              {"additionalProperties", AM_TYPE_OBJECT},
              {"patternProperties", AM_TYPE_OBJECT},
              {"propertyNames", AM_TYPE_OBJECT},
              {"minProperties", AM_TYPE_OBJECT},
              {"items", AM_TYPE_ARRAY},
              {"prefixItems", AM_TYPE_ARRAY},
              {"minItems", AM_TYPE_ARRAY},
              {"maxItems", AM_TYPE_ARRAY},
              {"contains", AM_TYPE_ARRAY},
              {"uniqueItems", AM_TYPE_ARRAY},
              {"minLength", AM_TYPE_STRING},
              {"maxLength", AM_TYPE_STRING},
              {"pattern", AM_TYPE_STRING},
              {"format", AM_TYPE_STRING},
              {"minimum", AM_TYPE_INTEGER | AM_TYPE_FRACTION},
              {"maximum", AM_TYPE_INTEGER | AM_TYPE_FRACTION},
              {"exclusiveMinimum", AM_TYPE_INTEGER | AM_TYPE_FRACTION},
              {"exclusiveMaximum", AM_TYPE_INTEGER | AM_TYPE_FRACTION},
              {"multipleOf", AM_TYPE_INTEGER | AM_TYPE_FRACTION}};
  unsigned types = 0;
  const am_json *value = NULL;
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    if (am_view_find(view, rows[i].keyword, &value)) types |= rows[i].types;
  return types ? types : AM_TYPE_ALL;
}

static bool view_types(am_schema *s, const am_view *view, unsigned *out) {
  const am_json *value = NULL;
  unsigned all = AM_TYPE_ALL, types = 0;
  for (size_t i = 0; i < view->n; i++) {
    if (!am_schema_types(s, view->parts[i].schema, &types)) return false;
    all &= types;
  }
  *out = am_view_find(view, "type", &value) ? all : guess_types(view);
  return true;
}

/* Splits the view at the first anyOf or oneOf that it has; *split tells whether there was one. */
static bool split_view(am_schema *s, const am_view *view, uint32_t from, uint32_t to, bool *split) {
  static const char *const keywords[] = {"anyOf", "oneOf"};
  for (size_t i = 0; i < view->n; i++)
    for (unsigned k = 0; k < 2; k++) {
      const am_json *list = am_json_get(view->parts[i].schema, keywords[k]);
      if (!list || view->parts[i].done & (1u << k)) continue;
      *split = true;
      if (list->type != AM_JSON_ARRAY || list->n == 0)
        return am_schema_fail(s, view->parts[i].schema, keywords[k], "expected a list of schemas");
      for (uint32_t option = 0; option < list->n; option++) {
        am_view one = *view;
        one.parts[i].done |= 1u << k;
        if (!am_view_add(s, &one, am_json_at(list, option), 0)) return false;
        am_builder_call(s->builder, from, am_schema_rule(s, &one), to);
      }
      return !s->status;
    }
  return true;
}

static void compile_types(am_schema *s, const am_view *view, uint32_t from, uint32_t to) {
  am_builder *b = s->builder;
  unsigned types = 0;
  if (!view_types(s, view, &types)) return;
  if (types & AM_TYPE_OBJECT) am_schema_object(s, view, from, to);
  if (types & AM_TYPE_ARRAY) am_schema_array(s, view, from, to);
  if (types & AM_TYPE_STRING) am_schema_string(s, view, from, to);
  if (types & (AM_TYPE_INTEGER | AM_TYPE_FRACTION))
    am_schema_number(s, view, !(types & AM_TYPE_FRACTION), from, to);
  if (types & AM_TYPE_BOOLEAN) {
    am_builder_literal(b, from, "true", 4, to);
    am_builder_literal(b, from, "false", 5, to);
  }
  if (types & AM_TYPE_NULL) am_builder_literal(b, from, "null", 4, to);
}

static void compile_view(am_schema *s, am_view *view, uint32_t rule) {
  static const char *const never[] = {"if", "$dynamicRef", "$recursiveRef", NULL};
  const am_json *value = NULL, *negated = am_view_find(view, "not", &value);
  uint32_t from = am_builder_start(s->builder, rule), to = am_builder_final(s->builder, rule);
  bool split = false, found = false;
  if (negated) am_schema_fail(s, negated, "not", "this keyword is not supported");
  if (!flatten(s, view) || view->impossible || !am_view_refuse(s, view, never)) return;
  if (!split_view(s, view, from, to, &split) || split) return;
  if (!am_schema_values(s, view, from, to, &found) || found) return;
  compile_types(s, view, from, to);
}

/* At most one space, or a line end with at most 20 spaces or tabs. */
static void make_space(am_schema *s) {
  am_builder *b = s->builder;
  s->space = am_builder_rule(b, "white space");
  am_builder_begin(b, s->space);
  uint32_t from = am_builder_start(b, s->space), to = am_builder_final(b, s->space), at = am_builder_state(b);
  am_builder_skip(b, from, to);
  am_builder_bytes(b, from, ' ', ' ', to);
  am_builder_bytes(b, from, '\n', '\n', at);
  for (unsigned i = 0; i < 20; i++) {
    uint32_t next = am_builder_state(b);
    am_builder_skip(b, at, to);
    am_builder_bytes(b, at, ' ', ' ', next);
    am_builder_bytes(b, at, '\t', '\t', next);
    at = next;
  }
  am_builder_skip(b, at, to);
}

static void hex(am_builder *b, uint32_t from, uint32_t to) {
  am_builder_bytes(b, from, '0', '9', to);
  am_builder_bytes(b, from, 'a', 'f', to);
  am_builder_bytes(b, from, 'A', 'F', to);
}

static void hex_chain(am_builder *b, uint32_t from, unsigned n, uint32_t to) {
  for (; n > 1; n--) {
    uint32_t next = am_builder_state(b);
    hex(b, from, next);
    from = next;
  }
  hex(b, from, to);
}

/* \uXXXX of a character: no NUL, surrogates in pairs only (RFC 8259, section 7). */
static void unicode_escape(am_builder *b, uint32_t from, uint32_t to) {
  uint32_t zero = am_builder_state(b), zero2 = am_builder_state(b), zero3 = am_builder_state(b);
  uint32_t d = am_builder_state(b), other = am_builder_state(b), low = am_builder_state(b);
  static const char digits[] = "123456789abcefABCEF";
  am_builder_bytes(b, from, '0', '0', zero);
  for (const char *c = digits; *c; c++) {
    am_builder_bytes(b, from, (uint8_t)*c, (uint8_t)*c, other);
    am_builder_bytes(b, zero, (uint8_t)*c, (uint8_t)*c, low);
    am_builder_bytes(b, zero2, (uint8_t)*c, (uint8_t)*c, zero3);
  }
  am_builder_bytes(b, zero, 'd', 'd', low);
  am_builder_bytes(b, zero, 'D', 'D', low);
  am_builder_bytes(b, zero2, 'd', 'd', zero3);
  am_builder_bytes(b, zero2, 'D', 'D', zero3);
  hex_chain(b, other, 3, to);
  hex_chain(b, low, 2, to);   /* 0X.. */
  hex_chain(b, zero3, 1, to); /* 00X. */
  am_builder_bytes(b, zero, '0', '0', zero2);
  uint32_t zero4 = am_builder_state(b); /* 000X, X not 0 */
  am_builder_bytes(b, zero2, '0', '0', zero4);
  am_builder_bytes(b, zero4, '1', '9', to);
  am_builder_bytes(b, zero4, 'a', 'f', to);
  am_builder_bytes(b, zero4, 'A', 'F', to);
  am_builder_bytes(b, from, 'd', 'd', d);
  am_builder_bytes(b, from, 'D', 'D', d);
  uint32_t plain = am_builder_state(b), high = am_builder_state(b), pair = am_builder_state(b);
  am_builder_bytes(b, d, '0', '7', plain);
  hex_chain(b, plain, 2, to);
  am_builder_bytes(b, d, '8', '9', high);
  am_builder_bytes(b, d, 'a', 'b', high);
  am_builder_bytes(b, d, 'A', 'B', high);
  hex_chain(b, high, 2, pair);
  uint32_t second = am_builder_text(b, pair, "\\u"), second_d = am_builder_state(b),
           rest = am_builder_state(b);
  am_builder_bytes(b, second, 'd', 'd', second_d);
  am_builder_bytes(b, second, 'D', 'D', second_d);
  am_builder_bytes(b, second_d, 'c', 'f', rest);
  am_builder_bytes(b, second_d, 'C', 'F', rest);
  hex_chain(b, rest, 2, to);
}

/* One character of a JSON string, as it is or escaped. */
static void make_character(am_schema *s) {
  am_builder *b = s->builder;
  am_charset plain = {0};
  s->character = am_builder_rule(b, "character");
  am_builder_begin(b, s->character);
  uint32_t from = am_builder_start(b, s->character), to = am_builder_final(b, s->character);
  am_charset_add(&plain, 0x20, 0x21);
  am_charset_add(&plain, 0x23, 0x5B);
  am_charset_add(&plain, 0x5D, AM_CHARSET_LAST);
  am_charset_normalise(&plain);
  am_charset_emit(&plain, b, from, to);
  am_charset_close(&plain);
  uint32_t escape = am_builder_text(b, from, "\\"), unicode = am_builder_text(b, escape, "u");
  for (const char *c = "\"\\/bfnrt"; *c; c++) am_builder_bytes(b, escape, (uint8_t)*c, (uint8_t)*c, to);
  unicode_escape(b, unicode, to);
}

static void compile(am_schema *s) {
  am_view view = {0};
  s->last_pending = &s->pending;
  if (!am_view_add(s, &view, s->root, 0)) return;
  am_schema_rule(s, &view); /* the builder's first rule */
  make_space(s);
  make_character(s);
  for (am_pending *p = s->pending; p && !s->status && !am_builder_failed(s->builder); p = p->next) {
    am_view work = {.n = p->n};
    memcpy(work.parts, p->parts, p->n * sizeof *p->parts);
    if (p->n == 1 && p->parts[0].schema->type == AM_JSON_BOOL) continue; /* no value: no way through */
    am_builder_begin(s->builder, p->rule);
    compile_view(s, &work, p->rule);
  }
}

adam_status am_grammar_open_schema(const char *text, size_t n_bytes, am_grammar **out, adam_error *error) {
  am_arena arena = {.limit_bytes = (size_t)256 << 20};
  am_json root;
  am_schema s = {.arena = &arena, .root = &root, .error = error};
  s.status = am_json_parse(text, n_bytes, "schema", 0, &arena, &root, error);
  if (s.status == ADAM_DAMAGED) { /* what the caller wrote is no file */
    if (error) error->status = ADAM_INVALID;
    s.status = ADAM_INVALID;
  }
  if (!s.status) s.status = am_builder_open("schema", &s.builder, error);
  if (!s.status) compile(&s);
  if (!s.status) s.status = am_builder_finish(s.builder, out, error);
  am_builder_close(&s.builder);
  am_map_close(&s.rules);
  am_arena_close(&arena);
  return s.status;
}
