/* SPDX-License-Identifier: Apache-2.0 */
/* Which texts each kind of constraint takes, by hand; tests/golden/grammar_references_test.py asks Python. */
#include "grammar/grammar.h"

#include "base/mem.h"
#include "grammar/automaton.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

typedef enum kind { SCHEMA, GBNF, REGEX } kind;

static adam_status open_kind(kind k, const char *text, am_grammar **out, adam_error *error) {
  size_t n = strlen(text);
  return k == SCHEMA ? am_grammar_open_schema(text, n, out, error)
         : k == GBNF ? am_grammar_open_gbnf(text, n, out, error)
                     : am_grammar_open_regex(text, n, out, error);
}

static bool takes(const am_grammar *g, const char *text, uint32_t *cost) {
  bool all[256];
  am_automaton a;
  memset(all, 1, sizeof all);
  assert_int_equal(am_automaton_open(g, all, &a, NULL), ADAM_OK);
  uint32_t place = am_automaton_start(&a);
  *cost = a.places[place].cost;
  for (const char *c = text; *c && place; c++) place = am_automaton_next(&a, place, (uint8_t)*c);
  bool ends = place && a.places[place].ends;
  am_automaton_close(&a);
  return ends;
}

/* Texts are separated by | ; a text that begins with ! must not match; least: bytes of the shortest. */
static void check(kind k, const char *source, uint32_t least, const char *const *texts) {
  am_grammar *g = NULL;
  adam_error error = {0};
  uint32_t cost = 0;
  if (open_kind(k, source, &g, &error)) fail_msg("%s: %s", source, error.why);
  for (; *texts; texts++) {
    bool wanted = (*texts)[0] != '!';
    if (takes(g, *texts + !wanted, &cost) != wanted)
      fail_msg("%s %s %s", source, wanted ? "refuses" : "takes", *texts + !wanted);
    if (cost != least) fail_msg("%s: %u bytes at least, expected %u", source, cost, least);
  }
  am_grammar_close(&g);
}
#define CHECK(k, source, least, ...) check(k, source, least, (const char *const[]){__VA_ARGS__, NULL})

static void regular_expressions(void **state) {
  (void)state;
  CHECK(REGEX, "a{2,3}b?", 2, "aa", "aaa", "aab", "!a", "!aaaa", "!aabb", "!");
  CHECK(REGEX, "^(foo|ba[rz])+$", 3, "foo", "barbaz", "!ba", "!");
  CHECK(REGEX, "\\d+\\.\\d{2}", 4, "1.00", "!1.0", "!.00", "!\xd9\xa1.00");
  CHECK(REGEX, "[^a-y\\d]", 1, "z", "\xc3\xa9", "\xf0\x9f\x98\x80", "!a", "!5", "!\xd9\xa1", "!\xc3");
  CHECK(REGEX, ".", 1, "x", "\xe6\x97\xa5", "!\n", "!\xe2\x80\xa8", "!\xed\xa0\x80");
  CHECK(REGEX, "\\u00e9\\x41|\\t", 1,
        "\xc3\xa9"
        "A",
        "\t",
        "!\xe9"
        "A");
  CHECK(REGEX, "(a|)(b|)", 0, "", "a", "b", "ab", "!ba");
  CHECK(REGEX, "(?:x{0,2}){3}y{,1}", 0, "", "xxxxxx", "xy", "!xxxxxxx", "!yy");
  CHECK(REGEX, "a{x}", 4, "a{x}", "!a");
}

static void grammars(void **state) {
  (void)state;
  CHECK(GBNF, "root ::= \"a\" [b-d]+ # end\n", 2, "ab", "abcd", "!a", "!ae");
  CHECK(GBNF, "root ::= x (\",\" x)*\nx ::= \"1\" | \"2\" ", 1, "1", "1,2,1", "!1,", "!");
  CHECK(GBNF, "root ::= \"(\" root \")\" | \"x\"", 1, "x", "((x))", "!((x)", "!()");
  CHECK(GBNF, "root ::= a\n  | b\na ::= \"\\n\\x41\\\"\"\nb ::= [\\]\\-]{2}", 2, "\nA\"", "]-", "!]");
  CHECK(GBNF, "root ::= e \"?\"\ne ::= (\"\" | \"a\")*", 1, "?", "!a", "aa?");
}

