/* SPDX-License-Identifier: Apache-2.0 */
/* Answers with and without calls; the first byte says how they are cut. What is text and what is a call must
 * not depend on the cut. */
#include "base/json.h"
#include "template/tool_calls.h"

#include <stdlib.h>
#include <string.h>

static const char tools[] = "[{\"name\": \"now\", \"parameters\": {\"properties\": {\"a\": {\"type\": \"string\"}}}}]";

static void read_all(const char *answer, size_t n, size_t step, am_buf *text, am_buf *calls) {
  am_tool_calls *reader = NULL;
  if (am_tool_calls_open(tools, 1, &reader, NULL) != ADAM_OK) abort();
  for (size_t at = 0; at < n; at += step) {
    if (am_tool_calls_push(reader, answer + at, n - at < step ? n - at : step, text, NULL) != ADAM_OK) abort();
    for (const char *call; (call = am_tool_calls_take(reader));) am_buf_append_str(calls, call);
  }
  if (am_tool_calls_finish(reader, text, NULL) != ADAM_OK) abort();
  for (const char *call; (call = am_tool_calls_take(reader));) am_buf_append_str(calls, call);
  am_tool_calls_close(&reader);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t n);
int LLVMFuzzerTestOneInput(const unsigned char *data, size_t n) {
  am_buf text[2] = {{0}}, calls[2] = {{0}};
  if (n < 2) return 0;
  size_t steps[2] = {n, 1 + data[0] % 16};
  for (int i = 0; i < 2; i++) {
    read_all((const char *)data + 1, n - 1, steps[i], &text[i], &calls[i]);
    if (!am_buf_reserve(&text[i], 1) || !am_buf_reserve(&calls[i], 1)) abort();
  }
  if (text[0].len != text[1].len || memcmp(text[0].data, text[1].data, text[0].len) != 0) abort();
  if (calls[0].len != calls[1].len || memcmp(calls[0].data, calls[1].data, calls[0].len) != 0) abort();
  for (int i = 0; i < 2; i++) {
    am_buf_close(&text[i]);
    am_buf_close(&calls[i]);
  }
  return 0;
}
