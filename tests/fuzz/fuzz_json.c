/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was read can be written, and what was written reads as the same and is written the same: a text
 * that comes out of the writer is a fixed point. */
static void round_trip(const am_json *value) {
  am_buf first = {0}, second = {0};
  am_arena arena = {0};
  am_json again;
  if (!am_json_write(&first, value)) abort();
  if (am_json_parse(first.data, first.len, "fuzz", 0, &arena, &again, NULL)) abort();
  if (!am_json_write(&second, &again)) abort();
  if (first.len != second.len || memcmp(first.data, second.data, first.len) != 0) abort();
  am_arena_close(&arena);
  am_buf_close(&first);
  am_buf_close(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  am_arena arena = {.limit_bytes = 64 << 20};
  am_json value;
  adam_error error = {0};
  uint32_t flags = size > 0 && (data[size - 1] & 1) ? AM_JSON_UNIQUE_KEYS : 0;
  if (am_json_parse((const char *)data, size, "fuzz", flags, &arena, &value, &error)) {
    if (!error.why[0] || error.status == ADAM_OK) abort();
  } else {
    round_trip(&value);
  }
  am_arena_close(&arena);
  return 0;
}
