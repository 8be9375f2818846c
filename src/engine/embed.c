/* SPDX-License-Identifier: Apache-2.0 */
/* Embeddings of texts: prompt and text to ids, ids through the model side by side, hidden states to one
 * vector a text by the model's own steps. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "engine/fit.h"
#include "engine/notice.h"
#include "engine/pack.h"
#include "engine/pooling.h"
#include "engine/steps.h"

enum { MOST_VECTORS = 64 }; /* that go through the steps at once */

typedef struct embedding {
  am_engine *engine;
  const adam_embed_request *request;
  const am_sentence *sentence;
  am_fit fit;
  const char *prompt; /* NUL-terminated or not: n_prompt_bytes */
  size_t n_prompt_bytes, n_prompt_tokens;
  am_pooled pool;
  am_steps *steps;
  uint32_t width, n_out; /* of the steps; of what is given out */
  bool normalize;        /* again, at the end */
  size_t n_vectors, n_sent;
  bool (*on_embedding)(void *user, size_t index, const float *values, size_t n_values);
  void *user;
  adam_embed_outcome *outcome;
  size_t longest;  /* text that was cut, tokens */
  am_ids specials; /* owned; ids of special tokens, where texts are lower-cased */
} embedding;

static adam_status choose_prompt(embedding *e, adam_error *error) {
  const adam_embed_request *r = e->request;
  const am_sentence *s = e->sentence;
  const char *name = r->prompt_name ? r->prompt_name : s->default_prompt;
  if (r->prompt) {
    e->prompt = r->prompt;
    e->n_prompt_bytes = strlen(r->prompt);
    return ADAM_OK;
  }
  e->prompt = name ? am_sentence_prompt(s, name, &e->n_prompt_bytes) : NULL;
  if (e->prompt || !r->prompt_name) return ADAM_OK;
  char names[200] = "";
  size_t n = 0;
  for (uint32_t i = 0; s->prompts && i < s->prompts->n && n < sizeof names; i++) {
    int more =
        snprintf(names + n, sizeof names - n, "%s%s", i ? ", " : "it has ", s->prompts->as.members[i].key);
    n += more > 0 ? (size_t)more : 0;
  }
  return am_fail(error, ADAM_INVALID, "prompt-name", names[0] ? names : "it has none",
                 "the model has no prompt named %s", r->prompt_name);
}

/* Tokens of the prompt as sentence-transformers counts them: special ones in front counted, one at the end
 * not. */
static adam_status count_prompt(embedding *e, adam_error *error) {
  am_ids ids = {0};
  size_t n = 0;
  if (e->n_prompt_bytes == 0 || e->sentence->steps[0].include_prompt) return ADAM_OK;
  adam_status status = am_fit_text(&e->fit, e->prompt, e->n_prompt_bytes, &ids, &n, error);
  if (!status) {
    e->n_prompt_tokens = ids.n;
    if (ids.n && am_tokenizer_is_special(e->fit.tokenizer, ids.data[ids.n - 1])) e->n_prompt_tokens--;
  }
  am_ids_close(&ids);
  return status;
}

/* Normalize as the last step is done here or not at all, so that it can come after the cut. */
static adam_status choose_steps(embedding *e, adam_error *error) {
  const am_sentence *s = e->sentence;
  const adam_embed_request *r = e->request;
  uint32_t n_steps = s->n_steps;
  bool own = s->steps[n_steps - 1].kind == AM_STEP_NORMALIZE;
  if (own) n_steps--;
  e->normalize = r->normalize == ADAM_NORMALIZE_DEFAULT ? own : r->normalize == ADAM_NORMALIZE_ON;
  adam_status status = am_steps_open(e->engine->device, s->steps + 1, n_steps - 1, s->steps[0].n_out,
                                     MOST_VECTORS, &e->steps, error);
  if (status) return status;
  e->width = am_steps_width(e->steps);
  e->n_out = e->width;
  if (r->dimensions > e->width)
    return am_fail(error, ADAM_INVALID, "dimensions", NULL,
                   "%lld is more than the model's embeddings have, %u", (long long)r->dimensions, e->width);
  if (r->dimensions > 0) e->n_out = (uint32_t)r->dimensions;
  return am_pooling_open(&e->pool, &s->steps[0], am_model_config(e->engine->model)->n_embd, error);
}

