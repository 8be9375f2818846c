/* SPDX-License-Identifier: Apache-2.0 */
#include "template/go/data.h"

#include <string.h>

#include "base/error.h"
#include "base/utf8.h"
#include "template/jinja/unicode.h"

/* What is read and where, for the words of an error. */
typedef struct reader {
  am_arena *arena;
  adam_error *error;
  const char *what; /* "messages" or "tools" */
  size_t index;
} reader;

static adam_status wrong(const reader *r, const char *field, const char *expected) {
  return am_fail(r->error, ADAM_INVALID, r->what, NULL, "element %zu: %s: expected %s", r->index, field,
                 expected);
}

static adam_status no_memory(const reader *r) { return am_fail_memory(r->error, r->what); }

/* Any JSON as Go's interface{}. */
static bool any_value(am_arena *arena, const am_json *json, am_go_value *out) {
  *out = am_go_nil();
  if (!json) return true;
  switch (json->type) {
    case AM_JSON_NULL:
      return true;
    case AM_JSON_BOOL:
      *out = am_go_bool(json->as.boolean);
      return true;
    case AM_JSON_INT:
      *out = am_go_real((double)json->as.integer);
      return true;
    case AM_JSON_FLOAT:
      *out = am_go_real(json->as.real);
      return true;
    case AM_JSON_STRING:
      *out = am_go_string(json->as.string, json->n);
      return true;
    case AM_JSON_ARRAY: {
      am_go_value *items = am_arena_zalloc(arena, json->n + 1u, sizeof *items);
      if (!items) return false;
      for (uint32_t i = 0; i < json->n; i++)
        if (!any_value(arena, &json->as.items[i], &items[i])) return false;
      *out = (am_go_value){.kind = AM_GO_LIST, .n = json->n, .capacity = json->n, .as.items = items};
      return true;
    }
    case AM_JSON_OBJECT: {
      am_go_entry *entries = am_arena_zalloc(arena, json->n + 1u, sizeof *entries);
      size_t n = json->n;
      if (!entries) return false;
      for (uint32_t i = 0; i < json->n; i++) {
        const am_json_member *member = &json->as.members[i];
        entries[i] = (am_go_entry){.key = member->key, .key_bytes = member->key_bytes, .place = i};
        if (!any_value(arena, &member->value, &entries[i].value)) return false;
      }
      am_go_entries_sort(entries, &n);
      *out = (am_go_value){.kind = AM_GO_MAP, .n = n, .as.entries = entries};
      return true;
    }
  }
  return false;
}

static adam_status read_any(const reader *r, const am_json *json, am_go_value *out) {
  return any_value(r->arena, json, out) ? ADAM_OK : no_memory(r);
}

/* A string; absent and null are "". */
static adam_status read_string(const reader *r, const am_json *json, const char *field, am_go_value *out) {
  *out = am_go_string("", 0);
  if (am_json_is_null(json)) return ADAM_OK;
  if (json->type != AM_JSON_STRING) return wrong(r, field, "a string");
  *out = am_go_string(json->as.string, json->n);
  return ADAM_OK;
}

/* []string; absent and null are nil, null inside is "". */
static adam_status read_strings(const reader *r, const am_json *json, const char *field, am_go_type type,
                                am_go_value *out) {
  *out = (am_go_value){.kind = AM_GO_LIST, .type = (uint8_t)type, .is_nil = true};
  if (am_json_is_null(json)) return ADAM_OK;
  if (json->type != AM_JSON_ARRAY) return wrong(r, field, "a list of strings");
  am_go_value *items = am_arena_zalloc(r->arena, json->n + 1u, sizeof *items);
  if (!items) return no_memory(r);
  for (uint32_t i = 0; i < json->n; i++) {
    adam_status status = read_string(r, &json->as.items[i], field, &items[i]);
    if (status) return status;
  }
  *out = (am_go_value){
      .kind = AM_GO_LIST, .type = (uint8_t)type, .n = json->n, .capacity = json->n, .as.items = items};
  return ADAM_OK;
}

static am_go_value struct_of(am_go_type type, const am_go_value *fields, size_t n) {
  return (am_go_value){.kind = AM_GO_STRUCT, .type = (uint8_t)type, .n = n, .as.items = fields};
}

