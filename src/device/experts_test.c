/* SPDX-License-Identifier: Apache-2.0 */
/* Routing against loops in double; the experts' products byte for byte against the dense matmul of one row;
 * pages of experts that nobody chose stay untouched. */
#include "base/half.h"
#include "device/device.h"
#include "device/routing.h"
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
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

static uint32_t seed = 7;
static uint32_t random_bits(void) {
  seed ^= seed << 13;
  seed ^= seed >> 17;
  seed ^= seed << 5;
  return seed;
}
static float random_float(void) { return (float)(int32_t)random_bits() / 2147483648.0f; }

static am_device *open_cpu(int32_t n_threads) {
  am_device *device = NULL;
  assert_int_equal(am_device_open(&(am_device_options){"cpu", n_threads}, &device, NULL), ADAM_OK);
  return device;
}

static am_queue *open_queue(am_device *device, bool exact) {
  am_queue *queue = NULL;
  assert_int_equal(am_queue_open(device, 64, &queue, NULL), ADAM_OK);
  am_queue_set_exact(queue, exact);
  return queue;
}

static void run(am_queue *queue) {
  adam_error error;
  if (am_queue_run(queue, &error)) fail_msg("%s: %s", error.what, error.why);
}

/* n matrices (rows, columns) side by side, as a GGUF has them. */
typedef struct bank {
  uint8_t *bytes;
  size_t matrix_bytes;
  uint32_t n;
  am_weight *weights[64];
} bank;

/* Random blocks whose scale, the first binary16 of each, is tame. */
static void fill_blocks(am_dtype dtype, uint8_t *bytes, size_t n_bytes) {
  const am_dtype_row *info = am_dtype_info(dtype);
  for (size_t i = 0; i < n_bytes; i++) bytes[i] = (uint8_t)random_bits();
  for (size_t at = 0; at < n_bytes; at += info->block_bytes) {
    float value = random_float();
    uint16_t scale = dtype == AM_DTYPE_BF16 ? am_f32_to_bf16(value) : am_f32_to_f16(value);
    uint16_t offset = am_f32_to_f16(random_float());
    if (dtype == AM_DTYPE_F32)
      memcpy(bytes + at, &value, sizeof value);
    else
      memcpy(bytes + at + (dtype == AM_DTYPE_Q6_K ? 208 : 0), &scale, sizeof scale);
    if (dtype == AM_DTYPE_Q4_K) memcpy(bytes + at + 2, &offset, sizeof offset);
  }
}

static bank make_bank(am_device *device, am_dtype dtype, uint32_t n, uint64_t rows, uint64_t columns) {
  bank b = {.n = n};
  uint64_t n_bytes;
  adam_error error;
  assert_true(am_dtype_row_bytes(dtype, rows * columns, &n_bytes));
  b.matrix_bytes = n_bytes;
  b.bytes = malloc(n * n_bytes);
  fill_blocks(dtype, b.bytes, n * n_bytes);
  for (uint32_t i = 0; i < n; i++) {
    am_tensor tensor = {"m", dtype, 2, {rows, columns}, b.bytes + i * n_bytes, n_bytes};
    if (am_weight_open(device, &tensor, &b.weights[i], &error)) fail_msg("%s", error.why);
  }
  return b;
}

static void free_bank(bank *b) {
  for (uint32_t i = 0; i < b->n; i++) am_weight_close(&b->weights[i]);
  free(b->bytes);
}

static const am_weight *const *weights_of(const bank *b) { return (const am_weight *const *)b->weights; }

