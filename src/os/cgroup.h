/* SPDX-License-Identifier: Apache-2.0 */
/* os/cgroup: what the control group of this process allows, v1 and v2, the tightest on the way to
 * the root. Any thread. `membership` is the text of /proc/self/cgroup and `mount` the folder where
 * the hierarchy hangs (/sys/fs/cgroup); tests give their own. */
#ifndef AM_OS_CGROUP_H
#define AM_OS_CGROUP_H

#include <stdbool.h>
#include <stdint.h>

/* Processors that the CPU quota amounts to (1.5 = one and a half); false: no quota. */
bool am_cgroup_cpus(const char *membership, const char *mount, double *cpus);
/* Bytes that may still be allocated, page cache counted as free; and the limit itself. false: no
 * limit. */
bool am_cgroup_memory(const char *membership, const char *mount, uint64_t *left_bytes,
                      uint64_t *limit_bytes);
/* Text of /proc/self/cgroup, owned; NULL where there is none. */
char *am_cgroup_membership(void);

#endif
