/* SPDX-License-Identifier: Apache-2.0 */
/* template/jinja/ast: the tree of a template. Nodes live in the arena of the compiled template and
 * are immutable once resolve.c has bound every name to a slot of its activation. */
#ifndef AM_TEMPLATE_JINJA_AST_H
#define AM_TEMPLATE_JINJA_AST_H

#include "template/jinja/interp.h"
#include "template/jinja/value.h"

typedef struct am_jnode am_jnode;

typedef struct am_jnodes {
  am_jnode **items;
  size_t n;
  size_t capacity;
} am_jnodes;

typedef struct am_jname {
  const char *text; /* interned: equal names are the same pointer */
  size_t n_bytes;
} am_jname;

typedef enum am_jnode_kind {
  /* expressions */
  AM_JN_CONST,
  AM_JN_NAME,
  AM_JN_NSREF, /* target only: namespace.attribute */
  AM_JN_TUPLE,
  AM_JN_LIST,
  AM_JN_DICT, /* items: key, value, key, value, ... */
  AM_JN_UNARY,
  AM_JN_BINARY,
  AM_JN_AND,
  AM_JN_OR,
  AM_JN_NOT,
  AM_JN_CONCAT,
  AM_JN_COMPARE, /* items: the operands; ops: between them */
  AM_JN_COND,
  AM_JN_GETATTR,
  AM_JN_GETITEM,
  AM_JN_SLICE,
  AM_JN_CALL,
  AM_JN_FILTER,
  AM_JN_TEST,
  /* statements */
  AM_JN_DATA, /* text of the template, inside an OUTPUT */
  AM_JN_OUTPUT,
  AM_JN_FOR,
  AM_JN_IF,
  AM_JN_SET,
  AM_JN_SET_BLOCK,
  AM_JN_MACRO,
  AM_JN_CALL_BLOCK,
  AM_JN_FILTER_BLOCK,
  AM_JN_GENERATION,
  AM_JN_WITH,
  AM_JN_SCOPE, /* {% autoescape false %} */
  AM_JN_BLOCK,
  AM_JN_BREAK,
  AM_JN_CONTINUE,
  AM_JN_NO_LOADER /* include, import, extends: nothing can be loaded */
} am_jnode_kind;

typedef enum am_joperator {
  AM_JOP_ADD,
  AM_JOP_SUB,
  AM_JOP_MUL,
  AM_JOP_DIV,
  AM_JOP_FLOORDIV,
  AM_JOP_MOD,
  AM_JOP_POW,
  AM_JOP_NEG,
  AM_JOP_POS,
  AM_JOP_EQ,
  AM_JOP_NE,
  AM_JOP_LT,
  AM_JOP_LE,
  AM_JOP_GT,
  AM_JOP_GE,
  AM_JOP_IN,
  AM_JOP_NOT_IN
} am_joperator;

typedef enum am_jcontext { AM_JCTX_LOAD, AM_JCTX_STORE, AM_JCTX_PARAM } am_jcontext;

/* Where a variable lives: `hops` activations outwards, then a slot. */
typedef struct am_jref {
  uint16_t hops;
  uint16_t slot;
} am_jref;

/* What entering a scope does to its variables. */
typedef enum am_jload_action {
  AM_JLOAD_PARAM,
  AM_JLOAD_RESOLVE,
  AM_JLOAD_ALIAS,
  AM_JLOAD_UNDEFINED
} am_jload_action;
typedef struct am_jload {
  am_jload_action action;
  uint16_t slot;
  am_jref source; /* ALIAS */
  am_jname name;  /* RESOLVE */
} am_jload;

typedef struct am_jscope {
  am_jload *loads;
  size_t n;
} am_jscope;

/* Arguments of a call, filter or test as written. */
typedef struct am_jsignature {
  am_jnodes args;
  am_jname *keywords; /* keyword_values.n names */
  am_jnodes keyword_values;
  am_jnode *dyn_args;   /* *args or NULL */
  am_jnode *dyn_kwargs; /* **kwargs or NULL */
} am_jsignature;

