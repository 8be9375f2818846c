/* SPDX-License-Identifier: Apache-2.0 */
/* os/thread: threads, mutex, condition; a thin cover over POSIX threads, so that nothing above
 * `os` names them. */
#ifndef AM_OS_THREAD_H
#define AM_OS_THREAD_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct am_thread { pthread_t handle; } am_thread;
typedef struct am_mutex { pthread_mutex_t handle; } am_mutex;
typedef struct am_cond { pthread_cond_t handle; } am_cond;

/* Signals are blocked in the new thread: Ctrl-C reaches the program's own threads. */
bool am_thread_start(am_thread *thread, void *(*run)(void *), void *argument);
void am_thread_join(am_thread *thread);
bool am_mutex_open(am_mutex *mutex);
void am_mutex_close(am_mutex *mutex);
void am_mutex_lock(am_mutex *mutex);
void am_mutex_unlock(am_mutex *mutex);
bool am_cond_open(am_cond *cond);
void am_cond_close(am_cond *cond);
void am_cond_wait(am_cond *cond, am_mutex *mutex);
void am_cond_wait_ms(am_cond *cond, am_mutex *mutex, uint32_t ms); /* at most so long */
void am_cond_signal(am_cond *cond);
void am_cond_broadcast(am_cond *cond);
void am_cpu_relax(void); /* a pause inside a spin loop */
void am_thread_yield(void); /* lets another thread have this processor */

#endif
