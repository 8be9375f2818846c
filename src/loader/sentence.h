/* SPDX-License-Identifier: Apache-2.0 */
/* loader/sentence: how a model's hidden states become one vector a text, as sentence-transformers
 * directories say it (modules.json and what it names, in the layouts of version 2 to 6), a GGUF says it
 * (ARCH.pooling_type), or nobody does. Reference: sentence-transformers' modules. */
#ifndef AM_LOADER_SENTENCE_H
#define AM_LOADER_SENTENCE_H

#include "base/json.h"
#include "tensor/tensor.h"

typedef enum am_pooling { /* in the order in which several are put side by side */
  AM_POOL_CLS,
  AM_POOL_MAX,
  AM_POOL_MEAN,
  AM_POOL_MEAN_SQRT,     /* the sum over the square root of the number of tokens */
  AM_POOL_WEIGHTED_MEAN, /* token i weighs i, from 1 */
  AM_POOL_LAST,
  AM_POOL_COUNT
} am_pooling;

typedef enum am_activation {
  AM_ACTIVATION_IDENTITY,
  AM_ACTIVATION_TANH,
  AM_ACTIVATION_RELU,
  AM_ACTIVATION_GELU, /* exact */
  AM_ACTIVATION_SILU,
  AM_ACTIVATION_SIGMOID
} am_activation;

typedef enum am_step_kind { AM_STEP_POOL, AM_STEP_DENSE, AM_STEP_LAYER_NORM, AM_STEP_NORMALIZE } am_step_kind;

/* One step from hidden states (n_tokens, D) to a vector. Tensors are borrowed from the loader. */
typedef struct am_step {
  am_step_kind kind;
  const char *path; /* folder of the module, for errors */
  uint32_t n_in, n_out;
  am_pooling pooling[AM_POOL_COUNT]; /* POOL: n_pooling, side by side */
  uint32_t n_pooling;
  bool include_prompt;      /* POOL: tokens of the prompt count too */
  bool has_bias, has_residual;
  am_activation activation; /* DENSE: out = activation(weight x + bias) [+ residual x, or + x] */
  const am_tensor *weight;  /* DENSE (n_out, n_in), LAYER_NORM (n_out) */
  const am_tensor *bias;    /* (n_out); NULL = none */
  const am_tensor *residual; /* (n_out, n_in); NULL = the identity where has_residual */
} am_step;

enum { AM_SENTENCE_STEPS = 16 };

typedef struct am_sentence {
  bool stated;           /* the model's files say how to pool */
  bool has_modules;      /* there is a modules.json */
  const char *transformer; /* folder of the Transformer module below the model's; "" = the same */
  am_step steps[AM_SENTENCE_STEPS];
  uint32_t n_steps;
  uint32_t n_out;        /* values of one embedding; 0 = none is made */
  uint64_t max_tokens;   /* longest input, special tokens counted; 0 = not said */
  bool lower_case;       /* texts are lower-cased first */
  bool truncate_left;    /* of a longer text the end is kept */
  bool uses_types;       /* the second text of a pair has token type 1 */
  const am_json *prompts; /* object: name -> text; NULL = none */
  const char *default_prompt; /* name; NULL = none */
  /* Rerankers. */
  bool has_score_activation;
  am_activation score_activation;
  int64_t true_id, false_id; /* of a LogitScore module; -1 = not said */
} am_sentence;

/* Parsing, without files (sentence_config.c). path is the file, for errors; strings stay borrowed from
 * the JSON. All zero *sentence or *step first.
 * modules.json: kinds and folders of the steps, in order. */
adam_status am_sentence_modules(const am_json *modules, const char *path, am_sentence *sentence,
                                adam_error *error);
/* The config.json of one step; n_in is what comes into it. Sets n_out. */
adam_status am_sentence_step(const am_json *config, const char *path, uint32_t n_in, am_step *step,
                             adam_error *error);
/* sentence_bert_config.json: max_seq_length, do_lower_case. */
adam_status am_sentence_limits(const am_json *config, const char *path, am_sentence *sentence,
                               adam_error *error);
/* config_sentence_transformers.json: prompts, default_prompt_name. */
adam_status am_sentence_prompts(const am_json *config, const char *path, am_sentence *sentence,
                                adam_error *error);
/* config.json of a cross-encoder: the activation of its score. */
adam_status am_sentence_score(const am_json *config, const char *path, am_sentence *sentence,
                              adam_error *error);
/* "torch.nn.modules.activation.Tanh" -> AM_ACTIVATION_TANH; false = unknown. */
bool am_sentence_activation(const char *name, am_activation *out);
/* Mean pooling over n values. */
am_step am_sentence_mean(uint32_t n);
/* Text of the prompt `name`, NULL = there is none of this name; *n_bytes may hold NULs. */
const char *am_sentence_prompt(const am_sentence *sentence, const char *name, size_t *n_bytes);

#endif
