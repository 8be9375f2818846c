/* SPDX-License-Identifier: Apache-2.0 */
#include "grammar/constraint.h"

#include "base/error.h"
#include "base/mem.h"
#include "grammar/automaton.h"
#include "grammar/cover.h"

#include <string.h>

enum {
  MOST_MASKS = 512,
  MOST_HEIGHT = 1000,         /* frames: deeper texts are allowed only to become less deep */
  MOST_SEARCH_NODES = 1 << 26 /* trie nodes that the search for the fewest tokens visits */
};
enum { NOTE_MASK = 0, NOTE_COVER = 1 };
enum { UNJUDGED = 0, ALLOWED = 1, REFUSED = 2 };

typedef struct hit {
  uint32_t node, place;
} hit;

typedef struct mask_entry {
  uint32_t place;
  uint64_t low, high; /* tokens left after the next one, for which the mask holds */
} mask_entry;

struct am_constraint {
  const am_trie *trie; /* borrowed */
  am_automaton automaton;
  uint32_t place;
  bool drops_space, first;            /* first: no token yet */
  const am_trie *walked;              /* whose nodes the hits name: the whole trie, or the rest */
  uint32_t plain[AM_TRIE_MOST_PLAIN]; /* where plain tokens lead, by characters, where walked is the rest */
  hit *hits;                          /* (n_nodes) what the last walk reached */
  size_t n_hits;
  uint8_t *verdicts; /* by place, for one mask */
  size_t verdicts_capacity;
  uint32_t *path;      /* (most_depth + 1) places along the walk */
  uint64_t *masks;     /* (MOST_MASKS, n_words) */
  mask_entry *entries; /* (MOST_MASKS) */
  size_t n_words, n_masks, next_mask;
  uint64_t *scratch; /* (n_words) a mask that is not kept */
  am_cover cover;
  int32_t *plan; /* owned: tokens that end the text; empty = none */
  size_t n_plan, plan_at;
};

adam_status am_constraint_open(const am_grammar *grammar, const am_trie *trie, bool drops_space,
                               am_constraint **out, adam_error *error) {
  am_constraint *c = am_mem_zalloc(1, sizeof *c);
  if (!c) return am_fail_memory(error, "grammar");
  c->trie = trie;
  c->drops_space = drops_space;
  c->first = true;
  c->n_words = (trie->n_vocab + 63) / 64;
  adam_status status = am_automaton_open(grammar, trie->available, &c->automaton, error);
  if (status) goto fail;
  c->hits = am_mem_alloc((trie->n_nodes + 1) * sizeof *c->hits);
  c->path = am_mem_zalloc((size_t)trie->most_depth + 1, sizeof *c->path);
  c->masks = am_mem_alloc(MOST_MASKS * c->n_words * sizeof *c->masks); /* touched as masks are made */
  c->entries = am_mem_zalloc(MOST_MASKS, sizeof *c->entries);
  c->scratch = am_mem_zalloc(c->n_words, sizeof *c->scratch);
  if (!c->hits || !c->path || !c->masks || !c->entries || !c->scratch) goto no_memory;
  c->place = am_automaton_start(&c->automaton);
  if (c->automaton.failed) goto no_memory;
  *out = c;
  return ADAM_OK;
no_memory:
  status = am_fail_memory(error, "grammar");
fail:
  am_constraint_close(&c);
  return status;
}

void am_constraint_close(am_constraint **constraint) {
  am_constraint *c = constraint ? *constraint : NULL;
  if (!c) return;
  am_automaton_close(&c->automaton);
  am_cover_close(&c->cover);
  am_mem_free(c->hits);
  am_mem_free(c->verdicts);
  am_mem_free(c->path);
  am_mem_free(c->masks);
  am_mem_free(c->entries);
  am_mem_free(c->scratch);
  am_mem_free(c->plan);
  am_mem_free(c);
  *constraint = NULL;
}

static const am_place *here(const am_constraint *c) { return &c->automaton.places[c->place]; }

bool am_constraint_ends(const am_constraint *c) { return here(c)->ends; }
bool am_constraint_is_over(const am_constraint *c) { return here(c)->ends && here(c)->n_ways == 0; }

/* Walks the nodes of [first, end), a subtree without its root of `depth`, from place; writes every node
 * with tokens whose bytes the grammar can read. */
