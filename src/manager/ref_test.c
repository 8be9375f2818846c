/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"
#include "hub/places.h"
#include "manager/ref.h"
#include "os/file.h"
#include <adam/manager.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char root[256];
#define COMMIT "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static void put(const char *name, const char *text) {
  char path[512];
  snprintf(path, sizeof path, "%s/%s", root, name);
  char *folder = am_path_dirname(path);
  assert_int_equal(am_dir_make(folder, NULL), ADAM_OK);
  am_mem_free(folder);
  assert_int_equal(am_file_write_atomic(path, text, strlen(text), 0644, NULL), ADAM_OK);
}

static void set_variable(const char *name, const char *below) {
  char path[512];
  snprintf(path, sizeof path, "%s/%s", root, below);
  setenv(name, path, 1);
}

/* A home with a Hugging Face cache, the older cache of the Python program and adam's own files. */
static int set_up(void **state) {
  (void)state;
  char form[] = "ref_test_XXXXXX", here[128];
  if (!mkdtemp(form) || !getcwd(here, sizeof here)) return -1;
  snprintf(root, sizeof root, "%s/%s", here, form);
  put("hub/models--Qwen--Qwen3-0.6B/refs/main", COMMIT);
  put("hub/models--Qwen--Qwen3-0.6B/snapshots/" COMMIT "/config.json", "{\"dtype\":\"bfloat16\"}");
  put("hub/models--Qwen--Qwen3-0.6B/snapshots/" COMMIT "/model.safetensors", "0123456789");
  put("hub/models--org--quants/refs/main", COMMIT);
  put("hub/models--org--quants/snapshots/" COMMIT "/m-Q4_K_M.gguf", "0123");
  put("hub/models--org--quants/snapshots/" COMMIT "/m-Q8_0.gguf", "012345");
  put("home/.cache/augment_adam_models/models--old--one/refs/main", COMMIT);
  put("home/.cache/augment_adam_models/models--old--one/snapshots/" COMMIT "/model.safetensors", "0");
  put("share/models/demo/tokenizer.json", "{}");
  put("file.gguf", "x");
  put("home/below/model.safetensors", "x");
  set_variable("HOME", "home");
  set_variable("HF_HUB_CACHE", "hub");
  set_variable("ADAM_CACHE_DIR", "cache");
  set_variable("ADAM_SHARE_DIR", "share");
  set_variable("OLLAMA_MODELS", "ollama");
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  char command[512];
  snprintf(command, sizeof command, "rm -r '%s'", root);
  return system(command);
}

/* Resolves; answer is "BACKEND PATH" with the root cut off, or "!WHY|HINT"; notices are joined. */
static adam_status resolve(const char *backend, const char *text, char answer[1024]) {
  am_ref ref = {0};
  am_notices notices = {0};
  adam_error error = {0};
  adam_status status = am_ref_resolve(backend, text, NULL, &ref, &notices, &error);
  size_t cut = ref.model && !strncmp(ref.model, root, strlen(root)) ? strlen(root) : 0;
  if (status)
    snprintf(answer, 1024, "!%s|%s", error.why, error.hint);
  else
    snprintf(answer, 1024, "%s %s", ref.ops->name, ref.model + cut);
  for (size_t i = 0; i < notices.n; i++) {
    size_t n = strlen(answer);
    snprintf(answer + n, 1024 - n, " +%s", notices.items[i].code);
  }
  am_notices_close(&notices);
  am_ref_close(&ref);
  return status;
}

static void expect(const char *backend, const char *text, const char *expected) {
  char answer[1024];
  resolve(backend, text, answer);
  assert_string_equal(answer, expected);
}

#define QWEN "huggingface /hub/models--Qwen--Qwen3-0.6B/snapshots/" COMMIT
#define QUANTS "huggingface /hub/models--org--quants/snapshots/" COMMIT

