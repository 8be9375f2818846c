/* SPDX-License-Identifier: Apache-2.0 */
/* manager: the front desk.
 * Purpose: turns what a caller asks (a REF, a request) into calls of one backend's table, and what
 *   comes back into plain results. In: adam/manager.h. Out: results that own their memory.
 * Threads: a manager by one thread at a time. Invariant: knows no backend by name except the native
 *   one, which serves files; holds no model knowledge of its own. */
#ifndef AM_MANAGER_MANAGER_H
#define AM_MANAGER_MANAGER_H

#include "manager/notices.h"
#include <adam/manager.h>

struct adam_manager {
  const adam_backend_ops *ops; /* borrowed for ever */
  adam_backend_model *model;   /* owned through ops */
  char *name;                  /* owned */
  adam_model_info info;        /* strings borrowed from model */
  char *origin_json;           /* owned; of a model opened to be described that tells none itself */
  am_notices notices;          /* of opening */
  char *ref;                   /* what was asked for; owned, NULL = nothing */
  char *embedding_ref;         /* the embedding model that was asked for; owned, NULL = none */
  char *embedding_device, *embedding_cache_dir; /* owned; NULL = default */
  char *embedding_host, *embedding_keep_alive;  /* of an Ollama server; owned; NULL = default */
  char *embedding_url, *embedding_key_file;     /* of a server of the same backend; owned; NULL = default */
  uint32_t embedding_timeout_ms;
  int32_t embedding_threads;
  bool embedding_start;
  adam_settings *settings;     /* owned; NULL while it is not open */
  bool ignores_settings;
  adam_manager *embedder;      /* owned; opened when it is first needed */
};

/* Copies a caller's struct whose first member is its struct_size into `to` (to_bytes, zeroed here):
 * what an older, smaller struct lacks is 0. ADAM_INVALID when struct_size is 0. */
adam_status am_manager_copy(const void *from, void *to, size_t to_bytes, const char *what, adam_error *error);
/* Puts the model that was just opened into Ollama's store (adam_share) and tells the outcome as a notice:
 * "shared", or "not_shared" (degraded) with the reason. Only for want of memory it fails. */
adam_status am_manager_share(adam_manager *manager, const char *ref, const char *cache_dir, adam_error *error);
/* ADAM_UNSUPPORTED naming the backend and what it cannot do. */
adam_status am_manager_unsupported(const adam_manager *manager, const char *verb, adam_error *error);

#endif
