/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/mock/mock.h"

#include "base/json.h"
#include "base/utf8.h"
#include "template/chat.h"
#include <string.h>

/* Content of a message: a string, or the text parts of a list. */
static void append_content(am_buf *out, const am_json *content) {
  if (!content) return;
  if (content->type == AM_JSON_STRING) am_buf_append(out, content->as.string, content->n);
  for (size_t i = 0; content->type == AM_JSON_ARRAY && i < content->n; i++) {
    const am_json *text = am_json_get(am_json_at(content, i), "text");
    if (text && text->type == AM_JSON_STRING) am_buf_append(out, text->as.string, text->n);
  }
}

static void append_turn(am_buf *out, const char *role, const am_json *content) {
  am_buf_append_str(out, role);
  am_buf_append_str(out, ": ");
  append_content(out, content);
  am_buf_append_char(out, '\n');
}

static adam_status parse_messages(const char *text, am_arena *arena, am_json *messages, adam_error *error) {
  adam_status status = am_json_parse(text, strlen(text), "messages", 0, arena, messages, error);
  if (status == ADAM_DAMAGED && error) error->status = ADAM_INVALID;
  if (status) return status == ADAM_DAMAGED ? ADAM_INVALID : status;
  if (messages->type != AM_JSON_ARRAY)
    return am_fail(error, ADAM_INVALID, "messages", NULL, "expected an array");
  for (size_t i = 0; i < messages->n; i++)
    if (!am_json_str(am_json_get(am_json_at(messages, i), "role"), NULL))
      return am_fail(error, ADAM_INVALID, "messages", NULL, "message %zu has no role", i + 1);
  return ADAM_OK;
}

static void append_conversation(am_buf *out, const am_json *messages, bool generation_prompt) {
  for (size_t i = 0; i < messages->n; i++) {
    const am_json *message = am_json_at(messages, i);
    append_turn(out, am_json_str(am_json_get(message, "role"), ""), am_json_get(message, "content"));
  }
  if (generation_prompt) am_buf_append_str(out, "assistant: ");
}

adam_status am_mock_prompt_open(const adam_request *request, am_mock_prompt *prompt, adam_error *error) {
  am_arena arena = {0};
  am_json messages = {0};
  adam_status status = ADAM_OK;
  if (request->prompt) {
    am_buf_append(&prompt->last_user, request->prompt, request->prompt_bytes);
    if (request->raw) {
      am_buf_append(&prompt->whole, request->prompt, request->prompt_bytes);
    } else {
      if (request->system) am_buf_printf(&prompt->whole, "system: %s\n", request->system);
      am_buf_append_str(&prompt->whole, "user: ");
      am_buf_append(&prompt->whole, request->prompt, request->prompt_bytes);
      am_buf_append_str(&prompt->whole, "\nassistant: ");
    }
  } else {
    status = parse_messages(request->messages_json, &arena, &messages, error);
    if (status) goto done;
    if (request->system) am_buf_printf(&prompt->whole, "system: %s\n", request->system);
    append_conversation(&prompt->whole, &messages, true);
    for (size_t i = messages.n; i-- > 0;) {
      const am_json *message = am_json_at(&messages, i);
      if (strcmp(am_json_str(am_json_get(message, "role"), ""), "user")) continue;
      append_content(&prompt->last_user, am_json_get(message, "content"));
      break;
    }
  }
  if (prompt->last_user.failed || prompt->whole.failed) status = am_fail_memory(error, "mock");
done:
  am_arena_close(&arena);
  if (status) am_mock_prompt_close(prompt);
  return status;
}

void am_mock_prompt_close(am_mock_prompt *prompt) {
  am_buf_close(&prompt->last_user);
  am_buf_close(&prompt->whole);
}

static adam_status render_template(const adam_render_request *request, const am_json *messages,
                                   am_arena *arena, am_buf *out, adam_error *error) {
  am_template *compiled = NULL;
  am_json tools = {0}, kwargs = {0};
  adam_status status = ADAM_OK;
  if (request->tools_json)
    status =
        am_json_parse(request->tools_json, strlen(request->tools_json), "tools", 0, arena, &tools, error);
  if (!status && request->kwargs_json)
    status =
        am_json_parse(request->kwargs_json, strlen(request->kwargs_json), "kwargs", 0, arena, &kwargs, error);
  if (status) return status;
  status = am_template_open(request->template_name ? request->template_name : "chat template",
                            request->template_text, strlen(request->template_text), &compiled, error);
  if (status) return status;
  am_chat_request chat = {
      .messages = messages,
      .tools = request->tools_json ? &tools : NULL,
      .kwargs = request->kwargs_json ? &kwargs : NULL,
      .add_generation_prompt = !request->no_generation_prompt,
      .enable_thinking = request->think == ADAM_THINK_DEFAULT ? -1 : request->think == ADAM_THINK_ON};
  status = am_chat_render(compiled, &chat, out, error);
  am_template_close(&compiled);
  return status;
}

adam_status am_mock_render(const adam_render_request *request, am_buf *out, adam_error *error) {
  am_arena arena = {0};
  am_json messages = {0};
  adam_status status = parse_messages(request->messages_json, &arena, &messages, error);
  if (!status && request->template_text) {
    status = render_template(request, &messages, &arena, out, error);
  } else if (!status) {
    append_conversation(out, &messages, !request->no_generation_prompt);
    if (out->failed) status = am_fail_memory(error, "mock");
  }
  am_arena_close(&arena);
  return status;
}
