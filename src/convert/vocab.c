/* SPDX-License-Identifier: Apache-2.0 */
#include "convert/vocab.h"

#include <string.h>

#include "convert/vocab_parts.h"
#include "formats/gguf_write.h"

#define GGML "tokenizer.ggml."
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
enum { MOST_TEMPLATES = 256 };

static adam_status copy_pairs(const am_gguf *gguf, am_gguf_writer *writer, adam_error *error) {
  static const char prefix[] = "tokenizer.";
  adam_status status = ADAM_OK;
  for (size_t i = 0; status == ADAM_OK && i < am_gguf_n_values(gguf); i++) {
    const am_gguf_value *value = am_gguf_value_at(gguf, i);
    if (value->key.n_bytes >= sizeof prefix - 1 && memcmp(value->key.bytes, prefix, sizeof prefix - 1) == 0)
      status = am_gguf_write_value(writer, value, error);
  }
  return status;
}

static adam_status write_tokens(const am_vocab_parts *p, am_gguf_writer *w, adam_error *error) {
  adam_status status = ADAM_OK;
  if (p->n_token_types >= 0)
    status = am_gguf_write_u32(w, GGML "token_type_count", (uint32_t)p->n_token_types, error);
  if (!status) status = am_gguf_write_string(w, GGML "model", p->model, error);
  if (!status) status = am_gguf_write_string(w, GGML "pre", p->pre, error);
  if (!status) status = am_gguf_write_strings(w, GGML "tokens", p->tokens, p->n_tokens, error);
  if (!status && p->scores) status = am_gguf_write_f32s(w, GGML "scores", p->scores, p->n_tokens, error);
  if (!status) status = am_gguf_write_i32s(w, GGML "token_type", p->types, p->n_tokens, error);
  if (!status && p->merges) status = am_gguf_write_strings(w, GGML "merges", p->merges, p->n_merges, error);
  return status;
}

static adam_status write_ids(const am_vocab_parts *p, am_gguf_writer *w, adam_error *error) {
  /* "seperator" is how llama.cpp spells it. */
  static const char *const keys[AM_VOCAB_N_IDS] = {
      GGML "bos_token_id",     GGML "eos_token_id",     GGML "eot_token_id",
      GGML "eom_token_id",     GGML "unknown_token_id", GGML "seperator_token_id",
      GGML "padding_token_id", GGML "cls_token_id",     GGML "mask_token_id"};
  adam_status status = ADAM_OK;
  for (int i = 0; status == ADAM_OK && i < AM_VOCAB_N_IDS; i++)
    if (p->ids[i] >= 0) status = am_gguf_write_u32(w, keys[i], (uint32_t)p->ids[i], error);
  /* Ollama's own key for all that end an answer. */
  if (status == ADAM_OK && p->n_end_ids > 1)
    status = am_gguf_write_i32s(w, GGML "eos_token_ids", p->end_ids, p->n_end_ids, error);
  return status;
}

static adam_status write_flags(const am_vocab_parts *p, am_gguf_writer *w, adam_error *error) {
  const struct {
    const char *key;
    int value;
  } flags[] = {{GGML "add_bos_token", p->add_bos},
               {GGML "add_eos_token", p->add_eos},
               {GGML "add_sep_token", p->add_sep},
               {GGML "add_space_prefix", p->add_space_prefix},
               {GGML "remove_extra_whitespaces", p->remove_extra_spaces}};
  adam_status status = ADAM_OK;
  for (size_t i = 0; status == ADAM_OK && i < sizeof flags / sizeof *flags; i++)
    if (flags[i].value >= 0) status = am_gguf_write_bool(w, flags[i].key, flags[i].value > 0, error);
  if (status == ADAM_OK && p->charsmap.n_bytes > 0)
    status = am_gguf_write_u8s(w, GGML "precompiled_charsmap", (const uint8_t *)p->charsmap.bytes,
                               p->charsmap.n_bytes, error);
  return status;
}

/* The default one under the plain key, the others with their names behind it, and a list of these. */
static adam_status write_templates(const am_loader *loader, am_arena *arena, am_gguf_writer *w,
                                   adam_error *error) {
  static const char prefix[] = "tokenizer.chat_template.";
  am_gguf_string names[MOST_TEMPLATES];
  size_t n_names = 0;
  const char *name, *text;
  adam_status status = ADAM_OK;
  for (size_t i = 0; status == ADAM_OK && (text = am_loader_template_at(loader, i, &name)); i++) {
    if (strcmp(name, "default") == 0) {
      status = am_gguf_write_string(w, "tokenizer.chat_template", text, error);
      continue;
    }
    size_t n = strlen(name);
    char *key = am_arena_alloc(arena, sizeof prefix + n);
    if (!key) return am_fail_memory(error, am_loader_path(loader));
    memcpy(key, prefix, sizeof prefix - 1);
    for (size_t k = 0; k <= n; k++) /* as gguf-py: what is no letter or digit becomes _ */
      key[sizeof prefix - 1 + k] = k == n || strchr(LETTERS, name[k]) ? name[k] : '_';
    if (n_names == MOST_TEMPLATES || am_gguf_writer_has(w, key)) continue;
    status = am_gguf_write_string(w, key, text, error);
    names[n_names++] = (am_gguf_string){key + sizeof prefix - 1, n};
  }
  if (status == ADAM_OK && n_names > 0)
    status = am_gguf_write_strings(w, "tokenizer.chat_templates", names, n_names, error);
  return status;
}

/* Whether runs of blanks count as one shows in no part of a tokenizer for sure: it is tried. */
static adam_status check(am_vocab_parts *parts, const am_loader *loader, adam_error *error) {
  adam_status status = am_vocab_parts_check(parts, loader, error);
  if (status != ADAM_UNSUPPORTED || parts->remove_extra_spaces < 0) return status;
  parts->remove_extra_spaces = 0;
  return am_vocab_parts_check(parts, loader, NULL) == ADAM_OK ? ADAM_OK : status;
}

adam_status am_convert_vocab(const am_loader *loader, am_gguf_writer *writer, adam_error *error) {
  am_vocab_parts parts = {0};
  const am_tokenizer *tokenizer;
  if (am_loader_gguf(loader)) return copy_pairs(am_loader_gguf(loader), writer, error);
  adam_status status = am_loader_need_tokenizer(loader, &tokenizer, error);
  if (status) return status;
  status = am_vocab_parts_gather(loader, &parts, error);
  if (!status) status = check(&parts, loader, error);
  if (!status) status = write_tokens(&parts, writer, error);
  if (!status) status = write_ids(&parts, writer, error);
  if (!status) status = write_flags(&parts, writer, error);
  if (!status) status = write_templates(loader, &parts.arena, writer, error);
  am_vocab_parts_close(&parts);
  return status;
}
