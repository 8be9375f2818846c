/* SPDX-License-Identifier: Apache-2.0 */
#include "presets/presets.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/nearest.h"
#include "os/dirs.h"
#include "os/file.h"
#include "presets/parse.h"
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

/* One reading of the files. Sets stay in the chain, so that rows are constant. */
typedef struct kept_set {
  am_preset_set set; /* first: a pointer to it is what others hold */
  am_arena arena;
  am_file_stamp stamp; /* of the user's file */
  char *path;          /* NULL = built in */
  const struct kept_set *older;
} kept_set;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* for making sets */
static _Atomic(const kept_set *) newest, built_in;
static const kept_set *chain; /* all that were read */
static size_t n_sets;

static void drop(kept_set *kept) {
  if (!kept) return;
  am_arena_close(&kept->arena);
  am_mem_free(kept->path);
  am_mem_free(kept);
}

static adam_status parse(const char *text, size_t n_bytes, const char *name, const am_preset_set *under,
                         kept_set **out, adam_error *error) {
  kept_set *kept = am_mem_zalloc(1, sizeof *kept);
  if (!kept) return am_fail_memory(error, name);
  kept->arena.limit_bytes = (size_t)16 << 20;
  adam_status status = am_presets_parse(text, n_bytes, name, under, &kept->arena, &kept->set, error);
  if (status)
    drop(kept);
  else
    *out = kept;
  return status;
}

/* The lock is held. */
static adam_status need_built_in(const kept_set **out, adam_error *error) {
  kept_set *made = NULL;
  *out = atomic_load(&built_in);
  if (*out) return ADAM_OK;
  adam_status status =
      parse(am_presets_built_in, am_presets_built_in_bytes, "presets.ini", NULL, &made, error);
  if (status) return status;
  *out = made;
  atomic_store(&built_in, made);
  atomic_store(&newest, made);
  return ADAM_OK;
}

static bool is_same(const kept_set *kept, const char *path, const am_file_stamp *stamp) {
  return kept->path && !strcmp(kept->path, path) && kept->stamp.size_bytes == stamp->size_bytes &&
         kept->stamp.mtime_ns == stamp->mtime_ns && kept->stamp.inode == stamp->inode &&
         kept->stamp.device == stamp->device;
}

/* The lock is held. Takes path. */
static adam_status read_own(char *path, const am_file_stamp *stamp, const kept_set *under,
                            const kept_set **out, adam_error *error) {
  am_buf text = {0};
  kept_set *made = NULL;
  adam_status status =
      n_sets < AM_PRESETS_MOST_SETS
          ? am_file_read(path, AM_PRESETS_MOST_BYTES, &text, error)
          : am_fail(error, ADAM_LIMIT, path, "start the program anew", "it changed too often");
  if (!status) status = parse(text.data ? text.data : "", text.len, path, &under->set, &made, error);
  am_buf_close(&text);
  if (status) {
    am_mem_free(path);
    return status;
  }
  made->path = path;
  made->stamp = *stamp;
  made->older = chain;
  chain = made;
  n_sets++;
  *out = made;
  return ADAM_OK;
}

adam_status am_presets_load(const am_preset_set **out, adam_error *error) {
  char *folder = am_dirs_config(), *path = folder ? am_path_join(folder, "presets.ini") : NULL;
  const kept_set *shipped = NULL, *now = NULL;
  am_file_stamp stamp = {0};
  bool no_memory = folder && !path;
  am_mem_free(folder);
  if (no_memory) return am_fail_memory(error, "presets.ini");
  pthread_mutex_lock(&lock);
  adam_status status = need_built_in(&shipped, error);
  if (!status) {
    now = atomic_load(&newest);
    if (!path || !am_file_stamp_get(path, &stamp)) {
      now = shipped;
    } else if (!is_same(now, path, &stamp)) {
      status = read_own(path, &stamp, shipped, &now, error);
      path = NULL;
    }
  }
  if (!status) atomic_store(&newest, now);
  pthread_mutex_unlock(&lock);
  am_mem_free(path);
  if (!status && out) *out = &now->set;
  return status;
}

const am_preset_set *am_presets_now(void) {
  const kept_set *now = atomic_load(&newest);
  if (!now) {
    pthread_mutex_lock(&lock);
    if (!need_built_in(&now, NULL)) now = atomic_load(&newest);
    pthread_mutex_unlock(&lock);
  }
  return now ? &now->set : NULL;
}

const am_preset *am_presets_all(size_t *n) {
  const am_preset_set *set = am_presets_now();
  *n = set ? set->n_presets : 0;
  return set ? set->presets : NULL;
}

const am_preset *am_presets_find(const char *name) {
  size_t n;
  const am_preset *rows = am_presets_all(&n);
  for (size_t i = 0; i < n; i++)
    if (strcmp(rows[i].name, name) == 0) return &rows[i];
  return NULL;
}

const char *am_presets_renamed(const char *repository) {
  const am_preset_set *set = am_presets_now();
  for (size_t i = 0; set && i < set->n_renamings; i++)
    if (strcmp(set->renamings[i].old_name, repository) == 0) return set->renamings[i].real_name;
  return NULL;
}

static const char *preset_name(const void *user, size_t index) {
  const am_preset_set *set = user;
  return index < set->n_presets ? set->presets[index].name : NULL;
}

static const char *domain_name(const void *user, size_t index) {
  const am_preset_set *set = user;
  return index < set->n_domains ? set->domains[index].name : NULL;
}

size_t am_presets_nearest(const char *name, const char **out, size_t max) {
  const am_preset_set *set = am_presets_now();
  return set ? am_nearest_find(name, preset_name, set, out, max) : 0;
}

const am_domain *am_domains_find(const char *name) {
  const am_preset_set *set = am_presets_now();
  for (size_t i = 0; set && i < set->n_domains; i++)
    if (!strcmp(set->domains[i].name, name)) return &set->domains[i];
  return NULL;
}

adam_status am_domains_unknown(const char *name, adam_error *error) {
  const am_preset_set *set = am_presets_now();
  char hint[200] = "";
  if (!set) return am_fail_memory(error, name);
  am_nearest_hint(name, domain_name, set, hint, sizeof hint);
  am_buf all = {0};
  for (size_t i = 0; i < set->n_domains && all.len < 400; i++)
    am_buf_printf(&all, "%s%s", i ? ", " : "", set->domains[i].name);
  am_fail(error, ADAM_INVALID, name, *hint ? hint : "adam domains lists them",
          "no domain has this name; there are %s", all.data ? all.data : "none");
  am_buf_close(&all);
  return ADAM_INVALID;
}

const am_tier *am_tiers_of(uint64_t vram_bytes) {
  const am_preset_set *set = am_presets_now();
  const am_tier *best = NULL;
  for (size_t i = 0; set && i < set->n_tiers; i++) {
    const am_tier *tier = &set->tiers[i];
    if (tier->vram_gb * 1e9 <= (double)vram_bytes && (!best || tier->vram_gb > best->vram_gb)) best = tier;
  }
  return best;
}
