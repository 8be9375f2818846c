/* SPDX-License-Identifier: Apache-2.0 */
/* The vocabulary of a GGUF file -> image: the same parts that a tokenizer.json of that model has. */
#include "tokenizer/build_vocab.h"

#include "base/map.h"
#include "base/mem.h"
#include "base/utf8.h"

#include <string.h>

void am_vocab_write_tokens(const am_vocab_builder *b, am_buf *out) {
  const am_vocab *vocab = b->vocab;
  bool any = false;
  for (size_t i = 0; vocab->types && i < vocab->n_tokens; i++) {
    int32_t type = vocab->types[i];
    bool special = type == AM_GGUF_CONTROL || type == AM_GGUF_UNKNOWN;
    if ((!special && type != AM_GGUF_USER) || b->words[i].n_bytes == 0) continue;
    am_buf_printf(out, "%s{\"id\":%zu,\"content\":", any ? "," : "", i);
    am_json_write_string(out, b->words[i].bytes, b->words[i].n_bytes);
    am_buf_printf(out, ",\"normalized\":false,\"special\":%s}", special ? "true" : "false");
    any = true;
  }
}

bool am_vocab_has(const am_vocab *vocab, int64_t id) { return id >= 0 && (uint64_t)id < vocab->n_tokens; }

/* One text with what stands around it; each piece but the first of all behind a comma. */
static void write_sequence(am_buf *out, const char *text, int type_id, bool bos, bool eos) {
  if (bos) am_buf_printf(out, "{\"SpecialToken\":{\"id\":\"bos\",\"type_id\":%d}},", type_id);
  am_buf_printf(out, "{\"Sequence\":{\"id\":\"%s\",\"type_id\":%d}}", text, type_id);
  if (eos) am_buf_printf(out, ",{\"SpecialToken\":{\"id\":\"eos\",\"type_id\":%d}}", type_id);
}

void am_vocab_write_post_processor(am_buf *out, int64_t bos_id, int64_t eos_id) {
  bool bos = bos_id >= 0, eos = eos_id >= 0;
  am_buf_append_str(out, "{\"type\":\"TemplateProcessing\",\"single\":[");
  write_sequence(out, "A", 0, bos, eos);
  am_buf_append_str(out, "],\"pair\":[");
  write_sequence(out, "A", 0, bos, eos);
  am_buf_append_char(out, ',');
  write_sequence(out, "B", 1, bos, eos);
  am_buf_append_str(out, "],\"special_tokens\":{");
  if (bos) am_buf_printf(out, "\"bos\":{\"ids\":[%lld]}", (long long)bos_id);
  if (bos && eos) am_buf_append_char(out, ',');
  if (eos) am_buf_printf(out, "\"eos\":{\"ids\":[%lld]}", (long long)eos_id);
  am_buf_append_str(out, "}}");
}

static void write_post_processor(const am_vocab_builder *b, am_buf *out) {
  const am_vocab *vocab = b->vocab;
  bool bos =
      (vocab->add_bos < 0 ? b->pre->add_bos : vocab->add_bos > 0) && am_vocab_has(vocab, vocab->bos_id);
  bool eos = vocab->add_eos > 0 && am_vocab_has(vocab, vocab->eos_id);
  am_vocab_write_post_processor(out, bos ? vocab->bos_id : -1, eos ? vocab->eos_id : -1);
}

static bool write_config(void *user, const am_vocabulary *vocabulary, am_buf *out) {
  const am_vocab_builder *b = user;
  (void)vocabulary;
  am_buf_append_str(out, "{\"added_tokens\":[");
  am_vocab_write_tokens(b, out);
  am_buf_append_str(out, "],\"normalizer\":");
  am_buf_append_str(out, b->pre->nfc ? "{\"type\":\"NFC\"}" : "null");
  am_buf_append_str(out, ",\"pre_tokenizer\":");
  am_pre_type_write(b->pre, out);
  am_buf_append_str(out, ",\"post_processor\":");
  write_post_processor(b, out);
  am_buf_append_str(out,
                    ",\"decoder\":{\"type\":\"ByteLevel\"},\"model\":{\"type\":\"BPE\",\"ignore_merges\":");
  am_buf_append_str(out, b->pre->ignore_merges ? "true}}" : "false}}");
  return !out->failed;
}

