/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer.json, with what tokenizer_config.json adds to it, -> image. */
#include "tokenizer/pipeline.h"

#include "base/map.h"
#include "base/mem.h"

#include <string.h>

#define NODE_LIMIT_BYTES ((size_t)8 << 30)

typedef struct builder {
  const char *name;
  const am_json *root, *config; /* config may be NULL */
  am_map added;                 /* content -> id of the added tokens so far */
  int64_t next_id;
  const am_model_row *row;
} builder;

static adam_status damaged(adam_error *error, const char *name, const char *what) {
  return am_fail(error, ADAM_DAMAGED, name, NULL, "%s", what);
}

/* The library gives an added token the id that its content has in the vocabulary, else the next free
 * one; the id in the file is not asked. Returns -1 when memory is out. */
static int64_t give_id(builder *b, const am_vocabulary *v, const am_json *content, bool *again) {
  uint64_t known;
  *again = am_map_get(&b->added, content->as.string, content->n, &known);
  if (*again) return (int64_t)known;
  int64_t id = am_vocabulary_find_spelling(v, content->as.string, content->n);
  if (id < 0) id = b->next_id++;
  return am_map_set(&b->added, content->as.string, content->n, (uint64_t)id) ? id : -1;
}

static void write_flag(am_buf *out, const char *key, const am_json *item) {
  am_buf_printf(out, ",\"%s\":%s", key, am_json_bool(am_json_get(item, key), false) ? "true" : "false");
}

static void write_token(am_buf *out, int64_t id, const am_json *item) {
  const am_json *content = am_json_get(item, "content");
  if (out->len > 0 && out->data[out->len - 1] != '[') am_buf_append_char(out, ',');
  am_buf_printf(out, "{\"id\":%lld,\"content\":", (long long)id);
  am_json_write_string(out, content->as.string, content->n);
  write_flag(out, "single_word", item);
  write_flag(out, "lstrip", item);
  write_flag(out, "rstrip", item);
  write_flag(out, "normalized", item);
  write_flag(out, "special", item);
  am_buf_append_char(out, '}');
}

static bool has_content(const am_json *item) {
  const am_json *content = am_json_get(item, "content");
  return content && content->type == AM_JSON_STRING && content->n > 0;
}

/* Tokens of the file. Of one content twice, the last one's flags count. */
static bool write_added(builder *b, const am_vocabulary *v, am_buf *out) {
  const am_json *list = am_json_get(b->root, "added_tokens");
  am_map last = {0};
  bool ok = true, again;
  size_t n = list && list->type == AM_JSON_ARRAY ? list->n : 0;
  for (size_t i = 0; ok && i < n; i++) {
    const am_json *item = am_json_at(list, i);
    if (!has_content(item)) continue;
    const am_json *content = am_json_get(item, "content");
    int64_t id = give_id(b, v, content, &again);
    ok = id >= 0 && am_map_set(&last, content->as.string, content->n, i);
  }
  for (size_t i = 0; ok && i < n; i++) {
    const am_json *item = am_json_at(list, i), *content = am_json_get(item, "content");
    uint64_t id, index;
    if (!has_content(item) || !am_map_get(&last, content->as.string, content->n, &index) || index != i)
      continue;
    if (am_map_get(&b->added, content->as.string, content->n, &id)) write_token(out, (int64_t)id, item);
  }
  am_map_close(&last);
  return ok;
}

/* added_tokens_decoder of tokenizer_config.json, by ascending id: what the file lacks. */
static bool write_config_added(builder *b, const am_vocabulary *v, am_buf *out) {
  const am_json *decoder = am_json_get(b->config, "added_tokens_decoder");
  if (!decoder || decoder->type != AM_JSON_OBJECT) return true;
  for (int64_t floor = -1;;) {
    const am_json *best = NULL;
    int64_t best_id = INT64_MAX;
    for (size_t i = 0; i < decoder->n; i++) {
      int64_t id = 0;
      const char *key = decoder->as.members[i].key;
      for (const char *p = key; *p >= '0' && *p <= '9' && id < INT32_MAX; p++) id = id * 10 + (*p - '0');
      if (id > floor && id < best_id && has_content(&decoder->as.members[i].value)) {
        const am_json *content = am_json_get(&decoder->as.members[i].value, "content");
        uint64_t known;
        if (am_map_get(&b->added, content->as.string, content->n, &known)) continue;
        best = &decoder->as.members[i].value;
        best_id = id;
      }
    }
    if (!best) return true;
    bool again;
    int64_t id = give_id(b, v, am_json_get(best, "content"), &again);
    if (id < 0) return false;
    write_token(out, id, best);
    floor = best_id;
  }
}

