/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/ollama/ollama.h"

#include "backend/remote/fields.h"
#include "base/rng.h"
#include <string.h>

static const int64_t LOGPROBS_SINCE = 12011; /* v0.12.11, as am_ollama_version counts */
enum { MOST_TOP_LOGPROBS = 20 };

static adam_status write_images(am_buf *out, const am_json *content, const am_json *images, adam_error *error) {
  size_t n = 0;
  for (int round = 0; round < 2; round++) {
    const am_json *list = round ? images : content;
    for (size_t i = 0; list && list->type == AM_JSON_ARRAY && i < list->n; i++) {
      const am_json *item = am_json_at(list, i);
      const char *url = round ? am_json_str(item, NULL) : am_field_image(item);
      if (!url) continue;
      const char *data = am_field_image_data(url);
      if (!data)
        return am_fail(error, ADAM_UNSUPPORTED, "ollama", "give it as data:image/png;base64,...",
                       "an image is taken as data, not by its address");
      if (n++ == 0) am_field_key(out, "images");
      am_buf_append_char(out, n == 1 ? '[' : ',');
      am_json_write_string(out, data, strlen(data));
    }
  }
  if (n) am_buf_append_char(out, ']');
  return ADAM_OK;
}

static adam_status write_content(am_buf *out, const am_json *content, size_t number, adam_error *error) {
  am_buf text = {0};
  if (content && content->type == AM_JSON_STRING) {
    am_buf_append(&text, content->as.string, content->n);
  } else if (content && content->type == AM_JSON_ARRAY) {
    for (size_t i = 0; i < content->n; i++) {
      const am_json *part = am_json_at(content, i);
      const am_json *words = am_json_get(part, "text");
      if (words && words->type == AM_JSON_STRING) {
        am_buf_append(&text, words->as.string, words->n);
      } else if (!am_field_image(part)) {
        am_buf_close(&text);
        return am_fail(error, ADAM_UNSUPPORTED, "ollama", NULL, "message %zu has a part of type %s", number,
                       am_json_str(am_json_get(part, "type"), "(none)"));
      }
    }
  }
  am_field_text(out, "content", text.data ? text.data : "", text.len);
  if (text.failed) out->failed = true;
  am_buf_close(&text);
  return ADAM_OK;
}

/* adam's calls carry their arguments as JSON text, Ollama's as an object. */
static adam_status write_calls(am_buf *out, const am_json *calls, size_t number, adam_error *error) {
  if (!calls || calls->type != AM_JSON_ARRAY || calls->n == 0) return ADAM_OK;
  am_field_key(out, "tool_calls");
  for (size_t i = 0; i < calls->n; i++) {
    const am_json *call = am_json_at(calls, i), *function = am_json_get(call, "function");
    const am_json *arguments = am_json_get(function ? function : call, "arguments");
    const char *name = am_json_str(am_json_get(function ? function : call, "name"), NULL);
    if (!name)
      return am_fail(error, ADAM_INVALID, "messages", NULL, "a tool call of message %zu has no name", number);
    am_buf_append_char(out, i ? ',' : '[');
    am_buf_append_char(out, '{');
    const char *id = am_json_str(am_json_get(call, "id"), NULL);
    if (id) am_field_text(out, "id", id, strlen(id));
    am_field_key(out, "function");
    am_buf_append_char(out, '{');
    am_field_text(out, "name", name, strlen(name));
    am_field_key(out, "arguments");
    if (arguments && arguments->type == AM_JSON_STRING) {
      am_arena arena = {0};
      am_json parsed = {0};
      adam_status status = ADAM_OK;
      if (!(status = am_field_parse(arguments->as.string, "arguments", AM_JSON_OBJECT, &arena, &parsed, error)))
        am_json_write(out, &parsed);
      am_arena_close(&arena);
      if (status) return status;
    } else if (arguments && arguments->type == AM_JSON_OBJECT) {
      am_json_write(out, arguments);
    } else {
      am_buf_append_str(out, "{}");
    }
    am_buf_append_str(out, "}}");
  }
  am_buf_append_char(out, ']');
  return ADAM_OK;
}

static void copy_text(am_buf *out, const am_json *message, const char *from, const char *to) {
  const am_json *value = am_json_get(message, from);
  if (value && value->type == AM_JSON_STRING) am_field_text(out, to, value->as.string, value->n);
}

