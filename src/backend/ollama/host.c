/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/ollama/host.h"

#include "base/buf.h"
#include "base/mem.h"
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

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

/* "host:port" or "[host]:port"; false where there is no port, or more than one could be. */
static bool split_port(span all, span *host, span *port) {
  const char *colon = memrchr(all.at, ':', all.n);
  if (!colon) return false;
  *host = (span){all.at, (size_t)(colon - all.at)};
  *port = (span){colon + 1, all.n - host->n - 1};
  if (host->n && *host->at == '[') {
    if (host->at[host->n - 1] != ']') return false;
    host->at++;
    host->n -= 2;
    return !memchr(host->at, '[', host->n) && !memchr(host->at, ']', host->n);
  }
  return !memchr(host->at, ':', host->n);
}

/* 0 to 65535, else the fallback; an empty text is no number. */
static int port_number(span port, int fallback) {
  char text[16];
  if (port.n == 0 || port.n >= sizeof text) return fallback;
  memcpy(text, port.at, port.n);
  text[port.n] = 0;
  char *end;
  long number = strtol(text, &end, 10);
  bool digits = strspn(text, "+-0123456789") == port.n;
  return digits && !*end && number >= 0 && number <= 65535 ? (int)number : fallback;
}

/* An address in its canonical form; false when it is a name. */
static bool canonical(span host, char out[INET6_ADDRSTRLEN], bool *is_v6) {
  char text[INET6_ADDRSTRLEN + 1];
  unsigned char address[16];
  if (host.n >= sizeof text) return false;
  memcpy(text, host.at, host.n);
  text[host.n] = 0;
  *is_v6 = inet_pton(AF_INET6, text, address) == 1;
  if (!*is_v6 && inet_pton(AF_INET, text, address) != 1) return false;
  return inet_ntop(*is_v6 ? AF_INET6 : AF_INET, address, out, INET6_ADDRSTRLEN) != NULL;
}

static bool is_loopback(const char *host) {
  return !strncmp(host, "127.", 4) || !strcmp(host, "::1") || !strcasecmp(host, "localhost");
}

static adam_status fill(const char *scheme, const char *host, bool is_v6, int port, span path,
                        am_ollama_host *out, adam_error *error) {
  am_buf authority = {0}, url = {0};
  am_buf_printf(&authority, is_v6 ? "[%s]:%d" : "%s:%d", host, port);
  am_buf_printf(&url, "%s://%s", scheme, authority.data ? authority.data : "");
  while (path.n && path.at[path.n - 1] == '/') path.n--;
  if (path.n) am_buf_append_char(&url, '/'), am_buf_append(&url, path.at, path.n);
  if (authority.failed || url.failed) {
    am_buf_close(&authority);
    am_buf_close(&url);
    return am_fail_memory(error, "Ollama host");
  }
  *out = (am_ollama_host){am_buf_take(&url), am_buf_take(&authority), is_loopback(host)};
  return ADAM_OK;
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
    port = span_is(scheme, "https") ? 443 : span_is(scheme, "http") ? 80 : port;
  } else if (span_is(all, "ollama.com")) {
    scheme = (span){"https", 5};
    port = 443;
  }
  if (!span_is(scheme, "http") && !span_is(scheme, "https"))
    return am_fail(error, ADAM_INVALID, "Ollama host", "write [http://]HOST[:PORT]", "%.*s is neither http nor https",
                   (int)scheme.n, scheme.at);
  const char *slash = rest.n ? memchr(rest.at, '/', rest.n) : NULL;
  span hostport = slash ? (span){rest.at, (size_t)(slash - rest.at)} : rest;
  span path = slash ? (span){slash + 1, rest.n - hostport.n - 1} : (span){"", 0};
  span host, number;
  if (split_port(hostport, &host, &number))
    port = port_number(number, port);
  else
    host = trim(hostport, "[]");
  char address[INET6_ADDRSTRLEN], name[256];
  bool is_v6 = false, is_address = canonical(host, address, &is_v6);
  if (host.n >= sizeof name)
    return am_fail(error, ADAM_INVALID, "Ollama host", NULL, "the name is longer than %zu bytes", sizeof name - 1);
  memcpy(name, host.at, host.n);
  name[host.n] = 0;
  if (is_address) memcpy(name, address, strlen(address) + 1);
  for (const char *c = name; *c; c++)
    if ((unsigned char)*c <= ' ' || strchr("\"<>\\^`{|}?#@:[]%", *c))
      if (!is_address)
        return am_fail(error, ADAM_INVALID, "Ollama host", "write [http://]HOST[:PORT]", "not the name of a host");
  if (!*name || !strcmp(name, "0.0.0.0")) memcpy(name, "127.0.0.1", 10), is_v6 = false;
  if (is_address && is_v6 && !strcmp(name, "::")) memcpy(name, "::1", 4);
  return fill(span_is(scheme, "https") ? "https" : "http", name, is_v6, port, path, out, error);
}

void am_ollama_host_close(am_ollama_host *host) {
  am_mem_free(host->url);
  am_mem_free(host->authority);
  *host = (am_ollama_host){0};
}
