/* SPDX-License-Identifier: Apache-2.0 */
/* Messages as the API wants them: system apart, user and assistant in turn, each a list of blocks; the
 * answers of tools are blocks of the user's. */
#include "backend/anthropic/anthropic.h"

#include "backend/remote/fields.h"
#include <stdio.h>
#include <string.h>

typedef enum role { NOBODY, USER, ASSISTANT } role;

typedef struct conversation {
  am_buf system;              /* text of all system messages */
  am_buf messages;            /* JSON */
  role open;                  /* whose list of blocks is open */
  size_t n_blocks;            /* in it */
  size_t n_calls, n_answered; /* for ids that nobody gave */
  bool thought;               /* the assistant's last message has its thoughts */
  bool called;                /* and a call */
} conversation;

static void close_message(conversation *c) {
  if (c->open != NOBODY) am_buf_append_str(&c->messages, "]}");
  c->open = NOBODY;
}

/* Begins a block of that role: messages of one role in a row are one. */
static am_buf *begin_block(conversation *c, role who, const char *type) {
  am_buf *out = &c->messages;
  if (c->open != who) {
    close_message(c);
    am_buf_append_str(out, out->len ? ",{\"role\":" : "{\"role\":");
    am_buf_append_str(out, who == USER ? "\"user\",\"content\":[" : "\"assistant\",\"content\":[");
    c->open = who;
    c->n_blocks = 0;
    if (who == ASSISTANT) c->thought = c->called = false;
  }
  am_buf_append_str(out, c->n_blocks++ ? ",{" : "{");
  am_field_text(out, "type", type, strlen(type));
  return out;
}

/* Empty text blocks are refused there. */
static void add_text(conversation *c, role who, const char *text, size_t n_bytes) {
  if (!n_bytes) return;
  am_buf *out = begin_block(c, who, "text");
  am_field_text(out, "text", text, n_bytes);
  am_buf_append_char(out, '}');
}

static void add_image(conversation *c, role who, const char *url) {
  am_buf *out = begin_block(c, who, "image");
  const char *data = am_field_image_data(url), *kind = "image/png";
  size_t n_kind = 9;
  am_field_key(out, "source");
  if (!strncmp(url, "data:", 5) && strcspn(url + 5, ";,") > 0) kind = url + 5, n_kind = strcspn(kind, ";,");
  am_buf_append_str(out, data ? "{\"type\":\"base64\"" : "{\"type\":\"url\"");
  if (data) am_field_text(out, "media_type", kind, n_kind);
  am_field_text(out, data ? "data" : "url", data ? data : url, strlen(data ? data : url));
  am_buf_append_str(out, "}}");
}

static adam_status fail_part(const am_json *part, size_t number, adam_error *error) {
  return am_fail(error, ADAM_UNSUPPORTED, "anthropic", NULL, "message %zu has a part of type %s", number,
                 am_json_str(am_json_get(part, "type"), "(none)"));
}

static adam_status add_content(conversation *c, role who, const am_json *message, size_t number,
                               adam_error *error) {
  const am_json *content = am_json_get(message, "content"), *images = am_json_get(message, "images");
  if (content && content->type == AM_JSON_STRING) add_text(c, who, content->as.string, content->n);
  for (size_t i = 0; content && content->type == AM_JSON_ARRAY && i < content->n; i++) {
    const am_json *part = am_json_at(content, i), *text = am_json_get(part, "text");
    if (text && text->type == AM_JSON_STRING)
      add_text(c, who, text->as.string, text->n);
    else if (am_field_image(part))
      add_image(c, who, am_field_image(part));
    else
      return fail_part(part, number, error);
  }
  for (size_t i = 0; images && images->type == AM_JSON_ARRAY && i < images->n; i++)
    if (am_json_str(am_json_at(images, i), NULL)) add_image(c, who, am_json_str(am_json_at(images, i), NULL));
  return ADAM_OK;
}

static void write_id(am_buf *out, const char *key, const char *id, size_t number) {
  char made[40];
  snprintf(made, sizeof made, "call_%zu", number);
  if (!id || !*id) id = made;
  am_field_text(out, key, id, strlen(id));
}

