/* SPDX-License-Identifier: Apache-2.0 */
/* Perplexity over a text, and how far another model's predictions are from this one's. Both models run over
 * the same window at once, each on a thread, and meet at every position: so no more than what each holds
 * anyway is held in memory. */
#include "manager/manager.h"

#include "base/mem.h"
#include "os/thread.h"
#include <math.h>
#include <string.h>

/* The tokens and how they are cut. */
typedef struct windows {
  const int32_t *ids;
  size_t n_ids, length, stride;
} windows;

/* The window after one that began at *begin and scored up to *scored; false: there is none. A window of one
 * token predicts nothing. */
static bool next_window(const windows *w, size_t *begin, size_t *scored, size_t *n) {
  size_t end = *begin + *n;
  if (*n > 0) {
    if (end >= w->n_ids) return false;
    *begin += w->stride;
  }
  *scored = end;
  *n = w->n_ids - *begin < w->length ? w->n_ids - *begin : w->length;
  return *n > 1;
}

/* The other model, on a thread of its own. */
typedef struct peer {
  adam_manager *manager; /* NULL = nothing is compared */
  const windows *windows;
  am_thread thread;
  am_mutex lock;
  am_cond changed;
  const float *logits; /* of the position where it waits; NULL: it is computing */
  size_t n_vocab;
  bool stop, ended;
  adam_status status; /* once it has ended */
  adam_error error;
  bool has_lock, has_changed, has_thread;
} peer;

static bool peer_logits(void *user, size_t position, const float *logits, size_t n_vocab) {
  peer *p = user;
  (void)position;
  am_mutex_lock(&p->lock);
  p->n_vocab = n_vocab;
  p->logits = logits;
  am_cond_broadcast(&p->changed);
  while (p->logits && !p->stop) am_cond_wait(&p->changed, &p->lock);
  bool stop = p->stop;
  am_mutex_unlock(&p->lock);
  return stop;
}

static void *peer_run(void *user) {
  peer *p = user;
  size_t begin = 0, scored = 0, n = 0;
  adam_status status = ADAM_OK;
  while (!status && next_window(p->windows, &begin, &scored, &n))
    status = adam_manager_score(p->manager, p->windows->ids + begin, n, NULL, peer_logits, p, &p->error);
  am_mutex_lock(&p->lock);
  p->status = status;
  p->ended = true;
  am_cond_broadcast(&p->changed);
  am_mutex_unlock(&p->lock);
  return NULL;
}

static adam_status peer_open(peer *p, adam_manager *manager, const windows *w, adam_error *error) {
  if (!manager) return ADAM_OK;
  p->manager = manager;
  p->windows = w;
  p->has_lock = am_mutex_open(&p->lock);
  p->has_changed = p->has_lock && am_cond_open(&p->changed);
  p->has_thread = p->has_changed && am_thread_start(&p->thread, peer_run, p);
  return p->has_thread ? ADAM_OK
                       : am_fail(error, ADAM_NO_MEMORY, "evaluate", NULL, "no thread could be started");
}

/* Waits for its next logits; NULL: it has ended. */
static const float *peer_wait(peer *p) {
  am_mutex_lock(&p->lock);
  while (!p->logits && !p->ended) am_cond_wait(&p->changed, &p->lock);
  const float *logits = p->logits;
  am_mutex_unlock(&p->lock);
  return logits;
}

static void peer_go_on(peer *p) {
  am_mutex_lock(&p->lock);
  p->logits = NULL;
  am_cond_broadcast(&p->changed);
  am_mutex_unlock(&p->lock);
}

/* Stops it; its status is final afterwards. */
static void peer_close(peer *p) {
  if (p->has_thread) {
    am_mutex_lock(&p->lock);
    p->stop = true;
    am_cond_broadcast(&p->changed);
    am_mutex_unlock(&p->lock);
    am_thread_join(&p->thread);
  }
  if (p->has_changed) am_cond_close(&p->changed);
  if (p->has_lock) am_mutex_close(&p->lock);
}

typedef struct evaluation {
  const adam_evaluate_request *request;
  const int32_t *ids;  /* of the window */
  size_t n_ids, first; /* tokens [first, n_ids) of the window are scored */
  size_t done;         /* tokens of the windows before */
  size_t n_all;        /* tokens of all windows */
  peer peer;
  double nll, peer_nll, divergence; /* sums over the n_scored tokens */
  uint64_t n_scored, n_same;
  bool bad, cancelled;
  bool peer_failed; /* it ended too soon: its status says why */
  bool other_vocabulary;
} evaluation;

/* The greatest logit, the first of equal ones, and the log of the sum of exp(logit - it). false: a logit is
 * no number, or none is finite. */
