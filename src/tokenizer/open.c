/* SPDX-License-Identifier: Apache-2.0 */
/* The ways to open a tokenizer, and the cache of images. A cached image counts only if it was
 * made from the very bytes that the caller has now; anything else about it that is wrong makes it
 * be built anew. */
#include "tokenizer/tokenizer.h"

#include "base/digest.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "tokenizer/pipeline.h"

#include <stdio.h>
#include <string.h>

/* The two input files, mapped. */
typedef struct inputs {
  am_file_map json, config;
  bool has_config;
} inputs;

static void inputs_close(inputs *in) {
  am_file_map_close(&in->json);
  if (in->has_config) am_file_map_close(&in->config);
}

/* 256 bits that tell contents apart; whoever could forge them could as well write the cache. */
static void fingerprint(const void *a, size_t a_bytes, const void *b, size_t b_bytes, char out[64]) {
  char text[65];
  uint64_t sums[4] = {am_hash_bytes(a, a_bytes, 1), am_hash_bytes(a, a_bytes, 2),
                      am_hash_bytes(b, b_bytes, 3), (uint64_t)a_bytes << 32 ^ b_bytes};
  for (int k = 0; k < 4; k++) (void)snprintf(text + 16 * k, 17, "%016llx", (unsigned long long)sums[k]);
  memcpy(out, text, 64);
}

/* cache_dir/tokenizers/<hash of the two keys>.bin; owned, NULL: memory is out. */
static char *cache_path(const char *cache_dir, const char *key, const char *second) {
  char hex[65], file[48];
  am_buf both = {0};
  am_buf_append(&both, key, strlen(key) + 1);
  if (second) am_buf_append_str(&both, second);
  bool ok = !both.failed && am_sha256_hex(both.data, both.len, hex);
  am_buf_close(&both);
  if (!ok) return NULL;
  (void)snprintf(file, sizeof file, "%.32s.bin", hex);
  char *folder = am_path_join(cache_dir, "tokenizers");
  char *path = folder ? am_path_join(folder, file) : NULL;
  am_mem_free(folder);
  return path;
}

/* Opens the cached image if it is whole and from this source. */
static bool open_cached(const char *name, const char *path, const am_image_source *source,
                        am_tokenizer **out) {
  am_image image;
  adam_error ignored;
  if (am_image_open(path, &image, &ignored) != ADAM_OK) return false;
  if (memcmp(am_image_source_of(&image), source, sizeof *source) != 0) {
    am_image_close(&image);
    return false;
  }
  if (am_pipeline_bind(name, &image, out, &ignored) == ADAM_OK) return true;
  am_log(AM_LOG_WARNING, "tokenizer cache %s is damaged: %s", path, ignored.why);
  return false;
}

static void save_cached(const am_tokenizer *tokenizer, const char *path) {
  adam_error error;
  char *folder = am_path_dirname(path);
  adam_status status = folder ? am_dir_make(folder, &error) : ADAM_NO_MEMORY;
  if (status == ADAM_OK) status = am_image_save(&tokenizer->image, path, &error);
  if (status != ADAM_OK) am_log(AM_LOG_WARNING, "tokenizer cache %s could not be written", path);
  am_mem_free(folder);
}

adam_status am_tokenizer_open_json(const char *name, const char *json, size_t n_bytes,
                                   const char *config_json, size_t config_bytes, am_tokenizer **out,
                                   adam_error *error) {
  am_image image;
  adam_status status =
      am_pipeline_build_json(name, json, n_bytes, config_json, config_bytes, NULL, &image, error);
  return status == ADAM_OK ? am_pipeline_bind(name, &image, out, error) : status;
}

static adam_status inputs_open(const char *json_path, const char *config_path, inputs *out,
                               adam_error *error) {
  adam_status status = am_file_map_open(json_path, &out->json, error);
  if (status != ADAM_OK || !config_path) return status;
  status = am_file_map_open(config_path, &out->config, error);
  if (status == ADAM_OK)
    out->has_config = true;
  else
    am_file_map_close(&out->json);
  return status;
}

adam_status am_tokenizer_open_file(const char *json_path, const char *config_path, const char *cache_dir,
                                   am_tokenizer **out, adam_error *error) {
  inputs in = {0};
  am_image image;
  char *path = NULL;
  adam_status status = inputs_open(json_path, config_path, &in, error);
  if (status != ADAM_OK) return status;
  am_image_source source;
  memset(&source, 0, sizeof source);
  (void)am_file_stamp_get(json_path, &source.files[0]);
  if (config_path) (void)am_file_stamp_get(config_path, &source.files[1]);
  fingerprint(in.json.bytes, in.json.size, in.config.bytes, in.config.size, source.digest);
  if (cache_dir) path = cache_path(cache_dir, json_path, config_path);
  if (path && open_cached(json_path, path, &source, out)) goto done;
  status = am_pipeline_build_json(json_path, (const char *)in.json.bytes, in.json.size,
                                  in.has_config ? (const char *)in.config.bytes : NULL, in.config.size,
                                  &source, &image, error);
  if (status != ADAM_OK) goto done;
  status = am_pipeline_bind(json_path, &image, out, error);
  if (status == ADAM_OK && path) save_cached(*out, path);
done:
  am_mem_free(path);
  inputs_close(&in);
  return status;
}

