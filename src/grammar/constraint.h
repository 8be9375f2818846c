/* SPDX-License-Identifier: Apache-2.0 */
/* grammar/constraint: which tokens may come next, so that the text is always the beginning of one that
 * the grammar allows, and that one can always be finished in the tokens that are left.
 *
 * How room to close is kept. A text can be finished one byte at a time, so the fewest bytes to the end
 * bound the tokens that are needed; where that is too much, the same bytes are covered with the fewest
 * tokens. A token is allowed only when what is then needed fits into what is left. The first time only
 * the bytes' cover fits, it is kept as a plan, whose next token is always allowed: so there is always
 * one, and the last of them ends the text. For the very start the fewest tokens of all texts are searched.
 *
 * Masks are kept by place (automaton.h), with the range of what may be left for which they hold. The
 * memory is bounded; nothing grows with the length of the text. One thread. */
#ifndef AM_GRAMMAR_CONSTRAINT_H
#define AM_GRAMMAR_CONSTRAINT_H

#include "grammar/build.h"
#include "grammar/trie.h"

typedef struct am_constraint am_constraint;

/* Both are borrowed until the close. drops_space: the first token loses a leading space. */
adam_status am_constraint_open(const am_grammar *grammar, const am_trie *trie, bool drops_space,
                               am_constraint **out, adam_error *error);
void am_constraint_close(am_constraint **constraint);

/* Before the first token. Whether a text fits into n_tokens: ADAM_OK, and *least is a number of tokens, at
 * most n_tokens, that does. Else ADAM_INVALID, and *least is the fewest (or what is surely enough, where
 * finding the fewest would take too long). ADAM_UNSUPPORTED: the vocabulary cannot write any text of the
 * grammar. */
adam_status am_constraint_fit(am_constraint *constraint, uint64_t n_tokens, uint64_t *least,
                              adam_error *error);
/* The tokens that may come when n_left >= 1 may still be generated, this one included: *mask has a bit for
 * each id of the trie's n_vocab (64 to a word), borrowed until the next call. No bit is set only where
 * the text can but end. ADAM_NO_MEMORY, ADAM_LIMIT. */
adam_status am_constraint_mask(am_constraint *constraint, uint64_t n_left, const uint64_t **mask,
                               adam_error *error);
/* The token that was chosen; one that the mask forbids is ADAM_INVALID. */
adam_status am_constraint_accept(am_constraint *constraint, int32_t id, adam_error *error);
bool am_constraint_ends(const am_constraint *constraint);    /* the text may end here */
bool am_constraint_is_over(const am_constraint *constraint); /* and nothing may follow */

#endif
