/* SPDX-License-Identifier: Apache-2.0 */
/* manager/stored: models of the Ollama store that adam's own engine can run where they lie. Any thread. */
#ifndef AM_MANAGER_STORED_H
#define AM_MANAGER_STORED_H

#include <adam/backend.h>
#include <stdbool.h>
#include <stddef.h>

/* NAME to "ollama:NAME:TAG" in its stored spelling, owned. *ask_server: the store cannot be read, or there is none: its
 * server may know more; false for a model that is not there, is damaged or not supported. */
adam_status am_stored_resolve(const char *name, char **model, bool *ask_server, adam_error *error);
/* Every model of every store that can be read; one that cannot run is told with what it is called and its bytes. */
adam_status am_stored_list(adam_on_model on_model, void *user, adam_error *error);

/* The files that models of the stores run from: to tell whether a file elsewhere is one of them. */
typedef struct am_stored_file {
  uint64_t device, inode;
  char *name; /* "ollama:NAME:TAG"; owned */
} am_stored_file;
typedef struct am_stored_files {
  am_stored_file *items; /* owned */
  size_t n;
} am_stored_files;
adam_status am_stored_files_open(am_stored_files *out, adam_error *error); /* *out zeroed on failure */
void am_stored_files_close(am_stored_files *files);
/* The first model from index `from` on that runs from this very file (links are followed); n: none. */
size_t am_stored_files_find(const am_stored_files *files, const char *path, size_t from);

#endif
