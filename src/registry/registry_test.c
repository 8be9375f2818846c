/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"
#include "os/thread.h"
#include <adam/registry.h>
#include <stdio.h>
#include <string.h>

static adam_status open_none(void *context, const char *model, const adam_model_options *options,
                             adam_backend_model **out, adam_error *error) {
  (void)context, (void)model, (void)options, (void)out, (void)error;
  return ADAM_FAILED;
}
static void close_none(void *context, adam_backend_model *model) { (void)context, (void)model; }
static adam_status generate_none(void *context, adam_backend_model *model, const adam_request *request,
                                 const adam_sink *sink, adam_outcome *outcome, adam_error *error) {
  (void)context, (void)model, (void)request, (void)sink, (void)outcome, (void)error;
  return ADAM_FAILED;
}
static adam_status info_none(void *context, adam_backend_model *model, adam_model_info *info,
                             adam_error *error) {
  (void)context, (void)model, (void)info, (void)error;
  return ADAM_FAILED;
}
static adam_status list_none(void *context, const adam_model_options *options, adam_on_model on_model,
                             void *user, adam_error *error) {
  (void)context, (void)options, (void)on_model, (void)user, (void)error;
  return ADAM_OK;
}

static const adam_backend_ops whole = {.version = ADAM_BACKEND_VERSION,
                                       .struct_size = sizeof whole,
                                       .name = "mine",
                                       .open = open_none,
                                       .close = close_none,
                                       .generate = generate_none,
                                       .info = info_none,
                                       .list = list_none};

static size_t count(void) {
  size_t n = 0;
  while (adam_backend_at(n)) n++;
  return n;
}

static void test_builtin(void **state) {
  (void)state;
  assert_string_equal(adam_backend_at(0)->name, "huggingface");
  assert_string_equal(adam_backend_at(1)->name, "mock");
  assert_ptr_equal(adam_backend_find("mock"), adam_backend_at(1));
  assert_string_equal(adam_backend_at(2)->name, "ollama");
  assert_null(adam_backend_find("nobody"));
  assert_null(adam_backend_find(NULL));
  assert_null(adam_backend_at(1000));
}

static void refuse(adam_backend_ops ops, const char *word) {
  adam_error error = {0};
  size_t before = count();
  assert_int_equal(adam_backend_register(&ops, &error), ADAM_INVALID);
  if (!strstr(error.why, word)) fail_msg("'%s' lacks '%s'", error.why, word);
  assert_int_equal(count(), before);
}

static void test_validation(void **state) {
  (void)state;
  adam_backend_ops ops = whole;
  ops.version = 0;
  refuse(ops, "version 0");
  ops.version = ADAM_BACKEND_VERSION + 1;
  refuse(ops, "version");
  static const char *const names[] = {
      NULL, "",     "Mine", "a:b",
      "hf", "auto", "a b",  "12345678901234567890123456789012345678901234567890123456789012345"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    ops = whole;
    ops.name = names[i];
    refuse(ops, "a name is");
  }
  ops = whole, ops.open = NULL, refuse(ops, "open");
  ops = whole, ops.close = NULL, refuse(ops, "close");
  ops = whole, ops.generate = NULL, refuse(ops, "generate");
  ops = whole, ops.info = NULL, refuse(ops, "info");
  ops = whole, ops.struct_size = offsetof(adam_backend_ops, info), refuse(ops, "struct_size");
  assert_int_equal(adam_backend_register(NULL, NULL), ADAM_INVALID);
}

/* A table of a header that ended after info: what lies behind it must not be read. */
static void test_smaller_table(void **state) {
  (void)state;
  adam_backend_ops older = whole;
  memset((char *)&older + offsetof(adam_backend_ops, tokenize), 0xee,
         sizeof older - offsetof(adam_backend_ops, tokenize));
  older.struct_size = offsetof(adam_backend_ops, tokenize);
  older.name = "older";
  for (int i = 0; i < 2; i++) { /* and once more in its place */
    assert_int_equal(adam_backend_register(&older, NULL), ADAM_OK);
    const adam_backend_ops *found = adam_backend_find("older");
    assert_non_null(found);
    assert_ptr_equal((void *)found->info, (void *)info_none);
    assert_null((void *)found->tokenize);
    assert_null((void *)found->list);
    assert_int_equal(found->struct_size, sizeof *found);
  }
}

static void test_replace(void **state) {
  (void)state;
  static adam_backend_ops one, two;
  one = two = whole;
  one.name = two.name = "twice";
  assert_int_equal(adam_backend_register(&one, NULL), ADAM_OK);
  size_t n = count();
  assert_ptr_equal(adam_backend_find("twice"), &one);
  assert_ptr_equal(adam_backend_at(n - 1), &one);
  assert_int_equal(adam_backend_register(&two, NULL), ADAM_OK);
  assert_int_equal(count(), n);
  assert_ptr_equal(adam_backend_find("twice"), &two);
  assert_ptr_equal(adam_backend_at(n - 1), &two);
}

enum { N_THREADS = 4, N_EACH = 50 };
static adam_backend_ops tables[N_THREADS][N_EACH];
static char names[N_THREADS][N_EACH][24];

static void *register_many(void *argument) {
  int t = (int)(intptr_t)argument;
  for (int i = 0; i < N_EACH; i++) {
    snprintf(names[t][i], sizeof names[t][i], "thread%d-%d", t, i);
    tables[t][i] = whole;
    tables[t][i].name = names[t][i];
    if (adam_backend_register(&tables[t][i], NULL)) return argument;
    if (adam_backend_find(names[t][i]) != &tables[t][i]) return argument;
    adam_backend_ops shared = whole;
    shared.struct_size = offsetof(adam_backend_ops, list);
    shared.name = "shared";
    if (adam_backend_register(&shared, NULL) || !adam_backend_find("shared")) return argument;
  }
  return NULL;
}

static void test_threads(void **state) {
  (void)state;
  am_thread threads[N_THREADS];
  size_t before = count();
  for (intptr_t t = 0; t < N_THREADS; t++)
    assert_true(am_thread_start(&threads[t], register_many, (void *)t));
  for (int t = 0; t < N_THREADS; t++) am_thread_join(&threads[t]);
  assert_int_equal(count(), before + N_THREADS * N_EACH + 1);
  for (int t = 0; t < N_THREADS; t++)
    for (int i = 0; i < N_EACH; i++) assert_ptr_equal(adam_backend_find(names[t][i]), &tables[t][i]);
}

static void test_fault(void **state) {
  (void)state;
  static adam_backend_ops late;
  late = whole;
  late.name = "late";
  am_mem_fault_set(1);
  assert_int_equal(adam_backend_register(&late, NULL), ADAM_NO_MEMORY);
  am_mem_fault_set(0);
  assert_null(adam_backend_find("late"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_builtin), cmocka_unit_test(test_validation), cmocka_unit_test(test_smaller_table),
      cmocka_unit_test(test_replace), cmocka_unit_test(test_threads),    cmocka_unit_test(test_fault),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
