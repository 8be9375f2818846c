/* SPDX-License-Identifier: Apache-2.0 */
/* template/chat: the variables that transformers gives a chat template, and one call that renders a
 * conversation. Messages are checked (an array of objects) and given to the template as they are, with
 * reasoning copied between its names as transformers does. Where a template raises, this fails; with
 * coerce_content a second try is made with null content as "" and lists of text parts as one text, for
 * templates (the early Qwen 3) that take text alone. */
#ifndef AM_TEMPLATE_CHAT_H
#define AM_TEMPLATE_CHAT_H

#include "template/template.h"

typedef struct am_chat_request {
  const am_json *messages;       /* array */
  const am_json *tools;          /* array or NULL */
  const am_json *documents;      /* array or NULL */
  const am_json *kwargs;         /* object merged last, or NULL */
  const am_json *special_tokens; /* object name -> text: bos_token, eos_token, ... or NULL */
  bool add_generation_prompt;
  int enable_thinking; /* -1 = not defined, 0, 1 */
  bool coerce_content; /* see above; transformers itself does not */
  bool strip_thinking; /* Go templates only: go.h */
  int64_t now_unix_s;  /* for strftime_now; 0 = now */
} am_chat_request;

adam_status am_chat_render(const am_template *tmpl, const am_chat_request *request, am_buf *out,
                           adam_error *error);

#endif
