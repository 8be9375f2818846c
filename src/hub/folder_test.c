/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"
#include "formats/gguf_write.h"
#include "hub/folder.h"
#include "os/file.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char root[] = "folder_test_XXXXXX";

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
  put("hf/config.json", "{\"torch_dtype\":\"float16\"}");
  put("hf/model.safetensors", "12345678");
  put("new/config.json", "{\"dtype\":\"bfloat16\"}");
  put("new/model-00001-of-00002.safetensors", "1234");
  put("new/model-00002-of-00002.safetensors", "12345");
  put("vocab/tokenizer.json", "{}");
  put("template/chat_template.jinja", "{{ x }}");
  put("ggufrepo/config.json", "{}");
  put("ggufrepo/tokenizer.json", "{}");
  put("ggufrepo/m-Q8_0.gguf", "1");
  put("one/Model-Q8_0.gguf", "123");
  put("one/mmproj-Model-f16.gguf", "1");
  put("many/Model-Q4_K_M.gguf", "12");
  put("many/Model-Q4_K_S.gguf", "1");
  put("many/Model-IQ4_XS.gguf", "1");
  put("many/model.f16.gguf", "1");
  put("odd/a-Q8_0.gguf", "1");
  put("odd/b-Q5_1.gguf", "1");
  put("parts/README.md", "x");
  put("parts/Q6_K/m-Q6_K-00001-of-00002.gguf", "123");
  put("parts/Q6_K/m-Q6_K-00002-of-00002.gguf", "1234");
  put("empty/README.md", "x");
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  char command[64];
  snprintf(command, sizeof command, "rm -r %s", root);
  return system(command);
}

/* Picks in root/folder; the answer without root/, or "!" and the error's words. */
static adam_status pick(const char *folder, const char *choice, char answer[512]) {
  char path[256], *picked = NULL;
  adam_error error = {0};
  snprintf(path, sizeof path, "%s/%s", root, folder);
  adam_status status = am_hub_pick(path, choice, "REF", &picked, &error);
  if (status)
    snprintf(answer, 512, "!%.250s|%.250s", error.why, error.hint);
  else
    snprintf(answer, 512, "%s", picked + strlen(root) + 1);
  am_mem_free(picked);
  return status;
}

