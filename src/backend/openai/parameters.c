/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/openai/openai.h"

#include "backend/remote/answer.h"
#include "backend/remote/fields.h"
#include "base/rng.h"
#include <string.h>

enum { MOST_TOP_LOGPROBS = 20 };
static const int64_t STRUCTURED_SINCE = 11000; /* v0.11, as am_openai_version counts */

/* What is written down while the parameters are. */
typedef struct writer {
  const adam_backend_model *model;
  const adam_sink *sink;
  am_buf *body;
  am_openai_bits *bits;
} writer;

/* May this one be sent? off: the value changes nothing, so that leaving it out is not worth a word. */
static bool may_send(writer *w, uint32_t bit, const char *name, bool off) {
  if (w->model->lacks & bit) {
    if (!off && !(w->bits->told & bit))
      am_remote_notice(w->sink, ADAM_NOTICE_DEGRADED, "parameter_ignored", "%s has no %s: it is left out",
                       w->model->dialect->name, name);
    w->bits->told |= bit;
    return false;
  }
  if ((bit & AM_OPENAI_BEYOND) && !w->model->dialect->is_known && !off && !(w->bits->hinted & bit)) {
    w->bits->hinted |= bit;
    am_remote_notice(w->sink, ADAM_NOTICE_INFO, "parameter_beyond",
                     "%s is no parameter of OpenAI's API: this server may or may not heed it", name);
  }
  w->bits->sent |= bit;
  return true;
}

static void write_sampling(writer *w, const adam_sampling *s) {
  am_buf *b = w->body;
  const struct {
    uint32_t set, bit;
    const char *name;
    double value, off;
  } reals[] = {
      {ADAM_SET_TEMPERATURE, AM_OPENAI_TEMPERATURE, "temperature", s->temperature, -1},
      {ADAM_SET_TOP_P, AM_OPENAI_TOP_P, "top_p", s->top_p, 1},
      {ADAM_SET_MIN_P, AM_OPENAI_MIN_P, "min_p", s->min_p, 0},
      {ADAM_SET_REPETITION_PENALTY, AM_OPENAI_REPETITION, w->model->dialect->repetition,
       s->repetition_penalty, 1},
      {ADAM_SET_PRESENCE_PENALTY, AM_OPENAI_PRESENCE, "presence_penalty", s->presence_penalty, 0},
      {ADAM_SET_FREQUENCY_PENALTY, AM_OPENAI_FREQUENCY, "frequency_penalty", s->frequency_penalty, 0},
  };
  for (size_t i = 0; i < sizeof reals / sizeof *reals; i++) {
    double value = reals[i].value;
    bool off = !(value < reals[i].off) && !(value > reals[i].off);
    if ((s->set & reals[i].set) && may_send(w, reals[i].bit, reals[i].name, off))
      am_field_real(b, reals[i].name, value);
  }
  if ((s->set & ADAM_SET_REPETITION_PENALTY) && (w->bits->sent & AM_OPENAI_REPETITION) &&
      !strcmp(w->model->dialect->owner ? w->model->dialect->owner : "", "llamacpp"))
    am_field_int(b, "repeat_last_n", -1); /* over all of the context, as adam's is */
  if ((s->set & ADAM_SET_TOP_K) && may_send(w, AM_OPENAI_TOP_K, "top_k", s->top_k == 0)) {
    bool minus = w->model->dialect->forms == AM_OPENAI_FORMS_VLLM ||
                 w->model->dialect->forms == AM_OPENAI_FORMS_SGLANG;
    am_field_int(b, "top_k", s->top_k == 0 && minus ? -1 : s->top_k);
  }
}

/* The seed is always sent, so that it can be told; where it cannot be, its bit is not among those used. */
static void write_seed(writer *w, const adam_request *r, adam_outcome *o) {
  bool given = (r->sampling.set & ADAM_SET_SEED) != 0;
  o->seed =
      given ? r->sampling.seed : am_rng_system_seed() >> 33; /* below 2^31: what every server takes whole */
  o->sampling.seed = o->seed;
  if (!may_send(w, AM_OPENAI_SEED, "seed", !given)) return;
  o->sampling.set |= ADAM_SET_SEED;
  am_field_int(w->body, "seed", (int64_t)o->seed);
}

static void write_stops(const adam_request *r, am_buf *out) {
  if (!r->n_stop) return;
  am_field_key(out, "stop");
  for (size_t i = 0; i < r->n_stop; i++) {
    am_buf_append_char(out, i ? ',' : '[');
    am_json_write_string(out, r->stop[i], strlen(r->stop[i]));
  }
  am_buf_append_char(out, ']');
}