static void test_forms(void **state) {
  (void)state;
  expect(NULL, "demo", "huggingface /share/models/demo");
  expect("auto", "huggingface:demo", "huggingface /share/models/demo");
  expect("", "Qwen/Qwen3-0.6B", QWEN);
  expect("huggingface", "Qwen/Qwen3-0.6B", QWEN);
  expect(NULL, "hf:Qwen/Qwen3-0.6B", QWEN);
  expect(NULL, "hf:Qwen/Qwen3-0.6B@" COMMIT, QWEN);
  expect(NULL, "Qwen/Qwen3-0.6B-Chat", QWEN " +renamed");
  expect(NULL, "qwen3_small", QWEN);
  expect(NULL, "org/quants", QUANTS "/m-Q4_K_M.gguf");
  expect(NULL, "org/quants:q8_0", QUANTS "/m-Q8_0.gguf");
  expect(NULL, "hf:org/quants@main:m-Q8_0.gguf", QUANTS "/m-Q8_0.gguf");
  expect(NULL, "old/one", "huggingface /home/.cache/augment_adam_models/models--old--one/snapshots/" COMMIT);
  expect(NULL, "~/below", "huggingface /home/below");
  expect(NULL, "~/below/model.safetensors", "huggingface /home/below/model.safetensors");
  expect(NULL, "mock:say=hi", "mock say=hi");
  expect(NULL, "mock:a/b.gguf", "mock a/b.gguf");
  expect("mock", "say=hi", "mock say=hi");
  expect("mock", "mock:say=hi", "mock say=hi");
  expect("mock", "", "mock ");
  expect("ollama", "ollama:llama3.2:1b", "ollama llama3.2:1b");
  expect(NULL, "openai:org/name:free", "openai org/name:free");
  expect("openai", "org/name", "openai org/name");
  expect("auto", "anthropic:claude-3-haiku", "anthropic claude-3-haiku");
  expect("ollama", "hf.co/org/name:Q4_K_M", "ollama hf.co/org/name:Q4_K_M");
  expect("ollama", "qwen3_small", "ollama qwen3:0.6b");
  char path[512], answer[1024];
  snprintf(path, sizeof path, "%s/file.gguf", root);
  expect(NULL, path, "huggingface /file.gguf");
  assert_int_equal(chdir(root), 0);
  resolve(NULL, "file.gguf", answer);
  assert_string_equal(answer, "huggingface file.gguf");
  resolve(NULL, "./file.gguf", answer);
  assert_string_equal(answer, "huggingface ./file.gguf");
}

static void refuse(const char *backend, const char *text, adam_status expected, const char *word) {
  char answer[1024];
  adam_status status = resolve(backend, text, answer);
  if (status != expected || !strstr(answer, word)) fail_msg("%s: %d %s", text, (int)status, answer);
}

static void test_refusals(void **state) {
  (void)state;
  refuse(NULL, "Qwen/Qwen3-1.7B", ADAM_NOT_FOUND, "adam pull Qwen/Qwen3-1.7B");
  refuse(NULL, "qwen3_medium", ADAM_NOT_FOUND, "adam pull Qwen/Qwen3-1.7B");
  refuse(NULL, "Qwen/Qwen3-0.6B@v9", ADAM_NOT_FOUND, "adam pull Qwen/Qwen3-0.6B@v9");
  refuse(NULL, "org/quants:q5_k_m", ADAM_NOT_FOUND, "there are Q4_K_M, Q8_0|");
  refuse(NULL, "qwen3_smal", ADAM_NOT_FOUND, "did you mean qwen3_small");
  refuse(NULL, "", ADAM_INVALID, "empty");
  refuse(NULL, "./absent.gguf", ADAM_NOT_FOUND, "no such file");
  refuse(NULL, "absent.gguf", ADAM_NOT_FOUND, "no such file");
  refuse(NULL, "../a/..:x", ADAM_NOT_FOUND, "no such file");
  refuse(NULL, "a/../b", ADAM_INVALID, "ORG/NAME");
  refuse(NULL, "a/b:", ADAM_INVALID, "ORG/NAME");
  refuse("ollama", "./file.gguf", ADAM_INVALID, "adam share");
  refuse("ollama", "embedding", ADAM_NOT_FOUND, "no model of Ollama");
  refuse("huggingface", "ollama:qwen3", ADAM_NOT_FOUND, "no such model in the Ollama store");
  refuse("huggingface", "ollama:../x", ADAM_INVALID, "Ollama model");
  refuse("strange", "demo", ADAM_INVALID, "auto, huggingface, mock");
  refuse(NULL, "qwen3:0.6b", ADAM_NOT_FOUND, "qwen3");
  refuse("huggingface", "mock:x", ADAM_INVALID, "mock");
  assert_int_equal(chdir(root), 0);
  refuse(NULL, "share/models", ADAM_NOT_FOUND, "./share/models");
}