/* Ids and weights of each row against softmax in double; pairs grouped by expert, rows ascending. */
static void check_route(uint32_t n, uint32_t n_experts, uint32_t n_used, bool normalise) {
  am_device *device = open_cpu(2);
  am_queue *queue = open_queue(device, false);
  am_routing how = {.n_experts = n_experts, .n_used = n_used, .normalise = normalise};
  how.routes = am_device_alloc(device, am_routing_bytes(n, &how));
  float *logits = am_device_alloc(device, (size_t)n * n_experts * sizeof *logits);
  for (size_t i = 0; i < (size_t)n * n_experts; i++) logits[i] = 8 * random_float();
  am_queue_route(queue, &how, logits, n);
  run(queue);
  am_routes routes = am_routes_in(how.routes, n_experts, (uint64_t)n * n_used);
  for (uint32_t i = 0; i < n; i++) {
    double total = 0, chosen = 0;
    for (uint32_t e = 0; e < n_experts; e++) total += exp((double)logits[i * n_experts + e]);
    for (uint32_t s = 0; s < n_used; s++)
      chosen += exp((double)logits[i * n_experts + routes.expert[i * n_used + s]]);
    for (uint32_t s = 0; s < n_used; s++) {
      uint32_t expert = routes.expert[i * n_used + s], n_better = 0, pair = routes.pair[i * n_used + s];
      assert_true(expert < n_experts && (s == 0 || expert > routes.expert[i * n_used + s - 1]));
      for (uint32_t e = 0; e < n_experts; e++)
        n_better += logits[i * n_experts + e] > logits[i * n_experts + expert];
      assert_true(n_better < n_used);
      double expected = exp((double)logits[i * n_experts + expert]) / (normalise ? chosen : total);
      assert_true(fabs(routes.weight[i * n_used + s] - expected) < 1e-6);
      assert_int_equal(routes.row[pair], i);
      assert_true(pair >= routes.begin[expert] && pair < routes.begin[expert + 1]);
      assert_true(pair == routes.begin[expert] || routes.row[pair - 1] < i);
    }
  }
  uint32_t n_active = 0;
  for (uint32_t e = 0; e < n_experts; e++)
    if (routes.begin[e + 1] > routes.begin[e]) assert_int_equal(routes.active[n_active++], e);
  assert_int_equal(n_active, *routes.n_active);
  assert_int_equal(routes.begin[n_experts], n * n_used);
  am_device_free(device, how.routes);
  am_device_free(device, logits);
  am_queue_close(&queue);
  am_device_close(&device);
}

static void test_route(void **state) {
  (void)state;
  for (uint32_t n = 1; n < 80; n += 26) {
    check_route(n, 4, 1, true);
    check_route(n, 5, 5, false);
    check_route(n, 128, 8, true);
    check_route(n, 1, 1, false);
  }
}

/* Equal logits: the lower ids. NaN and infinity: some valid ids. */
static void test_odd_logits(void **state) {
  (void)state;
  am_device *device = open_cpu(1);
  am_queue *queue = open_queue(device, false);
  am_routing how = {.n_experts = 6, .n_used = 3};
  how.routes = am_device_alloc(device, am_routing_bytes(3, &how));
  float logits[18] = {2, 1, 2, 3, 2, 2, NAN, 0, NAN, 1, 2, 3, INFINITY, -INFINITY, 0, INFINITY, 1, NAN};
  am_queue_route(queue, &how, logits, 3);
  run(queue);
  am_routes routes = am_routes_in(how.routes, 6, 9);
  assert_int_equal(routes.expert[0], 0);
  assert_int_equal(routes.expert[1], 2);
  assert_int_equal(routes.expert[2], 3);
  for (int i = 3; i < 9; i++)
    assert_true(routes.expert[i] < 6 && (i % 3 == 0 || routes.expert[i] > routes.expert[i - 1]));
  am_routing wrong = {.routes = how.routes, .n_experts = 2, .n_used = 3};
  am_queue_route(queue, &wrong, logits, 3);
  assert_int_equal(am_queue_run(queue, NULL), ADAM_INVALID);
  am_device_free(device, how.routes);
  am_queue_close(&queue);
  am_device_close(&device);
}

typedef struct feed {
  bank gate, up, down;
  uint32_t n_in, n_ff;
  bool exact;
} feed;

