/* SPDX-License-Identifier: Apache-2.0 */
/* share/chat: which of the known Go templates stands for a model's own chat template, by template/match's comparison of
 * texts and token ids. Where none does, because the model's Jinja has a system text of its own that it takes when none
 * is given, that text is found, and a template that fits together with it is taken: it becomes a layer of the model. */
#ifndef AM_SHARE_CHAT_H
#define AM_SHARE_CHAT_H

#include "base/buf.h"
#include "loader/loader.h"
#include "share/share.h"

typedef struct am_share_chat {
  const char *name;          /* of the row; NULL = none fits, or the model has no template */
  const char *text;          /* Go template; static */
  const char *const *stops;  /* static; n_stops */
  size_t n_stops;
  am_buf system;             /* a default system text; "" = none */
  bool has_own;              /* the model has a chat template */
  char difference[320];      /* where no row fits: how the nearest one differs; one line */
} am_share_chat;

/* source: the model as it lies there; gguf: the file that is shared, whose own copy of the Jinja has to agree with the
 * source's (a notice, when it does not); NULL: it is not made yet. Always close. */
adam_status am_share_chat_choose(const am_loader *source, const char *gguf, const am_share_request *request,
                                 am_share_chat *out, adam_error *error);
void am_share_chat_close(am_share_chat *chat);

#endif
