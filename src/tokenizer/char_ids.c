/* SPDX-License-Identifier: Apache-2.0 */
#include "tokenizer/char_ids.h"

#include "base/mem.h"
#include "base/utf8.h"

#include <string.h>

/* The character that a word is; UINT32_MAX: it is more than one, or none. */
static uint32_t only_character(const am_vocabulary *v, size_t id) {
  size_t at = v->bytes_at[id], n_bytes = v->bytes_at[id + 1] - at;
  uint32_t codepoint;
  if (n_bytes == 0 || n_bytes > 4) return UINT32_MAX;
  return am_utf8_decode(v->bytes + at, n_bytes, &codepoint) == (int)n_bytes ? codepoint : UINT32_MAX;
}

bool am_char_ids_open(const am_vocabulary *v, am_char_ids *out) {
  am_char_ids made = {.blocks = am_mem_zalloc(AM_CHAR_IDS_BLOCKS, sizeof *made.blocks)};
  size_t n_blocks = 1;
  if (!made.blocks) return false;
  for (size_t id = 0; id < v->n_ids; id++) {
    uint32_t c = only_character(v, id);
    if (c != UINT32_MAX && !made.blocks[c >> 8]) made.blocks[c >> 8] = (uint16_t)n_blocks++;
  }
  made.ids = am_mem_alloc(n_blocks * 256 * sizeof *made.ids);
  if (!made.ids) {
    am_char_ids_close(&made);
    return false;
  }
  memset(made.ids, 0xFF, n_blocks * 256 * sizeof *made.ids);
  for (size_t id = 0; id < v->n_ids; id++) {
    uint32_t c = only_character(v, id);
    if (c == UINT32_MAX) continue;
    /* Of two words with one spelling, find knows which one counts. */
    size_t at = v->bytes_at[id], n_bytes = v->bytes_at[id + 1] - at;
    made.ids[(size_t)made.blocks[c >> 8] << 8 | (c & 0xFF)] = am_vocabulary_find(v, v->bytes + at, n_bytes);
  }
  *out = made;
  return true;
}

void am_char_ids_close(am_char_ids *ids) {
  am_mem_free(ids->blocks);
  am_mem_free(ids->ids);
  *ids = (am_char_ids){0};
}
