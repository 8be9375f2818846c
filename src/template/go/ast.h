/* SPDX-License-Identifier: Apache-2.0 */
/* template/go/ast: a parsed Go template. Nodes live in the template's arena and do not change. */
#ifndef AM_TEMPLATE_GO_AST_H
#define AM_TEMPLATE_GO_AST_H

#include "template/go/go.h"
#include "template/go/value.h"

typedef enum am_go_node_kind {
  AM_GO_NODE_LIST,
  AM_GO_NODE_TEXT,
  AM_GO_NODE_ACTION,
  AM_GO_NODE_IF,
  AM_GO_NODE_RANGE,
  AM_GO_NODE_WITH,
  AM_GO_NODE_TEMPLATE,
  AM_GO_NODE_BREAK,
  AM_GO_NODE_CONTINUE,
  AM_GO_NODE_PIPE,
  AM_GO_NODE_COMMAND,
  AM_GO_NODE_FIELD,
  AM_GO_NODE_VARIABLE,
  AM_GO_NODE_CHAIN,
  AM_GO_NODE_DOT,
  AM_GO_NODE_NIL,
  AM_GO_NODE_CONSTANT, /* bool, number, string */
  AM_GO_NODE_FUNCTION
} am_go_node_kind;

typedef struct am_go_name {
  const char *text; /* no NUL at the end */
  size_t n_bytes;
} am_go_name;

typedef struct am_go_node am_go_node;
struct am_go_node {
  am_go_node_kind kind;
  uint32_t line;
  am_go_name text;    /* TEXT; TEMPLATE: its name */
  am_go_node **nodes; /* LIST: what follows; PIPE: commands; COMMAND: word and arguments */
  size_t n_nodes;
  am_go_name *names; /* FIELD, CHAIN: fields; VARIABLE: "$x" and fields; PIPE: variables it sets */
  size_t n_names;
  bool assigns;      /* PIPE: = and not := */
  am_go_node *pipe;  /* ACTION, IF, RANGE, WITH; TEMPLATE: or NULL; CHAIN: what the fields are of */
  am_go_node *list;  /* IF, RANGE, WITH */
  am_go_node *other; /* the else part or NULL */
  am_go_value value; /* CONSTANT; INVALID: a number that overflows int */
  int function;      /* FUNCTION: am_go_function */
};

typedef struct am_go_definition {
  am_go_name name;
  am_go_node *root;
} am_go_definition;

enum { AM_GO_MAX_DEPTH = 200 /* blocks and parentheses in each other */, AM_GO_MAX_DEFINITIONS = 256 };

struct am_go_template {
  am_arena arena;
  char *name;       /* what errors call it */
  am_go_node *root; /* with the appended {{ .Response }} */
  am_go_node *cut;  /* the last turn of a legacy template; NULL: Ollama fails there */
  am_go_definition *definitions;
  size_t n_definitions;
  am_go_traits traits;
};

bool am_go_name_is(am_go_name name, const char *text);
bool am_go_names_equal(am_go_name a, am_go_name b);

/* parser.c: fills arena, root and definitions of a zeroed template that has its name. */
adam_status am_go_parse(am_go_template *tmpl, const char *text, size_t n_bytes, adam_error *error);
/* inspect.c: the appended node, traits, and the copy that is cut at the first .Response. */
adam_status am_go_inspect(am_go_template *tmpl, adam_error *error);

#endif
