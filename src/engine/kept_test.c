/* SPDX-License-Identifier: Apache-2.0 */
/* Kept prefixes where the cache forgets (a window's ring) or goes stale (longrope): a session that has seen
 * other timelines answers as a fresh one does. */
#include "engine/engine.h"
#include "engine/loaded.h"
#include "engine/session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define MODELS ADAM_SOURCE_DIR "/tests/golden/models/"
enum { N_CTX = 400, MOST = 512 };

typedef struct answer {
  int32_t ids[MOST];
  size_t n;
} answer;

static void must(adam_status status, const adam_error *error) {
  char text[1200];
  if (!status) return;
  adam_error_format(error, text, sizeof text);
  fail_msg("%s", text);
}

/* chunk: tokens of a prefill batch, 0 = what the engine chooses. */
static am_engine *open_engine(const char *path, uint32_t chunk) {
  am_engine *engine = NULL;
  adam_error error = {0};
  adam_model_options options = {
      .struct_size = sizeof options, .device = "cpu", .n_ctx = N_CTX, .n_threads = 2};
  must(am_engine_open(path, &options, &engine, &error), &error);
  if (chunk) engine->chunk_tokens = chunk;
  return engine;
}

static am_session *open_session(am_engine *engine) {
  am_session *session = NULL;
  adam_error error = {0};
  must(am_session_open(engine, &session, &error), &error);
  return session;
}

static bool on_chunk(void *user, const adam_chunk *chunk) {
  answer *a = user;
  for (size_t i = 0; i < chunk->n_ids && a->n < MOST; i++) a->ids[a->n++] = chunk->ids[i];
  return false;
}

static void greedy(am_session *session, const int32_t *ids, size_t n, int64_t n_new, answer *out) {
  adam_request request = {.struct_size = sizeof request, .ignore_eos = true};
  request.sampling = (adam_sampling){
      .set = ADAM_SET_TEMPERATURE | ADAM_SET_MAX_TOKENS | ADAM_SET_TOP_K, .top_k = 1, .max_tokens = n_new};
  adam_outcome outcome = {.struct_size = sizeof outcome};
  adam_error error = {0};
  adam_sink sink = {.user = out, .on_chunk = on_chunk};
  out->n = 0;
  must(am_session_generate_ids(session, ids, n, &request, &sink, &outcome, &error), &error);
  assert_int_equal(out->n, n_new);
}

/* What a session of its own says to the same. */
static void expect_as_fresh(am_engine *engine, am_session *used, const int32_t *ids, size_t n,
                            int64_t n_new) {
  answer ours, fresh;
  am_session *session = open_session(engine);
  greedy(session, ids, n, n_new, &fresh);
  greedy(used, ids, n, n_new, &ours);
  assert_memory_equal(ours.ids, fresh.ids, (size_t)n_new * sizeof *ours.ids);
  am_session_close(&session);
}

static void fill(int32_t *ids, size_t n, uint32_t seed) {
  for (size_t i = 0; i < n; i++) {
    seed = seed * 1664525 + 1013904223;
    ids[i] = (int32_t)(seed >> 8) % 300;
  }
}

/* A window of 6 and batches of 8: the ring holds 64 positions of 400. */
static void a_ring_forgets_and_nobody_sees(void **state) {
  (void)state;
  am_engine *small = open_engine(MODELS "mistral-bf16-window-old", 8);
  am_engine *whole = open_engine(MODELS "mistral-bf16-window-old", 0);
  am_kv_options ring = am_model_kv_options(small->model, N_CTX, 8, AM_DTYPE_F32), full = ring;
  full.windows = NULL;
  assert_int_equal(am_kv_bytes(&full) / N_CTX, am_kv_bytes(&ring) / 64);
  am_session *session = open_session(small), *plain = open_session(whole);
  int32_t ids[300];
  answer ours, expected;
  fill(ids, 300, 5);
  greedy(session, ids, 100, 60, &ours);
  greedy(plain, ids, 100, 60, &expected);
  assert_memory_equal(ours.ids, expected.ids, 60 * sizeof *ours.ids);
  for (size_t kept = 150; kept > 0; kept -= kept > 10 ? 10 : 1) { /* ever shorter beginnings of what it has */
    int32_t other[300];
    memcpy(other, ids, sizeof other);
    memcpy(other + 100, ours.ids, 60 * sizeof *other);
    fill(other + kept, 20, (uint32_t)kept);
    greedy(session, other, 160, 1, &expected);
    bool held = am_kv_can_continue(session->kv, kept);
    assert_true(held || kept < 160 - 64 + 6);
    expect_as_fresh(small, session, other, kept + 20, 12);
  }
  am_session_close(&session);
  am_session_close(&plain);
  am_engine_close(&small);
  am_engine_close(&whole);
}

/* Original context 20: what is cached below is of no use above it, nor the other way. */
static void a_switch_of_factors_starts_anew(void **state) {
  (void)state;
  am_engine *engine = open_engine(MODELS "phi3-f32-longrope-old", 0);
  assert_int_equal(am_model_restart_length(engine->model), 20);
  assert_true(am_model_same_rope(engine->model, 8, 20) && am_model_same_rope(engine->model, 21, 300));
  assert_false(am_model_same_rope(engine->model, 20, 21));
  am_session *session = open_session(engine);
  int32_t ids[100];
  answer across;
  fill(ids, 100, 9);
  greedy(session, ids, 8, 40, &across);
  memcpy(ids + 8, across.ids, 40 * sizeof *ids);
  static const size_t lengths[] = {8, 48, 13, 20, 21, 19, 47, 30, 2, 40};
  for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
    int64_t n_new = 48 - (int64_t)lengths[i] + 5;
    expect_as_fresh(engine, session, ids, lengths[i], n_new);
    /* Each step sees what the timeline is then: continuing anywhere gives the same ids. */
    answer rest;
    greedy(session, ids, lengths[i], n_new, &rest);
    if (lengths[i] >= 8) assert_memory_equal(rest.ids, ids + lengths[i], (48 - lengths[i]) * sizeof *ids);
  }
  am_session_close(&session);
  am_engine_close(&engine);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_ring_forgets_and_nobody_sees),
      cmocka_unit_test(a_switch_of_factors_starts_anew),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
