/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/anthropic/anthropic.h"

#include "backend/remote/answer.h"
#include "backend/remote/fields.h"
#include <string.h>

enum {
  USUAL_TOKENS = 4096, /* max_tokens has to be given; every model allows as many */
  LEAST_BUDGET = 1024  /* tokens of a thinking part; the API takes no less */
};

static void left_out(const adam_sink *sink, const char *name) {
  am_remote_notice(sink, ADAM_NOTICE_DEGRADED, "parameter_ignored",
                   "Anthropic's API has no %s: it is left out", name);
}

/* What the API never has, told once. */
static void tell_fixed(const adam_request *r, const adam_sink *sink) {
  const adam_sampling *s = &r->sampling;
  if ((s->set & ADAM_SET_MIN_P) && s->min_p > 0) left_out(sink, "min_p");
  if ((s->set & ADAM_SET_REPETITION_PENALTY) && (s->repetition_penalty < 1 || s->repetition_penalty > 1))
    left_out(sink, "repetition_penalty");
  if ((s->set & ADAM_SET_PRESENCE_PENALTY) && (s->presence_penalty < 0 || s->presence_penalty > 0))
    left_out(sink, "presence_penalty");
  if ((s->set & ADAM_SET_FREQUENCY_PENALTY) && (s->frequency_penalty < 0 || s->frequency_penalty > 0))
    left_out(sink, "frequency_penalty");
  if (s->set & ADAM_SET_SEED) left_out(sink, "seed");
  if (r->ignore_eos) left_out(sink, "ignore_eos");
}

static adam_status check(const adam_request *r, adam_error *error) {
  const char *name = "anthropic";
  if (r->kwargs_json && strspn(r->kwargs_json, " \t\r\n{}") != strlen(r->kwargs_json))
    return am_fail(error, ADAM_UNSUPPORTED, name, NULL, "the backend cannot set variables of the template");
  for (size_t i = 0; i < r->n_stop; i++)
    if (!r->stop[i][strspn(r->stop[i], " \t\r\n\v\f")])
      return am_fail(error, ADAM_UNSUPPORTED, name, NULL,
                     "the API takes no stop string of white space alone");
  return ADAM_OK;
}

/* May this one be sent? */
static bool may_send(const adam_backend_model *m, am_anthropic_bits *bits, uint32_t bit, const char *name,
                     const adam_sink *sink) {
  if (m->lacks & bit) {
    if (!(bits->told & bit))
      am_remote_notice(sink, ADAM_NOTICE_DEGRADED, "parameter_ignored", "%s takes no %s: it is left out",
                       m->name, name);
    bits->told |= bit;
    return false;
  }
  bits->sent |= bit;
  return true;
}

/* thinking: then the API takes neither a temperature nor top_k. */
static void write_sampling(const adam_backend_model *m, const adam_request *r, bool thinking,
                           const adam_sink *sink, adam_outcome *o, am_anthropic_bits *bits, am_buf *out) {
  const adam_sampling *s = &r->sampling;
  adam_sampling *used = &o->sampling;
  bool first = !bits->told_fixed;
  if ((s->set & ADAM_SET_TEMPERATURE) && thinking && s->temperature != 1.0 && first)
    am_remote_notice(sink, ADAM_NOTICE_DEGRADED, "parameter_ignored",
                     "a model that thinks takes no temperature: it is left out");
  if ((s->set & ADAM_SET_TEMPERATURE) && !thinking &&
      may_send(m, bits, AM_ANTHROPIC_TEMPERATURE, "temperature", sink)) {
    used->temperature = s->temperature > 1 ? 1 : s->temperature;
    used->set |= ADAM_SET_TEMPERATURE;
    am_field_real(out, "temperature", used->temperature);
    if (s->temperature > 1 && first)
      am_remote_notice(sink, ADAM_NOTICE_DEGRADED, "temperature_clipped",
                       "the API takes temperatures up to 1, not %g", s->temperature);
  }
  if ((s->set & ADAM_SET_TOP_P) && !thinking && may_send(m, bits, AM_ANTHROPIC_TOP_P, "top_p", sink)) {
    used->top_p = s->top_p;
    used->set |= ADAM_SET_TOP_P;
    am_field_real(out, "top_p", s->top_p);
  }
  if ((s->set & ADAM_SET_TOP_K) && s->top_k > 0 && !thinking &&
      may_send(m, bits, AM_ANTHROPIC_TOP_K, "top_k", sink)) {
    used->top_k = s->top_k;
    used->set |= ADAM_SET_TOP_K;
    am_field_int(out, "top_k", s->top_k);
  }
}

