/* SPDX-License-Identifier: Apache-2.0 */
#include "progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <signal.h>
#include <unistd.h>

#include "output.h"

enum { FIRST_MS = 1000, STEP_MS = 120 };

/* Waits until done or for `ms`; returns done. Called with the lock held. */
static bool wait_done(am_progress *progress, long ms) {
  struct timespec until;
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_nsec += ms * 1000000L;
  until.tv_sec += until.tv_nsec / 1000000000L;
  until.tv_nsec %= 1000000000L;
  int waited = 0;
  while (!progress->done && waited == 0)
    waited = pthread_cond_timedwait(&progress->changed, &progress->lock, &until);
  return progress->done;
}

/* "/ loading LABEL", or with a bar where it is known how far the work is. */
static size_t make_line(am_progress *progress, unsigned step, char *line, size_t capacity) {
  enum { CELLS = 24 };
  uint64_t now = atomic_load(&progress->now), total = atomic_load(&progress->total);
  char bar[64] = "";
  if (total > 0) {
    int filled = now >= total ? CELLS : (int)((double)now / (double)total * CELLS);
    snprintf(bar, sizeof bar, "[%.*s%.*s] %3d %%", filled, "########################", CELLS - filled,
             "                        ", now >= total ? 100 : (int)((double)now / (double)total * 100) % 100);
  }
  int n = snprintf(line, capacity, "%c %s %.90s %s", "|/-\\"[step % 4], progress -> doing, progress -> label,
                   bar);
  return n < 0 ? 0 : n < (int)capacity ? (size_t)n : capacity - 1;
}

static void *show(void *user) {
  am_progress *progress = user;
  char line[160];
  bool shown = false;
  pthread_mutex_lock(&progress->lock);
  bool done = wait_done(progress, FIRST_MS);
  for (unsigned step = 0; !done; step++) {
    pthread_mutex_unlock(&progress->lock);
    size_t n = make_line(progress, step, line, sizeof line);
    (void)!write(STDERR_FILENO, "\r", 1);
    (void)am_output_shown(STDERR_FILENO, line, n);
    shown = true;
    pthread_mutex_lock(&progress->lock);
    done = wait_done(progress, STEP_MS);
  }
  pthread_mutex_unlock(&progress->lock);
  if (shown) (void)!write(STDERR_FILENO, "\r\033[K", 4);
  return NULL;
}

void am_progress_begin(am_progress *progress, const char *label) {
  am_progress_begin_work(progress, "loading", label);
}

void am_progress_set(am_progress *progress, uint64_t now, uint64_t total) {
  atomic_store(&progress->now, now);
  atomic_store(&progress->total, total);
}

void am_progress_begin_work(am_progress *progress, const char *doing, const char *label) {
  memset(progress, 0, sizeof *progress);
  progress->doing = doing;
  progress->label = label;
  const char *terminal = getenv("TERM");
  if (!isatty(STDERR_FILENO) || !terminal || strcmp(terminal, "dumb") == 0) return;
  if (pthread_mutex_init(&progress->lock, NULL) != 0) return;
  pthread_cond_init(&progress->changed, NULL);
  /* Signals belong to the main thread. */
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  progress->running = pthread_create(&progress->thread, NULL, show, progress) == 0;
  pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void am_progress_end(am_progress *progress) {
  if (!progress->running) return;
  pthread_mutex_lock(&progress->lock);
  progress->done = true;
  pthread_cond_signal(&progress->changed);
  pthread_mutex_unlock(&progress->lock);
  pthread_join(progress->thread, NULL);
  pthread_cond_destroy(&progress->changed);
  pthread_mutex_destroy(&progress->lock);
  progress->running = false;
}
