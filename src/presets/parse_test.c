/* SPDX-License-Identifier: Apache-2.0 */
#include "presets/parse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static am_arena arena;

static adam_status parse(const char *text, const am_preset_set *under, am_preset_set *out,
                         adam_error *error) {
  return am_presets_parse(text, strlen(text), "mine.ini", under, &arena, out, error);
}

static int close_arena(void **state) {
  (void)state;
  am_arena_close(&arena);
  arena = (am_arena){0};
  return 0;
}

static void own_rows(void **state) {
  (void)state;
  am_preset_set set;
  adam_error error = {0};
  assert_int_equal(
      parse("[preset mine]\npath = ~/m.gguf\ncontext = 4096\ntemperature = 0.25\ntop_k = 7\n"
            "[domain law]\nmodels = mine , hf:a/b\n , ollama:c:1b\nsystem = One.\n  Two.\nnote = n\n"
            "[tier huge]\nvram_gb = 160\nmodels = xl\n[renamed]\nold/a = new/b\n",
            am_presets_now(), &set, &error),
      ADAM_OK);
  const am_preset *mine = &set.presets[set.n_presets - 1];
  assert_string_equal(mine->name, "mine");
  assert_string_equal(mine->path, "~/m.gguf");
  assert_int_equal(mine->n_ctx, 4096);
  assert_true(mine->is_own && !set.presets[0].is_own);
  assert_int_equal(mine->sampling.set, ADAM_SET_TEMPERATURE | ADAM_SET_TOP_K);
  assert_true(mine->sampling.temperature == 0.25 && mine->sampling.top_k == 7);
  const am_domain *law = &set.domains[set.n_domains - 1];
  assert_int_equal(law->n_models, 3);
  assert_string_equal(law->models[0], "mine");
  assert_string_equal(law->models[2], "ollama:c:1b");
  assert_string_equal(law->system, "One.\nTwo.");
  assert_string_equal(set.tiers[set.n_tiers - 1].models[0], "xl");
  assert_string_equal(set.renamings[set.n_renamings - 1].real_name, "new/b");
}

/* A section of a known name changes the keys that it has, and no other; what is under it stays as it was. */
static void laid_over(void **state) {
  (void)state;
  am_preset_set set;
  const am_preset_set *under = am_presets_now();
  assert_int_equal(
      parse("[preset qwen3_small]\nollama = other\n[domain code]\nmodels = demo\n", under, &set, NULL),
      ADAM_OK);
  assert_int_equal(set.n_presets, under->n_presets);
  assert_string_equal(set.presets[0].ollama, "other");
  assert_string_equal(set.presets[0].huggingface, "Qwen/Qwen3-0.6B");
  assert_string_equal(under->presets[0].ollama, "qwen3:0.6b");
  for (size_t i = 0; i < set.n_domains; i++)
    if (!strcmp(set.domains[i].name, "code")) {
      assert_int_equal(set.domains[i].n_models, 1);
      assert_string_equal(set.domains[i].system, am_domains_find("code")->system);
    }
}

static void mistakes(void **state) {
  (void)state;
  static const struct {
    const char *text, *what, *why, *hint;
  } cases[] = {
      {"\n[preset a]\npath=x\nparamters = 3\n", "mine.ini, line 4", "no key 'paramters'",
       "did you mean parameters?"},
      {"[preset a]\npath=x\ntemprature = 3\n", "mine.ini, line 3", "no key 'temprature'",
       "did you mean temperature?"},
      {"[preset a]\npath=x\ntemperature = hot\n", "mine.ini, line 3", "'hot' is not a number from 0 to 100",
       ""},
      {"[preset a]\npath=x\ntop_p = 0\n", "mine.ini, line 3", "above 0 and at most 1", ""},
      {"[preset a]\npath=x\ntop_k = 1.5\n", "mine.ini, line 3", "whole number", ""},
      {"[preset a]\npath=x\ncontext = 0\n", "mine.ini, line 3", "whole number from 1", ""},
      {"[preset a]\npath=x\nparameters = nan\n", "mine.ini, line 3", "'nan' is not", ""},
      {"[preset a]\npath=x\npath=y\n", "mine.ini, line 3", "set twice", ""},
      {"[preset a]\nnote = nothing\n", "mine.ini, line 2", "has no model", ""},
      {"[domain a]\nnote = nothing\n", "mine.ini, line 2", "says nothing", ""},
      {"[presett a]\npath=x\n", "mine.ini, line 2", "section 'presett' is unknown", "did you mean preset?"},
      {"path=x\n", "mine.ini, line 1", "stands in no section", ""},
      {"[preset]\npath=x\n", "mine.ini, line 2", "is no name", ""},
      {"[preset a/b]\npath=x\n", "mine.ini, line 2", "is no name", ""},
      {"[preset demo]\npath=x\n", "mine.ini, line 2", "means something else", ""},
      {"[renamed]\na/b =\n", "mine.ini, line 2", "missing", ""},
      {"[renamed]\na=b\na=c\n", "mine.ini, line 3", "set twice", ""},
      {"[tier a]\ntemperature = 1\n", "mine.ini, line 2", "no key 'temperature'", ""},
      {"[preset a\npath=x\n", "mine.ini, line 1", "neither", ""},
      {"what\n", "mine.ini, line 1", "neither", ""},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    am_preset_set set = {0};
    adam_error error = {0};
    assert_int_equal(parse(cases[i].text, NULL, &set, &error), ADAM_INVALID);
    if (strcmp(error.what, cases[i].what) != 0 || !strstr(error.why, cases[i].why) ||
        !strstr(error.hint, cases[i].hint))
      fail_msg("case %zu: %s: %s (%s)", i, error.what, error.why, error.hint);
    assert_null(set.presets);
  }
}

static void domains_and_tiers(void **state) {
  (void)state;
  static const char *const promised[] = {"general", "code", "docker", "wsl", "devcontainer"};
  for (size_t i = 0; i < sizeof promised / sizeof *promised; i++) {
    const am_domain *domain = am_domains_find(promised[i]);
    assert_non_null(domain);
    assert_true(domain->n_models > 2 && strlen(domain->system) > 50 && *domain->note);
  }
  adam_error error = {0};
  assert_int_equal(am_domains_unknown("dokcer", &error), ADAM_INVALID);
  assert_string_equal(error.hint, "did you mean docker?");
  /* The guidelines' four tiers; what lies between two of them belongs to the lower one. */
  static const struct {
    double gb;
    const char *tier;
  } machines[] = {{0, "cpu"},  {1, "cpu"},  {2, "low"},  {4, "low"},   {6, "low"},  {8, "mid"},
                  {12, "mid"}, {16, "mid"}, {20, "mid"}, {24, "high"}, {80, "high"}};
  for (size_t i = 0; i < sizeof machines / sizeof *machines; i++)
    assert_string_equal(am_tiers_of((uint64_t)(machines[i].gb * 1e9))->name, machines[i].tier);
  /* Cards sold with 8 and 24 GB tell 8192 and 24564 MiB. */
  assert_string_equal(am_tiers_of((uint64_t)8192 << 20)->name, "mid");
  assert_string_equal(am_tiers_of((uint64_t)24564 << 20)->name, "high");
  assert_int_equal(am_presets_now()->n_tiers, 4);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_teardown(own_rows, close_arena), cmocka_unit_test_teardown(laid_over, close_arena),
      cmocka_unit_test_teardown(mistakes, close_arena), cmocka_unit_test(domains_and_tiers)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
