/* SPDX-License-Identifier: Apache-2.0 */
#include "net/http.h"

#include "base/mem.h"
#include "net/transfer.h"
#include "os/clock.h"
#include <arpa/inet.h>
#include <curl/curl.h>
#include <string.h>
#include <strings.h>

enum { MOST_REDIRECTS = 10, MOST_URL = 64 << 10 };
static const uint64_t FETCH_LIMIT = (uint64_t)64 << 20;

/* A URL taken apart; the parts are libcurl's memory. */
typedef struct address {
  CURLU *url;
  char *scheme, *host, *port;
  char *text;  /* the whole */
  char *shown; /* without user, password, query and fragment */
} address;

static void address_close(address *a) {
  curl_free(a->scheme);
  curl_free(a->host);
  curl_free(a->port);
  curl_free(a->text);
  curl_free(a->shown);
  curl_url_cleanup(a->url);
  *a = (address){0};
}

/* Relative to `base` where there is one. */
static adam_status address_open(const char *text, const address *base, address *out, adam_error *error) {
  const unsigned flags = CURLU_DEFAULT_PORT;
  address a = {.url = base ? curl_url_dup(base->url) : curl_url()};
  const char *what = base ? base->shown : "URL";
  if (!a.url) return am_fail_memory(error, what);
  CURLU *plain = NULL;
  adam_status status = ADAM_OK;
  if (strlen(text) > MOST_URL || curl_url_set(a.url, CURLUPART_URL, text, 0) ||
      curl_url_get(a.url, CURLUPART_SCHEME, &a.scheme, 0) || curl_url_get(a.url, CURLUPART_HOST, &a.host, 0) ||
      curl_url_get(a.url, CURLUPART_PORT, &a.port, flags) || curl_url_get(a.url, CURLUPART_URL, &a.text, 0) ||
      (strcmp(a.scheme, "http") && strcmp(a.scheme, "https"))) {
    status = am_fail(error, base ? ADAM_FAILED : ADAM_INVALID, what, NULL,
                     base ? "it redirects to something that is no URL of HTTP" : "not a URL of HTTP");
  } else if (!(plain = curl_url_dup(a.url)) || curl_url_set(plain, CURLUPART_USER, NULL, 0) ||
             curl_url_set(plain, CURLUPART_PASSWORD, NULL, 0) || curl_url_set(plain, CURLUPART_QUERY, NULL, 0) ||
             curl_url_set(plain, CURLUPART_FRAGMENT, NULL, 0) ||
             curl_url_get(plain, CURLUPART_URL, &a.shown, 0)) {
    status = am_fail_memory(error, what);
  }
  curl_url_cleanup(plain);
  if (status)
    address_close(&a);
  else
    *out = a;
  return status;
}

static bool same_host(const address *a, const address *b) {
  return !strcmp(a->scheme, b->scheme) && !strcasecmp(a->host, b->host) && !strcmp(a->port, b->port);
}

static bool is_loopback(const char *host) {
  struct in_addr four;
  size_t n = strlen(host);
  if (!strcasecmp(host, "localhost") || !strcmp(host, "[::1]")) return true;
  if (n > 10 && !strcasecmp(host + n - 10, ".localhost")) return true;
  return inet_pton(AF_INET, host, &four) == 1 && (ntohl(four.s_addr) >> 24) == 127;
}