/* Thinking on and off, and what the caller gives the template. */
static adam_status write_template(writer *w, const adam_request *r, adam_error *error) {
  am_arena arena = {0};
  am_json kwargs = {0};
  adam_status status = ADAM_OK;
  bool has_kwargs = r->kwargs_json && strspn(r->kwargs_json, " \t\r\n{}") != strlen(r->kwargs_json);
  if (r->raw || (r->think == ADAM_THINK_DEFAULT && !has_kwargs)) return ADAM_OK;
  if (has_kwargs && (w->model->lacks & AM_OPENAI_TEMPLATE_KWARGS))
    return am_fail(error, ADAM_UNSUPPORTED, "openai", NULL, "%s cannot be given variables of the template",
                   w->model->dialect->name);
  if (!may_send(w, AM_OPENAI_TEMPLATE_KWARGS, has_kwargs ? "chat_template_kwargs" : "switch for thinking",
                false))
    return ADAM_OK;
  if (has_kwargs) status = am_field_parse(r->kwargs_json, "kwargs", AM_JSON_OBJECT, &arena, &kwargs, error);
  am_field_key(w->body, "chat_template_kwargs");
  am_buf_append_char(w->body, '{');
  if (r->think != ADAM_THINK_DEFAULT && !am_json_get(&kwargs, "enable_thinking")) {
    am_field_key(w->body, "enable_thinking");
    am_buf_append_str(w->body, r->think == ADAM_THINK_ON ? "true" : "false");
  }
  for (size_t i = 0; i < kwargs.n && !status; i++)
    am_field_json(w->body, kwargs.as.members[i].key, &kwargs.as.members[i].value);
  am_buf_append_char(w->body, '}');
  am_arena_close(&arena);
  return status;
}

static adam_status write_schema(const adam_backend_model *m, const char *text, am_buf *out,
                                adam_error *error) {
  am_arena arena = {0};
  am_json schema = {0};
  adam_status status = am_field_parse(text, "schema", AM_JSON_OBJECT, &arena, &schema, error);
  am_field_key(out, "response_format");
  if (!status && m->dialect->schema_in_object) {
    am_buf_append_str(out, "{\"type\":\"json_object\"");
    am_field_json(out, "schema", &schema);
    am_buf_append_char(out, '}');
  } else if (!status) {
    am_buf_append_str(out, "{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"answer\",\"strict\":true");
    am_field_json(out, "schema", &schema);
    am_buf_append_str(out, "}}");
  }
  am_arena_close(&arena);
  return status;
}

static void write_list(const adam_request *r, am_buf *out) {
  for (size_t i = 0; i < r->n_choices; i++) {
    am_buf_append_char(out, i ? ',' : '[');
    am_json_write_string(out, r->choices[i], strlen(r->choices[i]));
  }
  am_buf_append_char(out, ']');
}

/* The choices as a regular expression, or as a grammar in GBNF. */
static void write_alternatives(const adam_request *r, bool is_regex, am_buf *out) {
  am_buf text = {0};
  am_buf_append_str(&text, is_regex ? "(" : "root ::= ");
  for (size_t i = 0; i < r->n_choices; i++) {
    if (i) am_buf_append_str(&text, is_regex ? "|" : " | ");
    if (!is_regex) am_buf_append_char(&text, '"');
    for (const char *c = r->choices[i]; *c; c++) {
      if (!is_regex && *c == '\n') {
        am_buf_append_str(&text, "\\n");
        continue;
      }
      if (strchr(is_regex ? "\\.[]{}()*+?|^$" : "\\\"", *c)) am_buf_append_char(&text, '\\');
      am_buf_append_char(&text, *c);
    }
    if (!is_regex) am_buf_append_char(&text, '"');
  }
  if (is_regex) am_buf_append_char(&text, ')');
  am_json_write_string(out, text.data ? text.data : "", text.len);
  if (text.failed) out->failed = true;
  am_buf_close(&text);
}

static void write_vllm_form(adam_backend_model *m, const adam_request *r, am_buf *out) {
  int64_t version = am_openai_version(m);
  bool guided = version && version < STRUCTURED_SINCE;
  const char *kind = r->constraint == ADAM_CONSTRAINT_REGEX     ? "guided_regex"
                     : r->constraint == ADAM_CONSTRAINT_GRAMMAR ? "guided_grammar"
                                                                : "guided_choice";
  if (!guided) {
    am_field_key(out, "structured_outputs");
    am_buf_append_char(out, '{');
  }
  am_field_key(out, guided ? kind : kind + sizeof "guided_" - 1);
  if (r->constraint == ADAM_CONSTRAINT_CHOICE)
    write_list(r, out);
  else
    am_json_write_string(out, r->constraint_text, strlen(r->constraint_text));
  if (!guided) am_buf_append_char(out, '}');
}

