/* SPDX-License-Identifier: Apache-2.0 */
/* A template, then a NUL byte, then the variables as JSON (none: a small conversation). Rendering ends
 * within its limits, and twice the same. */
#include <stdlib.h>
#include <string.h>

#include "template/template.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char conversation[] =
    "{\"messages\": [{\"role\": \"system\", \"content\": \"S\"}, {\"role\": \"user\", \"content\": "
    "\"H\xc3\xa9\"},"
    "{\"role\": \"assistant\", \"content\": null, \"tool_calls\": [{\"function\": {\"name\": \"f\", "
    "\"arguments\": {\"a\": [1, 2.5]}}}]},"
    "{\"role\": \"tool\", \"content\": \"r\"}], \"tools\": [{\"type\": \"function\", \"function\": "
    "{\"name\": \"f\"}}],"
    "\"add_generation_prompt\": true, \"bos_token\": \"<s>\", \"d\": {\"k\": 1}, \"li\": [3, 1, 2], \"n\": "
    "7}";

static void render_twice(const am_template *tmpl, const am_json *variables) {
  const am_template_limits limits = {
      .max_steps = 20000, .max_output_bytes = 1 << 18, .max_memory_bytes = 4 << 20, .max_depth = 40};
  am_buf first = {0}, second = {0};
  adam_error error = {0};
  adam_status status = am_template_render(tmpl, variables, &limits, 1750000000, &first, &error);
  if (status && (!error.why[0] || first.len)) abort();
  if (am_template_render(tmpl, variables, &limits, 1750000000, &second, NULL) != status) abort();
  if (first.len != second.len || (first.len && memcmp(first.data, second.data, first.len) != 0)) abort();
  am_buf_close(&first);
  am_buf_close(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  am_arena arena = {.limit_bytes = 8 << 20};
  am_json variables;
  am_template *tmpl = NULL;
  adam_error error = {0};
  const uint8_t *end = size ? memchr(data, 0, size) : NULL;
  size_t n_bytes = end ? (size_t)(end - data) : size;
  const char *json = end ? (const char *)end + 1 : conversation;
  size_t json_bytes = end ? size - n_bytes - 1 : sizeof conversation - 1;
  if (am_json_parse(json, json_bytes, "variables", 0, &arena, &variables, &error) ||
      variables.type != AM_JSON_OBJECT)
    goto cleanup;
  if (am_template_open("fuzz", (const char *)data, n_bytes, &tmpl, &error)) {
    if (!error.why[0] || tmpl) abort();
  } else {
    render_twice(tmpl, &variables);
  }
cleanup:
  am_template_close(&tmpl);
  am_arena_close(&arena);
  return 0;
}
