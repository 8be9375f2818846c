/* SPDX-License-Identifier: Apache-2.0 */
#include "net/transfer.h"

#include "base/mem.h"
#include "os/clock.h"
#include "os/thread.h"
#include <adam/adam.h>
#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
  POOL = 8, /* idle handles, each with its open connections */
  CONNECT_TIMEOUT_MS = 10000,
  IDLE_TIMEOUT_MS = 60000,
  HEADER_LIMIT = 256 << 10,
  SLOW_BYTES = 1024,       /* of a slow_timeout_ms */
  DROPPED_LIMIT = 1 << 20, /* bytes of a redirect's own body that are read for the sake of the connection */
  POLL_MS = 100
};

typedef struct handle {
  CURLM *multi; /* keeps the connections */
  CURL *easy;
} handle;

static struct {
  am_mutex lock;
  handle idle[POOL];
  size_t n;
} pool = {.lock = {PTHREAD_MUTEX_INITIALIZER}};

/* What the callbacks of one hop share. */
typedef struct hop {
  am_transfer *t;
  CURL *easy;
  FILE *file;           /* body_file */
  size_t header_bytes;  /* of this hop, interim answers counted */
  uint64_t came_bytes, sent_bytes; /* to notice silence */
  bool in_head;         /* no body yet */
  adam_status stop;     /* why a callback stopped the transfer; 0 = none did */
  const char *why;
  char words[CURL_ERROR_SIZE];
} hop;

static void handle_close(handle *h) {
  if (h->easy) curl_easy_cleanup(h->easy);
  if (h->multi) curl_multi_cleanup(h->multi);
  *h = (handle){0};
}

static bool handle_take(handle *h) {
  *h = (handle){0};
  am_mutex_lock(&pool.lock);
  if (pool.n > 0) *h = pool.idle[--pool.n];
  am_mutex_unlock(&pool.lock);
  if (h->easy) return true;
  curl_global_init(CURL_GLOBAL_DEFAULT); /* counts; any thread */
  h->multi = curl_multi_init();
  h->easy = curl_easy_init();
  if (h->multi && h->easy) return true;
  handle_close(h);
  return false;
}

static void handle_give(handle *h) {
  curl_easy_reset(h->easy);
  am_mutex_lock(&pool.lock);
  bool kept = pool.n < POOL;
  if (kept) pool.idle[pool.n++] = *h;
  am_mutex_unlock(&pool.lock);
  if (!kept) handle_close(h);
}

static size_t stop(hop *h, adam_status status, const char *why) {
  h->stop = status;
  h->why = why;
  return 0;
}

/* Appends "name NUL value NUL"; a line without a colon says nothing. */
static bool keep_header(am_buf *headers, const char *line, size_t n) {
  const char *colon = memchr(line, ':', n);
  if (!colon) return true;
  const char *value = colon + 1, *end = line + n;
  while (value < end && strchr(" \t", *value)) value++;
  while (end > value && strchr(" \t\r\n", end[-1])) end--;
  if (memchr(line, 0, n)) return true; /* a NUL in a header is no header */
  return am_buf_append(headers, line, (size_t)(colon - line)) && am_buf_append_char(headers, 0) &&
         am_buf_append(headers, value, (size_t)(end - value)) && am_buf_append_char(headers, 0);
}

static size_t on_header(char *line, size_t size, size_t n, void *user) {
  hop *h = user;
  am_http_response *response = h->t->response;
  size_t limit = h->t->request->header_limit ? h->t->request->header_limit : HEADER_LIMIT;
  size_t bytes = size * n;
  h->header_bytes += bytes;
  h->came_bytes += bytes;
  if (h->header_bytes > limit) return stop(h, ADAM_LIMIT, "it sends more headers than the limit allows");
  if (bytes >= 5 && !memcmp(line, "HTTP/", 5)) {
    am_buf_clear(&response->headers); /* those before were of an interim answer */
    curl_easy_getinfo(h->easy, CURLINFO_RESPONSE_CODE, &response->status);
  } else if (!keep_header(&response->headers, line, bytes)) {
    return stop(h, ADAM_NO_MEMORY, NULL);
  }
  return bytes;
}

