/* SPDX-License-Identifier: Apache-2.0 */
/* {% for %} and the `loop` object (jinja2.runtime.LoopContext). */
#include "template/jinja/eval.h"

#include <string.h>

#include "template/jinja/iterate.h"

struct am_jloop {
  am_jiterator *iterator;
  am_jvalue iterable;
  int64_t index0; /* -1 before the first item */
  int64_t length; /* -1: not asked yet */
  int64_t depth0;
  am_jvalue after, current, before; /* MISSING: none */
  am_jvalue last_changed;           /* a tuple, or MISSING */
  const am_jnode *recursive;        /* NULL: loop(...) is an error */
  am_jframe *closure;               /* where the recursive loop was defined */
};

/* --- items for which the `if` of the loop holds --- */
typedef struct filtered {
  const am_jnode *node;
  am_jframe *frame;
} filtered;

/* Python's generator yields the target again: a tuple of its names. */
static bool read_target(am_jinja *jinja, am_jframe *frame, const am_jnode *target, am_jvalue *out) {
  if (target->kind != AM_JN_TUPLE) {
    *out = frame->slots[target->as.name.ref.slot];
    return true;
  }
  am_jlist *list = NULL;
  if (!am_jlist_new(jinja, target->as.items.n, &list)) return false;
  for (size_t i = 0; i < target->as.items.n; i++) {
    am_jvalue item;
    if (!read_target(jinja, frame, target->as.items.items[i], &item) || !am_jlist_push(jinja, list, item))
      return false;
  }
  *out = am_jtuple_value(list);
  return true;
}

static bool next_filtered(am_jinja *jinja, am_jiterator *self, am_jvalue *out, bool *done) {
  const filtered *state = self->state;
  const am_jnode *node = state->node;
  if (!self->inner && (!am_jscope_enter(jinja, state->frame, &node->as.loop.test_scope) ||
                       !am_jiterator_open(jinja, &self->source, &self->inner)))
    return false;
  for (;;) {
    am_jvalue item, test;
    if (!am_jiterator_next(jinja, self->inner, &item, done)) return false;
    if (*done) return true;
    if (!am_jassign(jinja, state->frame, node->as.loop.test_target, &item) ||
        !am_jeval(jinja, state->frame, node->as.loop.test, &test))
      return false;
    if (am_jvalue_truth(&test)) return read_target(jinja, state->frame, node->as.loop.test_target, out);
  }
}

static bool add_filter(am_jinja *jinja, am_jframe *frame, const am_jnode *node, am_jvalue *iterable) {
  filtered *state = am_jinja_alloc(jinja, 1, sizeof *state);
  if (!state) return false;
  *state = (filtered){.node = node, .frame = frame};
  am_jvalue source = *iterable;
  return am_jiterator_new(jinja, next_filtered, &source, state, "generator", iterable);
}

/* --- the loop object --- */
static bool loop_new(am_jinja *jinja, const am_jvalue *iterable, int64_t depth0, am_jloop **out) {
  am_jloop *loop = am_jinja_alloc(jinja, 1, sizeof *loop);
  if (!loop) return false;
  *loop = (am_jloop){.iterable = *iterable, .index0 = -1, .length = -1, .depth0 = depth0};
  *out = loop;
  return am_jiterator_open(jinja, iterable, &loop->iterator);
}

static bool loop_next(am_jinja *jinja, am_jloop *loop, am_jvalue *out, bool *done) {
  if (loop->after.kind != AM_J_MISSING) {
    *out = loop->after;
    loop->after = am_jmissing();
    *done = false;
  } else if (!am_jiterator_next(jinja, loop->iterator, out, done)) {
    return false;
  }
  if (*done) return true;
  loop->index0++;
  loop->before = loop->current;
  loop->current = *out;
  return true;
}

static bool peek(am_jinja *jinja, am_jloop *loop, bool *is_last) {
  *is_last = false;
  return loop->after.kind != AM_J_MISSING || am_jiterator_next(jinja, loop->iterator, &loop->after, is_last);
}