/* image_bytes: how much of it is images. */
static adam_status write_message(am_buf *out, const am_json *message, size_t number, size_t *image_bytes,
                                 adam_error *error) {
  const char *role = am_json_str(am_json_get(message, "role"), NULL);
  const am_json *content = am_json_get(message, "content");
  if (!role) return am_fail(error, ADAM_INVALID, "messages", NULL, "message %zu has no role", number);
  am_buf_append_char(out, '{');
  am_field_text(out, "role", role, strlen(role));
  adam_status status = write_content(out, content, number, error);
  size_t before = out->len;
  if (!status) status = write_images(out, content, am_json_get(message, "images"), error);
  *image_bytes = out->len - before;
  if (!status) status = write_calls(out, am_json_get(message, "tool_calls"), number, error);
  copy_text(out, message, am_json_get(message, "thinking") ? "thinking" : "reasoning_content", "thinking");
  copy_text(out, message, am_json_get(message, "tool_name") ? "tool_name" : "name", "tool_name");
  copy_text(out, message, "tool_call_id", "tool_call_id");
  am_buf_append_char(out, '}');
  return status;
}

static void measure(am_ollama_prompt *prompt, size_t n_bytes, bool may_go) {
  prompt->n_bytes += n_bytes;
  prompt->n_messages++;
  if (may_go && n_bytes > prompt->longest) prompt->longest = n_bytes;
}

static adam_status write_messages(const adam_request *r, am_ollama_prompt *prompt, am_buf *out, adam_error *error) {
  am_arena arena = {0};
  am_json messages = {0};
  adam_status status = ADAM_OK;
  am_field_key(out, "messages");
  am_buf_append_char(out, '[');
  if (r->system) {
    am_buf_append_str(out, "{\"role\":\"system\"");
    am_field_text(out, "content", r->system, strlen(r->system));
    am_buf_append_char(out, '}');
    measure(prompt, strlen(r->system), false);
  }
  if (r->prompt) {
    measure(prompt, r->prompt_bytes, false);
    am_buf_append_str(out, r->system ? ",{\"role\":\"user\"" : "{\"role\":\"user\"");
    am_field_text(out, "content", r->prompt, r->prompt_bytes);
    am_buf_append_char(out, '}');
  } else if (!(status = am_field_parse(r->messages_json, "messages", AM_JSON_ARRAY, &arena, &messages, error))) {
    if (messages.n == 0)
      status = am_fail(error, ADAM_INVALID, "messages", NULL, "there is no message");
    for (size_t i = 0; i < messages.n && !status; i++) {
      const am_json *message = am_json_at(&messages, i);
      size_t image_bytes = 0, before = out->len;
      if (i || r->system) am_buf_append_char(out, ',');
      status = write_message(out, message, i + 1, &image_bytes, error);
      bool stays = i + 1 == messages.n || !strcmp(am_json_str(am_json_get(message, "role"), ""), "system");
      measure(prompt, out->len - before - image_bytes, !stays);
    }
  }
  am_buf_append_char(out, ']');
  am_arena_close(&arena);
  return status;
}

/* Copies the fields of `from` that are set over those of `to`. */
static void merge(adam_sampling *to, const adam_sampling *from) {
  if (from->set & ADAM_SET_TEMPERATURE) to->temperature = from->temperature;
  if (from->set & ADAM_SET_TOP_P) to->top_p = from->top_p;
  if (from->set & ADAM_SET_TOP_K) to->top_k = from->top_k;
  if (from->set & ADAM_SET_MIN_P) to->min_p = from->min_p;
  if (from->set & ADAM_SET_REPETITION_PENALTY) to->repetition_penalty = from->repetition_penalty;
  if (from->set & ADAM_SET_PRESENCE_PENALTY) to->presence_penalty = from->presence_penalty;
  if (from->set & ADAM_SET_FREQUENCY_PENALTY) to->frequency_penalty = from->frequency_penalty;
  if (from->set & ADAM_SET_SEED) to->seed = from->seed;
  if (from->set & ADAM_SET_MAX_TOKENS) to->max_tokens = from->max_tokens;
  to->set |= from->set;
}

/* The values that will be used, as far as they are known: Ollama's own, which no version has changed since
 * v0.1 (api/types.go, DefaultOptions; the repeat penalty did change and is not told), then the model's, then
 * the request's. num_predict has no value of Ollama's own. */
