/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/cache.h"
#include "hub/places.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/mem.h"
#include "os/file.h"

static const char sha[] = "0123456789abcdef0123456789abcdef01234567";
static const char sha2[] = "89abcdef0123456789abcdef0123456789abcdef";
static char root[] = "cache_test_XXXXXX";

static char *at(const char *name) {
  static char path[1024];
  snprintf(path, sizeof path, "%s/%s", root, name);
  return path;
}

static void make_folder_of(const char *path) {
  char *folder = am_path_dirname(path);
  assert_int_equal(am_dir_make(folder, NULL), ADAM_OK);
  am_mem_free(folder);
}

static void put(const char *name, const char *text) {
  make_folder_of(at(name));
  assert_int_equal(am_file_write_atomic(at(name), text, strlen(text), 0644, NULL), ADAM_OK);
}

static void put_link(const char *name, const char *target) {
  make_folder_of(at(name));
  assert_int_equal(symlink(target, at(name)), 0);
}

/* The layout that huggingface_hub writes: blobs under their etag, a snapshot of relative links, refs
 * without a newline, known-absent marks, locks, leftovers of broken downloads. */
static int set_up(void **state) {
  (void)state;
  if (!mkdtemp(root)) return -1;
  put("CACHEDIR.TAG", "Signature: 8a477f597d28d172789f06886806bc55\n");
  put(".locks/models--Qwen--Qwen3-0.6B/aaaa.lock", "");
  put("models--Qwen--Qwen3-0.6B/blobs/aaaa", "{\"config\":1}"); /* 12 bytes */
  put("models--Qwen--Qwen3-0.6B/blobs/bbbb", "weights!");      /* 8 bytes */
  put("models--Qwen--Qwen3-0.6B/blobs/cccc.1a2b3c4d.incomplete", "half a file");
  put("models--Qwen--Qwen3-0.6B/refs/main", sha);
  put("models--Qwen--Qwen3-0.6B/refs/refs/pr/1", sha2);
  put("models--Qwen--Qwen3-0.6B/refs/broken", "../../../../../etc");
  put("models--Qwen--Qwen3-0.6B/refs/gone", "ffffffffffffffffffffffffffffffffffffffff");
  put_link("models--Qwen--Qwen3-0.6B/snapshots/0123456789abcdef0123456789abcdef01234567/config.json",
           "../../blobs/aaaa");
  put_link("models--Qwen--Qwen3-0.6B/snapshots/0123456789abcdef0123456789abcdef01234567/model.safetensors",
           "../../blobs/bbbb");
  put_link("models--Qwen--Qwen3-0.6B/snapshots/0123456789abcdef0123456789abcdef01234567/sub/copy.safetensors",
           "../../../blobs/bbbb");
  put_link("models--Qwen--Qwen3-0.6B/snapshots/0123456789abcdef0123456789abcdef01234567/gone.bin",
           "../../blobs/dddd");
  put("models--Qwen--Qwen3-0.6B/.no_exist/0123456789abcdef0123456789abcdef01234567/added_tokens.json", "");
  put_link("models--Qwen--Qwen3-0.6B/snapshots/89abcdef0123456789abcdef0123456789abcdef/config.json",
           "../../blobs/aaaa");
  /* No organisation, real files, no refs: as on Windows. */
  put("models--gpt2/snapshots/0123456789abcdef0123456789abcdef01234567/config.json", "{}");
  /* Only dangling links: nothing usable. */
  put("models--a--dangling/refs/main", sha);
  put_link("models--a--dangling/snapshots/0123456789abcdef0123456789abcdef01234567/config.json", "../../blobs/x");
  /* Two snapshots and no main. */
  put("models--a--two/snapshots/1111/config.json", "{}");
  put("models--a--two/snapshots/2222/config.json", "{}");
  put("models--a--leftovers/snapshots/1111/model.incomplete", "x");
  put("models--bad--name--here/snapshots/1111/config.json", "{}");
  put("datasets--a--data/snapshots/1111/x", "x");
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  char command[64];
  snprintf(command, sizeof command, "rm -rf ./%s", root);
  return system(command) == 0 ? 0 : -1;
}

static void names(void **state) {
  (void)state;
  static const char *const good[] = {"gpt2", "Qwen/Qwen3-0.6B", "a/b", "org_1/x.y-z", "_a/b_"};
  static const char *const bad[] = {"", "/", "a/", "/b", "a/b/c", "../x", "a/..", "a--b", "x/y..z", "a/b.git", "a b",
                                    "a/-b", "a/b-", ".a/b", "a/\xC3\xA9", "a/b\n", "a\\b"};
  for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) assert_true(am_hub_name_valid(good[i]));
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) assert_false(am_hub_name_valid(bad[i]));
  char name[128] = "a/";
  memset(name + 2, 'x', 96);
  name[98] = 0;
  assert_true(am_hub_name_valid(name));
  name[98] = 'x';
  name[99] = 0;
  assert_false(am_hub_name_valid(name));
}

static void expect_path(const char *repository, const char *revision, const char *tail) {
  char *path = NULL;
  adam_error error = {0};
  assert_int_equal(am_hub_snapshot(root, repository, revision, &path, &error), ADAM_OK);
  assert_string_equal(path, at(tail));
  am_mem_free(path);
}

static void expect_failure(const char *repository, const char *revision, adam_status status, const char *word) {
  char *path = NULL;
  adam_error error = {0};
  assert_int_equal(am_hub_snapshot(root, repository, revision, &path, &error), status);
  assert_null(path);
  assert_int_equal(error.status, status);
  if (!strstr(error.why, word)) fail_msg("'%s' is not in '%s'", word, error.why);
}

