/* SPDX-License-Identifier: Apache-2.0 */
/* engine/structured: holds an answer to the request's constraint (JSON Schema, grammar, regex, choice).
 * In: the state of the thinking splitter and the ids that were chosen. Out: a mask before each choice, and
 * when the answer is over. The constraint begins behind the thinking part, which is free but gets no end
 * token and is closed by force while there is still room for </think> and the shortest text that is
 * allowed. Up to two tokens of newlines may stand between </think> and the text; they are no part of it.
 * Invariant: whatever is chosen from the masks, the text is complete when the tokens are used up. One thread.
 */
#ifndef AM_ENGINE_STRUCTURED_H
#define AM_ENGINE_STRUCTURED_H

#include "engine/loaded.h"
#include "engine/thinking.h"

typedef struct am_structured am_structured;

typedef struct am_structured_setting {
  const adam_request *request;
  const int32_t *prompt; /* borrowed for open */
  size_t n_prompt;
  uint64_t n_tokens; /* that may be generated */
  bool in_thinking;  /* the prompt ends in <think> */
  bool may_think;    /* the answer may begin with it */
} am_structured_setting;

/* *out = NULL for a request without a constraint. ADAM_INVALID: a faulty constraint, or too few tokens. */
adam_status am_structured_open(am_engine *engine, const am_structured_setting *setting, am_structured **out,
                               adam_error *error);
void am_structured_close(am_structured **structured);
/* n_left >= 1: tokens that may still be generated. *mask (n_vocab bits, borrowed until the next call); no
 * bit: nothing may follow and the text is complete. */
adam_status am_structured_mask(am_structured *structured, uint64_t n_left, const uint64_t **mask,
                               adam_error *error);
/* The id that was chosen. *lead: it is one of the newlines before the text. */
adam_status am_structured_accept(am_structured *structured, int32_t id, bool *lead, adam_error *error);
/* After the text of the id went through the splitter: notes where the thinking part ends. */
void am_structured_observe(am_structured *structured, am_thinking *thinking, am_buf *answer);
bool am_structured_in_text(const am_structured *structured);  /* past thinking: the splitter is not needed */
bool am_structured_complete(const am_structured *structured); /* the text may end here */
bool am_structured_over(const am_structured *structured);     /* and nothing may follow */

#endif
