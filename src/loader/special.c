/* SPDX-License-Identifier: Apache-2.0 */
/* Special tokens by name, as transformers puts them before a template: bos_token, eos_token and the
 * other *_token keys of tokenizer_config.json, and the names in extra_special_tokens. */
#include <string.h>

#include "base/utf8.h"
#include "loader/state.h"

/* A list under construction. */
typedef struct pairs {
  am_loader *loader;
  am_json_member *members;
  uint32_t n, capacity;
} pairs;

static bool add(pairs *p, const char *key, const char *text, size_t n_bytes) {
  am_json value = {.type = AM_JSON_STRING, .n = (uint32_t)n_bytes, .as.string = text};
  for (uint32_t i = 0; i < p->n; i++) {
    if (strcmp(p->members[i].key, key) != 0) continue;
    p->members[i].value = value;
    return true;
  }
  if (p->n == p->capacity) {
    uint32_t capacity = p->capacity ? p->capacity * 2 : 16;
    am_json_member *grown = am_arena_zalloc(&p->loader->arena, capacity, sizeof *grown);
    if (!grown) return false;
    if (p->n) memcpy(grown, p->members, p->n * sizeof *grown);
    p->members = grown;
    p->capacity = capacity;
  }
  p->members[p->n++] = (am_json_member){.key = key, .key_bytes = (uint32_t)strlen(key), .value = value};
  return true;
}

/* A token is a string, or a record whose text is "content". */
static const am_json *token_text(const am_json *value) {
  if (value && value->type == AM_JSON_OBJECT) value = am_json_get(value, "content");
  return value && value->type == AM_JSON_STRING ? value : NULL;
}

static bool add_object(pairs *p, const am_json *object, bool every_key) {
  static const char ending[] = "_token";
  for (uint32_t i = 0; object && object->type == AM_JSON_OBJECT && i < object->n; i++) {
    const am_json_member *member = &object->as.members[i];
    size_t n = strlen(member->key);
    bool named = n >= sizeof ending && strcmp(member->key + n - (sizeof ending - 1), ending) == 0;
    const am_json *text = named || every_key ? token_text(&member->value) : NULL;
    if (text && !add(p, member->key, text->as.string, text->n)) return false;
  }
  return true;
}

/* What transformers' tokenizer classes say where the file says nothing. A key with null says "none". */
static bool add_class_defaults(pairs *p, const am_json *tokenizer_config) {
  static const struct {
    const char *name, *unk, *bos, *eos, *pad;
  } classes[] = {{"Qwen2Tokenizer", "<|endoftext|>", NULL, "<|endoftext|>", "<|endoftext|>"},
                 {"GPT2Tokenizer", "<|endoftext|>", "<|endoftext|>", "<|endoftext|>", NULL},
                 {"LlamaTokenizer", "<unk>", "<s>", "</s>", NULL},
                 {"CodeLlamaTokenizer", "<unk>", "<s>", "</s>", NULL},
                 {"GemmaTokenizer", "<unk>", "<bos>", "<eos>", "<pad>"}};
  static const char *const keys[] = {"unk_token", "bos_token", "eos_token", "pad_token"};
  const char *name = am_json_str(am_json_get(tokenizer_config, "tokenizer_class"), "");
  for (size_t i = 0; i < sizeof classes / sizeof *classes; i++) {
    size_t n = strlen(classes[i].name);
    if (strncmp(name, classes[i].name, n) != 0 || (name[n] && strcmp(name + n, "Fast") != 0)) continue;
    const char *const texts[] = {classes[i].unk, classes[i].bos, classes[i].eos, classes[i].pad};
    for (size_t k = 0; k < 4; k++) {
      if (!texts[k] || am_json_get(tokenizer_config, keys[k])) continue;
      if (!add(p, keys[k], texts[k], strlen(texts[k]))) return false;
    }
  }
  return true;
}

adam_status am_loader_read_special(am_loader *loader, const char *folder, const am_json *tokenizer_config,
                                   adam_error *error) {
  pairs p = {.loader = loader};
  const am_json *map = NULL;
  bool fine = add_class_defaults(&p, tokenizer_config) && add_object(&p, tokenizer_config, false) &&
              add_object(&p, am_json_get(tokenizer_config, "extra_special_tokens"), true) &&
              add_object(&p, am_json_get(tokenizer_config, "model_specific_special_tokens"), true);
  /* transformers merges the older file only where the newer one does not list the added tokens. */
  if (fine && !am_json_get(tokenizer_config, "added_tokens_decoder")) {
    adam_status status = am_loader_read_json(loader, folder, "special_tokens_map.json", 0, &map, error);
    if (status) return status;
    fine = add_object(&p, map, false) && add_object(&p, am_json_get(map, "extra_special_tokens"), true);
  }
  if (!fine) return am_fail_memory(error, loader->path);
  loader->special_tokens = (am_json){.type = AM_JSON_OBJECT, .n = p.n, .as.members = p.members};
  return ADAM_OK;
}

bool am_loader_gguf_is_llama(const am_loader *loader) {
  const am_gguf_value *kind = am_gguf_get(loader->gguf, "tokenizer.ggml.model");
  return kind && kind->type == AM_GGUF_STRING && kind->as.s.n_bytes == 5 &&
         memcmp(kind->as.s.bytes, "llama", 5) == 0;
}

adam_status am_loader_gguf_special(am_loader *loader, adam_error *error) {
  static const struct {
    const char *key, *name;
    int llama; /* the id in a vocabulary of the kind "llama" whose file does not say it */
  } known[] = {{"tokenizer.ggml.bos_token_id", "bos_token", 1},
               {"tokenizer.ggml.eos_token_id", "eos_token", 2},
               {"tokenizer.ggml.padding_token_id", "pad_token", -1},
               {"tokenizer.ggml.unknown_token_id", "unk_token", 0},
               {"tokenizer.ggml.seperator_token_id", "sep_token", -1},
               {"tokenizer.ggml.cls_token_id", "cls_token", -1},
               {"tokenizer.ggml.mask_token_id", "mask_token", -1}};
  bool llama = am_loader_gguf_is_llama(loader);
  const am_gguf_value *tokens = am_gguf_get(loader->gguf, "tokenizer.ggml.tokens");
  pairs p = {.loader = loader};
  for (size_t i = 0; tokens && tokens->strings && i < sizeof known / sizeof *known; i++) {
    int64_t id = am_gguf_int(loader->gguf, known[i].key, llama ? known[i].llama : -1);
    if (id < 0 || (uint64_t)id >= tokens->n) continue;
    const am_gguf_string *s = &tokens->strings[id];
    if (!am_utf8_valid(s->bytes, s->n_bytes)) continue;
    const char *text = am_arena_dup(&loader->arena, s->bytes, s->n_bytes);
    if (!text || !add(&p, known[i].name, text, s->n_bytes)) return am_fail_memory(error, loader->path);
  }
  loader->special_tokens = (am_json){.type = AM_JSON_OBJECT, .n = p.n, .as.members = p.members};
  return ADAM_OK;
}
