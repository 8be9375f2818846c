/* SPDX-License-Identifier: Apache-2.0 */
#include "tokenizer/unicode.h"

#include "os/thread.h"
#include "tokenizer/unicode_data.h"

#include <stdatomic.h>
#include <string.h>

#define N_RUNS (sizeof unicode_runs / sizeof unicode_runs[0])
#define N_LOWER (sizeof unicode_lower / sizeof unicode_lower[0])

uint8_t am_unicode_block_of[0x1100];
uint16_t am_unicode_blocks[UNICODE_BLOCKS][256];

static uint16_t with_groups(uint16_t value) {
  int category = value & AM_CLASS_CATEGORY;
  if (category >= AM_LU && category <= AM_LO) value |= AM_CLASS_LETTER;
  if (category >= AM_MN && category <= AM_ME) value |= AM_CLASS_MARK;
  if (category >= AM_ND && category <= AM_NO) value |= AM_CLASS_NUMBER;
  return value;
}

/* Blocks of one value all over share one copy; the generator counted how many that makes. */
static void fill(void) {
  static uint8_t uniform[0x2000]; /* by value in the data: block + 1; 0 = none yet */
  size_t run = 0, n_blocks = 0;
  for (uint32_t block = 0; block < 0x1100; block++) {
    uint32_t first = block << 8;
    while (run + 1 < N_RUNS && unicode_runs[run + 1].first <= first) run++;
    bool whole = run + 1 == N_RUNS || unicode_runs[run + 1].first >= first + 256;
    uint16_t value = with_groups(unicode_runs[run].value);
    uint8_t *shared = &uniform[unicode_runs[run].value & 0x1FFF];
    if (whole && *shared) {
      am_unicode_block_of[block] = (uint8_t)(*shared - 1);
      continue;
    }
    uint16_t *out = am_unicode_blocks[n_blocks];
    size_t at = run;
    for (uint32_t i = 0; i < 256; i++) {
      while (at + 1 < N_RUNS && unicode_runs[at + 1].first <= first + i) {
        at++;
        value = with_groups(unicode_runs[at].value);
      }
      out[i] = value;
    }
    am_unicode_block_of[block] = (uint8_t)n_blocks++;
    if (whole) *shared = (uint8_t)n_blocks;
  }
}

void am_unicode_open(void) {
  static atomic_int state; /* 0 nothing, 1 one thread fills, 2 ready */
  int expected = 0;
  if (atomic_load_explicit(&state, memory_order_acquire) == 2) return;
  if (atomic_compare_exchange_strong(&state, &expected, 1)) {
    fill();
    atomic_store_explicit(&state, 2, memory_order_release);
    return;
  }
  while (atomic_load_explicit(&state, memory_order_acquire) != 2) am_cpu_relax();
}

int am_unicode_lower(uint32_t codepoint, uint32_t out[2]) {
  out[0] = codepoint;
  if (codepoint == 0x130) return out[0] = 'i', out[1] = 0x307, 2;
  size_t low = 0, high = N_LOWER;
  while (low < high) {
    size_t middle = (low + high) / 2;
    if (unicode_lower[middle].last < codepoint)
      low = middle + 1;
    else
      high = middle;
  }
  if (low < N_LOWER && codepoint >= unicode_lower[low].first &&
      (codepoint - unicode_lower[low].first) % (uint32_t)unicode_lower[low].step == 0)
    out[0] = (uint32_t)((int32_t)codepoint + unicode_lower[low].delta);
  return 1;
}

bool am_unicode_is_nfc(const char *text, size_t n_bytes) {
  const uint8_t *p = (const uint8_t *)text, *end = p + n_bytes;
  while (p < end) {
    uint64_t eight;
    if (end - p >= 8 && (memcpy(&eight, p, 8), (eight & 0x8080808080808080u) == 0)) {
      p += 8;
      continue;
    }
    if (*p < 0x80) {
      p++;
      continue;
    }
    uint32_t codepoint;
    p += am_unicode_next(p, &codepoint);
    if (am_unicode_class(codepoint) & AM_CLASS_NFC_UNSAFE) return false;
  }
  return true;
}

uint8_t am_unicode_range_value(const am_unicode_range *ranges, size_t n, uint32_t codepoint) {
  size_t low = 0, high = n;
  while (low < high) {
    size_t middle = (low + high) / 2;
    if (ranges[middle].last < codepoint)
      low = middle + 1;
    else
      high = middle;
  }
  return low < n && codepoint >= ranges[low].first ? ranges[low].value : 0;
}

void am_unicode_runs(void (*on_run)(void *user, uint32_t first, uint32_t last, uint16_t value), void *user) {
  for (size_t i = 0; i < N_RUNS; i++) {
    uint32_t last = i + 1 < N_RUNS ? unicode_runs[i + 1].first - 1 : 0x10FFFF;
    on_run(user, unicode_runs[i].first, last, with_groups(unicode_runs[i].value));
  }
}
