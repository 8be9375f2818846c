/* SPDX-License-Identifier: Apache-2.0 */
/* Every verb against naive loops in double; then byte for byte over thread counts and token splits. */
#include "base/half.h"
#include "device/device.h"
#include "kernels/kernels.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static uint32_t seed = 1;
static uint32_t random_bits(void) {
  seed ^= seed << 13;
  seed ^= seed >> 17;
  seed ^= seed << 5;
  return seed;
}
static float random_float(void) { return (float)(int32_t)random_bits() / 2147483648.0f; }
static void fill(float *x, size_t n) {
  for (size_t i = 0; i < n; i++) x[i] = random_float();
}

static am_device *open_cpu(int32_t n_threads) {
  am_device *device = NULL;
  assert_int_equal(am_device_open(&(am_device_options){"cpu", n_threads}, &device, NULL), ADAM_OK);
  return device;
}

static am_queue *open_queue(am_device *device) {
  am_queue *queue = NULL;
  assert_int_equal(am_queue_open(device, 64, &queue, NULL), ADAM_OK);
  return queue;
}

static void run(am_queue *queue) {
  adam_error error;
  if (am_queue_run(queue, &error)) fail_msg("%s: %s", error.what, error.why);
}

/* A weight of any dtype with random bytes, whose scales are set to tame values. */
typedef struct matrix {
  uint8_t *bytes;
  am_tensor tensor;
  am_weight *weight;
} matrix;

static void tame_scales(am_dtype dtype, uint8_t *bytes, size_t n_bytes) {
  static const struct {
    am_dtype dtype;
    int at[2]; /* binary16 fields; -1: none */
  } fields[] = {{AM_DTYPE_Q4_0, {0, -1}},   {AM_DTYPE_Q4_1, {0, 2}},  {AM_DTYPE_Q5_0, {0, -1}},
                {AM_DTYPE_Q5_1, {0, 2}},    {AM_DTYPE_Q8_0, {0, -1}}, {AM_DTYPE_Q2_K, {80, 82}},
                {AM_DTYPE_Q3_K, {108, -1}}, {AM_DTYPE_Q4_K, {0, 2}},  {AM_DTYPE_Q5_K, {0, 2}},
                {AM_DTYPE_Q6_K, {208, -1}}, {AM_DTYPE_F16, {0, -1}},  {AM_DTYPE_IQ4_NL, {0, -1}},
                {AM_DTYPE_IQ4_XS, {0, -1}}};
  size_t block = am_dtype_info(dtype)->block_bytes;
  for (size_t at = 0; dtype == AM_DTYPE_MXFP4 && at < n_bytes; at += block) bytes[at] = 120 + bytes[at] % 8;
  for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
    for (int f = 0; f < 2; f++)
      for (size_t at = 0; fields[i].dtype == dtype && fields[i].at[f] >= 0 && at < n_bytes; at += block) {
        uint16_t h = am_f32_to_f16(random_float());
        memcpy(bytes + at + fields[i].at[f], &h, sizeof h);
      }
}

static matrix make_matrix(am_device *device, am_dtype dtype, uint64_t rows, uint64_t columns) {
  matrix m = {.tensor = {"m", dtype, rows ? 2 : 1, {rows ? rows : columns, columns}, NULL, 0}};
  uint64_t n_elements = (rows ? rows : 1) * columns;
  assert_true(am_dtype_row_bytes(dtype, n_elements, &m.tensor.n_bytes));
  m.bytes = malloc(m.tensor.n_bytes);
  for (size_t i = 0; i < m.tensor.n_bytes; i++) m.bytes[i] = (uint8_t)random_bits();
  for (size_t i = 0; i < n_elements; i++) {
    float value = random_float();
    uint16_t half = am_f32_to_bf16(value);
    if (dtype == AM_DTYPE_F32) memcpy(m.bytes + 4 * i, &value, 4);
    if (dtype == AM_DTYPE_BF16) memcpy(m.bytes + 2 * i, &half, 2);
  }
  tame_scales(dtype, m.bytes, m.tensor.n_bytes);
  m.tensor.data = m.bytes;
  adam_error error;
  if (am_weight_open(device, &m.tensor, &m.weight, &error)) fail_msg("%s", error.why);
  return m;
}

