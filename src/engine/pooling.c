/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/pooling.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"

adam_status am_pooling_open(am_pooled *pool, const am_step *step, uint32_t n_embd, adam_error *error) {
  *pool = (am_pooled){.step = step, .n_embd = n_embd};
  pool->sum = am_mem_zalloc(n_embd, sizeof *pool->sum);
  pool->weighted = am_mem_zalloc(n_embd, sizeof *pool->weighted);
  pool->most = am_mem_zalloc(n_embd, sizeof *pool->most);
  pool->first = am_mem_zalloc(n_embd, sizeof *pool->first);
  pool->last = am_mem_zalloc(n_embd, sizeof *pool->last);
  if (pool->sum && pool->weighted && pool->most && pool->first && pool->last) return ADAM_OK;
  am_pooling_close(pool);
  return am_fail_memory(error, "pooling");
}

void am_pooling_close(am_pooled *pool) {
  am_mem_free(pool->sum);
  am_mem_free(pool->weighted);
  am_mem_free(pool->most);
  am_mem_free(pool->first);
  am_mem_free(pool->last);
  *pool = (am_pooled){0};
}

void am_pooling_begin(am_pooled *pool, uint64_t n_prompt) {
  uint32_t n = pool->n_embd;
  pool->n = 0;
  pool->n_skipped = pool->step->include_prompt ? 0 : n_prompt;
  memset(pool->sum, 0, n * sizeof *pool->sum);
  memset(pool->weighted, 0, n * sizeof *pool->weighted);
  memset(pool->first, 0, n * sizeof *pool->first);
  memset(pool->last, 0, n * sizeof *pool->last);
  memset(pool->most, 0, n * sizeof *pool->most);
}

static void add_row(am_pooled *pool, const float *row, bool is_first) {
  double weight = (double)pool->n; /* counted from 1, prompt included */
  for (uint32_t i = 0; i < pool->n_embd; i++) {
    pool->sum[i] += row[i];
    pool->weighted[i] += weight * row[i];
    if (is_first || row[i] > pool->most[i]) pool->most[i] = row[i];
  }
  if (is_first) memcpy(pool->first, row, pool->n_embd * sizeof *row);
}

void am_pooling_add(am_pooled *pool, const float *hidden, uint32_t n) {
  for (uint32_t i = 0; i < n; i++) {
    const float *row = hidden + (size_t)i * pool->n_embd;
    pool->n++;
    /* Where a prompt is all there is, the reference takes its first token as the CLS one. */
    if (pool->n == 1 && pool->n_skipped) memcpy(pool->first, row, pool->n_embd * sizeof *row);
    if (pool->n <= pool->n_skipped) continue;
    add_row(pool, row, pool->n == pool->n_skipped + 1);
    if (i + 1 == n) memcpy(pool->last, row, pool->n_embd * sizeof *row);
  }
}

void am_pooling_end(const am_pooled *pool, float *out) {
  uint32_t width = pool->n_embd;
  double n = pool->n > pool->n_skipped ? (double)(pool->n - pool->n_skipped) : 0, all = (double)pool->n;
  double skipped = all - n;
  /* the weights n_skipped + 1 .. all */
  double weights = (all * (all + 1) - skipped * (skipped + 1)) / 2;
  for (uint32_t p = 0; p < pool->step->n_pooling; p++, out += width) {
    for (uint32_t i = 0; i < width; i++) {
      switch (pool->step->pooling[p]) {
        case AM_POOL_CLS:
          out[i] = pool->first[i];
          break;
        case AM_POOL_MAX:
          out[i] = pool->most[i];
          break;
        case AM_POOL_MEAN:
          out[i] = n > 0 ? (float)(pool->sum[i] / n) : 0;
          break;
        case AM_POOL_MEAN_SQRT:
          out[i] = n > 0 ? (float)(pool->sum[i] / sqrt(n)) : 0;
          break;
        case AM_POOL_WEIGHTED_MEAN:
          out[i] = n > 0 ? (float)(pool->weighted[i] / weights) : 0;
          break;
        case AM_POOL_LAST:
          out[i] = pool->last[i];
          break;
        case AM_POOL_COUNT:
          break;
      }
    }
  }
}
