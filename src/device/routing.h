/* SPDX-License-Identifier: Apache-2.0 */
/* device/routing: what am_queue_route leaves in device memory for the verbs that follow it.
 * A pair is a row and one of the experts chosen for it: n_pairs = n * n_used. Pairs are numbered by
 * expert, and by row within an expert, so that an expert's pairs lie side by side; a row's slots stand in
 * ascending order of their experts. All words are 32 bits. */
#ifndef AM_DEVICE_ROUTING_H
#define AM_DEVICE_ROUTING_H

#include <stdint.h>

typedef struct am_routes {
  uint32_t *n_active; /* experts that have a pair */
  uint32_t *active;   /* (n_experts): these, ascending */
  uint32_t *begin;    /* (n_experts + 1): pairs [begin[e], begin[e + 1]) are expert e's */
  uint32_t *row;      /* (n_pairs): row of a pair */
  uint32_t *pair;     /* (n, n_used): pair of a slot */
  uint32_t *expert;   /* (n, n_used): expert of a slot */
  float *weight;      /* (n, n_used): weight of a slot */
} am_routes;

static inline am_routes am_routes_in(void *memory, uint32_t n_experts, uint64_t n_pairs) {
  uint32_t *words = memory;
  return (am_routes){.n_active = words,
                     .active = words + 1,
                     .begin = words + 1 + n_experts,
                     .row = words + 2 + 2 * (uint64_t)n_experts,
                     .pair = words + 2 + 2 * (uint64_t)n_experts + n_pairs,
                     .expert = words + 2 + 2 * (uint64_t)n_experts + 2 * n_pairs,
                     .weight = (float *)(words + 2 + 2 * (uint64_t)n_experts + 3 * n_pairs)};
}

#endif
