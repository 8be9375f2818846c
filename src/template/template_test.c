/* SPDX-License-Identifier: Apache-2.0 */
#include "template/template.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <pthread.h>

#include "base/mem.h"

static adam_status render_text(const char *text, size_t n_bytes, const char *json,
                               const am_template_limits *limits, am_buf *out, adam_error *error) {
  am_arena arena = {0};
  am_json variables;
  am_template *tmpl = NULL;
  adam_status status = am_json_parse(json, strlen(json), "variables", 0, &arena, &variables, error);
  if (!status) status = am_template_open("test", text, n_bytes, &tmpl, error);
  if (!status) status = am_template_render(tmpl, &variables, limits, 1750000000, out, error);
  am_template_close(&tmpl);
  am_arena_close(&arena);
  return status;
}

static void expect(const char *text, const char *json, const char *wanted) {
  am_buf out = {0};
  adam_error error = {0};
  adam_status status = render_text(text, strlen(text), json, NULL, &out, &error);
  if (status) fail_msg("%s: %s", text, error.why);
  assert_string_equal(out.data ? out.data : "", wanted);
  am_buf_close(&out);
}

static void expect_error(const char *text, const char *why) {
  am_buf out = {0};
  adam_error error = {0};
  assert_int_equal(render_text(text, strlen(text), "{}", NULL, &out, &error), ADAM_TEMPLATE);
  assert_string_equal(error.why, why);
  assert_string_equal(error.what, "test");
  assert_null(out.data); /* untouched */
}

/* Lines and words are those of Jinja 3.1.6 and Python 3.11. */
static void errors_name_the_line(void **state) {
  (void)state;
  expect_error("a\n{{ x.y }}", "line 2: 'x' is undefined");
  expect_error("\n\n{{ {}.a.b }}", "line 3: 'dict object' has no attribute 'a'");
  expect_error("{% if 1 %}\n{{ 1 / 0 }}{% endif %}", "line 2: division by zero");
  expect_error("{{ raise_exception('roles must alternate') }}", "line 1: roles must alternate");
  expect_error("{% macro m() %}\n{{ 'a' + 1 }}\n{% endmacro %}\n\n{{ m() }}",
               "line 2: can only concatenate str (not \"int\") to str");
  expect_error("x\n{% for a in none %}{% endfor %}", "line 2: 'NoneType' object is not iterable");
  expect_error("{{ [].append(1) }}", "line 1: access to attribute 'append' of 'list' object is unsafe.");
  expect_error("{% set ns = namespace() %}\n{% set x.y = 1 %}",
               "line 2: cannot assign attribute on non-namespace object");
  expect_error("{{ range(100001) }}",
               "line 1: Range too big. The sandbox blocks ranges larger than MAX_RANGE (100000).");
  expect_error("{{ 'a' < 1 }}", "line 1: '<' not supported between instances of 'str' and 'int'");
}

static void syntax_errors_name_the_line(void **state) {
  (void)state;
  expect_error("a\n{{ 1 +", "line 2: unexpected 'end of template'");
  expect_error("{% if x %}\n\nabc",
               "line 2: Unexpected end of template. Jinja was looking for the following tags: 'elif' or "
               "'else' or 'endif'. The innermost block that needs to be closed is 'if'.");
  expect_error("\n{% nope %}", "line 2: Encountered unknown tag 'nope'.");
  expect_error("\n\n{{ x|nope }}", "line 3: No filter named 'nope'.");
  expect_error("{{ x is nope }}", "line 1: No test named 'nope'.");
  expect_error("{{ (1] }}", "line 1: unexpected ']', expected ')'");
  expect_error("{{ a b }}", "line 1: expected token 'end of print statement', got 'b'");
  expect_error("{# open", "line 1: Missing end of comment tag");
  expect_error("{% break %}", "line 1: 'break' outside loop");
  expect_error("{{ 'abc }}", "line 1: unexpected char '''");
}

static void variables_keep_their_order_and_kind(void **state) {
  (void)state;
  expect("{{ d|tojson }} {{ d }}", "{\"d\": {\"z\": 1, \"a\": 1.0, \"n\": null, \"s\": \"\\u00e9\"}}",
         "{\"z\": 1, \"a\": 1.0, \"n\": null, \"s\": \"\xc3\xa9\"} {'z': 1, 'a': 1.0, 'n': None, 's': "
         "'\xc3\xa9'}");
  expect("{{ d }}", "{\"d\": {\"a\": 1, \"b\": 2, \"a\": 3}}", "{'a': 3, 'b': 2}");
  expect("{{ big }} {{ big|tojson }}", "{\"big\": 100000000000000000000}",
         "100000000000000000000 100000000000000000000");
  expect("{{ x|length }}", "{\"x\": \"a\\u0000b\"}", "3");
}

