/* SPDX-License-Identifier: Apache-2.0 */
/* The manager: the front desk. Names a model in any form that the command takes (a path, a
 * repository, a preset, "mock:SCRIPT"), opens it on a backend, then generates, streams, batches,
 * counts, renders, tokenizes, scores. A manager is used by one thread at a time; different managers
 * by different threads. */
#ifndef ADAM_MANAGER_H
#define ADAM_MANAGER_H

#include <adam/backend.h>
#include <adam/settings.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct adam_manager adam_manager;

/* Zero-initialise, set struct_size; NULL and 0 mean the default. Strings are copied. */
typedef struct adam_manager_options {
  size_t struct_size;
  const char *backend;  /* "auto", "huggingface", "mock", or a registered name */
  const char *model;    /* REF; NULL: size, else the default model */
  const char *size;     /* preset name: "qwen3_small" ... */
  adam_model_options model_options;
  const char *embedding_model; /* REF of what embeds; opened when it is first needed. NULL: the model
                                  itself where it is made for embeddings, else
                                  sentence-transformers/all-MiniLM-L6-v2 */
  bool share_with_ollama;      /* put the model that was opened into Ollama's store too, by link (adam_share);
                                  the notices say what came of it. A model that the store has already, or that
                                  cannot be shared, is no failure */
  const char *domain;          /* field of work ("code"): its system message and values where a request says
                                  nothing; with neither model nor size, the first of its models that is here */
  const char *profile;         /* [profile NAME] of the settings; NULL: ADAM_PROFILE, else theirs, if any */
  bool ignore_settings;        /* neither settings.ini nor the ADAM_ variables of its keys are looked at */
} adam_manager_options;

/* Resolves the model, opens the backend, loads. What the options leave open comes from the environment, the
 * profile and the settings, in this order (adam/settings.h); what a request leaves open, too, then from the
 * domain, the preset and the model itself. *out is untouched on failure: ADAM_NOT_FOUND (no
 * such model here; the hint says how to get it), ADAM_UNAVAILABLE, ADAM_NO_MEMORY, ADAM_DAMAGED. */
ADAM_API adam_status adam_manager_open(const adam_manager_options *options, adam_manager **out,
                                       adam_error *error);
/* Closes and sets *manager to NULL; NULL is fine. */
ADAM_API void adam_manager_close(adam_manager **manager);

/* Generates the whole answer. on_chunk (NULL = none) gets the pieces as they come and can cancel.
 * *result is filled, also when cancelled (finish_reason says so, the status is ADAM_OK); on failure
 * it holds what had come, with finish_reason ADAM_FINISH_ERROR. Close it in every case. */
ADAM_API adam_status adam_manager_generate(adam_manager *manager, const adam_request *request,
                                           adam_on_chunk on_chunk, void *user, adam_result *result,
                                           adam_error *error);
/* The n likeliest next tokens (1 to 1000) behind the request's prompt or messages: its answer of one
 * token, in result->logprobs[0].top. The request's own max_tokens, temperature and top_logprobs are not
 * looked at. Close the result in every case. */
ADAM_API adam_status adam_manager_next_logprobs(adam_manager *manager, const adam_request *request,
                                                int32_t n, adam_result *result, adam_error *error);
/* n requests; results[i] and errors[i] (each may be asked for by a non-NULL array) belong to
 * requests[i]. Returns the status of the first that failed, after trying all. */
ADAM_API adam_status adam_manager_batch(adam_manager *manager, const adam_request *requests, size_t n,
                                        adam_result *results, adam_error *errors);
/* Number of tokens of text, special tokens of the post-processor counted. */
ADAM_API adam_status adam_manager_count_tokens(adam_manager *manager, const char *text,
                                               size_t text_bytes, size_t *n_tokens,
                                               adam_error *error);
/* Ids of text, owned: adam_free. flags: ADAM_TOKENIZE_*. */
ADAM_API adam_status adam_manager_tokenize(adam_manager *manager, const char *text,
                                           size_t text_bytes, uint32_t flags, int32_t **ids,
                                           size_t *n_ids, adam_error *error);
/* Text of ids, owned and NUL-terminated: adam_free. */
ADAM_API adam_status adam_manager_detokenize(adam_manager *manager, const int32_t *ids, size_t n_ids,
                                             char **text, size_t *text_bytes, adam_error *error);
/* Spelling of one token in the vocabulary, owned: adam_free. */
ADAM_API adam_status adam_manager_token_text(adam_manager *manager, int32_t id, char **text,
                                             size_t *text_bytes, adam_error *error);
/* The prompt text of a conversation, owned: adam_free. */
ADAM_API adam_status adam_manager_render(adam_manager *manager, const adam_render_request *request,
                                         char **text, size_t *text_bytes, adam_error *error);
/* Teacher-forced scoring: logprobs (n_ids - 1, natural logs, of tokens 2..n; NULL = not wanted) and,
 * through on_logits (NULL = none), the float32 logits of each position in order (true = cancel). */
