/* SPDX-License-Identifier: Apache-2.0 */
/* The fewest bytes to the end, for every state: Knuth's algorithm with a binary heap. */
#include "grammar/build.h"

#include "base/mem.h"

typedef struct entry {
  uint32_t cost, state;
} entry;

/* An edge seen from where it leads. */
typedef struct back_edge {
  uint32_t from;
  uint32_t edge;
} back_edge;

typedef struct search {
  const am_grammar *g;
  uint32_t *least, *via;
  bool *settled;
  entry *heap;
  size_t n_heap, heap_capacity;
  uint32_t *into_at, *calls_at; /* (n_states + 1) and (n_rules + 1): where the lists begin */
  back_edge *into, *calls;      /* by target, and the calls by rule */
  bool failed;
} search;

static void push(search *s, uint32_t state, uint32_t cost, uint32_t via) {
  if (s->failed || s->settled[state] || cost >= s->least[state]) return;
  if (s->n_heap == s->heap_capacity) {
    size_t more = s->heap_capacity ? s->heap_capacity * 2 : 256;
    entry *grown = am_mem_resize(s->heap, more, sizeof *grown);
    if (!grown) {
      s->failed = true;
      return;
    }
    s->heap = grown;
    s->heap_capacity = more;
  }
  s->least[state] = cost;
  if (s->via) s->via[state] = via;
  size_t i = s->n_heap++;
  for (; i > 0 && s->heap[(i - 1) / 2].cost > cost; i = (i - 1) / 2) s->heap[i] = s->heap[(i - 1) / 2];
  s->heap[i] = (entry){cost, state};
}

static entry pop(search *s) {
  entry top = s->heap[0], last = s->heap[--s->n_heap];
  size_t i = 0;
  for (;;) {
    size_t child = 2 * i + 1;
    if (child >= s->n_heap) break;
    if (child + 1 < s->n_heap && s->heap[child + 1].cost < s->heap[child].cost) child++;
    if (s->heap[child].cost >= last.cost) break;
    s->heap[i] = s->heap[child];
    i = child;
  }
  if (s->n_heap > 0) s->heap[i] = last;
  return top;
}

static bool usable(const am_edge *edge, const bool *available) {
  if (edge->kind != AM_EDGE_BYTES || !available) return true;
  for (unsigned byte = edge->first; byte <= edge->last; byte++)
    if (available[byte]) return true;
  return false;
}

/* Lists of edges by target, and of calls by rule (counting sort). */
static void turn_round(search *s) {
  const am_grammar *g = s->g;
  for (uint32_t i = 0; i < g->edge_at[g->n_states]; i++) {
    s->into_at[g->edges[i].target + 1]++;
    if (g->edges[i].kind == AM_EDGE_CALL) s->calls_at[g->edges[i].rule + 1]++;
  }
  for (uint32_t i = 0; i < g->n_states; i++) s->into_at[i + 1] += s->into_at[i];
  for (uint32_t i = 0; i < g->n_rules; i++) s->calls_at[i + 1] += s->calls_at[i];
  for (uint32_t from = 0; from < g->n_states; from++)
    for (uint32_t i = g->edge_at[from]; i < g->edge_at[from + 1]; i++) {
      const am_edge *edge = &g->edges[i];
      s->into[s->into_at[edge->target]++] = (back_edge){from, i};
      if (edge->kind == AM_EDGE_CALL) s->calls[s->calls_at[edge->rule]++] = (back_edge){from, i};
    }
  for (uint32_t i = g->n_states; i > 0; i--) s->into_at[i] = s->into_at[i - 1];
  for (uint32_t i = g->n_rules; i > 0; i--) s->calls_at[i] = s->calls_at[i - 1];
  s->into_at[0] = s->calls_at[0] = 0;
}

static void settle(search *s, uint32_t state, const bool *available) {
  const am_grammar *g = s->g;
  uint32_t cost = s->least[state], rule = g->rule_of[state];
  for (uint32_t i = s->into_at[state]; i < s->into_at[state + 1]; i++) {
    const am_edge *edge = &g->edges[s->into[i].edge];
    if (edge->kind == AM_EDGE_EMPTY) {
      push(s, s->into[i].from, cost, s->into[i].edge);
    } else if (edge->kind == AM_EDGE_BYTES) {
      if (usable(edge, available)) push(s, s->into[i].from, am_grammar_add(cost, 1), s->into[i].edge);
    } else if (s->settled[g->rules[edge->rule].start]) {
      push(s, s->into[i].from, am_grammar_add(cost, s->least[g->rules[edge->rule].start]), s->into[i].edge);
    }
  }
  if (state != g->rules[rule].start) return;
  for (uint32_t i = s->calls_at[rule]; i < s->calls_at[rule + 1]; i++) {
    uint32_t after = g->edges[s->calls[i].edge].target;
    if (s->settled[after]) push(s, s->calls[i].from, am_grammar_add(cost, s->least[after]), s->calls[i].edge);
  }
}

bool am_grammar_least(const am_grammar *g, const bool *available, uint32_t *least, uint32_t *via) {
  size_t n_edges = g->edge_at[g->n_states];
  search s = {.g = g, .least = least, .via = via};
  s.settled = am_mem_zalloc(g->n_states, sizeof *s.settled);
  s.into_at = am_mem_zalloc((size_t)g->n_states + 1, sizeof *s.into_at);
  s.calls_at = am_mem_zalloc((size_t)g->n_rules + 1, sizeof *s.calls_at);
  s.into = am_mem_zalloc(n_edges + 1, sizeof *s.into);
  s.calls = am_mem_zalloc(n_edges + 1, sizeof *s.calls);
  s.failed = !s.settled || !s.into_at || !s.calls_at || !s.into || !s.calls;
  if (!s.failed) {
    turn_round(&s);
    for (uint32_t i = 0; i < g->n_states; i++) least[i] = AM_GRAMMAR_NEVER;
    for (uint32_t r = 0; r < g->n_rules; r++) push(&s, g->rules[r].final, 0, AM_GRAMMAR_NEVER);
  }
  while (!s.failed && s.n_heap > 0) {
    entry top = pop(&s);
    if (s.settled[top.state] || top.cost != least[top.state]) continue;
    s.settled[top.state] = true;
    settle(&s, top.state, available);
  }
  am_mem_free(s.settled);
  am_mem_free(s.into_at);
  am_mem_free(s.calls_at);
  am_mem_free(s.into);
  am_mem_free(s.calls);
  am_mem_free(s.heap);
  return !s.failed;
}
