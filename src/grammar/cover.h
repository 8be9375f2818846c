/* SPDX-License-Identifier: Apache-2.0 */
/* grammar/cover: the fewest tokens that spell a given text, by dynamic programming from its end. */
#ifndef AM_GRAMMAR_COVER_H
#define AM_GRAMMAR_COVER_H

#include "grammar/trie.h"

enum { AM_COVER_MOST_BYTES = 1 << 20 };

typedef struct am_cover {
  uint8_t *text;    /* owned; the text to cover */
  uint32_t *fewest; /* owned; (n + 1) tokens from here to the end */
  int32_t *token;   /* owned; (n) the one to take here */
  uint32_t *to;     /* owned; (n) where it ends */
  size_t capacity;
} am_cover; /* zero-initialise */

/* Room for a text of n_bytes; keeps nothing. false: memory is out. */
bool am_cover_reserve(am_cover *cover, size_t n_bytes);
void am_cover_close(am_cover *cover);
/* Fewest tokens for cover->text (n_bytes); UINT32_MAX when it cannot be spelled. drops_space: the first
 * token loses a leading space, so one that has none or that has another character behind it is taken. */
uint32_t am_cover_count(am_cover *cover, const am_trie *trie, size_t n_bytes, bool drops_space);
/* The tokens themselves, after count. */
void am_cover_tokens(const am_cover *cover, size_t n_bytes, int32_t *out);

#endif
