/* SPDX-License-Identifier: Apache-2.0 */
/* grammar/schema: what the files of the JSON Schema compiler share.
 * A view is the list of schemas that one value must satisfy together: allOf and $ref add to it, anyOf and
 * oneOf split it. Equal views are one rule, which is how recursion ends. */
#ifndef AM_GRAMMAR_SCHEMA_H
#define AM_GRAMMAR_SCHEMA_H

#include "base/arena.h"
#include "base/json.h"
#include "base/map.h"
#include "grammar/expression.h"

enum { AM_SCHEMA_MOST_PARTS = 64 };

typedef struct am_part {
  const am_json *schema;
  uint64_t done; /* bit 0: anyOf has been split, bit 1: oneOf has */
} am_part;

typedef struct am_view {
  am_part parts[AM_SCHEMA_MOST_PARTS];
  size_t n;
  bool impossible; /* false is among them */
} am_view;

typedef struct am_pending {
  struct am_pending *next;
  uint32_t rule;
  size_t n;
  am_part parts[];
} am_pending;

typedef struct am_schema {
  am_builder *builder;
  am_arena *arena;
  const am_json *root;
  am_map rules; /* bytes of a view's parts -> rule */
  am_pending *pending, **last_pending;
  uint32_t space, character; /* rules: white space, one character of a string */
  adam_error *error;
  adam_status status; /* of the first fault */
} am_schema;

/* ADAM_INVALID at the place of `at` in the document, as a JSON pointer. `at` may be NULL. Returns false. */
bool am_schema_fail(am_schema *s, const am_json *at, const char *keyword, const char *format, ...)
    AM_PRINTF(4, 5);
bool am_schema_no_memory(am_schema *s);

/* view + schema; true is left out, false makes it impossible. */
bool am_view_add(am_schema *s, am_view *view, const am_json *schema, uint64_t done);
/* The rule of a view, compiled later when it is new. */
uint32_t am_schema_rule(am_schema *s, const am_view *view);
/* The first part that has a keyword; NULL = none. *value gets it. */
const am_json *am_view_find(const am_view *view, const char *keyword, const am_json **value);
/* A count such as minLength: the greatest of all parts, or the least. `fallback` where none has it. */
bool am_view_count(am_schema *s, const am_view *view, const char *keyword, bool greatest, uint32_t fallback,
                   uint32_t *out);
/* Fails for each keyword of the list (ends at NULL) that a part has with a value that asks for something. */
bool am_view_refuse(am_schema *s, const am_view *view, const char *const *keywords);

/* Each emits one type between two states of the rule that is begun. */
void am_schema_string(am_schema *s, const am_view *view, uint32_t from, uint32_t to);
void am_schema_number(am_schema *s, const am_view *view, bool integer, uint32_t from, uint32_t to);
void am_schema_object(am_schema *s, const am_view *view, uint32_t from, uint32_t to);
void am_schema_array(am_schema *s, const am_view *view, uint32_t from, uint32_t to);
/* enum and const of the view, where it has any: *found. */
bool am_schema_values(am_schema *s, const am_view *view, uint32_t from, uint32_t to, bool *found);

typedef enum am_schema_type {
  AM_TYPE_NULL = 1,
  AM_TYPE_BOOLEAN = 2,
  AM_TYPE_OBJECT = 4,
  AM_TYPE_ARRAY = 8,
  AM_TYPE_STRING = 16,
  AM_TYPE_INTEGER = 32,
  AM_TYPE_FRACTION = 64, /* numbers that are no integers */
  AM_TYPE_ALL = 127
} am_schema_type;
/* The types that a schema's own "type" allows; AM_TYPE_ALL without. false: it is none. */
bool am_schema_types(am_schema *s, const am_json *schema, unsigned *types);

#endif
