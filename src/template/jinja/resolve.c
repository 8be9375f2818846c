/* SPDX-License-Identifier: Apache-2.0 */
/* Jinja compiles a template to Python: the template, each block, macro, call block and recursive loop
 * becomes a function; loops, `with`, filter blocks and set blocks are scopes inside one. Each scope first
 * collects its names (note_*: jinja2.idtracking), then its code is bound (bind_*: jinja2.compiler). What
 * follows from that: a name stored anywhere in a scope is a variable of that scope everywhere in it,
 * which begins as a copy of the outer one; macros see the variables around them as they are when the
 * macro is called; `if` opens no scope. */
#include "template/jinja/resolve.h"

#include <string.h>

#include "template/jinja/checks.h"
#include "template/jinja/filters.h"
#include "template/jinja/symbols.h"

enum { MAX_BLOCKS = 1000 };

typedef struct resolver {
  am_jinja *jinja;
  am_jprogram *program;
} resolver;

/* The surroundings of the code being bound. */
typedef struct frame {
  am_jsymbols *symbols;
  am_jfunction_scope *function;
  bool top_level; /* assignments are seen by macros and blocks through the context */
  bool soft;      /* inside `if`: unknown filters fail only when they are reached */
  bool in_loop;   /* break and continue have a loop in this function */
} frame;

static bool fail(resolver *r, uint32_t line, const char *why) {
  r->jinja->line = line;
  return am_jinja_raise(r->jinja, "%s", why);
}

/* --- collecting the names of a scope --- */
typedef struct noter {
  resolver *resolver;
  am_jsymbols *symbols;
  bool as_parameter; /* names are loop targets */
} noter;

static bool note(void *user, am_jnode *node);

static bool note_all(noter *n, const am_jnodes *nodes) {
  for (size_t i = 0; i < nodes->n; i++)
    if (!note(n, nodes->items[i])) return false;
  return true;
}

static bool note_in(resolver *r, am_jsymbols *symbols, const am_jnodes *nodes) {
  return note_all(&(noter){.resolver = r, .symbols = symbols}, nodes);
}

/* A branch of an `if`, analysed with a copy; with chain, all its `elif`s from the test `first` on. */
static am_jsymbols *note_branch(noter *n, const am_jnodes *body, am_jnode *chain, size_t first) {
  am_jsymbols *copy = am_jsymbols_copy(n->resolver->jinja, n->symbols);
  noter inner = {.resolver = n->resolver, .symbols = copy};
  if (!copy || (body && !note_all(&inner, body))) return NULL;
  for (size_t i = first; chain && i < chain->as.branch.n_tests; i++) {
    /* each elif is an If node with a test and a body alone */
    if (!note(&inner, chain->as.branch.tests[i])) return NULL;
    am_jsymbols *branch = note_branch(&inner, &chain->as.branch.bodies[i], NULL, 0);
    if (!branch || !am_jsymbols_branches(n->resolver->jinja, copy, &branch, 1)) return NULL;
  }
  return copy;
}

static bool note_if(noter *n, am_jnode *node) {
  if (!note(n, node->as.branch.tests[0])) return false;
  am_jsymbols *branches[3] = {
      note_branch(n, &node->as.branch.bodies[0], NULL, 0), note_branch(n, NULL, node, 1),
      note_branch(n, node->as.branch.has_else ? &node->as.branch.bodies[node->as.branch.n_tests] : NULL, NULL,
                  0)};
  if (!branches[0] || !branches[1] || !branches[2]) return false;
  return am_jsymbols_branches(n->resolver->jinja, n->symbols, branches, 3);
}

