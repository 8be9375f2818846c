/* SPDX-License-Identifier: Apache-2.0 */
/* Tokenizers of tests/golden/models to GGUF and back: ids as the `tokenizers` library gave them, and where
 * the folder and a GGUF that gguf-py wrote have one vocabulary, the same pairs; refusals, hostile
 * vocabularies, failing memory. tests/golden/vocab_references_test.py asks the references themselves. */
#include "convert/vocab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/mem.h"
#include "convert/vocab_parts.h"
#include "formats/gguf_write.h"
#include "os/file.h"

static char folder[] = "vocab-test-XXXXXX";

static const char *path_of(const char *name) {
  static char path[4][512];
  static int turn;
  turn = (turn + 1) % 4;
  snprintf(path[turn], sizeof path[turn], "%s/%s", folder, name);
  return path[turn];
}

static const char *golden(const char *name) {
  static char path[4][1024];
  static int turn;
  turn = (turn + 1) % 4;
  snprintf(path[turn], sizeof path[turn], "%s/tests/golden/models/%s", ADAM_SOURCE_DIR, name);
  return path[turn];
}

static int make_folder(void **state) {
  (void)state;
  return mkdtemp(folder) && am_dir_make(path_of("source"), NULL) == ADAM_OK &&
                 am_dir_make(path_of("back"), NULL) == ADAM_OK
             ? 0
             : -1;
}

static bool remove_one(void *user, const char *name) {
  char path[1024];
  snprintf(path, sizeof path, "%s/%s", (const char *)user, name);
  if (unlink(path) != 0) rmdir(path);
  return false;
}

static void empty(const char *path) {
  char owned[512];
  snprintf(owned, sizeof owned, "%s", path);
  am_dir_list(owned, remove_one, owned, NULL);
}

static int remove_folder(void **state) {
  (void)state;
  empty(path_of("back/additional_chat_templates"));
  empty(path_of("source"));
  empty(path_of("back"));
  empty(folder);
  return rmdir(folder);
}

static void must(adam_status status, const adam_error *error) {
  if (status) fail_msg("%s: %s", error->what, error->why);
}

static adam_status to_gguf(const char *source, const char *path, adam_error *error) {
  am_loader *loader = NULL;
  am_gguf_writer *w = NULL;
  adam_status status = am_loader_open(source, AM_LOADER_VOCAB_ONLY, NULL, &loader, error);
  if (!status) status = am_gguf_writer_open(&w, error);
  if (!status) status = am_gguf_write_string(w, "general.architecture", "none", error);
  if (!status) status = am_convert_vocab(loader, w, error);
  if (!status) status = am_gguf_writer_begin(w, path, error);
  if (!status) status = am_gguf_writer_finish(w, error);
  am_gguf_writer_close(&w);
  am_loader_close(&loader);
  return status;
}

static adam_status to_folder(const char *source, const char *target, adam_error *error) {
  am_loader *loader = NULL;
  adam_status status = am_loader_open(source, AM_LOADER_VOCAB_ONLY, NULL, &loader, error);
  if (!status) status = am_convert_tokenizer(loader, target, error);
  am_loader_close(&loader);
  return status;
}

/* The texts of golden.json have these ids in the model at path. */
static void check_texts(const char *name, const char *path) {
  adam_error error = {0};
  json_error_t why;
  am_loader *loader = NULL;
  char file[1200];
  snprintf(file, sizeof file, "%s/golden.json", golden(name));
  json_t *facts = json_load_file(file, 0, &why);
  assert_non_null(facts);
  must(am_loader_open(path, AM_LOADER_VOCAB_ONLY, NULL, &loader, &error), &error);
  const json_t *texts = json_object_get(facts, "texts");
  assert_true(json_array_size(texts) > 2);
  for (size_t i = 0; i < json_array_size(texts); i++) {
    am_ids ids = {0};
    const json_t *item = json_array_get(texts, i), *expected = json_object_get(item, "ids");
    const char *text = json_string_value(json_object_get(item, "text"));
    must(
        am_tokenizer_encode(am_loader_tokenizer(loader), text, strlen(text), AM_ENCODE_SPECIAL, &ids, &error),
        &error);
    assert_int_equal(ids.n, json_array_size(expected));
    for (size_t k = 0; k < ids.n; k++)
      assert_int_equal(ids.data[k], json_integer_value(json_array_get(expected, k)));
    am_ids_close(&ids);
  }
  am_loader_close(&loader);
  json_decref(facts);
}

