/* SPDX-License-Identifier: Apache-2.0 */
/* backend/openai: a server of OpenAI's API (chat completions, completions, embeddings, models) as a backend:
 * OpenAI itself, vLLM, SGLang, llama-server, llama_cpp.server, Ollama's /v1 and others. In: adam's requests.
 * Out: HTTP calls and their answers as pieces, vectors, facts. Parameters that a server does not know are
 * left out with a notice; one that it refuses by name is left out from then on. Threads: a model by one
 * thread at a time. */
#ifndef AM_BACKEND_OPENAI_OPENAI_H
#define AM_BACKEND_OPENAI_OPENAI_H

#include "backend/openai/dialect.h"
#include "backend/remote/server.h"

struct adam_backend_model {
  am_remote_server server; /* owned */
  char *name;              /* owned; what requests call the model */
  am_arena arena;          /* of everything below */
  am_json list;            /* what /models says; null where the server has no list */
  const am_json *entry;    /* of this model; NULL = none */
  const am_openai_dialect *dialect;
  uint32_t lacks;   /* AM_OPENAI_*: the dialect's, and what the server refused */
  bool has_version; /* asked for already */
  int64_t version;  /* of vLLM: 0.11.2 is 11002; 0 = unknown */
};

/* A member of /models as facts. */
void am_openai_facts(const adam_backend_model *model, adam_model_info *info);
/* Reads what the server at the model's place is. */
int64_t am_openai_version(adam_backend_model *model);
/* Leaves out from now on what the refusal names. false: it names nothing that can be left out. */
bool am_openai_yield(adam_backend_model *model, const am_remote_refusal *refusal, uint32_t sent);

/* AM_OPENAI_* of one request, over all its attempts but for `sent`. */
typedef struct am_openai_bits {
  uint32_t sent;   /* in this attempt */
  uint32_t told;   /* there was a notice that it is left out */
  uint32_t hinted; /* there was one that it is not of the API */
} am_openai_bits;

/* parameters.c: sampling and form of a request, as members of the body that is being written. Fills the
 * outcome's sampling and seed. sink: for notices. */
adam_status am_openai_parameters(adam_backend_model *model, const adam_request *request,
                                 const adam_sink *sink, adam_outcome *outcome, am_openai_bits *bits,
                                 am_buf *body, adam_error *error);
/* messages.c: the members "messages", "tools" and "tool_choice". */
adam_status am_openai_messages(const adam_backend_model *model, const adam_request *request, am_buf *body,
                               adam_error *error);

/* generate.c and embed.c: entries of the table. */
adam_status am_openai_generate(void *context, adam_backend_model *model, const adam_request *request,
                               const adam_sink *sink, adam_outcome *outcome, adam_error *error);
adam_status am_openai_embed(void *context, adam_backend_model *model, const adam_embed_request *request,
                            const adam_sink *sink,
                            bool (*on_embedding)(void *user, size_t index, const float *values,
                                                 size_t n_values),
                            void *user, adam_embed_outcome *outcome, adam_error *error);

#endif
