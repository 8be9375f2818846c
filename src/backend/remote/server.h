/* SPDX-License-Identifier: Apache-2.0 */
/* backend/remote/server: a server of a vendor's API: where it is, the key for it, calls and streams.
 * In: a path and a JSON body. Out: JSON, whole or event by event. Threads: a server is immutable after open
 * and its first call.
 * Invariants: the key goes into a request's header to that one server and nowhere else: redirects are not
 * followed, and words of the server in which it says the key again are blotted out. What a server does wrong
 * (an error in the middle, an end without an end mark, an event that is no JSON) is a failure in words that
 * say so; nothing of it passes for an answer. */
#ifndef AM_BACKEND_REMOTE_SERVER_H
#define AM_BACKEND_REMOTE_SERVER_H

#include "base/json.h"
#include "net/http.h"
#include <adam/backend.h>

typedef struct am_remote_vendor {
  const char *name;         /* of the backend */
  const char *url;          /* the vendor's own server */
  const char *url_ends;     /* cut off an address that ends in it; NULL = none */
  const char *url_hint;     /* what an address looks like */
  const char *name_hint;    /* where the names of models are */
  const char *url_variable; /* OPENAI_BASE_URL */
  const char *key_variable; /* OPENAI_API_KEY */
  const char *key_header;   /* "Authorization: Bearer " */
  const char
      *other_header;  /* the key in another way, for a server that does not take it in that; NULL = none */
  const char *header; /* one more; NULL = none */
} am_remote_vendor;

typedef struct am_remote_server {
  const am_remote_vendor *vendor;
  char *url;           /* without a slash at the end; owned */
  char *key;           /* owned; NULL = none */
  char *key_header;    /* whole; owned; NULL = none */
  bool is_named;       /* by the caller or the environment: not the vendor's own */
  uint32_t timeout_ms; /* without anything new */
} am_remote_server;

/* The key: the caller's file, else the variable, else VENDOR.key in adam's configuration folder; files of
 * mode 0600 only. options may be NULL. Sends nothing. ADAM_UNAVAILABLE: the vendor's own server, and no key.
 */
adam_status am_remote_open(const am_remote_vendor *vendor, const adam_model_options *options,
                           am_remote_server *out, adam_error *error);
void am_remote_close(am_remote_server *server);

/* What a server said against a request. Zero-initialise. */
typedef struct am_remote_refusal {
  long code;           /* of HTTP; 0 = there was none */
  bool is_api;         /* the words are JSON of the API, not of something before it */
  bool is_unsupported; /* a parameter or its value is unknown to it, as opposed to wrong */
  char parameter[64];  /* that it names; "" = none */
  char words[400];
} am_remote_refusal;
/* Does it speak of this parameter as unknown or unsupported? */
bool am_remote_refuses(const am_remote_refusal *refusal, const char *parameter);

/* failure.c: an answer of a status other than 2xx as an error. what: the model; NULL = the server. */
adam_status am_remote_fail(const am_remote_server *server, const am_http_response *response,
                           const am_buf *body, const char *what, am_remote_refusal *refusal,
                           adam_error *error);
/* The words of an error object, in the middle of a stream or with status 200; what: the model. */
adam_status am_remote_fail_object(const am_remote_server *server, const am_json *object, const char *what,
                                  adam_error *error);
/* A failure of the transport, told as one of the server. */
adam_status am_remote_fail_transport(const am_remote_server *server, adam_status status,
                                     const adam_error *found, const char *what, adam_error *error);

typedef struct am_remote_ask {
  const char *method, *path; /* path: "/models"; put behind the server's address */
  const am_buf *body;        /* NULL = none */
  const char *what;          /* the model, for errors; NULL = the server */
  bool is_quick;             /* an answer that needs no model: 15 s */
} am_remote_ask;
/* The first call of a server, which may find out that it wants the key in the vendor's other header. */
adam_status am_remote_first_call(am_remote_server *server, const am_remote_ask *ask, am_arena *arena,
                                 am_json *out, am_remote_refusal *refusal, adam_error *error);
/* One call with one JSON answer, whose nodes live in arena. refusal may be NULL. */
adam_status am_remote_call(const am_remote_server *server, const am_remote_ask *ask, am_arena *arena,
                           am_json *out, am_remote_refusal *refusal, adam_error *error);

/* What the reader of a stream makes of an event. */
typedef struct am_remote_turn {
  bool done; /* the answer is whole; what may still come is waited for, but not long */
  bool last; /* nothing comes any more */
  bool cancel;
  bool moved; /* there was something new: the time limit begins again */
} am_remote_turn;

typedef struct am_remote_stream {
  /* An event, valid until it returns. name: "" where it has none; NULL: the answer is no stream, and object
   * all of it. object NULL: the event is the mark "[DONE]". */
  adam_status (*on_event)(void *user, const char *name, const am_json *object, am_remote_turn *turn,
                          adam_error *error);
  bool (*on_idle)(void *user); /* about every 100 ms; true = cancel */
  void *user;
} am_remote_stream;
/* ADAM_CANCELLED: a callback said so, and the connection is closed. */
adam_status am_remote_stream_call(const am_remote_server *server, const am_remote_ask *ask,
                                  const am_remote_stream *stream, am_remote_refusal *refusal,
                                  adam_error *error);

#endif