static void test_pick(void **state) {
  (void)state;
  static const struct {
    const char *folder, *choice, *answer;
  } cases[] = {
      {"hf", NULL, "hf"},
      {"new", NULL, "new"},
      {"vocab", NULL, "vocab"},
      {"template", NULL, "template"},
      {"ggufrepo", NULL, "ggufrepo/m-Q8_0.gguf"},
      {"hf", "model.safetensors", "hf/model.safetensors"},
      {"one", NULL, "one/Model-Q8_0.gguf"},
      {"one", "q8_0", "one/Model-Q8_0.gguf"},
      {"many", NULL, "many/Model-Q4_K_M.gguf"},
      {"many", "Q4_K_S", "many/Model-Q4_K_S.gguf"},
      {"many", "iq4_xs", "many/Model-IQ4_XS.gguf"},
      {"many", "F16", "many/model.f16.gguf"},
      {"many", "Model-Q4_K_S.gguf", "many/Model-Q4_K_S.gguf"},
      {"parts", NULL, "parts/Q6_K/m-Q6_K-00001-of-00002.gguf"},
      {"parts", "q6_k", "parts/Q6_K/m-Q6_K-00001-of-00002.gguf"},
      {"parts", "Q6_K/m-Q6_K-00001-of-00002.gguf", "parts/Q6_K/m-Q6_K-00001-of-00002.gguf"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char answer[512];
    pick(cases[i].folder, cases[i].choice, answer);
    assert_string_equal(answer, cases[i].answer);
  }
}

static void test_refusals(void **state) {
  (void)state;
  char answer[512];
  assert_int_equal(pick("odd", NULL, answer), ADAM_INVALID);
  assert_non_null(strstr(answer, "several GGUF files; there are Q8_0, Q5_1"));
  assert_int_equal(pick("many", "Q4_K", answer), ADAM_NOT_FOUND);
  assert_non_null(strstr(answer, "there are"));
  assert_int_equal(pick("many", "Q4_XS", answer), ADAM_NOT_FOUND);
  assert_int_equal(pick("many", "../hf/model.safetensors", answer), ADAM_NOT_FOUND);
  assert_int_equal(pick("many", "x/../../hf/model.safetensors", answer), ADAM_NOT_FOUND);
  assert_int_equal(pick("many", "none.gguf", answer), ADAM_NOT_FOUND);
  assert_int_equal(pick("empty", NULL, answer), ADAM_NOT_FOUND);
  assert_int_equal(pick("absent", NULL, answer), ADAM_NOT_FOUND);
}

static void check_type(const char *name, const char *type, uint64_t weights_bytes) {
  char path[256];
  snprintf(path, sizeof path, "%s/%s", root, name);
  char *found = am_hub_quantization(path);
  assert_string_equal(found, type);
  am_mem_free(found);
  assert_int_equal(am_hub_weights_bytes(path), weights_bytes);
}

static void test_types(void **state) {
  (void)state;
  check_type("hf", "f16", 8);
  check_type("new", "bf16", 9);
  check_type("vocab", "", 0);
  check_type("many/Model-Q4_K_M.gguf", "q4_k_m", 2);
  check_type("many/Model-IQ4_XS.gguf", "iq4_xs", 1);
  check_type("many/model.f16.gguf", "f16", 1);
  check_type("parts/Q6_K/m-Q6_K-00001-of-00002.gguf", "q6_k", 7);
  check_type("absent/Qwen3-0.6B.gguf", "", 0);
  char path[256];
  uint64_t bytes = 0;
  am_gguf_writer *writer = NULL;
  snprintf(path, sizeof path, "%s/plain.gguf", root); /* only its header tells */
  assert_int_equal(am_gguf_writer_open(&writer, NULL), ADAM_OK);
  assert_int_equal(am_gguf_write_u32(writer, "general.file_type", 15, NULL), ADAM_OK);
  assert_int_equal(am_gguf_writer_begin(writer, path, NULL), ADAM_OK);
  assert_int_equal(am_gguf_writer_finish(writer, NULL), ADAM_OK);
  am_gguf_writer_close(&writer);
  assert_true(am_file_size(path, &bytes));
  check_type("plain.gguf", "q4_k_m", bytes);
}

static void test_file_of(void **state) {
  (void)state;
  static const char repository[] = "Qwen/Qwen3-8B";
  static const char *const own[] = {"Qwen3-8B-Q4_K_M.gguf", "Qwen3-8B.f16.gguf", "Qwen3-8B-bf16.GGUF"};
  static const char *const others[] = {
      "Qwen3-8B-Base-Q8_0.gguf", "Qwen3-8B-Base.gguf", "Qwen3-8B.gguf",       "Qwen3-8B", "",
      "Qwen3-80B-Q8_0.gguf",     "Qwen3-8B-Q8_0.bin",  "x-Qwen3-8B-Q8_0.gguf"};
  for (size_t i = 0; i < sizeof own / sizeof *own; i++) assert_true(am_hub_is_file_of(own[i], repository));
  for (size_t i = 0; i < sizeof others / sizeof *others; i++)
    assert_false(am_hub_is_file_of(others[i], repository));
}

static bool join(void *user, const char *name) {
  snprintf((char *)user + strlen(user), 256 - strlen(user), "%s,", name);
  return false;
}

static void test_each(void **state) {
  (void)state;
  char path[256], names[256] = "";
  snprintf(path, sizeof path, "%s/odd", root);
  assert_int_equal(am_hub_each(path, join, names, NULL), ADAM_OK);
  assert_string_equal(names, "a-Q8_0.gguf,b-Q5_1.gguf,");
  *names = 0;
  snprintf(path, sizeof path, "%s/hf", root);
  assert_int_equal(am_hub_each(path, join, names, NULL), ADAM_OK);
  assert_string_equal(names, ",");
}

static void test_faults(void **state) {
  (void)state;
  for (uint64_t n = 1;; n++) {
    char path[256], *picked = NULL;
    snprintf(path, sizeof path, "%s/parts", root);
    am_mem_fault_set(n);
    adam_status status = am_hub_pick(path, "q6_k", "REF", &picked, NULL);
    bool fired = am_mem_fault_fired();
    am_mem_fault_set(0);
    am_mem_free(picked);
    if (!fired) {
      assert_int_equal(status, ADAM_OK);
      assert_true(n > 3);
      return;
    }
    assert_int_not_equal(status, ADAM_OK);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_pick), cmocka_unit_test(test_refusals), cmocka_unit_test(test_types),
      cmocka_unit_test(test_each), cmocka_unit_test(test_file_of),  cmocka_unit_test(test_faults),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