static bool loop_length(am_jinja *jinja, am_jloop *loop, int64_t *out) {
  size_t n;
  if (loop->length < 0) {
    if (am_jvalue_length(&loop->iterable, &n)) {
      loop->length = (int64_t)n;
    } else { /* a generator: read to its end */
      am_jlist *rest = NULL;
      am_jvalue lazy = {.kind = AM_J_ITERATOR, .as.iterator = loop->iterator};
      if (!am_jiterator_list(jinja, &lazy, &rest)) return false;
      am_jvalue list = am_jlist_value(rest);
      if (!am_jiterator_open(jinja, &list, &loop->iterator)) return false;
      loop->length = (int64_t)rest->n + loop->index0 + 1 + (loop->after.kind != AM_J_MISSING);
    }
  }
  *out = loop->length;
  return true;
}

static bool call_cycle(am_jinja *jinja, const am_jfunction *self, const am_jargs *args, am_jvalue *out) {
  if (args->n_keywords) return am_jinja_raise(jinja, "cycle() got an unexpected keyword argument");
  if (!args->n) return am_jinja_raise(jinja, "no items for cycling given");
  int64_t index = self->receiver.as.loop->index0;
  *out = args->items[index < 0 ? args->n - 1 : (size_t)index % args->n];
  return true;
}

static bool call_changed(am_jinja *jinja, const am_jfunction *self, const am_jargs *args, am_jvalue *out) {
  am_jloop *loop = self->receiver.as.loop;
  am_jlist *items = NULL;
  if (args->n_keywords) return am_jinja_raise(jinja, "changed() got an unexpected keyword argument");
  if (!am_jlist_new(jinja, args->n, &items)) return false;
  for (size_t i = 0; i < args->n; i++)
    if (!am_jlist_push(jinja, items, args->items[i])) return false;
  am_jvalue now = am_jtuple_value(items);
  bool same = false;
  if (loop->last_changed.kind != AM_J_MISSING && !am_jvalue_equal(jinja, &loop->last_changed, &now, &same))
    return false;
  loop->last_changed = now;
  *out = am_jbool(!same);
  return true;
}

static bool bound(am_jinja *jinja, am_jloop *loop, const char *name, am_jcall call, am_jvalue *out) {
  am_jfunction *function = am_jinja_alloc(jinja, 1, sizeof *function);
  if (!function) return false;
  *function = (am_jfunction){.name = name, .call = call, .receiver = {.kind = AM_J_LOOP, .as.loop = loop}};
  *out = (am_jvalue){.kind = AM_J_FUNCTION, .as.function = function};
  return true;
}

bool am_jloop_attribute(am_jinja *jinja, am_jloop *loop, const char *name, size_t n_bytes, am_jvalue *out,
                        bool *found) {
#define IS(text) (n_bytes == sizeof text - 1 && memcmp(name, text, sizeof text - 1) == 0)
  int64_t length = 0;
  bool last = false;
  *found = true;
  if (IS("index")) return *out = am_jint(loop->index0 + 1), true;
  if (IS("index0")) return *out = am_jint(loop->index0), true;
  if (IS("first")) return *out = am_jbool(loop->index0 == 0), true;
  if (IS("depth")) return *out = am_jint(loop->depth0 + 1), true;
  if (IS("depth0")) return *out = am_jint(loop->depth0), true;
  if (IS("cycle")) return bound(jinja, loop, "cycle", call_cycle, out);
  if (IS("changed")) return bound(jinja, loop, "changed", call_changed, out);
  if (IS("last")) {
    if (!peek(jinja, loop, &last)) return false;
    return *out = am_jbool(last), true;
  }
  if (IS("nextitem")) {
    if (!peek(jinja, loop, &last)) return false;
    if (last) return am_jundefined_new(jinja, false, out, "there is no next item");
    return *out = loop->after, true;
  }
  if (IS("previtem")) {
    if (loop->index0 == 0) return am_jundefined_new(jinja, false, out, "there is no previous item");
    return *out = loop->before, true;
  }
  if (IS("length") || IS("revindex") || IS("revindex0")) {
    if (!loop_length(jinja, loop, &length)) return false;
    *out = am_jint(IS("length")     ? length
                   : IS("revindex") ? length - loop->index0
                                    : length - loop->index0 - 1);
    return true;
  }
#undef IS
  *found = false;
  return true;
}