static void folders_become_ggufs(void **state) {
  static const char *const names[] = {"qwen3-bf16-tied", "qwen2-f16-old",         "llama-bf16-llama3",
                                      "llama-bf16-spm",  "llama-bf16-linear-old", "qwen3-f16-old-odd"};
  (void)state;
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    adam_error error = {0};
    must(to_gguf(golden(names[i]), path_of("v.gguf"), &error), &error);
    check_texts(names[i], path_of("v.gguf"));
  }
}

static void ggufs_become_folders(void **state) {
  static const char *const names[] = {"gguf-qwen3-f16", "gguf-llama-q8_0", "gguf-llama-q8_0-spm",
                                      "gguf-phi2-q8_0"};
  (void)state;
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    adam_error error = {0};
    char source[1100];
    snprintf(source, sizeof source, "%s/model.gguf", golden(names[i]));
    must(to_folder(source, path_of("back"), &error), &error);
    check_texts(names[i], path_of("back"));
    must(to_gguf(path_of("back"), path_of("again.gguf"), &error), &error);
    check_texts(names[i], path_of("again.gguf"));
    empty(path_of("back"));
  }
}

static void is_string(const am_gguf_value *list, uint64_t at, const char *text) {
  assert_true(list && list->strings && at < list->n);
  assert_int_equal(list->strings[at].n_bytes, strlen(text));
  assert_memory_equal(list->strings[at].bytes, text, strlen(text));
}

static int32_t type_at(const am_gguf_value *list, uint64_t at) {
  int32_t type;
  assert_true(at < list->n);
  memcpy(&type, list->as.array + at * 4, 4);
  return type;
}

/* Words, added tokens and merges of tokenizer.json, one by one. */
static void check_pairs(const json_t *file, const am_gguf *made, bool bytes) {
  const am_gguf_value *tokens = am_gguf_get(made, "tokenizer.ggml.tokens");
  const am_gguf_value *types = am_gguf_get(made, "tokenizer.ggml.token_type");
  const am_gguf_value *merges = am_gguf_get(made, "tokenizer.ggml.merges");
  json_t *vocab = json_object_get(json_object_get(file, "model"), "vocab"), *value;
  const json_t *pairs = json_object_get(json_object_get(file, "model"), "merges");
  const json_t *added = json_object_get(file, "added_tokens");
  uint64_t n_known = json_object_size(vocab);
  const char *word;
  json_object_foreach(vocab, word, value) is_string(tokens, (uint64_t)json_integer_value(value), word);
  for (size_t i = 0; i < json_array_size(added); i++) {
    const json_t *item = json_array_get(added, i);
    uint64_t id = (uint64_t)json_integer_value(json_object_get(item, "id"));
    const char *content = json_string_value(json_object_get(item, "content"));
    is_string(tokens, id, content);
    int32_t expected = json_is_true(json_object_get(item, "special")) ? 3 : 4;
    assert_int_equal(type_at(types, id), strcmp(content, "<unk>") == 0 ? 2 : expected);
    if (id >= n_known) n_known = id + 1;
  }
  for (uint64_t id = n_known; id < tokens->n; id++) {
    char pad[32];
    snprintf(pad, sizeof pad, "[PAD%d]", (int)id);
    is_string(tokens, id, pad);
    assert_int_equal(type_at(types, id), 5);
  }
  assert_int_equal(type_at(types, 40), bytes ? 6 : 1);
  for (size_t i = 0; merges && i < json_array_size(pairs); i++) {
    const json_t *pair = json_array_get(pairs, i);
    char text[256];
    snprintf(text, sizeof text, "%s %s", json_string_value(json_array_get(pair, 0)),
             json_string_value(json_array_get(pair, 1)));
    is_string(merges, i, text);
  }
  assert_int_equal(merges ? merges->n : 0, bytes ? 0 : json_array_size(pairs));
}

