/* SPDX-License-Identifier: Apache-2.0 */
#include "tokenizer/alphabet.h"

#include "tokenizer/unicode.h"

static bool spells_itself(uint32_t c) {
  return (c >= 33 && c <= 126) || (c >= 161 && c <= 172) || (c >= 174 && c <= 255);
}

uint32_t am_alphabet_spell(uint8_t byte) {
  if (spells_itself(byte)) return byte;
  if (byte <= 32) return 0x100u + byte;
  if (byte <= 160) return 0x100u + 33 + (byte - 127u);
  return 0x143; /* 173 */
}

int am_alphabet_byte(uint32_t c) {
  if (c < 256) return spells_itself(c) ? (int)c : -1;
  if (c <= 0x120) return (int)(c - 0x100);
  if (c <= 0x142) return (int)(c - 0x121 + 127);
  return c == 0x143 ? 173 : -1;
}

size_t am_alphabet_bytes(const char *piece, size_t n_bytes, char *out) {
  const uint8_t *p = (const uint8_t *)piece, *end = p + n_bytes;
  size_t n = 0;
  while (p < end) {
    uint32_t codepoint;
    p += am_unicode_next(p, &codepoint);
    int byte = am_alphabet_byte(codepoint);
    if (byte < 0) return SIZE_MAX;
    out[n++] = (char)byte;
  }
  return n;
}

size_t am_alphabet_spell_bytes(const char *bytes, size_t n_bytes, char *out) {
  size_t n = 0;
  for (size_t i = 0; i < n_bytes; i++) {
    uint32_t c = am_alphabet_spell((uint8_t)bytes[i]);
    if (c < 0x80) {
      out[n++] = (char)c;
    } else {
      out[n++] = (char)(0xC0 | c >> 6);
      out[n++] = (char)(0x80 | (c & 0x3F));
    }
  }
  return n;
}
