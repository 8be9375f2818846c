/* SPDX-License-Identifier: Apache-2.0 */
/* Expected values: tests/golden/sampler.json (transformers), hand arithmetic, statistics. */
#include "sampler/sampler.h"

#include "base/mem.h"
#include "base/rng.h"

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <jansson.h>

static const adam_sampling neutral = {.temperature = 1, .top_p = 1, .repetition_penalty = 1};

static am_sampler *sampler_for(size_t n, const adam_sampling *sampling) {
  am_sampler *sampler = NULL;
  adam_error error = {0};
  assert_int_equal(am_sampler_open(n, n, sampling, &sampler, &error), ADAM_OK);
  return sampler;
}

static double number(const json_t *object, const char *key) {
  return json_number_value(json_object_get(object, key));
}

static void accept_list(am_sampler *sampler, const json_t *list, bool generated) {
  for (size_t i = 0; i < json_array_size(list); i++) {
    int32_t id = (int32_t)json_integer_value(json_array_get(list, i));
    am_sampler_accept(sampler, &id, 1, generated);
  }
}

/* The kept ids must be the reference's, except that among ids of one score that the border of top-p
 * cuts through only their number counts (the reference's sort is not stable). After penalties equal
 * scores are equal probabilities, so sums per probability level are compared for these. */
static void compare_kept(const json_t *test, const float *got, const float *scores, size_t n) {
  const json_t *ids = json_object_get(test, "ids"), *p = json_object_get(test, "p");
  float *expected = calloc(n, sizeof *expected);
  size_t n_got = 0;
  assert_non_null(expected);
  for (size_t i = 0; i < json_array_size(ids); i++)
    expected[json_integer_value(json_array_get(ids, i))] = (float)json_number_value(json_array_get(p, i));
  for (size_t i = 0; i < n; i++) n_got += got[i] > 0;
  assert_int_equal(n_got, json_array_size(ids));
  for (size_t i = 0; i < n; i++) {
    if ((got[i] > 0) == (expected[i] > 0)) {
      assert_float_equal(got[i], expected[i], 1e-6);
      continue;
    }
    size_t ours = 0, theirs = 0; /* of all with this score */
    for (size_t j = 0; j < n; j++) {
      if (scores[j] != scores[i]) continue;
      ours += got[j] > 0;
      theirs += expected[j] > 0;
    }
    assert_int_equal(ours, theirs);
  }
  free(expected);
}

static void matches_transformers(void **state) {
  (void)state;
  json_error_t why;
  json_t *file = json_load_file(ADAM_SOURCE_DIR "/tests/golden/sampler.json", 0, &why);
  assert_non_null(file);
  const json_t *cases = json_object_get(file, "cases");
  double grid = number(file, "grid");
  assert_true(json_array_size(cases) >= 200);
  for (size_t c = 0; c < json_array_size(cases); c++) {
    const json_t *test = json_array_get(cases, c), *list = json_object_get(test, "scores");
    size_t n = json_array_size(list);
    adam_sampling sampling = {.temperature = number(test, "temperature"),
                              .top_k = (int32_t)number(test, "top_k"),
                              .top_p = number(test, "top_p"),
                              .min_p = number(test, "min_p"),
                              .repetition_penalty = number(test, "repetition"),
                              .presence_penalty = number(test, "presence"),
                              .frequency_penalty = number(test, "frequency")};
    am_sampler *sampler = sampler_for(n, &sampling);
    float *logits = malloc(n * sizeof *logits), *got = malloc(n * sizeof *got);
    assert_true(logits && got);
    for (size_t i = 0; i < n; i++) logits[i] = (float)(json_number_value(json_array_get(list, i)) / grid);
    accept_list(sampler, json_object_get(test, "prompt"), false);
    accept_list(sampler, json_object_get(test, "output"), true);
    if (json_object_get(test, "greedy")) {
      assert_int_equal(am_sampler_pick(sampler, logits, 0), (int32_t)number(test, "greedy"));
    } else {
      am_sampler_probabilities(sampler, logits, got);
      compare_kept(test, got, logits, n); /* logits: scores after penalties and temperature */
    }
    free(logits);
    free(got);
    am_sampler_close(&sampler);
  }
  json_decref(file);
}

static void equal_scores_keep_the_lowest(void **state) {
  (void)state;
  adam_sampling sampling = neutral;
  sampling.top_p = 0.5;
  am_sampler *sampler = sampler_for(8, &sampling);
  float logits[8] = {0}, p[8];
  am_sampler_probabilities(sampler, logits, p);
  const float expected[8] = {0.25f, 0.25f, 0.25f, 0.25f, 0, 0, 0, 0};
  assert_memory_equal(p, expected, sizeof p);
  am_sampler_close(&sampler);
  sampling.temperature = 0;
  sampler = sampler_for(8, &sampling);
  float tied[8] = {1, 3, 2, 3, 3, 0, -1, 3};
  assert_int_equal(am_sampler_pick(sampler, tied, 0), 1);
  am_sampler_close(&sampler);
}

