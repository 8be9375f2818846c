/* SPDX-License-Identifier: Apache-2.0 */
/* arch: a model family as data.
 * Purpose: one row per family: how its config.json (both dialects) and its GGUF metadata become
 *   am_config, which tensors it has under which names, and what they weigh. Computes nothing else.
 * In: JSON objects. Out: am_config by value; names as text. Threads: pure functions, any.
 * Adding a family: src/arch/NAME.c and one row in table.c (and src/model/NAME.c). */
#ifndef AM_ARCH_ARCH_H
#define AM_ARCH_ARCH_H

#include "base/json.h"
#include "tensor/tensor.h"
#include <adam/status.h>

typedef enum am_rope_scaling {
  AM_ROPE_NONE,    /* "default" */
  AM_ROPE_LINEAR,
  AM_ROPE_DYNAMIC, /* NTK: the base grows with a length beyond n_ctx_train */
  AM_ROPE_YARN,
  AM_ROPE_LONGROPE, /* two sets of divisors, short and long, switched at original_ctx */
  AM_ROPE_LLAMA3,
  AM_ROPE_FACTORS /* per-frequency divisors come from a tensor (GGUF rope_freqs) */
} am_rope_scaling;

typedef enum am_rope_style {
  AM_ROPE_HALF,  /* pairs (i, i + head_dim/2): Hugging Face, most GGUF */
  AM_ROPE_PAIRS  /* pairs (2i, 2i + 1): GGUF "llama", whose q and k rows are permuted */
} am_rope_style;

enum { AM_ARCH_MOST_LAYERS = 4096, AM_ARCH_MOST_FACTORS = 256 };

typedef enum am_source { AM_SOURCE_HF, AM_SOURCE_GGUF } am_source;

/* Hyperparameters, one struct for all decoder families; a family ignores what it does not have. */
typedef struct am_config {
  const struct am_arch *arch;
  am_source source;          /* whose tensor names and conventions the weights follow */
  uint32_t n_layers;
  uint32_t n_embd;           /* hidden size D */
  uint32_t n_ff;             /* intermediate size */
  uint32_t n_heads;          /* query heads */
  uint32_t n_kv_heads;
  uint32_t head_dim;
  uint32_t n_vocab;          /* rows of the embedding and of the logits */
  uint32_t n_ctx_train;      /* max_position_embeddings; 0 = unknown */
  float norm_eps;
  bool tied_embeddings;
  bool attention_bias;       /* bias on q, k, v and (Llama) o */
  bool mlp_bias;
  /* Encoders. */
  uint32_t n_positions;      /* rows of the table of learned positions; 0 = there is none */
  uint32_t position_offset;  /* row of the first token's position */
  uint32_t n_types;          /* rows of the table of token types; 0 = there is none */
  uint32_t n_labels;         /* of a classifier on the first token; 0 = there is none */
  bool gelu_tanh;            /* the tanh form of gelu instead of the exact one */
  bool fused_qkv;            /* q, k and v are rows of one matrix */
  struct {
    double theta;
    am_rope_scaling scaling;
    am_rope_style style;
    double partial;          /* of head_dim that is rotated: what a family has by default, then the file's */
    uint32_t n_dims;         /* numbers of a head that are rotated; 0 = head_dim */
    double factor, low_freq_factor, high_freq_factor;
    uint32_t original_ctx;   /* a family may set a default before it reads */
    double attention_factor; /* YaRN, longrope: on cos and sin; 0 = computed from the others */
    double beta_fast, beta_slow, mscale, mscale_all_dim; /* YaRN; mscales 0 = not given */
    bool no_truncate;        /* YaRN: the bounds of its ramp are not rounded */
    bool restarts;           /* longrope: what a timeline has cached is computed anew when it passes
                                original_ctx (Phi-3), not only the tokens from there on */
    uint32_t n_factors;      /* longrope: half of the rotated numbers; 0 = the factors are tensors (GGUF) */
    float short_factor[AM_ARCH_MOST_FACTORS], long_factor[AM_ARCH_MOST_FACTORS];
  } rope;
  uint32_t window;           /* tokens that a query of a windowed layer sees, its own included; 0 = none */
  uint64_t windowed[AM_ARCH_MOST_LAYERS / 64]; /* bit i % 64 of [i / 64]: layer i has the window */
  /* Mixture of experts. */
  uint32_t n_experts;        /* 0 = there are none */
  uint32_t n_experts_used;   /* of each token */
  uint32_t n_ff_expert;      /* intermediate size of one */
  bool normalise_experts;    /* the weights of a token's experts sum to 1 */
  uint64_t sparse[AM_ARCH_MOST_LAYERS / 64]; /* the same way: layer i chooses among experts */
  float attention_softcap;   /* scores are bent into (-cap, cap); 0 = not */
  float logits_softcap;      /* the same for logits */
  float query_scalar;        /* scores are divided by its root (Gemma); others: head_dim */
  bool qk_norm;              /* Phi-2: LayerNorms on each head of q and k */
  bool output_bias;          /* Phi-2: bias on the logits */
  int32_t bos_id;            /* -1 = none */
  int32_t end_ids[16];
  uint32_t n_end_ids;
} am_config;

