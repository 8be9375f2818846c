/* SPDX-License-Identifier: Apache-2.0 */
/* A Go template, then a NUL byte, then the messages as JSON (none: a small conversation with tools).
 * Rendering ends within its limits, twice the same, and leaves nothing behind when it fails. */
#include <stdlib.h>
#include <string.h>

#include "template/go/go.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char conversation[] =
    "[{\"role\": \"system\", \"content\": \"S\"}, {\"role\": \"user\", \"content\": \"H\xc3\xa9\"},"
    "{\"role\": \"assistant\", \"content\": null, \"thinking\": \"t\", \"tool_calls\": [{\"function\": "
    "{\"name\": \"f\", "
    "\"arguments\": {\"a\": [1, 2.5, null], \"b\": {\"c\": \"<\"}}}}]}, {\"role\": \"tool\", \"content\": "
    "\"r\"}]";
static const char tools[] =
    "[{\"type\": \"function\", \"function\": {\"name\": \"f\", \"description\": \"d\", \"parameters\": "
    "{\"type\": "
    "\"object\", \"required\": [\"a\"], \"properties\": {\"a\": {\"type\": [\"string\", \"null\"], \"enum\": "
    "[1, \"x\"]}}}}}]";

static void render_twice(const am_go_template *tmpl, const am_json *messages, const am_json *list,
                         bool fill) {
  am_buf first = {0}, second = {0};
  adam_error error = {0};
  am_go_request request = {.messages = messages,
                           .tools = list,
                           .prompt = fill ? "p" : NULL,
                           .suffix = fill ? "s" : NULL,
                           .think = fill ? -1 : 1,
                           .strip_thinking = true,
                           .now_unix_s = 1750000000,
                           .max_steps = 20000,
                           .max_output_bytes = 1 << 18};
  adam_status status = am_go_template_render(tmpl, &request, &first, &error);
  if (status && (!error.why[0] || first.len)) abort();
  if (am_go_template_render(tmpl, &request, &second, NULL) != status) abort();
  if (first.len != second.len || (first.len && memcmp(first.data, second.data, first.len) != 0)) abort();
  am_buf_close(&first);
  am_buf_close(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  am_arena arena = {.limit_bytes = 8 << 20};
  am_json messages, list;
  am_go_template *tmpl = NULL;
  adam_error error = {0};
  const uint8_t *end = size ? memchr(data, 0, size) : NULL;
  size_t n_bytes = end ? (size_t)(end - data) : size;
  const char *json = end ? (const char *)end + 1 : conversation;
  size_t json_bytes = end ? size - n_bytes - 1 : sizeof conversation - 1;
  if (am_json_parse(json, json_bytes, "messages", 0, &arena, &messages, &error) ||
      am_json_parse(tools, sizeof tools - 1, "tools", 0, &arena, &list, &error))
    goto cleanup;
  if (am_go_template_open("fuzz", (const char *)data, n_bytes, &tmpl, &error)) {
    if (!error.why[0] || tmpl) abort();
  } else {
    render_twice(tmpl, &messages, &list, false);
    render_twice(tmpl, &messages, NULL, true);
  }
cleanup:
  am_go_template_close(&tmpl);
  am_arena_close(&arena);
  return 0;
}
