/* SPDX-License-Identifier: Apache-2.0 */
/* A GGUF: config, tensors, vocabulary and template are all in its metadata. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "loader/state.h"
#include "os/file.h"

/* A string value with a NUL behind it, in the arena; *out is left alone where the key is absent. */
static adam_status read_text(am_loader *loader, const char *key, const char **out, adam_error *error) {
  const am_gguf_value *value = am_gguf_get(loader->gguf, key);
  if (!value || value->type != AM_GGUF_STRING) return ADAM_OK;
  const char *text = am_arena_dup(&loader->arena, value->as.s.bytes, value->as.s.n_bytes);
  if (!text) return am_fail_memory(error, loader->file);
  *out = text;
  return ADAM_OK;
}

/* Arrays of the vocabulary, copied into the form that the tokenizer takes. */
typedef struct vocabulary {
  am_vocab vocab;
  am_vocab_string *tokens, *merges;
  float *scores;
  int32_t *types;
} vocabulary;

static am_vocab_string *copy_strings(const am_gguf_value *value) {
  am_vocab_string *out = am_mem_alloc((size_t)value->n * sizeof *out);
  for (size_t i = 0; out && i < value->n; i++) {
    out[i] = (am_vocab_string){value->strings[i].bytes, value->strings[i].n_bytes};
  }
  return out;
}

/* An array of `n` 4-byte numbers of one of two types, copied (the file need not align it). A file
 * without it is fine: *out stays NULL. */
static adam_status copy_numbers(const am_loader *loader, const char *key, am_gguf_type type,
                                am_gguf_type other, size_t n, void **out, adam_error *error) {
  const am_gguf_value *value = am_gguf_get(loader->gguf, key);
  if (!value) return ADAM_OK;
  if (value->type != AM_GGUF_ARRAY || (value->element_type != type && value->element_type != other) ||
      value->n != n) {
    return am_fail(error, ADAM_DAMAGED, loader->file, NULL,
                   "%s: expected an array of %zu numbers, one for each token", key, n);
  }
  *out = am_mem_dup(value->as.array, n * 4);
  return *out ? ADAM_OK : am_fail_memory(error, loader->file);
}

static const am_gguf_value *string_array(const am_loader *loader, const char *key) {
  const am_gguf_value *value = am_gguf_get(loader->gguf, key);
  bool fits = value && value->type == AM_GGUF_ARRAY && value->element_type == AM_GGUF_STRING;
  return fits ? value : NULL;
}

static int three_way(const am_loader *loader, const char *key) {
  const am_gguf_value *value = am_gguf_get(loader->gguf, key);
  return value && value->type == AM_GGUF_BOOL ? value->as.b : -1;
}

static adam_status fill_vocabulary(am_loader *loader, vocabulary *v, adam_error *error) {
  const am_gguf_value *tokens = string_array(loader, "tokenizer.ggml.tokens");
  const am_gguf_value *merges = string_array(loader, "tokenizer.ggml.merges");
  const am_gguf *gguf = loader->gguf;
  v->tokens = copy_strings(tokens);
  v->merges = merges ? copy_strings(merges) : NULL;
  if (!v->tokens || (merges && !v->merges)) return am_fail_memory(error, loader->file);
  size_t n = (size_t)tokens->n;
  adam_status status =
      copy_numbers(loader, "tokenizer.ggml.scores", AM_GGUF_F32, AM_GGUF_F32, n, (void **)&v->scores, error);
  if (!status) {
    status = copy_numbers(loader, "tokenizer.ggml.token_type", AM_GGUF_I32, AM_GGUF_U32, n,
                          (void **)&v->types, error);
  }
  if (!status) status = read_text(loader, "tokenizer.ggml.model", &v->vocab.model, error);
  if (!status) status = read_text(loader, "tokenizer.ggml.pre", &v->vocab.pre, error);
  if (!status) status = read_text(loader, "general.name", &v->vocab.name, error);
  if (status) return status;
  if (!v->vocab.model)
    return am_fail(error, ADAM_DAMAGED, loader->file, NULL, "tokenizer.ggml.model is missing");
  v->vocab.tokens = v->tokens;
  v->vocab.n_tokens = n;
  v->vocab.merges = v->merges;
  v->vocab.n_merges = merges ? (size_t)merges->n : 0;
  v->vocab.scores = v->scores;
  v->vocab.types = v->types;
  v->vocab.bos_id = am_gguf_int(gguf, "tokenizer.ggml.bos_token_id", -1);
  v->vocab.eos_id = am_gguf_int(gguf, "tokenizer.ggml.eos_token_id", -1);
  v->vocab.unknown_id = am_gguf_int(gguf, "tokenizer.ggml.unknown_token_id", -1);
  v->vocab.separator_id = am_gguf_int(gguf, "tokenizer.ggml.seperator_token_id", -1);
  v->vocab.pad_id = am_gguf_int(gguf, "tokenizer.ggml.padding_token_id", -1);
  v->vocab.cls_id = am_gguf_int(gguf, "tokenizer.ggml.cls_token_id", -1);
  v->vocab.add_bos = three_way(loader, "tokenizer.ggml.add_bos_token");
  v->vocab.add_eos = three_way(loader, "tokenizer.ggml.add_eos_token");
  v->vocab.add_space_prefix = three_way(loader, "tokenizer.ggml.add_space_prefix");
  v->vocab.remove_extra_spaces = three_way(loader, "tokenizer.ggml.remove_extra_whitespaces");
  const am_gguf_value *rules = am_gguf_get(gguf, "tokenizer.ggml.precompiled_charsmap");
  bool are_bytes = rules && rules->type == AM_GGUF_ARRAY &&
                   (rules->element_type == AM_GGUF_U8 || rules->element_type == AM_GGUF_I8);
  if (are_bytes) v->vocab.charsmap = (am_vocab_string){(const char *)rules->as.array, (size_t)rules->n};
  return ADAM_OK;
}

