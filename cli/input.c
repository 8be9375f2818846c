/* SPDX-License-Identifier: Apache-2.0 */
#include "input.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "report.h"

static const size_t MOST_BYTES = (size_t)256 << 20;

static adam_status read_all(int file, const char *label, char **text, size_t *n_bytes, adam_error *error) {
  size_t capacity = 64 << 10, n = 0;
  char *bytes = malloc(capacity + 1), *larger = NULL;
  if (!bytes) return am_report_no_memory(error);
  for (;;) {
    ssize_t got = read(file, bytes + n, capacity - n);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      adam_status status = am_report_fill(error, ADAM_IO, label, "", "%s", strerror(errno));
      free(bytes);
      return status;
    }
    if (got == 0) break;
    n += (size_t)got;
    if (n < capacity) continue;
    if (capacity >= MOST_BYTES) {
      free(bytes);
      return am_report_fill(error, ADAM_LIMIT, label, "", "more than %zu MiB", MOST_BYTES >> 20);
    }
    capacity *= 2;
    if (!(larger = realloc(bytes, capacity + 1))) {
      free(bytes);
      return am_report_no_memory(error);
    }
    bytes = larger;
  }
  bytes[n] = '\0';
  *text = bytes;
  *n_bytes = n;
  return ADAM_OK;
}

adam_status am_input_read(const char *path, char **text, size_t *n_bytes, adam_error *error) {
  if (strcmp(path, "-") == 0) return read_all(STDIN_FILENO, "standard input", text, n_bytes, error);
  int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return am_report_fill(error, ADAM_IO, path, "", "%s", strerror(errno));
  adam_status status = read_all(file, path, text, n_bytes, error);
  close(file);
  return status;
}

adam_status am_input_read_string(const char *path, char **text, adam_error *error) {
  size_t n_bytes = 0;
  char *bytes = NULL;
  adam_status status = am_input_read(path, &bytes, &n_bytes, error);
  if (status != ADAM_OK) return status;
  size_t length = strlen(bytes);
  if (length != n_bytes) {
    free(bytes);
    return am_report_fill(error, ADAM_INVALID, strcmp(path, "-") ? path : "standard input", "",
                          "a NUL byte at offset %zu", length);
  }
  *text = bytes;
  return ADAM_OK;
}

static bool is_separator(char c) { return c == ',' || c == '[' || c == ']' || isspace((unsigned char)c); }

adam_status am_input_ids(const char *label, const char *list, int32_t **ids, size_t *n_ids,
                         adam_error *error) {
  size_t most = *n_ids + strlen(list) / 2 + 1, n = *n_ids;
  int32_t *grown = realloc(*ids, most * sizeof *grown);
  if (!grown) return am_report_no_memory(error);
  *ids = grown;
  for (const char *at = list; *at;) {
    if (is_separator(*at)) {
      at++;
      continue;
    }
    char *end = NULL;
    errno = 0;
    long long id = strtoll(at, &end, 10);
    if (!isdigit((unsigned char)*at) || (*end && !is_separator(*end)) || errno || id > INT32_MAX)
      return am_report_fill(error, ADAM_INVALID, label, "ids are whole numbers from 0 to 2147483647",
                            "'%.*s' at offset %zu is not a token id", (int)strcspn(at, ", ]\n\r\t") % 40, at,
                            (size_t)(at - list));
    grown[n++] = (int32_t)id;
    at = end;
  }
  *n_ids = n;
  return ADAM_OK;
}
