/* SPDX-License-Identifier: Apache-2.0 */
/* Scores of documents against a query: a cross-encoder's classifier on the first token, or a generative
 * reranker's probability of "yes" against "no" (Qwen3-Reranker's prompt). */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "engine/notice.h"
#include "engine/pack.h"
#include "engine/pooling.h"
#include "engine/steps.h"

static const char prompt_begin[] =
    "<|im_start|>system\nJudge whether the Document meets the requirements based on the Query and the "
    "Instruct "
    "provided. Note that the answer can only be \"yes\" or \"no\".<|im_end|>\n<|im_start|>user\n";
static const char prompt_end[] = "<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n";
static const char usual_instruction[] =
    "Given a web search query, retrieve relevant passages that answer the query";

typedef struct reranking {
  am_engine *engine;
  const adam_rerank_request *request;
  const am_sentence *sentence;
  const am_tokenizer *tokenizer;
  uint64_t limit; /* tokens of a pair, 0 = none */
  double *scores;
  size_t n_scored;
  adam_embed_outcome *outcome;
  /* Cross-encoders. */
  am_step head[3]; /* CLS pooling, pooler, labels */
  am_pooled pooled;
  am_steps *steps;
  /* Generative ones. */
  am_ids begin, end; /* owned */
  int32_t yes_id, no_id;
} reranking;

static double sigmoid(double x) { return 1 / (1 + exp(-x)); }

static adam_status on_hidden(void *user, size_t index, const float *rows, uint32_t n, bool is_first,
                             bool is_last, adam_error *error) {
  reranking *r = user;
  float *score = NULL;
  (void)index;
  if (is_first) am_pooling_begin(&r->pooled, 0);
  am_pooling_add(&r->pooled, rows, n);
  if (!is_last) return ADAM_OK;
  am_pooling_end(&r->pooled, am_steps_input(r->steps));
  adam_status status = am_steps_run(r->steps, 1, &score, error);
  if (status) return status;
  am_activation activation =
      r->sentence->has_score_activation ? r->sentence->score_activation : AM_ACTIVATION_SIGMOID;
  r->scores[r->n_scored++] = am_steps_activate(activation, score[0]);
  return ADAM_OK;
}

static adam_status on_logits(void *user, size_t index, const float *rows, uint32_t n, bool is_first,
                             bool is_last, adam_error *error) {
  reranking *r = user;
  (void)index, (void)n, (void)is_first, (void)is_last, (void)error;
  r->scores[r->n_scored++] = sigmoid((double)rows[r->yes_id] - rows[r->no_id]);
  return ADAM_OK;
}

/* The classifier as steps: tanh(pooler x + b), where there is a pooler, then the label. */
static adam_status open_head(reranking *r, adam_error *error) {
  const am_loader *loader = r->engine->loader;
  const am_config *c = am_model_config(r->engine->model);
  uint32_t n = 1;
  am_step pooler = {
      .kind = AM_STEP_DENSE, .n_in = c->n_embd, .n_out = c->n_embd, .activation = AM_ACTIVATION_TANH};
  am_step labels = {.kind = AM_STEP_DENSE, .n_in = c->n_embd, .n_out = c->n_labels};
  if (c->n_labels != 1)
    return am_fail(error, ADAM_UNSUPPORTED, am_loader_path(loader), NULL,
                   "it tells %u classes apart, and a reranker has one score", c->n_labels);
  adam_status status = am_loader_role(loader, "pooler", 0, &pooler.weight, error);
  if (!status) status = am_loader_role(loader, "pooler_bias", 0, &pooler.bias, error);
  if (!status) status = am_loader_role(loader, "labels", 0, &labels.weight, error);
  if (!status) status = am_loader_role(loader, "labels_bias", 0, &labels.bias, error);
  if (status) return status;
  r->head[0] = am_sentence_mean(c->n_embd);
  r->head[0].pooling[0] = AM_POOL_CLS;
  if (pooler.weight) r->head[n++] = pooler;
  r->head[n++] = labels;
  status = am_pooling_open(&r->pooled, &r->head[0], c->n_embd, error);
  if (status) return status;
  return am_steps_open(r->engine->device, r->head + 1, n - 1, c->n_embd, 1, &r->steps, error);
}

static int32_t word_id(const reranking *r, int64_t stated, const char *word) {
  if (stated >= 0 && stated < (int64_t)am_model_config(r->engine->model)->n_vocab) return (int32_t)stated;
  return am_tokenizer_find(r->tokenizer, word, strlen(word));
}

static adam_status open_prompt(reranking *r, adam_error *error) {
  int64_t n_vocab = am_model_config(r->engine->model)->n_vocab;
  r->yes_id = word_id(r, r->sentence->true_id, "yes");
  r->no_id = word_id(r, r->sentence->false_id, "no");
  if (r->yes_id < 0 || r->no_id < 0 || r->yes_id >= n_vocab || r->no_id >= n_vocab)
    return am_fail(error, ADAM_UNSUPPORTED, am_loader_path(r->engine->loader), NULL,
                   "it has no classifier, and no tokens \"yes\" and \"no\" to score with");
  adam_status status =
      am_tokenizer_encode(r->tokenizer, prompt_begin, sizeof prompt_begin - 1, 0, &r->begin, error);
  if (!status)
    status = am_tokenizer_encode(r->tokenizer, prompt_end, sizeof prompt_end - 1, 0, &r->end, error);
  if (!status && r->limit && r->limit <= r->begin.n + r->end.n)
    status =
        am_fail(error, ADAM_INVALID, "ctx", NULL, "the prompt alone has %zu tokens", r->begin.n + r->end.n);
  return status;
}

