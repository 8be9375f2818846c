/* SPDX-License-Identifier: Apache-2.0 */
/* backend/remote/calls: tool calls that come in fragments, put together. One thread at a time. */
#ifndef AM_BACKEND_REMOTE_CALLS_H
#define AM_BACKEND_REMOTE_CALLS_H

#include "base/buf.h"
#include <adam/status.h>

/* A call as adam_chunk has it. id: NULL or "" = one is made from seed and number. arguments: JSON text; empty
 * = {}. false: memory is out. */
bool am_remote_call_json(am_buf *out, const char *id, uint64_t seed, size_t number, const char *name,
                         const char *arguments, size_t n_bytes);

typedef struct am_remote_call_part {
  int64_t index; /* the server's */
  char *id;      /* owned; NULL = none yet */
  am_buf name, arguments;
} am_remote_call_part;

/* Zero-initialise; am_remote_calls_close. */
typedef struct am_remote_calls {
  am_remote_call_part *items;
  size_t n;
  size_t bytes; /* of all arguments */
} am_remote_calls;

/* The call with that index, begun where there is none; index -1: the server gives none, so that an id begins
 * a call and anything else goes on with the last. ADAM_LIMIT beyond 256 calls. */
adam_status am_remote_calls_at(am_remote_calls *calls, int64_t index, const char *id, const char *what,
                               am_remote_call_part **out, adam_error *error);
/* ADAM_LIMIT beyond 64 MiB in all. */
adam_status am_remote_calls_add(am_remote_calls *calls, am_remote_call_part *call, const char *arguments,
                                size_t n_bytes, const char *what, adam_error *error);
void am_remote_calls_close(am_remote_calls *calls);

#endif
