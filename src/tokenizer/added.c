/* SPDX-License-Identifier: Apache-2.0 */
#include "tokenizer/added.h"

#include "base/map.h"
#include "base/mem.h"
#include "tokenizer/unicode.h"

#include <stdlib.h>
#include <string.h>

#define MAX_TOKENS 1000000u
#define MAX_TOKEN_BYTES 4096u

static adam_status no_memory(adam_error *error) { return am_fail_memory(error, "tokenizer"); }

static adam_status trie_open(am_added_trie *trie, adam_error *error) {
  trie->only = -2;
  trie->nodes = am_grow(NULL, 0, 1, &trie->capacity, sizeof *trie->nodes);
  if (!trie->nodes) return no_memory(error);
  trie->nodes[0] = (am_added_node){0, 0, -1, 0};
  trie->n = 1;
  return ADAM_OK;
}

/* The child of node for a byte, made if there is none; 0: memory is out. */
static uint32_t trie_child(am_added_trie *trie, uint32_t node, uint8_t byte) {
  uint32_t found = node ? trie->nodes[node].child : trie->first[byte];
  while (found && trie->nodes[found].byte != byte) found = trie->nodes[found].sibling;
  if (found) return found;
  am_added_node *nodes = am_grow(trie->nodes, trie->n, 1, &trie->capacity, sizeof *nodes);
  if (!nodes || trie->n >= UINT32_MAX) return 0;
  trie->nodes = nodes;
  found = (uint32_t)trie->n++;
  nodes[found] = (am_added_node){0, node ? nodes[node].child : 0, -1, byte};
  if (node)
    nodes[node].child = found;
  else
    trie->first[byte] = found;
  return found;
}

/* Of two tokens with one pattern the later (higher id) stays. */
static adam_status trie_add(am_added_trie *trie, const char *pattern, size_t n_bytes, size_t token,
                            adam_error *error) {
  uint32_t node = 0;
  if (n_bytes == 0) return ADAM_OK;
  if (n_bytes > MAX_TOKEN_BYTES)
    return am_fail(error, ADAM_LIMIT, "tokenizer", NULL,
                   "an added token has %zu bytes, at most %u are allowed", n_bytes, MAX_TOKEN_BYTES);
  for (size_t i = 0; i < n_bytes; i++) {
    node = trie_child(trie, node, (uint8_t)pattern[i]);
    if (!node) return no_memory(error);
  }
  trie->nodes[node].token = (int32_t)token;
  int byte = (uint8_t)pattern[0];
  trie->only = trie->only == -2 || trie->only == byte ? byte : -1;
  return ADAM_OK;
}

static adam_status read_token(const am_json *json, const am_normalizer *normalizer, am_arena *arena,
                              am_stage_memory *memory, am_added_token *out, adam_error *error) {
  const am_json *content = am_json_get(json, "content");
  int64_t id = am_json_int(am_json_get(json, "id"), -1);
  if (!content || content->type != AM_JSON_STRING || id < 0 || id > INT32_MAX - 1)
    return am_fail(error, ADAM_DAMAGED, "tokenizer", NULL, "added_tokens: an item without content or id");
  *out = (am_added_token){
      .content = content->as.string,
      .n_bytes = content->n,
      .spelling = content->as.string,
      .spelling_bytes = content->n,
      .id = (int32_t)id,
      .single_word = am_json_bool(am_json_get(json, "single_word"), false),
      .left_strip = am_json_bool(am_json_get(json, "lstrip"), false),
      .right_strip = am_json_bool(am_json_get(json, "rstrip"), false),
      .normalized = am_json_bool(am_json_get(json, "normalized"), false),
      .special = am_json_bool(am_json_get(json, "special"), false),
  };
  if (!out->normalized || normalizer->n == 0) return ADAM_OK;
  am_normalized normal;
  adam_status status = am_normalizer_run(normalizer, out->content, out->n_bytes, memory, &normal, error);
  if (status != ADAM_OK) return status;
  if (normal.n_bytes == out->n_bytes && memcmp(normal.text, out->content, out->n_bytes) == 0) return ADAM_OK;
  if (normal.n_bytes > UINT32_MAX)
    return am_fail(error, ADAM_LIMIT, "tokenizer", NULL, "an added token is too long");
  out->spelling = am_arena_dup(arena, normal.text, normal.n_bytes);
  out->spelling_bytes = (uint32_t)normal.n_bytes;
  return out->spelling ? ADAM_OK : no_memory(error);
}

