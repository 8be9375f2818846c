/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/openai/openai.h"

#include "backend/remote/fields.h"
#include <stdio.h>
#include <string.h>

/* What messages of one request share. */
typedef struct conversation {
  const adam_backend_model *model;
  am_buf *out;
  size_t n_calls;    /* so far, for ids that nobody gave */
  size_t n_answered; /* of them, by tool messages without an id */
} conversation;

static void write_picture(am_buf *out, const char *url) {
  am_buf data = {0};
  bool plain = strncmp(url, "data:", 5) != 0 && !strstr(url, "://");
  if (plain) am_buf_append_str(&data, "data:image/png;base64,");
  am_buf_append_str(&data, url);
  am_buf_append_str(out, "{\"type\":\"image_url\",\"image_url\":{");
  am_field_text(out, "url", data.data ? data.data : "", data.len);
  am_buf_append_str(out, "}}");
  if (data.failed) out->failed = true;
  am_buf_close(&data);
}

/* Text stays a string; parts, and pictures beside a text, become a list. */
static adam_status write_content(conversation *c, const am_json *content, const am_json *images,
                                 size_t number, adam_error *error) {
  am_buf *out = c->out;
  bool has_images = images && images->type == AM_JSON_ARRAY && images->n > 0;
  bool is_list = content && content->type == AM_JSON_ARRAY;
  am_field_key(out, "content");
  if (!is_list && !has_images) {
    if (content && content->type == AM_JSON_STRING)
      am_json_write(out, content);
    else
      am_buf_append_str(out, "null");
    return ADAM_OK;
  }
  size_t n = 0;
  am_buf_append_char(out, '[');
  if (content && content->type == AM_JSON_STRING && content->n) {
    am_buf_append_str(out, "{\"type\":\"text\"");
    am_field_text(out, "text", content->as.string, content->n);
    am_buf_append_char(out, '}');
    n++;
  }
  for (size_t i = 0; is_list && i < content->n; i++) {
    const am_json *part = am_json_at(content, i), *type = am_json_get(part, "type");
    if (n++) am_buf_append_char(out, ',');
    if (am_field_image(part))
      write_picture(out, am_field_image(part));
    else if (part->type == AM_JSON_OBJECT && type && type->type == AM_JSON_STRING)
      am_json_write(out, part);
    else
      return am_fail(error, ADAM_INVALID, "messages", NULL, "a part of message %zu has no type", number);
  }
  for (size_t i = 0; has_images && i < images->n; i++) {
    const char *url = am_json_str(am_json_at(images, i), NULL);
    if (!url) continue;
    if (n++) am_buf_append_char(out, ',');
    write_picture(out, url);
  }
  am_buf_append_char(out, ']');
  return ADAM_OK;
}

/* Calls need an id there, and a tool's answer the id of its call: both are numbered where nobody gave one. */
static void write_id(am_buf *out, const char *key, const char *id, size_t number) {
  char made[40];
  snprintf(made, sizeof made, "call_%zu", number);
  if (!id || !*id) id = made;
  am_field_text(out, key, id, strlen(id));
}

static adam_status write_calls(conversation *c, const am_json *calls, size_t number, adam_error *error) {
  am_buf *out = c->out;
  if (!calls || calls->type != AM_JSON_ARRAY || calls->n == 0) return ADAM_OK;
  am_field_key(out, "tool_calls");
  for (size_t i = 0; i < calls->n; i++) {
    const am_json *call = am_json_at(calls, i), *function = am_json_get(call, "function");
    const am_json *arguments = am_json_get(function ? function : call, "arguments");
    const char *name = am_json_str(am_json_get(function ? function : call, "name"), NULL);
    if (!name)
      return am_fail(error, ADAM_INVALID, "messages", NULL, "a tool call of message %zu has no name", number);
    am_buf_append_str(out, i ? ",{" : "[{");
    write_id(out, "id", am_json_str(am_json_get(call, "id"), NULL), ++c->n_calls);
    am_buf_append_str(out, ",\"type\":\"function\",\"function\":{");
    am_field_text(out, "name", name, strlen(name));
    if (arguments && arguments->type == AM_JSON_STRING) {
      am_field_json(out, "arguments", arguments);
    } else {
      am_buf text = {0};
      if (arguments) am_json_write(&text, arguments);
      am_field_text(out, "arguments", text.len ? text.data : "{}", text.len ? text.len : 2);
      if (text.failed) out->failed = true;
      am_buf_close(&text);
    }
    am_buf_append_str(out, "}}");
  }
  am_buf_append_char(out, ']');
  return ADAM_OK;
}

