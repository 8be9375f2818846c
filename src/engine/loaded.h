/* SPDX-License-Identifier: Apache-2.0 */
/* engine/loaded: what a loaded engine consists of, for the files of this room. */
#ifndef AM_ENGINE_LOADED_H
#define AM_ENGINE_LOADED_H

#include "engine/engine.h"
#include "grammar/trie.h"
#include "model/model.h"
#include "os/thread.h"
#include "template/template.h"

struct am_engine {
  am_loader *loader; /* owned */
  am_device *device; /* owned; NULL when vocab_only */
  am_model *model;   /* owned; NULL when vocab_only */
  uint64_t n_ctx;    /* of each session, tokens */
  uint64_t asked_ctx; /* what the caller asked for; 0 = nothing */
  am_dtype kv_dtype;
  uint32_t chunk_tokens; /* most tokens of one prefill batch */
  double load_ms;
  char extended[256]; /* text of the notice "context_extended", "" = none */
  char clipped[256]; /* text of the notice "context_clipped", "" = none */
  am_mutex mutex;    /* guards templates and trie */
  bool has_mutex;
  struct {
    const char *text;
    am_template *compiled;
  } templates[2]; /* by text pointer, filled on use */
  am_trie *trie;  /* owned: the vocabulary for constraints, made at the first one */
};

/* The model's compiled template; NULL in *out when it has none. Shared, lives as long as the engine. */
adam_status am_engine_template(am_engine *engine, bool has_tools, const am_template **out, adam_error *error);

#endif
