/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/fetch.h"

#include "base/mem.h"
#include "hub/headers.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { MAX_HOPS = 10 };

/* One hop's body on its way. */
typedef struct sink {
  am_hub_fetch *fetch;
  uint64_t left;      /* bytes of the range that are still to come */
  uint64_t unwanted_bytes; /* of a refusal or a redirect */
  bool begun;         /* the headers of the body have been checked */
  bool no_ranges;     /* 200 where a range was asked for */
  bool wrong_range;   /* 206 of something else */
  bool too_long;
} sink;

/* Is the body what was asked for? */
static void check_headers(sink *s) {
  const am_hub_fetch *f = s->fetch;
  s->begun = true;
  if (f->response.status == 206) {
    uint64_t first = 0, last = 0, total = 0;
    if (!am_hub_content_range(am_http_header(&f->response, "content-range"), &first, &last, &total) ||
        first != f->first || last >= f->end || (total != UINT64_MAX && total != f->file->bytes))
      s->wrong_range = true;
  } else if (!f->whole) {
    s->no_ranges = true;
  }
}

static bool on_body(void *user, const void *bytes, size_t n_bytes) {
  sink *s = user;
  am_hub_fetch *f = s->fetch;
  if (f->response.status != 200 && f->response.status != 206) /* words of a refusal: dropped */
    return (s->unwanted_bytes += n_bytes) > AM_HUB_UNWANTED_BYTES;
  if (!s->begun) check_headers(s);
  if (s->wrong_range || s->no_ranges) return true;
  if (n_bytes > s->left) {
    s->too_long = true;
    n_bytes = (size_t)s->left;
  }
  s->left -= n_bytes;
  return (n_bytes > 0 && f->on_bytes(f->user, bytes, n_bytes)) || s->too_long;
}

static bool on_idle(void *user) {
  const am_hub_remote *remote = ((sink *)user)->fetch->remote;
  return remote->cancelled && remote->cancelled(remote->user);
}

