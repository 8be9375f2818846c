/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/manager.h"

#include "base/buf.h"
#include "base/mem.h"
#include "manager/logprobs.h"
#include "manager/settle.h"
#include "os/clock.h"
#include <math.h>
#include <string.h>

/* Gathers what a backend sends. */
typedef struct collector {
  adam_on_chunk on_chunk; /* of the caller; NULL = none */
  void *user;
  am_buf text, thinking, ids; /* ids: int32_t each */
  am_logprob_list *logprobs;  /* NULL = not asked for */
  am_buf calls;               /* a JSON array without its end */
  am_notices notices;
  double first_ms, last_ms;
  bool cancelled; /* by the caller */
  bool failed;    /* memory is out */
} collector;

static bool collect_chunk(void *user, const adam_chunk *chunk) {
  collector *c = user;
  if (c->cancelled || c->failed) return true;
  if (chunk->tool_call_json) {
    am_buf_append_str(&c->calls, c->calls.len ? ", " : "[");
    if (!am_buf_append_str(&c->calls, chunk->tool_call_json)) c->failed = true;
  }
  if (chunk->text_bytes || chunk->n_ids) {
    c->last_ms = am_clock_ms();
    if (c->first_ms == 0) c->first_ms = c->last_ms;
    am_buf *text = chunk->thinking ? &c->thinking : &c->text;
    if (chunk->text_bytes && !am_buf_append(text, chunk->text, chunk->text_bytes)) c->failed = true;
    if (chunk->n_ids && !am_buf_append(&c->ids, chunk->ids, chunk->n_ids * sizeof *chunk->ids))
      c->failed = true;
    if (c->logprobs && !am_logprob_list_add(c->logprobs, chunk)) c->failed = true;
  }
  if (!c->failed && c->on_chunk) c->cancelled = c->on_chunk(c->user, chunk);
  return c->cancelled || c->failed;
}

static void collect_notice(void *user, const adam_notice *notice) {
  collector *c = user;
  if (!am_notices_add(&c->notices, notice)) c->failed = true;
}

static adam_status check_value(bool set, bool good, const char *name, double value, const char *range,
                               adam_error *error) {
  if (!set || good) return ADAM_OK;
  return am_fail(error, ADAM_INVALID, name, NULL, "%g is not %s", value, range);
}

static adam_status check_request(const adam_request *r, adam_error *error) {
  const adam_sampling *s = &r->sampling;
  if (!r->prompt == !r->messages_json)
    return am_fail(error, ADAM_INVALID, "adam_request", NULL,
                   "exactly one of prompt and messages_json is given");
  if (r->n_stop && !r->stop) return am_fail(error, ADAM_INVALID, "adam_request", NULL, "n_stop without stop");
  for (size_t i = 0; i < r->n_stop; i++)
    if (!r->stop[i] || !*r->stop[i])
      return am_fail(error, ADAM_INVALID, "stop", NULL, "a stop string is empty");
  const struct {
    uint32_t bit;
    bool good;
    const char *name;
    double value;
    const char *range;
  } checks[] = {
      {ADAM_SET_TEMPERATURE, s->temperature >= 0 && isfinite(s->temperature), "temperature", s->temperature,
       "0 or more"},
      {ADAM_SET_TOP_P, s->top_p > 0 && s->top_p <= 1, "top_p", s->top_p, "above 0 and at most 1"},
      {ADAM_SET_TOP_K, s->top_k >= 0, "top_k", s->top_k, "0 or more"},
      {ADAM_SET_MIN_P, s->min_p >= 0 && s->min_p < 1, "min_p", s->min_p, "from 0 to below 1"},
      {ADAM_SET_REPETITION_PENALTY, s->repetition_penalty > 0 && isfinite(s->repetition_penalty),
       "repetition_penalty", s->repetition_penalty, "above 0"},
      {ADAM_SET_PRESENCE_PENALTY, isfinite(s->presence_penalty), "presence_penalty", s->presence_penalty,
       "finite"},
      {ADAM_SET_FREQUENCY_PENALTY, isfinite(s->frequency_penalty), "frequency_penalty", s->frequency_penalty,
       "finite"},
      {ADAM_SET_MAX_TOKENS, s->max_tokens >= 0, "max_tokens", (double)s->max_tokens, "0 or more"},
  };
  for (size_t i = 0; i < sizeof checks / sizeof *checks; i++) {
    adam_status status = check_value(s->set & checks[i].bit, checks[i].good, checks[i].name, checks[i].value,
                                     checks[i].range, error);
    if (status) return status;
  }
  return ADAM_OK;
}

