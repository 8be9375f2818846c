/* SPDX-License-Identifier: Apache-2.0 */
#include "settings/settings.h"

#include "base/mem.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static adam_status parse(const char *text, const char *profile, am_settings **out, adam_error *error) {
  return am_settings_parse(text, strlen(text), "s.ini", profile, true, out, error);
}

static const char sample[] =
    "; mine\ntemperature = 0.1\nmodel = demo\nprofile = home\nthreads = 3\n"
    "[profile home]\ntemperature = 0.2\n[profile my work]\ntop_p = 0.5\nsystem = A.\n B.\n";

static void layers(void **state) {
  (void)state;
  am_settings *s = NULL;
  am_layer layer;
  assert_int_equal(parse(sample, NULL, &s, NULL), ADAM_OK);
  assert_string_equal(am_settings_profile(s), "home");
  assert_string_equal(am_settings_text(s, AM_SETTING_SAMPLING, &layer), "0.2");
  assert_int_equal(layer, AM_LAYER_PROFILE);
  assert_string_equal(am_settings_where(s, AM_SETTING_SAMPLING), "s.ini, line 7");
  assert_string_equal(am_settings_text(s, AM_SETTING_MODEL, &layer), "demo");
  assert_int_equal(layer, AM_LAYER_FILE);
  assert_int_equal(am_settings_integer(s, AM_SETTING_THREADS), 3);
  assert_null(am_settings_text(s, AM_SETTING_DOMAIN, &layer));
  assert_int_equal(layer, AM_LAYER_NONE);
  assert_string_equal(am_settings_where(s, AM_SETTING_DOMAIN), "");
  am_settings_close(&s);

  setenv("ADAM_TEMPERATURE", "0.4", 1);
  setenv("ADAM_PROFILE", "my work", 1);
  setenv("ADAM_TOP_K", "", 1); /* empty is unset */
  assert_int_equal(parse(sample, NULL, &s, NULL), ADAM_OK);
  assert_string_equal(am_settings_text(s, AM_SETTING_SAMPLING, &layer), "0.4");
  assert_int_equal(layer, AM_LAYER_ENVIRONMENT);
  assert_string_equal(am_settings_where(s, AM_SETTING_SAMPLING), "ADAM_TEMPERATURE");
  assert_string_equal(am_settings_profile(s), "my work");
  assert_string_equal(am_settings_text(s, AM_SETTING_SYSTEM, NULL), "A.\nB.");
  adam_sampling values = am_settings_sampling(s);
  assert_int_equal(values.set, ADAM_SET_TEMPERATURE | ADAM_SET_TOP_P);
  assert_true(values.temperature == 0.4 && values.top_p == 0.5);
  am_settings_close(&s);

  assert_int_equal(parse(sample, "home", &s, NULL), ADAM_OK); /* who asks is stronger than the variable */
  assert_string_equal(am_settings_profile(s), "home");
  am_settings_close(&s);
  unsetenv("ADAM_PROFILE");
  setenv("ADAM_TEMPERATURE", "warm", 1);
  adam_error error = {0};
  assert_int_equal(parse(sample, NULL, &s, &error), ADAM_INVALID);
  assert_string_equal(error.what, "ADAM_TEMPERATURE");
  assert_null(s);
  unsetenv("ADAM_TEMPERATURE");
  unsetenv("ADAM_TOP_K");
}

static void mistakes(void **state) {
  (void)state;
  static const struct {
    const char *text, *profile, *what, *why, *hint;
  } cases[] = {
      {"\ntemprature = 1\n", NULL, "s.ini, line 2", "no setting is called 'temprature'",
       "did you mean temperature?"},
      {"max-tokens = 1\n", NULL, "s.ini, line 1", "'max-tokens'", "did you mean max_tokens?"},
      {"top_p = 2\n", NULL, "s.ini, line 1", "top_p: '2' is not a number above 0 and at most 1", ""},
      {"top_k = 99999999999999999999\n", NULL, "s.ini, line 1", "is not a whole number", ""},
      {"temperature = 0x1p3\n", NULL, "s.ini, line 1", "is not a number", ""},
      {"temperature = 1,5\n", NULL, "s.ini, line 1", "is not a number", ""},
      {"device = gpu\n", NULL, "s.ini, line 1", "'gpu' is not one of auto cpu cuda", ""},
      {"device =\n", NULL, "s.ini, line 1", "has no value", "remove the line"},
      {"ctx = 1\nctx = 2\n", NULL, "s.ini, line 2", "set in line 1 already", ""},
      {"model = a\nsize = b\n", NULL, "s.ini, line 2", "both name a model", ""},
      {"[profil x]\nctx = 1\n", NULL, "s.ini, line 2", "section 'profil x' is unknown", "[profile NAME]"},
      {"[profile]\nctx = 1\n", NULL, "s.ini, line 2", "has no name", ""},
      {"[profile a]\nprofile = b\n", NULL, "s.ini, line 2", "does not name a profile", ""},
      {"[profile work]\nctx = 1\n", "wrok", "wrok", "has no section [profile wrok]", "did you mean work?"},
      {"profile = gone\n", NULL, "gone", "has no section", ""},
      {"ctx = 1\n\xff\n", NULL, "s.ini, line 2", "no UTF-8", ""},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    am_settings *s = NULL;
    adam_error error = {0};
    assert_int_equal(parse(cases[i].text, cases[i].profile, &s, &error), ADAM_INVALID);
    if (strcmp(error.what, cases[i].what) != 0 || !strstr(error.why, cases[i].why) ||
        !strstr(error.hint, cases[i].hint))
      fail_msg("case %zu: %s: %s (%s)", i, error.what, error.why, error.hint);
    assert_null(s);
  }
}

