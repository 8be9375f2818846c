/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/ollama/host.h"

#include "base/buf.h"
#include "base/mem.h"
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char spelling[] = "write [http://]HOST[:PORT]";
static const char blanks[] = " \t\r\n\v\f";

typedef struct span {
  const char *at;
  size_t n;
} span;

static span trim(span s, const char *set) {
  while (s.n && strchr(set, *s.at)) s.at++, s.n--;
  while (s.n && strchr(set, s.at[s.n - 1])) s.n--;
  return s;
}

static bool span_is(span s, const char *text) { return s.n == strlen(text) && !strncasecmp(s.at, text, s.n); }
static bool span_equal(span s, const char *text) { return s.n == strlen(text) && !memcmp(s.at, text, s.n); }

static bool has_bracket(span s) { return s.n && (memchr(s.at, '[', s.n) || memchr(s.at, ']', s.n)); }

/* "host:port" or "[host]:port"; false where there is no port, or more than one could be. */
static bool split_port(span all, span *host, span *port) {
  const char *colon = memrchr(all.at, ':', all.n);
  if (!colon) return false;
  *host = (span){all.at, (size_t)(colon - all.at)};
  *port = (span){colon + 1, all.n - host->n - 1};
  bool inside = host->n > 1 && *host->at == '[' && host->at[host->n - 1] == ']';
  if (inside) host->at++, host->n -= 2;
  if (has_bracket(*host) || has_bracket(*port)) return false;
  return inside || !memchr(host->at, ':', host->n);
}

/* A number from 0 to 65535, else the fallback. -1: a number with a sign, with which no URL can be made. */
static int port_number(span port, int fallback) {
  char text[16];
  bool is_signed = port.n && strchr("+-", *port.at);
  if (port.n <= is_signed || port.n >= sizeof text) return fallback;
  memcpy(text, port.at, port.n);
  text[port.n] = 0;
  long number = strtol(text, NULL, 10);
  bool digits = strspn(text + is_signed, "0123456789") == port.n - is_signed;
  if (!digits || number < 0 || number > 65535) return fallback;
  return is_signed ? -1 : (int)number;
}

/* The host as a URL has it, without brackets: an address in its canonical form, a zone behind %25. */
static bool write_host(span host, char *out, size_t capacity, bool *is_v6) {
  static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._";
  unsigned char address[16];
  const char *percent = host.n ? memchr(host.at, '%', host.n) : NULL;
  size_t n = percent ? (size_t)(percent - host.at) : host.n;
  *is_v6 = false;
  if (host.n + 4 >= capacity) return false;
  memcpy(out, host.at, n);
  out[n] = 0;
  if (!percent && inet_pton(AF_INET, out, address) == 1) return true;
  *is_v6 = inet_pton(AF_INET6, out, address) == 1;
  if (!*is_v6) return !percent && strspn(out, letters) == n;
  if (capacity < INET6_ADDRSTRLEN || !inet_ntop(AF_INET6, address, out, (socklen_t)capacity)) return false;
  if (!strncmp(out, "::ffff:", 7) && strchr(out, '.')) {
    memmove(out, out + 7, strlen(out + 7) + 1);
    *is_v6 = false;
  }
  if (!percent) return true;
  size_t n_zone = host.n - n - 1, end = strlen(out);
  if (n_zone == 0 || end + 3 + n_zone >= capacity) return false;
  memcpy(out + end, "%25", 3);
  memcpy(out + end + 3, percent + 1, n_zone);
  out[end + 3 + n_zone] = 0;
  return *is_v6 && strspn(out + end + 3, letters) == n_zone;
}

static bool is_loopback(const char *host) {
  return !strncmp(host, "127.", 4) || !strcmp(host, "::1") || !strcasecmp(host, "localhost");
}

