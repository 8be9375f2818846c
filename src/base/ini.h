/* SPDX-License-Identifier: Apache-2.0 */
/* base/ini: settings as people write them: `[section]`, `key = value`, comments behind ; and #.
 * Purpose: libinih's grammar with the refusals that a person needs: every error names the line. In: bytes
 * that nobody trusts. Out: one call for each key, in file order, with the lines of a value joined (a line
 * that begins with a space goes on with the value above it; they are joined by a line feed). Threads: any;
 * holds no state. Refused: what is no UTF-8, NUL and other control characters, lines over 198 bytes, names
 * over 48. */
#ifndef AM_BASE_INI_H
#define AM_BASE_INI_H

#include <adam/status.h>
#include <stddef.h>

typedef struct am_ini_entry {
  const char
      *section; /* "" before the first header; what is between the brackets, without the space around it */
  const char *key;
  const char *value; /* without the space around it; may be "" */
  size_t line;       /* where the key stands, from 1 */
} am_ini_entry;

/* Strings are borrowed until it returns. What it returns ends the reading and comes out of am_ini_parse. */
typedef adam_status (*am_ini_on_entry)(void *user, const am_ini_entry *entry, adam_error *error);

/* `name` is the `what` of errors: "NAME, line 3". ADAM_INVALID: what is no INI. */
adam_status am_ini_parse(const char *text, size_t n_bytes, const char *name, am_ini_on_entry on_entry,
                         void *user, adam_error *error);
/* ADAM_INVALID with "NAME, line N" as its `what`. hint may be NULL. */
adam_status am_ini_fail(adam_error *error, const char *name, size_t line, const char *hint,
                        const char *format, ...) __attribute__((format(printf, 5, 6)));

#endif
