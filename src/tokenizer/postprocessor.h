/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer/postprocessor: the ids that stand before and behind those of a single text when special
 * tokens are added. Immutable after open. */
#ifndef AM_TOKENIZER_POSTPROCESSOR_H
#define AM_TOKENIZER_POSTPROCESSOR_H

#include "base/json.h"
#include "tokenizer/model.h"

typedef struct am_postprocessor {
  am_ids before, behind;
} am_postprocessor;

/* json may be NULL or null. */
adam_status am_postprocessor_open(const am_json *json, am_postprocessor *out, adam_error *error);
void am_postprocessor_close(am_postprocessor *postprocessor);

#endif