/* --- hostile templates --- */
static void *repeated(const char *part, size_t times, const char *tail) {
  size_t n = strlen(part);
  char *text = malloc(n * times + strlen(tail) + 1);
  for (size_t i = 0; i < times; i++) memcpy(text + i * n, part, n);
  strcpy(text + n * times, tail);
  return text;
}

static void expect_refused(const char *text, adam_status wanted, const char *words) {
  am_buf out = {0};
  adam_error error = {0};
  adam_status status = render_text(text, strlen(text), "{}", NULL, &out, &error);
  if (status != wanted || !strstr(error.why, words))
    fail_msg("%.60s...: %s: %s", text, adam_status_name(status), status ? error.why : "rendered");
  am_buf_close(&out);
}

static void work_is_bounded(void **state) {
  (void)state;
  expect_refused("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", ADAM_TEMPLATE, "nested too deep");
  expect_refused(
      "{% macro a() %}{{ b() }}{% endmacro %}{% macro b() %}{% call a() %}x{% endcall %}{{ caller() }}{% "
      "endmacro %}{{ a() }}",
      ADAM_TEMPLATE, "");
  expect_refused("{% for x in [[]] recursive %}{{ loop([x]) }}{% endfor %}", ADAM_TEMPLATE,
                 "nested too deep");
  expect_refused("{% block b %}{{ self.b() }}{% endblock %}", ADAM_TEMPLATE, "nested too deep");
  expect_refused(
      "{% for a in range(100000) %}{% for b in range(100000) %}{% for c in range(100000) %}{% endfor %}{% "
      "endfor %}{% endfor %}",
      ADAM_LIMIT, "too much work");
  expect_refused("{{ 'a' * 1000000000 }}", ADAM_LIMIT, "too much text");
  expect_refused("{{ [1] * 1000000000 }}", ADAM_LIMIT, "too much memory");
  expect_refused("{{ [1] * 9000000000000000000 }}", ADAM_LIMIT, "too much memory");
  expect_refused("{{ '%1000000000d' % 1 }}", ADAM_LIMIT, "too much text");
  expect_refused("{{ 'a'.center(1000000000) }}", ADAM_LIMIT, "too much text");
  expect_refused("{% for x in range(100000) %}{{ 'x' * 10000 }}{% endfor %}", ADAM_LIMIT, "too much");
  expect_refused(
      "{% set ns = namespace(s='x') %}{% for i in range(100) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
      ADAM_LIMIT, "too much");
  expect_refused(
      "{% set ns = namespace(l=[]) %}{% for i in range(100000) %}{% set ns.l = [ns.l] %}{% endfor %}{{ ns.l "
      "}}",
      ADAM_TEMPLATE, "nested too deep");
  expect_refused(
      "{% set ns = namespace(l=1) %}{% for i in range(100000) %}{% set ns.l = (ns.l,) %}{% endfor %}{{ "
      "{}[ns.l] }}{{ {ns.l: 1} }}",
      ADAM_TEMPLATE, "nested too deep");
  expect_refused(
      "{% set ns = namespace(l=[1]) %}{% for i in range(100000) %}{% set ns.l = ns.l|map('string') %}{% "
      "endfor %}{{ ns.l|list }}",
      ADAM_TEMPLATE, "nested too deep");
  expect_refused("{% set ns = namespace() %}{% set ns.me = ns %}{{ ns }}", ADAM_TEMPLATE, "nested too deep");
  expect_refused("{% set a = 'a' * 3000000 %}{% set b = ('a' * 100000) + 'b' %}{{ a.rfind(b) }}", ADAM_LIMIT,
                 "too much work");
  expect_refused("{% set big = ' ' * 6000000 %}{% for i in range(100000) %}{% set x = big|int %}{% endfor %}",
                 ADAM_LIMIT, "too much work");
  expect_refused(
      "{% set big = 'x' * 6000000 %}{% for i in range(100000) %}{% set x = big in {} %}{% endfor %}",
      ADAM_LIMIT, "too much work");
  expect_refused(
      "{% for i in range(100000) %}{% for k in [1] %}{% filter upper %}{{ 'x' * 6000000 }}{% break %}{% "
      "endfilter %}{% endfor %}{% endfor %}",
      ADAM_LIMIT, "too much");
}

