/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer/word_pairs: every way to make a word of a vocabulary of two of its symbols. Where a file has
 * scores or an order of words instead of merges, these are the merges. */
#ifndef AM_TOKENIZER_WORD_PAIRS_H
#define AM_TOKENIZER_WORD_PAIRS_H

#include "tokenizer/vocabulary.h"
#include <adam/status.h>

/* Left and right are ids of words, or n_ids + k for the k-th odd character. */
typedef struct am_word_pair {
  uint32_t left, right, made;
} am_word_pair;

typedef struct am_word_pairs {
  am_word_pair *data; /* owned; by ascending `made`, then by the left part's length */
  size_t n, capacity;
} am_word_pairs;

/* odd: (n_odd) ascending code points of single characters that are no words and count as symbols all the
 * same; NULL = none. More pairs than `most`, or hostile words that would take seconds: ADAM_LIMIT. */
adam_status am_word_pairs_find(const am_vocabulary *vocabulary, const uint32_t *odd, size_t n_odd,
                               size_t most, am_word_pairs *out, adam_error *error);
void am_word_pairs_close(am_word_pairs *pairs);

/* Place of a code point in odd; -1 = it is not there. */
int64_t am_word_pairs_odd(const uint32_t *odd, size_t n_odd, uint32_t codepoint);

#endif
