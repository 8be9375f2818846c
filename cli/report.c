/* SPDX-License-Identifier: Apache-2.0 */
#include "report.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

adam_status am_report_fill(adam_error *error, adam_status status, const char *what, const char *hint,
                           const char *why_format, ...) {
  adam_error fresh = {.status = status};
  va_list arguments;
  snprintf(fresh.what, sizeof fresh.what, "%s", what);
  snprintf(fresh.hint, sizeof fresh.hint, "%s", hint);
  va_start(arguments, why_format);
  vsnprintf(fresh.why, sizeof fresh.why, why_format, arguments);
  va_end(arguments);
  *error = fresh;
  return status;
}

adam_status am_report_no_memory(adam_error *error) {
  return am_report_fill(error, ADAM_NO_MEMORY, "memory", "", "none left");
}

/* One write for the whole line, so that lines of several processes do not mix. Names and texts come
 * from files: no byte of them may steer the terminal or start a new line. */
static void write_line(char *line, size_t n) {
  for (size_t i = 0; i < n; i++) {
    unsigned char c = (unsigned char)line[i];
    bool c1 = c == 0xC2 && i + 1 < n && (unsigned char)line[i + 1] < 0xA0;
    if (c < 0x20) line[i] = ' ';
    if (c == 0x7F || c1) line[i] = '?';
    if (c1) line[++i] = '?';
  }
  line[n] = '\n';
  /* Nothing can be done where standard error cannot be written. */
  (void)!write(STDERR_FILENO, line, n + 1);
}

void am_report_line(const char *format, ...) {
  char line[2048];
  va_list arguments;
  va_start(arguments, format);
  int n = vsnprintf(line, sizeof line - 1, format, arguments);
  va_end(arguments);
  if (n < 0) return;
  write_line(line, (size_t)n < sizeof line - 2 ? (size_t)n : sizeof line - 2);
}

void am_report_error(const adam_error *error) {
  char text[1200];
  adam_error_format(error, text, sizeof text);
  am_report_line("adam: %s", text);
}

void am_report_notice(const adam_notice *notice) {
  am_report_line("adam: %s: %s", notice->level == ADAM_NOTICE_DEGRADED ? "warning" : "note", notice->text);
}