static void nesting_is_bounded(void **state) {
  (void)state;
  static const struct {
    const char *head, *part, *tail;
    adam_status status;
  } cases[] = {{"{{ ", "(", "1 }}", ADAM_TEMPLATE},
               {"{{ ", "[", "1 }}", ADAM_TEMPLATE},
               {"{{ ", "{1:", "1 }}", ADAM_TEMPLATE},
               {"{{ ", "not ", "1 }}", ADAM_TEMPLATE},
               {"{{ ", "-", "1 }}", ADAM_TEMPLATE},
               {"{{ 1", "+1", " }}", ADAM_TEMPLATE},
               {"{{ x", ".y", " }}", ADAM_TEMPLATE},
               {"{{ x", "|e", " }}", ADAM_TEMPLATE},
               {"{{ x", "()", " }}", ADAM_TEMPLATE},
               {"{{ 1", "<2", " }}", ADAM_TEMPLATE},
               {"{{ 1 ", "if 1 else 1 ", " }}", ADAM_TEMPLATE},
               {"", "{% if 1 %}", "", ADAM_TEMPLATE},
               {"", "{% for x in [1] %}", "", ADAM_TEMPLATE},
               {"{{ f(", "a,", ") }}", ADAM_TEMPLATE},
               {"{{ x", "[", " }}", ADAM_TEMPLATE},
               {"{{ 1 ", "and 1 ", " }}", ADAM_TEMPLATE},
               {"{% set ", "(", "a = 1 %}", ADAM_TEMPLATE},
               {"{{ a is ", "b is ", "c }}", ADAM_TEMPLATE}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char *middle = repeated(cases[i].part, 50000, cases[i].tail);
    char *text = malloc(strlen(cases[i].head) + strlen(middle) + 1);
    strcpy(text, cases[i].head);
    strcat(text, middle);
    expect_refused(text, cases[i].status, "line 1: ");
    free(text);
    free(middle);
  }
}

/* Long but flat: these are fine. */
static void length_is_not_depth(void **state) {
  (void)state;
  char *text = repeated("{% if no %}{% elif 1 %}x{% endif %}", 2000, "");
  char *wanted = repeated("x", 2000, "");
  expect(text, "{}", wanted);
  free(text);
  text = repeated("~'x'", 1999, " }}");
  char *whole = malloc(strlen(text) + 16);
  strcpy(whole, "{{ 'x'");
  strcat(whole, text);
  expect(whole, "{}", wanted);
  free(whole);
  free(text);
  free(wanted);
}

static void limits_are_the_callers(void **state) {
  (void)state;
  const char *text = "{% for i in range(1000) %}{{ '0123456789' ~ i }}{% endfor %}";
  am_template_limits steps = {.max_steps = 500}, output = {.max_output_bytes = 5000},
                     memory = {.max_memory_bytes = 20000};
  const am_template_limits *all[] = {&steps, &output, &memory};
  for (int i = 0; i < 3; i++) {
    am_buf out = {0};
    adam_error error = {0};
    assert_int_equal(render_text(text, strlen(text), "{}", all[i], &out, &error), ADAM_LIMIT);
    assert_null(out.data);
  }
  const char *deep = "{% macro m(n) %}{% if n %}{{ m(n - 1) }}{% endif %}.{% endmacro %}{{ m(9) }}";
  am_template_limits depth = {.max_depth = 10};
  am_buf out = {0};
  adam_error error = {0};
  assert_int_equal(render_text(deep, strlen(deep), "{}", &depth, &out, &error), ADAM_OK);
  assert_string_equal(out.data, "..........");
  depth.max_depth = 9;
  assert_int_equal(render_text(deep, strlen(deep), "{}", &depth, &out, &error), ADAM_TEMPLATE);
  am_buf_close(&out);
}

static void output_is_appended(void **state) {
  (void)state;
  am_buf out = {0};
  adam_error error = {0};
  am_buf_append_str(&out, "before ");
  assert_int_equal(render_text("{{ x }}", 7, "{\"x\": 1}", NULL, &out, &error), ADAM_OK);
  assert_string_equal(out.data, "before 1");
  assert_int_equal(render_text("a{{ x.y }}", 10, "{}", NULL, &out, &error), ADAM_TEMPLATE);
  assert_string_equal(out.data, "before 1");
  am_buf_close(&out);
  assert_int_equal(render_text("\xff", 1, "{}", NULL, &out, &error), ADAM_TEMPLATE);
  assert_int_equal(render_text("x", 1, "[]", NULL, &out, &error), ADAM_INVALID);
}

