/* SPDX-License-Identifier: Apache-2.0 */
#include "base/utf8.h"

#include <string.h>

/* The table 3-7 of the Unicode standard: the lead byte fixes the length and the range of the second
 * byte; all later bytes are 80..BF. */
int am_utf8_decode(const char *bytes, size_t n_bytes, uint32_t *codepoint) {
  const uint8_t *b = (const uint8_t *)bytes;
  uint8_t lead = b[0];
  if (lead < 0x80) {
    *codepoint = lead;
    return 1;
  }
  *codepoint = AM_UTF8_REPLACEMENT;
  int length;
  uint8_t low = 0x80, high = 0xBF;
  uint32_t value;
  if (lead >= 0xC2 && lead <= 0xDF) {
    length = 2;
    value = lead & 0x1Fu;
  } else if (lead >= 0xE0 && lead <= 0xEF) {
    length = 3;
    value = lead & 0x0Fu;
    if (lead == 0xE0) low = 0xA0;
    if (lead == 0xED) high = 0x9F;
  } else if (lead >= 0xF0 && lead <= 0xF4) {
    length = 4;
    value = lead & 0x07u;
    if (lead == 0xF0) low = 0x90;
    if (lead == 0xF4) high = 0x8F;
  } else {
    return -1;
  }
  for (int i = 1; i < length; i++) {
    if ((size_t)i >= n_bytes || b[i] < low || b[i] > high) return -i;
    value = value << 6 | (b[i] & 0x3Fu);
    low = 0x80;
    high = 0xBF;
  }
  *codepoint = value;
  return length;
}

int am_utf8_encode(uint32_t codepoint, char out[4]) {
  uint8_t *o = (uint8_t *)out;
  if (codepoint < 0x80) {
    o[0] = (uint8_t)codepoint;
    return 1;
  }
  if (codepoint < 0x800) {
    o[0] = (uint8_t)(0xC0 | codepoint >> 6);
    o[1] = (uint8_t)(0x80 | (codepoint & 0x3F));
    return 2;
  }
  if (codepoint < 0x10000) {
    if (codepoint >= 0xD800 && codepoint <= 0xDFFF) return 0;
    o[0] = (uint8_t)(0xE0 | codepoint >> 12);
    o[1] = (uint8_t)(0x80 | (codepoint >> 6 & 0x3F));
    o[2] = (uint8_t)(0x80 | (codepoint & 0x3F));
    return 3;
  }
  if (codepoint > 0x10FFFF) return 0;
  o[0] = (uint8_t)(0xF0 | codepoint >> 18);
  o[1] = (uint8_t)(0x80 | (codepoint >> 12 & 0x3F));
  o[2] = (uint8_t)(0x80 | (codepoint >> 6 & 0x3F));
  o[3] = (uint8_t)(0x80 | (codepoint & 0x3F));
  return 4;
}

static inline bool is_tail(const char *p) { return ((uint8_t)*p & 0xC0) == 0x80; }

/* Eight ASCII bytes in one step, two- and three-byte characters in line, the rest (and the lead
 * bytes with a narrower second byte) through decode. */
size_t am_utf8_valid_prefix(const char *bytes, size_t n_bytes) {
  size_t i = 0;
  while (i < n_bytes) {
    const char *p = bytes + i;
    size_t left = n_bytes - i;
    uint64_t word;
    if (left >= sizeof word) {
      memcpy(&word, p, sizeof word);
      if ((word & 0x8080808080808080u) == 0) {
        i += sizeof word;
        continue;
      }
    }
    uint8_t lead = (uint8_t)*p;
    uint32_t codepoint;
    int n;
    if (lead < 0x80) {
      n = 1;
    } else if (lead >= 0xC2 && lead <= 0xDF && left >= 2 && is_tail(p + 1)) {
      n = 2;
    } else if (lead >= 0xE1 && lead <= 0xEF && lead != 0xED && left >= 3 && is_tail(p + 1) && is_tail(p + 2)) {
      n = 3;
    } else {
      n = am_utf8_decode(p, left, &codepoint);
    }
    if (n < 0) return i;
    i += (size_t)n;
  }
  return n_bytes;
}

bool am_utf8_valid(const char *bytes, size_t n_bytes) {
  return am_utf8_valid_prefix(bytes, n_bytes) == n_bytes;
}

size_t am_utf8_incomplete_tail(const char *bytes, size_t n_bytes) {
  for (size_t back = 1; back <= 3 && back <= n_bytes; back++) {
    const char *p = bytes + n_bytes - back;
    uint8_t c = (uint8_t)*p;
    if (c < 0x80) return 0;
    if (c < 0xC0) continue;
    /* A lead byte: incomplete when it and what follows are a prefix of a character that is longer
     * than the bytes at hand. */
    uint32_t codepoint;
    int n = am_utf8_decode(p, back, &codepoint);
    size_t length = c >= 0xF0 ? 4 : c >= 0xE0 ? 3 : 2;
    return n < 0 && (size_t)-n == back && length > back && c >= 0xC2 && c <= 0xF4 ? back : 0;
  }
  return 0;
}

size_t am_utf8_count(const char *bytes, size_t n_bytes) {
  size_t n = 0;
  for (size_t i = 0; i < n_bytes; i++) n += ((uint8_t)bytes[i] & 0xC0) != 0x80;
  return n;
}
