/* SPDX-License-Identifier: Apache-2.0 */
/* Texts for commands that take many: the arguments, or the lines of a file. */
#ifndef AM_CLI_TEXTS_H
#define AM_CLI_TEXTS_H

#include <jansson.h>

#include "options.h"

typedef struct am_texts {
  const char **texts;
  size_t *bytes;
  size_t n;
  json_t *lines; /* what holds the texts of a file */
} am_texts;

/* The positionals and, behind them, --input's lines: each {"text":"..."} or a JSON string; empty lines are
 * passed over. Zero *out first; am_texts_close in every case. */
adam_status am_texts_read(const am_arguments *arguments, am_texts *out, adam_error *error);
void am_texts_close(am_texts *texts);

#endif