static size_t on_write(char *data, size_t size, size_t n, void *user) {
  hop *h = user;
  am_http_response *response = h->t->response;
  size_t bytes = size * n;
  uint64_t limit = h->t->request->body_limit;
  h->in_head = false;
  h->came_bytes += bytes;
  response->body_bytes += bytes;
  bool dropped = h->t->drops_redirects && response->status / 100 == 3;
  if (dropped && response->body_bytes > DROPPED_LIMIT)
    return stop(h, ADAM_LIMIT, "the body of a redirect has no end");
  if (dropped) return bytes;
  if (limit && response->body_bytes > limit) return stop(h, ADAM_LIMIT, "the answer is larger than the limit");
  if (h->t->on_body && bytes > 0 && h->t->on_body(h->t->user, data, bytes))
    return stop(h, ADAM_CANCELLED, "cancelled");
  return bytes;
}

static size_t on_read(char *out, size_t size, size_t n, void *user) {
  hop *h = user;
  size_t got = fread(out, size, n, h->file);
  if (got == 0 && ferror(h->file)) {
    stop(h, ADAM_IO, "the file cannot be read");
    return CURL_READFUNC_ABORT;
  }
  return got * size;
}

static int on_seek(void *user, curl_off_t offset, int origin) {
  hop *h = user;
  return fseeko(h->file, (off_t)offset, origin) ? CURL_SEEKFUNC_FAIL : CURL_SEEKFUNC_OK;
}

static int on_progress(void *user, curl_off_t total_down, curl_off_t down, curl_off_t total_up,
                       curl_off_t up) {
  hop *h = user;
  (void)total_down, (void)down, (void)total_up;
  h->sent_bytes = (uint64_t)up;
  return 0;
}

bool am_transfer_header_is(const char *header, const char *name) {
  size_t n = strlen(name);
  return !strncasecmp(header, name, n) && header[n] == ':';
}

/* Keys of the vendors' APIs beside HTTP's own. */
static bool is_secret(const char *header) {
  static const char *const names[] = {"Authorization", "Cookie", "X-Api-Key", "Api-Key"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (am_transfer_header_is(header, names[i])) return true;
  return false;
}

static bool add(struct curl_slist **list, const char *line) {
  struct curl_slist *longer = curl_slist_append(*list, line);
  if (longer) *list = longer;
  return longer != NULL;
}

static bool make_headers(const am_transfer *t, struct curl_slist **list) {
  bool has_agent = false, has_type = false, good = true;
  for (size_t i = 0; i < t->request->n_headers && good; i++) {
    const char *header = t->request->headers[i];
    if (is_secret(header) && !t->with_secrets) continue;
    has_agent = has_agent || am_transfer_header_is(header, "User-Agent");
    has_type = has_type || am_transfer_header_is(header, "Content-Type");
    good = add(list, header);
  }
  if (!has_agent) good = good && add(list, "User-Agent: adam/" ADAM_VERSION);
  if (!has_type) good = good && add(list, "Content-Type:"); /* libcurl's own would be a form's */
  return good && add(list, "Expect:");
}

static const char *variable(const char *lower, const char *upper) {
  const char *value = getenv(lower);
  if (!value) value = getenv(upper);
  return value && *value ? value : NULL;
}

static void set_network(const am_transfer *t, CURL *easy) {
  uint32_t connect_ms = t->request->connect_timeout_ms;
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
  if (connect_ms != AM_HTTP_NO_TIMEOUT)
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, connect_ms ? (long)connect_ms : (long)CONNECT_TIMEOUT_MS);
  curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
  curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 256L << 10);
  curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  /* libcurl reads https_proxy and all_proxy in either case, http_proxy only in lower case. */
  if (t->loopback)
    curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
  else if (!strncasecmp(t->url, "http:", 5) && variable("http_proxy", "HTTP_PROXY"))
    curl_easy_setopt(easy, CURLOPT_PROXY, variable("http_proxy", "HTTP_PROXY"));
  const char *file = variable("SSL_CERT_FILE", "SSL_CERT_FILE");
  const char *folder = variable("SSL_CERT_DIR", "SSL_CERT_DIR");
  if (file) curl_easy_setopt(easy, CURLOPT_CAINFO, file);
  if (folder) curl_easy_setopt(easy, CURLOPT_CAPATH, folder);
}