static float *values_of(const matrix *m) {
  uint64_t n;
  assert_true(am_tensor_elements(&m->tensor, &n));
  float *values = malloc(n * sizeof *values);
  am_kernels_get()->dequantize[m->tensor.dtype](values, m->tensor.data, n);
  return values;
}

static void free_matrix(matrix *m) {
  am_weight_close(&m->weight);
  free(m->bytes);
}

/* Quantised activations are off by at most half a step of max|x| / 127 each. */
static void check_matmul(am_device *device, am_dtype dtype, uint32_t n_out, uint32_t n_in, uint32_t n,
                         bool biased, bool exact) {
  matrix w = make_matrix(device, dtype, n_out, n_in), bias = make_matrix(device, AM_DTYPE_F32, 0, n_out);
  float *x = am_device_alloc(device, (size_t)n * n_in * 4),
        *out = am_device_alloc(device, (size_t)n * n_out * 4);
  float *values = values_of(&w);
  am_queue *queue = open_queue(device);
  double step = exact || am_kernels_get()->x_format[dtype] == AM_X_F32 ? 0 : 0.5001 / 127;
  am_queue_set_exact(queue, exact);
  fill(x, (size_t)n * n_in);
  am_queue_matmul(queue, out, w.weight, biased ? bias.weight : NULL, x, n);
  run(queue);
  for (uint32_t t = 0; t < n; t++)
    for (uint32_t r = 0; r < n_out; r++) {
      double sum = 0, sum_abs = 0, weight_abs = 0;
      for (uint32_t i = 0; i < n_in; i++) {
        sum += (double)x[t * n_in + i] * values[r * n_in + i];
        sum_abs += fabs((double)x[t * n_in + i] * values[r * n_in + i]);
        weight_abs += fabs((double)values[r * n_in + i]);
      }
      if (biased) sum += ((const float *)bias.tensor.data)[r];
      /* Minima and offsets are summed apart: their terms may be larger than the weights. */
      double bound = weight_abs * step + (sum_abs + (step > 0 ? 40 * n_in : 1)) * n_in * 1.2e-7;
      if (!(fabs(out[t * n_out + r] - sum) <= bound))
        fail_msg("%s (%u, %u) token %u row %u: %g, expected %g, bound %g", am_dtype_info(dtype)->name, n_out,
                 n_in, t, r, out[t * n_out + r], sum, bound);
    }
  am_queue_close(&queue);
  am_device_free(device, x);
  am_device_free(device, out);
  free(values);
  free_matrix(&w);
  free_matrix(&bias);
}

static void test_matmul(void **state) {
  (void)state;
  am_device *device = open_cpu(2);
  for (int dtype = 0; dtype < AM_DTYPE_COUNT; dtype++) {
    if (am_kernels_get()->x_format[dtype] == AM_X_NONE || am_dtype_is_scaled(dtype)) continue;
    uint32_t block = am_dtype_info(dtype)->block_elements;
    for (uint32_t n = 1; n <= 9; n += 2)
      check_matmul(device, dtype, 37, 5 * block + (block == 1 ? 60 : 0), n, n > 4, n % 4 == 3);
    for (int exact = 0; exact < 2; exact++) check_matmul(device, dtype, 70, 1024, 3, false, exact);
  }
  am_device_close(&device);
}