static bool note(void *user, am_jnode *node) {
  noter *n = user;
  am_jinja *jinja = n->resolver->jinja;
  if (!am_jinja_stack_ok(jinja)) return false;
  switch ((am_jnode_kind)node->kind) {
    case AM_JN_NAME:
      if (n->as_parameter || node->op == AM_JCTX_PARAM)
        return am_jsymbols_parameter(jinja, n->symbols, node->as.name.name, NULL);
      return node->op == AM_JCTX_STORE ? am_jsymbols_store(jinja, n->symbols, node->as.name.name)
                                       : am_jsymbols_load(jinja, n->symbols, node->as.name.name);
    case AM_JN_NSREF:
      return am_jsymbols_load(jinja, n->symbols, node->as.name.name);
    case AM_JN_IF:
      return note_if(n, node);
    case AM_JN_MACRO:
      return am_jsymbols_store(jinja, n->symbols, node->as.macro.code->name);
    case AM_JN_SET:
      return note(n, node->as.set.value) && note(n, node->as.set.target);
    case AM_JN_SET_BLOCK:
      return note(n, node->as.set.target);
    case AM_JN_FOR:
      return note(n, node->as.loop.iter);
    case AM_JN_CALL_BLOCK:
      return note(n, node->as.macro.call);
    case AM_JN_FILTER_BLOCK:
      return note(n, node->as.set.filter);
    case AM_JN_WITH:
      return note_all(n, &node->as.with.values);
    case AM_JN_GENERATION:
    case AM_JN_SCOPE:
    case AM_JN_BLOCK:
      return true;
    default:
      return am_jnode_children(node, note, n);
  }
}

/* --- binding --- */
static bool bind(resolver *r, frame *f, am_jnode *node);

static bool bind_all(resolver *r, frame *f, const am_jnodes *nodes) {
  for (size_t i = 0; i < nodes->n; i++)
    if (!bind(r, f, nodes->items[i])) return false;
  return true;
}

static frame inner(const frame *f, am_jsymbols *symbols) {
  return (frame){.symbols = symbols, .function = symbols->function, .in_loop = f->in_loop};
}

static am_jfunction_scope *new_function(resolver *r, am_jfunction_scope *parent) {
  am_jfunction_scope *function = am_jinja_alloc(r->jinja, 1, sizeof *function);
  if (function) *function = (am_jfunction_scope){.parent = parent};
  return function;
}

static bool bind_name(resolver *r, frame *f, am_jnode *node, am_jname name, am_jref *out) {
  if (am_jsymbols_find(f->symbols, f->function, name, out)) return true;
  r->jinja->line = node->line;
  return am_jinja_raise(r->jinja, "the name '%.*s' is not known in this scope", (int)name.n_bytes, name.text);
}

static bool bind_signature(resolver *r, frame *f, am_jsignature *s) {
  return bind_all(r, f, &s->args) && bind_all(r, f, &s->keyword_values) &&
         (!s->dyn_args || bind(r, f, s->dyn_args)) && (!s->dyn_kwargs || bind(r, f, s->dyn_kwargs));
}

static bool bind_filter_or_test(resolver *r, frame *f, am_jnode *node) {
  am_jname name = node->as.call.name;
  bool is_filter = node->kind == AM_JN_FILTER;
  if (is_filter)
    node->as.call.filter = am_jfilter_find(name.text, name.n_bytes);
  else
    node->as.call.check = am_jcheck_find(name.text, name.n_bytes);
  if (!(is_filter ? (const void *)node->as.call.filter : (const void *)node->as.call.check) && !f->soft) {
    r->jinja->line = node->line;
    return am_jinja_raise(r->jinja, "No %s named '%.*s'.", is_filter ? "filter" : "test", (int)name.n_bytes,
                          name.text);
  }
  return (!node->as.call.object || bind(r, f, node->as.call.object)) &&
         bind_signature(r, f, &node->as.call.signature);
}

static bool bind_branches(resolver *r, frame *f, am_jnode *node) {
  frame soft = *f;
  soft.soft = true;
  for (size_t i = 0; i < node->as.branch.n_tests; i++)
    if (!bind(r, &soft, node->as.branch.tests[i]) || !bind_all(r, &soft, &node->as.branch.bodies[i]))
      return false;
  return !node->as.branch.has_else || bind_all(r, &soft, &node->as.branch.bodies[node->as.branch.n_tests]);
}

static bool find_loop_store(void *user, am_jnode *node) {
  if (node->kind == AM_JN_NAME && node->op == AM_JCTX_STORE && node->as.name.name.n_bytes == 4 &&
      memcmp(node->as.name.name.text, "loop", 4) == 0) {
    *(am_jnode **)user = node;
    return false;
  }
  return am_jnode_children(node, find_loop_store, user);
}

static bool find_scoped_block(void *user, am_jnode *node) {
  if (node->kind == AM_JN_BLOCK && node->as.block.scoped) return false;
  return am_jnode_children(node, find_scoped_block, user);
}

