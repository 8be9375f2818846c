/* SPDX-License-Identifier: Apache-2.0 */
/* Dequantised blocks, bit for bit what the gguf package has (tests/golden/make_dequant.py). */
#include "kerncheck/kerncheck.h"

static uint8_t *read_golden(const char *name, const char *suffix, size_t *n_bytes) {
  char path[512];
  snprintf(path, sizeof path, ADAM_SOURCE_DIR "/tests/golden/dequant/%s.%s", name, suffix);
  FILE *file = fopen(path, "rb");
  if (!file) fail_msg("%s is missing", path);
  uint8_t *bytes = malloc(1 << 16);
  *n_bytes = fread(bytes, 1, 1 << 16, file);
  fclose(file);
  return bytes;
}

static void test_golden_blocks(void **state) {
  (void)state;
  am_kernels tiers[KERNCHECK_MAX_TIERS];
  int n_tiers = kerncheck_tiers(tiers), n_checked = 0;
  for (int dtype = 0; dtype < AM_DTYPE_COUNT; dtype++) {
    const char *name = am_dtype_info(dtype)->name;
    if (am_dtype_is_scaled(dtype)) continue;
    if (!am_dtype_is_quantized(dtype) && dtype != AM_DTYPE_F16 && dtype != AM_DTYPE_BF16) continue;
    size_t n_raw, n_values;
    uint8_t *raw = read_golden(name, "raw", &n_raw), *expected = read_golden(name, "f32", &n_values);
    guarded row = guarded_open(n_raw), out = guarded_open(n_values);
    memcpy(row.bytes, raw, n_raw);
    for (int i = 0; i < n_tiers; i++) {
      memset(out.bytes, 0, n_values);
      tiers[i].dequantize[dtype]((void *)out.bytes, row.bytes, n_values / sizeof(float));
      assert_true(guarded_is_clean(&out));
      for (size_t at = 0; at < n_values; at += 4) {
        float a, b;
        memcpy(&a, out.bytes + at, 4);
        memcpy(&b, expected + at, 4);
        if (memcmp(&a, &b, 4) && !(isnan(a) && isnan(b)))
          fail_msg("%s %s element %zu: %a, expected %a", tiers[i].tier, name, at / 4, a, b);
      }
    }
    n_checked++;
    guarded_close(&row);
    guarded_close(&out);
    free(raw);
    free(expected);
  }
  assert_int_equal(n_checked, 15);
}

static void test_plain_floats(void **state) {
  (void)state;
  am_kernels tiers[KERNCHECK_MAX_TIERS];
  int n_tiers = kerncheck_tiers(tiers);
  for (int i = 0; i < n_tiers; i++) {
    const double doubles[3] = {1.0 / 3, -1e300, 0x1.0000008p0};
    const float floats[3] = {0.25f, -0.0f, 1e-42f}, rounded[3] = {0x1.555556p-2f, -INFINITY, 1.0f};
    float out[3];
    tiers[i].dequantize[AM_DTYPE_F64](out, doubles, 3);
    assert_memory_equal(out, rounded, sizeof out);
    tiers[i].dequantize[AM_DTYPE_F32](out, floats, 3);
    assert_memory_equal(out, floats, sizeof out);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_golden_blocks),
                                     cmocka_unit_test(test_plain_floats)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
