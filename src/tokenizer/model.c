/* SPDX-License-Identifier: Apache-2.0 */
#include "tokenizer/model.h"

#include "base/mem.h"
#include "tokenizer/pieces.h"

#include <string.h>

const am_model_row *am_model_row_named(const char *type) {
  static const am_model_row *const rows[] = {&am_model_bpe, &am_model_spm, &am_model_unigram,
                                             &am_model_wordpiece, &am_model_wordlevel};
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
    if (strcmp(rows[i]->type, type) == 0) return rows[i];
  return NULL;
}

bool am_ids_reserve(am_ids *ids, size_t more) {
  int32_t *grown = am_grow(ids->data, ids->n, more, &ids->capacity, sizeof *grown);
  if (grown) ids->data = grown;
  return grown != NULL;
}

void am_ids_close(am_ids *ids) {
  if (!ids) return;
  am_mem_free(ids->data);
  *ids = (am_ids){0};
}
