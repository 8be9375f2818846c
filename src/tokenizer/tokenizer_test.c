/* SPDX-License-Identifier: Apache-2.0 */
/* Against what the `tokenizers` package answered (tests/golden/make_tokenizer.py), and the promises of
 * tokenizer.h: streams, caches, errors, memory that runs out, threads. */
#include "tokenizer/tokenizer.h"

#include "base/arena.h"
#include "base/mem.h"
#include "os/file.h"
#include "os/thread.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static am_arena arena;
static am_json cases;
static adam_error error;

static int load_cases(void **state) {
  am_buf text = {0};
  (void)state;
  if (am_file_read(ADAM_SOURCE_DIR "/tests/golden/tokenizer/cases.json", (size_t)64 << 20, &text, &error) !=
      ADAM_OK)
    return 1;
  adam_status status = am_json_parse(text.data, text.len, "cases.json", 0, &arena, &cases, &error);
  am_buf_close(&text);
  return status == ADAM_OK ? 0 : 1;
}

static int drop_cases(void **state) {
  (void)state;
  am_arena_close(&arena);
  return 0;
}

/* Members of an object without its braces, each with a comma before it. */
static void append_members(am_buf *out, const am_json *object) {
  for (size_t i = 0; i < object->n; i++) {
    am_buf_append_char(out, ',');
    am_json_write_string(out, object->as.members[i].key, object->as.members[i].key_bytes);
    am_buf_append_char(out, ':');
    am_json_write(out, &object->as.members[i].value);
  }
}

/* The tokenizer.json of a variant. */
static am_buf document_of(const am_json *variant) {
  am_buf out = {0};
  const char *base = am_json_str(am_json_get(variant, "base"), "");
  am_buf_append_str(&out, "{\"made\":true");
  append_members(&out, am_json_get(variant, "parts"));
  am_buf_append_str(&out, ",\"model\":{\"made\":true");
  append_members(&out, am_json_get(variant, "model"));
  append_members(&out, am_json_get(am_json_get(&cases, "bases"), base));
  am_buf_append_str(&out, "}}");
  assert_false(out.failed);
  return out;
}

static const am_json *variant_named(const char *name) {
  const am_json *list = am_json_get(&cases, "variants");
  for (size_t i = 0; i < list->n; i++)
    if (strcmp(am_json_str(am_json_get(am_json_at(list, i), "name"), ""), name) == 0)
      return am_json_at(list, i);
  fail_msg("no variant %s", name);
  return NULL;
}

static am_tokenizer *open_variant(const am_json *variant) {
  am_tokenizer *t = NULL;
  am_buf text = document_of(variant);
  adam_status status = am_tokenizer_open_json("variant", text.data, text.len, NULL, 0, &t, &error);
  if (status != ADAM_OK) fail_msg("%s: %s", am_json_str(am_json_get(variant, "name"), ""), error.why);
  am_buf_close(&text);
  return t;
}

static bool same_ids(const am_ids *ids, const am_json *expected) {
  if (ids->n != expected->n) return false;
  for (size_t i = 0; i < ids->n; i++)
    if (ids->data[i] != am_json_int(am_json_at(expected, i), -1)) return false;
  return true;
}

static void check_encodes(const am_tokenizer *t, const am_json *variant) {
  const am_json *list = am_json_get(variant, "encodes");
  am_ids ids = {0};
  assert_true(list->n > 20);
  for (size_t i = 0; i < list->n; i++) {
    const am_json *item = am_json_at(list, i), *text = am_json_at(item, 0);
    uint32_t flags = am_json_bool(am_json_at(item, 1), false) ? AM_ENCODE_PLAIN_TEXT : 0;
    if (am_json_bool(am_json_at(item, 2), false)) flags |= AM_ENCODE_SPECIAL;
    ids.n = 0;
    assert_int_equal(am_tokenizer_encode(t, text->as.string, text->n, flags, &ids, &error), ADAM_OK);
    if (!same_ids(&ids, am_json_at(item, 3)))
      fail_msg("%s: text %zu: %s", am_json_str(am_json_get(variant, "name"), ""), i, text->as.string);
  }
  am_ids_close(&ids);
}

