/* SPDX-License-Identifier: Apache-2.0 */
#include "template/jinja/unicode.h"

#include <utf8proc.h>

#include "base/utf8.h"

typedef struct am_unicode_range {
  uint32_t first, last;
} am_unicode_range;

typedef struct am_unicode_special {
  uint32_t codepoint;
  uint32_t mapped[3]; /* ends early with 0 */
} am_unicode_special;

#include "template/jinja/unicode_table.h"

#define COUNT(table) (sizeof(table) / sizeof(table)[0])
#define IN_TABLE(table, c) in_ranges(table, COUNT(table), c)

static bool in_ranges(const am_unicode_range *ranges, size_t n, uint32_t c) {
  size_t low = 0, high = n;
  while (low < high) {
    size_t middle = (low + high) / 2;
    if (c > ranges[middle].last)
      low = middle + 1;
    else if (c < ranges[middle].first)
      high = middle;
    else
      return true;
  }
  return false;
}

static int map_special(const am_unicode_special *table, size_t n, uint32_t c, uint32_t out[3]) {
  size_t low = 0, high = n;
  while (low < high) {
    size_t middle = (low + high) / 2;
    if (c > table[middle].codepoint) {
      low = middle + 1;
    } else if (c < table[middle].codepoint) {
      high = middle;
    } else {
      int k = 0;
      for (; k < 3 && table[middle].mapped[k]; k++) out[k] = table[middle].mapped[k];
      return k;
    }
  }
  return 0;
}

static utf8proc_category_t category(uint32_t c) { return utf8proc_category((utf8proc_int32_t)c); }

bool am_unicode_is_space(uint32_t c) {
  return (c >= 9 && c <= 13) || (c >= 0x1C && c <= 0x20) || c == 0x85 || c == 0xA0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F ||
         c == 0x3000;
}

bool am_unicode_is_line_break(uint32_t c) {
  return (c >= 10 && c <= 13) || (c >= 0x1C && c <= 0x1E) || c == 0x85 || c == 0x2028 || c == 0x2029;
}

bool am_unicode_is_alpha(uint32_t c) {
  utf8proc_category_t k = category(c);
  return k == UTF8PROC_CATEGORY_LU || k == UTF8PROC_CATEGORY_LL || k == UTF8PROC_CATEGORY_LT ||
         k == UTF8PROC_CATEGORY_LM || k == UTF8PROC_CATEGORY_LO;
}

bool am_unicode_is_decimal(uint32_t c) { return category(c) == UTF8PROC_CATEGORY_ND; }
bool am_unicode_is_digit(uint32_t c) { return am_unicode_is_decimal(c) || IN_TABLE(digits_not_decimal, c); }
bool am_unicode_is_numeric(uint32_t c) { return am_unicode_is_digit(c) || IN_TABLE(numeric_not_digit, c); }
bool am_unicode_is_title(uint32_t c) { return category(c) == UTF8PROC_CATEGORY_LT; }
bool am_unicode_is_case_ignorable(uint32_t c) { return IN_TABLE(case_ignorable, c); }

bool am_unicode_is_upper(uint32_t c) {
  return category(c) == UTF8PROC_CATEGORY_LU || IN_TABLE(other_uppercase, c);
}

bool am_unicode_is_lower(uint32_t c) {
  return category(c) == UTF8PROC_CATEGORY_LL || IN_TABLE(other_lowercase, c);
}

bool am_unicode_is_cased(uint32_t c) {
  return am_unicode_is_upper(c) || am_unicode_is_lower(c) || am_unicode_is_title(c);
}

bool am_unicode_is_printable(uint32_t c) {
  if (c == ' ') return true;
  switch (category(c)) {
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
    case UTF8PROC_CATEGORY_ZS:
      return false;
    default:
      return true;
  }
}

bool am_unicode_is_identifier_start(uint32_t c) {
  if (c < 0x80) return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  return am_unicode_is_alpha(c) || category(c) == UTF8PROC_CATEGORY_NL;
}

bool am_unicode_is_identifier_part(uint32_t c) {
  if (c < 0x80) return am_unicode_is_identifier_start(c) || (c >= '0' && c <= '9');
  utf8proc_category_t k = category(c);
  return am_unicode_is_identifier_start(c) || k == UTF8PROC_CATEGORY_ND || k == UTF8PROC_CATEGORY_MN ||
         k == UTF8PROC_CATEGORY_MC || k == UTF8PROC_CATEGORY_PC;
}

int am_unicode_decimal_value(uint32_t c) {
  if (c < 0x80) return c >= '0' && c <= '9' ? (int)(c - '0') : -1;
  if (!am_unicode_is_decimal(c)) return -1;
  /* Decimal digits come in runs of ten from 0 to 9; runs may touch, but each begins a multiple of ten
   * after the first of its block of neighbours. */
  uint32_t first = c;
  while (first > 0 && am_unicode_is_decimal(first - 1)) first--;
  return (int)((c - first) % 10);
}

int am_unicode_upper(uint32_t c, uint32_t out[3]) {
  int n = c < 0x80 ? 0 : map_special(special_upper, COUNT(special_upper), c, out);
  if (n) return n;
  out[0] = (uint32_t)utf8proc_toupper((utf8proc_int32_t)c);
  return 1;
}

int am_unicode_title(uint32_t c, uint32_t out[3]) {
  int n = c < 0x80 ? 0 : map_special(special_title, COUNT(special_title), c, out);
  if (n) return n;
  out[0] = (uint32_t)utf8proc_totitle((utf8proc_int32_t)c);
  return 1;
}

int am_unicode_lowercase(uint32_t c, uint32_t out[3]) {
  if (c == 0x130) {
    out[0] = 'i';
    out[1] = 0x307;
    return 2;
  }
  out[0] = (uint32_t)utf8proc_tolower((utf8proc_int32_t)c);
  return 1;
}

int am_unicode_fold(uint32_t c, uint32_t out[3]) {
  int n = c < 0x80 ? 0 : map_special(special_fold, COUNT(special_fold), c, out);
  if (n) return n;
  utf8proc_int32_t folded[8];
  utf8proc_ssize_t got = utf8proc_decompose_char((utf8proc_int32_t)c, folded, 8, UTF8PROC_CASEFOLD, NULL);
  out[0] = got == 1 ? (uint32_t)folded[0] : c;
  return 1;
}

uint32_t am_unicode_next(const char *data, size_t n_bytes, size_t *offset) {
  unsigned char first = (unsigned char)data[*offset];
  if (first < 0x80) {
    (*offset)++;
    return first;
  }
  uint32_t c = AM_UTF8_REPLACEMENT;
  int n = am_utf8_decode(data + *offset, n_bytes - *offset, &c);
  *offset += (size_t)(n < 0 ? -n : n);
  return c;
}

uint32_t am_unicode_previous(const char *data, size_t *offset) {
  size_t end = *offset, start = end - 1;
  while (start > 0 && end - start < 4 && ((unsigned char)data[start] & 0xC0u) == 0x80u) start--;
  *offset = start;
  return am_unicode_next(data, end, &start);
}
