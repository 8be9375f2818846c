/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/prompt.h"

#include "base/error.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "engine/notice.h"
#include "template/chat.h"

#include <stdio.h>
#include <string.h>

/* Compiled once for each text, which is known by its address. */
static adam_status compile(am_engine *engine, am_template_language language, const char *text,
                           const am_chat_template **out, adam_error *error) {
  const char *name = language == AM_TEMPLATE_GO ? "Go template of the store" : "chat template";
  adam_status status = ADAM_OK;
  const am_chat_template *found = NULL;
  am_mutex_lock(&engine->mutex);
  for (size_t i = 0; i < sizeof engine->templates / sizeof *engine->templates && !found; i++) {
    if (!engine->templates[i].text) {
      status = am_chat_template_open(language, name, text, strlen(text), &engine->templates[i].compiled, error);
      if (status) break;
      engine->templates[i].text = text;
    }
    if (engine->templates[i].text == text) found = engine->templates[i].compiled;
  }
  am_mutex_unlock(&engine->mutex);
  if (!status) *out = found;
  return status;
}

adam_status am_engine_template(am_engine *engine, bool has_tools, am_engine_chat *out, adam_error *error) {
  const am_loader_extra *extra = am_loader_get_extra(engine->loader);
  const char *jinja = am_loader_template(engine->loader, NULL, has_tools), *go = extra->go_template;
  am_engine_chat chat = {0};
  adam_error why = {0};
  adam_status status = ADAM_OK;
  if (go && jinja && extra->prefers_jinja) {
    (void)snprintf(chat.passed_over, sizeof chat.passed_over, "%s", extra->prefers_jinja);
    go = NULL;
  }
  if (go) {
    status = compile(engine, AM_TEMPLATE_GO, go, &chat.compiled, &why);
    if (status && (status != ADAM_TEMPLATE || !jinja)) {
      if (error) *error = why;
      return status;
    }
    if (status) (void)snprintf(chat.passed_over, sizeof chat.passed_over, "%s", why.why);
    else if (has_tools && jinja && strstr(jinja, "tools") && !am_go_template_traits(am_chat_template_go(chat.compiled))->tools)
      (void)snprintf(chat.passed_over, sizeof chat.passed_over, "it does not know tools");
    else
      chat.text = go;
  }
  if (!chat.text && jinja) {
    status = compile(engine, AM_TEMPLATE_JINJA, jinja, &chat.compiled, error);
    chat.text = jinja;
  }
  if (!status) *out = chat;
  return status;
}

/* Parses one JSON argument; NULL text gives *present = false. */
static adam_status parse(const char *text, const char *name, am_json_type type, am_arena *arena, am_json *out,
                         bool *present, adam_error *error) {
  *present = false;
  if (!text) return ADAM_OK;
  adam_status status = am_json_parse(text, strlen(text), name, 0, arena, out, error);
  if (status == ADAM_DAMAGED) { /* what the caller wrote is no file */
    if (error) error->status = ADAM_INVALID;
    status = ADAM_INVALID;
  }
  if (status) return status;
  if (out->type == AM_JSON_NULL) return ADAM_OK;
  if (out->type != type)
    return am_fail(error, ADAM_INVALID, name, NULL, "expected a JSON %s",
                   type == AM_JSON_ARRAY ? "array" : "object");
  *present = true;
  return ADAM_OK;
}

/* What a Go template cannot do is refused: it is the template's, not the caller's, to say what is written. */
static adam_status go_request(const adam_render_request *request, const am_json *kwargs, am_chat_request *chat,
                              adam_error *error) {
  const am_json *thinking = kwargs ? am_json_get(kwargs, "enable_thinking") : NULL;
  if (request->no_generation_prompt)
    return am_fail(error, ADAM_INVALID, "Go template", NULL, "it always opens the answer: that cannot be left out");
  if (kwargs && (kwargs->n != 1 || !thinking || thinking->type != AM_JSON_BOOL))
    return am_fail(error, ADAM_INVALID, "Go template", NULL, "of the variables it can be given only enable_thinking");
  if (thinking) chat->enable_thinking = thinking->as.boolean;
  return ADAM_OK;
}

/* coerce: content that the template cannot take is made text (template/chat.h). is_chat: messages that may hold earlier
 * answers. */