adam_status am_tokenizer_open_model_bytes(const char *name, const void *bytes, size_t n_bytes,
                                          const char *config_json, size_t config_bytes, am_tokenizer **out,
                                          adam_error *error) {
  am_image image;
  adam_status status =
      am_pipeline_build_model(name, bytes, n_bytes, config_json, config_bytes, NULL, &image, error);
  return status == ADAM_OK ? am_pipeline_bind(name, &image, out, error) : status;
}

typedef adam_status (*build_function)(const char *name, const void *bytes, size_t n_bytes,
                                      const char *config_json, size_t config_bytes,
                                      const am_image_source *source, am_image *out, adam_error *error);

/* One file and an object of settings; `kind` tells caches apart. */
static adam_status open_with(build_function build, const char *kind, const char *file_path,
                             const char *config_json, size_t config_bytes, const char *cache_dir,
                             am_tokenizer **out, adam_error *error) {
  am_file_map map = {0};
  am_image image;
  am_image_source source;
  char *path = NULL;
  adam_status status = am_file_map_open(file_path, &map, error);
  if (status != ADAM_OK) return status;
  memset(&source, 0, sizeof source);
  (void)am_file_stamp_get(file_path, &source.files[0]);
  fingerprint(map.bytes, map.size, config_json, config_json ? config_bytes : 0, source.digest);
  if (cache_dir) path = cache_path(cache_dir, file_path, kind);
  if (path && open_cached(file_path, path, &source, out)) goto done;
  status = build(file_path, map.bytes, map.size, config_json, config_bytes, &source, &image, error);
  if (status != ADAM_OK) goto done;
  status = am_pipeline_bind(file_path, &image, out, error);
  if (status == ADAM_OK && path) save_cached(*out, path);
done:
  am_mem_free(path);
  am_file_map_close(&map);
  return status;
}

adam_status am_tokenizer_open_model(const char *model_path, const char *config_json, size_t config_bytes,
                                    const char *cache_dir, am_tokenizer **out, adam_error *error) {
  return open_with(am_pipeline_build_model, "tokenizer.model", model_path, config_json, config_bytes,
                   cache_dir, out, error);
}

adam_status am_tokenizer_open_words(const char *vocab_path, const char *config_json, size_t config_bytes,
                                    const char *cache_dir, am_tokenizer **out, adam_error *error) {
  return open_with(am_pipeline_build_words, "vocab.txt", vocab_path, config_json, config_bytes, cache_dir,
                   out, error);
}

adam_status am_tokenizer_open_words_bytes(const char *name, const void *bytes, size_t n_bytes,
                                          const char *config_json, size_t config_bytes, am_tokenizer **out,
                                          adam_error *error) {
  am_image image;
  adam_status status =
      am_pipeline_build_words(name, bytes, n_bytes, config_json, config_bytes, NULL, &image, error);
  return status == ADAM_OK ? am_pipeline_bind(name, &image, out, error) : status;
}

/* What the caller's key does not cover: the numbers beside the strings. */
static void vocab_fingerprint(const am_vocab *vocab, const char *cache_key, char out[64]) {
  int64_t facts[] = {(int64_t)vocab->n_tokens,
                     (int64_t)vocab->n_merges,
                     vocab->bos_id,
                     vocab->eos_id,
                     vocab->unknown_id,
                     vocab->separator_id,
                     vocab->pad_id,
                     vocab->cls_id,
                     vocab->add_bos,
                     vocab->add_eos,
                     vocab->add_space_prefix,
                     vocab->remove_extra_spaces,
                     (int64_t)vocab->charsmap.n_bytes};
  char names[128];
  (void)snprintf(names, sizeof names, "%.60s/%.60s", vocab->model ? vocab->model : "",
                 vocab->pre ? vocab->pre : "");
  uint64_t sum = am_hash_bytes(facts, sizeof facts, am_hash_bytes(names, strlen(names), 5));
  fingerprint(cache_key, strlen(cache_key), &sum, sizeof sum, out);
}

adam_status am_tokenizer_open_vocab(const char *name, const am_vocab *vocab, const char *cache_key,
                                    const char *cache_dir, am_tokenizer **out, adam_error *error) {
  am_image image;
  am_image_source source;
  char *path = NULL;
  memset(&source, 0, sizeof source);
  if (cache_key && cache_dir) {
    vocab_fingerprint(vocab, cache_key, source.digest);
    path = cache_path(cache_dir, cache_key, NULL);
  }
  adam_status status = ADAM_OK;
  if (path && open_cached(name, path, &source, out)) goto done;
  status = am_pipeline_build_vocab(name, vocab, &source, &image, error);
  if (status != ADAM_OK) goto done;
  status = am_pipeline_bind(name, &image, out, error);
  if (status == ADAM_OK && path) save_cached(*out, path);
done:
  am_mem_free(path);
  return status;
}
