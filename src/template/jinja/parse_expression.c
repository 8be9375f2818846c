/* SPDX-License-Identifier: Apache-2.0 */
#include "template/jinja/parser.h"

#include <string.h>

static bool parse_unary(am_jparser *parser, bool with_filter, am_jnode **out);

/* --- names, literals, brackets --- */
static bool parse_name(am_jparser *parser, bool with_namespace, am_jnode **out) {
  am_jtoken token = parser->current;
  static const struct {
    const char *text;
    uint8_t kind;
    bool value;
  } constants[] = {{"true", AM_J_BOOL, true},   {"True", AM_J_BOOL, true}, {"false", AM_J_BOOL, false},
                   {"False", AM_J_BOOL, false}, {"none", AM_J_NONE, 0},    {"None", AM_J_NONE, 0}};
  am_jnode *node = am_jparser_node(parser, AM_JN_NAME, token.line);
  if (!node || !am_jparser_intern(parser, token.text, token.n_bytes, &node->as.name.name)) return false;
  for (size_t i = 0; i < sizeof constants / sizeof *constants; i++) {
    if (!am_jparser_is(parser, constants[i].text)) continue;
    node->kind = AM_JN_CONST;
    node->as.constant = (am_jvalue){.kind = constants[i].kind, .as.boolean = constants[i].value};
  }
  if (!am_jparser_advance(parser)) return false;
  *out = node;
  if (node->kind == AM_JN_CONST || !with_namespace || parser->current.kind != AM_JT_DOT) return true;
  node->kind = AM_JN_NSREF;
  return am_jparser_advance(parser) && am_jparser_expect_name(parser, &node->as.name.attribute);
}

/* Neighbouring literals are one string. */
static bool parse_strings(am_jparser *parser, am_jnode **out) {
  am_jnode *node = am_jparser_node(parser, AM_JN_CONST, parser->current.line);
  if (!node) return false;
  node->as.constant = parser->current.value;
  if (!am_jparser_advance(parser)) return false;
  while (parser->current.kind == AM_JT_STRING) {
    size_t mark = am_jinja_mark(parser->jinja);
    const am_jstring *a = node->as.constant.as.string, *b = parser->current.value.as.string;
    if (!am_jinja_put(parser->jinja, a->data, a->n_bytes) ||
        !am_jinja_put(parser->jinja, b->data, b->n_bytes) ||
        !am_jinja_cut(parser->jinja, mark, &node->as.constant) || !am_jparser_advance(parser))
      return false;
  }
  *out = node;
  return true;
}

static bool parse_list(am_jparser *parser, am_jnode **out) {
  am_jnode *node = am_jparser_node(parser, AM_JN_LIST, parser->current.line);
  if (!node || !am_jparser_advance(parser)) return false;
  while (parser->current.kind != AM_JT_RBRACKET) {
    if (node->as.items.n && !am_jparser_expect(parser, AM_JT_COMMA)) return false;
    if (parser->current.kind == AM_JT_RBRACKET) break;
    am_jnode *item = NULL;
    if (!am_jparse_expression(parser, false, &item) || !am_jparser_push(parser, &node->as.items, item))
      return false;
  }
  *out = node;
  return am_jparser_depth_of(node, &node->as.items) && am_jparser_expect(parser, AM_JT_RBRACKET);
}

static bool parse_dict(am_jparser *parser, am_jnode **out) {
  am_jnode *node = am_jparser_node(parser, AM_JN_DICT, parser->current.line);
  if (!node || !am_jparser_advance(parser)) return false;
  while (parser->current.kind != AM_JT_RBRACE) {
    if (node->as.items.n && !am_jparser_expect(parser, AM_JT_COMMA)) return false;
    if (parser->current.kind == AM_JT_RBRACE) break;
    am_jnode *key = NULL, *value = NULL;
    if (!am_jparse_expression(parser, false, &key) || !am_jparser_expect(parser, AM_JT_COLON) ||
        !am_jparse_expression(parser, false, &value) || !am_jparser_push(parser, &node->as.items, key) ||
        !am_jparser_push(parser, &node->as.items, value))
      return false;
  }
  *out = node;
  return am_jparser_depth_of(node, &node->as.items) && am_jparser_expect(parser, AM_JT_RBRACE);
}

