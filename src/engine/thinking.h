/* SPDX-License-Identifier: Apache-2.0 */
/* engine/thinking: splits an answer into the thinking part and the rest while it streams.
 * In: pieces of text, cut anywhere. Out: the text of each part without the tags <think> and </think>
 * and the newlines around them. A text that does not begin with <think> (white space in front is
 * allowed) has no thinking part; without </think> all that follows is thinking. One thread. */
#ifndef AM_ENGINE_THINKING_H
#define AM_ENGINE_THINKING_H

#include "base/buf.h"

typedef enum am_thinking_state {
  AM_THINKING_LEAD,   /* nothing but white space or the beginning of the tag so far */
  AM_THINKING_OPENED, /* after <think>: newlines are dropped */
  AM_THINKING_INSIDE,
  AM_THINKING_CLOSED, /* after </think>: newlines are dropped */
  AM_THINKING_ANSWER
} am_thinking_state;

typedef struct am_thinking {
  am_thinking_state state;
  am_buf held; /* may be part of a tag, or newlines before one */
} am_thinking;

/* Zero-initialise, then begin: `inside` when the prompt already ended in <think>. Keeps memory. */
void am_thinking_begin(am_thinking *thinking, bool inside);
void am_thinking_close(am_thinking *thinking);
/* Appends to `thought` and `answer` what is certain; in one call thought comes before answer. false:
 * memory is out. */
bool am_thinking_push(am_thinking *thinking, const char *text, size_t n_bytes, am_buf *thought,
                      am_buf *answer);
/* Appends what is still held back at the end of the stream. */
bool am_thinking_finish(am_thinking *thinking, am_buf *thought, am_buf *answer);

#endif
