/* SPDX-License-Identifier: Apache-2.0 */
/* GGUF vocabularies "bert" and "t5", and lists of words: small ones whose every answer is seen by eye. */
#include "tokenizer/tokenizer.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static adam_error error;

/* BERT in the phantom space form: U+2581 begins a word. */
static am_vocab phantom_vocab(void) {
  static const am_vocab_string tokens[] = {{"[PAD]", 5},
                                           {"[UNK]", 5},
                                           {"[CLS]", 5},
                                           {"[SEP]", 5},
                                           {"\xE2\x96\x81"
                                            "ab",
                                            5},
                                           {"c", 1},
                                           {"[x]", 3},
                                           {"cd", 2}};
  static const int32_t types[] = {3, 3, 3, 3, 1, 1, 1, 1};
  return (am_vocab){.model = "bert",
                    .tokens = tokens,
                    .types = types,
                    .n_tokens = 8,
                    .bos_id = -1,
                    .eos_id = -1,
                    .unknown_id = 1,
                    .separator_id = 3,
                    .pad_id = 0,
                    .cls_id = 2,
                    .add_bos = -1,
                    .add_eos = -1,
                    .add_space_prefix = -1,
                    .remove_extra_spaces = -1};
}

static void check_ids(const am_tokenizer *t, const char *text, const int32_t *expected, size_t n) {
  am_ids ids = {0};
  assert_int_equal(am_tokenizer_encode(t, text, strlen(text), AM_ENCODE_SPECIAL, &ids, &error), ADAM_OK);
  assert_int_equal(ids.n, n);
  assert_memory_equal(ids.data, expected, n * sizeof *expected);
  am_ids_close(&ids);
}

static void check_text(const am_tokenizer *t, const int32_t *ids, size_t n, const char *expected) {
  am_buf text = {0};
  assert_int_equal(am_tokenizer_decode(t, ids, n, true, &text, &error), ADAM_OK);
  assert_string_equal(text.data, expected);
  am_buf_close(&text);
}

static void vocabulary_of_gguf_bert(void **state) {
  static const int32_t expected[] = {2, 4, 7, 4, 1, 0, 3};
  am_vocab vocab = phantom_vocab();
  am_tokenizer *t = NULL;
  size_t n;
  (void)state;
  assert_int_equal(am_tokenizer_open_vocab("v", &vocab, NULL, NULL, &t, &error), ADAM_OK);
  check_ids(t,
            "\xC3\x81"
            "Bcd  ab x[PAD]",
            (const int32_t[]){2, 4, 7, 4, 1, 0, 3}, 7);
  check_text(t, expected, 7, "abcd ab");
  assert_memory_equal(am_tokenizer_piece(t, 7, &n), "##cd", 4);
  assert_int_equal(n, 4);
  am_tokenizer_close(&t);
}

/* Scores by hand: "ab" as one word costs 2, as two 3; x is unknown and runs of it are one token. */
static am_vocab score_vocab(void) {
  static const am_vocab_string tokens[] = {{"<pad>", 5}, {"</s>", 4}, {"<unk>", 5}, {"\xE2\x96\x81", 3},
                                           {"a", 1},     {"b", 1},    {"ab", 2}};
  static const float scores[] = {0, 0, 0, -1.0f, -1.5f, -1.5f, -2.0f};
  static const int32_t types[] = {3, 3, 2, 1, 1, 1, 1};
  am_vocab vocab = phantom_vocab();
  vocab.model = "t5";
  vocab.tokens = tokens;
  vocab.scores = scores;
  vocab.types = types;
  vocab.n_tokens = 7;
  vocab.unknown_id = 2;
  vocab.eos_id = 1;
  return vocab;
}

static void vocabulary_of_gguf_t5(void **state) {
  static const int32_t expected[] = {3, 6, 3, 2, 4, 4, 1};
  am_vocab vocab = score_vocab();
  am_tokenizer *t = NULL;
  (void)state;
  assert_int_equal(am_tokenizer_open_vocab("v", &vocab, NULL, NULL, &t, &error), ADAM_OK);
  check_ids(t, "ab  xyaa", expected, 7);
  check_text(t, expected, 6, "ab aa");
  assert_string_equal(am_tokenizer_kind(t), "unigram");
  am_tokenizer_close(&t);
  vocab.scores = NULL;
  assert_int_equal(am_tokenizer_open_vocab("v", &vocab, NULL, NULL, &t, &error), ADAM_DAMAGED);
}

/* Lines as Python reads them: \r\n and \r end one too; of a word twice the last line counts. */
static const char word_lines[] = "[UNK]\r\n[CLS]\n[SEP]\rDe\n##s\n[PAD]\nDe\n";

static adam_status open_words(const char *lines, const char *config, am_tokenizer **out) {
  return am_tokenizer_open_words_bytes("vocab.txt", lines, strlen(lines), config, strlen(config), out,
                                       &error);
}

static void lists_of_words(void **state) {
  am_tokenizer *t = NULL;
  (void)state;
  assert_int_equal(open_words(word_lines, "{\"do_lower_case\":false}", &t), ADAM_OK);
  check_ids(t, "Des de [MASK]", (const int32_t[]){1, 6, 4, 0, 6, 2}, 6); /* [MASK] is new, behind 6 words */
  am_tokenizer_close(&t);
  assert_int_equal(open_words(word_lines, "{\"cls_token\":\"x\"}", &t), ADAM_DAMAGED);
  assert_non_null(strstr(error.why, "cls_token x"));
  assert_int_equal(open_words("[UNK]\n\xFF", "{}", &t), ADAM_DAMAGED);
  assert_non_null(strstr(error.why, "offset 6"));
  assert_int_equal(open_words(word_lines, "{\"tokenizer_class\":\"MPNetTokenizer\"}", &t), ADAM_UNSUPPORTED);
  assert_non_null(strstr(error.why, "MPNetTokenizer"));
  assert_null(t);
}

static bool open_bert_close(void) {
  am_vocab bert = phantom_vocab(), t5 = score_vocab();
  am_tokenizer *t = NULL;
  am_ids ids = {0};
  adam_status status = am_tokenizer_open_vocab("v", &bert, NULL, NULL, &t, &error);
  if (status == ADAM_OK)
    status =
        am_tokenizer_encode_pair(t, "ab x", 4, "abcd", 4, AM_ENCODE_SPECIAL, 4, &ids, NULL, NULL, &error);
  am_tokenizer_close(&t);
  if (status == ADAM_OK) status = am_tokenizer_open_vocab("v", &t5, NULL, NULL, &t, &error);
  am_tokenizer_close(&t);
  if (status == ADAM_OK) status = open_words(word_lines, "{}", &t);
  am_tokenizer_close(&t);
  am_ids_close(&ids);
  return status == ADAM_OK;
}

/* The n-th allocation fails, n = 1, 2, 3 ... until there is no n-th. */
static void memory_runs_out(void **state) {
  (void)state;
  for (uint64_t n = 1;; n++) {
    am_mem_fault_set(n);
    bool ok = open_bert_close(), fired = am_mem_fault_fired();
    am_mem_fault_set(0);
    assert_true(ok || error.status == ADAM_NO_MEMORY);
    if (fired) continue;
    assert_true(ok);
    return;
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(vocabulary_of_gguf_bert),
      cmocka_unit_test(vocabulary_of_gguf_t5),
      cmocka_unit_test(lists_of_words),
      cmocka_unit_test(memory_runs_out),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