bool am_jparse_primary(am_jparser *parser, bool with_namespace, am_jnode **out) {
  am_jnode *node = NULL;
  switch (parser->current.kind) {
    case AM_JT_NAME:
      return parse_name(parser, with_namespace, out);
    case AM_JT_STRING:
      return parse_strings(parser, out);
    case AM_JT_INTEGER:
    case AM_JT_FLOAT:
      node = am_jparser_node(parser, AM_JN_CONST, parser->current.line);
      if (!node) return false;
      node->as.constant = parser->current.value;
      *out = node;
      return am_jparser_advance(parser);
    case AM_JT_LPAREN:
      return am_jparser_advance(parser) &&
             am_jparse_tuple(parser, (am_jtuple_rules){.explicit_parens = true}, out) &&
             am_jparser_expect(parser, AM_JT_RPAREN);
    case AM_JT_LBRACKET:
      return parse_list(parser, out);
    case AM_JT_LBRACE:
      return parse_dict(parser, out);
    default:
      return am_jparser_fail(parser, parser->current.line, "unexpected %s",
                             am_jparser_describe(parser, &parser->current));
  }
}

static bool is_tuple_end(const am_jparser *parser, const am_jtuple_rules *rules) {
  am_jtoken_kind kind = parser->current.kind;
  if (kind == AM_JT_VARIABLE_END || kind == AM_JT_BLOCK_END || kind == AM_JT_RPAREN) return true;
  return rules->end_name && am_jparser_is(parser, rules->end_name);
}

bool am_jparse_tuple(am_jparser *parser, am_jtuple_rules rules, am_jnode **out) {
  uint32_t line = parser->current.line;
  am_jnodes items = {0};
  bool is_tuple = false;
  for (;;) {
    if (items.n && !am_jparser_expect(parser, AM_JT_COMMA)) return false;
    if (is_tuple_end(parser, &rules)) break;
    am_jnode *item = NULL;
    bool ok = rules.simplified ? am_jparse_primary(parser, rules.with_namespace, &item)
                               : am_jparse_expression(parser, rules.no_condition, &item);
    if (!ok || !am_jparser_push(parser, &items, item)) return false;
    if (parser->current.kind != AM_JT_COMMA) break;
    is_tuple = true;
    line = parser->current.line;
  }
  if (!is_tuple && items.n) {
    *out = items.items[0];
    return true;
  }
  if (!is_tuple && !rules.explicit_parens)
    return am_jparser_fail(parser, parser->current.line, "Expected an expression, got %s",
                           am_jparser_describe(parser, &parser->current));
  am_jnode *node = am_jparser_node(parser, AM_JN_TUPLE, line);
  if (!node) return false;
  node->as.items = items;
  am_jparser_depth_of(node, &items);
  return am_jparser_check_depth(parser, node, out);
}

/* --- operators, from the tightest to the loosest --- */
static bool enter(am_jparser *parser) {
  if (++parser->nesting > AM_JPARSE_MAX_NESTING || !am_jinja_stack_ok(parser->jinja))
    return am_jparser_fail(parser, parser->current.line, "the expression is nested too deep");
  return true;
}

static bool parse_unary(am_jparser *parser, bool with_filter, am_jnode **out) {
  am_jtoken_kind kind = parser->current.kind;
  uint32_t line = parser->current.line;
  if (kind == AM_JT_SUB || kind == AM_JT_ADD) {
    am_jnode *operand = NULL;
    if (!enter(parser) || !am_jparser_advance(parser) || !parse_unary(parser, false, &operand) ||
        !am_jparser_binary(parser, AM_JN_UNARY, kind == AM_JT_SUB ? AM_JOP_NEG : AM_JOP_POS, line, operand,
                           NULL, out))
      return false;
    parser->nesting--;
  } else if (!am_jparse_primary(parser, false, out)) {
    return false;
  }
  return am_jparse_postfix(parser, *out, out) &&
         (!with_filter || am_jparse_filter_expression(parser, *out, out));
}

static bool parse_pow(am_jparser *parser, am_jnode **out) {
  uint32_t line = parser->current.line;
  if (!parse_unary(parser, true, out)) return false;
  while (parser->current.kind == AM_JT_POW) {
    am_jnode *right = NULL;
    if (!am_jparser_advance(parser) || !parse_unary(parser, true, &right) ||
        !am_jparser_binary(parser, AM_JN_BINARY, AM_JOP_POW, line, *out, right, out))
      return false;
    line = parser->current.line;
  }
  return true;
}