static adam_status render(am_engine *engine, const adam_render_request *request, bool coerce, bool is_chat, am_buf *out,
                          adam_error *error) {
  am_arena arena = {0};
  am_json messages, tools, kwargs;
  bool has_messages = false, has_tools = false, has_kwargs = false;
  am_chat_template *own = NULL;
  am_engine_chat model = {0};
  adam_status status =
      parse(request->messages_json, "messages", AM_JSON_ARRAY, &arena, &messages, &has_messages, error);
  if (!status && !has_messages)
    status = am_fail(error, ADAM_INVALID, "messages", NULL, "expected a JSON array of messages");
  if (!status) status = parse(request->tools_json, "tools", AM_JSON_ARRAY, &arena, &tools, &has_tools, error);
  if (!status)
    status = parse(request->kwargs_json, "kwargs", AM_JSON_OBJECT, &arena, &kwargs, &has_kwargs, error);
  if (!status && request->template_text)
    status = am_chat_template_open(am_template_language_of(request->template_name),
                                   request->template_name ? request->template_name : "chat template",
                                   request->template_text, strlen(request->template_text), &own, error);
  else if (!status)
    status = am_engine_template(engine, has_tools, &model, error);
  const am_chat_template *tmpl = own ? own : model.compiled;
  if (!status && !tmpl)
    status = am_fail(error, ADAM_TEMPLATE, am_loader_path(engine->loader), "give one with --template FILE",
                     "the model has no chat template");
  if (!status) {
    am_chat_request chat = {
        .messages = &messages,
        .tools = has_tools ? &tools : NULL,
        .kwargs = has_kwargs ? &kwargs : NULL,
        .special_tokens = am_loader_special_tokens(engine->loader),
        .add_generation_prompt = !request->no_generation_prompt,
        .coerce_content = coerce,
        .strip_thinking = is_chat && am_loader_get_extra(engine->loader)->strip_thinking,
        .enable_thinking = request->think == ADAM_THINK_DEFAULT ? -1 : request->think == ADAM_THINK_ON};
    if (am_chat_template_go(tmpl)) status = go_request(request, chat.kwargs, &chat, error);
    if (!status) status = am_chat_template_render(tmpl, &chat, out, error);
  }
  am_chat_template_close(&own);
  am_arena_close(&arena);
  return status;
}

adam_status am_engine_render(am_engine *engine, const adam_render_request *request, am_buf *out,
                             adam_error *error) {
  return render(engine, request, false, true, out, error);
}

/* Appends text as a JSON string; invalid UTF-8 becomes U+FFFD. */
static bool append_json(am_buf *buf, const char *text, size_t n_bytes) {
  if (am_utf8_valid(text, n_bytes)) return am_json_write_string(buf, text, n_bytes);
  am_buf clean = {0};
  for (size_t at = 0; at < n_bytes;) {
    uint32_t codepoint = 0;
    int length = am_utf8_decode(text + at, n_bytes - at, &codepoint);
    am_buf_append_codepoint(&clean, codepoint);
    at += (size_t)(length < 0 ? -length : length);
  }
  bool ok = !clean.failed && am_json_write_string(buf, clean.data, clean.len);
  am_buf_close(&clean);
  return ok;
}

static bool append_message(am_buf *buf, const char *role, const char *text, size_t n_bytes) {
  return am_buf_printf(buf, "{\"role\":\"%s\",\"content\":", role) && append_json(buf, text, n_bytes) &&
         am_buf_append_char(buf, '}');
}

/* What is behind the first bracket of a JSON array that has members, or NULL. */
static const char *inside(const char *array) {
  if (!array) return NULL;
  array += strspn(array, " \t\r\n");
  if (*array != '[') return NULL;
  array += 1 + strspn(array + 1, " \t\r\n");
  return *array == ']' ? NULL : array;
}

/* Does the conversation begin with a system message of its own? */
static bool begins_with_system(const char *messages) {
  am_arena arena = {0};
  am_json list;
  bool present = false;
  adam_status status = parse(messages, "messages", AM_JSON_ARRAY, &arena, &list, &present, NULL);
  const am_json *first = !status && present ? am_json_at(&list, 0) : NULL;
  bool begins = !strcmp(am_json_str(am_json_get(first, "role"), ""), "system");
  am_arena_close(&arena);
  return begins;
}