static adam_status add_call(conversation *c, const am_json *call, size_t number, adam_error *error) {
  const am_json *function = am_json_get(call, "function");
  const am_json *arguments = am_json_get(function ? function : call, "arguments");
  const char *name = am_json_str(am_json_get(function ? function : call, "name"), NULL);
  am_arena arena = {0};
  am_json parsed = {0};
  adam_status status = ADAM_OK;
  if (!name)
    return am_fail(error, ADAM_INVALID, "messages", NULL, "a tool call of message %zu has no name", number);
  if (arguments && arguments->type == AM_JSON_STRING && arguments->n) {
    status = am_field_parse(arguments->as.string, "arguments", AM_JSON_OBJECT, &arena, &parsed, error);
    arguments = &parsed;
  }
  if (!status) {
    am_buf *out = begin_block(c, ASSISTANT, "tool_use");
    write_id(out, "id", am_json_str(am_json_get(call, "id"), NULL), ++c->n_calls);
    am_field_text(out, "name", name, strlen(name));
    am_field_key(out, "input");
    if (arguments && arguments->type == AM_JSON_OBJECT)
      am_json_write(out, arguments);
    else
      am_buf_append_str(out, "{}");
    am_buf_append_char(out, '}');
    c->called = true;
  }
  am_arena_close(&arena);
  return status;
}

/* Thoughts go back only with their signature, which adam does not get to see; who has it gives "signature".
 */
static adam_status add_assistant(conversation *c, const am_json *message, size_t number, adam_error *error) {
  const am_json *thoughts = am_json_get(message, "thinking"), *signature = am_json_get(message, "signature");
  const am_json *calls = am_json_get(message, "tool_calls");
  if (!thoughts) thoughts = am_json_get(message, "reasoning_content");
  if (thoughts && thoughts->type == AM_JSON_STRING && signature && signature->type == AM_JSON_STRING) {
    am_buf *out = begin_block(c, ASSISTANT, "thinking");
    am_field_json(out, "thinking", thoughts);
    am_field_json(out, "signature", signature);
    am_buf_append_char(out, '}');
    c->thought = true;
  }
  adam_status status = add_content(c, ASSISTANT, message, number, error);
  for (size_t i = 0; calls && calls->type == AM_JSON_ARRAY && i < calls->n && !status; i++)
    status = add_call(c, am_json_at(calls, i), number, error);
  return status;
}

static adam_status add_tool(conversation *c, const am_json *message, size_t number, adam_error *error) {
  const am_json *content = am_json_get(message, "content");
  am_buf text = {0};
  if (content && content->type == AM_JSON_STRING) am_buf_append(&text, content->as.string, content->n);
  for (size_t i = 0; content && content->type == AM_JSON_ARRAY && i < content->n; i++) {
    const am_json *part = am_json_at(content, i), *words = am_json_get(part, "text");
    if (!words || words->type != AM_JSON_STRING) {
      am_buf_close(&text);
      return fail_part(part, number, error);
    }
    am_buf_append(&text, words->as.string, words->n);
  }
  am_buf *out = begin_block(c, USER, "tool_result");
  write_id(out, "tool_use_id", am_json_str(am_json_get(message, "tool_call_id"), NULL), ++c->n_answered);
  am_field_text(out, "content", text.data ? text.data : "", text.len);
  am_buf_append_char(out, '}');
  if (text.failed) out->failed = true;
  am_buf_close(&text);
  return ADAM_OK;
}

static adam_status add_system(conversation *c, const am_json *message, size_t number, adam_error *error) {
  const am_json *content = am_json_get(message, "content");
  size_t n_parts = content && content->type == AM_JSON_ARRAY ? content->n : 1;
  for (size_t i = 0; i < n_parts; i++) {
    const am_json *part = content && content->type == AM_JSON_ARRAY ? am_json_at(content, i) : NULL;
    const am_json *text = part ? am_json_get(part, "text") : content;
    if (!text || text->type != AM_JSON_STRING) return part ? fail_part(part, number, error) : ADAM_OK;
    if (c->system.len && i == 0) am_buf_append_str(&c->system, "\n\n");
    am_buf_append(&c->system, text->as.string, text->n);
  }
  return ADAM_OK;
}