static void test_embed_and_rows(void **state) {
  (void)state;
  am_device *device = open_cpu(2);
  matrix table = make_matrix(device, AM_DTYPE_Q4_1, 50, 96);
  float *values = values_of(&table), *out = am_device_alloc(device, 40 * 96 * 4);
  float *picked = am_device_alloc(device, 3 * 96 * 4);
  int32_t ids[40];
  uint32_t rows[3] = {39, 0, 7};
  am_queue *queue = open_queue(device);
  for (int i = 0; i < 40; i++) ids[i] = (int32_t)(random_bits() % 50);
  am_queue_embed(queue, out, table.weight, ids, 40);
  am_queue_take_rows(queue, picked, out, rows, 3, 96);
  run(queue);
  for (int i = 0; i < 40; i++) assert_memory_equal(out + i * 96, values + ids[i] * 96, 96 * 4);
  for (int i = 0; i < 3; i++) assert_memory_equal(picked + i * 96, out + rows[i] * 96, 96 * 4);
  am_queue_add(queue, picked, out, 3, 96);
  run(queue);
  for (int i = 0; i < 3 * 96; i++) assert_true(picked[i] == values[ids[rows[i / 96]] * 96 + i % 96] + out[i]);
  am_queue_close(&queue);
  am_device_free(device, out);
  am_device_free(device, picked);
  free(values);
  free_matrix(&table);
  am_device_close(&device);
}

static void test_norm_and_silu(void **state) {
  (void)state;
  enum { N = 33, GROUPS = 3, WIDTH = 70 };
  am_device *device = open_cpu(3);
  matrix weight = make_matrix(device, AM_DTYPE_BF16, 0, WIDTH);
  float *w = values_of(&weight);
  size_t n = N * GROUPS * WIDTH;
  float *x = am_device_alloc(device, n * 4), *norm = am_device_alloc(device, n * 4),
        *gate = am_device_alloc(device, n * 4);
  am_queue *queue = open_queue(device);
  fill(x, n);
  for (size_t i = 0; i < n; i++) x[i] *= 20;
  am_queue_rms_norm(queue, norm, x, weight.weight, 1e-5f, 0, N, GROUPS);
  am_queue_silu_mul(queue, gate, x, norm, N, GROUPS * WIDTH);
  run(queue);
  for (size_t g = 0; g < N * GROUPS; g++) {
    double sum = 0;
    for (size_t i = 0; i < WIDTH; i++) sum += (double)x[g * WIDTH + i] * x[g * WIDTH + i];
    for (size_t i = 0; i < WIDTH; i++) {
      size_t at = g * WIDTH + i;
      double expected = x[at] / sqrt(sum / WIDTH + 1e-5) * w[i];
      assert_true(fabs(norm[at] - expected) <= 1e-6 * fabs(expected));
      double silu = x[at] / (1 + exp(-(double)x[at])) * norm[at];
      assert_true(fabs(gate[at] - silu) <= 1e-6 * fabs(silu) + 1e-37);
    }
  }
  am_queue_close(&queue);
  am_device_free(device, x);
  am_device_free(device, norm);
  am_device_free(device, gate);
  free(w);
  free_matrix(&weight);
  am_device_close(&device);
}

