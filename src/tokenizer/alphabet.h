/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer/alphabet: the byte alphabet of GPT-2. Bytes 33-126, 161-172, 174-255 stand for
 * themselves as code points; the other 68, in ascending order, are U+0100 + n. Pure functions. */
#ifndef AM_TOKENIZER_ALPHABET_H
#define AM_TOKENIZER_ALPHABET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Code point that spells a byte (below 0x144: two bytes of UTF-8 at most). */
uint32_t am_alphabet_spell(uint8_t byte);
/* Byte that a code point spells; -1 for code points outside of the alphabet. */
int am_alphabet_byte(uint32_t codepoint);
/* Turns a spelled piece (valid UTF-8) into its bytes, written to out (room for n_bytes); the number
 * of bytes, or SIZE_MAX when a character is not of the alphabet (out is then undefined). */
size_t am_alphabet_bytes(const char *piece, size_t n_bytes, char *out);
/* Spells n_bytes into out (room for 2 * n_bytes); returns the length. */
size_t am_alphabet_spell_bytes(const char *bytes, size_t n_bytes, char *out);

#endif
