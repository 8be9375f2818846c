/* SPDX-License-Identifier: Apache-2.0 */
/* Objects and arrays. Members come in the order of "properties", those of "required" that are not there
 * behind them, then others where "additionalProperties" allows any. An object with "properties" and no
 * "additionalProperties" gets no others. */
#include "grammar/schema.h"

#include "base/error.h"
#include "base/mem.h"
#include "base/utf8.h"

#include <stdlib.h>
#include <string.h>

typedef struct property {
  const char *name;
  size_t n_bytes;
  bool required;
} property;

typedef struct names {
  property *list; /* in the arena */
  size_t n, capacity;
  am_map index;
} names;

static bool add_name(am_schema *s, names *all, const char *name, size_t n_bytes, bool required) {
  uint64_t at = 0;
  if (am_map_get(&all->index, name, n_bytes, &at)) {
    all->list[at].required |= required;
    return true;
  }
  if (all->n == all->capacity) {
    size_t capacity = all->capacity ? 2 * all->capacity : 16;
    property *grown = am_arena_alloc(s->arena, capacity * sizeof *grown);
    if (!grown) return am_schema_no_memory(s);
    if (all->n > 0) memcpy(grown, all->list, all->n * sizeof *grown);
    all->list = grown;
    all->capacity = capacity;
  }
  all->list[all->n] = (property){name, n_bytes, required};
  return am_map_set(&all->index, name, n_bytes, all->n++) || am_schema_no_memory(s);
}

/* The names of every part's "properties", then those that are only "required". */
static bool gather_names(am_schema *s, const am_view *view, names *all) {
  for (size_t i = 0; i < view->n; i++) {
    const am_json *own = am_json_get(view->parts[i].schema, "properties");
    if (own && own->type != AM_JSON_OBJECT)
      return am_schema_fail(s, view->parts[i].schema, "properties", "expected an object");
    for (uint32_t k = 0; own && k < own->n; k++)
      if (!add_name(s, all, own->as.members[k].key, own->as.members[k].key_bytes, false)) return false;
  }
  for (size_t i = 0; i < view->n; i++) {
    const am_json *list = am_json_get(view->parts[i].schema, "required");
    if (list && list->type != AM_JSON_ARRAY)
      return am_schema_fail(s, view->parts[i].schema, "required", "expected a list of names");
    for (uint32_t k = 0; list && k < list->n; k++) {
      const am_json *name = am_json_at(list, k);
      if (name->type != AM_JSON_STRING)
        return am_schema_fail(s, view->parts[i].schema, "required", "expected a list of names");
      if (!add_name(s, all, name->as.string, name->n, true)) return false;
    }
  }
  return true;
}

/* All that applies to the value of one member: of each part its property, else what it says of others. */
static bool member_view(am_schema *s, const am_view *view, const property *p, am_view *out) {
  *out = (am_view){0};
  for (size_t i = 0; i < view->n; i++) {
    const am_json *own = p ? am_json_get(am_json_get(view->parts[i].schema, "properties"), p->name) : NULL;
    const am_json *others = am_json_get(view->parts[i].schema, "additionalProperties");
    const am_json *applies = own ? own : others;
    if (applies && !am_view_add(s, out, applies, 0)) return false;
  }
  return true;
}

/* Whether members beside the named ones are written, and what they may be. */
static bool others_view(am_schema *s, const am_view *view, bool *wanted, am_view *out) {
  const am_json *value = NULL;
  if (!member_view(s, view, NULL, out)) return false;
  bool said = am_view_find(view, "additionalProperties", &value) != NULL;
  *wanted = !out->impossible && (said || !am_view_find(view, "properties", &value));
  for (size_t i = 0; i < view->n; i++) {
    const am_json *closed = am_json_get(view->parts[i].schema, "unevaluatedProperties");
    if (closed && (closed->type != AM_JSON_BOOL || (!closed->as.boolean && said)))
      return am_schema_fail(s, view->parts[i].schema, "unevaluatedProperties", "only false is supported");
    if (closed && !closed->as.boolean) *wanted = false;
  }
  return true;
}

/* A key that is none of the names, written without escapes, and its closing quote: a tree of the names'
 * characters that is left at the first one that differs. `depth` bytes of names [first, last) are read. */
static void other_key(am_schema *s, property *const *sorted, size_t first, size_t last, size_t depth,
                      uint32_t at, uint32_t free, uint32_t closed) {
  am_builder *b = s->builder;
  am_charset leaves = {0};
  bool complete = sorted[first]->n_bytes == depth;
  if (!complete) am_builder_bytes(b, at, '"', '"', closed);
  if (complete) first++;
  for (size_t i = first; i < last;) {
    uint32_t c = 0, next = am_builder_state(b);
    if (am_builder_failed(b)) break;
    int n = am_utf8_decode(sorted[i]->name + depth, sorted[i]->n_bytes - depth, &c);
    size_t length = (size_t)(n < 0 ? -n : n), end = i;
    while (end < last && sorted[end]->n_bytes >= depth + length &&
           memcmp(sorted[end]->name + depth, sorted[i]->name + depth, length) == 0)
      end++;
    am_charset_add(&leaves, c, c);
    if (c >= 0x20 && c != '"' && c != '\\') { /* others are written as escapes, which are not */
      am_builder_literal(b, at, sorted[i]->name + depth, length, next);
      other_key(s, sorted, i, end, depth + length, next, free, closed);
    }
    i = end;
  }
  am_charset_add(&leaves, 0, 0x1F);
  am_charset_add(&leaves, '"', '"');
  am_charset_add(&leaves, '\\', '\\');
  am_charset_normalise(&leaves);
  am_charset_negate(&leaves);
  am_charset_emit(&leaves, b, at, free);
  am_charset_close(&leaves);
}