/* A special token that the configuration names and nobody has added yet: a string, or an object. */
static bool write_named(builder *b, const am_vocabulary *v, const am_json *token, am_buf *out) {
  const am_json *content = token && token->type == AM_JSON_OBJECT ? am_json_get(token, "content") : token;
  uint64_t known;
  bool again;
  if (!content || content->type != AM_JSON_STRING || content->n == 0) return true;
  if (am_map_get(&b->added, content->as.string, content->n, &known)) return true;
  int64_t id = give_id(b, v, content, &again);
  if (id < 0) return false;
  am_json_member members[2] = {{"content", 7, *content},
                               {"special", 7, {.type = AM_JSON_BOOL, .as.boolean = true}}};
  am_json plain = {.type = AM_JSON_OBJECT, .n = 2, .as.members = members};
  write_token(out, id, &plain);
  return true;
}

static bool write_named_tokens(builder *b, const am_vocabulary *v, am_buf *out) {
  static const char *const names[] = {"bos_token", "eos_token", "unk_token", "sep_token",
                                      "pad_token", "cls_token", "mask_token"};
  static const char *const lists[] = {"additional_special_tokens", "extra_special_tokens"};
  bool ok = true;
  for (size_t i = 0; ok && i < sizeof names / sizeof names[0]; i++)
    ok = write_named(b, v, am_json_get(b->config, names[i]), out);
  for (size_t i = 0; ok && i < sizeof lists / sizeof lists[0]; i++) {
    const am_json *list = am_json_get(b->config, lists[i]);
    for (size_t k = 0; ok && list && list->type == AM_JSON_ARRAY && k < list->n; k++)
      ok = write_named(b, v, am_json_at(list, k), out);
  }
  return ok;
}

static void write_member(am_buf *out, const char *key, const am_json *value) {
  am_buf_printf(out, ",\"%s\":", key);
  if (value)
    am_json_write(out, value);
  else
    am_buf_append_str(out, "null");
}

static void write_model(am_buf *out, const am_json *model, const char *type) {
  am_buf_printf(out, ",\"model\":{\"type\":\"%s\"", type);
  for (size_t i = 0; i < model->n; i++) {
    const am_json_member *member = &model->as.members[i];
    if (strcmp(member->key, "vocab") == 0 || strcmp(member->key, "merges") == 0 ||
        strcmp(member->key, "type") == 0)
      continue;
    am_buf_append_char(out, ',');
    am_json_write_string(out, member->key, member->key_bytes);
    am_buf_append_char(out, ':');
    am_json_write(out, &member->value);
  }
  am_buf_append_char(out, '}');
}

/* What does not decide on ids, for those who ask how long a text may be. Transformers writes 1e30 for
 * "no limit". */
static void write_limits(const builder *b, am_buf *out) {
  int64_t truncation = am_json_int(am_json_path(b->root, "truncation.max_length"), 0);
  int64_t most = am_json_int(am_json_get(b->config, "model_max_length"), 0);
  if (truncation > 0) am_buf_printf(out, ",\"truncation\":{\"max_length\":%lld}", (long long)truncation);
  if (most > 0 && most < INT32_MAX) am_buf_printf(out, ",\"model_max_length\":%lld", (long long)most);
}

static bool write_config(void *user, const am_vocabulary *v, am_buf *out) {
  builder *b = user;
  b->next_id = b->row == &am_model_unigram ? (int64_t)v->n_ids : (int64_t)v->n_words;
  am_buf_append_str(out, "{\"added_tokens\":[");
  if (!write_added(b, v, out) || !write_config_added(b, v, out) || !write_named_tokens(b, v, out))
    return false;
  am_buf_append_char(out, ']');
  /* add_bos_token and add_eos_token are not asked: transformers drops them where there is a
   * tokenizer.json, whose post-processor alone counts. */
  write_member(out, "post_processor", am_json_get(b->root, "post_processor"));
  write_member(out, "normalizer", am_json_get(b->root, "normalizer"));
  write_member(out, "pre_tokenizer", am_json_get(b->root, "pre_tokenizer"));
  write_member(out, "decoder", am_json_get(b->root, "decoder"));
  write_limits(b, out);
  write_model(out, am_json_get(b->root, "model"), b->row->type);
  am_buf_append_char(out, '}');
  return !out->failed;
}

/* vocab as an object of ids: BPE, WordPiece, WordLevel. */
static adam_status read_words(const builder *b, const am_json *vocab, am_vocabulary_word *words,
                              adam_error *error) {
  for (size_t i = 0; i < vocab->n; i++) {
    const am_json_member *member = &vocab->as.members[i];
    int64_t id = member->value.type == AM_JSON_INT ? member->value.as.integer : -1;
    if (id < 0 || id >= AM_VOCABULARY_MOST_IDS)
      return am_fail(error, ADAM_DAMAGED, b->name, NULL, "model: vocab: \"%.60s\" has no usable id",
                     member->key);
    words[i] = (am_vocabulary_word){member->key, member->key_bytes, (int32_t)id};
  }
  return ADAM_OK;
}

