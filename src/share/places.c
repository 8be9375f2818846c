/* SPDX-License-Identifier: Apache-2.0 */
#include "share/places.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "hub/places.h"
#include "os/dirs.h"
#include "os/file.h"
#include "store/store.h"

enum { LOCK_WAIT_MS = 600000 };

const char *am_place_name(am_place place) {
  static const char *const names[] = {"huggingface", "ollama", "adam", "converted"};
  return names[place];
}

char *am_places_converted(void) {
  char *cache = am_dirs_cache();
  char *folder = cache ? am_path_join(cache, "converted") : NULL;
  am_mem_free(cache);
  return folder;
}

/* Takes path, which may be NULL. Two names of one folder count once: the stronger kind keeps it. */
static bool add(am_places *places, am_place place, char *path) {
  char real[PATH_MAX];
  bool fine = true;
  if (path && am_file_is_dir(path) && realpath(path, real) && places->n < AM_PLACES) {
    bool known = false;
    for (size_t i = 0; i < places->n; i++) known = known || !strcmp(places->roots[i].path, real);
    char *copy = known ? NULL : am_mem_dup(real, strlen(real));
    fine = known || copy;
    if (copy) places->roots[places->n++] = (am_place_root){place, copy};
  }
  am_mem_free(path);
  return fine;
}

adam_status am_places_open(const char *cache_dir, am_places *out, adam_error *error) {
  am_places places = {0};
  char *caches[2] = {0}, *roots[AM_STORE_ROOTS] = {0};
  size_t n_caches = am_hub_caches(cache_dir, caches), n_roots = am_store_roots(roots);
  bool fine = true;
  for (size_t i = 0; i < n_caches; i++) fine = add(&places, AM_PLACE_HUGGINGFACE, caches[i]) && fine;
  for (size_t i = 0; i < n_roots; i++) fine = add(&places, AM_PLACE_OLLAMA, roots[i]) && fine;
  fine = add(&places, AM_PLACE_ADAM, am_hub_models_dir()) && fine;
  fine = add(&places, AM_PLACE_CONVERTED, am_places_converted()) && fine;
  if (!fine) {
    am_places_close(&places);
    return am_fail_memory(error, "stores");
  }
  *out = places;
  return ADAM_OK;
}

void am_places_close(am_places *places) {
  for (size_t i = 0; i < places->n; i++) am_mem_free(places->roots[i].path);
  *places = (am_places){0};
}

adam_status am_places_lock(am_lock **out, adam_error *error) {
  char *data = am_dirs_data();
  char *path = data ? am_path_join(data, "stores.lock") : NULL;
  adam_status status = ADAM_OK;
  if (path)
    status = am_lock_open(path, LOCK_WAIT_MS, NULL, NULL, out, error);
  else if (data || getenv("HOME") || getenv("XDG_DATA_HOME"))
    status = am_fail_memory(error, "stores");
  else
    status = am_fail(error, ADAM_UNAVAILABLE, "stores", "set HOME or XDG_DATA_HOME", "there is no folder for adam's data");
  if (status == ADAM_LIMIT) am_fail(error, status, "stores", "try again later", "another adam is working on them");
  am_mem_free(path);
  am_mem_free(data);
  return status;
}
