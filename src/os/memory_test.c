/* SPDX-License-Identifier: Apache-2.0 */
#include "os/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static void amounts(void **state) {
  (void)state;
  uint64_t total = am_memory_total(), available = am_memory_available(), peak = am_memory_peak();
  assert_true(total > 16 << 20);
  assert_true(available > 0 && available <= total);
  assert_true(peak > 100000 && peak < total);
  enum { MORE = 30 << 20 };
  volatile char *block = malloc(MORE);
  for (int i = 0; i < MORE; i += 1024) block[i] = 1;
  assert_true(am_memory_peak() >= peak + MORE / 2);
  free((void *)(uintptr_t)block);
}

/* In a process of its own: RLIMIT_AS bounds what is available. */
static void address_space(void **state) {
  (void)state;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  skip(); /* the sanitizer's shadow is larger than any limit */
#endif
  pid_t child = fork();
  if (child == 0) {
    struct rlimit limit = {(rlim_t)600 << 20, (rlim_t)600 << 20};
    if (setrlimit(RLIMIT_AS, &limit)) _exit(1);
    uint64_t available = am_memory_available();
    _exit(available < (uint64_t)600 << 20 && available > (uint64_t)100 << 20 ? 0 : 2);
  }
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(status, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(amounts), cmocka_unit_test(address_space)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