/* Each push may only add whole characters. */
static void check_stream(const am_tokenizer *t, const am_ids *ids, bool skip, const am_json *expected) {
  am_decoder *decoder = NULL;
  am_buf text = {0};
  assert_int_equal(am_decoder_open(t, skip, &decoder, &error), ADAM_OK);
  for (size_t i = 0; i <= ids->n; i++) {
    if (i < ids->n)
      assert_int_equal(am_decoder_push(decoder, ids->data[i], &text, &error), ADAM_OK);
    else
      assert_int_equal(am_decoder_finish(decoder, &text, &error), ADAM_OK);
    if (text.len <= expected->n)
      assert_true(text.len == expected->n || ((unsigned char)expected->as.string[text.len] & 0xC0) != 0x80);
  }
  assert_int_equal(text.len, expected->n);
  if (text.len > 0) assert_memory_equal(text.data, expected->as.string, text.len);
  am_buf_close(&text);
  am_decoder_close(&decoder);
}

static void check_decodes(const am_tokenizer *t, const am_json *variant) {
  const am_json *list = am_json_get(variant, "decodes");
  am_ids ids = {0};
  am_buf text = {0};
  assert_true(list->n > 20);
  ids.data = am_mem_alloc(4096 * sizeof *ids.data);
  for (size_t i = 0; i < list->n; i++) {
    const am_json *item = am_json_at(list, i), *given = am_json_at(item, 0), *expected = am_json_at(item, 2);
    bool skip = am_json_bool(am_json_at(item, 1), false);
    assert_true(given->n <= 4096);
    for (ids.n = 0; ids.n < given->n; ids.n++)
      ids.data[ids.n] = (int32_t)am_json_int(am_json_at(given, ids.n), -1);
    am_buf_clear(&text);
    assert_int_equal(am_tokenizer_decode(t, ids.data, ids.n, skip, &text, &error), ADAM_OK);
    if (text.len != expected->n || (text.len > 0 && memcmp(text.data, expected->as.string, text.len) != 0))
      fail_msg("%s: ids %zu: got %s, expected %s", am_json_str(am_json_get(variant, "name"), ""), i,
               text.data ? text.data : "", expected->as.string);
    check_stream(t, &ids, skip, expected);
  }
  am_buf_close(&text);
  am_ids_close(&ids);
}

static void check_pairs(const am_tokenizer *t, const am_json *variant) {
  const am_json *list = am_json_get(variant, "pairs");
  am_ids ids = {0}, types = {0};
  assert_true(list->n > 10);
  for (size_t i = 0; i < list->n; i++) {
    const am_json *item = am_json_at(list, i), *first = am_json_at(item, 0), *second = am_json_at(item, 1);
    uint32_t flags = am_json_bool(am_json_at(item, 2), false) ? AM_ENCODE_SPECIAL : 0;
    size_t most = (size_t)am_json_int(am_json_at(item, 3), 0);
    ids.n = types.n = 0;
    assert_int_equal(am_tokenizer_encode_pair(t, first->as.string, first->n, second->as.string, second->n,
                                              flags, most, &ids, &types, NULL, &error),
                     ADAM_OK);
    if (!same_ids(&ids, am_json_at(item, 4)) || !same_ids(&types, am_json_at(item, 5)))
      fail_msg("%s: pair %zu", am_json_str(am_json_get(variant, "name"), ""), i);
  }
  am_ids_close(&ids);
  am_ids_close(&types);
}

static void variants_equal_the_package(void **state) {
  const am_json *list = am_json_get(&cases, "variants");
  (void)state;
  assert_true(list->n >= 40);
  for (size_t i = 0; i < list->n; i++) {
    am_tokenizer *t = open_variant(am_json_at(list, i));
    check_encodes(t, am_json_at(list, i));
    check_decodes(t, am_json_at(list, i));
    check_pairs(t, am_json_at(list, i));
    am_tokenizer_close(&t);
  }
}

/* A model of three letters and one merge, where every answer is seen by eye. */
#define MODEL "\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2,\"c\":5},\"merges\":[\"a b\"]}"

static adam_status open_text(const char *json, const char *config, am_tokenizer **out) {
  return am_tokenizer_open_json("t.json", json, strlen(json), config, config ? strlen(config) : 0, out,
                                &error);
}

