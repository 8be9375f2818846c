/* SPDX-License-Identifier: Apache-2.0 */
/* The ledger: rows survive a kill and several writers; a damaged file is put aside. */
#include "journal/journal.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "os/file.h"

static char folder[128], ledger[160];
static const char digest_a[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

static int begin(void **state) {
  (void)state;
  const char *root = getenv("TMPDIR");
  (void)snprintf(folder, sizeof folder, "%s/adam_journal_XXXXXX", root && strlen(root) < 80 ? root : "/tmp");
  if (!mkdtemp(folder)) return -1;
  (void)snprintf(ledger, sizeof ledger, "%s/data/ledger.sqlite", folder);
  return 0;
}

static int end(void **state) {
  (void)state;
  static const char *const endings[] = {"", "-wal", "-shm", "-journal", ".damaged"};
  char path[200];
  for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
    (void)snprintf(path, sizeof path, "%s%s", ledger, endings[i]);
    (void)unlink(path);
  }
  (void)snprintf(path, sizeof path, "%s/data", folder);
  (void)rmdir(path);
  return rmdir(folder);
}

static am_journal *opened(bool *rebuilt) {
  am_journal *journal = NULL;
  adam_error error = {0};
  assert_int_equal(am_journal_open(ledger, &journal, rebuilt, &error), ADAM_OK);
  assert_non_null(journal);
  return journal;
}

static am_journal_record row(const char *path, const char *digest, uint64_t inode) {
  return (am_journal_record){.path = path, .digest = digest, .bytes = 5, .device = 1, .inode = inode,
                             .mtime_ns = 9, .store = "adam"};
}

static bool count(void *user, const am_journal_record *record) {
  (void)record;
  ++*(size_t *)user;
  return false;
}

static void test_rows(void **state) {
  (void)state;
  am_journal *journal = opened(NULL);
  am_journal_record record = row("/m/a", digest_a, 7);
  record.owner = "ORG/A", record.origin = "pulled";
  assert_int_equal(am_journal_note(journal, &record, NULL), ADAM_OK);
  char digest[65] = "";
  assert_true(am_journal_digest(journal, 1, 7, 5, 9, digest));
  assert_string_equal(digest, digest_a);
  assert_false(am_journal_digest(journal, 1, 7, 5, 10, digest)); /* touched since */
  assert_false(am_journal_digest(journal, 2, 7, 5, 9, digest));
  record = row("/m/a", NULL, 7); /* seen again: what was known stays */
  assert_int_equal(am_journal_note(journal, &record, NULL), ADAM_OK);
  assert_true(am_journal_digest(journal, 1, 7, 5, 9, digest));
  am_journal_past past = {0};
  assert_true(am_journal_past_of(journal, "/m/a", &past));
  assert_string_equal(past.owner, "ORG/A");
  assert_string_equal(past.origin, "pulled");
  am_journal_past_close(&past);
  record = row("/m/a", NULL, 8); /* another file under that path: its digest is unknown */
  assert_int_equal(am_journal_note(journal, &record, NULL), ADAM_OK);
  assert_false(am_journal_digest(journal, 1, 8, 5, 9, digest));
  size_t n = 0;
  assert_int_equal(am_journal_each(journal, NULL, count, &n, NULL), ADAM_OK);
  assert_int_equal(n, 1);
  assert_int_equal(am_journal_forget(journal, "/m/a", NULL), ADAM_OK);
  assert_false(am_journal_past_of(journal, "/m/a", &past));
  am_journal_close(&journal);
  assert_int_equal(am_journal_note(NULL, &record, NULL), ADAM_OK); /* no ledger, no trouble */
}

/* Four processes write at once; one of them is killed in the middle. */
static void test_processes(void **state) {
  (void)state;
  enum { PROCESSES = 4, ROWS = 60 };
  pid_t children[PROCESSES];
  for (int i = 0; i < PROCESSES; i++) {
    children[i] = fork();
    if (children[i] == 0) {
      am_journal *journal = NULL;
      if (am_journal_open(ledger, &journal, NULL, NULL)) _exit(1);
      for (int n = 0; n < ROWS; n++) {
        char path[64];
        (void)snprintf(path, sizeof path, "/m/%d/%d", i, n);
        am_journal_record record = row(path, digest_a, (uint64_t)(i * ROWS + n));
        if (am_journal_note(journal, &record, NULL)) _exit(2);
        if (i == 0 && n == ROWS / 2) (void)kill(getpid(), SIGKILL);
      }
      _exit(0);
    }
  }
  for (int i = 0; i < PROCESSES; i++) {
    int how = 0;
    assert_int_equal(waitpid(children[i], &how, 0), children[i]);
    if (i > 0) assert_true(WIFEXITED(how) && WEXITSTATUS(how) == 0);
  }
  bool rebuilt = true;
  am_journal *journal = opened(&rebuilt);
  assert_false(rebuilt);
  size_t n = 0;
  assert_int_equal(am_journal_each(journal, digest_a, count, &n, NULL), ADAM_OK);
  assert_int_equal(n, (PROCESSES - 1) * ROWS + ROWS / 2 + 1);
  am_journal_close(&journal);
}

static void test_damaged(void **state) {
  (void)state;
  am_journal *journal = opened(NULL);
  am_journal_close(&journal);
  assert_int_equal(am_file_write_atomic(ledger, "this is no database, but long enough to look", 44, 0600, NULL), ADAM_OK);
  bool rebuilt = false;
  journal = opened(&rebuilt);
  assert_true(rebuilt);
  am_journal_record record = row("/m/a", digest_a, 7);
  assert_int_equal(am_journal_note(journal, &record, NULL), ADAM_OK);
  am_journal_close(&journal);
  char aside[200];
  (void)snprintf(aside, sizeof aside, "%s.damaged", ledger);
  assert_true(am_file_is_regular(aside));
  /* a tear in the middle of the file, too */
  am_buf bytes = {0};
  assert_int_equal(am_file_read(ledger, 1 << 24, &bytes, NULL), ADAM_OK);
  memset(bytes.data + bytes.len / 4, 0x5a, bytes.len / 2);
  assert_int_equal(am_file_write_atomic(ledger, bytes.data, bytes.len, 0600, NULL), ADAM_OK);
  am_buf_close(&bytes);
  journal = opened(&rebuilt);
  assert_true(rebuilt);
  am_journal_close(&journal);
}

static void test_newer(void **state) {
  (void)state;
  am_journal *journal = opened(NULL);
  am_journal_close(&journal);
  am_buf bytes = {0};
  assert_int_equal(am_file_read(ledger, 1 << 24, &bytes, NULL), ADAM_OK);
  bytes.data[63] = 2; /* user_version is big-endian at offset 60 (SQLite's file format, 1.3) */
  assert_int_equal(am_file_write_atomic(ledger, bytes.data, bytes.len, 0600, NULL), ADAM_OK);
  am_buf_close(&bytes);
  adam_error error = {0};
  assert_int_equal(am_journal_open(ledger, &journal, NULL, &error), ADAM_UNAVAILABLE);
  assert_null(journal);
  assert_non_null(strstr(error.why, "newer"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_rows, begin, end),
      cmocka_unit_test_setup_teardown(test_processes, begin, end),
      cmocka_unit_test_setup_teardown(test_damaged, begin, end),
      cmocka_unit_test_setup_teardown(test_newer, begin, end),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