static adam_status check_headers(const am_http_request *r, adam_error *error) {
  for (size_t i = 0; i < r->n_headers; i++) {
    const char *colon = strchr(r->headers[i], ':');
    if (!colon || colon == r->headers[i] || strpbrk(r->headers[i], "\r\n"))
      return am_fail(error, ADAM_INVALID, "HTTP header", "no line breaks belong in a token or a name",
                     "header %zu is not of the form Name: value", i + 1);
  }
  if (r->method && !*r->method) return am_fail(error, ADAM_INVALID, "HTTP method", NULL, "it is empty");
  if (r->method && strspn(r->method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != strlen(r->method))
    return am_fail(error, ADAM_INVALID, "HTTP method", NULL, "not in capital letters");
  return ADAM_OK;
}

const char *am_http_header(const am_http_response *response, const char *name) {
  const char *at = response->headers.data;
  const char *end = at ? at + response->headers.len : NULL;
  while (at < end) {
    const char *value = at + strlen(at) + 1;
    if (!strcasecmp(at, name)) return value;
    at = value + strlen(value) + 1;
  }
  return NULL;
}

void am_http_response_close(am_http_response *response) {
  am_mem_free(response->final_url);
  am_mem_free(response->location);
  am_buf_close(&response->headers);
  *response = (am_http_response){0};
}

static bool is_redirect(long status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/* A copy of ours instead of libcurl's. */
static adam_status keep_url(char **to, const address *a, adam_error *error) {
  char *copy = am_mem_dup(a->text, strlen(a->text));
  if (!copy) return am_fail_memory(error, a->shown);
  am_mem_free(*to);
  *to = copy;
  return ADAM_OK;
}

/* Goes where the answer points. *done: there is nothing more to do. */
static adam_status next_hop(am_transfer *t, address *here, bool *done, adam_error *error) {
  am_http_response *response = t->response;
  const char *location = am_http_header(response, "Location");
  address next = {0};
  *done = true;
  if (!is_redirect(response->status) || !location) return ADAM_OK;
  adam_status status = address_open(location, here, &next, error);
  if (status) return t->request->follow_redirects ? status : ADAM_OK;
  if (!t->request->follow_redirects) {
    status = keep_url(&response->location, &next, error);
    address_close(&next);
    return status;
  }
  if (response->n_redirects == MOST_REDIRECTS)
    status = am_fail(error, ADAM_FAILED, here->shown, NULL, "it redirects more than %d times", MOST_REDIRECTS);
  else if (!strcmp(here->scheme, "https") && !strcmp(next.scheme, "http"))
    status = am_fail(error, ADAM_FAILED, here->shown, NULL, "it redirects from https to http");
  if (status) {
    address_close(&next);
    return status;
  }
  bool becomes_get = response->status == 303 ? strcmp(t->method, "HEAD") != 0
                                             : response->status < 303 && !strcmp(t->method, "POST");
  if (becomes_get) t->method = "GET", t->with_body = false;
  t->with_secrets = t->with_secrets && same_host(here, &next); /* once gone, gone */
  address_close(here);
  *here = next;
  response->n_redirects++;
  *done = false;
  return ADAM_OK;
}

adam_status am_http_send(const am_http_request *request,
                         bool (*on_body)(void *user, const void *bytes, size_t n_bytes),
                         bool (*on_idle)(void *user), void *user, am_http_response *response,
                         adam_error *error) {
  address here = {0};
  adam_status status = check_headers(request, error);
  if (!status) status = address_open(request->url, NULL, &here, error);
  if (status) return status;
  am_transfer t = {.request = request,
                   .method = request->method ? request->method : "GET",
                   .with_body = true,
                   .with_secrets = true,
                   .on_body = on_body,
                   .on_idle = on_idle,
                   .user = user,
                   .response = response,
                   .drops_redirects = request->follow_redirects};
  if (request->total_timeout_ms) t.deadline_ms = am_clock_ms() + request->total_timeout_ms;
  for (bool done = false; !status && !done;) {
    t.url = here.text;
    t.shown = here.shown;
    t.loopback = is_loopback(here.host);
    status = keep_url(&response->final_url, &here, error);
    if (!status) status = am_transfer_run(&t, error);
    if (!status) status = next_hop(&t, &here, &done, error);
  }
  address_close(&here);
  return status;
}

static bool collect(void *user, const void *bytes, size_t n_bytes) {
  return !am_buf_append(user, bytes, n_bytes);
}

adam_status am_http_fetch(const am_http_request *request, am_buf *body, am_http_response *response,
                          adam_error *error) {
  am_http_request limited = *request;
  if (!limited.body_limit) limited.body_limit = FETCH_LIMIT;
  am_buf_clear(body);
  adam_status status = am_http_send(&limited, collect, NULL, body, response, error);
  return body->failed ? am_fail_memory(error, "HTTP answer") : status;
}