/* A name or a list of names; null, which Go reads as an empty name; absent is nil. */
static adam_status read_property_type(const reader *r, const am_json *json, am_go_value *out) {
  if (json && (json->type == AM_JSON_STRING || json->type == AM_JSON_NULL)) {
    am_go_value *name = am_arena_zalloc(r->arena, 1, sizeof *name);
    if (!name) return no_memory(r);
    *name = json->type == AM_JSON_STRING ? am_go_string(json->as.string, json->n) : am_go_string("", 0);
    *out = (am_go_value){
        .kind = AM_GO_LIST, .type = AM_GO_PROPERTY_TYPE, .n = 1, .capacity = 1, .as.items = name};
    return ADAM_OK;
  }
  return read_strings(r, json, "the type of a property", AM_GO_PROPERTY_TYPE, out);
}

static adam_status read_property(const reader *r, const am_json *json, am_go_value *out) {
  am_go_value *fields = am_arena_zalloc(r->arena, 4, sizeof *fields);
  const am_json *list = am_json_get(json, "enum");
  if (!fields) return no_memory(r);
  if (!am_json_is_null(json) && json->type != AM_JSON_OBJECT) return wrong(r, "a property", "an object");
  if (!am_json_is_null(list) && list->type != AM_JSON_ARRAY) return wrong(r, "enum", "a list");
  adam_status status = read_property_type(r, am_json_get(json, "type"), &fields[0]);
  if (!status) status = read_any(r, am_json_get(json, "items"), &fields[1]);
  if (!status) status = read_string(r, am_json_get(json, "description"), "description", &fields[2]);
  if (!status && am_json_is_null(list))
    fields[3] = (am_go_value){.kind = AM_GO_LIST, .is_nil = true};
  else if (!status)
    status = read_any(r, list, &fields[3]);
  *out = struct_of(AM_GO_PROPERTY, fields, 4);
  return status;
}

static adam_status read_properties(const reader *r, const am_json *json, am_go_value *out) {
  adam_status status = ADAM_OK;
  *out = (am_go_value){.kind = AM_GO_MAP, .type = AM_GO_PROPERTIES, .is_nil = true};
  if (am_json_is_null(json)) return ADAM_OK;
  if (json->type != AM_JSON_OBJECT) return wrong(r, "properties", "an object");
  am_go_entry *entries = am_arena_zalloc(r->arena, json->n + 1u, sizeof *entries);
  size_t n = json->n;
  if (!entries) return no_memory(r);
  for (uint32_t i = 0; i < json->n && !status; i++) {
    const am_json_member *member = &json->as.members[i];
    entries[i] = (am_go_entry){.key = member->key, .key_bytes = member->key_bytes, .place = i};
    status = read_property(r, &member->value, &entries[i].value);
  }
  if (status) return status;
  am_go_entries_sort(entries, &n);
  *out = (am_go_value){.kind = AM_GO_MAP, .type = AM_GO_PROPERTIES, .n = n, .as.entries = entries};
  return ADAM_OK;
}

static adam_status read_parameters(const reader *r, const am_json *json, am_go_value *out) {
  am_go_value *fields = am_arena_zalloc(r->arena, 5, sizeof *fields);
  if (!fields) return no_memory(r);
  if (!am_json_is_null(json) && json->type != AM_JSON_OBJECT) return wrong(r, "parameters", "an object");
  adam_status status = read_string(r, am_json_get(json, "type"), "type", &fields[0]);
  if (!status) status = read_any(r, am_json_get(json, "$defs"), &fields[1]);
  if (!status) status = read_any(r, am_json_get(json, "items"), &fields[2]);
  if (!status) status = read_strings(r, am_json_get(json, "required"), "required", AM_GO_STRINGS, &fields[3]);
  if (!status) status = read_properties(r, am_json_get(json, "properties"), &fields[4]);
  *out = struct_of(AM_GO_PARAMETERS, fields, 5);
  return status;
}

static adam_status read_function(const reader *r, const am_json *json, am_go_value *out) {
  am_go_value *fields = am_arena_zalloc(r->arena, 3, sizeof *fields);
  if (!fields) return no_memory(r);
  if (!am_json_is_null(json) && json->type != AM_JSON_OBJECT) return wrong(r, "function", "an object");
  adam_status status = read_string(r, am_json_get(json, "name"), "name", &fields[0]);
  if (!status) status = read_string(r, am_json_get(json, "description"), "description", &fields[1]);
  if (!status) status = read_parameters(r, am_json_get(json, "parameters"), &fields[2]);
  *out = struct_of(AM_GO_TOOL_FUNCTION, fields, 3);
  return status;
}

