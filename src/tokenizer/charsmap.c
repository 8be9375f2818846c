/* SPDX-License-Identifier: Apache-2.0 */
#include "tokenizer/charsmap.h"

#include "base/mem.h"
#include "base/utf8.h"
#include "tokenizer/grapheme.h"

#include <string.h>

#define LONGEST_CLUSTER 6 /* bytes: from here on a cluster is looked at character by character */

static adam_status bad(adam_error *error, const char *what) {
  return am_fail(error, ADAM_DAMAGED, "tokenizer", NULL, "normalizer Precompiled: %s", what);
}

static int digit(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  return c == '+' ? 62 : c == '/' ? 63 : -1;
}

size_t am_charsmap_read_base64(const char *text, size_t n, uint8_t *out) {
  size_t used = 0, padding = 0;
  if (n % 4 != 0) return SIZE_MAX;
  while (padding < 2 && padding < n && text[n - 1 - padding] == '=') padding++;
  for (size_t i = 0; i < n; i += 4) {
    uint32_t bits = 0;
    for (size_t k = 0; k < 4; k++) {
      int value = i + k >= n - padding ? 0 : digit(text[i + k]);
      if (value < 0) return SIZE_MAX;
      bits = bits << 6 | (uint32_t)value;
    }
    out[used++] = (uint8_t)(bits >> 16);
    out[used++] = (uint8_t)(bits >> 8);
    out[used++] = (uint8_t)bits;
  }
  return used - padding;
}

void am_charsmap_write_base64(am_buf *out, const char *bytes, size_t n_bytes) {
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (size_t i = 0; i < n_bytes; i += 3) {
    size_t left = n_bytes - i;
    uint32_t bits = (uint32_t)(uint8_t)bytes[i] << 16;
    if (left > 1) bits |= (uint32_t)(uint8_t)bytes[i + 1] << 8;
    if (left > 2) bits |= (uint8_t)bytes[i + 2];
    char text[4] = {digits[bits >> 18], digits[bits >> 12 & 63], left > 1 ? digits[bits >> 6 & 63] : '=',
                    left > 2 ? digits[bits & 63] : '='};
    am_buf_append(out, text, 4);
  }
}

/* The replacement by the shortest rule that the text begins with, NULL: no rule. Only the first match
 * counts in the library, however long the text. */
static const char *find(const am_charsmap *c, const char *text, size_t n_bytes, size_t *n_found) {
  if (c->n_units == 0) return NULL;
  uint32_t unit = c->units[0];
  size_t at = 0;
  for (size_t i = 0;; i++) {
    at ^= (size_t)(unit >> 10) << ((unit & 1u << 9) >> 6);
    if (i > 0 && (unit >> 8 & 1)) {
      if (at >= c->n_units) return NULL;
      size_t start = c->units[at] & 0x7FFFFFFFu;
      if (start >= c->n_bytes) return *n_found = 0, "";
      const char *end = memchr(c->strings + start, 0, c->n_bytes - start);
      *n_found = end ? (size_t)(end - c->strings) - start : c->n_bytes - start;
      return c->strings + start;
    }
    if (i == n_bytes || text[i] == 0) return NULL;
    at ^= (uint8_t)text[i];
    if (at >= c->n_units) return NULL;
    unit = c->units[at];
    if ((unit & 0x800000FFu) != (uint8_t)text[i]) return NULL;
  }
}

/* Where a replacement begins within a character of the strings, the map is damaged. */
static bool values_are_sound(const am_charsmap *c) {
  for (size_t i = 0; i < c->n_units; i++) {
    size_t start = c->units[i] & 0x7FFFFFFFu;
    if ((c->units[i] >> 31) && start < c->n_bytes && ((uint8_t)c->strings[start] & 0xC0) == 0x80)
      return false;
  }
  return true;
}

static adam_status fill(am_charsmap *c, const uint8_t *bytes, size_t n, adam_error *error) {
  if (n < 4) return bad(error, "no size of its trie");
  size_t trie_bytes =
      (size_t)bytes[0] | (size_t)bytes[1] << 8 | (size_t)bytes[2] << 16 | (size_t)bytes[3] << 24;
  c->n_units = trie_bytes / 4;
  if (c->n_units * 4 > n - 4) return bad(error, "its trie is longer than the map");
  c->n_bytes = n - 4 - c->n_units * 4;
  c->units = am_mem_alloc(c->n_units * 4 + 4);
  c->strings = am_mem_dup(bytes + 4 + c->n_units * 4, c->n_bytes);
  if (!c->units || !c->strings) return am_fail_memory(error, "tokenizer");
  for (size_t i = 0; i < c->n_units; i++) {
    const uint8_t *b = bytes + 4 + 4 * i;
    c->units[i] = (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
  }
  if (!am_utf8_valid(c->strings, c->n_bytes)) return bad(error, "its replacements are no UTF-8");
  if (!values_are_sound(c)) return bad(error, "a rule points into the middle of a character");
  for (int k = 0; k < 128; k++) {
    char text = (char)k;
    size_t unused;
    c->plain[k] = k != '\r' && !find(c, &text, 1, &unused);
  }
  return ADAM_OK;
}

adam_status am_charsmap_open(const char *base64, size_t n_bytes, am_charsmap **out, adam_error *error) {
  am_charsmap *c = am_mem_zalloc(1, sizeof *c);
  uint8_t *bytes = am_mem_alloc(n_bytes + 4);
  adam_status status = ADAM_OK;
  if (!c || !bytes) status = am_fail_memory(error, "tokenizer");
  size_t n = status == ADAM_OK ? am_charsmap_read_base64(base64, n_bytes, bytes) : 0;
  if (n == SIZE_MAX) status = bad(error, "\"precompiled_charsmap\" is no base64");
  if (status == ADAM_OK) status = fill(c, bytes, n, error);
  am_mem_free(bytes);
  if (status == ADAM_OK)
    *out = c;
  else
    am_charsmap_close(&c);
  return status;
}

void am_charsmap_close(am_charsmap **charsmap) {
  if (!charsmap || !*charsmap) return;
  am_mem_free((*charsmap)->units);
  am_mem_free((*charsmap)->strings);
  am_mem_free(*charsmap);
  *charsmap = NULL;
}

static bool is_plain(const am_charsmap *c, char byte) {
  return (uint8_t)byte < 0x80 && c->plain[(uint8_t)byte];
}

bool am_charsmap_run(const am_charsmap *c, const char *text, size_t n_bytes, am_buf *out) {
  size_t n_found = 0;
  for (size_t p = 0; p < n_bytes;) {
    size_t start = p;
    /* ASCII before ASCII is a cluster of its own. */
    while (p < n_bytes && is_plain(c, text[p]) && (p + 1 == n_bytes || (uint8_t)text[p + 1] < 0x80)) p++;
    am_buf_append(out, text + start, p - start);
    if (p == n_bytes) break;
    size_t end = am_grapheme_end(text, n_bytes, p);
    const char *made = end - p < LONGEST_CLUSTER ? find(c, text + p, end - p, &n_found) : NULL;
    if (made) {
      am_buf_append(out, made, n_found);
      p = end;
    }
    while (p < end) {
      size_t next = p + 1;
      while (next < end && ((uint8_t)text[next] & 0xC0) == 0x80) next++;
      made = find(c, text + p, next - p, &n_found);
      am_buf_append(out, made ? made : text + p, made ? n_found : next - p);
      p = next;
    }
    if (out->failed) return false;
  }
  return !out->failed;
}
