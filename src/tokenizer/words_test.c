/* SPDX-License-Identifier: Apache-2.0 */
/* The hand-made matchers against PCRE2 on random text: same words, everywhere. */
#include "tokenizer/words.h"

#include "base/buf.h"
#include "base/rng.h"
#include "tokenizer/regex.h"
#include "tokenizer/unicode.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TEXTS 30000
#define MOST_CHARACTERS 40

static adam_error error;
static uint64_t position;

static uint32_t draw(uint32_t n) {
  uint32_t out[4];
  am_rng_philox(42, position++, out);
  return out[0] % n;
}

/* Characters where the patterns decide, then whole blocks, then anything. */
static uint32_t draw_character(void) {
  static const uint32_t telling[] = {
      ' ',     ' ',     ' ',     '\n',   '\r',   '\t',     '\v',    '\f',    0x85,    0xA0,    0x1680, 0x180E,
      0x2000,  0x200B,  0x2028,  0x202F, 0x205F, 0x3000,   0xFEFF,  '\'',    '\'',    's',     'S',    't',
      'T',     'r',     'e',     'R',    'E',    'v',      'V',     'm',     'M',     'l',     'L',    'd',
      'D',     0x17F,   0x2019,  'K',    0x212A, 0x149,    '0',     '1',     '9',     0xB2,    0xBD,   0x660,
      0x966,   0x2160,  0x2460,  0x3007, 0xFF11, 0x1D7D8,  0x11DE0, 0x10D40, 0x16D70, 0x1CCF0, 'a',    'Z',
      0xAA,    0xE9,    0x301,   0x345,  0x5D0,  0x627,    0x915,   0x93E,   0x1C5,   0x2B0,   0x3042, 0x65E5,
      0xAC00,  0x10400, 0x323AF, 0x1C89, 0xA7CB, '.',      '!',     '_',     '$',     '<',     '|',    0x3002,
      0x1F600, 0x200D,  0x1F3FD, 0xFFFD, 0xE000, 0x10FFFF, 0,       1,       0x7F};
  switch (draw(8)) {
    case 0:
      return draw(0x3000);
    case 1: {
      uint32_t c = draw(0x110000);
      return c >= 0xD800 && c < 0xE000 ? 0xFFFD : c;
    }
    case 2:
      return draw(128);
    default:
      return telling[draw(sizeof telling / sizeof telling[0])];
  }
}

static void compare(am_word_end matcher, const am_regex *regex, am_matcher *memory, const am_buf *text) {
  am_regex_scan scan = am_regex_begin(regex, memory, text->data, text->len);
  size_t start = 0, end = 0, p = 0;
  bool found;
  while (p < text->len) {
    assert_int_equal(am_regex_next(&scan, &found, &start, &end, &error), ADAM_OK);
    size_t mine = matcher((const uint8_t *)text->data, text->len, p);
    if (!found || start != p || mine != end) {
      for (size_t i = 0; i < text->len; i++) print_error("%02X ", (unsigned char)text->data[i]);
      fail_msg("at %zu: regex %zu to %zu, matcher to %zu", p, start, end, mine);
    }
    p = mine;
  }
}

static void check_pattern(const char *pattern) {
  am_regex *regex = NULL;
  am_matcher *memory = am_matcher_open();
  am_word_end matcher = am_word_matcher(pattern);
  am_buf text = {0};
  assert_non_null(memory);
  assert_non_null(matcher);
  assert_int_equal(am_regex_open(pattern, strlen(pattern), false, &regex, &error), ADAM_OK);
  for (int i = 0; i < TEXTS; i++) {
    am_buf_clear(&text);
    for (uint32_t n = 1 + draw(MOST_CHARACTERS); n > 0; n--) {
      uint32_t c = draw_character();
      for (uint32_t k = draw(4) ? 1 : 1 + draw(4); k > 0; k--) am_buf_append_codepoint(&text, c);
    }
    compare(matcher, regex, memory, &text);
  }
  am_buf_close(&text);
  am_regex_close(&regex);
  am_matcher_close(&memory);
}

static void gpt2(void **state) {
  (void)state;
  check_pattern(am_word_pattern_gpt2);
}

static void qwen2(void **state) {
  (void)state;
  check_pattern(am_word_pattern_qwen2);
}

static void llama3(void **state) {
  (void)state;
  check_pattern(am_word_pattern_llama3);
}

/* Digits alone, the rest by the matcher as if the digits were the end of the text. */
static void isolated_digits(void **state) {
  static const char text[] = "ab  12 'll3 x";
  static const size_t ends[] = {2, 4, 5, 6, 8, 10, 11, 13}; /* ab|  |1|2| '|ll|3| x */
  size_t n = 0;
  (void)state;
  am_word_walk walk =
      am_word_begin(am_word_matcher(am_word_pattern_gpt2), AM_CLASS_NUMERIC, text, strlen(text));
  while (walk.position < walk.end) {
    assert_true(n < sizeof ends / sizeof ends[0]);
    size_t end = am_word_next(&walk);
    assert_int_equal(end, ends[n++]);
  }
  assert_int_equal(n, sizeof ends / sizeof ends[0]);
}

static void unknown_pattern(void **state) {
  (void)state;
  assert_null(am_word_matcher("\\p{L}+"));
}

static int open_tables(void **state) {
  (void)state;
  am_unicode_open();
  return 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(gpt2),
      cmocka_unit_test(qwen2),
      cmocka_unit_test(llama3),
      cmocka_unit_test(isolated_digits),
      cmocka_unit_test(unknown_pattern),
  };
  return cmocka_run_group_tests(tests, open_tables, NULL);
}