static bool product_operator(am_jtoken_kind kind, am_joperator *op) {
  switch (kind) {
    case AM_JT_MUL:
      *op = AM_JOP_MUL;
      return true;
    case AM_JT_DIV:
      *op = AM_JOP_DIV;
      return true;
    case AM_JT_FLOORDIV:
      *op = AM_JOP_FLOORDIV;
      return true;
    case AM_JT_MOD:
      *op = AM_JOP_MOD;
      return true;
    default:
      return false;
  }
}

static bool parse_product(am_jparser *parser, am_jnode **out) {
  uint32_t line = parser->current.line;
  am_joperator op;
  if (!parse_pow(parser, out)) return false;
  while (product_operator(parser->current.kind, &op)) {
    am_jnode *right = NULL;
    if (!am_jparser_advance(parser) || !parse_pow(parser, &right) ||
        !am_jparser_binary(parser, AM_JN_BINARY, op, line, *out, right, out))
      return false;
    line = parser->current.line;
  }
  return true;
}

static bool parse_concat(am_jparser *parser, am_jnode **out) {
  uint32_t line = parser->current.line;
  if (!parse_product(parser, out)) return false;
  if (parser->current.kind != AM_JT_TILDE) return true;
  am_jnode *node = am_jparser_node(parser, AM_JN_CONCAT, line);
  if (!node || !am_jparser_push(parser, &node->as.items, *out)) return false;
  while (parser->current.kind == AM_JT_TILDE) {
    am_jnode *item = NULL;
    if (!am_jparser_advance(parser) || !parse_product(parser, &item) ||
        !am_jparser_push(parser, &node->as.items, item))
      return false;
  }
  am_jparser_depth_of(node, &node->as.items);
  return am_jparser_check_depth(parser, node, out);
}

static bool parse_sum(am_jparser *parser, am_jnode **out) {
  uint32_t line = parser->current.line;
  if (!parse_concat(parser, out)) return false;
  while (parser->current.kind == AM_JT_ADD || parser->current.kind == AM_JT_SUB) {
    am_joperator op = parser->current.kind == AM_JT_ADD ? AM_JOP_ADD : AM_JOP_SUB;
    am_jnode *right = NULL;
    if (!am_jparser_advance(parser) || !parse_concat(parser, &right) ||
        !am_jparser_binary(parser, AM_JN_BINARY, op, line, *out, right, out))
      return false;
    line = parser->current.line;
  }
  return true;
}

static bool comparison_operator(am_jparser *parser, am_joperator *op, bool *found) {
  am_jtoken_kind ahead = AM_JT_EOF;
  *found = true;
  switch (parser->current.kind) {
    case AM_JT_EQ:
      *op = AM_JOP_EQ;
      break;
    case AM_JT_NE:
      *op = AM_JOP_NE;
      break;
    case AM_JT_LT:
      *op = AM_JOP_LT;
      break;
    case AM_JT_LTEQ:
      *op = AM_JOP_LE;
      break;
    case AM_JT_GT:
      *op = AM_JOP_GT;
      break;
    case AM_JT_GTEQ:
      *op = AM_JOP_GE;
      break;
    default:
      *op = AM_JOP_IN;
      if (am_jparser_is(parser, "in")) break;
      *found = false;
      if (!am_jparser_is(parser, "not")) return true;
      if (!am_jparser_look(parser, &ahead)) return false;
      if (ahead != AM_JT_NAME || parser->ahead.n_bytes != 2 || memcmp(parser->ahead.text, "in", 2) != 0)
        return true;
      *found = true;
      *op = AM_JOP_NOT_IN;
      if (!am_jparser_advance(parser)) return false;
  }
  return am_jparser_advance(parser);
}

static bool parse_comparison(am_jparser *parser, am_jnode **out) {
  uint32_t line = parser->current.line;
  am_jnode *node = NULL;
  if (!parse_sum(parser, out)) return false;
  for (;;) {
    am_joperator op;
    bool found = false;
    if (!comparison_operator(parser, &op, &found)) return false;
    if (!found) break;
    if (!node) {
      node = am_jparser_node(parser, AM_JN_COMPARE, line);
      if (!node || !am_jparser_push(parser, &node->as.compare.items, *out)) return false;
    }
    size_t n = node->as.compare.items.n;
    am_jnode *right = NULL;
    if (n > AM_JPARSE_MAX_DEPTH) return am_jparser_fail(parser, line, "the comparison is too long");
    if (!node->as.compare.ops) node->as.compare.ops = am_jinja_alloc(parser->jinja, AM_JPARSE_MAX_DEPTH, 1);
    if (!node->as.compare.ops || !parse_sum(parser, &right) ||
        !am_jparser_push(parser, &node->as.compare.items, right))
      return false;
    node->as.compare.ops[n - 1] = op;
    node->line = parser->current.line;
  }
  if (!node) return true;
  am_jparser_depth_of(node, &node->as.compare.items);
  return am_jparser_check_depth(parser, node, out);
}