static void test_elementwise(void **state) {
  (void)state;
  enum { N = 33, WIDTH = 277, ALL = N * WIDTH };
  static float before[ALL];
  am_device *device = open_cpu(3);
  matrix weight = make_matrix(device, AM_DTYPE_F32, 0, WIDTH),
         bias = make_matrix(device, AM_DTYPE_F16, 0, WIDTH);
  float *w = values_of(&weight), *b = values_of(&bias), *row[6];
  am_queue *queue = open_queue(device);
  fill(before, ALL);
  for (int i = 0; i < ALL; i++) before[i] *= 10;
  for (int i = 0; i < 6; i++) {
    row[i] = am_device_alloc(device, sizeof before);
    memcpy(row[i], before, sizeof before);
  }
  am_queue_layer_norm(queue, row[0], row[0], weight.weight, bias.weight, 1e-5f, N);
  am_queue_gelu_mul(queue, row[1], row[1], row[2], N, WIDTH);
  am_queue_gelu(queue, row[2], N, WIDTH, false);
  am_queue_gelu(queue, row[3], N, WIDTH, true);
  am_queue_scale(queue, row[4], 0.3f, N, WIDTH);
  am_queue_softcap(queue, row[5], 7, N, WIDTH);
  run(queue);
  for (int r = 0; r < N; r++) {
    double mean = 0, variance = 0;
    for (int i = 0; i < WIDTH; i++) mean += before[r * WIDTH + i] / (double)WIDTH;
    for (int i = 0; i < WIDTH; i++) variance += pow(before[r * WIDTH + i] - mean, 2) / WIDTH;
    for (int i = 0; i < WIDTH; i++) {
      int at = r * WIDTH + i;
      double x = before[at],
             tanh_form = 0.5 * x * (1 + tanh(sqrt(2 / acos(-1)) * (x + 0.044715 * x * x * x)));
      assert_true(fabs(row[0][at] - ((x - mean) / sqrt(variance + 1e-5) * w[i] + b[i])) < 4e-6);
      assert_true(fabs(row[1][at] - tanh_form * x) < 1e-6 * (1 + fabs(tanh_form * x)));
      assert_true(fabs(row[2][at] - 0.5 * x * (1 + erf(x / sqrt(2)))) < 1e-6 * (0.1 + fabs(x)));
      assert_true(fabs(row[3][at] - tanh_form) < 1e-6 * (0.1 + fabs(tanh_form)));
      assert_true(row[4][at] == before[at] * 0.3f);
      assert_true(fabs(row[5][at] - 7 * tanh(x / 7)) < 1e-6 * fabs(x));
    }
  }
  for (int i = 0; i < 6; i++) am_device_free(device, row[i]);
  am_queue_close(&queue);
  free(w);
  free(b);
  free_matrix(&weight);
  free_matrix(&bias);
  am_device_close(&device);
}

static void check_rope(bool interleaved) {
  enum { HEADS = 3, DIM = 20, HALF = DIM / 2, N = 11 };
  am_device *device = open_cpu(2);
  am_kv *kv[2];
  am_kv_options o = {.n_layers = 1, .n_kv_heads = 1, .head_dim = DIM, .n_ctx = 5000, .dtype = AM_DTYPE_F32};
  for (int i = 0; i < 2; i++) assert_int_equal(am_kv_open(device, &o, &kv[i], NULL), ADAM_OK);
  am_segment segments[2] = {{.kv = kv[0], .n = 4, .position = 4000},
                            {.kv = kv[1], .first = 5, .n = 6}}; /* row 4 belongs to nobody */
  float inv_freq[HALF], before[N * HEADS * DIM], *x = am_device_alloc(device, sizeof before);
  for (int i = 0; i < HALF; i++) inv_freq[i] = powf(10000.0f, -2.0f * (float)i / DIM);
  fill(x, N * HEADS * DIM);
  memcpy(before, x, sizeof before);
  am_queue *queue = open_queue(device);
  am_rope rope = {.inv_freq = inv_freq, .scale = 1.5f, .n_rot = DIM, .interleaved = interleaved};
  am_queue_rope(queue, x, &rope, HEADS, DIM, segments, 2);
  run(queue);
  for (uint32_t row = 0; row < N; row++)
    for (uint32_t h = 0; h < HEADS; h++)
      for (uint32_t i = 0; i < HALF; i++) {
        uint32_t base = (row * HEADS + h) * DIM, a = base + (interleaved ? 2 * i : i);
        uint32_t b = base + (interleaved ? 2 * i + 1 : i + HALF);
        float position = (float)(row < 4 ? 4000 + row : row - 5);
        double angle = position * inv_freq[i]; /* the product rounded to float, as it is defined */
        double c = cos(angle) * 1.5, s = sin(angle) * 1.5;
        if (row == 4) c = 1, s = 0;
        assert_true(fabs(x[a] - (before[a] * c - before[b] * s)) < 1e-6);
        assert_true(fabs(x[b] - (before[b] * c + before[a] * s)) < 1e-6);
      }
  am_queue_close(&queue);
  am_device_free(device, x);
  for (int i = 0; i < 2; i++) am_kv_close(&kv[i]);
  am_device_close(&device);
}