static int by_name(const void *a, const void *b) {
  const property *x = *(property *const *)a, *y = *(property *const *)b;
  size_t n = x->n_bytes < y->n_bytes ? x->n_bytes : y->n_bytes;
  int order = memcmp(x->name, y->name, n);
  return order ? order : x->n_bytes < y->n_bytes ? -1 : x->n_bytes > y->n_bytes;
}

static void emit_other_key(am_schema *s, const names *all, uint32_t from, uint32_t to) {
  am_builder *b = s->builder;
  uint32_t at = am_builder_text(b, from, "\"");
  if (all->n == 0) {
    am_builder_call(b, at, s->character, at);
    am_builder_bytes(b, at, '"', '"', to);
    return;
  }
  property **sorted = am_arena_alloc(s->arena, all->n * sizeof *sorted);
  size_t longest = 0;
  if (!sorted) {
    am_schema_no_memory(s);
    return;
  }
  for (size_t i = 0; i < all->n; i++) {
    sorted[i] = &all->list[i];
    if (sorted[i]->n_bytes > longest) longest = sorted[i]->n_bytes;
  }
  if (longest > 1000) {
    am_schema_fail(s, NULL, "additionalProperties", "a property's name has more than 1000 bytes");
    return;
  }
  qsort(sorted, all->n, sizeof *sorted, by_name);
  am_charset plain = {0};
  uint32_t free = am_builder_state(b);
  am_charset_add(&plain, 0x20, 0x21);
  am_charset_add(&plain, 0x23, 0x5B);
  am_charset_add(&plain, 0x5D, AM_CHARSET_LAST);
  am_charset_normalise(&plain);
  am_charset_emit(&plain, b, free, free);
  am_charset_close(&plain);
  am_builder_bytes(b, free, '"', '"', to);
  other_key(s, sorted, 0, all->n, 0, at, free, to);
}

/* `:` and the value behind a key. */
static void emit_value(am_schema *s, uint32_t from, uint32_t rule, uint32_t to) {
  am_builder *b = s->builder;
  uint32_t colon = am_builder_text(b, from, ":"), value = am_builder_state(b);
  am_builder_call(b, colon, s->space, value);
  am_builder_call(b, value, rule, to);
}

/* From `empty` (nothing written yet) or `more` (something is) to a state where an element begins. */
static uint32_t emit_gap(am_schema *s, uint32_t empty, bool has_empty, uint32_t more, bool has_more) {
  am_builder *b = s->builder;
  uint32_t at = am_builder_state(b);
  if (has_empty) am_builder_call(b, empty, s->space, at);
  if (has_more) am_builder_call(b, am_builder_text(b, more, ","), s->space, at);
  return at;
}

static void emit_end(am_schema *s, uint32_t from, char bracket, uint32_t to) {
  uint32_t at = am_builder_state(s->builder);
  am_builder_call(s->builder, from, s->space, at);
  am_builder_bytes(s->builder, at, (uint8_t)bracket, (uint8_t)bracket, to);
}

/* Two lines of states through the members: `empty` while none is written, `more` after the first. */
static void emit_members(am_schema *s, const am_view *view, const names *all, uint32_t from, uint32_t to) {
  am_builder *b = s->builder;
  uint32_t empty = am_builder_text(b, from, "{"), more = am_builder_state(b);
  bool has_empty = true, has_more = false, others = false;
  am_view member;
  for (size_t i = 0; i < all->n && !s->status && !am_builder_failed(b); i++) {
    const property *p = &all->list[i];
    am_buf key = {0};
    if (!member_view(s, view, p, &member)) return;
    uint32_t at = emit_gap(s, empty, has_empty, more, has_more), after = am_builder_state(b),
             next = am_builder_state(b);
    if (am_json_write_string(&key, p->name, p->n_bytes))
      am_builder_literal(b, at, key.data, key.len, after);
    else
      am_schema_no_memory(s);
    am_buf_close(&key);
    emit_value(s, after, am_schema_rule(s, &member), next);
    if (!p->required && has_more) am_builder_skip(b, more, next);
    if (p->required) has_empty = false;
    more = next;
    has_more = true;
  }
  if (s->status || !others_view(s, view, &others, &member)) return;
  if (others) {
    uint32_t at = emit_gap(s, empty, has_empty, more, has_more), after = am_builder_state(b),
             next = am_builder_state(b);
    emit_other_key(s, all, at, after);
    emit_value(s, after, am_schema_rule(s, &member), next);
    am_builder_call(b, am_builder_text(b, next, ","), s->space, at);
    emit_end(s, next, '}', to);
  }
  if (has_empty) emit_end(s, empty, '}', to);
  if (has_more) emit_end(s, more, '}', to);
}

