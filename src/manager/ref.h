/* SPDX-License-Identifier: Apache-2.0 */
/* manager/ref: a REF, as people write it, to the backend that serves it and what that backend opens.
 * The forms are those of INTERFACE.md: a path, ORG/NAME, hf:ORG/NAME[@REVISION][:FILE-or-QUANT],
 * a preset, demo, NAME:rest for a backend of that name. Reads folders, never the network. */
#ifndef AM_MANAGER_REF_H
#define AM_MANAGER_REF_H

#include "manager/notices.h"
#include <adam/backend.h>

typedef struct am_ref {
  const adam_backend_ops *ops; /* borrowed for ever */
  char *model;                 /* what ops->open gets; owned */
  char *name;                  /* the model's name for people; owned */
} am_ref;

/* backend: NULL, "auto" or a name. cache_dir: NULL = the Hub's own rules. *out is untouched on
 * failure; notices (renamed) are added. */
adam_status am_ref_resolve(const char *backend, const char *text, const char *cache_dir, am_ref *out,
                           am_notices *notices, adam_error *error);
/* The model of someone who named none: the largest preset on this machine that fits in memory, else
 * demo. *candidate (begin with 0) counts on, so that after a failure the next best can be asked for;
 * *last: nothing comes after this one. */
adam_status am_ref_default(const char *cache_dir, size_t *candidate, bool *last, am_ref *out,
                           am_notices *notices, adam_error *error);
void am_ref_close(am_ref *ref);

#endif