static void set_body(hop *h) {
  const am_http_request *r = h->t->request;
  if (!strcmp(h->t->method, "HEAD")) curl_easy_setopt(h->easy, CURLOPT_NOBODY, 1L);
  if (h->file) {
    fseeko(h->file, 0, SEEK_END);
    curl_off_t size = (curl_off_t)ftello(h->file);
    rewind(h->file);
    curl_easy_setopt(h->easy, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(h->easy, CURLOPT_INFILESIZE_LARGE, size);
    curl_easy_setopt(h->easy, CURLOPT_READFUNCTION, on_read);
    curl_easy_setopt(h->easy, CURLOPT_READDATA, h);
    curl_easy_setopt(h->easy, CURLOPT_SEEKFUNCTION, on_seek);
    curl_easy_setopt(h->easy, CURLOPT_SEEKDATA, h);
  } else if (h->t->with_body && (r->body || !strcmp(h->t->method, "POST"))) {
    curl_easy_setopt(h->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body_bytes);
    curl_easy_setopt(h->easy, CURLOPT_POSTFIELDS, r->body ? (const char *)r->body : "");
  }
  if (strcmp(h->t->method, "HEAD")) curl_easy_setopt(h->easy, CURLOPT_CUSTOMREQUEST, h->t->method);
}

/* Runs what is set up; what stopped it besides libcurl itself is in h->stop. */
static CURLcode perform(hop *h, CURLM *multi) {
  const am_http_request *r = h->t->request;
  uint32_t idle_ms = r->idle_timeout_ms ? r->idle_timeout_ms : IDLE_TIMEOUT_MS;
  double asked_ms = am_clock_ms(), moved_ms = asked_ms, window_ms = asked_ms;
  uint64_t moved_bytes = 0, window_bytes = 0;
  CURLcode code = CURLE_OK;
  if (curl_multi_add_handle(multi, h->easy)) return CURLE_FAILED_INIT;
  for (int running = 1; running && !h->stop;) {
    if (curl_multi_perform(multi, &running)) code = CURLE_OUT_OF_MEMORY, running = 0;
    if (!running) break;
    double now_ms = am_clock_ms();
    uint64_t total_bytes = h->came_bytes + h->sent_bytes;
    if (total_bytes != moved_bytes) moved_bytes = total_bytes, moved_ms = now_ms;
    if (h->t->on_idle && now_ms - asked_ms >= POLL_MS) {
      asked_ms = now_ms;
      if (h->t->on_idle(h->t->user)) stop(h, ADAM_CANCELLED, "cancelled");
    }
    if (idle_ms != AM_HTTP_NO_TIMEOUT && now_ms - moved_ms > idle_ms)
      stop(h, ADAM_FAILED, "nothing came for too long");
    if (total_bytes - window_bytes >= SLOW_BYTES) window_bytes = total_bytes, window_ms = now_ms;
    if (r->slow_timeout_ms && now_ms - window_ms > r->slow_timeout_ms)
      stop(h, ADAM_FAILED, "it comes too slowly");
    if (h->t->deadline_ms > 0 && now_ms > h->t->deadline_ms) stop(h, ADAM_FAILED, "it took too long");
    if (!h->stop) curl_multi_poll(multi, NULL, 0, POLL_MS, NULL);
  }
  int left;
  for (CURLMsg *message; (message = curl_multi_info_read(multi, &left));)
    if (message->msg == CURLMSG_DONE) code = message->data.result;
  curl_multi_remove_handle(multi, h->easy); /* closes a connection in the middle of an answer */
  return code;
}

/* In words of our own where libcurl's could repeat what was sent. */
static adam_status fail(const hop *h, CURLcode code, adam_error *error) {
  const am_transfer *t = h->t;
  unsigned long long got = t->response->body_bytes;
  const char *words = *h->words ? h->words : curl_easy_strerror(code);
  if (h->stop == ADAM_NO_MEMORY) return am_fail_memory(error, t->shown);
  if (h->stop == ADAM_CANCELLED) return am_fail(error, h->stop, t->shown, NULL, "cancelled");
  if (h->stop == ADAM_IO) return am_fail(error, h->stop, t->request->body_file, NULL, "%s", h->why);
  if (h->stop)
    return am_fail(error, h->stop, t->shown, NULL, "%s (%llu bytes of the answer had come)", h->why, got);
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT: return am_fail(error, ADAM_UNAVAILABLE, t->shown, NULL, "%s", words);
    case CURLE_OPERATION_TIMEDOUT:
      return am_fail(error, ADAM_UNAVAILABLE, t->shown, NULL, "no connection in time");
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CACERT_BADFILE:
      return am_fail(error, ADAM_FAILED, t->shown, "SSL_CERT_FILE names certificates to trust",
                     "the TLS connection failed: %s", words);
    case CURLE_URL_MALFORMAT: return am_fail(error, ADAM_INVALID, t->shown, NULL, "not a URL of HTTP");
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_WEIRD_SERVER_REPLY: return am_fail(error, ADAM_FAILED, t->shown, NULL, "the answer is not HTTP");
    case CURLE_OUT_OF_MEMORY: /* libcurl's word for a single header above 100 KB, too */
#if LIBCURL_VERSION_NUM >= 0x080600
    case CURLE_TOO_LARGE:
#endif
      if (h->in_head && h->header_bytes > 0)
        return am_fail(error, ADAM_LIMIT, t->shown, NULL, "a header is too long");
      return am_fail_memory(error, t->shown);
    case CURLE_PARTIAL_FILE:
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
      return am_fail(error, ADAM_FAILED, t->shown, NULL, "the connection was cut after %llu bytes of the answer",
                     got);
    default:
      return am_fail(error, ADAM_FAILED, t->shown, NULL, "%s (%llu bytes of the answer had come)",
                     curl_easy_strerror(code), got);
  }
}