static adam_status add_message(conversation *c, const am_json *message, size_t number, adam_error *error) {
  const char *who = am_json_str(am_json_get(message, "role"), NULL);
  if (!who) return am_fail(error, ADAM_INVALID, "messages", NULL, "message %zu has no role", number);
  if (!strcmp(who, "system") || !strcmp(who, "developer")) return add_system(c, message, number, error);
  if (!strcmp(who, "assistant")) return add_assistant(c, message, number, error);
  if (!strcmp(who, "tool")) return add_tool(c, message, number, error);
  if (!strcmp(who, "user")) return add_content(c, USER, message, number, error);
  return am_fail(error, ADAM_INVALID, "messages", "there are system, user, assistant and tool",
                 "message %zu has the role %.60s", number, who);
}

static adam_status add_all(conversation *c, const adam_request *r, adam_error *error) {
  am_arena arena = {0};
  am_json messages = {0};
  adam_status status = ADAM_OK;
  if (r->system) am_buf_append_str(&c->system, r->system);
  if (r->prompt) {
    add_text(c, USER, r->prompt, r->prompt_bytes);
  } else if (!(status =
                   am_field_parse(r->messages_json, "messages", AM_JSON_ARRAY, &arena, &messages, error))) {
    for (size_t i = 0; i < messages.n && !status; i++)
      status = add_message(c, am_json_at(&messages, i), i + 1, error);
  }
  am_arena_close(&arena);
  close_message(c);
  if (!status && !c->messages.len && !c->messages.failed)
    status = am_fail(error, ADAM_INVALID, r->prompt ? "prompt" : "messages", NULL,
                     "there is no text for the model");
  return status;
}

/* {"name","description","parameters"} becomes {"name","description","input_schema"}. */
static adam_status write_tools(const adam_request *r, am_buf *out, adam_error *error) {
  am_arena arena = {0};
  am_json tools = {0};
  adam_status status = am_field_parse(r->tools_json, "tools", AM_JSON_ARRAY, &arena, &tools, error);
  if (!status && tools.n) am_field_key(out, "tools");
  for (size_t i = 0; i < tools.n && !status; i++) {
    const am_json *tool = am_json_at(&tools, i), *function = am_json_get(tool, "function");
    if (!function) function = tool;
    const am_json *name = am_json_get(function, "name"), *about = am_json_get(function, "description");
    const am_json *schema = am_json_get(function, "parameters");
    if (!name || name->type != AM_JSON_STRING)
      status = am_fail(error, ADAM_INVALID, "tools", NULL, "tool %zu has no name", i + 1);
    am_buf_append_str(out, i ? ",{" : "[{");
    if (!status) am_field_json(out, "name", name);
    if (about && about->type == AM_JSON_STRING) am_field_json(out, "description", about);
    am_field_key(out, "input_schema");
    if (schema && schema->type == AM_JSON_OBJECT && am_json_get(schema, "type"))
      am_json_write(out, schema);
    else
      am_buf_append_str(out, "{\"type\":\"object\",\"properties\":{}}");
    am_buf_append_char(out, '}');
  }
  if (tools.n) am_buf_append_char(out, ']');
  const char *choice = r->tool_choice;
  if (!status && choice) {
    am_field_key(out, "tool_choice");
    bool none = !strcmp(choice, "none"), any = !strcmp(choice, "required");
    am_buf_append_str(out, none ? "{\"type\":\"none\"" : any ? "{\"type\":\"any\"" : "{\"type\":\"tool\"");
    if (!none && !any) am_field_text(out, "name", choice, strlen(choice));
    am_buf_append_char(out, '}');
  }
  am_arena_close(&arena);
  return status;
}

adam_status am_anthropic_messages(const adam_request *r, am_buf *body, bool *thinks, adam_error *error) {
  conversation c = {0};
  adam_status status = add_all(&c, r, error);
  if (!status && c.system.len) am_field_text(body, "system", c.system.data, c.system.len);
  if (!status) {
    am_field_key(body, "messages");
    am_buf_append_char(body, '[');
    am_buf_append(body, c.messages.data ? c.messages.data : "", c.messages.len);
    am_buf_append_char(body, ']');
  }
  if (c.system.failed || c.messages.failed) body->failed = true;
  if (!status && r->tools_json) status = write_tools(r, body, error);
  *thinks = !c.called || c.thought;
  am_buf_close(&c.system);
  am_buf_close(&c.messages);
  return status;
}
