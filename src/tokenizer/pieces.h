/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer/pieces: a text and the spans that it has been cut into, as the stages pass it on; and
 * the memory that one call of encode works in. One thread at a time. */
#ifndef AM_TOKENIZER_PIECES_H
#define AM_TOKENIZER_PIECES_H

#include "base/buf.h"
#include "tokenizer/regex.h"
#include <adam/status.h>

typedef struct am_span {
  uint32_t start, end; /* bytes of the text; never empty */
  bool first;          /* begins where the caller's whole text began */
} am_span;

typedef struct am_spans {
  am_span *data; /* owned */
  size_t n, capacity;
} am_spans;

typedef struct am_pieces {
  am_buf text;
  am_spans spans;
} am_pieces;

/* One match of a delimiter, or what lies between two; may be empty. */
typedef struct am_split_event {
  uint32_t start, end;
  bool is_match;
} am_split_event;

typedef struct am_split_events {
  am_split_event *data; /* owned */
  size_t n, capacity;
} am_split_events;

/* Zero-initialise. */
typedef struct am_stage_memory {
  am_pieces pieces, other; /* `other` is where a stage writes before the two are exchanged */
  am_split_events events;
  am_matcher *matcher; /* opened at first use */
  am_buf normalized[2];
  am_buf spare[2]; /* for one normalizer's own steps */
  int32_t *codepoints; /* for Unicode normalisation */
  size_t codepoints_capacity;
} am_stage_memory;
void am_stage_memory_close(am_stage_memory *memory);
/* Gives back what one large text made grow. */
void am_stage_memory_trim(am_stage_memory *memory);
/* The matcher, opened if need be; NULL: memory is out. */
am_matcher *am_stage_matcher(am_stage_memory *memory);

bool am_spans_add(am_spans *spans, size_t start, size_t end, bool first);
bool am_split_events_add(am_split_events *events, size_t start, size_t end, bool is_match);
/* Room for `more` (> 0) elements behind n: data, moved if need be; NULL: memory is out, data stays. */
void *am_grow(void *data, size_t n, size_t more, size_t *capacity, size_t element_bytes);

#endif
