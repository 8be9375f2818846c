/* SPDX-License-Identifier: Apache-2.0 */
/* A timeline that grows, is cut back and grows otherwise, across the ends of windows and the switch of
 * LongRoPE, gives at every step what a fresh one gives that reads the same ids at once (which the golden
 * tests compare with transformers). */
#include "engine/session.h"

#include "base/mem.h"
#include "base/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MODELS ADAM_SOURCE_DIR "/tests/golden/models/"

enum { N_CTX = 240, N_PROMPTS = 40, MOST_NEW = 60, MOST_STEPS = 4, CHUNK_TOKENS = 5 };

static void must(adam_status status, const adam_error *error) {
  char text[1200];
  if (!status) return;
  adam_error_format(error, text, sizeof text);
  fail_msg("%s", text);
}

static am_session *open_session(am_engine *engine) {
  am_session *session = NULL;
  adam_error error = {0};
  must(am_session_open(engine, &session, &error), &error);
  return session;
}

/* The logits after ids in a session of their own are those at hand. */
static void expect_fresh(am_engine *engine, const int32_t *ids, size_t n, const float *logits,
                         const char *what) {
  adam_error error = {0};
  float *fresh = NULL;
  am_session *alone = open_session(engine);
  size_t n_bytes = am_model_config(engine->model)->n_vocab * sizeof(float);
  must(am_session_feed(alone, ids, n, 0, &fresh, &error), &error);
  if (memcmp(fresh, logits, n_bytes) != 0) fail_msg("%s: other logits after %zu ids", what, n);
  am_session_close(&alone);
}

/* The next number below `end`; the same ones each run. */
static uint32_t draw(uint64_t *position, size_t end) {
  return (uint32_t)(am_rng_unit(4711, (*position)++) * (double)end);
}

/* One model; returns how often something was kept, and how often nothing could be. */
static void walk(const char *name, size_t *n_kept, size_t *n_lost) {
  char path[1024];
  am_engine *engine = NULL;
  adam_error error = {0};
  adam_model_options options = {
      .struct_size = sizeof options, .device = "cpu", .n_ctx = N_CTX, .n_threads = 1};
  uint64_t rng = 0;
  int32_t ids[N_CTX];
  size_t n = 0;
  float *logits = NULL;
  snprintf(path, sizeof path, MODELS "%s", name);
  must(am_engine_open(path, &options, &engine, &error), &error);
  engine->chunk_tokens = CHUNK_TOKENS;
  uint32_t n_vocab = am_model_config(engine->model)->n_vocab;
  am_session *session = open_session(engine);
  for (int turn = 0; turn < N_PROMPTS; turn++) {
    size_t common = draw(&rng, n + 1);
    if (draw(&rng, 2)) common = n < N_CTX - MOST_NEW - MOST_STEPS ? n : 0; /* often it goes on */
    if (common > N_CTX - MOST_STEPS - 1) common = N_CTX - MOST_STEPS - 1;
    size_t room = N_CTX - MOST_STEPS - common;
    n = common + 1 + draw(&rng, room < MOST_NEW ? room : MOST_NEW);
    for (size_t i = common; i < n; i++) ids[i] = (int32_t)draw(&rng, n_vocab);
    size_t done = am_session_rewind(session, ids, n);
    if (common > 0) *(done > 0 ? n_kept : n_lost) += 1;
    must(am_session_feed(session, ids + done, n - done, n, &logits, &error), &error);
    expect_fresh(engine, ids, n, logits, name);
    for (size_t steps = draw(&rng, MOST_STEPS + 1); steps > 0; steps--) {
      ids[n] = (int32_t)draw(&rng, n_vocab);
      must(am_session_feed(session, ids + n, 1, 0, &logits, &error), &error);
      n++;
      expect_fresh(engine, ids, n, logits, name);
    }
  }
  am_session_close(&session);
  am_engine_close(&engine);
}

static void any_way_to_a_timeline_gives_the_same(void **state) {
  (void)state;
  /* windows of 6 and 7, LongRoPE from 20 and 40 tokens on, and none of these */
  static const char *const names[] = {"gemma2-bf16",        "phi3-bf16-window", "phi3-f32-longrope-old",
                                      "phi4-bf16-longrope", "phi2-bf16",        "qwen3-bf16-tied"};
  for (size_t m = 0; m < sizeof names / sizeof *names; m++) {
    size_t n_kept = 0, n_lost = 0;
    walk(names[m], &n_kept, &n_lost);
    assert_true(n_kept > 0);
    bool forgets = m < 4; /* rings forget what is behind them, and other factors make keys useless */
    if (forgets != (n_lost > 0)) fail_msg("%s: %zu times nothing was kept", names[m], n_lost);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(any_way_to_a_timeline_gives_the_same)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
