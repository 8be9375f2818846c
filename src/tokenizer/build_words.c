/* SPDX-License-Identifier: Apache-2.0 */
/* vocab.txt (WordPiece, one word a line) -> the tokenizer.json that transformers makes of it, with what
 * tokenizer_config.json says; then as any tokenizer.json. */
#include "tokenizer/pipeline.h"

#include "base/map.h"
#include "base/utf8.h"

#include <string.h>

#define NODE_LIMIT_BYTES ((size_t)256 << 20)

typedef struct maker {
  const char *name, *text;
  size_t n_bytes;
  const am_json *config; /* NULL = none */
  am_map lines;          /* word -> its last line, counted from 0 */
  size_t n_lines;
} maker;

/* The end of the line at p, and where the next begins; as Python's universal newlines. */
static size_t line_end(const char *text, size_t n_bytes, size_t p, size_t *next) {
  size_t end = p;
  while (end < n_bytes && text[end] != '\n' && text[end] != '\r') end++;
  *next = end + (end < n_bytes);
  if (*next < n_bytes && text[end] == '\r' && text[*next] == '\n') ++*next;
  return end;
}

/* BertTokenizer and those that are nothing else; a file that names no class is one too. */
static bool is_bert(const am_json *config) {
  static const char *const names[] = {
      "BertTokenizer",        "DistilBertTokenizer", "ElectraTokenizer",
      "MobileBertTokenizer",  "ConvBertTokenizer",   "LayoutLMTokenizer",
      "SqueezeBertTokenizer", "RetriBertTokenizer",  "DPRQuestionEncoderTokenizer",
      "LxmertTokenizer",      "RealmTokenizer",      "DPRContextEncoderTokenizer",
      "TokenizersBackend",    "PreTrainedTokenizer"};
  const char *class = am_json_str(am_json_get(config, "tokenizer_class"), names[0]);
  size_t n = strlen(class);
  if (n > 4 && strcmp(class + n - 4, "Fast") == 0) n -= 4;
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (strlen(names[i]) == n && memcmp(names[i], class, n) == 0) return true;
  return false;
}

/* Text of a special token: a string, or an object with "content"; else the class's own. */
static const char *named(const maker *m, const char *key, const char *fallback) {
  const am_json *value = am_json_get(m->config, key);
  if (value && value->type == AM_JSON_OBJECT) value = am_json_get(value, "content");
  return am_json_str(value, fallback);
}

static int64_t line_of(const maker *m, const char *word) {
  uint64_t line;
  return am_map_get(&m->lines, word, strlen(word), &line) ? (int64_t)line : -1;
}

static bool read_lines(maker *m) {
  for (size_t p = 0, next; p < m->n_bytes; p = next) {
    size_t end = line_end(m->text, m->n_bytes, p, &next);
    if (!am_map_set(&m->lines, m->text + p, end - p, m->n_lines++)) return false;
  }
  return true;
}

static void write_vocab(const maker *m, am_buf *out) {
  size_t line = 0;
  bool any = false;
  for (size_t p = 0, next; p < m->n_bytes; p = next, line++) {
    uint64_t last;
    size_t end = line_end(m->text, m->n_bytes, p, &next);
    if (!am_map_get(&m->lines, m->text + p, end - p, &last) || last != line) continue;
    if (any) am_buf_append_char(out, ',');
    am_json_write_string(out, m->text + p, end - p);
    am_buf_printf(out, ":%zu", line);
    any = true;
  }
}

static void write_special(const char *token, bool first, am_buf *out) {
  am_buf_append_str(out, first ? "{\"special\":true,\"content\":" : ",{\"special\":true,\"content\":");
  am_json_write_string(out, token, strlen(token));
  am_buf_append_char(out, '}');
}

static const char *flag(const maker *m, const char *key, const char *fallback) {
  const am_json *value = am_json_get(m->config, key);
  return am_json_is_null(value) ? fallback : am_json_bool(value, false) ? "true" : "false";
}

