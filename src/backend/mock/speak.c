/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/mock/mock.h"

#include "base/mem.h"
#include "base/rng.h"
#include "base/utf8.h"
#include "os/clock.h"
#include "template/tool_calls.h"
#include <string.h>

static const double POLL_MS = 20; /* how often a waiting mock asks whether to go on */

/* One generation under way. `text` holds what was said and not yet sent; its beginning up to
 * `hold` could be part of a stop string. */
typedef struct speaker {
  const am_mock_answer *answer;
  const adam_request *request;
  const adam_sink *sink;
  adam_outcome *outcome;
  am_buf text;
  am_buf ids;       /* int32_t each */
  size_t n_pending; /* tokens since the last piece */
  uint64_t n_bytes; /* of text said so far, for chunk_bytes */
  int64_t most;     /* tokens: max_tokens and what the context leaves */
  bool thinking;
  bool cancelled;
  bool stopped; /* a stop string was found */
  double begin_ms, first_ms, last_ms;
} speaker;

static void send(speaker *s, size_t n_text) {
  if (!s->sink->on_chunk || s->cancelled) return;
  adam_chunk chunk = {.text = s->text.data ? s->text.data : "",
                      .text_bytes = n_text,
                      .ids = (const int32_t *)(const void *)s->ids.data,
                      .n_ids = s->ids.len / sizeof(int32_t),
                      .thinking = s->thinking};
  s->cancelled = s->sink->on_chunk(s->sink->user, &chunk);
}

/* Bytes at the end of the text that are the beginning of a stop string. */
static size_t held_bytes(const speaker *s) {
  size_t held = 0;
  if (s->thinking) return 0;
  for (size_t i = 0; i < s->request->n_stop; i++) {
    size_t n = strlen(s->request->stop[i]);
    for (size_t k = n - 1 < s->text.len ? n - 1 : s->text.len; k > held; k--)
      if (!memcmp(s->text.data + s->text.len - k, s->request->stop[i], k)) held = k;
  }
  return held;
}

/* Sends what is safe; `last`: everything. */
static void flush(speaker *s, bool last) {
  size_t keep = last ? 0 : held_bytes(s);
  size_t n = s->text.len - keep;
  if (n || s->ids.len) send(s, n);
  if (s->text.len) {
    memmove(s->text.data, s->text.data + n, keep + 1);
    s->text.len = keep;
  }
  am_buf_clear(&s->ids);
  s->n_pending = 0;
}

/* Cuts the text at the earliest stop string that its last character completed. */
static void find_stop(speaker *s) {
  size_t longest = 0;
  for (size_t i = 0; i < s->request->n_stop && !s->thinking; i++) {
    size_t n = strlen(s->request->stop[i]);
    if (n > longest && n <= s->text.len && !memcmp(s->text.data + s->text.len - n, s->request->stop[i], n))
      longest = n;
  }
  if (!longest) return;
  s->text.len -= longest;
  s->text.data[s->text.len] = 0;
  s->stopped = true;
}

/* Waits, asking the receiver now and then whether to go on. */
static void pause_ms(speaker *s, double ms) {
  double end = am_clock_ms() + ms;
  for (double left = ms; left > 0 && !s->cancelled; left = end - am_clock_ms()) {
    am_clock_sleep_ms(left < POLL_MS ? left : POLL_MS);
    adam_chunk empty = {.text = "", .thinking = s->thinking};
    if (left > POLL_MS && s->sink->on_chunk) s->cancelled = s->sink->on_chunk(s->sink->user, &empty);
  }
}

static bool is_over(const speaker *s) {
  return s->cancelled || s->stopped || (int64_t)s->outcome->completion_tokens >= s->most;
}

/* Says one token: waits, fails where the script says so, counts. */
static adam_status begin_token(speaker *s, int32_t id, adam_error *error) {
  const am_mock_answer *a = s->answer;
  size_t number = s->outcome->completion_tokens + 1;
  pause_ms(s, a->delay_ms + (number == 1 ? a->first_delay_ms : 0));
  if (s->cancelled) return ADAM_OK;
  if (a->fail_at && (int64_t)number >= a->fail_at) {
    flush(s, true);
    return am_fail(error, a->error ? a->error : ADAM_FAILED, "mock", NULL, "%s",
                   a->error_text ? a->error_text : "the script fails at this token");
  }
  if (!am_buf_append(&s->ids, &id, sizeof id)) return am_fail_memory(error, "mock");
  s->last_ms = am_clock_ms();
  if (number == 1) s->first_ms = s->last_ms;
  s->outcome->completion_tokens = number;
  s->n_pending++;
  return ADAM_OK;
}

