/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer/pretokenizer: text -> pieces that the model sees one by one. A new kind is a row in
 * the table of pretokenizer.c: how its JSON is read, what it does to the pieces. Immutable after
 * open. */
#ifndef AM_TOKENIZER_PRETOKENIZER_H
#define AM_TOKENIZER_PRETOKENIZER_H

#include "base/json.h"
#include "tokenizer/pieces.h"
#include "tokenizer/words.h"

typedef enum am_prepend_scheme { AM_PREPEND_NEVER, AM_PREPEND_FIRST, AM_PREPEND_ALWAYS } am_prepend_scheme;

/* One pre-tokenizer. The fields that its kind does not use are 0. */
typedef struct am_pretokenizer_step {
  const struct am_pretokenizer_row *row;
  am_word_end words; /* Split and ByteLevel by a pattern that has a hand-made matcher */
  am_regex *regex;   /* owned: Split by any other pattern */
  int behavior;      /* am_split_behavior */
  bool invert;
  bool prefix_space;         /* ByteLevel */
  bool split;                /* Metaspace */
  am_prepend_scheme prepend; /* Metaspace */
  uint16_t mask;             /* without either: splits by class, bits of the class word */
  uint32_t character;        /* CharDelimiterSplit, Metaspace's replacement; else UINT32_MAX */
  size_t length;             /* FixedLength, characters */
} am_pretokenizer_step;

typedef struct am_pretokenizer {
  am_pretokenizer_step *steps; /* owned; Sequences are flattened */
  size_t n, capacity;
  bool bytes;        /* ends with ByteLevel, and only there: pieces stay raw bytes */
  am_word_end words; /* not NULL: the whole pre-tokenizer is this matcher, over raw bytes */
  uint16_t isolate;  /* with it: class bits as in am_word_begin */
} am_pretokenizer;

/* json may be NULL or null: no pre-tokenizer. raw_bytes: the model reads bytes where the library's
 * reads the byte alphabet, so a last ByteLevel need not map. */
adam_status am_pretokenizer_open(const am_json *json, bool raw_bytes, am_pretokenizer *out,
                                 adam_error *error);
/* True if this JSON ends with ByteLevel and has no other: then raw_bytes is possible. */
bool am_pretokenizer_ends_with_bytes(const am_json *json);
void am_pretokenizer_close(am_pretokenizer *pretokenizer);
/* Cuts memory->pieces (text and spans, one span at first) further. */
adam_status am_pretokenizer_run(const am_pretokenizer *pretokenizer, am_stage_memory *memory,
                                adam_error *error);

#endif
