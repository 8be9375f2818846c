/* SPDX-License-Identifier: Apache-2.0 */
/* A generation from first to last: prompt, prefill, then pick, decode, emit, until something ends it. */
#include "base/error.h"
#include "base/mem.h"
#include "base/rng.h"
#include "engine/logprobs.h"
#include "engine/notice.h"
#include "engine/prompt.h"
#include "engine/session.h"
#include "engine/structured.h"
#include "os/clock.h"
#include "sampler/sampler.h"
#include "sampler/stop.h"
#include "template/tool_calls.h"

#include <string.h>

typedef struct generation {
  am_session *session;
  const adam_request *request;
  const adam_sink *sink;
  adam_sampling sampling;
  am_sampler *sampler;
  am_decoder *decoder;
  am_stop *stop;             /* NULL = no stop strings */
  am_logprobs *logprobs;     /* NULL = not asked for */
  am_structured *structured; /* NULL = the answer is free */
  am_tool_calls *calls;      /* NULL = no tools were given */
  bool called;               /* at least one call was found */
  const int32_t *end_ids;
  size_t n_end_ids;
  bool in_thinking, may_think; /* of am_prompt */
  bool splits; /* the prompt went through a template: thinking and calls are told from the answer */
  bool ended;  /* an end token, a stop string or the caller has ended it */
  adam_finish_reason reason;
  size_t n_vocab, n_prompt, n_generated;
  double begin_ms, prefilled_ms, first_ms, last_ms; /* am_clock_ms */
} generation;

static bool is_end(const generation *g, int32_t id) {
  for (size_t i = 0; i < g->n_end_ids; i++)
    if (g->end_ids[i] == id) return true;
  return false;
}

static void send(generation *g, const adam_chunk *chunk) {
  if (!g->sink || !g->sink->on_chunk) return;
  if (!g->sink->on_chunk(g->sink->user, chunk) || g->ended) return;
  g->ended = true;
  g->reason = ADAM_FINISH_CANCELLED;
}

static void emit(generation *g, const char *text, size_t n_bytes, const int32_t *ids, size_t n_ids,
                 bool thinking) {
  adam_chunk chunk = {.text = text,
                      .text_bytes = n_bytes,
                      .ids = ids,
                      .n_ids = n_ids,
                      .thinking = thinking,
                      .logprobs = n_ids > 0 ? am_logprobs_last(g->logprobs) : NULL};
  send(g, &chunk);
}

/* The calls that the answer held. Theirs are no ids: those went with the pieces that built them. */
static void emit_calls(generation *g) {
  for (const char *call; g->calls && (call = am_tool_calls_take(g->calls));) {
    adam_chunk chunk = {.text = "", .tool_call_json = call};
    g->called = true;
    send(g, &chunk);
  }
}

/* session->answer without its calls, which lie ready in g->calls. */
static adam_status take_calls_out(generation *g, bool last, adam_error *error) {
  am_session *s = g->session;
  if (!g->calls) return ADAM_OK;
  am_buf_clear(&s->content);
  adam_status status = am_tool_calls_push(g->calls, s->answer.data, s->answer.len, &s->content, error);
  if (!status && last) status = am_tool_calls_finish(g->calls, &s->content, error);
  am_buf answer = s->answer;
  s->answer = s->content;
  s->content = answer;
  return status;
}

/* Sends session->thought and session->answer, as far as no stop string may begin there, with the ids
 * they came from. One chunk at least, so that the caller can cancel. */
static adam_status emit_parts(generation *g, const int32_t *id, size_t n_ids, bool last, adam_error *error) {
  am_session *s = g->session;
  const char *text = s->answer.data;
  size_t n_bytes = s->answer.len;
  bool hit = false;
  if (s->thought.len > 0) {
    emit(g, s->thought.data, s->thought.len, id, n_ids, true);
    n_ids = 0;
  }
  if (g->stop && n_bytes > 0) {
    adam_status status = am_stop_push(g->stop, text, n_bytes, &text, &n_bytes, &hit, error);
    if (status) return status;
  }
  bool sent = s->thought.len > 0;
  if (n_bytes > 0 || (!sent && !last)) emit(g, text, n_bytes, id, n_ids, false);
  if (hit && !g->ended) {
    g->ended = true;
    g->reason = ADAM_FINISH_STOP;
  }
  if (last && g->stop && !hit) {
    am_stop_finish(g->stop, &text, &n_bytes);
    if (n_bytes > 0) emit(g, text, n_bytes, NULL, 0, false);
  }
  emit_calls(g);
  return ADAM_OK;
}