static void walk_subtree(am_constraint *c, uint32_t place, uint32_t first, uint32_t end, uint16_t depth) {
  const am_trie_node *nodes = c->walked->nodes;
  const uint8_t *class_of = c->automaton.grammar->class_of;
  const uint32_t *steps = c->automaton.next; /* moves when a place is made */
  uint32_t *path = c->path, n_classes = c->automaton.grammar->n_classes;
  hit *hits = c->hits + c->n_hits;
  path[depth] = place;
  for (uint32_t i = first; i < end;) {
    am_trie_node node = nodes[i];
    uint8_t class = class_of[node.byte];
    uint32_t before = path[node.depth - 1], next = steps[(size_t)before * n_classes + class];
    if (next == AM_PLACE_UNKNOWN) {
      next = am_automaton_make(&c->automaton, before, class);
      steps = c->automaton.next;
    }
    path[node.depth] = next;
    *hits = (hit){i, next};
    hits += node.ends & (next != AM_PLACE_DEAD);
    i = next == AM_PLACE_DEAD ? node.end : i + 1;
  }
  c->n_hits = (size_t)(hits - c->hits);
}

/* Where plain tokens of each length lead, if all of one length lead to the same place. */
static bool follow_plain(am_constraint *c, uint32_t place) {
  uint32_t at = place;
  for (size_t k = 0; k < AM_TRIE_MOST_PLAIN; k++) {
    if (at != AM_PLACE_DEAD) at = am_automaton_plain(&c->automaton, at);
    if (at == AM_PLACE_MIXED) return false;
    c->plain[k] = at;
  }
  return true;
}

/* Every token that the grammar can read from place. The first token of a text that drops a leading space
 * is walked without it; two spaces are not allowed there, since how many are dropped differs. */
static void walk(am_constraint *c, uint32_t place, bool first) {
  const am_trie *t = c->trie;
  uint32_t space = t->first[' '];
  c->n_hits = 0;
  c->walked = t;
  if (!first || !c->drops_space || !space) {
    if (follow_plain(c, place)) c->walked = t->rest;
    walk_subtree(c, place, 1, (uint32_t)c->walked->n_nodes, 0);
    return;
  }
  walk_subtree(c, place, 1, space, 0);
  walk_subtree(c, place, t->nodes[space].end, (uint32_t)t->n_nodes, 0);
  for (uint32_t i = space + 1; i < t->nodes[space].end; i = t->nodes[i].end) {
    uint32_t next =
        t->nodes[i].byte == ' ' ? AM_PLACE_DEAD : am_automaton_next(&c->automaton, place, t->nodes[i].byte);
    if (next == AM_PLACE_DEAD) continue;
    if (t->nodes[i].ends) c->hits[c->n_hits++] = (hit){i, next};
    walk_subtree(c, next, i + 1, t->nodes[i].end, t->nodes[i].depth);
  }
}

/* Whether the shortest text in c->cover really can be read from place. */
static bool leads_to_end(am_constraint *c, uint32_t place, uint32_t n_bytes) {
  for (uint32_t i = 0; i < n_bytes && place != AM_PLACE_DEAD; i++)
    place = am_automaton_next(&c->automaton, place, c->cover.text[i]);
  return c->automaton.places[place].ends;
}

/* Fewest tokens for the place's shortest text; AM_GRAMMAR_NEVER without one. Remembered. */
static adam_status cover_place(am_constraint *c, uint32_t place, bool first, bool keep, uint32_t *n_tokens,
                               adam_error *error) {
  am_place *p = &c->automaton.places[place];
  if (!keep && !first && p->note[NOTE_COVER] != AM_PLACE_UNKNOWN) {
    *n_tokens = p->note[NOTE_COVER];
    return ADAM_OK;
  }
  if (p->cost > AM_COVER_MOST_BYTES) { /* NEVER, or too long to look closer */
    *n_tokens = p->cost;
  } else {
    if (!am_cover_reserve(&c->cover, p->cost) || !am_automaton_shortest(&c->automaton, place, c->cover.text))
      return am_fail_memory(error, "grammar");
    if (c->automaton.truncated && !leads_to_end(c, place, p->cost)) {
      *n_tokens = AM_GRAMMAR_NEVER;
      p = &c->automaton.places[place]; /* places may have moved */
      if (!first) p->note[NOTE_COVER] = *n_tokens;
      return ADAM_OK;
    }
    p = &c->automaton.places[place];
    *n_tokens = am_cover_count(&c->cover, c->trie, p->cost, first && c->drops_space);
    if (keep && *n_tokens != AM_GRAMMAR_NEVER) {
      int32_t *plan = am_mem_resize(c->plan, (size_t)*n_tokens + 1, sizeof *plan);
      if (!plan) return am_fail_memory(error, "grammar");
      am_cover_tokens(&c->cover, p->cost, plan);
      c->plan = plan;
      c->n_plan = *n_tokens;
      c->plan_at = 0;
    }
  }
  if (!first) p->note[NOTE_COVER] = *n_tokens;
  return ADAM_OK;
}

