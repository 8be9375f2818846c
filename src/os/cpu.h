/* SPDX-License-Identifier: Apache-2.0 */
/* os/cpu: which instructions this processor has and the operating system lets us use (CPUID with
 * XGETBV; getauxval on Arm), masked by ADAM_CPU=c|avx2|avxvnni|avx512|avx512vnni|avx512bf16|neon|
 * dotprod|i8mm: tiers above the named one are off (auto or empty: none is; a tier of another
 * architecture leaves plain C). Any thread; the answer never changes. */
#ifndef AM_OS_CPU_H
#define AM_OS_CPU_H

#include <stdbool.h>
#include <stddef.h>

typedef struct am_cpu_flags {
  bool avx2;       /* with FMA and F16C */
  bool avxvnni;    /* 256-bit VEX VPDPBUSD */
  bool avx512;     /* F, BW, DQ, VL, CD */
  bool avx512vnni;
  bool avx512bf16;
  bool neon, dotprod, i8mm;
} am_cpu_flags;

const am_cpu_flags *am_cpu(void);
/* Fastest tier in use: "c", "avx2", "avxvnni", "avx512", "avx512vnni", "avx512bf16", "neon", ... */
const char *am_cpu_tier(void);
/* Marketing name of the processor; "unknown" where it cannot be had. */
const char *am_cpu_name(void);
/* Processors that this process may run on: the affinity mask, bounded by the cgroup's quota (>= 1). */
int am_cpu_count(void);
/* An ADAM_CPU value that is not a tier name: its text, else NULL. */
const char *am_cpu_bad_mask(void);

#endif