static void schemas(void **state) {
  (void)state;
  CHECK(SCHEMA, "{\"type\":\"integer\",\"minimum\":-3,\"maximum\":120}", 1, "0", "-3", "120", "99", "!-4",
        "!121", "!007", "!-0", "!1.0");
  CHECK(SCHEMA, "{\"type\":\"integer\",\"exclusiveMinimum\":9,\"exclusiveMaximum\":12}", 2, "10", "11", "!9",
        "!12");
  CHECK(SCHEMA, "{\"type\":\"integer\",\"multipleOf\":7,\"minimum\":10}", 2, "14", "21", "7007", "!7", "!15");
  CHECK(SCHEMA, "{\"type\":\"number\",\"minimum\":0.5,\"exclusiveMaximum\":2}", 1, "1", "0.5", "0.51",
        "1.999", "!0.49", "!0", "!2", "!2.0");
  CHECK(SCHEMA, "{\"type\":\"number\",\"maximum\":-0.25}", 2, "-1", "-0.25", "-0.3", "!-0.2", "!0", "!1");
  CHECK(SCHEMA, "{\"type\":\"number\"}", 1, "0", "-1.5e+10", "12E3", "!01", "!1.", "!.5", "!+1");
  CHECK(SCHEMA, "{\"enum\":[\"a\",1,null]}", 1, "\"a\"", "1", "null", "!\"b\"");
  CHECK(SCHEMA, "{\"enum\":[\"a\",1,null],\"type\":[\"string\",\"null\"]}", 3, "\"a\"", "null", "!1");
  CHECK(SCHEMA, "{\"const\":{\"k\":[1,\"x\\n\"]}}", 15, "{\"k\":[1,\"x\\n\"]}", "!{}");
  CHECK(SCHEMA, "{\"type\":\"string\",\"minLength\":1,\"maxLength\":2}", 3, "\"a\"", "\"\xe6\x97\xa5\\n\"",
        "\"\\ud83d\\ude00x\"", "!\"\"", "!\"abc\"", "!\"\\ud83d\"", "!\"\\u0000\"", "!\"\n\"");
  CHECK(SCHEMA, "{\"type\":\"string\",\"pattern\":\"^[a-c]+\\\"$\",\"maxLength\":3}", 5, "\"a\\\"\"",
        "\"ab\\\"\"", "!\"abc\\\"\"", "!\"a\"");
  CHECK(SCHEMA, "{\"type\":\"string\",\"format\":\"date\"}", 12, "\"2024-02-29\"", "\"1999-12-31\"",
        "!\"2023-02-29\"", "!\"2024-13-01\"");
  CHECK(SCHEMA, "{\"properties\":{\"a\":{\"type\":\"null\"},\"b\":true},\"required\":[\"b\"]}", 7,
        "{\"b\":1}", "{\"a\":null,\"b\":[]}", "{ \"a\": null, \"b\": {} }", "!{\"a\":null}",
        "!{\"b\":1,\"a\":null}", "!{\"b\":1,\"c\":2}", "!{}");
  CHECK(SCHEMA,
        "{\"properties\":{\"ab\":{\"type\":\"null\"}},\"additionalProperties\":{\"type\":\"integer\"}}", 2,
        "{}", "{\"ab\":null,\"a\":1}", "{\"abc\":1,\"b\":2}", "!{\"ab\":1}", "!{\"a\":null}");
  CHECK(SCHEMA, "{\"type\":\"array\",\"items\":{\"type\":\"boolean\"},\"minItems\":1,\"maxItems\":2}", 6,
        "[true]", "[ false, true ]", "!+", "![]", "![true,true,true]", "![true,]");
  CHECK(SCHEMA, "{\"type\":\"array\",\"prefixItems\":[{\"const\":1},{\"const\":2}]}", 2, "[]", "[1]", "[1,2]",
        "![2]", "![1,2,3]");
  CHECK(SCHEMA,
        "{\"$ref\":\"#/$defs/t\",\"$defs\":{\"t\":{\"type\":\"array\",\"items\":{\"$ref\":\"#/$defs/t\"}}}}",
        2, "[]", "[[],[[]]]", "![1]");
  CHECK(SCHEMA,
        "{\"allOf\":[{\"type\":\"integer\",\"minimum\":3},{\"maximum\":5}],\"anyOf\":[{\"minimum\":5},{"
        "\"maximum\":3}]}",
        1, "3", "5", "!4");
  CHECK(SCHEMA, "true", 1, "0", "{\"a\":[null,{\"b\":\"c\"}]}", "[\n  1,\n  2\n]", "!", "!{a:1}",
        "![1,\n\n2]");
}

static void assert_fault(kind k, const char *source, const char *says) {
  am_grammar *g = NULL;
  adam_error error = {0};
  assert_int_equal(open_kind(k, source, &g, &error), ADAM_INVALID);
  assert_null(g);
  if (!strstr(error.why, says)) fail_msg("%s: \"%s\" does not say \"%s\"", source, error.why, says);
}