/* Sends the vectors that were pooled. */
static adam_status send_vectors(embedding *e, adam_error *error) {
  float *vectors = NULL;
  if (e->n_vectors == 0) return ADAM_OK;
  adam_status status = am_steps_run(e->steps, (uint32_t)e->n_vectors, &vectors, error);
  for (size_t i = 0; i < e->n_vectors && !status; i++) {
    float *vector = vectors + i * e->width;
    if (e->normalize) am_steps_normalize(vector, e->n_out);
    if (e->on_embedding(e->user, e->n_sent++, vector, e->n_out))
      status = am_fail(error, ADAM_CANCELLED, "embed", NULL, "cancelled");
  }
  e->n_vectors = 0;
  return status;
}

static adam_status end_text(embedding *e, adam_error *error) {
  am_pooling_end(&e->pool, am_steps_input(e->steps) + e->n_vectors++ * e->sentence->steps[0].n_out);
  return e->n_vectors == MOST_VECTORS ? send_vectors(e, error) : ADAM_OK;
}

static adam_status on_rows(void *user, size_t index, const float *rows, uint32_t n, bool is_first,
                           bool is_last, adam_error *error) {
  embedding *e = user;
  (void)index;
  if (is_first) am_pooling_begin(&e->pool, e->n_prompt_tokens);
  am_pooling_add(&e->pool, rows, n);
  return is_last ? end_text(e, error) : ADAM_OK;
}

/* One text to ids, cut where it is too long. */
static adam_status read_text(embedding *e, size_t i, am_buf *joined, am_ids *ids, adam_error *error) {
  const adam_embed_request *r = e->request;
  size_t n_bytes = r->text_bytes ? r->text_bytes[i] : strlen(r->texts[i]), n_whole = 0;
  const char *text = r->texts[i];
  if (e->n_prompt_bytes) {
    am_buf_clear(joined);
    if (!am_buf_append(joined, e->prompt, e->n_prompt_bytes) || !am_buf_append(joined, text, n_bytes))
      return am_fail_memory(error, "text");
    text = joined->data;
    n_bytes = joined->len;
  }
  adam_status status = am_fit_text(&e->fit, text, n_bytes, ids, &n_whole, error);
  if (status) return status;
  e->outcome->n_tokens += ids->n;
  if (n_whole > ids->n) {
    e->outcome->n_truncated++;
    if (e->longest < n_whole) e->longest = n_whole;
  }
  if (ids->n > INT32_MAX)
    return am_fail(error, ADAM_LIMIT, "text", NULL, "text %zu has %zu tokens", i, ids->n);
  return ADAM_OK;
}

static adam_status run_texts(embedding *e, adam_error *error) {
  const am_pack_output output = {.user = e, .on_rows = on_rows};
  am_pack pack;
  am_buf joined = {0};
  am_ids ids = {0};
  adam_status status = ADAM_OK;
  am_pack_open(e->engine, &output, &pack);
  for (size_t i = 0; i < e->request->n_texts && !status; i++) {
    status = read_text(e, i, &joined, &ids, error);
    if (status) break;
    if (ids.n) {
      status = am_pack_add(&pack, i, ids.data, NULL, (uint32_t)ids.n, error);
      continue;
    }
    status = am_pack_flush(&pack, error); /* nothing to run: zeros, in its turn */
    am_pooling_begin(&e->pool, 0);
    if (!status) status = end_text(e, error);
  }
  if (!status) status = am_pack_flush(&pack, error);
  if (!status) status = send_vectors(e, error);
  am_pack_close(&pack);
  am_buf_close(&joined);
  am_ids_close(&ids);
  return status;
}

