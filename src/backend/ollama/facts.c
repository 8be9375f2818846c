/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/ollama/ollama.h"

#include <stdlib.h>
#include <string.h>

static bool has_capability(const am_json *show, const char *name) {
  const am_json *list = am_json_get(show, "capabilities");
  for (size_t i = 0; list && list->type == AM_JSON_ARRAY && i < list->n; i++)
    if (!strcmp(am_json_str(am_json_at(list, i), ""), name)) return true;
  return false;
}

static unsigned hex(const char *text, size_t n) {
  char digits[9] = {0};
  memcpy(digits, text, n);
  return (unsigned)strtoul(digits, NULL, 16);
}

/* A string as Go's %#v prints it; whatever is no such string is taken as it is. */
static bool append_unquoted(am_buf *out, const char *at, size_t n) {
  if (n < 2 || (*at != '"' && *at != '`') || at[n - 1] != *at) return am_buf_append(out, at, n);
  if (*at == '`') return am_buf_append(out, at + 1, n - 2);
  static const char letters[] = "abfnrtv\\\"'", values[] = "\a\b\f\n\r\t\v\\\"'";
  const char *end = at + n - 1;
  for (at++; at < end; at++) {
    if (*at != '\\' || at + 1 >= end) {
      am_buf_append_char(out, *at);
      continue;
    }
    const char *letter = strchr(letters, *++at);
    size_t n_digits = *at == 'x' ? 2 : *at == 'u' ? 4 : *at == 'U' ? 8 : 0;
    if (letter && *letter)
      am_buf_append_char(out, values[letter - letters]);
    else if (n_digits && (size_t)(end - at) > n_digits && n_digits == 2)
      am_buf_append_char(out, (char)hex(at + 1, 2)), at += 2;
    else if (n_digits && (size_t)(end - at) > n_digits)
      am_buf_append_codepoint(out, hex(at + 1, n_digits)), at += n_digits;
    else
      am_buf_append_char(out, *at);
  }
  return !out->failed;
}

static bool add_stop(adam_backend_model *m, const char *value, size_t n) {
  am_buf text = {0};
  const char **longer = am_arena_alloc(&m->arena, (m->n_stop + 1) * sizeof *longer);
  char *copy = append_unquoted(&text, value, n) ? am_arena_dup(&m->arena, text.data ? text.data : "", text.len) : NULL;
  am_buf_close(&text);
  if (!longer || !copy) return false;
  if (m->n_stop) memcpy(longer, m->stop, m->n_stop * sizeof *longer);
  if (*copy) longer[m->n_stop++] = copy;
  m->stop = longer;
  return true;
}

static bool name_is(const char *name, size_t n, const char *text) { return n == strlen(text) && !memcmp(name, text, n); }

/* One line of "parameters": a name, blanks, a value. */
static bool read_parameter(adam_backend_model *m, const char *line, size_t n) {
  size_t n_name = 0, at;
  while (n_name < n && line[n_name] != ' ') n_name++;
  for (at = n_name; at < n && line[at] == ' ';) at++;
  adam_sampling *s = &m->defaults;
  const char *value = line + at;
  if (name_is(line, n_name, "stop")) return add_stop(m, value, n - at);
  char *end, text[64] = {0};
  if (n - at >= sizeof text || at == n) return true;
  memcpy(text, value, n - at);
  double number = strtod(text, &end);
  if (end == text) return true;
  const struct {
    const char *name;
    uint32_t bit;
    double *to;
  } reals[] = {{"temperature", ADAM_SET_TEMPERATURE, &s->temperature},
               {"top_p", ADAM_SET_TOP_P, &s->top_p},
               {"min_p", ADAM_SET_MIN_P, &s->min_p},
               {"repeat_penalty", ADAM_SET_REPETITION_PENALTY, &s->repetition_penalty},
               {"presence_penalty", ADAM_SET_PRESENCE_PENALTY, &s->presence_penalty},
               {"frequency_penalty", ADAM_SET_FREQUENCY_PENALTY, &s->frequency_penalty}};
  for (size_t i = 0; i < sizeof reals / sizeof *reals; i++)
    if (name_is(line, n_name, reals[i].name)) *reals[i].to = number, s->set |= reals[i].bit;
  if (name_is(line, n_name, "top_k") && number >= 0 && number < 1e9)
    s->top_k = (int32_t)number, s->set |= ADAM_SET_TOP_K;
  if (name_is(line, n_name, "num_predict") && number > 0 && number < 1e15)
    s->max_tokens = (int64_t)number, s->set |= ADAM_SET_MAX_TOKENS;
  if (name_is(line, n_name, "num_ctx") && number > 0 && number < 1e9) m->n_ctx = (int64_t)number;
  if (name_is(line, n_name, "seed") && number >= 0 && number < 9e15)
    s->seed = (uint64_t)number, s->set |= ADAM_SET_SEED;
  return true;
}

