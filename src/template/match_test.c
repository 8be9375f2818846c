/* SPDX-License-Identifier: Apache-2.0 */
/* Which row of the table fits which Jinja. With FILE.jinja ... it prints one line of JSON for each, for
 * scripts; the tokens <s>, </s> and so on of the file's family are given by the script as FILE.tokens.json
 * beside it. */
#include "template/match.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/mem.h"

static const char chatml[] =
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";

static adam_status choose(const char *jinja, const char *tokens, am_match_tokenize tokenize, void *user,
                          am_match *out, adam_error *error) {
  am_template *tmpl = NULL;
  am_arena arena = {0};
  am_json special;
  adam_status status = am_json_parse(tokens, strlen(tokens), "tokens", 0, &arena, &special, error);
  if (!status) status = am_template_open("template", jinja, strlen(jinja), &tmpl, error);
  am_match_request request = {.jinja = tmpl, .special_tokens = &special, .tokenize = tokenize, .user = user};
  if (!status) status = am_match_choose(&request, out, error);
  am_template_close(&tmpl);
  am_arena_close(&arena);
  return status;
}

static void chatml_is_found(void **state) {
  (void)state;
  am_match found;
  adam_error error;
  assert_int_equal(choose(chatml, "{}", NULL, NULL, &found, &error), ADAM_OK);
  assert_true(found.fits);
  assert_string_equal(found.row->name, "chatml");
  assert_int_equal(found.verdicts[0], AM_MATCH_EQUAL);
  assert_false(found.dated);
}

static void what_fits_nowhere_is_told(void **state) {
  (void)state;
  am_match found;
  adam_error error;
  const char *jinja = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}<assistant>";
  assert_int_equal(choose(jinja, "{}", NULL, NULL, &found, &error), ADAM_OK);
  assert_false(found.fits);
  assert_non_null(strstr(found.difference, "one turn, byte 1: \"user>What"));
}

/* A Jinja that takes no system text: nothing to compare there. */
static void refused_conversations_do_not_count(void **state) {
  (void)state;
  am_match found;
  adam_error error;
  const char *jinja =
      "{{ bos_token }}{% if messages[0].role == 'system' %}{{ raise_exception('no') }}{% endif %}{% for m in "
      "messages "
      "%}{{ '<start_of_turn>' + ('model' if m.role == 'assistant' else m.role) + '\n' + m.content + "
      "'<end_of_turn>\n' "
      "}}{% endfor %}{{ '<start_of_turn>model\n' }}";
  assert_int_equal(choose(jinja, "{\"bos_token\": \"<bos>\"}", NULL, NULL, &found, &error), ADAM_OK);
  assert_true(found.fits);
  assert_string_equal(found.row->name, "gemma");
  assert_int_equal(found.verdicts[1], AM_MATCH_ABSENT);
}

/* Bytes as ids; Ollama's have a begin token, 1, in front where *user says so. */
static adam_status bytes_as_ids(void *user, const char *text, size_t n, bool by_ollama, int32_t **ids,
                                size_t *n_ids, adam_error *error) {
  size_t begins = by_ollama && *(bool *)user, skip = n >= 5 && memcmp(text, "<bos>", 5) == 0 ? 5 : 0;
  int32_t *out = am_mem_alloc((n + 2) * sizeof *out);
  if (!out) return am_fail_memory(error, "ids");
  *n_ids = 0;
  if (begins || skip) out[(*n_ids)++] = 1;
  for (size_t i = skip; i < n; i++) out[(*n_ids)++] = (unsigned char)text[i] + 10;
  *ids = out;
  return ADAM_OK;
}

