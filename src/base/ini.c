/* SPDX-License-Identifier: Apache-2.0 */
#include "base/ini.h"

#include "base/buf.h"
#include "base/error.h"
#include "base/utf8.h"
#include <ini.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { LONGEST_NAME = 48 }; /* libinih cuts what is longer than 49 bytes */

typedef struct reading {
  const char *rest, *end, *name;
  size_t line;     /* of what libinih got last */
  size_t key_line; /* of the entry that waits; 0 = none waits */
  bool goes_on;    /* the line begins with a space */
  am_buf section, key, value;
  am_ini_on_entry on_entry;
  void *user;
  adam_error *error;
  adam_status status;
} reading;

adam_status am_ini_fail(adam_error *error, const char *name, size_t line, const char *hint,
                        const char *format, ...) {
  char what[sizeof error->what], why[sizeof error->why];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(why, sizeof why, format, arguments);
  va_end(arguments);
  snprintf(what, sizeof what, "%s, line %zu", name, line);
  return am_fail(error, ADAM_INVALID, what, hint, "%s", why);
}

/* Hands out the entry whose lines have all come. */
static void flush(reading *r) {
  if (r->status || !r->key_line) return;
  if (r->section.failed || r->key.failed || r->value.failed) {
    r->status = am_fail_memory(r->error, r->name);
    return;
  }
  am_ini_entry entry = {r->section.data, r->key.data, r->value.data, r->key_line};
  r->key_line = 0;
  r->status = r->on_entry(r->user, &entry, r->error);
}

static void replace(am_buf *buf, const char *text) {
  am_buf_clear(buf);
  am_buf_append_str(buf, text);
}

static bool is_blank(char c) { return c == ' ' || c == '\t'; }

/* libinih's handler. A line that goes on comes with the section and the key of the line above. */
static int take(void *user, const char *section, const char *key, const char *value) {
  reading *r = user;
  if (r->status) return 1;
  if (r->goes_on && r->key_line) {
    am_buf_append_char(&r->value, '\n');
    am_buf_append_str(&r->value, value);
    return 1;
  }
  flush(r);
  if (r->status) return 1;
  if (strlen(section) > LONGEST_NAME || strlen(key) > LONGEST_NAME || !*key) {
    r->status = am_ini_fail(r->error, r->name, r->line, NULL,
                            *key ? "the name '%s' is too long" : "a name is missing%s",
                            !*key                        ? ""
                            : strlen(key) > LONGEST_NAME ? key
                                                         : section);
    return 1;
  }
  section += strspn(section, " \t");
  replace(&r->section, section);
  while (r->section.len && is_blank(r->section.data[r->section.len - 1]))
    r->section.data[--r->section.len] = 0;
  replace(&r->key, key);
  replace(&r->value, value);
  r->key_line = r->line;
  return 1;
}

/* Nothing but space, or a comment. */
static bool is_empty(const char *line, size_t n_bytes) {
  size_t i = 0;
  while (i < n_bytes && (is_blank(line[i]) || line[i] == '\r' || line[i] == '\n')) i++;
  return i == n_bytes || line[i] == ';' || line[i] == '#';
}

/* fgets for libinih, over memory: one line; NULL at the end or when something is wrong. */
static char *next_line(char *out, int capacity, void *user) {
  reading *r = user;
  if (r->status || r->rest == r->end) return NULL;
  const char *feed = memchr(r->rest, '\n', (size_t)(r->end - r->rest));
  size_t n = feed ? (size_t)(feed - r->rest) + 1 : (size_t)(r->end - r->rest);
  r->line++;
  if (n + 1 > (size_t)capacity) {
    r->status = am_ini_fail(r->error, r->name, r->line, "go on in the next line and begin it with a space",
                            "it is longer than %d bytes", capacity - 2);
    return NULL;
  }
  r->goes_on = is_blank(*r->rest);
  if (r->goes_on && !r->key_line && !is_empty(r->rest, n)) {
    r->status = am_ini_fail(r->error, r->name, r->line, "remove the space",
                            "it begins with a space, and there is no value that it could go on with");
    return NULL;
  }
  if (*r->rest == '[') flush(r);
  memcpy(out, r->rest, n);
  out[n] = 0;
  r->rest += n;
  return r->status ? NULL : out;
}

/* Nothing but UTF-8 text: control characters in a settings file are a mistake, or an attack on a terminal. */
static adam_status check_text(const char *text, size_t n_bytes, const char *name, adam_error *error) {
  size_t good = am_utf8_valid_prefix(text, n_bytes), line = 1;
  for (size_t i = 0; i < good; i++) {
    unsigned char c = (unsigned char)text[i];
    if (c == '\n') line++;
    if ((c < ' ' && c != '\n' && c != '\t' && !(c == '\r' && i + 1 < good && text[i + 1] == '\n')) ||
        c == 0x7f)
      return am_ini_fail(error, name, line, NULL, "it has the control character %d", c);
  }
  return good == n_bytes
             ? ADAM_OK
             : am_ini_fail(error, name, line, NULL, "it is no UTF-8 at byte %zu of the file", good);
}

adam_status am_ini_parse(const char *text, size_t n_bytes, const char *name, am_ini_on_entry on_entry,
                         void *user, adam_error *error) {
  adam_status status = check_text(text, n_bytes, name, error);
  if (status) return status;
  reading r = {
      .rest = text, .end = text + n_bytes, .name = name, .on_entry = on_entry, .user = user, .error = error};
  int wrong_line = ini_parse_stream(next_line, &r, take, &r);
  if (!r.status && wrong_line)
    r.status = am_ini_fail(error, name, wrong_line > 0 ? (size_t)wrong_line : r.line, NULL,
                           "it is neither [section] nor key = value");
  flush(&r);
  am_buf_close(&r.section);
  am_buf_close(&r.key);
  am_buf_close(&r.value);
  return r.status;
}
