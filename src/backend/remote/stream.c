/* SPDX-License-Identifier: Apache-2.0 */
/* Calls of a server: with one answer, and with a stream of events. */
#include "backend/remote/server.h"

#include "base/mem.h"
#include "net/events.h"
#include "os/clock.h"
#include <string.h>
#include <strings.h>

enum {
  ANSWER_LIMIT = 256 << 20, /* bytes of one JSON answer: embeddings of a batch, or all of an answer */
  STREAM_LIMIT = 1 << 30,
  ERROR_LIMIT = 1 << 20,
  NODES_LIMIT = 1 << 30, /* bytes that a parsed answer may take */
  CONNECT_MS = 10000,
  QUICK_MS = 15000,
  PATIENCE_MS = 5000 /* behind the end of an answer, for its counts and the end mark */
};

static char *join_url(const am_remote_server *server, const char *path) {
  am_buf url = {0};
  am_buf_printf(&url, "%s%s", server->url, path);
  char *text = url.failed ? NULL : am_buf_take(&url);
  am_buf_close(&url);
  return text;
}

static am_http_request make_request(const am_remote_server *server, const am_remote_ask *ask, const char *url,
                                    const char *headers[3]) {
  size_t n = 0;
  if (server->key_header) headers[n++] = server->key_header;
  if (server->vendor->header) headers[n++] = server->vendor->header;
  if (ask->body) headers[n++] = "Content-Type: application/json";
  return (am_http_request){.method = ask->method,
                           .url = url,
                           .headers = headers,
                           .n_headers = n,
                           .body = ask->body ? ask->body->data : NULL,
                           .body_bytes = ask->body ? ask->body->len : 0,
                           .connect_timeout_ms = CONNECT_MS,
                           .idle_timeout_ms = ask->is_quick && server->timeout_ms > QUICK_MS
                                                  ? (uint32_t)QUICK_MS
                                                  : server->timeout_ms,
                           .total_timeout_ms = ask->is_quick ? QUICK_MS : 0,
                           .body_limit = ANSWER_LIMIT};
}

static adam_status parse_answer(const am_remote_server *server, const am_remote_ask *ask,
                                const am_buf *answer, am_arena *arena, am_json *out, adam_error *error) {
  adam_error found = {0};
  arena->limit_bytes = NODES_LIMIT;
  adam_status status =
      am_json_parse(answer->data ? answer->data : "", answer->len, "answer", 0, arena, out, &found);
  if (status == ADAM_DAMAGED || (!status && out->type != AM_JSON_OBJECT))
    return am_fail(error, ADAM_FAILED, ask->what ? ask->what : server->vendor->name, server->vendor->url_hint,
                   "the answer of %s%s is no JSON object", server->url, ask->path);
  if (status && error) *error = found;
  return status;
}

adam_status am_remote_call(const am_remote_server *server, const am_remote_ask *ask, am_arena *arena,
                           am_json *out, am_remote_refusal *refusal, adam_error *error) {
  am_buf answer = {0};
  am_http_response response = {0};
  adam_error found = {0};
  const char *headers[3];
  char *url = join_url(server, ask->path);
  if (refusal) *refusal = (am_remote_refusal){0};
  if (!url || (ask->body && ask->body->failed)) {
    am_mem_free(url);
    return am_fail_memory(error, server->vendor->name);
  }
  am_http_request request = make_request(server, ask, url, headers);
  adam_status status = am_http_fetch(&request, &answer, &response, &found);
  if (status)
    status = am_remote_fail_transport(server, status, &found, ask->what, error);
  else if (response.status / 100 != 2)
    status = am_remote_fail(server, &response, &answer, ask->what, refusal, error);
  else
    status = parse_answer(server, ask, &answer, arena, out, error);
  am_http_response_close(&response);
  am_buf_close(&answer);
  am_mem_free(url);
  return status;
}

/* A stream under way. */
typedef struct reader {
  const am_remote_server *server;
  const am_remote_ask *ask;
  const am_remote_stream *stream;
  am_http_response *response;
  am_events events;
  am_buf whole; /* the body, where it is an error or no stream */
  bool is_whole, is_begun;
  am_remote_turn turn;
  adam_status status;
  adam_error *error;
  double moved_ms;
} reader;

static adam_status turn_object(reader *r, const char *name, const am_json *object) {
  r->turn.moved = false;
  adam_status status = r->stream->on_event(r->stream->user, name, object, &r->turn, r->error);
  if (r->turn.moved) r->moved_ms = am_clock_ms();
  return status;
}

static adam_status read_event(reader *r, const char *name, const char *data, size_t n_bytes) {
  am_arena arena = {.limit_bytes = NODES_LIMIT};
  am_json object = {0};
  adam_error found = {0};
  if (n_bytes == 6 && !memcmp(data, "[DONE]", 6)) return turn_object(r, name, NULL);
  adam_status status = am_json_parse(data, n_bytes, "event", 0, &arena, &object, &found);
  const am_json *failure = am_json_get(&object, "error");
  if (status == ADAM_DAMAGED || (!status && object.type != AM_JSON_OBJECT)) {
    status = am_fail(
        r->error, ADAM_FAILED, r->ask->what, NULL, "event %llu of the server at %s is no JSON object%s%s",
        (unsigned long long)r->events.n_events, r->server->url, *found.why ? ": " : "", found.why);
  } else if (status) {
    if (r->error) *r->error = found;
  } else if ((failure && !am_json_is_null(failure)) || !strcmp(name, "error")) {
    status = am_remote_fail_object(r->server, &object, r->ask->what, r->error);
  } else {
    status = turn_object(r, name, &object);
  }
  am_arena_close(&arena);
  return status;
}

