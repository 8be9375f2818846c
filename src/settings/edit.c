/* SPDX-License-Identifier: Apache-2.0 */
/* One key of a settings.ini is set or removed; every other byte stays. */
#include "settings/settings.h"

#include "base/error.h"
#include "base/ini.h"
#include <string.h>

/* Lines are counted from 1; 0 = there is none. */
typedef struct places {
  const char *section, *key; /* wanted; the section as libinih gives it */
  size_t key_line;           /* of the key in its section */
  size_t last_line;          /* of the last key in its section */
} places;

static adam_status on_entry(void *user, const am_ini_entry *e, adam_error *error) {
  places *p = user;
  (void)error;
  const char *name =
      strncmp(e->section, "profile", 7) ? e->section : e->section + 7 + strspn(e->section + 7, " \t");
  if (strcmp(name, p->section) != 0) return ADAM_OK;
  p->last_line = e->line;
  if (!strcmp(e->key, p->key)) p->key_line = e->line;
  return ADAM_OK;
}

/* Where line `line` begins. */
static size_t offset_of(const char *text, size_t n_bytes, size_t line) {
  size_t at = 0;
  for (; line > 1 && at < n_bytes; line--) {
    const char *feed = memchr(text + at, '\n', n_bytes - at);
    at = feed ? (size_t)(feed - text) + 1 : n_bytes;
  }
  return at;
}

/* The end of the value that begins in the line at `at`: behind the lines that go on with it. A comment or an
 * empty line between them belongs to it, one behind them does not. */
static size_t end_of_value(const char *text, size_t n_bytes, size_t at) {
  size_t end = offset_of(text + at, n_bytes - at, 2) + at;
  for (size_t next = end; next < n_bytes;) {
    size_t after = offset_of(text + next, n_bytes - next, 2) + next;
    size_t blank = strspn(text + next, " \t");
    char first = text[next + blank];
    bool is_empty = first == '\n' || first == '\r' || first == 0 || first == ';' || first == '#';
    if (!is_empty && !blank) break;
    if (!is_empty) end = after;
    next = after;
  }
  return end;
}

static void append_line(am_buf *out, const char *key, const char *value) {
  am_buf_printf(out, "%s =", key);
  for (bool first = true; first || *value; first = false) {
    size_t n = strcspn(value, "\n");
    am_buf_append_str(out, " ");
    am_buf_append(out, value, n);
    am_buf_append_str(out, "\n");
    value += n + (value[n] == '\n');
  }
}

/* Libinih would read these values otherwise than they are meant. */
static adam_status check_value(const char *key, const char *value, adam_error *error) {
  bool spaces = *value && (strchr(" \t", *value) || strchr(" \t", value[strlen(value) - 1]));
  bool comment = strstr(value, " ;") || strstr(value, "\t;") || *value == ';' || strstr(value, "\n;") ||
                 strstr(value, "\n#");
  bool empty_line = strstr(value, "\n\n") || (*value && value[strlen(value) - 1] == '\n') || *value == '\n';
  if (!spaces && !comment && !empty_line) return ADAM_OK;
  return am_fail(error, ADAM_INVALID, key, NULL, "the file cannot say a value %s",
                 comment  ? "with ; behind a space: a comment begins there"
                 : spaces ? "that begins or ends with a space"
                          : "with an empty line");
}

adam_status am_settings_edit(const char *text, size_t n_bytes, const char *path, const char *profile,
                             const char *key, const char *value, am_buf *out, adam_error *error) {
  places p = {.section = profile ? profile : "", .key = key};
  am_settings *checked = NULL;
  char range[96];
  am_setting_id id = am_setting_find(key);
  if (id == AM_SETTING_COUNT) return am_setting_unknown(key, error);
  if (profile && (!*profile || strpbrk(profile, "[]\n;#") || strchr(" \t", *profile)))
    return am_fail(error, ADAM_INVALID, "profile", NULL, "'%.60s' is no name of a profile", profile);
  if (value && !am_setting_check(id, value, range, sizeof range))
    return am_fail(error, ADAM_INVALID, key, NULL, "'%.60s' is not %s", value, range);
  adam_status status = value ? check_value(key, value, error) : ADAM_OK;
  if (!status) status = am_ini_parse(text, n_bytes, path, on_entry, &p, error);
  if (status) return status;
  if (!value && !p.key_line) return am_fail(error, ADAM_NOT_FOUND, key, NULL, "%s does not set it", path);
  am_buf_clear(out);
  if (p.key_line) {
    size_t begin = offset_of(text, n_bytes, p.key_line), end = end_of_value(text, n_bytes, begin);
    am_buf_append(out, text, begin);
    if (value) append_line(out, key, value);
    am_buf_append(out, text + end, n_bytes - end);
  } else {
    size_t at = p.last_line ? end_of_value(text, n_bytes, offset_of(text, n_bytes, p.last_line))
                : profile   ? n_bytes
                            : 0;
    am_buf_append(out, text, at);
    if (at && text[at - 1] != '\n') am_buf_append_char(out, '\n');
    if (profile && !p.last_line) am_buf_printf(out, "%s[profile %s]\n", at ? "\n" : "", profile);
    append_line(out, key, value);
    if (!profile && !p.last_line && n_bytes) am_buf_append_char(out, '\n');
    am_buf_append(out, text + at, n_bytes - at);
  }
  if (out->failed) return am_fail_memory(error, path);
  status = am_settings_parse(out->data ? out->data : "", out->len, path, profile, false, &checked, error);
  am_settings_close(&checked);
  return status;
}