static adam_status open_tokenizer(am_loader *loader, const char *path, const char *cache_dir,
                                  adam_error *error) {
  vocabulary v = {0};
  adam_error inner = {0};
  am_file_stamp stamp;
  char key[128];
  if (!string_array(loader, "tokenizer.ggml.tokens")) {
    am_fail(&loader->no_tokenizer, ADAM_NOT_FOUND, path, NULL,
            "there is no vocabulary (tokenizer.ggml.tokens) in it");
    return ADAM_OK;
  }
  bool stamped = am_file_stamp_get(path, &stamp);
  if (stamped) {
    snprintf(key, sizeof key, "gguf %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64, stamp.size_bytes,
             stamp.mtime_ns, stamp.inode, stamp.device);
  }
  adam_status status = fill_vocabulary(loader, &v, &inner);
  if (!status) {
    status =
        am_tokenizer_open_vocab(path, &v.vocab, stamped ? key : NULL, cache_dir, &loader->tokenizer, &inner);
  }
  am_mem_free(v.tokens);
  am_mem_free(v.merges);
  am_mem_free(v.scores);
  am_mem_free(v.types);
  if (status == ADAM_UNSUPPORTED) { /* the weights can be used without it */
    loader->no_tokenizer = inner;
    return ADAM_OK;
  }
  if (status && error) *error = inner;
  return status;
}

/* tokenizer.chat_template, and tokenizer.chat_template.NAME for named ones. */
static adam_status read_templates(am_loader *loader, adam_error *error) {
  static const char prefix[] = "tokenizer.chat_template";
  const size_t n_prefix = sizeof prefix - 1;
  for (size_t i = 0; i < am_gguf_n_values(loader->gguf); i++) {
    const am_gguf_value *v = am_gguf_value_at(loader->gguf, i);
    if (v->type != AM_GGUF_STRING || v->key.n_bytes < n_prefix || memcmp(v->key.bytes, prefix, n_prefix) != 0)
      continue;
    const char *name = "default";
    if (v->key.n_bytes > n_prefix) {
      if (v->key.bytes[n_prefix] != '.') continue;
      name = am_arena_dup(&loader->arena, v->key.bytes + n_prefix + 1, v->key.n_bytes - n_prefix - 1);
    }
    if (!am_utf8_valid(v->as.s.bytes, v->as.s.n_bytes)) {
      return am_fail(error, ADAM_DAMAGED, loader->file, NULL, "the chat template '%s' is not UTF-8",
                     name ? name : "");
    }
    const char *text = am_arena_dup(&loader->arena, v->as.s.bytes, v->as.s.n_bytes);
    if (!name || !text) return am_fail_memory(error, loader->file);
    adam_status status = am_loader_add_template(loader, name, text, error);
    if (status) return status;
  }
  return ADAM_OK;
}

static adam_status add_tensors(am_loader *loader, adam_error *error) {
  size_t n = am_gguf_count(loader->gguf);
  adam_status status = am_loader_reserve(loader, n, error);
  for (size_t i = 0; i < n && !status; i++)
    status = am_loader_add(loader, am_gguf_at(loader->gguf, i), error);
  return status;
}

adam_status am_loader_open_gguf(am_loader *loader, const char *path, uint32_t flags, const char *cache_dir,
                                adam_error *error) {
  am_json metadata;
  bool vocab_only = flags & AM_LOADER_VOCAB_ONLY;
  loader->file = path;
  adam_status status = am_gguf_open(path, &loader->gguf, error);
  if (status) return status;
  status = am_gguf_metadata_json(loader->gguf, &loader->arena, &metadata, error);
  if (status) return status;
  adam_error inner = {0};
  status = am_arch_config_gguf(&metadata, path, &loader->config, &inner);
  loader->has_config = status == ADAM_OK;
  if (status && !vocab_only) {
    if (error) *error = inner;
    return status;
  }
  status = ADAM_OK;
  if (!vocab_only) {
    status = add_tensors(loader, error);
    if (!status) status = am_loader_check_weights(loader, error);
  }
  if (!status) status = read_text(loader, "general.name", &loader->name, error);
  if (!status) status = read_text(loader, "general.license", &loader->license, error);
  if (!status) status = open_tokenizer(loader, path, cache_dir, error);
  if (!status) status = read_templates(loader, error);
  if (!status) status = am_loader_gguf_sentence(loader, &metadata, error);
  if (!status) status = am_loader_gguf_special(loader, error);
  return status ? status : am_loader_gguf_generation(loader, error);
}
