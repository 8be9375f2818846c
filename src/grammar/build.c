/* SPDX-License-Identifier: Apache-2.0 */
#include "grammar/build.h"

#include "base/error.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

typedef struct loose_edge {
  am_edge edge;
  uint32_t next; /* index + 1 of the state's next edge; 0 = the last */
} loose_edge;

struct am_builder {
  const char *what;
  uint32_t *first_edge; /* (n_states) index + 1 */
  uint32_t *rule_of;    /* (n_states) */
  loose_edge *edges;
  am_rule *rules;
  size_t n_states, states_capacity, n_edges, edges_capacity, n_rules, rules_capacity;
  uint32_t begun;
  bool no_memory, too_large;
};

adam_status am_builder_open(const char *what, am_builder **out, adam_error *error) {
  am_builder *builder = am_mem_zalloc(1, sizeof *builder);
  if (!builder) return am_fail_memory(error, what);
  builder->what = what;
  *out = builder;
  return ADAM_OK;
}

void am_builder_close(am_builder **builder) {
  am_builder *b = builder ? *builder : NULL;
  if (!b) return;
  am_mem_free(b->first_edge);
  am_mem_free(b->rule_of);
  am_mem_free(b->edges);
  am_mem_free(b->rules);
  am_mem_free(b);
  *builder = NULL;
}

bool am_builder_failed(const am_builder *b) { return b->no_memory || b->too_large; }

void am_builder_fail_memory(am_builder *b) { b->no_memory = true; }

static bool grow(am_builder *b, void **data, size_t *capacity, size_t size) {
  size_t more = *capacity ? *capacity * 2 : 64;
  void *grown = am_mem_resize(*data, more, size);
  if (!grown) {
    b->no_memory = true;
    return false;
  }
  *data = grown;
  *capacity = more;
  return true;
}

/* State 0 stands for "could not be made": its edges are never looked at once a builder has failed. */
uint32_t am_builder_state(am_builder *b) {
  if (am_builder_failed(b)) return 0;
  if (b->n_states >= AM_BUILDER_MOST_STATES) {
    b->too_large = true;
    return 0;
  }
  if (b->n_states == b->states_capacity) {
    size_t capacity = b->states_capacity;
    if (!grow(b, (void **)&b->rule_of, &capacity, sizeof *b->rule_of) ||
        !grow(b, (void **)&b->first_edge, &b->states_capacity, sizeof *b->first_edge))
      return 0;
  }
  b->first_edge[b->n_states] = 0;
  b->rule_of[b->n_states] = b->begun;
  return (uint32_t)b->n_states++;
}

uint32_t am_builder_rule(am_builder *b, const char *name) {
  if (b->n_rules == b->rules_capacity && !grow(b, (void **)&b->rules, &b->rules_capacity, sizeof *b->rules))
    return 0;
  uint32_t before = b->begun, rule = (uint32_t)b->n_rules++;
  b->begun = rule;
  b->rules[rule] = (am_rule){.name = name};
  b->rules[rule].start = am_builder_state(b);
  b->rules[rule].final = am_builder_state(b);
  b->begun = before;
  return rule;
}

void am_builder_begin(am_builder *b, uint32_t rule) { b->begun = rule; }
uint32_t am_builder_begun(const am_builder *b) { return b->begun; }
uint32_t am_builder_start(const am_builder *b, uint32_t rule) {
  return b->n_rules ? b->rules[rule].start : 0;
}
uint32_t am_builder_final(const am_builder *b, uint32_t rule) {
  return b->n_rules ? b->rules[rule].final : 0;
}

static void add_edge(am_builder *b, uint32_t from, am_edge edge) {
  if (am_builder_failed(b)) return;
  if (b->n_edges >= AM_BUILDER_MOST_EDGES) {
    b->too_large = true;
    return;
  }
  if (b->n_edges == b->edges_capacity && !grow(b, (void **)&b->edges, &b->edges_capacity, sizeof *b->edges))
    return;
  b->edges[b->n_edges] = (loose_edge){edge, b->first_edge[from]};
  b->first_edge[from] = (uint32_t)++b->n_edges;
}

