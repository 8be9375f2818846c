/* SPDX-License-Identifier: Apache-2.0 */
/* What follows an operand: subscripts, calls, filters, tests. */
#include "template/jinja/parser.h"

#include <string.h>

static bool parse_slice_part(am_jparser *parser, am_jnode **out) {
  am_jtoken_kind kind = parser->current.kind;
  if (kind == AM_JT_COLON || kind == AM_JT_RBRACKET || kind == AM_JT_COMMA) return true;
  return am_jparse_expression(parser, false, out);
}

static bool parse_subscribed(am_jparser *parser, am_jnode **out) {
  uint32_t line = parser->current.line;
  am_jnode *start = NULL;
  if (parser->current.kind != AM_JT_COLON) {
    if (!am_jparse_expression(parser, false, &start)) return false;
    if (parser->current.kind != AM_JT_COLON) {
      *out = start;
      return true;
    }
  }
  am_jnode *node = am_jparser_node(parser, AM_JN_SLICE, line);
  if (!node || !am_jparser_advance(parser)) return false;
  node->as.slice.start = start;
  if (!parse_slice_part(parser, &node->as.slice.stop)) return false;
  if (parser->current.kind == AM_JT_COLON &&
      (!am_jparser_advance(parser) ||
       (parser->current.kind != AM_JT_COLON && !parse_slice_part(parser, &node->as.slice.step))))
    return false;
  node->depth = am_jparser_deeper(start, node->as.slice.stop);
  if (node->as.slice.step && node->as.slice.step->depth >= node->depth)
    node->depth = (uint16_t)(node->as.slice.step->depth + 1);
  *out = node;
  return true;
}

static bool parse_brackets(am_jparser *parser, uint32_t line, am_jnode **out) {
  am_jnodes items = {0};
  bool has_slice = false;
  while (parser->current.kind != AM_JT_RBRACKET) {
    if (items.n && !am_jparser_expect(parser, AM_JT_COMMA)) return false;
    am_jnode *item = NULL;
    if (!parse_subscribed(parser, &item) || !am_jparser_push(parser, &items, item)) return false;
    has_slice = has_slice || item->kind == AM_JN_SLICE;
  }
  if (!am_jparser_expect(parser, AM_JT_RBRACKET)) return false;
  if (items.n == 1) {
    *out = items.items[0];
    return true;
  }
  if (has_slice) return am_jparser_fail(parser, line, "invalid syntax");
  am_jnode *node = am_jparser_node(parser, AM_JN_TUPLE, line);
  if (!node) return false;
  node->as.items = items;
  *out = node;
  return am_jparser_depth_of(node, &items);
}

static bool parse_subscript(am_jparser *parser, am_jnode *object, am_jnode **out) {
  bool is_dot = parser->current.kind == AM_JT_DOT;
  uint32_t line = parser->current.line;
  am_jnode *node = am_jparser_node(parser, AM_JN_GETITEM, line);
  if (!node || !am_jparser_advance(parser)) return false;
  node->as.item.object = object;
  if (!is_dot) {
    if (!parse_brackets(parser, line, &node->as.item.index)) return false;
  } else if (parser->current.kind == AM_JT_NAME) {
    node->kind = AM_JN_GETATTR;
    if (!am_jparser_expect_name(parser, &node->as.item.name)) return false;
  } else if (parser->current.kind == AM_JT_INTEGER) {
    if (!am_jparse_primary(parser, false, &node->as.item.index)) return false;
  } else {
    return am_jparser_fail(parser, parser->current.line, "expected name or number");
  }
  node->depth = am_jparser_deeper(object, node->as.item.index);
  return am_jparser_check_depth(parser, node, out);
}

