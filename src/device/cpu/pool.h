/* SPDX-License-Identifier: Apache-2.0 */
/* device/cpu/pool: threads that help with one job at a time.
 * am_pool_run calls work(user, 0) on the caller and work(user, 1..) on whichever helpers are awake;
 * it returns when the caller's own call has returned and no helper is inside. A helper that comes
 * late is not waited for: so work must be a loop over shared counters in which any thread can do
 * all there is to do. Helpers spin for a short while after a job and then sleep.
 * Threads: am_pool_run from any thread; runs are serialised. */
#ifndef AM_DEVICE_CPU_POOL_H
#define AM_DEVICE_CPU_POOL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct am_pool am_pool;
typedef void am_pool_work(void *user, uint32_t thread);

am_pool *am_pool_open(uint32_t n_threads); /* owned, n_threads - 1 helpers; NULL: no memory or no thread */
void am_pool_close(am_pool **pool);
uint32_t am_pool_threads(const am_pool *pool);
void am_pool_run(am_pool *pool, am_pool_work *work, void *user);

/* A counter that threads inside a job wait on: spin, then yield, then sleep. Zero-initialise. */
typedef struct am_pool_gate {
  atomic_uint value;
} am_pool_gate;

void am_pool_gate_raise(am_pool *pool, am_pool_gate *gate, uint32_t value); /* to a higher value */
void am_pool_gate_wait(am_pool *pool, am_pool_gate *gate, uint32_t value);  /* until it is at least this */

#endif