/* Chi-square of 20,000 draws against the softmax of known weights; 6 degrees of freedom: 22.46 is the
 * 0.1 % point, and the seeds are fixed. */
static void draws_follow_the_distribution(void **state) {
  (void)state;
  enum { N = 7, DRAWS = 20000 };
  const double weights[N] = {1, 2, 3, 5, 8, 13, 0.5};
  double total = 0;
  for (int i = 0; i < N; i++) total += weights[i];
  for (uint64_t seed = 1; seed <= 3; seed++) {
    adam_sampling sampling = neutral;
    sampling.seed = seed;
    am_sampler *sampler = sampler_for(N, &sampling);
    size_t count[N] = {0};
    for (uint64_t position = 0; position < DRAWS; position++) {
      float logits[N];
      for (int i = 0; i < N; i++) logits[i] = (float)log(weights[i]);
      count[am_sampler_pick(sampler, logits, position)]++;
    }
    double chi_square = 0;
    for (int i = 0; i < N; i++) {
      double expected = DRAWS * weights[i] / total, off = (double)count[i] - expected;
      chi_square += off * off / expected;
    }
    assert_true(chi_square < 22.46);
    am_sampler_close(&sampler);
  }
}

/* The documented draw: the first id in ascending order whose running sum passes u * mass. */
static void draw_is_the_inverse_cdf(void **state) {
  (void)state;
  adam_sampling sampling = neutral;
  sampling.seed = 42;
  sampling.top_k = 3;
  am_sampler *sampler = sampler_for(5, &sampling);
  for (uint64_t position = 0; position < 200; position++) {
    float logits[5] = {(float)log(2.0), -9, (float)log(1.0), (float)log(5.0), -8};
    double u = am_rng_unit(42, position) * 8;
    int32_t expected = u < 2 ? 0 : u < 3 ? 2 : 3;
    assert_int_equal(am_sampler_pick(sampler, logits, position), expected);
  }
  am_sampler_close(&sampler);
}

static void bad_logits_have_an_answer(void **state) {
  (void)state;
  for (int greedy = 0; greedy < 2; greedy++) {
    adam_sampling sampling = neutral;
    sampling.temperature = greedy ? 0 : 0.5;
    sampling.top_p = 0.9;
    sampling.top_k = 2;
    am_sampler *sampler = NULL;
    assert_int_equal(am_sampler_open(6, 5, &sampling, &sampler, NULL), ADAM_OK);
    float nan_only[6] = {NAN, NAN, NAN, NAN, NAN, 9};
    assert_int_equal(am_sampler_pick(sampler, nan_only, 0), 0);
    float one[6] = {NAN, -INFINITY, 1, NAN, -INFINITY, 9};
    assert_int_equal(am_sampler_pick(sampler, one, 0), 2);
    float infinite[6] = {0, 5, NAN, INFINITY, 1, 9};
    assert_int_equal(am_sampler_pick(sampler, infinite, 0), 3);
    am_sampler_forbid(sampler, 0);
    am_sampler_forbid(sampler, 3);
    am_sampler_forbid(sampler, 3);
    float none[6] = {1, -INFINITY, NAN, 2, NAN, 9};
    assert_int_equal(am_sampler_pick(sampler, none, 0), 1);
    am_sampler_allow_all(sampler);
    float again[6] = {1, -INFINITY, NAN, 20, NAN, 99};
    assert_int_equal(am_sampler_pick(sampler, again, 0), 3);
    am_sampler_accept(sampler, (const int32_t[]){-1, 6, 1 << 30}, 3, true);
    am_sampler_close(&sampler);
  }
}

static void check_one(adam_sampling sampling, const char *name) {
  adam_error error = {0};
  assert_int_equal(am_sampler_check(&sampling, &error), ADAM_INVALID);
  assert_string_equal(error.what, name);
}

static void ranges_are_checked(void **state) {
  (void)state;
  adam_sampling s = neutral;
  assert_int_equal(am_sampler_check(&s, NULL), ADAM_OK);
#define BAD(field, value) (s = neutral, s.field = (value), check_one(s, #field))
  BAD(temperature, -1);
  BAD(temperature, NAN);
  BAD(temperature, 1e-30);
  BAD(top_p, 0);
  BAD(top_p, 1.01);
  BAD(top_k, -1);
  BAD(min_p, 1);
  BAD(min_p, -0.1);
  BAD(repetition_penalty, 0);
  BAD(presence_penalty, INFINITY);
  BAD(frequency_penalty, NAN);
  BAD(max_tokens, -1);
#undef BAD
  am_sampler *sampler = NULL;
  assert_int_equal(am_sampler_open(4, 5, &neutral, &sampler, NULL), ADAM_INVALID);
  assert_null(sampler);
}

