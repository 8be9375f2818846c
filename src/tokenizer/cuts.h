/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer/cuts: where a text can be cut without changing what BPE makes of it. Merging makes words of
 * the vocabulary only, so nothing ever grows across two neighbouring characters that stand side by side
 * in no word. Which pairs do is kept exactly for ASCII and the space mark, and as a filter of bits that
 * may say yes too often, never no, for all others. A section of the image; immutable after bind. */
#ifndef AM_TOKENIZER_CUTS_H
#define AM_TOKENIZER_CUTS_H

#include "tokenizer/unicode.h"
#include "tokenizer/vocabulary.h"

#define AM_CUTS_TAG AM_IMAGE_TAG('C', 'U', 'T', 'S')
#define AM_CUTS_MARK 0x2581u /* U+2581, which stands for a space; it shares the place of NUL */

typedef struct am_cuts {
  const uint64_t *plain; /* (128, 2) bits: after which character which may follow in a word; NULL = no cuts */
  const uint64_t *filter; /* (mask + 1) / 64 words of bits */
  uint64_t mask;
} am_cuts;

/* Appends the section for all words of the vocabulary, which has been bound. */
bool am_cuts_build(const am_vocabulary *vocabulary, am_image_writer *writer);
/* false: the section is not sound. */
bool am_cuts_bind(const am_image *image, am_cuts *out);

static inline uint64_t am_cuts_bit(uint32_t left, uint32_t right) {
  uint64_t key = ((uint64_t)left << 32 | right) * 0x9E3779B97F4A7C15u;
  return (key ^ key >> 32) * 0xD6E8FEB86659FD93u >> 20;
}

/* End of the part that begins at `start` (< end) of valid UTF-8: up to the first place where a cut is
 * safe. */
static inline size_t am_cuts_next(const am_cuts *cuts, const uint8_t *text, size_t end, size_t start) {
  uint32_t left, right = 0;
  size_t p = start + am_unicode_next(text + start, &left);
  if (left == AM_CUTS_MARK) left = 0;
  for (; p < end; left = right) {
    size_t length = 1;
    right = text[p];
    if (right >= 0x80) length = am_unicode_next(text + p, &right);
    if (right == AM_CUTS_MARK) right = 0;
    if ((left | right) < 0x80) {
      if (!(cuts->plain[2 * left + (right >> 6)] >> (right & 63) & 1)) break;
    } else {
      uint64_t bit = am_cuts_bit(left, right) & cuts->mask;
      if (!(cuts->filter[bit >> 6] >> (bit & 63) & 1)) break;
    }
    p += length;
  }
  return p;
}

#endif