/* --- the statement --- */
static am_jflow run_body(am_jinja *jinja, am_jframe *frame, const am_jnode *node, const am_jvalue *item,
                         bool *completed) {
  if (!am_jassign(jinja, frame, node->as.loop.target, item) ||
      !am_jscope_enter(jinja, frame, &node->as.loop.scope))
    return AM_JFLOW_FAIL;
  am_jflow flow = am_jexec(jinja, frame, &node->as.loop.body);
  /* Jinja notes an iteration at its end only: after `break` in the first one `else` is run too */
  if (flow == AM_JFLOW_NEXT) *completed = true;
  return flow;
}

static am_jflow run_loop(am_jinja *jinja, am_jframe *frame, const am_jnode *node, am_jloop *loop) {
  bool completed = false;
  if (node->as.loop.has_loop)
    frame->slots[node->as.loop.loop_slot] = (am_jvalue){.kind = AM_J_LOOP, .as.loop = loop};
  for (;;) {
    am_jvalue item;
    bool done = false;
    jinja->line = node->line;
    if (!loop_next(jinja, loop, &item, &done)) return AM_JFLOW_FAIL;
    if (done) break;
    am_jflow flow = run_body(jinja, frame, node, &item, &completed);
    if (flow == AM_JFLOW_FAIL) return flow;
    if (flow == AM_JFLOW_BREAK) break;
  }
  am_jscope_leave(frame, &node->as.loop.scope);
  if (completed || !node->as.loop.otherwise.n) return AM_JFLOW_NEXT;
  if (!am_jscope_enter(jinja, frame, &node->as.loop.otherwise_scope)) return AM_JFLOW_FAIL;
  am_jflow flow = am_jexec(jinja, frame, &node->as.loop.otherwise);
  am_jscope_leave(frame, &node->as.loop.otherwise_scope);
  return flow;
}

static am_jflow start_loop(am_jinja *jinja, am_jframe *closure, const am_jnode *node, am_jvalue iterable,
                           int64_t depth0) {
  am_jframe *frame = closure;
  if (node->as.loop.recursive) frame = am_jframe_new(jinja, closure, node->as.loop.n_slots);
  am_jloop *loop = NULL;
  if (!frame || (node->as.loop.test && !add_filter(jinja, frame, node, &iterable)) ||
      !loop_new(jinja, &iterable, depth0, &loop))
    return AM_JFLOW_FAIL;
  if (node->as.loop.recursive) {
    loop->recursive = node;
    loop->closure = closure;
  }
  return run_loop(jinja, frame, node, loop);
}

am_jflow am_jexec_for(am_jinja *jinja, am_jframe *frame, const am_jnode *node) {
  am_jvalue iterable;
  if (!am_jeval(jinja, frame, node->as.loop.iter, &iterable)) return AM_JFLOW_FAIL;
  return start_loop(jinja, frame, node, iterable, 0);
}

bool am_jloop_recurse(am_jinja *jinja, am_jloop *loop, const am_jvalue *iterable, am_jvalue *out) {
  if (!loop->recursive)
    return am_jinja_raise(jinja, "The loop must have the 'recursive' marker to be called recursively.");
  if (jinja->depth >= jinja->max_depth) return am_jinja_raise(jinja, "calls are nested too deep");
  uint32_t line = jinja->line;
  size_t mark = am_jinja_mark(jinja);
  jinja->depth++;
  am_jflow flow = start_loop(jinja, loop->closure, loop->recursive, *iterable, loop->depth0 + 1);
  jinja->depth--;
  if (flow == AM_JFLOW_FAIL) return false;
  jinja->line = line;
  return am_jinja_cut(jinja, mark, out);
}
