/* SPDX-License-Identifier: Apache-2.0 */
#include "template/jinja/symbols.h"

#include <string.h>

enum { MAX_SLOTS = 4096 }; /* names are looked up one by one */

typedef struct am_jslots {
  am_jname *names;
  uint16_t *slots;
  size_t n, capacity;
} am_jslots;

am_jsymbols *am_jsymbols_new(am_jinja *jinja, am_jsymbols *parent, am_jfunction_scope *function) {
  am_jsymbols *symbols = am_jinja_alloc(jinja, 1, sizeof *symbols);
  am_jslots *slots = am_jinja_alloc(jinja, 1, sizeof *slots);
  if (!symbols || !slots) return NULL;
  *slots = (am_jslots){0};
  *symbols = (am_jsymbols){.parent = parent, .function = function, .slots = slots};
  return symbols;
}

am_jsymbols *am_jsymbols_copy(am_jinja *jinja, const am_jsymbols *symbols) {
  am_jsymbols *copy = am_jinja_alloc(jinja, 1, sizeof *copy);
  if (!copy) return NULL;
  *copy = *symbols;
  copy->items = am_jinja_alloc(jinja, symbols->n ? symbols->n : 1, sizeof *copy->items);
  if (!copy->items) return NULL;
  if (symbols->n) memcpy(copy->items, symbols->items, symbols->n * sizeof *copy->items);
  copy->capacity = symbols->n ? symbols->n : 1;
  return copy;
}

static am_jsymbol *find(const am_jsymbols *symbols, am_jname name) {
  for (size_t i = 0; i < symbols->n; i++)
    if (symbols->items[i].name.text == name.text) return &symbols->items[i];
  return NULL;
}

static am_jsymbol *find_or_add(am_jinja *jinja, am_jsymbols *symbols, am_jname name) {
  am_jsymbol *symbol = find(symbols, name);
  if (symbol) return symbol;
  if (symbols->n == symbols->capacity) {
    size_t capacity = symbols->capacity ? symbols->capacity * 2 : 8;
    am_jsymbol *items = am_jinja_alloc(jinja, capacity, sizeof *items);
    if (!items) return NULL;
    if (symbols->n) memcpy(items, symbols->items, symbols->n * sizeof *items);
    symbols->items = items;
    symbols->capacity = capacity;
  }
  symbols->items[symbols->n] = (am_jsymbol){.name = name};
  return &symbols->items[symbols->n++];
}

/* Copies of one scope give the same name the same slot. */
static bool slot_of(am_jinja *jinja, am_jsymbols *symbols, am_jname name, uint16_t *out) {
  am_jslots *slots = symbols->slots;
  for (size_t i = 0; i < slots->n; i++)
    if (slots->names[i].text == name.text) return *out = slots->slots[i], true;
  if (symbols->function->n_slots == MAX_SLOTS) return am_jinja_raise(jinja, "too many variables");
  if (slots->n == slots->capacity) {
    size_t capacity = slots->capacity ? slots->capacity * 2 : 8;
    am_jname *names = am_jinja_alloc(jinja, capacity, sizeof *names);
    uint16_t *numbers = am_jinja_alloc(jinja, capacity, sizeof *numbers);
    if (!names || !numbers) return false;
    if (slots->n) {
      memcpy(names, slots->names, slots->n * sizeof *names);
      memcpy(numbers, slots->slots, slots->n * sizeof *numbers);
    }
    slots->names = names;
    slots->slots = numbers;
    slots->capacity = capacity;
  }
  slots->names[slots->n] = name;
  slots->slots[slots->n++] = *out = symbols->function->n_slots++;
  return true;
}

static bool define(am_jinja *jinja, am_jsymbols *symbols, am_jname name, am_jload_action action,
                   am_jref source) {
  am_jsymbol *symbol = find_or_add(jinja, symbols, name);
  if (!symbol || !slot_of(jinja, symbols, name, &symbol->slot)) return false;
  symbol->has_ref = symbol->has_load = true;
  symbol->action = action;
  symbol->source = source;
  return true;
}

static const am_jsymbol *find_up(const am_jsymbols *symbols, am_jname name, const am_jsymbols **where) {
  for (; symbols; symbols = symbols->parent) {
    const am_jsymbol *symbol = find(symbols, name);
    if (symbol && symbol->has_ref) {
      *where = symbols;
      return symbol;
    }
  }
  return NULL;
}