void am_builder_bytes(am_builder *b, uint32_t from, uint8_t first, uint8_t last, uint32_t to) {
  add_edge(b, from, (am_edge){.kind = AM_EDGE_BYTES, .first = first, .last = last, .target = to});
}

void am_builder_skip(am_builder *b, uint32_t from, uint32_t to) {
  if (from != to) add_edge(b, from, (am_edge){.kind = AM_EDGE_EMPTY, .target = to});
}

void am_builder_call(am_builder *b, uint32_t from, uint32_t rule, uint32_t to) {
  add_edge(b, from, (am_edge){.kind = AM_EDGE_CALL, .target = to, .rule = rule});
}

void am_builder_literal(am_builder *b, uint32_t from, const char *bytes, size_t n_bytes, uint32_t to) {
  if (n_bytes == 0) am_builder_skip(b, from, to);
  for (size_t i = 0; i < n_bytes; i++) {
    uint32_t next = i + 1 == n_bytes ? to : am_builder_state(b);
    am_builder_bytes(b, from, (uint8_t)bytes[i], (uint8_t)bytes[i], next);
    from = next;
  }
}

static int by_bytes(const void *x, const void *y) {
  const am_literal *a = x, *b = y;
  size_t n = a->n_bytes < b->n_bytes ? a->n_bytes : b->n_bytes;
  int order = memcmp(a->bytes, b->bytes, n);
  return order ? order : a->n_bytes < b->n_bytes ? -1 : a->n_bytes > b->n_bytes;
}

void am_builder_literals(am_builder *b, uint32_t from, am_literal *literals, size_t n, uint32_t to) {
  size_t longest = 0, shared = 0;
  for (size_t i = 0; i < n; i++)
    if (literals[i].n_bytes > longest) longest = literals[i].n_bytes;
  uint32_t *path = am_mem_alloc((longest + 1) * sizeof *path); /* states along the literal before */
  if (!path) {
    b->no_memory = true;
    return;
  }
  if (n > 1) qsort(literals, n, sizeof *literals, by_bytes);
  path[0] = from;
  for (size_t i = 0; i < n && !am_builder_failed(b); i++) {
    const am_literal *now = &literals[i], *last = i > 0 ? &literals[i - 1] : now;
    for (shared = 0; i > 0 && shared < now->n_bytes && shared < last->n_bytes; shared++)
      if (now->bytes[shared] != last->bytes[shared]) break;
    for (size_t at = shared; at < now->n_bytes; at++) {
      path[at + 1] = am_builder_state(b);
      am_builder_bytes(b, path[at], (uint8_t)now->bytes[at], (uint8_t)now->bytes[at], path[at + 1]);
    }
    am_builder_skip(b, path[now->n_bytes], to);
  }
  am_mem_free(path);
}

uint32_t am_builder_text(am_builder *b, uint32_t from, const char *text) {
  uint32_t to = am_builder_state(b);
  am_builder_literal(b, from, text, strlen(text), to);
  return to;
}

void am_grammar_close(am_grammar **grammar) {
  am_grammar *g = grammar ? *grammar : NULL;
  if (!g) return;
  am_mem_free(g->edges);
  am_mem_free(g->edge_at);
  am_mem_free(g->rules);
  am_mem_free(g->rule_of);
  am_mem_free(g->least_bytes);
  am_mem_free(g->names);
  am_mem_free(g);
  *grammar = NULL;
}

/* Where a chain of lonely empty edges ends: calls that return there need no return then. */
static uint32_t resolve(const am_builder *b, uint32_t state) {
  for (uint32_t i = 0; i < 64; i++) {
    uint32_t at = b->first_edge[state];
    if (at == 0 || b->edges[at - 1].next != 0 || b->edges[at - 1].edge.kind != AM_EDGE_EMPTY) break;
    state = b->edges[at - 1].edge.target;
  }
  return state;
}