static void answers_about_ids(void **state) {
  am_tokenizer *t = NULL;
  size_t n = 0;
  (void)state;
  assert_int_equal(open_text("{\"added_tokens\":[{\"content\":\"<s>\",\"id\":9,\"special\":true},"
                             "{\"content\":\"c\",\"id\":0,\"special\":false}]," MODEL "}",
                             NULL, &t),
                   ADAM_OK);
  assert_int_equal(am_tokenizer_size(t), 6);
  assert_int_equal(am_tokenizer_find(t, "ab", 2), 2);
  assert_int_equal(am_tokenizer_find(t, "<s>", 3), 4); /* behind the four words, not at 9 */
  assert_int_equal(am_tokenizer_find(t, "c", 1), 5);
  assert_int_equal(am_tokenizer_find(t, "x", 1), -1);
  assert_int_equal(am_tokenizer_find(t, "\xFF", 1), -1);
  assert_memory_equal(am_tokenizer_piece(t, 2, &n), "ab", 2);
  assert_int_equal(n, 2);
  assert_null(am_tokenizer_piece(t, 3, &n));
  assert_null(am_tokenizer_piece(t, -1, &n));
  assert_null(am_tokenizer_piece(t, 6, &n));
  assert_true(am_tokenizer_is_special(t, 4));
  assert_false(am_tokenizer_is_special(t, 5));
  assert_false(am_tokenizer_is_special(t, 100));
  assert_string_equal(am_tokenizer_kind(t), "bpe");
  assert_int_equal(strlen(am_tokenizer_digest(t)), 64);
  am_tokenizer_close(&t);
  am_tokenizer_close(&t);
}

static void config_adds_tokens(void **state) {
  am_tokenizer *t = NULL;
  am_ids ids = {0};
  const char *config =
      "{\"add_bos_token\":true,\"bos_token\":\"<b>\",\"added_tokens_decoder\":{\"12\":{\"content\":\"<y>\"},"
      "\"11\":{\"content\":\"<x>\",\"special\":true}},\"pad_token\":{\"content\":\"<p>\"},"
      "\"extra_special_tokens\":[\"<e>\"],\"model_max_length\":1000000000000000019884624838656}";
  (void)state;
  assert_int_equal(open_text("{" MODEL "}", config, &t), ADAM_OK);
  assert_int_equal(am_tokenizer_encode(t, "ab<x><y><b><p><e>c", 18, AM_ENCODE_SPECIAL, &ids, &error),
                   ADAM_OK);
  const int32_t expected[] = {2, 4, 5, 6, 7, 8, 5};
  assert_int_equal(ids.n, 7);
  assert_memory_equal(ids.data, expected, sizeof expected);
  ids.n = 0;
  assert_int_equal(am_tokenizer_encode(t, "<x><y>", 6, AM_ENCODE_PLAIN_TEXT, &ids, &error), ADAM_OK);
  assert_int_equal(ids.n, 1); /* <y> is not special; no letter of <x> is in the vocabulary */
  assert_int_equal(ids.data[0], 5);
  am_ids_close(&ids);
  am_tokenizer_close(&t);
}