bool am_jsymbols_find(const am_jsymbols *symbols, const am_jfunction_scope *from, am_jname name,
                      am_jref *out) {
  const am_jsymbols *where = NULL;
  const am_jsymbol *symbol = find_up(symbols, name, &where);
  if (!symbol) return false;
  uint16_t hops = 0;
  for (; from && from != where->function; from = from->parent) hops++;
  *out = (am_jref){.hops = hops, .slot = symbol->slot};
  return from != NULL;
}

bool am_jsymbols_parameter(am_jinja *jinja, am_jsymbols *symbols, am_jname name, uint16_t *slot) {
  if (!define(jinja, symbols, name, AM_JLOAD_PARAM, (am_jref){0})) return false;
  am_jsymbol *symbol = find(symbols, name);
  symbol->stored = true;
  if (slot) *slot = symbol->slot;
  return true;
}

bool am_jsymbols_store(am_jinja *jinja, am_jsymbols *symbols, am_jname name) {
  am_jsymbol *symbol = find_or_add(jinja, symbols, name);
  if (!symbol) return false;
  symbol->stored = true;
  if (symbol->has_ref) return true;
  am_jref outer;
  if (symbols->parent && am_jsymbols_find(symbols->parent, symbols->function, name, &outer))
    return define(jinja, symbols, name, AM_JLOAD_ALIAS, outer);
  return define(jinja, symbols, name, AM_JLOAD_UNDEFINED, (am_jref){0});
}

bool am_jsymbols_load(am_jinja *jinja, am_jsymbols *symbols, am_jname name) {
  const am_jsymbols *where = NULL;
  if (find_up(symbols, name, &where)) return true;
  return define(jinja, symbols, name, AM_JLOAD_RESOLVE, (am_jref){0});
}

bool am_jsymbols_branches(am_jinja *jinja, am_jsymbols *symbols, am_jsymbols *const *branches, size_t n) {
  /* names stored in a branch and not before: they begin as what they are outside */
  am_jsymbols *fresh = am_jsymbols_new(jinja, NULL, symbols->function);
  if (!fresh) return false;
  for (size_t b = 0; b < n; b++) {
    for (size_t i = 0; i < branches[b]->n; i++) {
      const am_jsymbol *in_branch = &branches[b]->items[i];
      const am_jsymbol *before = find(symbols, in_branch->name);
      if (in_branch->stored && !(before && before->stored) && !find_or_add(jinja, fresh, in_branch->name))
        return false;
    }
  }
  for (size_t b = 0; b < n; b++) {
    for (size_t i = 0; i < branches[b]->n; i++) {
      const am_jsymbol *in_branch = &branches[b]->items[i];
      am_jsymbol *symbol = find_or_add(jinja, symbols, in_branch->name);
      if (!symbol) return false;
      bool stored = symbol->stored || in_branch->stored;
      if (in_branch->has_ref) *symbol = *in_branch;
      symbol->stored = stored;
    }
  }
  for (size_t i = 0; i < fresh->n; i++) {
    am_jname name = fresh->items[i].name;
    am_jref outer;
    bool has_outer = symbols->parent && am_jsymbols_find(symbols->parent, symbols->function, name, &outer);
    if (!define(jinja, symbols, name, has_outer ? AM_JLOAD_ALIAS : AM_JLOAD_RESOLVE,
                has_outer ? outer : (am_jref){0}))
      return false;
  }
  return true;
}

bool am_jsymbols_scope(am_jinja *jinja, const am_jsymbols *symbols, am_jscope *out) {
  out->loads = am_jinja_alloc(jinja, symbols->n ? symbols->n : 1, sizeof *out->loads);
  out->n = 0;
  if (!out->loads) return false;
  for (size_t i = 0; i < symbols->n; i++) {
    const am_jsymbol *symbol = &symbols->items[i];
    if (symbol->has_load)
      out->loads[out->n++] = (am_jload){
          .action = symbol->action, .slot = symbol->slot, .source = symbol->source, .name = symbol->name};
  }
  return true;
}

/* --- walking the tree --- */
static bool each(const am_jnodes *nodes, am_jvisit visit, void *user) {
  for (size_t i = 0; i < nodes->n; i++)
    if (!visit(user, nodes->items[i])) return false;
  return true;
}

static bool one(am_jnode *node, am_jvisit visit, void *user) { return !node || visit(user, node); }

static bool signature_children(const am_jsignature *s, am_jvisit visit, void *user) {
  return each(&s->args, visit, user) && each(&s->keyword_values, visit, user) &&
         one(s->dyn_args, visit, user) && one(s->dyn_kwargs, visit, user);
}

