/* SPDX-License-Identifier: Apache-2.0 */
/* convert/vocab_parts: the vocabulary of a tokenizer in the form that a GGUF has it, before it is written.
 * Names and types are those of llama.cpp's converter; where that loses ids, those that keep them. */
#ifndef AM_CONVERT_VOCAB_PARTS_H
#define AM_CONVERT_VOCAB_PARTS_H

#include "base/arena.h"
#include "loader/loader.h"
#include "tokenizer/parts.h"

enum {
  AM_TOKEN_NORMAL = 1,
  AM_TOKEN_UNKNOWN,
  AM_TOKEN_CONTROL,
  AM_TOKEN_USER,
  AM_TOKEN_UNUSED,
  AM_TOKEN_BYTE
};

/* Named tokens, in the order in which they are written. */
typedef enum am_vocab_id {
  AM_VOCAB_BOS,
  AM_VOCAB_EOS,
  AM_VOCAB_EOT,
  AM_VOCAB_EOM,
  AM_VOCAB_UNK,
  AM_VOCAB_SEP,
  AM_VOCAB_PAD,
  AM_VOCAB_CLS,
  AM_VOCAB_MASK,
  AM_VOCAB_N_IDS
} am_vocab_id;

typedef struct am_vocab_parts {
  am_arena arena;
  const char *model, *pre;
  am_gguf_string *tokens; /* (n_tokens) */
  int32_t *types;         /* (n_tokens) */
  float *scores;          /* (n_tokens), or NULL */
  size_t n_tokens;
  am_gguf_string *merges;
  size_t n_merges;
  int64_t ids[AM_VOCAB_N_IDS];                                          /* -1 = none */
  int add_bos, add_eos, add_sep, add_space_prefix, remove_extra_spaces; /* -1 = not written */
  am_vocab_string charsmap;                                             /* n_bytes 0 = none */
  int64_t n_token_types;                                                /* -1 = not written */
  int32_t *end_ids; /* all that end an answer, where they are several */
  size_t n_end_ids;
} am_vocab_parts;

/* Fills zeroed *out from the loader's tokenizer. am_vocab_parts_close in any case. */
adam_status am_vocab_parts_gather(const am_loader *loader, am_vocab_parts *out, adam_error *error);
void am_vocab_parts_close(am_vocab_parts *parts);

/* Whether the target gives the source's ids on the texts of tokenizer/probe.h (those that NFC leaves alone: a
 * GGUF names no normal form; where one puts a space before " text" and the other does not, none of that kind)
 * and on some made of the vocabulary: ADAM_UNSUPPORTED names the first difference.
 */
adam_status am_vocab_compare(const am_tokenizer *source, const am_tokenizer *target, const char *path,
                             adam_error *error);
/* The same for a GGUF that would have these parts. */
adam_status am_vocab_parts_check(const am_vocab_parts *parts, const am_loader *loader, adam_error *error);

#endif
