/* SPDX-License-Identifier: Apache-2.0 */
#include <adam/status.h>

#include <adam/adam.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

const char *adam_status_text(adam_status status) {
  switch (status) {
#define STATUS_TEXT(name, value, exit_code, text) \
  case ADAM_##name: return text;
    ADAM_STATUS_LIST(STATUS_TEXT)
#undef STATUS_TEXT
  }
  return "unknown status";
}

const char *adam_status_name(adam_status status) {
  switch (status) {
#define STATUS_NAME(name, value, exit_code, text) \
  case ADAM_##name: return #name;
    ADAM_STATUS_LIST(STATUS_NAME)
#undef STATUS_NAME
  }
  return "UNKNOWN";
}

int adam_status_exit_code(adam_status status) {
  switch (status) {
#define STATUS_EXIT(name, value, exit_code, text) \
  case ADAM_##name: return exit_code;
    ADAM_STATUS_LIST(STATUS_EXIT)
#undef STATUS_EXIT
  }
  return 1;
}

size_t adam_error_format(const adam_error *error, char *out, size_t capacity_bytes) {
  const char *why = error->why[0] ? error->why : adam_status_text(error->status);
  const char *colon = error->what[0] ? ": " : "";
  const char *open = error->hint[0] ? " (" : "", *close = error->hint[0] ? ")" : "";
  int n = snprintf(out, capacity_bytes, "%s%s%s%s%s%s", error->what, colon, why, open, error->hint, close);
  return n > 0 ? (size_t)n : 0;
}

const char *adam_finish_reason_name(adam_finish_reason reason) {
  switch (reason) {
    case ADAM_FINISH_STOP: return "stop";
    case ADAM_FINISH_LENGTH: return "length";
    case ADAM_FINISH_CANCELLED: return "cancelled";
    case ADAM_FINISH_TOOL_CALLS: return "tool_calls";
    case ADAM_FINISH_ERROR: return "error";
  }
  return "error";
}

static void close_notices(adam_notice *notices, size_t n) {
  for (size_t i = 0; i < n; i++) {
    am_mem_free((void *)(uintptr_t)notices[i].code);
    am_mem_free((void *)(uintptr_t)notices[i].text);
  }
  am_mem_free(notices);
}

void adam_embed_result_close(adam_embed_result *result) {
  if (!result) return;
  am_mem_free(result->values);
  am_mem_free(result->model);
  am_mem_free(result->backend);
  am_mem_free(result->device);
  close_notices(result->notices, result->n_notices);
  memset(result, 0, sizeof *result);
}

void adam_rerank_result_close(adam_rerank_result *result) {
  if (!result) return;
  am_mem_free(result->scores);
  am_mem_free(result->model);
  am_mem_free(result->backend);
  am_mem_free(result->device);
  close_notices(result->notices, result->n_notices);
  memset(result, 0, sizeof *result);
}

void adam_result_close(adam_result *result) {
  if (!result) return;
  am_mem_free(result->text);
  am_mem_free(result->thinking);
  am_mem_free(result->tool_calls_json);
  am_mem_free(result->ids);
  am_mem_free(result->model);
  am_mem_free(result->backend);
  am_mem_free(result->device);
  close_notices(result->notices, result->n_notices);
  am_mem_free(result->logprobs);
  memset(result, 0, sizeof *result);
}

void adam_free(void *memory) { am_mem_free(memory); }

const char *adam_version(void) { return ADAM_VERSION; }
