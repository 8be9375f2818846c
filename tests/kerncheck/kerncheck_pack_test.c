/* SPDX-License-Identifier: Apache-2.0 */
/* Weights to blocks: every tier writes the bytes of plain C, for any number of blocks and any kind of number, nothing
 * beside them, and what comes back is near what went in. */
#include "kerncheck/kerncheck.h"
#include "kernels/blocks.h"
#include "os/clock.h"

enum { N_MOST = 41 * 256 };

static const char *const kinds[] = {"uniform", "heavy", "tiny", "denormal", "zero",  "constant",
                                    "great",   "sparse", "offset", "two values", "outliers"};
enum { N_KINDS = sizeof kinds / sizeof *kinds };

static float value_of(int kind, size_t i) {
  float v = random_float();
  switch (kind) {
    case 1:
      return v / (1.0001f - fabsf(random_float()));
    case 2:
      return v * 3e-6f;
    case 3:
      return v * 1e-39f;
    case 4:
      return 0;
    case 5:
      return 0.0123f * (float)(1 + i / 512);
    case 6:
      return v < 0 ? -65504.0f : 65504.0f * v;
    case 7:
      return i % 37 ? 0 : v;
    case 8:
      return 1 + v * 0.01f;
    case 9:
      return v < 0 ? -0.03f : 0.03f;
    case 10:
      return random_below(300) ? v * 0.01f : v * 10;
    default:
      return v * 0.05f;
  }
}

/* Steps between codes over a block's greatest magnitude: the error of one element is at most about half of one, with
 * room for a clipped end. */
static double bound_of(am_dtype dtype) {
  switch (dtype) {
    case AM_DTYPE_Q2_K:
      return 0.75;
    case AM_DTYPE_Q3_K:
      return 0.4;
    case AM_DTYPE_Q4_0:
    case AM_DTYPE_Q4_1:
    case AM_DTYPE_Q4_K:
      return 0.2;
    case AM_DTYPE_Q5_0:
    case AM_DTYPE_Q5_1:
    case AM_DTYPE_Q5_K:
      return 0.1;
    case AM_DTYPE_Q6_K:
      return 0.06;
    default:
      return 0.005;
  }
}

static void check_near(am_dtype dtype, int kind, const float *x, const float *y, size_t n) {
  uint32_t block = am_dtype_info(dtype)->block_elements;
  for (size_t at = 0; at < n; at += block) {
    double most = 0;
    for (size_t i = at; i < at + block; i++) most = fmax(most, fabs((double)x[i]));
    /* 2e-6: scales of 2^-24, the least that binary16 holds, with the greatest codes */
    for (size_t i = at; i < at + block; i++)
      if (!(fabs((double)x[i] - (double)y[i]) <= most * bound_of(dtype) + 2e-6))
        fail_msg("%s, %s, element %zu: %g came back as %g", am_dtype_info(dtype)->name, kinds[kind], i, (double)x[i],
                 (double)y[i]);
  }
}

static void test_blocks(void **state) {
  (void)state;
  am_kernels tiers[KERNCHECK_MAX_TIERS];
  int n_tiers = kerncheck_tiers(tiers), n_checked = 0;
  float *y = malloc(N_MOST * sizeof *y);
  for (int dtype = 0; dtype < AM_DTYPE_COUNT; dtype++) {
    const am_dtype_row *info = am_dtype_info(dtype);
    if (!tiers[0].pack[dtype]) continue;
    n_checked++;
    for (int kind = 0; kind < N_KINDS; kind++)
      for (size_t n_blocks = 1; n_blocks <= (info->block_elements == 256 ? 5u : 40u); n_blocks++) {
        size_t n = n_blocks * info->block_elements, n_bytes = n_blocks * info->block_bytes;
        guarded x = guarded_open(n * sizeof(float)), out = guarded_open(n_bytes), c = guarded_open(n_bytes);
        for (size_t i = 0; i < n; i++) ((float *)(void *)x.bytes)[i] = value_of(kind, i);
        tiers[0].pack[dtype](c.bytes, (void *)x.bytes, n);
        tiers[0].dequantize[dtype](y, c.bytes, n);
        check_near(dtype, kind, (void *)x.bytes, y, n);
        for (int i = 1; i < n_tiers; i++) {
          memset(out.bytes, 0x5A, n_bytes);
          tiers[i].pack[dtype](out.bytes, (void *)x.bytes, n);
          if (memcmp(out.bytes, c.bytes, n_bytes))
            fail_msg("%s %s: %zu blocks of %s are not those of plain C", tiers[i].tier, info->name, n_blocks,
                     kinds[kind]);
          assert_true(guarded_is_clean(&out));
        }
        assert_true(guarded_is_clean(&c));
        guarded_close(&x);
        guarded_close(&out);
        guarded_close(&c);
      }
  }
  assert_int_equal(n_checked, 13);
  free(y);
}