ADAM_API adam_status adam_manager_score(adam_manager *manager, const int32_t *ids, size_t n_ids,
                                        double *logprobs,
                                        bool (*on_logits)(void *user, size_t position,
                                                          const float *logits, size_t n_vocab),
                                        void *user, adam_error *error);
/* What to evaluate a model on. Zero-initialise, set struct_size. Pointers are borrowed for the call.
 *
 * Perplexity is exp(mean negative log-likelihood) in natural logs. The text is tokenized once, with the
 * special tokens that the tokenizer adds, and cut into windows of window_tokens, each beginning stride_tokens
 * after the one before; the last may be shorter. A window is scored on its own, from an empty cache, and
 * counts the tokens that no window before it had, but never its first, which nothing predicts. That is the
 * scheme of transformers' perplexity guide (max_length, stride); a text that fits one window is scored
 * whole. Nothing is rounded: quantised weights meet float32 activations. */
typedef struct adam_evaluate_request {
  size_t struct_size;
  const char *text;           /* UTF-8; NULL: ids */
  size_t text_bytes;
  const int32_t *ids;
  size_t n_ids;
  int64_t window_tokens;      /* 0 = the manager's context, adam_model_info.n_ctx */
  int64_t stride_tokens;      /* 1 to window_tokens; 0 = window_tokens: no token is context twice */
  adam_manager *against;      /* another manager with the same vocabulary, used until the call returns; NULL = none */
  adam_on_progress on_progress; /* in tokens; on the calling thread; true = cancel. NULL = none */
  void *user;
} adam_evaluate_request;

/* Means are over the scored tokens. */
typedef struct adam_evaluation {
  uint64_t n_tokens;          /* of the text */
  uint64_t n_scored;
  uint64_t window_tokens, stride_tokens; /* as used: at most n_tokens */
  double nll;                 /* sum, in nats */
  double perplexity;          /* exp(nll / n_scored) */
  bool compared;              /* the rest is filled */
  double against_perplexity;
  double mean_kl;             /* KL(P of against || P of this model), in nats */
  double top1;                /* share of positions, 0 to 1, where both have the same likeliest token */
} adam_evaluation;

/* *result is untouched on failure. ADAM_INVALID: fewer than two tokens, a stride beyond the window, another
 * vocabulary; ADAM_CANCELLED. */
ADAM_API adam_status adam_manager_evaluate(adam_manager *manager, const adam_evaluate_request *request,
                                           adam_evaluation *result, adam_error *error);
/* Embedding of one text with the embedding model (adam_manager_options) and its own settings: values of
 * *dimensions floats, owned: adam_free. ADAM_NOT_FOUND: the embedding model is not on this machine. */
ADAM_API adam_status adam_manager_embed(adam_manager *manager, const char *text, size_t text_bytes,
                                        float **values, size_t *dimensions, adam_error *error);
/* The same for many texts at once, with a prompt, fewer dimensions, and the notices. *result is zeroed
 * on failure. ADAM_INVALID: no such prompt, more dimensions than there are. */
ADAM_API adam_status adam_manager_batch_embed(adam_manager *manager, const adam_embed_request *request,
                                              adam_embed_result *result, adam_error *error);
/* Scores documents against a query with the manager's own model: a cross-encoder, or a generative
 * reranker. *result is zeroed on failure. ADAM_UNSUPPORTED: the model has no way to score. */
ADAM_API adam_status adam_manager_rerank(adam_manager *manager, const adam_rerank_request *request,
                                         adam_rerank_result *result, adam_error *error);
/* Facts about the open model; strings are borrowed until the manager is closed. */
ADAM_API adam_status adam_manager_info(adam_manager *manager, adam_model_info *info,
                                       adam_error *error);
/* Every stored tensor of the model, in the order of the files. ADAM_UNSUPPORTED: the backend has none. */
ADAM_API adam_status adam_manager_tensors(adam_manager *manager, adam_on_tensor on_tensor, void *user,
                                          adam_error *error);
/* SHA-256 of the weights as 64 hex digits and a NUL: of the one file, or of the lines "DIGEST  NAME\n"
 * of several, sorted by name. Files that a store has named by their digest are not read; by_name_only:
 * ADAM_NOT_FOUND where others would have to be. on_progress: NULL = none. */
ADAM_API adam_status adam_manager_digest(adam_manager *manager, bool by_name_only,
                                         adam_on_progress on_progress, void *user, char digest[65],
                                         adam_error *error);
/* What the manager was opened with, and where each value came from; borrowed until it is closed. NULL: it
 * ignores the settings. */
ADAM_API const adam_settings *adam_manager_settings(const adam_manager *manager);
/* Notices of opening (a renamed id, a default that was chosen); borrowed. NULL past the end. */
ADAM_API const adam_notice *adam_manager_notice_at(const adam_manager *manager, size_t index);

/* Every model on this machine that a backend could open, over all stores. options may be NULL. */
ADAM_API adam_status adam_models_list(const adam_model_options *options, adam_on_model on_model,
                                      void *user, adam_error *error);

/* Frees memory that this library handed out. NULL is fine. */
ADAM_API void adam_free(void *memory);

#ifdef __cplusplus
}
#endif
#endif
