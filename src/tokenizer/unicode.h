/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer/unicode: what a code point is, in the eyes of the `tokenizers` library (the data is
 * measured from it, see tools/make_tokenizer_unicode.py). Call am_unicode_open once before any
 * lookup; then any thread. */
#ifndef AM_TOKENIZER_UNICODE_H
#define AM_TOKENIZER_UNICODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum am_category {
  AM_CN,
  AM_LU,
  AM_LL,
  AM_LT,
  AM_LM,
  AM_LO,
  AM_MN,
  AM_MC,
  AM_ME,
  AM_ND,
  AM_NL,
  AM_NO,
  AM_PC,
  AM_PD,
  AM_PS,
  AM_PE,
  AM_PI,
  AM_PF,
  AM_PO,
  AM_SM,
  AM_SC,
  AM_SK,
  AM_SO,
  AM_ZS,
  AM_ZL,
  AM_ZP,
  AM_CC,
  AM_CF,
  AM_CO,
  AM_CS
} am_category;

enum {
  AM_CLASS_CATEGORY = 0x1F,
  AM_CLASS_SPACE = 1 << 5,       /* \s */
  AM_CLASS_WORD = 1 << 6,        /* \w of the Rust regex crate: single_word, Whitespace */
  AM_CLASS_PUNCTUATION = 1 << 7, /* the Punctuation pre-tokenizer */
  AM_CLASS_NUMERIC = 1 << 8,     /* the Digits pre-tokenizer */
  AM_CLASS_ACCENT = 1 << 9,      /* the StripAccents normalizer */
  AM_CLASS_NFC_UNSAFE = 1 << 10, /* NFC may change it, or what stands before it */
  AM_CLASS_INERT = 1 << 11,      /* newer than the library's normalisation: no form touches it */
  AM_CLASS_RECENT = 1 << 12,     /* its category differs from Unicode 14's */
  AM_CLASS_LETTER = 1 << 13,     /* \p{L} */
  AM_CLASS_NUMBER = 1 << 14,     /* \p{N} */
  AM_CLASS_MARK = 1 << 15        /* \p{M} */
};

extern uint8_t am_unicode_block_of[0x1100];
extern uint16_t am_unicode_blocks[][256];

void am_unicode_open(void);

/* Class word of a code point below 0x110000. */
static inline uint16_t am_unicode_class(uint32_t codepoint) {
  return am_unicode_blocks[am_unicode_block_of[codepoint >> 8]][codepoint & 0xFF];
}

/* Decodes one character of valid UTF-8 at p; returns its length. */
static inline size_t am_unicode_next(const uint8_t *p, uint32_t *codepoint) {
  uint32_t c = p[0];
  if (c < 0x80) return *codepoint = c, 1;
  if (c < 0xE0) return *codepoint = (c & 0x1F) << 6 | (p[1] & 0x3Fu), 2;
  if (c < 0xF0) return *codepoint = (c & 0x0F) << 12 | (p[1] & 0x3Fu) << 6 | (p[2] & 0x3Fu), 3;
  *codepoint = (c & 0x07) << 18 | (p[1] & 0x3Fu) << 12 | (p[2] & 0x3Fu) << 6 | (p[3] & 0x3Fu);
  return 4;
}

/* Start of the character that ends at `end` (> 0) of valid UTF-8. */
static inline size_t am_unicode_previous(const uint8_t *text, size_t end) {
  do end--;
  while (end > 0 && (text[end] & 0xC0) == 0x80);
  return end;
}

/* Lower case as Rust's char::to_lowercase: one character, except U+0130 -> two; returns how many. */
int am_unicode_lower(uint32_t codepoint, uint32_t out[2]);
/* True when NFC leaves valid UTF-8 as it is, judged character by character. */
bool am_unicode_is_nfc(const char *text, size_t n_bytes);

/* Ranges of code points in ascending order, each with a value above 0. */
typedef struct am_unicode_range {
  uint32_t first, last;
  uint8_t value;
} am_unicode_range;
/* Value of the range that has the code point; 0: none has. */
uint8_t am_unicode_range_value(const am_unicode_range *ranges, size_t n, uint32_t codepoint);

/* Calls on_run for each maximal run of code points with one class word, in order. */
void am_unicode_runs(void (*on_run)(void *user, uint32_t first, uint32_t last, uint16_t value), void *user);

#endif
