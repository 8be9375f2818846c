/* SPDX-License-Identifier: Apache-2.0 */
/* hub/places: where models lie on this machine: the Hub's cache, the cache of the Python program that
 * adam replaces, adam's own folder, and the model that ships. Paths that come back are owned; any
 * thread. */
#ifndef AM_HUB_PLACES_H
#define AM_HUB_PLACES_H

#include <adam/status.h>

/* Cache folders, strongest first: cache_dir alone when it is given, else the Hub's by its own rules
 * and the older one. Returns how many (at most 2; 0: no home). */
size_t am_hub_caches(const char *cache_dir, char *dirs[2]);
/* am_hub_snapshot over all caches; the error is the strongest one's. */
adam_status am_hub_find(const char *cache_dir, const char *repository, const char *revision, char **folder,
                        adam_error *error);
/* adam's own folder of model files, not created; NULL: no home, or memory is out. */
char *am_hub_models_dir(void);
/* The file of that folder that belongs to `repository` by its name (hub/folder.h); NULL = none. */
char *am_hub_own_file(const char *repository);
/* The folder of the model that ships: in ADAM_SHARE_DIR of the environment, beside the program in a
 * build folder or an installation, where `make install` put it. ADAM_NOT_FOUND says where it was
 * looked for. */
adam_status am_hub_demo(char **path, adam_error *error);

#endif
