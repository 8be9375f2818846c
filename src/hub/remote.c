/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/remote.h"

#include "base/log.h"
#include "base/mem.h"
#include "hub/headers.h"
#include "os/clock.h"
#include "os/dirs.h"
#include "os/file.h"
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { MAX_TRIES = 5, MAX_TOKEN_BYTES = 8192, JSON_BYTES = 64 << 20 };
static const char default_endpoint[] = "https://huggingface.co";
static const double longest_wait_s = 330; /* the Hub counts in windows of 300 s */

static const char *variable(const char *name) {
  const char *value = getenv(name);
  return value && *value ? value : NULL;
}

bool am_hub_variable_is_set(const char *name) {
  static const char *const yes[] = {"1", "ON", "YES", "TRUE"};
  const char *value = variable(name);
  for (size_t i = 0; value && i < sizeof yes / sizeof *yes; i++)
    if (!strcasecmp(value, yes[i])) return true;
  return false;
}

static uint32_t seconds_variable(const char *name, uint32_t fallback_ms) {
  const char *value = variable(name);
  double seconds = value ? strtod(value, NULL) : 0;
  return seconds > 0 && seconds < 1e6 ? (uint32_t)(seconds * 1000) : fallback_ms;
}

/* The file that `hf auth login` writes; NULL = none. */
static char *token_file(void) {
  const char *path = variable("HF_TOKEN_PATH");
  if (path) return am_dirs_expand(path);
  am_buf text = {0};
  const char *home = variable("HF_HOME"), *xdg = variable("XDG_CACHE_HOME");
  if (home)
    am_buf_printf(&text, "%s/token", home);
  else
    am_buf_printf(&text, "%s/huggingface/token", xdg ? xdg : "~/.cache");
  char *expanded = text.failed ? NULL : am_dirs_expand(text.data);
  am_buf_close(&text);
  return expanded;
}

/* "Authorization: Bearer TOKEN" of a text that may have line ends and blanks around the token. */
static adam_status set_bearer(const char *token, am_hub_remote *remote, adam_error *error) {
  size_t n = 0;
  am_buf header = {0};
  am_buf_append_str(&header, "Authorization: Bearer ");
  while (isspace((unsigned char)*token)) token++;
  for (n = strlen(token); n > 0 && isspace((unsigned char)token[n - 1]);) n--;
  adam_status status = ADAM_OK;
  for (size_t i = 0; i < n && !status; i++) {
    if (token[i] == '\r' || token[i] == '\n') continue;
    if ((unsigned char)token[i] <= 0x20 || (unsigned char)token[i] >= 0x7F)
      status = am_fail(error, ADAM_INVALID, "HF_TOKEN", "a token looks like hf_...",
                       "the token has characters that no token has");
    else
      am_buf_append_char(&header, token[i]);
  }
  if (!status && n > MAX_TOKEN_BYTES)
    status = am_fail(error, ADAM_INVALID, "HF_TOKEN", "a token looks like hf_...", "the token is too long");
  if (!status && n > 0 && !(remote->bearer = am_buf_take(&header))) status = am_fail_memory(error, "HF_TOKEN");
  am_buf_close(&header);
  return status;
}

/* Blanks alone are no token: the next place is asked. */
static adam_status find_token(const char *token, am_hub_remote *remote, adam_error *error) {
  if (token && *token) return set_bearer(token, remote, error);
  if (am_hub_variable_is_set("HF_HUB_DISABLE_IMPLICIT_TOKEN")) return ADAM_OK;
  token = variable("HF_TOKEN");
  if (!token) token = variable("HUGGING_FACE_HUB_TOKEN");
  if (token) {
    adam_status set = set_bearer(token, remote, error);
    if (set || remote->bearer) return set;
  }
  char *path = token_file();
  am_buf text = {0};
  adam_status status = ADAM_OK;
  if (path && am_file_is_regular(path) && am_file_read(path, MAX_TOKEN_BYTES, &text, NULL) == ADAM_OK && text.len)
    status = set_bearer(text.data, remote, error);
  am_buf_close(&text);
  am_mem_free(path);
  return status;
}

