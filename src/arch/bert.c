/* SPDX-License-Identifier: Apache-2.0 */
/* BERT, MiniLM, and with positions that begin behind the padding id RoBERTa and XLM-RoBERTa: encoders with
 * learned positions and token types. A checkpoint for classification has a head on the first token. */
#include "arch/encoder.h"
#include "arch/families.h"
#include "arch/pairs.h"

static adam_status from_hf(const am_json *config_json, const char *path, am_config *config,
                           adam_error *error) {
  am_keys keys = {config_json, path, "", error};
  adam_status status = am_encoder_from_hf(&keys, config);
  if (!status) config->n_ctx_train = config->n_positions;
  return status;
}

/* The first token's position is pad_token_id + 1 (transformers' create_position_ids_from_input_ids). */
static adam_status roberta_from_hf(const am_json *config_json, const char *path, am_config *config,
                                   adam_error *error) {
  am_keys keys = {config_json, path, "", error};
  uint32_t pad_id = 1;
  adam_status status = am_keys_u32(&keys, "pad_token_id", false, 0, 1 << 28, &pad_id);
  config->position_offset = pad_id + 1;
  if (!status) status = am_encoder_from_hf(&keys, config);
  if (!status) config->n_ctx_train = config->n_positions - config->position_offset;
  return status;
}

/* A converted RoBERTa has its first rows cut off, so that its positions begin at 0 too. */
static adam_status from_gguf(const am_json *metadata, const char *path, am_config *config,
                             adam_error *error) {
  am_keys keys = {metadata, path, "bert.", error};
  config->rope.theta = 10000; /* not used: positions are learned */
  config->rope.factor = 1;
  config->n_positions = 1; /* its rows are counted when the tensors are there */
  return am_encoder_from_gguf(&keys, config);
}

static adam_status from_tensors(am_config *config, am_find_tensor find, const void *user, const char *path,
                                adam_error *error) {
  adam_status status = am_encoder_from_tensors(config, find, user, path, error);
  if (!status && config->n_positions == 0)
    status = am_fail(error, ADAM_DAMAGED, path, NULL, "tensor position_embd.weight is missing");
  config->attention_bias = true;
  return status;
}

static adam_status to_gguf(const am_config *c, am_pairs *p, adam_error *error) {
  am_encoder_to_gguf(c, p);
  if (c->gelu_tanh)
    return am_fail(error, ADAM_UNSUPPORTED, "hidden_act", NULL, "the tanh form of gelu has no words in GGUF");
  return ADAM_OK;
}

static adam_status to_hf(const am_config *c, am_pairs *p, adam_error *error) {
  (void)error;
  am_pairs_string(p, "model_type", "bert");
  am_pairs_string(p, "architectures", c->n_labels ? "BertForSequenceClassification" : "BertModel");
  am_encoder_to_hf(c, p);
  am_pairs_u32(p, "max_position_embeddings", c->n_positions);
  am_pairs_string(p, "hidden_act", c->gelu_tanh ? "gelu_pytorch_tanh" : "gelu");
  am_pairs_string(p, "position_embedding_type", "absolute");
  if (c->n_labels) am_pairs_u32(p, "num_labels", c->n_labels);
  return ADAM_OK;
}

static const am_transform_rule roberta_transforms[] = {{"position_embd", AM_TRANSFORM_CUT}};

#define GGUF "blk.%u."
#define WEIGHT(HF) HF ".weight|" HF ".gamma" /* of a norm, as the first BERT called it */
#define BIAS(HF) HF ".bias|" HF ".beta"
#define LINEAR(FIELD, HF, GGUF_NAME, SHAPE, BIAS_SHAPE)           \
  {FIELD, HF ".weight", GGUF_NAME ".weight", true, false, SHAPE}, \
      {FIELD "_bias", HF ".bias", GGUF_NAME ".bias", true, false, BIAS_SHAPE},
#define NORM(FIELD, HF, GGUF_NAME, PER_LAYER)                                \
  {FIELD, WEIGHT(HF), GGUF_NAME ".weight", PER_LAYER, false, am_shape_norm}, \
      {FIELD "_bias", BIAS(HF), GGUF_NAME ".bias", PER_LAYER, false, am_shape_norm},
