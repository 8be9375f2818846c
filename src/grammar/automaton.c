/* SPDX-License-Identifier: Apache-2.0 */
#include "grammar/automaton.h"

#include "base/error.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

enum {
  MOST_WAYS = 1 << 13,         /* of one place */
  MOST_STEP_BYTES = 128 << 20, /* of the table of steps */
  MOST_ALL_WAYS = 1 << 23,
  MOST_FRAMES = 1 << 22,
  FIRST_SLOTS = 256
};

static bool grow(am_automaton *a, void **data, size_t *capacity, size_t need, size_t size) {
  if (need <= *capacity) return true;
  size_t more = *capacity ? *capacity : 64;
  while (more < need) more *= 2;
  void *grown = am_mem_resize(*data, more, size);
  if (!grown) {
    a->failed = true;
    return false;
  }
  *data = grown;
  *capacity = more;
  return true;
}

static uint64_t mix(uint64_t h, uint64_t value) {
  h = (h ^ value) * 0x9E3779B97F4A7C15u;
  return h ^ h >> 29;
}

/* A table twice as large; the entries are put in again by the caller. */
static bool grow_slots(am_automaton *a, uint32_t **slots, size_t *mask) {
  size_t n = *slots ? (*mask + 1) * 2 : FIRST_SLOTS;
  uint32_t *grown = am_mem_zalloc(n, sizeof *grown);
  if (!grown) {
    a->failed = true;
    return false;
  }
  am_mem_free(*slots);
  *slots = grown;
  *mask = n - 1;
  return true;
}

static uint64_t frame_hash(uint32_t state, uint32_t below) { return mix(mix(1, state), below); }

static void put(uint32_t *slots, size_t mask, uint64_t hash, uint32_t index) {
  size_t i = (size_t)hash & mask;
  while (slots[i]) i = (i + 1) & mask;
  slots[i] = index;
}

/* The stack with one more frame; 0 (which no pushed stack is) when it cannot be made. */
static uint32_t push_frame(am_automaton *a, uint32_t state, uint32_t below) {
  uint64_t hash = frame_hash(state, below);
  for (size_t i = (size_t)hash & a->frame_mask; a->frame_slots[i]; i = (i + 1) & a->frame_mask) {
    const am_frame *frame = &a->frames[a->frame_slots[i]];
    if (frame->state == state && frame->below == below) return a->frame_slots[i];
  }
  if (a->n_frames >= MOST_FRAMES) {
    a->truncated = true;
    return 0;
  }
  if (!grow(a, (void **)&a->frames, &a->frames_capacity, a->n_frames + 1, sizeof *a->frames)) return 0;
  uint32_t index = (uint32_t)a->n_frames++;
  a->frames[index] = (am_frame){.state = state,
                                .below = below,
                                .cost = am_grammar_add(a->frames[below].cost, a->least[state]),
                                .height = a->frames[below].height + 1};
  if (a->n_frames * 2 > a->frame_mask) {
    if (!grow_slots(a, &a->frame_slots, &a->frame_mask)) return 0;
    for (uint32_t i = 1; i < index; i++)
      put(a->frame_slots, a->frame_mask, frame_hash(a->frames[i].state, a->frames[i].below), i);
  }
  put(a->frame_slots, a->frame_mask, hash, index);
  return index;
}

/* Adds a way to the closure in progress unless it is there. */
static void add_way(am_automaton *a, uint32_t state, uint32_t stack) {
  const am_grammar *g = a->grammar;
  if (g->least_bytes[state] == AM_GRAMMAR_NEVER) return;
  if (a->n_work >= MOST_WAYS) {
    a->truncated = true;
    return;
  }
  uint64_t hash = frame_hash(state, stack);
  size_t i = (size_t)hash & a->work_mask;
  for (; a->work_slots[i]; i = (i + 1) & a->work_mask) {
    const am_way *way = &a->work[a->work_slots[i] - 1];
    if (way->state == state && way->stack == stack) return;
  }
  if (!grow(a, (void **)&a->work, &a->work_capacity, a->n_work + 1, sizeof *a->work)) return;
  a->work[a->n_work++] = (am_way){state, stack};
  a->work_slots[i] = (uint32_t)a->n_work;
  if (a->n_work * 2 <= a->work_mask) return;
  if (!grow_slots(a, &a->work_slots, &a->work_mask)) return;
  for (uint32_t k = 0; k < a->n_work; k++)
    put(a->work_slots, a->work_mask, frame_hash(a->work[k].state, a->work[k].stack), k + 1);
}

