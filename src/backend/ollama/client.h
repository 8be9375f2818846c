/* SPDX-License-Identifier: Apache-2.0 */
/* backend/ollama/client: calls of an Ollama server.
 * In: a path and a JSON body. Out: JSON, whole or object by object. Threads: a client is immutable after open.
 * Invariant: what a server does wrong (an error in the middle, an end without "done", text that is no JSON)
 * is a failure in words that say so; nothing of it passes for an answer. */
#ifndef AM_BACKEND_OLLAMA_CLIENT_H
#define AM_BACKEND_OLLAMA_CLIENT_H

#include "backend/ollama/host.h"
#include "base/json.h"
#include <adam/backend.h>

typedef struct am_ollama_client {
  am_ollama_host host;
  char *keep_alive; /* as JSON; owned; NULL = the server's own */
  int64_t n_ctx;    /* 0 = the model's own */
  int32_t n_threads;
  bool start_server;
} am_ollama_client;

/* options may be NULL. Sends nothing. */
adam_status am_ollama_client_open(const adam_model_options *options, am_ollama_client *out, adam_error *error);
void am_ollama_client_close(am_ollama_client *client);

/* One call with one JSON answer. body: NULL = none. out: NULL = whatever comes is fine; else an object, whose
 * nodes live in arena. what: the model, for errors; NULL = the server. */
adam_status am_ollama_call(const am_ollama_client *client, const char *method, const char *path,
                           const am_buf *body, const char *what, am_arena *arena, am_json *out,
                           adam_error *error);

/* A call whose answer comes object by object. */
typedef struct am_ollama_stream {
  /* Each object, valid until it returns. Sets *done when it is the last one; sets *cancel to stop. */
  adam_status (*on_object)(void *user, const am_json *object, bool *done, bool *cancel, adam_error *error);
  bool (*on_idle)(void *user); /* about every 100 ms; true = cancel. NULL = none */
  void *user;
} am_ollama_stream;
/* ADAM_CANCELLED: a callback said so, and the connection is closed. */
adam_status am_ollama_stream_call(const am_ollama_client *client, const char *path, const am_buf *body,
                                  const char *what, const am_ollama_stream *stream, adam_error *error);

/* Is there a server? ADAM_UNAVAILABLE with how to start one; starts it where the client may. */
adam_status am_ollama_reach(const am_ollama_client *client, adam_error *error);
/* Begins a body: {"model":NAME and, where there is one, "keep_alive"; the brace is left open. */
void am_ollama_body_begin(const am_ollama_client *client, const char *model, am_buf *body);
/* "0.9.6" as 0 * 1000000 + 9 * 1000 + 6; 0 = unknown. */
int64_t am_ollama_version(const am_ollama_client *client);

#endif
