/* SPDX-License-Identifier: Apache-2.0 */
/* A line on standard error while something takes more than a second: on terminals only. */
#ifndef AM_CLI_PROGRESS_H
#define AM_CLI_PROGRESS_H

#include <pthread.h>
#include <stdbool.h>

typedef struct am_progress {
  pthread_t thread;
  pthread_mutex_t lock;
  pthread_cond_t changed;
  bool running; /* a thread exists */
  bool done;    /* guarded by lock */
  const char *label;
} am_progress;

/* label is borrowed until am_progress_end. Failure to start is silent: the line is a courtesy. */
void am_progress_begin(am_progress *progress, const char *label);
/* Removes the line. */
void am_progress_end(am_progress *progress);

#endif
