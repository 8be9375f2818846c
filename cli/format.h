/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers for people. */
#ifndef AM_CLI_FORMAT_H
#define AM_CLI_FORMAT_H

#include <stdint.h>

/* "98 MB", decimal units. */
void am_format_bytes(uint64_t bytes, char out[16]);
/* "134.5 M", "8.19 B": how sizes of models are written. */
void am_format_count(uint64_t count, char out[16]);
/* "131,072" */
void am_format_thousands(uint64_t count, char out[32]);

#endif