static adam_status write_message(conversation *c, const am_json *message, size_t number, adam_error *error) {
  const char *role = am_json_str(am_json_get(message, "role"), NULL);
  const am_json *name = am_json_get(message, "name");
  const am_json *thoughts = am_json_get(message, "reasoning_content");
  if (!role) return am_fail(error, ADAM_INVALID, "messages", NULL, "message %zu has no role", number);
  if (!thoughts) thoughts = am_json_get(message, "thinking");
  am_buf_append_char(c->out, '{');
  am_field_text(c->out, "role", role, strlen(role));
  adam_status status =
      write_content(c, am_json_get(message, "content"), am_json_get(message, "images"), number, error);
  if (!status) status = write_calls(c, am_json_get(message, "tool_calls"), number, error);
  if (name && name->type == AM_JSON_STRING) am_field_json(c->out, "name", name);
  if (!strcmp(role, "tool"))
    write_id(c->out, "tool_call_id", am_json_str(am_json_get(message, "tool_call_id"), NULL),
             ++c->n_answered);
  if (thoughts && thoughts->type == AM_JSON_STRING && c->model->dialect->keeps_reasoning)
    am_field_json(c->out, "reasoning_content", thoughts);
  am_buf_append_char(c->out, '}');
  return status;
}

static void write_text(am_buf *out, const char *role, const char *text, size_t n_bytes) {
  am_buf_append_char(out, '{');
  am_field_text(out, "role", role, strlen(role));
  am_field_text(out, "content", text, n_bytes);
  am_buf_append_char(out, '}');
}

static adam_status write_messages(conversation *c, const adam_request *r, adam_error *error) {
  am_arena arena = {0};
  am_json messages = {0};
  adam_status status = ADAM_OK;
  am_field_key(c->out, "messages");
  am_buf_append_char(c->out, '[');
  if (r->system) write_text(c->out, "system", r->system, strlen(r->system));
  if (r->prompt) {
    if (r->system) am_buf_append_char(c->out, ',');
    write_text(c->out, "user", r->prompt, r->prompt_bytes);
  } else if (!(status =
                   am_field_parse(r->messages_json, "messages", AM_JSON_ARRAY, &arena, &messages, error))) {
    if (messages.n == 0) status = am_fail(error, ADAM_INVALID, "messages", NULL, "there is no message");
    for (size_t i = 0; i < messages.n && !status; i++) {
      if (i || r->system) am_buf_append_char(c->out, ',');
      status = write_message(c, am_json_at(&messages, i), i + 1, error);
    }
  }
  am_buf_append_char(c->out, ']');
  am_arena_close(&arena);
  return status;
}

/* A tool's function may come alone. */
static adam_status write_tools(const adam_request *r, am_buf *out, adam_error *error) {
  am_arena arena = {0};
  am_json tools = {0};
  adam_status status = am_field_parse(r->tools_json, "tools", AM_JSON_ARRAY, &arena, &tools, error);
  if (!status && tools.n) {
    am_field_key(out, "tools");
    for (size_t i = 0; i < tools.n; i++) {
      const am_json *tool = am_json_at(&tools, i);
      bool whole = am_json_get(tool, "function") != NULL;
      am_buf_append_char(out, i ? ',' : '[');
      if (!whole) am_buf_append_str(out, "{\"type\":\"function\",\"function\":");
      am_json_write(out, tool);
      if (!whole) am_buf_append_char(out, '}');
    }
    am_buf_append_char(out, ']');
  }
  am_arena_close(&arena);
  const char *choice = r->tool_choice;
  if (status || !choice) return status;
  am_field_key(out, "tool_choice");
  if (!strcmp(choice, "none") || !strcmp(choice, "required")) {
    am_json_write_string(out, choice, strlen(choice));
  } else {
    am_buf_append_str(out, "{\"type\":\"function\",\"function\":{");
    am_field_text(out, "name", choice, strlen(choice));
    am_buf_append_str(out, "}}");
  }
  return ADAM_OK;
}

adam_status am_openai_messages(const adam_backend_model *m, const adam_request *r, am_buf *body,
                               adam_error *error) {
  conversation c = {.model = m, .out = body};
  adam_status status = write_messages(&c, r, error);
  return status || !r->tools_json ? status : write_tools(r, body, error);
}
