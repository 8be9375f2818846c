/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/select.h"

#include "base/buf.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static adam_error error;

/* A tree of files with the names, which stand between blanks. */
static void make_tree(const char *names, am_hub_tree *tree) {
  am_buf json = {0};
  am_buf_append_char(&json, '[');
  for (const char *p = names; *p;) {
    size_t n = strcspn(p, " ");
    am_buf_printf(&json,
                  "%s{\"type\":\"file\",\"path\":\"%.*s\",\"size\":1,"
                  "\"oid\":\"e69de29bb2d1d6434b8b29ae775ad8c2e48c5391\"}",
                  json.len > 1 ? "," : "", (int)n, p);
    p += n + (p[n] == ' ');
  }
  am_buf_append_char(&json, ']');
  assert_int_equal(am_hub_tree_read(json.data, json.len, "test", tree, &error), ADAM_OK);
  assert_int_equal(am_hub_tree_check(tree, "test", &error), ADAM_OK);
  am_buf_close(&json);
}

/* The chosen names, sorted, with blanks between them; or the words of the refusal. */
static void chosen(const char *names, const char *choice, adam_status expected, const char *want) {
  am_hub_tree tree = {0};
  bool wanted[64] = {false};
  am_buf got = {0};
  make_tree(names, &tree);
  adam_status status = am_hub_select(&tree, choice, "test", wanted, &error);
  for (size_t i = 0; i < tree.n_files && !status; i++)
    if (wanted[i]) am_buf_printf(&got, "%s%s", got.len ? " " : "", tree.files[i].path);
  if (status) am_buf_printf(&got, "%s|%s", error.why, error.hint);
  if (status != expected || (status ? !strstr(got.data, want) : strcmp(got.data, want) != 0))
    fail_msg("%s: %d %s", names, status, got.data);
  am_buf_close(&got);
  am_hub_tree_close(&tree);
}

static void safetensors_come_first(void **state) {
  (void)state;
  chosen("config.json model.safetensors pytorch_model.bin model.gguf run.py .gitattributes tokenizer.model", NULL,
         ADAM_OK, "config.json model.safetensors tokenizer.model");
  chosen("model.safetensors model.safetensors.index.json model-00001-of-00001.safetensors", NULL, ADAM_OK,
         "model.safetensors");
  chosen("model.safetensors.index.json model-00001-of-00001.safetensors consolidated.safetensors", NULL, ADAM_OK,
         "model.safetensors.index.json");
  chosen("model.safetensors model-Q4_0.gguf", "q4_0", ADAM_OK, "model-Q4_0.gguf");
  chosen("a.safetensors b.safetensors", "b.safetensors", ADAM_OK, "b.safetensors");
  chosen("original/model.safetensors onnx/config.json figures/README.md vocab.txt", NULL, ADAM_UNSUPPORTED,
         "original/model.safetensors");
}

static void beside_the_weights(void **state) {
  (void)state;
  chosen("model.safetensors LICENSE LICENSE.md LICENSES.zip README.md readme.txt NOTICE USE_POLICY.md", NULL, ADAM_OK,
         "LICENSE LICENSE.md NOTICE README.md USE_POLICY.md model.safetensors readme.txt");
  chosen("model.safetensors 1_Pooling/config.json 2_Dense/model.safetensors 2_Dense/pytorch_model.bin 3_x/a/config.json",
         NULL, ADAM_OK, "1_Pooling/config.json 2_Dense/model.safetensors model.safetensors");
  chosen("model.safetensors additional_chat_templates/a.jinja additional_chat_templates/a.py", NULL, ADAM_OK,
         "additional_chat_templates/a.jinja model.safetensors");
}

