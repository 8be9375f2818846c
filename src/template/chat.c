/* SPDX-License-Identifier: Apache-2.0 */
/* The context is that of transformers' render_jinja_template: messages, tools, documents (none when
 * absent), add_generation_prompt, then the special tokens, then kwargs. Reasoning is copied between the
 * names reasoning_content, thinking and reasoning as its _alias_reasoning_fields does. */
#include "template/chat.h"

#include <string.h>

#include "base/arena.h"
#include "base/error.h"

typedef struct builder {
  am_arena arena;
  am_json_member *members;
  uint32_t n, capacity;
} builder;

static am_json json_null(void) { return (am_json){.type = AM_JSON_NULL}; }

static bool put(builder *b, const char *key, am_json value) {
  if (b->n == b->capacity) return false; /* counted by the caller */
  b->members[b->n++] = (am_json_member){.key = key, .key_bytes = (uint32_t)strlen(key), .value = value};
  return true;
}

/* The first of the names under which a message gives its reasoning. */
static const am_json *reasoning_of(const am_json *message) {
  static const char *const names[] = {"reasoning_content", "thinking", "reasoning"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    const am_json *value = am_json_get(message, names[i]);
    if (!am_json_is_null(value)) return value;
  }
  return NULL;
}

static bool key_is(const am_json_member *member, const char *key) {
  return member->key_bytes == strlen(key) && memcmp(member->key, key, member->key_bytes) == 0;
}

/* {"thinking": r, **message, "reasoning_content": r} */
static bool alias_reasoning(am_arena *arena, const am_json *message, am_json *out) {
  const am_json *reasoning = reasoning_of(message);
  *out = *message;
  if (!reasoning) return true;
  am_json_member *members = am_arena_alloc(arena, (message->n + 2) * sizeof *members);
  if (!members) return false;
  uint32_t n = 0;
  bool has_thinking = am_json_get(message, "thinking") != NULL, has_content = false;
  members[n++] = (am_json_member){.key = "thinking", .key_bytes = 8, .value = *reasoning};
  for (uint32_t i = 0; i < message->n; i++) {
    am_json_member member = message->as.members[i];
    if (has_thinking && key_is(&member, "thinking")) {
      members[0].value = member.value; /* the message's own, in the first place */
      continue;
    }
    if (key_is(&member, "reasoning_content")) {
      member.value = *reasoning;
      has_content = true;
    }
    members[n++] = member;
  }
  if (!has_content)
    members[n++] = (am_json_member){.key = "reasoning_content", .key_bytes = 17, .value = *reasoning};
  out->as.members = members;
  out->n = n;
  return true;
}

/* --- content that a template cannot take --- */
static bool is_text_part(const am_json *part) {
  const char *type = am_json_str(am_json_get(part, "type"), "");
  const am_json *text = am_json_get(part, "text");
  return strcmp(type, "text") == 0 && text && text->type == AM_JSON_STRING;
}

/* null becomes "", a list of text parts one text. *changed tells whether there was anything to do. */
static bool coerce_content(am_arena *arena, am_json *message, bool *changed) {
  const am_json *content = am_json_get(message, "content");
  am_json text = {.type = AM_JSON_STRING, .as.string = ""};
  if (!content || (content->type != AM_JSON_NULL && content->type != AM_JSON_ARRAY)) return true;
  if (content->type == AM_JSON_ARRAY) {
    size_t n_bytes = 0;
    for (uint32_t i = 0; i < content->n; i++) {
      if (!is_text_part(&content->as.items[i])) return true;
      n_bytes += am_json_get(&content->as.items[i], "text")->n;
    }
    char *joined = am_arena_alloc(arena, n_bytes + 1);
    if (!joined || n_bytes > UINT32_MAX) return false;
    size_t n = 0;
    for (uint32_t i = 0; i < content->n; i++) {
      const am_json *part = am_json_get(&content->as.items[i], "text");
      memcpy(joined + n, part->as.string, part->n);
      n += part->n;
    }
    joined[n] = 0;
    text.as.string = joined;
    text.n = (uint32_t)n;
  }
  am_json_member *members = am_arena_alloc(arena, message->n * sizeof *members);
  if (!members) return false;
  memcpy(members, message->as.members, message->n * sizeof *members);
  for (uint32_t i = 0; i < message->n; i++)
    if (key_is(&members[i], "content")) members[i].value = text;
  message->as.members = members;
  return *changed = true;
}

