/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/ollama/ollama.h"

#include "backend/remote/calls.h"
#include "backend/remote/logprobs.h"
#include "os/clock.h"
#include <string.h>

/* One answer under way. */
typedef struct hearing {
  const adam_backend_model *model;
  const adam_request *request;
  const adam_sink *sink;
  adam_outcome *outcome;
  size_t n_pieces; /* with text: about a token each, until the server counts */
  size_t n_calls;
  am_ollama_prompt prompt;
  bool mute; /* max_tokens is 0 */
  double begin_ms, first_ms, last_ms;
} hearing;

static bool send(hearing *h, adam_chunk chunk) { return h->sink->on_chunk && h->sink->on_chunk(h->sink->user, &chunk); }

static bool on_idle(void *user) { return send(user, (adam_chunk){.text = ""}); }

static adam_status hear_text(hearing *h, const am_json *object, const am_json *text, bool thinking, bool *cancel,
                             adam_error *error) {
  const am_json *logprobs = thinking || !h->request->logprobs ? NULL : am_json_get(object, "logprobs");
  bool has_text = text && text->type == AM_JSON_STRING && text->n > 0;
  bool has_tokens = logprobs && logprobs->type == AM_JSON_ARRAY && logprobs->n > 0;
  if ((!has_text && !has_tokens) || h->mute) return ADAM_OK;
  h->last_ms = am_clock_ms();
  if (h->n_pieces++ == 0) h->first_ms = h->last_ms;
  adam_chunk chunk = {.text = has_text ? text->as.string : "", .text_bytes = has_text ? text->n : 0, .thinking = thinking};
  am_arena arena = {0};
  adam_status status = ADAM_OK;
  if (has_tokens) {
    am_remote_logprobs tokens = {0};
    status = am_remote_logprobs_read(logprobs, "ollama", &arena, &tokens, error);
    chunk.logprobs = tokens.tokens;
    chunk.ids = tokens.ids;
    chunk.n_ids = tokens.n;
  }
  if (!status) *cancel = send(h, chunk);
  am_arena_close(&arena);
  return status;
}

/* One call as adam_chunk has it: arguments as text, and an id where the server gives none. */
static adam_status hear_call(hearing *h, const am_json *call, bool *cancel, adam_error *error) {
  const am_json *function = am_json_get(call, "function"), *arguments = am_json_get(function, "arguments");
  const char *name = am_json_str(am_json_get(function, "name"), NULL);
  const char *id = am_json_str(am_json_get(call, "id"), NULL);
  if (!name) return am_fail(error, ADAM_FAILED, h->model->name, NULL, "Ollama sent a tool call without a name");
  am_buf text = {0}, json = {0};
  if (arguments && arguments->type == AM_JSON_STRING)
    am_buf_append(&text, arguments->as.string, arguments->n);
  else if (arguments)
    am_json_write(&text, arguments);
  am_remote_call_json(&json, id, h->outcome->seed, h->n_calls, name, text.data, text.len);
  bool failed = text.failed || json.failed;
  if (!failed) {
    h->n_calls++;
    *cancel = send(h, (adam_chunk){.text = "", .tool_call_json = json.data});
  }
  am_buf_close(&text);
  am_buf_close(&json);
  return failed ? am_fail_memory(error, h->model->name) : ADAM_OK;
}

static void notice(const adam_sink *sink, const char *code, const char *text) {
  if (sink->on_notice) sink->on_notice(sink->user, &(adam_notice){code, ADAM_NOTICE_DEGRADED, text});
}

/* Says where the answer is not one to the whole prompt. */
static adam_status check_whole(const hearing *h, int64_t n_prompt, int64_t n_answer, adam_error *error) {
  switch (am_ollama_context_cut(h->model, h->prompt.n_ctx, &h->prompt, n_prompt, n_answer)) {
    case AM_OLLAMA_CUT:
      return am_fail(error, ADAM_LIMIT, "context", "--ctx N gives it more, as far as the model goes",
                     "Ollama cut the prompt to %lld tokens: this is no answer to the whole of it", (long long)n_prompt);
    case AM_OLLAMA_MAYBE_CUT:
      notice(h->sink, "context_clipped", "the oldest messages may have been left out: the context is nearly full");
      break;
    case AM_OLLAMA_SHIFTED:
      notice(h->sink, "context_full", "the answer went on behind the context's end: its beginning was forgotten");
      break;
    case AM_OLLAMA_WHOLE: break;
  }
  return ADAM_OK;
}

