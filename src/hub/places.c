/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/places.h"

#include "base/buf.h"
#include "base/mem.h"
#include "hub/cache.h"
#include "hub/folder.h"
#include "os/dirs.h"
#include "os/file.h"
#include <stdlib.h>
#include <string.h>

size_t am_hub_caches(const char *cache_dir, char *dirs[2]) {
  size_t n = 0;
  if (cache_dir && *cache_dir) {
    if ((dirs[n] = am_mem_dup(cache_dir, strlen(cache_dir)))) n++;
    return n;
  }
  if ((dirs[n] = am_dirs_hub())) n++;
  /* Where the Python program that adam replaces kept its downloads, in the same layout. */
  if ((dirs[n] = am_dirs_expand("~/.cache/augment_adam_models"))) n++;
  return n;
}

adam_status am_hub_find(const char *cache_dir, const char *repository, const char *revision, char **folder,
                        adam_error *error) {
  char *dirs[2] = {0};
  adam_error first = {0}, later = {0};
  adam_status status = ADAM_NOT_FOUND;
  size_t n = am_hub_caches(cache_dir, dirs);
  for (size_t i = 0; i < n && status; i++) {
    adam_status tried = am_hub_snapshot(dirs[i], repository, revision, folder, i ? &later : &first);
    if (i == 0 || !tried) status = tried;
  }
  for (size_t i = 0; i < n; i++) am_mem_free(dirs[i]);
  if (n == 0)
    return am_fail(error, ADAM_NOT_FOUND, repository, "set HOME or HF_HOME", "there is no cache folder");
  if (status && error) *error = first;
  return status;
}

char *am_hub_models_dir(void) {
  char *cache = am_dirs_cache();
  char *models = cache ? am_path_join(cache, "models") : NULL;
  am_mem_free(cache);
  return models;
}

/* A file of adam's own models folder that belongs to the repository by its name. */
typedef struct own_file {
  const char *repository;
  char *name;
} own_file;

static bool see_own_file(void *user, const char *name) {
  own_file *own = user;
  bool fits = am_hub_is_file_of(name, own->repository);
  if (fits) own->name = am_mem_dup(name, strlen(name));
  return fits;
}

char *am_hub_own_file(const char *repository) {
  char *models = am_hub_models_dir();
  own_file own = {.repository = repository};
  if (models && am_file_is_dir(models)) am_dir_list(models, see_own_file, &own, NULL);
  char *path = own.name ? am_path_join(models, own.name) : NULL;
  am_mem_free(own.name);
  am_mem_free(models);
  return path;
}

adam_status am_hub_demo(char **path, adam_error *error) {
  static const char *const beside_program[] = {"models/demo", "share/adam/models/demo"};
  static const char installed[] = ADAM_SHARE_DIR "/models/demo";
  const char *chosen = getenv("ADAM_SHARE_DIR");
  am_buf looked = {0};
  char *program = am_dirs_program();
  char *root = program ? am_path_dirname(program) : NULL;
  char *found = NULL;
  for (int i = 0; i < 4 && !found; i++) {
    char *candidate = NULL;
    if (i == 0 && chosen && *chosen) candidate = am_path_join(chosen, "models/demo");
    if ((i == 1 || i == 2) && root) candidate = am_path_join(root, beside_program[i - 1]);
    if (i == 3) candidate = am_mem_dup(installed, sizeof installed - 1);
    if (candidate && am_file_is_dir(candidate)) {
      found = candidate;
    } else {
      if (candidate) am_buf_printf(&looked, "%s%s", looked.len ? ", " : "", candidate);
      am_mem_free(candidate);
    }
  }
  if (found) *path = found;
  if (!found)
    am_fail(error, ADAM_NOT_FOUND, "demo", "set ADAM_SHARE_DIR to the folder that holds models/demo",
            "the model that ships with adam was not found; looked for %s",
            looked.data ? looked.data : "nothing");
  am_buf_close(&looked);
  am_mem_free(root);
  am_mem_free(program);
  return found ? ADAM_OK : ADAM_NOT_FOUND;
}
