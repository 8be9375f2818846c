/* SPDX-License-Identifier: Apache-2.0 */
/* base/error: fills adam_error where the cause is known best. Threads: any. */
#ifndef AM_BASE_ERROR_H
#define AM_BASE_ERROR_H

#include <adam/status.h>

#if defined(__GNUC__)
#define AM_PRINTF(format_index, first_index) __attribute__((format(printf, format_index, first_index)))
#else
#define AM_PRINTF(format_index, first_index)
#endif

/* Sets *error (may be NULL) and returns status, so that `return am_fail(error, ADAM_DAMAGED, path,
 * "re-download the file", "tensor %s ends at %llu, file has %llu bytes", ...)` reads in one line.
 * `what` and `hint` may be NULL (empty). Texts are cut at a UTF-8 border. Control characters in
 * the text are replaced by '?', so that a hostile file cannot steer a terminal. */
adam_status am_fail(adam_error *error, adam_status status, const char *what, const char *hint,
                    const char *why_format, ...) AM_PRINTF(5, 6);
/* am_fail with ADAM_NO_MEMORY and the standard words. */
adam_status am_fail_memory(adam_error *error, const char *what);
/* Replaces the `what` of an error made lower down, for callers that know the better name. */
void am_error_rename(adam_error *error, const char *what);

#endif
