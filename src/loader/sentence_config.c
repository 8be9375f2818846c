/* SPDX-License-Identifier: Apache-2.0 */
#include "loader/sentence.h"

#include <string.h>

#include "arch/keys.h"

enum { MOST_WIDTH = 1 << 24, MOST_TOKENS = 0x7FFFFFFF };

/* The name behind the last dot: version 2 to 6 call the same module by different paths. */
static const char *last_part(const char *dotted) {
  const char *dot = strrchr(dotted, '.');
  return dot ? dot + 1 : dotted;
}

bool am_sentence_activation(const char *name, am_activation *out) {
  static const struct {
    const char *name;
    am_activation activation;
  } known[] = {{"Identity", AM_ACTIVATION_IDENTITY}, {"Tanh", AM_ACTIVATION_TANH},
               {"ReLU", AM_ACTIVATION_RELU},         {"GELU", AM_ACTIVATION_GELU},
               {"SiLU", AM_ACTIVATION_SILU},         {"Sigmoid", AM_ACTIVATION_SIGMOID}};
  const char *last = last_part(name);
  for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
    if (strcmp(known[i].name, last) != 0) continue;
    *out = known[i].activation;
    return true;
  }
  return false;
}

/* A folder below the model's: nothing that leads out of it. */
static bool is_below(const am_json *value) {
  const char *path = am_json_str(value, NULL);
  return path && strlen(path) == value->n && path[0] != '/' && !strstr(path, "..") && !strchr(path, '\\');
}

static adam_status add_step(const char *kind, const char *folder, const char *path, am_sentence *s,
                            adam_error *error) {
  static const struct {
    const char *name;
    am_step_kind kind;
  } known[] = {{"Pooling", AM_STEP_POOL},
               {"Dense", AM_STEP_DENSE},
               {"LayerNorm", AM_STEP_LAYER_NORM},
               {"Normalize", AM_STEP_NORMALIZE}};
  if (strcmp(kind, "Dropout") == 0) return ADAM_OK; /* does nothing outside of training */
  for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
    if (strcmp(known[i].name, kind) != 0) continue;
    if (s->n_steps == AM_SENTENCE_STEPS)
      return am_fail(error, ADAM_UNSUPPORTED, path, NULL, "more than %d modules", AM_SENTENCE_STEPS);
    if ((s->n_steps == 0) != (known[i].kind == AM_STEP_POOL))
      return am_fail(error, ADAM_UNSUPPORTED, path, NULL,
                     "the module %s stands where none is expected: there is one Pooling, and it comes "
                     "right after the Transformer",
                     kind);
    s->steps[s->n_steps++] = (am_step){.kind = known[i].kind, .path = folder};
    return ADAM_OK;
  }
  return am_fail(error, ADAM_UNSUPPORTED, path, NULL, "the module '%s' is not supported", kind);
}

adam_status am_sentence_modules(const am_json *modules, const char *path, am_sentence *s, adam_error *error) {
  if (!modules || modules->type != AM_JSON_ARRAY || modules->n == 0)
    return am_fail(error, ADAM_DAMAGED, path, NULL, "expected a list of modules");
  s->has_modules = true;
  s->true_id = s->false_id = -1;
  for (uint32_t i = 0; i < modules->n; i++) {
    const am_json *module = am_json_at(modules, i), *folder = am_json_get(module, "path");
    const char *type = am_json_str(am_json_get(module, "type"), NULL);
    if (!type || (!am_json_is_null(folder) && !is_below(folder)))
      return am_fail(error, ADAM_DAMAGED, path, NULL,
                     "module %u: expected a type and the path of a folder below this one", i);
    const char *kind = last_part(type);
    if ((i == 0) != (strcmp(kind, "Transformer") == 0))
      return am_fail(error, i == 0 ? ADAM_UNSUPPORTED : ADAM_DAMAGED, path, NULL,
                     "module %u is '%s', expected one Transformer, and it first", i, kind);
    if (i == 0) {
      s->transformer = am_json_str(folder, "");
    } else if (strcmp(kind, "LogitScore") != 0) { /* read by whoever scores */
      adam_status status = add_step(kind, am_json_str(folder, ""), path, s, error);
      if (status) return status;
    }
  }
  s->stated = s->n_steps > 0;
  return ADAM_OK;
}

