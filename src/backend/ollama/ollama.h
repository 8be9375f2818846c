/* SPDX-License-Identifier: Apache-2.0 */
/* backend/ollama: an Ollama server as a backend.
 * In: adam's requests. Out: HTTP calls of the server and their answers as pieces, vectors, facts. A model here is
 * a name and what /api/show says of it; weights are the server's business, and so are token ids: it tells none,
 * so neither do we. Sampling keys that a request does not set are left to the model's parameters. Written
 * against v0.9.6, and against what the newer v0.33 does otherwise (log-probabilities, ids of calls, dimensions).
 * Threads: any, also one model by several. */
#ifndef AM_BACKEND_OLLAMA_OLLAMA_H
#define AM_BACKEND_OLLAMA_OLLAMA_H

#include "backend/ollama/client.h"

struct adam_backend_model {
  am_ollama_client client; /* owned */
  char *name;              /* owned */
  int64_t version;         /* of the server: am_ollama_version */
  am_arena arena;          /* of everything below */
  am_json show;            /* what /api/show says */
  adam_sampling defaults;  /* of the model's parameters; `set` says which keys it has */
  const char **stop;       /* of the model's parameters */
  size_t n_stop;
  int64_t n_ctx; /* num_ctx of the model's parameters; 0 = none */
  bool thinks, calls_tools, completes, embeds; /* capabilities */
};

/* facts.c: what /api/show says, read. */
adam_status am_ollama_facts_read(adam_backend_model *model, adam_error *error);
void am_ollama_facts_info(const adam_backend_model *model, adam_model_info *info);
adam_status am_ollama_digest(const adam_backend_model *model, char digest[65], adam_error *error);

/* What a body asks about, measured; images are not counted. */
typedef struct am_ollama_prompt {
  size_t n_bytes, n_messages;
  size_t longest; /* bytes of the longest message that a server may leave out; 0 = there is none */
  int64_t n_ctx;  /* num_ctx as it is sent; 0 = it is not */
} am_ollama_prompt;

/* body.c: a request as the JSON of /api/chat, or /api/generate for raw prompts. Fills the outcome's
 * sampling and seed. */
adam_status am_ollama_body(const adam_backend_model *model, const adam_request *request, adam_outcome *outcome,
                           am_ollama_prompt *prompt, am_buf *body, adam_error *error);

/* context.c: num_ctx to send, so that the prompt fits; 0 = leave it to the server. */
enum { AM_OLLAMA_TELLS_CUTS = 12011 }; /* a version that takes "truncate":false with a prompt, and fails */
int64_t am_ollama_context_wanted(const adam_backend_model *model, const adam_request *request,
                                 const am_ollama_prompt *prompt);
/* What the counts of an answer say about the prompt. Shifted: the answer went on behind the context's end, and
 * its beginning was forgotten. */
typedef enum { AM_OLLAMA_WHOLE, AM_OLLAMA_CUT, AM_OLLAMA_MAYBE_CUT, AM_OLLAMA_SHIFTED } am_ollama_cut;
am_ollama_cut am_ollama_context_cut(const adam_backend_model *model, int64_t sent_ctx, const am_ollama_prompt *prompt,
                                    int64_t n_prompt, int64_t n_answer);

/* generate.c, embed.c and manage.c: entries of the table. */
adam_status am_ollama_generate(void *context, adam_backend_model *model, const adam_request *request,
                               const adam_sink *sink, adam_outcome *outcome, adam_error *error);
adam_status am_ollama_embed(void *context, adam_backend_model *model, const adam_embed_request *request,
                            const adam_sink *sink,
                            bool (*on_embedding)(void *user, size_t index, const float *values,
                                                 size_t n_values),
                            void *user, adam_embed_outcome *outcome, adam_error *error);
adam_status am_ollama_list(void *context, const adam_model_options *options, adam_on_model on_model, void *user,
                           adam_error *error);
adam_status am_ollama_pull(void *context, const char *model, const adam_model_options *options,
                           adam_on_backend_step on_step, void *user, adam_error *error);
adam_status am_ollama_remove(void *context, const char *model, const adam_model_options *options,
                             adam_error *error);
adam_status am_ollama_unload(void *context, const char *model, const adam_model_options *options,
                             adam_error *error);
adam_status am_ollama_copy(void *context, const char *from, const char *to, const adam_model_options *options,
                           adam_error *error);

#endif
