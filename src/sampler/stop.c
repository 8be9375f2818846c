/* SPDX-License-Identifier: Apache-2.0 */
#include "sampler/stop.h"

#include "base/buf.h"
#include "base/error.h"
#include "base/mem.h"

#include <string.h>

/* One string with its Knuth-Morris-Pratt table: border[i] is the length of the longest proper prefix
 * of text that is also a suffix of text[0..i]. */
typedef struct pattern {
  char *text;
  size_t n_bytes;
  size_t *border; /* (n_bytes) */
  size_t matched; /* how much of text the end of the stream is */
} pattern;

struct am_stop {
  pattern *patterns;
  size_t n;
  am_buf held;  /* the end of the stream that may begin a stop string */
  am_buf ready; /* what the last push let go */
  bool hit;
};

static bool pattern_open(pattern *p, const char *text) {
  p->n_bytes = strlen(text);
  p->text = am_mem_dup(text, p->n_bytes);
  p->border = am_mem_zalloc(p->n_bytes, sizeof *p->border);
  if (!p->text || !p->border) return false;
  for (size_t i = 1, k = 0; i < p->n_bytes; i++) {
    while (k > 0 && text[i] != text[k]) k = p->border[k - 1];
    if (text[i] == text[k]) k++;
    p->border[i] = k;
  }
  return true;
}

adam_status am_stop_open(const char *const *stop, size_t n, am_stop **out, adam_error *error) {
  for (size_t i = 0; i < n; i++)
    if (!stop[i] || !*stop[i])
      return am_fail(error, ADAM_INVALID, "stop", NULL, "stop string %zu of %zu is empty", i + 1, n);
  am_stop *s = am_mem_zalloc(1, sizeof *s);
  if (!s) return am_fail_memory(error, "stop strings");
  s->patterns = am_mem_zalloc(n, sizeof *s->patterns);
  if (!s->patterns) goto fail;
  s->n = n;
  for (size_t i = 0; i < n; i++)
    if (!pattern_open(&s->patterns[i], stop[i])) goto fail;
  *out = s;
  return ADAM_OK;
fail:
  am_stop_close(&s);
  return am_fail_memory(error, "stop strings");
}

void am_stop_close(am_stop **stop) {
  if (!stop || !*stop) return;
  am_stop *s = *stop;
  for (size_t i = 0; i < s->n; i++) {
    am_mem_free(s->patterns[i].text);
    am_mem_free(s->patterns[i].border);
  }
  am_mem_free(s->patterns);
  am_buf_close(&s->held);
  am_buf_close(&s->ready);
  am_mem_free(s);
  *stop = NULL;
}

static void pattern_feed(pattern *p, char c) {
  while (p->matched > 0 && p->text[p->matched] != c) p->matched = p->border[p->matched - 1];
  if (p->text[p->matched] == c) p->matched++;
}

/* Feeds bytes until one completes a stop string. Returns how many were taken; *tail is how many bytes
 * at the end of the stream so far belong to the longest match, complete or begun. */
static size_t feed(am_stop *s, const char *text, size_t n_bytes, size_t *tail) {
  size_t taken = 0;
  for (size_t i = 0; i < s->n; i++)
    if (s->patterns[i].matched > *tail) *tail = s->patterns[i].matched;
  while (taken < n_bytes && !s->hit) {
    size_t begun = 0, complete = 0;
    for (size_t i = 0; i < s->n; i++) {
      pattern *p = &s->patterns[i];
      pattern_feed(p, text[taken]);
      if (p->matched > begun) begun = p->matched;
      if (p->matched == p->n_bytes && p->n_bytes > complete) complete = p->n_bytes;
    }
    taken++;
    s->hit = complete > 0;
    *tail = s->hit ? complete : begun;
  }
  return taken;
}

adam_status am_stop_push(am_stop *stop, const char *text, size_t n_bytes, const char **safe,
                         size_t *safe_bytes, bool *hit, adam_error *error) {
  size_t tail = 0;
  am_buf_clear(&stop->ready);
  if (!stop->hit) {
    /* room first, so that a failure leaves the matching state alone */
    if (!am_buf_reserve(&stop->held, n_bytes) || !am_buf_reserve(&stop->ready, stop->held.len + n_bytes))
      return am_fail_memory(error, "stop strings");
    size_t taken = feed(stop, text, n_bytes, &tail);
    am_buf_append(&stop->held, text, taken);
    size_t let_go = stop->held.len - tail;
    am_buf_append(&stop->ready, stop->held.data, let_go);
    if (stop->held.data) {
      memmove(stop->held.data, stop->held.data + let_go, tail);
      stop->held.data[tail] = '\0';
    }
    stop->held.len = tail;
  }
  *safe = stop->ready.data ? stop->ready.data : "";
  *safe_bytes = stop->ready.len;
  *hit = stop->hit;
  return ADAM_OK;
}

void am_stop_finish(am_stop *stop, const char **rest, size_t *rest_bytes) {
  bool none = stop->hit || !stop->held.data;
  *rest = none ? "" : stop->held.data;
  *rest_bytes = none ? 0 : stop->held.len;
}