static bool push_keyword(am_jparser *parser, am_jsignature *signature, am_jname name, am_jnode *value) {
  for (size_t i = 0; i < signature->keyword_values.n; i++)
    if (signature->keywords[i].text == name.text)
      return am_jparser_fail(parser, value->line, "keyword argument repeated: %.*s", (int)name.n_bytes,
                             name.text);
  size_t n = signature->keyword_values.n;
  if (n == AM_JPARSE_MAX_NAMES) return am_jparser_fail(parser, value->line, "too many keyword arguments");
  if (n == signature->keyword_values.capacity) { /* grows with its values */
    am_jname *grown = am_jinja_alloc(parser->jinja, n ? n * 2 : 2, sizeof *grown);
    if (!grown) return false;
    if (n) memcpy(grown, signature->keywords, n * sizeof *grown);
    signature->keywords = grown;
  }
  signature->keywords[n] = name;
  return am_jparser_push(parser, &signature->keyword_values, value);
}

static bool parse_argument(am_jparser *parser, uint32_t line, am_jsignature *s) {
  static const char invalid[] = "invalid syntax for function call expression";
  am_jtoken_kind kind = parser->current.kind, ahead = AM_JT_EOF;
  if (kind == AM_JT_MUL) {
    if (s->dyn_args || s->dyn_kwargs) return am_jparser_fail(parser, line, invalid);
    return am_jparser_advance(parser) && am_jparse_expression(parser, false, &s->dyn_args);
  }
  if (kind == AM_JT_POW) {
    if (s->dyn_kwargs) return am_jparser_fail(parser, line, invalid);
    return am_jparser_advance(parser) && am_jparse_expression(parser, false, &s->dyn_kwargs);
  }
  if (kind == AM_JT_NAME && !am_jparser_look(parser, &ahead)) return false;
  am_jnode *value = NULL;
  if (ahead == AM_JT_ASSIGN) {
    am_jname name;
    if (s->dyn_kwargs) return am_jparser_fail(parser, line, invalid);
    return am_jparser_expect_name(parser, &name) && am_jparser_advance(parser) &&
           am_jparse_expression(parser, false, &value) && push_keyword(parser, s, name, value);
  }
  if (s->dyn_args || s->dyn_kwargs || s->keyword_values.n) return am_jparser_fail(parser, line, invalid);
  return am_jparse_expression(parser, false, &value) && am_jparser_push(parser, &s->args, value);
}

static bool parse_call_args(am_jparser *parser, am_jsignature *signature) {
  uint32_t line = parser->current.line;
  bool require_comma = false;
  if (!am_jparser_expect(parser, AM_JT_LPAREN)) return false;
  while (parser->current.kind != AM_JT_RPAREN) {
    if (require_comma) {
      if (!am_jparser_expect(parser, AM_JT_COMMA)) return false;
      if (parser->current.kind == AM_JT_RPAREN) break;
    }
    if (!parse_argument(parser, line, signature)) return false;
    require_comma = true;
  }
  return am_jparser_expect(parser, AM_JT_RPAREN);
}

static bool check_call_depth(am_jparser *parser, am_jnode *node, am_jnode **out) {
  am_jsignature *s = &node->as.call.signature;
  node->depth = am_jparser_deeper(node->as.call.object, s->dyn_args);
  if (s->dyn_kwargs && s->dyn_kwargs->depth >= node->depth)
    node->depth = (uint16_t)(s->dyn_kwargs->depth + 1);
  am_jparser_depth_of(node, &s->args);
  am_jparser_depth_of(node, &s->keyword_values);
  return am_jparser_check_depth(parser, node, out);
}

static bool parse_call(am_jparser *parser, am_jnode *object, am_jnode **out) {
  am_jnode *node = am_jparser_node(parser, AM_JN_CALL, parser->current.line);
  if (!node) return false;
  node->as.call.object = object;
  return parse_call_args(parser, &node->as.call.signature) && check_call_depth(parser, node, out);
}

bool am_jparse_postfix(am_jparser *parser, am_jnode *node, am_jnode **out) {
  for (;;) {
    am_jtoken_kind kind = parser->current.kind;
    if (kind == AM_JT_DOT || kind == AM_JT_LBRACKET) {
      if (!parse_subscript(parser, node, &node)) return false;
    } else if (kind == AM_JT_LPAREN) {
      if (!parse_call(parser, node, &node)) return false;
    } else {
      *out = node;
      return true;
    }
  }
}

