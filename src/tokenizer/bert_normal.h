/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer/bert_normal: the BertNormalizer: clean text, set Chinese characters apart, strip accents,
 * lower case, in this order. Pure but for the memory it works in. */
#ifndef AM_TOKENIZER_BERT_NORMAL_H
#define AM_TOKENIZER_BERT_NORMAL_H

#include "tokenizer/pieces.h"

typedef struct am_bert_options {
  bool clean, chinese, accents, lower;
} am_bert_options;

/* Appends the normal form of valid UTF-8 to out; *lost_start is set when nothing of the first
 * character is left. false: memory is out. */
bool am_bert_normal(am_bert_options options, const char *text, size_t n_bytes, am_stage_memory *memory,
                    am_buf *out, bool *lost_start);

#endif
