/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer/char_ids: character -> id of the word that is just this character, without hashing. Models
 * that begin with characters make it when they are bound. Immutable after open. */
#ifndef AM_TOKENIZER_CHAR_IDS_H
#define AM_TOKENIZER_CHAR_IDS_H

#include "tokenizer/vocabulary.h"

#define AM_CHAR_IDS_BLOCKS (0x110000 >> 8)

typedef struct am_char_ids {
  uint16_t *blocks; /* owned (AM_CHAR_IDS_BLOCKS): which 256 ids; block 0 has none */
  int32_t *ids;     /* owned (n_blocks, 256); -1 = no such word */
} am_char_ids;

bool am_char_ids_open(const am_vocabulary *vocabulary, am_char_ids *out);
void am_char_ids_close(am_char_ids *ids);

/* codepoint: below 0x110000. */
static inline int32_t am_char_id(const am_char_ids *c, uint32_t codepoint) {
  return c->ids[(size_t)c->blocks[codepoint >> 8] << 8 | (codepoint & 0xFF)];
}

#endif
