/* SPDX-License-Identifier: Apache-2.0 */
/* What the manager costs over the bare table: prints microseconds per call and per token. The aim is
 * 20 and 1; the test fails at ten times that, so that a busy machine or a sanitizer does not. */
#include <adam/adam.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "os/clock.h"

enum { N_ROUNDS = 9, N_CALLS = 200, N_TOKENS = 20000 };

static bool take(void *user, const adam_chunk *chunk) {
  *(size_t *)user += chunk->n_ids;
  return false;
}

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

typedef struct bench {
  const adam_backend_ops *ops;
  adam_backend_model *model;
  adam_manager *manager;
  adam_request request;
} bench;

static double bare_us(const bench *b, size_t n_calls) {
  size_t n = 0;
  adam_sink sink = {.user = &n, .on_chunk = take};
  double begin_ms = am_clock_ms();
  for (size_t i = 0; i < n_calls; i++) {
    adam_outcome outcome = {.struct_size = sizeof outcome};
    if (b->ops->generate(b->ops->context, b->model, &b->request, &sink, &outcome, NULL)) abort();
  }
  return (am_clock_ms() - begin_ms) * 1000 / (double)n_calls;
}

static double manager_us(const bench *b, size_t n_calls) {
  size_t n = 0;
  double begin_ms = am_clock_ms();
  for (size_t i = 0; i < n_calls; i++) {
    adam_result result;
    if (adam_manager_generate(b->manager, &b->request, take, &n, &result, NULL)) abort();
    adam_result_close(&result);
  }
  return (am_clock_ms() - begin_ms) * 1000 / (double)n_calls;
}

/* Median of the differences of neighbouring runs, at least 0. */
static double overhead_us(const bench *b, size_t n_calls) {
  double differences[N_ROUNDS];
  for (size_t i = 0; i < N_ROUNDS; i++) {
    double bare = bare_us(b, n_calls);
    differences[i] = manager_us(b, n_calls) - bare;
  }
  qsort(differences, N_ROUNDS, sizeof *differences, ascending);
  double median = differences[N_ROUNDS / 2];
  return median > 0 ? median : 0;
}

int main(void) {
  bench b = {.ops = adam_backend_find("mock"),
             .request = {.struct_size = sizeof b.request,
                         .prompt = "x",
                         .prompt_bytes = 1,
                         .ignore_eos = true,
                         .sampling = {.set = ADAM_SET_MAX_TOKENS | ADAM_SET_SEED, .max_tokens = 1}}};
  adam_manager_options options = {.struct_size = sizeof options, .model = "mock:say=word "};
  if (b.ops->open(b.ops->context, "say=word ", NULL, &b.model, NULL) ||
      adam_manager_open(&options, &b.manager, NULL))
    return 1;
  double call_us = overhead_us(&b, N_CALLS);
  b.request.sampling.max_tokens = N_TOKENS;
  double token_us = overhead_us(&b, 1) / N_TOKENS;
  printf("manager over the bare table: %.2f us a call, %.4f us a token\n", call_us, token_us);
  adam_manager_close(&b.manager);
  b.ops->close(b.ops->context, b.model);
  if (call_us < 200 && token_us < 10) return 0;
  printf("FAIL: expected less than 200 and 10\n");
  return 1;
}
