/* SPDX-License-Identifier: Apache-2.0 */
#include "presets/presets.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

/* The project's guidelines, "Qwen 3 Models", with the Hub's spelling. */
static void qwen3_rows(void **state) {
  (void)state;
  static const struct {
    const char *name, *huggingface, *ollama;
    int64_t n_ctx;
  } want[] = {
      {"qwen3_small", "Qwen/Qwen3-0.6B", "qwen3:0.6b", 32 * 1024},
      {"qwen3_medium", "Qwen/Qwen3-1.7B", "qwen3:1.7b", 32 * 1024},
      {"qwen3_large", "Qwen/Qwen3-4B", "qwen3:4b", 32 * 1024},
      {"qwen3_xl", "Qwen/Qwen3-8B", "qwen3:8b", 128 * 1024},
      {"qwen3_xxl", "Qwen/Qwen3-14B", "qwen3:14b", 128 * 1024},
      {"qwen3_xxxl", "Qwen/Qwen3-32B", "qwen3:32b", 128 * 1024},
      {"qwen3_moe_small", "Qwen/Qwen3-30B-A3B", "qwen3:30b-a3b", 128 * 1024},
      {"qwen3_moe_large", "Qwen/Qwen3-235B-A22B", "qwen3:235b-a22b", 128 * 1024},
  };
  for (size_t i = 0; i < sizeof want / sizeof want[0]; i++) {
    const am_preset *row = am_presets_find(want[i].name);
    assert_non_null(row);
    assert_string_equal(row->huggingface, want[i].huggingface);
    assert_string_equal(row->ollama, want[i].ollama);
    assert_int_equal(row->n_ctx, want[i].n_ctx);
    char old[128];
    snprintf(old, sizeof old, "%s-Chat", want[i].huggingface);
    assert_string_equal(am_presets_renamed(old), want[i].huggingface);
  }
}

static void rows_are_whole(void **state) {
  (void)state;
  size_t n;
  const am_preset *rows = am_presets_all(&n);
  for (size_t i = 0; i < n; i++) {
    assert_ptr_equal(am_presets_find(rows[i].name), &rows[i]); /* names occur once */
    assert_true(rows[i].huggingface || rows[i].ollama);
    assert_true(rows[i].n_ctx > 0 && rows[i].parameters > 0);
    assert_non_null(rows[i].note);
    assert_null(strchr(rows[i].note, '\n'));
    if (rows[i].huggingface) assert_null(am_presets_renamed(rows[i].huggingface));
  }
  static const char *const promised[] = {"small", "medium",    "large",   "xl",
                                         "code",  "embedding", "default", "smollm2"};
  for (size_t i = 0; i < sizeof promised / sizeof promised[0]; i++)
    assert_non_null(am_presets_find(promised[i]));
  assert_null(am_presets_find("demo")); /* a model that ships, not a preset */
  assert_null(am_presets_find(""));
}

static void old_spellings(void **state) {
  (void)state;
  assert_string_equal(am_presets_renamed("meta-llama/Llama-3-8b-chat-hf"),
                      am_presets_find("large")->huggingface);
  assert_string_equal(am_presets_renamed("meta-llama/Llama-3-70b-chat-hf"),
                      am_presets_find("xl")->huggingface);
  assert_string_equal(am_presets_renamed("codellama/CodeLlama-7b-instruct-hf"),
                      am_presets_find("code")->huggingface);
  assert_string_equal(am_presets_renamed("phi2"), am_presets_find("small")->ollama);
  assert_null(am_presets_renamed("Qwen/Qwen3-0.6B"));
  assert_null(am_presets_renamed(""));
}

static void nearest_names(void **state) {
  (void)state;
  const char *out[3];
  assert_int_equal(am_presets_nearest("qwen3_smal", out, 3), 1);
  assert_string_equal(out[0], "qwen3_small");
  assert_true(am_presets_nearest("Qwen3-XL", out, 3) >= 1); /* case and '-' cost nothing */
  assert_string_equal(out[0], "qwen3_xl");
  assert_true(am_presets_nearest("meduim", out, 3) >= 1); /* a swap is one edit */
  assert_string_equal(out[0], "medium");
  assert_int_equal(am_presets_nearest("qwen3_x", out, 1), 1); /* never more than asked for */
  assert_int_equal(am_presets_nearest("gpt-4-turbo", out, 3), 0);
  assert_int_equal(am_presets_nearest("", out, 3), 0);
  char longer[4096];
  memset(longer, 'q', sizeof longer - 1);
  longer[sizeof longer - 1] = 0;
  assert_int_equal(am_presets_nearest(longer, out, 3), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(qwen3_rows), cmocka_unit_test(rows_are_whole),
                                     cmocka_unit_test(old_spellings), cmocka_unit_test(nearest_names)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
