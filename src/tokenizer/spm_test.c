/* SPDX-License-Identifier: Apache-2.0 */
/* SentencePiece BPE from tokenizer.model, tokenizer.json and GGUF against what transformers, tokenizers
 * and llama.cpp made of the same (tests/golden/make_sentencepiece.py). */
#include "tokenizer/tokenizer.h"

#include "base/arena.h"
#include "base/mem.h"
#include "os/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static am_arena arena;
static am_json golden;
static adam_error error;
static char *model_bytes;
static size_t n_model_bytes;

static int hex_digit(char c) { return c <= '9' ? c - '0' : c - 'a' + 10; }

static int load(void **state) {
  am_buf text = {0};
  (void)state;
  if (am_file_read(ADAM_SOURCE_DIR "/tests/golden/tokenizer/sentencepiece.json", (size_t)64 << 20, &text,
                   &error) != ADAM_OK)
    return 1;
  adam_status status = am_json_parse(text.data, text.len, "sentencepiece.json", 0, &arena, &golden, &error);
  am_buf_close(&text);
  if (status != ADAM_OK) return 1;
  const char *hex = am_json_str(am_json_get(&golden, "model"), "");
  n_model_bytes = strlen(hex) / 2;
  model_bytes = malloc(n_model_bytes);
  for (size_t i = 0; model_bytes && i < n_model_bytes; i++)
    model_bytes[i] = (char)(hex_digit(hex[2 * i]) << 4 | hex_digit(hex[2 * i + 1]));
  return model_bytes ? 0 : 1;
}

static int drop(void **state) {
  (void)state;
  free(model_bytes);
  am_arena_close(&arena);
  return 0;
}

static const char *name_of(const am_json *item) { return am_json_str(am_json_get(item, "name"), ""); }

static bool same_ids(const am_ids *ids, const am_json *expected) {
  bool same = ids->n == expected->n;
  for (size_t i = 0; same && i < ids->n; i++) same = ids->data[i] == am_json_int(am_json_at(expected, i), -1);
  return same;
}

/* [text, special, (plain,) ids] */
static void check_encodes(const am_tokenizer *t, const am_json *item) {
  const am_json *list = am_json_get(item, "encodes");
  am_ids ids = {0};
  assert_true(list->n >= 40);
  for (size_t i = 0; i < list->n; i++) {
    const am_json *one = am_json_at(list, i), *text = am_json_at(one, 0);
    uint32_t flags = am_json_bool(am_json_at(one, 1), false) ? AM_ENCODE_SPECIAL : 0;
    if (one->n == 4 && am_json_bool(am_json_at(one, 2), false)) flags |= AM_ENCODE_PLAIN_TEXT;
    ids.n = 0;
    assert_int_equal(am_tokenizer_encode(t, text->as.string, text->n, flags, &ids, &error), ADAM_OK);
    if (!same_ids(&ids, am_json_at(one, one->n - 1)))
      fail_msg("%s: text %zu: %s", name_of(item), i, text->as.string);
  }
  am_ids_close(&ids);
}

static void is_text(const am_json *item, size_t index, const am_buf *got, const am_json *expected) {
  if (got->len != expected->n || (got->len > 0 && memcmp(got->data, expected->as.string, got->len) != 0))
    fail_msg("%s: ids %zu: got %s, expected %s", name_of(item), index, got->data ? got->data : "",
             expected->as.string);
}