static bool note_loop(resolver *r, am_jnode *node, am_jsymbols *body, am_jsymbols *test,
                      am_jsymbols *otherwise) {
  am_jundeclared search = {.names = {"loop"}};
  am_jundeclared_visit(&search, &node->as.loop.body);
  node->as.loop.has_loop =
      node->as.loop.recursive || search.found[0] || !am_jnode_children(node, find_scoped_block, NULL);
  if (node->as.loop.has_loop &&
      !am_jsymbols_parameter(r->jinja, body, (am_jname){am_jinja_loop_name, 4}, &node->as.loop.loop_slot))
    return false;
  noter target = {.resolver = r, .symbols = body, .as_parameter = true};
  if (!note(&target, node->as.loop.target) || !note_in(r, body, &node->as.loop.body) ||
      !note_in(r, otherwise, &node->as.loop.otherwise))
    return false;
  target.symbols = test;
  noter condition = {.resolver = r, .symbols = test};
  return !node->as.loop.test ||
         (note(&target, node->as.loop.test_target) && note(&condition, node->as.loop.test));
}

static bool bind_for(resolver *r, frame *f, am_jnode *node) {
  am_jinja *jinja = r->jinja;
  am_jfunction_scope *function = node->as.loop.recursive ? new_function(r, f->function) : f->function;
  if (!function) return false;
  am_jsymbols *body = am_jsymbols_new(jinja, f->symbols, function);
  am_jsymbols *test = am_jsymbols_new(jinja, f->symbols, function);
  am_jsymbols *otherwise = am_jsymbols_new(jinja, f->symbols, function);
  am_jnode *store = NULL;
  if (!body || !test || !otherwise || !note_loop(r, node, body, test, otherwise)) return false;
  if (!find_loop_store(&store, node))
    return fail(r, store->line, "Can't assign to special loop variable in for-loop target");
  frame body_frame = inner(f, body), test_frame = inner(f, test), otherwise_frame = inner(f, otherwise);
  body_frame.in_loop = true;
  otherwise_frame.in_loop = f->in_loop && !node->as.loop.recursive;
  if (node->as.loop.test &&
      (!bind(r, &test_frame, node->as.loop.test_target) || !bind(r, &test_frame, node->as.loop.test)))
    return false;
  if (!bind(r, &body_frame, node->as.loop.target) || !bind(r, f, node->as.loop.iter) ||
      !bind_all(r, &body_frame, &node->as.loop.body) ||
      !bind_all(r, &otherwise_frame, &node->as.loop.otherwise))
    return false;
  node->as.loop.n_slots = function->n_slots;
  return am_jsymbols_scope(jinja, body, &node->as.loop.scope) &&
         am_jsymbols_scope(jinja, test, &node->as.loop.test_scope) &&
         am_jsymbols_scope(jinja, otherwise, &node->as.loop.otherwise_scope);
}

/* The special names that a macro reads without being given them. */
static bool special_parameters(resolver *r, am_jnode *node, am_jcode *code, am_jsymbols *symbols) {
  am_jundeclared search = {.names = {"caller", "kwargs", "varargs"}};
  am_jundeclared_visit(&search, &code->body);
  bool is_param[3] = {false, false, false};
  size_t caller_index = 0;
  for (size_t i = 0; i < code->params.n; i++) {
    am_jname name = code->params.items[i]->as.name.name;
    for (size_t k = 0; k < 3; k++) {
      if (name.n_bytes != strlen(search.names[k]) || memcmp(name.text, search.names[k], name.n_bytes) != 0)
        continue;
      is_param[k] = true;
      if (k == 0) caller_index = i;
    }
  }
  code->explicit_caller = is_param[0];
  if (search.found[0] && is_param[0] && caller_index + code->defaults.n < code->params.n)
    return fail(
        r, node->line,
        "When defining macros or call blocks the special \"caller\" argument must be omitted or be given a "
        "default.");
  code->has_caller = search.found[0];
  code->has_kwargs = search.found[1] && !is_param[1];
  code->has_varargs = search.found[2] && !is_param[2];
  am_jname names[3] = {{am_jinja_caller_name, 6}, {am_jinja_kwargs_name, 6}, {am_jinja_varargs_name, 7}};
  return (!code->has_caller || is_param[0] ||
          am_jsymbols_parameter(r->jinja, symbols, names[0], &code->caller_slot)) &&
         (!code->has_kwargs || am_jsymbols_parameter(r->jinja, symbols, names[1], &code->kwargs_slot)) &&
         (!code->has_varargs || am_jsymbols_parameter(r->jinja, symbols, names[2], &code->varargs_slot));
}