static bool is_final(const am_grammar *g, uint32_t state) {
  return g->rules[g->rule_of[state]].final == state;
}

static bool reads_byte(const am_grammar *g, uint32_t state) {
  for (uint32_t i = g->edge_at[state]; i < g->edge_at[state + 1]; i++)
    if (g->edges[i].kind == AM_EDGE_BYTES) return true;
  return false;
}

/* Follows the edges that read nothing from way `at`. */
static void open_way(am_automaton *a, size_t at, bool *ends) {
  const am_grammar *g = a->grammar;
  am_way way = a->work[at];
  if (is_final(g, way.state)) {
    if (way.stack == 0)
      *ends = true;
    else
      add_way(a, a->frames[way.stack].state, a->frames[way.stack].below);
  }
  for (uint32_t i = g->edge_at[way.state]; i < g->edge_at[way.state + 1]; i++) {
    const am_edge *edge = &g->edges[i];
    if (g->least_bytes[edge->target] == AM_GRAMMAR_NEVER) continue;
    if (edge->kind == AM_EDGE_BYTES) continue;
    if (edge->kind == AM_EDGE_EMPTY) {
      add_way(a, edge->target, way.stack);
    } else if (is_final(g, edge->target)) { /* nothing to come back for */
      add_way(a, g->rules[edge->rule].start, way.stack);
    } else {
      uint32_t stack = push_frame(a, edge->target, way.stack);
      if (stack) add_way(a, g->rules[edge->rule].start, stack);
    }
  }
}

static int by_order(const void *x, const void *y) {
  const am_way *a = x, *b = y;
  if (a->state != b->state) return a->state < b->state ? -1 : 1;
  return a->stack < b->stack ? -1 : a->stack > b->stack;
}

static void sort_ways(am_way *ways, size_t n) {
  if (n > 24) {
    qsort(ways, n, sizeof *ways, by_order);
    return;
  }
  for (size_t i = 1; i < n; i++) {
    am_way way = ways[i];
    size_t k = i;
    for (; k > 0 && by_order(&ways[k - 1], &way) > 0; k--) ways[k] = ways[k - 1];
    ways[k] = way;
  }
}

static uint64_t place_hash(const am_way *ways, size_t n, bool ends) {
  uint64_t hash = ends;
  for (size_t i = 0; i < n; i++) hash = mix(mix(hash, ways[i].state), ways[i].stack);
  return hash;
}

static void measure(const am_automaton *a, am_place *place) {
  place->cost = place->ends ? 0 : AM_GRAMMAR_NEVER;
  place->height = place->ends ? 0 : UINT32_MAX;
  for (size_t i = 0; i < place->n_ways; i++) {
    const am_way *way = &a->ways[place->ways_at + i];
    uint32_t cost = am_grammar_add(a->least[way->state], a->frames[way->stack].cost);
    if (cost < place->cost) place->cost = cost;
    if (a->frames[way->stack].height < place->height) place->height = a->frames[way->stack].height;
  }
}

