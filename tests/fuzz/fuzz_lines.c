/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "net/lines.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool on_line(void *user, char *line, size_t n_bytes) {
  am_buf *all = user;
  if (line[n_bytes] || memchr(line, '\n', n_bytes)) abort();
  if (!am_buf_append(all, line, n_bytes) || !am_buf_append_char(all, '\n')) abort();
  return false;
}

static void split(const uint8_t *data, size_t size, size_t piece, am_buf *all) {
  am_lines lines = {.limit_bytes = 4096};
  adam_status status = ADAM_OK;
  for (size_t at = 0; at < size && !status; at += piece)
    status = am_lines_push(&lines, data + at, piece < size - at ? piece : size - at, "fuzz", on_line, all, NULL);
  if (!status) am_lines_end(&lines, on_line, all);
  if (lines.pending.len > 4096) abort();
  am_lines_close(&lines);
}

/* The lines are the same however the stream is cut. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0) return 0;
  am_buf whole = {0}, pieces = {0};
  split(data + 1, size - 1, size, &whole);
  split(data + 1, size - 1, data[0] % 7 + 1u, &pieces);
  if (whole.len != pieces.len || (whole.len > 0 && memcmp(whole.data, pieces.data, whole.len) != 0)) abort();
  am_buf_close(&whole);
  am_buf_close(&pieces);
  return 0;
}
