/* SPDX-License-Identifier: Apache-2.0 */
#include "os/thread.h"

#include <sched.h>
#include <signal.h>
#include <time.h>

bool am_thread_start(am_thread *thread, void *(*run)(void *), void *argument) {
  sigset_t blocked, before;
  sigfillset(&blocked);
  /* What the thread itself raises must reach it. */
  static const int own[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP};
  for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) sigdelset(&blocked, own[i]);
  if (pthread_sigmask(SIG_SETMASK, &blocked, &before) != 0) return false;
  bool started = pthread_create(&thread->handle, NULL, run, argument) == 0;
  (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
  return started;
}

void am_thread_join(am_thread *thread) { (void)pthread_join(thread->handle, NULL); }

bool am_mutex_open(am_mutex *mutex) { return pthread_mutex_init(&mutex->handle, NULL) == 0; }

void am_mutex_close(am_mutex *mutex) { (void)pthread_mutex_destroy(&mutex->handle); }

void am_mutex_lock(am_mutex *mutex) { (void)pthread_mutex_lock(&mutex->handle); }

void am_mutex_unlock(am_mutex *mutex) { (void)pthread_mutex_unlock(&mutex->handle); }

bool am_cond_open(am_cond *cond) { return pthread_cond_init(&cond->handle, NULL) == 0; }

void am_cond_close(am_cond *cond) { (void)pthread_cond_destroy(&cond->handle); }

void am_cond_wait(am_cond *cond, am_mutex *mutex) { (void)pthread_cond_wait(&cond->handle, &mutex->handle); }

void am_cond_wait_ms(am_cond *cond, am_mutex *mutex, uint32_t ms) {
  struct timespec until;
  clock_gettime(CLOCK_REALTIME, &until); /* the clock of a condition with default attributes */
  until.tv_nsec += (long)(ms % 1000) * 1000000L;
  until.tv_sec += (time_t)(ms / 1000) + until.tv_nsec / 1000000000L;
  until.tv_nsec %= 1000000000L;
  (void)pthread_cond_timedwait(&cond->handle, &mutex->handle, &until);
}

void am_cond_signal(am_cond *cond) { (void)pthread_cond_signal(&cond->handle); }

void am_cond_broadcast(am_cond *cond) { (void)pthread_cond_broadcast(&cond->handle); }

void am_thread_yield(void) { (void)sched_yield(); }