static adam_status add_pooling(const am_keys *keys, const char *name, am_step *step) {
  static const char *const names[AM_POOL_COUNT] = {"cls",          "max",      "mean", "mean_sqrt_len_tokens",
                                                   "weightedmean", "lasttoken"};
  for (uint32_t i = 0; i < AM_POOL_COUNT; i++) {
    if (strcmp(names[i], name) != 0) continue;
    if (step->n_pooling == AM_POOL_COUNT) return am_keys_unsupported(keys, "pooling_mode", "longer than 6");
    step->pooling[step->n_pooling++] = (am_pooling)i;
    return ADAM_OK;
  }
  return am_keys_unsupported(keys, "pooling_mode", name);
}

/* The layout up to version 5: a boolean for each way. None set means the mean. */
static adam_status read_flags(const am_keys *keys, am_step *step) {
  static const char *const names[AM_POOL_COUNT] = {
      "pooling_mode_cls_token",           "pooling_mode_max_tokens",
      "pooling_mode_mean_tokens",         "pooling_mode_mean_sqrt_len_tokens",
      "pooling_mode_weightedmean_tokens", "pooling_mode_lasttoken"};
  for (uint32_t i = 0; i < AM_POOL_COUNT; i++) {
    bool set = false;
    adam_status status = am_keys_bool(keys, names[i], &set);
    if (status) return status;
    if (set) step->pooling[step->n_pooling++] = (am_pooling)i;
  }
  if (step->n_pooling == 0) step->pooling[step->n_pooling++] = AM_POOL_MEAN;
  return ADAM_OK;
}

static adam_status read_pooling(const am_keys *keys, uint32_t n_in, am_step *step) {
  uint32_t n = n_in;
  const am_json *mode = am_keys_get(keys, "pooling_mode");
  step->include_prompt = true;
  adam_status status = am_keys_u32(keys, "word_embedding_dimension", false, 1, MOST_WIDTH, &n);
  if (!status) status = am_keys_u32(keys, "embedding_dimension", false, 1, MOST_WIDTH, &n);
  if (!status) status = am_keys_bool(keys, "include_prompt", &step->include_prompt);
  if (!status && n != n_in)
    status = am_fail(keys->error, ADAM_DAMAGED, keys->path, NULL,
                     "it pools vectors of %u values, and the model's have %u", n, n_in);
  if (status) return status;
  if (!mode) {
    status = read_flags(keys, step);
  } else if (mode->type == AM_JSON_STRING) {
    status = add_pooling(keys, mode->as.string, step);
  } else {
    if (mode->type != AM_JSON_ARRAY || mode->n == 0)
      return am_fail(keys->error, ADAM_DAMAGED, keys->path, NULL,
                     "pooling_mode: expected a name or a list of names");
    for (uint32_t i = 0; i < mode->n && !status; i++)
      status = add_pooling(keys, am_json_str(am_json_at(mode, i), "no name"), step);
  }
  step->n_out = n_in * step->n_pooling;
  return status;
}

/* What a module reads and writes; anything but the sentence's vector is another kind of model. */
static adam_status check_names(const am_keys *keys) {
  static const char *const names[] = {"module_input_name", "module_output_name"};
  for (size_t i = 0; i < 2; i++) {
    const char *name = "sentence_embedding";
    adam_status status = am_keys_string(keys, names[i], &name);
    if (status) return status;
    if (strcmp(name, "sentence_embedding") != 0) return am_keys_unsupported(keys, names[i], name);
  }
  return ADAM_OK;
}

static adam_status read_dense(const am_keys *keys, uint32_t n_in, am_step *step) {
  const char *activation = "torch.nn.modules.activation.Tanh"; /* the class's default */
  uint32_t in = 0;
  step->has_bias = true;
  adam_status status = check_names(keys);
  if (!status) status = am_keys_u32(keys, "in_features", true, 1, MOST_WIDTH, &in);
  if (!status) status = am_keys_u32(keys, "out_features", true, 1, MOST_WIDTH, &step->n_out);
  if (!status) status = am_keys_bool(keys, "bias", &step->has_bias);
  if (!status) status = am_keys_bool(keys, "use_residual", &step->has_residual);
  if (!status) status = am_keys_string(keys, "activation_function", &activation);
  if (!status && in != n_in)
    status = am_fail(keys->error, ADAM_DAMAGED, keys->path, NULL, "in_features is %u, and %u values come in",
                     in, n_in);
  if (!status && !am_sentence_activation(activation, &step->activation))
    status = am_keys_unsupported(keys, "activation_function", activation);
  return status;
}

