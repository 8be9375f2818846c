/* SPDX-License-Identifier: Apache-2.0 */
/* Every matmul and mix slot of every tier: against double arithmetic, within a bound that follows
 * from length x epsilon x sum |a b|; and byte for byte the same for any number of rows and tokens.
 * `--bench` prints how fast each slot is instead. */
#include "base/half.h"
#include "kernels/blocks.h"
#include "kerncheck/kerncheck.h"
#include "os/clock.h"

typedef enum weights_kind { TAME, DENORMAL, HUGE, N_KINDS } weights_kind;

static float weight_value(weights_kind kind) {
  if (kind == DENORMAL) return random_float() * 5e-5f; /* about half of binary16's are denormal */
  return kind == HUGE ? random_float() * 65000.0f : random_float();
}

/* Random rows: any bits as quants, scales of the wanted size, of either sign. */
static void fill_weights(am_dtype dtype, weights_kind kind, uint8_t *bytes, size_t n_bytes) {
  const block_fields *fields = block_fields_of(dtype);
  size_t block = am_dtype_info(dtype)->block_bytes;
  for (size_t i = 0; i < n_bytes; i++) bytes[i] = (uint8_t)random_bits();
  for (size_t at = 0; at < n_bytes; at += block) {
    float value = weight_value(kind);
    uint16_t half = dtype == AM_DTYPE_BF16 ? am_f32_to_bf16(value) : am_f32_to_f16(value);
    if (dtype == AM_DTYPE_F32) {
      if (kind == DENORMAL) value *= 1e-36f;
      memcpy(bytes + at, &value, 4);
    } else if (!fields) {
      memcpy(bytes + at, &half, 2);
    }
    /* MXFP4's scale is a power of two: around 1, 2^-96 and 2^16 */
    if (dtype == AM_DTYPE_MXFP4)
      bytes[at] = (uint8_t)((kind == TAME ? 124 : kind == HUGE ? 140 : 32) + random_below(4));
    for (int f = 0; fields && f < 2; f++) {
      half = am_f32_to_f16(weight_value(kind));
      if (fields->halves[f] >= 0) memcpy(bytes + at + fields->halves[f], &half, 2);
    }
  }
}

/* values: the row; sizes: an upper bound of what a kernel adds for each element, where it sums
 * quants and minima (or the offset that makes quants unsigned) apart. */
static void row_values(const am_kernels *c, am_dtype dtype, const uint8_t *row, size_t row_bytes, size_t n,
                       float *values, float *sizes) {
  const block_fields *fields = block_fields_of(dtype);
  c->dequantize[dtype](values, row, n);
  for (size_t i = 0; i < n; i++) sizes[i] = fabsf(values[i]);
  if (!fields) return;
  uint8_t *bare = malloc(row_bytes);
  float *minima = malloc(n * sizeof *minima);
  memcpy(bare, row, row_bytes);
  for (size_t at = 0; at < row_bytes; at += am_dtype_info(dtype)->block_bytes)
    memset(bare + at + fields->quants, 0, (size_t)(fields->quants_end - fields->quants));
  c->dequantize[dtype](minima, bare, n);
  for (size_t i = 0; i < n; i++) sizes[i] = fabsf(values[i] - minima[i]) + fabsf(minima[i]);
  free(bare);
  free(minima);
}

/* The numbers that quantised activations stand for. */
static void x_values(am_x_format format, const void *x, size_t n, double *out) {
  for (size_t i = 0; i < n; i++) {
    const am_x8_group *g = (const am_x8_group *)x + i / 128;
    const am_x256_block *b = (const am_x256_block *)x + i / 256;
    uint32_t block = (uint32_t)(i / 32 % 4);
    if (format == AM_X_F32) out[i] = ((const float *)x)[i];
    if (format == AM_X_Q8) out[i] = (double)g->q[am_x8_at(block, i % 32)] * g->d[am_x8_scale_at(block)];
    if (format == AM_X_Q8K) out[i] = (double)b->q[i % 256] * b->d;
  }
}

