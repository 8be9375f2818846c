/* SPDX-License-Identifier: Apache-2.0 */
/* template/go/value: what a Go template computes with: the values that Ollama hands to its templates, with
 * as much of their Go types as shows: names, fields and their order, nil, who prints itself as JSON.
 * Values are small and copied; what they point to lives in the rendering's arena or is static. */
#ifndef AM_TEMPLATE_GO_VALUE_H
#define AM_TEMPLATE_GO_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"

typedef enum am_go_kind {
  AM_GO_INVALID, /* no value: what a nil interface becomes behind a pipeline */
  AM_GO_NIL,     /* an interface that holds nothing */
  AM_GO_BOOL,
  AM_GO_INT,
  AM_GO_BYTE, /* uint8: what indexing a string gives */
  AM_GO_FLOAT,
  AM_GO_STRING,
  AM_GO_LIST,
  AM_GO_MAP,
  AM_GO_STRUCT
} am_go_kind;

typedef enum am_go_type {
  AM_GO_PLAIN, /* bool, int, uint8, float64, string, []any, map[string]any */
  AM_GO_STRINGS,
  AM_GO_PROPERTY_TYPE,
  AM_GO_MESSAGES,
  AM_GO_MESSAGE,
  AM_GO_IMAGES,
  AM_GO_CALLS,
  AM_GO_CALL,
  AM_GO_CALL_FUNCTION,
  AM_GO_ARGUMENTS,
  AM_GO_TOOLS,
  AM_GO_TOOL,
  AM_GO_TOOL_FUNCTION,
  AM_GO_PARAMETERS,
  AM_GO_PROPERTIES,
  AM_GO_PROPERTY,
  AM_GO_N_TYPES
} am_go_type;

typedef struct am_go_value am_go_value;
typedef struct am_go_entry am_go_entry;

struct am_go_value {
  uint8_t kind;     /* am_go_kind */
  uint8_t type;     /* am_go_type */
  bool pointer;     /* STRUCT: a pointer to it */
  bool addressable; /* Go can take its address: methods of the pointer type are seen */
  bool is_nil;      /* LIST, MAP: nil, not only empty */
  size_t n;         /* STRING: bytes; LIST: elements; MAP: entries; STRUCT: fields */
  size_t capacity;  /* LIST: elements that slice may reach, >= n */
  union {
    bool boolean;
    int64_t integer; /* INT, BYTE */
    double real;
    const char *string;         /* no NUL at the end */
    const am_go_value *items;   /* LIST; STRUCT: as the type's fields */
    const am_go_entry *entries; /* MAP: sorted by key, each key once */
  } as;
};

struct am_go_entry {
  const char *key;
  size_t key_bytes;
  size_t place; /* where it stood in the JSON, for am_go_entries_sort */
  am_go_value value;
};

typedef struct am_go_field {
  const char *name; /* NULL ends a list */
  const char *json;
  bool omit_empty;
  bool newer; /* not in v0.9.6: found by name only, never printed */
} am_go_field;

/* Fields of a struct type; NULL for the others. */
const am_go_field *am_go_fields(am_go_type type);
/* As Go spells the type of the value, for fmt's complaints. */
const char *am_go_type_name(const am_go_value *value);
/* The type has String by value, or by pointer and the value is addressable. */
bool am_go_prints_itself(const am_go_value *value);
/* The type has String by value. */
bool am_go_is_stringer(const am_go_value *value);

am_go_value am_go_bool(bool boolean);
am_go_value am_go_int(int64_t integer);
am_go_value am_go_real(double real);
am_go_value am_go_string(const char *bytes, size_t n_bytes);
am_go_value am_go_text(const char *text); /* NULL = "" */
am_go_value am_go_nil(void);
am_go_value am_go_invalid(void);

/* What Go calls the truth of a value: not the zero of its type. Structs are true. */
bool am_go_truth(const am_go_value *value);
/* The entry of a map; NULL = none. */
const am_go_value *am_go_map_find(const am_go_value *map, const char *key, size_t key_bytes);
/* What a map of this type gives for a key that it does not have. */
am_go_value am_go_map_missing(const am_go_value *map);
/* Sorts entries by key; of equal keys the last one stays. */
void am_go_entries_sort(am_go_entry *entries, size_t *n);

#endif