static void ggufs(void **state) {
  (void)state;
  chosen("README.md a-Q4_K_M.gguf a-Q8_0.gguf mmproj-a.gguf", NULL, ADAM_OK, "README.md a-Q4_K_M.gguf");
  chosen("a.gguf mmproj-a.gguf", NULL, ADAM_OK, "a.gguf");
  chosen("a-Q4_0.gguf a-Q8_0.gguf", NULL, ADAM_INVALID, "several GGUF files; there are Q4_0, Q8_0|write one of them");
  chosen("a-Q4_0.gguf b-Q4_0.gguf", "Q4_0", ADAM_INVALID, "several GGUF files have that quantization; there are "
         "a-Q4_0.gguf, b-Q4_0.gguf|write :FILE");
  chosen("a-Q4_K_M.gguf", "Q4_K", ADAM_NOT_FOUND, "no GGUF of that quantization; there are Q4_K_M|");
  chosen("a-Q4_K_M.gguf a-Q8_0.gguf", "b.gguf", ADAM_NOT_FOUND, "there are a-Q4_K_M.gguf, a-Q8_0.gguf|");
  /* As many as the repositories of those who quantize for others have. */
  chosen("m-BF16.gguf m-IQ1_M.gguf m-IQ2_M.gguf m-IQ2_XS.gguf m-IQ3_M.gguf m-IQ4_NL.gguf m-IQ4_XS.gguf m-Q2_K.gguf "
         "m-Q2_K_L.gguf m-Q3_K_L.gguf m-Q3_K_M.gguf m-Q4_0.gguf m-Q4_1.gguf m-Q4_K_L.gguf m-Q5_K_M.gguf m-Q6_K.gguf",
         NULL, ADAM_INVALID, "there are BF16, IQ1_M, IQ2_M, IQ2_XS, IQ3_M, IQ4_NL, IQ4_XS, Q2_K, Q2_K_L, Q3_K_L, Q3_K_M, "
         "Q4_0, Q4_1, Q4_K_L, Q5_K_M, Q6_K|");
  chosen("a-Q8_0.gguf", "../a-Q8_0.gguf", ADAM_NOT_FOUND, "a-Q8_0.gguf");
  chosen("q/a-Q8_0-00001-of-00002.gguf q/a-Q8_0-00002-of-00002.gguf q/a-Q8_1-00002-of-00002.gguf", "q8_0", ADAM_OK,
         "q/a-Q8_0-00001-of-00002.gguf q/a-Q8_0-00002-of-00002.gguf");
  chosen("a-00001-of-00003.gguf a-00003-of-00003.gguf", NULL, ADAM_DAMAGED, "2 of the 3");
  chosen("a-00002-of-00002.gguf a-00001-of-00002.gguf", "a-00001-of-00002.gguf", ADAM_OK,
         "a-00001-of-00002.gguf a-00002-of-00002.gguf");
}

static void refusals(void **state) {
  (void)state;
  chosen("config.json pytorch_model.bin", NULL, ADAM_UNSUPPORTED, "pickle");
  chosen("adapter_config.json adapter_model.safetensors", NULL, ADAM_UNSUPPORTED, "adapter");
  chosen("README.md", NULL, ADAM_UNSUPPORTED, "no model");
  chosen("tokenizer.json config.json", NULL, ADAM_OK, "config.json tokenizer.json");
}

static void shards(void **state) {
  (void)state;
  am_hub_tree tree = {0};
  bool wanted[8] = {false};
  make_tree("a.safetensors b.safetensors c.safetensors d.bin", &tree);
  static const char fine[] = "{\"weight_map\":{\"x\":\"c.safetensors\",\"y\":\"a.safetensors\",\"z\":\"c.safetensors\"}}";
  assert_int_equal(am_hub_select_shards(&tree, fine, sizeof fine - 1, "test", wanted, &error), ADAM_OK);
  assert_true(wanted[0] && !wanted[1] && wanted[2] && !wanted[3]);
  static const char *const wrong[] = {"{\"weight_map\":{\"x\":\"d.bin\"}}", "{\"weight_map\":{\"x\":\"../e.safetensors\"}}",
                                      "{\"weight_map\":{\"x\":5}}", "{\"weight_map\":[]}", "{\"weight_map\":{}}", "[]", "x", ""};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
    assert_int_equal(am_hub_select_shards(&tree, wrong[i], strlen(wrong[i]), "test", wanted, &error), ADAM_DAMAGED);
  am_hub_tree_close(&tree);
}

