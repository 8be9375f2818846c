/* SPDX-License-Identifier: Apache-2.0 */
/* Protobuf's wire format: a field is a varint (number << 3 | wire type) and its value: 0 a varint,
 * 1 eight bytes, 2 a length and that many bytes, 3 and 4 begin and end of a group (which only unknown
 * fields are), 5 four bytes. A known field of another wire type counts as unknown. */
#include "tokenizer/sentencepiece.h"

#include "base/cursor.h"
#include "base/utf8.h"
#include "tokenizer/vocabulary.h"

#include <string.h>

enum { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_GROUP = 3, WIRE_END = 4, WIRE_32 = 5 };

#define MOST_DEPTH 16          /* of groups */
#define MOST_PIECE_BYTES 65536 /* SentencePiece itself trains pieces of 16 characters */

typedef struct field {
  uint32_t number;
  int wire;
  uint64_t varint;
  float fixed32;
  am_vocab_string bytes;
  size_t offset; /* of the field, in the file */
} field;

typedef struct reader {
  const char *name;
  const uint8_t *file;
  adam_error *error;
} reader;

static adam_status damaged(const reader *r, size_t offset, const char *what) {
  return am_fail(r->error, ADAM_DAMAGED, r->name, NULL, "at byte %zu: %s", offset, what);
}

static size_t offset_of(const reader *r, const am_cursor *c) {
  return (size_t)(c->bytes - r->file) + c->offset;
}

static uint64_t read_varint(am_cursor *c) {
  uint64_t value = 0;
  for (int shift = 0; shift < 70; shift += 7) {
    uint8_t byte = am_cursor_u8(c);
    if (c->failed) return 0;
    if (shift < 64) value |= (uint64_t)(byte & 0x7F) << shift;
    if (!(byte & 0x80)) return value;
  }
  c->failed = true;
  return 0;
}

/* The next field of a message; a group is skipped as a whole. false: the end, or c->failed. */
static bool next_field(const reader *r, am_cursor *c, field *out) {
  uint32_t open[MOST_DEPTH];
  int depth = 0;
  for (;;) {
    if (c->failed || (c->offset == c->size && depth == 0)) return false;
    *out = (field){.offset = offset_of(r, c)};
    uint64_t tag = read_varint(c);
    out->number = (uint32_t)(tag >> 3);
    out->wire = (int)(tag & 7);
    if (c->failed || tag > UINT32_MAX || out->number == 0) break;
    if (out->wire == WIRE_VARINT) {
      out->varint = read_varint(c);
    } else if (out->wire == WIRE_64) {
      (void)am_cursor_u64(c);
    } else if (out->wire == WIRE_32) {
      out->fixed32 = am_cursor_f32(c);
    } else if (out->wire == WIRE_BYTES) {
      uint64_t n_bytes = read_varint(c);
      if (n_bytes > c->size) break;
      out->bytes = (am_vocab_string){am_cursor_bytes(c, (size_t)n_bytes), (size_t)n_bytes};
    } else if (out->wire == WIRE_GROUP && depth < MOST_DEPTH) {
      open[depth++] = out->number;
      continue;
    } else if (out->wire == WIRE_END && depth > 0 && open[depth - 1] == out->number) {
      depth--;
      continue;
    } else {
      break;
    }
    if (c->failed) return false;
    if (depth == 0) return true;
  }
  c->failed = true;
  return false;
}

static am_cursor message_of(const field *f) {
  return (am_cursor){.bytes = (const uint8_t *)f->bytes.bytes, .size = f->bytes.n_bytes};
}

static adam_status end_of(const reader *r, const am_cursor *c, const char *message) {
  if (!c->failed) return ADAM_OK;
  return am_fail(r->error, ADAM_DAMAGED, r->name, NULL, "at byte %zu: expected a protobuf field of %s",
                 offset_of(r, c), message);
}

static adam_status read_text(const reader *r, const field *f, am_vocab_string *out) {
  if (!am_utf8_valid(f->bytes.bytes, f->bytes.n_bytes)) return damaged(r, f->offset, "a string is no UTF-8");
  if (f->bytes.n_bytes > MOST_PIECE_BYTES)
    return am_fail(r->error, ADAM_LIMIT, r->name, NULL,
                   "at byte %zu: a piece of %zu bytes, at most %d are allowed", f->offset, f->bytes.n_bytes,
                   MOST_PIECE_BYTES);
  *out = f->bytes;
  return ADAM_OK;
}

static adam_status read_piece(const reader *r, const field *message, am_sp_piece *out) {
  am_cursor c = message_of(message);
  field f;
  adam_status status = ADAM_OK;
  *out = (am_sp_piece){.text = {"", 0}, .type = AM_SP_NORMAL};
  while (status == ADAM_OK && next_field(r, &c, &f)) {
    if (f.number == 1 && f.wire == WIRE_BYTES) status = read_text(r, &f, &out->text);
    if (f.number == 2 && f.wire == WIRE_32) out->score = f.fixed32;
    /* A value that the enumeration does not have counts as not written. */
    if (f.number == 3 && f.wire == WIRE_VARINT && f.varint >= AM_SP_NORMAL && f.varint <= AM_SP_BYTE)
      out->type = (am_sp_type)f.varint;
  }
  return status == ADAM_OK ? end_of(r, &c, "a piece") : status;
}