#define EMBEDDINGS(P)                                                                                        \
  {"token_embd", P "word_embeddings.weight", "token_embd.weight", false, false, am_shape_embd},              \
      {"position_embd",   P "position_embeddings.weight", "position_embd.weight", false, false,              \
       am_shape_positions},                                                                                  \
      {"token_types", P "token_type_embeddings.weight", "token_types.weight", false, false, am_shape_types}, \
      NORM("embd_norm", P "LayerNorm", "token_embd_norm", false)
#define LAYERS(P)                                                                                            \
  LINEAR("attn_q", P "attention.self.query", GGUF "attn_q", am_shape_q, am_shape_q_bias)                     \
  LINEAR("attn_k", P "attention.self.key", GGUF "attn_k", am_shape_kv, am_shape_kv_bias)                     \
  LINEAR("attn_v", P "attention.self.value", GGUF "attn_v", am_shape_kv, am_shape_kv_bias)                   \
  LINEAR("attn_output", P "attention.output.dense", GGUF "attn_output", am_shape_attn_output, am_shape_norm) \
  NORM("attn_output_norm", P "attention.output.LayerNorm", GGUF "attn_output_norm", true)                    \
  LINEAR("ffn_up", P "intermediate.dense", GGUF "ffn_up", am_shape_ffn, am_shape_inner_bias)                 \
  LINEAR("ffn_down", P "output.dense", GGUF "ffn_down", am_shape_ffn_down, am_shape_norm)                    \
  NORM("layer_output_norm", P "output.LayerNorm", GGUF "layer_output_norm", true)
/* The classifier: tanh(pooler x + b), then the labels. */
#define HEAD(POOLER, LABELS)                                                           \
  {"pooler", POOLER ".weight", "cls.weight", false, true, am_shape_pooler},            \
      {"pooler_bias", POOLER ".bias", "cls.bias", false, true, am_shape_pooler_bias},  \
      {"labels", LABELS ".weight", "cls.output.weight", false, true, am_shape_labels}, \
      {"labels_bias", LABELS ".bias", "cls.output.bias", false, true, am_shape_labels_bias},

static const am_tensor_role bert_roles[] = {EMBEDDINGS("bert.embeddings.") LAYERS("bert.encoder.layer.%u.")
                                                HEAD("bert.pooler.dense", "classifier")};
static const am_tensor_role roberta_roles[] = {EMBEDDINGS("roberta.embeddings.") LAYERS(
    "roberta.encoder.layer.%u.") HEAD("classifier.dense", "classifier.out_proj")};

static const char *const bert_types[] = {"bert", NULL};
static const char *const bert_gguf_names[] = {"bert", NULL};
static const char *const roberta_types[] = {"roberta", "xlm-roberta", "camembert", NULL};
static const char *const no_gguf_names[] = {NULL};

const am_arch am_arch_bert = {
    .name = "bert",
    .hf_model_types = bert_types,
    .gguf_names = bert_gguf_names,
    .hf_prefix = "bert.",
    .is_encoder = true,
    .from_hf = from_hf,
    .from_gguf = from_gguf,
    .from_tensors = from_tensors,
    .roles = bert_roles,
    .n_roles = sizeof bert_roles / sizeof *bert_roles,
    .to_gguf = to_gguf,
    .to_hf = to_hf,
};

const am_arch am_arch_roberta = {
    .name = "roberta",
    .hf_model_types = roberta_types,
    .gguf_names = no_gguf_names,
    .hf_prefix = "roberta.",
    .is_encoder = true,
    .from_hf = roberta_from_hf,
    .from_gguf = from_gguf,
    .from_tensors = from_tensors,
    .roles = roberta_roles,
    .n_roles = sizeof roberta_roles / sizeof *roberta_roles,
    .gguf_name = "bert",
    .to_gguf = to_gguf,
    .transforms = roberta_transforms,
    .n_transforms = sizeof roberta_transforms / sizeof *roberta_transforms,
};
