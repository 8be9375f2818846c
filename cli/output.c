/* SPDX-License-Identifier: Apache-2.0 */
#include "output.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "report.h"

static int failure; /* errno of the first write that failed */

static bool write_all(int file, const char *bytes, size_t n_bytes) {
  while (n_bytes > 0) {
    ssize_t n = write(file, bytes, n_bytes);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return false;
    bytes += n;
    n_bytes -= (size_t)n;
  }
  return true;
}

bool am_output_bytes(const void *bytes, size_t n_bytes) {
  if (failure) return false;
  if (!write_all(STDOUT_FILENO, bytes, n_bytes)) failure = errno;
  return !failure;
}

bool am_output_text(const char *text) { return am_output_bytes(text, strlen(text)); }

bool am_output_format(const char *format, ...) {
  char *text = NULL;
  va_list arguments;
  va_start(arguments, format);
  int n = vasprintf(&text, format, arguments);
  va_end(arguments);
  if (n < 0) {
    failure = ENOMEM;
    return false;
  }
  bool written = am_output_bytes(text, (size_t)n);
  free(text);
  return written;
}

bool am_output_is_terminal(void) { return isatty(STDOUT_FILENO); }

bool am_output_failed(void) { return failure != 0; }

/* How a character that would steer a terminal is shown instead; 0 = it is harmless. *n_bytes is the
 * length of the character. */
static size_t replacement(const char *text, size_t n_left, size_t *n_bytes, char out[4]) {
  unsigned char c = (unsigned char)text[0];
  *n_bytes = 1;
  if ((c < 0x20 && c != '\n' && c != '\t') || c == 0x7F) {
    out[0] = '^';
    out[1] = (char)(c ^ 0x40);
    return 2;
  }
  if (c == 0xC2 && n_left > 1 && (unsigned char)text[1] < 0xA0) { /* U+0080 to U+009F */
    *n_bytes = 2;
    memcpy(out, "\xEF\xBF\xBD", 3);
    return 3;
  }
  return 0;
}

bool am_output_shown(int file, const char *text, size_t n_bytes) {
  size_t start = 0, i = 0;
  while (i < n_bytes) {
    char shown[4];
    size_t length = 1, n_shown = replacement(text + i, n_bytes - i, &length, shown);
    if (n_shown > 0) {
      if (!write_all(file, text + start, i - start) || !write_all(file, shown, n_shown)) return false;
      start = i + length;
    }
    i += length;
  }
  return write_all(file, text + start, n_bytes - start);
}

bool am_output_model_text(const char *text, size_t n_bytes) {
  if (!am_output_is_terminal()) return am_output_bytes(text, n_bytes);
  if (failure) return false;
  if (!am_output_shown(STDOUT_FILENO, text, n_bytes)) failure = errno;
  return !failure;
}

void am_output_thinking(const char *text, size_t n_bytes, bool first, bool last) {
  if (!isatty(STDERR_FILENO)) return;
  const char *no_color = getenv("NO_COLOR"), *terminal = getenv("TERM");
  bool colours = !(no_color && no_color[0]) && terminal && strcmp(terminal, "dumb") != 0;
  if (first) (void)write_all(STDERR_FILENO, colours ? "\033[2m" : "[thinking]\n", colours ? 4 : 11);
  (void)am_output_shown(STDERR_FILENO, text, n_bytes);
  if (last) (void)write_all(STDERR_FILENO, colours ? "\033[0m\n" : "\n[answer]\n", colours ? 5 : 10);
}

int am_output_finish(int code) {
  if (!failure && close(STDOUT_FILENO) != 0 && errno != EBADF && errno != EINTR) failure = errno;
  if (!failure) return code;
  if (failure != EPIPE) am_report_line("adam: standard output: %s", strerror(failure));
  return code ? code : 1;
}
