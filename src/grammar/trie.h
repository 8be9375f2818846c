/* SPDX-License-Identifier: Apache-2.0 */
/* grammar/trie: the tokens of a vocabulary by their bytes, so that a whole vocabulary is tried against a
 * grammar in one walk. Nodes stand in preorder: a node's first child follows it, and `end` is the node
 * after its subtree. Immutable after open; any thread. */
#ifndef AM_GRAMMAR_TRIE_H
#define AM_GRAMMAR_TRIE_H

#include <adam/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
  AM_TRIE_MOST_BYTES = 512, /* longer tokens are left out */
  AM_TRIE_MOST_PLAIN = 32
};

typedef struct am_trie_node {
  uint32_t end;   /* the node after the subtree */
  uint16_t depth; /* bytes from the root */
  uint8_t byte;   /* that leads here */
  uint8_t ends;   /* 1: tokens end here */
} am_trie_node;

typedef struct am_trie am_trie;
struct am_trie {
  size_t n_nodes, n_tokens, n_vocab;
  am_trie_node *nodes; /* (n_nodes); [0] is the root */
  uint32_t *token_at;  /* (n_nodes + 1) where a node's tokens begin */
  int32_t *tokens;     /* (n_tokens) ids, in the order of the nodes */
  uint32_t *node_of;   /* (n_vocab) node of a token; 0 = none */
  uint32_t first[256]; /* the root's children by byte; 0 = none */
  uint16_t most_depth;
  bool available[256]; /* bytes that are a token of their own */
  /* Tokens that are nothing but plain characters, which most of a vocabulary is: whole ones from U+0020 on,
   * no " and no \. Inside of a string they all lead to the same places, so they need no walk. */
  uint64_t *plain; /* (AM_TRIE_MOST_PLAIN, n_words of n_vocab bits) [k - 1]: tokens of k such characters */
  int32_t plain_token[AM_TRIE_MOST_PLAIN]; /* one of each; -1 = there is none */
  struct am_trie *rest;                    /* owned: all other tokens; NULL in `rest` itself */
};

/* n_vocab: ids at and above it are never used. next gives the bytes of token id (borrowed until it is
 * called again), 0 bytes where it must not be used. */
adam_status am_trie_open(size_t n_vocab,
                         adam_status (*next)(void *user, int32_t id, const char **bytes, size_t *n_bytes,
                                             adam_error *error),
                         void *user, am_trie **out, adam_error *error);
void am_trie_close(am_trie **trie);
/* Child of a node by byte; 0 = none. */
uint32_t am_trie_child(const am_trie *trie, uint32_t node, uint8_t byte);
/* Writes a token's bytes, read from its leaf upwards, into out (AM_TRIE_MOST_BYTES); how many, 0 = none. */
size_t am_trie_bytes(const am_trie *trie, int32_t id, uint8_t *out);

#endif
