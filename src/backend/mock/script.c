/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/mock/script.h"

#include "base/error.h"
#include "base/json.h"
#include "base/utf8.h"
#include "os/file.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { MAX_FILE_BYTES = 16 << 20, MAX_TEXT_BYTES = 16 << 20 };

typedef enum value_kind { TEXT, COUNT, MILLISECONDS, STATUS, FINISH } value_kind;

static const struct option {
  const char *name;
  value_kind kind;
  size_t offset; /* in am_mock_answer */
  int64_t least, most;
} options[] = {
    {"match", TEXT, offsetof(am_mock_answer, match), 0, 0},
    {"say", TEXT, offsetof(am_mock_answer, say), 0, 0},
    {"think", TEXT, offsetof(am_mock_answer, think), 0, 0},
    {"error_text", TEXT, offsetof(am_mock_answer, error_text), 0, 0},
    {"notice", TEXT, offsetof(am_mock_answer, notice), 0, 0},
    {"tool_call", TEXT, offsetof(am_mock_answer, tool_call), 0, 0},
    {"random", COUNT, offsetof(am_mock_answer, n_random), 1, 1 << 24},
    {"fail_at", COUNT, offsetof(am_mock_answer, fail_at), 1, (int64_t)1 << 53},
    {"tokens_per_chunk", COUNT, offsetof(am_mock_answer, tokens_per_chunk), 1, 4096},
    {"chunk_bytes", COUNT, offsetof(am_mock_answer, chunk_bytes), 1, 65536},
    {"delay_ms", MILLISECONDS, offsetof(am_mock_answer, delay_ms), 0, 3600000},
    {"first_delay_ms", MILLISECONDS, offsetof(am_mock_answer, first_delay_ms), 0, 3600000},
    {"error", STATUS, offsetof(am_mock_answer, error), 0, 0},
    {"open_error", STATUS, offsetof(am_mock_answer, open_error), 0, 0},
    {"finish", FINISH, offsetof(am_mock_answer, finish), 0, 0},
};

static const struct option *find_option(const char *name, size_t n_bytes) {
  for (size_t i = 0; i < sizeof options / sizeof *options; i++)
    if (strlen(options[i].name) == n_bytes && !memcmp(options[i].name, name, n_bytes)) return &options[i];
  return NULL;
}

