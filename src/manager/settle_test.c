/* SPDX-License-Identifier: Apache-2.0 */
/* What a manager takes from settings, presets and domains, over the mock backend: its answers tell the values
 * used. */
#include <adam/adam.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

static char home[] = "/tmp/adam-settle-XXXXXX";
static char folder[64];

static void write_file(const char *name, const char *text) {
  char path[128];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  if (!text) {
    unlink(path);
    return;
  }
  FILE *file = fopen(path, "w");
  assert_non_null(file);
  assert_true(fputs(text, file) >= 0);
  assert_int_equal(fclose(file), 0);
}

static adam_manager *open_with(adam_manager_options options) {
  adam_manager *m = NULL;
  adam_error error = {0};
  options.struct_size = sizeof options;
  if (adam_manager_open(&options, &m, &error)) fail_msg("%s: %s (%s)", error.what, error.why, error.hint);
  return m;
}

/* The values that a request with `own` was answered with. */
static adam_sampling used(adam_manager *m, adam_sampling own) {
  adam_request request = {
      .struct_size = sizeof request, .prompt = "hello", .prompt_bytes = 5, .sampling = own};
  adam_result result = {0};
  assert_int_equal(adam_manager_generate(m, &request, NULL, NULL, &result, NULL), ADAM_OK);
  adam_sampling values = result.sampling;
  adam_result_close(&result);
  return values;
}

static adam_setting find(const adam_settings *settings, const char *key) {
  adam_setting setting = {.struct_size = sizeof setting};
  for (size_t i = 0; adam_setting_at(settings, i, &setting); i++)
    if (!strcmp(setting.key, key)) return setting;
  fail_msg("no key %s", key);
  return setting;
}

static void order(void **state) {
  (void)state;
  write_file(
      "presets.ini",
      "[preset mine]\nollama = x\ntemperature = 0.11\ntop_k = 11\nmin_p = 0.11\ntop_p=0.11\nmax_tokens=11\n"
      "[domain field]\nmodels = mock:echo\ntop_k = 22\nmin_p = 0.22\ntop_p=0.22\nmax_tokens=22\n"
      "system = Of the domain.\n");
  write_file("settings.ini",
             "domain = field\nmin_p = 0.33\ntop_p=0.33\nmax_tokens=33\n"
             "[profile p]\ntop_p=0.44\nmax_tokens=44\n");
  setenv("ADAM_MAX_TOKENS", "55", 1);
  adam_manager *m = open_with((adam_manager_options){.backend = "mock", .size = "mine", .profile = "p"});
  adam_sampling values = used(m, (adam_sampling){0});
  assert_true(values.temperature == 0.11); /* preset */
  assert_int_equal(values.top_k, 22);      /* domain */
  assert_true(values.min_p == 0.33);       /* file */
  assert_true(values.top_p == 0.44);       /* profile */
  assert_int_equal(values.max_tokens, 55); /* environment */
  values = used(m, (adam_sampling){.set = ADAM_SET_MAX_TOKENS, .max_tokens = 66});
  assert_int_equal(values.max_tokens, 66); /* request */
  assert_true(values.top_p == 0.44);
  static const struct {
    const char *key, *value, *source, *where;
  } want[] = {{"size", "mine", "option", ""},
              {"temperature", "0.11", "preset", "mine"},
              {"top_k", "22", "domain", "field"},
              {"min_p", "0.33", "file", "settings.ini, line 2"},
              {"top_p", "0.44", "profile", "settings.ini, line 6"},
              {"max_tokens", "55", "environment", "ADAM_MAX_TOKENS"},
              {"repetition_penalty", "1", "built-in", ""},
              {"system", "Of the domain.", "domain", "field"},
              {"profile", "p", "option", ""}};
  for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
    adam_setting got = find(adam_manager_settings(m), want[i].key);
    assert_string_equal(got.value, want[i].value);
    assert_string_equal(got.source, want[i].source);
    size_t n = strlen(got.where), w = strlen(want[i].where);
    assert_true(n >= w);
    assert_string_equal(got.where + n - w, want[i].where);
  }
  adam_manager_close(&m);
  m = open_with(
      (adam_manager_options){.backend = "mock", .model = "echo", .profile = "p", .ignore_settings = true});
  values = used(m, (adam_sampling){0});
  assert_true(values.top_p != 0.44 && values.min_p != 0.33 && values.max_tokens != 55);
  assert_null(adam_manager_settings(m));
  adam_manager_close(&m);
  unsetenv("ADAM_MAX_TOKENS");
}

static void expect_name(adam_manager_options options, const char *name) {
  adam_manager *m = open_with(options);
  adam_model_info info = {.struct_size = sizeof info};
  assert_int_equal(adam_manager_info(m, &info, NULL), ADAM_OK);
  assert_string_equal(info.name, name);
  adam_manager_close(&m);
}

