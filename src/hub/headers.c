/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/headers.h"

#include "base/mem.h"
#include "base/size.h"
#include <ctype.h>
#include <string.h>
#include <strings.h>

bool am_hub_number(const char *text, size_t n_bytes, uint64_t *out) {
  uint64_t value = 0;
  if (n_bytes == 0) return false;
  for (size_t i = 0; i < n_bytes; i++) {
    if (text[i] < '0' || text[i] > '9' || !am_u64_mul(value, 10, &value) ||
        !am_u64_add(value, (uint64_t)(text[i] - '0'), &value))
      return false;
  }
  *out = value;
  return true;
}

/* Is `next` among the words of rel=... in the parameters [p, end)? */
static bool rel_is_next(const char *p, const char *end) {
  while (p < end) {
    p += strspn(p, "; \t");
    size_t n = strcspn(p, "=;,");
    bool is_rel = n == 3 && !strncasecmp(p, "rel", 3);
    p += n;
    if (p >= end || *p != '=') continue;
    p++;
    bool quoted = *p == '"';
    if (quoted) p++;
    size_t n_value = strcspn(p, quoted ? "\"" : ";,");
    for (size_t at = 0; is_rel && at < n_value;) {
      size_t n_word = 0;
      while (at + n_word < n_value && p[at + n_word] != ' ') n_word++;
      if (n_word == 4 && !strncasecmp(p + at, "next", 4)) return true;
      at += n_word + 1;
    }
    p += n_value;
    if (quoted && *p == '"') p++;
    if (!strchr("; \t", *p)) return false;
  }
  return false;
}

char *am_hub_link_next(const char *link) {
  const char *p = link ? link : "";
  while ((p = strchr(p, '<'))) {
    const char *target = p + 1, *close = strchr(target, '>');
    if (!close) return NULL;
    const char *end = close + 1;
    for (bool quoted = false; *end && (quoted || *end != ','); end++)
      if (*end == '"') quoted = !quoted;
    if (rel_is_next(close + 1, end)) return am_mem_dup(target, (size_t)(close - target));
    p = end;
  }
  return NULL;
}

double am_hub_wait_seconds(const char *ratelimit, const char *retry_after, double fallback) {
  enum { MOST = 3600 };
  uint64_t seconds = 0;
  const char *t = ratelimit ? strstr(ratelimit, ";t=") : NULL;
  if (t && am_hub_number(t + 3, strspn(t + 3, "0123456789"), &seconds))
    return seconds >= MOST ? MOST : (double)seconds + 1;
  if (retry_after && am_hub_number(retry_after, strspn(retry_after, "0123456789"), &seconds))
    return seconds >= MOST ? MOST : (double)seconds;
  return fallback;
}

bool am_hub_etag(const char *header, char out[65]) {
  if (!header) return false;
  if (!strncmp(header, "W/", 2)) header += 2;
  if (*header == '"') header++;
  size_t n = 0;
  char lower[65];
  for (; n < 64 && isxdigit((unsigned char)header[n]); n++) lower[n] = (char)tolower((unsigned char)header[n]);
  if ((n != 40 && n != 64) || (header[n] != 0 && strcmp(header + n, "\"") != 0)) return false;
  lower[n] = 0;
  memcpy(out, lower, n + 1);
  return true;
}

bool am_hub_content_range(const char *header, uint64_t *first, uint64_t *last, uint64_t *total) {
  uint64_t a = 0, b = 0, all = UINT64_MAX;
  if (!header || strncasecmp(header, "bytes ", 6) != 0) return false;
  const char *p = header + 6;
  size_t n = strspn(p, "0123456789");
  if (!am_hub_number(p, n, &a) || p[n] != '-') return false;
  p += n + 1;
  n = strspn(p, "0123456789");
  if (!am_hub_number(p, n, &b) || p[n] != '/' || b < a) return false;
  p += n + 1;
  if (strcmp(p, "*") != 0 && (!am_hub_number(p, strlen(p), &all) || b >= all)) return false;
  *first = a;
  *last = b;
  *total = all;
  return true;
}
