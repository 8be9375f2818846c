/* SPDX-License-Identifier: Apache-2.0 */
#include "generate.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "interrupt.h"
#include "output.h"
#include "reply.h"
#include "report.h"

void am_generate_request(const am_arguments *arguments, adam_request *request) {
  const bool *is_set = arguments->is_set;
  const double *number = arguments->number;
  const int64_t *integer = arguments->integer;
  static const struct {
    am_option_id option;
    uint32_t bit;
  } bits[] = {
      {AM_OPTION_TEMPERATURE, ADAM_SET_TEMPERATURE},
      {AM_OPTION_TOP_P, ADAM_SET_TOP_P},
      {AM_OPTION_TOP_K, ADAM_SET_TOP_K},
      {AM_OPTION_MIN_P, ADAM_SET_MIN_P},
      {AM_OPTION_REPETITION_PENALTY, ADAM_SET_REPETITION_PENALTY},
      {AM_OPTION_PRESENCE_PENALTY, ADAM_SET_PRESENCE_PENALTY},
      {AM_OPTION_FREQUENCY_PENALTY, ADAM_SET_FREQUENCY_PENALTY},
      {AM_OPTION_SEED, ADAM_SET_SEED},
      {AM_OPTION_MAX_TOKENS, ADAM_SET_MAX_TOKENS},
  };
  *request = (adam_request){.struct_size = sizeof *request,
                            .system = arguments->text[AM_OPTION_SYSTEM],
                            .stop = arguments->stop,
                            .n_stop = arguments->n_stop,
                            .tool_choice = arguments->text[AM_OPTION_TOOL_CHOICE],
                            .raw = is_set[AM_OPTION_RAW],
                            .ignore_eos = is_set[AM_OPTION_IGNORE_EOS],
                            .logprobs = is_set[AM_OPTION_LOGPROBS] || is_set[AM_OPTION_TOP_LOGPROBS],
                            .top_logprobs = (int32_t)integer[AM_OPTION_TOP_LOGPROBS],
                            .think = is_set[AM_OPTION_THINK]      ? ADAM_THINK_ON
                                     : is_set[AM_OPTION_NO_THINK] ? ADAM_THINK_OFF
                                                                  : ADAM_THINK_DEFAULT};
  if (is_set[AM_OPTION_REGEX]) {
    request->constraint = ADAM_CONSTRAINT_REGEX;
    request->constraint_text = arguments->text[AM_OPTION_REGEX];
  } else if (is_set[AM_OPTION_CHOICE]) {
    request->constraint = ADAM_CONSTRAINT_CHOICE;
    request->choices = arguments->choice;
    request->n_choices = arguments->n_choice;
  }
  request->sampling = (adam_sampling){.temperature = number[AM_OPTION_TEMPERATURE],
                                      .top_p = number[AM_OPTION_TOP_P],
                                      .top_k = (int32_t)integer[AM_OPTION_TOP_K],
                                      .min_p = number[AM_OPTION_MIN_P],
                                      .repetition_penalty = number[AM_OPTION_REPETITION_PENALTY],
                                      .presence_penalty = number[AM_OPTION_PRESENCE_PENALTY],
                                      .frequency_penalty = number[AM_OPTION_FREQUENCY_PENALTY],
                                      .seed = (uint64_t)integer[AM_OPTION_SEED],
                                      .max_tokens = integer[AM_OPTION_MAX_TOKENS]};
  for (size_t i = 0; i < sizeof bits / sizeof *bits; i++)
    if (is_set[bits[i].option]) request->sampling.set |= bits[i].bit;
}

typedef struct stream_state {
  am_show show;
  bool thinking; /* the last piece belonged to the thinking part */
} stream_state;

static bool on_chunk(void *user, const adam_chunk *chunk) {
  stream_state *state = user;
  if (state->show != AM_SHOW_NOTHING && chunk->text_bytes > 0 &&
      !(chunk->thinking && state->show != AM_SHOW_ALL)) {
    if (chunk->thinking)
      am_output_thinking(chunk->text, chunk->text_bytes, !state->thinking, false);
    else if (state->thinking)
      am_output_thinking("", 0, false, true);
    state->thinking = chunk->thinking;
    if (!chunk->thinking && !am_output_model_text(chunk->text, chunk->text_bytes)) return true;
  }
  return am_interrupt_pending() || am_output_failed();
}

adam_status am_generate_stream(adam_manager *manager, const adam_request *request, am_show show,
                               adam_result *result, bool *cancelled, adam_error *error) {
  stream_state state = {.show = show};
  am_interrupt_begin();
  adam_status status = adam_manager_generate(manager, request, on_chunk, &state, result, error);
  *cancelled =
      am_interrupt_end() && (status == ADAM_CANCELLED || result->finish_reason == ADAM_FINISH_CANCELLED);
  if (*cancelled) {
    result->finish_reason = ADAM_FINISH_CANCELLED; /* whatever a backend calls it that was stopped */
    status = ADAM_OK;
  }
  if (state.thinking) am_output_thinking("", 0, false, true);
  return status;
}

static json_t *timings_json(const adam_timings *t) {
  return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "load_ms", am_reply_number(t->load_ms), "prompt_ms",
                   am_reply_number(t->prompt_ms), "first_token_ms", am_reply_number(t->first_token_ms),
                   "decode_ms", am_reply_number(t->decode_ms), "prompt_tokens_per_s",
                   am_reply_number(t->prompt_tokens_per_s), "decode_tokens_per_s",
                   am_reply_number(t->decode_tokens_per_s));
}