/* minProperties and maxProperties are kept only where the lists of members keep them anyway. */
static bool check_counts(am_schema *s, const am_view *view, const names *all) {
  uint32_t least = 0, most = 0, n_required = 0;
  am_view member;
  bool others = false;
  for (size_t i = 0; i < all->n; i++) n_required += all->list[i].required;
  if (!am_view_count(s, view, "minProperties", true, 0, &least) ||
      !am_view_count(s, view, "maxProperties", false, UINT32_MAX, &most) ||
      !others_view(s, view, &others, &member))
    return false;
  if (least > n_required)
    return am_schema_fail(s, NULL, "minProperties", "supported only up to the number of required properties");
  if (most != UINT32_MAX && (others || most < all->n))
    return am_schema_fail(s, NULL, "maxProperties", "supported only where there can be no more properties");
  return true;
}

void am_schema_object(am_schema *s, const am_view *view, uint32_t from, uint32_t to) {
  static const char *const refused[] = {"patternProperties", "propertyNames", "dependentRequired",
                                        "dependentSchemas",  "dependencies",  NULL};
  names all = {0};
  if (am_view_refuse(s, view, refused) && gather_names(s, view, &all) && check_counts(s, view, &all))
    emit_members(s, view, &all, from, to);
  am_map_close(&all.index);
}

/* What applies to element i; *any: no part says anything of it and one has prefixItems, so that none need
 * be written. */
static bool element_view(am_schema *s, const am_view *view, uint32_t i, bool *said, am_view *out) {
  *out = (am_view){0};
  *said = false;
  for (size_t k = 0; k < view->n; k++) {
    const am_json *schema = view->parts[k].schema;
    const am_json *items = am_json_get(schema, "items"), *prefix = am_json_get(schema, "prefixItems");
    if (items && items->type == AM_JSON_ARRAY) { /* drafts before 2020-12 */
      prefix = items;
      items = am_json_get(schema, "additionalItems");
    }
    const am_json *applies = prefix && i < prefix->n ? am_json_at(prefix, i) : items;
    if (!applies) continue;
    *said = true;
    if (!am_view_add(s, out, applies, 0)) return false;
  }
  return true;
}

/* The longest list of element schemas; *has: there is one. */
static bool prefix_length(am_schema *s, const am_view *view, bool *has, uint32_t *n) {
  for (size_t k = 0; k < view->n; k++) {
    const am_json *items = am_json_get(view->parts[k].schema, "items");
    const am_json *prefix = am_json_get(view->parts[k].schema, "prefixItems");
    if (prefix && prefix->type != AM_JSON_ARRAY)
      return am_schema_fail(s, view->parts[k].schema, "prefixItems", "expected a list of schemas");
    if (items && items->type == AM_JSON_ARRAY) prefix = items;
    if (!prefix) continue;
    *has = true;
    if (prefix->n > *n) *n = prefix->n;
  }
  return true;
}

void am_schema_array(am_schema *s, const am_view *view, uint32_t from, uint32_t to) {
  static const char *const refused[] = {"contains", "minContains", "maxContains", "uniqueItems", NULL};
  am_builder *b = s->builder;
  uint32_t least = 0, most = 0, n_prefix = 0;
  bool has_prefix = false, said = false;
  am_view element;
  if (!am_view_count(s, view, "minItems", true, 0, &least) ||
      !am_view_count(s, view, "maxItems", false, UINT32_MAX, &most) ||
      !prefix_length(s, view, &has_prefix, &n_prefix))
    return;
  if (most > 1 && !am_view_refuse(s, view, refused)) return;
  const am_json *closed = NULL, *schema = am_view_find(view, "unevaluatedItems", &closed);
  if (schema && !(closed->type == AM_JSON_BOOL && (closed->as.boolean || has_prefix))) {
    am_schema_fail(s, schema, "unevaluatedItems", "supported only as false beside prefixItems");
    return;
  }
  uint32_t at = am_builder_text(b, from, "["), fixed = n_prefix > least ? n_prefix : least;
  uint32_t end = most != UINT32_MAX ? most : fixed;
  for (uint32_t i = 0;; i++) {
    if (i >= least) emit_end(s, at, ']', to);
    if (i == most || !element_view(s, view, i, &said, &element) || am_builder_failed(b)) return;
    if (element.impossible || (has_prefix && !said && i >= least)) return; /* the list ends here */
    uint32_t next = am_builder_state(b), begin = emit_gap(s, at, i == 0, at, i > 0);
    am_builder_call(b, begin, am_schema_rule(s, &element), next);
    at = next;
    if (most == UINT32_MAX && i >= end) { /* any number more, all alike */
      emit_end(s, at, ']', to);
      am_builder_call(b, am_builder_text(b, at, ","), s->space, begin);
      return;
    }
  }
}