static void pairs_are_those_of_the_file(void **state) {
  static const struct {
    const char *name, *model, *pre;
  } cases[] = {{"qwen3-bf16-tied", "gpt2", "qwen2"},
               {"llama-bf16-llama3", "gpt2", "llama-bpe"},
               {"llama-bf16-spm", "llama", "default"}};
  (void)state;
  for (size_t i = 0; i < 3; i++) {
    adam_error error = {0};
    am_gguf *made = NULL;
    json_error_t why;
    char path[1200];
    snprintf(path, sizeof path, "%s/tokenizer.json", golden(cases[i].name));
    json_t *file = json_load_file(path, 0, &why);
    assert_non_null(file);
    must(to_gguf(golden(cases[i].name), path_of("v.gguf"), &error), &error);
    must(am_gguf_open(path_of("v.gguf"), &made, &error), &error);
    check_pairs(file, made, strcmp(cases[i].model, "llama") == 0);
    const am_gguf_value *value = am_gguf_get(made, "tokenizer.ggml.model");
    assert_memory_equal(value->as.s.bytes, cases[i].model, value->as.s.n_bytes);
    value = am_gguf_get(made, "tokenizer.ggml.pre");
    assert_memory_equal(value->as.s.bytes, cases[i].pre, value->as.s.n_bytes);
    am_gguf_close(&made);
    json_decref(file);
  }
}

static void same_bytes_each_time(void **state) {
  adam_error error = {0};
  am_buf a = {0}, b = {0};
  (void)state;
  must(to_gguf(golden("llama-bf16-spm"), path_of("a.gguf"), &error), &error);
  must(to_gguf(golden("llama-bf16-spm"), path_of("b.gguf"), &error), &error);
  must(am_file_read(path_of("a.gguf"), 1 << 24, &a, &error), &error);
  must(am_file_read(path_of("b.gguf"), 1 << 24, &b, &error), &error);
  assert_int_equal(a.len, b.len);
  assert_memory_equal(a.data, b.data, a.len);
  am_buf_close(&a);
  am_buf_close(&b);
}

static void templates_keep_their_names(void **state) {
  adam_error error = {0};
  am_gguf *made = NULL;
  (void)state;
  must(to_gguf(golden("llama-bf16-llama3"), path_of("v.gguf"), &error), &error);
  must(am_gguf_open(path_of("v.gguf"), &made, &error), &error);
  assert_non_null(am_gguf_get(made, "tokenizer.chat_template.tool_use"));
  const am_gguf_value *names = am_gguf_get(made, "tokenizer.chat_templates");
  assert_int_equal(names->n, 1);
  assert_memory_equal(names->strings[0].bytes, "tool_use", 8);
  am_gguf_close(&made);
  must(to_folder(path_of("v.gguf"), path_of("back"), &error), &error);
  assert_true(am_file_is_regular(path_of("back/chat_template.jinja")));
  assert_true(am_file_is_regular(path_of("back/additional_chat_templates/tool_use.jinja")));
  empty(path_of("back/additional_chat_templates"));
  empty(path_of("back"));
}

/* A byte-level tokenizer.json whose words are single bytes; the rest of the text is the caller's. */
static void write_source(const char *words, const char *parts, const char *model, const char *config) {
  am_buf text = {0};
  am_buf_append_str(&text, "{\"added_tokens\":[],\"model\":{");
  am_buf_append_str(&text, model);
  am_buf_append_str(&text, ",\"vocab\":{");
  for (int c = 33; c < 127; c++) {
    am_buf_append_str(&text, c == 33 ? "" : ",");
    am_json_write_string(&text, &(char){(char)c}, 1);
    am_buf_printf(&text, ":%d", c - 33);
  }
  am_buf_append_str(&text, words);
  am_buf_append_str(&text, "},\"merges\":[]},");
  am_buf_append_str(&text, parts);
  am_buf_append_str(&text, "}");
  must(am_file_write_atomic(path_of("source/tokenizer.json"), text.data, text.len, 0644, NULL), NULL);
  must(am_file_write_atomic(path_of("source/config.json"), config, strlen(config), 0644, NULL), NULL);
  am_buf_close(&text);
}

static void refused(adam_status expected, const char *words) {
  adam_error error = {0};
  adam_status status = to_gguf(path_of("source"), path_of("refused.gguf"), &error);
  assert_int_equal(status, expected);
  if (!strstr(error.why, words)) fail_msg("\"%s\" is not in \"%s\"", words, error.why);
  assert_false(am_file_is_regular(path_of("refused.gguf")));
}

