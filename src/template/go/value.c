/* SPDX-License-Identifier: Apache-2.0 */
/* Fields and their JSON names: Ollama's api/types.go of v0.9.6. */
#include "template/go/value.h"

#include <stdlib.h>
#include <string.h>

static const am_go_field message_fields[] = {{"Role", "role", false, false},
                                             {"Content", "content", false, false},
                                             {"Thinking", "thinking", true, false},
                                             {"Images", "images", true, false},
                                             {"ToolCalls", "tool_calls", true, false},
                                             {"ToolName", "tool_name", true, false},
                                             {"ToolCallID", "tool_call_id", true, true},
                                             {0}};
static const am_go_field call_fields[] = {
    {"Function", "function", false, false}, {"ID", "id", true, true}, {0}};
static const am_go_field call_function_fields[] = {{"Index", "index", true, false},
                                                   {"Name", "name", false, false},
                                                   {"Arguments", "arguments", false, false},
                                                   {0}};
static const am_go_field tool_fields[] = {{"Type", "type", false, false},
                                          {"Items", "items", true, false},
                                          {"Function", "function", false, false},
                                          {0}};
static const am_go_field tool_function_fields[] = {{"Name", "name", false, false},
                                                   {"Description", "description", false, false},
                                                   {"Parameters", "parameters", false, false},
                                                   {0}};
static const am_go_field parameters_fields[] = {{"Type", "type", false, false},
                                                {"Defs", "$defs", true, false},
                                                {"Items", "items", true, false},
                                                {"Required", "required", false, false},
                                                {"Properties", "properties", false, false},
                                                {0}};
static const am_go_field property_fields[] = {{"Type", "type", false, false},
                                              {"Items", "items", true, false},
                                              {"Description", "description", false, false},
                                              {"Enum", "enum", true, false},
                                              {0}};

static const struct type_row {
  const char *name;
  const am_go_field *fields;
  bool value_string, pointer_string; /* where the type has its method String */
} types[AM_GO_N_TYPES] = {
    [AM_GO_STRINGS] = {"[]string", NULL, false, false},
    [AM_GO_PROPERTY_TYPE] = {"api.PropertyType", NULL, true, true},
    [AM_GO_MESSAGES] = {"[]*api.Message", NULL, false, false},
    [AM_GO_MESSAGE] = {"api.Message", message_fields, false, false},
    [AM_GO_IMAGES] = {"[]api.ImageData", NULL, false, false},
    [AM_GO_CALLS] = {"[]api.ToolCall", NULL, false, false},
    [AM_GO_CALL] = {"api.ToolCall", call_fields, false, false},
    [AM_GO_CALL_FUNCTION] = {"api.ToolCallFunction", call_function_fields, false, false},
    [AM_GO_ARGUMENTS] = {"api.ToolCallFunctionArguments", NULL, false, true},
    [AM_GO_TOOLS] = {"api.Tools", NULL, true, true},
    [AM_GO_TOOL] = {"api.Tool", tool_fields, true, true},
    [AM_GO_TOOL_FUNCTION] = {"api.ToolFunction", tool_function_fields, false, true},
    [AM_GO_PARAMETERS] = {"struct", parameters_fields, false, false},
    [AM_GO_PROPERTIES] = {"map[string]struct", NULL, false, false},
    [AM_GO_PROPERTY] = {"struct", property_fields, false, false},
};

const am_go_field *am_go_fields(am_go_type type) { return types[type].fields; }

const char *am_go_type_name(const am_go_value *value) {
  if (value->kind == AM_GO_STRUCT && value->pointer && value->type == AM_GO_MESSAGE) return "*api.Message";
  if (value->type != AM_GO_PLAIN) return types[value->type].name;
  switch ((am_go_kind)value->kind) {
    case AM_GO_BOOL:
      return "bool";
    case AM_GO_INT:
      return "int";
    case AM_GO_BYTE:
      return "uint8";
    case AM_GO_FLOAT:
      return "float64";
    case AM_GO_STRING:
      return "string";
    case AM_GO_LIST:
      return "[]interface {}";
    case AM_GO_MAP:
      return "map[string]interface {}";
    case AM_GO_INVALID:
    case AM_GO_NIL:
    case AM_GO_STRUCT:
      break;
  }
  return "nil";
}