static const char everything[] =
    "{% set ns = namespace(a=[1, 2.5, 'x'|upper], d={'k': (1, none)}) %}{% macro m(a, b='y') %}{{ a }}{{ b ~ "
    "caller() }}{{ kwargs }}"
    "{% endmacro %}{% call m(1, c=2) %}body{% endcall %}{% for k, v in d|dictsort if v recursive %}{{ "
    "loop.index }}{{ loop.last }}"
    "{{ loop([]) }}{% endfor %}{{ d|tojson(indent=2) }}{{ 'a b'.split()|map('title')|join('-') }}{% set t "
    "%}{{ '%5.2f' % 1.5 }}{% endset %}{{ t }}"
    "{{ users|groupby('n')|list }}{{ users|sort(attribute='n')|selectattr('n')|list }}{{ '{:>5}'.format('x') "
    "}}{% filter indent %}a\nb{% endfilter %}"
    "{{ strftime_now('%Y') }}{{ 'long words wrap'|wordwrap(5) }}{{ [3, 1]|sort|unique|list }}{{ "
    "d.items()|list }}{% with q=1 %}{{ q }}{% endwith %}"
    "{{ '<a>'|e + 'b' }}{% generation %}g{% endgeneration %}{{ range(3)|sum }}{% block b %}{{ self.b is "
    "callable }}{% endblock %}{{ x is defined }}";

/* Every allocation fails once: the status says so, nothing leaks, nothing is written. */
static void failing_allocations_are_clean(void **state) {
  (void)state;
  const char *json =
      "{\"d\": {\"b\": 1, \"a\": [1, {\"x\": null}]}, \"users\": [{\"n\": \"b\"}, {\"n\": \"a\"}]}";
  am_arena arena = {0};
  am_json variables;
  adam_error error;
  assert_int_equal(am_json_parse(json, strlen(json), "v", 0, &arena, &variables, &error), ADAM_OK);
  for (uint64_t n = 1;; n++) {
    am_template *tmpl = NULL;
    am_buf out = {0};
    am_mem_fault_set(n);
    adam_status status = am_template_open("test", everything, sizeof everything - 1, &tmpl, &error);
    if (!status) status = am_template_render(tmpl, &variables, NULL, 1, &out, &error);
    int fired = am_mem_fault_fired();
    am_mem_fault_set(0);
    if (fired) assert_int_equal(status, ADAM_NO_MEMORY);
    am_template_close(&tmpl);
    assert_null(tmpl);
    am_buf_close(&out);
    if (!fired) {
      if (status) fail_msg("%s", error.why);
      assert_true(n > 10);
      break;
    }
  }
  am_arena_close(&arena);
}

/* --- one compiled template, many threads --- */
static am_template *shared;

static void *render_often(void *wanted) {
  am_json variables = {.type = AM_JSON_OBJECT};
  adam_error error;
  size_t bad = 0;
  for (int i = 0; i < 200; i++) {
    am_buf out = {0};
    if (am_template_render(shared, &variables, NULL, 1, &out, &error) || strcmp(out.data, wanted) != 0) bad++;
    am_buf_close(&out);
  }
  return (void *)bad;
}

static void threads_share_a_template(void **state) {
  (void)state;
  const char *text =
      "{% set c = ['a', 'b'] %}{% for x in c %}{{ x ~ 'é'|upper }}{% endfor %}{{ {'k': 1.5}|tojson }}";
  char wanted[] =
      "a\xc3\x89"
      "b\xc3\x89{\"k\": 1.5}";
  adam_error error;
  pthread_t threads[4];
  assert_int_equal(am_template_open("shared", text, strlen(text), &shared, &error), ADAM_OK);
  pthread_attr_t small; /* threads of a server may have little stack */
  pthread_attr_init(&small);
  pthread_attr_setstacksize(&small, 1 << 20);
  for (int i = 0; i < 4; i++) assert_int_equal(pthread_create(&threads[i], &small, render_often, wanted), 0);
  for (int i = 0; i < 4; i++) {
    void *bad = NULL;
    pthread_join(threads[i], &bad);
    assert_null(bad);
  }
  pthread_attr_destroy(&small);
  am_template_close(&shared);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(errors_name_the_line),
                                     cmocka_unit_test(syntax_errors_name_the_line),
                                     cmocka_unit_test(variables_keep_their_order_and_kind),
                                     cmocka_unit_test(work_is_bounded),
                                     cmocka_unit_test(nesting_is_bounded),
                                     cmocka_unit_test(length_is_not_depth),
                                     cmocka_unit_test(limits_are_the_callers),
                                     cmocka_unit_test(output_is_appended),
                                     cmocka_unit_test(failing_allocations_are_clean),
                                     cmocka_unit_test(threads_share_a_template)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