/* "/a/b": no empty, "." or ".." parts, everything escaped that a path cannot hold. */
static void write_path(am_buf *url, span path) {
  static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~$&+,:;=@";
  size_t first = url->len;
  while (path.n) {
    const char *slash = memchr(path.at, '/', path.n);
    span part = {path.at, slash ? (size_t)(slash - path.at) : path.n};
    path.at += part.n + (slash != NULL);
    path.n -= part.n + (slash != NULL);
    if (part.n == 0 || (part.n == 1 && *part.at == '.')) continue;
    if (part.n == 2 && !memcmp(part.at, "..", 2)) {
      while (url->len > first && url->data[--url->len] != '/');
      url->data[url->len] = 0;
      continue;
    }
    am_buf_append_char(url, '/');
    for (size_t i = 0; i < part.n; i++)
      if (strchr(plain, part.at[i]))
        am_buf_append_char(url, part.at[i]);
      else
        am_buf_printf(url, "%%%02X", (unsigned char)part.at[i]);
  }
}

static adam_status fill(const char *scheme, const char *host, bool is_v6, int port, span path,
                        am_ollama_host *out, adam_error *error) {
  am_buf authority = {0}, url = {0};
  am_buf_printf(&authority, is_v6 ? "[%s]:%d" : "%s:%d", host, port);
  am_buf_printf(&url, "%s://%s", scheme, authority.data ? authority.data : "");
  write_path(&url, path);
  if (authority.failed || url.failed) {
    am_buf_close(&authority);
    am_buf_close(&url);
    return am_fail_memory(error, "Ollama host");
  }
  *out = (am_ollama_host){am_buf_take(&url), am_buf_take(&authority), is_loopback(host)};
  return ADAM_OK;
}

/* Of "[::1]" without a port, what is an address; else the text as it is. */
static span bare_host(span host) {
  char name[INET6_ADDRSTRLEN];
  unsigned char address[16];
  span inside = trim(host, "[]");
  if (inside.n >= sizeof name) return host;
  memcpy(name, inside.at, inside.n);
  name[inside.n] = 0;
  bool is_address = inet_pton(AF_INET, name, address) == 1 || inet_pton(AF_INET6, name, address) == 1;
  return is_address ? inside : host;
}

adam_status am_ollama_host_parse(const char *text, am_ollama_host *out, adam_error *error) {
  span all = {text ? text : "", text ? strlen(text) : 0};
  all = trim(trim(trim(all, blanks), "\"'"), blanks);
  const char *mark = all.n ? memmem(all.at, all.n, "://", 3) : NULL;
  span scheme = {"http", 4}, rest = all;
  int port = 11434;
  if (mark) {
    scheme = (span){all.at, (size_t)(mark - all.at)};
    rest = (span){mark + 3, all.n - scheme.n - 3};
    /* In other cases of letters it is the same scheme, without a port of its own: so it is in Ollama. */
    port = span_equal(scheme, "https") ? 443 : span_equal(scheme, "http") ? 80 : port;
  } else if (span_equal(all, "ollama.com")) { /* of the newer clients */
    scheme = (span){"https", 5};
    port = 443;
  }
  bool is_https = span_is(scheme, "https");
  if (!is_https && !span_is(scheme, "http"))
    return am_fail(error, ADAM_INVALID, "Ollama host", spelling, "%.*s is neither http nor https",
                   scheme.n < 100 ? (int)scheme.n : 100, scheme.at);
  const char *slash = rest.n ? memchr(rest.at, '/', rest.n) : NULL;
  span hostport = slash ? (span){rest.at, (size_t)(slash - rest.at)} : rest;
  span path = slash ? (span){slash + 1, rest.n - hostport.n - 1} : (span){"", 0};
  span host, number;
  if (split_port(hostport, &host, &number))
    port = port_number(number, port);
  else
    host = bare_host(hostport);
  char name[300];
  bool is_v6 = false;
  if (port < 0 || !write_host(host, name, sizeof name, &is_v6))
    return am_fail(error, ADAM_INVALID, "Ollama host", spelling, "this names no host");
  if (!*name || !strcmp(name, "0.0.0.0")) memcpy(name, "127.0.0.1", 10);
  if (!strcmp(name, "::")) memcpy(name, "::1", 4);
  return fill(is_https ? "https" : "http", name, is_v6, port, path, out, error);
}

void am_ollama_host_close(am_ollama_host *host) {
  am_mem_free(host->url);
  am_mem_free(host->authority);
  *host = (am_ollama_host){0};
}