static adam_status say_codepoint(speaker *s, uint32_t codepoint, adam_error *error) {
  char bytes[4];
  size_t n = (size_t)am_utf8_encode(codepoint, bytes);
  uint64_t chunk = (uint64_t)s->answer->chunk_bytes;
  if (chunk && s->n_bytes % chunk && s->n_bytes % chunk + n > chunk) flush(s, false);
  adam_status status = begin_token(s, (int32_t)codepoint, error);
  if (status || s->cancelled) return status;
  if (!am_buf_append(&s->text, bytes, n)) return am_fail_memory(error, "mock");
  s->n_bytes += n;
  find_stop(s);
  bool full = chunk ? s->n_bytes % chunk == 0 : (int64_t)s->n_pending >= s->answer->tokens_per_chunk;
  if (full && !s->stopped) flush(s, false);
  return ADAM_OK;
}

static adam_status say_text(speaker *s, const char *text, size_t n_bytes, adam_error *error) {
  for (size_t at = 0; at < n_bytes && !is_over(s);) {
    uint32_t codepoint;
    int n = am_utf8_decode(text + at, n_bytes - at, &codepoint);
    at += (size_t)(n < 0 ? -n : n);
    adam_status status = say_codepoint(s, codepoint, error);
    if (status) return status;
  }
  return ADAM_OK;
}

static adam_status say_random(speaker *s, adam_error *error) {
  uint64_t seed = s->outcome->sampling.temperature == 0 ? 0 : s->outcome->seed;
  for (int64_t i = 0; i < s->answer->n_random && !is_over(s); i++) {
    uint32_t letter = (uint32_t)(am_rng_unit(seed, (uint64_t)i) * 26);
    adam_status status = say_codepoint(s, 'a' + letter, error);
    if (status) return status;
  }
  return ADAM_OK;
}

static adam_status say_answer(speaker *s, const am_buf *echo, adam_error *error) {
  const am_mock_answer *a = s->answer;
  adam_status status = ADAM_OK;
  if (a->think && s->request->think != ADAM_THINK_OFF) {
    s->thinking = true;
    status = say_text(s, a->think, strlen(a->think), error);
    flush(s, true);
    s->thinking = false;
    s->n_bytes = 0;
  }
  size_t before;
  do {
    before = s->outcome->completion_tokens;
    if (status) return status;
    if (a->say)
      status = say_text(s, a->say, strlen(a->say), error);
    else if (a->n_random)
      status = say_random(s, error);
    else
      status = say_text(s, echo->data ? echo->data : "", echo->len, error);
  } while (s->request->ignore_eos && !status && !is_over(s) && s->outcome->completion_tokens > before);
  return status;
}

/* The scripted calls, made from what a model would write. */
static adam_status send_calls(speaker *s, adam_error *error) {
  am_tool_calls *calls = NULL;
  am_buf text = {0}, rest = {0};
  am_buf_printf(&text, "<tool_call>%s</tool_call>", s->answer->tool_call);
  adam_status status = am_tool_calls_open(s->request->tools_json, s->outcome->seed, &calls, error);
  if (!status) status = am_tool_calls_push(calls, text.data ? text.data : "", text.len, &rest, error);
  if (!status && rest.len > 0)
    status = am_fail(error, ADAM_INVALID, "mock script", NULL,
                     "tool_call=%s: expected {\"name\", \"arguments\"}", s->answer->tool_call);
  for (const char *call; !status && (call = am_tool_calls_take(calls));) {
    adam_chunk chunk = {.text = "", .tool_call_json = call};
    if (s->sink->on_chunk && !s->cancelled) s->cancelled = s->sink->on_chunk(s->sink->user, &chunk);
    s->outcome->finish_reason = ADAM_FINISH_TOOL_CALLS;
  }
  if (text.failed && !status) status = am_fail_memory(error, "mock");
  am_tool_calls_close(&calls);
  am_buf_close(&text);
  am_buf_close(&rest);
  return status;
}

/* Every field from the request or built-in; the mock has no defaults of its own. */
static void fill_sampling(const adam_sampling *from, adam_sampling *to) {
  adam_sampling s = {.temperature = 0.7, .top_p = 0.9, .repetition_penalty = 1, .max_tokens = 1000};
  if (from->set & ADAM_SET_TEMPERATURE) s.temperature = from->temperature;
  if (from->set & ADAM_SET_TOP_P) s.top_p = from->top_p;
  if (from->set & ADAM_SET_TOP_K) s.top_k = from->top_k;
  if (from->set & ADAM_SET_MIN_P) s.min_p = from->min_p;
  if (from->set & ADAM_SET_REPETITION_PENALTY) s.repetition_penalty = from->repetition_penalty;
  if (from->set & ADAM_SET_PRESENCE_PENALTY) s.presence_penalty = from->presence_penalty;
  if (from->set & ADAM_SET_FREQUENCY_PENALTY) s.frequency_penalty = from->frequency_penalty;
  if (from->set & ADAM_SET_MAX_TOKENS) s.max_tokens = from->max_tokens;
  s.seed = from->set & ADAM_SET_SEED ? from->seed : am_rng_system_seed() >> 11; /* types.h: below 2^53 */
  s.set = (ADAM_SET_MAX_TOKENS << 1) - 1;
  *to = s;
}

