/* SPDX-License-Identifier: Apache-2.0 */
/* grammar: what an answer may look like.
 * Purpose: a JSON Schema, a GBNF grammar, a regular expression or a list of choices becomes one machine
 *   over bytes (build.h); with a vocabulary (trie.h) it says which tokens may come next (constraint.h).
 *   In: text that nobody trusts. Out: a grammar, immutable, shared by any number of constraints; a
 *   constraint per answer. Threads: a grammar from any thread, a constraint from one at a time.
 * Invariant: whatever tokens are chosen from the masks, the text ends within the tokens allowed, and all
 *   of it belongs to the grammar. Works on the bytes that tokens add, so any tokenizer will do. */
#ifndef AM_GRAMMAR_GRAMMAR_H
#define AM_GRAMMAR_GRAMMAR_H

#include "grammar/build.h"

/* Faults of the text: ADAM_INVALID with offset or JSON pointer; what is not supported and would change what
 * is valid: ADAM_INVALID too, naming it. ADAM_LIMIT: too large. */

/* docs/structured.md says which keywords there are and what is done where JSON Schema leaves it open. */
adam_status am_grammar_open_schema(const char *text, size_t n_bytes, am_grammar **out, adam_error *error);
/* GBNF as llama.cpp has it; the rule `root` is the text. */
adam_status am_grammar_open_gbnf(const char *text, size_t n_bytes, am_grammar **out, adam_error *error);
/* A regular expression that the whole text matches. */
adam_status am_grammar_open_regex(const char *text, size_t n_bytes, am_grammar **out, adam_error *error);
/* One of n >= 1 texts (NUL-terminated UTF-8). */
adam_status am_grammar_open_choice(const char *const *choices, size_t n, am_grammar **out, adam_error *error);

#endif
