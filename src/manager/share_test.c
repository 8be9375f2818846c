/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/file.h"
#include "store/store.h"
#include <adam/manager.h>
#include <adam/stores.h>

#define GGUF ADAM_SOURCE_DIR "/tests/golden/models/gguf-llama-f32/model.gguf"

static char root[] = "/tmp/adam-share-XXXXXX";

static void set_folder(const char *variable, const char *name) {
  char path[256];
  (void)snprintf(path, sizeof path, "%s/%s", root, name);
  setenv(variable, path, 1);
}

/* Nothing of this machine's stores. */
static int set_up(void **state) {
  (void)state;
  if (!mkdtemp(root)) return 1;
  set_folder("HOME", "home");
  set_folder("HF_HUB_CACHE", "hub");
  set_folder("OLLAMA_MODELS", "ollama");
  set_folder("ADAM_CACHE_DIR", "cache");
  set_folder("XDG_DATA_HOME", "data");
  setenv("ADAM_SHARE_DIR", ADAM_SOURCE_DIR, 1);
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  char command[256];
  (void)snprintf(command, sizeof command, "rm -rf '%s'", root);
  return system(command); /* NOLINT: a folder of our own */
}

/* Every model of the store has all of its blobs. */
static bool is_whole(void *user, const am_store_entry *entry) {
  am_store_model *model = NULL;
  assert_int_equal(am_store_model_open(user, &entry->name, &model, NULL), ADAM_OK);
  assert_int_equal(model->problem.status, ADAM_OK);
  for (size_t i = 0; i < model->n_layers; i++) assert_false(model->layers[i].is_missing);
  am_store_model_close(&model);
  return false;
}

static void check_store(void) {
  am_store *store = NULL;
  assert_int_equal(am_store_open(NULL, true, &store, NULL), ADAM_OK);
  assert_int_equal(am_store_each(store, is_whole, store, NULL), ADAM_OK);
  am_store_close(&store);
}

static bool has_notice(const adam_manager *manager, const char *code, const char *text) {
  const adam_notice *notice;
  for (size_t i = 0; (notice = adam_manager_notice_at(manager, i)); i++)
    if (!strcmp(notice->code, code) && strstr(notice->text, text)) return true;
  return false;
}

static void test_shared_when_loaded(void **state) {
  (void)state;
  const char *models[] = {"demo", NULL}; /* by name, and the one that is taken where none is named */
  for (size_t i = 0; i < 2; i++) {
    const adam_manager_options options = {.struct_size = sizeof options, .model = models[i], .share_with_ollama = true};
    adam_manager *manager = NULL;
    adam_error error = {0};
    if (adam_manager_open(&options, &manager, &error)) fail_msg("%s: %s", error.what, error.why);
    assert_true(has_notice(manager, "shared", i ? "same" : "demo: hard link"));
    adam_manager_close(&manager);
  }
  check_store();
}

static void test_invalid(void **state) {
  (void)state;
  adam_share_result result = {.struct_size = sizeof result};
  const adam_share_options wrong[] = {
      {.struct_size = sizeof wrong[0], .to = "ollama"},
      {.struct_size = sizeof wrong[0], .model = "", .to = "ollama"},
      {.struct_size = sizeof wrong[0], .model = GGUF},
      {.struct_size = sizeof wrong[0], .model = GGUF, .to = "elsewhere"},
      {.struct_size = sizeof wrong[0], .model = GGUF, .to = "ollama", .name = "../up"},
      {.struct_size = sizeof wrong[0], .model = GGUF, .to = "ollama", .quantization = "q1"},
      {.struct_size = sizeof wrong[0], .model = GGUF, .to = "huggingface", .name = "../up"},
      {.struct_size = sizeof wrong[0], .model = GGUF, .to = "huggingface", .quantization = "q8_0"},
      {.model = GGUF, .to = "ollama"},
  };
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    adam_error error = {0};
    assert_int_equal(adam_share(&wrong[i], &result, &error), ADAM_INVALID);
    assert_int_equal(error.status, ADAM_INVALID);
  }
  assert_string_equal(result.name, "");
}

static adam_status share_to(const char *to, const char *name, const char *type, bool dry_run, adam_error *error) {
  const adam_share_options options = {.struct_size = sizeof options,
                                      .model = GGUF,
                                      .to = to,
                                      .name = name,
                                      .quantization = type,
                                      .dry_run = dry_run};
  adam_share_result result = {.struct_size = sizeof result};
  adam_status status = adam_share(&options, &result, error);
  if (!status) assert_true(*result.name && *result.method && result.bytes_linked > 0);
  return status;
}

static void remove_model(const char *ref) {
  const adam_stores_options options = {.struct_size = sizeof options};
  adam_error error = {0};
  adam_remove_result result = {.struct_size = sizeof result};
  adam_status status = adam_models_remove(&options, ref, NULL, NULL, &result, &error);
  assert_true(!status || status == ADAM_NOT_FOUND);
}

/* Memory ends at any step: the call says so, what is there stays whole, and the next call does it. */
static void test_faults(void **state) {
  (void)state;
  const struct {
    const char *to, *name, *type, *ref;
  } cases[] = {{"ollama", "fault", NULL, "ollama:fault"},
               {"ollama", "small", "q8_0", "ollama:small"},
               {"huggingface", "a/fault", NULL, "a/fault"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    bool fired = true;
    for (uint64_t n = 1; fired; n += 1 + n / 12) {
      adam_error error = {0};
      am_mem_fault_set(n);
      adam_status status = share_to(cases[i].to, cases[i].name, cases[i].type, n % 3 == 0, &error);
      fired = am_mem_fault_fired();
      am_mem_fault_set(0);
      assert_true(status == ADAM_OK || status == ADAM_NO_MEMORY);
      assert_true(!status || error.status == ADAM_NO_MEMORY);
      check_store();
      if (!status) remove_model(cases[i].ref);
    }
    assert_int_equal(share_to(cases[i].to, cases[i].name, cases[i].type, false, NULL), ADAM_OK);
    assert_int_equal(share_to(cases[i].to, cases[i].name, cases[i].type, false, NULL), ADAM_OK);
    remove_model(cases[i].ref);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_shared_when_loaded),
      cmocka_unit_test(test_invalid),
      cmocka_unit_test(test_faults),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