static bool is_redirect(long status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/* The Hub's own answer tells commit, digest and size again: they are those of its listing. */
static adam_status check_facts(const am_hub_fetch *f, adam_error *error) {
  const char *commit = am_http_header(&f->response, "x-repo-commit");
  const char *linked_etag = am_http_header(&f->response, "x-linked-etag");
  const char *linked_size = am_http_header(&f->response, "x-linked-size");
  char etag[65];
  uint64_t bytes = 0;
  if (commit && strcmp(commit, f->subject->revision) != 0)
    return am_fail(error, ADAM_DAMAGED, f->subject->what, NULL, "the server answers for another commit than asked");
  if (linked_etag && am_hub_etag(linked_etag, etag) && strcmp(etag, f->file->etag) != 0)
    return am_fail(error, ADAM_DAMAGED, f->subject->what, NULL, "the server names two digests of %.100s",
                   f->file->path);
  if (linked_size && am_hub_number(linked_size, strlen(linked_size), &bytes) && bytes != f->file->bytes)
    return am_fail(error, ADAM_DAMAGED, f->subject->what, NULL, "the server names two sizes of %.100s", f->file->path);
  return ADAM_OK;
}

static char *first_url(const am_hub_fetch *f) {
  am_buf url = {0};
  if (f->route) {
    am_buf_append_str(&url, f->route);
  } else {
    am_buf_printf(&url, "%s/%s/resolve/%s/", f->remote->endpoint, f->subject->repository, f->subject->revision);
    am_hub_append_encoded(&url, f->file->path, true);
  }
  return am_buf_take(&url);
}

/* One hop: the answer is in f->response, the bytes went to on_bytes. */
static adam_status send_hop(am_hub_fetch *f, const char *url, sink *s, adam_error *error) {
  char range[64];
  const char *headers[3] = {"Accept-Encoding: identity"};
  size_t n = 1;
  snprintf(range, sizeof range, "Range: bytes=%" PRIu64 "-%" PRIu64, f->first, f->end - 1);
  if (!f->whole) headers[n++] = range;
  if (f->remote->bearer && am_hub_is_endpoint(f->remote, url)) headers[n++] = f->remote->bearer;
  const am_http_request request = {.url = url,
                                   .headers = headers,
                                   .n_headers = n,
                                   .connect_timeout_ms = f->remote->answer_timeout_ms,
                                   .idle_timeout_ms = f->remote->read_timeout_ms,
                                   .slow_timeout_ms = am_hub_slow_ms(f->remote->read_timeout_ms)};
  am_http_response_close(&f->response);
  f->response = (am_http_response){0};
  return am_http_send(&request, on_body, on_idle, s, &f->response, error);
}

/* What a hop's end means; *url becomes the next hop, or NULL. */
static adam_status judge(am_hub_fetch *f, const sink *s, adam_status sent, char **url, adam_error *error) {
  char *from = *url;
  long http = f->response.status;
  bool is_hub = am_hub_is_endpoint(f->remote, from);
  *url = NULL;
  adam_status status = is_hub && http > 0 && http < 400 ? check_facts(f, error) : ADAM_OK;
  if (status) goto done;
  f->answer = AM_HUB_CAME;
  if (is_redirect(http) && sent) {
    status = s->unwanted_bytes <= AM_HUB_UNWANTED_BYTES
                 ? sent
                 : am_fail(error, ADAM_FAILED, f->subject->what, NULL, "the body of a redirect has no end");
  } else if (is_redirect(http)) {
    const char *to = f->response.location;
    if (!to || (!strncasecmp(from, "https:", 6) && strncasecmp(to, "https:", 6) != 0)) {
      status = am_fail(error, ADAM_FAILED, f->subject->what, NULL, "a redirect leads nowhere, or out of encryption");
      goto done;
    }
    *url = am_mem_dup(to, strlen(to));
    if (!*url) status = am_fail_memory(error, f->subject->what);
    if (*url && !am_hub_is_endpoint(f->remote, to)) {
      am_mem_free(f->new_route);
      f->new_route = am_mem_dup(to, strlen(to));
    }
  } else if (http >= 400) {
    f->answer = http == 403 && !is_hub ? AM_HUB_EXPIRED : AM_HUB_REFUSED;
  } else if (s->no_ranges) {
    f->answer = AM_HUB_NO_RANGES;
  } else if (s->wrong_range || s->too_long) {
    status = am_fail(error, ADAM_DAMAGED, f->subject->what, NULL, "the server sends other bytes of %.100s than asked",
                     f->file->path);
  } else if (sent) {
    status = sent; /* its words are in *error */
  } else if (http != 200 && http != 206) {
    status = am_fail(error, ADAM_FAILED, f->subject->what, NULL, "the server answered with status %ld", http);
  }
done:
  am_mem_free(from);
  return status;
}

adam_status am_hub_fetch_range(am_hub_fetch *fetch, adam_error *error) {
  char *url = first_url(fetch);
  if (!url) return am_fail_memory(error, fetch->subject->what);
  adam_status status = ADAM_OK;
  for (int hop = 0; url && !status; hop++) {
    if (hop == MAX_HOPS) {
      status = am_fail(error, ADAM_FAILED, fetch->subject->what, NULL, "too many redirects");
      break;
    }
    sink s = {.fetch = fetch, .left = fetch->end - fetch->first};
    adam_status sent = send_hop(fetch, url, &s, error);
    if (sent && fetch->response.status == 0) { /* no answer at all */
      status = sent;
      break;
    }
    status = judge(fetch, &s, sent, &url, error);
  }
  am_mem_free(url);
  return status;
}

void am_hub_fetch_close(am_hub_fetch *fetch) {
  am_mem_free(fetch->new_route);
  fetch->new_route = NULL;
  am_http_response_close(&fetch->response);
}