/* What was not as the caller may think. */
static void send_notices(const embedding *e, const adam_sink *sink) {
  bool encoder = am_model_config(e->engine->model)->arch->is_encoder;
  if (!e->sentence->stated)
    am_notice_send(sink, encoder ? ADAM_NOTICE_INFO : ADAM_NOTICE_DEGRADED, "mean_pooling",
                   encoder
                       ? "the model's files do not say how to pool: this is the mean over its tokens"
                       : "the model is made to generate, and its files do not say how to pool: this is the "
                         "mean of its last hidden states");
  if (e->outcome->n_truncated)
    am_notice_send(sink, ADAM_NOTICE_DEGRADED, "truncated",
                   "%zu of %zu texts were cut to %llu tokens, all that the model reads (the longest had %zu)",
                   e->outcome->n_truncated, e->request->n_texts, (unsigned long long)e->fit.limit,
                   e->longest);
}

/* Does the tokenizer lower-case by itself? */
static bool lowers(const am_tokenizer *tokenizer) {
  am_ids upper = {0}, lower = {0};
  bool same = !am_tokenizer_encode(tokenizer, "Hello ABC", 9, 0, &upper, NULL) &&
              !am_tokenizer_encode(tokenizer, "hello abc", 9, 0, &lower, NULL) && upper.n == lower.n &&
              memcmp(upper.data, lower.data, upper.n * sizeof *upper.data) == 0;
  am_ids_close(&upper);
  am_ids_close(&lower);
  return same;
}

/* Texts are lower-cased before a tokenizer that does not do it; special tokens are found first. */
static adam_status choose_case(embedding *e, adam_error *error) {
  const am_tokenizer *tokenizer = e->fit.tokenizer;
  e->fit.lower_case = e->sentence->lower_case && !lowers(tokenizer);
  if (!e->fit.lower_case) return ADAM_OK;
  size_t n_ids = am_tokenizer_size(tokenizer);
  e->specials.data = am_mem_zalloc(n_ids, sizeof *e->specials.data);
  if (!e->specials.data) return am_fail_memory(error, "tokenizer");
  for (size_t id = 0; id < n_ids; id++)
    if (am_tokenizer_is_special(tokenizer, (int32_t)id)) e->specials.data[e->specials.n++] = (int32_t)id;
  e->fit.specials = e->specials.data;
  e->fit.n_specials = e->specials.n;
  return ADAM_OK;
}

uint64_t am_engine_text_limit(const am_engine *engine) {
  const am_config *config = am_model_config(engine->model);
  uint64_t limit = am_loader_sentence(engine->loader)->max_tokens;
  if (limit == 0 || (config->n_positions && limit > config->n_ctx_train)) limit = config->n_ctx_train;
  if (engine->asked_ctx && (limit == 0 || limit > engine->asked_ctx)) limit = engine->asked_ctx;
  return limit;
}

adam_status am_engine_embed(am_engine *engine, const adam_embed_request *request, const adam_sink *sink,
                            bool (*on_embedding)(void *user, size_t index, const float *values,
                                                 size_t n_values),
                            void *user, adam_embed_outcome *outcome, adam_error *error) {
  embedding e = {
      .engine = engine, .request = request, .on_embedding = on_embedding, .user = user, .outcome = outcome};
  if (!engine->model)
    return am_fail(error, ADAM_UNSUPPORTED, am_loader_path(engine->loader), NULL,
                   "it was opened without its weights");
  adam_status status = am_loader_need_tokenizer(engine->loader, &e.fit.tokenizer, error);
  if (!status) status = am_loader_need_sentence(engine->loader, &e.sentence, error);
  if (status) return status;
  e.fit.limit = am_engine_text_limit(engine);
  e.fit.keep_end = e.sentence->truncate_left;
  status = choose_case(&e, error);
  if (!status) status = choose_prompt(&e, error);
  if (!status) status = count_prompt(&e, error);
  if (!status) status = choose_steps(&e, error);
  if (!status) status = run_texts(&e, error);
  if (!status) send_notices(&e, sink);
  am_pooling_close(&e.pool);
  am_steps_close(&e.steps);
  am_ids_close(&e.specials);
  return status;
}
