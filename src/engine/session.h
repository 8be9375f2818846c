/* SPDX-License-Identifier: Apache-2.0 */
/* engine/session: one timeline: which ids are in the cache, and how more get there. */
#ifndef AM_ENGINE_SESSION_H
#define AM_ENGINE_SESSION_H

#include "engine/loaded.h"
#include "engine/thinking.h"

/* A special token, which decoding hides, that marks a part of the answer. */
typedef struct am_marker {
  int32_t id;
  const char *text;
} am_marker;
enum { AM_SESSION_CALL_MARKERS = 12 };

struct am_session {
  am_engine *engine;       /* borrowed */
  am_kv *kv;               /* owned */
  am_workspace *workspace; /* owned; engine->chunk_tokens rows, 1 row of logits */
  int32_t *ids;            /* owned; (n_ctx), of which the first n_ids are in the cache */
  size_t n_ids;
  uint64_t length; /* the longest that the timeline was when one of them was computed (am_segment.length) */
  am_marker think_markers[2], call_markers[AM_SESSION_CALL_MARKERS]; /* id -1 = an ordinary text here */
  am_thinking thinking;                  /* owned buffers, kept between generations */
  am_buf piece, thought, answer, content; /* content: answer without its tool calls */
};

/* Keeps the longest common prefix of the cache with ids, less one, so that there is always an id left
 * whose logits can be computed; nothing where a window's ring no longer reaches back so far, or where the
 * rope follows the length and was another. Returns how many are kept. */
size_t am_session_rewind(am_session *session, const int32_t *ids, size_t n);
/* Runs n >= 1 ids behind those in the cache (which must have room). length: tokens of the timeline when the
 * run that these are a part of is done (a whole prompt), 0 = with these. *logits: (n_vocab) after the last
 * one, writable until the next call. On failure the cache holds what it held before, or nothing. */
adam_status am_session_feed(am_session *session, const int32_t *ids, size_t n, uint64_t length, float **logits,
                            adam_error *error);

#endif
