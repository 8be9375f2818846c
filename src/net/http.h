/* SPDX-License-Identifier: Apache-2.0 */
/* net/http: one HTTP request at a time, over libcurl.
 * Purpose: every byte that adam sends to or gets from a network goes through here. In: a request whose strings
 *   are borrowed. Out: status, headers and body of the answer, all of them limited. Threads: any; connections
 *   are kept open between requests and shared by all threads. Proxies by HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and
 *   NO_PROXY, either case; loopback never goes through one. TLS is verified, with the system's certificates or
 *   those of SSL_CERT_FILE or SSL_CERT_DIR.
 * Invariant: an Authorization, Cookie, X-Api-Key or Api-Key header goes to the host (scheme, name and port) that
 *   the request names and to no other, and no header value or query is ever part of an error's words.
 * A status of 400 and above is no failure of this room. Failures: ADAM_UNAVAILABLE (cannot resolve or connect),
 *   ADAM_FAILED (cut in the middle, timeout, TLS, too many redirects), ADAM_LIMIT (header or body limit),
 *   ADAM_CANCELLED, ADAM_INVALID (a URL or header that is none), ADAM_IO (body_file). */
#ifndef AM_NET_HTTP_H
#define AM_NET_HTTP_H

#include "base/buf.h"
#include <adam/status.h>

enum { AM_HTTP_NO_TIMEOUT = UINT32_MAX };

/* Zero-initialise. Everything is borrowed for the call. */
typedef struct am_http_request {
  const char *method;         /* NULL = "GET" */
  const char *url;            /* http:// or https:// */
  const char *const *headers; /* "Name: value"; User-Agent is adam/VERSION unless one is here */
  size_t n_headers;
  const void *body;           /* NULL = none, unless body_file */
  size_t body_bytes;
  const char *body_file;      /* streamed instead of body; NULL = none */
  bool follow_redirects;      /* up to 10; 301, 302 and 303 turn a POST into a GET; https to http is refused */
  uint32_t connect_timeout_ms; /* 0 = 10 s */
  uint32_t idle_timeout_ms;   /* without a byte in either direction; 0 = 60 s, AM_HTTP_NO_TIMEOUT = for ever */
  uint32_t slow_timeout_ms;   /* fewer than 1 KiB in either direction in that time is a failure, too; 0 = none */
  uint32_t total_timeout_ms;  /* 0 = none */
  uint64_t body_limit;        /* bytes of the answer; 0 = none; am_http_fetch: 0 = 64 MiB */
  size_t header_limit;        /* bytes of all headers of one hop, interim answers and trailers counted; 0 = 256 KiB */
} am_http_request;

/* Zero-initialise; am_http_response_close in every case. Status and headers are those of the last hop and are
 * there before the first body byte is handed over. */
typedef struct am_http_response {
  long status;         /* 0 = there was no answer */
  char *final_url;     /* owned; where the last hop went */
  char *location;      /* owned; the Location of a redirect that was not followed, made absolute; NULL = none */
  uint64_t body_bytes; /* received */
  uint32_t n_redirects;
  am_buf headers;      /* name NUL value NUL ...; read with am_http_header */
} am_http_response;

void am_http_response_close(am_http_response *response);
/* First header of that name (any case), without blanks around it; borrowed; NULL = none. */
const char *am_http_header(const am_http_response *response, const char *name);

/* Sends, and hands the body of the last hop over piece by piece on the calling thread. on_body (NULL = the body
 * is dropped): true = cancel. on_idle (NULL = none): about every 100 ms, whatever the transfer does; true =
 * cancel. A cancelled request's connection is closed. */
adam_status am_http_send(const am_http_request *request,
                         bool (*on_body)(void *user, const void *bytes, size_t n_bytes),
                         bool (*on_idle)(void *user), void *user, am_http_response *response,
                         adam_error *error);
/* The whole body into `body`, replacing what it held. */
adam_status am_http_fetch(const am_http_request *request, am_buf *body, am_http_response *response,
                          adam_error *error);

#endif