#define BYTES "\"decoder\":{\"type\":\"ByteLevel\"},\"pre_tokenizer\":"
#define GPT2 BYTES "{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":true}"

static void what_a_gguf_cannot_say_is_refused(void **state) {
  (void)state;
  write_source("",
               BYTES
               "{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"FixedLength\",\"length\":3},{\"type\":"
               "\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":false}]}",
               "\"type\":\"BPE\"", "{}");
  refused(ADAM_UNSUPPORTED, "pre-tokenizer");
  write_source("", GPT2 ",\"normalizer\":{\"type\":\"Lowercase\"}", "\"type\":\"BPE\"", "{}");
  refused(ADAM_UNSUPPORTED, "cannot express");
  write_source("", "\"pre_tokenizer\":null", "\"type\":\"BPE\"", "{}");
  refused(ADAM_UNSUPPORTED, "fallback");
  write_source("", "\"pre_tokenizer\":null", "\"type\":\"WordLevel\",\"unk_token\":\"!\"", "{}");
  refused(ADAM_UNSUPPORTED, "WordLevel");
  write_source("",
               GPT2
               ",\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":"
               "\"x\"}},{\"SpecialToken\":{\"id\":\"x\"}},{\"Sequence\":{\"id\":\"A\"}}],\"pair\":[{"
               "\"Sequence\":{\"id\":"
               "\"A\"}},{\"Sequence\":{\"id\":\"B\"}}],\"special_tokens\":{\"x\":{\"ids\":[1]}}}",
               "\"type\":\"BPE\"", "{}");
  refused(ADAM_UNSUPPORTED, "2 tokens before");
}

static void vocabularies_fit_the_embedding(void **state) {
  static const char qwen3[] =
      "{\"model_type\":\"qwen3\",\"hidden_size\":8,\"num_hidden_layers\":1,\"num_attention_heads\":1,"
      "\"num_key_value_heads\":1,\"head_dim\":8,\"intermediate_size\":8,\"vocab_size\":%d,"
      "\"rms_norm_eps\":1e-6,\"eos_token_id\":[3,%d],\"rope_theta\":1e4,\"tie_word_embeddings\":true}";
  char config[600];
  adam_error error = {0};
  am_gguf *made = NULL;
  (void)state;
  snprintf(config, sizeof config, qwen3, 100, 99);
  write_source("", GPT2, "\"type\":\"BPE\"", config);
  must(to_gguf(path_of("source"), path_of("v.gguf"), &error), &error);
  must(am_gguf_open(path_of("v.gguf"), &made, &error), &error);
  const am_gguf_value *tokens = am_gguf_get(made, "tokenizer.ggml.tokens");
  assert_int_equal(tokens->n, 100);
  assert_int_equal(tokens->strings[99].n_bytes, 7);
  assert_memory_equal(tokens->strings[99].bytes, "[PAD99]", 7);
  assert_int_equal(am_gguf_int(made, "tokenizer.ggml.eos_token_id", -1), 3);
  am_gguf_close(&made);
  snprintf(config, sizeof config, qwen3, 90, 1);
  write_source("", GPT2, "\"type\":\"BPE\"", config);
  refused(ADAM_DAMAGED, "94 words, the embedding 90 rows");
}

/* A GGUF as hostile as a writer lets it be. */
static adam_status hostile(const char *model, const am_gguf_string *tokens, size_t n, const int32_t *types,
                           const am_gguf_string *merges, size_t n_merges, adam_error *error) {
  am_gguf_writer *w = NULL;
  static const float scores[16] = {0};
  must(am_gguf_writer_open(&w, error), error);
  must(am_gguf_write_string(w, "tokenizer.ggml.model", model, error), error);
  must(am_gguf_write_string(w, "tokenizer.ggml.pre", "gpt-2", error), error);
  must(am_gguf_write_strings(w, "tokenizer.ggml.tokens", tokens, n, error), error);
  must(am_gguf_write_i32s(w, "tokenizer.ggml.token_type", types, n, error), error);
  must(am_gguf_write_f32s(w, "tokenizer.ggml.scores", scores, n, error), error);
  if (merges) must(am_gguf_write_strings(w, "tokenizer.ggml.merges", merges, n_merges, error), error);
  must(am_gguf_write_u32(w, "tokenizer.ggml.bos_token_id", 4000000000u, error), error);
  must(am_gguf_write_u32(w, "tokenizer.ggml.eos_token_id", 2, error), error);
  must(am_gguf_write_bool(w, "tokenizer.ggml.add_eos_token", true, error), error);
  must(am_gguf_write_string(w, "tokenizer.chat_template.../../x", "{{ 1 }}", error), error);
  must(am_gguf_writer_begin(w, path_of("h.gguf"), error), error);
  must(am_gguf_writer_finish(w, error), error);
  am_gguf_writer_close(&w);
  return to_folder(path_of("h.gguf"), path_of("back"), error);
}