/* What follows the length: the first segment is a step of a timeline of 41 tokens, the second a part of a
 * run that will end at 8. 12 of 20 numbers of a head turn. */
static void check_rope_by_length(bool dynamic) {
  enum { HEADS = 2, DIM = 20, ROT = 12, HALF = ROT / 2, N = 3 };
  am_device *device = open_cpu(2);
  static const am_segment segments[2] = {{.n = 1, .position = 40},
                                         {.first = 1, .n = 2, .position = 3, .length = 8}};
  float inv_freq[HALF], inv_freq_long[HALF], before[N * HEADS * DIM],
      *x = am_device_alloc(device, sizeof before);
  for (int i = 0; i < HALF; i++) {
    inv_freq[i] = powf(100.0f, -2.0f * (float)i / ROT);
    inv_freq_long[i] = inv_freq[i] / (float)(2 + i);
  }
  am_rope rope = {.inv_freq = inv_freq, .scale = 1, .scale_long = 1.25f, .n_rot = ROT, .switch_length = 8};
  if (dynamic) {
    rope.dynamic_factor = 3;
    rope.dynamic_theta = 100;
  } else {
    rope.inv_freq_long = inv_freq_long;
  }
  fill(x, N * HEADS * DIM);
  memcpy(before, x, sizeof before);
  am_queue *queue = open_queue(device);
  am_queue_rope(queue, x, &rope, HEADS, DIM, segments, 2);
  run(queue);
  double base = 100 * pow(3.0 * 41 / 8 - 2, ROT / (ROT - 2.0)); /* of 41 tokens */
  for (uint32_t row = 0; row < N; row++)
    for (uint32_t i = 0; i < HEADS * DIM; i++) {
      uint32_t at = row * HEADS * DIM + i, d = i % DIM, f = d % HALF;
      if (d >= ROT) {
        assert_true(x[at] == before[at]);
        continue;
      }
      double frequency = row > 0 ? inv_freq[f] : dynamic ? pow(base, -2.0 * f / ROT) : inv_freq_long[f];
      double scale = row > 0 || dynamic ? 1 : 1.25, angle = (row > 0 ? 2 + row : 40) * frequency;
      double a = before[d < HALF ? at : at - HALF], b = before[d < HALF ? at + HALF : at];
      double expected = d < HALF ? a * cos(angle) - b * sin(angle) : b * cos(angle) + a * sin(angle);
      assert_true(fabs(x[at] - scale * expected) < 2e-5);
    }
  am_queue_close(&queue);
  am_device_free(device, x);
  am_device_close(&device);
}

static void test_rope(void **state) {
  (void)state;
  check_rope_by_length(false);
  check_rope_by_length(true);
  check_rope(false);
  check_rope(true);
}

/* Two timelines, one of them long enough for several splits; fed in steps of `step` tokens. */
enum { HEADS = 6, KV_HEADS = 2, DIM = 24, LONG = 700, SHORT = 9, LAYER = 1 };
typedef struct kind {
  uint32_t window;
  float softcap;
} kind;
typedef struct inputs {
  float *q, *k, *v; /* (LONG + SHORT, heads, DIM) */
} inputs;

