/* SPDX-License-Identifier: Apache-2.0 */
/* A Hugging Face folder: config.json, weights in one safetensors file or in several named by an
 * index, tokenizer.json. Nothing is read outside the folder. */
#include <string.h>

#include "loader/prequant/prequant.h"
#include "loader/state.h"
#include "os/file.h"

enum { SHARDS_LIMIT = 4096 };

static adam_status open_shard(am_loader *loader, const char *path, adam_error *error) {
  adam_status status = am_safetensors_open(path, &loader->shards[loader->n_shards], error);
  if (status == ADAM_NOT_FOUND) {
    return am_fail(error, ADAM_DAMAGED, path, "download the missing file",
                   "the file is not there, and the index names it");
  }
  if (!status) loader->shard_paths[loader->n_shards++] = path;
  return status;
}

static adam_status open_single(am_loader *loader, const char *path, adam_error *error) {
  loader->shards = am_arena_zalloc(&loader->arena, 1, sizeof *loader->shards);
  loader->shard_paths = am_arena_zalloc(&loader->arena, 1, sizeof *loader->shard_paths);
  char *copy = am_arena_dup(&loader->arena, path, strlen(path));
  if (!loader->shards || !loader->shard_paths || !copy) return am_fail_memory(error, path);
  adam_status status = am_safetensors_open(path, &loader->shards[0], error);
  if (status) return status;
  loader->shard_paths[0] = copy;
  loader->n_shards = 1;
  size_t n = am_safetensors_count(loader->shards[0]);
  status = am_loader_reserve(loader, n, error);
  for (size_t i = 0; i < n && !status; i++)
    status = am_loader_add(loader, am_safetensors_at(loader->shards[0], i), error);
  return status;
}

/* A plain file name: nothing that leads out of the folder. */
static bool is_plain_name(const am_json *value) {
  const char *name = am_json_str(value, "");
  return name[0] && strlen(name) == value->n && !strpbrk(name, "/\\") && strcmp(name, ".") != 0 &&
         !strstr(name, "..");
}

/* Opens the shard that holds one tensor of the index, unless it is open, and adds the tensor. */
static adam_status add_indexed(am_loader *loader, const char *folder, const char *index_path,
                               am_map *shard_of, const am_json_member *member, adam_error *error) {
  if (member->value.type != AM_JSON_STRING || !is_plain_name(&member->value)) {
    return am_fail(error, ADAM_DAMAGED, index_path, NULL,
                   "weight_map: expected the name of a file in the same folder for %s", member->key);
  }
  const char *file = member->value.as.string;
  uint64_t shard;
  if (!am_map_get(shard_of, file, member->value.n, &shard)) {
    if (loader->n_shards == SHARDS_LIMIT) {
      return am_fail(error, ADAM_DAMAGED, index_path, NULL, "weight_map: more than %d files", SHARDS_LIMIT);
    }
    const char *path = am_loader_join(loader, folder, file);
    shard = loader->n_shards;
    if (!path || !am_map_set(shard_of, file, member->value.n, shard))
      return am_fail_memory(error, index_path);
    adam_status status = open_shard(loader, path, error);
    if (status) return status;
  }
  const am_tensor *tensor = am_safetensors_find(loader->shards[shard], member->key);
  if (!tensor) {
    return am_fail(error, ADAM_DAMAGED, index_path, NULL, "weight_map: tensor %s is not in %s", member->key,
                   file);
  }
  return am_loader_add(loader, tensor, error);
}

