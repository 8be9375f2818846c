/* SPDX-License-Identifier: Apache-2.0 */
/* backend/remote/logprobs: the log-probabilities of tokens as servers tell them, whose ids they keep: -1
 * here. */
#ifndef AM_BACKEND_REMOTE_LOGPROBS_H
#define AM_BACKEND_REMOTE_LOGPROBS_H

#include "base/json.h"
#include <adam/types.h>

/* In memory of the arena that filled it. */
typedef struct am_remote_logprobs {
  adam_token_logprobs *tokens; /* n */
  int32_t *ids;                /* n */
  size_t n;
} am_remote_logprobs;

/* [{"token", "logprob", "bytes", "top_logprobs": [{...}]}], as chats of OpenAI and Ollama have it. */
adam_status am_remote_logprobs_read(const am_json *list, const char *what, am_arena *arena,
                                    am_remote_logprobs *out, adam_error *error);
/* {"tokens": [], "token_logprobs": [], "top_logprobs": [{TOKEN: LOGPROB}]}, as OpenAI's completions have it.
 */
adam_status am_remote_logprobs_read_columns(const am_json *columns, const char *what, am_arena *arena,
                                            am_remote_logprobs *out, adam_error *error);

#endif
