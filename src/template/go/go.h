/* SPDX-License-Identifier: Apache-2.0 */
/* template/go: Go's text/template as Ollama's models use it.
 * Purpose: byte for byte what Ollama's package `template` (v0.9.6) renders, from the same messages. In:
 *   template text that nobody trusts (UTF-8), messages and tools as JSON. Out: text, or an error that
 *   names the line; an error wherever Go has one. Not there: complex numbers, %#v, %T, %p, methods other
 *   than String; they are refused by name. Bounded: steps, depth, output and memory have limits. Threads:
 *   a compiled template is immutable and may be rendered by many threads at once.
 * Beyond v0.9.6, as newer versions have them: currentDate, yesterdayDate, toTypeScriptType, .ThinkLevel
 *   (missing unless set), .ToolCallID of a message and .ID of a call.
 * Strings are bytes, as in Go: a template may cut a character in two. */
#ifndef AM_TEMPLATE_GO_GO_H
#define AM_TEMPLATE_GO_GO_H

#include "base/buf.h"
#include "base/json.h"
#include <adam/status.h>

typedef struct am_go_template am_go_template;

/* Compiles text; `name` is the `what` of errors. Syntax errors: ADAM_TEMPLATE "line N: ...". As in Ollama
 * a template that names neither .Messages nor .Response gets {{ .Response }} at its end. */
adam_status am_go_template_open(const char *name, const char *text, size_t n_bytes, am_go_template **out,
                                adam_error *error);
void am_go_template_close(am_go_template **tmpl);

/* What is rendered. Messages are objects {role, content, thinking (or reasoning_content, reasoning),
 * tool_calls, tool_name (or name), tool_call_id}; content null is "", a list of text parts is one text, a
 * call's arguments may be JSON text. Tools are read as Ollama reads them: keys of a schema that it does not
 * know are not seen by the template. */
typedef struct am_go_request {
  const am_json *messages; /* array, or NULL = none */
  const am_json *tools;    /* array or NULL */
  const char *prompt;      /* with suffix, both not empty: fill in the middle, messages are not used */
  const char *suffix;
  int think;               /* -1 = not set, 0, 1 */
  const char *think_level; /* NULL = none */
  bool strip_thinking; /* <think>...</think> leaves assistant messages before the last user message: Ollama
                          does so in chats of qwen3 and deepseek-r1 */
  int64_t now_unix_s;  /* for currentDate, local time; 0 = now */
  uint64_t max_steps;  /* 0 = 20 million */
  size_t max_output_bytes; /* 0 = 64 MiB */
} am_go_request;

/* Modes as Ollama's: suffix; the template names .Messages: rendered once; otherwise once for each turn
 * with .System, .Prompt and .Response, the last one up to the first .Response. On failure out is
 * as it was. */
adam_status am_go_template_render(const am_go_template *tmpl, const am_go_request *request, am_buf *out,
                                  adam_error *error);

/* What Ollama infers from the template's text; borrowed. */
typedef struct am_go_traits {
  bool messages, system, tools, suffix, think; /* the template names the field */
  const char *thinking_open, *thinking_close;  /* around .Thinking; "" = not found */
  const char *tool_call;                       /* what begins a call; "{" where there is no tag */
} am_go_traits;
const am_go_traits *am_go_template_traits(const am_go_template *tmpl);

#endif
