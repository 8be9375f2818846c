/* SPDX-License-Identifier: Apache-2.0 */
/* template/chat: the variables that transformers gives a chat template, and one call that renders a
 * conversation. Messages are checked (array of objects with a role) but not changed, except that
 * the early Qwen 3 template's failures on null or list content are avoided as documented in chat.c. */
#ifndef AM_TEMPLATE_CHAT_H
#define AM_TEMPLATE_CHAT_H

#include "template/template.h"

typedef struct am_chat_request {
  const am_json *messages;    /* array */
  const am_json *tools;       /* array or NULL */
  const am_json *documents;   /* array or NULL */
  const am_json *kwargs;      /* object merged last, or NULL */
  const am_json *special_tokens; /* object name -> text: bos_token, eos_token, ... or NULL */
  bool add_generation_prompt;
  int enable_thinking;        /* -1 = not defined, 0, 1 */
} am_chat_request;

adam_status am_chat_render(const am_template *tmpl, const am_chat_request *request, am_buf *out,
                           adam_error *error);

#endif
