/* SPDX-License-Identifier: Apache-2.0 */
/* backend: the operations table of adam/backend.h made real, one sub-folder each.
 * Purpose: names the tables that are built in; src/registry holds them. Nothing else may know this
 *   list. A new backend is a new sub-folder, a line here and a row in registry.c.
 * Threads: the tables are immutable; an open model by one thread at a time. */
#ifndef AM_BACKEND_BACKENDS_H
#define AM_BACKEND_BACKENDS_H

#include <adam/backend.h>

extern const adam_backend_ops am_backend_huggingface;
extern const adam_backend_ops am_backend_mock;

#endif