/* [ids, skip, text], at once and as a stream. */
static void check_decodes(const am_tokenizer *t, const am_json *item) {
  const am_json *list = am_json_get(item, "decodes");
  assert_true(list->n > 10);
  for (size_t i = 0; i < list->n; i++) {
    const am_json *one = am_json_at(list, i), *given = am_json_at(one, 0);
    bool skip = am_json_bool(am_json_at(one, 1), false);
    am_ids ids = {0};
    am_buf whole = {0}, streamed = {0};
    am_decoder *decoder = NULL;
    ids.data = am_mem_alloc(given->n * sizeof *ids.data);
    for (; ids.n < given->n; ids.n++) ids.data[ids.n] = (int32_t)am_json_int(am_json_at(given, ids.n), -1);
    assert_int_equal(am_tokenizer_decode(t, ids.data, ids.n, skip, &whole, &error), ADAM_OK);
    is_text(item, i, &whole, am_json_at(one, 2));
    assert_int_equal(am_decoder_open(t, skip, &decoder, &error), ADAM_OK);
    for (size_t k = 0; k < ids.n; k++)
      assert_int_equal(am_decoder_push(decoder, ids.data[k], &streamed, &error), ADAM_OK);
    assert_int_equal(am_decoder_finish(decoder, &streamed, &error), ADAM_OK);
    is_text(item, i, &streamed, am_json_at(one, 2));
    am_decoder_close(&decoder);
    am_buf_close(&whole);
    am_buf_close(&streamed);
    am_ids_close(&ids);
  }
}

static void test_models(void **state) {
  (void)state;
  const am_json *list = am_json_get(&golden, "models");
  assert_true(list->n >= 9);
  for (size_t i = 0; i < list->n; i++) {
    const am_json *item = am_json_at(list, i), *config = am_json_get(item, "config");
    am_tokenizer *t = NULL;
    if (am_tokenizer_open_model_bytes("x.model", model_bytes, n_model_bytes, config->as.string, config->n, &t,
                                      &error))
      fail_msg("%s: %s", name_of(item), error.why);
    assert_string_equal(am_tokenizer_kind(t), "bpe");
    check_encodes(t, item);
    check_decodes(t, item);
    am_tokenizer_close(&t);
  }
}

static void test_documents(void **state) {
  (void)state;
  const am_json *list = am_json_get(&golden, "documents");
  assert_true(list->n >= 7);
  for (size_t i = 0; i < list->n; i++) {
    const am_json *item = am_json_at(list, i), *text = am_json_get(item, "document");
    am_tokenizer *t = NULL;
    if (am_tokenizer_open_json("tokenizer.json", text->as.string, text->n, NULL, 0, &t, &error))
      fail_msg("%s: %s", name_of(item), error.why);
    check_encodes(t, item);
    check_decodes(t, item);
    am_tokenizer_close(&t);
  }
}

/* A vocabulary of the golden as GGUF would give it. */
typedef struct vocab_arrays {
  am_vocab vocab;
  am_vocab_string *tokens;
  float *scores;
  int32_t *types;
} vocab_arrays;

static int three_way(const am_json *flags, const char *key) {
  const am_json *value = am_json_get(flags, key);
  return value ? am_json_bool(value, false) : -1;
}

static void fill(const am_json *item, vocab_arrays *a) {
  const am_json *tokens = am_json_get(item, "tokens"), *flags = am_json_get(item, "flags");
  size_t n = tokens->n;
  a->tokens = calloc(n, sizeof *a->tokens);
  a->scores = calloc(n, sizeof *a->scores);
  a->types = calloc(n, sizeof *a->types);
  for (size_t i = 0; i < n; i++) {
    const am_json *token = am_json_at(tokens, i);
    a->tokens[i] = (am_vocab_string){token->as.string, token->n};
    a->scores[i] = (float)am_json_real(am_json_at(am_json_get(item, "scores"), i), 0);
    a->types[i] = (int32_t)am_json_int(am_json_at(am_json_get(item, "types"), i), 0);
  }
  a->vocab = (am_vocab){.model = "llama",
                        .name = am_json_str(am_json_get(item, "title"), NULL),
                        .tokens = a->tokens,
                        .scores = a->scores,
                        .types = a->types,
                        .n_tokens = n,
                        .bos_id = am_json_int(am_json_get(flags, "bos_token_id"), -1),
                        .eos_id = am_json_int(am_json_get(flags, "eos_token_id"), -1),
                        .unknown_id = am_json_int(am_json_get(flags, "unk_token_id"), -1),
                        .separator_id = -1,
                        .pad_id = -1,
                        .cls_id = -1,
                        .add_bos = three_way(flags, "add_bos_token"),
                        .add_eos = three_way(flags, "add_eos_token"),
                        .add_space_prefix = three_way(flags, "add_space_prefix")};
}

