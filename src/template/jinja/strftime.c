/* SPDX-License-Identifier: Apache-2.0 */
/* strftime_now: datetime.now().strftime(format). */
#include "template/jinja/globals.h"

#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* Python answers %f, %z and %Z of a naive time itself; the rest goes to the C library. Returns the bytes
 * of format that it took; 0: not one of these. */
static size_t python_directive(const char *format, size_t n, char *out, size_t capacity) {
  if (n < 2 || format[0] != '%') return 0;
  if (format[1] == 'f')
    snprintf(out, capacity, "000000");
  else if (format[1] == 'z' || format[1] == 'Z')
    out[0] = 0;
  else
    return 0;
  return 2;
}

/* One directive of the C library, with its flags and width, or a run of plain text. */
static size_t directive_length(const char *format, size_t n) {
  if (format[0] != '%') {
    const char *next = memchr(format, '%', n);
    return next ? (size_t)(next - format) : n;
  }
  size_t i = 1;
  while (i < n && format[i] && strchr("_-0^#+EO", format[i])) i++;
  while (i < n && i < 5 && format[i] >= '0' && format[i] <= '9') i++;
  while (i < n && (format[i] == 'E' || format[i] == 'O')) i++;
  return i < n ? i + 1 : n;
}

static bool put_time(am_jinja *jinja, const am_jstring *format, const struct tm *local, locale_t locale) {
  for (size_t i = 0; i < format->n_bytes;) {
    char one[64], text[1024] = "";
    size_t left = format->n_bytes - i, n = python_directive(format->data + i, left, text, sizeof text);
    if (!n) {
      n = directive_length(format->data + i, left);
      if (format->data[i] != '%') {
        if (!am_jinja_put(jinja, format->data + i, n)) return false;
        i += n;
        continue;
      }
      if (n >= sizeof one) return am_jinja_raise(jinja, "Invalid format string");
      memcpy(one, format->data + i, n);
      one[n] = 0;
      if (strftime_l(text, sizeof text, one, local, locale) == 0) text[0] = 0;
    }
    if (!am_jinja_put_text(jinja, text)) return false;
    i += n;
  }
  return true;
}

bool am_jstrftime_now(am_jinja *jinja, const am_jstring *format, am_jvalue *out) {
  time_t now = (time_t)jinja->now_unix_s;
  struct tm local;
  if (!localtime_r(&now, &local)) return am_jinja_raise(jinja, "the time is out of range");
  locale_t locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
  if (!locale) return am_jinja_raise(jinja, "no C locale");
  size_t mark = am_jinja_mark(jinja);
  bool ok = put_time(jinja, format, &local, locale);
  freelocale(locale);
  return ok && am_jinja_cut(jinja, mark, out);
}