static void trees(void **state) {
  (void)state;
  static const char *const wrong[] = {
      "{}", "[{\"type\":\"file\",\"path\":\"a\",\"size\":1}]",
      "[{\"type\":\"file\",\"path\":\"a\",\"size\":-1,\"oid\":\"e69de29bb2d1d6434b8b29ae775ad8c2e48c5391\"}]",
      "[{\"type\":\"file\",\"path\":\"a\",\"size\":1.5,\"oid\":\"e69de29bb2d1d6434b8b29ae775ad8c2e48c5391\"}]",
      "[{\"type\":\"file\",\"path\":\"a\\u0000b\",\"size\":1,\"oid\":\"e69de29bb2d1d6434b8b29ae775ad8c2e48c5391\"}]",
      "[{\"type\":\"file\",\"path\":\"../a\",\"size\":1,\"oid\":\"e69de29bb2d1d6434b8b29ae775ad8c2e48c5391\"}]",
      /* an LFS file has a SHA-256, another one has none */
      "[{\"type\":\"file\",\"path\":\"a\",\"size\":1,\"oid\":\"e69de29bb2d1d6434b8b29ae775ad8c2e48c5391\","
      "\"lfs\":{\"size\":1,\"oid\":\"e69de29bb2d1d6434b8b29ae775ad8c2e48c5391\"}}]",
      "[{\"type\":\"file\",\"path\":\"a\",\"size\":1,"
      "\"oid\":\"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"}]"};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    am_hub_tree tree = {0};
    assert_int_equal(am_hub_tree_read(wrong[i], strlen(wrong[i]), "test", &tree, &error), ADAM_DAMAGED);
    am_hub_tree_close(&tree);
  }
  am_hub_tree tree = {0};
  static const char fine[] =
      "[{\"type\":\"directory\",\"path\":\"d\",\"oid\":\"x\",\"size\":0},"
      "{\"type\":\"file\",\"path\":\"z\",\"size\":130,\"oid\":\"e69de29bb2d1d6434b8b29ae775ad8c2e48c5391\",\"lfs\":"
      "{\"size\":5000000000,\"oid\":\"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"}}]";
  assert_int_equal(am_hub_tree_read(fine, sizeof fine - 1, "test", &tree, &error), ADAM_OK);
  assert_int_equal(tree.n_files, 1);
  assert_true(tree.files[0].bytes == 5000000000u && strlen(tree.files[0].etag) == 64);
  am_hub_tree_close(&tree);
  char commit[41];
  static const char sha[] = "{\"sha\":\"0123456789abcdef0123456789abcdef01234567\"}";
  assert_int_equal(am_hub_revision_read(sha, sizeof sha - 1, "test", commit, &error), ADAM_OK);
  assert_int_equal(am_hub_revision_read("{\"sha\":\"main\"}", 14, "test", commit, &error), ADAM_DAMAGED);
  assert_true(am_hub_path_safe("a/.b/c..d") && am_hub_path_safe("\xC3\xA9"));
  assert_false(am_hub_path_safe("") || am_hub_path_safe("/a") || am_hub_path_safe("a/") || am_hub_path_safe("a/../b") ||
               am_hub_path_safe("..") || am_hub_path_safe("a\\b") || am_hub_path_safe("a\nb"));
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(safetensors_come_first), cmocka_unit_test(beside_the_weights),
                                     cmocka_unit_test(ggufs), cmocka_unit_test(refusals), cmocka_unit_test(shards),
                                     cmocka_unit_test(trees)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
