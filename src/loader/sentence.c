/* SPDX-License-Identifier: Apache-2.0 */
/* The sentence-transformers side of a model folder: modules.json, the modules' folders, prompts and
 * limits; and what a GGUF says instead. */
#include "loader/sentence.h"

#include <string.h>

#include "arch/keys.h"
#include "loader/state.h"
#include "os/file.h"

/* What cannot be used for embeddings may still generate, score and count tokens. */
static adam_status keep_unsupported(am_loader *loader, adam_status status, const adam_error *found,
                                    adam_error *error) {
  if (status == ADAM_UNSUPPORTED) {
    loader->no_sentence = *found;
    loader->sentence.n_steps = 0;
    return ADAM_OK;
  }
  if (status && error) *error = *found;
  return status;
}

adam_status am_loader_read_modules(am_loader *loader, const char *root, adam_error *error) {
  const am_json *modules = NULL;
  adam_error found = {0};
  loader->sentence = (am_sentence){.transformer = "", .true_id = -1, .false_id = -1};
  loader->root = root;
  const char *path = am_loader_join(loader, root, "modules.json");
  if (!path) return am_fail_memory(error, root);
  adam_status status = am_loader_read_value(loader, root, "modules.json", AM_JSON_ARRAY, 0, &modules, &found);
  if (!status && modules) status = am_sentence_modules(modules, path, &loader->sentence, &found);
  return keep_unsupported(loader, status, &found, error);
}

/* A float vector or matrix of a module's own file, in the shape that its config says. */
static adam_status find_tensor(const am_safetensors *file, const char *path, const char *name, uint32_t n_out,
                               uint32_t n_in, const am_tensor **out, adam_error *error) {
  const am_tensor *tensor = am_safetensors_find(file, name);
  const uint64_t expected[2] = {n_out, n_in};
  uint32_t n_dims = n_in ? 2 : 1;
  if (!tensor) return am_fail(error, ADAM_DAMAGED, path, NULL, "tensor %s is missing", name);
  bool same = tensor->n_dims == n_dims && am_dtype_is_float(tensor->dtype);
  for (uint32_t i = 0; same && i < n_dims; i++) same = tensor->shape[i] == expected[i];
  if (!same) {
    char found[160], wanted[160];
    am_tensor_shape_text(tensor->n_dims, tensor->shape, found, sizeof found);
    am_tensor_shape_text(n_dims, expected, wanted, sizeof wanted);
    return am_fail(error, ADAM_DAMAGED, path, NULL, "tensor %s is %s of %s, expected floats of %s", name,
                   found, am_dtype_info(tensor->dtype)->name, wanted);
  }
  *out = tensor;
  return ADAM_OK;
}

static adam_status open_step_weights(am_loader *loader, const char *folder, uint32_t i, adam_error *error) {
  am_step *step = &loader->sentence.steps[i];
  bool dense = step->kind == AM_STEP_DENSE;
  const char *path = am_loader_join(loader, folder, "model.safetensors");
  const char *pickled = am_loader_join(loader, folder, "pytorch_model.bin");
  if (!path || !pickled) return am_fail_memory(error, folder);
  if (!am_file_is_regular(path) && am_file_is_regular(pickled))
    return am_fail(error, ADAM_UNSUPPORTED, pickled, "convert it to model.safetensors",
                   "pickled weights are not read");
  if (!am_file_is_regular(path))
    return am_fail(error, ADAM_DAMAGED, path, "download the missing file",
                   "the file is not there, and modules.json names its folder");
  adam_status status = am_safetensors_open(path, &loader->module_files[i], error);
  const am_safetensors *file = loader->module_files[i];
  if (!status)
    status = find_tensor(file, path, dense ? "linear.weight" : "norm.weight", step->n_out,
                         dense ? step->n_in : 0, &step->weight, error);
  if (!status && step->has_bias)
    status = find_tensor(file, path, dense ? "linear.bias" : "norm.bias", step->n_out, 0, &step->bias, error);
  if (!status && step->has_residual && step->n_in != step->n_out)
    status = find_tensor(file, path, "residual.weight", step->n_out, step->n_in, &step->residual, error);
  return status;
}