/* One kind of tensor of a family. Names hold "%u" for the layer where per_layer is set; behind a "|" stands
 * the spelling of older checkpoints. */
typedef struct am_tensor_role {
  const char *field;         /* how src/model asks for it: "attn_q", "attn_q_bias" */
  const char *hf;            /* "model.layers.%u.self_attn.q_proj.weight"; "" = the Hub has none */
  const char *gguf;          /* "blk.%u.attn_q.weight" */
  bool per_layer;
  bool optional;             /* a GGUF has no key for it: the tensor is there or not */
  /* Expected shape, slowest first; 0 dims = not present under this config (e.g. no bias). */
  uint32_t (*shape)(const am_config *config, uint64_t shape[2]);
} am_tensor_role;

/* One matrix (n_out, n_in) of each expert in the layers that have them. Names hold "%u" for the layer, then
 * for the expert. */
typedef struct am_expert_role {
  const char *field;         /* "ffn_gate_exps" */
  const char *hf;            /* one tensor each: "model.layers.%u.mlp.experts.%u.gate_proj.weight" */
  const char *hf_merged;     /* or one for all, as transformers 5 has them in memory: (n_experts, n_parts * n_out,
                                n_in) */
  uint32_t part, n_parts;    /* rows [part * n_out, (part + 1) * n_out) of an expert there */
  const char *gguf;          /* one for all: (n_experts, n_out, n_in) */
  uint32_t (*shape)(const am_config *config, uint64_t shape[2]); /* of one expert's */
} am_expert_role;

/* What becomes of a tensor's rows on the way from the Hub's form to GGUF's; the way back undoes it. */
typedef enum am_transform {
  AM_TRANSFORM_NONE,
  AM_TRANSFORM_PAIRS,    /* rows of each query head: from halves (i, i + head_dim / 2) to pairs (2i, 2i + 1) */
  AM_TRANSFORM_KV_PAIRS, /* the same of each key head */
  AM_TRANSFORM_ADD_ONE,  /* to each number */
  AM_TRANSFORM_CUT       /* the first position_offset rows are left out */
} am_transform;

typedef struct am_transform_rule {
  const char *field;
  am_transform transform;
} am_transform_rule;

struct am_pairs; /* arch/pairs.h */

/* Tensor of an open model by its name in the file; NULL = absent. */
typedef const am_tensor *(*am_find_tensor)(const void *user, const char *name);

