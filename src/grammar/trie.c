/* SPDX-License-Identifier: Apache-2.0 */
#include "grammar/trie.h"

#include "base/buf.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/utf8.h"

#include <stdlib.h>
#include <string.h>

typedef struct word {
  const char *bytes; /* an offset until all are gathered */
  uint32_t n_bytes;
  int32_t id;
} word;

static int by_bytes(const void *a, const void *b) {
  const word *x = a, *y = b;
  size_t n = x->n_bytes < y->n_bytes ? x->n_bytes : y->n_bytes;
  int order = memcmp(x->bytes, y->bytes, n);
  if (order != 0) return order;
  if (x->n_bytes != y->n_bytes) return x->n_bytes < y->n_bytes ? -1 : 1;
  return x->id < y->id ? -1 : x->id > y->id;
}

static size_t shared(const word *a, const word *b) {
  size_t n = 0;
  while (n < a->n_bytes && n < b->n_bytes && a->bytes[n] == b->bytes[n]) n++;
  return n;
}

static size_t count_nodes(const word *words, size_t n) {
  size_t nodes = 1;
  for (size_t i = 0; i < n; i++) nodes += words[i].n_bytes - (i > 0 ? shared(&words[i - 1], &words[i]) : 0);
  return nodes;
}

static adam_status reserve(am_trie *t, const word *words, size_t n, adam_error *error) {
  t->n_nodes = count_nodes(words, n);
  t->n_tokens = n;
  t->nodes = am_mem_zalloc(t->n_nodes, sizeof *t->nodes);
  t->token_at = am_mem_zalloc(t->n_nodes + 1, sizeof *t->token_at);
  t->tokens = am_mem_zalloc(n + 1, sizeof *t->tokens);
  t->node_of = am_mem_zalloc(t->n_vocab, sizeof *t->node_of);
  bool ok = t->nodes && t->token_at && t->tokens && t->node_of;
  return ok ? ADAM_OK : am_fail_memory(error, "vocabulary");
}

/* Words are sorted, so each adds the nodes that it does not share with the one before. */
static void build(am_trie *t, const word *words, size_t n) {
  uint32_t path[AM_TRIE_MOST_BYTES + 1] = {0}, node = 0;
  size_t depth = 0;
  for (size_t i = 0; i < n; i++) {
    size_t common = i > 0 ? shared(&words[i - 1], &words[i]) : 0;
    for (; depth > common; depth--) t->nodes[path[depth]].end = node + 1;
    for (; depth < words[i].n_bytes; depth++) {
      t->token_at[++node] = (uint32_t)i;
      t->nodes[node].byte = (uint8_t)words[i].bytes[depth];
      t->nodes[node].depth = (uint16_t)(depth + 1);
      path[depth + 1] = node;
      if (depth == 0) t->first[t->nodes[node].byte] = node;
    }
    t->tokens[i] = words[i].id;
    t->node_of[words[i].id] = node;
    t->nodes[node].ends = 1;
    if (depth > t->most_depth) t->most_depth = (uint16_t)depth;
    if (depth == 1) t->available[t->nodes[node].byte] = true;
  }
  for (; depth > 0; depth--) t->nodes[path[depth]].end = node + 1;
  t->nodes[0].end = node + 1;
  t->token_at[node + 1] = (uint32_t)n;
}

/* Number of characters of a plain token; 0 when it is none, or has more than AM_TRIE_MOST_PLAIN. */
static unsigned plain_characters(const word *w) {
  unsigned n = 0;
  for (size_t at = 0; at < w->n_bytes; n++) {
    uint32_t c = 0;
    int length = am_utf8_decode(w->bytes + at, w->n_bytes - at, &c);
    if (length < 0 || c < 0x20 || c == '"' || c == '\\') return 0;
    at += (size_t)length;
  }
  return n <= AM_TRIE_MOST_PLAIN ? n : 0;
}

