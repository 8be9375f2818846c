/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer/normalizer: text -> text before it is cut. A new kind is a row in the table of
 * normalizer.c. Immutable after open. */
#ifndef AM_TOKENIZER_NORMALIZER_H
#define AM_TOKENIZER_NORMALIZER_H

#include "base/json.h"
#include "tokenizer/bert_normal.h"
#include "tokenizer/charsmap.h"
#include "tokenizer/pieces.h"

typedef enum am_form { AM_FORM_NFC, AM_FORM_NFD, AM_FORM_NFKC, AM_FORM_NFKD } am_form;

/* One normalizer. The fields that its kind does not use are 0. */
typedef struct am_normalizer_step {
  const struct am_normalizer_row *row;
  am_regex *regex; /* owned: Replace */
  char *content;   /* owned: Replace, Prepend */
  size_t content_bytes;
  bool left, right;      /* Strip */
  am_bert_options bert;  /* BertNormalizer */
  am_charsmap *charsmap; /* owned: Precompiled */
} am_normalizer_step;

typedef struct am_normalizer {
  am_normalizer_step *steps; /* owned; Sequences are flattened */
  size_t n, capacity;
} am_normalizer;

typedef struct am_normalized {
  const char *text; /* borrowed: the input, or a buffer of the memory */
  size_t n_bytes;
  bool lost_start; /* the first character of the input left no trace */
} am_normalized;

/* json may be NULL or null. */
adam_status am_normalizer_open(const am_json *json, am_normalizer *out, adam_error *error);
void am_normalizer_close(am_normalizer *normalizer);
/* `text` must not lie in memory->normalized. */
adam_status am_normalizer_run(const am_normalizer *normalizer, const char *text, size_t n_bytes,
                              am_stage_memory *memory, am_normalized *out, adam_error *error);

/* normal_form.c: appends the form of valid UTF-8 to out. false: memory is out. */
bool am_normal_form(am_form form, const char *text, size_t n_bytes, am_stage_memory *memory, am_buf *out);
/* True when the form would change nothing, judged quickly; false says nothing. */
bool am_normal_form_is_quick(am_form form, const char *text, size_t n_bytes);

#endif