static void attend_in_steps(const inputs *in, am_dtype dtype, kind how_kind, int32_t n_threads, uint32_t step,
                            float *out) {
  am_device *device = open_cpu(n_threads);
  am_kv *kv[2];
  am_kv_options o = {.n_layers = 2, .n_kv_heads = KV_HEADS, .head_dim = DIM, .n_ctx = LONG, .dtype = dtype};
  uint32_t windows[2] = {0, how_kind.window};
  o.windows = windows;
  o.max_batch = step;
  uint32_t lengths[2] = {LONG, SHORT}, starts[2] = {0, LONG};
  for (int i = 0; i < 2; i++) assert_int_equal(am_kv_open(device, &o, &kv[i], NULL), ADAM_OK);
  am_queue *queue = open_queue(device);
  am_attend how = {.layer = LAYER,
                   .n_heads = HEADS,
                   .n_kv_heads = KV_HEADS,
                   .head_dim = DIM,
                   .scale = 0.3f,
                   .window = how_kind.window,
                   .softcap = how_kind.softcap};
  size_t q_row = HEADS * DIM, kv_row = KV_HEADS * DIM;
  float *q = am_device_alloc(device, 2 * step * q_row * 4),
        *k = am_device_alloc(device, 2 * step * kv_row * 4);
  float *v = am_device_alloc(device, 2 * step * kv_row * 4),
        *o_rows = am_device_alloc(device, 2 * step * q_row * 4);
  for (uint32_t at = 0; at < LONG; at += step) {
    am_segment segments[2];
    uint32_t n_segments = 0, n = 0;
    for (int i = 0; i < 2; i++) {
      if (at >= lengths[i]) continue;
      uint32_t count = lengths[i] - at < step ? lengths[i] - at : step;
      size_t from = starts[i] + at;
      memcpy(q + n * q_row, in->q + from * q_row, count * q_row * 4);
      memcpy(k + n * kv_row, in->k + from * kv_row, count * kv_row * 4);
      memcpy(v + n * kv_row, in->v + from * kv_row, count * kv_row * 4);
      segments[n_segments++] = (am_segment){.kv = kv[i], .first = n, .n = count, .position = at};
      n += count;
    }
    am_queue_store_kv(queue, LAYER, k, v, segments, n_segments);
    am_queue_attend(queue, o_rows, q, &how, segments, n_segments);
    run(queue);
    for (uint32_t s = 0; s < n_segments; s++)
      memcpy(out + (starts[segments[s].kv == kv[1]] + at) * q_row, o_rows + segments[s].first * q_row,
             segments[s].n * q_row * 4);
  }
  am_device_free(device, q);
  am_device_free(device, k);
  am_device_free(device, v);
  am_device_free(device, o_rows);
  am_queue_close(&queue);
  for (int i = 0; i < 2; i++) am_kv_close(&kv[i]);
  am_device_close(&device);
}

static float cached(float value, am_dtype dtype) {
  return dtype == AM_DTYPE_F16 ? am_f16_to_f32(am_f32_to_f16(value)) : value;
}

static void check_attention(const inputs *in, am_dtype dtype, kind how, const float *out) {
  for (uint32_t row = 0; row < LONG + SHORT; row += row < LONG ? 13 : 1)
    for (uint32_t h = 0; h < HEADS; h++) {
      uint32_t first = row < LONG ? 0 : LONG, kv_head = h / (HEADS / KV_HEADS);
      static double p[LONG];
      double most = -INFINITY, total = 0;
      if (how.window > 0 && row - first >= how.window) first = row - how.window + 1;
      for (uint32_t j = first; j <= row; j++) {
        double sum = 0;
        for (uint32_t i = 0; i < DIM; i++)
          sum += (double)in->q[(row * HEADS + h) * DIM + i] *
                 cached(in->k[(j * KV_HEADS + kv_head) * DIM + i], dtype);
        p[j - first] = sum * 0.3;
        if (how.softcap > 0) p[j - first] = how.softcap * tanh(p[j - first] / how.softcap);
        if (p[j - first] > most) most = p[j - first];
      }
      for (uint32_t j = first; j <= row; j++) total += p[j - first] = exp(p[j - first] - most);
      for (uint32_t i = 0; i < DIM; i++) {
        double sum = 0;
        for (uint32_t j = first; j <= row; j++)
          sum += p[j - first] / total * cached(in->v[(j * KV_HEADS + kv_head) * DIM + i], dtype);
        if (!(fabs(out[(row * HEADS + h) * DIM + i] - sum) < 2e-5))
          fail_msg("row %u head %u: %g, expected %g", row, h, out[(row * HEADS + h) * DIM + i], sum);
      }
    }
}