static void snapshots(void **state) {
  (void)state;
  static const char first[] = "models--Qwen--Qwen3-0.6B/snapshots/0123456789abcdef0123456789abcdef01234567";
  static const char second[] = "models--Qwen--Qwen3-0.6B/snapshots/89abcdef0123456789abcdef0123456789abcdef";
  expect_path("Qwen/Qwen3-0.6B", NULL, first);
  expect_path("Qwen/Qwen3-0.6B", "main", first);
  expect_path("Qwen/Qwen3-0.6B", sha, first);
  expect_path("Qwen/Qwen3-0.6B", sha2, second);
  expect_path("Qwen/Qwen3-0.6B", "refs/pr/1", second);
  expect_path("gpt2", NULL, "models--gpt2/snapshots/0123456789abcdef0123456789abcdef01234567");
  expect_path("a/two", "2222", "models--a--two/snapshots/2222");
  expect_failure("a/two", NULL, ADAM_NOT_FOUND, "2 snapshots");
  expect_failure("a/dangling", NULL, ADAM_NOT_FOUND, "no downloaded files");
  expect_failure("a/leftovers", NULL, ADAM_NOT_FOUND, "no downloaded files");
  expect_failure("a/none", NULL, ADAM_NOT_FOUND, "models--a--none");
  expect_failure("Qwen/Qwen3-0.6B", "refs/pr", ADAM_NOT_FOUND, "refs/pr"); /* a folder of refs */
  expect_failure("Qwen/Qwen3-0.6B", "gone", ADAM_NOT_FOUND, "gone");
  expect_failure("gpt2", "main", ADAM_NOT_FOUND, "main");
}

static void hostile(void **state) {
  (void)state;
  expect_failure("Qwen/Qwen3-0.6B", "broken", ADAM_DAMAGED, "hexadecimal");
  static const char *const revisions[] = {"..", "../main", "a/../b", "/main", "main/", "", ".", "a//b", "a\\b", "a\nb"};
  for (size_t i = 0; i < sizeof revisions / sizeof revisions[0]; i++)
    expect_failure("Qwen/Qwen3-0.6B", revisions[i], ADAM_INVALID, "not a branch");
  expect_failure("../models--gpt2", NULL, ADAM_INVALID, "not a repository");
  expect_failure("..", NULL, ADAM_INVALID, "not a repository");
}

typedef struct listed {
  char text[2048];
  int stop_after, n;
} listed;

static bool collect(void *user, const am_hub_entry *entry) {
  listed *l = user;
  size_t used = strlen(l->text);
  assert_true(entry->last_used_unix_s > 1000000000);
  assert_true(am_file_is_dir(entry->path));
  snprintf(l->text + used, sizeof l->text - used, "%s@%.8s %d\n", entry->repository, entry->revision,
           (int)entry->bytes);
  return ++l->n == l->stop_after;
}

static void listing(void **state) {
  (void)state;
  listed l = {0};
  assert_int_equal(am_hub_list(root, collect, &l, NULL), ADAM_OK);
  /* 12 + 8 bytes: the blob that two links share counts once. */
  assert_string_equal(l.text, "Qwen/Qwen3-0.6B@main 20\na/two@1111 2\na/two@2222 2\ngpt2@01234567 2\n");
  l = (listed){.stop_after = 2};
  assert_int_equal(am_hub_list(root, collect, &l, NULL), ADAM_OK);
  assert_int_equal(l.n, 2);
  l = (listed){0};
  assert_int_equal(am_hub_list(at("no/such/folder"), collect, &l, NULL), ADAM_OK);
  assert_int_equal(l.n, 0);
}

static void roots(void **state) {
  (void)state;
  char *found[2] = {0};
  assert_int_equal(am_hub_caches("given", found), 1);
  assert_string_equal(found[0], "given");
  am_mem_free(found[0]);
  setenv("HOME", "/home/somebody", 1);
  setenv("HF_HUB_CACHE", "~/hub", 1);
  assert_int_equal(am_hub_caches(NULL, found), 2);
  assert_string_equal(found[0], "/home/somebody/hub");
  assert_string_equal(found[1], "/home/somebody/.cache/augment_adam_models");
  am_mem_free(found[0]);
  am_mem_free(found[1]);
}

static void memory_runs_out(void **state) {
  (void)state;
  for (uint64_t n = 1;; n++) {
    char *path = NULL;
    adam_error error = {0};
    am_mem_fault_set(n);
    adam_status status = am_hub_snapshot(root, "Qwen/Qwen3-0.6B", NULL, &path, &error);
    bool fired = am_mem_fault_fired();
    am_mem_fault_set(0);
    if (!fired) {
      assert_int_equal(status, ADAM_OK);
      am_mem_free(path);
      break;
    }
    assert_int_equal(status, ADAM_NO_MEMORY);
    assert_null(path);
  }
  for (uint64_t n = 1;; n++) {
    listed l = {0};
    am_mem_fault_set(n);
    adam_status status = am_hub_list(root, collect, &l, NULL);
    bool fired = am_mem_fault_fired();
    am_mem_fault_set(0);
    if (!fired) break;
    assert_int_equal(status, ADAM_NO_MEMORY);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(names),   cmocka_unit_test(snapshots),
                                     cmocka_unit_test(hostile), cmocka_unit_test(listing),
                                     cmocka_unit_test(memory_runs_out), cmocka_unit_test(roots)};
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
