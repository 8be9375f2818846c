/* SPDX-License-Identifier: Apache-2.0 */
/* Masks over a vocabulary of a few tokens, by hand. */
#include "grammar/constraint.h"

#include "base/mem.h"
#include "grammar/grammar.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* By id; "" is a token that must never come. */
static const char *const words[] = {"",    "a", "b", "ab", "abc", "c", " a",   " ",    "\"", "{\"",
                                    "\":", "}", "1", ",",  "[",   "]", "\xc3", "\xa9", "  a"};
enum { N_WORDS = sizeof words / sizeof *words };

static adam_status next_word(void *user, int32_t id, const char **bytes, size_t *n_bytes, adam_error *error) {
  (void)user, (void)error;
  *bytes = words[id];
  *n_bytes = strlen(words[id]);
  return ADAM_OK;
}

typedef struct fixture {
  am_trie *trie;
  am_grammar *grammar;
  am_constraint *constraint;
} fixture;

static adam_status begin(fixture *f, const char *regex, bool drops_space) {
  adam_status status = am_trie_open(N_WORDS, next_word, NULL, &f->trie, NULL);
  if (!status) status = am_grammar_open_regex(regex, strlen(regex), &f->grammar, NULL);
  return status ? status : am_constraint_open(f->grammar, f->trie, drops_space, &f->constraint, NULL);
}

static void end(fixture *f) {
  am_constraint_close(&f->constraint);
  am_grammar_close(&f->grammar);
  am_trie_close(&f->trie);
}

/* The ids of the mask as a sum of bits must be those of the listed words. */
static void assert_mask(fixture *f, uint64_t n_left, const char *const *expected) {
  const uint64_t *mask = NULL;
  uint64_t wanted = 0;
  for (; *expected; expected++)
    for (size_t id = 1; id < N_WORDS; id++)
      if (strcmp(words[id], *expected) == 0) wanted |= (uint64_t)1 << id;
  assert_int_equal(am_constraint_mask(f->constraint, n_left, &mask, NULL), ADAM_OK);
  assert_int_equal(mask[0], wanted);
}
#define MASK(f, n, ...) assert_mask(f, n, (const char *const[]){__VA_ARGS__, NULL})
#define NO_MASK(f, n) assert_mask(f, n, (const char *const[]){NULL})

static void take(fixture *f, const char *word) {
  for (int32_t id = 1; id < N_WORDS; id++)
    if (strcmp(words[id], word) == 0) {
      assert_int_equal(am_constraint_accept(f->constraint, id, NULL), ADAM_OK);
      return;
    }
  fail_msg("no word %s", word);
}

static uint64_t least(fixture *f, uint64_t n, adam_status expected) {
  uint64_t found = 99;
  adam_error error = {0};
  assert_int_equal(am_constraint_fit(f->constraint, n, &found, &error), expected);
  return found;
}

static void masks_follow_the_text(void **state) {
  (void)state;
  fixture f = {0};
  assert_int_equal(begin(&f, "(ab|abca)c?", false), ADAM_OK);
  MASK(&f, 9, "a", "ab", "abc");
  take(&f, "ab");
  assert_true(am_constraint_ends(f.constraint) && !am_constraint_is_over(f.constraint));
  MASK(&f, 9, "c");
  take(&f, "c");
  MASK(&f, 9, "a");
  take(&f, "a");
  MASK(&f, 9, "c");
  assert_int_equal(am_constraint_accept(f.constraint, 2, NULL), ADAM_INVALID); /* b cannot follow */
  take(&f, "c");
  assert_true(am_constraint_is_over(f.constraint));
  NO_MASK(&f, 9);
  end(&f);
}