static adam_status check_features(const adam_manager *m, const adam_request *r, adam_error *error) {
  uint32_t features = m->ops->features;
  if (r->top_logprobs < 0 || r->top_logprobs > AM_MOST_TOP_LOGPROBS)
    return am_fail(error, ADAM_INVALID, "top_logprobs", NULL, "%d is not from 0 to %d", (int)r->top_logprobs,
                   AM_MOST_TOP_LOGPROBS);
  if (r->logprobs && !(features & ADAM_FEATURE_LOGPROBS))
    return am_manager_unsupported(m, "give log-probabilities", error);
  if (r->raw && (features & ADAM_FEATURE_NO_RAW)) return am_manager_unsupported(m, "take a raw prompt", error);
  if (r->on_logits && !(features & ADAM_FEATURE_ON_LOGITS))
    return am_manager_unsupported(m, "call a hook on the logits", error);
  if (r->constraint < ADAM_CONSTRAINT_NONE || r->constraint > ADAM_CONSTRAINT_CHOICE)
    return am_fail(error, ADAM_INVALID, "constraint", NULL, "%d is no kind of constraint",
                   (int)r->constraint);
  if (r->constraint == ADAM_CONSTRAINT_NONE) return ADAM_OK;
  bool schema_only = r->constraint == ADAM_CONSTRAINT_SCHEMA && (features & ADAM_FEATURE_SCHEMA);
  if (!(features & ADAM_FEATURE_CONSTRAINT) && !schema_only)
    return am_manager_unsupported(m, "hold an answer to a schema, grammar, regex or choice", error);
  bool has_text =
      r->constraint == ADAM_CONSTRAINT_CHOICE ? r->choices && r->n_choices : r->constraint_text != NULL;
  if (!has_text) return am_fail(error, ADAM_INVALID, "constraint", NULL, "its text is missing");
  return ADAM_OK;
}

/* "auto" is what happens anyway, and tools that may not be called can be left out. */
static adam_status settle_tool_choice(const adam_manager *m, adam_request *r, adam_error *error) {
  if (!r->tool_choice || !strcmp(r->tool_choice, "auto")) {
    r->tool_choice = NULL;
    return ADAM_OK;
  }
  if (!*r->tool_choice) return am_fail(error, ADAM_INVALID, "tool_choice", NULL, "it is empty");
  if (!r->tools_json && strcmp(r->tool_choice, "none") != 0)
    return am_fail(error, ADAM_INVALID, "tool_choice", NULL, "'%s' without tools", r->tool_choice);
  if (m->ops->features & ADAM_FEATURE_TOOL_CHOICE) return ADAM_OK;
  if (strcmp(r->tool_choice, "none") != 0) return am_manager_unsupported(m, "be told which tool to call", error);
  r->tools_json = r->tool_choice = NULL;
  return ADAM_OK;
}

/* What a simple backend did not measure or report itself. */
static void fill_gaps(const adam_manager *m, const adam_request *request, const collector *c, double begin_ms,
                      adam_outcome *o) {
  adam_timings *t = &o->timings;
  t->load_ms = m->info.load_ms;
  if (!o->completion_tokens) o->completion_tokens = c->ids.len / sizeof(int32_t);
  if (c->first_ms > 0 && t->first_token_ms <= 0) {
    t->first_token_ms = c->first_ms - begin_ms;
    t->decode_ms = c->last_ms - c->first_ms;
    if (o->completion_tokens > 1 && t->decode_ms > 0)
      t->decode_tokens_per_s = (double)(o->completion_tokens - 1) * 1000 / t->decode_ms;
  }
  if (o->sampling.set) return; /* all bits, or those that the backend knows of */
  o->sampling = request->sampling;
  if (request->sampling.set & ADAM_SET_SEED) o->seed = request->sampling.seed;
}