static void drop_arrays(vocab_arrays *a) {
  free(a->tokens);
  free(a->scores);
  free(a->types);
}

static void test_vocabularies(void **state) {
  (void)state;
  const am_json *list = am_json_get(&golden, "vocabularies");
  assert_true(list->n >= 6);
  for (size_t i = 0; i < list->n; i++) {
    const am_json *item = am_json_at(list, i);
    am_tokenizer *t = NULL;
    vocab_arrays a;
    fill(item, &a);
    if (am_tokenizer_open_vocab("x.gguf", &a.vocab, NULL, NULL, &t, &error))
      fail_msg("%s: %s", name_of(item), error.why);
    drop_arrays(&a);
    assert_string_equal(am_tokenizer_kind(t), "spm");
    check_encodes(t, item);
    am_tokenizer_close(&t);
  }
}

/* The third opening of each comes from the cache, and is the same tokenizer. */
static void test_caches(void **state) {
  (void)state;
  char folder[] = "/tmp/adam_spm_test_XXXXXX", path[64];
  const am_json *item = am_json_at(am_json_get(&golden, "models"), 1), *config = am_json_get(item, "config");
  const am_json *gguf = am_json_at(am_json_get(&golden, "vocabularies"), 0);
  char digests[2][65];
  assert_non_null(mkdtemp(folder));
  (void)snprintf(path, sizeof path, "%s/tokenizer.model", folder);
  assert_int_equal(am_file_write_atomic(path, model_bytes, n_model_bytes, 0644, &error), ADAM_OK);
  for (int round = 0; round < 3; round++) {
    am_tokenizer *t = NULL;
    vocab_arrays a;
    assert_int_equal(am_tokenizer_open_model(path, config->as.string, config->n, folder, &t, &error),
                     ADAM_OK);
    if (round == 0) memcpy(digests[0], am_tokenizer_digest(t), 65);
    assert_string_equal(am_tokenizer_digest(t), digests[0]);
    check_encodes(t, item);
    am_tokenizer_close(&t);
    fill(gguf, &a);
    assert_int_equal(am_tokenizer_open_vocab("x.gguf", &a.vocab, "key", folder, &t, &error), ADAM_OK);
    if (round == 0) memcpy(digests[1], am_tokenizer_digest(t), 65);
    assert_string_equal(am_tokenizer_digest(t), digests[1]);
    check_encodes(t, gguf);
    am_tokenizer_close(&t);
    drop_arrays(&a);
  }
  assert_string_not_equal(digests[0], digests[1]);
  /* Another configuration is another tokenizer, whatever the cache has. */
  am_tokenizer *t = NULL;
  assert_int_equal(am_tokenizer_open_model(path, NULL, 0, folder, &t, &error), ADAM_OK);
  assert_string_not_equal(am_tokenizer_digest(t), digests[0]);
  check_encodes(t, am_json_at(am_json_get(&golden, "models"), 0));
  am_tokenizer_close(&t);
  char command[80];
  (void)snprintf(command, sizeof command, "rm -r %s", folder);
  assert_int_equal(system(command), 0);
}

/* After a context the first word keeps its space; at the beginning it loses it. */
static void test_context(void **state) {
  (void)state;
  const am_json *item = am_json_at(am_json_get(&golden, "documents"), 0),
                *text = am_json_get(item, "document");
  am_tokenizer *t = NULL;
  am_ids ids = {0};
  assert_int_equal(am_tokenizer_open_json("tokenizer.json", text->as.string, text->n, NULL, 0, &t, &error),
                   ADAM_OK);
  assert_int_equal(am_tokenizer_encode(t, "the dog", 7, AM_ENCODE_SPECIAL, &ids, &error), ADAM_OK);
  for (int with_context = 0; with_context < 2; with_context++) {
    am_decoder *decoder = NULL;
    am_buf out = {0};
    assert_int_equal(am_decoder_open(t, true, &decoder, &error), ADAM_OK);
    if (with_context) assert_int_equal(am_decoder_context(decoder, ids.data, ids.n, &error), ADAM_OK);
    for (size_t i = 0; i < ids.n; i++)
      assert_int_equal(am_decoder_push(decoder, ids.data[i], &out, &error), ADAM_OK);
    assert_int_equal(am_decoder_finish(decoder, &out, &error), ADAM_OK);
    assert_string_equal(out.data, with_context ? " the dog" : "the dog");
    am_decoder_close(&decoder);
    am_buf_close(&out);
  }
  am_ids_close(&ids);
  am_tokenizer_close(&t);
}

