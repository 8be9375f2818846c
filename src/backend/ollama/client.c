/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/ollama/client.h"

#include "backend/ollama/start.h"
#include "base/mem.h"
#include "net/http.h"
#include "net/lines.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
  ANSWER_LIMIT = 256 << 20, /* bytes of one JSON answer: /api/embed of a batch, /api/show with licenses */
  ERROR_LIMIT = 1 << 20,
  NODES_LIMIT = 1 << 30, /* bytes that a parsed answer may take */
  PATIENCE = 5,          /* ticks of 100 ms for the end of a stream behind its last object */
  CONNECT_MS = 5000
};

static bool text_has(const char *text, const char *word) { return strstr(text, word) != NULL; }

/* A number of seconds stays one, anything else is Go's spelling of a duration. */
static char *keep_alive_json(const char *text) {
  am_buf out = {0};
  char *end;
  strtod(text, &end);
  bool number = *text && !*end && strspn(text, "+-.0123456789") == strlen(text);
  if (number)
    am_buf_printf(&out, "%.15g", strtod(text, NULL));
  else
    am_json_write_string(&out, text, strlen(text));
  char *json = out.failed ? NULL : am_buf_take(&out);
  am_buf_close(&out);
  return json;
}

/* Go's time.ParseDuration: numbers with units, as in 1h30m or -1s. */
static bool is_duration(const char *text) {
  if (*text == '-' || *text == '+') text++;
  if (!strcmp(text, "0")) return true;
  if (!*text) return false;
  while (*text) {
    static const char *const units[] = {"ns", "us", "ms", "s", "m", "h"};
    size_t n = strspn(text, "0123456789."), unit = 0;
    if (n == 0 || (n == 1 && *text == '.')) return false;
    text += n;
    for (n = 0; n == 0 && unit < 6; unit++)
      if (!strncmp(text, units[unit], strlen(units[unit]))) n = strlen(units[unit]);
    if (n == 0) return false;
    text += n;
  }
  return true;
}

adam_status am_ollama_client_open(const adam_model_options *o, am_ollama_client *out, adam_error *error) {
  am_ollama_client client = {0};
  const char *host = o && o->ollama_host && *o->ollama_host ? o->ollama_host : getenv("OLLAMA_HOST");
  if (o && o->keep_alive) {
    char *end;
    strtod(o->keep_alive, &end);
    if ((!*o->keep_alive || *end) && !is_duration(o->keep_alive))
      return am_fail(error, ADAM_INVALID, "keep_alive", "write seconds, or 10m, 1h30m, -1 (for ever), 0",
                     "'%s' is no duration", o->keep_alive);
    client.keep_alive = keep_alive_json(o->keep_alive);
    if (!client.keep_alive) return am_fail_memory(error, "keep_alive");
  }
  adam_status status = am_ollama_host_parse(host, &client.host, error);
  if (status) {
    am_ollama_client_close(&client);
    return status;
  }
  if (o) client.n_ctx = o->n_ctx, client.n_threads = o->n_threads, client.start_server = o->start_server;
  *out = client;
  return ADAM_OK;
}

void am_ollama_client_close(am_ollama_client *client) {
  am_ollama_host_close(&client->host);
  am_mem_free(client->keep_alive);
  *client = (am_ollama_client){0};
}

/* The words of {"error": ...}, or of a plain text. */
static adam_status fail_answer(const am_ollama_client *client, long code, const am_buf *body, const char *what,
                               adam_error *error) {
  am_arena arena = {.limit_bytes = NODES_LIMIT};
  am_json json = {0};
  const char *words = NULL;
  if (body->len && !am_json_parse(body->data, body->len, "error", 0, &arena, &json, NULL))
    words = am_json_str(am_json_get(&json, "error"), json.type == AM_JSON_STRING ? json.as.string : NULL);
  if (!words && body->len && body->len < 200) words = body->data;
  if (!words) words = "no reason given";
  adam_status status = ADAM_FAILED;
  const char *hint = NULL;
  if (code == 404 && what)
    status = ADAM_NOT_FOUND;
  else if (text_has(words, "does not support"))
    status = ADAM_UNSUPPORTED;
  else if (code == 503)
    status = ADAM_UNAVAILABLE, hint = "the server is busy: try again later";
  else if (code == 403 && !body->len)
    hint = "the server takes no requests for this name of a host: give an address or localhost";
  else if (code == 401)
    hint = "ollama signin";
  else if (code == 400 && (text_has(words, "context length") || text_has(words, "context size")))
    status = ADAM_LIMIT, hint = "--ctx N gives it more, as far as the model goes";
  else if (code == 400)
    status = ADAM_INVALID;
  am_fail(error, status, what ? what : client->host.url, hint, "Ollama answers %ld: %s", code, words);
  am_arena_close(&arena);
  return status;
}

