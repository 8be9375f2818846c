/* SPDX-License-Identifier: Apache-2.0 */
/* Renders Go templates for scripts: with `-` reads JSON lines from standard input, {"template": TEXT,
 * "messages": [...], "tools": [...], "think": BOOL, "prompt": TEXT, "suffix": TEXT, "strip": BOOL}, and
 * answers each with {"output": TEXT, "open": TEXT, "close": TEXT} or {"error": TEXT}. Without arguments it
 * compares the goldens of tests/golden/go_templates, which Ollama's package wrote. */
#include "template/go/go.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/utf8.h"
#include "template/go/known.h"

typedef struct reply {
  adam_status status;
  adam_error error;
  am_buf text; /* bad bytes replaced, each by U+FFFD, as Go's JSON shows them */
  char open[64], close[64];
} reply;

static void replace_bad_bytes(am_buf *text) {
  am_buf clean = {0};
  for (size_t at = 0; at < text->len;) {
    uint32_t c = 0;
    int length = am_utf8_decode(text->data + at, text->len - at, &c);
    am_buf_append_codepoint(&clean, length < 0 ? AM_UTF8_REPLACEMENT : c);
    at += length < 0 ? 1u : (size_t)length;
  }
  am_buf_close(text);
  *text = clean;
}

static void render(const am_json *request, reply *out) {
  const am_json *text = am_json_get(request, "template"), *think = am_json_get(request, "think");
  const am_json *messages = am_json_get(request, "messages");
  am_go_template *tmpl = NULL;
  memset(out, 0, sizeof *out);
  out->status =
      am_go_template_open("template", am_json_str(text, ""), text ? text->n : 0, &tmpl, &out->error);
  if (out->status) return;
  am_go_request go = {.messages = am_json_is_null(messages) ? NULL : messages,
                      .tools = am_json_get(request, "tools"),
                      .prompt = am_json_str(am_json_get(request, "prompt"), NULL),
                      .suffix = am_json_str(am_json_get(request, "suffix"), NULL),
                      .think = am_json_is_null(think) ? -1 : am_json_bool(think, false),
                      .strip_thinking = am_json_bool(am_json_get(request, "strip"), false)};
  out->status = am_go_template_render(tmpl, &go, &out->text, &out->error);
  const am_go_traits *traits = am_go_template_traits(tmpl);
  snprintf(out->open, sizeof out->open, "%s", traits->thinking_open);
  snprintf(out->close, sizeof out->close, "%s", traits->thinking_close);
  am_go_template_close(&tmpl);
  replace_bad_bytes(&out->text);
}

static void member(am_buf *json, const char *before, const char *text, size_t n) {
  am_buf_append_str(json, before);
  am_json_write_string(json, text, n);
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
      am_buf_append_str(&json, "{\"error\": \"request\"");
    } else {
      render(&request, &answer);
      if (answer.status) {
        member(&json, "{\"error\": ", answer.error.why, strlen(answer.error.why));
      } else {
        member(&json, "{\"output\": ", answer.text.data ? answer.text.data : "", answer.text.len);
        member(&json, ", \"open\": ", answer.open, strlen(answer.open));
        member(&json, ", \"close\": ", answer.close, strlen(answer.close));
      }
      am_buf_close(&answer.text);
    }
    printf("%s}\n", json.data);
    fflush(stdout);
    am_buf_close(&json);
    am_arena_close(&arena);
  }
  free(line);
  return 0;
}

/* One golden: a request with "output" or "error" ("error" alone: its words are Go's). */
static bool agrees(const am_json *golden, unsigned line) {
  const am_json *wanted = am_json_get(golden, "output");
  reply answer;
  render(golden, &answer);
  bool ok = wanted ? !answer.status && answer.text.len == wanted->n &&
                         (wanted->n == 0 || memcmp(answer.text.data, wanted->as.string, wanted->n) == 0) &&
                         strcmp(answer.open, am_json_str(am_json_get(golden, "open"), "")) == 0 &&
                         strcmp(answer.close, am_json_str(am_json_get(golden, "close"), "")) == 0
                   : answer.status != ADAM_OK;
  /* a pointer was formatted and its text not shown: Go could, we do not */
  if (wanted && answer.status && strstr(answer.error.why, "Go prints its address")) ok = true;
  if (!ok)
    printf("line %u: %.300s\n  wanted: %.600s\n  got:    %.600s\n", line,
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
  snprintf(path, sizeof path, "%s/tests/golden/go_templates/%s", ADAM_SOURCE_DIR, name);
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
      bad += !agrees(&golden, line);
    am_arena_close(&arena);
  }
  free(text);
  fclose(file);
  printf("%s: %u of %u equal\n", name, line - bad, line);
  return bad > 0 || line == 0;
}

static int print_known(void) {
  for (const am_go_known *row = am_go_known_rows; row->name; row++) {
    am_buf json = {0};
    am_buf_printf(&json, "{\"name\": \"%s\"", row->name);
    member(&json, ", \"template\": ", row->text, strlen(row->text));
    am_buf_append_str(&json, ", \"stop\": [");
    for (size_t i = 0; row->stop[i]; i++) member(&json, i ? ", " : "", row->stop[i], strlen(row->stop[i]));
    printf("%s]}\n", json.data);
    am_buf_close(&json);
  }
  return 0;
}

int main(int argc, char **argv) {
  if (argc > 1 && strcmp(argv[1], "-") == 0) return drive();
  if (argc > 1 && strcmp(argv[1], "--known") == 0) return print_known();
  return check_file("features.jsonl");
}