/* The address as it may be shown to anybody. */
static char *without_user(const char *endpoint) {
  const char *host = strstr(endpoint, "://") + 3, *end = host + strcspn(host, "/?#"), *at = host;
  for (const char *p = host; p < end; p++)
    if (*p == '@') at = p + 1;
  am_buf text = {0};
  am_buf_append(&text, endpoint, (size_t)(host - endpoint));
  am_buf_append_str(&text, at);
  return am_buf_take(&text);
}

uint32_t am_hub_slow_ms(uint32_t timeout_ms) { return timeout_ms > UINT32_MAX / 6 ? 0 : timeout_ms * 6; }

adam_status am_hub_remote_open(const char *token, am_hub_remote *out, adam_error *error) {
  am_hub_remote remote = {
      .offline = am_hub_variable_is_set(variable("HF_HUB_OFFLINE") ? "HF_HUB_OFFLINE" : "TRANSFORMERS_OFFLINE"),
      .answer_timeout_ms = seconds_variable("HF_HUB_ETAG_TIMEOUT", 10000),
      .read_timeout_ms = seconds_variable("HF_HUB_DOWNLOAD_TIMEOUT", 10000),
      .retry_ms = 1000,
  };
  const char *endpoint = variable("HF_ENDPOINT"), *retry = variable("ADAM_RETRY_MS");
  if (!endpoint) endpoint = default_endpoint;
  if (retry && strtod(retry, NULL) > 0) remote.retry_ms = strtod(retry, NULL);
  size_t n = strlen(endpoint);
  while (n > 0 && endpoint[n - 1] == '/') n--;
  if (strncmp(endpoint, "http://", 7) != 0 && strncmp(endpoint, "https://", 8) != 0)
    return am_fail(error, ADAM_INVALID, "HF_ENDPOINT", "for example https://huggingface.co",
                   "'%s' is no address that begins with http:// or https://", endpoint);
  remote.endpoint = am_mem_dup(endpoint, n);
  remote.shown = remote.endpoint ? without_user(remote.endpoint) : NULL;
  adam_status status = remote.shown ? find_token(token, &remote, error) : am_fail_memory(error, "HF_ENDPOINT");
  if (status)
    am_hub_remote_close(&remote);
  else
    *out = remote;
  return status;
}

void am_hub_remote_close(am_hub_remote *remote) {
  am_mem_free(remote->endpoint);
  am_mem_free(remote->shown);
  am_mem_free(remote->bearer);
  *remote = (am_hub_remote){0};
}

bool am_hub_is_endpoint(const am_hub_remote *remote, const char *url) {
  const char *host = strstr(remote->endpoint, "://") + 3;
  size_t n = (size_t)(host - remote->endpoint) + strcspn(host, "/?#"); /* scheme, name and port */
  return !strncasecmp(url, remote->endpoint, n) && (url[n] == 0 || url[n] == '/' || url[n] == '?');
}

bool am_hub_append_encoded(am_buf *buf, const char *text, bool keep_slash) {
  for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
    if ((*p < 0x80 && isalnum(*p)) || strchr("-_.~", *p) || (keep_slash && *p == '/'))
      am_buf_append_char(buf, (char)*p);
    else
      am_buf_printf(buf, "%%%02X", *p);
  }
  return !buf->failed;
}

static bool is_cancelled(const am_hub_remote *remote) {
  return remote->cancelled && remote->cancelled(remote->user);
}

/* Sleeps in small steps; false = cancelled. */
static bool pause_ms(const am_hub_remote *remote, const char *why, double ms) {
  double until = am_clock_ms() + ms;
  if (remote->on_wait) remote->on_wait(remote->user, why, ms);
  for (double left = ms; left > 0; left = until - am_clock_ms()) {
    if (is_cancelled(remote)) return false;
    am_clock_sleep_ms(left < 50 ? left : 50);
  }
  return !is_cancelled(remote);
}

