/* SPDX-License-Identifier: Apache-2.0 */
/* convert/tokenizer_json: an open tokenizer, whatever it came from, as the text of a tokenizer.json that the
 * `tokenizers` library reads: every member written out, as that library wants it. */
#ifndef AM_CONVERT_TOKENIZER_JSON_H
#define AM_CONVERT_TOKENIZER_JSON_H

#include "base/buf.h"
#include "tokenizer/parts.h"

/* Appends the text to out. Of a spelling that several ids have, the one that encoding gives keeps it, the
 * others get [DUPn]. */
adam_status am_tokenizer_json_write(const am_tokenizer *tokenizer, am_buf *out, adam_error *error);

#endif
