/* SPDX-License-Identifier: Apache-2.0 */
/* The added tokens of a GGUF, as llama.cpp finds them: not the leftmost first but the longest first, each
 * everywhere in the text before the next is looked for. Only tokens that occur at all are looked for. */
#include "tokenizer/added.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

void am_added_parts_close(am_added_parts *parts) {
  am_mem_free(parts->data);
  am_mem_free(parts->spare);
  am_mem_free(parts->found);
  am_mem_free(parts->seen);
  *parts = (am_added_parts){0};
}

static bool add_part(am_added_parts *parts, const am_added_token *token, size_t start, size_t end) {
  am_added_part *spare = am_grow(parts->spare, parts->n_spare, 1, &parts->spare_capacity, sizeof *spare);
  if (!spare) return false;
  parts->spare = spare;
  spare[parts->n_spare++] = (am_added_part){token, start, end};
  return true;
}

/* The new parts become the parts. */
static void exchange(am_added_parts *parts) {
  am_added_part *data = parts->data;
  size_t capacity = parts->capacity;
  parts->data = parts->spare;
  parts->capacity = parts->spare_capacity;
  parts->n = parts->n_spare;
  parts->spare = data;
  parts->spare_capacity = capacity;
  parts->n_spare = 0;
}

/* Marks every token that occurs anywhere in the text, each once. */
static bool find_tokens(const am_added *added, bool plain, const char *text, size_t n_bytes,
                        am_added_parts *parts) {
  const am_added_trie *trie = &added->raw;
  const uint8_t *bytes = (const uint8_t *)text;
  parts->n_found = 0;
  if (trie->only == -2) return true;
  if (!parts->seen) {
    parts->seen = am_mem_zalloc(added->n + 1, sizeof *parts->seen);
    parts->found = am_mem_zalloc(added->n + 1, sizeof *parts->found);
    if (!parts->seen || !parts->found) return false;
  }
  for (size_t p = 0; p < n_bytes; p++) {
    if (trie->only >= 0) {
      const uint8_t *hit = memchr(bytes + p, trie->only, n_bytes - p);
      if (!hit) break;
      p = (size_t)(hit - bytes);
    }
    uint32_t node = trie->first[bytes[p]];
    for (size_t at = p + 1; node; at++) {
      int32_t token = trie->nodes[node].token;
      if (token >= 0 && !parts->seen[token] && !(plain && added->tokens[token].special)) {
        parts->seen[token] = true;
        parts->found[parts->n_found++] = &added->tokens[token];
      }
      if (at == n_bytes) break;
      node = trie->nodes[node].child;
      while (node && trie->nodes[node].byte != bytes[at]) node = trie->nodes[node].sibling;
    }
  }
  for (size_t i = 0; i < parts->n_found; i++) parts->seen[parts->found[i] - added->tokens] = false;
  return true;
}

static int longest_first(const void *a, const void *b) {
  const am_added_token *x = *(const am_added_token *const *)a, *y = *(const am_added_token *const *)b;
  if (x->n_bytes != y->n_bytes) return x->n_bytes < y->n_bytes ? 1 : -1;
  return (x->id > y->id) - (x->id < y->id);
}

/* As C's isspace has it, byte by byte. */
static bool is_blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

/* Cuts one part of plain text at every occurrence of a token. */
static bool cut(am_added_parts *parts, const am_added_token *token, const char *text, size_t start,
                size_t end) {
  for (;;) {
    const char *hit = end > start ? memmem(text + start, end - start, token->content, token->n_bytes) : NULL;
    if (!hit) break;
    size_t stop = (size_t)(hit - text), behind = stop + token->n_bytes;
    while (token->left_strip && stop > start && is_blank(text[stop - 1])) stop--;
    if (stop > start && !add_part(parts, NULL, start, stop)) return false;
    if (!add_part(parts, token, stop, stop)) return false;
    while (token->right_strip && behind < end && is_blank(text[behind])) behind++;
    start = behind;
  }
  return start == end || add_part(parts, NULL, start, end);
}

bool am_added_partition(const am_added *added, bool plain, const char *text, size_t n_bytes,
                        am_added_parts *parts) {
  parts->n_spare = 0;
  if (n_bytes > 0 && !add_part(parts, NULL, 0, n_bytes)) return false;
  exchange(parts);
  if (!find_tokens(added, plain, text, n_bytes, parts)) return false;
  if (parts->n_found > 1) qsort(parts->found, parts->n_found, sizeof *parts->found, longest_first);
  for (size_t i = 0; i < parts->n_found; i++) {
    for (size_t k = 0; k < parts->n; k++) {
      am_added_part part = parts->data[k];
      bool ok = part.token ? add_part(parts, part.token, part.start, part.end)
                           : cut(parts, parts->found[i], text, part.start, part.end);
      if (!ok) return false;
    }
    exchange(parts);
  }
  return true;
}
