/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/remote/logprobs.h"

#include "base/error.h"
#include <math.h>
#include <stdlib.h>

/* What a token adds, where the server tells its bytes; else its text. */
static adam_status read_one(const am_json *from, const char *what, am_arena *arena, adam_logprob *to,
                            adam_error *error) {
  const am_json *bytes = am_json_get(from, "bytes"), *token = am_json_get(from, "token");
  char *copy = NULL;
  size_t n = 0;
  if (bytes && bytes->type == AM_JSON_ARRAY) {
    n = bytes->n;
    copy = am_arena_alloc(arena, n + 1);
    for (size_t i = 0; copy && i < n; i++) copy[i] = (char)am_json_int(am_json_at(bytes, i), 0);
  } else if (token && token->type == AM_JSON_STRING) {
    n = token->n;
    copy = am_arena_dup(arena, token->as.string, n);
  } else {
    return am_fail(error, ADAM_FAILED, what, NULL, "a log-probability has no token");
  }
  if (!copy) return am_fail_memory(error, what);
  *to = (adam_logprob){-1, am_json_real(am_json_get(from, "logprob"), -INFINITY), copy, n};
  return ADAM_OK;
}

static adam_status begin(size_t n, const char *what, am_arena *arena, am_remote_logprobs *out,
                         adam_error *error) {
  *out = (am_remote_logprobs){am_arena_zalloc(arena, n, sizeof *out->tokens),
                              am_arena_alloc(arena, n * sizeof *out->ids), n};
  if (!out->tokens || !out->ids) return am_fail_memory(error, what);
  for (size_t i = 0; i < n; i++) out->ids[i] = -1;
  return ADAM_OK;
}

adam_status am_remote_logprobs_read(const am_json *list, const char *what, am_arena *arena,
                                    am_remote_logprobs *out, adam_error *error) {
  adam_status status = begin(list->n, what, arena, out, error);
  for (size_t i = 0; i < list->n && !status; i++) {
    const am_json *item = am_json_at(list, i), *top = am_json_get(item, "top_logprobs");
    status = read_one(item, what, arena, &out->tokens[i].token, error);
    size_t n_top = !status && top && top->type == AM_JSON_ARRAY ? top->n : 0;
    adam_logprob *best = n_top ? am_arena_zalloc(arena, n_top, sizeof *best) : NULL;
    if (n_top && !best) return am_fail_memory(error, what);
    for (size_t k = 0; k < n_top && !status; k++)
      status = read_one(am_json_at(top, k), what, arena, &best[k], error);
    out->tokens[i].top = best;
    out->tokens[i].n_top = n_top;
  }
  return status;
}

static int best_first(const void *a, const void *b) {
  double x = ((const adam_logprob *)a)->logprob, y = ((const adam_logprob *)b)->logprob;
  return (x < y) - (x > y);
}

static adam_status add_token(const char *text, size_t n, double logprob, const char *what, am_arena *arena,
                             adam_logprob *to, adam_error *error) {
  char *copy = am_arena_dup(arena, text, n);
  if (!copy) return am_fail_memory(error, what);
  *to = (adam_logprob){-1, logprob, copy, n};
  return ADAM_OK;
}

adam_status am_remote_logprobs_read_columns(const am_json *columns, const char *what, am_arena *arena,
                                            am_remote_logprobs *out, adam_error *error) {
  const am_json *tokens = am_json_get(columns, "tokens"), *values = am_json_get(columns, "token_logprobs");
  const am_json *tops = am_json_get(columns, "top_logprobs");
  size_t n = tokens && tokens->type == AM_JSON_ARRAY ? tokens->n : 0;
  adam_status status = begin(n, what, arena, out, error);
  for (size_t i = 0; i < n && !status; i++) {
    const am_json *token = am_json_at(tokens, i), *top = am_json_at(tops, i);
    if (!token || token->type != AM_JSON_STRING)
      return am_fail(error, ADAM_FAILED, what, NULL, "a log-probability has no token");
    status = add_token(token->as.string, token->n, am_json_real(am_json_at(values, i), -INFINITY), what,
                       arena, &out->tokens[i].token, error);
    size_t n_top = !status && top && top->type == AM_JSON_OBJECT ? top->n : 0;
    adam_logprob *best = n_top ? am_arena_zalloc(arena, n_top, sizeof *best) : NULL;
    if (n_top && !best) return am_fail_memory(error, what);
    for (size_t k = 0; k < n_top && !status; k++) {
      const am_json_member *member = &top->as.members[k];
      status = add_token(member->key, member->key_bytes, am_json_real(&member->value, -INFINITY), what, arena,
                         &best[k], error);
    }
    if (n_top) qsort(best, n_top, sizeof *best, best_first);
    out->tokens[i].top = best;
    out->tokens[i].n_top = n_top;
  }
  return status;
}