/* Splits session->piece into thought and answer. */
static bool split(generation *g, bool last) {
  am_session *s = g->session;
  am_buf_clear(&s->thought);
  am_buf_clear(&s->answer);
  if (!g->splits) return am_buf_append(&s->answer, s->piece.data, s->piece.len);
  return am_thinking_push(&s->thinking, s->piece.data, s->piece.len, &s->thought, &s->answer) &&
         (!last || am_thinking_finish(&s->thinking, &s->thought, &s->answer));
}

/* Appends the marker's text where id is one. */
static void show_marker(const am_marker *markers, size_t n, int32_t id, am_buf *piece) {
  for (size_t i = 0; i < n; i++)
    if (markers[i].id == id) am_buf_append_str(piece, markers[i].text);
}

static adam_status take_id(generation *g, int32_t id, adam_error *error) {
  am_session *s = g->session;
  am_sampler_accept(g->sampler, &id, 1, true);
  g->n_generated++;
  am_buf_clear(&s->piece);
  if (is_end(g, id) && !g->request->ignore_eos) {
    g->ended = true;
    g->reason = ADAM_FINISH_STOP;
    emit(g, "", 0, &id, 1, false);
    return ADAM_OK;
  }
  bool lead = false;
  adam_status status = g->structured ? am_structured_accept(g->structured, id, &lead, error) : ADAM_OK;
  if (!status) status = am_decoder_push(g->decoder, id, &s->piece, error);
  if (status) return status;
  if (lead) am_buf_clear(&s->piece);
  /* nothing in a constrained text is a tag, and none of its newlines goes */
  if (g->structured && am_structured_in_text(g->structured)) s->thinking.state = AM_THINKING_ANSWER;
  if (g->splits)
    show_marker(s->think_markers, sizeof s->think_markers / sizeof *s->think_markers, id, &s->piece);
  if (g->calls) show_marker(s->call_markers, AM_SESSION_CALL_MARKERS, id, &s->piece);
  if (s->piece.failed || !split(g, false)) return am_fail_memory(error, "answer");
  if (g->structured) am_structured_observe(g->structured, &s->thinking, &s->answer);
  status = take_calls_out(g, false, error);
  if (!status) status = emit_parts(g, &id, 1, false, error);
  if (!status && !g->ended && g->structured && am_structured_over(g->structured)) {
    g->ended = true;
    g->reason = ADAM_FINISH_STOP;
  }
  return status;
}

/* What decoder, splitter and stop strings still hold, unless a stop string was found. */
static adam_status flush(generation *g, adam_error *error) {
  am_session *s = g->session;
  am_buf_clear(&s->piece);
  adam_status status = am_decoder_finish(g->decoder, &s->piece, error);
  if (status) return status;
  if (!split(g, true)) return am_fail_memory(error, "answer");
  status = take_calls_out(g, true, error);
  if (!status) status = emit_parts(g, NULL, 0, true, error);
  if (status || !g->calls) return status;
  if (am_tool_calls_cut(g->calls))
    am_notice_send(g->sink, ADAM_NOTICE_DEGRADED, "tool_call_cut",
                   "the answer ended inside of a tool call, which is left in the text");
  if (g->called && g->reason == ADAM_FINISH_STOP) g->reason = ADAM_FINISH_TOOL_CALLS;
  return ADAM_OK;
}

/* The prompt into the cache, a chunk at a time, so that the caller can cancel in between. */
static adam_status prefill(generation *g, const int32_t *ids, size_t n, float **logits, adam_error *error) {
  am_session *s = g->session;
  size_t done = am_session_rewind(s, ids, n);
  while (done < n && !g->ended) {
    size_t left = n - done, take = left < s->engine->chunk_tokens ? left : s->engine->chunk_tokens;
    adam_status status = am_session_feed(s, ids + done, take, n, logits, error);
    if (status) return status;
    done += take;
    if (done < n) emit(g, "", 0, NULL, 0, false);
  }
  g->prefilled_ms = am_clock_ms();
  return ADAM_OK;
}

static void note_full_context(generation *g) {
  am_notice_send(g->sink, ADAM_NOTICE_DEGRADED, "context_full",
                 "the answer ends because the context of %llu tokens is full (%zu prompt, %zu "
                 "generated of %lld allowed)",
                 (unsigned long long)g->session->engine->n_ctx, g->n_prompt, g->n_generated,
                 (long long)g->sampling.max_tokens);
}

static uint64_t tokens_left(const generation *g) {
  uint64_t most = (uint64_t)g->sampling.max_tokens, room = g->session->engine->n_ctx - g->n_prompt;
  return (most < room ? most : room) - g->n_generated;
}

