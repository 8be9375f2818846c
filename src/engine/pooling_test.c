/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"
#include "engine/engine.h"
#include "engine/pooling.h"
#include "engine/steps.h"

#include <math.h>
#include <string.h>

#define MODEL ADAM_SOURCE_DIR "/tests/golden/embedders/"

/* Three tokens of two values. */
static const float rows[] = {1, -4, 2, 8, 6, -1};

static void pool(am_pooling how, uint64_t n_prompt, bool include_prompt, float out[2]) {
  am_step step = am_sentence_mean(2);
  am_pooled pooled;
  step.pooling[0] = how;
  step.include_prompt = include_prompt;
  assert_int_equal(am_pooling_open(&pooled, &step, 2, NULL), ADAM_OK);
  am_pooling_begin(&pooled, 99); /* a text before it leaves nothing behind */
  am_pooling_add(&pooled, rows, 3);
  am_pooling_begin(&pooled, n_prompt);
  am_pooling_add(&pooled, rows, 1); /* in two pieces */
  am_pooling_add(&pooled, rows + 2, 2);
  am_pooling_end(&pooled, out);
  am_pooling_close(&pooled);
}

static void check_pool(am_pooling how, uint64_t n_prompt, bool include_prompt, float x, float y) {
  float out[2];
  pool(how, n_prompt, include_prompt, out);
  assert_true(fabsf(out[0] - x) < 1e-6f && fabsf(out[1] - y) < 1e-6f);
}

/* By hand, from the definitions in sentence-transformers' Pooling. */
static void pools(void **state) {
  (void)state;
  const float root3 = sqrtf(3), root2 = sqrtf(2);
  for (uint64_t n_prompt = 0; n_prompt < 2; n_prompt++) { /* a prompt that counts changes nothing */
    check_pool(AM_POOL_CLS, n_prompt, true, 1, -4);
    check_pool(AM_POOL_MAX, n_prompt, true, 6, 8);
    check_pool(AM_POOL_MEAN, n_prompt, true, 3, 1);
    check_pool(AM_POOL_MEAN_SQRT, n_prompt, true, 9 / root3, 3 / root3);
    check_pool(AM_POOL_WEIGHTED_MEAN, n_prompt, true, (1 + 4 + 18) / 6.0f, (-4 + 16 - 3) / 6.0f);
    check_pool(AM_POOL_LAST, n_prompt, true, 6, -1);
  }
  check_pool(AM_POOL_CLS, 1, false, 2, 8);
  check_pool(AM_POOL_MAX, 1, false, 6, 8);
  check_pool(AM_POOL_MEAN, 1, false, 4, 3.5f);
  check_pool(AM_POOL_MEAN_SQRT, 1, false, 8 / root2, 7 / root2);
  check_pool(AM_POOL_WEIGHTED_MEAN, 1, false, (4 + 18) / 5.0f, (16 - 3) / 5.0f);
  check_pool(AM_POOL_LAST, 1, false, 6, -1);
  check_pool(AM_POOL_CLS, 3, false, 1, -4); /* nothing but the prompt */
  check_pool(AM_POOL_MEAN, 3, false, 0, 0);
  check_pool(AM_POOL_MAX, 7, false, 0, 0);
}

static void activates(void **state) {
  (void)state;
  assert_true(fabs(am_steps_activate(AM_ACTIVATION_SIGMOID, 0) - 0.5) < 1e-12);
  assert_true(am_steps_activate(AM_ACTIVATION_RELU, -2) == 0 &&
              am_steps_activate(AM_ACTIVATION_RELU, 3) == 3);
  assert_true(fabs(am_steps_activate(AM_ACTIVATION_TANH, log(3) / 2) - 0.5) < 1e-12);
  assert_true(fabs(am_steps_activate(AM_ACTIVATION_SILU, 0)) < 1e-12);
  assert_true(fabs(am_steps_activate(AM_ACTIVATION_GELU, 1) - 0.84134474606854) < 1e-12);
  float x[] = {3, 4}, zero[] = {0, 0};
  am_steps_normalize(x, 2);
  assert_true(fabsf(x[0] - 0.6f) < 1e-7f && fabsf(x[1] - 0.8f) < 1e-7f);
  am_steps_normalize(zero, 2);
  assert_true(zero[0] == 0 && zero[1] == 0);
}

