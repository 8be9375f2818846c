/* SPDX-License-Identifier: Apache-2.0 */
#include "device/cpu/pool.h"
#include "base/mem.h"
#include "os/clock.h"
#include "os/cpu.h"
#include "os/thread.h"

/* How long a waiting thread burns its processor. Longer than the serial part between two layers and
 * than a sampler's turn between two tokens; short enough that an idle server uses nothing. With more
 * threads than processors the one waited for may need this very processor: then yield at once. */
enum { SPIN_NS = 30000, YIELD_NS = 300000, IDLE_SPIN_NS = 200000 };

typedef struct helper {
  am_thread thread;
  am_pool *pool;
  uint32_t index;
} helper;

struct am_pool {
  uint32_t n_threads, n_started;
  bool crowded; /* more threads than processors */
  helper *helpers;
  am_mutex run_lock; /* one job at a time */
  am_mutex lock;     /* of the condition */
  am_cond changed;
  bool has_run_lock, has_lock, has_changed;
  am_pool_work *work;
  void *user;
  _Alignas(64) atomic_ullong ticket; /* 2 * job number, + 1 while the job takes helpers in */
  _Alignas(64) atomic_uint n_inside; /* helpers in work() or about to look */
  _Alignas(64) atomic_uint n_sleeping;
  atomic_bool closing;
};

/* Wakes whoever sleeps. Sleepers raise n_sleeping before they look at what they wait for, and
 * wakers change it before they look at n_sleeping (both sequentially consistent): one sees the other. */
static void wake(am_pool *pool) {
  if (atomic_load(&pool->n_sleeping) == 0) return;
  am_mutex_lock(&pool->lock);
  am_cond_broadcast(&pool->changed);
  am_mutex_unlock(&pool->lock);
}

typedef bool condition(const void *what, uint64_t value);

static void wait_for(am_pool *pool, condition *holds, const void *what, uint64_t value, uint64_t spin_ns) {
  if (holds(what, value)) return;
  uint64_t begin = am_clock_ns(), waited = 0;
  if (pool->crowded) spin_ns = 0;
  while (waited < spin_ns) {
    for (int i = 0; i < 16; i++) {
      if (holds(what, value)) return;
      am_cpu_relax();
    }
    waited = am_clock_ns() - begin;
  }
  while (waited < spin_ns + YIELD_NS) {
    if (holds(what, value)) return;
    am_thread_yield();
    waited = am_clock_ns() - begin;
  }
  am_mutex_lock(&pool->lock);
  atomic_fetch_add(&pool->n_sleeping, 1);
  while (!holds(what, value)) am_cond_wait(&pool->changed, &pool->lock);
  atomic_fetch_sub(&pool->n_sleeping, 1);
  am_mutex_unlock(&pool->lock);
}

static bool gate_is_up(const void *gate, uint64_t value) {
  return atomic_load(&((const am_pool_gate *)gate)->value) >= value;
}

void am_pool_gate_raise(am_pool *pool, am_pool_gate *gate, uint32_t value) {
  atomic_store(&gate->value, value);
  wake(pool);
}

void am_pool_gate_wait(am_pool *pool, am_pool_gate *gate, uint32_t value) {
  wait_for(pool, gate_is_up, gate, value, SPIN_NS);
}

/* A job newer than `value` is open, or the pool closes. */
static bool has_job(const void *pool_pointer, uint64_t value) {
  const am_pool *pool = pool_pointer;
  unsigned long long ticket = atomic_load(&pool->ticket);
  return ((ticket & 1) && ticket > value) || atomic_load(&pool->closing);
}

static void *help(void *argument) {
  helper *self = argument;
  am_pool *pool = self->pool;
  unsigned long long seen = 0;
  for (;;) {
    wait_for(pool, has_job, pool, seen, IDLE_SPIN_NS);
    if (atomic_load(&pool->closing)) return NULL;
    unsigned long long ticket = atomic_load(&pool->ticket);
    if (!(ticket & 1)) continue; /* closed again meanwhile */
    atomic_fetch_add(&pool->n_inside, 1);
    if (atomic_load(&pool->ticket) == ticket) {
      seen = ticket;
      pool->work(pool->user, self->index);
    }
    atomic_fetch_sub(&pool->n_inside, 1);
    wake(pool);
  }
}

static bool nobody_inside(const void *pool, uint64_t value) {
  (void)value;
  return atomic_load(&((const am_pool *)pool)->n_inside) == 0;
}

void am_pool_run(am_pool *pool, am_pool_work *work, void *user) {
  am_mutex_lock(&pool->run_lock);
  pool->work = work;
  pool->user = user;
  unsigned long long ticket = atomic_load(&pool->ticket) + 1; /* even: closed */
  atomic_store(&pool->ticket, ticket);
  wake(pool);
  work(user, 0);
  atomic_store(&pool->ticket, ticket + 1);
  wait_for(pool, nobody_inside, pool, 0, SPIN_NS);
  am_mutex_unlock(&pool->run_lock);
}

uint32_t am_pool_threads(const am_pool *pool) { return pool->n_threads; }

am_pool *am_pool_open(uint32_t n_threads) {
  am_pool *pool = am_mem_aligned(64, sizeof *pool);
  if (!pool) return NULL;
  *pool = (am_pool){.n_threads = n_threads, .crowded = n_threads > (uint32_t)am_cpu_count()};
  pool->helpers = am_mem_zalloc(n_threads, sizeof *pool->helpers);
  if (!pool->helpers) goto failed;
  if (!(pool->has_run_lock = am_mutex_open(&pool->run_lock))) goto failed;
  if (!(pool->has_lock = am_mutex_open(&pool->lock))) goto failed;
  if (!(pool->has_changed = am_cond_open(&pool->changed))) goto failed;
  while (pool->n_started + 1 < n_threads) {
    helper *h = &pool->helpers[pool->n_started];
    h->pool = pool;
    h->index = pool->n_started + 1;
    if (!am_thread_start(&h->thread, help, h)) goto failed;
    pool->n_started++;
  }
  return pool;
failed:
  am_pool_close(&pool);
  return NULL;
}

void am_pool_close(am_pool **pool_pointer) {
  if (!pool_pointer || !*pool_pointer) return;
  am_pool *pool = *pool_pointer;
  atomic_store(&pool->closing, true);
  if (pool->n_started > 0) wake(pool);
  for (uint32_t i = 0; i < pool->n_started; i++) am_thread_join(&pool->helpers[i].thread);
  if (pool->has_changed) am_cond_close(&pool->changed);
  if (pool->has_lock) am_mutex_close(&pool->lock);
  if (pool->has_run_lock) am_mutex_close(&pool->run_lock);
  am_mem_free(pool->helpers);
  am_mem_free(pool);
  *pool_pointer = NULL;
}