/* Tokens that are surely enough from place; the cheap bound where it will do. */
static adam_status need(am_constraint *c, uint32_t place, uint64_t budget, uint32_t *n_tokens,
                        adam_error *error) {
  const am_place *p = &c->automaton.places[place];
  *n_tokens = p->cost;
  if (p->cost <= budget && !c->automaton.truncated) return ADAM_OK;
  return cover_place(c, place, false, false, n_tokens, error);
}

/* Whether a token that leads to place is allowed; narrows the range of budgets for which this holds. */
static adam_status judge(am_constraint *c, uint32_t place, uint64_t budget, mask_entry *entry,
                         uint8_t *verdict, adam_error *error) {
  uint32_t height = here(c)->height > MOST_HEIGHT ? here(c)->height : MOST_HEIGHT, n = 0;
  adam_status status = need(c, place, budget, &n, error);
  if (status) return status;
  bool allowed = n != AM_GRAMMAR_NEVER && n <= budget && c->automaton.places[place].height <= height;
  if (allowed && n > entry->low) entry->low = n;
  if (!allowed && n != AM_GRAMMAR_NEVER && n > budget && n - 1 < entry->high) entry->high = n - 1;
  *verdict = allowed ? ALLOWED : REFUSED;
  return ADAM_OK;
}

static bool reserve_verdicts(am_constraint *c) {
  size_t n = c->automaton.n_places;
  if (n > c->verdicts_capacity) {
    uint8_t *grown = am_mem_resize(c->verdicts, 2 * n, 1);
    if (!grown) return false;
    c->verdicts = grown;
    c->verdicts_capacity = 2 * n;
  }
  memset(c->verdicts, UNJUDGED, n);
  return true;
}

/* The plain tokens, a bit set for each number of characters. */
static adam_status add_plain(am_constraint *c, uint64_t budget, uint64_t *mask, mask_entry *entry,
                             adam_error *error) {
  for (size_t k = 0; k < AM_TRIE_MOST_PLAIN && c->plain[k] != AM_PLACE_DEAD; k++) {
    const uint64_t *tokens = c->trie->plain + k * c->n_words;
    uint8_t *verdict = &c->verdicts[c->plain[k]];
    if (c->trie->plain_token[k] < 0) continue;
    if (*verdict == UNJUDGED) {
      adam_status status = judge(c, c->plain[k], budget, entry, verdict, error);
      if (status) return status;
    }
    for (size_t i = 0; *verdict == ALLOWED && i < c->n_words; i++) mask[i] |= tokens[i];
  }
  return ADAM_OK;
}

/* The mask from the hits of a walk; *entry gets the range of budgets for which it holds. */
static adam_status fill_mask(am_constraint *c, uint64_t budget, uint64_t *mask, mask_entry *entry,
                             adam_error *error) {
  const am_trie *t = c->walked;
  if (!reserve_verdicts(c)) return am_fail_memory(error, "grammar");
  memset(mask, 0, c->n_words * sizeof *mask);
  entry->low = 0;
  entry->high = UINT64_MAX;
  if (t != c->trie) {
    adam_status status = add_plain(c, budget, mask, entry, error);
    if (status) return status;
  }
  for (size_t i = 0; i < c->n_hits; i++) {
    uint8_t *verdict = &c->verdicts[c->hits[i].place];
    if (*verdict == UNJUDGED) {
      adam_status status = judge(c, c->hits[i].place, budget, entry, verdict, error);
      if (status) return status;
    }
    uint64_t bit = *verdict == ALLOWED;
    for (uint32_t k = t->token_at[c->hits[i].node]; k < t->token_at[c->hits[i].node + 1]; k++)
      mask[(uint32_t)t->tokens[k] / 64] |= bit << (uint32_t)t->tokens[k] % 64;
  }
  return ADAM_OK;
}

/* A mask that is kept and holds; NULL = there is none. */
static const uint64_t *kept_mask(const am_constraint *c, uint64_t budget) {
  uint32_t at = here(c)->note[NOTE_MASK];
  if (c->first || at == AM_PLACE_UNKNOWN) return NULL;
  const mask_entry *entry = &c->entries[at];
  bool holds = entry->place == c->place && budget >= entry->low && budget <= entry->high;
  return holds ? c->masks + at * c->n_words : NULL;
}