static bool append_ids(am_ids *ids, const am_ids *more) {
  int32_t *grown = am_mem_resize(ids->data, ids->n + more->n + 1, sizeof *grown);
  if (!grown) return false;
  if (more->n) memcpy(grown + ids->n, more->data, more->n * sizeof *grown);
  ids->data = grown;
  ids->capacity = ids->n + more->n + 1;
  ids->n += more->n;
  return true;
}

/* begin, "<Instruct>: ... <Query>: ... <Document>: ..." cut to what is left, end. */
static adam_status read_prompt(reranking *r, const char *document, size_t n_bytes, am_ids *ids,
                               size_t *n_dropped, adam_error *error) {
  const adam_rerank_request *q = r->request;
  size_t around = r->begin.n + r->end.n;
  am_buf text = {0};
  am_ids body = {0};
  am_buf_printf(&text, "<Instruct>: %s\n<Query>: ", q->instruction ? q->instruction : usual_instruction);
  am_buf_append(&text, q->query, q->query_bytes);
  am_buf_append_str(&text, "\n<Document>: ");
  am_buf_append(&text, document, n_bytes);
  adam_status status = text.failed ? am_fail_memory(error, "document") : ADAM_OK;
  if (!status)
    status =
        am_tokenizer_encode_pair(r->tokenizer, text.data, text.len, NULL, 0, 0,
                                 r->limit ? (size_t)r->limit - around : 0, &body, NULL, n_dropped, error);
  if (!status && !(append_ids(ids, &r->begin) && append_ids(ids, &body) && append_ids(ids, &r->end)))
    status = am_fail_memory(error, "document");
  am_ids_close(&body);
  am_buf_close(&text);
  return status;
}

static adam_status add_pair(reranking *r, am_pack *pack, size_t i, adam_error *error) {
  const adam_rerank_request *q = r->request;
  const char *document = q->documents[i];
  size_t n_bytes = q->document_bytes ? q->document_bytes[i] : strlen(document), n_dropped = 0;
  am_ids ids = {0}, types = {0};
  adam_status status = r->steps ? am_tokenizer_encode_pair(r->tokenizer, q->query, q->query_bytes, document,
                                                           n_bytes, AM_ENCODE_SPECIAL, (size_t)r->limit, &ids,
                                                           &types, &n_dropped, error)
                                : read_prompt(r, document, n_bytes, &ids, &n_dropped, error);
  if (!status && (ids.n == 0 || ids.n > INT32_MAX))
    status = am_fail(error, ADAM_INVALID, "document", NULL, "document %zu and the query have %zu tokens", i,
                     ids.n);
  if (n_dropped) r->outcome->n_truncated++;
  r->outcome->n_tokens += ids.n;
  bool typed = r->steps && r->sentence->uses_types;
  if (!status) status = am_pack_add(pack, i, ids.data, typed ? types.data : NULL, (uint32_t)ids.n, error);
  am_ids_close(&ids);
  am_ids_close(&types);
  return status;
}

bool am_engine_is_reranker(const am_engine *engine) {
  const am_config *config = am_loader_config(engine->loader);
  if (!config) return false;
  if (config->arch->is_encoder) return config->n_labels == 1;
  return strcasestr(am_loader_name(engine->loader), "rerank") ||
         am_loader_sentence(engine->loader)->true_id >= 0;
}

static void send_notices(const reranking *r, const adam_sink *sink) {
  if (!am_engine_is_reranker(r->engine))
    am_notice_send(sink, ADAM_NOTICE_DEGRADED, "no_reranker",
                   "nothing says that the model was made to rerank: the score is its probability of \"yes\"");
  if (r->outcome->n_truncated)
    am_notice_send(sink, ADAM_NOTICE_DEGRADED, "truncated",
                   "%zu of %zu documents were cut, so that they and the query have %llu tokens",
                   r->outcome->n_truncated, r->request->n_documents, (unsigned long long)r->limit);
  if (r->steps && r->request->instruction)
    am_notice_send(sink, ADAM_NOTICE_DEGRADED, "instruction_ignored", "a cross-encoder takes no instruction");
}

adam_status am_engine_rerank(am_engine *engine, const adam_rerank_request *request, const adam_sink *sink,
                             double *scores, adam_embed_outcome *outcome, adam_error *error) {
  reranking r = {.engine = engine, .request = request, .scores = scores, .outcome = outcome};
  am_pack pack = {0};
  if (!engine->model)
    return am_fail(error, ADAM_UNSUPPORTED, am_loader_path(engine->loader), NULL,
                   "it was opened without its weights");
  const am_config *config = am_model_config(engine->model);
  if (config->arch->is_encoder && config->n_labels == 0)
    return am_fail(error, ADAM_UNSUPPORTED, am_loader_path(engine->loader), "adam embed",
                   "it has no classifier: it embeds, and does not rerank");
  adam_status status = am_loader_need_tokenizer(engine->loader, &r.tokenizer, error);
  if (!status) status = am_loader_check_sentence(engine->loader, error);
  if (status) return status;
  r.sentence = am_loader_sentence(engine->loader);
  r.limit = am_engine_text_limit(engine);
  status = config->arch->is_encoder ? open_head(&r, error) : open_prompt(&r, error);
  am_pack_output output = {
      .user = &r, .on_rows = r.steps ? on_hidden : on_logits, .wants_logits = r.steps == NULL};
  am_pack_open(engine, &output, &pack);
  for (size_t i = 0; i < request->n_documents && !status; i++) status = add_pair(&r, &pack, i, error);
  if (!status) status = am_pack_flush(&pack, error);
  if (!status) send_notices(&r, sink);
  am_pack_close(&pack);
  am_pooling_close(&r.pooled);
  am_steps_close(&r.steps);
  am_ids_close(&r.begin);
  am_ids_close(&r.end);
  return status;
}
