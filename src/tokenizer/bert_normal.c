/* SPDX-License-Identifier: Apache-2.0 */
#include "tokenizer/bert_normal.h"

#include "tokenizer/normalizer.h"
#include "tokenizer/unicode.h"

#include "tokenizer/bert_data.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* The tables are small parts of these categories, which one look at the class word tells. */
static bool is_dropped(uint32_t c, uint16_t value) {
  int category = value & AM_CLASS_CATEGORY;
  if (category < AM_CC && c != 0xFFFD) return false;
  return am_unicode_range_value(bert_dropped, COUNT(bert_dropped), c) != 0;
}

static bool is_accent(uint32_t c) {
  if (!(am_unicode_class(c) & AM_CLASS_MARK)) return false;
  return am_unicode_range_value(bert_accents, COUNT(bert_accents), c) != 0;
}

static bool is_chinese(uint32_t c) {
  return c >= 0x3400 && am_unicode_range_value(bert_chinese, COUNT(bert_chinese), c) != 0;
}

/* ASCII that stays one character: all but the controls that are dropped. */
static bool is_plain(uint8_t byte, bool clean) {
  if (byte >= 0x80) return false;
  return !clean || (byte >= 0x20 && byte != 0x7F) || byte == '\t' || byte == '\n' || byte == '\r';
}

/* End of the run of plain ASCII that begins at p, appended to out. */
static size_t copy_plain(am_bert_options options, const char *text, size_t n_bytes, size_t p, am_buf *out) {
  size_t end = p;
  while (end < n_bytes && is_plain((uint8_t)text[end], options.clean)) end++;
  if (!am_buf_reserve(out, end - p)) return end;
  char *to = out->data + out->len;
  for (size_t i = p; i < end; i++) {
    char c = text[i];
    if (options.clean && c < ' ') c = ' '; /* tab, newline, return */
    if (options.lower && c >= 'A' && c <= 'Z') c = (char)(c + 32);
    *to++ = c;
  }
  out->len += end - p;
  out->data[out->len] = 0;
  return end;
}

/* Clean text and Chinese characters. */
static bool clean(am_bert_options options, const char *text, size_t n_bytes, am_buf *out) {
  for (size_t p = 0; p < n_bytes;) {
    uint32_t c;
    size_t length = am_unicode_next((const uint8_t *)text + p, &c);
    uint16_t value = am_unicode_class(c);
    if (options.clean && is_dropped(c, value)) {
      p += length;
      continue;
    }
    if (options.clean && (value & AM_CLASS_SPACE)) {
      am_buf_append_char(out, ' ');
    } else if (options.chinese && is_chinese(c)) {
      am_buf_append_char(out, ' ');
      am_buf_append(out, text + p, length);
      am_buf_append_char(out, ' ');
    } else {
      am_buf_append(out, text + p, length);
    }
    p += length;
  }
  return !out->failed;
}

/* Accents go, what is left becomes lower case. */
static bool strip(am_bert_options options, const char *text, size_t n_bytes, am_buf *out) {
  for (size_t p = 0; p < n_bytes;) {
    uint32_t c, lower[2];
    p += am_unicode_next((const uint8_t *)text + p, &c);
    if (options.accents && is_accent(c)) continue;
    if (!options.lower) {
      am_buf_append_codepoint(out, c);
      continue;
    }
    int n = am_unicode_lower(c, lower);
    for (int i = 0; i < n; i++) am_buf_append_codepoint(out, lower[i]);
  }
  return !out->failed;
}

/* A run without plain ASCII, so that no normal form reaches beyond it. */
static bool convert(am_bert_options options, const char *text, size_t n_bytes, am_stage_memory *memory,
                    am_buf *out) {
  am_buf *cleaned = &memory->spare[0], *decomposed = &memory->spare[1];
  am_buf_clear(cleaned);
  am_buf_clear(decomposed);
  if (!clean(options, text, n_bytes, cleaned)) return false;
  if (!options.accents) return strip(options, cleaned->data, cleaned->len, out);
  if (!am_normal_form(AM_FORM_NFD, cleaned->data, cleaned->len, memory, decomposed)) return false;
  return strip(options, decomposed->data, decomposed->len, out);
}

/* Nothing but what is dropped comes of the first character. */
static bool loses_start(am_bert_options options, const char *text) {
  uint32_t c;
  am_unicode_next((const uint8_t *)text, &c);
  return (options.clean && is_dropped(c, am_unicode_class(c))) || (options.accents && is_accent(c));
}

bool am_bert_normal(am_bert_options options, const char *text, size_t n_bytes, am_stage_memory *memory,
                    am_buf *out, bool *lost_start) {
  if (n_bytes == 0) return true;
  *lost_start = loses_start(options, text);
  for (size_t p = 0; p < n_bytes && !out->failed;) {
    p = copy_plain(options, text, n_bytes, p, out);
    size_t start = p;
    while (p < n_bytes && !is_plain((uint8_t)text[p], options.clean)) p++;
    if (p > start && !convert(options, text + start, p - start, memory, out)) return false;
  }
  return !out->failed;
}