static bool code_children(const am_jcode *code, am_jvisit visit, void *user) {
  return each(&code->params, visit, user) && each(&code->defaults, visit, user) &&
         each(&code->body, visit, user);
}

static bool branch_children(const am_jnode *node, am_jvisit visit, void *user) {
  for (size_t i = 0; i < node->as.branch.n_tests; i++)
    if (!visit(user, node->as.branch.tests[i]) || !each(&node->as.branch.bodies[i], visit, user))
      return false;
  return !node->as.branch.has_else || each(&node->as.branch.bodies[node->as.branch.n_tests], visit, user);
}

bool am_jnode_children(am_jnode *node, am_jvisit visit, void *user) {
  switch ((am_jnode_kind)node->kind) {
    case AM_JN_CONST:
    case AM_JN_NAME:
    case AM_JN_NSREF:
    case AM_JN_DATA:
    case AM_JN_BREAK:
    case AM_JN_CONTINUE:
    case AM_JN_NO_LOADER:
      return true;
    case AM_JN_TUPLE:
    case AM_JN_LIST:
    case AM_JN_DICT:
    case AM_JN_CONCAT:
    case AM_JN_OUTPUT:
      return each(&node->as.items, visit, user);
    case AM_JN_UNARY:
    case AM_JN_BINARY:
    case AM_JN_AND:
    case AM_JN_OR:
    case AM_JN_NOT:
      return one(node->as.binary.left, visit, user) && one(node->as.binary.right, visit, user);
    case AM_JN_COMPARE:
      return each(&node->as.compare.items, visit, user);
    case AM_JN_COND:
      return visit(user, node->as.cond.test) && visit(user, node->as.cond.yes) &&
             one(node->as.cond.no, visit, user);
    case AM_JN_GETATTR:
    case AM_JN_GETITEM:
      return visit(user, node->as.item.object) && one(node->as.item.index, visit, user);
    case AM_JN_SLICE:
      return one(node->as.slice.start, visit, user) && one(node->as.slice.stop, visit, user) &&
             one(node->as.slice.step, visit, user);
    case AM_JN_CALL:
    case AM_JN_FILTER:
    case AM_JN_TEST:
      return one(node->as.call.object, visit, user) &&
             signature_children(&node->as.call.signature, visit, user);
    case AM_JN_FOR:
      return visit(user, node->as.loop.target) && visit(user, node->as.loop.iter) &&
             each(&node->as.loop.body, visit, user) && each(&node->as.loop.otherwise, visit, user) &&
             one(node->as.loop.test, visit, user);
    case AM_JN_IF:
      return branch_children(node, visit, user);
    case AM_JN_SET:
      return visit(user, node->as.set.target) && visit(user, node->as.set.value);
    case AM_JN_SET_BLOCK:
      return visit(user, node->as.set.target) && one(node->as.set.filter, visit, user) &&
             each(&node->as.set.body, visit, user);
    case AM_JN_FILTER_BLOCK:
      return each(&node->as.set.body, visit, user) && one(node->as.set.filter, visit, user);
    case AM_JN_MACRO:
    case AM_JN_CALL_BLOCK:
    case AM_JN_GENERATION:
      return one(node->as.macro.call, visit, user) && code_children(node->as.macro.code, visit, user);
    case AM_JN_WITH:
    case AM_JN_SCOPE:
      return each(&node->as.with.targets, visit, user) && each(&node->as.with.values, visit, user) &&
             each(&node->as.with.body, visit, user);
    case AM_JN_BLOCK:
      return code_children(node->as.block.code, visit, user);
  }
  return true;
}

static bool visit_undeclared(void *user, am_jnode *node) {
  am_jundeclared *search = user;
  if (node->kind == AM_JN_BLOCK) return true;
  if (node->kind != AM_JN_NAME) return am_jnode_children(node, visit_undeclared, user);
  for (size_t i = 0; i < 3 && search->names[i]; i++) {
    if (node->as.name.name.n_bytes != strlen(search->names[i]) ||
        memcmp(node->as.name.name.text, search->names[i], node->as.name.name.n_bytes) != 0)
      continue;
    if (node->op != AM_JCTX_LOAD)
      search->hidden[i] = true;
    else if (!search->hidden[i])
      search->found[i] = true;
  }
  return true;
}

void am_jundeclared_visit(am_jundeclared *search, const am_jnodes *nodes) {
  for (size_t i = 0; i < nodes->n; i++) visit_undeclared(search, nodes->items[i]);
}
