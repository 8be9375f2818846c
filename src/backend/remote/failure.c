/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/remote/server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NODES_LIMIT = 16 << 20 };

static void keep(char *to, size_t capacity, const char *from) {
  size_t n = strnlen(from, capacity - 1);
  memcpy(to, from, n);
  to[n] = 0;
}

/* Copies words of a server without the key, should they have it. */
static void keep_words(const am_remote_server *server, char *to, size_t capacity, const char *from) {
  static const char blot[] = "***";
  size_t n_key = server->key ? strlen(server->key) : 0, at = 0;
  while (*from && at + sizeof blot < capacity) {
    if (n_key && !strncmp(from, server->key, n_key)) {
      memcpy(to + at, blot, sizeof blot - 1);
      at += sizeof blot - 1;
      from += n_key;
    } else {
      to[at++] = *from++;
    }
  }
  to[at] = 0;
}

/* {"error": {"message", "type", "code", "param"}}, {"error": "words"}, {"message": ...} (old vLLM),
 * {"detail": "words"} and {"detail": [{"loc", "msg", "type"}]} (FastAPI). NULL = none of them. */
static const char *read_words(const am_json *json, am_remote_refusal *refusal) {
  const am_json *error = am_json_get(json, "error"), *detail = am_json_get(json, "detail");
  const am_json *first = am_json_at(detail, 0), *loc = am_json_get(first, "loc");
  const am_json *body = error && error->type == AM_JSON_OBJECT ? error : json;
  const char *words =
      am_json_str(error, am_json_str(am_json_get(body, "message"), am_json_str(detail, NULL)));
  const char *code = am_json_str(am_json_get(body, "code"), am_json_str(am_json_get(body, "type"), ""));
  const char *parameter = am_json_str(am_json_get(body, "param"), "");
  if (first && !words) {
    words = am_json_str(am_json_get(first, "msg"), NULL);
    code = am_json_str(am_json_get(first, "type"), "");
    for (size_t i = 0; loc && loc->type == AM_JSON_ARRAY && i < loc->n; i++)
      parameter = am_json_str(am_json_at(loc, i), parameter);
  }
  keep(refusal->parameter, sizeof refusal->parameter, parameter);
  static const char *const codes[] = {"unsupported_parameter", "unknown_parameter", "unsupported_value",
                                      "extra_forbidden"};
  for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
    if (!strcmp(code, codes[i])) refusal->is_unsupported = true;
  return words;
}

/* Signs of it in the words of servers that give no code. */
static bool tells_unsupported(const char *words) {
  static const char *const signs[] = {"nrecognized",   "nknown",        "nsupported",        "not supported",
                                      "not support",   "not permitted", "nexpected keyword", "not allowed",
                                      "is deprecated", "cannot both be"};
  for (size_t i = 0; i < sizeof signs / sizeof *signs; i++)
    if (strstr(words, signs[i])) return true;
  return false;
}

static bool is_word_end(char c) {
  return !strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_", c) || !c;
}

bool am_remote_refuses(const am_remote_refusal *refusal, const char *parameter) {
  if (!refusal->is_unsupported || (refusal->code != 400 && refusal->code != 422)) return false;
  size_t n = strlen(parameter);
  if (*refusal->parameter) return !strcmp(refusal->parameter, parameter);
  for (const char *at = refusal->words; (at = strstr(at, parameter)); at += n)
    if ((at == refusal->words || is_word_end(at[-1])) && is_word_end(at[n])) return true;
  return false;
}

/* Retry-After in seconds, or retry-after-ms; "" where the server does not say. */
static void read_wait(const am_http_response *response, char *out, size_t capacity) {
  const char *ms = am_http_header(response, "retry-after-ms"),
             *after = am_http_header(response, "Retry-After");
  char *end = NULL;
  *out = 0;
  double seconds = ms ? strtod(ms, &end) / 1000 : after ? strtod(after, &end) : -1;
  if (end && end != (ms ? ms : after) && !*end && seconds >= 0 && seconds < 1e7)
    snprintf(out, capacity, "; try again in %.3g s", seconds);
  else if (after && strlen(after) < 40)
    snprintf(out, capacity, "; try again at %s", after);
}

