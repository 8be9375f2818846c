/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer/postprocessor: the order of texts and special ids, and their type ids, for one text and
 * for a pair. Immutable after open. */
#ifndef AM_TOKENIZER_POSTPROCESSOR_H
#define AM_TOKENIZER_POSTPROCESSOR_H

#include "base/json.h"
#include "tokenizer/model.h"

typedef enum am_post_kind { AM_POST_ID, AM_POST_FIRST, AM_POST_SECOND } am_post_kind;

typedef struct am_post_item {
  am_post_kind kind;
  int32_t id; /* AM_POST_ID: left out where special tokens are not wanted */
  int32_t type_id;
  uint32_t segment; /* the Encoding of the library that it is in; only while a Sequence is read */
} am_post_item;

typedef struct am_post_template {
  am_post_item *items; /* owned */
  size_t n, capacity;
  size_t n_ids; /* items that are ids */
} am_post_template;

typedef struct am_postprocessor {
  am_post_template single, pair;
} am_postprocessor;

/* json may be NULL or null: the texts alone, the second of type 1. */
adam_status am_postprocessor_open(const am_json *json, am_postprocessor *out, adam_error *error);
void am_postprocessor_close(am_postprocessor *postprocessor);

#endif
