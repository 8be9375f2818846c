/* SPDX-License-Identifier: Apache-2.0 */
/* backend/mock: a model that follows a script; for tests and for trying adam without weights.
 * In: `mock:SCRIPT`, the language below. Out: the same operations table as every other backend.
 * Threads: an open model by one thread at a time. Invariant: its tokens are the Unicode code
 *   points of the text plus AM_MOCK_END_ID; ids and text map one to one. */
#ifndef AM_BACKEND_MOCK_MOCK_H
#define AM_BACKEND_MOCK_MOCK_H

#include "backend/mock/script.h"
#include "base/buf.h"
#include <adam/backend.h>

/* SCRIPT is one of
 *   echo                     repeats the last user text (also the empty script)
 *   PATH.json                a script file, see below
 *   KEY=VALUE;KEY=VALUE...   when it begins with a KEY of the list below (or with `echo;`)
 *   anything else            says exactly that text
 * A VALUE ends at `;`. In it `\n` `\t` `\\` `\;` are escapes. Keys:
 *   say=TEXT            the answer
 *   random=N            instead of say: N letters, drawn by the seed
 *   think=TEXT          thinking before the answer, unless the request switches it off
 *   finish=REASON       stop (default) or length
 *   delay_ms=X          pause before each token
 *   first_delay_ms=X    pause before the first token, added to it
 *   fail_at=N           token N, counted from 1, is an error instead
 *   error=STATUS        the error's status: unavailable, io ... (failed)
 *   error_text=TEXT     the error's words
 *   open_error=STATUS   opening fails with this status
 *   tokens_per_chunk=N  tokens in a piece (1)
 *   chunk_bytes=N       instead: pieces are cut every N bytes; a cut character waits for its end
 *   notice=TEXT         sends a degraded notice
 *   tool_call=JSON      after the answer, where the request has tools: {"name","arguments"} or an array
 * A script file holds {"answers":[...]} or just the array. An answer is a string (what to say) or
 * an object with the keys above and "match": the first answer whose match occurs in the last user
 * text is given; when none does, the answers without "match" take turns. Keys beside "answers" are
 * defaults for all. While it waits, the mock sends a piece with neither text nor ids every 20 ms,
 * so that the receiver can cancel. ignore_eos makes it say its text again and again. */
enum {
  AM_MOCK_END_ID = 0x110000, /* one above the last code point */
  AM_MOCK_N_VOCAB = 0x110001,
  AM_MOCK_N_CTX = 32768, /* default context, tokens */
  AM_MOCK_N_EMBEDDING = 8
};

struct adam_backend_model {
  am_mock_script script;
  char *name;    /* the script as given; owned */
  int64_t n_ctx; /* tokens */
  size_t turn;   /* how many answers without a match were given */
};

/* What a request says: its last user text and the whole conversation as text, one line a turn. */
typedef struct am_mock_prompt {
  am_buf last_user;
  am_buf whole;
} am_mock_prompt;
adam_status am_mock_prompt_open(const adam_request *request, am_mock_prompt *prompt, adam_error *error);
void am_mock_prompt_close(am_mock_prompt *prompt);
/* The conversation as `role: content` lines, or through request->template_text. */
adam_status am_mock_render(const adam_render_request *request, am_buf *out, adam_error *error);

/* The embed operation: value i counts the characters whose code point is i modulo 8, and the whole has the
 * length 1 unless that is switched off. There is one prompt, "query": "query: ". Texts beyond the context
 * are cut. */
adam_status am_mock_embed(void *context, adam_backend_model *model, const adam_embed_request *request,
                          const adam_sink *sink,
                          bool (*on_embedding)(void *user, size_t index, const float *values, size_t n_values),
                          void *user, adam_embed_outcome *outcome, adam_error *error);
/* The rerank operation: which share of the query's words, split at spaces, the document has in it. */
adam_status am_mock_rerank(void *context, adam_backend_model *model, const adam_rerank_request *request,
                           const adam_sink *sink, double *scores, adam_embed_outcome *outcome,
                           adam_error *error);

/* The generate operation. */
adam_status am_mock_speak(adam_backend_model *model, const adam_request *request, const adam_sink *sink,
                          adam_outcome *outcome, adam_error *error);

#endif
