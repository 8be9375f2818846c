/* SPDX-License-Identifier: Apache-2.0 */
#include "os/thread.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <signal.h>

#include "os/clock.h"

enum { N_THREADS = 8, N_ROUNDS = 2000 };

typedef struct shared {
  am_mutex mutex;
  am_cond turn;
  int next, sum;
} shared;

typedef struct worker {
  shared *shared;
  int id;
} worker;

/* Each waits for its turn, round after round: lost wake-ups would hang, races would miscount. */
static void *take_turns(void *argument) {
  worker *w = argument;
  for (int round = 0; round < N_ROUNDS / N_THREADS; round++) {
    am_mutex_lock(&w->shared->mutex);
    while (w->shared->next != w->id) am_cond_wait(&w->shared->turn, &w->shared->mutex);
    w->shared->sum++;
    w->shared->next = (w->id + 1) % N_THREADS;
    am_cond_broadcast(&w->shared->turn);
    am_mutex_unlock(&w->shared->mutex);
  }
  return NULL;
}

static void turns(void **state) {
  (void)state;
  shared s = {0};
  assert_true(am_mutex_open(&s.mutex) && am_cond_open(&s.turn));
  am_thread threads[N_THREADS];
  worker workers[N_THREADS];
  for (int i = 0; i < N_THREADS; i++) {
    workers[i] = (worker){&s, i};
    assert_true(am_thread_start(&threads[i], take_turns, &workers[i]));
  }
  for (int i = 0; i < N_THREADS; i++) am_thread_join(&threads[i]);
  assert_int_equal(s.sum, N_ROUNDS);
  am_cond_close(&s.turn);
  am_mutex_close(&s.mutex);
}

static void *look_at_mask(void *argument) {
  pthread_sigmask(SIG_BLOCK, NULL, argument);
  return NULL;
}

static void signals_are_blocked(void **state) {
  (void)state;
  sigset_t inside, before, after;
  am_thread thread;
  pthread_sigmask(SIG_BLOCK, NULL, &before);
  assert_true(am_thread_start(&thread, look_at_mask, &inside));
  am_thread_join(&thread);
  pthread_sigmask(SIG_BLOCK, NULL, &after);
  assert_true(sigismember(&inside, SIGINT) && sigismember(&inside, SIGTERM) && !sigismember(&inside, SIGSEGV));
  assert_int_equal(sigismember(&before, SIGINT), sigismember(&after, SIGINT));
}

static void clocks(void **state) {
  (void)state;
  uint64_t before = am_clock_ns();
  double before_ms = am_clock_ms();
  am_clock_sleep_ms(20);
  assert_true(am_clock_ns() - before >= 20000000);
  assert_true(am_clock_ms() - before_ms >= 20 && am_clock_ms() - before_ms < 20000);
  am_clock_sleep_ms(-1);
  am_clock_sleep_ms(0);
  assert_true(am_clock_unix_s() > 1700000000);
  am_cpu_relax();
  am_thread_yield();
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(turns), cmocka_unit_test(signals_are_blocked),
                                     cmocka_unit_test(clocks)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