static adam_status read_tool(const reader *r, const am_json *json, am_go_value *out) {
  am_go_value *fields = am_arena_zalloc(r->arena, 3, sizeof *fields);
  bool inner = !am_json_get(json, "function") && am_json_get(json, "name");
  if (!fields) return no_memory(r);
  if (json->type != AM_JSON_OBJECT) return wrong(r, "tool", "an object");
  adam_status status = ADAM_OK;
  fields[0] = am_go_text("function");
  if (!inner) status = read_string(r, am_json_get(json, "type"), "type", &fields[0]);
  if (!status) status = read_any(r, inner ? NULL : am_json_get(json, "items"), &fields[1]);
  if (!status) status = read_function(r, inner ? json : am_json_get(json, "function"), &fields[2]);
  *out = struct_of(AM_GO_TOOL, fields, 3);
  return status;
}

adam_status am_go_read_tools(const am_json *tools, am_arena *arena, am_go_value *out, adam_error *error) {
  reader r = {arena, error, "tools", 0};
  *out = (am_go_value){.kind = AM_GO_LIST, .type = AM_GO_TOOLS, .is_nil = true};
  if (am_json_is_null(tools)) return ADAM_OK;
  if (tools->type != AM_JSON_ARRAY)
    return am_fail(error, ADAM_INVALID, "tools", NULL, "must be an array of objects");
  am_go_value *items = am_arena_zalloc(arena, tools->n + 1u, sizeof *items);
  if (!items) return no_memory(&r);
  for (; r.index < tools->n; r.index++) {
    adam_status status = read_tool(&r, &tools->as.items[r.index], &items[r.index]);
    if (status) return status;
  }
  *out = (am_go_value){
      .kind = AM_GO_LIST, .type = AM_GO_TOOLS, .n = tools->n, .capacity = tools->n, .as.items = items};
  return ADAM_OK;
}

/* --- messages --- */

/* An object, or JSON text of one, as OpenAI's clients send it. */
static adam_status read_arguments(const reader *r, const am_json *json, am_go_value *out) {
  am_json parsed;
  *out = (am_go_value){.kind = AM_GO_MAP, .type = AM_GO_ARGUMENTS, .is_nil = true};
  if (am_json_is_null(json)) return ADAM_OK;
  if (json->type == AM_JSON_STRING) {
    adam_status status = am_json_parse(json->as.string, json->n, "arguments", 0, r->arena, &parsed, NULL);
    if (status == ADAM_NO_MEMORY) return no_memory(r);
    if (status) return wrong(r, "arguments", "a JSON object");
    json = &parsed;
  }
  if (json->type != AM_JSON_OBJECT) return wrong(r, "arguments", "a JSON object");
  adam_status status = read_any(r, json, out);
  out->type = AM_GO_ARGUMENTS;
  return status;
}

static adam_status read_call(const reader *r, const am_json *json, am_go_value *out) {
  const am_json *function = am_json_get(json, "function");
  am_go_value *fields = am_arena_zalloc(r->arena, 5, sizeof *fields);
  if (!fields) return no_memory(r);
  if (json->type != AM_JSON_OBJECT) return wrong(r, "tool_calls", "a list of objects");
  if (!am_json_is_null(function) && function->type != AM_JSON_OBJECT)
    return wrong(r, "the function of a tool call", "an object");
  am_go_value *inner = fields + 2;
  inner[0] = am_go_int(am_json_int(am_json_get(function, "index"), 0));
  adam_status status = read_string(r, am_json_get(function, "name"), "name", &inner[1]);
  if (!status) status = read_arguments(r, am_json_get(function, "arguments"), &inner[2]);
  if (!status) status = read_string(r, am_json_get(json, "id"), "id", &fields[1]);
  fields[0] = struct_of(AM_GO_CALL_FUNCTION, inner, 3);
  *out = struct_of(AM_GO_CALL, fields, 2);
  return status;
}

static adam_status read_calls(const reader *r, const am_json *json, am_go_value *out) {
  *out = (am_go_value){.kind = AM_GO_LIST, .type = AM_GO_CALLS, .is_nil = true};
  if (am_json_is_null(json)) return ADAM_OK;
  if (json->type != AM_JSON_ARRAY) return wrong(r, "tool_calls", "a list of objects");
  am_go_value *items = am_arena_zalloc(r->arena, json->n + 1u, sizeof *items);
  if (!items) return no_memory(r);
  for (uint32_t i = 0; i < json->n; i++) {
    adam_status status = read_call(r, &json->as.items[i], &items[i]);
    if (status) return status;
  }
  *out = (am_go_value){
      .kind = AM_GO_LIST, .type = AM_GO_CALLS, .n = json->n, .capacity = json->n, .as.items = items};
  return ADAM_OK;
}

