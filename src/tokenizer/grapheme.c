/* SPDX-License-Identifier: Apache-2.0 */
#include "tokenizer/grapheme.h"

#include "tokenizer/unicode.h"

#include "tokenizer/grapheme_data.h"

enum { OTHER = 0, L = 100, LV, LVT };

static int class_of(uint32_t c) {
  if (c < 0x20) return GRAPHEME_CONTROL;
  if (c < 0x7F) return OTHER;
  if (c >= 0xAC00 && c <= 0xD7A3) return (c - 0xAC00) % 28 == 0 ? LV : LVT;
  if ((c >= 0x1100 && c <= 0x115F) || (c >= 0xA960 && c <= 0xA97C)) return L;
  return am_unicode_range_value(graphemes, sizeof graphemes / sizeof graphemes[0], c);
}

static bool extends(int class) {
  return class == GRAPHEME_EXTEND || class == GRAPHEME_LINKER || class == GRAPHEME_ZWJ;
}

/* What of a cluster so far decides on the next character. */
typedef struct cluster {
  int last;
  bool picture;   /* a picture, then only what extends it; with last ZWJ: GB11 */
  bool consonant; /* a consonant, then only what extends it */
  bool linked;    /* and a linker among that: GB9c */
  bool paired;    /* last is the second of two regional indicators */
} cluster;

static bool joins(const cluster *c, int next) {
  if (c->last == GRAPHEME_CONTROL || next == GRAPHEME_CONTROL) return false;
  if (c->last == L && (next == L || next == GRAPHEME_V || next == LV || next == LVT)) return true;
  if ((c->last == LV || c->last == GRAPHEME_V) && (next == GRAPHEME_V || next == GRAPHEME_T)) return true;
  if ((c->last == LVT || c->last == GRAPHEME_T) && next == GRAPHEME_T) return true;
  if (extends(next) || next == GRAPHEME_SPACING || c->last == GRAPHEME_PREPEND) return true;
  if (c->consonant && c->linked && next == GRAPHEME_CONSONANT) return true;
  if (c->picture && c->last == GRAPHEME_ZWJ && next == GRAPHEME_PICTURE) return true;
  return c->last == GRAPHEME_REGIONAL && next == GRAPHEME_REGIONAL && !c->paired;
}

static void add(cluster *c, int class) {
  c->paired = class == GRAPHEME_REGIONAL && c->last == GRAPHEME_REGIONAL && !c->paired;
  c->linked = c->consonant && extends(class) && (c->linked || class == GRAPHEME_LINKER);
  c->consonant = class == GRAPHEME_CONSONANT || (c->consonant && extends(class));
  c->picture = class == GRAPHEME_PICTURE || (c->picture && extends(class) && c->last != GRAPHEME_ZWJ);
  c->last = class;
}

size_t am_grapheme_end(const char *text, size_t n_bytes, size_t start) {
  const uint8_t *bytes = (const uint8_t *)text;
  uint32_t codepoint;
  size_t p = start + am_unicode_next(bytes + start, &codepoint);
  cluster c = {.last = -1};
  if (codepoint == '\r') return p < n_bytes && text[p] == '\n' ? p + 1 : p;
  add(&c, class_of(codepoint));
  while (p < n_bytes) {
    size_t length = am_unicode_next(bytes + p, &codepoint);
    int class = class_of(codepoint);
    if (!joins(&c, class)) break;
    add(&c, class);
    p += length;
  }
  return p;
}