static void test_own_file(void **state) {
  (void)state;
  refuse(NULL, "smollm2", ADAM_NOT_FOUND, "adam pull HuggingFaceTB/SmolLM2");
  put("cache/models/SmolLM2-135M-Instruct.Q4_1.gguf", "0123456789abcdef");
  expect(NULL, "smollm2", "huggingface /cache/models/SmolLM2-135M-Instruct.Q4_1.gguf");
}

static void test_default(void **state) {
  (void)state;
  size_t candidate = 0;
  am_notices notices = {0};
  static const char *const expected[] = {"qwen3_small", "smollm2", "demo"}; /* largest first */
  for (int i = 0; i < 3; i++) {
    am_ref ref = {0};
    bool last = false;
    assert_int_equal(am_ref_default(NULL, &candidate, &last, &ref, &notices, NULL), ADAM_OK);
    assert_string_equal(ref.name, expected[i]);
    assert_int_equal(last, i == 2);
    assert_string_equal(notices.items[i].code, "default_model");
    assert_int_equal(notices.items[i].level, ADAM_NOTICE_INFO);
    assert_non_null(strstr(notices.items[i].text, expected[i]));
    am_ref_close(&ref);
  }
  am_notices_close(&notices);
}

static void test_demo_missing(void **state) {
  (void)state;
  char *path = NULL;
  adam_error error = {0};
  setenv("ADAM_SHARE_DIR", "/nowhere", 1);
  adam_status status = am_hub_demo(&path, &error);
  set_variable("ADAM_SHARE_DIR", "share");
  am_mem_free(path);
  if (!status) skip(); /* adam is installed on this machine: its demo was found */
  assert_int_equal(status, ADAM_NOT_FOUND);
  assert_non_null(strstr(error.why, "/nowhere/models/demo"));
  assert_non_null(strstr(error.hint, "ADAM_SHARE_DIR"));
}

typedef struct found {
  char text[4096];
} found;

static void see(void *user, const adam_model_entry *entry) {
  found *f = user;
  size_t n = strlen(f->text);
  snprintf(f->text + n, sizeof f->text - n, "%s %llu %s %s\n", entry->name, (unsigned long long)entry->bytes,
           entry->quantization ? entry->quantization : "-", entry->store);
}

static void test_list(void **state) {
  (void)state;
  found f = {0};
  assert_int_equal(adam_models_list(NULL, see, &f, NULL), ADAM_OK);
  static const char *const lines[] = {"demo 0 - shipped\n",
                                      "smollm2 16 q4_1 adam\n",
                                      "Qwen/Qwen3-0.6B 10 bf16 huggingface\n",
                                      "org/quants:m-Q4_K_M.gguf 4 q4_k_m huggingface\n",
                                      "org/quants:m-Q8_0.gguf 6 q8_0 huggingface\n",
                                      "old/one 1 - huggingface\n"};
  size_t bytes = 0;
  for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
    if (!strstr(f.text, lines[i])) fail_msg("no '%s' in\n%s", lines[i], f.text);
    bytes += strlen(lines[i]);
  }
  assert_int_equal(strlen(f.text), bytes);
}

static void test_faults(void **state) {
  (void)state;
  static const char *const texts[] = {"Qwen/Qwen3-0.6B-Chat", "smollm2",         "demo",
                                      "mock:say=hi",          "org/quants:q8_0", "~/below"};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
    for (uint64_t n = 1;; n++) {
      char answer[1024];
      am_mem_fault_set(n);
      adam_status status = resolve(NULL, texts[i], answer);
      bool fired = am_mem_fault_fired();
      am_mem_fault_set(0);
      if (fired) continue; /* any status without a crash or a leak: a lost look-up may find another way */
      assert_int_equal(status, ADAM_OK);
      break;
    }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_forms),   cmocka_unit_test(test_refusals),     cmocka_unit_test(test_own_file),
      cmocka_unit_test(test_default), cmocka_unit_test(test_demo_missing), cmocka_unit_test(test_list),
      cmocka_unit_test(test_faults),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
