/* SPDX-License-Identifier: Apache-2.0 */
/* The SCALED dtypes (tensor/scaled.h) on every tier: dequantised rows equal the formula in float32 bit for
 * bit, written here on its own; products lie within the bound of the summation and do not depend on the rows
 * and tokens beside them; nothing is read past the codes. `--bench` prints how fast each slot is. */
#include "kerncheck/kerncheck.h"
#include "os/clock.h"
#include "tensor/scaled.h"

static const am_dtype dtypes[4] = {AM_DTYPE_SCALED_U4, AM_DTYPE_SCALED_T4, AM_DTYPE_SCALED_I8,
                                   AM_DTYPE_SCALED_F8};

/* E4M3 by the definition of the OCP 8-bit floating point specification. */
static float e4m3(uint8_t code) {
  int exponent = code >> 3 & 15, mantissa = code & 7;
  float size = exponent ? ldexpf(1.0f + (float)mantissa / 8, exponent - 7) : ldexpf((float)mantissa / 8, -6);
  if ((code & 0x7F) == 0x7F) return NAN;
  return code & 0x80 ? -size : size;
}

typedef struct matrix {
  am_dtype dtype;
  uint32_t n_rows, n_in;
  am_scaled_layout layout;
  am_scaled_row *rows;
  guarded codes, scales, zeros, map;
  float *values; /* (n_rows, n_in) by the formula */
} matrix;

typedef enum form { EVEN, MAPPED, UNEVEN } form;

static bool is_nibble(am_dtype dtype) { return dtype == AM_DTYPE_SCALED_U4 || dtype == AM_DTYPE_SCALED_T4; }

static float code_value(const matrix *m, size_t at) {
  if (m->dtype == AM_DTYPE_SCALED_I8) return (float)(int8_t)m->codes.bytes[at];
  if (m->dtype == AM_DTYPE_SCALED_F8) return e4m3(m->codes.bytes[at]);
  int high = (int)(at % 2) != m->layout.high_first;
  int code = high ? m->codes.bytes[at / 2] / 16 : m->codes.bytes[at / 2] % 16;
  return m->dtype == AM_DTYPE_SCALED_U4 ? (float)code : m->layout.table[code];
}

/* EVEN and MAPPED: rows begin at a byte and a group of their own; UNEVEN: the matrix is one long row. */
static matrix make_matrix(am_dtype dtype, uint32_t n_rows, uint32_t n_in, uint32_t group, form shape,
                          bool has_zeros) {
  matrix m = {.dtype = dtype, .n_rows = n_rows, .n_in = n_in};
  uint32_t groups = (n_in + group - 1) / group;
  size_t row_codes = is_nibble(dtype) ? (n_in + 1) / 2 * 2 : n_in; /* in codes */
  if (shape == UNEVEN) row_codes = n_in;
  size_t n_codes = n_rows * row_codes, n_groups = (size_t)n_rows * groups;
  m.layout = (am_scaled_layout){.group = group, .zero = dtype == AM_DTYPE_SCALED_U4 ? 8.0f : 0.0f};
  m.layout.high_first = is_nibble(dtype) && random_below(2);
  m.layout.uneven = shape == UNEVEN;
  m.layout.n_groups = groups;
  for (int i = 0; i < 16; i++) m.layout.table[i] = random_float();
  m.codes = guarded_open(is_nibble(dtype) ? (n_codes + 1) / 2 : n_codes);
  m.scales = guarded_open(n_groups * sizeof(float));
  m.zeros = guarded_open(n_groups * sizeof(float));
  m.map = guarded_open(n_in * sizeof(uint32_t));
  m.rows = calloc(n_rows, sizeof *m.rows);
  m.values = malloc((size_t)n_rows * n_in * sizeof *m.values);
  float *scales = (void *)m.scales.bytes, *zeros = (void *)m.zeros.bytes;
  uint32_t *map = (void *)m.map.bytes;
  for (size_t i = 0; i < m.codes.n_bytes; i++) {
    m.codes.bytes[i] = (uint8_t)random_bits();
    if (dtype == AM_DTYPE_SCALED_F8 && m.codes.bytes[i] % 128 == 127) m.codes.bytes[i] = 1; /* a NaN */
  }
  for (size_t i = 0; i < n_groups; i++) {
    scales[i] = random_float();
    zeros[i] = (float)random_below(16);
  }
  for (uint32_t i = 0; i < n_in; i++) map[i] = random_below(groups);
  if (shape == MAPPED) m.layout.group_of = map;
  for (uint32_t r = 0; r < n_rows; r++) {
    size_t first = r * row_codes, first_group = shape == UNEVEN ? first / group : (size_t)r * groups;
    am_scaled_row *row = &m.rows[r];
    row->codes = m.codes.bytes + (is_nibble(dtype) ? first / 2 : first);
    row->skip = is_nibble(dtype) ? first % 2 : 0;
    row->offset = shape == UNEVEN ? (uint32_t)(first % group) : 0;
    row->scales = scales + first_group;
    if (has_zeros) row->zeros = zeros + first_group;
    for (uint32_t i = 0; i < n_in; i++) {
      size_t g = shape == UNEVEN ? (first + i) / group : first_group + (shape == MAPPED ? map[i] : i / group);
      float zero = has_zeros ? zeros[g] : m.layout.zero;
      m.values[(size_t)r * n_in + i] = (code_value(&m, first + i) - zero) * scales[g];
    }
  }
  return m;
}

