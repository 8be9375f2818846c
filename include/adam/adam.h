/* SPDX-License-Identifier: Apache-2.0 */
/* adam: manages and runs language models. This header includes all others.
 *
 *   adam_manager_options options = {.struct_size = sizeof options, .model = "demo"};
 *   adam_manager *manager = NULL;
 *   adam_error error = {0};
 *   if (adam_manager_open(&options, &manager, &error) != ADAM_OK) ...
 *
 * examples/hello.c is a whole program. Strings are UTF-8. The library never prints, exits or aborts
 * on input. */
#ifndef ADAM_ADAM_H
#define ADAM_ADAM_H

#include <adam/backend.h>
#include <adam/manager.h>
#include <adam/models.h>
#include <adam/registry.h>
#include <adam/settings.h>
#include <adam/status.h>
#include <adam/stores.h>
#include <adam/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define ADAM_VERSION "0.1.0"

/* Version of the library that runs, "MAJOR.MINOR.PATCH". Any thread. */
ADAM_API const char *adam_version(void);
/* Instruction tier in use ("avx2"), processor name, and how many processors this process may use.
 * Any thread. */
ADAM_API const char *adam_cpu_tier(void);
ADAM_API const char *adam_cpu_name(void);
ADAM_API int adam_cpu_count(void);
/* Log lines for a person who debugs: level 0 error .. 3 debug. NULL switches off (the default). */
ADAM_API void adam_log_set(void (*write)(void *user, int level, const char *line), void *user,
                           int most_detailed);

#ifdef __cplusplus
}
#endif
#endif
