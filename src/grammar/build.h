/* SPDX-License-Identifier: Apache-2.0 */
/* grammar/build: the machine that every kind of constraint becomes, and its builder.
 * A grammar is a set of rules; a rule is a small automaton over bytes from its start to its final state,
 * whose edges read a byte, read nothing, or call a rule. A text belongs to the grammar when the first
 * rule can read all of it. Immutable once built; a builder belongs to one thread. */
#ifndef AM_GRAMMAR_BUILD_H
#define AM_GRAMMAR_BUILD_H

#include <adam/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AM_GRAMMAR_NEVER UINT32_MAX /* a number of bytes: there is no such text */

typedef enum am_edge_kind { AM_EDGE_BYTES, AM_EDGE_EMPTY, AM_EDGE_CALL } am_edge_kind;

typedef struct am_edge {
  uint8_t kind;        /* am_edge_kind */
  uint8_t first, last; /* BYTES: one of these */
  uint32_t target;     /* state after the byte, after nothing, after the rule */
  uint32_t rule;       /* CALL */
} am_edge;

typedef struct am_rule {
  uint32_t start, final; /* nothing leaves the final state */
  const char *name;      /* for errors, borrowed from the grammar; may be NULL */
} am_rule;

typedef struct am_grammar {
  uint32_t n_states, n_rules;
  am_edge *edges;        /* owned */
  uint32_t *edge_at;     /* owned; (n_states + 1) where a state's edges begin */
  am_rule *rules;        /* owned; [0] is the one that a text must match */
  uint32_t *rule_of;     /* owned; (n_states) */
  uint32_t *least_bytes; /* owned; (n_states) to the rule's final state; AM_GRAMMAR_NEVER */
  uint8_t class_of[256]; /* bytes that no edge tells apart */
  uint8_t class_byte[256];
  uint32_t n_classes;
  char *names; /* owned: the rules' names */
} am_grammar;

typedef struct am_builder am_builder;

/* `what` names the source in errors and is borrowed. */
adam_status am_builder_open(const char *what, am_builder **out, adam_error *error);
void am_builder_close(am_builder **builder);
/* The first rule is the one that a text must match. The states that are made next belong to the rule
 * that was begun last. name (borrowed until the end; NULL = none) is for errors. */
uint32_t am_builder_rule(am_builder *builder, const char *name);
void am_builder_begin(am_builder *builder, uint32_t rule);
uint32_t am_builder_begun(const am_builder *builder);
uint32_t am_builder_start(const am_builder *builder, uint32_t rule);
uint32_t am_builder_final(const am_builder *builder, uint32_t rule);
uint32_t am_builder_state(am_builder *builder);
void am_builder_bytes(am_builder *builder, uint32_t from, uint8_t first, uint8_t last, uint32_t to);
void am_builder_skip(am_builder *builder, uint32_t from, uint32_t to);
void am_builder_call(am_builder *builder, uint32_t from, uint32_t rule, uint32_t to);
/* A chain of single bytes. */
void am_builder_literal(am_builder *builder, uint32_t from, const char *bytes, size_t n_bytes, uint32_t to);
typedef struct am_literal {
  const char *bytes; /* borrowed for the call */
  size_t n_bytes;
} am_literal;
/* One of n literals, which are sorted here: what they begin with alike is shared. */
void am_builder_literals(am_builder *builder, uint32_t from, am_literal *literals, size_t n, uint32_t to);
/* The chain's last state instead of a given one. */
uint32_t am_builder_text(am_builder *builder, uint32_t from, const char *text);
void am_builder_fail_memory(am_builder *builder);
bool am_builder_failed(const am_builder *builder); /* memory, or more than AM_BUILDER_MOST states */
/* ADAM_INVALID: left recursion (which rule), or no text at all matches; ADAM_LIMIT: too large. */
adam_status am_builder_finish(am_builder *builder, am_grammar **out, adam_error *error);

#define AM_BUILDER_MOST_STATES (1u << 20)
#define AM_BUILDER_MOST_EDGES (1u << 22)

void am_grammar_close(am_grammar **grammar);
/* Fewest bytes from each state to the final one of its rule, using only bytes that are available (NULL:
 * all), into least (n_states); via (n_states; NULL = not wanted): the edge to take, AM_GRAMMAR_NEVER at
 * final states. Following via never goes in circles. false: memory is out. D. E. Knuth, "A generalization of
 * Dijkstra's algorithm", Information Processing Letters 6(1), 1977. */
bool am_grammar_least(const am_grammar *grammar, const bool *available, uint32_t *least, uint32_t *via);

static inline uint32_t am_grammar_add(uint32_t a, uint32_t b) {
  if (a == AM_GRAMMAR_NEVER || b == AM_GRAMMAR_NEVER) return AM_GRAMMAR_NEVER;
  return a >= AM_GRAMMAR_NEVER - 1 - b ? AM_GRAMMAR_NEVER - 1 : a + b;
}

#endif
