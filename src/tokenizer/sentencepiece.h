/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer/sentencepiece: reads tokenizer.model, SentencePiece's ModelProto (protobuf, proto2; field
 * numbers from sentencepiece_model.proto). Unknown fields are skipped, a scalar that comes twice counts
 * as written last, a message that comes twice is merged, as protobuf wants it. No length is trusted. */
#ifndef AM_TOKENIZER_SENTENCEPIECE_H
#define AM_TOKENIZER_SENTENCEPIECE_H

#include "base/arena.h"
#include "tokenizer/tokenizer.h"

typedef enum am_sp_type {
  AM_SP_NORMAL = 1,
  AM_SP_UNKNOWN = 2,
  AM_SP_CONTROL = 3,
  AM_SP_USER_DEFINED = 4,
  AM_SP_UNUSED = 5,
  AM_SP_BYTE = 6
} am_sp_type;

typedef enum am_sp_model_type {
  AM_SP_UNIGRAM = 1,
  AM_SP_BPE = 2,
  AM_SP_WORD = 3,
  AM_SP_CHAR = 4
} am_sp_model_type;

typedef struct am_sp_piece {
  am_vocab_string text; /* valid UTF-8; borrowed from the file's bytes */
  float score;
  am_sp_type type;
} am_sp_piece;

/* Strings are borrowed from the bytes of the file, pieces from the arena. */
typedef struct am_sp_model {
  const am_sp_piece *pieces; /* (n_pieces) by id */
  size_t n_pieces;
  am_sp_model_type model_type;
  bool byte_fallback, treat_whitespace_as_suffix;
  int32_t unk_id, bos_id, eos_id, pad_id; /* of trainer_spec; -1 = none */
  am_vocab_string unk_piece, bos_piece, eos_piece, pad_piece;
  am_vocab_string precompiled_charsmap; /* binary; n_bytes 0 = none */
  bool add_dummy_prefix, remove_extra_whitespaces, escape_whitespaces;
} am_sp_model;

/* name for errors. ADAM_DAMAGED names the offset. */
adam_status am_sp_read(const char *name, const void *bytes, size_t n_bytes, am_arena *arena, am_sp_model *out,
                       adam_error *error);

#endif