typedef struct seen {
  size_t n, stop_at;
  float first;
} seen;

static bool see(void *user, size_t index, const float *values, size_t n_values) {
  seen *s = user;
  assert_int_equal(index, s->n);
  assert_true(n_values > 0);
  if (s->n++ == 0) s->first = values[0];
  return s->n == s->stop_at;
}

static adam_status embed_model(const char *path, const char *const *texts, size_t n_texts, seen *s,
                               adam_error *error) {
  adam_model_options options = {.struct_size = sizeof options, .n_threads = 1};
  adam_embed_request request = {.struct_size = sizeof request, .texts = texts, .n_texts = n_texts};
  adam_embed_outcome outcome = {.struct_size = sizeof outcome};
  am_engine *engine = NULL;
  adam_status status = am_engine_open(path, &options, &engine, error);
  if (!status) status = am_engine_embed(engine, &request, NULL, see, s, &outcome, error);
  am_engine_close(&engine);
  return status;
}

static adam_status rerank_model(const char *path, const char *const *texts, size_t n_texts, seen *s,
                                adam_error *error) {
  adam_model_options options = {.struct_size = sizeof options, .n_threads = 1};
  adam_rerank_request request = {.struct_size = sizeof request,
                                 .query = "hello",
                                 .query_bytes = 5,
                                 .documents = texts,
                                 .n_documents = n_texts};
  adam_embed_outcome outcome = {.struct_size = sizeof outcome};
  am_engine *engine = NULL;
  double scores[8];
  adam_status status = am_engine_open(path, &options, &engine, error);
  if (!status) status = am_engine_rerank(engine, &request, NULL, scores, &outcome, error);
  am_engine_close(&engine);
  if (!status) s->first = (float)scores[0];
  return status;
}

/* The n-th allocation fails, for n = 1, 2, 3 ...: no crash, no leak, and the answer of no fault where there
 * is one all the same. */
static void survives_faults(void **state) {
  (void)state;
  static const char *const texts[] = {"hello world", "", "the river of stone"};
  static const struct {
    const char *path;
    adam_status (*run)(const char *, const char *const *, size_t, seen *, adam_error *);
  } cases[] = {{MODEL "bert-old", embed_model},
               {MODEL "nomic-new", embed_model},
               {MODEL "gguf-bert-cls/model.gguf", embed_model},
               {MODEL "qwen3-last", embed_model},
               {MODEL "cross-bert", rerank_model}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    seen whole = {0};
    assert_int_equal(cases[i].run(cases[i].path, texts, 3, &whole, NULL), ADAM_OK);
    for (uint64_t n = 1;; n += n < 200 ? 1 : 1 + n / 50) {
      seen s = {0};
      adam_error error = {0};
      am_mem_fault_set(n);
      adam_status status = cases[i].run(cases[i].path, texts, 3, &s, &error);
      bool fired = am_mem_fault_fired();
      am_mem_fault_set(0);
      if (status) assert_true(error.status == status && *error.why);
      if (!status) assert_true(s.first == whole.first);
      if (!fired) break;
    }
  }
}

static void cancels(void **state) {
  (void)state;
  static const char *const texts[] = {"one", "two", "three"};
  seen s = {.stop_at = 2};
  assert_int_equal(embed_model(MODEL "bert-new", texts, 3, &s, NULL), ADAM_CANCELLED);
  assert_int_equal(s.n, 2);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(pools), cmocka_unit_test(activates),
                                     cmocka_unit_test(cancels), cmocka_unit_test(survives_faults)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
