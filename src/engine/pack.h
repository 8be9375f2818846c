/* SPDX-License-Identifier: Apache-2.0 */
/* engine/pack: many texts of different length through the model, side by side in one batch and never
 * padded. A decoder's text may be longer than a batch, an encoder's makes the batch longer. One thread. */
#ifndef AM_ENGINE_PACK_H
#define AM_ENGINE_PACK_H

#include "engine/loaded.h"

enum { AM_PACK_SEGMENTS = 64 };

/* What comes out, text by text in the order in which they were added: rows of a text in order, after the
 * final norm (n, n_embd); or, for logits, one row of n_vocab after its last token. */
typedef struct am_pack_output {
  void *user;
  adam_status (*on_rows)(void *user, size_t index, const float *rows, uint32_t n, bool is_first, bool is_last,
                         adam_error *error);
  bool wants_logits;
} am_pack_output;

typedef struct am_pack {
  am_engine *engine; /* borrowed */
  am_pack_output output;
  am_workspace *workspace; /* owned; opened when its size is known */
  uint32_t workspace_tokens, workspace_outputs;
  int32_t *ids, *types; /* owned; (capacity) */
  uint32_t n_tokens, capacity;
  am_segment segments[AM_PACK_SEGMENTS];
  size_t index[AM_PACK_SEGMENTS]; /* of the text */
  uint32_t n_segments;
} am_pack;

void am_pack_open(am_engine *engine, const am_pack_output *output, am_pack *pack);
void am_pack_close(am_pack *pack);
/* Adds a text of n >= 1 ids with token types (NULL = all 0), running what was gathered when it is full. */
adam_status am_pack_add(am_pack *pack, size_t index, const int32_t *ids, const int32_t *types, uint32_t n,
                        adam_error *error);
/* Runs what was gathered. */
adam_status am_pack_flush(am_pack *pack, adam_error *error);

#endif
