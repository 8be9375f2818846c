/* SPDX-License-Identifier: Apache-2.0 */
/* A line on standard error while something takes more than a second: on terminals only. */
#ifndef AM_CLI_PROGRESS_H
#define AM_CLI_PROGRESS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct am_progress {
  pthread_t thread;
  pthread_mutex_t lock;
  pthread_cond_t changed;
  bool running; /* a thread exists */
  bool done;    /* guarded by lock */
  const char *doing, *label;
  _Atomic uint64_t now, total; /* how far it is; total 0 = unknown */
} am_progress;

/* label is borrowed until am_progress_end. Failure to start is silent: the line is a courtesy. */
void am_progress_begin(am_progress *progress, const char *label);
/* The same for work that tells how far it is: "DOING LABEL" and a bar. */
void am_progress_begin_work(am_progress *progress, const char *doing, const char *label);
void am_progress_set(am_progress *progress, uint64_t now, uint64_t total);
/* Removes the line. */
void am_progress_end(am_progress *progress);

#endif
