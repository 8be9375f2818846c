/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/manager.h"

#include "base/buf.h"
#include "base/mem.h"
#include <math.h>
#include <string.h>

static bool append(void *user, const void *bytes, size_t n_bytes) {
  return am_buf_append(user, bytes, n_bytes);
}

/* Hands the text of buf out after an operation that wrote into it. */
static adam_status give_text(adam_status status, am_buf *buf, char **text, size_t *text_bytes,
                             adam_error *error) {
  size_t n = buf->len;
  char *taken = status ? NULL : am_buf_take(buf);
  am_buf_close(buf);
  if (status) return status;
  if (!taken) return am_fail_memory(error, "text");
  *text = taken;
  if (text_bytes) *text_bytes = n;
  return ADAM_OK;
}

adam_status adam_manager_count_tokens(adam_manager *m, const char *text, size_t text_bytes, size_t *n_tokens,
                                      adam_error *error) {
  if (!m->ops->tokenize) return am_manager_unsupported(m, "count tokens", error);
  size_t n = 0;
  adam_status status = m->ops->tokenize(m->ops->context, m->model, text, text_bytes, 0, NULL, 0, &n, error);
  if (!status) *n_tokens = n;
  return status;
}

adam_status adam_manager_tokenize(adam_manager *m, const char *text, size_t text_bytes, uint32_t flags,
                                  int32_t **ids, size_t *n_ids, adam_error *error) {
  if (!m->ops->tokenize) return am_manager_unsupported(m, "tokenize", error);
  /* Nearly always enough, so that the text is read once: a token has a byte or is a special one. */
  size_t capacity = text_bytes + 8, n = 0;
  int32_t *out = NULL;
  for (;;) {
    int32_t *grown = am_mem_resize(out, capacity, sizeof *out);
    if (!grown) {
      am_mem_free(out);
      return am_fail_memory(error, "ids");
    }
    out = grown;
    adam_status status =
        m->ops->tokenize(m->ops->context, m->model, text, text_bytes, flags, out, capacity, &n, error);
    if (status) {
      am_mem_free(out);
      return status;
    }
    if (n <= capacity) break;
    capacity = n;
  }
  int32_t *shrunk = am_mem_resize(out, n ? n : 1, sizeof *out);
  *ids = shrunk ? shrunk : out;
  *n_ids = n;
  return ADAM_OK;
}

adam_status adam_manager_detokenize(adam_manager *m, const int32_t *ids, size_t n_ids, char **text,
                                    size_t *text_bytes, adam_error *error) {
  if (!m->ops->detokenize) return am_manager_unsupported(m, "detokenize", error);
  am_buf buf = {0};
  adam_status status = m->ops->detokenize(m->ops->context, m->model, ids, n_ids, append, &buf, error);
  return give_text(status, &buf, text, text_bytes, error);
}

adam_status adam_manager_token_text(adam_manager *m, int32_t id, char **text, size_t *text_bytes,
                                    adam_error *error) {
  if (!m->ops->token_text) return am_manager_unsupported(m, "spell tokens", error);
  am_buf buf = {0};
  adam_status status = m->ops->token_text(m->ops->context, m->model, id, append, &buf, error);
  return give_text(status, &buf, text, text_bytes, error);
}

adam_status adam_manager_render(adam_manager *m, const adam_render_request *request, char **text,
                                size_t *text_bytes, adam_error *error) {
  adam_render_request r;
  am_buf buf = {0};
  adam_status status = am_manager_copy(request, &r, sizeof r, "adam_render_request", error);
  if (status) return status;
  if (!m->ops->render) return am_manager_unsupported(m, "render a conversation", error);
  if (!r.messages_json) return am_fail(error, ADAM_INVALID, "messages", NULL, "messages_json is NULL");
  status = m->ops->render(m->ops->context, m->model, &r, append, &buf, error);
  return give_text(status, &buf, text, text_bytes, error);
}

adam_status adam_manager_tensors(adam_manager *m, adam_on_tensor on_tensor, void *user, adam_error *error) {
  if (!m->ops->tensors) return am_manager_unsupported(m, "list tensors", error);
  return m->ops->tensors(m->ops->context, m->model, on_tensor, user, error);
}

adam_status adam_manager_digest(adam_manager *m, bool by_name_only, adam_on_progress on_progress, void *user,
                                char digest[65], adam_error *error) {
  if (!m->ops->digest) return am_manager_unsupported(m, "tell a digest", error);
  return m->ops->digest(m->ops->context, m->model, by_name_only, on_progress, user, digest, error);
}

typedef struct scoring {
  const int32_t *ids;
  size_t n_ids;
  double *logprobs; /* NULL = not wanted */
  bool (*on_logits)(void *user, size_t position, const float *logits, size_t n_vocab);
  void *user;
  size_t n_seen;
  bool cancelled, bad;
} scoring;

/* log(exp(logits[id]) / sum(exp(logits))), with the greatest logit taken out so that nothing
 * overflows; NaN when a logit is NaN or none is finite. */
static double log_probability(const float *logits, size_t n_vocab, int32_t id) {
  float most = -INFINITY;
  for (size_t i = 0; i < n_vocab; i++)
    if (!(logits[i] <= most)) most = logits[i];
  if (!isfinite(most)) return NAN;
  double sum = 0;
  for (size_t i = 0; i < n_vocab; i++) sum += exp((double)logits[i] - most);
  return (double)logits[id] - most - log(sum);
}

static bool score_position(void *user, size_t position, const float *logits, size_t n_vocab) {
  scoring *s = user;
  s->n_seen++;
  if (s->logprobs && position + 1 < s->n_ids) {
    int32_t next = s->ids[position + 1];
    double value = next >= 0 && (size_t)next < n_vocab ? log_probability(logits, n_vocab, next) : NAN;
    if (isnan(value)) return s->bad = true;
    s->logprobs[position] = value;
  }
  if (s->on_logits) s->cancelled = s->on_logits(s->user, position, logits, n_vocab);
  return s->cancelled;
}

adam_status adam_manager_score(adam_manager *m, const int32_t *ids, size_t n_ids, double *logprobs,
                               bool (*on_logits)(void *, size_t, const float *, size_t), void *user,
                               adam_error *error) {
  if (!m->ops->score) return am_manager_unsupported(m, "score", error);
  if (!n_ids) return am_fail(error, ADAM_INVALID, "ids", NULL, "there is no id to score");
  scoring s = {.ids = ids, .n_ids = n_ids, .logprobs = logprobs, .on_logits = on_logits, .user = user};
  adam_status status = m->ops->score(m->ops->context, m->model, ids, n_ids, score_position, &s, error);
  if (s.bad)
    return am_fail(error, ADAM_FAILED, m->name, NULL,
                   "the logits at position %zu are not numbers, or an id is none of its tokens",
                   s.n_seen - 1);
  if (s.cancelled) return am_fail(error, ADAM_CANCELLED, m->name, NULL, "scoring was cancelled");
  if (status) return status;
  if (s.n_seen == n_ids) return ADAM_OK;
  return am_fail(error, ADAM_FAILED, m->ops->name, NULL, "%zu of %zu positions were scored", s.n_seen, n_ids);
}
