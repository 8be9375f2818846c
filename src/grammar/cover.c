/* SPDX-License-Identifier: Apache-2.0 */
#include "grammar/cover.h"

#include "base/mem.h"

#include <string.h>

bool am_cover_reserve(am_cover *c, size_t n_bytes) {
  if (n_bytes + 1 <= c->capacity) return true;
  size_t n = n_bytes + 1 > 2 * c->capacity ? n_bytes + 1 : 2 * c->capacity;
  am_cover grown = {.capacity = n};
  grown.text = am_mem_alloc(n);
  grown.fewest = am_mem_zalloc(n, sizeof *grown.fewest);
  grown.token = am_mem_zalloc(n, sizeof *grown.token);
  grown.to = am_mem_zalloc(n, sizeof *grown.to);
  if (!grown.text || !grown.fewest || !grown.token || !grown.to) {
    am_cover_close(&grown);
    return false;
  }
  am_cover_close(c);
  *c = grown;
  return true;
}

void am_cover_close(am_cover *c) {
  am_mem_free(c->text);
  am_mem_free(c->fewest);
  am_mem_free(c->token);
  am_mem_free(c->to);
  *c = (am_cover){0};
}

/* Follows the text from offset `at` and trie node `node`, and takes the best token on the way. */
static void try_tokens(am_cover *c, const am_trie *t, size_t n_bytes, size_t at, uint32_t node, size_t slot) {
  for (size_t i = at; i < n_bytes && (node = am_trie_child(t, node, c->text[i])) != 0; i++) {
    uint32_t rest = c->fewest[i + 1];
    if (t->token_at[node + 1] == t->token_at[node] || rest >= c->fewest[slot] - 1) continue;
    c->fewest[slot] = rest + 1;
    c->token[slot] = t->tokens[t->token_at[node]];
    c->to[slot] = (uint32_t)(i + 1);
  }
}

uint32_t am_cover_count(am_cover *c, const am_trie *t, size_t n_bytes, bool drops_space) {
  c->fewest[n_bytes] = 0;
  for (size_t at = n_bytes; at-- > 0;) {
    c->fewest[at] = UINT32_MAX;
    if (at > 0 || !drops_space) {
      try_tokens(c, t, n_bytes, at, 0, at);
      continue;
    }
    if (c->text[0] == ' ') continue;
    try_tokens(c, t, n_bytes, 0, 0, 0);
    if (t->first[' ']) try_tokens(c, t, n_bytes, 0, t->first[' '], 0);
  }
  return c->fewest[0];
}

void am_cover_tokens(const am_cover *c, size_t n_bytes, int32_t *out) {
  for (size_t at = 0; at < n_bytes; at = c->to[at]) *out++ = c->token[at];
}