/* The whole feed-forward of rows [0, n) as a model records it. */
static void feed_forward(am_device *device, const feed *f, am_routing how, float *out, const float *x,
                         const float *logits, uint32_t n) {
  uint32_t pairs = n * how.n_used;
  float *gate = am_device_alloc(device, (size_t)pairs * f->n_ff * 4);
  float *up = am_device_alloc(device, (size_t)pairs * f->n_ff * 4);
  float *y = am_device_alloc(device, (size_t)pairs * f->n_in * 4);
  am_queue *queue = open_queue(device, f->exact);
  how.routes = am_device_alloc(device, am_routing_bytes(n, &how));
  am_queue_route(queue, &how, logits, n);
  am_queue_matmul_experts(queue, gate, weights_of(&f->gate), x, true, &how, n);
  am_queue_matmul_experts(queue, up, weights_of(&f->up), x, true, &how, n);
  am_queue_silu_mul(queue, gate, gate, up, pairs, f->n_ff);
  am_queue_matmul_experts(queue, y, weights_of(&f->down), gate, false, &how, n);
  am_queue_mix_experts(queue, out, y, &how, n, f->n_in);
  run(queue);
  am_queue_close(&queue);
  am_device_free(device, gate);
  am_device_free(device, up);
  am_device_free(device, y);
  am_device_free(device, how.routes);
}

/* One row by the dense verbs, its experts and weights by the naive rule; the sum as documented. */
static void expected_row(am_device *device, const feed *f, const am_routing *how, float *out, const float *x,
                         const float *logits) {
  float gate[512], up[512], y[512], p[64], total = 0;
  bool used[64] = {false};
  am_queue *queue = open_queue(device, f->exact);
  memcpy(p, logits, how->n_experts * sizeof *p);
  float sum = am_kernels_get()->exp_sum(p, am_kernels_get()->max(p, how->n_experts), how->n_experts);
  for (uint32_t s = 0; s < how->n_used; s++) {
    uint32_t best = 0;
    while (used[best]) best++;
    for (uint32_t e = best; e < how->n_experts; e++)
      if (!used[e] && p[e] > p[best]) best = e;
    used[best] = true;
  }
  for (uint32_t e = 0; e < how->n_experts; e++) total += used[e] ? p[e] / sum : 0;
  memset(out, 0, f->n_in * sizeof *out);
  for (uint32_t e = 0; e < how->n_experts; e++) {
    if (!used[e]) continue;
    am_queue_matmul(queue, gate, f->gate.weights[e], NULL, x, 1);
    am_queue_matmul(queue, up, f->up.weights[e], NULL, x, 1);
    am_queue_silu_mul(queue, gate, gate, up, 1, f->n_ff);
    am_queue_matmul(queue, y, f->down.weights[e], NULL, gate, 1);
    run(queue);
    float weight = how->normalise ? p[e] / sum / total : p[e] / sum;
    for (uint32_t c = 0; c < f->n_in; c++) out[c] += weight * y[c];
  }
  am_queue_close(&queue);
}

static void check_feed_forward(am_dtype dtype, am_dtype down, uint32_t n_experts, uint32_t n_used, uint32_t n,
                               bool exact) {
  enum { THREADS = 3 };
  am_device *device = open_cpu(THREADS), *alone = open_cpu(1);
  uint32_t n_in = 256, n_ff = 512;
  feed f = {.n_in = n_in, .n_ff = n_ff, .exact = exact};
  f.gate = make_bank(device, dtype, n_experts, n_ff, n_in);
  f.up = make_bank(device, dtype, n_experts, n_ff, n_in);
  f.down = make_bank(device, down, n_experts, n_in, n_ff);
  assert_true(am_weights_alike(weights_of(&f.gate), n_experts));
  am_routing how = {.n_experts = n_experts, .n_used = n_used, .normalise = n % 2};
  size_t row = n_in * sizeof(float);
  float *x = malloc(n * row), *logits = malloc((size_t)n * n_experts * sizeof *logits);
  float *out = malloc(n * row), *other = malloc(n * row);
  for (size_t i = 0; i < (size_t)n * n_in; i++) x[i] = random_float();
  for (size_t i = 0; i < (size_t)n * n_experts; i++) logits[i] = 3 * random_float();
  feed_forward(device, &f, how, out, x, logits, n);
  for (uint32_t i = 0; i < n; i++) {
    float expected[512];
    expected_row(device, &f, &how, expected, x + (size_t)i * n_in, logits + (size_t)i * n_experts);
    for (uint32_t c = 0; c < n_in; c++)
      if (!(fabsf(expected[c] - out[i * n_in + c]) <= 1e-6f * fabsf(expected[c])))
        fail_msg("%s row %u of %u column %u: %g, expected %g", am_dtype_info(dtype)->name, i, n, c,
                 out[i * n_in + c], expected[c]);
  }
  uint32_t part = n / 3;
  if (part > 0) feed_forward(alone, &f, how, other, x, logits, part);
  feed_forward(alone, &f, how, other + (size_t)part * n_in, x + (size_t)part * n_in,
               logits + (size_t)part * n_experts, n - part);
  assert_memory_equal(out, other, n * row);
  free(x);
  free(logits);
  free(out);
  free(other);
  free_bank(&f.gate);
  free_bank(&f.up);
  free_bank(&f.down);
  am_device_close(&device);
  am_device_close(&alone);
}