/* The conversation as one JSON array: system text in front (the request's, else the store's where the messages have
 * none), the store's own messages, then the prompt or the messages. */
static adam_status messages_json(const am_loader_extra *extra, const adam_request *request, am_buf *out,
                                 adam_error *error) {
  const char *given = request->messages_json, *system = request->system, *before = inside(extra->messages_json);
  if (given && given[strspn(given, " \t\r\n")] != '[')
    return am_fail(error, ADAM_INVALID, "messages", NULL, "expected a JSON array of messages");
  if (!system && extra->system && *extra->system && !(given && begins_with_system(given))) system = extra->system;
  am_buf_append_char(out, '[');
  if (system) append_message(out, "system", system, strlen(system));
  if (before) {
    if (system) am_buf_append_char(out, ',');
    am_buf_append(out, before, (size_t)(strrchr(before, ']') - before)); /* written by base/json */
  }
  if (given) {
    given += strspn(given, " \t\r\n") + 1;
    given += strspn(given, " \t\r\n");
    if ((system || before) && *given != ']') am_buf_append_char(out, ',');
    am_buf_append_str(out, given);
  } else {
    if (system || before) am_buf_append_char(out, ',');
    append_message(out, "user", request->prompt, request->prompt_bytes);
    am_buf_append_char(out, ']');
  }
  return out->failed ? am_fail_memory(error, "prompt") : ADAM_OK;
}

/* For models without a template: the texts with an empty line between. */
static adam_status plain_text(const char *messages, am_buf *out, adam_error *error) {
  am_arena arena = {0};
  am_json list;
  bool present = false;
  adam_status status = parse(messages, "messages", AM_JSON_ARRAY, &arena, &list, &present, error);
  for (uint32_t i = 0; !status && present && i < list.n; i++) {
    const am_json *content = am_json_get(am_json_at(&list, i), "content");
    if (!content || content->type != AM_JSON_STRING) continue;
    if (out->len > 0) am_buf_append_str(out, "\n\n");
    am_buf_append(out, content->as.string, content->n);
  }
  am_arena_close(&arena);
  if (!status && out->failed) status = am_fail_memory(error, "prompt");
  return status;
}

static bool ends_in(const char *text, size_t n_bytes, const char *tag) {
  size_t n = strlen(tag);
  while (n_bytes > 0 && strchr(" \t\r\n", text[n_bytes - 1]) && text[n_bytes - 1]) n_bytes--;
  return n_bytes >= n && memcmp(text + n_bytes - n, tag, n) == 0;
}

static adam_status plain_conversation(const char *messages, bool has_tools, const adam_sink *sink, am_buf *text,
                                      adam_error *error) {
  am_notice_send(sink, ADAM_NOTICE_INFO, "no_template",
                 "the model has no chat template: it gets the plain text");
  if (has_tools)
    am_notice_send(sink, ADAM_NOTICE_DEGRADED, "tools_ignored",
                   "tools are not passed on: the model has no chat template");
  return plain_text(messages, text, error);
}

static void template_notices(const adam_request *request, const am_engine_chat *chat, const adam_sink *sink) {
  const am_go_template *go = am_chat_template_go(chat->compiled);
  const am_go_traits *traits = go ? am_go_template_traits(go) : NULL;
  if (*chat->passed_over)
    am_notice_send(sink, ADAM_NOTICE_INFO, "template_of_file",
                   "the file's own chat template is used, not that of the Ollama store: %s", chat->passed_over);
  if (request->think != ADAM_THINK_DEFAULT && !(go ? traits->think : strstr(chat->text, "enable_thinking") != NULL))
    am_notice_send(sink, ADAM_NOTICE_DEGRADED, "think_ignored",
                   "the model's chat template has no switch for thinking");
  if (request->tools_json && !(go ? traits->tools : strstr(chat->text, "tools") != NULL))
    am_notice_send(sink, ADAM_NOTICE_DEGRADED, "tools_ignored",
                   "tools are not passed on: the model's chat template does not know them");
  if (request->kwargs_json && go)
    am_notice_send(sink, ADAM_NOTICE_DEGRADED, "kwargs_ignored",
                   "the variables are not passed on: the model's chat template is a Go template");
}