typedef struct problem {
  am_dtype dtype;
  am_x_format format;
  uint32_t n_rows, n_tokens, n_in;
  size_t row_bytes, x_bytes, out_stride;
  guarded w, x, out;
  double *expected, *bounds; /* (n_tokens, n_rows) */
} problem;

static void make_expected(problem *p, const am_kernels *c) {
  float *values = malloc(p->n_in * sizeof *values), *sizes = malloc(p->n_in * sizeof *sizes);
  double *x = malloc(p->n_in * sizeof *x);
  p->expected = malloc(p->n_tokens * p->n_rows * sizeof *p->expected);
  p->bounds = malloc(p->n_tokens * p->n_rows * sizeof *p->bounds);
  for (uint32_t r = 0; r < p->n_rows; r++) {
    row_values(c, p->dtype, p->w.bytes + r * p->row_bytes, p->row_bytes, p->n_in, values, sizes);
    for (uint32_t t = 0; t < p->n_tokens; t++) {
      double sum = 0, size = 0;
      x_values(p->format, p->x.bytes + t * p->x_bytes, p->n_in, x);
      for (uint32_t i = 0; i < p->n_in; i++) {
        sum += values[i] * x[i];
        size += sizes[i] * fabs(x[i]);
      }
      p->expected[t * p->n_rows + r] = sum;
      /* n roundings of the sum and 8 of the terms; denormal terms lose up to 2^-149 each */
      p->bounds[t * p->n_rows + r] = (p->n_in + 8.0) * 0x1p-24 * size + (2.0 * p->n_in + 8) * 0x1p-149;
    }
  }
  free(values);
  free(sizes);
  free(x);
}

static problem make_problem(const am_kernels *c, am_dtype dtype, weights_kind kind, uint32_t n_rows,
                            uint32_t n_tokens, uint32_t n_in, float x_scale) {
  problem p = {.dtype = dtype,
               .format = c->x_format[dtype],
               .n_rows = n_rows,
               .n_tokens = n_tokens,
               .n_in = n_in,
               .out_stride = n_rows + 3};
  uint64_t row_bytes;
  assert_true(am_dtype_row_bytes(dtype, n_in, &row_bytes));
  p.row_bytes = row_bytes;
  p.x_bytes = p.format == AM_X_F32 ? n_in * sizeof(float) : am_kernels_x_bytes(p.format, n_in);
  p.w = guarded_open(n_rows * p.row_bytes);
  p.x = guarded_open(n_tokens * p.x_bytes);
  p.out = guarded_open(((n_tokens - 1) * p.out_stride + n_rows) * sizeof(float));
  fill_weights(dtype, kind, p.w.bytes, p.w.n_bytes);
  float *x = malloc(n_in * sizeof *x);
  for (uint32_t t = 0; t < n_tokens; t++) {
    for (uint32_t i = 0; i < n_in; i++) x[i] = random_float() * x_scale;
    if (p.format == AM_X_F32)
      memcpy(p.x.bytes + t * p.x_bytes, x, n_in * sizeof *x);
    else
      c->quantize[p.format](p.x.bytes + t * p.x_bytes, x, n_in);
  }
  free(x);
  make_expected(&p, c);
  return p;
}

static void free_problem(problem *p) {
  guarded_close(&p->w);
  guarded_close(&p->x);
  guarded_close(&p->out);
  free(p->expected);
  free(p->bounds);
}

static am_matmul call_of(const problem *p) {
  return (am_matmul){.out = (float *)(void *)p->out.bytes,
                     .out_stride = p->out_stride,
                     .w = p->w.bytes,
                     .w_stride = p->row_bytes,
                     .x = p->x.bytes,
                     .x_stride = p->x_bytes,
                     .n_rows = p->n_rows,
                     .n_tokens = p->n_tokens,
                     .n_in = p->n_in};
}