static adam_status read_step(am_loader *loader, uint32_t i, uint32_t n_in, uint32_t flags,
                             adam_error *error) {
  am_step *step = &loader->sentence.steps[i];
  const am_json *config = NULL;
  const char *folder = am_loader_join(loader, loader->root, step->path);
  const char *path = folder ? am_loader_join(loader, folder, "config.json") : NULL;
  if (!path) return am_fail_memory(error, loader->path);
  adam_status status = am_loader_read_json(loader, folder, "config.json", 0, &config, error);
  if (status) return status;
  if (!config && step->kind != AM_STEP_NORMALIZE)
    return am_fail(error, ADAM_DAMAGED, path, "download the missing file",
                   "the file is not there, and modules.json names its folder");
  status = am_sentence_step(config, path, n_in, step, error);
  bool has_weights = step->kind == AM_STEP_DENSE || step->kind == AM_STEP_LAYER_NORM;
  if (!status && has_weights && !(flags & AM_LOADER_VOCAB_ONLY))
    status = open_step_weights(loader, folder, i, error);
  return status;
}

/* What transformers reads at most, where no max_seq_length says it: the tokenizer's limit, at most the
 * model's positions. 1e30 in a tokenizer_config means "none". */
static void limit_by_tokenizer(am_loader *loader, const am_json *tokenizer_config) {
  am_sentence *s = &loader->sentence;
  double limit = am_json_real(am_json_get(tokenizer_config, "model_max_length"), 0);
  if (s->max_tokens) return;
  if (limit >= 1 && limit < 1e9) s->max_tokens = (uint64_t)limit;
  uint64_t n_ctx = loader->has_config ? loader->config.n_ctx_train : 0;
  if (n_ctx && (s->max_tokens == 0 || s->max_tokens > n_ctx)) s->max_tokens = n_ctx;
}

/* Whether transformers' tokenizer gives token types: what its config lists, else what its class does. */
static bool gives_types(const am_json *tokenizer_config) {
  const am_json *names = am_json_get(tokenizer_config, "model_input_names");
  const char *class_name = am_json_str(am_json_get(tokenizer_config, "tokenizer_class"), "BertTokenizer");
  for (uint32_t i = 0; names && names->type == AM_JSON_ARRAY && i < names->n; i++)
    if (strcmp(am_json_str(am_json_at(names, i), ""), "token_type_ids") == 0) return true;
  return am_json_is_null(names) && strncmp(class_name, "BertTokenizer", strlen("BertTokenizer")) == 0;
}

static adam_status read_limits(am_loader *loader, const char *folder, const am_json *tokenizer_config,
                               adam_error *error) {
  static const char *const names[] = {"sentence_bert_config.json", "sentence_roberta_config.json",
                                      "sentence_distilbert_config.json", "sentence_camembert_config.json",
                                      "sentence_xlm-roberta_config.json"};
  const am_json *config = NULL;
  adam_status status = ADAM_OK;
  for (size_t i = 0; i < sizeof names / sizeof *names && !status && !config; i++) {
    status = am_loader_read_json(loader, folder, names[i], 0, &config, error);
    if (!status && config) status = am_sentence_limits(config, names[i], &loader->sentence, error);
  }
  if (status) return status;
  const char *side = am_json_str(am_json_get(tokenizer_config, "truncation_side"), "right");
  loader->sentence.truncate_left = strcmp(side, "left") == 0;
  loader->sentence.uses_types = gives_types(tokenizer_config);
  limit_by_tokenizer(loader, tokenizer_config);
  return ADAM_OK;
}

/* The ids of a LogitScore module: how a generative cross-encoder turns logits into a score. */
static adam_status read_logit_score(am_loader *loader, adam_error *error) {
  const am_json *config = NULL;
  const char *folder = am_loader_join(loader, loader->root, "1_LogitScore");
  if (!folder) return am_fail_memory(error, loader->path);
  adam_status status = am_loader_read_json(loader, folder, "config.json", 0, &config, error);
  if (status) return status;
  loader->sentence.true_id = am_json_int(am_json_get(config, "true_token_id"), -1);
  loader->sentence.false_id = am_json_int(am_json_get(config, "false_token_id"), -1);
  return ADAM_OK;
}