static bool parse_not(am_jparser *parser, am_jnode **out) {
  if (!am_jparser_is(parser, "not")) return parse_comparison(parser, out);
  uint32_t line = parser->current.line;
  am_jnode *operand = NULL;
  if (!enter(parser) || !am_jparser_advance(parser) || !parse_not(parser, &operand)) return false;
  parser->nesting--;
  return am_jparser_binary(parser, AM_JN_NOT, 0, line, operand, NULL, out);
}

static bool parse_logic(am_jparser *parser, bool is_or, am_jnode **out) {
  uint32_t line = parser->current.line;
  if (!(is_or ? parse_logic(parser, false, out) : parse_not(parser, out))) return false;
  while (am_jparser_is(parser, is_or ? "or" : "and")) {
    am_jnode *right = NULL;
    if (!am_jparser_advance(parser) ||
        !(is_or ? parse_logic(parser, false, &right) : parse_not(parser, &right)) ||
        !am_jparser_binary(parser, is_or ? AM_JN_OR : AM_JN_AND, 0, line, *out, right, out))
      return false;
    line = parser->current.line;
  }
  return true;
}

static bool parse_conditional(am_jparser *parser, am_jnode **out) {
  uint32_t line = parser->current.line;
  bool is_conditional = false, has_else = false;
  if (!parse_logic(parser, true, out)) return false;
  for (;;) {
    if (!am_jparser_skip_name(parser, "if", &is_conditional)) return false;
    if (!is_conditional) return true;
    am_jnode *node = am_jparser_node(parser, AM_JN_COND, line);
    if (!node || !parse_logic(parser, true, &node->as.cond.test) ||
        !am_jparser_skip_name(parser, "else", &has_else))
      return false;
    node->as.cond.yes = *out;
    if (has_else && (!enter(parser) || !parse_conditional(parser, &node->as.cond.no))) return false;
    if (has_else) parser->nesting--;
    node->depth = am_jparser_deeper(node->as.cond.test, node->as.cond.yes);
    if (node->as.cond.no && node->as.cond.no->depth >= node->depth)
      node->depth = (uint16_t)(node->as.cond.no->depth + 1);
    if (!am_jparser_check_depth(parser, node, out)) return false;
    line = parser->current.line;
  }
}

bool am_jparse_expression(am_jparser *parser, bool no_condition, am_jnode **out) {
  if (!enter(parser)) return false;
  if (!(no_condition ? parse_logic(parser, true, out) : parse_conditional(parser, out))) return false;
  parser->nesting--;
  return true;
}

/* --- targets --- */
static const char *node_word(const am_jnode *node) {
  static const char *const words[] = {"const",   "name",    "nsref", "tuple", "list",   "dict",    "neg",
                                      "add",     "and",     "or",    "not",   "concat", "compare", "condexpr",
                                      "getattr", "getitem", "slice", "call",  "filter", "test"};
  return node->kind < sizeof words / sizeof *words ? words[node->kind] : "statement";
}

static bool set_context(am_jnode *node, am_jcontext context) {
  if (node->kind == AM_JN_NSREF) return true;
  if (node->kind == AM_JN_NAME) {
    node->op = context;
    return true;
  }
  if (node->kind != AM_JN_TUPLE) return false;
  for (size_t i = 0; i < node->as.items.n; i++)
    if (!set_context(node->as.items.items[i], context)) return false;
  return true;
}

bool am_jparse_target(am_jparser *parser, am_jtuple_rules rules, am_jcontext context, am_jnode **out) {
  rules.simplified = true;
  if (!am_jparse_tuple(parser, rules, out)) return false;
  if (set_context(*out, context)) return true;
  return am_jparser_fail(parser, (*out)->line, "can't assign to '%s'", node_word(*out));
}