static adam_status open_indexed(am_loader *loader, const char *folder, const char *index_name,
                                adam_error *error) {
  const am_json *index = NULL;
  am_map shard_of = {0}; /* file name -> index in loader->shards */
  const char *path = am_loader_join(loader, folder, index_name);
  if (!path) return am_fail_memory(error, folder);
  adam_status status = am_loader_read_json(loader, folder, index_name, AM_JSON_UNIQUE_KEYS, &index, error);
  if (status) return status;
  const am_json *weight_map = am_json_get(index, "weight_map");
  if (!weight_map || weight_map->type != AM_JSON_OBJECT || weight_map->n == 0) {
    return am_fail(error, ADAM_DAMAGED, path, NULL, "expected an object weight_map that names the tensors");
  }
  size_t most = weight_map->n < SHARDS_LIMIT ? weight_map->n : SHARDS_LIMIT;
  loader->shards = am_arena_zalloc(&loader->arena, most, sizeof *loader->shards);
  loader->shard_paths = am_arena_zalloc(&loader->arena, most, sizeof *loader->shard_paths);
  status = loader->shards && loader->shard_paths ? am_loader_reserve(loader, weight_map->n, error)
                                                 : am_fail_memory(error, path);
  for (uint32_t i = 0; i < weight_map->n && !status; i++) {
    status = add_indexed(loader, folder, path, &shard_of, &weight_map->as.members[i], error);
  }
  am_map_close(&shard_of);
  return status;
}

/* One file of a model that is in several: "model-00002-of-00003.safetensors". */
static bool is_shard(const char *name) {
  static const char form[] = "-00001-of-00001.safetensors";
  size_t n = strlen(name);
  const char *tail = n > sizeof form ? name + n - (sizeof form - 1) : "";
  return tail[0] == '-' && memcmp(tail + 6, "-of-", 4) == 0;
}

/* model.safetensors comes before the index, as in transformers. */
static adam_status open_weights(am_loader *loader, const char *folder, const char *file, adam_error *error) {
  static const char index_name[] = "model.safetensors.index.json";
  const char *single = am_loader_join(loader, folder, "model.safetensors");
  const char *index = am_loader_join(loader, folder, index_name);
  if (!single || !index) return am_fail_memory(error, folder);
  bool indexed = am_file_is_regular(index);
  if (file && !(indexed && is_shard(am_path_basename(file)))) return open_single(loader, file, error);
  if (!file && (am_file_is_regular(single) || !indexed)) return open_single(loader, single, error);
  return open_indexed(loader, folder, index_name, error);
}

/* A file of the folder that is there; NULL: none, or memory is out (then *failed). */
static const char *find_file(am_loader *loader, const char *folder, const char *name, bool *failed) {
  const char *path = am_loader_join(loader, folder, name);
  if (!path) *failed = true;
  return path && am_file_is_regular(path) ? path : NULL;
}

/* tokenizer.json comes before tokenizer.model, spiece.model and vocab.txt, as in transformers. */
static adam_status open_tokenizer(am_loader *loader, const char *folder, const am_json *model_config,
                                  const am_json *tokenizer_config, const char *cache_dir, adam_error *error) {
  bool failed = false;
  const char *path = find_file(loader, folder, "tokenizer.json", &failed);
  const char *config = find_file(loader, folder, "tokenizer_config.json", &failed);
  const char *model = find_file(loader, folder, "tokenizer.model", &failed);
  if (!model) model = find_file(loader, folder, "spiece.model", &failed);
  if (!model) model = find_file(loader, folder, "sentencepiece.bpe.model", &failed);
  const char *words = find_file(loader, folder, "vocab.txt", &failed);
  adam_error inner = {0};
  adam_status status = ADAM_OK;
  if (failed) return am_fail_memory(error, folder);
  if (path) {
    status = am_tokenizer_open_file(path, config, cache_dir, &loader->tokenizer, &inner);
  } else if (model || words) {
    status =
        am_loader_open_gathered(loader, model ? am_tokenizer_open_model : am_tokenizer_open_words, folder,
                                model ? model : words, model_config, tokenizer_config, cache_dir, &inner);
  } else {
    am_fail(&loader->no_tokenizer, ADAM_NOT_FOUND, folder, NULL,
            "there is no tokenizer.json, no tokenizer.model and no vocab.txt in it");
    return ADAM_OK;
  }
  if (status == ADAM_UNSUPPORTED) { /* the weights can be used without it */
    loader->no_tokenizer = inner;
    return ADAM_OK;
  }
  if (status && error) *error = inner;
  return status;
}

