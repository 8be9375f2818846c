/* SPDX-License-Identifier: Apache-2.0 */
/* hub/fetch: one GET for a range of one file, through the Hub's redirects. Any thread. */
#ifndef AM_HUB_FETCH_H
#define AM_HUB_FETCH_H

#include "hub/tree.h"

typedef enum am_hub_answer {
  AM_HUB_CAME,      /* bytes came, perhaps not all of the range: ask for the rest */
  AM_HUB_NO_RANGES, /* the server sends the whole file, whatever is asked: ask for that */
  AM_HUB_EXPIRED,   /* the signed address is no longer good: ask without route */
  AM_HUB_REFUSED    /* a status of 400 or more, in `response` */
} am_hub_answer;

typedef struct am_hub_fetch {
  /* In: borrowed for the call. */
  const am_hub_remote *remote;
  const am_hub_subject *subject; /* revision: the commit */
  const am_hub_file *file;
  const char *route;             /* where an earlier call was sent to; NULL = ask the Hub */
  uint64_t first, end;           /* bytes [first, end) of the file */
  bool whole;                    /* no Range: all of the file, first is 0 */
  bool (*on_bytes)(void *user, const void *bytes, size_t n_bytes); /* in order from first; true = stop */
  void *user;
  /* Out. */
  am_hub_answer answer;
  char *new_route;               /* owned; NULL = none */
  am_http_response response;     /* of the last hop; to be closed */
} am_hub_fetch;

/* ADAM_OK: see answer. Otherwise the transport failed (bytes may have come), or the server contradicts its own
 * listing (ADAM_DAMAGED). */
adam_status am_hub_fetch_range(am_hub_fetch *fetch, adam_error *error);
void am_hub_fetch_close(am_hub_fetch *fetch);

#endif