static void survives_failing_allocations(void **state) {
  (void)state;
  for (uint64_t n = 1;; n++) {
    am_sampler *sampler = NULL;
    am_mem_fault_set(n);
    adam_status status = am_sampler_open(100, 100, &neutral, &sampler, NULL);
    int fired = am_mem_fault_fired();
    am_mem_fault_set(0);
    assert_int_equal(status, fired ? ADAM_NO_MEMORY : ADAM_OK);
    assert_true(fired ? !sampler : !!sampler);
    am_sampler_close(&sampler);
    if (!fired) break;
    assert_true(n < 100);
  }
}

/* All selections against a plain sort, in double, over rows of a real vocabulary's size. Which ids are
 * kept may differ only where the mass comes within rounding of top_p. */
static const float *sort_scores;
static int by_score(const void *a, const void *b) {
  uint32_t i = *(const uint32_t *)a, j = *(const uint32_t *)b;
  if (sort_scores[i] != sort_scores[j]) return sort_scores[i] > sort_scores[j] ? -1 : 1;
  return i < j ? -1 : i > j;
}

static void large_rows_match_a_full_sort(void **state) {
  (void)state;
  enum { N = 151936 };
  float *row = malloc(N * sizeof *row), *p = malloc(N * sizeof *p);
  uint32_t *order = malloc(N * sizeof *order);
  assert_true(row && p && order);
  for (int shape = 0; shape < 6; shape++) {
    adam_sampling sampling = neutral;
    sampling.top_p = shape == 5 ? 0.3 : 0.9;
    sampling.top_k = shape % 3 == 1 ? 40 : shape % 3 == 2 ? 100000 : 0;
    am_sampler *sampler = sampler_for(N, &sampling);
    for (uint32_t i = 0; i < N; i++) {
      double u = am_rng_unit(7, i), v = am_rng_unit(8, i);
      double gauss = sqrt(-2 * log(u + 1e-12)) * cos(6.283185307179586 * v);
      row[i] = shape < 3 ? (float)(gauss * 3) : shape == 3 ? 1.0f : (float)(floor(gauss * 4) / 4);
      order[i] = i;
    }
    sort_scores = row;
    qsort(order, N, sizeof *order, by_score);
    am_sampler_probabilities(sampler, row, p);
    size_t n_top = sampling.top_k ? (size_t)sampling.top_k : N, kept = 0, n_got = 0;
    while (n_top < N && row[order[n_top]] == row[order[n_top - 1]]) n_top++;
    double mass = 0, above = 0;
    for (size_t i = 0; i < n_top; i++) mass += exp((double)row[order[i]] - (double)row[order[0]]);
    while (kept < n_top && above < sampling.top_p * mass)
      above += exp((double)row[order[kept++]] - (double)row[order[0]]);
    for (size_t i = 0; i < N; i++) n_got += p[i] > 0;
    double last = exp((double)row[order[kept - 1]] - (double)row[order[0]]);
    assert_true(fabs((double)n_got - (double)kept) * last <= 1e-6 * mass);
    for (size_t i = 0; i < (n_got < kept ? n_got : kept); i++) {
      double expected = exp((double)row[order[i]] - (double)row[order[0]]) / above;
      assert_true(fabs((double)p[order[i]] - expected) < 1e-6 * expected + 1e-9);
    }
    am_sampler_close(&sampler);
  }
  free(row);
  free(p);
  free(order);
}

static void masks_decide_before_all_else(void **state) {
  (void)state;
  enum { N = 100 };
  float logits[N];
  uint64_t mask[2] = {(uint64_t)1 << 7 | (uint64_t)1 << 63, (uint64_t)1 << 2}; /* 7, 63, 66 */
  adam_sampling sampling = neutral;
  sampling.top_p = 0.5;
  am_sampler *sampler = sampler_for(N, &sampling);
  am_sampler_allow(sampler, mask);
  for (uint64_t position = 0; position < 200; position++) {
    for (int i = 0; i < N; i++) logits[i] = (float)(i % 5);
    logits[66] = 50; /* all of the mass, once the others are out */
    assert_int_equal(am_sampler_pick(sampler, logits, position), 66);
  }
  for (int i = 0; i < N; i++)
    logits[i] = i == 3 ? 1.0F : -INFINITY; /* nothing that is allowed has a chance */
  assert_int_equal(am_sampler_pick(sampler, logits, 1), 7);
  am_sampler_allow(sampler, NULL);
  for (int i = 0; i < N; i++) logits[i] = i == 3 ? 9.0F : -9.0F;
  assert_int_equal(am_sampler_pick(sampler, logits, 1), 3);
  am_sampler_close(&sampler);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(matches_transformers),          cmocka_unit_test(equal_scores_keep_the_lowest),
      cmocka_unit_test(draws_follow_the_distribution), cmocka_unit_test(draw_is_the_inverse_cdf),
      cmocka_unit_test(bad_logits_have_an_answer),     cmocka_unit_test(ranges_are_checked),
      cmocka_unit_test(survives_failing_allocations),  cmocka_unit_test(large_rows_match_a_full_sort),
      cmocka_unit_test(masks_decide_before_all_else),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