static void what_is_unsupported_is_named(void **state) {
  static const struct {
    const char *json;
    adam_status status;
    const char *word; /* in the reason */
  } rows[] = {
      {"{\"model\":{\"type\":\"Nope\",\"vocab\":{}}}", ADAM_UNSUPPORTED, "Nope"},
      {"{\"normalizer\":{\"type\":\"Precompiled\"}," MODEL "}", ADAM_DAMAGED, "Precompiled"},
      {"{\"normalizer\":{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"????\"}," MODEL "}",
       ADAM_DAMAGED, "base64"},
      {"{\"normalizer\":{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"/w==\"}," MODEL "}",
       ADAM_DAMAGED, "size"},
      {"{\"normalizer\":{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"/wAAAAAA\"}," MODEL "}",
       ADAM_DAMAGED, "longer"},
      {"{\"normalizer\":{\"type\":\"Nope\"}," MODEL "}", ADAM_UNSUPPORTED, "Nope"},
      {"{\"pre_tokenizer\":{\"type\":\"Nope\"}," MODEL "}", ADAM_UNSUPPORTED, "Nope"},
      {"{\"model\":{\"type\":\"Unigram\",\"vocab\":{\"a\":0}}}", ADAM_DAMAGED, "vocab"},
      {"{\"model\":{\"type\":\"Unigram\",\"vocab\":[[\"a\"]]}}", ADAM_DAMAGED, "item 0"},
      {"{\"model\":{\"type\":\"Unigram\",\"unk_id\":1,\"vocab\":[[\"a\",0.5]]}}", ADAM_DAMAGED, "unk_id"},
      {"{\"post_processor\":{\"type\":\"Nope\"}," MODEL "}", ADAM_UNSUPPORTED, "Nope"},
      {"{\"decoder\":{\"type\":\"Nope\"}," MODEL "}", ADAM_UNSUPPORTED, "Nope"},
      {"{\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"[a&&b]\"},\"behavior\":\"Isolated\"}"
       "," MODEL "}",
       ADAM_UNSUPPORTED, "&&"},
      {"{\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"(a\"},\"behavior\":\"Isolated\"}"
       "," MODEL "}",
       ADAM_UNSUPPORTED, "(a"},
      {"{\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"a\"},\"behavior\":\"Odd\"}," MODEL
       "}",
       ADAM_DAMAGED, "behavior"},
      {"{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[\"a a\"]}}", ADAM_DAMAGED, "merge 0"},
      {"{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[\"a\"]}}", ADAM_DAMAGED, "two parts"},
      {"{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[[\"a\"]]}}", ADAM_DAMAGED, "two parts"},
      {"{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":-1},\"merges\":[]}}", ADAM_DAMAGED, "id"},
      {"{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":99999999},\"merges\":[]}}", ADAM_DAMAGED, "id"},
      {"{\"model\":{\"type\":\"BPE\",\"vocab\":[],\"merges\":[]}}", ADAM_DAMAGED, "vocab"},
      {"{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0}}}", ADAM_DAMAGED, "merges"},
      {"{\"model\":{\"type\":\"BPE\",\"dropout\":0.5,\"vocab\":{\"a\":0},\"merges\":[]}}", ADAM_UNSUPPORTED,
       "dropout"},
      {"{}", ADAM_DAMAGED, "model"},
      {"[]", ADAM_DAMAGED, "object"},
      {"{\"model\":", ADAM_DAMAGED, ""},
  };
  (void)state;
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    am_tokenizer *t = NULL;
    adam_status status = open_text(rows[i].json, NULL, &t);
    if (status != rows[i].status || !strstr(error.why, rows[i].word))
      fail_msg("%s: status %d: %s", rows[i].json, status, error.why);
    assert_string_equal(error.what, "t.json");
    assert_null(t);
  }
}