bool am_generate_is_opening_notice(const adam_manager *manager, const adam_notice *notice) {
  const adam_notice *opening = NULL;
  for (size_t i = 0; (opening = adam_manager_notice_at(manager, i)); i++)
    if (strcmp(opening->code, notice->code) == 0 && strcmp(opening->text, notice->text) == 0) return true;
  return false;
}

/* Those of opening, then those of the answer that were not among them. */
static json_t *notices_json(const adam_manager *manager, const adam_result *result) {
  json_t *list = json_array();
  const adam_notice *opening = NULL;
  for (size_t i = 0; (opening = adam_manager_notice_at(manager, i)); i++)
    json_array_append_new(list, am_reply_notice(opening));
  for (size_t i = 0; i < result->n_notices; i++)
    if (!am_generate_is_opening_notice(manager, &result->notices[i]))
      json_array_append_new(list, am_reply_notice(&result->notices[i]));
  return list;
}

static json_t *logprob_json(const adam_logprob *entry) {
  json_t *bytes = json_array();
  for (size_t i = 0; i < entry->n_bytes; i++)
    json_array_append_new(bytes, json_integer((unsigned char)entry->bytes[i]));
  return json_pack("{s:o, s:i, s:o, s:o}", "token", am_reply_text(entry->bytes, entry->n_bytes), "id",
                   (int)entry->id, "logprob", am_reply_number(entry->logprob), "bytes", bytes);
}

/* The shape of OpenAI's chat completions, with the ids beside. */
static json_t *logprobs_json(const adam_result *result) {
  json_t *content = json_array();
  for (size_t i = 0; i < result->n_ids; i++) {
    const adam_token_logprobs *at = &result->logprobs[i];
    json_t *entry = logprob_json(&at->token), *top = json_array();
    for (size_t k = 0; k < at->n_top; k++) json_array_append_new(top, logprob_json(&at->top[k]));
    json_object_set_new(entry, "top_logprobs", top);
    json_array_append_new(content, entry);
  }
  return json_pack("{s:o}", "content", content);
}

json_t *am_generate_json(const adam_manager *manager, const adam_result *result, const adam_error *error) {
  json_t *object = json_object(), *tool_calls = NULL;
  if (result->tool_calls_json) tool_calls = json_loads(result->tool_calls_json, JSON_ALLOW_NUL, NULL);
  json_object_set_new(object, "text", am_reply_text(result->text ? result->text : "", result->text_bytes));
  json_object_set_new(object, "ids", am_reply_ids(result->ids, result->n_ids));
  json_object_set_new(object, "thinking", am_reply_string(result->thinking));
  json_object_set_new(object, "tool_calls", tool_calls ? tool_calls : json_array());
  json_object_set_new(object, "finish_reason",
                      json_string(error ? "error" : adam_finish_reason_name(result->finish_reason)));
  if (result->logprobs) json_object_set_new(object, "logprobs", logprobs_json(result));
  json_object_set_new(object, "prompt_tokens", json_integer((json_int_t)result->prompt_tokens));
  json_object_set_new(object, "completion_tokens", json_integer((json_int_t)result->completion_tokens));
  json_object_set_new(object, "model", am_reply_string(result->model));
  json_object_set_new(object, "backend", am_reply_string(result->backend));
  json_object_set_new(object, "device", am_reply_string(result->device));
  json_object_set_new(
      object, "seed",
      result->seed <= INT64_MAX ? json_integer((json_int_t)result->seed) : json_real((double)result->seed));
  json_object_set_new(object, "sampling", am_reply_sampling(&result->sampling));
  json_object_set_new(object, "timings", timings_json(&result->timings));
  json_object_set_new(object, "notices", notices_json(manager, result));
  if (error) {
    char text[1200];
    adam_error_format(error, text, sizeof text);
    json_object_set_new(object, "error", am_reply_string(text));
  }
  return object;
}

void am_generate_print_calls(const adam_result *result) {
  json_t *calls = result->tool_calls_json ? json_loads(result->tool_calls_json, JSON_ALLOW_NUL, NULL) : NULL;
  size_t i;
  json_t *call;
  json_array_foreach(calls, i, call) {
    char *text = json_dumps(call, JSON_COMPACT);
    if (text) am_output_format("%s\n", text);
    free(text);
  }
  json_decref(calls);
}

void am_generate_stats(const adam_result *result) {
  const adam_timings *t = &result->timings;
  am_report_line("load:         %.0f ms", t->load_ms);
  am_report_line("prompt:       %zu tokens, %.1f ms, %.1f tokens/s", result->prompt_tokens, t->prompt_ms,
                 t->prompt_tokens_per_s);
  am_report_line("first token:  %.1f ms", t->first_token_ms);
  am_report_line("answer:       %zu tokens, %.1f ms, %.1f tokens/s", result->completion_tokens, t->decode_ms,
                 t->decode_tokens_per_s);
  am_report_line("finished:     %s; seed %" PRIu64 "; %s on %s",
                 adam_finish_reason_name(result->finish_reason), result->seed,
                 result->model ? result->model : "?", result->device ? result->device : "?");
}