static bool build_messages(am_arena *arena, const am_json *messages, bool coerce, am_json *out,
                           bool *changed) {
  am_json *items = am_arena_alloc(arena, (messages->n + 1) * sizeof *items);
  if (!items) return false;
  for (uint32_t i = 0; i < messages->n; i++)
    if (!alias_reasoning(arena, &messages->as.items[i], &items[i]) ||
        (coerce && !coerce_content(arena, &items[i], changed)))
      return false;
  *out = *messages;
  out->as.items = items;
  return true;
}

static adam_status check_objects(const am_json *array, const char *what, adam_error *error) {
  if (!array) return ADAM_OK;
  if (array->type != AM_JSON_ARRAY)
    return am_fail(error, ADAM_INVALID, what, NULL, "must be an array of objects");
  for (uint32_t i = 0; i < array->n; i++)
    if (array->as.items[i].type != AM_JSON_OBJECT)
      return am_fail(error, ADAM_INVALID, what, NULL, "element %u is not an object", i);
  return ADAM_OK;
}

static adam_status check_request(const am_chat_request *request, adam_error *error) {
  if (!request->messages)
    return am_fail(error, ADAM_INVALID, "messages", NULL, "must be an array of objects");
  adam_status status = check_objects(request->messages, "messages", error);
  if (!status) status = check_objects(request->tools, "tools", error);
  if (!status) status = check_objects(request->documents, "documents", error);
  const am_json *objects[2] = {request->kwargs, request->special_tokens};
  for (int i = 0; i < 2 && !status; i++)
    if (objects[i] && objects[i]->type != AM_JSON_OBJECT)
      status = am_fail(error, ADAM_INVALID, i ? "special tokens" : "template arguments", NULL,
                       "must be an object");
  return status;
}

static void put_members(builder *b, const am_json *object) {
  for (uint32_t i = 0; object && i < object->n; i++) b->members[b->n++] = object->as.members[i];
}

/* The variables: a later member of the same name wins. */
static bool build(builder *b, const am_chat_request *request, bool coerce, am_json *out, bool *changed) {
  am_json messages;
  b->capacity = 8 + (request->kwargs ? request->kwargs->n : 0) +
                (request->special_tokens ? request->special_tokens->n : 0);
  b->n = 0;
  b->members = am_arena_alloc(&b->arena, b->capacity * sizeof *b->members);
  if (!b->members || !build_messages(&b->arena, request->messages, coerce, &messages, changed)) return false;
  am_json generate = {.type = AM_JSON_BOOL, .as.boolean = request->add_generation_prompt};
  am_json thinking = {.type = AM_JSON_BOOL, .as.boolean = request->enable_thinking == 1};
  put(b, "messages", messages);
  put(b, "tools", request->tools ? *request->tools : json_null());
  put(b, "documents", request->documents ? *request->documents : json_null());
  put(b, "add_generation_prompt", generate);
  put_members(b, request->special_tokens);
  if (request->enable_thinking >= 0) put(b, "enable_thinking", thinking);
  put_members(b, request->kwargs);
  *out = (am_json){.type = AM_JSON_OBJECT, .n = b->n, .as.members = b->members};
  return true;
}

adam_status am_chat_render(const am_template *tmpl, const am_chat_request *request, am_buf *out,
                           adam_error *error) {
  builder b = {0};
  am_json variables;
  bool changed = false;
  adam_status status = check_request(request, error);
  if (status) return status;
  if (!build(&b, request, false, &variables, &changed)) {
    status = am_fail_memory(error, "messages");
    goto cleanup;
  }
  adam_error first;
  status = am_template_render(tmpl, &variables, NULL, request->now_unix_s, out, &first);
  if (status == ADAM_TEMPLATE && request->coerce_content) {
    if (!build(&b, request, true, &variables, &changed)) {
      status = am_fail_memory(error, "messages");
      goto cleanup;
    }
    /* of two failures the words of the first are told: it is the one about the caller's messages */
    if (changed && am_template_render(tmpl, &variables, NULL, request->now_unix_s, out, NULL) == ADAM_OK)
      status = ADAM_OK;
  }
  if (status && error) *error = first;
cleanup:
  am_arena_close(&b.arena);
  return status;
}