/* A pair as BERT has it: [CLS] A [SEP] B [SEP], types 0 0 0 1 1, shortened at the longer text first. */
static void pairs_have_types(void **state) {
  static const char json[] =
      "{\"truncation\":{\"max_length\":9},\"normalizer\":{\"type\":\"BertNormalizer\"},"
      "\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"},"
      "\"post_processor\":{\"type\":\"TemplateProcessing\","
      "\"single\":[{\"SpecialToken\":{\"id\":\"[CLS]\",\"type_id\":0}},{\"Sequence\":{\"id\":\"A\",\"type_"
      "id\":0}},"
      "{\"SpecialToken\":{\"id\":\"[SEP]\",\"type_id\":0}}],"
      "\"pair\":[{\"SpecialToken\":{\"id\":\"[CLS]\",\"type_id\":0}},{\"Sequence\":{\"id\":\"A\",\"type_id\":"
      "0}},"
      "{\"SpecialToken\":{\"id\":\"[SEP]\",\"type_id\":0}},{\"Sequence\":{\"id\":\"B\",\"type_id\":1}},"
      "{\"SpecialToken\":{\"id\":\"[SEP]\",\"type_id\":1}}],"
      "\"special_tokens\":{\"[CLS]\":{\"ids\":[1]},\"[SEP]\":{\"ids\":[2]}}},"
      "\"model\":{\"type\":\"WordPiece\",\"vocab\":{\"[UNK]\":0,\"[CLS]\":1,\"[SEP]\":2,\"ab\":3,\"##c\":4,"
      "\"##cd\":5,"
      "\"a\":6}}}";
  static const int32_t ids_expected[] = {1, 3, 5, 0, 2, 6, 2}, types_expected[] = {0, 0, 0, 0, 0, 1, 1};
  static const int32_t short_expected[] = {1, 3, 5, 2, 6, 2}, cut_expected[] = {1, 3, 2};
  am_tokenizer *t = NULL;
  am_ids ids = {0}, types = {0};
  size_t dropped = 99;
  (void)state;
  assert_int_equal(open_text(json, "{\"model_max_length\":512}", &t), ADAM_OK);
  assert_int_equal(am_tokenizer_truncation(t), 9);
  assert_int_equal(am_tokenizer_model_max_length(t), 512);
  assert_string_equal(am_tokenizer_kind(t), "wordpiece");
  assert_int_equal(am_tokenizer_encode_pair(t, "ABcd x", 6, "\xC3\x81", 2, AM_ENCODE_SPECIAL, 0, &ids, &types,
                                            &dropped, &error),
                   ADAM_OK);
  assert_int_equal(ids.n, 7);
  assert_int_equal(types.n, 7);
  assert_memory_equal(ids.data, ids_expected, sizeof ids_expected);
  assert_memory_equal(types.data, types_expected, sizeof types_expected);
  assert_int_equal(dropped, 0);
  ids.n = types.n = 0;
  assert_int_equal(
      am_tokenizer_encode_pair(t, "ABcd x", 6, "a", 1, AM_ENCODE_SPECIAL, 6, &ids, NULL, &dropped, &error),
      ADAM_OK);
  assert_int_equal(ids.n, 6);
  assert_memory_equal(ids.data, short_expected, sizeof short_expected);
  assert_int_equal(dropped, 1);
  ids.n = 0;
  assert_int_equal(
      am_tokenizer_encode_pair(t, "ABcd x", 6, NULL, 0, AM_ENCODE_SPECIAL, 3, &ids, &types, &dropped, &error),
      ADAM_OK);
  assert_int_equal(ids.n, 3);
  assert_memory_equal(ids.data, cut_expected, sizeof cut_expected);
  assert_int_equal(dropped, 2);
  am_ids_close(&ids);
  am_ids_close(&types);
  am_tokenizer_close(&t);
}

static am_vocab small_vocab(void) {
  static const am_vocab_string tokens[] = {{"a", 1},
                                           {"b", 1},
                                           {"ab", 2},
                                           {"\xC4\xA0", 2},
                                           {"\xC4\xA0"
                                            "ab",
                                            4},
                                           {"<s>", 3},
                                           {"<u>", 3},
                                           {"1", 1},
                                           {"\xFF\xFE", 2},
                                           {"", 0}};
  static const am_vocab_string merges[] = {{"a b", 3}, {"\xC4\xA0 ab", 5}};
  static const int32_t types[] = {1, 1, 1, 1, 1, 3, 4, 1, 1, 1};
  return (am_vocab){.model = "gpt2",
                    .pre = "smollm",
                    .tokens = tokens,
                    .types = types,
                    .n_tokens = 10,
                    .merges = merges,
                    .n_merges = 2,
                    .bos_id = 5,
                    .eos_id = 6,
                    .unknown_id = -1,
                    .separator_id = -1,
                    .pad_id = -1,
                    .cls_id = -1,
                    .add_bos = 1,
                    .add_eos = -1,
                    .add_space_prefix = -1};
}

static void vocabulary_of_gguf(void **state) {
  am_vocab vocab = small_vocab();
  am_tokenizer *t = NULL;
  am_ids ids = {0};
  am_buf text = {0};
  (void)state;
  assert_int_equal(am_tokenizer_open_vocab("v", &vocab, NULL, NULL, &t, &error), ADAM_OK);
  assert_int_equal(am_tokenizer_encode(t, "ab ab<s><u>11", 13, AM_ENCODE_SPECIAL, &ids, &error), ADAM_OK);
  const int32_t expected[] = {5, 2, 4, 5, 6, 7, 7};
  assert_int_equal(ids.n, 7);
  assert_memory_equal(ids.data, expected, sizeof expected);
  assert_int_equal(am_tokenizer_decode(t, ids.data, ids.n, true, &text, &error), ADAM_OK);
  assert_string_equal(text.data, "ab ab<u>11");
  am_buf_close(&text);
  am_ids_close(&ids);
  am_tokenizer_close(&t);
  vocab.pre = "no such name";
  assert_int_equal(am_tokenizer_open_vocab("v", &vocab, NULL, NULL, &t, &error), ADAM_UNSUPPORTED);
  assert_non_null(strstr(error.why, "no such name"));
  vocab.model = "rwkv";
  assert_int_equal(am_tokenizer_open_vocab("v", &vocab, NULL, NULL, &t, &error), ADAM_UNSUPPORTED);
  assert_non_null(strstr(error.why, "rwkv"));
  assert_null(t);
}