/* A failure of the transport, told as one of the server. */
static adam_status fail_transport(const am_ollama_client *client, adam_status status, const adam_error *found,
                                  const char *what, adam_error *error) {
  if (status == ADAM_UNAVAILABLE)
    return am_fail(error, status, "ollama",
                   client->host.is_local ? "start it with: ollama serve; or give --start" : "is the address right?",
                   "no server answers at %s: %s", client->host.url, found->why);
  if (status == ADAM_NO_MEMORY || status == ADAM_CANCELLED)
    return am_fail(error, status, what ? what : "ollama", NULL, "%s", found->why);
  return am_fail(error, status, what ? what : "ollama", NULL, "the server at %s: %s", client->host.url, found->why);
}

static char *join_url(const am_ollama_client *client, const char *path) {
  am_buf url = {0};
  am_buf_printf(&url, "%s%s", client->host.url, path);
  char *text = url.failed ? NULL : am_buf_take(&url);
  am_buf_close(&url);
  return text;
}

static const char *const json_header[] = {"Content-Type: application/json"};

static am_http_request make_request(const char *method, const char *url, const am_buf *body) {
  return (am_http_request){.method = method,
                           .url = url,
                           .headers = json_header,
                           .n_headers = body ? 1 : 0,
                           .body = body ? body->data : NULL,
                           .body_bytes = body ? body->len : 0,
                           .connect_timeout_ms = CONNECT_MS,
                           .idle_timeout_ms = AM_HTTP_NO_TIMEOUT, /* loading a model takes what it takes */
                           .body_limit = ANSWER_LIMIT};
}

adam_status am_ollama_reach(const am_ollama_client *client, adam_error *error) {
  am_buf body = {0};
  am_http_response response = {0};
  adam_error found = {0};
  char *url = join_url(client, "/api/version");
  if (!url) return am_fail_memory(error, "ollama");
  am_http_request request = make_request("GET", url, NULL);
  request.idle_timeout_ms = 10000;
  request.body_limit = ERROR_LIMIT;
  adam_status status = am_http_fetch(&request, &body, &response, &found);
  if (status == ADAM_UNAVAILABLE && client->start_server) {
    status = am_ollama_start(client, error);
  } else if (status) {
    status = fail_transport(client, status, &found, NULL, error);
  } else if (response.status != 200 || !body.len || !text_has(body.data, "version")) {
    status = am_fail(error, ADAM_UNAVAILABLE, "ollama", "is the address right?",
                     "what answers at %s is no Ollama server (status %ld)", client->host.url, response.status);
  }
  am_http_response_close(&response);
  am_buf_close(&body);
  am_mem_free(url);
  return status;
}

int64_t am_ollama_version(const am_ollama_client *client) {
  am_arena arena = {.limit_bytes = ERROR_LIMIT};
  am_json json = {0};
  unsigned major = 0, minor = 0, patch = 0;
  int64_t version = 0;
  if (!am_ollama_call(client, "GET", "/api/version", NULL, NULL, &arena, &json, NULL) &&
      sscanf(am_json_str(am_json_get(&json, "version"), ""), "%4u.%4u.%4u", &major, &minor, &patch) >= 2)
    version = (int64_t)major * 1000000 + (int64_t)minor % 1000 * 1000 + patch % 1000;
  am_arena_close(&arena);
  return version;
}

adam_status am_ollama_call(const am_ollama_client *client, const char *method, const char *path,
                           const am_buf *body, const char *what, am_arena *arena, am_json *out,
                           adam_error *error) {
  am_buf answer = {0};
  am_http_response response = {0};
  adam_error found = {0};
  char *url = join_url(client, path);
  if (!url || (body && body->failed)) {
    am_mem_free(url);
    return am_fail_memory(error, "ollama");
  }
  am_http_request request = make_request(method, url, body);
  adam_status status = am_http_fetch(&request, &answer, &response, &found);
  if (status)
    status = fail_transport(client, status, &found, what, error);
  else if (response.status / 100 != 2)
    status = fail_answer(client, response.status, &answer, what, error);
  else if (out) {
    arena->limit_bytes = NODES_LIMIT;
    status = am_json_parse(answer.data ? answer.data : "", answer.len, "answer", 0, arena, out, &found);
    if (status == ADAM_DAMAGED || (!status && out->type != AM_JSON_OBJECT))
      status = am_fail(error, ADAM_FAILED, what ? what : "ollama", "is it an Ollama server?",
                       "the answer of %s%s is no JSON object", client->host.url, path);
    else if (status && error)
      *error = found;
  }
  am_http_response_close(&response);
  am_buf_close(&answer);
  am_mem_free(url);
  return status;
}

