/* SPDX-License-Identifier: Apache-2.0 */
/* Every slot that is no matrix product, on every tier: against double arithmetic, exact where
 * rounding is defined; guard pages after input and output, all tail lengths. */
#include "base/half.h"
#include "kernels/blocks.h"
#include "kerncheck/kerncheck.h"

enum { MOST = 200 };
static am_kernels tiers[KERNCHECK_MAX_TIERS];
static int n_tiers;

static int setup(void **state) {
  (void)state;
  n_tiers = kerncheck_tiers(tiers);
  return 0;
}

/* n floats that end at a guard page. */
static guarded random_row(size_t n, float scale) {
  guarded g = guarded_open(n * sizeof(float));
  for (size_t i = 0; i < n; i++) ((float *)(void *)g.bytes)[i] = random_float() * scale;
  return g;
}
#define ROW(g) ((float *)(void *)(g).bytes)

static uint32_t bits_of(float x) {
  uint32_t u;
  memcpy(&u, &x, sizeof u);
  return u;
}

/* |x - expected| in units of the last place of expected as a float. */
static double ulps(float x, double expected) {
  int exponent;
  (void)frexp(expected, &exponent);
  double ulp = ldexp(1, (exponent < -125 ? -125 : exponent) - 24);
  return fabs(x - expected) / ulp;
}

static void test_rms_norm(void **state) {
  (void)state;
  static const float scales[] = {1, 1e-20f, 1e15f, 0};
  for (int k = 0; k < n_tiers; k++)
    for (size_t n = 1; n < MOST; n++)
      for (int in_place = 0; in_place < 2; in_place++) {
        guarded x = random_row(n, scales[n % 4]), w = random_row(n, 1), out = random_row(n, 1);
        float before[MOST], *to = in_place ? ROW(x) : ROW(out);
        double sum = 0;
        float offset = n % 3 ? 0 : 1;
        memcpy(before, ROW(x), n * 4);
        tiers[k].rms_norm(to, ROW(x), ROW(w), 1e-6f, offset, n);
        assert_true(guarded_is_clean(&out) && guarded_is_clean(&x));
        for (size_t i = 0; i < n; i++) sum += (double)before[i] * before[i];
        for (size_t i = 0; i < n; i++) {
          double expected = before[i] / sqrt(sum / (double)n + 1e-6f) * ((double)offset + ROW(w)[i]);
          assert_true(fabs(to[i] - expected) <= ((double)n / 2 + 6) * 0x1p-24 * fabs(expected) + 0x1p-148);
        }
        guarded_close(&x);
        guarded_close(&w);
        guarded_close(&out);
      }
}

static void test_rope(void **state) {
  (void)state;
  for (int k = 0; k < n_tiers; k++)
    for (size_t half = 1; half < MOST / 2; half++)
      for (int pairs = 0; pairs < 2; pairs++) {
        guarded x = random_row(2 * half, 3), c = random_row(half, 1), s = random_row(half, 1);
        float before[MOST];
        memcpy(before, ROW(x), 2 * half * 4);
        (pairs ? tiers[k].rope_pairs : tiers[k].rope_half)(ROW(x), ROW(c), ROW(s), half);
        assert_true(guarded_is_clean(&x));
        for (size_t i = 0; i < half; i++) {
          size_t a = pairs ? 2 * i : i, b = pairs ? 2 * i + 1 : half + i;
          double ac = (double)before[a] * ROW(c)[i], bs = (double)before[b] * ROW(s)[i];
          double bc = (double)before[b] * ROW(c)[i], as = (double)before[a] * ROW(s)[i];
          assert_true(fabs(ROW(x)[a] - (ac - bs)) <= 2 * 0x1p-24 * (fabs(ac) + fabs(bs)));
          assert_true(fabs(ROW(x)[b] - (bc + as)) <= 2 * 0x1p-24 * (fabs(bc) + fabs(as)));
        }
        guarded_close(&x);
        guarded_close(&c);
        guarded_close(&s);
      }
}

/* e^x over its whole range, through exp_sum: 2 ulp, denormals within one step, NaN kept. */
static void test_exp(void **state) {
  (void)state;
  for (int k = 0; k < n_tiers; k++) {
    double worst = 0;
    for (int i = 0; i < 200000; i++) {
      float x = i < 100000 ? random_float() * 104.0f : random_float(), value = x;
      if (x > 88.0f) x = value = 88.0f;
      (void)tiers[k].exp_sum(&value, 0, 1);
      double error = ulps(value, exp(x));
      if (error > worst) worst = error;
      if (error > 2) fail_msg("%s exp(%a) is %g ulp off", tiers[k].tier, x, error);
    }
    float special[4] = {-INFINITY, -200, NAN, 0};
    (void)tiers[k].exp_sum(special, 0, 4);
    assert_true(special[0] == 0 && special[1] == 0 && isnan(special[2]) && special[3] == 1);
    print_message("%s: exp at most %.2f ulp off\n", tiers[k].tier, worst);
  }
}

