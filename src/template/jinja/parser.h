/* SPDX-License-Identifier: Apache-2.0 */
/* template/jinja/parser: tokens -> tree, as Jinja's parser with the extensions loopcontrols and
 * transformers' generation tag. parse_statement.c has the tags, parse_expression.c the expressions. */
#ifndef AM_TEMPLATE_JINJA_PARSER_H
#define AM_TEMPLATE_JINJA_PARSER_H

#include "base/map.h"
#include "template/jinja/ast.h"
#include "template/jinja/lexer.h"

/* Python refuses code that nests deeper (200 parentheses, 100 blocks). */
enum {
  AM_JPARSE_MAX_NESTING = 100,
  AM_JPARSE_MAX_DEPTH = 200,
  AM_JPARSE_MAX_BLOCKS = 90,
  AM_JPARSE_MAX_NAMES = 1000
};

typedef struct am_jparser {
  am_jinja *jinja; /* memory and errors */
  am_jlexer lexer;
  am_jtoken current;
  am_jtoken ahead;
  bool has_ahead;
  am_map names;                                   /* interned: text -> pointer */
  uint32_t nesting;                               /* expressions inside expressions under way */
  uint32_t blocks;                                /* statements inside statements under way */
  const char *open_tag[AM_JPARSE_MAX_BLOCKS + 2]; /* names of the open tags, for messages */
  size_t open_tag_bytes[AM_JPARSE_MAX_BLOCKS + 2];
} am_jparser;

/* --- shared by both files --- */
bool am_jparser_advance(am_jparser *parser);
bool am_jparser_look(am_jparser *parser, am_jtoken_kind *out);  /* the kind of the token after */
bool am_jparser_is(const am_jparser *parser, const char *name); /* the current token is this name */
bool am_jparser_fail(am_jparser *parser, uint32_t line, const char *format, ...) AM_PRINTF(3, 4);
bool am_jparser_expect(am_jparser *parser, am_jtoken_kind kind);
bool am_jparser_expect_name(am_jparser *parser, am_jname *out);
/* Consumes the name if it is there. */
bool am_jparser_skip_name(am_jparser *parser, const char *name, bool *skipped);
bool am_jparser_intern_special(am_jparser *parser); /* loop, caller, ...: before any other */
bool am_jparser_intern(am_jparser *parser, const char *text, size_t n_bytes, am_jname *out);
am_jnode *am_jparser_node(am_jparser *parser, am_jnode_kind kind, uint32_t line);
bool am_jparser_push(am_jparser *parser, am_jnodes *nodes, am_jnode *node);
const char *am_jparser_describe(am_jparser *parser, const am_jtoken *token); /* in quotes; arena */

/* Depth of a node above a and b (NULL: none). */
uint16_t am_jparser_deeper(const am_jnode *a, const am_jnode *b);
bool am_jparser_depth_of(am_jnode *node,
                         const am_jnodes *nodes); /* node is above all of nodes; always true */
bool am_jparser_check_depth(am_jparser *parser, am_jnode *node, am_jnode **out);
bool am_jparser_binary(am_jparser *parser, am_jnode_kind kind, am_joperator op, uint32_t line, am_jnode *left,
                       am_jnode *right, am_jnode **out);

/* --- expressions --- */
typedef struct am_jtuple_rules {
  bool simplified;      /* names and literals alone */
  bool no_condition;    /* no `a if b` */
  bool explicit_parens; /* () is the empty tuple */
  bool with_namespace;  /* ns.attribute may be a target */
  const char *end_name; /* a name that ends the tuple too */
} am_jtuple_rules;

bool am_jparse_expression(am_jparser *parser, bool no_condition, am_jnode **out);
bool am_jparse_tuple(am_jparser *parser, am_jtuple_rules rules, am_jnode **out);
bool am_jparse_primary(am_jparser *parser, bool with_namespace, am_jnode **out);
/* Subscripts and calls after node. */
bool am_jparse_postfix(am_jparser *parser, am_jnode *node, am_jnode **out);
/* Filters, tests and calls after node. */
bool am_jparse_filter_expression(am_jparser *parser, am_jnode *node, am_jnode **out);
/* One or more filters on object (NULL: on the text of a block); `inline_start`: the first has no `|`. */
bool am_jparse_filters(am_jparser *parser, am_jnode *object, bool inline_start, am_jnode **out);
/* A target of an assignment; it can be assigned to. */
bool am_jparse_target(am_jparser *parser, am_jtuple_rules rules, am_jcontext context, am_jnode **out);

/* --- the whole --- */
bool am_jparse(am_jinja *jinja, const char *text, size_t n_bytes, am_jnodes *out);

#endif