/* The layout is the matrix's own: rows point to it once it stands still. */
static void settle(matrix *m) {
  for (uint32_t r = 0; r < m->n_rows; r++) m->rows[r].layout = &m->layout;
}

static void free_matrix(matrix *m) {
  guarded_close(&m->codes);
  guarded_close(&m->scales);
  guarded_close(&m->zeros);
  guarded_close(&m->map);
  free(m->rows);
  free(m->values);
}

static void check_tier(const matrix *m, const am_kernels *k, const float *x, uint32_t n_tokens) {
  const char *name = am_dtype_info(m->dtype)->name;
  float *row = malloc(m->n_in * sizeof *row), *out = malloc((size_t)m->n_rows * n_tokens * sizeof *out), one;
  am_matmul whole = {.out = out,
                     .out_stride = m->n_rows,
                     .w = m->rows,
                     .w_stride = sizeof *m->rows,
                     .x = x,
                     .x_stride = m->n_in * sizeof *x,
                     .n_rows = m->n_rows,
                     .n_tokens = n_tokens,
                     .n_in = m->n_in};
  k->matmul[m->dtype](&whole);
  for (uint32_t r = 0; r < m->n_rows; r++) {
    const float *values = m->values + (size_t)r * m->n_in;
    k->dequantize[m->dtype](row, &m->rows[r], m->n_in);
    if (memcmp(row, values, m->n_in * sizeof *row))
      fail_msg("%s %s: row %u is not the formula", k->tier, name, r);
    for (uint32_t t = 0; t < n_tokens; t++) {
      double sum = 0, size = 0;
      for (uint32_t i = 0; i < m->n_in; i++) {
        sum += (double)values[i] * x[t * m->n_in + i];
        size += fabs((double)values[i] * x[t * m->n_in + i]);
      }
      float got = out[t * m->n_rows + r];
      if (!(fabs(got - sum) <= (m->n_in + 8.0) * 0x1p-24 * size))
        fail_msg("%s %s (%u, %u) x %u, group %u, row %u token %u: %g, expected %g", k->tier, name, m->n_rows,
                 m->n_in, n_tokens, m->layout.group, r, t, got, sum);
      am_matmul alone = whole;
      alone.out = &one;
      alone.w = &m->rows[r];
      alone.x = x + t * m->n_in;
      alone.n_rows = alone.n_tokens = 1;
      k->matmul[m->dtype](&alone);
      if (memcmp(&one, &got, sizeof one))
        fail_msg("%s %s row %u token %u: %a, alone %a", k->tier, name, r, t, got, one);
    }
  }
  free(row);
  free(out);
}

static void test_layouts(void **state) {
  (void)state;
  am_kernels tiers[KERNCHECK_MAX_TIERS];
  int n_tiers = kerncheck_tiers(tiers);
  static const uint32_t lengths[] = {1, 31, 32, 33, 64, 96, 130, 257, 512},
                        groups[] = {16, 32, 64, 96, 7, 1024};
  for (size_t d = 0; d < 4; d++)
    for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++)
      for (size_t g = 0; g < sizeof groups / sizeof *groups; g++)
        for (int shape = EVEN; shape <= UNEVEN; shape++) {
          uint32_t n_tokens = 1 + random_below(9);
          matrix m = make_matrix(dtypes[d], 1 + random_below(9), lengths[l], groups[g], shape,
                                 d % 2 == 0 && random_below(2));
          settle(&m);
          float *x = malloc((size_t)n_tokens * m.n_in * sizeof *x);
          for (size_t i = 0; i < (size_t)n_tokens * m.n_in; i++) x[i] = random_float();
          for (int i = 0; i < n_tiers; i++) check_tier(&m, &tiers[i], x, n_tokens);
          free(x);
          free_matrix(&m);
        }
}

