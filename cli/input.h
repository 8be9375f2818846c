/* SPDX-License-Identifier: Apache-2.0 */
/* What the command reads: whole files, standard input, lists of token ids. */
#ifndef AM_CLI_INPUT_H
#define AM_CLI_INPUT_H

#include <adam/adam.h>

/* All bytes of a file, or of standard input for "-"; NUL-terminated, owned: free. At most 256 MiB. */
adam_status am_input_read(const char *path, char **text, size_t *n_bytes, adam_error *error);
/* The same for text that the library takes as a C string: a NUL byte inside is an error. */
adam_status am_input_read_string(const char *path, char **text, adam_error *error);
/* Appends the ids of a list such as "1,2,3", "1 2 3" or "[1, 2]" to *ids (owned: free). label names
 * the source in errors. */
adam_status am_input_ids(const char *label, const char *list, int32_t **ids, size_t *n_ids,
                         adam_error *error);

#endif