/* How the weights were quantised, where they were: config.json says so, or a file beside it that AutoGPTQ or
 * AutoAWQ wrote. */
static adam_status read_scheme(am_loader *loader, const char *folder, const am_json *config, adam_error *error) {
  static const struct {
    const char *file, *method;
  } beside[] = {{"quantize_config.json", "gptq"}, {"quant_config.json", "awq"}};
  const char *path = am_loader_join(loader, folder, "config.json");
  const am_json *found = am_json_get(config, "quantization_config");
  if (!path) return am_fail_memory(error, folder);
  if (am_json_is_null(found)) found = am_json_get(config, "compression_config"); /* compressed-tensors, once */
  if (!am_json_is_null(found)) return am_scheme_read(found, path, NULL, &loader->scheme, error);
  for (size_t i = 0; i < sizeof beside / sizeof *beside; i++) {
    const am_json *whole = NULL;
    path = am_loader_join(loader, folder, beside[i].file);
    if (!path) return am_fail_memory(error, folder);
    adam_status status = am_loader_read_json(loader, folder, beside[i].file, 0, &whole, error);
    if (!status && whole) status = am_scheme_read(whole, path, beside[i].method, &loader->scheme, error);
    if (status || whole) return status;
  }
  return ADAM_OK;
}

static adam_status read_config(am_loader *loader, const char *folder, uint32_t flags, const am_json **config,
                               adam_error *error) {
  const char *path = am_loader_join(loader, folder, "config.json");
  if (!path) return am_fail_memory(error, folder);
  adam_status status = am_loader_read_json(loader, folder, "config.json", 0, config, error);
  if (status) return status;
  if (flags & AM_LOADER_VOCAB_ONLY) { /* a family that cannot run may still have its tokens counted */
    loader->has_config = *config && am_arch_config_hf(*config, path, &loader->config, NULL) == ADAM_OK;
    return ADAM_OK;
  }
  if (!*config) return am_fail(error, ADAM_NOT_FOUND, path, NULL, "there is no such file beside the weights");
  status = am_arch_config_hf(*config, path, &loader->config, error);
  loader->has_config = status == ADAM_OK;
  return status ? status : read_scheme(loader, folder, *config, error);
}

adam_status am_loader_open_folder(am_loader *loader, const char *folder, const char *file, uint32_t flags,
                                  const char *cache_dir, adam_error *error) {
  const am_json *config = NULL, *tokenizer_config = NULL;
  loader->folder = am_arena_dup(&loader->arena, folder, strlen(folder));
  if (!loader->folder) return am_fail_memory(error, folder);
  adam_status status = read_config(loader, folder, flags, &config, error);
  if (!status && !(flags & AM_LOADER_VOCAB_ONLY)) {
    status = open_weights(loader, folder, file, error);
    if (!status) status = am_prequant_compose(loader, !(flags & AM_LOADER_NO_DATA), error);
    if (!status) status = am_loader_check_weights(loader, error);
  }
  if (!status)
    status = am_loader_read_json(loader, folder, "tokenizer_config.json", 0, &tokenizer_config, error);
  if (!status) status = open_tokenizer(loader, folder, config, tokenizer_config, cache_dir, error);
  if (!status) status = am_loader_read_templates(loader, folder, tokenizer_config, error);
  if (!status) status = am_loader_read_special(loader, folder, tokenizer_config, error);
  if (!status) status = am_loader_read_license(loader, folder, error);
  if (!status) status = am_loader_read_sentence(loader, folder, flags, config, tokenizer_config, error);
  return status ? status : am_loader_read_generation(loader, folder, config, error);
}
