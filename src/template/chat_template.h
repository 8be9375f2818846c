/* SPDX-License-Identifier: Apache-2.0 */
/* template/chat_template: a chat template in either language, Jinja or Go, behind one call.
 * A Go template always opens the assistant's turn; documents, kwargs and special tokens are not for it.
 * Threads: immutable after open, rendered by many threads at once. */
#ifndef AM_TEMPLATE_CHAT_TEMPLATE_H
#define AM_TEMPLATE_CHAT_TEMPLATE_H

#include "template/chat.h"
#include "template/go/go.h"

typedef enum am_template_language { AM_TEMPLATE_JINJA, AM_TEMPLATE_GO } am_template_language;

typedef struct am_chat_template am_chat_template;

/* Of a file by its name: .gotmpl and .tmpl are Go, all else is Jinja. NULL is Jinja. */
am_template_language am_template_language_of(const char *path);

adam_status am_chat_template_open(am_template_language language, const char *name, const char *text,
                                  size_t n_bytes, am_chat_template **out, adam_error *error);
void am_chat_template_close(am_chat_template **tmpl);
am_template_language am_chat_template_language(const am_chat_template *tmpl);
/* NULL for Jinja. */
const am_go_template *am_chat_template_go(const am_chat_template *tmpl);

adam_status am_chat_template_render(const am_chat_template *tmpl, const am_chat_request *request, am_buf *out,
                                    adam_error *error);

#endif
