/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/logprobs.h"

#include "base/error.h"
#include "base/mem.h"
#include "tokenizer/speller.h"

#include <math.h>
#include <string.h>

struct am_logprobs {
  size_t n_vocab, n_top;
  float *row;        /* (n_vocab) the kept logits, NaN as -inf */
  adam_logprob *top; /* (n_top) */
  size_t *at;        /* (n_top + 1) offsets of the bytes, the chosen token's last */
  am_buf bytes;      /* of all of them */
  am_speller *speller;
  adam_token_logprobs last;
};

adam_status am_logprobs_open(const am_tokenizer *tokenizer, size_t n_vocab, size_t n_top, am_logprobs **out,
                             adam_error *error) {
  am_logprobs *l = am_mem_zalloc(1, sizeof *l);
  if (!l) return am_fail_memory(error, "logprobs");
  l->n_vocab = n_vocab;
  l->n_top = n_top < n_vocab ? n_top : n_vocab;
  l->row = am_mem_zalloc(n_vocab, sizeof *l->row);
  l->top = am_mem_zalloc(l->n_top + 1, sizeof *l->top);
  l->at = am_mem_zalloc(l->n_top + 1, sizeof *l->at);
  adam_status status = am_speller_open(tokenizer, &l->speller, error);
  if (!status && (!l->row || !l->top || !l->at)) status = am_fail_memory(error, "logprobs");
  if (status)
    am_logprobs_close(&l);
  else
    *out = l;
  return status;
}

void am_logprobs_close(am_logprobs **logprobs) {
  am_logprobs *l = logprobs ? *logprobs : NULL;
  if (!l) return;
  am_mem_free(l->row);
  am_mem_free(l->top);
  am_mem_free(l->at);
  am_buf_close(&l->bytes);
  am_speller_close(&l->speller);
  am_mem_free(l);
  *logprobs = NULL;
}

void am_logprobs_keep(am_logprobs *l, const float *logits) {
  for (size_t i = 0; i < l->n_vocab; i++) l->row[i] = isnan(logits[i]) ? -INFINITY : logits[i];
}

/* log(sum(exp(row))) with the greatest logit taken out, so that nothing overflows. */
static double log_sum(const am_logprobs *l) {
  float most = -INFINITY;
  for (size_t i = 0; i < l->n_vocab; i++)
    if (l->row[i] > most) most = l->row[i];
  if (!isfinite(most)) return most;
  double sum = 0;
  for (size_t i = 0; i < l->n_vocab; i++) sum += exp((double)l->row[i] - (double)most);
  return (double)most + log(sum);
}

/* The n_top greatest, best first; equals by ascending id: an insertion into the sorted list, which most
 * of the row never enters. */
static size_t find_top(am_logprobs *l) {
  size_t n = 0;
  for (size_t i = 0; i < l->n_vocab && l->n_top > 0; i++) {
    double value = (double)l->row[i];
    if (n == l->n_top && !(value > l->top[n - 1].logprob)) continue;
    size_t place = n < l->n_top ? n++ : n - 1;
    for (; place > 0 && l->top[place - 1].logprob < value; place--) l->top[place] = l->top[place - 1];
    l->top[place] = (adam_logprob){.id = (int32_t)i, .logprob = value};
  }
  return n;
}

static adam_status spell(am_logprobs *l, adam_logprob *entry, size_t *at, adam_error *error) {
  const char *bytes = NULL;
  bool is_text = false;
  adam_status status = am_speller_bytes(l->speller, entry->id, &bytes, &entry->n_bytes, &is_text, error);
  if (status) return status;
  *at = l->bytes.len;
  return am_buf_append(&l->bytes, bytes, entry->n_bytes) ? ADAM_OK : am_fail_memory(error, "logprobs");
}

adam_status am_logprobs_take(am_logprobs *l, int32_t id, adam_error *error) {
  double total = log_sum(l);
  size_t n = find_top(l);
  adam_logprob chosen = {.id = id, .logprob = (double)l->row[id]};
  am_buf_clear(&l->bytes);
  adam_status status = spell(l, &chosen, &l->at[n], error);
  for (size_t i = 0; !status && i < n; i++) status = spell(l, &l->top[i], &l->at[i], error);
  if (status) return status;
  const char *bytes = l->bytes.data ? l->bytes.data : "";
  for (size_t i = 0; i < n; i++) {
    l->top[i].bytes = bytes + l->at[i];
    l->top[i].logprob = isfinite(total) ? l->top[i].logprob - total : -INFINITY;
  }
  chosen.bytes = bytes + l->at[n];
  chosen.logprob = isfinite(total) ? chosen.logprob - total : -INFINITY;
  l->last = (adam_token_logprobs){.token = chosen, .top = l->top, .n_top = n};
  return ADAM_OK;
}

const adam_token_logprobs *am_logprobs_last(const am_logprobs *l) { return l ? &l->last : NULL; }