static bool add_place(am_automaton *a, const am_way *ways, size_t n, bool ends) {
  size_t before = a->places_capacity, n_classes = a->grammar->n_classes;
  if (a->n_places >= a->most_places || a->n_ways + n > MOST_ALL_WAYS) {
    a->truncated = true;
    return false;
  }
  if (!grow(a, (void **)&a->ways, &a->ways_capacity, a->n_ways + n, sizeof *a->ways) ||
      !grow(a, (void **)&a->places, &a->places_capacity, a->n_places + 1, sizeof *a->places))
    return false;
  if (a->places_capacity != before) {
    uint32_t *grown = am_mem_resize(a->next, a->places_capacity * n_classes, sizeof *grown);
    if (!grown) {
      a->places_capacity = before;
      a->failed = true;
      return false;
    }
    a->next = grown;
  }
  am_place *place = &a->places[a->n_places];
  *place = (am_place){.ways_at = (uint32_t)a->n_ways,
                      .n_ways = (uint32_t)n,
                      .plain = AM_PLACE_UNKNOWN,
                      .note = {AM_PLACE_UNKNOWN, AM_PLACE_UNKNOWN},
                      .ends = ends};
  if (n > 0) memcpy(a->ways + a->n_ways, ways, n * sizeof *ways);
  a->n_ways += n;
  memset(a->next + a->n_places * n_classes, 0xFF, n_classes * sizeof *a->next);
  measure(a, place);
  a->n_places++;
  return true;
}

/* The place of a set of ways, sorted. */
static uint32_t find_place(am_automaton *a, const am_way *ways, size_t n, bool ends) {
  if (n == 0 && !ends) return AM_PLACE_DEAD;
  uint64_t hash = place_hash(ways, n, ends);
  for (size_t i = (size_t)hash & a->place_mask; a->place_slots[i]; i = (i + 1) & a->place_mask) {
    const am_place *place = &a->places[a->place_slots[i]];
    if (place->n_ways == n && place->ends == ends &&
        (n == 0 || memcmp(a->ways + place->ways_at, ways, n * sizeof *ways) == 0))
      return a->place_slots[i];
  }
  if (!add_place(a, ways, n, ends)) return AM_PLACE_DEAD;
  uint32_t index = (uint32_t)a->n_places - 1;
  if (a->n_places * 2 > a->place_mask) {
    if (!grow_slots(a, &a->place_slots, &a->place_mask)) return AM_PLACE_DEAD;
    for (uint32_t i = 1; i < index; i++) {
      const am_place *place = &a->places[i];
      put(a->place_slots, a->place_mask, place_hash(a->ways + place->ways_at, place->n_ways, place->ends), i);
    }
  }
  put(a->place_slots, a->place_mask, hash, index);
  return index;
}

static void begin_closure(am_automaton *a) {
  a->n_work = 0;
  memset(a->work_slots, 0, (a->work_mask + 1) * sizeof *a->work_slots);
}

static uint32_t finish_closure(am_automaton *a) {
  size_t kept = 0;
  bool ends = false;
  for (size_t i = 0; i < a->n_work; i++) open_way(a, i, &ends);
  /* the same, where the way to the end may have been left out */
  for (size_t i = 0; i < a->n_work && a->truncated && !ends; i++)
    ends = am_grammar_add(a->least[a->work[i].state], a->frames[a->work[i].stack].cost) == 0;
  for (size_t i = 0; i < a->n_work; i++)
    if (reads_byte(a->grammar, a->work[i].state)) a->work[kept++] = a->work[i];
  sort_ways(a->work, kept);
  return a->failed ? AM_PLACE_DEAD : find_place(a, a->work, kept, ends);
}

uint32_t am_automaton_make(am_automaton *a, uint32_t place, uint8_t class) {
  const am_grammar *g = a->grammar;
  uint8_t byte = g->class_byte[class];
  size_t slot = (size_t)place * g->n_classes + class;
  uint32_t at = a->places[place].ways_at, n = a->places[place].n_ways;
  begin_closure(a);
  for (uint32_t w = at; w < at + n; w++) {
    am_way way = a->ways[w];
    for (uint32_t i = g->edge_at[way.state]; i < g->edge_at[way.state + 1]; i++) {
      const am_edge *edge = &g->edges[i];
      if (edge->kind == AM_EDGE_BYTES && byte >= edge->first && byte <= edge->last)
        add_way(a, edge->target, way.stack);
    }
  }
  uint32_t next = finish_closure(a);
  if (!a->failed) a->next[slot] = next;
  return next;
}