static void check_tier(problem *p, const am_kernels *k) {
  am_matmul whole = call_of(p);
  const char *name = am_dtype_info(p->dtype)->name;
  memset(p->out.bytes, GUARD_BYTE, p->out.n_bytes);
  k->matmul[p->dtype](&whole);
  assert_true(guarded_is_clean(&p->out));
  for (uint32_t t = 0; t < p->n_tokens; t++)
    for (uint32_t r = 0; r < p->out_stride && t * p->out_stride + r < p->out.n_bytes / 4; r++) {
      float one, got = whole.out[t * p->out_stride + r];
      uint32_t guard = GUARD_BYTE * 0x01010101u;
      if (r >= p->n_rows) { /* between two tokens */
        if (memcmp(&got, &guard, sizeof got)) fail_msg("%s %s wrote past row %u", k->tier, name, p->n_rows);
        continue;
      }
      double expected = p->expected[t * p->n_rows + r], bound = p->bounds[t * p->n_rows + r];
      if (bound > 1e30) continue; /* may overflow */
      if (!(fabs(got - expected) <= bound))
        fail_msg("%s %s (%u, %u) x %u, row %u token %u: %g, expected %g within %g", k->tier, name, p->n_rows,
                 p->n_in, p->n_tokens, r, t, got, expected, bound);
      am_matmul alone = whole;
      alone.out = &one;
      alone.w = p->w.bytes + r * p->row_bytes;
      alone.x = p->x.bytes + t * p->x_bytes;
      alone.n_rows = alone.n_tokens = 1;
      k->matmul[p->dtype](&alone);
      if (memcmp(&one, &got, sizeof one))
        fail_msg("%s %s row %u of %u token %u of %u is %a, alone %a", k->tier, name, r, p->n_rows, t,
                 p->n_tokens, got, one);
    }
}

static void test_matmul(void **state) {
  (void)state;
  am_kernels tiers[KERNCHECK_MAX_TIERS];
  int n_tiers = kerncheck_tiers(tiers);
  static const uint32_t lengths[] = {1, 2, 3, 4, 5, 6, 7, 8, 11, 18, 48};
  static const float x_scales[] = {1, 1e-40f, 1e18f, 0};
  for (int dtype = 0; dtype < AM_DTYPE_COUNT; dtype++) {
    if (tiers[0].x_format[dtype] == AM_X_NONE || am_dtype_is_scaled(dtype)) continue; /* kerncheck_scaled */
    uint32_t block = am_dtype_info(dtype)->block_elements;
    for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++)
      for (int kind = 0; kind < N_KINDS; kind++) {
        uint32_t n_in = lengths[l] * (block == 1 ? 7 : block), n_rows = 1 + random_below(11);
        float x_scale = kind == TAME ? x_scales[l % 4] : x_scales[0];
        problem p = make_problem(&tiers[0], dtype, kind, n_rows, 1 + random_below(11), n_in, x_scale);
        for (int i = 0; i < n_tiers; i++) check_tier(&p, &tiers[i]);
        free_problem(&p);
      }
  }
}

/* A token with NaN or infinity gives NaN (infinity may stay one), and leaves its neighbours alone. */
static void test_not_a_number(void **state) {
  (void)state;
  am_kernels tiers[KERNCHECK_MAX_TIERS];
  int n_tiers = kerncheck_tiers(tiers);
  for (int i = 0; i < n_tiers; i++)
    for (int dtype = 0; dtype < AM_DTYPE_COUNT; dtype++)
      for (int bad = 0; bad < 2 && tiers[0].x_format[dtype] != AM_X_NONE && !am_dtype_is_scaled(dtype); bad++) {
        problem p = make_problem(&tiers[0], dtype, TAME, 5, 3, 512, 1);
        am_matmul call = call_of(&p);
        float x[512];
        for (int j = 0; j < 512; j++) x[j] = random_float();
        x[300] = bad ? INFINITY : NAN;
        if (p.format == AM_X_F32)
          memcpy(p.x.bytes + p.x_bytes, x, sizeof x);
        else
          tiers[i].quantize[p.format](p.x.bytes + p.x_bytes, x, 512);
        tiers[i].matmul[dtype](&call);
        for (uint32_t r = 0; r < 5; r++) {
          assert_false(isfinite(call.out[p.out_stride + r]));
          assert_true(isfinite(call.out[r]) && isfinite(call.out[2 * p.out_stride + r]));
        }
        free_problem(&p);
      }
}