static void pack(const am_builder *b, am_grammar *g) {
  size_t n = 0;
  for (size_t s = 0; s < b->n_states; s++) {
    g->edge_at[s] = (uint32_t)n;
    g->rule_of[s] = b->rule_of[s];
    for (uint32_t at = b->first_edge[s]; at != 0; at = b->edges[at - 1].next) {
      g->edges[n] = b->edges[at - 1].edge;
      g->edges[n].target = resolve(b, g->edges[n].target);
      n++;
    }
  }
  g->edge_at[b->n_states] = (uint32_t)n;
}

static void find_classes(am_grammar *g) {
  bool border[257] = {[0] = true};
  for (uint32_t i = 0; i < g->edge_at[g->n_states]; i++) {
    if (g->edges[i].kind != AM_EDGE_BYTES) continue;
    border[g->edges[i].first] = true;
    border[g->edges[i].last + 1] = true;
  }
  uint32_t n = 0;
  for (unsigned byte = 0; byte < 256; byte++) {
    if (border[byte]) g->class_byte[n++] = (uint8_t)byte;
    g->class_of[byte] = (uint8_t)(n - 1);
  }
  g->n_classes = n;
}

/* The names into one block that the grammar owns. */
static bool keep_names(am_grammar *g) {
  size_t n = 1, used = 0;
  for (uint32_t r = 0; r < g->n_rules; r++) n += g->rules[r].name ? strlen(g->rules[r].name) + 1 : 0;
  g->names = am_mem_alloc(n);
  if (!g->names) return false;
  for (uint32_t r = 0; r < g->n_rules; r++) {
    if (!g->rules[r].name) continue;
    size_t length = strlen(g->rules[r].name) + 1;
    memcpy(g->names + used, g->rules[r].name, length);
    g->rules[r].name = g->names + used;
    used += length;
  }
  return true;
}

/* Rules that a rule can begin with before any byte is read: depth-first over states and calls. */
typedef struct recursion {
  const am_grammar *g;
  uint8_t *colour;  /* (n_rules) 0 new, 1 open, 2 done */
  uint32_t *seen;   /* (n_states) rule + 1 that visited it last */
  uint32_t *stack;  /* (n_states) states to visit, all open rules together */
  uint32_t *frames; /* (2 * n_rules) rule, bottom of its part of the stack */
} recursion;

static void push_new(recursion *r, uint32_t rule, uint32_t state, size_t *top) {
  if (r->seen[state] == rule + 1) return;
  r->seen[state] = rule + 1;
  r->stack[(*top)++] = state;
}

/* Looks at one state of an open rule; the rule to go into, or AM_GRAMMAR_NEVER. The state is taken from
 * the stack when all its calls are done. */
static uint32_t step(recursion *r, uint32_t rule, size_t *top) {
  const am_grammar *g = r->g;
  uint32_t state = r->stack[*top - 1];
  for (uint32_t i = g->edge_at[state]; i < g->edge_at[state + 1]; i++)
    if (g->edges[i].kind == AM_EDGE_CALL && r->colour[g->edges[i].rule] != 2) return g->edges[i].rule;
  --*top;
  for (uint32_t i = g->edge_at[state]; i < g->edge_at[state + 1]; i++) {
    const am_edge *edge = &g->edges[i];
    bool reads_nothing = edge->kind == AM_EDGE_EMPTY ||
                         (edge->kind == AM_EDGE_CALL && g->least_bytes[g->rules[edge->rule].start] == 0);
    if (reads_nothing) push_new(r, rule, edge->target, top);
  }
  return AM_GRAMMAR_NEVER;
}