static void test_softmax_pieces(void **state) {
  (void)state;
  for (int k = 0; k < n_tiers; k++) {
    assert_true(tiers[k].max(NULL, 0) == -INFINITY);
    for (size_t n = 1; n < MOST; n++) {
      guarded x = random_row(n, 30);
      float before[MOST], most = -INFINITY;
      double sum = 0;
      memcpy(before, ROW(x), n * 4);
      for (size_t i = 0; i < n; i++) most = before[i] > most ? before[i] : most;
      assert_true(tiers[k].max(ROW(x), n) == most);
      float total = tiers[k].exp_sum(ROW(x), most, n);
      assert_true(guarded_is_clean(&x));
      for (size_t i = 0; i < n; i++) {
        assert_true(ulps(ROW(x)[i], exp((double)(before[i] - most))) <= 2);
        sum += ROW(x)[i];
      }
      assert_true(fabs(total - sum) <= (double)n * 0x1p-24 * sum);
      guarded_close(&x);
    }
  }
}

static void test_silu_mul(void **state) {
  (void)state;
  static const float scales[] = {1, 20, 200, 1e-30f};
  for (int k = 0; k < n_tiers; k++)
    for (size_t n = 1; n < MOST; n++)
      for (int in_place = 0; in_place < 2; in_place++) {
        guarded gate = random_row(n, scales[n % 4]), up = random_row(n, 2), out = random_row(n, 1);
        float before[MOST], *to = in_place ? ROW(gate) : ROW(out);
        memcpy(before, ROW(gate), n * 4);
        tiers[k].silu_mul(to, ROW(gate), ROW(up), n);
        assert_true(guarded_is_clean(&out) && guarded_is_clean(&gate));
        for (size_t i = 0; i < n; i++) {
          double expected = before[i] / (1 + exp(-(double)before[i])) * ROW(up)[i];
          /* 2 ulp of exp, half a one each for sum, quotient, product; tiny quotients are denormal */
          if (!(fabs(to[i] - expected) <= 8 * 0x1p-24 * fabs(expected) + 0x1p-147 + fabs(before[i]) * 2e-38))
            fail_msg("%s silu(%a) * %a is %a", tiers[k].tier, before[i], ROW(up)[i], to[i]);
        }
        guarded_close(&gate);
        guarded_close(&up);
        guarded_close(&out);
      }
}

static void test_layer_norm(void **state) {
  (void)state;
  for (int k = 0; k < n_tiers; k++)
    for (size_t n = 1; n < MOST; n++)
      for (int biased = 0; biased < 2; biased++) {
        guarded x = random_row(n, 3), w = random_row(n, 1), b = random_row(n, 1);
        float before[MOST];
        double mean = 0, variance = 0, most = 0;
        memcpy(before, ROW(x), n * 4);
        tiers[k].layer_norm(ROW(x), ROW(x), ROW(w), biased ? ROW(b) : NULL, 1e-5f, n);
        assert_true(guarded_is_clean(&x));
        for (size_t i = 0; i < n; i++) mean += before[i] / (double)n;
        for (size_t i = 0; i < n; i++) variance += (before[i] - mean) * (before[i] - mean) / (double)n;
        for (size_t i = 0; i < n; i++) most = fmax(most, fabs(before[i]));
        double factor = 1 / sqrt(variance + 1e-5f); /* the mean is off by a rounding of the largest */
        for (size_t i = 0; i < n; i++) {
          double expected = (before[i] - mean) * factor * ROW(w)[i] + (biased ? ROW(b)[i] : 0);
          double bound = ((double)n / 2 + 8) * 0x1p-24 * (2 * most * factor + 1);
          if (!(fabs(ROW(x)[i] - expected) <= bound))
            fail_msg("%s layer_norm %zu: %a, expected %a", tiers[k].tier, n, ROW(x)[i], expected);
        }
        guarded_close(&x);
        guarded_close(&w);
        guarded_close(&b);
      }
}

static double gelu_tanh_of(double x) {
  return x / (1 + exp(-2 * sqrt(2 / acos(-1)) * (x + 0.044715 * x * x * x)));
}
static double gelu_erf_of(double x) { return 0.5 * x * erfc(-x * sqrt(0.5)); }