/* Every E4M3 code on every tier, NaN among them; the scales of a whole row are one. */
static void test_every_e4m3(void **state) {
  (void)state;
  am_kernels tiers[KERNCHECK_MAX_TIERS];
  int n_tiers = kerncheck_tiers(tiers);
  uint8_t codes[256];
  float x[256] = {0}, scale = 1, row[256], out;
  am_scaled_layout layout = {.group = 256};
  am_scaled_row record = {.codes = codes, .scales = &scale, .layout = &layout};
  for (int c = 0; c < 256; c++) codes[c] = (uint8_t)c;
  for (int i = 0; i < n_tiers; i++) {
    tiers[i].dequantize[AM_DTYPE_SCALED_F8](row, &record, 256);
    for (int c = 0; c < 256; c++) {
      float expected = e4m3((uint8_t)c);
      assert_true(isnan(expected) ? isnan(row[c]) : memcmp(&row[c], &expected, 4) == 0);
      codes[0] = (uint8_t)c; /* alone in a row of zeros */
      memset(codes + 1, 0, 63);
      x[0] = 1;
      tiers[i].matmul[AM_DTYPE_SCALED_F8](&(am_matmul){.out = &out,
                                                       .w = &record,
                                                       .w_stride = sizeof record,
                                                       .x = x,
                                                       .n_rows = 1,
                                                       .n_tokens = 1,
                                                       .n_in = 64});
      assert_true(isnan(expected) ? isnan(out) : out == expected);
      for (int j = 0; j < 64; j++) codes[j] = (uint8_t)j;
    }
  }
}

/* Bytes of codes a second for one token, and multiply-adds for 32. */
static void bench_slot(const am_kernels *k, am_dtype dtype, uint32_t group, form shape) {
  enum { ROWS = 4096, IN = 2048, TOKENS = 32, CHUNK = 32, REPEATS = 5 };
  matrix m = make_matrix(dtype, ROWS, IN, group, shape, dtype == AM_DTYPE_SCALED_U4);
  float *x = aligned_alloc(64, (size_t)TOKENS * IN * sizeof *x),
        *out = malloc((size_t)ROWS * TOKENS * sizeof *out);
  double best[2] = {1e18, 1e18};
  settle(&m);
  for (size_t i = 0; i < (size_t)TOKENS * IN; i++) x[i] = random_float();
  for (int many = 0; many < 2; many++)
    for (int repeat = 0; repeat < REPEATS; repeat++) {
      uint32_t n_rows = many ? ROWS / 16 : ROWS;
      uint64_t start = am_clock_ns();
      for (uint32_t r = 0; r < n_rows; r += CHUNK)
        k->matmul[dtype](&(am_matmul){.out = out + r,
                                      .out_stride = ROWS,
                                      .w = m.rows + r,
                                      .w_stride = sizeof *m.rows,
                                      .x = x,
                                      .x_stride = IN * sizeof *x,
                                      .n_rows = CHUNK,
                                      .n_tokens = many ? TOKENS : 1,
                                      .n_in = IN});
      double ns = (double)(am_clock_ns() - start) / n_rows;
      if (ns < best[many]) best[many] = ns;
    }
  printf("%-11s %-9s group %4u%s: 1 token %6.1f GB/s %6.1f G/s   %d tokens %6.1f G multiply-adds/s\n",
         k->tier, am_dtype_info(dtype)->name, group, shape == MAPPED ? " mapped" : "       ",
         (double)m.codes.n_bytes / ROWS / best[0], IN / best[0], TOKENS, (double)IN * TOKENS / best[1]);
  free(x);
  free(out);
  free_matrix(&m);
}

static int bench(void) {
  am_kernels tiers[KERNCHECK_MAX_TIERS];
  int n_tiers = kerncheck_tiers(tiers);
  for (size_t d = 0; d < 4; d++)
    for (int i = 0; i < n_tiers; i++) {
      if (i > 0 && tiers[i].matmul[dtypes[d]] == tiers[i - 1].matmul[dtypes[d]]) continue;
      bench_slot(&tiers[i], dtypes[d], 64, EVEN);
      bench_slot(&tiers[i], dtypes[d], 128, EVEN);
      bench_slot(&tiers[i], dtypes[d], 128, MAPPED);
    }
  return 0;
}

int main(int argc, char **argv) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_layouts), cmocka_unit_test(test_every_e4m3)};
  if (argc > 1 && strcmp(argv[1], "--bench") == 0) return bench();
  return cmocka_run_group_tests(tests, NULL, NULL);
}
