/* SPDX-License-Identifier: Apache-2.0 */
#include "base/rng.h"

#include <stdatomic.h>
#include <sys/random.h>
#include <time.h>

/* Multipliers and Weyl constants of Philox4x32 as published in Random123's philox.h. */
void am_rng_philox_block(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]) {
  uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
  uint32_t k0 = key[0], k1 = key[1];
  for (int round = 0; round < 10; round++) {
    uint64_t p0 = (uint64_t)0xD2511F53u * c0;
    uint64_t p1 = (uint64_t)0xCD9E8D57u * c2;
    uint32_t n0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
    uint32_t n2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
    c1 = (uint32_t)p1;
    c3 = (uint32_t)p0;
    c0 = n0;
    c2 = n2;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  out[0] = c0;
  out[1] = c1;
  out[2] = c2;
  out[3] = c3;
}

void am_rng_philox(uint64_t seed, uint64_t position, uint32_t out[4]) {
  const uint32_t counter[4] = {(uint32_t)position, (uint32_t)(position >> 32), 0, 0};
  const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
  am_rng_philox_block(counter, key, out);
}

double am_rng_unit(uint64_t seed, uint64_t position) {
  uint32_t words[4];
  am_rng_philox(seed, position, words);
  uint64_t bits = ((uint64_t)words[1] << 32 | words[0]) >> 11;
  return (double)bits * 0x1p-53;
}

uint64_t am_rng_system_seed(void) {
  uint64_t seed;
  if (getrandom(&seed, sizeof seed, GRND_NONBLOCK) == (ssize_t)sizeof seed) return seed;
  /* No entropy (very early in a boot, or a strict sandbox): the clock and a counter. */
  static _Atomic uint64_t calls;
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  uint32_t words[4];
  am_rng_philox((uint64_t)now.tv_sec * 1000000007u ^ (uint64_t)now.tv_nsec, atomic_fetch_add(&calls, 1), words);
  return (uint64_t)words[1] << 32 | words[0];
}
