/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer/pre_types: what tokenizer.ggml.pre of a GGUF file stands for: the patterns that cut the
 * text, one after the other, each match a piece of its own. A new name is a row. Immutable. */
#ifndef AM_TOKENIZER_PRE_TYPES_H
#define AM_TOKENIZER_PRE_TYPES_H

#include "base/buf.h"

#define AM_PRE_TYPE_MOST_PATTERNS 6

typedef struct am_pre_type {
  const char *patterns[AM_PRE_TYPE_MOST_PATTERNS]; /* NULL-terminated; Oniguruma syntax */
  bool digits;                                     /* before the patterns, every digit a piece of its own */
  bool nfc;                                        /* the model's own tokenizer.json normalises so */
  bool ignore_merges;                              /* whole words of the vocabulary need no merges */
  bool add_bos;                                    /* unless the file says otherwise */
} am_pre_type;

/* NULL name: "default". NULL result: nobody knows that name here. */
const am_pre_type *am_pre_type_named(const char *name);
/* Row `index` of the table, its name in *name; NULL: there are no more. */
const am_pre_type *am_pre_type_at(size_t index, const char **name);
/* Appends the pre_tokenizer of a tokenizer.json that cuts so: the patterns as isolating Splits, then ByteLevel
 * without its own pattern. */
void am_pre_type_write(const am_pre_type *pre, am_buf *out);

#endif