static adam_status make(const word *words, size_t n, size_t n_vocab, am_trie **out, adam_error *error) {
  am_trie *t = am_mem_zalloc(1, sizeof *t);
  if (!t) return am_fail_memory(error, "vocabulary");
  t->n_vocab = n_vocab;
  *out = t; /* closed by the caller on failure too */
  adam_status status = reserve(t, words, n, error);
  if (!status) build(t, words, n);
  return status;
}

/* Sets the plain tokens apart; leaves the others in words. */
static adam_status split_plain(am_trie *t, word *words, size_t *n, adam_error *error) {
  size_t n_words = (t->n_vocab + 63) / 64, kept = 0;
  t->plain = am_mem_zalloc(AM_TRIE_MOST_PLAIN * n_words + 1, sizeof *t->plain);
  if (!t->plain) return am_fail_memory(error, "vocabulary");
  for (size_t k = 0; k < AM_TRIE_MOST_PLAIN; k++) t->plain_token[k] = -1;
  for (size_t i = 0; i < *n; i++) {
    unsigned count = plain_characters(&words[i]);
    uint32_t id = (uint32_t)words[i].id;
    if (count == 0) {
      words[kept++] = words[i];
      continue;
    }
    t->plain[(count - 1) * n_words + id / 64] |= (uint64_t)1 << id % 64;
    t->plain_token[count - 1] = words[i].id;
  }
  *n = kept;
  return ADAM_OK;
}

adam_status am_trie_open(size_t n_vocab,
                         adam_status (*next)(void *user, int32_t id, const char **bytes, size_t *n_bytes,
                                             adam_error *error),
                         void *user, am_trie **out, adam_error *error) {
  am_trie *t = NULL;
  word *words = am_mem_zalloc(n_vocab + 1, sizeof *words);
  am_buf bytes = {0};
  size_t n = 0;
  adam_status status = words ? ADAM_OK : am_fail_memory(error, "vocabulary");
  for (size_t id = 0; !status && id < n_vocab; id++) {
    const char *text = NULL;
    size_t n_bytes = 0;
    status = next(user, (int32_t)id, &text, &n_bytes, error);
    if (status || n_bytes == 0 || n_bytes > AM_TRIE_MOST_BYTES) continue;
    words[n++] = (word){(const char *)(uintptr_t)bytes.len, (uint32_t)n_bytes, (int32_t)id};
    if (!am_buf_append(&bytes, text, n_bytes)) status = am_fail_memory(error, "vocabulary");
  }
  for (size_t i = 0; !status && i < n; i++) words[i].bytes = bytes.data + (uintptr_t)words[i].bytes;
  if (!status && n > 1) qsort(words, n, sizeof *words, by_bytes);
  if (!status) status = make(words, n, n_vocab, &t, error);
  if (!status) status = split_plain(t, words, &n, error);
  if (!status) status = make(words, n, n_vocab, &t->rest, error);
  am_buf_close(&bytes);
  am_mem_free(words);
  if (status)
    am_trie_close(&t);
  else
    *out = t;
  return status;
}

void am_trie_close(am_trie **trie) {
  am_trie *t = trie ? *trie : NULL;
  if (!t) return;
  am_mem_free(t->nodes);
  am_mem_free(t->token_at);
  am_mem_free(t->tokens);
  am_mem_free(t->node_of);
  am_mem_free(t->plain);
  am_trie_close(&t->rest);
  am_mem_free(t);
  *trie = NULL;
}

uint32_t am_trie_child(const am_trie *t, uint32_t node, uint8_t byte) {
  if (node == 0) return t->first[byte];
  for (uint32_t child = node + 1; child < t->nodes[node].end && t->nodes[child].byte <= byte;
       child = t->nodes[child].end)
    if (t->nodes[child].byte == byte) return child;
  return 0;
}

size_t am_trie_bytes(const am_trie *t, int32_t id, uint8_t *out) {
  uint32_t node = id >= 0 && (size_t)id < t->n_vocab ? t->node_of[id] : 0;
  size_t n = node ? t->nodes[node].depth : 0;
  for (size_t left = n; left > 0; node--) /* the parent is the nearest node before with a smaller depth */
    if (t->nodes[node].depth == left) out[--left] = t->nodes[node].byte;
  return n;
}