static adam_status write_thinking(const adam_backend_model *m, int64_t max_tokens, am_anthropic_bits *bits,
                                  am_buf *out, adam_error *error) {
  am_field_key(out, "thinking");
  if (m->lacks & AM_ANTHROPIC_BUDGET) {
    am_buf_append_str(out, "{\"type\":\"adaptive\",\"display\":\"summarized\"}");
    return ADAM_OK;
  }
  int64_t budget = max_tokens / 2 > LEAST_BUDGET ? max_tokens / 2 : LEAST_BUDGET;
  if (max_tokens <= LEAST_BUDGET)
    return am_fail(error, ADAM_INVALID, "max_tokens", NULL,
                   "a model that thinks needs more than %d, not %lld", LEAST_BUDGET, (long long)max_tokens);
  bits->sent |= AM_ANTHROPIC_BUDGET;
  am_buf_append_str(out, "{\"type\":\"enabled\"");
  am_field_int(out, "budget_tokens", budget);
  am_buf_append_char(out, '}');
  return ADAM_OK;
}

static adam_status write_schema(const char *text, am_buf *out, adam_error *error) {
  am_arena arena = {0};
  am_json schema = {0};
  adam_status status = am_field_parse(text, "schema", AM_JSON_OBJECT, &arena, &schema, error);
  if (!status) {
    am_field_key(out, "output_config");
    am_buf_append_str(out, "{\"format\":{\"type\":\"json_schema\"");
    am_field_json(out, "schema", &schema);
    am_buf_append_str(out, "}}");
  }
  am_arena_close(&arena);
  return status;
}

static void write_stops(const adam_request *r, am_buf *out) {
  if (!r->n_stop) return;
  am_field_key(out, "stop_sequences");
  for (size_t i = 0; i < r->n_stop; i++) {
    am_buf_append_char(out, i ? ',' : '[');
    am_json_write_string(out, r->stop[i], strlen(r->stop[i]));
  }
  am_buf_append_char(out, ']');
}

adam_status am_anthropic_body(const adam_backend_model *m, const adam_request *r, const adam_sink *sink,
                              adam_outcome *o, am_anthropic_bits *bits, am_buf *body, adam_error *error) {
  bool may_think = true, thinking = false;
  adam_status status = check(r, error);
  if (status) return status;
  bits->sent = 0;
  /* 0 is no number of tokens there: one is asked for and not shown. */
  int64_t max_tokens = r->sampling.set & ADAM_SET_MAX_TOKENS ? r->sampling.max_tokens : USUAL_TOKENS;
  o->sampling = (adam_sampling){.set = ADAM_SET_MAX_TOKENS, .max_tokens = max_tokens};
  am_buf_append_char(body, '{');
  am_field_text(body, "model", m->name, strlen(m->name));
  am_field_int(body, "max_tokens", max_tokens ? max_tokens : 1);
  if (!(m->lacks & AM_ANTHROPIC_STREAM)) {
    bits->sent |= AM_ANTHROPIC_STREAM;
    am_buf_append_str(body, ",\"stream\":true");
  }
  status = am_anthropic_messages(r, body, &may_think, error);
  thinking = r->think == ADAM_THINK_ON && may_think;
  if (r->think == ADAM_THINK_ON && !may_think && !bits->told_fixed)
    am_remote_notice(sink, ADAM_NOTICE_DEGRADED, "no_thinking",
                     "no thinking part: a call of a tool goes on that came without one");
  if (!status && thinking) status = write_thinking(m, max_tokens, bits, body, error);
  if (!status && r->constraint == ADAM_CONSTRAINT_SCHEMA)
    status = write_schema(r->constraint_text, body, error);
  if (status) return status;
  write_sampling(m, r, thinking, sink, o, bits, body);
  write_stops(r, body);
  if (!bits->told_fixed) tell_fixed(r, sink);
  bits->told_fixed = true;
  am_buf_append_char(body, '}');
  return body->failed ? am_fail_memory(error, m->name) : ADAM_OK;
}