/* Every name of the table makes patterns that compile and cover the text. */
static void pre_types_all_open(void **state) {
  static const char *const names[] = {
      NULL,           "default",        "gpt-2",       "qwen2",      "llama-bpe", "smollm",    "falcon",
      "deepseek-llm", "deepseek-coder", "deepseek-v3", "qwen35",     "tekken",    "gpt-4o",    "bailingmoe",
      "seed-coder",   "bloom",          "viking",      "exaone-moe", "command-r", "stablelm2", "dbrx"};
  (void)state;
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    am_vocab vocab = small_vocab();
    am_tokenizer *t = NULL;
    am_ids ids = {0};
    vocab.pre = names[i];
    vocab.add_bos = 0;
    if (am_tokenizer_open_vocab("v", &vocab, NULL, NULL, &t, &error) != ADAM_OK)
      fail_msg("%s: %s", names[i], error.why);
    assert_int_equal(am_tokenizer_encode(t, "ab 1", 4, 0, &ids, &error), ADAM_OK);
    assert_true(ids.n == 3); /* ab, space, 1 under every pattern */
    am_ids_close(&ids);
    am_tokenizer_close(&t);
  }
}

/* The prompt decides on the leading space, and half a character of it waits. */
static void context_goes_before(void **state) {
  am_tokenizer *t = open_variant(variant_named("llama2"));
  am_decoder *decoder = NULL;
  am_buf text = {0};
  int32_t the = am_tokenizer_find(t, "\xE2\x96\x81the", 6), high = am_tokenizer_find(t, "<0xC3>", 6),
          low = am_tokenizer_find(t, "<0xA9>", 6);
  (void)state;
  assert_true(the >= 0 && high >= 0 && low >= 0);
  assert_int_equal(am_decoder_open(t, false, &decoder, &error), ADAM_OK);
  assert_int_equal(am_decoder_push(decoder, the, &text, &error), ADAM_OK);
  assert_int_equal(am_decoder_push(decoder, the, &text, &error), ADAM_OK);
  assert_string_equal(text.data, "the the");
  am_decoder_close(&decoder);
  am_buf_clear(&text);
  const int32_t prompt[] = {the, high};
  assert_int_equal(am_decoder_open(t, false, &decoder, &error), ADAM_OK);
  assert_int_equal(am_decoder_context(decoder, prompt, 2, &error), ADAM_OK);
  assert_int_equal(am_decoder_push(decoder, low, &text, &error), ADAM_OK);
  assert_int_equal(am_decoder_push(decoder, the, &text, &error), ADAM_OK);
  assert_int_equal(am_decoder_finish(decoder, &text, &error), ADAM_OK);
  assert_string_equal(text.data, "\xC3\xA9 the");
  am_decoder_close(&decoder);
  am_buf_close(&text);
  am_tokenizer_close(&t);
}

/* A folder of its own, with a tokenizer.json in it. */
typedef struct home {
  char folder[64];
  char *json, *config, *cached;
} home;

static bool take_name(void *user, const char *name) {
  home *h = user;
  am_mem_free(h->cached);
  char *folder = am_path_join(h->folder, "tokenizers");
  h->cached = am_path_join(folder, name);
  am_mem_free(folder);
  return false;
}

static void find_cached(home *h) {
  char *folder = am_path_join(h->folder, "tokenizers");
  am_mem_free(h->cached);
  h->cached = NULL;
  assert_int_equal(am_dir_list(folder, take_name, h, &error), ADAM_OK);
  am_mem_free(folder);
  assert_non_null(h->cached);
}

static home open_home(void) {
  home h = {.folder = "adam_tokenizer_XXXXXX"};
  assert_non_null(mkdtemp(h.folder));
  h.json = am_path_join(h.folder, "tokenizer.json");
  h.config = am_path_join(h.folder, "tokenizer_config.json");
  am_buf text = document_of(variant_named("qwen2"));
  assert_int_equal(am_file_write_atomic(h.json, text.data, text.len, 0644, &error), ADAM_OK);
  assert_int_equal(am_file_write_atomic(h.config, "{}", 2, 0644, &error), ADAM_OK);
  am_buf_close(&text);
  return h;
}