/* A filter's or test's name: dots may join several. */
static bool parse_dotted_name(am_jparser *parser, am_jname *out) {
  if (!am_jparser_expect_name(parser, out)) return false;
  while (parser->current.kind == AM_JT_DOT) {
    am_jname part;
    if (!am_jparser_advance(parser) || !am_jparser_expect_name(parser, &part)) return false;
    size_t n = out->n_bytes + 1 + part.n_bytes;
    char *joined = am_jinja_alloc(parser->jinja, n, 1);
    if (!joined) return false;
    memcpy(joined, out->text, out->n_bytes);
    joined[out->n_bytes] = '.';
    memcpy(joined + out->n_bytes + 1, part.text, part.n_bytes);
    *out = (am_jname){joined, n};
  }
  return true;
}

bool am_jparse_filters(am_jparser *parser, am_jnode *object, bool inline_start, am_jnode **out) {
  while (parser->current.kind == AM_JT_PIPE || inline_start) {
    if (!inline_start && !am_jparser_advance(parser)) return false;
    am_jnode *node = am_jparser_node(parser, AM_JN_FILTER, parser->current.line);
    if (!node || !parse_dotted_name(parser, &node->as.call.name)) return false;
    node->as.call.object = object;
    if (parser->current.kind == AM_JT_LPAREN && !parse_call_args(parser, &node->as.call.signature))
      return false;
    if (!check_call_depth(parser, node, &object)) return false;
    inline_start = false;
  }
  *out = object;
  return true;
}

static bool parse_bare_test_argument(am_jparser *parser, am_jnode *node) {
  switch (parser->current.kind) {
    case AM_JT_NAME:
      if (am_jparser_is(parser, "else") || am_jparser_is(parser, "or") || am_jparser_is(parser, "and"))
        return true;
      if (am_jparser_is(parser, "is"))
        return am_jparser_fail(parser, parser->current.line, "You cannot chain multiple tests with is");
      break;
    case AM_JT_STRING:
    case AM_JT_INTEGER:
    case AM_JT_FLOAT:
    case AM_JT_LBRACKET:
    case AM_JT_LBRACE:
      break;
    default:
      return true;
  }
  am_jnode *argument = NULL;
  return am_jparse_primary(parser, false, &argument) && am_jparse_postfix(parser, argument, &argument) &&
         am_jparser_push(parser, &node->as.call.signature.args, argument);
}

static bool parse_test(am_jparser *parser, am_jnode *object, am_jnode **out) {
  uint32_t line = parser->current.line;
  bool negated = false;
  am_jnode *node = am_jparser_node(parser, AM_JN_TEST, line);
  if (!node || !am_jparser_advance(parser) || !am_jparser_skip_name(parser, "not", &negated) ||
      !parse_dotted_name(parser, &node->as.call.name))
    return false;
  node->as.call.object = object;
  bool ok = parser->current.kind == AM_JT_LPAREN ? parse_call_args(parser, &node->as.call.signature)
                                                 : parse_bare_test_argument(parser, node);
  if (!ok || !check_call_depth(parser, node, out)) return false;
  return !negated || am_jparser_binary(parser, AM_JN_NOT, 0, line, *out, NULL, out);
}

bool am_jparse_filter_expression(am_jparser *parser, am_jnode *node, am_jnode **out) {
  for (;;) {
    if (parser->current.kind == AM_JT_PIPE) {
      if (!am_jparse_filters(parser, node, false, &node)) return false;
    } else if (am_jparser_is(parser, "is")) {
      if (!parse_test(parser, node, &node)) return false;
    } else if (parser->current.kind == AM_JT_LPAREN) {
      if (!parse_call(parser, node, &node)) return false;
    } else {
      *out = node;
      return true;
    }
  }
}