static bool find_status(const char *name, adam_status *out) {
#define MOCK_STATUS(id, value, exit_code, text) \
  if (value != 0 && !strcasecmp(name, #id)) return *out = ADAM_##id, true;
  ADAM_STATUS_LIST(MOCK_STATUS)
#undef MOCK_STATUS
  return false;
}

static adam_status set_number(void *field, const struct option *option, const char *value,
                              adam_error *error) {
  char *end = NULL;
  errno = 0;
  double real = strtod(value, &end);
  bool whole = option->kind == COUNT;
  bool bad =
      errno || end == value || *end || !(real >= (double)option->least && real <= (double)option->most);
  if (bad || (whole && real != (double)(int64_t)real))
    return am_fail(error, ADAM_INVALID, "mock script", NULL, "%s=%s: expected a %snumber from %lld to %lld",
                   option->name, value, whole ? "whole " : "", (long long)option->least,
                   (long long)option->most);
  if (whole)
    *(int64_t *)field = (int64_t)real;
  else
    *(double *)field = real;
  return ADAM_OK;
}

/* Sets one key. value lives as long as the script. */
static adam_status set_option(am_mock_answer *answer, const struct option *option, const char *value,
                              adam_error *error) {
  void *field = (char *)answer + option->offset;
  switch (option->kind) {
    case TEXT:
      if (!am_utf8_valid(value, strlen(value)))
        return am_fail(error, ADAM_INVALID, "mock script", NULL, "%s is not UTF-8", option->name);
      *(const char **)field = value;
      break;
    case COUNT:
    case MILLISECONDS:
      return set_number(field, option, value, error);
    case STATUS:
      if (!find_status(value, field))
        return am_fail(error, ADAM_INVALID, "mock script", NULL,
                       "%s=%s: expected the name of a status, such as unavailable", option->name, value);
      break;
    case FINISH:
      if (strcmp(value, "stop") && strcmp(value, "length"))
        return am_fail(error, ADAM_INVALID, "mock script", NULL, "finish=%s: expected stop or length", value);
      *(adam_finish_reason *)field = !strcmp(value, "stop") ? ADAM_FINISH_STOP : ADAM_FINISH_LENGTH;
      break;
  }
  return ADAM_OK;
}

static void set_echo(am_mock_answer *answer) {
  answer->say = NULL;
  answer->n_random = 0;
}

/* End of the value that begins at p: the next `;` that is not escaped. */
static const char *value_end(const char *p) {
  while (*p && *p != ';') p += p[0] == '\\' && p[1] ? 2 : 1;
  return p;
}

/* Resolves the escapes of [begin, end) into the arena. NULL: memory. */
static char *unescape(am_arena *arena, const char *begin, const char *end) {
  char *out = am_arena_dup(arena, begin, (size_t)(end - begin));
  if (!out) return NULL;
  char *to = out;
  for (const char *p = begin; p < end; p++) {
    if (*p == '\\' && p + 1 < end) {
      p++;
      *to++ = *p == 'n' ? '\n' : *p == 't' ? '\t' : *p;
    } else {
      *to++ = *p;
    }
  }
  *to = 0;
  return out;
}

/* Does the script begin with a key? Otherwise it is plain text. */
static bool has_options(const char *text) {
  if (!strcmp(text, "echo") || !strncmp(text, "echo;", 5)) return true;
  const char *equals = strchr(text, '=');
  return equals && find_option(text, (size_t)(equals - text));
}

static adam_status parse_options(am_arena *arena, const char *text, am_mock_answer *answer,
                                 adam_error *error) {
  for (const char *p = text; *p;) {
    const char *end = value_end(p);
    const char *equals = memchr(p, '=', (size_t)(end - p));
    if (end == p) {
      /* `;;` and a last `;` are harmless */
    } else if (!equals && end - p == 4 && !memcmp(p, "echo", 4)) {
      set_echo(answer);
    } else {
      const struct option *option = equals ? find_option(p, (size_t)(equals - p)) : NULL;
      if (!option)
        return am_fail(error, ADAM_INVALID, "mock script", "write \\; for a semicolon inside a text",
                       "no such key: %.*s",
                       (int)((equals ? equals : end) - p > 80 ? 80 : (equals ? equals : end) - p), p);
      char *value = unescape(arena, equals + 1, end);
      if (!value) return am_fail_memory(error, "mock script");
      adam_status status = set_option(answer, option, value, error);
      if (status) return status;
    }
    p = *end ? end + 1 : end;
  }
  return ADAM_OK;
}

/* A JSON string, number or bool as the text that the same key would have in a one-line script. */
static char *value_text(am_arena *arena, const am_json *value) {
  if (value->type == AM_JSON_STRING) return am_arena_dup(arena, value->as.string, value->n);
  am_buf buf = {0};
  am_json_write(&buf, value);
  char *text = buf.failed ? NULL : am_arena_dup(arena, buf.data ? buf.data : "", buf.len);
  am_buf_close(&buf);
  return text;
}

static adam_status parse_members(am_arena *arena, const am_json *object, am_mock_answer *answer,
                                 adam_error *error) {
  for (uint32_t i = 0; i < object->n; i++) {
    const am_json_member *member = &object->as.members[i];
    if (!strcmp(member->key, "answers")) continue;
    if (!strcmp(member->key, "echo") && member->value.type == AM_JSON_BOOL) {
      if (member->value.as.boolean) set_echo(answer);
      continue;
    }
    const struct option *option = find_option(member->key, member->key_bytes);
    if (!option) return am_fail(error, ADAM_INVALID, "mock script", NULL, "no such key: %s", member->key);
    char *value = value_text(arena, &member->value);
    if (!value) return am_fail_memory(error, "mock script");
    adam_status status = set_option(answer, option, value, error);
    if (status) return status;
  }
  return ADAM_OK;
}

static adam_status parse_file_answer(am_mock_script *script, const am_json *item, am_mock_answer *answer,
                                     adam_error *error) {
  if (item->type == AM_JSON_OBJECT) return parse_members(&script->arena, item, answer, error);
  if (item->type != AM_JSON_STRING)
    return am_fail(error, ADAM_INVALID, "mock script", NULL, "an answer is a string or an object");
  answer->say = am_arena_dup(&script->arena, item->as.string, item->n);
  return answer->say ? ADAM_OK : am_fail_memory(error, "mock script");
}

static adam_status parse_file(am_mock_script *script, const char *path, am_mock_answer base,
                              adam_error *error) {
  am_buf text = {0};
  am_json json = {0};
  am_arena nodes = {0};
  adam_status status = am_file_read(path, MAX_FILE_BYTES, &text, error);
  if (status) goto done;
  status =
      am_json_parse(text.data ? text.data : "", text.len, path, AM_JSON_UNIQUE_KEYS, &nodes, &json, error);
  if (status) goto done;
  const am_json *answers = json.type == AM_JSON_ARRAY ? &json : am_json_get(&json, "answers");
  if (!answers || answers->type != AM_JSON_ARRAY || answers->n == 0) {
    status = am_fail(error, ADAM_INVALID, path, "{\"answers\":[\"Hello.\"]}", "expected an array of answers");
    goto done;
  }
  if (json.type == AM_JSON_OBJECT) status = parse_members(&script->arena, &json, &base, error);
  if (status) goto done;
  script->answers = am_arena_zalloc(&script->arena, answers->n, sizeof *script->answers);
  if (!script->answers) {
    status = am_fail_memory(error, path);
    goto done;
  }
  script->n_answers = answers->n;
  for (uint32_t i = 0; i < answers->n && !status; i++) {
    script->answers[i] = base;
    status = parse_file_answer(script, &answers->as.items[i], &script->answers[i], error);
  }
done:
  am_arena_close(&nodes);
  am_buf_close(&text);
  return status;
}

static adam_status parse_line(am_mock_script *script, const char *text, am_mock_answer base,
                              adam_error *error) {
  size_t n_bytes = strlen(text);
  if (n_bytes > MAX_TEXT_BYTES) return am_fail(error, ADAM_LIMIT, "mock script", NULL, "longer than 16 MiB");
  script->answers = am_arena_zalloc(&script->arena, 1, sizeof *script->answers);
  if (!script->answers) return am_fail_memory(error, "mock script");
  script->n_answers = 1;
  script->answers[0] = base;
  if (!*text) return ADAM_OK;
  if (has_options(text)) return parse_options(&script->arena, text, script->answers, error);
  char *value = am_arena_dup(&script->arena, text, n_bytes);
  if (!value) return am_fail_memory(error, "mock script");
  return set_option(script->answers, find_option("say", 3), value, error);
}

adam_status am_mock_script_open(const char *text, am_mock_script *script, adam_error *error) {
  am_mock_answer base = {.tokens_per_chunk = 1};
  size_t n_bytes = strlen(text);
  bool is_file = n_bytes > 5 && !strcmp(text + n_bytes - 5, ".json") && !has_options(text);
  adam_status status =
      is_file ? parse_file(script, text, base, error) : parse_line(script, text, base, error);
  for (size_t i = 0; i < script->n_answers && !status; i++) {
    am_mock_answer *answer = &script->answers[i];
    if (answer->error && !answer->fail_at) answer->fail_at = 1;
    if (answer->open_error)
      status = am_fail(error, answer->open_error, "mock", NULL, "%s",
                       answer->error_text ? answer->error_text : "the script says open_error");
  }
  if (status) am_mock_script_close(script);
  return status;
}

void am_mock_script_close(am_mock_script *script) {
  am_arena_close(&script->arena);
  memset(script, 0, sizeof *script);
}

static bool contains(const char *text, size_t n_bytes, const char *part) {
  return memmem(text, n_bytes, part, strlen(part)) != NULL;
}

const am_mock_answer *am_mock_script_choose(const am_mock_script *script, const char *prompt,
                                            size_t prompt_bytes, size_t *turn) {
  size_t n_turns = 0;
  for (size_t i = 0; i < script->n_answers; i++) {
    const am_mock_answer *answer = &script->answers[i];
    if (!answer->match) n_turns++;
    if (answer->match && contains(prompt, prompt_bytes, answer->match)) return answer;
  }
  if (!n_turns) return NULL;
  size_t wanted = (*turn)++ % n_turns;
  for (size_t i = 0;; i++)
    if (!script->answers[i].match && wanted-- == 0) return &script->answers[i];
}
