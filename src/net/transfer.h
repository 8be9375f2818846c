/* SPDX-License-Identifier: Apache-2.0 */
/* net/transfer: one hop of a request, over a libcurl handle out of a pool that keeps connections open. Inside of
 * the room only. Threads: any. */
#ifndef AM_NET_TRANSFER_H
#define AM_NET_TRANSFER_H

#include "net/http.h"

typedef struct am_transfer {
  const am_http_request *request;
  const char *method; /* of this hop */
  const char *url;    /* of this hop */
  const char *shown;  /* the URL without user, password and query, for errors */
  bool with_body;     /* send the request's body */
  bool with_secrets;  /* send Authorization, Cookie and keys */
  bool loopback;      /* no proxy */
  double deadline_ms; /* am_clock_ms at which the whole request is over; 0 = none */
  bool (*on_body)(void *user, const void *bytes, size_t n_bytes);
  bool (*on_idle)(void *user);
  void *user;
  am_http_response *response; /* status, headers and body_bytes are filled */
  bool drops_redirects;       /* the body of a redirect is not handed over */
} am_transfer;

adam_status am_transfer_run(am_transfer *transfer, adam_error *error);
/* Is this "Name: value" a header of that name? */
bool am_transfer_header_is(const char *header, const char *name);

#endif
