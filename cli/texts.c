/* SPDX-License-Identifier: Apache-2.0 */
#include "texts.h"

#include <stdlib.h>
#include <string.h>

#include "input.h"
#include "report.h"

static adam_status add(am_texts *out, const char *text, size_t n_bytes, adam_error *error) {
  if ((out->n & (out->n - 1)) == 0) { /* 0 or a power of two: full */
    size_t capacity = out->n ? out->n * 2 : 1;
    const char **texts = realloc(out->texts, capacity * sizeof *texts);
    if (texts) out->texts = texts;
    size_t *bytes = realloc(out->bytes, capacity * sizeof *bytes);
    if (bytes) out->bytes = bytes;
    if (!texts || !bytes) return am_report_no_memory(error);
  }
  out->texts[out->n] = text;
  out->bytes[out->n++] = n_bytes;
  return ADAM_OK;
}

/* One line of the file; the text stays in out->lines. */
static adam_status add_line(am_texts *out, const char *label, size_t number, const char *line, size_t n_bytes,
                            adam_error *error) {
  json_error_t where;
  json_t *value = json_loadb(line, n_bytes, JSON_DECODE_ANY | JSON_ALLOW_NUL, &where);
  json_t *text = json_is_object(value) ? json_object_get(value, "text") : value;
  if (!json_is_string(text)) {
    json_decref(value);
    return am_report_fill(error, ADAM_INVALID, label, "each line is {\"text\":\"...\"} or a JSON string",
                          "line %zu: %s", number, value ? "it has no text" : where.text);
  }
  adam_status status = add(out, json_string_value(text), json_string_length(text), error);
  if (json_array_append_new(out->lines, value)) status = am_report_no_memory(error);
  return status;
}

static adam_status read_lines(const char *path, am_texts *out, adam_error *error) {
  const char *label = strcmp(path, "-") ? path : "standard input";
  char *read = NULL;
  size_t n_bytes = 0, number = 0;
  adam_status status = am_input_read(path, &read, &n_bytes, error);
  for (size_t at = 0; status == ADAM_OK && at < n_bytes;) {
    const char *end = memchr(read + at, '\n', n_bytes - at);
    size_t length = end ? (size_t)(end - read) - at : n_bytes - at;
    number++;
    size_t blank = 0;
    while (blank < length && strchr(" \t\r", read[at + blank]) && read[at + blank]) blank++;
    if (blank < length) status = add_line(out, label, number, read + at, length, error);
    at += length + 1;
  }
  free(read);
  return status;
}

adam_status am_texts_read(const am_arguments *arguments, am_texts *out, adam_error *error) {
  adam_status status = ADAM_OK;
  out->lines = json_array();
  if (!out->lines) return am_report_no_memory(error);
  for (size_t i = 0; i < arguments->n_positional && status == ADAM_OK; i++)
    status = add(out, arguments->positional[i], strlen(arguments->positional[i]), error);
  if (status == ADAM_OK && arguments->is_set[AM_OPTION_INPUT])
    status = read_lines(arguments->text[AM_OPTION_INPUT], out, error);
  return status;
}

void am_texts_close(am_texts *texts) {
  free(texts->texts);
  free(texts->bytes);
  json_decref(texts->lines);
  *texts = (am_texts){0};
}
