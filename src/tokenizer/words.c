/* SPDX-License-Identifier: Apache-2.0 */
#include "tokenizer/words.h"

#include "tokenizer/unicode.h"

#include <string.h>

const char am_word_pattern_gpt2[] =
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";
const char am_word_pattern_qwen2[] =
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|"
    "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
const char am_word_pattern_llama3[] =
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| "
    "?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

/* What the patterns tell apart. */
enum { LETTER = 1, NUMBER = 2, SPACE = 4, NEWLINE = 8 /* with SPACE */, OTHER = 16 };

#define L1 LETTER
#define N1 NUMBER
#define O1 OTHER
#define S1 SPACE
#define NL (SPACE | NEWLINE)
static const uint8_t ascii[128] = {
    O1, O1, O1, O1, O1, O1, O1, O1, O1, S1, NL, S1, S1, NL, O1, O1, O1, O1, O1, O1, O1, O1, O1, O1, O1, O1,
    O1, O1, O1, O1, O1, O1, S1, O1, O1, O1, O1, O1, O1, O1, O1, O1, O1, O1, O1, O1, O1, O1, N1, N1, N1, N1,
    N1, N1, N1, N1, N1, N1, O1, O1, O1, O1, O1, O1, O1, L1, L1, L1, L1, L1, L1, L1, L1, L1, L1, L1, L1, L1,
    L1, L1, L1, L1, L1, L1, L1, L1, L1, L1, L1, L1, L1, O1, O1, O1, O1, O1, O1, L1, L1, L1, L1, L1, L1, L1,
    L1, L1, L1, L1, L1, L1, L1, L1, L1, L1, L1, L1, L1, L1, L1, L1, L1, L1, L1, O1, O1, O1, O1, O1};
#undef L1
#undef N1
#undef O1
#undef S1
#undef NL

static inline int kind_at(const uint8_t *p, size_t *length) {
  if (*p < 0x80) return *length = 1, ascii[*p];
  uint32_t codepoint;
  *length = am_unicode_next(p, &codepoint);
  uint16_t value = am_unicode_class(codepoint);
  if (value & AM_CLASS_LETTER) return LETTER;
  if (value & AM_CLASS_NUMBER) return NUMBER;
  return value & AM_CLASS_SPACE ? SPACE : OTHER;
}

/* End of the run of characters of one kind that begins at p. */
static inline size_t run_of(const uint8_t *text, size_t end, size_t p, int kind) {
  while (p < end) {
    size_t length;
    if (text[p] < 0x80) {
      if (!(ascii[text[p]] & kind)) break;
      p++;
    } else {
      if (!(kind_at(text + p, &length) & kind)) break;
      p += length;
    }
  }
  return p;
}

/* \s+(?!\S)|\s+ from start: all of a run that reaches the end, else all but its last character. */
static size_t blank_run(const uint8_t *text, size_t end, size_t start) {
  size_t stop = run_of(text, end, start, SPACE);
  if (stop == end) return stop;
  size_t last = am_unicode_previous(text, stop);
  return last > start ? last : stop;
}

/* \s*[\r\n]+|\s+(?!\S)|\s+ from start. */
static size_t newline_run(const uint8_t *text, size_t end, size_t start) {
  size_t p = start, behind_newline = 0, length;
  while (p < end) {
    int kind = kind_at(text + p, &length);
    if (!(kind & SPACE)) break;
    p += length;
    if (kind & NEWLINE) behind_newline = p;
  }
  if (behind_newline) return behind_newline;
  if (p == end) return p;
  size_t last = am_unicode_previous(text, p);
  return last > start ? last : p;
}

/* 's 't 're 've 'm 'll 'd from the apostrophe at start: the end, or start when it is none. */
static size_t contraction(const uint8_t *text, size_t end, size_t start) {
  if (end - start < 2) return start;
  uint8_t a = text[start + 1], b = end - start > 2 ? text[start + 2] : 0;
  if (a == 's' || a == 't' || a == 'm' || a == 'd') return start + 2;
  if ((a == 'r' && b == 'e') || (a == 'v' && b == 'e') || (a == 'l' && b == 'l')) return start + 3;
  return start;
}

