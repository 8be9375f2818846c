/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/engine.h"

#include "base/error.h"
#include "base/mem.h"
#include "engine/context.h"
#include "engine/loaded.h"
#include "os/clock.h"
#include "os/dirs.h"
#include "sampler/sampler.h"

#include <stdlib.h>
#include <string.h>

static const adam_sampling built_in = {
    .temperature = 0.7, .top_p = 0.9, .repetition_penalty = 1, .max_tokens = 1000};

static adam_status parse_threads(const adam_model_options *options, int32_t *n_threads, adam_error *error) {
  const char *text = getenv("ADAM_THREADS");
  if (options->n_threads < 0 || options->n_threads > 1024)
    return am_fail(error, ADAM_INVALID, "threads", NULL, "%d is out of range, expected 1 to 1024",
                   options->n_threads);
  *n_threads = options->n_threads;
  if (*n_threads != 0 || !text || !*text) return ADAM_OK;
  char *end = NULL;
  long value = strtol(text, &end, 10);
  if (*end || value < 1 || value > 1024)
    return am_fail(error, ADAM_INVALID, "ADAM_THREADS", NULL,
                   "\"%s\" is not a number of threads, expected 1 to 1024", text);
  *n_threads = (int32_t)value;
  return ADAM_OK;
}

static adam_status parse_kv_type(const adam_model_options *options, am_dtype *out, adam_error *error) {
  const char *text = options->kv_type;
  *out = AM_DTYPE_F32;
  if (!text || !*text || strcmp(text, "f32") == 0) return ADAM_OK;
  if (strcmp(text, "f16") != 0)
    return am_fail(error, ADAM_INVALID, "kv-type", NULL, "\"%s\" is unknown, expected f32 or f16", text);
  *out = AM_DTYPE_F16;
  return ADAM_OK;
}

static adam_status open_model(am_engine *engine, const adam_model_options *options, adam_error *error) {
  am_device_options how = {.name = options->device && *options->device ? options->device : "auto"};
  adam_status status = parse_threads(options, &how.n_threads, error);
  if (status) return status;
  status = parse_kv_type(options, &engine->kv_dtype, error);
  if (status) return status;
  status = am_device_open(&how, &engine->device, error);
  if (status) return status;
  status = am_model_open(engine->loader, engine->device, &engine->model, error);
  if (status) return status;
  return am_context_choose(engine, options->n_ctx, error);
}

adam_status am_engine_open(const char *path, const adam_model_options *options, am_engine **out,
                           adam_error *error) {
  return am_engine_open_with(path, options, NULL, out, error);
}

adam_status am_engine_open_with(const char *path, const adam_model_options *options, const am_loader_extra *extra,
                                am_engine **out, adam_error *error) {
  static const adam_model_options defaults = {.struct_size = sizeof defaults};
  double begin_ms = am_clock_ms();
  if (!options) options = &defaults;
  am_engine *engine = am_mem_zalloc(1, sizeof *engine);
  if (!engine) return am_fail_memory(error, path);
  adam_status status = ADAM_OK;
  char *cache_dir = am_dirs_cache(); /* NULL: no home, so nothing is cached */
  engine->has_mutex = am_mutex_open(&engine->mutex);
  if (!engine->has_mutex) status = am_fail_memory(error, path);
  if (!status)
    status = am_loader_open(path,
                            (options->vocab_only ? AM_LOADER_VOCAB_ONLY : 0u) | (options->describe ? AM_LOADER_NO_DATA : 0u),
                            cache_dir, &engine->loader, error);
  if (!status && extra) status = am_loader_add_extra(engine->loader, extra, error);
  if (!status && !options->vocab_only && !options->describe) status = open_model(engine, options, error);
  am_mem_free(cache_dir);
  if (status) {
    am_engine_close(&engine);
    return status;
  }
  engine->load_ms = am_clock_ms() - begin_ms;
  *out = engine;
  return ADAM_OK;
}

void am_engine_close(am_engine **engine) {
  if (!engine || !*engine) return;
  am_engine *e = *engine;
  am_model_close(&e->model);
  am_device_close(&e->device);
  for (size_t i = 0; i < sizeof e->templates / sizeof *e->templates; i++)
    am_chat_template_close(&e->templates[i].compiled);
  am_trie_close(&e->trie);
  am_loader_close(&e->loader);
  if (e->has_mutex) am_mutex_close(&e->mutex);
  am_mem_free(e);
  *engine = NULL;
}

