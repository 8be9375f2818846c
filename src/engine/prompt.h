/* SPDX-License-Identifier: Apache-2.0 */
/* engine/prompt: a request -> the ids that the model reads. */
#ifndef AM_ENGINE_PROMPT_H
#define AM_ENGINE_PROMPT_H

#include "engine/loaded.h"

typedef struct am_prompt {
  am_ids ids;       /* owned; at least one */
  bool templated;   /* went through a chat template */
  bool has_specials; /* through a Jinja template, which writes the begin token itself */
  bool in_thinking; /* the text ends in <think>: the answer begins inside of the thinking part */
  bool may_think;   /* a template that knows <think> has neither opened nor closed it */
} am_prompt;

/* raw: encoded with the post-processor's special tokens. Otherwise rendered by the model's template and
 * encoded without them, since Jinja templates write their own (with them after a Go template, as Ollama
 * does); a model without a template gets the texts one after the other, and a notice. *out (zeroed by the caller) is closed by the caller in every case. */
adam_status am_prompt_build(am_engine *engine, const adam_request *request, const adam_sink *sink,
                            am_prompt *out, adam_error *error);
void am_prompt_close(am_prompt *prompt);

#endif
