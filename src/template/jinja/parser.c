/* SPDX-License-Identifier: Apache-2.0 */
#include "template/jinja/parser.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char am_jinja_loop_name[] = "loop", am_jinja_caller_name[] = "caller",
           am_jinja_kwargs_name[] = "kwargs", am_jinja_varargs_name[] = "varargs",
           am_jinja_self_name[] = "self", am_jinja_super_name[] = "super";

bool am_jparser_fail(am_jparser *parser, uint32_t line, const char *format, ...) {
  char why[400];
  va_list list;
  va_start(list, format);
  vsnprintf(why, sizeof why, format, list);
  va_end(list);
  parser->jinja->line = line;
  return am_jinja_raise(parser->jinja, "%s", why);
}

bool am_jparser_advance(am_jparser *parser) {
  if (parser->has_ahead) {
    parser->current = parser->ahead;
    parser->has_ahead = false;
    return true;
  }
  return am_jlexer_next(&parser->lexer, &parser->current);
}

bool am_jparser_look(am_jparser *parser, am_jtoken_kind *out) {
  if (!parser->has_ahead && !am_jlexer_next(&parser->lexer, &parser->ahead)) return false;
  parser->has_ahead = true;
  *out = parser->ahead.kind;
  return true;
}

bool am_jparser_is(const am_jparser *parser, const char *name) {
  const am_jtoken *token = &parser->current;
  return token->kind == AM_JT_NAME && token->n_bytes == strlen(name) &&
         memcmp(token->text, name, token->n_bytes) == 0;
}

const char *am_jparser_describe(am_jparser *parser, const am_jtoken *token) {
  const char *text = am_jtoken_describe(token->kind);
  size_t n = strlen(text);
  if (token->kind == AM_JT_NAME) {
    text = token->text;
    n = token->n_bytes < 80 ? token->n_bytes : 80;
  }
  char *quoted = am_jinja_alloc(parser->jinja, n + 3, 1);
  if (!quoted) return "";
  snprintf(quoted, n + 3, "'%.*s'", (int)n, text);
  return quoted;
}

static bool unexpected(am_jparser *parser, const char *wanted) {
  if (parser->current.kind == AM_JT_EOF)
    return am_jparser_fail(parser, parser->current.line, "unexpected end of template, expected '%s'.",
                           wanted);
  return am_jparser_fail(parser, parser->current.line, "expected token '%s', got %s", wanted,
                         am_jparser_describe(parser, &parser->current));
}

bool am_jparser_expect(am_jparser *parser, am_jtoken_kind kind) {
  return parser->current.kind == kind ? am_jparser_advance(parser)
                                      : unexpected(parser, am_jtoken_describe(kind));
}

bool am_jparser_expect_name(am_jparser *parser, am_jname *out) {
  if (parser->current.kind != AM_JT_NAME) return unexpected(parser, "name");
  return am_jparser_intern(parser, parser->current.text, parser->current.n_bytes, out) &&
         am_jparser_advance(parser);
}

bool am_jparser_skip_name(am_jparser *parser, const char *name, bool *skipped) {
  *skipped = am_jparser_is(parser, name);
  return !*skipped || am_jparser_advance(parser);
}

bool am_jparser_intern(am_jparser *parser, const char *text, size_t n_bytes, am_jname *out) {
  uint64_t known = 0;
  if (!am_map_get(&parser->names, text, n_bytes, &known)) {
    known = (uintptr_t)text; /* the source outlives the tree */
    if (!am_map_set(&parser->names, text, n_bytes, known)) {
      if (!parser->jinja->status)
        parser->jinja->status = am_fail_memory(parser->jinja->error, parser->jinja->name);
      return false;
    }
  }
  *out = (am_jname){(const char *)(uintptr_t)known, n_bytes};
  return true;
}

am_jnode *am_jparser_node(am_jparser *parser, am_jnode_kind kind, uint32_t line) {
  am_jnode *node = am_jinja_alloc(parser->jinja, 1, sizeof *node);
  if (!node) return NULL;
  memset(node, 0, sizeof *node);
  node->kind = kind;
  node->line = line;
  node->depth = 1;
  return node;
}

bool am_jparser_push(am_jparser *parser, am_jnodes *nodes, am_jnode *node) {
  if (nodes->n == nodes->capacity) {
    size_t capacity = nodes->capacity ? nodes->capacity * 2 : 2;
    am_jnode **items = am_jinja_alloc(parser->jinja, capacity, sizeof *items);
    if (!items) return false;
    if (nodes->n) memcpy(items, nodes->items, nodes->n * sizeof *items);
    nodes->items = items;
    nodes->capacity = capacity;
  }
  nodes->items[nodes->n++] = node;
  return true;
}

uint16_t am_jparser_deeper(const am_jnode *a, const am_jnode *b) {
  unsigned depth = a ? a->depth : 0;
  if (b && b->depth > depth) depth = b->depth;
  return (uint16_t)(depth + 1);
}

/* Chains such as a + b + c lean to the left: their depth is bounded here, that of brackets by nesting. */
bool am_jparser_check_depth(am_jparser *parser, am_jnode *node, am_jnode **out) {
  if (node->depth > AM_JPARSE_MAX_DEPTH)
    return am_jparser_fail(parser, node->line, "the expression is nested too deep");
  *out = node;
  return true;
}

bool am_jparser_depth_of(am_jnode *node, const am_jnodes *nodes) {
  for (size_t i = 0; i < nodes->n; i++)
    if (nodes->items[i]->depth >= node->depth) node->depth = (uint16_t)(nodes->items[i]->depth + 1);
  return true;
}

bool am_jparser_binary(am_jparser *parser, am_jnode_kind kind, am_joperator op, uint32_t line, am_jnode *left,
                       am_jnode *right, am_jnode **out) {
  am_jnode *node = am_jparser_node(parser, kind, line);
  if (!node) return false;
  node->op = op;
  node->as.binary.left = left;
  node->as.binary.right = right;
  node->depth = am_jparser_deeper(left, right);
  return am_jparser_check_depth(parser, node, out);
}

bool am_jparser_intern_special(am_jparser *parser) {
  const char *const names[] = {am_jinja_loop_name,    am_jinja_caller_name, am_jinja_kwargs_name,
                               am_jinja_varargs_name, am_jinja_self_name,   am_jinja_super_name};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    am_jname ignored;
    if (!am_jparser_intern(parser, names[i], strlen(names[i]), &ignored)) return false;
  }
  return true;
}