static void check_mix(const am_kernels *k, am_dtype dtype, uint32_t n_rows, uint32_t n_keys,
                      uint32_t n_columns) {
  size_t value = am_dtype_info(dtype)->block_bytes, v_stride = (n_columns + 5) * value,
         stride = n_columns + 2;
  guarded out = guarded_open(((n_rows - 1) * stride + n_columns) * sizeof(float));
  guarded v = guarded_open(n_keys ? (n_keys - 1) * v_stride + n_columns * value : 0);
  guarded p = guarded_open(n_rows * n_keys * sizeof(float));
  float *before = malloc(out.n_bytes), *o = (void *)out.bytes, *weights = (void *)p.bytes, decay[16];
  fill_weights(dtype, TAME, v.bytes, v.n_bytes / value * value);
  for (size_t i = 0; i < out.n_bytes / 4; i++) o[i] = random_float();
  for (size_t i = 0; i < n_rows * n_keys; i++) weights[i] = fabsf(random_float());
  for (uint32_t i = 0; i < n_rows; i++) decay[i] = fabsf(random_float());
  memcpy(before, o, out.n_bytes);
  k->mix[dtype](&(am_mix){.out = o,
                          .out_stride = stride,
                          .decay = decay,
                          .p = weights,
                          .p_stride = n_keys,
                          .v = v.bytes,
                          .v_stride = v_stride,
                          .n_rows = n_rows,
                          .n_keys = n_keys,
                          .n_columns = n_columns});
  assert_true(guarded_is_clean(&out));
  for (uint32_t i = 0; i < n_rows; i++)
    for (uint32_t c = 0; c < stride && i * stride + c < out.n_bytes / 4; c++) {
      double sum = (double)before[i * stride + c] * decay[i], size = fabs(sum);
      for (uint32_t j = 0; j < n_keys && c < n_columns; j++) {
        float x;
        uint16_t half;
        memcpy(&x, v.bytes + j * v_stride + c * value, value);
        memcpy(&half, v.bytes + j * v_stride + c * value, sizeof half);
        if (dtype == AM_DTYPE_F16) x = am_f16_to_f32(half);
        sum += (double)weights[i * n_keys + j] * x;
        size += fabs((double)weights[i * n_keys + j] * x);
      }
      if (c >= n_columns) sum = before[i * stride + c], size = 0;
      if (!(fabs(o[i * stride + c] - sum) <= (n_keys + 2) * 0x1p-24 * size))
        fail_msg("%s mix (%u, %u, %u) row %u column %u: %g, expected %g", k->tier, n_rows, n_keys, n_columns,
                 i, c, o[i * stride + c], sum);
      if (c >= n_columns) continue;
      float one = before[i * stride + c];
      k->mix[dtype](&(am_mix){.out = &one,
                              .decay = decay + i,
                              .p = weights + i * n_keys,
                              .v = v.bytes + c * value,
                              .v_stride = v_stride,
                              .n_rows = 1,
                              .n_keys = n_keys,
                              .n_columns = 1});
      assert_memory_equal(&one, &o[i * stride + c], sizeof one);
    }
  guarded_close(&out);
  guarded_close(&v);
  guarded_close(&p);
  free(before);
}

static void test_mix(void **state) {
  (void)state;
  am_kernels tiers[KERNCHECK_MAX_TIERS];
  int n_tiers = kerncheck_tiers(tiers);
  static const am_dtype dtypes[2] = {AM_DTYPE_F32, AM_DTYPE_F16};
  for (int i = 0; i < n_tiers; i++)
    for (int d = 0; d < 2; d++)
      for (uint32_t columns = 1; columns < 200; columns += 1 + columns / 2)
        for (uint32_t rows = 1; rows < 10; rows++)
          check_mix(&tiers[i], dtypes[d], rows, random_below(70), columns);
}

/* GB/s of weights for one token, walking through n_bytes of them; G multiply-adds per second for 32
 * tokens. The best of many short slices, since other programs run beside us. */
