/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/openai/openai.h"

#include "backend/remote/answer.h"
#include "backend/remote/fields.h"
#include <string.h>

enum { MOST_ATTEMPTS = 12 /* each leaves out at least one parameter more */ };

static const am_json *text_of(const am_json *object, const char *name) {
  const am_json *text = am_json_get(object, name);
  return text && text->type == AM_JSON_STRING && text->n ? text : NULL;
}

/* Mistral's list of parts: {"type":"text","text"} and
 * {"type":"thinking","thinking":[{"type":"text","text"}]}. */
static adam_status hear_parts(am_remote_answer *a, const am_json *parts, adam_error *error) {
  adam_status status = ADAM_OK;
  for (size_t i = 0; i < parts->n && !status; i++) {
    const am_json *part = am_json_at(parts, i), *text = text_of(part, "text");
    const am_json *thoughts = am_json_get(part, "thinking");
    if (text) status = am_remote_answer_say(a, text->as.string, text->n, NULL, error);
    for (size_t k = 0; thoughts && thoughts->type == AM_JSON_ARRAY && k < thoughts->n && !status; k++)
      if ((text = text_of(am_json_at(thoughts, k), "text")))
        status = am_remote_answer_think(a, text->as.string, text->n);
  }
  return status;
}

static adam_status hear_calls(am_remote_answer *a, const am_json *calls, adam_error *error) {
  adam_status status = ADAM_OK;
  for (size_t i = 0; calls && calls->type == AM_JSON_ARRAY && i < calls->n && !status; i++) {
    const am_json *item = am_json_at(calls, i), *function = am_json_get(item, "function");
    const am_json *arguments = am_json_get(function, "arguments"), *name = text_of(function, "name");
    am_remote_call_part *call = NULL;
    am_buf whole = {0};
    status = am_remote_calls_at(&a->calls, am_json_int(am_json_get(item, "index"), -1),
                                am_json_str(am_json_get(item, "id"), NULL), a->model, &call, error);
    if (!status && name && !call->name.len && !am_buf_append(&call->name, name->as.string, name->n))
      status = am_fail_memory(error, a->model);
    if (!status && arguments && arguments->type == AM_JSON_STRING)
      status = am_remote_calls_add(&a->calls, call, arguments->as.string, arguments->n, a->model, error);
    else if (!status && arguments && arguments->type == AM_JSON_OBJECT) /* some say it whole, as an object */
      status = am_json_write(&whole, arguments)
                   ? am_remote_calls_add(&a->calls, call, whole.data, whole.len, a->model, error)
                   : am_fail_memory(error, a->model);
    am_buf_close(&whole);
  }
  return status;
}

static adam_status hear_text(am_remote_answer *a, const am_json *choice, const am_json *text,
                             adam_error *error) {
  const am_json *logprobs = a->request->logprobs ? am_json_get(choice, "logprobs") : NULL;
  const am_json *content = am_json_get(logprobs, "content");
  am_arena arena = {0};
  am_remote_logprobs tokens = {0};
  adam_status status = ADAM_OK;
  if (content && content->type == AM_JSON_ARRAY)
    status = am_remote_logprobs_read(content, a->model, &arena, &tokens, error);
  else if (am_json_get(logprobs, "tokens"))
    status = am_remote_logprobs_read_columns(logprobs, a->model, &arena, &tokens, error);
  if (!status)
    status = am_remote_answer_say(a, text ? text->as.string : "", text ? text->n : 0, &tokens, error);
  am_arena_close(&arena);
  return status;
}

static void hear_reason(am_remote_answer *a, const char *reason) {
  adam_outcome *o = a->outcome;
  a->has_reason = true;
  o->finish_reason = !strcmp(reason, "length") ? ADAM_FINISH_LENGTH
                     : !strcmp(reason, "tool_calls") || !strcmp(reason, "function_call")
                         ? ADAM_FINISH_TOOL_CALLS
                         : ADAM_FINISH_STOP;
  if (!strcmp(reason, "content_filter"))
    am_remote_notice(a->sink, ADAM_NOTICE_DEGRADED, "content_filter",
                     "the server's filter left out part of the answer");
}