static void begin_tokens_are_compared(void **state) {
  (void)state;
  am_match found;
  adam_error error;
  char jinja[sizeof chatml + 16];
  bool adds = true;
  snprintf(jinja, sizeof jinja, "{{ bos_token }}%s", chatml);
  assert_int_equal(choose(jinja, "{\"bos_token\": \"<bos>\"}", bytes_as_ids, &adds, &found, &error), ADAM_OK);
  assert_true(found.fits);
  adds = false; /* Ollama would add none, the model's template writes one */
  assert_int_equal(choose(jinja, "{\"bos_token\": \"<bos>\"}", bytes_as_ids, &adds, &found, &error), ADAM_OK);
  assert_false(found.fits);
  assert_non_null(strstr(found.difference, "one turn: the text is equal, but token 0 is 1"));
}

static void dates_are_told(void **state) {
  (void)state;
  am_match found;
  adam_error error;
  char jinja[sizeof chatml + 64];
  snprintf(jinja, sizeof jinja, "{{ strftime_now('%%d %%b %%Y') }}%s", chatml);
  assert_int_equal(choose(jinja, "{}", NULL, NULL, &found, &error), ADAM_OK);
  assert_true(found.dated);
}

static void what_cannot_render_is_an_error(void **state) {
  (void)state;
  am_match found;
  adam_error error;
  assert_int_equal(choose("{{ raise_exception('no') }}", "{}", NULL, NULL, &found, &error), ADAM_TEMPLATE);
}

static void memory_may_run_out(void **state) {
  (void)state;
  for (uint64_t n = 1;; n += n < 200 ? 1 : 97) {
    am_match found;
    adam_error error;
    am_mem_fault_set(n);
    adam_status status = choose(chatml, "{}", NULL, NULL, &found, &error);
    bool fired = am_mem_fault_fired();
    am_mem_fault_set(0);
    if (!fired) {
      assert_int_equal(status, ADAM_OK);
      break;
    }
    assert_true(status == ADAM_NO_MEMORY || status == ADAM_OK);
  }
}

static int report(const char *path) {
  static const char *const words[] = {"absent", "equal", "spelling", "differs"};
  char tokens[8192] = "{}", side[4096];
  static char text[1 << 20];
  snprintf(side, sizeof side, "%s.tokens.json", path);
  FILE *file = fopen(side, "rb");
  if (file) tokens[fread(tokens, 1, sizeof tokens - 1, file)] = 0, fclose(file);
  file = fopen(path, "rb");
  if (!file) return perror(path), 1;
  text[fread(text, 1, sizeof text - 1, file)] = 0;
  fclose(file);
  am_match found;
  adam_error error;
  adam_status status = choose(text, tokens, NULL, NULL, &found, &error);
  am_buf line = {0};
  if (status) {
    am_buf_append_str(&line, "{\"error\": ");
    am_json_write_string(&line, error.why, strlen(error.why));
  } else {
    am_buf_printf(&line, "{\"row\": \"%s\", \"fits\": %s, \"dated\": %s, \"verdicts\": {", found.row->name,
                  found.fits ? "true" : "false", found.dated ? "true" : "false");
    for (size_t i = 0; i < AM_MATCH_N; i++)
      am_buf_printf(&line, "%s\"%s\": \"%s\"", i ? ", " : "", am_match_conversation_name(i),
                    words[found.verdicts[i]]);
    am_buf_append_str(&line, "}, \"difference\": ");
    am_json_write_string(&line, found.difference, strlen(found.difference));
  }
  printf("%s}\n", line.data);
  am_buf_close(&line);
  return 0;
}

int main(int argc, char **argv) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(chatml_is_found),
      cmocka_unit_test(what_fits_nowhere_is_told),
      cmocka_unit_test(refused_conversations_do_not_count),
      cmocka_unit_test(begin_tokens_are_compared),
      cmocka_unit_test(dates_are_told),
      cmocka_unit_test(what_cannot_render_is_an_error),
      cmocka_unit_test(memory_may_run_out),
  };
  for (int i = 1; i < argc; i++)
    if (report(argv[i])) return 1;
  return argc > 1 ? 0 : cmocka_run_group_tests(tests, NULL, NULL);
}