static bool measure(const float *logits, size_t n, size_t *best, double *log_sum) {
  size_t at = 0;
  for (size_t i = 0; i < n; i++) {
    if (isnan(logits[i])) return false;
    if (logits[i] > logits[at]) at = i;
  }
  if (!isfinite(logits[at])) return false;
  double sum = 0;
  for (size_t i = 0; i < n; i++) sum += exp((double)logits[i] - logits[at]);
  *best = at;
  *log_sum = log(sum);
  return true;
}

/* KL(P || Q) in nats of P = softmax(p), Q = softmax(q): the sum of P (log P - log Q). */
static double divergence(const float *p, size_t p_best, double p_log_sum, const float *q, size_t q_best,
                         double q_log_sum, size_t n) {
  double sum = 0;
  for (size_t i = 0; i < n; i++) {
    double log_p = (double)p[i] - p[p_best] - p_log_sum;
    double log_q = (double)q[i] - q[q_best] - q_log_sum;
    if (log_p > -745) sum += exp(log_p) * (log_p - log_q); /* below, exp is 0 */
  }
  return sum > 0 ? sum : 0; /* rounding may leave less */
}

static bool score_token(evaluation *e, int32_t token, const float *logits, const float *other,
                        size_t n_vocab) {
  size_t best = 0, other_best = 0;
  double log_sum = 0, other_log_sum = 0;
  if (token < 0 || (size_t)token >= n_vocab || !measure(logits, n_vocab, &best, &log_sum)) return false;
  e->nll -= (double)logits[token] - logits[best] - log_sum;
  e->n_scored++;
  if (!other) return true;
  if (!measure(other, n_vocab, &other_best, &other_log_sum)) return false;
  e->peer_nll -= (double)other[token] - other[other_best] - other_log_sum;
  e->n_same += best == other_best;
  e->divergence += divergence(other, other_best, other_log_sum, logits, best, log_sum, n_vocab);
  return true;
}

static bool on_position(void *user, size_t position, const float *logits, size_t n_vocab) {
  evaluation *e = user;
  const adam_evaluate_request *r = e->request;
  const float *other = NULL;
  if (e->peer.manager) {
    other = peer_wait(&e->peer);
    e->peer_failed = !other;
    e->other_vocabulary = other && e->peer.n_vocab != n_vocab;
    if (e->peer_failed || e->other_vocabulary) return true;
  }
  if (position + 1 >= e->first && position + 1 < e->n_ids)
    e->bad = !score_token(e, e->ids[position + 1], logits, other, n_vocab);
  if (other) peer_go_on(&e->peer);
  if (!e->bad && r->on_progress) e->cancelled = r->on_progress(r->user, e->done + position + 1, e->n_all);
  return e->bad || e->cancelled;
}

/* The status of scoring a window, with the cause that is behind it. */
static adam_status explain(const adam_manager *m, const evaluation *e, adam_status status,
                           adam_error *error) {
  if (e->bad)
    return am_fail(error, ADAM_FAILED, m->name, NULL,
                   "logits are not numbers, or an id is none of its tokens, after %llu scored tokens",
                   (unsigned long long)e->n_scored);
  if (e->cancelled) return am_fail(error, ADAM_CANCELLED, m->name, NULL, "the evaluation was cancelled");
  if (e->other_vocabulary)
    return am_fail(error, ADAM_INVALID, e->peer.manager->name, NULL, "it has another vocabulary than %s",
                   m->name);
  return status;
}

static adam_status run(adam_manager *m, const windows *w, const adam_evaluate_request *r,
                       adam_evaluation *out, adam_error *error) {
  evaluation e = {.request = r};
  size_t begin = 0, scored = 0, n = 0, expected = 0;
  while (next_window(w, &begin, &scored, &n)) e.n_all += n;
  begin = scored = n = 0;
  adam_status status = peer_open(&e.peer, r->against, w, error);
  while (!status && next_window(w, &begin, &scored, &n)) {
    e.ids = w->ids + begin;
    e.n_ids = n;
    e.first = scored > begin ? scored - begin : 1; /* nothing predicts a window's first token */
    status = m->ops->score(m->ops->context, m->model, e.ids, n, on_position, &e, error);
    status = explain(m, &e, status, error);
    e.done += n;
    expected += n - e.first;
  }
  peer_close(&e.peer);
  if (e.peer_failed) {
    status = e.peer.status;
    if (e.peer.status && error) *error = e.peer.error;
    if (!e.peer.status)
      status = am_fail(error, ADAM_FAILED, r->against->name, NULL, "it scored too few positions");
  }
  if (!status && e.n_scored != expected)
    status = am_fail(error, ADAM_FAILED, m->ops->name, NULL, "%llu of %zu tokens were scored",
                     (unsigned long long)e.n_scored, expected);
  if (status) return status;
  double count = (double)e.n_scored;
  *out = (adam_evaluation){.n_tokens = w->n_ids,
                           .n_scored = e.n_scored,
                           .window_tokens = w->length,
                           .stride_tokens = w->stride,
                           .nll = e.nll,
                           .perplexity = exp(e.nll / count),
                           .compared = r->against != NULL};
  if (r->against) {
    out->against_perplexity = exp(e.peer_nll / count);
    out->mean_kl = e.divergence / count;
    out->top1 = (double)e.n_same / count;
  }
  return ADAM_OK;
}