/* Who is stronger names the model; on one step a model before a domain. */
static void which_model(void **state) {
  (void)state;
  write_file("presets.ini",
             "[preset gone]\npath = /nowhere/at.gguf\n[domain field]\nmodels = gone, no/where, mock:first, "
             "mock:second\n"
             "[domain empty]\nsystem = x\n[domain lost]\nmodels = gone, no/where\n");
  write_file("settings.ini", "model = mock:file\n[profile p]\ndomain = field\n[profile q]\ndomain = empty\n");
  expect_name((adam_manager_options){0}, "mock:file");
  expect_name((adam_manager_options){.profile = "p"}, "mock:first");
  expect_name((adam_manager_options){.profile = "q"}, "mock:file"); /* it prefers nothing */
  expect_name((adam_manager_options){.domain = "field"}, "mock:first");
  expect_name((adam_manager_options){.domain = "field", .model = "mock:option"}, "mock:option");
  setenv("ADAM_MODEL", "mock:variable", 1);
  expect_name((adam_manager_options){.profile = "p"}, "mock:variable");
  expect_name((adam_manager_options){.domain = "field"}, "mock:first");
  unsetenv("ADAM_MODEL");
  adam_manager *m = NULL;
  adam_error error = {0};
  adam_manager_options options = {.struct_size = sizeof options, .domain = "lost"};
  assert_int_equal(adam_manager_open(&options, &m, &error), ADAM_NOT_FOUND);
  assert_non_null(strstr(error.hint, "adam pull gone"));
  options.domain = "feild";
  assert_int_equal(adam_manager_open(&options, &m, &error), ADAM_INVALID);
  assert_string_equal(error.hint, "did you mean field?");
  options = (adam_manager_options){.struct_size = sizeof options, .profile = "pp"};
  assert_int_equal(adam_manager_open(&options, &m, &error), ADAM_INVALID);
  write_file("settings.ini", "domain = feild\n");
  options.profile = NULL;
  assert_int_equal(adam_manager_open(&options, &m, &error), ADAM_INVALID);
  assert_non_null(strstr(error.what, "settings.ini, line 1"));
  assert_null(m);
}

/* A changed file of the user's is seen; a mistake in it is told and changes nothing. */
static void own_file(void **state) {
  (void)state;
  adam_settings *settings = NULL;
  adam_error error = {0};
  adam_domain domain = {.struct_size = sizeof domain};
  size_t n_before = 0, n = 0;
  write_file("settings.ini", NULL);
  write_file("presets.ini", NULL);
  assert_int_equal(adam_settings_open(NULL, &settings, NULL), ADAM_OK);
  adam_settings_close(&settings);
  while (adam_domain_at(n_before, &domain)) n_before++;
  assert_true(n_before >= 5);
  write_file("presets.ini", "[domain new]\nsystem = x\ntop_k = 3\n");
  assert_int_equal(adam_settings_open(&(adam_settings_options){.struct_size = sizeof(adam_settings_options),
                                                               .domain = "new"},
                                      &settings, NULL),
                   ADAM_OK);
  assert_string_equal(find(settings, "top_k").source, "domain");
  adam_settings_close(&settings);
  write_file("presets.ini", "[domain new]\nsystem = x\ntopk = 3\n");
  assert_int_equal(adam_settings_open(NULL, &settings, &error), ADAM_INVALID);
  assert_non_null(strstr(error.what, "presets.ini, line 3"));
  assert_string_equal(error.hint, "did you mean top_k or top_p?");
  while (adam_domain_at(n, &domain)) n++;
  assert_int_equal(n, n_before + 1);
  assert_true(domain.is_own && domain.sampling.top_k == 3);
  write_file("presets.ini", NULL);
  assert_int_equal(adam_settings_open(NULL, &settings, NULL), ADAM_OK);
  adam_settings_close(&settings);
  assert_false(adam_domain_at(n_before, &domain));
}

static void writing(void **state) {
  (void)state;
  char path[128];
  struct stat facts;
  adam_settings *settings = NULL;
  snprintf(path, sizeof path, "%s/settings.ini", folder);
  write_file("settings.ini", NULL);
  assert_int_equal(adam_settings_write(NULL, "top_k", "5", NULL), ADAM_OK);
  assert_int_equal(stat(path, &facts), 0);
  assert_int_equal(facts.st_mode & 0777, 0600);
  assert_int_equal(adam_settings_write("work", "top_k", "6", NULL), ADAM_OK);
  assert_int_equal(adam_settings_open(&(adam_settings_options){.struct_size = sizeof(adam_settings_options),
                                                               .profile = "work"},
                                      &settings, NULL),
                   ADAM_OK);
  assert_string_equal(find(settings, "top_k").value, "6");
  assert_string_equal(adam_settings_profile_at(settings, 0), "work");
  assert_null(adam_settings_profile_at(settings, 1));
  adam_settings_close(&settings);
  assert_int_equal(adam_settings_write(NULL, "top_k", NULL, NULL), ADAM_OK);
  assert_int_equal(adam_settings_write(NULL, "top_k", NULL, NULL), ADAM_NOT_FOUND);
  assert_int_equal(adam_settings_write(NULL, "topk", "1", NULL), ADAM_INVALID);
  write_file("settings.ini", NULL);
}

static int make_home(void **state) {
  (void)state;
  if (!mkdtemp(home)) return 1;
  setenv("HOME", home, 1);
  setenv("XDG_CONFIG_HOME", home, 1);
  setenv("HF_HUB_CACHE", home, 1);
  setenv("OLLAMA_MODELS", home, 1);
  snprintf(folder, sizeof folder, "%s/adam", home);
  return mkdir(folder, 0700);
}

static int remove_home(void **state) {
  (void)state;
  write_file("settings.ini", NULL);
  write_file("presets.ini", NULL);
  return rmdir(folder) || rmdir(home);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(order), cmocka_unit_test(which_model),
                                     cmocka_unit_test(own_file), cmocka_unit_test(writing)};
  return cmocka_run_group_tests(tests, make_home, remove_home);
}
