/* SPDX-License-Identifier: Apache-2.0 */
/* engine/loaded: what a loaded engine consists of, for the files of this room. */
#ifndef AM_ENGINE_LOADED_H
#define AM_ENGINE_LOADED_H

#include "engine/engine.h"
#include "grammar/trie.h"
#include "model/model.h"
#include "os/thread.h"
#include "template/chat_template.h"

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
    am_chat_template *compiled;
  } templates[3]; /* by text pointer, filled on use: the store's Go, the file's Jinja, that for tools */
  am_trie *trie;  /* owned: the vocabulary for constraints, made at the first one */
};

/* The template that a conversation goes through. */
typedef struct am_engine_chat {
  const am_chat_template *compiled; /* NULL: the model has none; shared, lives as long as the engine */
  const char *text;                 /* of compiled */
  char passed_over[512];            /* why it is not the store's Go template; "" = it is, or there is none */
} am_engine_chat;

/* The store's Go template, as its server would take; the file's Jinja where there is no other, where the server would
 * not use the other, where that cannot be compiled, or does not know the tools that are there. */
adam_status am_engine_template(am_engine *engine, bool has_tools, am_engine_chat *out, adam_error *error);

#endif
