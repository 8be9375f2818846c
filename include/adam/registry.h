/* SPDX-License-Identifier: Apache-2.0 */
/* The registry: names -> backends. adam's own are there from the start; a caller can add more. */
#ifndef ADAM_REGISTRY_H
#define ADAM_REGISTRY_H

#include <adam/backend.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Registers a backend under ops->name. The table is borrowed for the life of the process; an older
 * backend of that name is replaced for models opened from now on. ADAM_INVALID: wrong version, no
 * name, a required operation missing. Any thread. */
ADAM_API adam_status adam_backend_register(const adam_backend_ops *ops, adam_error *error);
/* The table of a name; NULL = unknown. Any thread. */
ADAM_API const adam_backend_ops *adam_backend_find(const char *name);
/* The index-th backend in order of registration; NULL past the end. Any thread. */
ADAM_API const adam_backend_ops *adam_backend_at(size_t index);

#ifdef __cplusplus
}
#endif
#endif