static bool bind_code(resolver *r, frame *f, am_jnode *node, am_jcode *code) {
  am_jfunction_scope *function = new_function(r, f->function);
  am_jsymbols *symbols = function ? am_jsymbols_new(r->jinja, f->symbols, function) : NULL;
  if (!symbols || !note_in(r, symbols, &code->params) || !note_in(r, symbols, &code->defaults) ||
      !note_in(r, symbols, &code->body) || !special_parameters(r, node, code, symbols))
    return false;
  frame body = {.symbols = symbols, .function = function};
  if (!bind_all(r, &body, &code->params) || !bind_all(r, &body, &code->defaults) ||
      !bind_all(r, &body, &code->body))
    return false;
  code->n_slots = function->n_slots;
  return am_jsymbols_scope(r->jinja, symbols, &code->scope);
}

static bool bind_macro(resolver *r, frame *f, am_jnode *node) {
  node->as.macro.top_level = f->top_level;
  return bind_code(r, f, node, node->as.macro.code) &&
         bind_name(r, f, node, node->as.macro.code->name, &node->as.macro.ref);
}

static bool bind_set_block(resolver *r, frame *f, am_jnode *node) {
  am_jsymbols *symbols = am_jsymbols_new(r->jinja, f->symbols, f->function);
  if (!symbols || !note_in(r, symbols, &node->as.set.body)) return false;
  if (node->kind == AM_JN_FILTER_BLOCK &&
      !note(&(noter){.resolver = r, .symbols = symbols}, node->as.set.filter))
    return false;
  frame body = inner(f, symbols);
  if (!bind_all(r, &body, &node->as.set.body) ||
      (node->as.set.filter && !bind(r, &body, node->as.set.filter)) ||
      (node->as.set.target && !bind(r, f, node->as.set.target)))
    return false;
  node->as.set.top_level = f->top_level;
  return am_jsymbols_scope(r->jinja, symbols, &node->as.set.scope);
}

static bool bind_with(resolver *r, frame *f, am_jnode *node) {
  am_jsymbols *symbols = am_jsymbols_new(r->jinja, f->symbols, f->function);
  if (!symbols || !note_in(r, symbols, &node->as.with.targets) || !note_in(r, symbols, &node->as.with.body))
    return false;
  frame body = inner(f, symbols);
  return bind_all(r, &body, &node->as.with.targets) && bind_all(r, f, &node->as.with.values) &&
         bind_all(r, &body, &node->as.with.body) &&
         am_jsymbols_scope(r->jinja, symbols, &node->as.with.scope);
}

/* A scoped block is given what the scopes around it have stored. */
static bool pass_scope(resolver *r, frame *f, am_jnode *node) {
  size_t n = 0;
  for (am_jsymbols *s = f->symbols; s; s = s->parent) n += s->n;
  node->as.block.scoped_names = am_jinja_alloc(r->jinja, n ? n : 1, sizeof(am_jname));
  node->as.block.scoped_refs = am_jinja_alloc(r->jinja, n ? n : 1, sizeof(am_jref));
  if (!node->as.block.scoped_names || !node->as.block.scoped_refs) return false;
  for (am_jsymbols *s = f->symbols; s; s = s->parent) {
    for (size_t i = 0; i < s->n; i++) {
      am_jref ref;
      if (!s->items[i].stored || !am_jsymbols_find(f->symbols, f->function, s->items[i].name, &ref)) continue;
      node->as.block.scoped_names[node->as.block.n_scoped] = s->items[i].name;
      node->as.block.scoped_refs[node->as.block.n_scoped++] = ref;
    }
  }
  return true;
}

