/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

/* Copies text into out, cut at a character border; control characters, DEL, C1 controls and invalid
 * bytes become '?'. */
static void copy_clean(char *out, size_t capacity, const char *text) {
  size_t n = strlen(text), at = 0, written = 0;
  while (at < n) {
    uint32_t codepoint;
    int length = am_utf8_decode(text + at, n - at, &codepoint);
    bool clean = length > 0 && codepoint >= 0x20 && (codepoint < 0x7F || codepoint > 0x9F);
    size_t bytes = length > 0 ? (size_t)length : (size_t)-length;
    size_t need = clean ? bytes : 1;
    if (written + need >= capacity) break;
    if (clean) {
      memcpy(out + written, text + at, bytes);
    } else {
      out[written] = '?';
    }
    written += need;
    at += bytes;
  }
  out[written] = 0;
}

adam_status am_fail(adam_error *error, adam_status status, const char *what, const char *hint,
                    const char *why_format, ...) {
  if (!error) return status;
  char why[sizeof error->why + 8]; /* a little longer, so that the cut finds the border itself */
  va_list arguments;
  va_start(arguments, why_format);
  int n = vsnprintf(why, sizeof why, why_format, arguments);
  va_end(arguments);
  if (n < 0) why[0] = 0;
  /* what and hint may point into *error itself. */
  adam_error made = {.status = status};
  copy_clean(made.what, sizeof made.what, what ? what : "");
  copy_clean(made.why, sizeof made.why, why);
  copy_clean(made.hint, sizeof made.hint, hint ? hint : "");
  *error = made;
  return status;
}

adam_status am_fail_memory(adam_error *error, const char *what) {
  return am_fail(error, ADAM_NO_MEMORY, what, "close other programs or choose a smaller model",
                 "memory could not be allocated");
}

void am_error_rename(adam_error *error, const char *what) {
  if (!error) return;
  char name[sizeof error->what];
  copy_clean(name, sizeof name, what);
  memcpy(error->what, name, sizeof name);
}
