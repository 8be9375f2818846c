/* SPDX-License-Identifier: Apache-2.0 */
/* Renders templates for scripts: with `-` reads JSON lines from standard input,
 *   {"template": TEXT, "variables": {...}} or {"template": TEXT, "chat": {"messages": [...], ...}},
 * optionally "now" (seconds), and answers each with {"output": TEXT} or {"error": TEXT, "status": NAME}.
 * Without arguments it compares the goldens of tests/golden/templates, which Jinja wrote. */
#include "template/chat.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"

typedef struct reply {
  adam_status status;
  adam_error error;
  am_buf text;
} reply;

static void render_chat(const am_template *tmpl, const am_json *chat, int64_t now, reply *out) {
  const am_json *thinking = am_json_get(chat, "enable_thinking");
  am_chat_request request = {
      .messages = am_json_get(chat, "messages"),
      .tools = am_json_get(chat, "tools"),
      .documents = am_json_get(chat, "documents"),
      .kwargs = am_json_get(chat, "kwargs"),
      .special_tokens = am_json_get(chat, "special_tokens"),
      .add_generation_prompt = am_json_bool(am_json_get(chat, "add_generation_prompt"), false),
      .enable_thinking = thinking ? am_json_bool(thinking, false) : -1,
      .coerce_content = am_json_bool(am_json_get(chat, "coerce_content"), false),
      .now_unix_s = now};
  if (am_json_is_null(request.tools)) request.tools = NULL;
  if (am_json_is_null(request.documents)) request.documents = NULL;
  out->status = am_chat_render(tmpl, &request, &out->text, &out->error);
}

static void render(const am_json *request, reply *out) {
  const am_json *text = am_json_get(request, "template"), *chat = am_json_get(request, "chat");
  int64_t now = am_json_int(am_json_get(request, "now"), 0);
  am_template *tmpl = NULL;
  memset(out, 0, sizeof *out);
  if (!text || text->type != AM_JSON_STRING) {
    out->status = am_fail(&out->error, ADAM_INVALID, "request", NULL, "no template");
    return;
  }
  out->status = am_template_open("template", text->as.string, text->n, &tmpl, &out->error);
  if (!out->status && chat)
    render_chat(tmpl, chat, now, out);
  else if (!out->status)
    out->status =
        am_template_render(tmpl, am_json_get(request, "variables"), NULL, now, &out->text, &out->error);
  am_template_close(&tmpl);
}

static int drive(void) {
  char *line = NULL;
  size_t capacity = 0;
  ssize_t n;
  while ((n = getline(&line, &capacity, stdin)) > 0) {
    am_arena arena = {0};
    am_json request;
    reply answer;
    am_buf json = {0};
    adam_error error;
    if (am_json_parse(line, (size_t)n, "line", 0, &arena, &request, &error)) {
      printf("{\"error\": \"bad request\", \"status\": \"%s\"}\n", error.why);
    } else {
      render(&request, &answer);
      am_buf_append_str(&json, answer.status ? "{\"error\": " : "{\"output\": ");
      const char *text = answer.status ? answer.error.why : answer.text.data ? answer.text.data : "";
      am_json_write_string(&json, text, answer.status ? strlen(text) : answer.text.len);
      if (answer.status) am_buf_printf(&json, ", \"status\": \"%s\"", adam_status_name(answer.status));
      printf("%s}\n", json.data);
      am_buf_close(&answer.text);
    }
    fflush(stdout);
    am_buf_close(&json);
    am_arena_close(&arena);
  }
  free(line);
  return 0;
}

/* "line N: ...", with N that of Jinja where Jinja gave one. */
static bool names_line(const am_json *golden, const char *why) {
  long long line = 0;
  const am_json *wanted = am_json_get(golden, "line");
  return sscanf(why, "line %lld: ", &line) == 1 && (!wanted || line == (long long)am_json_int(wanted, 0));
}

/* One golden: {"template", "variables" or "chat", "output" or "error"}. */
static bool agrees(const am_json *golden, const char *file, unsigned line) {
  const am_json *wanted = am_json_get(golden, "output");
  reply answer;
  render(golden, &answer);
  bool ok = wanted ? !answer.status && answer.text.len == wanted->n &&
                         (wanted->n == 0 || memcmp(answer.text.data, wanted->as.string, wanted->n) == 0)
                   : answer.status == ADAM_TEMPLATE && names_line(golden, answer.error.why);
  if (!ok)
    printf("%s:%u: %.300s\n  wanted: %.600s\n  got:    %.600s\n", file, line,
           am_json_str(am_json_get(golden, "template"), ""),
           wanted ? wanted->as.string : am_json_str(am_json_get(golden, "error"), "?"),
           answer.status      ? answer.error.why
           : answer.text.data ? answer.text.data
                              : "");
  am_buf_close(&answer.text);
  return ok;
}

static int check_file(const char *name) {
  char path[4096];
  snprintf(path, sizeof path, "%s/tests/golden/templates/%s", ADAM_SOURCE_DIR, name);
  FILE *file = fopen(path, "rb");
  if (!file) return perror(path), 1;
  char *text = NULL;
  size_t capacity = 0;
  ssize_t n;
  unsigned line = 0, bad = 0;
  while ((n = getline(&text, &capacity, file)) > 0) {
    am_arena arena = {0};
    am_json golden;
    adam_error error;
    line++;
    if (am_json_parse(text, (size_t)n, name, 0, &arena, &golden, &error))
      bad += printf("%s:%u: %s\n", name, line, error.why) > 0;
    else
      bad += !agrees(&golden, name, line);
    am_arena_close(&arena);
  }
  free(text);
  fclose(file);
  printf("%s: %u of %u equal\n", name, line - bad, line);
  return bad > 0 || line == 0;
}

int main(int argc, char **argv) {
  if (argc > 1 && strcmp(argv[1], "-") == 0) return drive();
  setenv("TZ", "UTC", 1); /* as the goldens were written */
  return check_file("features.jsonl") | check_file("chats.jsonl");
}
