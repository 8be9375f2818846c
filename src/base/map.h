/* SPDX-License-Identifier: Apache-2.0 */
/* base/map: byte string -> uint64_t hash map (open addressing, seeded hash, so that hostile keys
 * cannot force collisions). Keys are borrowed: they must outlive the map. One thread writes; any
 * number may read when nobody writes. */
#ifndef AM_BASE_MAP_H
#define AM_BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct am_map_slot {
  const char *key; /* NULL = empty */
  uint32_t key_bytes;
  uint32_t hash;
  uint64_t value;
} am_map_slot;

typedef struct am_map {
  am_map_slot *slots;
  size_t n_slots; /* a power of two, or 0 */
  size_t n_used;
} am_map;

/* Room for n keys without growing. */
bool am_map_reserve(am_map *map, size_t n);
/* Sets key to value, replacing an older value. false: memory is out (nothing changed). */
bool am_map_set(am_map *map, const char *key, size_t key_bytes, uint64_t value);
/* Finds key; false when absent (*value untouched). */
bool am_map_get(const am_map *map, const char *key, size_t key_bytes, uint64_t *value);
void am_map_close(am_map *map);
uint64_t am_hash_bytes(const void *bytes, size_t n_bytes, uint64_t seed);

#endif