bool am_hub_try_again(const am_hub_remote *remote, am_hub_tries *tries, const am_http_response *response,
                      adam_status status) {
  static const double backoff[MAX_TRIES] = {1, 2, 4, 8, 8};
  uint32_t n = tries->n++;
  if (is_cancelled(remote) || n >= MAX_TRIES) return false;
  if (!response) { /* nobody there at all is soon clear */
    bool worth = status == ADAM_FAILED || (status == ADAM_UNAVAILABLE && n < 2);
    return worth && pause_ms(remote, "the connection failed", remote->retry_ms);
  }
  long http = response->status;
  if (http != 408 && http != 429 && http != 500 && http != 502 && http != 503 && http != 504) return false;
  double wait_ms = backoff[n] * remote->retry_ms;
  if (http == 429 || http == 503) {
    double asked_s = am_hub_wait_seconds(am_http_header(response, "ratelimit"),
                                         am_http_header(response, "retry-after"), wait_ms / 1000);
    if (asked_s > longest_wait_s) return false;
    wait_ms = asked_s * 1000;
  }
  am_log(AM_LOG_INFO, "hub: status %ld, next try in %.0f ms", http, wait_ms);
  return pause_ms(remote, http == 429 ? "the server limits requests" : "the server has trouble", wait_ms);
}

static bool header_has(const am_http_response *response, const char *name, const char *text) {
  const char *value = am_http_header(response, name);
  return value && strcasestr(value, text);
}

/* " (request ID)" for those who ask the Hub about it. */
static void request_id(const am_http_response *response, char out[96]) {
  const char *id = am_http_header(response, "x-request-id");
  if (!id) id = am_http_header(response, "x-amzn-trace-id");
  if (!id) id = am_http_header(response, "x-amz-cf-id");
  out[0] = 0;
  if (id) snprintf(out, 96, "; request %.64s", id);
}

/* 401, 403 and 404 of a model: who may not, or what is not there. */
static adam_status refused_access(const am_hub_remote *remote, const am_hub_subject *s,
                                  const am_http_response *response, const char *id, adam_error *error) {
  const char *host = remote->shown;
  char hint[256];
  if (header_has(response, "x-error-code", "GatedRepo")) {
    snprintf(hint, sizeof hint,
             remote->bearer ? "ask for access at %s/%s with the account of the token"
                            : "accept it at %s/%s, then set HF_TOKEN or run hf auth login",
             host, s->repository);
    return am_fail(error, ADAM_FAILED, s->what, hint,
                   remote->bearer ? "the model is gated, and the token's account is not on its list%s"
                                  : "the model is gated: its licence must be accepted first%s", id);
  }
  if (header_has(response, "x-error-message", "Invalid credentials"))
    return am_fail(error, ADAM_FAILED, s->what, "check HF_TOKEN, or run hf auth login again",
                   "%s does not know the token%s", host, id);
  if (header_has(response, "x-error-message", "access to this resource is disabled"))
    return am_fail(error, ADAM_FAILED, s->what, NULL, "the Hub has disabled this model%s", id);
  if (header_has(response, "x-error-code", "RevisionNotFound"))
    return am_fail(error, ADAM_NOT_FOUND, s->what, "behind @ stands a branch, a tag or a commit",
                   "the model has no revision %s%s", s->revision ? s->revision : "main", id);
  if (header_has(response, "x-error-code", "EntryNotFound"))
    return am_fail(error, ADAM_NOT_FOUND, s->what, "adam pull without :FILE takes what is needed",
                   "the model has no file %s%s", s->path ? s->path : "of that name", id);
  if (header_has(response, "x-error-code", "RepoNotFound") || response->status == 401) {
    if (remote->bearer)
      return am_fail(error, ADAM_NOT_FOUND, s->what, "check the spelling, and what the token may read",
                     "no model %s at %s, or none that the token may see%s", s->repository, host, id);
    return am_fail(error, ADAM_NOT_FOUND, s->what, "check the spelling; for a private model set HF_TOKEN",
                   "no model %s at %s, or it is private%s", s->repository, host, id);
  }
  if (response->status == 403)
    return am_fail(error, ADAM_FAILED, s->what, "give the token the right to read this model",
                   "%s refuses: the right to do this is missing%s", host, id);
  return am_fail(error, ADAM_NOT_FOUND, s->what, "is HF_ENDPOINT a Hub?", "%s has no such address (404)%s", host, id);
}