static adam_status conversation_text(am_engine *engine, const adam_request *request, const adam_sink *sink,
                                     am_buf *text, am_prompt *out, adam_error *error) {
  am_buf messages = {0};
  am_engine_chat chat = {0};
  adam_status status = am_engine_template(engine, request->tools_json != NULL, &chat, error);
  if (!status) status = messages_json(am_loader_get_extra(engine->loader), request, &messages, error);
  if (status) goto cleanup;
  if (!chat.compiled) {
    status = plain_conversation(messages.data, request->tools_json != NULL, sink, text, error);
    goto cleanup;
  }
  template_notices(request, &chat, sink);
  bool is_go = am_chat_template_language(chat.compiled) == AM_TEMPLATE_GO;
  adam_render_request wanted = {.struct_size = sizeof wanted,
                                .messages_json = messages.data,
                                .tools_json = request->tools_json,
                                .kwargs_json = is_go ? NULL : request->kwargs_json,
                                .think = request->think};
  status = render(engine, &wanted, true, request->messages_json != NULL, text, error);
  out->templated = true;
  out->has_specials = !is_go;
  if (!status && text->len > 0) {
    out->in_thinking = ends_in(text->data, text->len, "<think>");
    out->may_think = request->think != ADAM_THINK_OFF && !out->in_thinking &&
                     !ends_in(text->data, text->len, "</think>") && strstr(chat.text, "<think>");
  }
cleanup:
  am_buf_close(&messages);
  return status;
}

static void raw_notices(const adam_request *request, const adam_sink *sink) {
  if (request->system)
    am_notice_send(sink, ADAM_NOTICE_DEGRADED, "system_ignored",
                   "the system text is not used: a raw prompt is taken as it is");
  if (request->think != ADAM_THINK_DEFAULT)
    am_notice_send(sink, ADAM_NOTICE_DEGRADED, "think_ignored",
                   "thinking cannot be switched for a raw prompt");
}

/* Nothing to predict from; a model that has a begin token can still start with it. */
static adam_status begin_with_bos(const am_engine *engine, am_ids *ids, adam_error *error) {
  const am_config *config = am_loader_config(engine->loader);
  if (!config || config->bos_id < 0)
    return am_fail(error, ADAM_INVALID, "prompt", NULL, "it is empty: there are no tokens");
  int32_t *data = am_mem_resize(ids->data, 1, sizeof *data);
  if (!data) return am_fail_memory(error, "prompt");
  data[0] = config->bos_id;
  *ids = (am_ids){.data = data, .n = 1, .capacity = 1};
  return ADAM_OK;
}

adam_status am_prompt_build(am_engine *engine, const adam_request *request, const adam_sink *sink,
                            am_prompt *out, adam_error *error) {
  const am_tokenizer *tokenizer = NULL;
  am_buf text = {0};
  adam_status status = am_loader_need_tokenizer(engine->loader, &tokenizer, error);
  if (status) return status;
  if (!request->prompt == !request->messages_json)
    return am_fail(error, ADAM_INVALID, "request", NULL, "expected either a prompt or messages");
  if (request->raw && !request->prompt)
    return am_fail(error, ADAM_INVALID, "request", NULL, "raw needs a prompt, not messages");
  const char *note = am_loader_get_extra(engine->loader)->note;
  if (note) am_notice_send(sink, ADAM_NOTICE_INFO, "store_parameters", "%s", note);
  if (request->raw) {
    raw_notices(request, sink);
    status = am_tokenizer_encode(tokenizer, request->prompt, request->prompt_bytes, AM_ENCODE_SPECIAL,
                                 &out->ids, error);
  } else {
    status = conversation_text(engine, request, sink, &text, out, error);
    if (!status)
      status = am_tokenizer_encode(tokenizer, text.data ? text.data : "", text.len,
                                   out->has_specials ? 0 : AM_ENCODE_SPECIAL, &out->ids, error);
  }
  if (!status && out->ids.n == 0) status = begin_with_bos(engine, &out->ids, error);
  am_buf_close(&text);
  return status;
}

void am_prompt_close(am_prompt *prompt) { am_ids_close(&prompt->ids); }
