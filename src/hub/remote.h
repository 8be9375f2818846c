/* SPDX-License-Identifier: Apache-2.0 */
/* hub/remote: the Hub at the other end: where it is, who asks, what its answers mean.
 * From the environment, as huggingface_hub reads it: HF_ENDPOINT, HF_TOKEN, HUGGING_FACE_HUB_TOKEN, HF_TOKEN_PATH,
 * HF_HOME/token, HF_HUB_DISABLE_IMPLICIT_TOKEN, HF_HUB_OFFLINE, TRANSFORMERS_OFFLINE, HF_HUB_ETAG_TIMEOUT (to
 * connect, and between two pieces of a listing), HF_HUB_DOWNLOAD_TIMEOUT (between two pieces of a file);
 * ADAM_RETRY_MS (1000) is the first pause between two tries.
 * Threads: immutable after open; any number of requests at once.
 * Invariant: the token goes to the endpoint's own host and nowhere else, and into no error and no log. */
#ifndef AM_HUB_REMOTE_H
#define AM_HUB_REMOTE_H

#include "base/buf.h"
#include "net/http.h"
#include <adam/status.h>

typedef struct am_hub_remote {
  char *endpoint; /* owned; no slash at the end */
  char *shown;    /* owned; the endpoint without user and password, for words */
  char *bearer;   /* owned; "Authorization: Bearer ..."; NULL = no token */
  bool offline;
  uint32_t answer_timeout_ms, read_timeout_ms;
  double retry_ms;
  bool (*cancelled)(void *user); /* set by the owner; NULL = never */
  /* Told before a pause of wait_ms ("the Hub asks to wait"); NULL = nobody listens. */
  void (*on_wait)(void *user, const char *why, double wait_ms);
  void *user;
} am_hub_remote;

/* A transfer that brings less than a kilobyte in so many of its own timeouts is given up: am_http_request's
 * slow_timeout_ms. */
uint32_t am_hub_slow_ms(uint32_t timeout_ms);
/* Bytes of an answer's body that are read although nobody wants them, as that of a refusal; more is cut off. */
enum { AM_HUB_UNWANTED_BYTES = 1 << 16 };

/* token: NULL = the environment's. */
adam_status am_hub_remote_open(const char *token, am_hub_remote *out, adam_error *error);
void am_hub_remote_close(am_hub_remote *remote);

/* A boolean variable of huggingface_hub: 1, ON, YES, TRUE in any case. */
bool am_hub_variable_is_set(const char *name);
/* Does `url` lead to the scheme, host and port of the endpoint? */
bool am_hub_is_endpoint(const am_hub_remote *remote, const char *url);
/* Appends text percent-encoded; '/' too unless keep_slash. */
bool am_hub_append_encoded(am_buf *buf, const char *text, bool keep_slash);

/* What a request is about, for the words of its errors; path NULL = the model itself. */
typedef struct am_hub_subject {
  const char *what; /* as the user wrote it */
  const char *repository, *revision, *path;
} am_hub_subject;

/* GETs a JSON text, up to 64 MiB, with all retries. A status from 400 on is an error in words. */
adam_status am_hub_get(const am_hub_remote *remote, const char *url, const am_hub_subject *subject, am_buf *body,
                       am_http_response *response, adam_error *error);

/* Retries of one piece of work; zero-initialise, and again whenever bytes came. */
typedef struct am_hub_tries {
  uint32_t n;
} am_hub_tries;
/* After a failed attempt: pauses and returns true where another one has a chance; false: give up (also when
 * cancelled). response: of an HTTP status of 400 or more, NULL = the transport failed with `status`. */
bool am_hub_try_again(const am_hub_remote *remote, am_hub_tries *tries, const am_http_response *response,
                      adam_status status);
/* The error of an HTTP status of 400 or more. */
adam_status am_hub_refused(const am_hub_remote *remote, const am_hub_subject *subject,
                           const am_http_response *response, adam_error *error);

#endif
