/* SPDX-License-Identifier: Apache-2.0 */
/* base/utf8: strict UTF-8 (no overlong forms, no surrogates, up to U+10FFFF). Pure functions. */
#ifndef AM_BASE_UTF8_H
#define AM_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AM_UTF8_REPLACEMENT 0xFFFDu

/* Decodes one character of at most n_bytes (> 0). Returns its length 1..4 and sets *codepoint; on
 * invalid bytes returns the length of the maximal invalid prefix (1..3, as Unicode and Python's
 * 'replace' count them) negated, with *codepoint = U+FFFD. */
int am_utf8_decode(const char *bytes, size_t n_bytes, uint32_t *codepoint);
/* Encodes into out[4], returns the length; 0 for values that are not characters. */
int am_utf8_encode(uint32_t codepoint, char out[4]);
bool am_utf8_valid(const char *bytes, size_t n_bytes);
/* Offset of the first invalid byte, n_bytes when all is valid. */
size_t am_utf8_valid_prefix(const char *bytes, size_t n_bytes);
/* How many bytes at the end are the beginning of a character that more bytes could complete (0..3). */
size_t am_utf8_incomplete_tail(const char *bytes, size_t n_bytes);
/* Number of code points of valid UTF-8. */
size_t am_utf8_count(const char *bytes, size_t n_bytes);

#endif