adam_status am_sentence_step(const am_json *config, const char *path, uint32_t n_in, am_step *step,
                             adam_error *error) {
  am_keys keys = {config, path, "", error};
  uint32_t dimension = n_in;
  step->n_in = step->n_out = n_in;
  switch (step->kind) {
    case AM_STEP_POOL:
      return read_pooling(&keys, n_in, step);
    case AM_STEP_DENSE:
      return read_dense(&keys, n_in, step);
    case AM_STEP_LAYER_NORM: {
      adam_status status = am_keys_u32(&keys, "dimension", true, 1, MOST_WIDTH, &dimension);
      step->has_bias = true;
      if (!status && dimension != n_in)
        status = am_fail(error, ADAM_DAMAGED, path, NULL, "dimension is %u, and %u values come in", dimension,
                         n_in);
      return status;
    }
    case AM_STEP_NORMALIZE:
      return check_names(&keys);
  }
  return ADAM_OK;
}

adam_status am_sentence_limits(const am_json *config, const char *path, am_sentence *s, adam_error *error) {
  am_keys keys = {config, path, "", error};
  uint32_t most = 0;
  adam_status status = am_keys_u32(&keys, "max_seq_length", false, 1, MOST_TOKENS, &most);
  if (!status) status = am_keys_bool(&keys, "do_lower_case", &s->lower_case);
  if (!status && most) s->max_tokens = most;
  return status;
}

adam_status am_sentence_prompts(const am_json *config, const char *path, am_sentence *s, adam_error *error) {
  am_keys keys = {config, path, "", error};
  const am_json *prompts = am_keys_get(&keys, "prompts");
  if (prompts && prompts->type != AM_JSON_OBJECT)
    return am_fail(error, ADAM_DAMAGED, path, NULL, "prompts: expected an object of texts");
  for (uint32_t i = 0; prompts && i < prompts->n; i++) {
    const am_json_member *member = &prompts->as.members[i];
    if (member->value.type != AM_JSON_STRING && member->value.type != AM_JSON_NULL)
      return am_fail(error, ADAM_DAMAGED, path, NULL, "prompts: expected a text for %s", member->key);
  }
  s->prompts = prompts;
  return am_keys_string(&keys, "default_prompt_name", &s->default_prompt);
}

adam_status am_sentence_score(const am_json *config, const char *path, am_sentence *s, adam_error *error) {
  am_keys keys = {config, path, "", error}, inner = keys;
  const char *name = NULL, *newer = NULL;
  inner.object = am_keys_get(&keys, "sentence_transformers");
  adam_status status = am_keys_string(&keys, "sbert_ce_default_activation_function", &name);
  if (!status && inner.object) status = am_keys_string(&inner, "activation_fn", &newer);
  if (newer) name = newer;
  if (status || !name) return status;
  s->has_score_activation = true;
  if (am_sentence_activation(name, &s->score_activation)) return ADAM_OK;
  return am_keys_unsupported(&keys, "activation_fn", name);
}

am_step am_sentence_mean(uint32_t n) {
  return (am_step){.kind = AM_STEP_POOL,
                   .path = "",
                   .n_in = n,
                   .n_out = n,
                   .pooling = {AM_POOL_MEAN},
                   .n_pooling = 1,
                   .include_prompt = true};
}

const char *am_sentence_prompt(const am_sentence *s, const char *name, size_t *n_bytes) {
  for (uint32_t i = 0; s->prompts && i < s->prompts->n; i++) {
    const am_json_member *member = &s->prompts->as.members[i];
    if (strcmp(member->key, name) != 0) continue;
    *n_bytes = member->value.type == AM_JSON_STRING ? member->value.n : 0;
    return am_json_str(&member->value, "");
  }
  return NULL;
}
