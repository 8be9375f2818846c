/* SPDX-License-Identifier: Apache-2.0 */
/* manager/stored: models of the Ollama store that adam's own engine can run where they lie. Any thread. */
#ifndef AM_MANAGER_STORED_H
#define AM_MANAGER_STORED_H

#include <adam/backend.h>

/* NAME to "ollama:NAME:TAG" in its stored spelling, owned. *ask_server: the store cannot be read, or there is none: its
 * server may know more; false for a model that is not there, is damaged or not supported. */
adam_status am_stored_resolve(const char *name, char **model, bool *ask_server, adam_error *error);
/* Every model of every store that can be read; one that cannot run is told with what it is called and its bytes. */
adam_status am_stored_list(adam_on_model on_model, void *user, adam_error *error);

#endif