/* The same without regard to case; U+017F folds to s. */
static size_t any_case_contraction(const uint8_t *text, size_t end, size_t start) {
  uint8_t lower[3] = {'\'', 0, 0};
  if (end - start > 2 && text[start + 1] == 0xC5 && text[start + 2] == 0xBF) return start + 3;
  for (size_t i = 1; i < 3 && start + i < end; i++) {
    uint8_t c = text[start + i];
    lower[i] = c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
  }
  size_t n = end - start < 3 ? end - start : 3;
  return start + contraction(lower, n, 0);
}

static size_t gpt2_end(const uint8_t *text, size_t end, size_t start) {
  size_t p = start, length;
  if (text[p] == '\'') {
    size_t stop = contraction(text, end, start);
    if (stop > start) return stop;
  }
  if (text[p] == ' ' && p + 1 < end) p++;
  int kind = kind_at(text + p, &length);
  if (kind & SPACE) return blank_run(text, end, start);
  return run_of(text, end, p + length, kind);
}

static inline size_t cl100k_end(const uint8_t *text, size_t end, size_t start, int most_digits) {
  size_t p = start, length, next_length;
  if (text[p] == '\'') {
    size_t stop = any_case_contraction(text, end, start);
    if (stop > start) return stop;
  }
  int kind = kind_at(text + p, &length);
  p += length;
  if (kind == LETTER) return run_of(text, end, p, LETTER);
  if (kind == NUMBER) {
    for (int n = 1; n < most_digits && p < end && kind_at(text + p, &length) == NUMBER; n++) p += length;
    return p;
  }
  int next = p < end ? kind_at(text + p, &next_length) : 0;
  if (next == LETTER && !(kind & NEWLINE)) return run_of(text, end, p + next_length, LETTER);
  if (kind == OTHER || (text[start] == ' ' && next == OTHER))
    return run_of(text, end, run_of(text, end, p, OTHER), NEWLINE);
  return newline_run(text, end, start);
}

static size_t qwen2_end(const uint8_t *text, size_t end, size_t start) {
  return cl100k_end(text, end, start, 1);
}

static size_t llama3_end(const uint8_t *text, size_t end, size_t start) {
  return cl100k_end(text, end, start, 3);
}

am_word_end am_word_matcher(const char *pattern) {
  static const struct {
    const char *pattern;
    am_word_end matcher;
  } table[] = {{am_word_pattern_gpt2, gpt2_end},
               {am_word_pattern_qwen2, qwen2_end},
               {am_word_pattern_llama3, llama3_end}};
  for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
    if (strcmp(table[i].pattern, pattern) == 0) return table[i].matcher;
  return NULL;
}

/* Where the next character of a class of `mask` begins. */
static size_t find_class(const uint8_t *text, size_t end, size_t p, uint16_t mask) {
  while (p < end) {
    uint32_t codepoint;
    size_t length = am_unicode_next(text + p, &codepoint);
    if (am_unicode_class(codepoint) & mask) break;
    p += length;
  }
  return p;
}

am_word_walk am_word_begin(am_word_end word_end, uint16_t isolate, const char *text, size_t n_bytes) {
  am_word_walk walk = {word_end, isolate, (const uint8_t *)text, n_bytes, 0, n_bytes};
  if (isolate) walk.segment_end = find_class(walk.text, n_bytes, 0, isolate);
  return walk;
}

size_t am_word_next(am_word_walk *walk) {
  size_t start = walk->position;
  if (start < walk->segment_end) return walk->position = walk->word_end(walk->text, walk->segment_end, start);
  uint32_t codepoint;
  size_t stop = start + am_unicode_next(walk->text + start, &codepoint);
  walk->segment_end = find_class(walk->text, walk->end, stop, walk->isolate);
  return walk->position = stop;
}
