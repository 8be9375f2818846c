/* SPDX-License-Identifier: Apache-2.0 */
#include "template/tool_call_forms.h"

#include "base/error.h"
#include "template/tool_calls.h"

#include <stdio.h>
#include <string.h>

const am_call_form am_call_forms[] = {[AM_CALL_HERMES] = {.open = "<tool_call>", .close = "</tool_call>"},
                                      [AM_CALL_MISTRAL] = {.open = "[TOOL_CALLS]"},
                                      [AM_CALL_PYTHON_TAG] = {.open = "<|python_tag|>", .chained = true},
                                      [AM_CALL_PHI] = {.open = "<|tool_call|>", .close = "<|/tool_call|>"},
                                      [AM_CALL_FUNCTOOLS] = {.open = "functools[", .kept_bytes = 1},
                                      {0}};

static const char call_id_mark[] = "[CALL_ID]", args_mark[] = "[ARGS]";

const char *const *am_tool_calls_markers(void) {
  static const char *const markers[] = {"<tool_call>",    "</tool_call>",   "[TOOL_CALLS]",
                                        "[CALL_ID]",      "[ARGS]",         "<|tool_call|>",
                                        "<|/tool_call|>", "<|python_tag|>", NULL};
  return markers;
}

adam_status am_call_reader_open(am_call_reader *reader, const char *tools_json, uint64_t seed,
                                adam_error *error) {
  reader->seed = seed;
  if (!tools_json) return ADAM_OK;
  return am_json_parse(tools_json, strlen(tools_json), "tools", 0, &reader->arena, &reader->tools, error);
}

void am_call_reader_close(am_call_reader *reader) { am_arena_close(&reader->arena); }

/* The declaration of a tool: {"function": {...}} or the inner object alone. NULL = no such tool. */
static const am_json *find_tool(const am_call_reader *reader, const char *name) {
  if (reader->tools.type != AM_JSON_ARRAY) return NULL;
  for (uint32_t i = 0; i < reader->tools.n; i++) {
    const am_json *tool = am_json_at(&reader->tools, i), *function = am_json_get(tool, "function");
    if (function) tool = function;
    if (strcmp(am_json_str(am_json_get(tool, "name"), ""), name) == 0) return tool;
  }
  return NULL;
}

/* Length of the JSON value (object or array) that text begins with; 0 = it does not end here. */
static size_t value_bytes(const char *text, size_t n_bytes) {
  size_t depth = 0;
  bool in_string = false;
  for (size_t i = 0; i < n_bytes; i++) {
    char c = text[i];
    if (in_string) {
      if (c == '\\')
        i++;
      else if (c == '"')
        in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      depth++;
    } else if ((c == '}' || c == ']') && --depth == 0) {
      return i + 1;
    }
  }
  return 0;
}