static void hostile_vocabularies(void **state) {
  static const char *const models[] = {"gpt2", "llama", "bert", "t5"};
  static const am_gguf_string tokens[] = {{"a", 1},        {"b", 1},        {"</s>", 4},         {"a", 1},
                                          {"\xff\xfe", 2}, {"", 0},         {"ab", 2},           {"[UNK]", 5},
                                          {"</s>", 4},     {"[DUP3_0]", 8}, {"\xE2\x96\x81", 3}, {"a\0b", 3},
                                          {"[CLS]", 5},    {"[SEP]", 5}};
  static const int32_t types[14] = {1, 1, 3, 4, 9, 3, 1, 2, 4, 1, -5, 6, 3, 3};
  static const am_gguf_string merges[] = {{"a b", 3}}, bad[] = {{"a", 1}}, strange[] = {{"x y", 3}};
  adam_error error = {0};
  (void)state;
  for (size_t i = 0; i < 4; i++) {
    adam_status status = hostile(models[i], tokens, 14, types, merges, 1, &error);
    if (status) assert_true(error.why[0]);
    if (!status) { /* then it is whole */
      am_loader *loader = NULL;
      must(am_loader_open(path_of("back"), AM_LOADER_VOCAB_ONLY, NULL, &loader, &error), &error);
      assert_non_null(am_loader_tokenizer(loader));
      am_loader_close(&loader);
    }
    assert_false(am_file_is_dir(path_of("back/additional_chat_templates")));
    empty(path_of("back"));
  }
  assert_int_equal(hostile("gpt2", tokens, 14, types, bad, 1, &error), ADAM_DAMAGED);
  assert_int_equal(hostile("gpt2", tokens, 14, types, strange, 1, &error), ADAM_DAMAGED);
  assert_int_equal(hostile("rwkv", tokens, 14, types, NULL, 0, &error), ADAM_UNSUPPORTED);
}

static void failing_memory(void **state) {
  adam_error error = {0};
  am_loader *loader = NULL;
  (void)state;
  must(am_loader_open(golden("llama-bf16-spm"), AM_LOADER_VOCAB_ONLY, NULL, &loader, &error), &error);
  for (uint64_t n = 1;; n++) {
    am_gguf_writer *w = NULL;
    must(am_gguf_writer_open(&w, &error), &error);
    am_mem_fault_set(n);
    adam_status status = am_convert_vocab(loader, w, &error);
    int fired = am_mem_fault_fired();
    am_mem_fault_set(0);
    am_gguf_writer_close(&w);
    if (!fired) {
      must(status, &error);
      break;
    }
    if (status) assert_int_equal(status, ADAM_NO_MEMORY);
  }
  for (uint64_t n = 1;; n++) {
    am_mem_fault_set(n);
    adam_status status = am_convert_tokenizer(loader, path_of("back"), &error);
    int fired = am_mem_fault_fired();
    am_mem_fault_set(0);
    if (!fired) {
      must(status, &error);
      break;
    }
    if (status) assert_int_equal(status, ADAM_NO_MEMORY);
  }
  am_loader_close(&loader);
  empty(path_of("back"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(folders_become_ggufs),
      cmocka_unit_test(ggufs_become_folders),
      cmocka_unit_test(pairs_are_those_of_the_file),
      cmocka_unit_test(same_bytes_each_time),
      cmocka_unit_test(templates_keep_their_names),
      cmocka_unit_test(what_a_gguf_cannot_say_is_refused),
      cmocka_unit_test(vocabularies_fit_the_embedding),
      cmocka_unit_test(hostile_vocabularies),
      cmocka_unit_test(failing_memory),
  };
  return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
