/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/anthropic/anthropic.h"

#include "backend/remote/answer.h"
#include "base/rng.h"
#include <string.h>

enum { MOST_ATTEMPTS = 6, MOST_BLOCKS = 4096 };

typedef enum block_kind { NO_BLOCK, TEXT, THINKING, TOOL, OTHER } block_kind;

/* An answer under way. Blocks come one after another. */
typedef struct hearing {
  am_remote_answer answer;
  bool begun;       /* message_start */
  block_kind block; /* that is open */
  int64_t index;    /* of it */
  size_t n_blocks;
  am_remote_call_part *call; /* of an open block of a tool */
} hearing;

static adam_status fail_order(const hearing *h, const char *words, adam_error *error) {
  return am_fail(error, ADAM_FAILED, h->answer.model, NULL,
                 "the events of the answer do not fit together: %s", words);
}

static const am_json *text_of(const am_json *object, const char *name) {
  const am_json *text = am_json_get(object, name);
  return text && text->type == AM_JSON_STRING ? text : NULL;
}

static adam_status say(hearing *h, const am_json *text, bool thinking, adam_error *error) {
  if (!text) return ADAM_OK;
  return thinking ? am_remote_answer_think(&h->answer, text->as.string, text->n)
                  : am_remote_answer_say(&h->answer, text->as.string, text->n, NULL, error);
}

static adam_status begin_call(hearing *h, const am_json *block, adam_error *error) {
  am_remote_answer *a = &h->answer;
  const am_json *name = text_of(block, "name"), *input = am_json_get(block, "input");
  am_buf whole = {0};
  adam_status status = am_remote_calls_at(&a->calls, h->index, am_json_str(am_json_get(block, "id"), NULL),
                                          a->model, &h->call, error);
  if (!status && name && !am_buf_append(&h->call->name, name->as.string, name->n))
    status = am_fail_memory(error, a->model);
  if (!status && input && input->type == AM_JSON_OBJECT && input->n) /* of an answer that came whole */
    status = am_json_write(&whole, input)
                 ? am_remote_calls_add(&a->calls, h->call, whole.data, whole.len, a->model, error)
                 : am_fail_memory(error, a->model);
  am_buf_close(&whole);
  return status;
}

static adam_status begin_block(hearing *h, const am_json *block, adam_error *error) {
  const char *type = am_json_str(am_json_get(block, "type"), "");
  if (++h->n_blocks > MOST_BLOCKS)
    return am_fail(error, ADAM_LIMIT, h->answer.model, NULL, "the answer has more than %d blocks",
                   MOST_BLOCKS);
  h->block = !strcmp(type, "text")       ? TEXT
             : !strcmp(type, "thinking") ? THINKING
             : !strcmp(type, "tool_use") ? TOOL
                                         : OTHER;
  if (h->block == TEXT) return say(h, text_of(block, "text"), false, error);
  if (h->block == THINKING) return say(h, text_of(block, "thinking"), true, error);
  return h->block == TOOL ? begin_call(h, block, error) : ADAM_OK;
}

static adam_status hear_delta(hearing *h, const am_json *object, adam_error *error) {
  const am_json *delta = am_json_get(object, "delta"), *json = text_of(delta, "partial_json");
  const char *type = am_json_str(am_json_get(delta, "type"), "");
  if (h->block == NO_BLOCK || am_json_int(am_json_get(object, "index"), -1) != h->index)
    return fail_order(h, "a piece of a block that is not open", error);
  if (!strcmp(type, "text_delta")) return say(h, text_of(delta, "text"), false, error);
  if (!strcmp(type, "thinking_delta")) return say(h, text_of(delta, "thinking"), true, error);
  if (strcmp(type, "input_json_delta") != 0 || h->block != TOOL || !json)
    return ADAM_OK; /* signatures, citations */
  return am_remote_calls_add(&h->answer.calls, h->call, json->as.string, json->n, h->answer.model, error);
}

static void hear_usage(hearing *h, const am_json *usage) {
  adam_outcome *o = h->answer.outcome;
  static const char *const names[] = {"input_tokens", "cache_creation_input_tokens",
                                      "cache_read_input_tokens"};
  int64_t n_prompt = 0, n_answer = am_json_int(am_json_get(usage, "output_tokens"), 0);
  for (size_t i = 0; i < 3; i++) {
    int64_t n = am_json_int(am_json_get(usage, names[i]), 0);
    if (n > 0 && n < INT32_MAX) n_prompt += n;
  }
  if (n_prompt > 0) o->prompt_tokens = (size_t)n_prompt;
  if (n_answer > 0) o->completion_tokens = (size_t)n_answer;
}

static void hear_reason(hearing *h, const char *reason) {
  am_remote_answer *a = &h->answer;
  bool full = !strcmp(reason, "model_context_window_exceeded");
  a->has_reason = true;
  a->outcome->finish_reason = !strcmp(reason, "max_tokens") || full ? ADAM_FINISH_LENGTH
                              : !strcmp(reason, "tool_use")         ? ADAM_FINISH_TOOL_CALLS
                                                                    : ADAM_FINISH_STOP;
  if (full)
    am_remote_notice(a->sink, ADAM_NOTICE_DEGRADED, "context_full",
                     "the answer ends because the context is full");
  if (!strcmp(reason, "refusal"))
    am_remote_notice(a->sink, ADAM_NOTICE_DEGRADED, "refusal", "the model was stopped from answering this");
  if (!strcmp(reason, "pause_turn"))
    am_remote_notice(a->sink, ADAM_NOTICE_DEGRADED, "pause_turn",
                     "the server paused a long turn: the answer may go on");
}