static void test_attention(void **state) {
  (void)state;
  size_t rows = LONG + SHORT, n = rows * HEADS * DIM, bytes = n * sizeof(float);
  inputs in = {malloc(bytes), malloc(rows * KV_HEADS * DIM * 4), malloc(rows * KV_HEADS * DIM * 4)};
  float *expected = malloc(bytes), *out = malloc(bytes);
  fill(in.q, n);
  fill(in.k, rows * KV_HEADS * DIM);
  fill(in.v, rows * KV_HEADS * DIM);
  for (size_t i = 0; i < n; i++) in.q[i] *= 4;
  static const am_dtype dtypes[2] = {AM_DTYPE_F32, AM_DTYPE_F16};
  static const kind kinds[] = {{0, 0}, {1, 0}, {10, 0}, {64, 2}, {100, 0}, {300, 0}, {699, 0}, {0, 5}};
  for (size_t c = 0; c < 2 * sizeof kinds / sizeof *kinds; c++) {
    am_dtype dtype = dtypes[c % 2];
    kind how = kinds[c / 2];
    attend_in_steps(&in, dtype, how, 1, LONG, expected);
    check_attention(&in, dtype, how, expected);
    static const struct {
      int32_t threads;
      uint32_t step;
    } ways[] = {{2, LONG}, {3, 1}, {5, 7}, {1, 64}, {2, 100}, {3, 4}, {2, 2}};
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
      memset(out, 0, bytes);
      attend_in_steps(&in, dtype, how, ways[i].threads, ways[i].step, out);
      if (memcmp(out, expected, bytes))
        fail_msg("window %u: %d threads, steps of %u differ", how.window, ways[i].threads, ways[i].step);
    }
  }
  free(in.q);
  free(in.k);
  free(in.v);
  free(expected);
  free(out);
}

/* Bidirectional attention of packed segments: against double arithmetic, and the same bytes for a segment
 * alone or packed, with any number of threads. */
static void attend_packed(const inputs *in, int32_t n_threads, const am_segment *segments,
                          uint32_t n_segments, float *out) {
  am_device *device = open_cpu(n_threads);
  am_queue *queue = open_queue(device);
  am_attend how = {.n_heads = HEADS, .n_kv_heads = KV_HEADS, .head_dim = DIM, .scale = 0.3f};
  am_queue_attend_all(queue, out, in->q, in->k, in->v, &how, segments, n_segments);
  run(queue);
  am_queue_close(&queue);
  am_device_close(&device);
}

static void test_attention_all(void **state) {
  (void)state;
  static const am_segment segments[] = {
      {.first = 0, .n = 1}, {.first = 1, .n = 300}, {.first = 301, .n = 64}, {.first = 365, .n = 40}};
  enum { ROWS = 405 };
  static float q[ROWS * HEADS * DIM], k[ROWS * KV_HEADS * DIM], v[ROWS * KV_HEADS * DIM];
  static float out[ROWS * HEADS * DIM], again[ROWS * HEADS * DIM];
  inputs in = {q, k, v};
  fill(q, ROWS * HEADS * DIM);
  fill(k, ROWS * KV_HEADS * DIM);
  fill(v, ROWS * KV_HEADS * DIM);
  attend_packed(&in, 1, segments, 4, out);
  for (int s = 0; s < 4; s++) attend_packed(&in, 3, &segments[s], 1, again);
  assert_memory_equal(out, again, sizeof out);
  for (int s = 0; s < 4; s++)
    for (uint32_t row = segments[s].first; row < segments[s].first + segments[s].n; row++)
      for (uint32_t h = 0; h < HEADS; h++) {
        double total = 0, mixed[DIM] = {0};
        for (uint32_t j = segments[s].first; j < segments[s].first + segments[s].n; j++) {
          size_t at = (j * KV_HEADS + h / (HEADS / KV_HEADS)) * DIM;
          double sum = 0;
          for (uint32_t i = 0; i < DIM; i++) sum += (double)q[(row * HEADS + h) * DIM + i] * k[at + i];
          double p = exp(sum * 0.3);
          total += p;
          for (uint32_t i = 0; i < DIM; i++) mixed[i] += p * v[at + i];
        }
        for (uint32_t i = 0; i < DIM; i++)
          assert_true(fabs(out[(row * HEADS + h) * DIM + i] - mixed[i] / total) < 2e-6);
      }
}