adam_status am_ollama_facts_read(adam_backend_model *m, adam_error *error) {
  const char *line = am_json_str(am_json_get(&m->show, "parameters"), "");
  while (*line) {
    size_t n = strcspn(line, "\n");
    if (!read_parameter(m, line, n)) return am_fail_memory(error, m->name);
    line += n + (line[n] == '\n');
  }
  bool old = !am_json_get(&m->show, "capabilities"); /* a server from before v0.6.4 tells none */
  m->completes = old || has_capability(&m->show, "completion");
  m->embeds = has_capability(&m->show, "embedding");
  m->calls_tools = old || has_capability(&m->show, "tools");
  m->thinks = has_capability(&m->show, "thinking");
  return ADAM_OK;
}

/* model_info's "ARCHITECTURE.KEY"; NULL = none. */
static const am_json *of_architecture(const am_json *info, const char *architecture, const char *key) {
  size_t n = strlen(architecture);
  for (size_t i = 0; info && info->type == AM_JSON_OBJECT && i < info->n; i++) {
    const am_json_member *member = &info->as.members[i];
    if (!strncmp(member->key, architecture, n) && member->key[n] == '.' && !strcmp(member->key + n + 1, key))
      return &member->value;
  }
  return NULL;
}

void am_ollama_facts_info(const adam_backend_model *m, adam_model_info *info) {
  const am_json *facts = am_json_get(&m->show, "model_info");
  const char *template = am_json_str(am_json_get(&m->show, "template"), "");
  const char *architecture = am_json_str(am_json_get(facts, "general.architecture"),
                                         am_json_str(am_json_path(&m->show, "details.family"), NULL));
  info->name = m->name;
  info->backend = "ollama";
  info->device = "server";
  info->architecture = architecture;
  info->dtype = am_json_str(am_json_path(&m->show, "details.quantization_level"), NULL);
  info->tokenizer = am_json_str(am_json_get(facts, "tokenizer.ggml.model"), NULL);
  info->license = am_json_str(am_json_get(facts, "general.license"), NULL);
  info->n_parameters = (uint64_t)am_json_int(am_json_get(facts, "general.parameter_count"), 0);
  if (architecture) {
    info->n_layers = am_json_int(of_architecture(facts, architecture, "block_count"), 0);
    info->n_embd = am_json_int(of_architecture(facts, architecture, "embedding_length"), 0);
    info->n_vocab = am_json_int(of_architecture(facts, architecture, "vocab_size"), 0);
    info->n_ctx_train = am_json_int(of_architecture(facts, architecture, "context_length"), 0);
  }
  info->n_ctx = m->client.n_ctx > 0 ? m->client.n_ctx : m->n_ctx;
  info->n_embedding = info->n_embd;
  info->is_embedding = m->embeds;
  info->defaults = m->defaults;
  info->has_chat_template = m->completes && strstr(template, "{{") && strcmp(template, "{{ .Prompt }}");
  info->template_features = (adam_template_features){
      .system = info->has_chat_template && (strstr(template, ".System") || strstr(template, ".Messages")),
      .tools = info->has_chat_template && m->calls_tools,
      .thinking = m->thinks,
      .thinking_switch = m->thinks && (strstr(template, ".Think") || strstr(template, "enable_thinking"))};
}

/* The Modelfile that the server writes says which blob the weights are: FROM .../sha256-HEX. */
adam_status am_ollama_digest(const adam_backend_model *m, char digest[65], adam_error *error) {
  static const char mark[] = "sha256-";
  const char *line = am_json_str(am_json_get(&m->show, "modelfile"), "");
  while (*line) {
    size_t n = strcspn(line, "\r\n");
    const char *found = strncmp(line, "FROM ", 5) ? NULL : memmem(line, n, mark, sizeof mark - 1);
    const char *digits = found ? found + sizeof mark - 1 : NULL;
    if (digits && (size_t)(line + n - digits) == 64 && strspn(digits, "0123456789abcdef") >= 64) {
      memcpy(digest, digits, 64);
      digest[64] = 0;
      return ADAM_OK;
    }
    line += n;
    line += strspn(line, "\r\n");
  }
  return am_fail(error, ADAM_NOT_FOUND, m->name, NULL, "the server does not tell the digest of the weights");
}