/* Status and hint for a code of HTTP. */
static adam_status judge(const am_remote_server *server, long code, const am_remote_refusal *r, char *hint,
                         size_t capacity) {
  const char *words = r->words;
  const am_remote_vendor *vendor = server->vendor;
  *hint = 0;
  switch (code) {
    case 400:
    case 422:
      if (strstr(words, "context") && (strstr(words, "length") || strstr(words, "window")))
        keep(hint, capacity, "a shorter prompt, or fewer --max-tokens");
      return r->is_unsupported ? ADAM_UNSUPPORTED : ADAM_INVALID;
    case 401:
      snprintf(hint, capacity,
               server->key ? "is it the key of this server? it came from %s or a file"
                           : "set %s, or name a file with the key",
               vendor->key_variable);
      return ADAM_UNAVAILABLE;
    case 402:
      keep(hint, capacity, "the account behind the key has to pay first");
      return ADAM_UNAVAILABLE;
    case 403:
      keep(hint, capacity, "the key may not do this here");
      return ADAM_UNAVAILABLE;
    case 404:
    case 405:
      keep(hint, capacity, r->is_api ? vendor->name_hint : vendor->url_hint);
      return r->is_api ? ADAM_NOT_FOUND : ADAM_UNAVAILABLE;
    case 413:
      keep(hint, capacity, "the request is too large for it");
      return ADAM_LIMIT;
    case 429:
      if (strstr(words, "quota") || strstr(words, "billing"))
        keep(hint, capacity, "the account has used up what it paid for");
      else
        keep(hint, capacity, "too many requests or tokens in a short time: wait");
      return ADAM_LIMIT;
    case 503:
      keep(hint, capacity, "it is busy or still loading: try again later");
      return ADAM_UNAVAILABLE;
    case 529:
      keep(hint, capacity, "it is overloaded: try again later");
      return ADAM_UNAVAILABLE;
    default:
      break;
  }
  if (code >= 500) keep(hint, capacity, "the fault is the server's: try again later");
  return ADAM_FAILED;
}

adam_status am_remote_fail(const am_remote_server *server, const am_http_response *response,
                           const am_buf *body, const char *what, am_remote_refusal *refusal,
                           adam_error *error) {
  am_arena arena = {.limit_bytes = NODES_LIMIT};
  am_json json = {0};
  am_remote_refusal found = {.code = response->status};
  char hint[256], wait[80];
  const char *words = NULL;
  if (body->len && !am_json_parse(body->data, body->len, "error", 0, &arena, &json, NULL))
    words = read_words(&json, &found);
  found.is_api =
      words && strcmp(words, "Not Found") != 0; /* FastAPI's word for an address without anything */
  bool is_page = body->len && strchr("<", body->data[strspn(body->data, " \t\r\n")]);
  if (!words && body->len && body->len < 200 && !is_page) words = body->data;
  keep_words(server, found.words, sizeof found.words, words && *words ? words : "no reason given");
  if (tells_unsupported(found.words)) found.is_unsupported = true;
  read_wait(response, wait, sizeof wait);
  adam_status status;
  if (response->status / 100 == 3) {
    status = am_fail(error, ADAM_FAILED, what ? what : server->vendor->name, server->vendor->url_hint,
                     "the server at %s sends adam elsewhere (status %ld), where its key does not go",
                     server->url, response->status);
  } else {
    status = judge(server, response->status, &found, hint, sizeof hint);
    am_fail(error, status, what ? what : server->vendor->name, hint, "the server at %s answers %ld: %s%s",
            server->url, response->status, found.words, wait);
  }
  if (refusal) *refusal = found;
  am_arena_close(&arena);
  return status;
}

adam_status am_remote_fail_object(const am_remote_server *server, const am_json *object, const char *what,
                                  adam_error *error) {
  am_remote_refusal found = {0};
  const char *words = read_words(object, &found);
  const char *type = am_json_str(am_json_path(object, "error.type"), "");
  bool busy = !strcmp(type, "overloaded_error"), limited = !strcmp(type, "rate_limit_error");
  keep_words(server, found.words, sizeof found.words, words && *words ? words : "no reason given");
  return am_fail(error,
                 busy      ? ADAM_UNAVAILABLE
                 : limited ? ADAM_LIMIT
                           : ADAM_FAILED,
                 what, busy || limited ? "try again later" : NULL,
                 "the server at %s failed in the middle: %s%s%s", server->url, type, *type ? ": " : "",
                 found.words);
}

adam_status am_remote_fail_transport(const am_remote_server *server, adam_status status,
                                     const adam_error *found, const char *what, adam_error *error) {
  const char *name = what ? what : server->vendor->name;
  if (status == ADAM_UNAVAILABLE)
    return am_fail(error, status, server->vendor->name, server->vendor->url_hint,
                   "no server answers at %s: %s", server->url, found->why);
  if (status == ADAM_NO_MEMORY || status == ADAM_CANCELLED)
    return am_fail(error, status, name, NULL, "%s", found->why);
  return am_fail(error, status, name, *found->hint ? found->hint : NULL, "the server at %s: %s", server->url,
                 found->why);
}
