/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <adam/adam.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>

static pthread_mutex_t sink_lock = PTHREAD_MUTEX_INITIALIZER;
static am_log_write sink_write;
static void *sink_user;
static atomic_int sink_level = -1; /* -1 = nobody listens */

void am_log_set(am_log_write write, void *user, am_log_level most_detailed) {
  pthread_mutex_lock(&sink_lock);
  sink_write = write;
  sink_user = user;
  atomic_store(&sink_level, write ? (int)most_detailed : -1);
  pthread_mutex_unlock(&sink_lock);
}

void am_log(am_log_level level, const char *format, ...) {
  if ((int)level > atomic_load_explicit(&sink_level, memory_order_relaxed)) return;
  char line[1024];
  va_list arguments;
  va_start(arguments, format);
  int n = vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  if (n < 0) return;
  pthread_mutex_lock(&sink_lock);
  am_log_write write = sink_write;
  void *user = sink_user;
  pthread_mutex_unlock(&sink_lock);
  if (write) write(user, level, line);
}

/* The public callback has int where ours has the enumeration; this pair carries it across. */
static pthread_mutex_t public_lock = PTHREAD_MUTEX_INITIALIZER;
static void (*public_write)(void *user, int level, const char *line);
static void *public_user;

static void forward(void *user, am_log_level level, const char *line) {
  (void)user;
  pthread_mutex_lock(&public_lock);
  void (*write)(void *, int, const char *) = public_write;
  void *write_user = public_user;
  pthread_mutex_unlock(&public_lock);
  if (write) write(write_user, (int)level, line);
}

void adam_log_set(void (*write)(void *user, int level, const char *line), void *user, int most_detailed) {
  if (most_detailed > AM_LOG_DEBUG) most_detailed = AM_LOG_DEBUG;
  if (most_detailed < AM_LOG_ERROR) most_detailed = AM_LOG_ERROR;
  pthread_mutex_lock(&public_lock);
  public_write = write;
  public_user = user;
  pthread_mutex_unlock(&public_lock);
  am_log_set(write ? forward : NULL, NULL, (am_log_level)most_detailed);
}