/* Nine letters and digits, as Mistral's templates ask for; "call_" in front elsewhere, as OpenAI's are. */
static void make_id(am_call_reader *reader, const am_call_form *form, char id[24]) {
  static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
  uint64_t state = reader->seed ^ ((uint64_t)(reader->n_calls + 1) * 0x9E3779B97F4A7C15u);
  size_t at = 0, length = 9;
  if (form != &am_call_forms[AM_CALL_MISTRAL]) {
    memcpy(id, "call_", 5);
    at = 5;
  }
  for (size_t i = 0; i < length; i++) { /* splitmix64 (Steele et al. 2014) */
    uint64_t z = (state += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    id[at++] = letters[(z ^ (z >> 31)) % 62];
  }
  id[at] = '\0';
}

/* One call as JSON with its NUL. arguments: JSON text. */
static void append_call(am_call_reader *reader, const am_call_form *form, const char *given_id,
                        size_t id_bytes, const char *name, size_t name_bytes, const char *arguments,
                        size_t n_bytes, am_buf *found) {
  char id[24];
  make_id(reader, form, id);
  am_buf_append_str(found, "{\"id\": ");
  if (id_bytes > 0)
    am_json_write_string(found, given_id, id_bytes);
  else
    am_json_write_string(found, id, strlen(id));
  am_buf_append_str(found, ", \"type\": \"function\", \"function\": {\"name\": ");
  am_json_write_string(found, name, name_bytes);
  am_buf_append_str(found, ", \"arguments\": ");
  am_json_write_string(found, arguments, n_bytes);
  am_buf_append(found, "}}", 3);
  reader->n_calls++;
}

/* One call as an object: "name" with "arguments" or "parameters", perhaps inside of "function". */
static bool take_object(am_call_reader *reader, const am_call_form *form, const am_json *object,
                        am_buf *found) {
  const am_json *given_id = am_json_get(object, "id"), *inner = am_json_get(object, "function");
  if (inner && inner->type == AM_JSON_OBJECT) object = inner;
  const am_json *name = am_json_get(object, "name"), *arguments = am_json_get(object, "arguments");
  if (!arguments) arguments = am_json_get(object, "parameters");
  if (!name || name->type != AM_JSON_STRING || name->n == 0) return false;
  if (!form && !find_tool(reader, name->as.string)) return false;
  if (!given_id || given_id->type != AM_JSON_STRING) given_id = NULL;
  am_buf text = {0};
  if (arguments && arguments->type == AM_JSON_STRING)
    am_buf_append(&text, arguments->as.string, arguments->n); /* JSON in a string, as some models write it */
  else if (!am_json_is_null(arguments))
    am_json_write(&text, arguments);
  else
    am_buf_append_str(&text, "{}");
  append_call(reader, form, given_id ? given_id->as.string : "", given_id ? given_id->n : 0, name->as.string,
              name->n, text.data ? text.data : "", text.len, found);
  if (text.failed) found->failed = true;
  am_buf_close(&text);
  return true;
}

static bool take_json(am_call_reader *reader, const am_call_form *form, const char *text, size_t n_bytes,
                      am_buf *found) {
  am_arena arena = {0};
  am_json value;
  bool good = am_json_parse(text, n_bytes, "tool call", 0, &arena, &value, NULL) == ADAM_OK;
  if (good && value.type == AM_JSON_ARRAY) {
    good = value.n > 0;
    for (uint32_t i = 0; good && i < value.n; i++)
      good = take_object(reader, form, am_json_at(&value, i), found);
  } else if (good) {
    good = take_object(reader, form, &value, found);
  }
  am_arena_close(&arena);
  return good;
}

/* Can text (behind white space) still be a call without a marker? Its first key tells, so that an answer that
 * is other JSON, or a program, streams at once. */
static bool may_be_bare(const char *text, size_t n_bytes) {
  static const char *const first_keys[] = {"\"name\"", "\"type\"",       "\"function\"",
                                           "\"id\"",   "\"parameters\"", "\"arguments\""};
  static const char opening[] = "[{";
  size_t at = 0;
  for (size_t i = text[0] == '{'; opening[i]; i++) {
    if (at < n_bytes && text[at] != opening[i]) return false;
    if (at < n_bytes) at++;
    while (at < n_bytes && text[at] && strchr(" \t\r\n", text[at])) at++;
  }
  if (at == n_bytes) return true;
  for (size_t i = 0; i < sizeof first_keys / sizeof *first_keys; i++) {
    size_t length = strlen(first_keys[i]), compare = n_bytes - at < length ? n_bytes - at : length;
    if (memcmp(text + at, first_keys[i], compare) == 0) return true;
  }
  return false;
}

static am_call_verdict read_json(am_call_reader *reader, const am_call_form *form, const char *body,
                                 size_t begin, size_t n_bytes, bool last, am_buf *found, size_t *used) {
  if (!form && !may_be_bare(body + begin, n_bytes - begin)) return AM_CALL_NONE;
  size_t n = value_bytes(body + begin, n_bytes - begin);
  if (n == 0) return last ? AM_CALL_NONE : AM_CALL_MORE;
  *used = begin + n;
  return take_json(reader, form, body + begin, n, found) ? AM_CALL_FOUND : AM_CALL_NONE;
}

/* Mistral since v11: NAME, perhaps [CALL_ID]ID, perhaps [ARGS], then the arguments' object. */
static am_call_verdict read_named(am_call_reader *reader, const am_call_form *form, const char *body,
                                  size_t begin, size_t n_bytes, bool last, am_buf *found, size_t *used) {
  const char *brace = memchr(body + begin, '{', n_bytes - begin);
  if (!brace) return last || n_bytes - begin > 1024 ? AM_CALL_NONE : AM_CALL_MORE;
  const char *head = body + begin, *id = NULL;
  size_t head_bytes = (size_t)(brace - head), id_bytes = 0;
  const char *args = memmem(head, head_bytes, args_mark, sizeof args_mark - 1);
  if (args) head_bytes = (size_t)(args - head);
  const char *mark = memmem(head, head_bytes, call_id_mark, sizeof call_id_mark - 1);
  if (mark) {
    id = mark + sizeof call_id_mark - 1;
    id_bytes = (size_t)(head + head_bytes - id);
    head_bytes = (size_t)(mark - head);
  }
  while (head_bytes > 0 && strchr(" \t\r\n", head[head_bytes - 1])) head_bytes--;
  if (head_bytes == 0 || memchr(head, '[', head_bytes) || memchr(head, '\n', head_bytes)) return AM_CALL_NONE;
  size_t at = (size_t)(brace - body), n = value_bytes(brace, n_bytes - at);
  if (n == 0) return last ? AM_CALL_NONE : AM_CALL_MORE;
  am_arena arena = {0};
  am_json value;
  am_buf arguments = {0};
  bool good = am_json_parse(brace, n, "tool call", 0, &arena, &value, NULL) == ADAM_OK;
  if (good) am_json_write(&arguments, &value);
  am_arena_close(&arena);
  if (!good) return AM_CALL_NONE;
  append_call(reader, form, id ? id : "", id_bytes, head, head_bytes, arguments.data ? arguments.data : "",
              arguments.len, found);
  if (arguments.failed) found->failed = true;
  am_buf_close(&arguments);
  *used = at + n;
  return AM_CALL_FOUND;
}

/* A parameter's text as JSON: what the tool's schema calls a string, and what is no JSON, is a string. */
static void append_parameter(const am_json *tool, const char *key, size_t key_bytes, const char *value,
                             size_t n_bytes, am_buf *arguments) {
  const am_json *schema = NULL, *properties = am_json_path(tool, "parameters.properties");
  for (uint32_t i = 0; properties && properties->type == AM_JSON_OBJECT && i < properties->n; i++) {
    const am_json_member *member = &properties->as.members[i];
    if (member->key_bytes == key_bytes && memcmp(member->key, key, key_bytes) == 0) schema = &member->value;
  }
  am_json_write_string(arguments, key, key_bytes);
  am_buf_append_char(arguments, ':');
  am_arena arena = {0};
  am_json parsed;
  bool text = strcmp(am_json_str(am_json_get(schema, "type"), ""), "string") == 0 ||
              am_json_parse(value, n_bytes, "parameter", 0, &arena, &parsed, NULL) != ADAM_OK;
  if (text)
    am_json_write_string(arguments, value, n_bytes);
  else
    am_json_write(arguments, &parsed);
  am_arena_close(&arena);
}

/* <function=NAME> <parameter=KEY> value </parameter> ... </function> */
static am_call_verdict read_xml(am_call_reader *reader, const am_call_form *form, const char *body,
                                size_t begin, size_t n_bytes, bool last, am_buf *found, size_t *used) {
  static const char function[] = "<function=", parameter[] = "<parameter=", value_end[] = "</parameter>",
                    end[] = "</function>";
  const char *stop = memmem(body + begin, n_bytes - begin, end, sizeof end - 1);
  if (!stop) return last ? AM_CALL_NONE : AM_CALL_MORE;
  const char *name = body + begin + sizeof function - 1, *at = memchr(name, '>', (size_t)(stop - name));
  if (!at || at == name) return AM_CALL_NONE;
  size_t name_bytes = (size_t)(at - name);
  char *copy = am_arena_dup(&reader->arena, name, name_bytes);
  const am_json *tool = copy ? find_tool(reader, copy) : NULL;
  am_buf arguments = {0};
  bool first = true;
  am_buf_append_char(&arguments, '{');
  while ((at = memmem(at, (size_t)(stop - at), parameter, sizeof parameter - 1))) {
    const char *key = at + sizeof parameter - 1, *value = memchr(key, '>', (size_t)(stop - key));
    const char *value_stop =
        value ? memmem(value, (size_t)(stop - value), value_end, sizeof value_end - 1) : NULL;
    if (!value_stop) break;
    size_t key_bytes = (size_t)(value - key);
    at = value_stop;
    if (++value < value_stop && *value == '\n') value++;
    if (value < value_stop && value_stop[-1] == '\n') value_stop--;
    if (!first) am_buf_append_char(&arguments, ',');
    first = false;
    append_parameter(tool, key, key_bytes, value, (size_t)(value_stop - value), &arguments);
  }
  am_buf_append_char(&arguments, '}');
  append_call(reader, form, "", 0, name, name_bytes, arguments.data ? arguments.data : "", arguments.len,
              found);
  if (arguments.failed) found->failed = true;
  am_buf_close(&arguments);
  *used = (size_t)(stop - body) + sizeof end - 1;
  return AM_CALL_FOUND;
}

adam_status am_call_read(am_call_reader *reader, const am_call_form *form, const char *body, size_t n_bytes,
                         bool last, am_buf *found, size_t *used, am_call_verdict *verdict,
                         adam_error *error) {
  static const char function[] = "<function=";
  size_t begin = 0;
  while (begin < n_bytes && body[begin] && strchr(" \t\r\n", body[begin])) begin++;
  size_t left = n_bytes - begin, compare = left < sizeof function - 1 ? left : sizeof function - 1;
  if (left == 0)
    *verdict = last ? AM_CALL_NONE : AM_CALL_MORE;
  else if (body[begin] == '{' || body[begin] == '[')
    *verdict = read_json(reader, form, body, begin, n_bytes, last, found, used);
  else if (form == &am_call_forms[AM_CALL_MISTRAL])
    *verdict = read_named(reader, form, body, begin, n_bytes, last, found, used);
  else if (form == &am_call_forms[AM_CALL_HERMES] && memcmp(body + begin, function, compare) == 0)
    *verdict = left < sizeof function - 1 ? (last ? AM_CALL_NONE : AM_CALL_MORE)
                                          : read_xml(reader, form, body, begin, n_bytes, last, found, used);
  else
    *verdict = AM_CALL_NONE;
  return found->failed ? am_fail_memory(error, "tool call") : ADAM_OK;
}
