/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer/probe: texts on which two tokenizers that are not the same part ways: scripts, digits, blanks,
 * marks, contractions in both cases, code, emoji. Immutable. */
#ifndef AM_TOKENIZER_PROBE_H
#define AM_TOKENIZER_PROBE_H

#include <stdbool.h>
#include <stddef.h>

/* Text `index`; NULL: there are no more. *composed tells whether NFC leaves it as it is. */
const char *am_probe_at(size_t index, bool *composed);

#endif