static void test_feed_forward(void **state) {
  (void)state;
  static const am_dtype dtypes[] = {AM_DTYPE_F32, AM_DTYPE_BF16, AM_DTYPE_Q8_0, AM_DTYPE_Q4_0, AM_DTYPE_Q4_K};
  static const uint32_t rows[] = {1, 2, 7, 40};
  for (size_t d = 0; d < sizeof dtypes / sizeof *dtypes; d++)
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++)
      for (int exact = 0; exact < 2; exact++)
        check_feed_forward(dtypes[d], dtypes[d] == AM_DTYPE_Q4_K ? AM_DTYPE_Q6_K : dtypes[d], r % 2 ? 16 : 5,
                           1 + (uint32_t)r, rows[r], exact);
}

/* Matrices that nobody chooses lie in pages that cannot be read: opening and running leave them alone. */
static void test_pages(void **state) {
  (void)state;
  enum { N_EXPERTS = 16, WIDTH = 64, CHOSEN_A = 3, CHOSEN_B = 9 };
  am_device *device = open_cpu(2);
  am_queue *queue = open_queue(device, false);
  size_t page = (size_t)sysconf(_SC_PAGESIZE), bytes = WIDTH * WIDTH * sizeof(float);
  size_t stride = (bytes + page - 1) / page * page;
  uint8_t *memory = mmap(NULL, N_EXPERTS * stride, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  assert_true(memory != MAP_FAILED);
  am_weight *weights[N_EXPERTS];
  float x[WIDTH] = {1}, out[2 * WIDTH], logits[N_EXPERTS] = {0};
  logits[CHOSEN_A] = logits[CHOSEN_B] = 5;
  assert_int_equal(mprotect(memory + CHOSEN_A * stride, stride, PROT_READ), 0);
  assert_int_equal(mprotect(memory + CHOSEN_B * stride, stride, PROT_READ), 0);
  for (uint32_t e = 0; e < N_EXPERTS; e++) {
    am_tensor tensor = {"m", AM_DTYPE_F32, 2, {WIDTH, WIDTH}, memory + e * stride, bytes};
    assert_int_equal(am_weight_open(device, &tensor, &weights[e], NULL), ADAM_OK);
  }
  am_routing how = {.n_experts = N_EXPERTS, .n_used = 2, .normalise = true};
  how.routes = am_device_alloc(device, am_routing_bytes(1, &how));
  am_queue_route(queue, &how, logits, 1);
  am_queue_matmul_experts(queue, out, (const am_weight *const *)weights, x, true, &how, 1);
  run(queue);
  for (int i = 0; i < 2 * WIDTH; i++) assert_true(out[i] == 0);
  for (uint32_t e = 0; e < N_EXPERTS; e++) am_weight_close(&weights[e]);
  assert_int_equal(munmap(memory, N_EXPERTS * stride), 0);
  am_device_free(device, how.routes);
  am_queue_close(&queue);
  am_device_close(&device);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_route),
      cmocka_unit_test(test_odd_logits),
      cmocka_unit_test(test_feed_forward),
      cmocka_unit_test(test_pages),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