/* gelu in both forms and tanh over their ranges, at every tail length, and an element's result does not
 * depend on its place. The exponent's rounding counts by its size: u 2^-24 relative. */
static void test_gelu_and_softcap(void **state) {
  (void)state;
  static const float scales[] = {1, 4, 30, 1e-6f, 1e-38f};
  for (int k = 0; k < n_tiers; k++)
    for (size_t n = 0; n < MOST; n++)
      for (int kind = 0; kind < 4; kind++) {
        float scale = scales[n % 5], before[MOST], cap = 3;
        guarded x = random_row(n, scale), up = random_row(n, 2);
        memcpy(before, ROW(x), n * 4);
        if (kind == 0) tiers[k].gelu_tanh(ROW(x), n);
        if (kind == 1) tiers[k].gelu_erf(ROW(x), n);
        if (kind == 2) tiers[k].softcap(ROW(x), cap, n);
        if (kind == 3) tiers[k].gelu_mul(ROW(x), ROW(x), ROW(up), n);
        assert_true(guarded_is_clean(&x));
        for (size_t i = 0; i < n; i++) {
          double v = before[i], expected, ulp = 8;
          if (kind == 0 || kind == 3) ulp += 6 * (fabs(v) + 0.05 * fabs(v * v * v));
          expected = kind == 1 ? gelu_erf_of(v) : kind == 2 ? cap * tanh(v / cap) : gelu_tanh_of(v);
          if (kind == 3) expected *= ROW(up)[i];
          double bound = ulp * 0x1p-24 * fabs(expected) + 0x1p-147 + fabs(v) * 1e-37;
          if (kind == 1) bound += 0x1p-24 * fabs(v); /* 1 + erf(z) as float32 can be off by that */
          if (!(fabs(ROW(x)[i] - expected) <= bound))
            fail_msg("%s kind %d of %a is %a, expected %a", tiers[k].tier, kind, v, ROW(x)[i], expected);
        }
        guarded_close(&x);
        guarded_close(&up);
      }
  for (int k = 0; k < n_tiers; k++)
    for (int i = 0; i < 2000; i++) {
      float one[20], many[20];
      size_t at = random_below(20);
      for (size_t j = 0; j < 20; j++) many[j] = one[j] = random_float() * 8;
      void (*const verbs[])(float *, size_t) = {tiers[k].gelu_tanh, tiers[k].gelu_erf};
      verbs[i % 2](many, 20);
      verbs[i % 2](one + at, 1);
      assert_int_equal(bits_of(one[at]), bits_of(many[at]));
    }
  for (int k = 0; k < n_tiers; k++) {
    float special[3] = {NAN, INFINITY, -INFINITY};
    tiers[k].softcap(special, 5, 3);
    assert_true(isnan(special[0]) && special[1] == 5 && special[2] == -5);
    float gelus[3] = {NAN, INFINITY, 1e30f};
    tiers[k].gelu_erf(gelus, 3);
    assert_true(isnan(gelus[0]) && gelus[1] == INFINITY && gelus[2] == 1e30f);
  }
}

static void test_add_and_scale(void **state) {
  (void)state;
  for (int k = 0; k < n_tiers; k++)
    for (size_t n = 0; n < MOST; n++) {
      guarded x = random_row(n, 1), y = random_row(n, 5);
      float before[MOST];
      memcpy(before, ROW(x), n * 4);
      tiers[k].add(ROW(x), ROW(y), n);
      for (size_t i = 0; i < n; i++) assert_true(ROW(x)[i] == before[i] + ROW(y)[i]);
      memcpy(before, ROW(x), n * 4);
      tiers[k].scale(ROW(x), 0.7f, n);
      for (size_t i = 0; i < n; i++) assert_true(ROW(x)[i] == before[i] * 0.7f);
      assert_true(guarded_is_clean(&x));
      guarded_close(&x);
      guarded_close(&y);
    }
}

static void test_store(void **state) {
  (void)state;
  for (int k = 0; k < n_tiers; k++) {
    for (size_t n = 0; n < MOST; n++) {
      guarded x = random_row(n, 1), half = guarded_open(n * 2), full = guarded_open(n * 4);
      for (size_t i = 0; i < n; i += 3)
        ROW(x)[i] *= powf(2, (float)(int)random_below(60) - 40); /* denormal to inf */
      tiers[k].store[AM_DTYPE_F16](half.bytes, ROW(x), n);
      tiers[k].store[AM_DTYPE_F32](full.bytes, ROW(x), n);
      assert_true(guarded_is_clean(&half) && guarded_is_clean(&full));
      assert_memory_equal(full.bytes, x.bytes, n * 4);
      for (size_t i = 0; i < n; i++) {
        uint16_t stored;
        memcpy(&stored, half.bytes + 2 * i, 2);
        assert_int_equal(stored, am_f32_to_f16(ROW(x)[i]));
      }
      guarded_close(&x);
      guarded_close(&half);
      guarded_close(&full);
    }
  }
}

