/* SPDX-License-Identifier: Apache-2.0 */
/* backend/anthropic: Anthropic's Messages API as a backend, in version 2023-06-01: the newer 2026-10-21 knows
 * no temperature, top_p and top_k at all. A server that has only the newer one refuses them by name. In:
 * adam's requests. Out: HTTP calls and their answers as pieces and facts. The API has no embeddings, no
 * log-probabilities, no seed, no raw prompts and no grammars; what a request wants of these is refused, or
 * left out with a notice where an answer is still one without it. Threads: a model by one thread at a time.
 */
#ifndef AM_BACKEND_ANTHROPIC_ANTHROPIC_H
#define AM_BACKEND_ANTHROPIC_ANTHROPIC_H

#include "backend/remote/server.h"

/* What a model refused and is not sent again. */
enum {
  AM_ANTHROPIC_TEMPERATURE = 1u << 0,
  AM_ANTHROPIC_TOP_P = 1u << 1,
  AM_ANTHROPIC_TOP_K = 1u << 2,
  AM_ANTHROPIC_BUDGET = 1u << 3, /* it decides itself how long it thinks */
  AM_ANTHROPIC_STREAM = 1u << 4
};

struct adam_backend_model {
  am_remote_server server; /* owned */
  char *name;              /* owned */
  am_arena arena;
  am_json entry;  /* of /v1/models; null where the server has none */
  uint32_t lacks; /* AM_ANTHROPIC_* */
};

/* AM_ANTHROPIC_* of one request, over all its attempts but for `sent`. */
typedef struct am_anthropic_bits {
  uint32_t sent, told;
  bool told_fixed; /* notices of what the API never has */
} am_anthropic_bits;

/* body.c: a request as the JSON of /v1/messages. Fills the outcome's sampling. */
adam_status am_anthropic_body(const adam_backend_model *model, const adam_request *request,
                              const adam_sink *sink, adam_outcome *outcome, am_anthropic_bits *bits,
                              am_buf *body, adam_error *error);
/* messages.c: the members "system", "messages", "tools" and "tool_choice". *thinks: the messages allow a
 * thinking part; false where a call of a tool is going on that was made without its thoughts. */
adam_status am_anthropic_messages(const adam_request *request, am_buf *body, bool *thinks, adam_error *error);

/* generate.c */
adam_status am_anthropic_generate(void *context, adam_backend_model *model, const adam_request *request,
                                  const adam_sink *sink, adam_outcome *outcome, adam_error *error);

#endif