static void fill_sampling(const adam_backend_model *m, const adam_request *r, adam_outcome *outcome) {
  adam_sampling s = {.set = ADAM_SET_TEMPERATURE | ADAM_SET_TOP_P | ADAM_SET_TOP_K | ADAM_SET_MIN_P |
                            ADAM_SET_PRESENCE_PENALTY | ADAM_SET_FREQUENCY_PENALTY | ADAM_SET_SEED,
                     .temperature = 0.8,
                     .top_p = 0.9,
                     .top_k = 40,
                     .seed = am_rng_system_seed() >> 33}; /* below 2^31: what every version takes whole */
  merge(&s, &m->defaults);
  merge(&s, &r->sampling);
  outcome->sampling = s;
  outcome->seed = s.seed;
}

/* A list of a request replaces the model's own, so both are sent. */
static void write_stops(const adam_backend_model *m, const adam_request *r, am_buf *out) {
  if (!r->n_stop) return;
  am_field_key(out, "stop");
  for (size_t i = 0; i < m->n_stop + r->n_stop; i++) {
    const char *text = i < m->n_stop ? m->stop[i] : r->stop[i - m->n_stop];
    am_buf_append_char(out, i ? ',' : '[');
    am_json_write_string(out, text, strlen(text));
  }
  am_buf_append_char(out, ']');
}

static void write_options(const adam_backend_model *m, const adam_request *r, const adam_outcome *outcome,
                          int64_t n_ctx, am_buf *out) {
  const adam_sampling *s = &r->sampling;
  am_field_key(out, "options");
  am_buf_append_char(out, '{');
  if (s->set & ADAM_SET_TEMPERATURE) am_field_real(out, "temperature", s->temperature);
  if (s->set & ADAM_SET_TOP_P) am_field_real(out, "top_p", s->top_p);
  if (s->set & ADAM_SET_TOP_K) am_field_int(out, "top_k", s->top_k);
  if (s->set & ADAM_SET_MIN_P) am_field_real(out, "min_p", s->min_p);
  if (s->set & ADAM_SET_REPETITION_PENALTY) {
    am_field_real(out, "repeat_penalty", s->repetition_penalty);
    am_field_int(out, "repeat_last_n", -1); /* over all of the context, as adam's is */
  }
  if (s->set & ADAM_SET_PRESENCE_PENALTY) am_field_real(out, "presence_penalty", s->presence_penalty);
  if (s->set & ADAM_SET_FREQUENCY_PENALTY) am_field_real(out, "frequency_penalty", s->frequency_penalty);
  /* 0 means "no limit" there: one token is asked for and not shown. */
  if (s->set & ADAM_SET_MAX_TOKENS) am_field_int(out, "num_predict", s->max_tokens ? s->max_tokens : 1);
  am_field_int(out, "seed", (int64_t)outcome->seed);
  write_stops(m, r, out);
  if (n_ctx > 0) am_field_int(out, "num_ctx", n_ctx);
  if (m->client.n_threads > 0) am_field_int(out, "num_thread", m->client.n_threads);
  am_buf_append_char(out, '}');
}

/* What only some servers, or none, can do. */
static adam_status check(const adam_backend_model *m, const adam_request *r, adam_error *error) {
  if (!m->completes)
    return am_fail(error, ADAM_UNSUPPORTED, m->name, "adam embed takes it", "the model makes embeddings, not answers");
  if (r->kwargs_json && strspn(r->kwargs_json, " \t\r\n{}") != strlen(r->kwargs_json))
    return am_fail(error, ADAM_UNSUPPORTED, "ollama", NULL, "the backend cannot set variables of the template");
  if (r->constraint != ADAM_CONSTRAINT_NONE && r->constraint != ADAM_CONSTRAINT_SCHEMA)
    return am_fail(error, ADAM_UNSUPPORTED, "ollama", NULL, "the backend holds an answer to a JSON Schema only");
  if (r->logprobs && m->version < LOGPROBS_SINCE)
    return am_fail(error, ADAM_UNSUPPORTED, "ollama", "Ollama gives them since v0.12.11",
                   "the backend cannot give log-probabilities: this server is v%d.%d.%d", (int)(m->version / 1000000),
                   (int)(m->version / 1000 % 1000), (int)(m->version % 1000));
  if (r->top_logprobs > MOST_TOP_LOGPROBS)
    return am_fail(error, ADAM_UNSUPPORTED, "ollama", NULL, "it tells at most %d top log-probabilities, not %d",
                   MOST_TOP_LOGPROBS, (int)r->top_logprobs);
  if (r->raw && r->prompt && r->prompt_bytes == 0)
    return am_fail(error, ADAM_INVALID, "prompt", NULL, "an empty raw prompt has nothing to go on from");
  if (r->raw && r->tools_json)
    return am_fail(error, ADAM_UNSUPPORTED, "ollama", NULL, "tools need the model's template, which raw leaves out");
  return ADAM_OK;
}