/* Awkward activations: ties, denormals, huge, infinities, NaN, all zero. */
static void fill_awkward(float *x, size_t n, uint32_t kind) {
  for (size_t i = 0; i < n; i++) {
    x[i] = random_float();
    if (kind == 1)
      x[i] = (float)((int)random_below(255) - 127) / 2 * (i ? 1 : 127); /* halves: ties to even */
    if (kind == 2) x[i] *= 1e-40f;
    if (kind == 3) x[i] *= 3e38f;
    if (kind == 4) x[i] = 0;
    if (kind == 5 && i % 97 == 50) x[i] = INFINITY;
    if (kind == 6 && i % 83 == 9) x[i] = NAN;
    if (kind == 7) x[i] *= 1.1e-30f;
  }
  if (kind == 1) x[0] = 63.5f;
}

static void check_q8(const am_x8_group *g, const float *x, size_t n) {
  for (size_t block = 0; block < (n / 32 + 3) / 4 * 4; block++) {
    uint32_t b = (uint32_t)(block % 4), at = am_x8_scale_at(b);
    float most = 0, d = g[block / 4].d[at];
    int sum = 0;
    for (size_t i = 0; i < 32 && block < n / 32; i++) {
      float size = fabsf(x[block * 32 + i]);
      if (!isfinite(size)) most = NAN;
      if (size > most) most = size;
    }
    assert_int_equal(bits_of(d), bits_of(g[block / 4].d[at + 2]));
    assert_true(g[block / 4].s[at + 2] == 0);
    if (isnan(most)) {
      assert_true(isnan(d));
      continue;
    }
    if (most < 1e-30f) most = 0;
    assert_true(d == most / 127);
    for (uint32_t i = 0; i < 32; i++) {
      int q = g[block / 4].q[am_x8_at(b, i)];
      sum += q;
      if (most > 0) assert_true(fabs((double)q * d - x[block * 32 + i]) <= 0.50001 * d);
      if (most == 0) assert_int_equal(q, 0);
    }
    assert_true(g[block / 4].s[at] == d * (float)sum);
  }
}

static void test_quantize(void **state) {
  (void)state;
  for (size_t blocks = 1; blocks <= 24; blocks++)
    for (uint32_t kind = 0; kind < 8; kind++)
      for (int format = AM_X_Q8; format <= AM_X_Q8K; format++) {
        size_t n = blocks * (format == AM_X_Q8 ? 32 : 256), bytes = am_kernels_x_bytes(format, n);
        guarded x = guarded_open(n * sizeof(float)), out = guarded_open(bytes);
        uint8_t *expected = malloc(bytes);
        fill_awkward(ROW(x), n, kind);
        for (int k = 0; k < n_tiers; k++) {
          memset(out.bytes, GUARD_BYTE, bytes);
          tiers[k].quantize[format](out.bytes, ROW(x), n);
          assert_true(guarded_is_clean(&out));
          if (k == 0) memcpy(expected, out.bytes, bytes);
          if (memcmp(expected, out.bytes, bytes))
            fail_msg("%s quantize %d kind %u", tiers[k].tier, format, kind);
        }
        if (format == AM_X_Q8) check_q8((void *)out.bytes, ROW(x), n);
        const am_x256_block *b = (void *)out.bytes;
        for (size_t i = 0; format == AM_X_Q8K && i < n; i++) {
          int sum = 0;
          for (int j = 0; j < 16; j++) sum += b[i / 256].q[i % 256 / 16 * 16 + (size_t)j];
          assert_int_equal(sum, b[i / 256].sums[i % 256 / 16]);
          if (kind < 2)
            assert_true(fabs((double)b[i / 256].q[i % 256] * b[i / 256].d - ROW(x)[i]) <=
                        0.50001 * b[i / 256].d);
        }
        free(expected);
        guarded_close(&x);
        guarded_close(&out);
      }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_rms_norm),      cmocka_unit_test(test_rope),
      cmocka_unit_test(test_exp),           cmocka_unit_test(test_silu_mul),
      cmocka_unit_test(test_layer_norm),    cmocka_unit_test(test_gelu_and_softcap),
      cmocka_unit_test(test_add_and_scale), cmocka_unit_test(test_softmax_pieces),
      cmocka_unit_test(test_store),         cmocka_unit_test(test_quantize),
  };
  return cmocka_run_group_tests(tests, setup, NULL);
}
