/* SPDX-License-Identifier: Apache-2.0 */
#include "tokenizer/model_tokens.h"

#include "base/mem.h"
#include "tokenizer/pieces.h"

#include <stdlib.h>
#include <string.h>

static const char *const names[AM_NAMED_N] = {"bos_token", "eos_token", "unk_token", "sep_token",
                                              "pad_token", "cls_token", "mask_token"};

/* A token of the configuration is a string, or an object with content and flags. */
static am_vocab_string text_of(const am_json *value) {
  const am_json *text = value && value->type == AM_JSON_OBJECT ? am_json_get(value, "content") : value;
  if (!text || text->type != AM_JSON_STRING || text->n == 0) return (am_vocab_string){0};
  return (am_vocab_string){text->as.string, text->n};
}

am_vocab_string am_model_tokens_named(const am_json *config, const am_model_defaults *defaults, int name) {
  const am_json *value = am_json_get(config, names[name]);
  return value ? text_of(value) : defaults->named[name];
}

static bool same(const am_vocab_string *a, const am_vocab_string *b) {
  return a->bytes && b->bytes && a->n_bytes == b->n_bytes && memcmp(a->bytes, b->bytes, a->n_bytes) == 0;
}

static bool is_standard(const char *key) {
  for (int i = 0; i < AM_NAMED_N; i++)
    if (strcmp(names[i], key) == 0) return true;
  return false;
}

/* A key of the configuration that names a token of this model alone, as image_token does. */
static bool names_token(const am_json_member *member) {
  static const char ending[] = "_token";
  size_t n = strlen(member->key);
  return n >= sizeof ending && strcmp(member->key + n - (sizeof ending - 1), ending) == 0 &&
         !is_standard(member->key) && text_of(&member->value).bytes;
}

static bool is_named(const am_json *config, const am_model_defaults *defaults,
                     const am_vocab_string *content) {
  for (int i = 0; i < AM_NAMED_N; i++) {
    am_vocab_string named = am_model_tokens_named(config, defaults, i);
    if (same(&named, content)) return true;
  }
  return false;
}

/* Flags of an object, defaults as AddedToken has them. */
static am_model_token token_of(const am_json *value, bool special) {
  am_model_token token = {.content = text_of(value), .special = special};
  if (!value || value->type != AM_JSON_OBJECT) return token;
  token.special = am_json_bool(am_json_get(value, "special"), false);
  token.single_word = am_json_bool(am_json_get(value, "single_word"), false);
  token.left_strip = am_json_bool(am_json_get(value, "lstrip"), false);
  token.right_strip = am_json_bool(am_json_get(value, "rstrip"), false);
  token.normalized = am_json_bool(am_json_get(value, "normalized"), !token.special);
  return token;
}

/* Adds a token, or gives new flags to the one of the same text, unless added_tokens_decoder has it. */
static bool put(am_model_tokens *tokens, am_model_token token) {
  uint64_t index;
  if (!token.content.bytes) return true;
  if (am_map_get(&tokens->by_content, token.content.bytes, token.content.n_bytes, &index)) {
    token.id = tokens->data[index].id;
    if (index >= tokens->n_listed) tokens->data[index] = token;
    return true;
  }
  am_model_token *data = am_grow(tokens->data, tokens->n, 1, &tokens->capacity, sizeof *data);
  if (!data) return false;
  tokens->data = data;
  token.id = am_vocabulary_find_spelling(tokens->vocabulary, token.content.bytes, token.content.n_bytes);
  if (token.id < 0) token.id = tokens->next_id++;
  data[tokens->n] = token;
  return am_map_set(&tokens->by_content, token.content.bytes, token.content.n_bytes, tokens->n++);
}

typedef struct listed {
  int64_t id;
  const am_json *value;
} listed;

static int by_id(const void *a, const void *b) {
  const listed *x = a, *y = b;
  return (x->id > y->id) - (x->id < y->id);
}

/* added_tokens_decoder by ascending key. */
static bool add_listed(am_model_tokens *tokens, const am_json *config, const am_model_defaults *defaults) {
  const am_json *list = am_json_get(config, "added_tokens_decoder");
  size_t n = list && list->type == AM_JSON_OBJECT ? list->n : 0, n_used = 0;
  listed *order = am_mem_zalloc(n + 1, sizeof *order);
  bool ok = order != NULL;
  for (size_t i = 0; ok && i < n; i++) {
    int64_t id = 0;
    const char *key = list->as.members[i].key;
    for (const char *p = key; *p >= '0' && *p <= '9' && id < INT32_MAX; p++) id = id * 10 + (*p - '0');
    if (list->as.members[i].value.type == AM_JSON_OBJECT)
      order[n_used++] = (listed){id, &list->as.members[i].value};
  }
  if (n_used > 0) qsort(order, n_used, sizeof *order, by_id);
  for (size_t i = 0; ok && i < n_used; i++) {
    am_model_token token = token_of(order[i].value, false);
    token.special |= is_named(config, defaults, &token.content);
    ok = put(tokens, token);
  }
  am_mem_free(order);
  tokens->n_listed = tokens->n;
  return ok;
}