static void read_trainer_varint(const field *f, am_sp_model *out) {
  int32_t number = (int32_t)(uint32_t)f->varint; /* an int32 is written as 64 bits, sign extended */
  switch (f->number) {
    case 3:
      if (f->varint >= AM_SP_UNIGRAM && f->varint <= AM_SP_CHAR)
        out->model_type = (am_sp_model_type)f->varint;
      break;
    case 24:
      out->treat_whitespace_as_suffix = f->varint != 0;
      break;
    case 35:
      out->byte_fallback = f->varint != 0;
      break;
    case 40:
      out->unk_id = number;
      break;
    case 41:
      out->bos_id = number;
      break;
    case 42:
      out->eos_id = number;
      break;
    case 43:
      out->pad_id = number;
      break;
    default:
      break;
  }
}

static adam_status read_trainer(const reader *r, const field *message, am_sp_model *out) {
  am_cursor c = message_of(message);
  am_vocab_string *const texts[] = {&out->unk_piece, &out->bos_piece, &out->eos_piece, &out->pad_piece};
  field f;
  adam_status status = ADAM_OK;
  while (status == ADAM_OK && next_field(r, &c, &f)) {
    if (f.wire == WIRE_VARINT) read_trainer_varint(&f, out);
    if (f.wire == WIRE_BYTES && f.number >= 45 && f.number <= 48)
      status = read_text(r, &f, texts[f.number - 45]);
  }
  return status == ADAM_OK ? end_of(r, &c, "trainer_spec") : status;
}

static adam_status read_normalizer(const reader *r, const field *message, am_sp_model *out) {
  am_cursor c = message_of(message);
  field f;
  while (next_field(r, &c, &f)) {
    if (f.number == 2 && f.wire == WIRE_BYTES) out->precompiled_charsmap = f.bytes;
    if (f.wire != WIRE_VARINT) continue;
    if (f.number == 3) out->add_dummy_prefix = f.varint != 0;
    if (f.number == 4) out->remove_extra_whitespaces = f.varint != 0;
    if (f.number == 5) out->escape_whitespaces = f.varint != 0;
  }
  return end_of(r, &c, "normalizer_spec");
}

/* A file that was cut between two fields is still protobuf, but trainer_spec stands behind the pieces. */
static adam_status count_pieces(const reader *r, size_t n_bytes, size_t *n) {
  am_cursor c = {.bytes = r->file, .size = n_bytes};
  field f;
  bool has_trainer = false;
  *n = 0;
  while (next_field(r, &c, &f)) {
    *n += f.number == 1 && f.wire == WIRE_BYTES;
    has_trainer |= f.number == 2 && f.wire == WIRE_BYTES;
  }
  adam_status status = end_of(r, &c, "a SentencePiece model");
  if (status != ADAM_OK) return status;
  if (*n == 0) return damaged(r, n_bytes, "a SentencePiece model without pieces");
  if (!has_trainer) return damaged(r, n_bytes, "a SentencePiece model that ends before its trainer_spec");
  if (*n > AM_VOCABULARY_MOST_IDS)
    return am_fail(r->error, ADAM_LIMIT, r->name, NULL, "%zu pieces, at most %u are allowed", *n,
                   AM_VOCABULARY_MOST_IDS);
  return ADAM_OK;
}

adam_status am_sp_read(const char *name, const void *bytes, size_t n_bytes, am_arena *arena, am_sp_model *out,
                       adam_error *error) {
  const reader r = {name, n_bytes > 0 ? bytes : (const void *)"", error};
  am_sp_model made = {.model_type = AM_SP_UNIGRAM,
                      .unk_id = 0,
                      .bos_id = 1,
                      .eos_id = 2,
                      .pad_id = -1,
                      .unk_piece = {"<unk>", 5},
                      .bos_piece = {"<s>", 3},
                      .eos_piece = {"</s>", 4},
                      .pad_piece = {"<pad>", 5},
                      .add_dummy_prefix = true,
                      .remove_extra_whitespaces = true,
                      .escape_whitespaces = true};
  size_t n = 0;
  adam_status status = count_pieces(&r, n_bytes, &n);
  if (status != ADAM_OK) return status;
  am_sp_piece *pieces = am_arena_zalloc(arena, n, sizeof *pieces);
  if (!pieces) return am_fail_memory(error, name);
  am_cursor c = {.bytes = r.file, .size = n_bytes};
  field f;
  while (status == ADAM_OK && next_field(&r, &c, &f)) {
    if (f.wire != WIRE_BYTES) continue;
    if (f.number == 1) status = read_piece(&r, &f, &pieces[made.n_pieces++]);
    if (f.number == 2) status = read_trainer(&r, &f, &made);
    if (f.number == 3) status = read_normalizer(&r, &f, &made);
  }
  if (status != ADAM_OK) return status;
  made.pieces = pieces;
  *out = made;
  return ADAM_OK;
}