static void faults_are_told_with_their_place(void **state) {
  (void)state;
  assert_fault(REGEX, "ab(c", "offset 4");
  assert_fault(REGEX, "a(?=b)", "offset 2: lookaround");
  assert_fault(REGEX, "x^y", "two ends");
  assert_fault(GBNF, "root ::= a\n", "no rule a");
  assert_fault(GBNF, "a ::= \"x\"", "no rule root");
  assert_fault(GBNF, "root ::= \"x\"\nb ::= [z", "line 2");
  assert_fault(GBNF, "root ::= root \"a\" | \"b\"", "left recursion: root");
  assert_fault(GBNF, "root ::= e x\ne ::= \"\"\nx ::= e root | \"y\"", "left recursion");
  assert_fault(GBNF, "root ::= \"a\" root", "no text can match");
  assert_fault(SCHEMA, "{\"type\":\"object\",\"properties\":{\"a/b\":{\"not\":{}}}}",
               "\"not\" at #/properties/a/b");
  assert_fault(SCHEMA, "{\"type\":\"array\",\"uniqueItems\":true}", "\"uniqueItems\" at #:");
  assert_fault(SCHEMA, "{\"type\":\"thing\"}", "unknown type \"thing\"");
  assert_fault(SCHEMA, "{\"$ref\":\"#/$defs/x\"}", "nothing at #/$defs/x");
  assert_fault(SCHEMA, "{\"$ref\":\"http://x\"}", "\"$ref\"");
  assert_fault(SCHEMA, "{\"type\":\"string\",\"pattern\":\"(\"}", "\"pattern\" at #: offset 1");
  assert_fault(SCHEMA, "{\"type\":\"string\",\"format\":\"colour\"}", "unknown format");
  assert_fault(SCHEMA, "{\"enum\":[]}", "no text can match");
  assert_fault(SCHEMA, "false", "no text can match");
  assert_fault(SCHEMA, "{\"allOf\":[{\"type\":\"string\"},{\"type\":\"null\"}]}", "no text can match");
  assert_fault(SCHEMA, "{\"type\":", "byte 8");
  assert_fault(SCHEMA, "[]", "expected an object");
}

static void choices(void **state) {
  (void)state;
  am_grammar *g = NULL;
  uint32_t cost = 0;
  const char *list[] = {"yes", "yesterday"}, *empty[] = {"a", ""}, *bad[] = {"\xff"};
  assert_int_equal(am_grammar_open_choice(list, 2, &g, NULL), ADAM_OK);
  assert_true(takes(g, "yes", &cost) && takes(g, "yesterday", &cost) && !takes(g, "yest", &cost));
  assert_int_equal(cost, 3);
  am_grammar_close(&g);
  assert_int_equal(am_grammar_open_choice(empty, 2, &g, NULL), ADAM_INVALID);
  assert_int_equal(am_grammar_open_choice(bad, 1, &g, NULL), ADAM_INVALID);
  assert_int_equal(am_grammar_open_choice(list, 0, &g, NULL), ADAM_INVALID);
}

static void large_ones_are_limited(void **state) {
  (void)state;
  am_grammar *g = NULL;
  adam_error error = {0};
  uint32_t cost = 0;
  const char nested[] = "((((a{1000}){1000}){1000}){1000}){1000}"; /* rules are shared, so sizes add up */
  assert_int_equal(open_kind(REGEX, nested, &g, &error), ADAM_OK);
  assert_false(takes(g, "a", &cost));
  assert_int_equal(cost, UINT32_MAX - 1); /* 10^15 bytes: as many as can be counted */
  am_grammar_close(&g);
  assert_int_equal(open_kind(SCHEMA, "{\"type\":\"string\",\"maxLength\":999999999}", &g, &error),
                   ADAM_LIMIT);
  char deep[2100] = "";
  memset(deep, '(', 1000);
  memset(deep + 1000, ')', 1000);
  assert_int_equal(open_kind(REGEX, deep, &g, &error), ADAM_INVALID);
}

static void survives_failing_allocations(void **state) {
  (void)state;
  static const struct {
    kind k;
    const char *text;
  } cases[] = {{REGEX, "(a|[^b]){2,4}\\W"},
               {GBNF, "root ::= x+ \"y\"\nx ::= [a-z] | \"(\" root \")\""},
               {SCHEMA,
                "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\",\"pattern\":\"b\","
                "\"maxLength\":3},\"n\":{\"type\":"
                "\"number\",\"minimum\":0.5}},\"additionalProperties\":{\"enum\":[1,\"x\"]}}"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    for (uint64_t n = 1;; n++) {
      am_grammar *g = NULL;
      am_mem_fault_set(n);
      adam_status status = open_kind(cases[i].k, cases[i].text, &g, NULL);
      bool fired = am_mem_fault_fired();
      am_mem_fault_set(0);
      am_grammar_close(&g);
      if (!fired) {
        assert_int_equal(status, ADAM_OK);
        break;
      }
      assert_true(status == ADAM_OK || status == ADAM_NO_MEMORY || status == ADAM_LIMIT);
    }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(regular_expressions),
      cmocka_unit_test(grammars),
      cmocka_unit_test(schemas),
      cmocka_unit_test(faults_are_told_with_their_place),
      cmocka_unit_test(choices),
      cmocka_unit_test(large_ones_are_limited),
      cmocka_unit_test(survives_failing_allocations),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