/* An answer that is no stream. */
static adam_status hear_whole(hearing *h, const am_json *message, adam_error *error) {
  const am_json *content = am_json_get(message, "content");
  const char *reason = am_json_str(am_json_get(message, "stop_reason"), NULL);
  adam_status status = ADAM_OK;
  if (!content || content->type != AM_JSON_ARRAY || !reason)
    return am_fail(error, ADAM_FAILED, h->answer.model, NULL,
                   "what the server sends is no answer of this API, or not the whole");
  for (size_t i = 0; i < content->n && !status; i++) {
    h->index = (int64_t)i;
    status = begin_block(h, am_json_at(content, i), error);
  }
  hear_usage(h, am_json_get(message, "usage"));
  hear_reason(h, reason);
  return status;
}

static adam_status hear_event(hearing *h, const char *type, const am_json *object, am_remote_turn *turn,
                              adam_error *error) {
  am_remote_answer *a = &h->answer;
  adam_status status = ADAM_OK;
  if (!strcmp(type, "message_start")) {
    if (h->begun) return fail_order(h, "a second beginning", error);
    h->begun = true;
    hear_usage(h, am_json_path(object, "message.usage"));
  } else if (!strcmp(type, "content_block_start")) {
    if (!h->begun || h->block != NO_BLOCK)
      return fail_order(h, "a block inside of another, or before the beginning", error);
    h->index = am_json_int(am_json_get(object, "index"), -1);
    status = begin_block(h, am_json_get(object, "content_block"), error);
  } else if (!strcmp(type, "content_block_delta")) {
    status = hear_delta(h, object, error);
  } else if (!strcmp(type, "content_block_stop")) {
    if (h->block == NO_BLOCK) return fail_order(h, "the end of a block that is not open", error);
    h->block = NO_BLOCK;
  } else if (!strcmp(type, "message_delta")) {
    const char *reason = am_json_str(am_json_path(object, "delta.stop_reason"), NULL);
    hear_usage(h, am_json_get(object, "usage"));
    if (reason) hear_reason(h, reason);
  } else if (!strcmp(type, "message_stop")) {
    if (!a->has_reason || h->block != NO_BLOCK)
      return fail_order(h, "the end comes without a stop_reason, or inside of a block", error);
    turn->done = turn->last = true;
  } else {
    return ADAM_OK; /* ping, and events that are newer than this text: nothing new by which to wait longer */
  }
  turn->moved = true;
  return status;
}

static adam_status on_event(void *user, const char *name, const am_json *object, am_remote_turn *turn,
                            adam_error *error) {
  hearing *h = user;
  adam_status status = ADAM_OK;
  if (!object) return ADAM_OK; /* [DONE], which some servers of the API add */
  const char *type = am_json_str(am_json_get(object, "type"), name ? name : "");
  if (!name) {
    status = hear_whole(h, object, error);
    turn->done = !status;
  } else if (!strcmp(type, "error")) {
    status = am_fail(error, ADAM_FAILED, h->answer.model, NULL, "the server failed in the middle");
  } else {
    status = hear_event(h, type, object, turn, error);
  }
  turn->cancel = h->answer.cancelled;
  return status;
}

/* Leaves out from now on what the refusal names. false: it names nothing that can be left out. */
static bool yield(adam_backend_model *m, const am_remote_refusal *refusal, uint32_t sent) {
  static const struct {
    const char *name;
    uint32_t bit;
  } parameters[] = {{"top_p", AM_ANTHROPIC_TOP_P},          {"temperature", AM_ANTHROPIC_TEMPERATURE},
                    {"top_k", AM_ANTHROPIC_TOP_K},          {"budget_tokens", AM_ANTHROPIC_BUDGET},
                    {"thinking.type", AM_ANTHROPIC_BUDGET}, {"thinking.type.enabled", AM_ANTHROPIC_BUDGET},
                    {"stream", AM_ANTHROPIC_STREAM}};
  for (size_t i = 0; i < sizeof parameters / sizeof *parameters; i++) {
    if (!(sent & parameters[i].bit) || !am_remote_refuses(refusal, parameters[i].name)) continue;
    m->lacks |= parameters[i].bit; /* one at a time: "temperature and top_p cannot both be ..." names two */
    return true;
  }
  return false;
}

adam_status am_anthropic_generate(void *context, adam_backend_model *m, const adam_request *request,
                                  const adam_sink *sink, adam_outcome *outcome, adam_error *error) {
  (void)context;
  hearing h = {0};
  const am_remote_stream stream = {on_event, am_remote_answer_idle, &h};
  am_anthropic_bits bits = {0};
  adam_error found = {0};
  adam_status status = ADAM_OK;
  bool again = true;
  am_remote_answer_begin(&h.answer, m->name, request, sink, outcome);
  outcome->seed = am_rng_system_seed() >> 33; /* of ids that are made here; the API has no seed */
  for (int attempt = 0; attempt < MOST_ATTEMPTS && again; attempt++) {
    am_buf body = {0};
    am_remote_refusal refusal = {0};
    status = am_anthropic_body(m, request, sink, outcome, &bits, &body, &found);
    const am_remote_ask ask = {"POST", "/v1/messages", &body, m->name, false};
    if (!status) status = am_remote_stream_call(&m->server, &ask, &stream, &refusal, &found);
    again = status && yield(m, &refusal, bits.sent);
    am_buf_close(&body);
  }
  if (!status) status = am_remote_answer_end(&h.answer, &found);
  if (h.answer.cancelled) {
    status = ADAM_OK;
    outcome->finish_reason = ADAM_FINISH_CANCELLED;
    if (!outcome->completion_tokens) outcome->completion_tokens = h.answer.n_pieces;
  }
  if (status) {
    outcome->finish_reason = ADAM_FINISH_ERROR;
    if (error) *error = found;
  }
  am_remote_answer_close(&h.answer);
  return status;
}