static void edit(const char *text, const char *profile, const char *key, const char *value,
                 const char *want) {
  am_buf out = {0};
  adam_error error = {0};
  if (am_settings_edit(text, strlen(text), "s.ini", profile, key, value, &out, &error))
    fail_msg("%s: %s", error.what, error.why);
  assert_string_equal(out.data ? out.data : "", want);
  am_buf_close(&out);
}

static void edits(void **state) {
  (void)state;
  edit("", NULL, "ctx", "5", "ctx = 5\n");
  edit("", "w", "ctx", "5", "[profile w]\nctx = 5\n");
  edit("; c\nctx = 1 ; one\n; d\ntop_k = 2\n", NULL, "ctx", "5", "; c\nctx = 5\n; d\ntop_k = 2\n");
  edit("system = a\n b\n\n; c\nctx = 1\n", NULL, "system", "x\ny", "system = x\n y\n\n; c\nctx = 1\n");
  edit("system = a\n b\n\n; c\nctx = 1\n", NULL, "system", NULL, "\n; c\nctx = 1\n");
  edit("system = a\n; in between\n b\nctx = 1\n", NULL, "system", NULL, "ctx = 1\n");
  edit("[profile w]\nctx = 1\n", NULL, "ctx", "5", "ctx = 5\n\n[profile w]\nctx = 1\n");
  edit("ctx = 1\n\n[profile w]\ntop_k = 1\n\n[profile v]\ntop_k = 3\n", "w", "ctx", "5",
       "ctx = 1\n\n[profile w]\ntop_k = 1\nctx = 5\n\n[profile v]\ntop_k = 3\n");
  edit("ctx = 1", "w", "ctx", "5", "ctx = 1\n\n[profile w]\nctx = 5\n");
  edit("ctx = 1", NULL, "top_k", "5", "ctx = 1\ntop_k = 5\n");
  edit("ctx = 1\r\ntop_k = 2\r\n", NULL, "top_k", NULL, "ctx = 1\r\n");
  edit("[profile w]\nctx = 1\n[ profile w ]\ntop_k = 4", "w", "ctx", "9",
       "[profile w]\nctx = 9\n[ profile w ]\ntop_k = 4");
}

static void edits_refused(void **state) {
  (void)state;
  static const struct {
    const char *text, *profile, *key, *value;
    adam_status status;
  } cases[] = {
      {"", NULL, "cxt", "1", ADAM_INVALID},
      {"", NULL, "ctx", "many", ADAM_INVALID},
      {"", NULL, "ctx", NULL, ADAM_NOT_FOUND},
      {"[profile w]\nctx = 1\n", NULL, "ctx", NULL, ADAM_NOT_FOUND},
      {"wrong = 1\n", NULL, "ctx", "1", ADAM_INVALID},
      {"model = a\n", NULL, "size", "small", ADAM_INVALID},
      {"", NULL, "system", "a ; b", ADAM_INVALID},
      {"", NULL, "system", " a", ADAM_INVALID},
      {"", NULL, "system", "a\n\nb", ADAM_INVALID},
      {"", NULL, "model", "a\nctx = 1", ADAM_OK}, /* a line that goes on is no other key */
      {"", "a]b", "ctx", "1", ADAM_INVALID},
      {"", "a", "profile", "b", ADAM_INVALID},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    am_buf out = {0};
    adam_status status = am_settings_edit(cases[i].text, strlen(cases[i].text), "s.ini", cases[i].profile,
                                          cases[i].key, cases[i].value, &out, NULL);
    if (status != cases[i].status) fail_msg("case %zu: %d", i, (int)status);
    am_buf_close(&out);
  }
}

/* Each allocation fails once: an error or the whole result, and nothing is lost. */
static void no_memory(void **state) {
  (void)state;
  for (uint64_t n = 1;; n++) {
    am_settings *s = NULL;
    am_buf out = {0};
    am_mem_fault_set(n);
    adam_status read = parse(sample, NULL, &s, NULL);
    adam_status edited = am_settings_edit(sample, strlen(sample), "s.ini", "home", "ctx", "7", &out, NULL);
    int fired = am_mem_fault_fired();
    am_mem_fault_set(0);
    assert_true((read == ADAM_OK) == (s != NULL));
    am_settings_close(&s);
    am_buf_close(&out);
    if (!fired) break;
    /* A number that cannot be read for lack of memory is told as one that is none. */
    assert_true(read == ADAM_NO_MEMORY || edited == ADAM_NO_MEMORY || read == ADAM_INVALID ||
                edited == ADAM_INVALID);
  }
}

static int no_variables(void **state) {
  (void)state;
  for (unsigned id = 0; id < AM_SETTING_COUNT; id++)
    if (am_setting_row_of((am_setting_id)id).variable)
      unsetenv(am_setting_row_of((am_setting_id)id).variable);
  unsetenv("HF_HOME");
  unsetenv("HUGGINGFACE_HUB_CACHE");
  return 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(layers), cmocka_unit_test(mistakes),
                                     cmocka_unit_test(edits), cmocka_unit_test(edits_refused),
                                     cmocka_unit_test(no_memory)};
  return cmocka_run_group_tests(tests, no_variables, NULL);
}
