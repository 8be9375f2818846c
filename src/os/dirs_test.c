/* SPDX-License-Identifier: Apache-2.0 */
#include "os/dirs.h"

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

static void clear(void) {
  static const char *const names[] = {"ADAM_CACHE_DIR", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "HF_HUB_CACHE",
                                      "HUGGINGFACE_HUB_CACHE", "HF_HOME"};
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) unsetenv(names[i]);
  setenv("HOME", "/home/me", 1);
}

static void expect(char *path, const char *want) {
  assert_non_null(path);
  assert_string_equal(path, want);
  am_mem_free(path);
}

/* The order of the Python library huggingface_hub, weakest first. */
static void hub(void **state) {
  (void)state;
  clear();
  expect(am_dirs_hub(), "/home/me/.cache/huggingface/hub");
  setenv("XDG_CACHE_HOME", "/xdg", 1);
  expect(am_dirs_hub(), "/xdg/huggingface/hub");
  setenv("HF_HOME", "~/hf", 1);
  expect(am_dirs_hub(), "/home/me/hf/hub");
  setenv("HUGGINGFACE_HUB_CACHE", "$XDG_CACHE_HOME/old", 1);
  expect(am_dirs_hub(), "/xdg/old");
  setenv("HF_HUB_CACHE", "/new", 1);
  expect(am_dirs_hub(), "/new");
  setenv("HF_HUB_CACHE", "", 1); /* empty = not set */
  expect(am_dirs_hub(), "/xdg/old");
}

static void own(void **state) {
  (void)state;
  clear();
  expect(am_dirs_cache(), "/home/me/.cache/adam");
  expect(am_dirs_data(), "/home/me/.local/share/adam");
  expect(am_dirs_config(), "/home/me/.config/adam");
  setenv("XDG_CACHE_HOME", "/c", 1);
  setenv("XDG_DATA_HOME", "/d", 1);
  setenv("XDG_CONFIG_HOME", "relative", 1); /* the XDG specification has it ignored */
  expect(am_dirs_cache(), "/c/adam");
  expect(am_dirs_data(), "/d/adam");
  expect(am_dirs_config(), "/home/me/.config/adam");
  setenv("ADAM_CACHE_DIR", "~/mine", 1);
  expect(am_dirs_cache(), "/home/me/mine");
}

static void expansion(void **state) {
  (void)state;
  clear();
  setenv("ADAM_TEST_A", "va", 1);
  unsetenv("ADAM_TEST_NONE");
  expect(am_dirs_expand("~"), "/home/me");
  expect(am_dirs_expand("~/x"), "/home/me/x");
  expect(am_dirs_expand("x/~"), "x/~");
  expect(am_dirs_expand("~no-such-user-here/x"), "~no-such-user-here/x");
  expect(am_dirs_expand("~root"), "/root"); /* from the password file */
  expect(am_dirs_expand("$ADAM_TEST_A/${ADAM_TEST_A}b$ADAM_TEST_A.c"), "va/vabva.c");
  expect(am_dirs_expand("$ADAM_TEST_NONE/${ADAM_TEST_NONE}"), "$ADAM_TEST_NONE/${ADAM_TEST_NONE}");
  expect(am_dirs_expand("a$"), "a$");
  expect(am_dirs_expand("a${b"), "a${b");
  expect(am_dirs_expand("$$ADAM_TEST_A"), "$va");
  expect(am_dirs_expand(""), "");
  setenv("ADAM_TEST_A", "$ADAM_TEST_A", 1); /* a value is not expanded again */
  expect(am_dirs_expand("$ADAM_TEST_A"), "$ADAM_TEST_A");
}

static void homes(void **state) {
  (void)state;
  clear();
  expect(am_dirs_home(), "/home/me");
  unsetenv("HOME");
  char *home = am_dirs_home(); /* from the password file, where this user has an entry */
  if (home) assert_int_equal(home[0], '/');
  am_mem_free(home);
  char *program = am_dirs_program();
  assert_non_null(program);
  assert_int_equal(program[0], '/');
  am_mem_free(program);
}

static void memory_runs_out(void **state) {
  (void)state;
  clear();
  for (uint64_t n = 1;; n++) {
    am_mem_fault_set(n);
    char *a = am_dirs_hub(), *b = am_dirs_cache(), *c = am_dirs_expand("~/$HOME/${X}"), *d = am_dirs_program();
    bool fired = am_mem_fault_fired();
    am_mem_fault_set(0);
    assert_int_equal(a && b && c && d, !fired);
    am_mem_free(a);
    am_mem_free(b);
    am_mem_free(c);
    am_mem_free(d);
    if (!fired) break;
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(hub), cmocka_unit_test(own), cmocka_unit_test(expansion),
                                     cmocka_unit_test(homes), cmocka_unit_test(memory_runs_out)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