struct am_jfilter; /* filters.h */
struct am_jcheck;  /* checks.h: a test */

/* The code of a macro, call block or recursive loop. */
typedef struct am_jcode {
  am_jname name;      /* text NULL: anonymous */
  am_jnodes params;   /* NAME nodes */
  am_jnodes defaults; /* of the last params */
  am_jnodes body;
  am_jscope scope;
  uint16_t n_slots;
  bool has_caller, has_kwargs, has_varargs; /* read inside without being parameters */
  bool explicit_caller;                     /* a parameter is called so */
  uint16_t caller_slot, kwargs_slot, varargs_slot;
} am_jcode;

struct am_jnode {
  uint8_t kind;   /* am_jnode_kind */
  uint8_t op;     /* am_joperator; am_jcontext of a NAME */
  uint16_t depth; /* of the expression below */
  uint32_t line;
  union {
    am_jvalue constant; /* CONST, DATA (a string) */
    struct {
      am_jname name;
      am_jname attribute; /* NSREF */
      am_jref ref;
    } name;
    am_jnodes items; /* TUPLE, LIST, DICT, CONCAT, OUTPUT */
    struct {
      am_jnode *left, *right; /* UNARY, NOT: left alone */
    } binary;
    struct {
      am_jnodes items;
      uint8_t *ops;
    } compare;
    struct {
      am_jnode *test, *yes, *no; /* no: NULL = undefined */
    } cond;
    struct {
      am_jnode *object;
      am_jnode *index; /* GETITEM */
      am_jname name;   /* GETATTR */
    } item;
    struct {
      am_jnode *start, *stop, *step;
    } slice;
    struct {
      am_jnode *object; /* FILTER: NULL = the text of the block */
      am_jname name;    /* FILTER, TEST */
      am_jsignature signature;
      const struct am_jfilter *filter; /* NULL: unknown, an error when it is reached */
      const struct am_jcheck *check;
    } call;
    struct {
      am_jnode *target, *iter, *test;
      am_jnode *test_target; /* the target again, bound in the scope of the test */
      am_jnodes body, otherwise;
      am_jscope scope, test_scope, otherwise_scope;
      uint16_t loop_slot;
      bool has_loop; /* `loop` is read inside */
      bool recursive;
      uint16_t n_slots; /* recursive: of its own activation */
    } loop;
    struct {
      am_jnode **tests; /* if, elif, ... */
      uint32_t *lines;
      am_jnodes *bodies; /* one more than tests when there is an else */
      size_t n_tests;
      bool has_else;
    } branch;
    struct {
      am_jnode *target;
      am_jnode *value;  /* SET */
      am_jnode *filter; /* SET_BLOCK, FILTER_BLOCK, or NULL */
      am_jnodes body;
      am_jscope scope;
      bool top_level; /* macros and blocks see it */
    } set;
    struct {
      am_jcode *code;
      am_jnode *call; /* CALL_BLOCK */
      am_jref ref;    /* MACRO: where its name is stored */
      bool top_level;
    } macro;
    struct {
      am_jnodes targets, values, body;
      am_jscope scope;
    } with;
    struct {
      am_jname name;
      am_jcode *code;
      uint16_t self_slot, super_slot;
      bool has_self, has_super, required, scoped;
      am_jname *scoped_names; /* what a scoped block is given */
      am_jref *scoped_refs;
      size_t n_scoped;
    } block;
  } as;
};

/* Names with a meaning of their own, interned before any other. */
extern const char am_jinja_loop_name[], am_jinja_caller_name[], am_jinja_kwargs_name[],
    am_jinja_varargs_name[], am_jinja_self_name[], am_jinja_super_name[];

struct am_jprogram {
  am_arena arena;
  am_jnodes body;
  am_jscope scope;
  am_jnodes blocks; /* BLOCK nodes */
  uint16_t n_slots;
  uint16_t self_slot;
  bool has_self;
};

#endif
