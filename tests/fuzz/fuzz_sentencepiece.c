/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/utf8.h"
#include "tokenizer/sentencepiece.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_inside(const am_vocab_string *text, const uint8_t *data, size_t size) {
  const uint8_t *begin = (const uint8_t *)text->bytes;
  if (text->n_bytes == 0) return;
  /* The names of trainer_spec may be the standard ones, which lie elsewhere. */
  bool inside = begin >= data && begin <= data + size;
  if (inside && text->n_bytes > size - (size_t)(begin - data)) __builtin_trap();
}

/* What a model that can be read names lies inside its bytes, and its texts are UTF-8. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  am_arena arena = {.limit_bytes = 64 << 20};
  am_sp_model model;
  adam_error error = {0};
  if (am_sp_read("fuzz", data, size, &arena, &model, &error) == ADAM_OK) {
    if (model.n_pieces == 0) __builtin_trap();
    for (size_t i = 0; i < model.n_pieces; i++) {
      check_inside(&model.pieces[i].text, data, size);
      if (!am_utf8_valid(model.pieces[i].text.bytes, model.pieces[i].text.n_bytes)) __builtin_trap();
      if (model.pieces[i].type < AM_SP_NORMAL || model.pieces[i].type > AM_SP_BYTE) __builtin_trap();
    }
    check_inside(&model.precompiled_charsmap, data, size);
    check_inside(&model.unk_piece, data, size);
  } else if (!error.why[0]) {
    __builtin_trap();
  }
  am_arena_close(&arena);
  return 0;
}