/* On: the thinking part comes by itself; where nothing is said, a model that thinks does. */
static void write_think(const adam_backend_model *m, const adam_request *r, am_buf *out) {
  if (r->think == ADAM_THINK_DEFAULT && !m->thinks) return;
  if (r->think == ADAM_THINK_OFF && !m->thinks) return;
  am_field_key(out, "think");
  am_buf_append_str(out, r->think == ADAM_THINK_OFF ? "false" : "true");
}

/* A tool's function may come alone. */
static adam_status write_tools(am_buf *out, const char *text, adam_error *error) {
  am_arena arena = {0};
  am_json tools = {0};
  adam_status status = ADAM_OK;
  if (!(status = am_field_parse(text, "tools", AM_JSON_ARRAY, &arena, &tools, error))) {
    am_field_key(out, "tools");
    am_buf_append_char(out, '[');
    for (size_t i = 0; i < tools.n; i++) {
      const am_json *tool = am_json_at(&tools, i);
      bool whole = am_json_get(tool, "function") != NULL;
      if (i) am_buf_append_char(out, ',');
      if (!whole) am_buf_append_str(out, "{\"type\":\"function\",\"function\":");
      am_json_write(out, tool);
      if (!whole) am_buf_append_char(out, '}');
    }
    am_buf_append_char(out, ']');
  }
  am_arena_close(&arena);
  return status;
}

static adam_status write_schema(am_buf *out, const char *text, adam_error *error) {
  am_arena arena = {0};
  am_json schema = {0};
  adam_status status = ADAM_OK;
  if (!(status = am_field_parse(text, "schema", AM_JSON_OBJECT, &arena, &schema, error))) {
    am_field_key(out, "format");
    am_json_write(out, &schema);
  }
  am_arena_close(&arena);
  return status;
}

adam_status am_ollama_body(const adam_backend_model *m, const adam_request *r, adam_outcome *outcome,
                           am_ollama_prompt *prompt, am_buf *body, adam_error *error) {
  bool raw = r->raw && r->prompt;
  adam_status status = check(m, r, error);
  if (status) return status;
  fill_sampling(m, r, outcome);
  am_ollama_body_begin(&m->client, m->name, body);
  if (body->failed) return am_fail_memory(error, m->name);
  am_buf_append_str(body, raw ? ",\"stream\":true,\"raw\":true" : ",\"stream\":true");
  *prompt = (am_ollama_prompt){.n_bytes = r->tools_json ? strlen(r->tools_json) : 0};
  if (raw) {
    am_field_text(body, "prompt", r->prompt, r->prompt_bytes);
    measure(prompt, r->prompt_bytes, false);
  } else {
    status = write_messages(r, prompt, body, error);
  }
  if (!status && r->tools_json) status = write_tools(body, r->tools_json, error);
  if (!status && r->constraint == ADAM_CONSTRAINT_SCHEMA)
    status = write_schema(body, r->constraint_text, error);
  if (status) return status;
  if (!raw) write_think(m, r, body);
  if (r->logprobs) am_buf_append_str(body, ",\"logprobs\":true");
  if (r->top_logprobs > 0) am_field_int(body, "top_logprobs", r->top_logprobs);
  /* Those that know the words fail where others cut the prompt, or forget its beginning. */
  if (m->version >= AM_OLLAMA_TELLS_CUTS) am_buf_append_str(body, ",\"truncate\":false,\"shift\":false");
  prompt->n_ctx = am_ollama_context_wanted(m, r, prompt);
  write_options(m, r, outcome, prompt->n_ctx, body);
  am_buf_append_char(body, '}');
  return body->failed ? am_fail_memory(error, m->name) : ADAM_OK;
}
