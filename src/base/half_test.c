/* SPDX-License-Identifier: Apache-2.0 */
#include "base/half.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <math.h>

#include "golden/lines.h"

static uint32_t bits_of(float f) {
  uint32_t u;
  memcpy(&u, &f, sizeof u);
  return u;
}

static float from_bits(uint32_t u) {
  float f;
  memcpy(&f, &u, sizeof f);
  return f;
}

/* IEEE 754: (-1)^sign * 2^(exponent - 15) * 1.fraction, denormals fraction * 2^-24. */
static void every_half(void **state) {
  (void)state;
  for (uint32_t h = 0; h < 0x10000; h++) {
    int exponent = (int)(h >> 10 & 31), fraction = (int)(h & 1023);
    float got = am_f16_to_f32((uint16_t)h);
    if (exponent == 31 && fraction != 0) {
      assert_true(isnan(got));
      assert_int_equal(am_f32_to_f16(got) & 0x7E00, 0x7E00); /* stays NaN, quiet */
      assert_int_equal(am_f32_to_f16(got) >> 15, h >> 15);
      continue;
    }
    double want = exponent == 31 ? INFINITY : exponent == 0 ? ldexp(fraction, -24) : ldexp(1024 + fraction, exponent - 25);
    if (h >> 15) want = -want;
    if (bits_of(got) != bits_of((float)want)) fail_msg("half %04x is %a, not %a", h, (double)got, want);
    if (am_f32_to_f16(got) != h) fail_msg("half %04x comes back as %04x", h, am_f32_to_f16(got));
  }
}

static void like_struct(char *words[4], int n_words) {
  assert_int_equal(n_words, 2);
  uint32_t f = (uint32_t)strtoul(words[0], NULL, 16);
  uint16_t got = am_f32_to_f16(from_bits(f)), want = (uint16_t)strtoul(words[1], NULL, 16);
  if (got != want) fail_msg("float %08x gives %04x, not %04x", f, got, want);
}

static void rounding(void **state) {
  (void)state;
  assert_true(golden_lines("halves.txt", like_struct) > 2000);
}

static void bfloat(void **state) {
  (void)state;
  for (uint32_t h = 0; h < 0x10000; h++) {
    float f = am_bf16_to_f32((uint16_t)h);
    assert_int_equal(bits_of(f), h << 16);
    if (isnan(f)) assert_true(isnan(am_bf16_to_f32(am_f32_to_bf16(f))));
    else assert_int_equal(am_f32_to_bf16(f), h);
  }
  assert_int_equal(am_f32_to_bf16(from_bits(0x3F808000)), 0x3F80); /* half-way: to even */
  assert_int_equal(am_f32_to_bf16(from_bits(0x3F818000)), 0x3F82);
  assert_int_equal(am_f32_to_bf16(from_bits(0x3F808001)), 0x3F81);
  assert_int_equal(am_f32_to_bf16(from_bits(0x7F7FFFFF)), 0x7F80); /* the largest float: to infinity */
  assert_true(isnan(am_bf16_to_f32(am_f32_to_bf16(from_bits(0x7F800001)))));
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(every_half), cmocka_unit_test(rounding),
                                     cmocka_unit_test(bfloat)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