/* A block's bytes do not depend on the blocks beside it. */
static void test_alone(void **state) {
  (void)state;
  const am_kernels *k = am_kernels_get();
  static float x[N_MOST];
  static uint8_t all[N_MOST * 4], one[1024];
  for (size_t i = 0; i < N_MOST; i++) x[i] = value_of((int)(i / 256 * 7 % N_KINDS), i);
  for (int dtype = 0; dtype < AM_DTYPE_COUNT; dtype++) {
    const am_dtype_row *info = am_dtype_info(dtype);
    if (!k->pack[dtype]) continue;
    k->pack[dtype](all, x, N_MOST);
    for (size_t b = 0; b < N_MOST / info->block_elements; b += 1 + b / 3) {
      k->pack[dtype](one, x + b * info->block_elements, info->block_elements);
      assert_memory_equal(one, all + b * info->block_bytes, info->block_bytes);
    }
  }
}

static void test_greatest(void **state) {
  (void)state;
  am_kernels tiers[KERNCHECK_MAX_TIERS];
  int n_tiers = kerncheck_tiers(tiers);
  for (int i = 0; i < n_tiers; i++)
    for (size_t n = 1; n < 70; n++) {
      guarded x = guarded_open(n * sizeof(float));
      float *v = (void *)x.bytes;
      for (size_t j = 0; j < n; j++) v[j] = -(float)j;
      assert_true(tiers[i].greatest(v, n) == (float)(n - 1));
      v[n / 2] = -INFINITY;
      assert_true(isinf(tiers[i].greatest(v, n)));
      v[n / 3] = -NAN;
      assert_true(isnan(tiers[i].greatest(v, n)));
      guarded_close(&x);
    }
  assert_true(tiers[0].greatest(NULL, 0) == 0);
}

static void test_speed(void **state) {
  (void)state;
  am_kernels tiers[KERNCHECK_MAX_TIERS];
  int n_tiers = kerncheck_tiers(tiers);
  static float x[N_MOST];
  static uint8_t out[N_MOST * 4];
  for (size_t i = 0; i < N_MOST; i++) x[i] = random_float();
  for (int dtype = 0; dtype < AM_DTYPE_COUNT; dtype++) {
    if (!tiers[0].pack[dtype]) continue;
    printf("pack %-5s", am_dtype_info(dtype)->name);
    for (int i = 0; i < n_tiers; i++) {
      if (i && tiers[i].pack[dtype] == tiers[i - 1].pack[dtype]) continue;
      double best = 1e9;
      for (int round = 0; round < 5; round++) {
        double start = am_clock_ms();
        tiers[i].pack[dtype](out, x, N_MOST);
        best = fmin(best, am_clock_ms() - start);
      }
      printf("  %s %.2f ns", tiers[i].tier, best * 1e6 / N_MOST);
    }
    printf(" an element\n");
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_blocks), cmocka_unit_test(test_alone),
                                     cmocka_unit_test(test_greatest), cmocka_unit_test(test_speed)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