/* A choice: message when it is whole, delta in a stream, text in completions. */
static adam_status hear_choice(am_remote_answer *a, const am_json *choice, adam_error *error) {
  const am_json *message = am_json_get(choice, "delta");
  if (!message || message->type != AM_JSON_OBJECT) message = am_json_get(choice, "message");
  const am_json *thoughts = text_of(message, "reasoning_content"), *content = am_json_get(message, "content");
  const am_json *text = text_of(message, "content"), *refusal = text_of(message, "refusal");
  const char *reason = am_json_str(am_json_get(choice, "finish_reason"), NULL);
  if (!thoughts) thoughts = text_of(message, "reasoning");
  if (!message) text = text_of(choice, "text");
  adam_status status = thoughts ? am_remote_answer_think(a, thoughts->as.string, thoughts->n) : ADAM_OK;
  if (!status && content && content->type == AM_JSON_ARRAY)
    status = hear_parts(a, content, error);
  else if (!status)
    status = hear_text(a, choice, text, error);
  if (!status && refusal) status = am_remote_answer_say(a, refusal->as.string, refusal->n, NULL, error);
  if (!status) status = hear_calls(a, am_json_get(message, "tool_calls"), error);
  if (status || !reason) return status;
  if (!strcmp(reason, "error"))
    return am_fail(error, ADAM_FAILED, a->model, NULL, "the server says that it failed in the middle");
  hear_reason(a, reason);
  return ADAM_OK;
}

/* llama-server tells how long things took. */
static void hear_timings(am_remote_answer *a, const am_json *timings) {
  adam_timings *t = &a->outcome->timings;
  t->prompt_ms = am_json_real(am_json_get(timings, "prompt_ms"), 0);
  t->decode_ms = am_json_real(am_json_get(timings, "predicted_ms"), 0);
  t->prompt_tokens_per_s = am_json_real(am_json_get(timings, "prompt_per_second"), 0);
  t->decode_tokens_per_s = am_json_real(am_json_get(timings, "predicted_per_second"), 0);
}

static adam_status on_event(void *user, const char *name, const am_json *object, am_remote_turn *turn,
                            adam_error *error) {
  am_remote_answer *a = user;
  if (!object) { /* [DONE] */
    turn->last = true;
    if (!a->has_reason)
      return am_fail(error, ADAM_FAILED, a->model, NULL,
                     "the server ended its answer without a finish_reason: what came is not the whole");
    return ADAM_OK;
  }
  const am_json *choices = am_json_get(object, "choices"), *usage = am_json_get(object, "usage");
  const am_json *choice = am_json_at(choices, 0);
  bool was_over = a->has_reason;
  size_t before = a->n_pieces, bytes = a->calls.bytes, calls = a->calls.n;
  adam_status status = ADAM_OK;
  if (!choices || choices->type != AM_JSON_ARRAY || (!name && !choice)) {
    if (!usage || !name)
      return am_fail(error, ADAM_FAILED, a->model, NULL,
                     "what the server sends is no answer: it has no choices");
  } else if (choice && am_json_int(am_json_get(choice, "index"), 0) == 0) {
    status = hear_choice(a, choice, error);
  }
  if (usage && usage->type == AM_JSON_OBJECT) {
    int64_t n_prompt = am_json_int(am_json_get(usage, "prompt_tokens"), 0);
    int64_t n_answer = am_json_int(am_json_get(usage, "completion_tokens"), 0);
    if (n_prompt > 0) a->outcome->prompt_tokens = (size_t)n_prompt;
    if (n_answer > 0) a->outcome->completion_tokens = (size_t)n_answer;
  }
  if (am_json_get(object, "timings")) hear_timings(a, am_json_get(object, "timings"));
  if (!status && !name && !a->has_reason)
    return am_fail(error, ADAM_FAILED, a->model, NULL,
                   "the answer has no finish_reason: it is not the whole");
  turn->moved =
      a->n_pieces > before || a->calls.bytes > bytes || a->calls.n > calls || a->has_reason != was_over;
  turn->done = a->has_reason;
  turn->cancel = a->cancelled;
  return status;
}

