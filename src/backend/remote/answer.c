/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/remote/answer.h"

#include "base/json.h"
#include "os/clock.h"
#include <stdarg.h>
#include <stdio.h>

void am_remote_notice(const adam_sink *sink, adam_notice_level level, const char *code, const char *format,
                      ...) {
  char text[512];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  if (sink->on_notice) sink->on_notice(sink->user, &(adam_notice){code, level, text});
}

void am_remote_answer_begin(am_remote_answer *a, const char *model, const adam_request *request,
                            const adam_sink *sink, adam_outcome *outcome) {
  a->model = model;
  a->request = request;
  a->sink = sink;
  a->outcome = outcome;
  a->mute = (request->sampling.set & ADAM_SET_MAX_TOKENS) && request->sampling.max_tokens == 0;
  a->begin_ms = am_clock_ms();
  am_thinking_begin(&a->splitter, false);
  outcome->finish_reason = ADAM_FINISH_ERROR;
}

void am_remote_answer_close(am_remote_answer *a) {
  am_remote_calls_close(&a->calls);
  am_thinking_close(&a->splitter);
  am_buf_close(&a->thought);
  am_buf_close(&a->said);
}

static void send(am_remote_answer *a, const adam_chunk *chunk) {
  if (!a->cancelled && a->sink->on_chunk) a->cancelled = a->sink->on_chunk(a->sink->user, chunk);
}

bool am_remote_answer_idle(void *user) {
  am_remote_answer *a = user;
  send(a, &(adam_chunk){.text = ""});
  return a->cancelled;
}

static void count(am_remote_answer *a) {
  a->last_ms = am_clock_ms();
  if (a->n_pieces++ == 0) a->first_ms = a->last_ms;
}

adam_status am_remote_answer_think(am_remote_answer *a, const char *text, size_t n_bytes) {
  if (!n_bytes) return ADAM_OK;
  count(a);
  if (!a->mute) send(a, &(adam_chunk){.text = text, .text_bytes = n_bytes, .thinking = true});
  return ADAM_OK;
}

/* Sends what the splitter let go. */
static adam_status send_parts(am_remote_answer *a, bool good, adam_error *error) {
  if (!good) return am_fail_memory(error, a->model);
  if (a->thought.len)
    send(a, &(adam_chunk){.text = a->thought.data, .text_bytes = a->thought.len, .thinking = true});
  if (a->said.len) send(a, &(adam_chunk){.text = a->said.data, .text_bytes = a->said.len});
  am_buf_clear(&a->thought);
  am_buf_clear(&a->said);
  return ADAM_OK;
}

adam_status am_remote_answer_say(am_remote_answer *a, const char *text, size_t n_bytes,
                                 const am_remote_logprobs *logprobs, adam_error *error) {
  bool has_tokens = logprobs && logprobs->n > 0;
  if (!n_bytes && !has_tokens) return ADAM_OK;
  count(a);
  if (a->mute) return ADAM_OK;
  if (has_tokens) {
    bool whole = a->request->raw || a->splitter.state == AM_THINKING_ANSWER;
    send(a, &(adam_chunk){.text = whole ? text : "",
                          .text_bytes = whole ? n_bytes : 0,
                          .ids = logprobs->ids,
                          .n_ids = logprobs->n,
                          .logprobs = logprobs->tokens});
    if (whole) return ADAM_OK;
  }
  if (a->request->raw) {
    send(a, &(adam_chunk){.text = text, .text_bytes = n_bytes});
    return ADAM_OK;
  }
  return send_parts(a, am_thinking_push(&a->splitter, text, n_bytes, &a->thought, &a->said), error);
}

adam_status am_remote_answer_call(am_remote_answer *a, const am_remote_call_part *call, adam_error *error) {
  am_arena arena = {0};
  am_json arguments = {0};
  am_buf json = {0};
  const char *name = call->name.len ? call->name.data : NULL;
  if (!name) return am_fail(error, ADAM_FAILED, a->model, NULL, "the server sent a tool call without a name");
  if (call->arguments.len &&
      am_json_parse(call->arguments.data, call->arguments.len, "arguments", 0, &arena, &arguments, NULL))
    am_remote_notice(a->sink, ADAM_NOTICE_DEGRADED, "tool_arguments",
                     "the arguments of the call of %.100s are no JSON", name);
  am_arena_close(&arena);
  bool good = am_remote_call_json(&json, call->id, a->outcome->seed, a->n_calls, name, call->arguments.data,
                                  call->arguments.len);
  if (good) {
    a->n_calls++;
    count(a);
    send(a, &(adam_chunk){.text = "", .tool_call_json = json.data});
  }
  am_buf_close(&json);
  return good ? ADAM_OK : am_fail_memory(error, a->model);
}

adam_status am_remote_answer_end(am_remote_answer *a, adam_error *error) {
  adam_outcome *o = a->outcome;
  bool is_cut = o->finish_reason == ADAM_FINISH_LENGTH;
  adam_status status = ADAM_OK;
  if (!a->mute && !a->request->raw)
    status = send_parts(a, am_thinking_finish(&a->splitter, &a->thought, &a->said), error);
  if (a->calls.n && (is_cut || a->mute))
    am_remote_notice(a->sink, ADAM_NOTICE_DEGRADED, "tool_call_cut",
                     "the answer reached max_tokens in a tool call");
  else
    for (size_t i = 0; i < a->calls.n && !status && !a->cancelled; i++)
      status = am_remote_answer_call(a, &a->calls.items[i], error);
  if (a->n_calls && !is_cut) o->finish_reason = ADAM_FINISH_TOOL_CALLS;
  if (a->mute) o->finish_reason = ADAM_FINISH_LENGTH, o->completion_tokens = 0;
  if (a->n_pieces) {
    adam_timings *t = &o->timings;
    t->first_token_ms = a->first_ms - a->begin_ms;
    if (!o->completion_tokens && !a->mute) o->completion_tokens = a->n_pieces;
    if (t->decode_ms <= 0) t->decode_ms = a->last_ms - a->first_ms;
    if (t->decode_ms > 0 && t->decode_tokens_per_s <= 0 && o->completion_tokens > 1)
      t->decode_tokens_per_s = (double)(o->completion_tokens - 1) * 1000 / t->decode_ms;
  }
  if (!status && a->request->constraint && is_cut)
    am_remote_notice(a->sink, ADAM_NOTICE_DEGRADED, "constraint_cut",
                     "the answer reached max_tokens before it was complete");
  return status;
}