static void room_to_close_is_kept(void **state) {
  (void)state;
  fixture f = {0};
  assert_int_equal(begin(&f, "\\[(1,)*a\\]", false), ADAM_OK);
  assert_int_equal(least(&f, 3, ADAM_OK), 3); /* [ a ] */
  assert_int_equal(least(&f, 2, ADAM_INVALID), 3);
  MASK(&f, 3, "[");
  take(&f, "[");
  MASK(&f, 3, "a"); /* 1 , a ] would be four */
  MASK(&f, 4, "1", "a");
  MASK(&f, 2, "a");
  take(&f, "a");
  MASK(&f, 1, "]");
  end(&f);
}

static void the_fewest_tokens_are_found(void **state) {
  (void)state;
  fixture f = {0};
  assert_int_equal(begin(&f, "11|abcab", false), ADAM_OK); /* 11 has fewer bytes, abc ab as few tokens */
  assert_int_equal(least(&f, 1, ADAM_INVALID), 2);
  end(&f);
  assert_int_equal(begin(&f, "111|abcab", false), ADAM_OK);
  assert_int_equal(least(&f, 2, ADAM_OK), 2);
  MASK(&f, 2, "abc"); /* 1 and ab need three in all */
  take(&f, "abc");
  MASK(&f, 1, "ab");
  end(&f);
}

static void parts_of_characters_are_finished(void **state) {
  (void)state;
  fixture f = {0};
  assert_int_equal(begin(&f, "(\\u00e9|a)+", false), ADAM_OK);
  MASK(&f, 1, "a");
  MASK(&f, 2, "a", "\xc3");
  take(&f, "\xc3");
  assert_false(am_constraint_ends(f.constraint));
  MASK(&f, 1, "\xa9");
  end(&f);
}

static void a_first_space_is_dropped(void **state) {
  (void)state;
  fixture f = {0};
  assert_int_equal(begin(&f, "a a", true), ADAM_OK);
  assert_int_equal(least(&f, 2, ADAM_OK), 2);
  MASK(&f, 2, "a", " a"); /* not "  a", whose second space would stay */
  take(&f, " a");
  MASK(&f, 1, " a");
  take(&f, " a");
  assert_true(am_constraint_is_over(f.constraint));
  end(&f);
}

static void what_cannot_be_written_is_told(void **state) {
  (void)state;
  fixture f = {0};
  uint64_t found = 0;
  assert_int_equal(begin(&f, "x+", false), ADAM_OK); /* no token has an x */
  assert_int_equal(am_constraint_fit(f.constraint, 100, &found, NULL), ADAM_UNSUPPORTED);
  end(&f);
  assert_int_equal(begin(&f, "x|b", false), ADAM_OK);
  assert_int_equal(am_constraint_fit(f.constraint, 100, &found, NULL), ADAM_OK);
  MASK(&f, 9, "b");
  end(&f);
}

static void survives_failing_allocations(void **state) {
  (void)state;
  for (uint64_t n = 1;; n++) {
    fixture f = {0};
    const uint64_t *mask = NULL;
    uint64_t found = 0;
    am_mem_fault_set(n);
    adam_status status = begin(&f, "\\[(1,)*a\\]", false);
    if (!status) status = am_constraint_fit(f.constraint, 3, &found, NULL);
    if (!status) status = am_constraint_mask(f.constraint, 3, &mask, NULL);
    if (!status) status = am_constraint_accept(f.constraint, 14, NULL);
    if (!status) status = am_constraint_mask(f.constraint, 2, &mask, NULL);
    bool fired = am_mem_fault_fired();
    am_mem_fault_set(0);
    end(&f);
    if (!fired) {
      assert_int_equal(status, ADAM_OK);
      break;
    }
    assert_true(status == ADAM_NO_MEMORY || status == ADAM_LIMIT);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(masks_follow_the_text),        cmocka_unit_test(room_to_close_is_kept),
      cmocka_unit_test(the_fewest_tokens_are_found),  cmocka_unit_test(parts_of_characters_are_finished),
      cmocka_unit_test(a_first_space_is_dropped),     cmocka_unit_test(what_cannot_be_written_is_told),
      cmocka_unit_test(survives_failing_allocations),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
