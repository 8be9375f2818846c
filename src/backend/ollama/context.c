/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a prompt fits. Servers of v0.9.6 cut what does not, and say nothing: /api/chat leaves the oldest messages
 * out until the rest has at most num_ctx tokens (server/prompt.go); of a prompt that is longer still the runner
 * takes out the middle, so that num_ctx tokens are left (runner.go). Later ones fail where `truncate` is false. */
#include "backend/ollama/ollama.h"

enum {
  SURE_CTX = 2048,        /* a server has as much unless OLLAMA_CONTEXT_LENGTH is small */
  DEFAULT_CTX = 4096,     /* v0.9.6's own, unless OLLAMA_CONTEXT_LENGTH is another */
  ANSWER = 512,           /* tokens left for an answer whose length nobody limits */
  OVERHEAD = 16,          /* tokens that a template puts around a message */
  BYTES_OF_TOKEN = 2,     /* fewer in nearly no text */
  MOST_BYTES_OF_TOKEN = 6 /* more in nearly no text */
};

static int64_t train_ctx(const adam_backend_model *m) {
  adam_model_info info = {0};
  am_ollama_facts_info(m, &info);
  return info.n_ctx_train;
}

int64_t am_ollama_context_wanted(const adam_backend_model *m, const adam_request *r, const am_ollama_prompt *prompt) {
  if (m->client.n_ctx > 0) return m->client.n_ctx;
  if (m->n_ctx > 0 || m->version >= AM_OLLAMA_TELLS_CUTS) return 0;
  int64_t answer = ANSWER, wanted = DEFAULT_CTX, train = train_ctx(m);
  if ((r->sampling.set & ADAM_SET_MAX_TOKENS) && r->sampling.max_tokens < 1 << 20) answer = r->sampling.max_tokens;
  int64_t need = (int64_t)(prompt->n_bytes / BYTES_OF_TOKEN + prompt->n_messages * OVERHEAD) + answer;
  if (need <= SURE_CTX) return 0;
  while (wanted < need && wanted < INT32_MAX / 2) wanted *= 2; /* few sizes: each new one loads the model again */
  return train > 0 && wanted > train ? train : wanted;
}

am_ollama_cut am_ollama_context_cut(const adam_backend_model *m, int64_t sent_ctx, const am_ollama_prompt *prompt,
                                    int64_t n_prompt, int64_t n_answer) {
  int64_t n_ctx = sent_ctx > 0 ? sent_ctx : m->n_ctx > 0 ? m->n_ctx : DEFAULT_CTX, train = train_ctx(m);
  if (m->version >= AM_OLLAMA_TELLS_CUTS || n_prompt <= 0) return AM_OLLAMA_WHOLE;
  if (train > 0 && n_ctx > train) n_ctx = train;
  /* A token has a byte at least: what was left out would have fitted. */
  if (n_prompt >= n_ctx && prompt->n_bytes + prompt->n_messages * OVERHEAD >= (size_t)n_ctx) return AM_OLLAMA_CUT;
  bool could_drop = prompt->longest > 0 && n_prompt + (int64_t)prompt->longest + OVERHEAD > n_ctx;
  if (could_drop && prompt->n_bytes / MOST_BYTES_OF_TOKEN > (size_t)n_prompt) return AM_OLLAMA_CUT;
  if (could_drop && n_prompt + (int64_t)(prompt->longest / MOST_BYTES_OF_TOKEN) > n_ctx) return AM_OLLAMA_MAYBE_CUT;
  return n_prompt + n_answer > n_ctx ? AM_OLLAMA_SHIFTED : AM_OLLAMA_WHOLE;
}