static void bench_slot(const am_kernels *k, am_dtype dtype, size_t n_bytes, uint32_t n_in) {
  uint64_t row_bytes;
  enum { TOKENS = 32, CHUNK = 32, SLICE_BYTES = 1 << 18, REPEATS = 3 };
  (void)am_dtype_row_bytes(dtype, n_in, &row_bytes);
  uint32_t n_rows = (uint32_t)(n_bytes / row_bytes) / CHUNK * CHUNK;
  size_t x_bytes = am_kernels_x_bytes(k->x_format[dtype], n_in);
  uint8_t *w = aligned_alloc(64, (n_rows * row_bytes + 63) / 64 * 64),
          *x = aligned_alloc(64, x_bytes * TOKENS);
  float *out = malloc((size_t)n_rows * TOKENS * sizeof *out), *row = malloc(n_in * sizeof *row);
  double best[2] = {1e9, 1e9};
  fill_weights(dtype, TAME, w, n_rows * row_bytes);
  for (uint32_t i = 0; i < n_in; i++) row[i] = random_float();
  for (int t = 0; t < TOKENS; t++)
    if (k->x_format[dtype] == AM_X_F32)
      memcpy(x + t * x_bytes, row, n_in * sizeof *row);
    else
      k->quantize[k->x_format[dtype]](x + t * x_bytes, row, n_in);
  for (int many = 0; many < 2; many++) {
    uint32_t slice = (uint32_t)(SLICE_BYTES / (many ? 16 : 1) / row_bytes + CHUNK - 1) / CHUNK * CHUNK;
    uint32_t all = many ? n_rows / 16 : n_rows;
    for (int repeat = 0; repeat < REPEATS; repeat++)
      for (uint32_t from = 0; from + slice <= all; from += slice) {
        uint64_t start = am_clock_ns();
        for (uint32_t r = from; r < from + slice; r += CHUNK)
          k->matmul[dtype](&(am_matmul){.out = out + r,
                                        .out_stride = n_rows,
                                        .w = w + r * row_bytes,
                                        .w_stride = row_bytes,
                                        .x = x,
                                        .x_stride = x_bytes,
                                        .n_rows = CHUNK,
                                        .n_tokens = many ? TOKENS : 1,
                                        .n_in = n_in});
        double per_row = (double)(am_clock_ns() - start) / slice;
        if (per_row < best[many]) best[many] = per_row;
      }
  }
  printf("%-11s %-5s rows of %5u: 1 token %6.1f GB/s %6.1f G/s   %d tokens %6.1f G multiply-adds/s\n",
         k->tier, am_dtype_info(dtype)->name, n_in, (double)row_bytes / best[0], n_in / best[0], TOKENS,
         (double)n_in * TOKENS / best[1]);
  free(w);
  free(x);
  free(out);
  free(row);
}

/* only: a dtype's name, NULL for all. */
static int bench(size_t n_bytes, const char *only) {
  am_kernels tiers[KERNCHECK_MAX_TIERS];
  int n_tiers = kerncheck_tiers(tiers);
  for (int dtype = 0; dtype < AM_DTYPE_COUNT; dtype++)
    for (int i = 0; i < n_tiers; i++) {
      if (tiers[i].x_format[dtype] == AM_X_NONE || am_dtype_is_scaled(dtype) ||
          (only && strcmp(only, am_dtype_info(dtype)->name)))
        continue;
      if (i > 0 && tiers[i].matmul[dtype] == tiers[i - 1].matmul[dtype]) continue;
      bench_slot(&tiers[i], dtype, n_bytes, am_dtype_info(dtype)->block_elements > 32 ? 2048 : 576);
      bench_slot(&tiers[i], dtype, n_bytes, am_dtype_info(dtype)->block_elements > 32 ? 4096 : 1536);
    }
  return 0;
}

int main(int argc, char **argv) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_matmul),
      cmocka_unit_test(test_not_a_number),
      cmocka_unit_test(test_mix),
  };
  if (argc > 1 && strcmp(argv[1], "--bench") == 0)
    /* MiB of weights, beyond or within the caches; one dtype */
    return bench((argc > 2 ? (size_t)atoi(argv[2]) : 64) << 20, argc > 3 ? argv[3] : NULL);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