static int by_id(const void *a, const void *b) {
  const am_added_token *x = a, *y = b;
  return (x->id > y->id) - (x->id < y->id);
}

/* The library asks whether the spelling, not the id, is that of a special token. */
static adam_status mark_skipped(am_added *added, adam_error *error) {
  am_map specials = {0};
  bool ok = true;
  for (size_t i = 0; ok && i < added->n; i++)
    if (added->tokens[i].special)
      ok = am_map_set(&specials, added->tokens[i].content, added->tokens[i].n_bytes, i);
  for (size_t i = 0; ok && i < added->n; i++) {
    am_added_token *token = &added->tokens[i];
    uint64_t unused;
    token->skipped = am_map_get(&specials, token->spelling, token->spelling_bytes, &unused);
  }
  am_map_close(&specials);
  return ok ? ADAM_OK : no_memory(error);
}

adam_status am_added_open(const am_json *list, const am_normalizer *normalizer, am_arena *arena,
                          am_added *out, adam_error *error) {
  am_added added = {.first_id = 0, .last_id = -1};
  am_stage_memory memory = {0};
  size_t n = list && list->type == AM_JSON_ARRAY ? list->n : 0;
  adam_status status = trie_open(&added.raw, error);
  if (status == ADAM_OK) status = trie_open(&added.normalized, error);
  if (status == ADAM_OK && n > MAX_TOKENS)
    status = am_fail(error, ADAM_LIMIT, "tokenizer", NULL, "%zu added tokens, at most %u are allowed", n,
                     MAX_TOKENS);
  if (status == ADAM_OK && !(added.tokens = am_mem_zalloc(n + 1, sizeof *added.tokens)))
    status = no_memory(error);
  for (size_t i = 0; status == ADAM_OK && i < n; i++)
    status = read_token(am_json_at(list, i), normalizer, arena, &memory, &added.tokens[added.n++], error);
  if (status != ADAM_OK) goto done;
  if (n > 0) {
    qsort(added.tokens, n, sizeof *added.tokens, by_id);
    added.first_id = added.tokens[0].id;
    added.last_id = added.tokens[n - 1].id;
  }
  for (size_t i = 0; status == ADAM_OK && i < n; i++) {
    const am_added_token *token = &added.tokens[i];
    if (i > 0 && token[-1].id == token->id)
      status = am_fail(error, ADAM_DAMAGED, "tokenizer", NULL, "added_tokens: id %d twice", token->id);
    else
      status = token->normalized
                   ? trie_add(&added.normalized, token->spelling, token->spelling_bytes, i, error)
                   : trie_add(&added.raw, token->content, token->n_bytes, i, error);
  }
  if (status == ADAM_OK) status = mark_skipped(&added, error);
done:
  am_stage_memory_close(&memory);
  if (status == ADAM_OK)
    *out = added;
  else
    am_added_close(&added);
  return status;
}

void am_added_close(am_added *added) {
  am_mem_free(added->tokens);
  am_mem_free(added->raw.nodes);
  am_mem_free(added->normalized.nodes);
  *added = (am_added){.last_id = -1};
}

const am_added_token *am_added_find(const am_added *added, int32_t id) {
  if (id < added->first_id || id > added->last_id) return NULL;
  size_t low = 0, high = added->n;
  while (low < high) {
    size_t middle = (low + high) / 2;
    if (added->tokens[middle].id < id)
      low = middle + 1;
    else
      high = middle;
  }
  return low < added->n && added->tokens[low].id == id ? &added->tokens[low] : NULL;
}

const am_added_token *am_added_named(const am_added *added, const char *content, size_t n_bytes) {
  const am_added_trie *tries[2] = {&added->raw, &added->normalized};
  for (int k = 0; k < 2 && n_bytes > 0; k++) {
    uint32_t node = tries[k]->first[(uint8_t)content[0]];
    for (size_t i = 1; node && i < n_bytes; i++) {
      node = tries[k]->nodes[node].child;
      while (node && tries[k]->nodes[node].byte != (uint8_t)content[i]) node = tries[k]->nodes[node].sibling;
    }
    if (!node || tries[k]->nodes[node].token < 0) continue;
    const am_added_token *token = &added->tokens[tries[k]->nodes[node].token];
    if (token->n_bytes == n_bytes && memcmp(token->content, content, n_bytes) == 0) return token;
  }
  for (size_t i = 0; i < added->n; i++) { /* those whose pattern is not their content */
    const am_added_token *token = &added->tokens[i];
    if (token->spelling != token->content && token->n_bytes == n_bytes &&
        memcmp(token->content, content, n_bytes) == 0)
      return token;
  }
  return NULL;
}