static double ms_of(const am_json *object, const char *name) { return am_json_real(am_json_get(object, name), 0) / 1e6; }

/* The counts and times of the last object. */
static adam_status hear_end(hearing *h, const am_json *object, adam_error *error) {
  adam_outcome *o = h->outcome;
  const char *reason = am_json_str(am_json_get(object, "done_reason"), "stop");
  if (!strcmp(reason, "load") || !strcmp(reason, "unload"))
    return am_fail(error, ADAM_FAILED, h->model->name, NULL, "Ollama only loaded the model and gave no answer");
  int64_t n_prompt = am_json_int(am_json_get(object, "prompt_eval_count"), 0);
  int64_t n_answer = am_json_int(am_json_get(object, "eval_count"), 0);
  if (n_prompt > 0) o->prompt_tokens = (size_t)n_prompt;
  if (n_answer > 0) o->completion_tokens = (size_t)n_answer;
  adam_timings *t = &o->timings;
  t->prompt_ms = ms_of(object, "prompt_eval_duration");
  t->decode_ms = ms_of(object, "eval_duration");
  if (t->prompt_ms > 0) t->prompt_tokens_per_s = (double)o->prompt_tokens * 1000 / t->prompt_ms;
  if (t->decode_ms > 0) t->decode_tokens_per_s = (double)o->completion_tokens * 1000 / t->decode_ms;
  o->finish_reason = h->n_calls                 ? ADAM_FINISH_TOOL_CALLS
                     : !strcmp(reason, "length") ? ADAM_FINISH_LENGTH
                                                 : ADAM_FINISH_STOP;
  if (h->mute) o->finish_reason = ADAM_FINISH_LENGTH, o->completion_tokens = 0;
  return check_whole(h, n_prompt, n_answer, error);
}

static adam_status on_object(void *user, const am_json *object, bool *done, bool *cancel, adam_error *error) {
  hearing *h = user;
  const am_json *message = am_json_get(object, "message"); /* of /api/chat */
  const am_json *thinking = am_json_get(message ? message : object, "thinking");
  const am_json *text = message ? am_json_get(message, "content") : am_json_get(object, "response");
  const am_json *calls = am_json_get(message ? message : object, "tool_calls");
  adam_status status = hear_text(h, object, thinking, true, cancel, error);
  if (!status && !*cancel) status = hear_text(h, object, text, false, cancel, error);
  for (size_t i = 0; calls && calls->type == AM_JSON_ARRAY && i < calls->n && !status && !*cancel; i++)
    status = hear_call(h, am_json_at(calls, i), cancel, error);
  if (status || *cancel) return status;
  *done = am_json_bool(am_json_get(object, "done"), false);
  return *done ? hear_end(h, object, error) : ADAM_OK;
}

adam_status am_ollama_generate(void *context, adam_backend_model *model, const adam_request *request,
                               const adam_sink *sink, adam_outcome *outcome, adam_error *error) {
  (void)context;
  am_buf body = {0};
  bool raw = request->raw && request->prompt;
  hearing h = {.model = model,
               .request = request,
               .sink = sink,
               .outcome = outcome,
               .mute = (request->sampling.set & ADAM_SET_MAX_TOKENS) && request->sampling.max_tokens == 0,
               .begin_ms = am_clock_ms()};
  const am_ollama_stream stream = {on_object, on_idle, &h};
  outcome->finish_reason = ADAM_FINISH_ERROR;
  adam_status status = am_ollama_body(model, request, outcome, &h.prompt, &body, error);
  if (!status && request->ignore_eos)
    notice(sink, "ignore_eos", "an Ollama server cannot be told to go on behind an end token");
  if (!status)
    status = am_ollama_stream_call(&model->client, raw ? "/api/generate" : "/api/chat", &body, model->name, &stream,
                                   error);
  am_buf_close(&body);
  if (h.n_pieces > 0) {
    outcome->timings.first_token_ms = h.first_ms - h.begin_ms;
    if (!outcome->completion_tokens && !h.mute) outcome->completion_tokens = h.n_pieces;
  }
  if (status == ADAM_CANCELLED) {
    outcome->finish_reason = ADAM_FINISH_CANCELLED;
    return ADAM_OK;
  }
  if (status) outcome->finish_reason = ADAM_FINISH_ERROR;
  if (!status && request->constraint && outcome->finish_reason == ADAM_FINISH_LENGTH)
    notice(sink, "constraint_cut", "the answer reached max_tokens before its JSON was complete");
  return status;
}