adam_status am_loader_read_sentence(am_loader *loader, const char *folder, uint32_t flags,
                                    const am_json *config, const am_json *tokenizer_config,
                                    adam_error *error) {
  am_sentence *s = &loader->sentence;
  const am_json *options = NULL;
  static const char options_name[] = "config_sentence_transformers.json";
  adam_error found = {0};
  adam_status status = read_limits(loader, folder, tokenizer_config, error);
  if (!status) status = am_loader_read_json(loader, loader->root, options_name, 0, &options, error);
  if (!status && options) status = am_sentence_prompts(options, options_name, s, error);
  if (!status && s->has_modules) status = read_logit_score(loader, error);
  if (status || !loader->has_config) return status;
  s->n_out = loader->config.n_embd;
  if (!s->has_modules) s->steps[s->n_steps++] = am_sentence_mean(s->n_out);
  for (uint32_t i = 0; s->has_modules && i < s->n_steps && !status; i++) {
    status = read_step(loader, i, s->n_out, flags, &found);
    if (!status) s->n_out = s->steps[i].n_out;
  }
  if (!status && config) status = am_sentence_score(config, "config.json", s, &found);
  status = keep_unsupported(loader, status, &found, error);
  if (s->n_steps == 0) s->n_out = 0;
  return status;
}

adam_status am_loader_gguf_sentence(am_loader *loader, const am_json *metadata, adam_error *error) {
  enum { POOLING_NONE, POOLING_MEAN, POOLING_CLS, POOLING_LAST, POOLING_RANK }; /* llama.cpp's numbers */
  am_sentence *s = &loader->sentence;
  const char *architecture = am_json_str(am_json_get(metadata, "general.architecture"), "");
  char prefix[80] = "";
  uint32_t pooling = POOLING_NONE;
  *s = (am_sentence){.transformer = "", .uses_types = true, .true_id = -1, .false_id = -1};
  if (!loader->has_config) return ADAM_OK;
  size_t n = strlen(architecture);
  if (n + 2 > sizeof prefix) return ADAM_OK;
  memcpy(prefix, architecture, n);
  prefix[n] = '.';
  am_keys keys = {metadata, loader->file, prefix, error};
  bool normalize = true;
  adam_status status = am_keys_u32(&keys, "pooling_type", false, POOLING_NONE, POOLING_RANK, &pooling);
  if (!status) status = am_keys_bool(&keys, "normalize_embeddings", &normalize);
  if (status) return status;
  s->n_out = loader->config.n_embd;
  s->max_tokens = loader->config.n_ctx_train;
  s->stated = pooling != POOLING_NONE && pooling != POOLING_RANK;
  s->steps[0] = am_sentence_mean(s->n_out);
  if (pooling == POOLING_CLS) s->steps[0].pooling[0] = AM_POOL_CLS;
  if (pooling == POOLING_LAST) s->steps[0].pooling[0] = AM_POOL_LAST;
  s->steps[1] = (am_step){.kind = AM_STEP_NORMALIZE, .path = "", .n_in = s->n_out, .n_out = s->n_out};
  s->n_steps = s->stated && normalize ? 2 : 1;
  return ADAM_OK;
}

const am_sentence *am_loader_sentence(const am_loader *loader) { return &loader->sentence; }

adam_status am_loader_check_sentence(const am_loader *loader, adam_error *error) {
  if (loader->no_sentence.status && error) *error = loader->no_sentence;
  return loader->no_sentence.status;
}

adam_status am_loader_need_sentence(const am_loader *loader, const am_sentence **out, adam_error *error) {
  adam_status status = am_loader_check_sentence(loader, error);
  if (status) return status;
  if (loader->sentence.n_steps == 0)
    return am_fail(error, ADAM_UNSUPPORTED, loader->path, NULL,
                   "its modules.json names no Pooling: it makes no embeddings");
  *out = &loader->sentence;
  return ADAM_OK;
}
