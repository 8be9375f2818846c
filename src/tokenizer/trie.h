/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer/trie: all words of a vocabulary as a double-array trie over bytes, for models that look
 * for the words that begin at a place of the text. A child lies at base ^ byte and names its parent,
 * so that a step is one look at one unit. Immutable after bind. */
#ifndef AM_TOKENIZER_TRIE_H
#define AM_TOKENIZER_TRIE_H

#include "tokenizer/vocabulary.h"

#define AM_TRIE_NONE UINT32_MAX
#define AM_TRIE_TAG AM_IMAGE_TAG('T', 'U', 'N', 'I')

typedef struct am_trie_unit {
  uint32_t base;   /* below the number of units */
  uint32_t parent; /* AM_TRIE_NONE: the root, or a free unit */
  int32_t id;      /* of the word that ends here, -1 = none */
} am_trie_unit;

typedef struct am_trie {
  const am_trie_unit *units; /* a multiple of 256; [0] is the root */
} am_trie;

/* Appends the section of all words that am_vocabulary_find can find; they come as spelled. */
adam_status am_trie_build(const am_vocabulary *vocabulary, am_image_writer *writer, adam_error *error);
/* Checks the section, so that no step can leave it. */
adam_status am_trie_bind(const am_image *image, size_t n_ids, am_trie *out, adam_error *error);

/* Goes from *at to its child by byte; false: there is none. */
static inline bool am_trie_step(const am_trie *trie, uint32_t *at, uint8_t byte) {
  uint32_t next = trie->units[*at].base ^ byte;
  if (trie->units[next].parent != *at) return false;
  *at = next;
  return true;
}
/* The unit behind a whole string; AM_TRIE_NONE: no word begins with it. */
uint32_t am_trie_walk(const am_trie *trie, const char *bytes, size_t n_bytes);

#endif