static adam_status write_form(adam_backend_model *m, const adam_request *r, am_buf *out, adam_error *error) {
  am_openai_forms forms = m->dialect->forms;
  bool is_choice = r->constraint == ADAM_CONSTRAINT_CHOICE, is_regex = r->constraint == ADAM_CONSTRAINT_REGEX;
  if (r->constraint == ADAM_CONSTRAINT_NONE) return ADAM_OK;
  if (r->constraint == ADAM_CONSTRAINT_SCHEMA) return write_schema(m, r->constraint_text, out, error);
  if (forms == AM_OPENAI_FORMS_NONE || (forms == AM_OPENAI_FORMS_LLAMA && is_regex))
    return am_fail(error, ADAM_UNSUPPORTED, "openai", "vLLM, SGLang and, but for regex, llama-server can",
                   "%s cannot hold an answer to a %s", m->dialect->name,
                   is_choice  ? "choice"
                   : is_regex ? "regex"
                              : "grammar");
  if (forms == AM_OPENAI_FORMS_VLLM) {
    write_vllm_form(m, r, out);
    return ADAM_OK;
  }
  bool by_regex = forms == AM_OPENAI_FORMS_SGLANG && (is_choice || is_regex);
  am_field_key(out, by_regex ? "regex" : forms == AM_OPENAI_FORMS_SGLANG ? "ebnf" : "grammar");
  if (is_choice)
    write_alternatives(r, by_regex, out);
  else
    am_json_write_string(out, r->constraint_text, strlen(r->constraint_text));
  return ADAM_OK;
}

static adam_status write_logprobs(const adam_request *r, am_buf *out, adam_error *error) {
  if (r->top_logprobs > MOST_TOP_LOGPROBS)
    return am_fail(error, ADAM_UNSUPPORTED, "openai", NULL,
                   "the API tells at most %d top log-probabilities, not %d", MOST_TOP_LOGPROBS,
                   (int)r->top_logprobs);
  if (!r->logprobs) return ADAM_OK;
  if (r->raw) { /* completions: a number instead of two members */
    am_field_int(out, "logprobs", r->top_logprobs);
    return ADAM_OK;
  }
  am_field_key(out, "logprobs");
  am_buf_append_str(out, "true");
  if (r->top_logprobs > 0) am_field_int(out, "top_logprobs", r->top_logprobs);
  return ADAM_OK;
}

adam_status am_openai_parameters(adam_backend_model *m, const adam_request *r, const adam_sink *sink,
                                 adam_outcome *outcome, am_openai_bits *bits, am_buf *body,
                                 adam_error *error) {
  writer w = {.model = m, .sink = sink, .body = body, .bits = bits};
  const adam_sampling *s = &r->sampling;
  outcome->sampling = *s;
  outcome->sampling.set &= ~(uint32_t)ADAM_SET_SEED;
  write_sampling(&w, s);
  write_seed(&w, r, outcome);
  if (s->set & ADAM_SET_MAX_TOKENS) {
    bool old = r->raw || !(m->lacks & AM_OPENAI_MAX_TOKENS);
    if (old) w.bits->sent |= AM_OPENAI_MAX_TOKENS;
    /* 0 is no number of tokens there: one is asked for and not shown. */
    am_field_int(body, old ? "max_tokens" : "max_completion_tokens", s->max_tokens ? s->max_tokens : 1);
  }
  write_stops(r, body);
  if (r->ignore_eos && may_send(&w, AM_OPENAI_IGNORE_EOS, "ignore_eos", false)) {
    am_field_key(body, "ignore_eos");
    am_buf_append_str(body, "true");
  }
  /* What was left out is not among the values used. */
  if (m->lacks & AM_OPENAI_TEMPERATURE) outcome->sampling.set &= ~(uint32_t)ADAM_SET_TEMPERATURE;
  if (m->lacks & AM_OPENAI_TOP_P) outcome->sampling.set &= ~(uint32_t)ADAM_SET_TOP_P;
  if (m->lacks & AM_OPENAI_TOP_K) outcome->sampling.set &= ~(uint32_t)ADAM_SET_TOP_K;
  if (m->lacks & AM_OPENAI_MIN_P) outcome->sampling.set &= ~(uint32_t)ADAM_SET_MIN_P;
  if (m->lacks & AM_OPENAI_REPETITION) outcome->sampling.set &= ~(uint32_t)ADAM_SET_REPETITION_PENALTY;
  if (m->lacks & AM_OPENAI_PRESENCE) outcome->sampling.set &= ~(uint32_t)ADAM_SET_PRESENCE_PENALTY;
  if (m->lacks & AM_OPENAI_FREQUENCY) outcome->sampling.set &= ~(uint32_t)ADAM_SET_FREQUENCY_PENALTY;
  adam_status status = write_logprobs(r, body, error);
  if (!status) status = write_template(&w, r, error);
  if (!status) status = write_form(m, r, body, error);
  return status;
}
