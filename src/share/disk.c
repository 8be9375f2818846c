/* SPDX-License-Identifier: Apache-2.0 */
#include "share/disk.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "share/swap.h"

/* First names of finished files, those of one size side by side. */
typedef struct candidates {
  am_item **items;
  size_t n;
} candidates;

static int by_size(const void *a, const void *b) {
  const am_item *x = *(am_item *const *)a, *y = *(am_item *const *)b;
  if (x->bytes != y->bytes) return x->bytes < y->bytes ? 1 : -1;
  int by_digest = strcmp(x->digest, y->digest);
  if (by_digest) return by_digest;
  if (x->device != y->device) return x->device < y->device ? -1 : 1;
  return strcmp(x->path, y->path);
}

static size_t n_names(const am_inventory *inventory, const am_item *item) {
  size_t n = 1;
  for (; item->next_name != SIZE_MAX; n++) item = &inventory->items[item->next_name];
  return n;
}

/* All names of the inode are finished content: a part of a download with the same inode would be odd. */
static bool is_candidate(const am_inventory *inventory, const am_item *item) {
  if (!item->is_first_name || item->bytes == 0) return false;
  for (;; item = &inventory->items[item->next_name]) {
    if (!item->is_content) return false;
    if (item->next_name == SIZE_MAX) return true;
  }
}

static bool collect(am_inventory *inventory, candidates *out) {
  out->items = am_mem_alloc((inventory->n + 1) * sizeof *out->items);
  if (!out->items) return false;
  for (size_t i = 0; i < inventory->n; i++)
    if (is_candidate(inventory, &inventory->items[i])) out->items[out->n++] = &inventory->items[i];
  qsort(out->items, out->n, sizeof *out->items, by_size);
  return true;
}

/* Drops what has no other of its size (and disk). */
static void keep_pairs(candidates *c, bool same_device) {
  size_t n = 0;
  for (size_t i = 0; i < c->n;) {
    size_t end = i + 1;
    while (end < c->n && c->items[end]->bytes == c->items[i]->bytes &&
           (!same_device || c->items[end]->device == c->items[i]->device))
      end++;
    for (size_t k = i; k < end && end - i > 1; k++) c->items[n++] = c->items[k];
    i = end;
  }
  c->n = n;
}

static bool claimed(am_inventory *inventory, am_item *item) {
  if (*item->named && !*item->digest) memcpy(item->digest, item->named, 65);
  return *item->digest || am_journal_digest(inventory->journal, item->device, item->inode, item->bytes,
                                            item->mtime_ns, item->digest);
}

/* Fills the digests; what changes or cannot be read loses its own and is nobody's twin. */
static adam_status digest_all(am_inventory *inventory, candidates *c, bool read, am_work *work, adam_error *error) {
  adam_status status = ADAM_OK;
  if (work) work->done = work->total = 0;
  for (size_t i = 0; i < c->n && work; i++)
    if (read || !claimed(inventory, c->items[i])) work->total += c->items[i]->bytes;
  for (size_t i = 0; i < c->n; i++) {
    if (!read && claimed(inventory, c->items[i])) continue;
    status = am_inventory_digest(inventory, c->items[i], read, work, error);
    if (status == ADAM_CANCELLED || status == ADAM_NO_MEMORY) return status;
    if (status) c->items[i]->digest[0] = 0;
  }
  qsort(c->items, c->n, sizeof *c->items, by_size);
  return ADAM_OK;
}

/* End of the run of twins that begins at i: same size, same digest. */
static size_t twins(const candidates *c, size_t i, bool same_device) {
  size_t end = i + 1;
  while (*c->items[i]->digest && end < c->n && c->items[end]->bytes == c->items[i]->bytes &&
         (!same_device || c->items[end]->device == c->items[i]->device) &&
         !strcmp(c->items[end]->digest, c->items[i]->digest))
    end++;
  return end;
}

static void count_roots(const am_inventory *inventory, am_disk_use *use) {
  for (size_t i = 0; i < inventory->n; i++) {
    const am_item *item = &inventory->items[i];
    if (!item->is_first_name) continue;
    bool in_root[AM_PLACES] = {0};
    size_t n_in = 0;
    for (const am_item *name = item;; name = &inventory->items[name->next_name]) {
      n_in += !in_root[name->root];
      in_root[name->root] = true;
      if (name->next_name == SIZE_MAX) break;
    }
    use->total_bytes += item->bytes;
    use->disk_bytes += item->disk_bytes;
    use->n_files++;
    for (size_t r = 0; r < use->n_roots; r++) {
      if (!in_root[r]) continue;
      use->roots[r].bytes += item->bytes;
      if (n_in == 1) use->roots[r].only_bytes += item->bytes;
    }
  }
}