static void write_document(const maker *m, am_buf *out) {
  static const char *const keys[] = {"unk_token", "sep_token", "pad_token", "cls_token", "mask_token"};
  static const char *const texts[] = {"[UNK]", "[SEP]", "[PAD]", "[CLS]", "[MASK]"};
  const char *unknown = named(m, "unk_token", "[UNK]");
  int64_t cls = line_of(m, named(m, "cls_token", "[CLS]")), sep = line_of(m, named(m, "sep_token", "[SEP]"));
  am_buf_append_str(out, "{\"added_tokens\":[");
  for (size_t i = 0; i < 5; i++) write_special(named(m, keys[i], texts[i]), i == 0, out);
  am_buf_printf(
      out,
      "],\"normalizer\":{\"type\":\"BertNormalizer\",\"clean_text\":true,\"handle_chinese_chars\":%s,"
      "\"strip_accents\":%s,\"lowercase\":%s},\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"},"
      "\"post_processor\":{\"type\":\"BertProcessing\",\"cls\":[\"\",%lld],\"sep\":[\"\",%lld]},"
      "\"decoder\":{\"type\":\"WordPiece\",\"prefix\":\"##\",\"cleanup\":true},"
      "\"model\":{\"type\":\"WordPiece\",\"continuing_subword_prefix\":\"##\","
      "\"max_input_chars_per_word\":100,\"unk_token\":",
      flag(m, "tokenize_chinese_chars", "true"), flag(m, "strip_accents", "null"),
      flag(m, "do_lower_case", "true"), (long long)cls, (long long)sep);
  am_json_write_string(out, unknown, strlen(unknown));
  am_buf_append_str(out, ",\"vocab\":{");
  write_vocab(m, out);
  am_buf_append_str(out, "}}}");
}

static adam_status check(const maker *m, adam_error *error) {
  if (!is_bert(m->config))
    return am_fail(error, ADAM_UNSUPPORTED, m->name, NULL, "vocab.txt of the class %.60s",
                   am_json_str(am_json_get(m->config, "tokenizer_class"), ""));
  size_t valid = am_utf8_valid_prefix(m->text, m->n_bytes);
  if (valid < m->n_bytes)
    return am_fail(error, ADAM_DAMAGED, m->name, NULL, "offset %zu: expected UTF-8", valid);
  return ADAM_OK;
}

static adam_status check_words(const maker *m, adam_error *error) {
  static const char *const keys[] = {"unk_token", "cls_token", "sep_token"};
  static const char *const texts[] = {"[UNK]", "[CLS]", "[SEP]"};
  for (size_t i = 0; i < 3; i++)
    if (line_of(m, named(m, keys[i], texts[i])) < 0)
      return am_fail(error, ADAM_DAMAGED, m->name, NULL, "no line with the %s %.60s", keys[i],
                     named(m, keys[i], texts[i]));
  return ADAM_OK;
}

adam_status am_pipeline_build_words(const char *name, const void *bytes, size_t n_bytes,
                                    const char *config_json, size_t config_bytes,
                                    const am_image_source *source, am_image *out, adam_error *error) {
  am_arena arena = {.limit_bytes = NODE_LIMIT_BYTES};
  am_json config;
  am_buf document = {0};
  maker m = {.name = name, .text = bytes, .n_bytes = n_bytes};
  adam_status status = ADAM_OK;
  if (config_json) {
    status = am_json_parse(config_json, config_bytes, "tokenizer_config.json", 0, &arena, &config, error);
    m.config = &config;
  }
  if (status == ADAM_OK) status = check(&m, error);
  if (status == ADAM_OK && !read_lines(&m)) status = am_fail_memory(error, name);
  if (status == ADAM_OK) status = check_words(&m, error);
  if (status == ADAM_OK) {
    write_document(&m, &document);
    status = document.failed ? am_fail_memory(error, name)
                             : am_pipeline_build_json(name, document.data, document.len, config_json,
                                                      config_bytes, source, out, error);
  }
  am_buf_close(&document);
  am_map_close(&m.lines);
  am_arena_close(&arena);
  return status;
}
