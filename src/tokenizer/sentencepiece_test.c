/* SPDX-License-Identifier: Apache-2.0 */
/* Messages written by hand from protobuf's encoding rules and the field numbers of
 * sentencepiece_model.proto. Whole models are compared through tests/golden. */
#include "tokenizer/sentencepiece.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"

typedef struct opened {
  am_arena arena;
  am_sp_model model;
  adam_error error;
  adam_status status;
  char *bytes;
} opened;

/* A copy of exact size, so that a sanitizer sees a read past the end. */
static opened open_bytes(const void *bytes, size_t n) {
  opened o = {0};
  o.bytes = malloc(n ? n : 1);
  assert_non_null(o.bytes);
  memcpy(o.bytes, bytes, n);
  o.status = am_sp_read("x.model", o.bytes, n, &o.arena, &o.model, &o.error);
  return o;
}

static void done(opened *o) {
  am_arena_close(&o->arena);
  free(o->bytes);
}

static void is_text(const am_vocab_string *text, const char *expected) {
  assert_int_equal(text->n_bytes, strlen(expected));
  assert_memory_equal(text->bytes, expected, text->n_bytes);
}

#define OPEN(literal) open_bytes(literal, sizeof(literal) - 1)

static void test_fields(void **state) {
  (void)state;
  /* piece "ab" -1.5 type byte; piece "" with score and type left out; trainer: BPE, byte_fallback, pad_id
   * -1 in ten bytes, unk_piece "?"; normalizer: charsmap of 2 bytes, no dummy prefix, no escaping. */
  opened o = OPEN(
      "\x0a\x0b\x0a\x02"
      "ab"
      "\x15\x00\x00\xc0\xbf\x18\x06"
      "\x0a\x00"
      "\x12\x15\x18\x02\x98\x02\x01\xd8\x02\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\xea\x02\x01?"
      "\x1a\x08\x12\x02\xff\x00\x18\x00\x28\x00");
  assert_int_equal(o.status, ADAM_OK);
  assert_int_equal(o.model.n_pieces, 2);
  is_text(&o.model.pieces[0].text, "ab");
  assert_true(o.model.pieces[0].score == -1.5f);
  assert_int_equal(o.model.pieces[0].type, AM_SP_BYTE);
  is_text(&o.model.pieces[1].text, "");
  assert_int_equal(o.model.pieces[1].type, AM_SP_NORMAL);
  assert_int_equal(o.model.model_type, AM_SP_BPE);
  assert_true(o.model.byte_fallback);
  assert_int_equal(o.model.pad_id, -1);
  assert_int_equal(o.model.bos_id, 1);
  is_text(&o.model.unk_piece, "?");
  is_text(&o.model.eos_piece, "</s>");
  assert_int_equal(o.model.precompiled_charsmap.n_bytes, 2);
  assert_false(o.model.add_dummy_prefix);
  assert_true(o.model.remove_extra_whitespaces);
  assert_false(o.model.escape_whitespaces);
  done(&o);
}

static void test_unknown_fields(void **state) {
  (void)state;
  /* Around one piece: field 100 as varint, as eight and as four bytes, as bytes, and as a group with a
   * group in it; score as a varint (the wrong wire type) and an enumeration value that does not exist. */
  opened o = OPEN(
      "\xa0\x06\x07\xa1\x06"
      "12345678"
      "\xa5\x06"
      "1234"
      "\xa2\x06\x01x\xa3\x06\x0b\x08\x01\x0c\xa4\x06"
      "\x0a\x07\x0a\x01z\x10\x05\x18\x09\x12\x00");
  assert_int_equal(o.status, ADAM_OK);
  assert_int_equal(o.model.n_pieces, 1);
  is_text(&o.model.pieces[0].text, "z");
  assert_true(o.model.pieces[0].score == 0.0f);
  assert_int_equal(o.model.pieces[0].type, AM_SP_NORMAL);
  assert_int_equal(o.model.model_type, AM_SP_UNIGRAM);
  done(&o);
}

static void test_damaged(void **state) {
  (void)state;
  static const struct {
    const char *bytes;
    size_t n;
  } bad[] = {
#define BAD(literal) {literal, sizeof(literal) - 1}
      BAD(""),                                                 /* no pieces */
      BAD("\x12\x02\x18\x02"),                                 /* trainer alone */
      BAD("\x0a\x03\x0a\x01z"),                                /* no trainer */
      BAD("\x0a\x05\x0a\x01z"),                                /* length past the end */
      BAD("\x0a\x03\x0a\x02z"),                                /* inner length past the message */
      BAD("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),     /* length 2^64 - 1 */
      BAD("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), /* varint of 11 bytes */
      BAD("\x0a\x03\x0a\x01z\x02"),                            /* field number 0 */
      BAD("\x0a\x03\x0a\x01z\x0e"),                            /* wire type 6 */
      BAD("\x0a\x03\x0a\x01z\x0c"),                            /* end of no group */
      BAD("\x0a\x03\x0a\x01z\x0b\x08\x01"),                    /* group without end */
      BAD("\x0a\x03\x0a\x01z\x0b\x14"),                        /* end of another group */
      BAD("\x0a\x03\x0a\x01\xff"),                             /* no UTF-8 */
      BAD("\x0a\x05\x0a\x01z\x15\x00"),                        /* half a float */
      BAD("hello, I am a text file of some kind\n"),
  };
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    opened o = open_bytes(bad[i].bytes, bad[i].n);
    assert_int_equal(o.status, ADAM_DAMAGED);
    assert_string_equal(o.error.what, "x.model");
    assert_true(strstr(o.error.why, "at byte ") == o.error.why);
    done(&o);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_fields),
      cmocka_unit_test(test_unknown_fields),
      cmocka_unit_test(test_damaged),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
