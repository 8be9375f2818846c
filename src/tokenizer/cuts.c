/* SPDX-License-Identifier: Apache-2.0 */
#include "tokenizer/cuts.h"

#include "base/mem.h"

#define PLAIN_WORDS 256u /* 128 characters, 2 words of bits each */
#define LEAST_BITS 4096u
#define MOST_BITS (1u << 23)

typedef struct pairs {
  uint64_t *plain, *filter;
  uint64_t mask;
  size_t n; /* pairs that need the filter */
} pairs;

static void add_pair(pairs *p, uint32_t left, uint32_t right) {
  if (left == AM_CUTS_MARK) left = 0;
  if (right == AM_CUTS_MARK) right = 0;
  if ((left | right) < 0x80) {
    p->plain[2 * left + (right >> 6)] |= (uint64_t)1 << (right & 63);
    return;
  }
  p->n++;
  if (!p->filter) return;
  uint64_t bit = am_cuts_bit(left, right) & p->mask;
  p->filter[bit >> 6] |= (uint64_t)1 << (bit & 63);
}

static void add_words(pairs *p, const am_vocabulary *v) {
  for (size_t id = 0; id < v->n_ids; id++) {
    const uint8_t *text = (const uint8_t *)v->bytes + v->bytes_at[id];
    size_t n_bytes = v->bytes_at[id + 1] - v->bytes_at[id];
    uint32_t left = 0, right;
    for (size_t at = 0; at < n_bytes; left = right) {
      bool first = at == 0;
      at += am_unicode_next(text + at, &right);
      if (!first) add_pair(p, left, right);
    }
  }
}

bool am_cuts_build(const am_vocabulary *v, am_image_writer *writer) {
  uint64_t scratch[PLAIN_WORDS] = {0};
  pairs counted = {.plain = scratch};
  add_words(&counted, v);
  size_t n_bits = LEAST_BITS;
  while (n_bits < 8 * counted.n && n_bits < MOST_BITS) n_bits *= 2;
  uint64_t *bits = am_mem_zalloc(PLAIN_WORDS + n_bits / 64, sizeof *bits);
  if (!bits) return false;
  pairs made = {.plain = bits, .filter = bits + PLAIN_WORDS, .mask = n_bits - 1};
  add_words(&made, v);
  bool ok = am_image_add(writer, AM_CUTS_TAG, bits, (PLAIN_WORDS + n_bits / 64) * sizeof *bits) != NULL;
  am_mem_free(bits);
  return ok;
}

bool am_cuts_bind(const am_image *image, am_cuts *out) {
  size_t n = 0;
  const uint64_t *bits = am_image_section(image, AM_CUTS_TAG, sizeof *bits, &n);
  if (!bits || n <= PLAIN_WORDS || ((n - PLAIN_WORDS) & (n - PLAIN_WORDS - 1)) != 0) return false;
  *out = (am_cuts){bits, bits + PLAIN_WORDS, (n - PLAIN_WORDS) * 64 - 1};
  return true;
}