const am_loader *am_engine_loader(const am_engine *engine) { return engine->loader; }

adam_status am_engine_info(am_engine *engine, adam_model_info *info, adam_error *error) {
  const am_loader *loader = engine->loader;
  const am_config *config = am_loader_config(loader);
  if (info->struct_size < sizeof *info)
    return am_fail(error, ADAM_INVALID, "model info", NULL, "struct_size is %zu, expected %zu",
                   info->struct_size, sizeof *info);
  info->name = am_loader_name(loader);
  info->path = am_loader_path(loader);
  info->backend = "huggingface";
  info->device = engine->device ? am_device_name(engine->device) : NULL;
  const am_tokenizer *tokenizer = am_loader_tokenizer(loader);
  info->tokenizer = tokenizer ? am_tokenizer_kind(tokenizer) : NULL;
  info->load_ms = engine->load_ms;
  info->has_chat_template = am_loader_template(loader, NULL, false) || am_loader_get_extra(loader)->go_template;
  info->license = am_loader_license(loader);
  info->defaults = *am_loader_sampling(loader);
  info->end_ids = am_loader_end_ids(loader, &info->n_end_ids);
  if (config) {
    info->architecture = config->arch->name;
    info->n_layers = config->n_layers;
    info->n_embd = config->n_embd;
    info->n_vocab = config->n_vocab;
    info->n_ctx_train = config->n_ctx_train;
    info->n_ctx_extended = (int64_t)am_arch_extended_ctx(config);
    if (!config->arch->is_encoder)
      info->kv_bytes_per_token =
          am_arch_kv_bytes_per_token(config, am_dtype_info(engine->kv_dtype)->block_bytes);
  }
  const am_sentence *sentence = am_loader_sentence(loader);
  info->n_embedding = sentence->n_out;
  info->is_embedding = sentence->stated || (config && config->arch->is_encoder && config->n_labels == 0);
  info->is_reranker = am_engine_is_reranker(engine);
  if (!engine->model) am_engine_template_features(engine, &info->template_features);
  if (am_loader_n_files(loader) > 0) {
    info->dtype = am_loader_dtype_name(loader);
    info->n_parameters = am_loader_n_parameters(loader);
    info->n_active_parameters =
        config ? am_arch_active_parameters(config, info->n_parameters) : info->n_parameters;
    info->weights_bytes = am_loader_weights_bytes(loader);
    info->n_ctx = (int64_t)engine->n_ctx; /* 0: opened to be described */
  }
  return ADAM_OK;
}

/* Fields whose bit is set in `from` but not yet in `to`. */
static void fill_in(adam_sampling *to, const adam_sampling *from) {
  uint32_t wanted = from->set & ~to->set;
  if (wanted & ADAM_SET_TEMPERATURE) to->temperature = from->temperature;
  if (wanted & ADAM_SET_TOP_P) to->top_p = from->top_p;
  if (wanted & ADAM_SET_TOP_K) to->top_k = from->top_k;
  if (wanted & ADAM_SET_MIN_P) to->min_p = from->min_p;
  if (wanted & ADAM_SET_REPETITION_PENALTY) to->repetition_penalty = from->repetition_penalty;
  if (wanted & ADAM_SET_PRESENCE_PENALTY) to->presence_penalty = from->presence_penalty;
  if (wanted & ADAM_SET_FREQUENCY_PENALTY) to->frequency_penalty = from->frequency_penalty;
  if (wanted & ADAM_SET_SEED) to->seed = from->seed;
  if (wanted & ADAM_SET_MAX_TOKENS) to->max_tokens = from->max_tokens;
  to->set |= wanted;
}

adam_status am_engine_sampling(const am_engine *engine, const adam_sampling *asked, adam_sampling *out,
                               adam_error *error) {
  adam_sampling all = *asked, last = built_in;
  fill_in(&all, am_loader_sampling(engine->loader));
  last.set = ADAM_SET_TEMPERATURE | ADAM_SET_TOP_P | ADAM_SET_TOP_K | ADAM_SET_MIN_P |
             ADAM_SET_REPETITION_PENALTY | ADAM_SET_PRESENCE_PENALTY | ADAM_SET_FREQUENCY_PENALTY |
             ADAM_SET_MAX_TOKENS;
  fill_in(&all, &last);
  adam_status status = am_sampler_check(&all, error);
  if (status) return status;
  *out = all;
  return ADAM_OK;
}