/* A stream under way. */
typedef struct reader {
  const am_ollama_client *client;
  const am_ollama_stream *stream;
  const char *what;
  am_http_response *response;
  am_lines lines;
  am_buf error_body;
  adam_status status;
  adam_error *error;
  bool done, cancelled;
  int ticks; /* since done */
} reader;

static adam_status read_object(reader *r, const char *line, size_t n_bytes) {
  am_arena arena = {.limit_bytes = NODES_LIMIT};
  am_json object = {0};
  adam_error found = {0};
  adam_status status = am_json_parse(line, n_bytes, "line", 0, &arena, &object, &found);
  if (status == ADAM_DAMAGED || (!status && object.type != AM_JSON_OBJECT)) {
    status = am_fail(r->error, ADAM_FAILED, r->what, NULL, "line %llu of Ollama's answer is no JSON object%s%s",
                     (unsigned long long)r->lines.n_lines, *found.why ? ": " : "", found.why);
  } else if (status) {
    if (r->error) *r->error = found;
  } else if (am_json_str(am_json_get(&object, "error"), NULL)) {
    const char *words = am_json_str(am_json_get(&object, "error"), "");
    status = am_fail(r->error, ADAM_FAILED, r->what, NULL, "Ollama failed in the middle: %s", words);
  } else {
    status = r->stream->on_object(r->stream->user, &object, &r->done, &r->cancelled, r->error);
  }
  am_arena_close(&arena);
  return status;
}

static bool on_line(void *user, char *line, size_t n_bytes) {
  reader *r = user;
  if (n_bytes > 0 && !r->done) r->status = read_object(r, line, n_bytes);
  return r->status || r->cancelled || r->done;
}

static bool on_body(void *user, const void *bytes, size_t n_bytes) {
  reader *r = user;
  if (r->response->status / 100 != 2) {
    if (r->error_body.len < ERROR_LIMIT) am_buf_append(&r->error_body, bytes, n_bytes);
    return r->error_body.len >= ERROR_LIMIT;
  }
  if (r->done) return true;
  adam_status status = am_lines_push(&r->lines, bytes, n_bytes, r->what, on_line, r, r->error);
  if (status && !r->status) r->status = status;
  return r->status || r->cancelled;
}

static bool on_idle(void *user) {
  reader *r = user;
  if (r->done) return ++r->ticks > PATIENCE;
  if (r->stream->on_idle && r->stream->on_idle(r->stream->user)) r->cancelled = true;
  return r->cancelled;
}

static adam_status finish(reader *r, adam_status status, const adam_error *found) {
  if (r->cancelled) return am_fail(r->error, ADAM_CANCELLED, r->what, NULL, "cancelled");
  if (r->status) return r->status;
  if (r->error_body.failed) return am_fail_memory(r->error, r->what);
  if (r->response->status && r->response->status / 100 != 2 && (!status || r->error_body.len))
    return fail_answer(r->client, r->response->status, &r->error_body, r->what, r->error);
  if (!status && !r->done) am_lines_end(&r->lines, on_line, r);
  if (r->status) return r->status;
  if (r->done) return ADAM_OK;
  if (status) return fail_transport(r->client, status, found, r->what, r->error);
  return am_fail(r->error, ADAM_FAILED, r->what, NULL,
                 "Ollama ended its answer without saying that it is done: what came is not the whole");
}

adam_status am_ollama_stream_call(const am_ollama_client *client, const char *path, const am_buf *body,
                                  const char *what, const am_ollama_stream *stream, adam_error *error) {
  am_http_response response = {0};
  adam_error found = {0};
  reader r = {.client = client, .stream = stream, .what = what, .response = &response, .error = error};
  char *url = join_url(client, path);
  if (!url || body->failed) {
    am_mem_free(url);
    return am_fail_memory(error, what);
  }
  am_http_request request = make_request("POST", url, body);
  request.body_limit = 0; /* a line has its limit, an answer may be long */
  adam_status status = am_http_send(&request, on_body, on_idle, &r, &response, &found);
  status = finish(&r, status, &found);
  am_lines_close(&r.lines);
  am_buf_close(&r.error_body);
  am_http_response_close(&response);
  am_mem_free(url);
  return status;
}

void am_ollama_body_begin(const am_ollama_client *client, const char *model, am_buf *body) {
  am_buf_append_str(body, "{\"model\":");
  am_json_write_string(body, model, strlen(model));
  if (client->keep_alive) am_buf_printf(body, ",\"keep_alive\":%s", client->keep_alive);
}