adam_status am_hub_refused(const am_hub_remote *remote, const am_hub_subject *subject,
                           const am_http_response *response, adam_error *error) {
  char id[96];
  request_id(response, id);
  long http = response->status;
  if (http == 401 || http == 403 || http == 404) return refused_access(remote, subject, response, id, error);
  if (http == 429) {
    char hint[256];
    double wait_s = am_hub_wait_seconds(am_http_header(response, "ratelimit"),
                                        am_http_header(response, "retry-after"), 300);
    snprintf(hint, sizeof hint, "wait %.0f s and call again: what came is kept%s", wait_s,
             remote->bearer ? "" : "; with a token (HF_TOKEN) the limit is higher");
    return am_fail(error, ADAM_LIMIT, subject->what, hint, "%s limits how many requests it answers (429)%s",
                   remote->shown, id);
  }
  if (http >= 500)
    return am_fail(error, ADAM_UNAVAILABLE, subject->what, "call again later: what came is kept",
                   "%s has trouble: status %ld, again and again%s", remote->shown, http, id);
  return am_fail(error, ADAM_FAILED, subject->what, NULL, "%s answered with status %ld%s", remote->shown, http, id);
}

static bool on_idle(void *user) { return is_cancelled(user); }

/* One try; the body only of an answer below 400. */
typedef struct json_sink {
  const am_hub_remote *remote;
  const am_http_response *response;
  am_buf *body;
  uint64_t unwanted_bytes; /* of a refusal */
  bool too_large;
} json_sink;

static bool on_json(void *user, const void *bytes, size_t n_bytes) {
  json_sink *sink = user;
  if (sink->response->status >= 400) return (sink->unwanted_bytes += n_bytes) > AM_HUB_UNWANTED_BYTES;
  sink->too_large = sink->body->len + n_bytes > JSON_BYTES;
  return sink->too_large || !am_buf_append(sink->body, bytes, n_bytes);
}

static bool on_json_idle(void *user) { return on_idle((void *)(uintptr_t)((json_sink *)user)->remote); }

adam_status am_hub_get(const am_hub_remote *remote, const char *url, const am_hub_subject *subject, am_buf *body,
                       am_http_response *response, adam_error *error) {
  const char *headers[2] = {"Accept: application/json", remote->bearer};
  const am_http_request request = {
      .url = url,
      .headers = headers,
      .n_headers = remote->bearer && am_hub_is_endpoint(remote, url) ? 2 : 1,
      .follow_redirects = true,
      .connect_timeout_ms = remote->answer_timeout_ms,
      .idle_timeout_ms = remote->answer_timeout_ms,
      .slow_timeout_ms = am_hub_slow_ms(remote->answer_timeout_ms),
  };
  am_hub_tries tries = {0};
  for (;;) {
    am_http_response_close(response);
    *response = (am_http_response){0};
    am_buf_clear(body);
    json_sink sink = {.remote = remote, .response = response, .body = body};
    adam_status status = am_http_send(&request, on_json, on_json_idle, &sink, response, error);
    if (sink.too_large)
      return am_fail(error, ADAM_LIMIT, subject->what, NULL, "%s answered with more than %d bytes", remote->shown,
                     JSON_BYTES);
    if (body->failed) return am_fail_memory(error, subject->what);
    bool refused = response->status >= 400 && (!status || sink.unwanted_bytes > AM_HUB_UNWANTED_BYTES);
    if (!status && !refused) return ADAM_OK;
    if (am_hub_try_again(remote, &tries, refused ? response : NULL, status)) continue;
    if (is_cancelled(remote)) return am_fail(error, ADAM_CANCELLED, subject->what, NULL, "cancelled");
    if (refused) return am_hub_refused(remote, subject, response, error);
    am_error_rename(error, subject->what);
    return status;
  }
}