/* Lets only what the constraint allows through; where that is nothing, the text is complete. */
static adam_status constrain(generation *g, adam_error *error) {
  const uint64_t *mask = NULL;
  bool any = false;
  adam_status status = am_structured_mask(g->structured, tokens_left(g), &mask, error);
  if (status) return status;
  for (size_t i = 0; i < (g->n_vocab + 63) / 64 && !any; i++) any = mask[i] != 0;
  am_sampler_allow(g->sampler, mask);
  if (any) return ADAM_OK;
  g->ended = true;
  g->reason = ADAM_FINISH_STOP;
  return ADAM_OK;
}

/* The hook, then the choice; *picked is untouched when the hook cancels or nothing may follow. */
static adam_status pick(generation *g, float *logits, int32_t *picked, adam_error *error) {
  const adam_request *request = g->request;
  if (g->logprobs) am_logprobs_keep(g->logprobs, logits);
  if (request->on_logits && request->on_logits(request->on_logits_user, g->n_generated, logits, g->n_vocab)) {
    g->ended = true;
    g->reason = ADAM_FINISH_CANCELLED;
    return ADAM_OK;
  }
  if (g->structured) {
    adam_status status = constrain(g, error);
    if (status || g->ended) return status;
  }
  *picked = am_sampler_pick(g->sampler, logits, g->n_prompt + g->n_generated);
  return g->logprobs ? am_logprobs_take(g->logprobs, *picked, error) : ADAM_OK;
}

static adam_status decode(generation *g, float *logits, adam_error *error) {
  am_session *s = g->session;
  while (!g->ended) {
    if ((int64_t)g->n_generated >= g->sampling.max_tokens) return ADAM_OK; /* reason: length */
    if (g->n_prompt + g->n_generated >= s->engine->n_ctx) {
      if (!g->structured) note_full_context(g); /* a constrained text was made to fit */
      return ADAM_OK;
    }
    int32_t id = 0;
    adam_status status = pick(g, logits, &id, error);
    if (status || g->ended) return status;
    g->last_ms = am_clock_ms();
    if (g->n_generated == 0) g->first_ms = g->last_ms;
    status = take_id(g, id, error);
    if (status) return status;
    bool more =
        (int64_t)g->n_generated < g->sampling.max_tokens && g->n_prompt + g->n_generated < s->engine->n_ctx;
    if (!g->ended && more) status = am_session_feed(s, &id, 1, 0, &logits, error);
    if (status) return status;
  }
  return ADAM_OK;
}

static adam_status check_length(const generation *g, adam_error *error) {
  unsigned long long n_ctx = g->session->engine->n_ctx;
  size_t least_room = g->sampling.max_tokens > 0 ? 1 : 0;
  if (g->n_prompt + least_room <= n_ctx) return ADAM_OK;
  return am_fail(error, ADAM_LIMIT, "prompt", "a larger --ctx, or a shorter prompt",
                 "it has %zu tokens, the context holds %llu%s", g->n_prompt, n_ctx,
                 least_room ? " with the answer" : "");
}

/* The stop strings of the request and of the store that the model came from. */
static adam_status open_stop(generation *g, const am_loader_extra *extra, adam_error *error) {
  size_t n_asked = g->request->n_stop, n = n_asked + extra->n_stop;
  if (n == 0) return ADAM_OK;
  const char **stop = am_mem_alloc(n * sizeof *stop);
  if (!stop) return am_fail_memory(error, "stop strings");
  for (size_t i = 0; i < n; i++) stop[i] = i < n_asked ? g->request->stop[i] : extra->stop[i - n_asked];
  adam_status status = am_stop_open(stop, n, &g->stop, error);
  am_mem_free(stop);
  return status;
}

static adam_status prepare(generation *g, const int32_t *ids, size_t n, adam_error *error) {
  const am_engine *engine = g->session->engine;
  const am_tokenizer *tokenizer = NULL;
  size_t n_vocab = am_model_config(engine->model)->n_vocab;
  g->n_prompt = n;
  g->n_vocab = n_vocab;
  g->end_ids = am_loader_end_ids(engine->loader, &g->n_end_ids);
  g->reason = ADAM_FINISH_LENGTH;
  adam_status status = am_engine_sampling(engine, &g->request->sampling, &g->sampling, error);
  if (status) return status;
  if (!(g->sampling.set & ADAM_SET_SEED))
    g->sampling.seed = am_rng_system_seed() >> 11; /* types.h: below 2^53 */
  g->sampling.set |= ADAM_SET_SEED;
  status = check_length(g, error);
  if (status) return status;
  /* Rows without a token stay allowed, as in transformers: no trained model prefers them. */
  status = am_sampler_open(n_vocab, n_vocab, &g->sampling, &g->sampler, error);
  if (status) return status;
  am_sampler_accept(g->sampler, ids, n, false);
  status = open_stop(g, am_loader_get_extra(engine->loader), error);
  if (status) return status;
  if (g->request->tools_json && g->splits && g->request->constraint == ADAM_CONSTRAINT_NONE) {
    status = am_tool_calls_open(g->request->tools_json, g->sampling.seed, &g->calls, error);
    if (status) return status;
  }
  status = am_loader_need_tokenizer(engine->loader, &tokenizer, error);
  if (status) return status;
  status = am_decoder_open(tokenizer, true, &g->decoder, error);
  if (!status && g->request->logprobs)
    status = am_logprobs_open(tokenizer, n_vocab, (size_t)g->request->top_logprobs, &g->logprobs, error);
  if (status) return status;
  am_structured_setting setting = {.request = g->request,
                                   .prompt = ids,
                                   .n_prompt = n,
                                   .n_tokens = tokens_left(g),
                                   .in_thinking = g->in_thinking,
                                   .may_think = g->may_think};
  status = am_structured_open(g->session->engine, &setting, &g->structured, error);
  return status ? status : am_decoder_context(g->decoder, ids, n, error);
}