/* Words that are no UTF-8 are spelled with U+FFFD; of one spelling twice the first keeps it. */
static am_vocabulary_word *read_words(const am_vocab *vocab, const am_vocab_row *row, am_arena *arena) {
  am_vocabulary_word *words = am_mem_zalloc(vocab->n_tokens + 1, sizeof *words);
  for (size_t i = 0; words && i < vocab->n_tokens; i++) {
    const am_vocab_string *token = &vocab->tokens[i];
    words[i] = (am_vocabulary_word){token->bytes ? token->bytes : "", (uint32_t)token->n_bytes, (int32_t)i};
    if (am_utf8_valid(words[i].bytes, words[i].n_bytes)) continue;
    am_buf clean = {0};
    for (size_t p = 0; p < token->n_bytes;) {
      uint32_t codepoint;
      int length = am_utf8_decode(token->bytes + p, token->n_bytes - p, &codepoint);
      am_buf_append_codepoint(&clean, codepoint);
      p += (size_t)(length < 0 ? -length : length);
    }
    words[i].bytes = clean.failed ? NULL : am_arena_dup(arena, clean.data, clean.len);
    words[i].n_bytes = (uint32_t)clean.len;
    am_buf_close(&clean);
    if (!words[i].bytes) {
      am_mem_free(words);
      words = NULL;
    }
  }
  for (size_t i = 0; words && row->respell && i < vocab->n_tokens; i++) {
    if (row->respell(&words[i], arena)) continue;
    am_mem_free(words);
    words = NULL;
  }
  return words;
}

static const am_vocab_row gpt2 = {"gpt2", &am_model_bpe, true, write_config, NULL};

static const am_vocab_row *row_named(const char *model) {
  static const am_vocab_row *const rows[] = {&gpt2, &am_vocab_llama, &am_vocab_bert, &am_vocab_t5};
  for (size_t i = 0; model && i < sizeof rows / sizeof *rows; i++)
    if (strcmp(rows[i]->model, model) == 0) return rows[i];
  return NULL;
}

static adam_status check(const char *name, const am_vocab *vocab, adam_error *error) {
  const am_vocab_row *row = row_named(vocab->model);
  if (!row)
    return am_fail(error, ADAM_UNSUPPORTED, name, NULL, "tokenizer.ggml.model \"%.60s\"",
                   vocab->model ? vocab->model : "");
  if (row == &gpt2 && !am_pre_type_named(vocab->pre))
    return am_fail(error, ADAM_UNSUPPORTED, name, NULL, "tokenizer.ggml.pre \"%.60s\"", vocab->pre);
  if (vocab->n_tokens > AM_VOCABULARY_MOST_IDS)
    return am_fail(error, ADAM_LIMIT, name, NULL, "%zu tokens, at most %u are allowed", vocab->n_tokens,
                   AM_VOCABULARY_MOST_IDS);
  for (size_t i = 0; i < vocab->n_tokens; i++)
    if (vocab->tokens[i].n_bytes > (1u << 20))
      return am_fail(error, ADAM_LIMIT, name, NULL, "token %zu has %zu bytes", i, vocab->tokens[i].n_bytes);
  for (size_t i = 0; i < vocab->n_merges; i++)
    if (!am_utf8_valid(vocab->merges[i].bytes, vocab->merges[i].n_bytes))
      return am_fail(error, ADAM_DAMAGED, name, NULL, "merge %zu is no UTF-8", i);
  return ADAM_OK;
}

adam_status am_pipeline_build_vocab(const char *name, const am_vocab *vocab, const am_image_source *source,
                                    am_image *out, adam_error *error) {
  adam_status status = check(name, vocab, error);
  if (status != ADAM_OK) return status;
  am_arena arena = {0};
  const am_vocab_row *row = row_named(vocab->model);
  am_vocabulary_word *words = read_words(vocab, row, &arena);
  if (!words) {
    am_arena_close(&arena);
    return am_fail_memory(error, name);
  }
  am_json settings = {.type = AM_JSON_NULL};
  am_vocab_builder b = {vocab, am_pre_type_named(vocab->pre), words};
  am_pipeline_plan plan = {
      .model = {.settings = &settings,
                .words = words,
                .n_words = vocab->n_tokens,
                .scores = vocab->scores,
                .merge_lines = vocab->merges,
                .n_merges = vocab->n_merges,
                .raw_bytes = row->raw_bytes},
      .row = row->row,
      .write_config = row->write_config,
      .user = &b,
  };
  status = am_pipeline_assemble(&plan, source, out, error);
  if (status != ADAM_OK && status != ADAM_NO_MEMORY) am_error_rename(error, name);
  am_mem_free(words);
  am_arena_close(&arena);
  return status;
}
