/* SPDX-License-Identifier: Apache-2.0 */
/* template/jinja/symbols: which variables a scope reads and stores, and where they live; the counterpart
 * of jinja2.idtracking.Symbols. Used while a template is compiled; everything lives in its arena. */
#ifndef AM_TEMPLATE_JINJA_SYMBOLS_H
#define AM_TEMPLATE_JINJA_SYMBOLS_H

#include "template/jinja/ast.h"

/* One Python function of Jinja's generated code: it has its own activations. */
typedef struct am_jfunction_scope {
  struct am_jfunction_scope *parent;
  uint16_t n_slots;
} am_jfunction_scope;

typedef struct am_jsymbol {
  am_jname name;
  uint16_t slot;
  bool has_ref;  /* the scope has a variable of its own for the name */
  bool has_load; /* and knows how it begins */
  bool stored;
  am_jload_action action;
  am_jref source; /* ALIAS */
} am_jsymbol;

typedef struct am_jsymbols {
  struct am_jsymbols *parent;
  am_jfunction_scope *function;
  struct am_jslots *slots; /* shared by the copies that branches are analysed with */
  am_jsymbol *items;
  size_t n, capacity;
} am_jsymbols;

am_jsymbols *am_jsymbols_new(am_jinja *jinja, am_jsymbols *parent, am_jfunction_scope *function);
am_jsymbols *am_jsymbols_copy(am_jinja *jinja, const am_jsymbols *symbols);
bool am_jsymbols_parameter(am_jinja *jinja, am_jsymbols *symbols, am_jname name, uint16_t *slot);
bool am_jsymbols_store(am_jinja *jinja, am_jsymbols *symbols, am_jname name);
bool am_jsymbols_load(am_jinja *jinja, am_jsymbols *symbols, am_jname name);
/* Merges what the branches of an `if` did. */
bool am_jsymbols_branches(am_jinja *jinja, am_jsymbols *symbols, am_jsymbols *const *branches, size_t n);
/* Where code of `from` finds the name; false: the scope does not know it. */
bool am_jsymbols_find(const am_jsymbols *symbols, const am_jfunction_scope *from, am_jname name,
                      am_jref *out);
bool am_jsymbols_scope(am_jinja *jinja, const am_jsymbols *symbols, am_jscope *out);

/* Does the code read one of the names before it stores it? (jinja2.compiler.find_undeclared) */
typedef struct am_jundeclared {
  const char *names[3]; /* NULL ends the list early */
  bool hidden[3];
  bool found[3];
} am_jundeclared;
void am_jundeclared_visit(am_jundeclared *search, const am_jnodes *nodes);

/* Calls visit for each child of node in the order of Jinja's node fields, until it returns false. */
typedef bool (*am_jvisit)(void *user, am_jnode *child);
bool am_jnode_children(am_jnode *node, am_jvisit visit, void *user);

#endif