static void close_home(home *h) {
  char *folder = am_path_join(h->folder, "tokenizers");
  if (h->cached) unlink(h->cached);
  rmdir(folder);
  unlink(h->json);
  unlink(h->config);
  assert_int_equal(rmdir(h->folder), 0);
  am_mem_free(folder);
  am_mem_free(h->json);
  am_mem_free(h->config);
  am_mem_free(h->cached);
}

static void open_and_check(const home *h, char digest[65]) {
  am_tokenizer *t = NULL;
  assert_int_equal(am_tokenizer_open_file(h->json, h->config, h->folder, &t, &error), ADAM_OK);
  check_encodes(t, variant_named("qwen2"));
  memcpy(digest, am_tokenizer_digest(t), 65);
  am_tokenizer_close(&t);
}

static void caches_are_used_and_not_trusted(void **state) {
  home h = open_home();
  char first[65], again[65];
  am_buf good = {0}, now = {0};
  (void)state;
  open_and_check(&h, first);
  find_cached(&h);
  assert_int_equal(am_file_read(h.cached, (size_t)64 << 20, &good, &error), ADAM_OK);
  open_and_check(&h, again);
  assert_string_equal(first, again);
  /* One wrong byte anywhere, or a piece missing: made anew, and the same as before. */
  for (size_t i = 0; i < 40; i++) {
    size_t at = i * 2654435761u % good.len, n = i % 8 == 7 ? at : good.len;
    good.data[at] ^= 0x20;
    assert_int_equal(am_file_write_atomic(h.cached, good.data, n, 0644, &error), ADAM_OK);
    good.data[at] ^= 0x20;
    open_and_check(&h, again);
    assert_string_equal(first, again);
    assert_int_equal(am_file_read(h.cached, (size_t)64 << 20, &now, &error), ADAM_OK);
    assert_int_equal(now.len, good.len);
    assert_memory_equal(now.data, good.data, good.len);
  }
  /* Other content under the same name: the old cache does not count. */
  am_tokenizer *t = NULL;
  assert_int_equal(am_file_write_atomic(h.json, "{" MODEL "}", strlen("{" MODEL "}"), 0644, &error), ADAM_OK);
  assert_int_equal(am_tokenizer_open_file(h.json, h.config, h.folder, &t, &error), ADAM_OK);
  assert_int_equal(am_tokenizer_size(t), 6);
  assert_string_not_equal(am_tokenizer_digest(t), first);
  am_tokenizer_close(&t);
  am_buf_close(&good);
  am_buf_close(&now);
  close_home(&h);
}

/* A folder that cannot be written, and reads that fail, cost the cache and nothing else. */
static void failing_disks(void **state) {
  home h = open_home();
  char digest[65];
  (void)state;
  open_and_check(&h, digest);
  find_cached(&h);
  unlink(h.cached);
  for (uint64_t n = 1; n < 40; n++) {
    am_tokenizer *t = NULL;
    am_file_fault_set(n);
    adam_status status = am_tokenizer_open_file(h.json, h.config, h.folder, &t, &error);
    bool fired = am_file_fault_fired();
    am_file_fault_set(0);
    assert_true(status == ADAM_OK || status == ADAM_IO);
    assert_true((status == ADAM_OK) == (t != NULL));
    am_tokenizer_close(&t);
    if (!fired) break;
    if (status == ADAM_OK && n % 3 == 0 && h.cached) unlink(h.cached);
  }
  open_and_check(&h, digest);
  find_cached(&h);
  close_home(&h);
}

typedef bool (*trial)(void); /* true: it succeeded */

/* The n-th allocation fails, n = 1, 2, 3 ... until there is no n-th. */
static void exhaust(trial attempt) {
  for (uint64_t n = 1;; n++) {
    am_mem_fault_set(n);
    bool ok = attempt();
    bool fired = am_mem_fault_fired();
    am_mem_fault_set(0);
    if (!fired) {
      assert_true(ok);
      break;
    }
    if (!ok) assert_int_equal(error.status, ADAM_NO_MEMORY);
  }
}

static const char *fault_json;
static size_t fault_bytes;

