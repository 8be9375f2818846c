/* SPDX-License-Identifier: Apache-2.0 */
#include "device/cpu/pool.h"
#include "device/device.h"
#include "os/clock.h"
#include "os/cpu.h"
#include "os/thread.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

typedef struct counting {
  atomic_uint next, done, wrong_thread;
  uint32_t n, n_threads;
  unsigned char *seen;
} counting;

static void count(void *user, uint32_t thread) {
  counting *c = user;
  uint32_t i;
  if (thread >= c->n_threads) atomic_fetch_add(&c->wrong_thread, 1);
  while ((i = atomic_fetch_add(&c->next, 1)) < c->n) {
    c->seen[i]++; /* nobody else has i */
    atomic_fetch_add(&c->done, 1);
  }
}

/* Many short jobs in a row: each piece done once, and all done when the run returns. */
static void test_jobs(void **state) {
  (void)state;
  for (uint32_t n_threads = 1; n_threads <= 9; n_threads += 2) {
    am_pool *pool = am_pool_open(n_threads);
    assert_non_null(pool);
    assert_int_equal(am_pool_threads(pool), n_threads);
    for (uint32_t job = 0; job < 300; job++) {
      unsigned char seen[100] = {0}, once[100];
      counting c = {.n = job % 100, .n_threads = n_threads, .seen = seen};
      memset(once, 1, sizeof once);
      am_pool_run(pool, count, &c);
      assert_int_equal(c.done, c.n);
      assert_int_equal(c.wrong_thread, 0);
      assert_memory_equal(seen, once, c.n);
      if (job % 100 == 50) am_clock_sleep_ms(2); /* lets the helpers fall asleep */
    }
    am_pool_close(&pool);
    assert_null(pool);
  }
}

/* Threads pass a gate one after the other, more of them than there are processors. */
typedef struct relay {
  am_pool *pool;
  am_pool_gate gate;
  atomic_uint next;
  uint32_t sum;
} relay;

static void run_relay(void *user, uint32_t thread) {
  relay *r = user;
  uint32_t i;
  (void)thread;
  while ((i = atomic_fetch_add(&r->next, 1)) < 500) {
    am_pool_gate_wait(r->pool, &r->gate, i);
    r->sum += i; /* the gate orders this */
    am_pool_gate_raise(r->pool, &r->gate, i + 1);
  }
}

static void test_gate(void **state) {
  (void)state;
  am_pool *pool = am_pool_open((uint32_t)am_cpu_count() + 3);
  for (int i = 0; i < 5; i++) {
    relay r = {.pool = pool};
    am_pool_run(pool, run_relay, &r);
    assert_int_equal(r.sum, 500 * 499 / 2);
  }
  am_pool_close(&pool);
}

static double process_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static void test_idle_threads_sleep(void **state) {
  (void)state;
  am_pool *pool = am_pool_open(4);
  unsigned char seen[10] = {0};
  counting c = {.n = 10, .n_threads = 4, .seen = seen};
  am_pool_run(pool, count, &c);
  am_clock_sleep_ms(20);
  double before = process_ms();
  am_clock_sleep_ms(200);
  assert_true(process_ms() - before < 20); /* a spinning helper would have used 200 */
  am_pool_close(&pool);
}

/* Two threads, each with a queue of its own on one device. */
enum { COLUMNS = 20000 };
typedef struct user {
  am_device *device;
  adam_status status;
  float expected, got;
} user;

static void *use_device(void *argument) {
  user *u = argument;
  am_queue *queue = NULL;
  float *x = am_device_alloc(u->device, COLUMNS * 4), *y = am_device_alloc(u->device, COLUMNS * 4);
  u->status = am_queue_open(u->device, 4, &queue, NULL);
  for (int i = 0; i < COLUMNS && x && y; i++) y[i] = u->expected / 100;
  for (int i = 0; i < 100 && !u->status && x && y; i++) {
    am_queue_add(queue, x, y, 1, COLUMNS / 2);
    am_queue_add(queue, x + COLUMNS / 2, y, 1, COLUMNS / 2);
    u->status = am_queue_run(queue, NULL);
  }
  u->got = x ? x[COLUMNS - 1] : 0;
  am_device_free(u->device, x);
  am_device_free(u->device, y);
  am_queue_close(&queue);
  return NULL;
}

static void test_two_queues(void **state) {
  (void)state;
  am_device *device = NULL;
  am_thread threads[2];
  assert_int_equal(am_device_open(&(am_device_options){"cpu", 3}, &device, NULL), ADAM_OK);
  user users[2] = {{.device = device, .expected = 100}, {.device = device, .expected = 200}};
  for (int i = 0; i < 2; i++) assert_true(am_thread_start(&threads[i], use_device, &users[i]));
  for (int i = 0; i < 2; i++) {
    am_thread_join(&threads[i]);
    assert_int_equal(users[i].status, ADAM_OK);
    assert_true(users[i].got == users[i].expected);
  }
  am_device_close(&device);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_jobs),
      cmocka_unit_test(test_gate),
      cmocka_unit_test(test_idle_threads_sleep),
      cmocka_unit_test(test_two_queues),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