/* A layer's worth of dependent verbs over n tokens, in calls of `step` tokens: the same bytes for
 * any step and thread count, and a queue that is used again and again. */
enum { WIDTH = 256, HIDDEN = 512, TOKENS = 37 };

static void layer_in_steps(am_dtype dtype, int32_t n_threads, uint32_t step, bool exact, const float *in,
                           float *out) {
  am_device *device = open_cpu(n_threads);
  seed = 77;
  matrix up = make_matrix(device, dtype, HIDDEN, WIDTH), gate = make_matrix(device, dtype, HIDDEN, WIDTH);
  matrix down = make_matrix(device, dtype, WIDTH, HIDDEN), norm = make_matrix(device, AM_DTYPE_F32, 0, WIDTH);
  am_queue *queue = open_queue(device);
  am_queue_set_exact(queue, exact);
  float *x = am_device_alloc(device, TOKENS * WIDTH * 4), *y = am_device_alloc(device, TOKENS * WIDTH * 4);
  float *a = am_device_alloc(device, TOKENS * HIDDEN * 4), *b = am_device_alloc(device, TOKENS * HIDDEN * 4);
  for (uint32_t at = 0; at < TOKENS; at += step) {
    uint32_t n = TOKENS - at < step ? TOKENS - at : step;
    memcpy(x, in + at * WIDTH, n * WIDTH * 4);
    for (int layer = 0; layer < 3; layer++) {
      am_queue_rms_norm(queue, y, x, norm.weight, 1e-6f, 0, n, 1);
      am_queue_matmul(queue, a, gate.weight, NULL, y, n);
      am_queue_matmul(queue, b, up.weight, NULL, y, n);
      am_queue_silu_mul(queue, a, a, b, n, HIDDEN);
      am_queue_matmul(queue, y, down.weight, norm.weight, a, n);
      am_queue_add(queue, x, y, n, WIDTH);
    }
    run(queue);
    memcpy(out + at * WIDTH, x, n * WIDTH * 4);
  }
  am_device_free(device, x);
  am_device_free(device, y);
  am_device_free(device, a);
  am_device_free(device, b);
  am_queue_close(&queue);
  free_matrix(&up);
  free_matrix(&gate);
  free_matrix(&down);
  free_matrix(&norm);
  am_device_close(&device);
}

static void test_same_bytes(void **state) {
  (void)state;
  static float in[TOKENS * WIDTH], expected[TOKENS * WIDTH], out[TOKENS * WIDTH];
  fill(in, TOKENS * WIDTH);
  static const struct {
    int32_t threads;
    uint32_t step;
  } ways[] = {{1, 1}, {2, 1}, {3, 5}, {5, TOKENS}, {2, 8}, {3, 2}};
  for (int dtype = 0; dtype < AM_DTYPE_COUNT; dtype++)
    for (int exact = 0;
         exact < 2 && am_kernels_get()->x_format[dtype] != AM_X_NONE && !am_dtype_is_scaled(dtype); exact++) {
      layer_in_steps(dtype, 1, TOKENS, exact, in, expected);
      for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        layer_in_steps(dtype, ways[i].threads, ways[i].step, exact, in, out);
        if (memcmp(out, expected, sizeof out))
          fail_msg("%s: %d threads, steps of %u differ", am_dtype_info(dtype)->name, ways[i].threads,
                   ways[i].step);
      }
    }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_matmul),        cmocka_unit_test(test_embed_and_rows),
      cmocka_unit_test(test_norm_and_silu), cmocka_unit_test(test_rope),
      cmocka_unit_test(test_attention),     cmocka_unit_test(test_attention_all),
      cmocka_unit_test(test_elementwise),   cmocka_unit_test(test_same_bytes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
