/* SPDX-License-Identifier: Apache-2.0 */
/* What the command tells a person: one line each on standard error, control characters made
 * harmless. */
#ifndef AM_CLI_REPORT_H
#define AM_CLI_REPORT_H

#include <adam/adam.h>

/* Fills *error and returns status. what: the option, file or model; hint may be "". */
adam_status am_report_fill(adam_error *error, adam_status status, const char *what, const char *hint,
                           const char *why_format, ...) __attribute__((format(printf, 5, 6)));
/* The same for memory that ran out. */
adam_status am_report_no_memory(adam_error *error);
/* `adam: WHAT: WHY (HINT)` on standard error. */
void am_report_error(const adam_error *error);
/* `adam: note: TEXT`, or `adam: warning: TEXT` for a degraded one. */
void am_report_notice(const adam_notice *notice);
/* A line without the prefix, formatted. */
void am_report_line(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
