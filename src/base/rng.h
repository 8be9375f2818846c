/* SPDX-License-Identifier: Apache-2.0 */
/* base/rng: counter-based random numbers, Philox4x32-10 (Salmon et al., "Parallel random numbers:
 * as easy as 1, 2, 3", SC 2011). A pure function of (seed, position): no state, so that a stream
 * can be continued anywhere. */
#ifndef AM_BASE_RNG_H
#define AM_BASE_RNG_H

#include <stdint.h>

/* The ten rounds on a whole counter and key, as the paper and its test vectors state them. */
void am_rng_philox_block(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);
/* key = seed, counter = position (low words first, upper half 0). */
void am_rng_philox(uint64_t seed, uint64_t position, uint32_t out[4]);
/* Uniform in [0, 1) with 53 bits. */
double am_rng_unit(uint64_t seed, uint64_t position);
/* A seed from the system's entropy. */
uint64_t am_rng_system_seed(void);

#endif