/* Longest token that begins at p; its index or -1. */
static int32_t longest_at(const am_added_trie *trie, const uint8_t *text, size_t n_bytes, size_t p,
                          size_t *end) {
  int32_t found = -1;
  uint32_t node = trie->first[text[p]];
  while (node) {
    p++;
    if (trie->nodes[node].token >= 0) {
      found = trie->nodes[node].token;
      *end = p;
    }
    if (p == n_bytes) break;
    node = trie->nodes[node].child;
    while (node && trie->nodes[node].byte != text[p]) node = trie->nodes[node].sibling;
  }
  return found;
}

/* Leftmost-longest match from scan->search on; -1: none. */
static int32_t next_match(const am_added_scan *scan, size_t *start, size_t *end) {
  const am_added_trie *trie = scan->trie;
  const uint8_t *text = (const uint8_t *)scan->text;
  if (trie->only == -2) return -1;
  for (size_t p = scan->search; p < scan->n_bytes; p++) {
    if (trie->only >= 0) {
      const uint8_t *hit = memchr(text + p, trie->only, scan->n_bytes - p);
      if (!hit) return -1;
      p = (size_t)(hit - text);
    } else {
      while (p < scan->n_bytes && !trie->first[text[p]]) p++;
      if (p == scan->n_bytes) return -1;
    }
    int32_t token = longest_at(trie, text, scan->n_bytes, p, end);
    if (token >= 0) return *start = p, token;
  }
  return -1;
}

static uint16_t class_at(const char *text, size_t p) {
  uint32_t codepoint;
  am_unicode_next((const uint8_t *)text + p, &codepoint);
  return am_unicode_class(codepoint);
}

static bool stands_alone(const am_added_scan *scan, size_t start, size_t end) {
  if (start > 0 &&
      class_at(scan->text, am_unicode_previous((const uint8_t *)scan->text, start)) & AM_CLASS_WORD)
    return false;
  return end == scan->n_bytes || !(class_at(scan->text, end) & AM_CLASS_WORD);
}

static size_t blanks_before(const am_added_scan *scan, size_t start, size_t least) {
  while (start > least) {
    size_t previous = am_unicode_previous((const uint8_t *)scan->text, start);
    if (!(class_at(scan->text, previous) & AM_CLASS_SPACE)) break;
    start = previous;
  }
  return start;
}

static size_t blanks_behind(const am_added_scan *scan, size_t end) {
  while (end < scan->n_bytes && class_at(scan->text, end) & AM_CLASS_SPACE) {
    uint32_t codepoint;
    end += am_unicode_next((const uint8_t *)scan->text + end, &codepoint);
  }
  return end;
}

am_added_scan am_added_begin(const am_added *added, bool normalized, bool plain, const char *text,
                             size_t n_bytes) {
  return (am_added_scan){.added = added,
                         .trie = normalized ? &added->normalized : &added->raw,
                         .text = text,
                         .n_bytes = n_bytes,
                         .plain = plain};
}

bool am_added_next(am_added_scan *scan, const am_added_token **token, size_t *start, size_t *end) {
  size_t match_start = 0, match_end = 0;
  if (scan->held) {
    *token = scan->held;
    *start = *end = scan->done;
    scan->done = scan->held_end;
    scan->held = NULL;
    return true;
  }
  *token = NULL;
  for (;;) {
    int32_t found = next_match(scan, &match_start, &match_end);
    if (found < 0) break;
    const am_added_token *match = &scan->added->tokens[found];
    scan->search = match_end;
    if (scan->plain && match->special) continue;
    if (match->single_word && !stands_alone(scan, match_start, match_end)) continue;
    if (match->left_strip) {
      size_t stripped = blanks_before(scan, match_start, 0);
      match_start = stripped > scan->done ? stripped : scan->done;
    }
    if (match->right_strip) match_end = blanks_behind(scan, match_end);
    if (scan->done < match_start) {
      *start = scan->done;
      *end = match_start;
      scan->done = match_start;
      scan->held = match;
      scan->held_end = match_end;
      return true;
    }
    *token = match;
    *start = *end = match_start;
    scan->done = match_end;
    return true;
  }
  if (scan->done == scan->n_bytes) return false;
  *start = scan->done;
  *end = scan->n_bytes;
  scan->done = scan->n_bytes;
  scan->search = scan->n_bytes;
  return true;
}
