/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes that tokens add, by hand from what each kind of decoder is defined to do. */
#include "tokenizer/speller.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define ADDED                                                                               \
  "\"added_tokens\":[{\"id\":0,\"content\":\"<s>\",\"single_word\":false,\"lstrip\":false," \
  "\"rstrip\":false,\"normalized\":false,\"special\":true}]"

static const char byte_level[] =
    "{" ADDED
    ",\"decoder\":{\"type\":\"ByteLevel\"},\"model\":{\"type\":\"BPE\",\"merges\":[],\"vocab\":"
    "{\"<s>\":0,\"a\":1,\"\\u0120b\":2,\"\\u00c3\":3,\"\\u010a\":4}}}";
static const char sentencepiece[] =
    "{" ADDED
    ",\"decoder\":{\"type\":\"Sequence\",\"decoders\":[{\"type\":\"Replace\",\"pattern\":{\"String\":"
    "\"\\u2581\"},\"content\":\" \"},{\"type\":\"ByteFallback\"},{\"type\":\"Fuse\"},{\"type\":\"Strip\","
    "\"content\":\" \",\"start\":1,\"stop\":0}]},\"model\":{\"type\":\"BPE\",\"byte_fallback\":true,"
    "\"merges\":[],\"vocab\":{\"<s>\":0,\"a\":1,\"\\u2581b\":2,\"<0xC3>\":3,\"<0x0A>\":4,\"\\u2581\":5,"
    "\"\\u00e9\":6}}}";
static const char held_back[] =
    "{" ADDED
    ",\"decoder\":{\"type\":\"BPEDecoder\",\"suffix\":\"</w>\"},\"model\":{\"type\":\"BPE\","
    "\"merges\":[],\"vocab\":{\"<s>\":0,\"a\":1,\"b</w>\":2}}}";

static am_tokenizer *open_tokenizer(const char *json) {
  am_tokenizer *tokenizer = NULL;
  adam_error error = {0};
  if (am_tokenizer_open_json("t.json", json, strlen(json), NULL, 0, &tokenizer, &error))
    fail_msg("%s: %s", error.what, error.why);
  return tokenizer;
}

static void assert_spells(am_speller *speller, int32_t id, bool text, const char *expected) {
  const char *bytes = NULL;
  size_t n_bytes = 0;
  bool is_text = false;
  assert_int_equal(am_speller_bytes(speller, id, &bytes, &n_bytes, &is_text, NULL), ADAM_OK);
  assert_int_equal(n_bytes, strlen(expected));
  assert_memory_equal(bytes, expected, n_bytes);
  assert_int_equal(is_text, text);
}

static void byte_level_pieces_are_their_bytes(void **state) {
  (void)state;
  am_speller *speller = NULL;
  am_tokenizer *tokenizer = open_tokenizer(byte_level);
  const int32_t begin[] = {0};
  bool drops = true;
  assert_int_equal(am_speller_open(tokenizer, &speller, NULL), ADAM_OK);
  assert_spells(speller, 0, false, "<s>");
  assert_spells(speller, 1, true, "a");
  assert_spells(speller, 2, true, " b");
  assert_spells(speller, 3, true, "\xc3");
  assert_spells(speller, 4, true, "\n");
  assert_spells(speller, 99, false, "");
  assert_spells(speller, -1, false, "");
  assert_int_equal(am_speller_drops_space(speller, begin, 1, &drops, NULL), ADAM_OK);
  assert_false(drops);
  am_speller_close(&speller);
  am_tokenizer_close(&tokenizer);
}

static void sentencepiece_has_byte_tokens_and_a_first_space(void **state) {
  (void)state;
  am_speller *speller = NULL;
  am_tokenizer *tokenizer = open_tokenizer(sentencepiece);
  const int32_t begin[] = {0}, words[] = {0, 1};
  bool drops = false;
  assert_int_equal(am_speller_open(tokenizer, &speller, NULL), ADAM_OK);
  assert_spells(speller, 2, true, " b");
  assert_spells(speller, 3, true, "\xc3");
  assert_spells(speller, 4, true, "\n");
  assert_spells(speller, 5, true, " ");
  assert_spells(speller, 6, true, "\xc3\xa9");
  assert_spells(speller, 1, true, "a");
  assert_int_equal(am_speller_drops_space(speller, begin, 1, &drops, NULL), ADAM_OK);
  assert_true(drops); /* nothing but <s> in front, which decoding leaves out */
  assert_int_equal(am_speller_drops_space(speller, words, 2, &drops, NULL), ADAM_OK);
  assert_false(drops);
  am_speller_close(&speller);
  am_tokenizer_close(&tokenizer);
}

static void decoders_that_hold_back_spell_whole_tokens(void **state) {
  (void)state;
  am_speller *speller = NULL;
  am_tokenizer *tokenizer = open_tokenizer(held_back);
  assert_int_equal(am_speller_open(tokenizer, &speller, NULL), ADAM_OK);
  assert_spells(speller, 1, true, "a");
  assert_spells(speller, 2, true, "b");
  assert_spells(speller, 1, true, "a");
  am_speller_close(&speller);
  am_speller_close(&speller);
  am_tokenizer_close(&tokenizer);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(byte_level_pieces_are_their_bytes),
      cmocka_unit_test(sentencepiece_has_byte_tokens_and_a_first_space),
      cmocka_unit_test(decoders_that_hold_back_spell_whole_tokens),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