typedef struct am_arch {
  const char *name;                 /* "qwen3": also GGUF's general.architecture */
  const char *const *hf_model_types;  /* NULL-terminated: config.json model_type */
  const char *const *gguf_names;      /* NULL-terminated: general.architecture */
  const char *hf_prefix;            /* what base-model checkpoints drop; NULL = "model." */
  bool is_encoder;                  /* bidirectional: no cache, no logits over the vocabulary */
  /* Fill *config (zeroed, arch and source set). Missing or absurd values: ADAM_DAMAGED naming key
   * and value; a known but unsupported feature: ADAM_UNSUPPORTED. */
  adam_status (*from_hf)(const am_json *config_json, const char *path, am_config *config,
                         adam_error *error);
  adam_status (*from_gguf)(const am_json *metadata, const char *path, am_config *config,
                           adam_error *error);
  /* Completes *config by what only the tensors tell: an output matrix that is not there (tied), the
   * rows of the embedding, a GGUF's biases and rope_freqs. */
  adam_status (*from_tensors)(am_config *config, am_find_tensor find, const void *user,
                              const char *path, adam_error *error);
  const am_tensor_role *roles;
  size_t n_roles;
  const am_expert_role *expert_roles; /* NULL = none */
  size_t n_expert_roles;
  /* Which layers have a role's tensor; NULL = all. */
  bool (*has)(const am_config *config, const am_tensor_role *role, uint32_t layer);
  /* Conversion. */
  const char *gguf_name;            /* general.architecture of its GGUF; NULL = name */
  bool gguf_untied;                 /* older readers (Ollama 0.9) want the output matrix of a tied model too */
  /* The config under the other format's keys, prefix set. ADAM_UNSUPPORTED: what that cannot say. */
  adam_status (*to_gguf)(const am_config *config, struct am_pairs *pairs, adam_error *error);
  adam_status (*to_hf)(const am_config *config, struct am_pairs *pairs, adam_error *error);
  const am_transform_rule *transforms;
  size_t n_transforms;
} am_arch;

/* The families, NULL-terminated. */
const am_arch *const *am_arch_table(void);
/* Recognises config.json or GGUF metadata and fills *config; an unknown family is ADAM_UNSUPPORTED
 * with its name and the ones that are known. */
adam_status am_arch_config_hf(const am_json *config_json, const char *path, am_config *config,
                              adam_error *error);
adam_status am_arch_config_gguf(const am_json *metadata, const char *path, am_config *config,
                                adam_error *error);
/* The role of a field; NULL = the family has none of that name. */
const am_tensor_role *am_arch_role(const am_arch *arch, const char *field);
/* Name of a role's tensor in the file; false: there is no such spelling, or it does not fit. Base-model
 * checkpoints drop the family's prefix ("model.") in front; `spelling` is 0, or a sum of: */
enum { AM_NAME_BARE = 1, AM_NAME_OLD = 2, AM_NAME_SPELLINGS = 4 };
bool am_arch_tensor_name(const am_config *config, const am_tensor_role *role, uint32_t layer,
                         uint32_t spelling, char *out, size_t capacity);
/* Tokens of context: what the model was trained for, or what the rope scaling in its own config reaches;
 * 0 = unknown. */
uint64_t am_arch_ctx(const am_config *config);
/* The same with am_arch_extend: more for a model whose makers document YaRN for it (Qwen 3). */
uint64_t am_arch_extended_ctx(const am_config *config);
/* Switches that YaRN on, which costs a little quality on short text; nothing where there is none. */
void am_arch_extend(am_config *config);
/* What a conversion does to a field's rows. */
am_transform am_arch_transform(const am_arch *arch, const char *field);
const am_expert_role *am_arch_expert_role(const am_arch *arch, const char *field);
/* Name of an expert's tensor; `merged`: of the one that holds all experts of the layer. false: there is no
 * such spelling. */
bool am_arch_expert_name(const am_config *config, const am_expert_role *role, uint32_t layer, uint32_t expert,
                         bool merged, bool bare, char *out, size_t capacity);
/* Whether this layer chooses among experts. */
bool am_arch_is_sparse(const am_config *config, uint32_t layer);
/* Of n_parameters, those that one token is computed with: all, less the experts it does not choose. */
uint64_t am_arch_active_parameters(const am_config *config, uint64_t n_parameters);
/* Tokens that a query of this layer sees; 0 = all. */
uint32_t am_arch_window(const am_config *config, uint32_t layer);
/* KV bytes per token over all layers for one element size; a windowed layer stops growing at its window. */
uint64_t am_arch_kv_bytes_per_token(const am_config *config, uint32_t element_bytes);

#endif