/* The first rule found that can begin with itself; AM_GRAMMAR_NEVER when there is none. */
static uint32_t find_left_recursion(recursion *r) {
  const am_grammar *g = r->g;
  for (uint32_t first = 0; first < g->n_rules; first++) {
    size_t top = 0, depth = 0;
    if (r->colour[first] != 0) continue;
    uint32_t enter = first;
    for (;;) {
      if (enter != AM_GRAMMAR_NEVER) {
        if (r->colour[enter] == 1) return enter;
        r->colour[enter] = 1;
        r->frames[2 * depth] = enter;
        r->frames[2 * depth + 1] = (uint32_t)top;
        depth++;
        push_new(r, enter, g->rules[enter].start, &top);
      }
      uint32_t rule = r->frames[2 * depth - 2];
      enter = AM_GRAMMAR_NEVER;
      if (top > r->frames[2 * depth - 1]) {
        enter = step(r, rule, &top);
        continue;
      }
      r->colour[rule] = 2;
      if (--depth == 0) break;
    }
  }
  return AM_GRAMMAR_NEVER;
}

static adam_status check(const am_grammar *g, const char *what, adam_error *error) {
  if (g->least_bytes[g->rules[0].start] == AM_GRAMMAR_NEVER)
    return am_fail(error, ADAM_INVALID, what, NULL, "no text can match it");
  recursion r = {.g = g};
  adam_status status = ADAM_OK;
  r.colour = am_mem_zalloc(g->n_rules, 1);
  r.seen = am_mem_zalloc(g->n_states, sizeof *r.seen);
  r.stack = am_mem_zalloc(g->n_states, sizeof *r.stack);
  r.frames = am_mem_zalloc(2 * (size_t)g->n_rules, sizeof *r.frames);
  if (!r.colour || !r.seen || !r.stack || !r.frames) {
    status = am_fail_memory(error, what);
  } else {
    uint32_t rule = find_left_recursion(&r);
    if (rule != AM_GRAMMAR_NEVER)
      status = am_fail(error, ADAM_INVALID, what, "let a text come before the rule's own name",
                       "left recursion: %.100s can begin with itself",
                       g->rules[rule].name ? g->rules[rule].name : "a rule");
  }
  am_mem_free(r.colour);
  am_mem_free(r.seen);
  am_mem_free(r.stack);
  am_mem_free(r.frames);
  return status;
}

adam_status am_builder_finish(am_builder *b, am_grammar **out, adam_error *error) {
  if (b->too_large)
    return am_fail(error, ADAM_LIMIT, b->what, "fewer or smaller repetitions",
                   "it needs more than %u states or %u edges", AM_BUILDER_MOST_STATES, AM_BUILDER_MOST_EDGES);
  if (b->no_memory) return am_fail_memory(error, b->what);
  am_grammar *g = am_mem_zalloc(1, sizeof *g);
  if (!g) return am_fail_memory(error, b->what);
  g->n_states = (uint32_t)b->n_states;
  g->n_rules = (uint32_t)b->n_rules;
  g->edges = am_mem_zalloc(b->n_edges + 1, sizeof *g->edges);
  g->edge_at = am_mem_zalloc(b->n_states + 1, sizeof *g->edge_at);
  g->rule_of = am_mem_zalloc(b->n_states, sizeof *g->rule_of);
  g->least_bytes = am_mem_zalloc(b->n_states, sizeof *g->least_bytes);
  g->rules = am_mem_zalloc(b->n_rules, sizeof *g->rules);
  bool ok = g->edges && g->edge_at && g->rule_of && g->least_bytes && g->rules;
  if (ok) {
    memcpy(g->rules, b->rules, b->n_rules * sizeof *g->rules);
    pack(b, g);
    find_classes(g);
    ok = keep_names(g) && am_grammar_least(g, NULL, g->least_bytes, NULL);
  }
  adam_status status = ok ? check(g, b->what, error) : am_fail_memory(error, b->what);
  if (status)
    am_grammar_close(&g);
  else
    *out = g;
  return status;
}