static void fill_timings(const speaker *s, adam_timings *t) {
  if (!s->outcome->completion_tokens) return;
  t->prompt_ms = t->first_token_ms = s->first_ms - s->begin_ms;
  t->decode_ms = s->last_ms - s->first_ms;
  if (t->prompt_ms > 0) t->prompt_tokens_per_s = (double)s->outcome->prompt_tokens * 1000 / t->prompt_ms;
  if (t->decode_ms > 0)
    t->decode_tokens_per_s = (double)(s->outcome->completion_tokens - 1) * 1000 / t->decode_ms;
}

static adam_status check(const am_mock_answer *answer, const adam_request *request,
                         const adam_backend_model *model, size_t prompt_tokens, adam_error *error) {
  if (!answer)
    return am_fail(error, ADAM_FAILED, "mock", "give the script an answer without \"match\"",
                   "no answer of the script matches the prompt");
  for (size_t i = 0; i < request->n_stop; i++)
    if (!*request->stop[i] || !am_utf8_valid(request->stop[i], strlen(request->stop[i])))
      return am_fail(error, ADAM_INVALID, "stop", NULL, "a stop string is empty or not UTF-8");
  if ((int64_t)prompt_tokens >= model->n_ctx)
    return am_fail(error, ADAM_LIMIT, model->name, "open it with a larger context",
                   "the prompt has %zu tokens, the context %lld", prompt_tokens, (long long)model->n_ctx);
  return ADAM_OK;
}

static void finish(speaker *s) {
  adam_outcome *o = s->outcome;
  bool full = (int64_t)o->completion_tokens >= s->most;
  if (s->cancelled)
    o->finish_reason = ADAM_FINISH_CANCELLED;
  else if (s->stopped)
    o->finish_reason = ADAM_FINISH_STOP;
  else
    o->finish_reason = full || s->request->ignore_eos ? ADAM_FINISH_LENGTH : s->answer->finish;
}

adam_status am_mock_speak(adam_backend_model *model, const adam_request *request, const adam_sink *sink,
                          adam_outcome *outcome, adam_error *error) {
  am_mock_prompt prompt = {0};
  speaker s = {.request = request, .sink = sink, .outcome = outcome, .begin_ms = am_clock_ms()};
  adam_status status = am_mock_prompt_open(request, &prompt, error);
  if (status) return status;
  const char *user_text = prompt.last_user.data ? prompt.last_user.data : "";
  s.answer = am_mock_script_choose(&model->script, user_text, prompt.last_user.len, &model->turn);
  outcome->prompt_tokens = am_utf8_count(prompt.whole.data ? prompt.whole.data : "", prompt.whole.len);
  status = check(s.answer, request, model, outcome->prompt_tokens, error);
  if (status) goto done;
  fill_sampling(&request->sampling, &outcome->sampling);
  outcome->seed = outcome->sampling.seed;
  s.most = model->n_ctx - (int64_t)outcome->prompt_tokens;
  if (s.most > outcome->sampling.max_tokens) s.most = outcome->sampling.max_tokens;
  if (s.answer->notice && sink->on_notice)
    sink->on_notice(sink->user, &(adam_notice){"mock_notice", ADAM_NOTICE_DEGRADED, s.answer->notice});
  status = say_answer(&s, &prompt.last_user, error);
  if (!status) {
    bool has_end = !is_over(&s) && !request->ignore_eos && s.answer->finish == ADAM_FINISH_STOP;
    finish(&s);
    if (has_end) status = begin_token(&s, AM_MOCK_END_ID, error);
    if (has_end && s.cancelled) outcome->finish_reason = ADAM_FINISH_CANCELLED;
  }
  if (!status) flush(&s, true);
  if (!status && s.answer->tool_call && request->tools_json && outcome->finish_reason == ADAM_FINISH_STOP)
    status = send_calls(&s, error);
  fill_timings(&s, &outcome->timings);
done:
  if (status) outcome->finish_reason = ADAM_FINISH_ERROR;
  am_buf_close(&s.text);
  am_buf_close(&s.ids);
  am_mock_prompt_close(&prompt);
  return status;
}
