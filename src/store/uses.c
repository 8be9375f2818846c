/* SPDX-License-Identifier: Apache-2.0 */
#include "store/state.h"

#include "base/mem.h"

typedef struct counting {
  am_store_used *used;
  const am_store_name *except;
  uint64_t manifest; /* the one being counted, from 1 */
  bool failed;
} counting;

/* A digest that a manifest names twice counts once: the last manifest is kept in the upper half of the value. */
static bool count_digest(counting *c, const am_json *layer) {
  char digest[65];
  uint64_t before = 0;
  if (!am_store_digest_parse(am_json_str(am_json_get(layer, "digest"), ""), digest)) return false;
  bool known = am_map_get(&c->used->digests, digest, 64, &before);
  if (known && before >> 32 == c->manifest) return true;
  const char *key = am_arena_dup(&c->used->keys, digest, 64);
  uint64_t n = (before & 0xffffffffu) + 1;
  c->failed = !key || !am_map_set(&c->used->digests, key, 64, c->manifest << 32 | n);
  return true;
}

static bool see_manifest(void *user, const am_store_entry *entry) {
  counting *c = user;
  if (c->except && am_store_name_same(c->except, &entry->name)) return false;
  static const size_t limit = (size_t)512 << 20;
  am_arena arena = {.limit_bytes = limit};
  am_buf text = {0};
  am_json json;
  adam_status status = am_store_manifest_read(entry->path, &text, &arena, &json, NULL);
  if (status == ADAM_NO_MEMORY) c->failed = true;
  c->manifest++;
  bool fine = !status && count_digest(c, am_json_get(&json, "config"));
  const am_json *layers = fine ? am_json_get(&json, "layers") : NULL;
  for (size_t i = 0; layers && layers->type == AM_JSON_ARRAY && i < layers->n && !c->failed; i++)
    fine = count_digest(c, &layers->as.items[i]) && fine;
  if (!fine) c->used->n_unreadable++;
  am_arena_close(&arena);
  am_buf_close(&text);
  return c->failed;
}

adam_status am_store_used_open(am_store *store, const am_store_name *except, am_store_used *out, adam_error *error) {
  *out = (am_store_used){0};
  counting c = {.used = out, .except = except};
  adam_status status = am_store_walk(store, see_manifest, &c, &out->n_unreadable, error);
  if (c.failed) status = am_fail_memory(error, store->root);
  if (status) am_store_used_close(out);
  return status;
}

void am_store_used_close(am_store_used *used) {
  am_map_close(&used->digests);
  am_arena_close(&used->keys);
  *used = (am_store_used){0};
}

adam_status am_store_uses(am_store *store, const char digest[65], const am_store_name *except, size_t *n_uses,
                          adam_error *error) {
  am_store_used used;
  uint64_t value = 0;
  adam_status status = am_store_used_open(store, except, &used, error);
  if (status) return status;
  (void)am_map_get(&used.digests, digest, 64, &value);
  if (used.n_unreadable > 0)
    status = am_fail(error, ADAM_DAMAGED, store->root, "look for the damaged manifest with adam verify",
                     "%zu manifests cannot be read: what they use is not known", used.n_unreadable);
  else
    *n_uses = (size_t)(value & 0xffffffffu);
  am_store_used_close(&used);
  return status;
}