/* Moves what was gathered into the result. false: memory is out; what could be moved was. */
static bool fill_result(const adam_manager *m, collector *c, const adam_outcome *o, adam_result *r) {
  const char *device = m->info.device ? m->info.device : "";
  r->text_bytes = c->text.len;
  r->text = am_buf_take(&c->text);
  if (!r->text) r->text_bytes = 0;
  if (c->thinking.len) r->thinking = am_buf_take(&c->thinking);
  r->n_ids = c->ids.len / sizeof(int32_t);
  if (r->n_ids) r->ids = (int32_t *)(void *)am_buf_take(&c->ids);
  if (c->calls.len && am_buf_append_str(&c->calls, "]")) r->tool_calls_json = am_buf_take(&c->calls);
  r->finish_reason = o->finish_reason;
  r->prompt_tokens = o->prompt_tokens;
  r->completion_tokens = o->completion_tokens;
  r->seed = o->seed;
  r->sampling = o->sampling;
  r->timings = o->timings;
  r->notices = c->notices.items;
  r->n_notices = c->notices.n;
  c->notices = (am_notices){0};
  if (c->logprobs && r->n_ids > 0 && !(r->logprobs = am_logprob_list_take(c->logprobs))) return false;
  r->model = am_mem_dup(m->name, strlen(m->name));
  r->backend = am_mem_dup(m->ops->name, strlen(m->ops->name));
  r->device = am_mem_dup(device, strlen(device));
  return !c->calls.failed && r->text && r->model && r->backend && r->device;
}

adam_status adam_manager_generate(adam_manager *manager, const adam_request *request, adam_on_chunk on_chunk,
                                  void *user, adam_result *result, adam_error *error) {
  adam_request r;
  collector c = {.on_chunk = on_chunk, .user = user};
  adam_outcome outcome = {.struct_size = sizeof outcome};
  memset(result, 0, sizeof *result);
  result->finish_reason = ADAM_FINISH_ERROR;
  adam_status status = am_manager_copy(request, &r, sizeof r, "adam_request", error);
  if (!status) am_settle_request(manager->settings, &r);
  if (!status) status = check_request(&r, error);
  if (r.top_logprobs > 0) r.logprobs = true;
  if (!status) status = check_features(manager, &r, error);
  if (!status) status = settle_tool_choice(manager, &r, error);
  if (status) return status;
  am_logprob_list logprobs = {0};
  if (r.logprobs) c.logprobs = &logprobs;
  adam_sink sink = {.user = &c, .on_chunk = collect_chunk, .on_notice = collect_notice};
  double begin_ms = am_clock_ms();
  status = manager->ops->generate(manager->ops->context, manager->model, &r, &sink, &outcome, error);
  fill_gaps(manager, &r, &c, begin_ms, &outcome);
  if (c.cancelled && (!status || status == ADAM_CANCELLED)) {
    status = ADAM_OK;
    outcome.finish_reason = ADAM_FINISH_CANCELLED;
  }
  bool filled = fill_result(manager, &c, &outcome, result);
  if (c.failed || !filled) status = am_fail_memory(error, manager->name);
  if (status) result->finish_reason = ADAM_FINISH_ERROR;
  am_buf_close(&c.text);
  am_buf_close(&c.thinking);
  am_buf_close(&c.ids);
  am_logprob_list_close(&logprobs);
  am_buf_close(&c.calls);
  return status;
}

adam_status adam_manager_next_logprobs(adam_manager *manager, const adam_request *request, int32_t n,
                                       adam_result *result, adam_error *error) {
  adam_request r;
  memset(result, 0, sizeof *result);
  result->finish_reason = ADAM_FINISH_ERROR;
  adam_status status = am_manager_copy(request, &r, sizeof r, "adam_request", error);
  if (status) return status;
  if (n < 1) return am_fail(error, ADAM_INVALID, "top_logprobs", NULL, "%d is not 1 or more", (int)n);
  r.sampling.set |= ADAM_SET_MAX_TOKENS | ADAM_SET_TEMPERATURE;
  r.sampling.max_tokens = 1;
  r.sampling.temperature = 0;
  r.top_logprobs = n;
  return adam_manager_generate(manager, &r, NULL, NULL, result, error);
}

adam_status adam_manager_batch(adam_manager *manager, const adam_request *requests, size_t n,
                               adam_result *results, adam_error *errors) {
  adam_status first = ADAM_OK;
  /* The caller's adam_request may be older and smaller than ours. */
  size_t stride = n ? requests[0].struct_size : 0;
  for (size_t i = 0; i < n; i++) {
    const adam_request *request = (const void *)((const char *)requests + i * stride);
    adam_result unwanted;
    adam_status status = adam_manager_generate(manager, request, NULL, NULL,
                                               results ? &results[i] : &unwanted, errors ? &errors[i] : NULL);
    if (!results) adam_result_close(&unwanted);
    if (status && !first) first = status;
  }
  return first;
}
