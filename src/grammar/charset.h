/* SPDX-License-Identifier: Apache-2.0 */
/* grammar/charset: sets of Unicode characters as sorted ranges, and their UTF-8 as byte edges of a
 * grammar. Surrogates (U+D800 to U+DFFF) are in no set. One thread. */
#ifndef AM_GRAMMAR_CHARSET_H
#define AM_GRAMMAR_CHARSET_H

#include "grammar/build.h"

#define AM_CHARSET_LAST 0x10FFFFu

typedef struct am_char_range {
  uint32_t first, last;
} am_char_range;

typedef struct am_charset {
  am_char_range *ranges; /* owned */
  size_t n, capacity;
  bool failed; /* memory was out; from then on nothing is added */
} am_charset;  /* zero-initialise */

void am_charset_close(am_charset *set);
void am_charset_add(am_charset *set, uint32_t first, uint32_t last);
void am_charset_add_all(am_charset *set, const am_charset *more);
/* Sorts and joins; takes surrogates out. Needed before the next three. */
void am_charset_normalise(am_charset *set);
void am_charset_negate(am_charset *set);
/* Only what lies between first and last. */
void am_charset_clip(am_charset *set, uint32_t first, uint32_t last);
bool am_charset_has(const am_charset *set, uint32_t character);

/* Edges for the UTF-8 of every character of a normalised set. */
void am_charset_emit(const am_charset *set, am_builder *builder, uint32_t from, uint32_t to);

#endif