static void fill_outcome(const generation *g, size_t n_computed, adam_outcome *outcome) {
  adam_timings *t = &outcome->timings;
  outcome->finish_reason = g->reason;
  outcome->prompt_tokens = g->n_prompt;
  outcome->completion_tokens = g->n_generated;
  outcome->seed = g->sampling.seed;
  outcome->sampling = g->sampling;
  t->prompt_ms = g->prefilled_ms > 0 ? g->prefilled_ms - g->begin_ms : 0;
  t->first_token_ms = g->n_generated > 0 ? g->first_ms - g->begin_ms : 0;
  t->decode_ms = g->n_generated > 0 ? g->last_ms - g->first_ms : 0;
  if (t->prompt_ms > 0) t->prompt_tokens_per_s = (double)n_computed / t->prompt_ms * 1e3;
  if (t->decode_ms > 0) t->decode_tokens_per_s = (double)(g->n_generated - 1) / t->decode_ms * 1e3;
}

static adam_status generate(generation *g, const int32_t *ids, size_t n, adam_outcome *outcome,
                            adam_error *error) {
  float *logits = NULL;
  size_t n_computed = n;
  const char *clipped = g->session->engine->clipped;
  const char *extended = g->session->engine->extended;
  if (*extended) am_notice_send(g->sink, ADAM_NOTICE_INFO, "context_extended", "%s", extended);
  if (*clipped) am_notice_send(g->sink, ADAM_NOTICE_DEGRADED, "context_clipped", "%s", clipped);
  adam_status status = prepare(g, ids, n, error);
  if (!status) {
    n_computed = n - am_session_rewind(g->session, ids, n);
    status = prefill(g, ids, n, &logits, error);
  }
  if (!status) status = decode(g, logits, error);
  if (!status && g->reason == ADAM_FINISH_LENGTH && g->structured && am_structured_complete(g->structured))
    g->reason = ADAM_FINISH_STOP; /* the room that was kept is used up */
  if (!status && g->reason != ADAM_FINISH_CANCELLED) status = flush(g, error);
  if (status) g->reason = ADAM_FINISH_ERROR;
  fill_outcome(g, n_computed, outcome);
  am_sampler_close(&g->sampler);
  am_decoder_close(&g->decoder);
  am_stop_close(&g->stop);
  am_logprobs_close(&g->logprobs);
  am_tool_calls_close(&g->calls);
  am_structured_close(&g->structured);
  return status;
}

adam_status am_session_generate_ids(am_session *session, const int32_t *ids, size_t n,
                                    const adam_request *request, const adam_sink *sink, adam_outcome *outcome,
                                    adam_error *error) {
  generation g = {.session = session, .request = request, .sink = sink, .begin_ms = am_clock_ms()};
  if (n == 0) return am_fail(error, ADAM_INVALID, "prompt", NULL, "there are no tokens");
  return generate(&g, ids, n, outcome, error);
}

adam_status am_session_generate(am_session *session, const adam_request *request, const adam_sink *sink,
                                adam_outcome *outcome, adam_error *error) {
  generation g = {.session = session, .request = request, .sink = sink, .begin_ms = am_clock_ms()};
  am_prompt prompt = {0};
  adam_status status = am_prompt_build(session->engine, request, sink, &prompt, error);
  if (!status) {
    g.splits = prompt.templated;
    g.in_thinking = prompt.in_thinking;
    g.may_think = prompt.may_think;
    am_thinking_begin(&session->thinking, prompt.in_thinking);
    status = generate(&g, prompt.ids.data, prompt.ids.n, outcome, error);
  } else {
    outcome->finish_reason = ADAM_FINISH_ERROR;
  }
  am_prompt_close(&prompt);
  return status;
}
