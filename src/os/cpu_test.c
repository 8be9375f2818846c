/* SPDX-License-Identifier: Apache-2.0 */
#include "os/cpu.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <adam/adam.h>

#include "base/buf.h"
#include "os/file.h"

/* The kernel's own words for this processor, between spaces. */
static bool kernel_says(const char *flag) {
  am_buf text = {0};
  char word[64];
  snprintf(word, sizeof word, " %s ", flag);
  bool found = false;
  if (am_file_read("/proc/cpuinfo", 1 << 22, &text, NULL) == ADAM_OK) {
    for (char *c = text.data; *c; c++)
      if (*c == '\n' || *c == '\t') *c = ' ';
    found = strstr(text.data, word) != NULL;
  }
  am_buf_close(&text);
  return found;
}

/* Runs check in a process of its own, with ADAM_CPU set: the answer never changes within one. */
static void with_mask(const char *mask, int (*check)(void)) {
  pid_t child = fork();
  if (child == 0) {
    if (mask) setenv("ADAM_CPU", mask, 1);
    else unsetenv("ADAM_CPU");
    _exit(check());
  }
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) fail_msg("ADAM_CPU=%s: %d", mask ? mask : "(none)", status);
}

static int agrees_with_kernel(void) {
  const am_cpu_flags *f = am_cpu();
#if defined(__x86_64__)
  if (f->avx2 != (kernel_says("avx2") && kernel_says("fma") && kernel_says("f16c"))) return 1;
  if (f->avxvnni != kernel_says("avx_vnni")) return 2;
  bool avx512 = kernel_says("avx512f") && kernel_says("avx512bw") && kernel_says("avx512dq") &&
                kernel_says("avx512vl") && kernel_says("avx512cd");
  if (f->avx512 != avx512) return 3;
  if (f->avx512vnni != (avx512 && kernel_says("avx512_vnni"))) return 4;
  if (f->avx512bf16 != (avx512 && kernel_says("avx512_bf16"))) return 5;
  if (f->neon || f->dotprod || f->i8mm) return 6;
#endif
  if (am_cpu_bad_mask()) return 7;
  if (am_cpu() != f) return 8;
  return strcmp(adam_cpu_tier(), am_cpu_tier()) || strcmp(adam_cpu_name(), am_cpu_name()) || !am_cpu_name()[0];
}

static int is_plain(void) {
  const am_cpu_flags none = {0};
  return memcmp(am_cpu(), &none, sizeof none) || strcmp(am_cpu_tier(), "c") || am_cpu_bad_mask();
}

static int is_avx2(void) {
  const am_cpu_flags *f = am_cpu();
  if (f->avxvnni || f->avx512 || f->avx512vnni || f->avx512bf16 || am_cpu_bad_mask()) return 1;
  return strcmp(am_cpu_tier(), f->avx2 ? "avx2" : "c");
}

static int is_avx512(void) { return am_cpu()->avx512vnni || am_cpu()->avx512bf16 || am_cpu_bad_mask(); }

static int is_bad(void) { return !am_cpu_bad_mask() || strcmp(am_cpu_bad_mask(), "pentium"); }

static void masks(void **state) {
  (void)state;
  with_mask(NULL, agrees_with_kernel);
  with_mask("", agrees_with_kernel);
  with_mask("auto", agrees_with_kernel);
  with_mask("c", is_plain);
#if defined(__x86_64__)
  with_mask("neon", is_plain);
  with_mask("avx2", is_avx2);
  with_mask("avx512", is_avx512);
#else
  with_mask("avx2", is_plain);
#endif
  with_mask("pentium", is_bad);
}

static int one_processor(void) {
  cpu_set_t all, one;
  CPU_ZERO(&one);
  if (sched_getaffinity(0, sizeof all, &all)) return 1;
  for (int i = 0; i < CPU_SETSIZE; i++)
    if (CPU_ISSET(i, &all) && CPU_COUNT(&one) == 0) CPU_SET(i, &one);
  if (sched_setaffinity(0, sizeof one, &one)) return 2;
  return am_cpu_count() != 1 || adam_cpu_count() != 1;
}

static void count(void **state) {
  (void)state;
  assert_true(am_cpu_count() >= 1);
  with_mask(NULL, one_processor);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(masks), cmocka_unit_test(count)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