/* Where every byte of [first, last] leads; AM_PLACE_MIXED when they differ. */
static uint32_t common_step(am_automaton *a, uint32_t place, unsigned first, unsigned last) {
  uint32_t next = am_automaton_next(a, place, (uint8_t)first);
  for (unsigned byte = first + 1; byte <= last; byte++)
    if (am_automaton_next(a, place, (uint8_t)byte) != next) return AM_PLACE_MIXED;
  return next;
}

static uint32_t find_plain(am_automaton *a, uint32_t place) {
  /* the forms of UTF-8 (Unicode, table 3-7): lead bytes, second bytes, continuation bytes behind them */
  static const uint8_t forms[][5] = {{0xC2, 0xDF, 0x80, 0xBF, 0}, {0xE0, 0xE0, 0xA0, 0xBF, 1},
                                     {0xE1, 0xEC, 0x80, 0xBF, 1}, {0xED, 0xED, 0x80, 0x9F, 1},
                                     {0xEE, 0xEF, 0x80, 0xBF, 1}, {0xF0, 0xF0, 0x90, 0xBF, 2},
                                     {0xF1, 0xF3, 0x80, 0xBF, 2}, {0xF4, 0xF4, 0x80, 0x8F, 2}};
  static const uint8_t plain[][2] = {{0x20, 0x21}, {0x23, 0x5B}, {0x5D, 0x7F}};
  uint32_t target = am_automaton_next(a, place, ' ');
  for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
    if (common_step(a, place, plain[i][0], plain[i][1]) != target) return AM_PLACE_MIXED;
  for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
    uint32_t next = common_step(a, place, forms[i][0], forms[i][1]);
    if (next != AM_PLACE_MIXED) next = common_step(a, next, forms[i][2], forms[i][3]);
    for (unsigned n = forms[i][4]; n > 0 && next != AM_PLACE_MIXED; n--)
      next = common_step(a, next, 0x80, 0xBF);
    if (next != target) return AM_PLACE_MIXED;
  }
  return target;
}

uint32_t am_automaton_plain(am_automaton *a, uint32_t place) {
  if (a->places[place].plain == AM_PLACE_UNKNOWN) {
    uint32_t found = find_plain(a, place);
    a->places[place].plain = found;
  }
  return a->places[place].plain;
}

static bool reset(am_automaton *a) {
  const am_grammar *g = a->grammar;
  a->n_places = a->n_ways = 0;
  a->n_frames = 1;
  memset(a->place_slots, 0, (a->place_mask + 1) * sizeof *a->place_slots);
  memset(a->frame_slots, 0, (a->frame_mask + 1) * sizeof *a->frame_slots);
  if (!add_place(a, NULL, 0, false)) return false; /* the dead one */
  memset(a->next, 0, g->n_classes * sizeof *a->next);
  return true;
}

adam_status am_automaton_open(const am_grammar *g, const bool *available, am_automaton *out,
                              adam_error *error) {
  am_automaton a = {.grammar = g, .most_places = MOST_STEP_BYTES / (g->n_classes * sizeof(uint32_t))};
  bool ok = grow_slots(&a, &a.place_slots, &a.place_mask) && grow_slots(&a, &a.frame_slots, &a.frame_mask) &&
            grow_slots(&a, &a.work_slots, &a.work_mask) &&
            grow(&a, (void **)&a.frames, &a.frames_capacity, 1, sizeof *a.frames);
  a.least = am_mem_zalloc(g->n_states, sizeof *a.least);
  a.via = am_mem_zalloc(g->n_states, sizeof *a.via);
  memcpy(a.available, available, sizeof a.available);
  if (ok) a.frames[0] = (am_frame){0};
  if (!ok || !a.least || !a.via || !am_grammar_least(g, available, a.least, a.via) || !reset(&a)) {
    am_automaton_close(&a);
    return am_fail_memory(error, "grammar");
  }
  *out = a;
  return ADAM_OK;
}