/* Every allocation of opening and encoding fails once. */
static void test_memory(void **state) {
  (void)state;
  const am_json *item = am_json_at(am_json_get(&golden, "models"), 6), *config = am_json_get(item, "config");
  const am_json *gguf = am_json_at(am_json_get(&golden, "vocabularies"), 0);
  vocab_arrays a;
  fill(gguf, &a);
  for (int kind = 0; kind < 2; kind++) {
    for (uint64_t n = 1;; n++) {
      am_tokenizer *t = NULL;
      am_ids ids = {0};
      am_mem_fault_set(n);
      adam_status status = kind ? am_tokenizer_open_vocab("x.gguf", &a.vocab, NULL, NULL, &t, &error)
                                : am_tokenizer_open_model_bytes("x.model", model_bytes, n_model_bytes,
                                                                config->as.string, config->n, &t, &error);
      if (status == ADAM_OK) status = am_tokenizer_encode(t, "the <s> dog  日 x", 18, 0, &ids, &error);
      int fired = am_mem_fault_fired();
      am_mem_fault_set(0);
      am_tokenizer_close(&t);
      am_ids_close(&ids);
      if (!fired) {
        assert_int_equal(status, ADAM_OK);
        break;
      }
      assert_true(status == ADAM_OK || status == ADAM_NO_MEMORY);
    }
  }
  drop_arrays(&a);
}

/* A megabyte of one letter, of spaces, of foreign signs: no piece may cost more than n log n. The limit is
 * a hundred times what it takes. */
static void test_long_pieces(void **state) {
  (void)state;
  static const char *const units[] = {"a", " ", "\n", "the", "日", "🦙", "ab"};
  const am_json *gguf = am_json_at(am_json_get(&golden, "vocabularies"), 0);
  const size_t n_bytes = 1 << 20;
  char *text = malloc(n_bytes);
  vocab_arrays a;
  am_tokenizer *t[2] = {NULL, NULL};
  fill(gguf, &a);
  assert_non_null(text);
  assert_int_equal(am_tokenizer_open_vocab("x.gguf", &a.vocab, NULL, NULL, &t[0], &error), ADAM_OK);
  assert_int_equal(
      am_tokenizer_open_model_bytes("x.model", model_bytes, n_model_bytes, NULL, 0, &t[1], &error), ADAM_OK);
  alarm(600);
  for (size_t u = 0; u < sizeof units / sizeof *units; u++) {
    size_t length = strlen(units[u]), n = n_bytes / length * length;
    for (size_t p = 0; p < n; p += length) memcpy(text + p, units[u], length);
    for (int k = 0; k < 2; k++) {
      am_ids ids = {0};
      am_buf out = {0};
      assert_int_equal(am_tokenizer_encode(t[k], text, n, 0, &ids, &error), ADAM_OK);
      assert_int_equal(am_tokenizer_decode(t[k], ids.data, ids.n, false, &out, &error), ADAM_OK);
      assert_int_equal(out.len, n);
      assert_memory_equal(out.data, text, n);
      am_ids_close(&ids);
      am_buf_close(&out);
    }
  }
  alarm(0);
  free(text);
  drop_arrays(&a);
  am_tokenizer_close(&t[0]);
  am_tokenizer_close(&t[1]);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_models),       cmocka_unit_test(test_documents),
      cmocka_unit_test(test_vocabularies), cmocka_unit_test(test_caches),
      cmocka_unit_test(test_context),      cmocka_unit_test(test_memory),
      cmocka_unit_test(test_long_pieces),
  };
  return cmocka_run_group_tests(tests, load, drop);
}
