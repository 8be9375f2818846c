/* SPDX-License-Identifier: Apache-2.0 */
#include "os/clock.h"

#include <errno.h>
#include <time.h>

uint64_t am_clock_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

double am_clock_ms(void) { return (double)am_clock_ns() / 1e6; }

int64_t am_clock_unix_s(void) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return (int64_t)now.tv_sec;
}

void am_clock_sleep_ms(double ms) {
  if (!(ms > 0)) return;
  if (ms > 1e12) ms = 1e12;
  struct timespec left = {.tv_sec = (time_t)(ms / 1000)};
  left.tv_nsec = (long)((ms - (double)left.tv_sec * 1000) * 1e6);
  while (nanosleep(&left, &left) != 0 && errno == EINTR) {
  }
}