/* Text, or a list of parts that are all text. */
static adam_status read_content(const reader *r, const am_json *json, am_go_value *out) {
  size_t n = 0, at = 0;
  if (am_json_is_null(json) || json->type != AM_JSON_ARRAY) return read_string(r, json, "content", out);
  for (uint32_t i = 0; i < json->n; i++) {
    const am_json *part = &json->as.items[i], *text = am_json_get(part, "text");
    if (strcmp(am_json_str(am_json_get(part, "type"), ""), "text") != 0 || !text ||
        text->type != AM_JSON_STRING)
      return wrong(r, "content", "text: this template takes nothing else");
    n += text->n;
  }
  char *joined = am_arena_alloc(r->arena, n + 1);
  if (!joined) return no_memory(r);
  for (uint32_t i = 0; i < json->n; i++) {
    const am_json *text = am_json_get(&json->as.items[i], "text");
    memcpy(joined + at, text->as.string, text->n);
    at += text->n;
  }
  *out = am_go_string(joined, n);
  return ADAM_OK;
}

static const am_json *first_of(const am_json *message, const char *const *names) {
  for (; *names; names++) {
    const am_json *value = am_json_get(message, *names);
    if (!am_json_is_null(value)) return value;
  }
  return NULL;
}

static adam_status read_message(const reader *r, const am_json *json, am_go_message *out) {
  static const char *const reasoning[] = {"thinking", "reasoning_content", "reasoning", NULL};
  static const char *const tool_name[] = {"tool_name", "name", NULL};
  const am_json *images = am_json_get(json, "images");
  am_go_value role, content, thinking, name, id;
  if (json->type != AM_JSON_OBJECT) return wrong(r, "message", "an object");
  if (!am_json_is_null(images) && images->n > 0) return wrong(r, "images", "none: they are not supported");
  adam_status status = read_string(r, am_json_get(json, "role"), "role", &role);
  if (!status) status = read_content(r, am_json_get(json, "content"), &content);
  if (!status) status = read_string(r, first_of(json, reasoning), "thinking", &thinking);
  if (!status) status = read_string(r, am_json_get(json, "tool_call_id"), "tool_call_id", &id);
  if (!status) status = read_calls(r, am_json_get(json, "tool_calls"), &out->calls);
  if (status) return status;
  /* the name of a tool message is the tool's; of other messages only Ollama's own key counts */
  bool is_tool = role.n == 4 && memcmp(role.as.string, "tool", 4) == 0;
  status = read_string(r, is_tool ? first_of(json, tool_name) : am_json_get(json, "tool_name"), "tool_name",
                       &name);
  if (status) return status;
  char *lower = am_arena_dup(r->arena, role.as.string, role.n);
  if (!lower) return no_memory(r);
  for (size_t i = 0; i < role.n; i++)
    if (lower[i] >= 'A' && lower[i] <= 'Z') lower[i] = (char)(lower[i] + 'a' - 'A');
  out->role = lower, out->role_bytes = role.n;
  out->content = content.as.string, out->content_bytes = content.n;
  out->thinking = thinking.as.string, out->thinking_bytes = thinking.n;
  out->tool_name = name.as.string, out->tool_name_bytes = name.n;
  out->tool_call_id = id.as.string, out->tool_call_id_bytes = id.n;
  return ADAM_OK;
}

adam_status am_go_read_messages(const am_json *messages, am_arena *arena, am_go_message **out, size_t *n,
                                adam_error *error) {
  reader r = {arena, error, "messages", 0};
  if (messages && messages->type != AM_JSON_ARRAY)
    return am_fail(error, ADAM_INVALID, "messages", NULL, "must be an array of objects");
  size_t count = messages ? messages->n : 0;
  am_go_message *list = am_arena_zalloc(arena, count + 1, sizeof *list);
  if (!list) return no_memory(&r);
  for (; r.index < count; r.index++) {
    adam_status status = read_message(&r, &messages->as.items[r.index], &list[r.index]);
    if (status) return status;
  }
  *out = list;
  *n = count;
  return ADAM_OK;
}

static bool has_role(const am_go_message *message, const char *role) {
  return message->role_bytes == strlen(role) && memcmp(message->role, role, message->role_bytes) == 0;
}

static size_t skip_space(const char *text, size_t at, size_t n) {
  while (at < n) {
    uint32_t c;
    int length = am_utf8_decode(text + at, n - at, &c);
    /* unicode.IsSpace has not the four separators of ASCII that Python has */
    if (length < 0 || !am_unicode_is_space(c) || (c >= 0x1c && c <= 0x1f)) break;
    at += (size_t)length;
  }
  return at;
}