static bool open_use_close(void) {
  static const char text[] = "Hi [L] <|im_start|> e\xCC\x81t\xC3\xA9 1234 word \xFF\xE2\x96\x81the";
  am_tokenizer *t = NULL;
  am_ids ids = {0};
  am_buf out = {0};
  am_decoder *decoder = NULL;
  adam_status status =
      am_tokenizer_open_json("fault", fault_json, fault_bytes, "{\"pad_token\":\"<p>\"}", 19, &t, &error);
  if (status == ADAM_OK)
    status = am_tokenizer_encode(t, text, sizeof text - 1, AM_ENCODE_SPECIAL, &ids, &error);
  if (status == ADAM_OK) status = am_tokenizer_decode(t, ids.data, ids.n, false, &out, &error);
  if (status == ADAM_OK) status = am_decoder_open(t, false, &decoder, &error);
  if (status == ADAM_OK) status = am_decoder_context(decoder, ids.data, ids.n / 2, &error);
  for (size_t i = 0; status == ADAM_OK && i < ids.n; i++)
    status = am_decoder_push(decoder, ids.data[i], &out, &error);
  if (status == ADAM_OK) status = am_decoder_finish(decoder, &out, &error);
  am_decoder_close(&decoder);
  am_buf_close(&out);
  am_ids_close(&ids);
  am_tokenizer_close(&t);
  return status == ADAM_OK;
}

static bool open_vocab_close(void) {
  am_vocab vocab = small_vocab();
  am_tokenizer *t = NULL;
  vocab.pre = "deepseek-v3";
  adam_status status = am_tokenizer_open_vocab("v", &vocab, NULL, NULL, &t, &error);
  am_tokenizer_close(&t);
  return status == ADAM_OK;
}

static void memory_runs_out(void **state) {
  static const char *const names[] = {"odd",       "odd-strip",      "llama2", "metaspace",
                                      "word-ends", "replace",        "cl100k", "bert-cased",
                                      "t5",        "levels-scripts", "xlm-r"};
  (void)state;
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    am_buf text = document_of(variant_named(names[i]));
    fault_json = text.data;
    fault_bytes = text.len;
    exhaust(open_use_close);
    am_buf_close(&text);
  }
  exhaust(open_vocab_close);
}

static void *encode_all(void *argument) {
  for (int i = 0; i < 3; i++) check_encodes(argument, variant_named("odd-lower"));
  return NULL;
}

static void threads_share_a_tokenizer(void **state) {
  am_tokenizer *t = open_variant(variant_named("odd-lower"));
  am_thread threads[4];
  (void)state;
  for (int i = 0; i < 4; i++) assert_true(am_thread_start(&threads[i], encode_all, t));
  for (int i = 0; i < 4; i++) am_thread_join(&threads[i]);
  am_tokenizer_close(&t);
}

/* Long single words: n log n, or this would take hours. */
static void long_words(void **state) {
  static const char *const names[] = {"qwen2", "llama2", "word-ends", "nfkd"};
  size_t n = 400000;
  char *text = am_mem_alloc(n);
  (void)state;
  for (size_t i = 0; i < n; i++) text[i] = "abcdeth"[(i * i / 7 + i) % 7];
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    am_tokenizer *t = open_variant(variant_named(names[i]));
    am_ids ids = {0};
    assert_int_equal(am_tokenizer_encode(t, text, n, 0, &ids, &error), ADAM_OK);
    assert_true(ids.n > 1000 && ids.n <= n + 1);
    am_ids_close(&ids);
    am_tokenizer_close(&t);
  }
  am_mem_free(text);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(variants_equal_the_package),
      cmocka_unit_test(answers_about_ids),
      cmocka_unit_test(config_adds_tokens),
      cmocka_unit_test(what_is_unsupported_is_named),
      cmocka_unit_test(pairs_have_types),
      cmocka_unit_test(vocabulary_of_gguf),
      cmocka_unit_test(pre_types_all_open),
      cmocka_unit_test(context_goes_before),
      cmocka_unit_test(caches_are_used_and_not_trusted),
      cmocka_unit_test(failing_disks),
      cmocka_unit_test(memory_runs_out),
      cmocka_unit_test(threads_share_a_tokenizer),
      cmocka_unit_test(long_words),
  };
  return cmocka_run_group_tests(tests, load_cases, drop_cases);
}
