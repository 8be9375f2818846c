/* SPDX-License-Identifier: Apache-2.0 */
/* backend/remote/answer: one answer while it comes in: pieces to the sink, what was counted to the outcome.
 * A thinking part that the server left in the text (<think>...</think> in front) is taken out of it, except
 * in raw answers. One thread at a time. */
#ifndef AM_BACKEND_REMOTE_ANSWER_H
#define AM_BACKEND_REMOTE_ANSWER_H

#include "backend/remote/calls.h"
#include "backend/remote/logprobs.h"
#include "engine/thinking.h"
#include <adam/backend.h>

/* Zero-initialise, then begin; am_remote_answer_close. */
typedef struct am_remote_answer {
  const char *model; /* for errors; borrowed */
  const adam_request *request;
  const adam_sink *sink;
  adam_outcome *outcome;
  bool mute;       /* max_tokens is 0: one token was asked for and is not shown */
  bool cancelled;  /* by the sink */
  bool has_reason; /* the server said why it ended: finish_reason of the outcome is set */
  size_t n_pieces; /* with text: about a token each, until the server counts */
  size_t n_calls;  /* sent */
  double begin_ms, first_ms, last_ms;
  am_remote_calls calls;
  am_thinking splitter;
  am_buf thought, said;
} am_remote_answer;

void am_remote_answer_begin(am_remote_answer *answer, const char *model, const adam_request *request,
                            const adam_sink *sink, adam_outcome *outcome);
void am_remote_answer_close(am_remote_answer *answer);
/* For am_remote_stream.on_idle; user is the answer. */
bool am_remote_answer_idle(void *user);
adam_status am_remote_answer_think(am_remote_answer *answer, const char *text, size_t n_bytes);
/* logprobs: of this text, or NULL. */
adam_status am_remote_answer_say(am_remote_answer *answer, const char *text, size_t n_bytes,
                                 const am_remote_logprobs *logprobs, adam_error *error);
/* Sends a call that is whole. Arguments that are no JSON are sent as they are, with a notice. */
adam_status am_remote_answer_call(am_remote_answer *answer, const am_remote_call_part *call,
                                  adam_error *error);
/* The end: what is held back, the calls (those of an answer that was cut for its length are dropped, with a
 * notice), and the counts that the server did not tell. */
adam_status am_remote_answer_end(am_remote_answer *answer, adam_error *error);
void am_remote_notice(const adam_sink *sink, adam_notice_level level, const char *code, const char *format,
                      ...) AM_PRINTF(4, 5);

#endif