static size_t find(const char *text, size_t at, size_t n, const char *tag) {
  size_t tag_bytes = strlen(tag);
  for (; at + tag_bytes <= n; at++)
    if (memcmp(text + at, tag, tag_bytes) == 0) return at;
  return n;
}

/* What Ollama's thinking parser gives as the answer of a whole text. What could still become a tag it holds
 * back for ever: that is lost, as there. */
static void strip_message(am_go_message *message) {
  static const char open[] = "<think>", close[] = "</think>";
  const char *text = message->content;
  size_t n = message->content_bytes, open_bytes = sizeof open - 1;
  size_t at = skip_space(text, 0, n);
  size_t left = n - at;
  if (left < open_bytes && memcmp(text + at, open, left) == 0) {
    message->content_bytes = 0;
    return;
  }
  if (left < open_bytes || memcmp(text + at, open, open_bytes) != 0) return;
  size_t end = find(text, at + open_bytes, n, close);
  size_t rest = end < n ? skip_space(text, end + sizeof close - 1, n) : n;
  message->content = text + rest;
  message->content_bytes = n - rest;
}

void am_go_strip_thinking(am_go_message *messages, size_t n) {
  size_t last_user = n;
  for (size_t i = 0; i < n; i++)
    if (has_role(&messages[i], "user")) last_user = i;
  for (size_t i = 0; last_user < n && i < last_user; i++)
    if (has_role(&messages[i], "assistant")) strip_message(&messages[i]);
}

/* *text gets an empty line and more behind it. */
static bool append(const char **text, size_t *n_bytes, bool separate, const char *more, size_t more_bytes,
                   am_arena *arena) {
  size_t gap = separate ? 2 : 0;
  char *joined = am_arena_alloc(arena, *n_bytes + gap + more_bytes + 1);
  if (!joined) return false;
  memcpy(joined, *text, *n_bytes);
  memcpy(joined + *n_bytes, "\n\n", gap);
  memcpy(joined + *n_bytes + gap, more, more_bytes);
  *text = joined;
  *n_bytes += gap + more_bytes;
  return true;
}

bool am_go_collate(am_go_message *messages, size_t *n, am_arena *arena, am_go_value *system) {
  size_t kept = 0, n_system = 0;
  const char *text = "";
  size_t text_bytes = 0;
  for (size_t i = 0; i < *n; i++) {
    am_go_message *last = kept > 0 ? &messages[kept - 1] : NULL, *message = &messages[i];
    if (has_role(message, "system") &&
        !append(&text, &text_bytes, n_system++ > 0, message->content, message->content_bytes, arena))
      return false;
    bool same = last && last->role_bytes == message->role_bytes &&
                memcmp(last->role, message->role, last->role_bytes) == 0 && !has_role(message, "tool");
    if (!same) {
      messages[kept++] = *message;
    } else if (!append(&last->content, &last->content_bytes, true, message->content, message->content_bytes,
                       arena)) {
      return false;
    }
  }
  *n = kept;
  *system = am_go_string(text, text_bytes);
  return true;
}

bool am_go_messages_value(const am_go_message *messages, size_t n, am_arena *arena, am_go_value *out) {
  am_go_value *items = am_arena_zalloc(arena, n + 1, sizeof *items);
  if (!items) return false;
  for (size_t i = 0; i < n; i++) {
    const am_go_message *m = &messages[i];
    am_go_value *fields = am_arena_zalloc(arena, 7, sizeof *fields);
    if (!fields) return false;
    fields[0] = am_go_string(m->role, m->role_bytes);
    fields[1] = am_go_string(m->content, m->content_bytes);
    fields[2] = am_go_string(m->thinking, m->thinking_bytes);
    fields[3] = (am_go_value){.kind = AM_GO_LIST, .type = AM_GO_IMAGES, .is_nil = true};
    fields[4] = m->calls;
    fields[5] = am_go_string(m->tool_name, m->tool_name_bytes);
    fields[6] = am_go_string(m->tool_call_id, m->tool_call_id_bytes);
    items[i] = struct_of(AM_GO_MESSAGE, fields, 7);
    items[i].pointer = true;
    items[i].addressable = true;
  }
  *out = (am_go_value){
      .kind = AM_GO_LIST, .type = AM_GO_MESSAGES, .is_nil = n == 0, .n = n, .capacity = n, .as.items = items};
  return true;
}