static bool on_event(void *user, const char *name, const char *data, size_t n_bytes) {
  reader *r = user;
  if (n_bytes > 0) r->status = read_event(r, name, data, n_bytes);
  return r->status || r->turn.cancel || r->turn.last;
}

static bool is_json(const am_http_response *response) {
  const char *type = am_http_header(response, "Content-Type");
  return type &&
         (!strncasecmp(type, "application/json", 16) || !strncasecmp(type, "application/problem+json", 24));
}

static bool on_body(void *user, const void *bytes, size_t n_bytes) {
  reader *r = user;
  if (!r->is_begun) {
    r->is_begun = true;
    r->is_whole = r->response->status / 100 != 2 || is_json(r->response);
  }
  if (r->is_whole) {
    size_t limit = r->response->status / 100 != 2 ? ERROR_LIMIT : ANSWER_LIMIT;
    am_buf_append(&r->whole, bytes, n_bytes);
    return r->whole.failed || r->whole.len >= limit;
  }
  if (r->turn.last) return true;
  adam_status status = am_events_push(&r->events, bytes, n_bytes, r->ask->what, on_event, r, r->error);
  if (status && !r->status) r->status = status;
  return r->status || r->turn.cancel;
}

static bool on_idle(void *user) {
  reader *r = user;
  double still_ms = am_clock_ms() - r->moved_ms;
  if (r->turn.done) return r->turn.last ? still_ms > PATIENCE_MS / 10 : still_ms > PATIENCE_MS;
  if (still_ms > r->server->timeout_ms) {
    r->status = am_fail(r->error, ADAM_FAILED, r->ask->what, "--server-timeout sets how long adam waits",
                        "nothing new came from the server at %s for %.3g s", r->server->url, still_ms / 1000);
    return true;
  }
  if (r->stream->on_idle && r->stream->on_idle(r->stream->user)) r->turn.cancel = true;
  return r->turn.cancel;
}

static adam_status finish_whole(reader *r) {
  am_arena arena = {0};
  am_json object = {0};
  adam_status status = parse_answer(r->server, r->ask, &r->whole, &arena, &object, r->error);
  const am_json *failure = am_json_get(&object, "error");
  if (!status && failure && !am_json_is_null(failure))
    status = am_remote_fail_object(r->server, &object, r->ask->what, r->error);
  else if (!status)
    status = turn_object(r, NULL, &object);
  am_arena_close(&arena);
  if (!status && r->turn.cancel) status = am_fail(r->error, ADAM_CANCELLED, r->ask->what, NULL, "cancelled");
  return status;
}

static adam_status finish(reader *r, adam_status status, const adam_error *found,
                          am_remote_refusal *refusal) {
  const char *what = r->ask->what;
  long code = r->response->status;
  if (r->turn.cancel) return am_fail(r->error, ADAM_CANCELLED, what, NULL, "cancelled");
  if (r->status) return r->status;
  if (r->whole.failed) return am_fail_memory(r->error, what);
  if (code && code / 100 != 2 && (!status || r->whole.len))
    return am_remote_fail(r->server, r->response, &r->whole, what, refusal, r->error);
  if (!status && r->is_whole) return finish_whole(r);
  if (!status && !r->turn.last && (status = am_events_end(&r->events, what, on_event, r, r->error)))
    return status;
  if (r->status) return r->status;
  if (r->turn.cancel) return am_fail(r->error, ADAM_CANCELLED, what, NULL, "cancelled");
  if (r->turn.done) return ADAM_OK;
  if (status && r->whole.len >= ANSWER_LIMIT)
    return am_fail(r->error, ADAM_LIMIT, what, NULL, "the answer is larger than %d MB", ANSWER_LIMIT >> 20);
  if (status) return am_remote_fail_transport(r->server, status, found, what, r->error);
  const char *type = am_http_header(r->response, "Content-Type");
  if (!r->events.n_events && type && !strncasecmp(type, "text/event-stream", 17))
    return am_fail(r->error, ADAM_FAILED, what, "its log may say why",
                   "the server at %s ended its answer before the first event of it", r->server->url);
  if (!r->events.n_events)
    return am_fail(r->error, ADAM_FAILED, what, r->server->vendor->url_hint,
                   "the server at %s answers, but with no event of a stream", r->server->url);
  return am_fail(
      r->error, ADAM_FAILED, what, NULL,
      "the server at %s ended its answer without saying that it is done: what came is not the whole",
      r->server->url);
}

adam_status am_remote_stream_call(const am_remote_server *server, const am_remote_ask *ask,
                                  const am_remote_stream *stream, am_remote_refusal *refusal,
                                  adam_error *error) {
  am_http_response response = {0};
  adam_error found = {0};
  const char *headers[3];
  reader r = {.server = server,
              .ask = ask,
              .stream = stream,
              .response = &response,
              .error = error,
              .moved_ms = am_clock_ms()};
  char *url = join_url(server, ask->path);
  if (refusal) *refusal = (am_remote_refusal){0};
  if (!url || ask->body->failed) {
    am_mem_free(url);
    return am_fail_memory(error, ask->what);
  }
  am_http_request request = make_request(server, ask, url, headers);
  request.idle_timeout_ms =
      AM_HTTP_NO_TIMEOUT; /* on_idle has the limit: a byte now and then is nothing new */
  request.body_limit = STREAM_LIMIT;
  adam_status status = am_http_send(&request, on_body, on_idle, &r, &response, &found);
  status = finish(&r, status, &found, refusal);
  am_events_close(&r.events);
  am_buf_close(&r.whole);
  am_http_response_close(&response);
  am_mem_free(url);
  return status;
}
