/* SPDX-License-Identifier: Apache-2.0 */
/* os/memory: how much there is. Any thread. */
#ifndef AM_OS_MEMORY_H
#define AM_OS_MEMORY_H

#include <stdint.h>

/* Least of MemAvailable, what the cgroup leaves (v1 and v2) and what RLIMIT_AS leaves; bytes. */
uint64_t am_memory_available(void);
uint64_t am_memory_total(void);
/* Peak resident set of this process (VmHWM); bytes, 0 where unknown. */
uint64_t am_memory_peak(void);

#endif
