/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/mock/mock.h"

#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/utf8.h"

/* Counts the characters of text, at most `most`, by code point modulo 8; returns how many there were. */
static size_t count_text(const char *text, size_t n_bytes, size_t most, double counts[AM_MOCK_N_EMBEDDING]) {
  size_t n = 0;
  for (size_t at = 0; at < n_bytes && n < most; n++) {
    uint32_t codepoint;
    int used = am_utf8_decode(text + at, n_bytes - at, &codepoint);
    at += (size_t)(used < 0 ? -used : used);
    counts[codepoint % AM_MOCK_N_EMBEDDING] += 1;
  }
  return n;
}

static void notice_cut(const adam_sink *sink, const adam_embed_outcome *outcome) {
  if (outcome->n_truncated && sink && sink->on_notice)
    sink->on_notice(sink->user, &(adam_notice){"truncated", ADAM_NOTICE_DEGRADED,
                                               "texts were longer than the context of the mock"});
}

adam_status am_mock_embed(void *context, adam_backend_model *model, const adam_embed_request *request,
                          const adam_sink *sink,
                          bool (*on_embedding)(void *user, size_t index, const float *values, size_t n_values),
                          void *user, adam_embed_outcome *outcome, adam_error *error) {
  (void)context;
  size_t n = request->dimensions > 0 ? (size_t)request->dimensions : AM_MOCK_N_EMBEDDING;
  size_t n_ctx = (size_t)model->n_ctx;
  const char *prompt = request->prompt ? request->prompt : "";
  if (!request->prompt && request->prompt_name) {
    if (strcmp(request->prompt_name, "query") != 0)
      return am_fail(error, ADAM_INVALID, "mock", "its one prompt is query", "it has no prompt named %s",
                     request->prompt_name);
    prompt = "query: ";
  }
  if (n > AM_MOCK_N_EMBEDDING)
    return am_fail(error, ADAM_INVALID, "dimensions", NULL, "%zu is more than its embeddings have, %d", n,
                   AM_MOCK_N_EMBEDDING);
  for (size_t i = 0; i < request->n_texts; i++) {
    double counts[AM_MOCK_N_EMBEDDING] = {0}, square = 0;
    float values[AM_MOCK_N_EMBEDDING];
    const char *text = request->texts[i];
    size_t n_bytes = request->text_bytes ? request->text_bytes[i] : strlen(text);
    size_t used = count_text(prompt, strlen(prompt), n_ctx, counts);
    used += count_text(text, n_bytes, n_ctx - used, counts);
    outcome->n_tokens += used;
    if (am_utf8_count(prompt, strlen(prompt)) + am_utf8_count(text, n_bytes) > used) outcome->n_truncated++;
    for (size_t d = 0; d < n; d++) square += counts[d] * counts[d];
    double length = request->normalize == ADAM_NORMALIZE_OFF || square == 0 ? 1 : sqrt(square);
    for (size_t d = 0; d < n; d++) values[d] = (float)(counts[d] / length);
    if (on_embedding(user, i, values, n)) return am_fail(error, ADAM_CANCELLED, "mock", NULL, "cancelled");
  }
  notice_cut(sink, outcome);
  return ADAM_OK;
}

adam_status am_mock_rerank(void *context, adam_backend_model *model, const adam_rerank_request *request,
                           const adam_sink *sink, double *scores, adam_embed_outcome *outcome,
                           adam_error *error) {
  (void)context, (void)model, (void)sink, (void)error;
  for (size_t i = 0; i < request->n_documents; i++) {
    const char *document = request->documents[i];
    size_t n_bytes = request->document_bytes ? request->document_bytes[i] : strlen(document);
    size_t n_words = 0, n_found = 0;
    for (size_t at = 0; at < request->query_bytes;) {
      const char *word = request->query + at;
      const char *space = memchr(word, ' ', request->query_bytes - at);
      size_t n = space ? (size_t)(space - word) : request->query_bytes - at;
      if (n) n_words++;
      if (n && memmem(document, n_bytes, word, n)) n_found++;
      at += n + 1;
    }
    scores[i] = n_words ? (double)n_found / (double)n_words : 0;
    outcome->n_tokens += am_utf8_count(document, n_bytes) + am_utf8_count(request->query, request->query_bytes);
  }
  return ADAM_OK;
}
