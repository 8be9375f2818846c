/* SPDX-License-Identifier: Apache-2.0 */
/* What a model asks to be sampled with, and which tokens end its answer. */
#include <string.h>

#include "arch/keys.h"
#include "loader/state.h"

static void add_end_id(am_loader *loader, int64_t id) {
  if (id < 0 || id > INT32_MAX || loader->n_end_ids == AM_LOADER_MAX_END_IDS) return;
  for (size_t i = 0; i < loader->n_end_ids; i++)
    if (loader->end_ids[i] == id) return;
  loader->end_ids[loader->n_end_ids++] = (int32_t)id;
}

static adam_status add_end_ids(am_loader *loader, const am_keys *keys) {
  int32_t ids[AM_LOADER_MAX_END_IDS];
  uint32_t n;
  adam_status status = am_keys_ids(keys, "eos_token_id", ids, AM_LOADER_MAX_END_IDS, &n);
  for (uint32_t i = 0; i < n && !status; i++) add_end_id(loader, ids[i]);
  return status;
}

static void mark(adam_sampling *sampling, const am_keys *keys, const char *key, uint32_t bit) {
  if (am_keys_get(keys, key)) sampling->set |= bit;
}

/* Keys of one file; `names` in the order temperature, top_p, top_k, min_p, repetition penalty, most
 * new tokens. */
static adam_status read_sampling(const am_keys *keys, const char *const names[6], adam_sampling *s) {
  uint32_t top_k = 0, max_tokens = 0;
  adam_status status = am_keys_real(keys, names[0], false, 0, 1e6, &s->temperature);
  if (!status) status = am_keys_real(keys, names[1], false, 0, 1, &s->top_p);
  if (!status) status = am_keys_u32(keys, names[2], false, 0, INT32_MAX, &top_k);
  if (!status) status = am_keys_real(keys, names[3], false, 0, 1, &s->min_p);
  if (!status) status = am_keys_real(keys, names[4], false, 1e-6, 1e6, &s->repetition_penalty);
  if (!status) status = am_keys_u32(keys, names[5], false, 0, UINT32_MAX, &max_tokens);
  if (status) return status;
  s->top_k = (int32_t)top_k;
  s->max_tokens = max_tokens;
  static const uint32_t bits[6] = {
      ADAM_SET_TEMPERATURE,        ADAM_SET_TOP_P,     ADAM_SET_TOP_K, ADAM_SET_MIN_P,
      ADAM_SET_REPETITION_PENALTY, ADAM_SET_MAX_TOKENS};
  for (size_t i = 0; i < 6; i++) mark(s, keys, names[i], bits[i]);
  if (s->top_p == 0) s->set &= ~(uint32_t)ADAM_SET_TOP_P; /* no mass at all: meant as "not used" */
  return ADAM_OK;
}

adam_status am_loader_read_generation(am_loader *loader, const char *folder, const am_json *config,
                                      adam_error *error) {
  static const char *const names[6] = {"temperature",        "top_p",         "top_k", "min_p",
                                       "repetition_penalty", "max_new_tokens"};
  const am_json *generation = NULL;
  const char *path = am_loader_join(loader, folder, "generation_config.json");
  const char *config_path = am_loader_join(loader, folder, "config.json");
  if (!path || !config_path) return am_fail_memory(error, folder);
  adam_status status = am_loader_read_json(loader, folder, "generation_config.json", 0, &generation, error);
  if (status) return status;
  if (generation) {
    am_keys keys = {generation, path, "", error};
    status = read_sampling(&keys, names, &loader->sampling);
    if (!status) status = add_end_ids(loader, &keys);
    if (status) return status;
  }
  if (config && loader->n_end_ids == 0) {
    am_keys keys = {config, config_path, "", error};
    status = add_end_ids(loader, &keys);
    if (status) return status;
  }
  /* Not in transformers' generate: chat checkpoints whose configs still name the base model's end
   * token exist, and there only tokenizer_config.json knows the one that the template writes. */
  const am_json *eos = am_json_get(&loader->special_tokens, "eos_token");
  if (eos && loader->tokenizer)
    add_end_id(loader, am_tokenizer_find(loader->tokenizer, eos->as.string, eos->n));
  return ADAM_OK;
}

adam_status am_loader_gguf_generation(am_loader *loader, adam_error *error) {
  static const char *const names[6] = {"temp", "top_p", "top_k", "min_p", "penalty_repeat", ""};
  static const char *const ids[] = {"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id",
                                    "tokenizer.ggml.eom_token_id"};
  /* Spellings that llama.cpp takes for an end wherever they are in a vocabulary. */
  static const char *const spellings[] = {"<|eot_id|>",
                                          "<|im_end|>",
                                          "<|end|>",
                                          "<end_of_turn>",
                                          "<|endoftext|>",
                                          "<|end_of_text|>",
                                          "<EOT>",
                                          "_<EOT>",
                                          "<|eom_id|>",
                                          "< EOT >",
                                          u8"<\uFF5Cend\u2581of\u2581sentence\uFF5C>"};
  am_json metadata;
  adam_status status = am_gguf_metadata_json(loader->gguf, &loader->arena, &metadata, error);
  if (status) return status;
  am_keys keys = {&metadata, loader->file, "general.sampling.", error};
  status = read_sampling(&keys, names, &loader->sampling);
  if (status) return status;
  for (size_t i = 0; i < sizeof ids / sizeof *ids; i++)
    add_end_id(loader, am_gguf_int(loader->gguf, ids[i], i == 0 && am_loader_gguf_is_llama(loader) ? 2 : -1));
  for (size_t i = 0; loader->tokenizer && i < sizeof spellings / sizeof *spellings; i++) {
    add_end_id(loader, am_tokenizer_find(loader->tokenizer, spellings[i], strlen(spellings[i])));
  }
  return ADAM_OK;
}
