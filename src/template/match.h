/* SPDX-License-Identifier: Apache-2.0 */
/* template/match: which Go template says what a model's Jinja says.
 * Purpose: renders a fixed set of conversations (one turn, a system text, several turns, tools, thinking)
 * with both, compares texts and, through a callback, token ids; chooses the row of the table that is equal,
 * and tells where the nearest one differs. In: a compiled Jinja template. Out: plain structs. The begin token
 * is Ollama's to add: where the Jinja writes it itself, its text is compared without it, its ids with it.
 * JSON of tools and calls is spelled differently by both; that counts as equal but for its spelling. Threads:
 * any. */
#ifndef AM_TEMPLATE_MATCH_H
#define AM_TEMPLATE_MATCH_H

#include "template/chat.h"
#include "template/go/go.h"
#include "template/go/known.h"

typedef enum am_match_verdict {
  AM_MATCH_ABSENT, /* the Jinja refuses such a conversation: nothing to compare */
  AM_MATCH_EQUAL,
  AM_MATCH_SPELLING, /* equal but for blanks and the order of keys in JSON */
  AM_MATCH_DIFFERS
} am_match_verdict;

/* The conversations; those before AM_MATCH_N_PLAIN decide whether a template fits. */
enum { AM_MATCH_N_PLAIN = 4, AM_MATCH_N = 10 };
const char *am_match_conversation_name(size_t index);

/* Text to ids, owned by the caller (am_mem_free). by_ollama: as its runner makes them, with the begin token
 * that the tokenizer adds; else as it is. */
typedef adam_status (*am_match_tokenize)(void *user, const char *text, size_t n_bytes, bool by_ollama,
                                         int32_t **ids, size_t *n_ids, adam_error *error);

typedef struct am_match_request {
  const am_template *jinja;
  const am_json *special_tokens; /* object or NULL: bos_token, eos_token, ... */
  am_match_tokenize tokenize;    /* NULL: texts only */
  void *user;
} am_match_request;

typedef struct am_match {
  const am_go_known *row; /* am_match_choose: the nearest; am_match_template: NULL */
  bool fits;              /* every plain conversation is equal */
  bool dated;             /* the Jinja writes today's date; compared as of 26 Jul 2024 */
  am_match_verdict verdicts[AM_MATCH_N];
  size_t n_equal;       /* EQUAL or SPELLING */
  size_t n_alike_bytes; /* of the plain ones, before their first difference */
  char difference[320]; /* where the first one differs, one line; "" = nowhere */
} am_match;

/* One Go template against the Jinja. ADAM_TEMPLATE when the Jinja cannot render one turn. */
adam_status am_match_template(const am_match_request *request, const am_go_template *tmpl, am_match *out,
                              adam_error *error);
/* The table's rows: the one that fits with most conversations equal; where none fits, the nearest with fits
 * false. */
adam_status am_match_choose(const am_match_request *request, am_match *out, adam_error *error);

#endif