static adam_status make_mask(am_constraint *c, uint64_t budget, const uint64_t **mask, adam_error *error) {
  mask_entry entry = {.place = c->place};
  walk(c, c->place, c->first);
  if (c->automaton.failed) return am_fail_memory(error, "grammar");
  size_t at = here(c)->note[NOTE_MASK];
  if (at == AM_PLACE_UNKNOWN || c->entries[at].place != c->place) {
    at = c->next_mask;
    c->next_mask = (at + 1) % MOST_MASKS;
  }
  uint64_t *made = c->masks + at * c->n_words;
  c->entries[at].place = AM_PLACE_DEAD;
  adam_status status = fill_mask(c, budget, made, &entry, error);
  if (status) return status;
  if (!c->first) { /* the first one depends on what is dropped */
    c->entries[at] = entry;
    c->automaton.places[c->place].note[NOTE_MASK] = (uint32_t)at;
  }
  *mask = made;
  return ADAM_OK;
}

static bool is_empty(const uint64_t *mask, size_t n_words) {
  for (size_t i = 0; i < n_words; i++)
    if (mask[i]) return false;
  return true;
}

adam_status am_constraint_mask(am_constraint *c, uint64_t n_left, const uint64_t **mask, adam_error *error) {
  uint64_t budget = n_left - 1;
  const uint64_t *made = kept_mask(c, budget);
  if (!made) {
    adam_status status = make_mask(c, budget, &made, error);
    if (status) return status;
  }
  bool planned =
      c->automaton.truncated || here(c)->cost > n_left || (!here(c)->ends && is_empty(made, c->n_words));
  if (planned && !here(c)->ends) {
    if (c->plan_at == c->n_plan || c->n_plan - c->plan_at > n_left) {
      uint32_t n = 0;
      adam_status status = cover_place(c, c->place, c->first, true, &n, error);
      if (status) return status;
      if (n > n_left)
        return am_fail(error, ADAM_LIMIT, "grammar", NULL,
                       "no token of the vocabulary can continue the text");
    }
    memcpy(c->scratch, made, c->n_words * sizeof *c->scratch);
    uint32_t id = (uint32_t)c->plan[c->plan_at];
    c->scratch[id / 64] |= (uint64_t)1 << id % 64;
    made = c->scratch;
  }
  *mask = made;
  return ADAM_OK;
}

adam_status am_constraint_accept(am_constraint *c, int32_t id, adam_error *error) {
  uint8_t bytes[AM_TRIE_MOST_BYTES];
  size_t n = am_trie_bytes(c->trie, id, bytes), at = c->first && c->drops_space && n > 0 && bytes[0] == ' ';
  uint32_t place = n > 0 ? c->place : AM_PLACE_DEAD;
  for (; at < n && place != AM_PLACE_DEAD; at++) place = am_automaton_next(&c->automaton, place, bytes[at]);
  if (c->automaton.failed) return am_fail_memory(error, "grammar");
  if (place == AM_PLACE_DEAD)
    return am_fail(error, ADAM_INVALID, "grammar", NULL, "token %d does not continue the text", (int)id);
  if (c->plan_at < c->n_plan && c->plan[c->plan_at] == id)
    c->plan_at++;
  else
    c->n_plan = c->plan_at = 0;
  bool forgot = false;
  c->first = false;
  c->place = am_automaton_trim(&c->automaton, place, &forgot);
  if (forgot) memset(c->entries, 0, MOST_MASKS * sizeof *c->entries);
  return c->automaton.failed ? am_fail_memory(error, "grammar") : ADAM_OK;
}

/* A place of the search: how it was first reached. */
typedef struct reached {
  uint32_t place, from; /* from: index of the one before */
  int32_t token;
} reached;

typedef struct search {
  reached *list;
  size_t n, capacity;
  uint8_t *seen; /* by place */
  size_t seen_capacity;
} search;

static bool see(search *s, const am_automaton *a, uint32_t place, uint32_t from, int32_t token) {
  if (s->seen_capacity < a->places_capacity) {
    uint8_t *grown = am_mem_resize(s->seen, a->places_capacity, 1);
    if (!grown) return false;
    memset(grown + s->seen_capacity, 0, a->places_capacity - s->seen_capacity);
    s->seen = grown;
    s->seen_capacity = a->places_capacity;
  }
  if (s->seen[place]) return true;
  s->seen[place] = 1;
  if (s->n == s->capacity) {
    size_t more = s->capacity ? s->capacity * 2 : 256;
    reached *grown = am_mem_resize(s->list, more, sizeof *grown);
    if (!grown) return false;
    s->list = grown;
    s->capacity = more;
  }
  s->list[s->n++] = (reached){place, from, token};
  return true;
}

