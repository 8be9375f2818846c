/* SPDX-License-Identifier: Apache-2.0 */
/* The Unicode normal forms over utf8proc's decompositions. Two things are done here and not there:
 * code points that the library's older tables do not know stay untouched (AM_CLASS_INERT), and marks
 * are ordered by counting, since utf8proc's ordering is quadratic in a run of marks. */
#include "tokenizer/normalizer.h"

#include "base/utf8.h"
#include "tokenizer/unicode.h"

#include <string.h>
#include <utf8proc.h>

#define MOST_PARTS 32 /* of one character's decomposition; Unicode's longest has 18 */

static int options_of(am_form form) {
  int options = UTF8PROC_STABLE;
  options |= form == AM_FORM_NFC || form == AM_FORM_NFKC ? UTF8PROC_COMPOSE : UTF8PROC_DECOMPOSE;
  if (form == AM_FORM_NFKC || form == AM_FORM_NFKD) options |= UTF8PROC_COMPAT;
  return options;
}

static int combining_class(int32_t codepoint) { return utf8proc_get_property(codepoint)->combining_class; }

/* Orders marks [0, n) by combining class, stable. `spare` has room for n. */
static void order_marks(int32_t *marks, size_t n, int32_t *spare) {
  if (n <= 16) {
    for (size_t i = 1; i < n; i++) {
      int32_t mark = marks[i];
      int class = combining_class(mark);
      size_t j = i;
      for (; j > 0 && combining_class(marks[j - 1]) > class; j--) marks[j] = marks[j - 1];
      marks[j] = mark;
    }
    return;
  }
  size_t at[257] = {0};
  for (size_t i = 0; i < n; i++) at[(combining_class(marks[i]) & 0xFF) + 1]++;
  for (int k = 1; k < 257; k++) at[k] += at[k - 1];
  for (size_t i = 0; i < n; i++) spare[at[combining_class(marks[i]) & 0xFF]++] = marks[i];
  memcpy(marks, spare, n * sizeof *marks);
}

static bool reserve_codepoints(am_stage_memory *memory, size_t n, size_t more) {
  int32_t *grown = am_grow(memory->codepoints, n, more, &memory->codepoints_capacity, sizeof *grown);
  if (grown) memory->codepoints = grown;
  return grown != NULL;
}

/* Decomposes text into memory->codepoints; the number of code points, or SIZE_MAX. */
static size_t decompose(const char *text, size_t n_bytes, int options, am_stage_memory *memory) {
  size_t n = 0;
  for (size_t p = 0; p < n_bytes;) {
    uint32_t codepoint;
    int unused = 0;
    p += am_unicode_next((const uint8_t *)text + p, &codepoint);
    if (!reserve_codepoints(memory, n, MOST_PARTS)) return SIZE_MAX;
    utf8proc_ssize_t parts = utf8proc_decompose_char((utf8proc_int32_t)codepoint, memory->codepoints + n,
                                                     MOST_PARTS, (utf8proc_option_t)options, &unused);
    if (parts < 0 || parts > MOST_PARTS) {
      memory->codepoints[n] = (int32_t)codepoint;
      parts = 1;
    }
    n += (size_t)parts;
  }
  return n;
}

/* A segment without inert characters. */
static bool normalize_segment(const char *text, size_t n_bytes, int options, am_stage_memory *memory,
                              am_buf *out) {
  size_t n = decompose(text, n_bytes, options, memory);
  if (n == SIZE_MAX || n == 0) return n == 0;
  if (!reserve_codepoints(memory, n, n + 1)) return false; /* n to spare, and utf8proc writes a 0 */
  int32_t *points = memory->codepoints;
  for (size_t i = 0; i < n;) {
    if (points[i] < 0x300 || combining_class(points[i]) == 0) {
      i++;
      continue;
    }
    size_t first = i;
    while (i < n && combining_class(points[i]) != 0) i++;
    order_marks(points + first, i - first, points + n);
  }
  utf8proc_ssize_t left = utf8proc_normalize_utf32(points, (utf8proc_ssize_t)n, (utf8proc_option_t)options);
  if (left < 0) return false;
  for (utf8proc_ssize_t i = 0; i < left; i++) am_buf_append_codepoint(out, (uint32_t)points[i]);
  return !out->failed;
}

/* End of the part from p that normalisation may touch at all; *inert_bytes follow it verbatim. */
static size_t segment_end(const char *text, size_t n_bytes, size_t p, size_t *inert_bytes) {
  *inert_bytes = 0;
  while (p < n_bytes) {
    uint32_t codepoint;
    size_t length = am_unicode_next((const uint8_t *)text + p, &codepoint);
    if (am_unicode_class(codepoint) & AM_CLASS_INERT) {
      *inert_bytes = length;
      break;
    }
    p += length;
  }
  return p;
}

/* NFC of a segment: only what stands around an unsafe character is worked on, from the character
 * before it to the next safe one, which is a starter that composes with nothing before it. */
static bool compose_segment(const char *text, size_t n_bytes, int options, am_stage_memory *memory,
                            am_buf *out) {
  size_t done = 0, previous = 0;
  for (size_t p = 0; p < n_bytes;) {
    uint32_t codepoint;
    size_t length = am_unicode_next((const uint8_t *)text + p, &codepoint);
    if (!(am_unicode_class(codepoint) & AM_CLASS_NFC_UNSAFE)) {
      previous = p;
      p += length;
      continue;
    }
    size_t start = previous < done ? done : previous;
    while (p < n_bytes) {
      length = am_unicode_next((const uint8_t *)text + p, &codepoint);
      if (!(am_unicode_class(codepoint) & AM_CLASS_NFC_UNSAFE)) break;
      p += length;
    }
    am_buf_append(out, text + done, start - done);
    if (!normalize_segment(text + start, p - start, options, memory, out)) return false;
    done = previous = p;
  }
  return am_buf_append(out, text + done, n_bytes - done);
}

bool am_normal_form(am_form form, const char *text, size_t n_bytes, am_stage_memory *memory, am_buf *out) {
  int options = options_of(form);
  for (size_t p = 0; p < n_bytes;) {
    size_t inert_bytes, stop = segment_end(text, n_bytes, p, &inert_bytes);
    bool ok = form == AM_FORM_NFC ? compose_segment(text + p, stop - p, options, memory, out)
                                  : normalize_segment(text + p, stop - p, options, memory, out);
    if (!ok || !am_buf_append(out, text + stop, inert_bytes)) return false;
    p = stop + inert_bytes;
  }
  return true;
}

bool am_normal_form_is_quick(am_form form, const char *text, size_t n_bytes) {
  if (form == AM_FORM_NFC) return am_unicode_is_nfc(text, n_bytes);
  for (size_t i = 0; i < n_bytes; i++)
    if ((unsigned char)text[i] >= 0x80) return false;
  return true;
}
