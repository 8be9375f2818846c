/* SPDX-License-Identifier: Apache-2.0 */
#include "os/cpu.h"

#include <adam/adam.h>
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/cgroup.h"
#include "os/file.h"
#include "os/thread.h"

#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

typedef struct tier {
  const char *name;
  bool is_arm;
  size_t flag; /* offset in am_cpu_flags */
} tier;

/* Slowest first within each architecture. "c" stands before both. */
static const tier tiers[] = {
    {"avx2", false, offsetof(am_cpu_flags, avx2)},
    {"avxvnni", false, offsetof(am_cpu_flags, avxvnni)},
    {"avx512", false, offsetof(am_cpu_flags, avx512)},
    {"avx512vnni", false, offsetof(am_cpu_flags, avx512vnni)},
    {"avx512bf16", false, offsetof(am_cpu_flags, avx512bf16)},
    {"neon", true, offsetof(am_cpu_flags, neon)},
    {"dotprod", true, offsetof(am_cpu_flags, dotprod)},
    {"i8mm", true, offsetof(am_cpu_flags, i8mm)},
};
enum { N_TIERS = sizeof tiers / sizeof tiers[0] };

static pthread_once_t once = PTHREAD_ONCE_INIT;
static am_cpu_flags flags;
static const char *fastest = "c";
static char bad_mask[64];
static char name[128] = "unknown";

static bool *flag_of(const tier *t) { return (bool *)(void *)((char *)&flags + t->flag); }

#if defined(__x86_64__)
/* Intel SDM volume 1, chapter 13 (XCR0) and volume 2, CPUID. */
static void detect(void) {
  uint32_t a, b, c, d;
  if (!__get_cpuid(1, &a, &b, &c, &d)) return;
  bool osxsave = c >> 27 & 1, avx = c >> 28 & 1, fma = c >> 12 & 1, f16c = c >> 29 & 1;
  if (!osxsave || !avx) return;
  uint32_t xcr0, xcr0_high;
  __asm__ volatile("xgetbv" : "=a"(xcr0), "=d"(xcr0_high) : "c"(0));
  bool ymm = (xcr0 & 0x06) == 0x06, zmm = (xcr0 & 0xE6) == 0xE6;
  if (!ymm || !__get_cpuid_count(7, 0, &a, &b, &c, &d)) return;
  uint32_t most_subleaf = a;
  flags.avx2 = (b >> 5 & 1) && fma && f16c;
  bool avx512 = (b >> 16 & 1) && (b >> 17 & 1) && (b >> 28 & 1) && (b >> 30 & 1) && (b >> 31 & 1);
  flags.avx512 = flags.avx2 && zmm && avx512;
  flags.avx512vnni = flags.avx512 && (c >> 11 & 1);
  if (most_subleaf >= 1 && __get_cpuid_count(7, 1, &a, &b, &c, &d)) {
    flags.avxvnni = flags.avx2 && (a >> 4 & 1);
    flags.avx512bf16 = flags.avx512 && (a >> 5 & 1);
  }
}

static void find_name(void) {
  uint32_t words[12];
  if ((unsigned)__get_cpuid_max(0x80000000u, NULL) < 0x80000004u) return;
  for (uint32_t i = 0; i < 3; i++)
    __get_cpuid(0x80000002u + i, &words[4 * i], &words[4 * i + 1], &words[4 * i + 2], &words[4 * i + 3]);
  char brand[sizeof words + 1];
  memcpy(brand, words, sizeof words);
  brand[sizeof words] = 0;
  const char *begin = brand + strspn(brand, " ");
  size_t n = strlen(begin);
  while (n > 0 && begin[n - 1] == ' ') n--;
  if (n == 0) return;
  memcpy(name, begin, n);
  name[n] = 0;
}
#elif defined(__aarch64__)
static void detect(void) {
  unsigned long caps = getauxval(AT_HWCAP), caps2 = getauxval(AT_HWCAP2);
  flags.neon = caps & HWCAP_ASIMD;
  flags.dotprod = flags.neon && (caps & HWCAP_ASIMDDP);
  flags.i8mm = flags.dotprod && (caps2 & HWCAP2_I8MM);
}

static void find_name(void) {
  am_buf text = {0};
  if (am_file_read("/proc/device-tree/model", 4096, &text, NULL) == ADAM_OK && text.data && text.data[0]) {
    size_t n = strnlen(text.data, sizeof name - 1);
    memcpy(name, text.data, n);
    name[n] = 0;
  }
  am_buf_close(&text);
}
#else
static void detect(void) {}
static void find_name(void) {}
#endif

/* Switches off what lies above the tier that ADAM_CPU names; a tier of the other architecture
 * leaves plain C. */
static void apply_mask(void) {
  const char *mask = getenv("ADAM_CPU");
  if (!mask || !mask[0] || strcmp(mask, "auto") == 0) return;
  int keep = -1; /* index of the named tier; "c" keeps none */
  if (strcmp(mask, "c") != 0) {
    for (int i = 0; i < N_TIERS; i++)
      if (strcmp(mask, tiers[i].name) == 0) keep = i;
    if (keep < 0) {
      size_t n = strnlen(mask, sizeof bad_mask - 1);
      memcpy(bad_mask, mask, n);
      return;
    }
  }
  for (int i = 0; i < N_TIERS; i++)
    if (keep < 0 || i > keep || tiers[i].is_arm != tiers[keep].is_arm) *flag_of(&tiers[i]) = false;
}

static void prepare(void) {
  detect();
  find_name();
  apply_mask();
  for (int i = 0; i < N_TIERS; i++)
    if (*flag_of(&tiers[i])) fastest = tiers[i].name;
}

const am_cpu_flags *am_cpu(void) {
  (void)pthread_once(&once, prepare);
  return &flags;
}

const char *am_cpu_tier(void) {
  (void)am_cpu();
  return fastest;
}

const char *am_cpu_name(void) {
  (void)am_cpu();
  return name;
}

const char *am_cpu_bad_mask(void) {
  (void)am_cpu();
  return bad_mask[0] ? bad_mask : NULL;
}

/* The mask can be wider than cpu_set_t on large machines: grown until the kernel accepts it. */
static int count_affinity(void) {
  for (int n = 1024; n <= 1 << 20; n *= 4) {
    cpu_set_t *set = CPU_ALLOC((size_t)n);
    if (!set) break;
    size_t n_bytes = CPU_ALLOC_SIZE((size_t)n);
    CPU_ZERO_S(n_bytes, set);
    int count = sched_getaffinity(0, n_bytes, set) == 0 ? CPU_COUNT_S(n_bytes, set) : 0;
    CPU_FREE(set);
    if (count > 0) return count;
  }
  long online = sysconf(_SC_NPROCESSORS_ONLN);
  return online > 0 ? (int)online : 1;
}

int am_cpu_count(void) {
  int count = count_affinity();
  char *membership = am_cgroup_membership();
  double quota;
  if (membership && am_cgroup_cpus(membership, "/sys/fs/cgroup", &quota)) {
    int whole = (int)ceil(quota);
    if (whole < count) count = whole;
  }
  am_mem_free(membership);
  return count > 0 ? count : 1;
}

void am_cpu_relax(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

const char *adam_cpu_tier(void) { return am_cpu_tier(); }

const char *adam_cpu_name(void) { return am_cpu_name(); }

int adam_cpu_count(void) { return am_cpu_count(); }