static adam_status take_plan(am_constraint *c, const search *s, size_t last, size_t n, adam_error *error) {
  int32_t *plan = am_mem_resize(c->plan, n + 1, sizeof *plan);
  if (!plan) return am_fail_memory(error, "grammar");
  c->plan = plan;
  c->n_plan = n;
  c->plan_at = 0;
  for (size_t at = last; n > 0; at = s->list[at].from) plan[--n] = s->list[at].token;
  return ADAM_OK;
}

/* Notes a place of the search; *found = its index when the text may end there. false: memory is out. */
static bool reach(const am_constraint *c, search *s, size_t from, uint32_t place, int32_t token,
                  uint32_t *found) {
  if (!see(s, &c->automaton, place, (uint32_t)from, token)) return false;
  if (!c->automaton.places[place].ends) return true;
  uint32_t last = 0;
  while (s->list[last].place != place) last++;
  *found = last;
  return true;
}

/* Breadth first over tokens for a text of fewer than `most` of them: *found tokens, kept as the plan, or
 * AM_GRAMMAR_NEVER. *complete: nothing was left out for lack of time. */
static adam_status search_fewest(am_constraint *c, uint32_t most, uint32_t *found, bool *complete,
                                 adam_error *error) {
  search s = {0};
  size_t at = 0, layer_end = 1, visited = 0;
  uint32_t depth = 0;
  adam_status status = ADAM_OK;
  *found = AM_GRAMMAR_NEVER;
  *complete = true;
  bool ok = see(&s, &c->automaton, c->place, 0, -1);
  while (ok && !status && at < s.n && depth + 1 < most && *found == AM_GRAMMAR_NEVER) {
    walk(c, s.list[at].place, depth == 0 && c->first);
    visited += c->walked->n_nodes;
    ok = !c->automaton.failed;
    for (size_t i = 0; ok && i < c->n_hits && *found == AM_GRAMMAR_NEVER; i++) {
      int32_t token = c->walked->tokens[c->walked->token_at[c->hits[i].node]];
      ok = reach(c, &s, at, c->hits[i].place, token, found);
    }
    for (size_t k = 0; ok && c->walked != c->trie && k < AM_TRIE_MOST_PLAIN && *found == AM_GRAMMAR_NEVER;
         k++)
      if (c->plain[k] != AM_PLACE_DEAD && c->trie->plain_token[k] >= 0)
        ok = reach(c, &s, at, c->plain[k], c->trie->plain_token[k], found);
    if (*found != AM_GRAMMAR_NEVER) {
      size_t last = *found;
      *found = depth + 1;
      status = take_plan(c, &s, last, depth + 1, error);
    }
    if (visited > MOST_SEARCH_NODES && *found == AM_GRAMMAR_NEVER) {
      *complete = false;
      break;
    }
    if (++at == layer_end) {
      layer_end = s.n;
      depth++;
    }
  }
  am_mem_free(s.list);
  am_mem_free(s.seen);
  return ok ? status : am_fail_memory(error, "grammar");
}

adam_status am_constraint_fit(am_constraint *c, uint64_t n_tokens, uint64_t *least, adam_error *error) {
  enum { MOST_BLIND = 64 }; /* tokens to look ahead where no bound is known */
  uint32_t surely = 0, fewest = 0;
  bool complete = true;
  if (here(c)->ends) {
    *least = 0;
    return ADAM_OK;
  }
  adam_status status = cover_place(c, c->place, true, false, &surely, error);
  if (status) return status;
  if (surely <= n_tokens && surely != AM_GRAMMAR_NEVER) {
    *least = surely;
    return ADAM_OK;
  }
  bool blind = surely == AM_GRAMMAR_NEVER;
  status = search_fewest(c, blind ? MOST_BLIND : surely, &fewest, &complete, error);
  if (status) return status;
  if (fewest == AM_GRAMMAR_NEVER) {
    if (blind)
      return am_fail(error, ADAM_UNSUPPORTED, "grammar", NULL,
                     "the model's vocabulary has no tokens for a text that it allows");
    fewest = surely;
  }
  if (fewest <= n_tokens) {
    *least = fewest;
    return ADAM_OK;
  }
  c->n_plan = c->plan_at = 0;
  *least = fewest;
  return am_fail(error, ADAM_INVALID, "max_tokens", NULL,
                 complete ? "%llu is too few: the shortest text that is allowed needs %u"
                          : "%llu is too few: a text that is allowed needs up to %u",
                 (unsigned long long)n_tokens, fewest);
}
