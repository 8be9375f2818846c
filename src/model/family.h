/* SPDX-License-Identifier: Apache-2.0 */
/* model/family: what a family's file (llama.c, qwen3.c) gives to the room and gets from it. */
#ifndef AM_MODEL_FAMILY_H
#define AM_MODEL_FAMILY_H

#include "model/model.h"

/* Activations of one batch, float32, row-major, n = rows of the batch. The four of attention and the two
 * of the feed-forward lie in the same memory: neither survives the other. */
typedef struct am_activations {
  float *x;        /* (n, n_embd) the residual stream */
  float *y;        /* (n, n_embd) what a block reads (normed) and what it gives back */
  float *z;        /* (n, n_embd) what a block gives back where parallel_blocks keeps y, else NULL */
  float *q;        /* (n, n_heads, head_dim) */
  float *k;        /* (n, n_kv_heads, head_dim) */
  float *v;        /* (n, n_kv_heads, head_dim) */
  float *attended; /* (n, n_heads, head_dim) */
  float *gate;     /* (n, n_ff), or (n n_experts_used, n_ff_expert) */
  float *up;       /* the same */
  /* Where there are experts, else NULL. */
  float *router;   /* (n, n_experts) logits */
  float *mixed;    /* (n n_experts_used, n_embd) what each chosen expert gives back */
  void *routes;    /* am_routing_bytes */
  /* Encoders; host memory. */
  int32_t *positions; /* (n) row of the table of positions */
  int32_t *types;     /* (n) row of the table of token types */
} am_activations;

typedef struct am_family {
  const char *name; /* am_arch.name */
  /* Finds the weights with am_bind and keeps them in model->fields. */
  adam_status (*bind)(am_model *model, const am_loader *loader, adam_error *error);
  /* Records the layers: a->x holds the embeddings and is left with the last residual stream. */
  void (*layers)(const am_model *model, am_queue *q, const am_activations *a, const am_batch *batch);
  uint32_t verbs_per_layer; /* most that `layers` records for one layer */
  bool parallel_blocks;     /* attention and feed-forward read the same y: activations have a z */
  /* Optional. After the rows of the embedding are in a->x (n, n_embd): scale, positions, a norm. */
  void (*embed)(const am_model *model, am_queue *q, const am_activations *a, const am_batch *batch);
  /* Optional, instead of the common RMS norm and output matrix: logits (n, n_vocab) from rows x (n, n_embd)
   * of the last residual stream; `normed` (n, n_embd) is room for their norm and may be x itself. */
  void (*head)(const am_model *model, am_queue *q, float *logits, float *normed, const float *x, uint32_t n);
  /* Optional, instead of the common RMS norm: hidden states out (n, n_embd) from the last residual stream. */
  void (*norm)(const am_model *model, am_queue *q, float *out, const float *x, uint32_t n);
} am_family;

extern const am_family am_family_bert;
extern const am_family am_family_gemma2;
extern const am_family am_family_llama;
extern const am_family am_family_mistral;
extern const am_family am_family_nomic_bert;
extern const am_family am_family_phi2;
extern const am_family am_family_phi3;
extern const am_family am_family_qwen2;
extern const am_family am_family_qwen3;
extern const am_family am_family_qwen3moe;
extern const am_family am_family_roberta;

struct am_model {
  const am_family *family;
  am_config config;
  am_device *device;    /* borrowed */
  void *fields;         /* owned; the family's own struct */
  am_rope rope;         /* frequencies in rope_memory */
  float *rope_memory;   /* owned */
  uint32_t *windows;    /* owned; (n_layers) am_arch_window, NULL = no layer has one */
  am_weight *embedding; /* (n_vocab, n_embd) */
  am_weight *norm;      /* (n_embd); NULL for encoders */
  am_weight *output;    /* (n_vocab, n_embd); the embedding itself when tied, NULL for encoders */
  am_weight **opened;   /* owned; every weight, once */
  size_t n_opened, capacity;
};

/* *out = weight of role `field` in `layer`, made ready for the device; NULL when this config does not
 * have it (a bias). Closed with the model. */
adam_status am_bind(am_model *model, const am_loader *loader, const char *field, uint32_t layer,
                    am_weight **out, adam_error *error);
/* The same for several fields of a layer. */
typedef struct am_binding {
  const char *field;
  am_weight **out;
} am_binding;
adam_status am_bind_all(am_model *model, const am_loader *loader, uint32_t layer, const am_binding *wanted,
                        size_t n, adam_error *error);
/* model->fields = n_layers structs of layer_bytes, each filled by bind_layer: for families whose fields are
 * their layers alone. */
adam_status am_bind_layers(am_model *model, const am_loader *loader, size_t layer_bytes,
                           adam_status (*bind_layer)(am_model *model, const am_loader *loader,
                                                     uint32_t layer, void *fields, adam_error *error),
                           adam_error *error);

/* The same for rows [first_row, first_row + n_rows) of a matrix, or elements of a vector: a part of a fused
 * tensor, nothing copied. ADAM_DAMAGED where the tensor has fewer. */
adam_status am_bind_rows(am_model *model, const am_loader *loader, const char *field, uint32_t layer,
                         uint64_t first_row, uint64_t n_rows, am_weight **out, adam_error *error);

/* Role `field` of all experts of a layer that has them: out (n_experts), which are alike, as device.h wants
 * them; else ADAM_UNSUPPORTED. */
adam_status am_bind_experts(am_model *model, const am_loader *loader, const char *field, uint32_t layer,
                            const am_weight **out, adam_error *error);

/* model->rope from config.rope and, for AM_ROPE_FACTORS, the role "rope_freqs". */
adam_status am_rope_open(am_model *model, const am_loader *loader, adam_error *error);

#endif