/* vocab as an array of [text, score], whose index is the id: Unigram. */
static adam_status read_pieces(const builder *b, const am_json *vocab, am_vocabulary_word *words,
                               adam_error *error) {
  for (size_t i = 0; i < vocab->n; i++) {
    const am_json *text = am_json_at(am_json_at(vocab, i), 0), *score = am_json_at(am_json_at(vocab, i), 1);
    bool scored = score && (score->type == AM_JSON_INT || score->type == AM_JSON_FLOAT);
    if (!text || text->type != AM_JSON_STRING || !scored)
      return am_fail(error, ADAM_DAMAGED, b->name, NULL, "model: vocab: item %zu, expected [text, score]", i);
    if (i >= AM_VOCABULARY_MOST_IDS)
      return am_fail(error, ADAM_LIMIT, b->name, NULL, "model: over %u words", AM_VOCABULARY_MOST_IDS);
    words[i] = (am_vocabulary_word){text->as.string, text->n, (int32_t)i};
  }
  return ADAM_OK;
}

static bool is_empty(const am_json *value) {
  return am_json_is_null(value) || (value->type == AM_JSON_STRING && value->n == 0);
}

/* Words are kept as bytes where a last ByteLevel makes the pieces and nothing else looks at letters. */
static bool wants_raw_bytes(const builder *b, const am_json *model) {
  return am_pretokenizer_ends_with_bytes(am_json_get(b->root, "pre_tokenizer")) &&
         is_empty(am_json_get(model, "continuing_subword_prefix")) &&
         is_empty(am_json_get(model, "end_of_word_suffix")) &&
         !am_json_bool(am_json_get(model, "byte_fallback"), false);
}

/* A file need not say which model it has; as the library guesses. */
static const char *type_of(const am_json *model) {
  const am_json *vocab = am_json_get(model, "vocab");
  const char *guess = am_json_get(model, "merges")                      ? "BPE"
                      : vocab && vocab->type == AM_JSON_ARRAY           ? "Unigram"
                      : am_json_get(model, "continuing_subword_prefix") ? "WordPiece"
                      : vocab                                           ? "WordLevel"
                                                                        : "";
  return am_json_str(am_json_get(model, "type"), guess);
}

static adam_status build(builder *b, const am_image_source *source, am_image *out, adam_error *error) {
  const am_json *model = am_json_get(b->root, "model"), *merges = am_json_get(model, "merges");
  const char *type = type_of(model);
  if (!model || model->type != AM_JSON_OBJECT) return damaged(error, b->name, "no \"model\"");
  am_pipeline_plan plan = {.row = am_model_row_named(type), .write_config = write_config, .user = b};
  if (!plan.row)
    return am_fail(error, ADAM_UNSUPPORTED, b->name, NULL, "tokenizer model type \"%.60s\"", type);
  b->row = plan.row;
  bool is_bpe = plan.row == &am_model_bpe;
  if (is_bpe && (!merges || merges->type != AM_JSON_ARRAY))
    return damaged(error, b->name, "model: no \"merges\"");
  const am_json *vocab = am_json_get(model, "vocab");
  bool is_unigram = plan.row == &am_model_unigram;
  if (!vocab || vocab->type != (is_unigram ? AM_JSON_ARRAY : AM_JSON_OBJECT))
    return damaged(error, b->name, "model: no \"vocab\"");
  am_vocabulary_word *words = am_mem_zalloc((size_t)vocab->n + 1, sizeof *words);
  if (!words) return am_fail_memory(error, b->name);
  adam_status status = is_unigram ? read_pieces(b, vocab, words, error) : read_words(b, vocab, words, error);
  if (status != ADAM_OK) goto done;
  plan.model = (am_model_source){.settings = model,
                                 .words = words,
                                 .n_words = vocab->n,
                                 .pieces = is_unigram ? vocab : NULL,
                                 .merges = merges,
                                 .raw_bytes = is_bpe && wants_raw_bytes(b, model)};
  status = am_pipeline_assemble(&plan, source, out, error);
done:
  am_mem_free(words);
  return status;
}

adam_status am_pipeline_build_json(const char *name, const char *json, size_t n_bytes,
                                   const char *config_json, size_t config_bytes,
                                   const am_image_source *source, am_image *out, adam_error *error) {
  am_arena arena = {.limit_bytes = NODE_LIMIT_BYTES};
  am_json root, config;
  builder b = {.name = name, .root = &root};
  adam_status status = am_json_parse(json, n_bytes, name, 0, &arena, &root, error);
  if (status == ADAM_OK && config_json) {
    status = am_json_parse(config_json, config_bytes, "tokenizer_config.json", 0, &arena, &config, error);
    b.config = &config;
  }
  if (status == ADAM_OK && root.type != AM_JSON_OBJECT)
    status = damaged(error, name, "expected a JSON object at offset 0");
  if (status == ADAM_OK) status = build(&b, source, out, error);
  if (status != ADAM_OK && status != ADAM_NO_MEMORY) am_error_rename(error, name);
  am_map_close(&b.added);
  am_arena_close(&arena);
  return status;
}
