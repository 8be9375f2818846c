/* SPDX-License-Identifier: Apache-2.0 */
/* Standard output: unbuffered, every failure noticed, terminals protected from what models say.
 * A pipe whose reader left is a quiet failure; any other is reported once. */
#ifndef AM_CLI_OUTPUT_H
#define AM_CLI_OUTPUT_H

#include <adam/adam.h>
#include <stdio.h>

/* Writes all bytes; false from the first failure on. */
bool am_output_bytes(const void *bytes, size_t n_bytes);
bool am_output_text(const char *text);
bool am_output_format(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Text of a model: as it is into files and pipes; on a terminal control characters other than line
 * end and tab are shown as ^X or U+FFFD. `text` ends at a character border. */
bool am_output_model_text(const char *text, size_t n_bytes);
/* The same for thinking, dimmed (where colours are wanted), on standard error and only where that
 * is a terminal. `first` and `last` mark the borders of the thinking part. */
void am_output_thinking(const char *text, size_t n_bytes, bool first, bool last);
bool am_output_is_terminal(void);
/* Closes standard output and returns the exit code: `code`, or 1 when something was not written,
 * which is then reported. */
int am_output_finish(int code);
bool am_output_failed(void);

/* Writes text with control characters shown into a terminal's file descriptor. */
bool am_output_shown(int file, const char *text, size_t n_bytes);

/* A file that appears whole or not at all: written beside `path`, then renamed over it. A path that
 * exists and is no regular file (a pipe, /dev/null) is written to directly. */
typedef struct am_output_file {
  FILE *stream;    /* owned */
  char *path;      /* owned: where it ends up */
  char *temporary; /* owned; NULL when written directly */
} am_output_file;
adam_status am_output_file_open(const char *path, unsigned mode, am_output_file *out, adam_error *error);
/* Puts the file in place. Closes in every case. */
adam_status am_output_file_commit(am_output_file *file, adam_error *error);
/* Drops what was written. A zeroed file is fine. */
void am_output_file_discard(am_output_file *file);

#endif
