/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer/grapheme: extended grapheme clusters (Unicode Standard Annex 29) as the `tokenizers` library
 * finds them. Pure function. */
#ifndef AM_TOKENIZER_GRAPHEME_H
#define AM_TOKENIZER_GRAPHEME_H

#include <stddef.h>

/* End of the cluster that begins at `start` (< n_bytes) of valid UTF-8. */
size_t am_grapheme_end(const char *text, size_t n_bytes, size_t start);

#endif
