/* SPDX-License-Identifier: Apache-2.0 */
#include "os/cgroup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "os/file.h"

enum { CONTROL_BYTES = 1 << 16, GROUP_BYTES = 1024 };

/* A v1 value above this means "unlimited" (the kernel writes LONG_MAX rounded to pages). */
static const uint64_t V1_UNLIMITED = (uint64_t)1 << 60;

char *am_cgroup_membership(void) {
  am_buf text = {0};
  if (am_file_read("/proc/self/cgroup", CONTROL_BYTES, &text, NULL) != ADAM_OK) {
    am_buf_close(&text);
    return NULL;
  }
  return am_buf_take(&text);
}

/* Is `name` one of the comma-separated names in [list, end)? */
static bool list_has(const char *list, const char *end, const char *name) {
  size_t n = strlen(name);
  while (list < end) {
    const char *comma = memchr(list, ',', (size_t)(end - list));
    const char *stop = comma ? comma : end;
    if ((size_t)(stop - list) == n && memcmp(list, name, n) == 0) return true;
    list = stop + 1;
  }
  return false;
}

/* Lines are "id:controllers:path"; v2's controllers are empty. Writes the path, without a slash at
 * the end, into group. */
static bool find_group(const char *membership, const char *controller, char group[GROUP_BYTES]) {
  for (const char *line = membership; line && *line;) {
    const char *end = strchr(line, '\n');
    if (!end) end = line + strlen(line);
    const char *names = memchr(line, ':', (size_t)(end - line));
    const char *path = names ? memchr(names + 1, ':', (size_t)(end - names - 1)) : NULL;
    if (path) {
      bool match = controller ? list_has(names + 1, path, controller) : path == names + 1;
      size_t n = (size_t)(end - path - 1);
      if (match && n < GROUP_BYTES) {
        memcpy(group, path + 1, n);
        while (n > 0 && group[n - 1] == '/') n--;
        group[n] = 0;
        return true;
      }
    }
    line = *end ? end + 1 : end;
  }
  return false;
}

/* Reads MOUNT/SUB/GROUP/FILE into text (NUL-terminated). */
static bool read_control(const char *mount, const char *sub, const char *group, const char *file, am_buf *text) {
  am_buf path = {0};
  bool ok = am_buf_printf(&path, "%s%s%s/%s", mount, sub, group, file) &&
            am_file_read(path.data, CONTROL_BYTES, text, NULL) == ADAM_OK && text->data;
  am_buf_close(&path);
  return ok;
}

/* Cuts the last part of a group path; false at the root. */
static bool go_up(char *group) {
  char *slash = strrchr(group, '/');
  if (!slash) return false;
  *slash = 0;
  return true;
}

static bool number_after(const char *text, const char *key, uint64_t *value) {
  size_t n = strlen(key);
  for (const char *line = text; line && *line;) {
    if (strncmp(line, key, n) == 0 && line[n] == ' ') {
      *value = strtoull(line + n + 1, NULL, 10);
      return true;
    }
    line = strchr(line, '\n');
    if (line) line++;
  }
  return false;
}

static void quota_v2(const char *mount, const char *group, am_buf *text, double *least) {
  if (!read_control(mount, "", group, "cpu.max", text)) return;
  double quota, period;
  if (sscanf(text->data, "%lf %lf", &quota, &period) == 2 && quota > 0 && period > 0 && quota / period < *least) {
    *least = quota / period;
  }
}

static void quota_v1(const char *mount, const char *group, am_buf *text, double *least) {
  if (!read_control(mount, "/cpu", group, "cpu.cfs_quota_us", text)) return;
  double quota = strtod(text->data, NULL);
  if (!read_control(mount, "/cpu", group, "cpu.cfs_period_us", text)) return;
  double period = strtod(text->data, NULL);
  if (quota > 0 && period > 0 && quota / period < *least) *least = quota / period;
}

bool am_cgroup_cpus(const char *membership, const char *mount, double *cpus) {
  const double none = 1e9;
  double least = none;
  am_buf text = {0};
  char group[GROUP_BYTES];
  if (find_group(membership, NULL, group)) {
    do quota_v2(mount, group, &text, &least);
    while (go_up(group));
  }
  /* A container sees the path of the host, but its own group mounted as the root: the root is always
   * looked at. */
  if (find_group(membership, "cpu", group)) {
    do quota_v1(mount, group, &text, &least);
    while (go_up(group));
  }
  am_buf_close(&text);
  if (least >= none) return false;
  *cpus = least;
  return true;
}

/* One level: usage and limit files, and how stat calls the page cache. */
typedef struct memory_files {
  const char *sub, *limit, *usage, *active, *inactive;
} memory_files;

static void memory_level(const char *mount, const memory_files *files, const char *group, am_buf *text,
                         uint64_t *left, uint64_t *limit) {
  if (!read_control(mount, files->sub, group, files->limit, text)) return;
  char *end;
  uint64_t most = strtoull(text->data, &end, 10);
  if (end == text->data || most >= V1_UNLIMITED) return; /* "max" */
  if (!read_control(mount, files->sub, group, files->usage, text)) return;
  uint64_t used = strtoull(text->data, NULL, 10), cache = 0, part;
  if (read_control(mount, files->sub, group, "memory.stat", text)) {
    if (number_after(text->data, files->active, &part)) cache += part;
    if (number_after(text->data, files->inactive, &part)) cache += part;
  }
  used = used > cache ? used - cache : 0;
  uint64_t free_bytes = most > used ? most - used : 0;
  if (free_bytes < *left) *left = free_bytes;
  if (most < *limit) *limit = most;
}

bool am_cgroup_memory(const char *membership, const char *mount, uint64_t *left_bytes, uint64_t *limit_bytes) {
  static const memory_files v2 = {"", "memory.max", "memory.current", "active_file", "inactive_file"};
  static const memory_files v1 = {"/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_active_file",
                                  "total_inactive_file"};
  uint64_t left = UINT64_MAX, limit = UINT64_MAX;
  am_buf text = {0};
  char group[GROUP_BYTES];
  if (find_group(membership, NULL, group)) {
    do memory_level(mount, &v2, group, &text, &left, &limit);
    while (go_up(group));
  }
  if (find_group(membership, "memory", group)) {
    do memory_level(mount, &v1, group, &text, &left, &limit);
    while (go_up(group));
  }
  am_buf_close(&text);
  if (limit == UINT64_MAX) return false;
  *left_bytes = left;
  *limit_bytes = limit;
  return true;
}
