/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer/added: the tokens that are found in the text before anything else looks at it
 * (AddedToken of the library). Immutable after open. */
#ifndef AM_TOKENIZER_ADDED_H
#define AM_TOKENIZER_ADDED_H

#include "base/json.h"
#include "tokenizer/normalizer.h"

typedef struct am_added_token {
  const char *content; /* borrowed from the JSON of open */
  uint32_t n_bytes;
  const char *spelling; /* as decode sees it: the normal form where that differs; in the arena */
  uint32_t spelling_bytes;
  int32_t id;
  bool single_word, left_strip, right_strip, normalized, special;
  bool skipped; /* decode leaves it out when special tokens are skipped */
} am_added_token;

/* A trie over bytes; children of a node are a list. */
typedef struct am_added_node {
  uint32_t child, sibling; /* 0 = none */
  int32_t token;           /* index, -1 = none ends here */
  uint8_t byte;
} am_added_node;

typedef struct am_added_trie {
  am_added_node *nodes; /* owned; [0] is the root */
  size_t n, capacity;
  uint32_t first[256]; /* the root's children by byte */
  int only;            /* the one byte that all tokens begin with, -1 = several, -2 = no tokens */
} am_added_trie;

typedef struct am_added {
  am_added_token *tokens; /* owned, by ascending id */
  size_t n;
  am_added_trie raw, normalized; /* tokens with normalized false, true */
  int32_t first_id;              /* lowest and highest id */
  int32_t last_id;
  bool longest_first; /* am_added_partition says how tokens are found, else am_added_next */
} am_added;

/* list: JSON array of {"id","content","single_word","lstrip","rstrip","normalized","special"}, ids
 * unique; borrowed by the result, as is the arena. */
adam_status am_added_open(const am_json *list, const am_normalizer *normalizer, am_arena *arena,
                          am_added *out, adam_error *error);
void am_added_close(am_added *added);
const am_added_token *am_added_find(const am_added *added, int32_t id); /* NULL: none has it */
const am_added_token *am_added_named(const am_added *added, const char *content, size_t n_bytes);

/* Walks a text: parts that are a token, and parts between them. */
typedef struct am_added_scan {
  const am_added *added;
  const am_added_trie *trie;
  const char *text;
  size_t n_bytes;
  size_t search;              /* where the automaton goes on */
  size_t done;                /* up to here the text has been given out */
  bool plain;                 /* special tokens are not recognised */
  const am_added_token *held; /* a match to be given out after the text before it */
  size_t held_end;
} am_added_scan;
am_added_scan am_added_begin(const am_added *added, bool normalized, bool plain, const char *text,
                             size_t n_bytes);
/* Next part: token (NULL: plain text from *start to *end, never empty). false: the end. */
bool am_added_next(am_added_scan *scan, const am_added_token **token, size_t *start, size_t *end);

/* added_longest.c: a text cut in the order of llama.cpp. Zero-initialise; for one am_added only. */
typedef struct am_added_part {
  const am_added_token *token; /* NULL: plain text from start to end, never empty */
  size_t start, end;
} am_added_part;
typedef struct am_added_parts {
  am_added_part *data, *spare; /* owned */
  size_t n, capacity, n_spare, spare_capacity;
  const am_added_token **found; /* owned: tokens that occur in the text */
  size_t n_found;
  bool *seen; /* owned (added->n), all false between calls */
} am_added_parts;
/* false: memory is out. */
bool am_added_partition(const am_added *added, bool plain, const char *text, size_t n_bytes,
                        am_added_parts *parts);
void am_added_parts_close(am_added_parts *parts);

#endif