adam_status am_transfer_run(am_transfer *t, adam_error *error) {
  handle curl;
  hop h = {.t = t, .in_head = true};
  struct curl_slist *headers = NULL;
  adam_status status = ADAM_OK;
  if (!handle_take(&curl)) return am_fail_memory(error, t->shown);
  h.easy = curl.easy;
  am_buf_clear(&t->response->headers);
  t->response->status = 0;
  t->response->body_bytes = 0;
  if (t->with_body && t->request->body_file && !(h.file = fopen(t->request->body_file, "rbe"))) {
    status = am_fail(error, errno == ENOENT ? ADAM_NOT_FOUND : ADAM_IO, t->request->body_file, NULL, "%s",
                     strerror(errno));
    goto done;
  }
  if (!make_headers(t, &headers)) {
    status = am_fail_memory(error, t->shown);
    goto done;
  }
  set_network(t, h.easy);
  set_body(&h);
  curl_easy_setopt(h.easy, CURLOPT_URL, t->url);
  curl_easy_setopt(h.easy, CURLOPT_HTTPHEADER, headers);
  curl_easy_setopt(h.easy, CURLOPT_ERRORBUFFER, h.words);
  curl_easy_setopt(h.easy, CURLOPT_HEADERFUNCTION, on_header);
  curl_easy_setopt(h.easy, CURLOPT_HEADERDATA, &h);
  curl_easy_setopt(h.easy, CURLOPT_WRITEFUNCTION, on_write);
  curl_easy_setopt(h.easy, CURLOPT_WRITEDATA, &h);
  curl_easy_setopt(h.easy, CURLOPT_XFERINFOFUNCTION, on_progress);
  curl_easy_setopt(h.easy, CURLOPT_XFERINFODATA, &h);
  curl_easy_setopt(h.easy, CURLOPT_NOPROGRESS, 0L);
  CURLcode code = perform(&h, curl.multi);
  if (h.stop || code) status = fail(&h, code, error);
done:
  handle_give(&curl);
  curl_slist_free_all(headers);
  if (h.file) fclose(h.file);
  return status;
}