static bool add_named(am_model_tokens *tokens, const am_json *config, const am_model_defaults *defaults) {
  bool ok = true;
  for (int i = 0; ok && i < AM_NAMED_N; i++) {
    const am_json *value = am_json_get(config, names[i]);
    am_model_token token = value ? token_of(value, true) : (am_model_token){.content = defaults->named[i]};
    token.special = true;
    ok = put(tokens, token);
  }
  for (size_t i = 0; ok && defaults->more && defaults->more[i]; i++) {
    const char *text = defaults->more[i];
    ok = put(tokens, (am_model_token){.content = {text, strlen(text)}, .special = true});
  }
  for (size_t i = 0; ok && config && config->type == AM_JSON_OBJECT && i < config->n; i++) {
    const am_json_member *member = &config->as.members[i];
    if (names_token(member)) ok = put(tokens, token_of(&member->value, true));
  }
  const am_json *extra = am_json_get(config, "extra_special_tokens");
  for (size_t i = 0; ok && extra && extra->type == AM_JSON_OBJECT && i < extra->n; i++)
    ok = put(tokens, token_of(&extra->as.members[i].value, true));
  return ok;
}

/* A list in the configuration, even an empty one, replaces the pieces of the file. */
static bool add_extra(am_model_tokens *tokens, const am_sp_model *model, const am_json *config,
                      const am_model_defaults *defaults) {
  const am_json *extra = am_json_get(config, "extra_special_tokens");
  const am_json *additional = am_json_get(config, "additional_special_tokens");
  bool ok = true, is_list = extra && extra->type == AM_JSON_ARRAY, has_extra = is_list && extra->n > 0;
  const am_json *list = has_extra || !additional ? extra : additional;
  if (list && list->type == AM_JSON_ARRAY) {
    for (size_t i = 0; ok && i < list->n; i++) {
      am_model_token token = token_of(am_json_at(list, i), true);
      token.special |= is_named(config, defaults, &token.content);
      ok = put(tokens, token);
    }
    return ok;
  }
  if (additional || (extra && extra->type != AM_JSON_OBJECT)) return true;
  for (size_t i = 0; ok && i < model->n_pieces; i++) {
    const am_sp_piece *piece = &model->pieces[i];
    if (piece->type != AM_SP_CONTROL && piece->type != AM_SP_USER_DEFINED) continue;
    bool special = piece->type == AM_SP_CONTROL || is_named(config, defaults, &piece->text);
    if (piece->text.n_bytes > 0)
      ok = put(tokens, (am_model_token){.content = piece->text, .special = special});
  }
  return ok;
}

bool am_model_tokens_open(const am_sp_model *model, const am_json *config, const am_model_defaults *defaults,
                          const am_vocabulary *vocabulary, am_model_tokens *out) {
  am_model_tokens made = {.vocabulary = vocabulary, .next_id = (int64_t)vocabulary->n_words};
  if (!add_listed(&made, config, defaults) || !add_named(&made, config, defaults) ||
      !add_extra(&made, model, config, defaults)) {
    am_model_tokens_close(&made);
    return false;
  }
  *out = made;
  return true;
}

void am_model_tokens_close(am_model_tokens *tokens) {
  am_mem_free(tokens->data);
  am_map_close(&tokens->by_content);
  *tokens = (am_model_tokens){0};
}

static void write_flag(am_buf *out, const char *key, bool value) {
  am_buf_printf(out, ",\"%s\":%s", key, value ? "true" : "false");
}

void am_model_tokens_write(const am_model_tokens *tokens, am_buf *out) {
  am_buf_append_char(out, '[');
  for (size_t i = 0; i < tokens->n; i++) {
    const am_model_token *token = &tokens->data[i];
    am_buf_printf(out, "%s{\"id\":%lld,\"content\":", i ? "," : "", (long long)token->id);
    am_json_write_string(out, token->content.bytes, token->content.n_bytes);
    write_flag(out, "single_word", token->single_word);
    write_flag(out, "lstrip", token->left_strip);
    write_flag(out, "rstrip", token->right_strip);
    write_flag(out, "normalized", token->normalized);
    write_flag(out, "special", token->special);
    am_buf_append_char(out, '}');
  }
  am_buf_append_char(out, ']');
}

int64_t am_model_tokens_id(const am_model_tokens *tokens, const am_vocab_string *content) {
  uint64_t index;
  if (!content->bytes) return -1;
  if (am_map_get(&tokens->by_content, content->bytes, content->n_bytes, &index))
    return tokens->data[index].id;
  return am_vocabulary_find_spelling(tokens->vocabulary, content->bytes, content->n_bytes);
}
