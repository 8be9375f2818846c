/* SPDX-License-Identifier: Apache-2.0 */
#include "base/map.h"

#include <stdatomic.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "base/size.h"

static uint64_t mix(uint64_t a, uint64_t b) {
  unsigned __int128 product = (unsigned __int128)a * b;
  return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t load64(const uint8_t *p) {
  uint64_t v;
  memcpy(&v, p, sizeof v);
  return v;
}

static uint64_t load32(const uint8_t *p) {
  uint32_t v;
  memcpy(&v, p, sizeof v);
  return v;
}

/* wyhash's shape (Wang Yi, public domain; its default secret): 16 bytes a step through a 64 x 64 ->
 * 128 bit multiply, folded. */
uint64_t am_hash_bytes(const void *bytes, size_t n_bytes, uint64_t seed) {
  static const uint64_t secret[4] = {0x2d358dccaa6c78a5u, 0x8bb84b93962eacc9u, 0x4b33a62ed433d4a3u,
                                     0x4d5a2da51de1aa47u};
  const uint8_t *p = bytes;
  size_t left = n_bytes;
  uint64_t a = 0, b = 0;
  seed ^= mix(seed ^ secret[0], secret[1]);
  while (left > 16) {
    seed = mix(load64(p) ^ secret[2], load64(p + 8) ^ seed);
    p += 16;
    left -= 16;
  }
  if (left >= 8) {
    a = load64(p);
    b = load64(p + left - 8);
  } else if (left >= 4) {
    a = load32(p);
    b = load32(p + left - 4);
  } else if (left > 0) {
    a = (uint64_t)p[0] << 16 | (uint64_t)p[left >> 1] << 8 | p[left - 1];
  }
  uint64_t folded = mix(a ^ secret[1], b ^ seed);
  return mix(folded ^ secret[0] ^ (uint64_t)n_bytes, seed ^ secret[3]);
}

/* One seed a process, drawn at first use. */
static uint64_t process_seed(void) {
  static _Atomic uint64_t seed;
  uint64_t current = atomic_load_explicit(&seed, memory_order_relaxed);
  if (current != 0) return current;
  uint64_t drawn = am_rng_system_seed() | 1u;
  uint64_t none = 0;
  if (atomic_compare_exchange_strong(&seed, &none, drawn)) return drawn;
  return none;
}

static uint32_t hash_key(const char *key, size_t key_bytes) {
  uint64_t h = am_hash_bytes(key, key_bytes, process_seed());
  return (uint32_t)(h ^ h >> 32);
}

/* The slot of key, or the empty slot where it would go. n_slots > 0 and one slot is empty. */
static am_map_slot *probe(const am_map *map, const char *key, size_t key_bytes, uint32_t hash) {
  size_t mask = map->n_slots - 1;
  for (size_t i = hash & mask;; i = (i + 1) & mask) {
    am_map_slot *slot = &map->slots[i];
    if (!slot->key) return slot;
    if (slot->hash == hash && slot->key_bytes == key_bytes && memcmp(slot->key, key, key_bytes) == 0) return slot;
  }
}

static bool rebuild(am_map *map, size_t n_slots) {
  am_map_slot *slots = am_mem_zalloc(n_slots, sizeof *slots);
  if (!slots) return false;
  size_t mask = n_slots - 1;
  for (size_t i = 0; i < map->n_slots; i++) {
    if (!map->slots[i].key) continue;
    size_t at = map->slots[i].hash & mask;
    while (slots[at].key) at = (at + 1) & mask;
    slots[at] = map->slots[i];
  }
  am_mem_free(map->slots);
  map->slots = slots;
  map->n_slots = n_slots;
  return true;
}

/* Load stays at or below 3/4. */
bool am_map_reserve(am_map *map, size_t n) {
  size_t need;
  if (!am_size_add(n, n / 3 + 1, &need)) return false;
  size_t n_slots = map->n_slots > 0 ? map->n_slots : 16;
  while (n_slots < need)
    if (!am_size_mul(n_slots, 2, &n_slots)) return false;
  return n_slots == map->n_slots || rebuild(map, n_slots);
}

bool am_map_set(am_map *map, const char *key, size_t key_bytes, uint64_t value) {
  if (key_bytes > UINT32_MAX) return false;
  uint32_t hash = hash_key(key, key_bytes);
  if (map->n_slots > 0) {
    am_map_slot *slot = probe(map, key, key_bytes, hash);
    if (slot->key) {
      slot->value = value;
      return true;
    }
  }
  if (!am_map_reserve(map, map->n_used + 1)) return false;
  *probe(map, key, key_bytes, hash) = (am_map_slot){key, (uint32_t)key_bytes, hash, value};
  map->n_used++;
  return true;
}

bool am_map_get(const am_map *map, const char *key, size_t key_bytes, uint64_t *value) {
  if (map->n_slots == 0) return false;
  const am_map_slot *slot = probe(map, key, key_bytes, hash_key(key, key_bytes));
  if (!slot->key) return false;
  *value = slot->value;
  return true;
}

void am_map_close(am_map *map) {
  if (!map) return;
  am_mem_free(map->slots);
  *map = (am_map){0};
}
