/* SPDX-License-Identifier: Apache-2.0 */
#include "os/cgroup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/mem.h"
#include "os/file.h"

static char root[] = "cgroup_test_XXXXXX";

static void put(const char *name, const char *text) {
  char path[512];
  snprintf(path, sizeof path, "%s/%s", root, name);
  char *folder = am_path_dirname(path);
  assert_int_equal(am_dir_make(folder, NULL), ADAM_OK);
  am_mem_free(folder);
  assert_int_equal(am_file_write_atomic(path, text, strlen(text), 0644, NULL), ADAM_OK);
}

static int set_up(void **state) {
  (void)state;
  if (!mkdtemp(root)) return -1;
  /* Version 2: the group itself is free, its parent is bounded. */
  put("user.slice/cpu.max", "150000 100000\n");
  put("user.slice/work/cpu.max", "max 100000\n");
  put("user.slice/memory.max", "1000000\n");
  put("user.slice/memory.current", "700000\n");
  put("user.slice/memory.stat", "anon 400000\ninactive_file 100000\nactive_file 50000\nfile 200000\n");
  put("user.slice/work/memory.max", "max\n");
  /* Version 1: the group, and the root that a container sees as its own. */
  put("cpu/g/cpu.cfs_quota_us", "-1\n");
  put("cpu/g/cpu.cfs_period_us", "100000\n");
  put("cpu/cpu.cfs_quota_us", "300000\n");
  put("cpu/cpu.cfs_period_us", "100000\n");
  put("memory/g/memory.limit_in_bytes", "9223372036854771712\n");
  put("memory/memory.limit_in_bytes", "5000\n");
  put("memory/memory.usage_in_bytes", "7000\n");
  put("memory/memory.stat", "cache 9\ntotal_inactive_file 3000\ntotal_active_file 500\n");
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  char command[64];
  snprintf(command, sizeof command, "rm -rf ./%s", root);
  return system(command) == 0 ? 0 : -1;
}

static void version_2(void **state) {
  (void)state;
  double cpus = 0;
  uint64_t left = 0, limit = 0;
  assert_true(am_cgroup_cpus("0::/user.slice/work\n", root, &cpus));
  assert_true(cpus == 1.5);
  assert_true(am_cgroup_memory("0::/user.slice/work\n", root, &left, &limit));
  assert_int_equal(limit, 1000000);
  assert_int_equal(left, 1000000 - (700000 - 150000)); /* the page cache can go */
  assert_false(am_cgroup_cpus("0::/\n", root, &cpus));
  assert_false(am_cgroup_memory("0::/\n", root, &left, &limit));
  assert_false(am_cgroup_cpus("0::/elsewhere\n", root, &cpus));
}

static void version_1(void **state) {
  (void)state;
  static const char membership[] = "12:memory:/g\n5:cpuacct,cpu:/g\n1:name=systemd:/\n0::/\n";
  double cpus = 0;
  uint64_t left = 99, limit = 0;
  assert_true(am_cgroup_cpus(membership, root, &cpus));
  assert_true(cpus == 3);
  assert_true(am_cgroup_memory(membership, root, &left, &limit));
  assert_int_equal(limit, 5000);
  assert_int_equal(left, 1500);
}

static void odd_text(void **state) {
  (void)state;
  double cpus;
  static const char *const texts[] = {"", "\n", "::", "0:", "0::", "x", "5:cpu", "0::\n\n::\n", ":::::"};
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) (void)am_cgroup_cpus(texts[i], "none", &cpus);
  char longer[5000];
  memset(longer, 'x', sizeof longer - 1);
  memcpy(longer, "0::/", 4);
  longer[sizeof longer - 1] = 0;
  assert_false(am_cgroup_cpus(longer, root, &cpus));
  char *membership = am_cgroup_membership();
  am_mem_free(membership);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(version_2), cmocka_unit_test(version_1),
                                     cmocka_unit_test(odd_text)};
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