adam_status am_disk_measure(am_inventory *inventory, am_work *work, am_disk_on_duplicate on_duplicate, void *user,
                            am_disk_use *out, adam_error *error) {
  am_disk_use use = {.n_roots = inventory->places.n};
  candidates c = {0};
  for (size_t r = 0; r < use.n_roots; r++)
    use.roots[r] = (am_disk_root){.place = inventory->places.roots[r].place, .path = inventory->places.roots[r].path};
  count_roots(inventory, &use);
  if (!collect(inventory, &c)) return am_fail_memory(error, "stores");
  keep_pairs(&c, false);
  adam_status status = digest_all(inventory, &c, false, work, error);
  bool stop = false;
  for (size_t i = 0; i < c.n && !status && !stop;) {
    size_t end = twins(&c, i, false);
    for (size_t k = i; k < end && end - i > 1 && !stop; k++) {
      if (k > i) use.duplicated_bytes += c.items[k]->bytes;
      if (on_duplicate) stop = on_duplicate(user, c.items[k], k == i);
    }
    i = end;
  }
  am_mem_free(c.items);
  if (!status) *out = use;
  return status;
}

static uint32_t readers(const am_item *item) { return item->mode & 0444u; }

/* The twin that most can read, of those the one with the most names. */
static size_t choose_kept(const am_inventory *inventory, const candidates *c, size_t begin, size_t end) {
  size_t best = begin;
  for (size_t i = begin + 1; i < end; i++) {
    uint32_t here = readers(c->items[i]), there = readers(c->items[best]);
    bool more = (here & there) == there && here != there;
    if (more || (here == there && n_names(inventory, c->items[i]) > n_names(inventory, c->items[best]))) best = i;
  }
  return best;
}

static const char *reason_to_skip(const am_inventory *inventory, const am_item *kept, const am_item *item) {
  if (item->user != kept->user) return "it belongs to another user";
  if ((readers(item) & readers(kept)) != readers(item)) return "fewer users could read it";
  if (item->n_links > n_names(inventory, item)) return "it has a name outside of the stores";
  return NULL;
}

/* Links every name of `item` to `kept`. */
static adam_status link_names(am_inventory *inventory, const am_item *kept, const am_item *item, bool dry_run,
                              am_dedupe_on_step on_step, void *user, bool *stop, uint64_t *freed, adam_error *error) {
  const char *why_not = reason_to_skip(inventory, kept, item);
  adam_status status = ADAM_OK;
  for (const am_item *name = item; !status && !*stop; name = &inventory->items[name->next_name]) {
    bool is_last = name->next_name == SIZE_MAX;
    adam_error why = {0};
    am_dedupe_step step = {kept->path, name->path, 0, why_not};
    if (!why_not && !dry_run) {
      status = am_swap_link(kept, name, &why);
      if (status == ADAM_NO_MEMORY || status == ADAM_CANCELLED) break;
      if (status) step.skipped = why.why;
      if (!status) am_inventory_relinked(inventory, kept, name->path);
      status = ADAM_OK;
    }
    if (!step.skipped && is_last) step.bytes_freed = item->bytes;
    *freed += step.bytes_freed;
    if (on_step) *stop = on_step(user, &step);
    if (is_last || step.skipped) break;
  }
  return status ? am_fail_memory(error, item->path) : ADAM_OK;
}

adam_status am_disk_dedupe(am_inventory *inventory, bool dry_run, am_work *work, am_dedupe_on_step on_step, void *user,
                           uint64_t *bytes_freed, adam_error *error) {
  candidates c = {0};
  uint64_t freed = 0;
  bool stop = false;
  if (!collect(inventory, &c)) return am_fail_memory(error, "stores");
  keep_pairs(&c, true);
  adam_status status = digest_all(inventory, &c, !dry_run, work, error);
  for (size_t i = 0; i < c.n && !status && !stop;) {
    size_t end = twins(&c, i, true), kept = end - i > 1 ? choose_kept(inventory, &c, i, end) : i;
    for (size_t k = i; k < end && !status && !stop; k++)
      if (k != kept)
        status = link_names(inventory, c.items[kept], c.items[k], dry_run, on_step, user, &stop, &freed, error);
    i = end;
  }
  am_mem_free(c.items);
  if (!status) *bytes_freed = freed;
  return status;
}
