/* SPDX-License-Identifier: Apache-2.0 */
/* manager/logprobs: gathers the log-probabilities of chunks and hands them out as one block. */
#ifndef AM_MANAGER_LOGPROBS_H
#define AM_MANAGER_LOGPROBS_H

#include "base/buf.h"
#include <adam/types.h>

enum { AM_MOST_TOP_LOGPROBS = 1000 };

typedef struct am_logprob_list {
  am_buf tokens; /* adam_token_logprobs each; pointers are offsets until take */
  am_buf tops;   /* adam_logprob each */
  am_buf bytes;
} am_logprob_list; /* zero-initialise */

/* Appends what the chunk has for its ids; an entry of NaN for each where it has none. false: memory. */
bool am_logprob_list_add(am_logprob_list *list, const adam_chunk *chunk);
/* One block with an entry for each id so far, to be freed whole; NULL: memory is out. */
adam_token_logprobs *am_logprob_list_take(const am_logprob_list *list);
void am_logprob_list_close(am_logprob_list *list);

#endif
