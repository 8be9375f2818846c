/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer/words: hand-made matchers for the pre-tokenizer patterns that nearly every byte-level
 * model uses. Each is equal to its regex on any valid UTF-8 (words_test.c compares them with PCRE2
 * on random text). Pure functions. */
#ifndef AM_TOKENIZER_WORDS_H
#define AM_TOKENIZER_WORDS_H

#include <stddef.h>
#include <stdint.h>

/* End of the word that begins at `start` (< end) of valid UTF-8; text beyond `end` is not seen. */
typedef size_t (*am_word_end)(const uint8_t *text, size_t end, size_t start);

extern const char am_word_pattern_gpt2[];
extern const char am_word_pattern_qwen2[];
extern const char am_word_pattern_llama3[];

/* The matcher of a pattern; NULL when there is none. */
am_word_end am_word_matcher(const char *pattern);

/* A text cut into words, one call at a time. isolate: characters whose class word has one of these
 * bits are words of their own and borders for the matcher (0: none). */
typedef struct am_word_walk {
  am_word_end word_end;
  uint16_t isolate;
  const uint8_t *text;
  size_t end, position;
  size_t segment_end; /* next isolated character, or end */
} am_word_walk;
am_word_walk am_word_begin(am_word_end word_end, uint16_t isolate, const char *text, size_t n_bytes);
/* End of the next word, which begins at walk->position; only while position < end. */
size_t am_word_next(am_word_walk *walk);

#endif
