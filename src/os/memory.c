/* SPDX-License-Identifier: Apache-2.0 */
#include "os/memory.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/cgroup.h"
#include "os/file.h"

/* Value of "Key:   123 kB" in a /proc file, as bytes; 0 where it is missing. */
static uint64_t proc_bytes(const char *path, const char *key) {
  am_buf text = {0};
  uint64_t bytes = 0;
  if (am_file_read(path, 1 << 20, &text, NULL) == ADAM_OK && text.data) {
    const char *line = strstr(text.data, key);
    if (line) bytes = strtoull(line + strlen(key), NULL, 10) * 1024;
  }
  am_buf_close(&text);
  return bytes;
}

static bool cgroup_memory(uint64_t *left, uint64_t *limit) {
  char *membership = am_cgroup_membership();
  bool found = membership && am_cgroup_memory(membership, "/sys/fs/cgroup", left, limit);
  am_mem_free(membership);
  return found;
}

uint64_t am_memory_available(void) {
  uint64_t least = proc_bytes("/proc/meminfo", "MemAvailable:");
  if (least == 0) least = am_memory_total();
  uint64_t left, limit;
  if (cgroup_memory(&left, &limit) && left < least) least = left;
  struct rlimit space;
  if (getrlimit(RLIMIT_AS, &space) == 0 && space.rlim_cur != RLIM_INFINITY) {
    uint64_t used = proc_bytes("/proc/self/status", "VmSize:");
    uint64_t room = space.rlim_cur > used ? (uint64_t)space.rlim_cur - used : 0;
    if (room < least) least = room;
  }
  return least;
}

uint64_t am_memory_total(void) {
  long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
  uint64_t total = pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page : 0;
  uint64_t left, limit;
  if (cgroup_memory(&left, &limit) && (total == 0 || limit < total)) total = limit;
  return total;
}

uint64_t am_memory_peak(void) { return proc_bytes("/proc/self/status", "VmHWM:"); }
