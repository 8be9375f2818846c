/* SPDX-License-Identifier: Apache-2.0 */
/* A folder whose tokenizer is a tokenizer.model or a vocab.txt: gathers what its JSON files say about it into
 * the one object that the tokenizer takes. As in transformers: special_tokens_map.json and added_tokens.json
 * count only where tokenizer_config.json has no added_tokens_decoder, and then the former wins. */
#include <string.h>

#include "loader/state.h"

typedef struct gathering {
  am_buf out;
  const am_json *config, *map, *added; /* tokenizer_config, special_tokens_map, added_tokens; NULL = none */
} gathering;

static void write_key(gathering *g, const char *key) {
  am_buf_append_str(&g->out, g->out.len > 1 ? "," : "");
  am_json_write_string(&g->out, key, strlen(key));
  am_buf_append_char(&g->out, ':');
}

static void write_member(gathering *g, const char *key, const am_json *value) {
  write_key(g, key);
  am_json_write(&g->out, value);
}

/* An object of special_tokens_map.json names a special token though it does not say so. */
static void write_special(gathering *g, const am_json_member *member) {
  write_key(g, member->key);
  if (member->value.type != AM_JSON_OBJECT) {
    am_json_write(&g->out, &member->value);
    return;
  }
  am_buf_append_str(&g->out, "{\"special\":true");
  for (size_t i = 0; i < member->value.n; i++) {
    const am_json_member *part = &member->value.as.members[i];
    if (strcmp(part->key, "special") != 0) {
      am_buf_append_char(&g->out, ',');
      am_json_write_string(&g->out, part->key, part->key_bytes);
      am_buf_append_char(&g->out, ':');
      am_json_write(&g->out, &part->value);
    }
  }
  am_buf_append_char(&g->out, '}');
}

static bool is_token(const am_json *value, const am_json_member *token) {
  const am_json *text = value && value->type == AM_JSON_OBJECT ? am_json_get(value, "content") : value;
  return text && text->type == AM_JSON_STRING && text->n == token->key_bytes &&
         memcmp(text->as.string, token->key, text->n) == 0;
}

/* true: the files name this token of added_tokens.json, so it is a special one. */
static bool is_named(const gathering *g, const am_json_member *token) {
  static const char *const names[] = {"bos_token", "eos_token", "unk_token", "sep_token",
                                      "pad_token", "cls_token", "mask_token"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    const am_json *value = am_json_get(g->map, names[i]);
    if (is_token(value ? value : am_json_get(g->config, names[i]), token)) return true;
  }
  const am_json *extra = am_json_get(g->config, "extra_special_tokens");
  if (!extra) extra = am_json_get(g->config, "additional_special_tokens");
  for (size_t i = 0; extra && extra->type == AM_JSON_ARRAY && i < extra->n; i++)
    if (is_token(am_json_at(extra, i), token)) return true;
  return false;
}

static void write_added(gathering *g) {
  bool any = false;
  write_key(g, "added_tokens_decoder");
  am_buf_append_char(&g->out, '{');
  for (size_t i = 0; i < g->added->n; i++) {
    const am_json_member *token = &g->added->as.members[i];
    int64_t id = am_json_int(&token->value, -1);
    if (id < 0) continue;
    bool special = is_named(g, token);
    am_buf_printf(&g->out, "%s\"%lld\":{\"content\":", any ? "," : "", (long long)id);
    am_json_write_string(&g->out, token->key, token->key_bytes);
    am_buf_printf(&g->out, ",\"normalized\":%s,\"special\":%s}", special ? "false" : "true",
                  special ? "true" : "false");
    any = true;
  }
  am_buf_append_char(&g->out, '}');
}

static void gather(gathering *g, const am_json *model_config) {
  const char *type = am_json_str(am_json_get(model_config, "model_type"), NULL);
  const am_json *class = am_json_get(model_config, "tokenizer_class");
  am_buf_append_char(&g->out, '{');
  if (type) write_member(g, "model_type", am_json_get(model_config, "model_type"));
  if (!am_json_is_null(class) && am_json_is_null(am_json_get(g->config, "tokenizer_class")))
    write_member(g, "tokenizer_class", class);
  for (size_t i = 0; g->map && i < g->map->n; i++)
    if (strcmp(g->map->as.members[i].key, "additional_special_tokens") != 0)
      write_special(g, &g->map->as.members[i]);
  for (size_t i = 0; g->config && i < g->config->n; i++) {
    const am_json_member *member = &g->config->as.members[i];
    bool ours = strcmp(member->key, "model_type") == 0 || strcmp(member->key, "chat_template") == 0 ||
                (strcmp(member->key, "tokenizer_class") == 0 && am_json_is_null(&member->value));
    if (!ours && !am_json_get(g->map, member->key)) write_member(g, member->key, &member->value);
  }
  if (g->added) write_added(g);
  am_buf_append_char(&g->out, '}');
}

adam_status am_loader_open_gathered(am_loader *loader, am_tokenizer_open_fn open, const char *folder,
                                    const char *path, const am_json *model_config,
                                    const am_json *tokenizer_config, const char *cache_dir,
                                    adam_error *error) {
  gathering g = {.config = tokenizer_config};
  adam_status status = ADAM_OK;
  if (!am_json_get(tokenizer_config, "added_tokens_decoder")) {
    status = am_loader_read_json(loader, folder, "special_tokens_map.json", 0, &g.map, error);
    if (!status) status = am_loader_read_json(loader, folder, "added_tokens.json", 0, &g.added, error);
  }
  if (status) return status;
  gather(&g, model_config);
  status = g.out.failed ? am_fail_memory(error, path)
                        : open(path, g.out.data, g.out.len, cache_dir, &loader->tokenizer, error);
  am_buf_close(&g.out);
  return status;
}