static bool bind_block(resolver *r, frame *f, am_jnode *node) {
  for (size_t i = 0; i < r->program->blocks.n; i++)
    if (r->program->blocks.items[i]->as.block.name.text == node->as.block.name.text)
      return fail(r, node->line, "a block is defined twice");
  if (r->program->blocks.n == MAX_BLOCKS) return fail(r, node->line, "too many blocks");
  am_jnode **blocks = am_jinja_alloc(r->jinja, r->program->blocks.n + 1, sizeof *blocks);
  if (!blocks) return false;
  if (r->program->blocks.n) memcpy(blocks, r->program->blocks.items, r->program->blocks.n * sizeof *blocks);
  blocks[r->program->blocks.n++] = node;
  r->program->blocks.items = blocks;
  if (node->as.block.scoped && !pass_scope(r, f, node)) return false;
  am_jfunction_scope *function = new_function(r, NULL);
  am_jsymbols *symbols = function ? am_jsymbols_new(r->jinja, NULL, function) : NULL;
  if (!symbols) return false;
  am_jcode *code = node->as.block.code;
  am_jundeclared search = {.names = {"self", "super"}};
  am_jundeclared_visit(&search, &code->body);
  node->as.block.has_self = search.found[0];
  node->as.block.has_super = search.found[1];
  frame body = {.symbols = symbols, .function = function};
  if ((search.found[0] && !am_jsymbols_parameter(r->jinja, symbols, (am_jname){am_jinja_self_name, 4},
                                                 &node->as.block.self_slot)) ||
      (search.found[1] && !am_jsymbols_parameter(r->jinja, symbols, (am_jname){am_jinja_super_name, 5},
                                                 &node->as.block.super_slot)) ||
      !note_in(r, symbols, &code->body) || !bind_all(r, &body, &code->body))
    return false;
  code->n_slots = function->n_slots;
  return am_jsymbols_scope(r->jinja, symbols, &code->scope);
}

static bool bind_child(void *user, am_jnode *node) {
  void **both = user;
  return bind(both[0], both[1], node);
}

static bool bind(resolver *r, frame *f, am_jnode *node) {
  if (!am_jinja_stack_ok(r->jinja)) return false;
  switch ((am_jnode_kind)node->kind) {
    case AM_JN_NAME:
    case AM_JN_NSREF:
      return bind_name(r, f, node, node->as.name.name, &node->as.name.ref);
    case AM_JN_FILTER:
    case AM_JN_TEST:
      return bind_filter_or_test(r, f, node);
    case AM_JN_COND: {
      frame soft = *f;
      soft.soft = true;
      return am_jnode_children(node, bind_child, (void *[]){r, &soft});
    }
    case AM_JN_IF:
      return bind_branches(r, f, node);
    case AM_JN_FOR:
      return bind_for(r, f, node);
    case AM_JN_SET:
      node->as.set.top_level = f->top_level;
      return bind(r, f, node->as.set.value) && bind(r, f, node->as.set.target);
    case AM_JN_SET_BLOCK:
    case AM_JN_FILTER_BLOCK:
      return bind_set_block(r, f, node);
    case AM_JN_MACRO:
      return bind_macro(r, f, node);
    case AM_JN_GENERATION:
      return bind_code(r, f, node, node->as.macro.code);
    case AM_JN_CALL_BLOCK:
      return bind_code(r, f, node, node->as.macro.code) && bind(r, f, node->as.macro.call);
    case AM_JN_WITH:
    case AM_JN_SCOPE:
      return bind_with(r, f, node);
    case AM_JN_BLOCK:
      return bind_block(r, f, node);
    case AM_JN_BREAK:
      return f->in_loop || fail(r, node->line, "'break' outside loop");
    case AM_JN_CONTINUE:
      return f->in_loop || fail(r, node->line, "'continue' not properly in loop");
    default:
      return am_jnode_children(node, bind_child, (void *[]){r, f});
  }
}

bool am_jresolve(am_jinja *jinja, am_jprogram *program) {
  resolver r = {.jinja = jinja, .program = program};
  am_jfunction_scope *function = new_function(&r, NULL);
  am_jsymbols *symbols = function ? am_jsymbols_new(jinja, NULL, function) : NULL;
  if (!symbols) return false;
  am_jundeclared search = {.names = {"self"}};
  am_jundeclared_visit(&search, &program->body);
  program->has_self = search.found[0];
  frame root = {.symbols = symbols, .function = function, .top_level = true};
  if ((program->has_self &&
       !am_jsymbols_parameter(jinja, symbols, (am_jname){am_jinja_self_name, 4}, &program->self_slot)) ||
      !note_in(&r, symbols, &program->body) || !bind_all(&r, &root, &program->body))
    return false;
  program->n_slots = function->n_slots;
  return am_jsymbols_scope(jinja, symbols, &program->scope);
}
