/* SPDX-License-Identifier: Apache-2.0 */
/* --help, and the documents that are generated from the same tables. */
#ifndef AM_CLI_HELP_H
#define AM_CLI_HELP_H

#include <stdio.h>

#include "options.h"

/* What `adam --help` and `adam COMMAND --help` print. */
void am_help_overview(FILE *out);
void am_help_command(FILE *out, am_command_id command);
/* "-m, --model REF" into out. */
void am_help_label(const am_option *option, char *out, size_t capacity_bytes);
/* The help sentence and, in brackets, what the argument may be. */
void am_help_text(am_option_id option, char *out, size_t capacity_bytes);
/* Writes a document: "man", "markdown", "presets", "bash", "zsh" or "fish"; false = unknown kind. */
bool am_docs_write(FILE *out, const char *kind);
void am_docs_completion(FILE *out, const char *shell);
void am_docs_presets(FILE *out);

#endif