void am_automaton_close(am_automaton *a) {
  am_mem_free(a->least);
  am_mem_free(a->via);
  am_mem_free(a->places);
  am_mem_free(a->next);
  am_mem_free(a->ways);
  am_mem_free(a->frames);
  am_mem_free(a->place_slots);
  am_mem_free(a->frame_slots);
  am_mem_free(a->work);
  am_mem_free(a->work_slots);
  *a = (am_automaton){0};
}

uint32_t am_automaton_start(am_automaton *a) {
  begin_closure(a);
  add_way(a, a->grammar->rules[0].start, 0);
  return finish_closure(a);
}

/* Pushes the frames of a stack, the lowest first, into the emptied automaton. */
static uint32_t copy_stack(am_automaton *a, const am_frame *frames, uint32_t stack, uint32_t *path) {
  uint32_t n = 0, made = 0;
  for (; stack; stack = frames[stack].below) path[n++] = frames[stack].state;
  while (n > 0) made = push_frame(a, path[--n], made);
  return made;
}

uint32_t am_automaton_trim(am_automaton *a, uint32_t place, bool *forgot) {
  *forgot = false;
  if (a->n_places * 2 < a->most_places && a->n_ways * 2 < MOST_ALL_WAYS && a->n_frames * 2 < MOST_FRAMES)
    return place;
  size_t n = a->places[place].n_ways;
  bool ends = a->places[place].ends;
  am_way *ways = am_mem_alloc((n + 1) * sizeof *ways);
  am_frame *frames = am_mem_alloc(a->n_frames * sizeof *frames);
  uint32_t *path = am_mem_alloc(a->n_frames * sizeof *path), made = AM_PLACE_DEAD;
  *forgot = true;
  a->failed = !ways || !frames || !path;
  if (!a->failed) {
    if (n > 0) memcpy(ways, a->ways + a->places[place].ways_at, n * sizeof *ways);
    memcpy(frames, a->frames, a->n_frames * sizeof *frames);
    a->failed = !reset(a);
    for (size_t i = 0; i < n; i++) ways[i].stack = copy_stack(a, frames, ways[i].stack, path);
    sort_ways(ways, n);
    if (!a->failed) made = find_place(a, ways, n, ends);
  }
  am_mem_free(ways);
  am_mem_free(frames);
  am_mem_free(path);
  return made;
}

/* Writes the shortest text from a state to the end of its rule, and of those that it calls. */
static size_t write_shortest(const am_automaton *a, uint32_t state, uint8_t *out, uint32_t *returns) {
  const am_grammar *g = a->grammar;
  size_t n = 0, depth = 0;
  for (;;) {
    uint32_t via = a->via[state];
    if (via == AM_GRAMMAR_NEVER) { /* the final state */
      if (depth == 0) return n;
      state = returns[--depth];
      continue;
    }
    const am_edge *edge = &g->edges[via];
    state = edge->target;
    if (edge->kind == AM_EDGE_BYTES) {
      unsigned byte = edge->first;
      while (byte < edge->last && !a->available[byte]) byte++;
      out[n++] = (uint8_t)byte;
    } else if (edge->kind == AM_EDGE_CALL) {
      if (!is_final(g, edge->target)) returns[depth++] = edge->target;
      state = g->rules[edge->rule].start;
    }
  }
}

bool am_automaton_shortest(const am_automaton *a, uint32_t place, uint8_t *out) {
  const am_place *p = &a->places[place];
  if (p->ends) return true;
  uint32_t *returns = am_mem_alloc(((size_t)a->grammar->n_states + 1) * sizeof *returns);
  if (!returns) return false;
  const am_way *best = NULL;
  for (size_t i = 0; i < p->n_ways && !best; i++) {
    const am_way *way = &a->ways[p->ways_at + i];
    if (am_grammar_add(a->least[way->state], a->frames[way->stack].cost) == p->cost) best = way;
  }
  size_t n = write_shortest(a, best->state, out, returns);
  for (uint32_t stack = best->stack; stack; stack = a->frames[stack].below)
    n += write_shortest(a, a->frames[stack].state, out + n, returns);
  am_mem_free(returns);
  return true;
}
