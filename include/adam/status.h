/* SPDX-License-Identifier: Apache-2.0 */
/* Status codes and the error record. 0 is success, everything else is negative.
 * One list gives the enumerator, the value, the exit code of the command and the text. */
#ifndef ADAM_STATUS_H
#define ADAM_STATUS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(ADAM_BUILD_SHARED) && defined(__GNUC__)
#define ADAM_API __attribute__((visibility("default")))
#else
#define ADAM_API
#endif

/* X(name, value, exit_code, text) */
#define ADAM_STATUS_LIST(X)                                              \
  X(OK, 0, 0, "success")                                                 \
  X(FAILED, -1, 1, "failed")                                             \
  X(INVALID, -2, 2, "invalid argument")                                  \
  X(NOT_FOUND, -3, 3, "not found")                                       \
  X(NO_MEMORY, -4, 4, "does not fit in memory")                          \
  X(UNAVAILABLE, -5, 5, "backend not available")                         \
  X(DAMAGED, -6, 6, "damaged file")                                      \
  X(UNSUPPORTED, -7, 6, "unsupported file or feature")                   \
  X(IO, -8, 1, "input or output failed")                                 \
  X(LIMIT, -9, 1, "a limit was reached")                                 \
  X(TEMPLATE, -10, 1, "the chat template raised an error")               \
  X(CANCELLED, -11, 130, "cancelled")

typedef enum adam_status {
#define ADAM_STATUS_ENUM(name, value, exit_code, text) ADAM_##name = value,
  ADAM_STATUS_LIST(ADAM_STATUS_ENUM)
#undef ADAM_STATUS_ENUM
} adam_status;

/* What went wrong, in words for a person. Filled where the cause is known best; untouched on
 * success. Printed as `WHAT: WHY (HINT)`; `hint` may be empty. Plain memory: copy it freely.
 * All three are NUL-terminated UTF-8 and truncated at a character border when too long. */
typedef struct adam_error {
  adam_status status;
  char what[256]; /* the thing: a file, an option, a model */
  char why[512];  /* the cause: offset, found, expected */
  char hint[256]; /* what the user can do about it */
} adam_error;

/* Constant text of a status ("damaged file"); never NULL. Any thread. */
ADAM_API const char *adam_status_text(adam_status status);
/* Name of a status ("DAMAGED"); never NULL. Any thread. */
ADAM_API const char *adam_status_name(adam_status status);
/* The exit code that the command uses for this status (0, 1..6, 130). Any thread. */
ADAM_API int adam_status_exit_code(adam_status status);
/* Writes `WHAT: WHY (HINT)` into out (capacity_bytes, always NUL-terminated unless 0) and returns
 * the length that the whole text has, as snprintf does. Any thread. */
ADAM_API size_t adam_error_format(const adam_error *error, char *out, size_t capacity_bytes);

#ifdef __cplusplus
}
#endif
#endif
