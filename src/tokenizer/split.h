/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer/split: what becomes of the delimiters when a span is cut (SplitDelimiterBehavior of
 * the library), given all matches and gaps of that span in order. */
#ifndef AM_TOKENIZER_SPLIT_H
#define AM_TOKENIZER_SPLIT_H

#include "tokenizer/pieces.h"
#include "tokenizer/words.h"

typedef enum am_split_behavior {
  AM_SPLIT_REMOVED,
  AM_SPLIT_ISOLATED,
  AM_SPLIT_MERGED_WITH_PREVIOUS,
  AM_SPLIT_MERGED_WITH_NEXT,
  AM_SPLIT_CONTIGUOUS
} am_split_behavior;

/* From "Isolated", "MergedWithNext", ...; -1 for an unknown name. */
int am_split_behavior_named(const char *name);

/* Cuts `span` by its events (offsets within the text) and appends what is left to out. */
bool am_split_apply(const am_span *span, am_split_events *events, am_split_behavior behavior, am_spans *out);
/* Turns matches into gaps and gaps into matches. */
void am_split_invert(am_split_events *events);

/* Events of a regex on the n_bytes at text + start. */
adam_status am_split_by_regex(const am_regex *regex, am_stage_memory *memory, const char *text,
                              const am_span *span, adam_error *error);
/* Events of a word matcher: every word is a match. */
adam_status am_split_by_words(am_word_end words, am_stage_memory *memory, const char *text,
                              const am_span *span, adam_error *error);
/* Events of single characters whose class word has a bit of `mask`, or that equal `character`
 * (UINT32_MAX: none): each is a match of its own. */
adam_status am_split_by_class(uint16_t mask, uint32_t character, am_stage_memory *memory, const char *text,
                              const am_span *span, adam_error *error);

#endif