/* Owned; NULL for a row of the logits that stands for no token. */
static adam_status spelling(adam_manager *m, int32_t id, char **text, size_t *n_bytes, adam_error *error) {
  adam_error why;
  adam_status status = adam_manager_token_text(m, id, text, n_bytes, &why);
  if (status != ADAM_NO_MEMORY) return ADAM_OK;
  if (error) *error = why;
  return status;
}

/* The same spelling for every id, as far as both backends can tell. */
static adam_status check_spellings(adam_manager *m, adam_manager *other, adam_error *error) {
  adam_status status = ADAM_OK;
  if (!m->ops->token_text || !other->ops->token_text) return ADAM_OK;
  for (int64_t id = 0; id < m->info.n_vocab && !status; id++) {
    char *a = NULL, *b = NULL;
    size_t n_a = 0, n_b = 0;
    status = spelling(m, (int32_t)id, &a, &n_a, error);
    if (!status) status = spelling(other, (int32_t)id, &b, &n_b, error);
    if (!status && (n_a != n_b || (n_a > 0 && memcmp(a, b, n_a) != 0)))
      status = am_fail(error, ADAM_INVALID, other->name, "models with one tokenizer can be compared",
                       "it has another vocabulary than %s: token %lld is '%.40s', not '%.40s'", m->name,
                       (long long)id, b ? b : "", a ? a : "");
    adam_free(a);
    adam_free(b);
  }
  return status;
}

static adam_status check_peer(adam_manager *m, const adam_evaluate_request *r, const windows *w,
                              adam_error *error) {
  adam_manager *other = r->against;
  if (!other) return ADAM_OK;
  if (other == m) return am_fail(error, ADAM_INVALID, "against", NULL, "it is the same manager");
  if (!other->ops->score) return am_manager_unsupported(other, "score", error);
  if (m->info.n_vocab != other->info.n_vocab)
    return am_fail(error, ADAM_INVALID, other->name, "models with one tokenizer can be compared",
                   "it has a vocabulary of %lld, %s one of %lld", (long long)other->info.n_vocab, m->name,
                   (long long)m->info.n_vocab);
  adam_status status = check_spellings(m, other, error);
  if (status || !r->text) return status;
  int32_t *ids = NULL;
  size_t n = 0;
  status = adam_manager_tokenize(other, r->text, r->text_bytes, 0, &ids, &n, error);
  if (!status && (n != w->n_ids || memcmp(ids, w->ids, n * sizeof *ids) != 0))
    status = am_fail(error, ADAM_INVALID, other->name, "models with one tokenizer can be compared",
                     "it makes other tokens of the text than %s", m->name);
  adam_free(ids);
  return status;
}

static adam_status cut(const adam_manager *m, const adam_evaluate_request *r, windows *w, adam_error *error) {
  int64_t length = r->window_tokens ? r->window_tokens : m->info.n_ctx > 1 ? m->info.n_ctx : INT64_MAX;
  int64_t stride = r->stride_tokens ? r->stride_tokens : length;
  if (length < 2 || stride < 1 || stride > length)
    return am_fail(error, ADAM_INVALID, "window", NULL,
                   "windows of %lld tokens every %lld, expected at least 2 and no gap between them",
                   (long long)length, (long long)stride);
  if (w->n_ids < 2)
    return am_fail(error, ADAM_INVALID, "text", NULL,
                   "%zu tokens, expected at least 2: the first predicts the next", w->n_ids);
  w->length = (uint64_t)length < w->n_ids ? (size_t)length : w->n_ids;
  w->stride = (uint64_t)stride < w->length ? (size_t)stride : w->length;
  return ADAM_OK;
}

adam_status adam_manager_evaluate(adam_manager *m, const adam_evaluate_request *request,
                                  adam_evaluation *result, adam_error *error) {
  adam_evaluate_request r;
  int32_t *owned = NULL;
  adam_status status = am_manager_copy(request, &r, sizeof r, "adam_evaluate_request", error);
  if (status) return status;
  if (!m->ops->score) return am_manager_unsupported(m, "score", error);
  windows w = {.ids = r.ids, .n_ids = r.ids ? r.n_ids : 0};
  if (r.text) {
    status = adam_manager_tokenize(m, r.text, r.text_bytes, 0, &owned, &w.n_ids, error);
    w.ids = owned;
  }
  if (!status) status = cut(m, &r, &w, error);
  if (!status) status = check_peer(m, &r, &w, error);
  if (!status) status = run(m, &w, &r, result, error);
  adam_free(owned);
  return status;
}