static adam_status write_body(adam_backend_model *m, const adam_request *r, const adam_sink *sink,
                              adam_outcome *o, am_openai_bits *bits, am_buf *body, adam_error *error) {
  adam_status status = ADAM_OK;
  bits->sent = 0;
  am_buf_append_char(body, '{');
  am_field_text(body, "model", m->name, strlen(m->name));
  if (r->raw)
    am_field_text(body, "prompt", r->prompt, r->prompt_bytes);
  else
    status = am_openai_messages(m, r, body, error);
  if (status) return status;
  if (!(m->lacks & AM_OPENAI_STREAM)) {
    bits->sent |= AM_OPENAI_STREAM;
    am_buf_append_str(body, ",\"stream\":true");
    if (!(m->lacks & AM_OPENAI_STREAM_OPTIONS)) {
      bits->sent |= AM_OPENAI_STREAM_OPTIONS;
      am_buf_append_str(body, ",\"stream_options\":{\"include_usage\":true}");
    }
  }
  status = am_openai_parameters(m, r, sink, o, bits, body, error);
  am_buf_append_char(body, '}');
  return status ? status : body->failed ? am_fail_memory(error, m->name) : ADAM_OK;
}

static adam_status check(const adam_request *r, adam_error *error) {
  if (!r->raw) return ADAM_OK;
  if (!r->prompt)
    return am_fail(error, ADAM_UNSUPPORTED, "openai", NULL, "raw goes with a prompt, not with messages");
  if (r->prompt_bytes == 0)
    return am_fail(error, ADAM_INVALID, "prompt", NULL, "an empty raw prompt has nothing to go on from");
  if (r->tools_json)
    return am_fail(error, ADAM_UNSUPPORTED, "openai", NULL,
                   "tools need the model's template, which raw leaves out");
  return ADAM_OK;
}

adam_status am_openai_generate(void *context, adam_backend_model *m, const adam_request *request,
                               const adam_sink *sink, adam_outcome *outcome, adam_error *error) {
  (void)context;
  am_remote_answer answer = {0};
  const am_remote_stream stream = {on_event, am_remote_answer_idle, &answer};
  am_openai_bits bits = {0};
  adam_error found = {0};
  adam_status status = check(request, &found);
  bool again = !status;
  am_remote_answer_begin(&answer, m->name, request, sink, outcome);
  for (int attempt = 0; attempt < MOST_ATTEMPTS && again; attempt++) {
    am_buf body = {0};
    am_remote_refusal refusal = {0};
    status = write_body(m, request, sink, outcome, &bits, &body, &found);
    const am_remote_ask ask = {"POST", request->raw ? "/completions" : "/chat/completions", &body, m->name,
                               false};
    if (!status) status = am_remote_stream_call(&m->server, &ask, &stream, &refusal, &found);
    again = status && am_openai_yield(m, &refusal, bits.sent);
    am_buf_close(&body);
  }
  if (!status) status = am_remote_answer_end(&answer, &found);
  if (answer.cancelled) {
    status = ADAM_OK;
    outcome->finish_reason = ADAM_FINISH_CANCELLED;
    if (!outcome->completion_tokens) outcome->completion_tokens = answer.n_pieces;
  }
  if (status) {
    outcome->finish_reason = ADAM_FINISH_ERROR;
    if (error) *error = found;
  }
  am_remote_answer_close(&answer);
  return status;
}