bool am_go_is_stringer(const am_go_value *value) { return types[value->type].value_string; }

bool am_go_prints_itself(const am_go_value *value) {
  return am_go_is_stringer(value) || (types[value->type].pointer_string && value->addressable);
}

am_go_value am_go_bool(bool boolean) { return (am_go_value){.kind = AM_GO_BOOL, .as.boolean = boolean}; }
am_go_value am_go_int(int64_t integer) { return (am_go_value){.kind = AM_GO_INT, .as.integer = integer}; }
am_go_value am_go_real(double real) { return (am_go_value){.kind = AM_GO_FLOAT, .as.real = real}; }
am_go_value am_go_nil(void) { return (am_go_value){.kind = AM_GO_NIL}; }
am_go_value am_go_invalid(void) { return (am_go_value){.kind = AM_GO_INVALID}; }

am_go_value am_go_string(const char *bytes, size_t n_bytes) {
  return (am_go_value){.kind = AM_GO_STRING, .n = n_bytes, .as.string = bytes ? bytes : ""};
}

am_go_value am_go_text(const char *text) { return am_go_string(text, text ? strlen(text) : 0); }

bool am_go_truth(const am_go_value *value) {
  switch ((am_go_kind)value->kind) {
    case AM_GO_INVALID:
    case AM_GO_NIL:
      return false;
    case AM_GO_BOOL:
      return value->as.boolean;
    case AM_GO_INT:
    case AM_GO_BYTE:
      return value->as.integer != 0;
    case AM_GO_FLOAT:
      return value->as.real != 0;
    case AM_GO_STRING:
    case AM_GO_LIST:
    case AM_GO_MAP:
      return value->n > 0;
    case AM_GO_STRUCT:
      return true;
  }
  return false;
}

static int compare_keys(const char *a, size_t n_a, const char *b, size_t n_b) {
  int order = memcmp(a, b, n_a < n_b ? n_a : n_b);
  return order ? order : (n_a > n_b) - (n_a < n_b);
}

const am_go_value *am_go_map_find(const am_go_value *map, const char *key, size_t key_bytes) {
  size_t low = 0, high = map->n;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    const am_go_entry *entry = &map->as.entries[middle];
    int order = compare_keys(entry->key, entry->key_bytes, key, key_bytes);
    if (order == 0) return &entry->value;
    if (order < 0)
      low = middle + 1;
    else
      high = middle;
  }
  return NULL;
}

am_go_value am_go_map_missing(const am_go_value *map) {
  static const am_go_value zero_property[] = {
      {.kind = AM_GO_LIST, .type = AM_GO_PROPERTY_TYPE, .is_nil = true},
      {.kind = AM_GO_NIL},
      {.kind = AM_GO_STRING, .as.string = ""},
      {.kind = AM_GO_LIST, .is_nil = true},
  };
  if (map->type != AM_GO_PROPERTIES) return am_go_nil();
  return (am_go_value){.kind = AM_GO_STRUCT, .type = AM_GO_PROPERTY, .n = 4, .as.items = zero_property};
}

static int compare_entries(const void *a, const void *b) {
  const am_go_entry *x = a, *y = b;
  int order = compare_keys(x->key, x->key_bytes, y->key, y->key_bytes);
  if (order) return order;
  return (x->place > y->place) - (x->place < y->place);
}

void am_go_entries_sort(am_go_entry *entries, size_t *n) {
  size_t kept = 0;
  qsort(entries, *n, sizeof *entries, compare_entries);
  for (size_t i = 0; i < *n; i++) {
    bool same = i + 1 < *n && entries[i].key_bytes == entries[i + 1].key_bytes &&
                memcmp(entries[i].key, entries[i + 1].key, entries[i].key_bytes) == 0;
    if (!same) entries[kept++] = entries[i];
  }
  *n = kept;
}
