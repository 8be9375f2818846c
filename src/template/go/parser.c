/* SPDX-License-Identifier: Apache-2.0 */
/* Recursive descent with three tokens of lookahead, as Go's grammar needs them for "$x := ...". */
#include <string.h>

#include "base/error.h"
#include "base/utf8.h"
#include "template/go/functions.h"
#include "template/go/lexer.h"
#include "template/go/literal.h"

enum { MAX_VARIABLES = 4096, MAX_TEXT_BYTES = 4 << 20 };

typedef struct parser {
  am_go_template *tmpl;
  am_go_lexer lexer;
  am_go_token ahead[3]; /* the next token is ahead[n_ahead - 1] */
  int n_ahead;
  uint32_t line;         /* of the last token */
  am_go_name *variables; /* in scope; of this definition from first_variable on */
  size_t n_variables, first_variable;
  uint32_t range_depth, depth;
  adam_error *error;
} parser;

typedef struct nodes {
  am_go_node **items;
  size_t n, capacity;
} nodes;

#define TRY(call)                                 \
  do {                                            \
    adam_status try_status = (call);              \
    if (try_status != ADAM_OK) return try_status; \
  } while (0)

bool am_go_name_is(am_go_name name, const char *text) {
  return name.n_bytes == strlen(text) && memcmp(name.text, text, name.n_bytes) == 0;
}

bool am_go_names_equal(am_go_name a, am_go_name b) {
  return a.n_bytes == b.n_bytes && memcmp(a.text, b.text, a.n_bytes) == 0;
}

static adam_status fail(const parser *p, const char *why) {
  return am_fail(p->error, ADAM_TEMPLATE, p->tmpl->name, NULL, "line %u: %s", p->line, why);
}

static adam_status fail_name(const parser *p, const char *why, am_go_name name) {
  int n = name.n_bytes > 60 ? 60 : (int)name.n_bytes;
  return am_fail(p->error, ADAM_TEMPLATE, p->tmpl->name, NULL, "line %u: %s \"%.*s\"", p->line, why, n,
                 name.text);
}

static adam_status no_memory(const parser *p) { return am_fail_memory(p->error, p->tmpl->name); }

static adam_status unexpected(const parser *p, am_go_token token, const char *context) {
  int n = token.text.n_bytes > 40 ? 40 : (int)token.text.n_bytes;
  return am_fail(p->error, ADAM_TEMPLATE, p->tmpl->name, NULL, "line %u: unexpected %s%.*s%s in %s",
                 token.line, token.kind == AM_GO_T_EOF ? "end of the template" : "\"", n, token.text.text,
                 token.kind == AM_GO_T_EOF ? "" : "\"", context);
}

/* --- tokens --- */

static adam_status next(parser *p, am_go_token *out) {
  if (p->n_ahead > 0) {
    *out = p->ahead[--p->n_ahead];
  } else {
    TRY(am_go_lexer_next(&p->lexer, out));
  }
  p->line = out->line;
  return ADAM_OK;
}

static void put_back(parser *p, am_go_token token) { p->ahead[p->n_ahead++] = token; }

static adam_status peek(parser *p, am_go_token *out) {
  TRY(next(p, out));
  put_back(p, *out);
  return ADAM_OK;
}

static adam_status next_word(parser *p, am_go_token *out) {
  do TRY(next(p, out));
  while (out->kind == AM_GO_T_SPACE);
  return ADAM_OK;
}

static adam_status peek_word(parser *p, am_go_token *out) {
  TRY(next_word(p, out));
  put_back(p, *out);
  return ADAM_OK;
}

static adam_status expect_right(parser *p, const char *context) {
  am_go_token token;
  TRY(next_word(p, &token));
  return token.kind == AM_GO_T_RIGHT ? ADAM_OK : unexpected(p, token, context);
}

/* --- nodes --- */

static adam_status new_node(parser *p, am_go_node_kind kind, am_go_node **out) {
  am_go_node *node = am_arena_zalloc(&p->tmpl->arena, 1, sizeof *node);
  if (!node) return no_memory(p);
  node->kind = kind;
  node->line = p->line;
  *out = node;
  return ADAM_OK;
}

static adam_status push(parser *p, nodes *list, am_go_node *node) {
  if (list->n == list->capacity) {
    size_t capacity = list->capacity ? list->capacity * 2 : 4;
    am_go_node **items = am_arena_alloc(&p->tmpl->arena, capacity * sizeof *items);
    if (!items) return no_memory(p);
    if (list->n) memcpy(items, list->items, list->n * sizeof *items);
    list->items = items;
    list->capacity = capacity;
  }
  list->items[list->n++] = node;
  return ADAM_OK;
}

static adam_status add_name(parser *p, am_go_node *node, am_go_name name) {
  am_go_name *names = am_arena_alloc(&p->tmpl->arena, (node->n_names + 1) * sizeof *names);
  if (!names) return no_memory(p);
  if (node->n_names) memcpy(names, node->names, node->n_names * sizeof *names);
  names[node->n_names++] = name;
  node->names = names;
  return ADAM_OK;
}

static adam_status declare(parser *p, am_go_name name) {
  if (p->n_variables == MAX_VARIABLES) return fail(p, "too many variables");
  p->variables[p->n_variables++] = name;
  return ADAM_OK;
}

static adam_status enter(parser *p) {
  if (++p->depth <= AM_GO_MAX_DEPTH) return ADAM_OK;
  return am_fail(p->error, ADAM_LIMIT, p->tmpl->name, NULL, "line %u: more than %d levels inside each other",
                 p->line, AM_GO_MAX_DEPTH);
}

static adam_status literal(const parser *p, am_go_literal result, am_go_name text, const char *why) {
  if (result == AM_GO_LITERAL_NO_MEMORY) return no_memory(p);
  return result == AM_GO_LITERAL_OK ? ADAM_OK : fail_name(p, why, text);
}

/* --- expressions --- */

static adam_status pipeline(parser *p, const char *context, am_go_token_kind end, am_go_node **out);

static adam_status use_variable(parser *p, am_go_token token, am_go_node **out) {
  for (size_t i = p->first_variable; i < p->n_variables; i++) {
    if (!am_go_names_equal(p->variables[i], token.text)) continue;
    TRY(new_node(p, AM_GO_NODE_VARIABLE, out));
    return add_name(p, *out, token.text);
  }
  return fail_name(p, "undefined variable", token.text);
}

static adam_status constant(parser *p, am_go_token token, am_go_node **out) {
  am_arena *arena = &p->tmpl->arena;
  TRY(new_node(p, AM_GO_NODE_CONSTANT, out));
  am_go_value *value = &(*out)->value;
  switch (token.kind) {
    case AM_GO_T_BOOL:
      *value = am_go_bool(am_go_name_is(token.text, "true"));
      return ADAM_OK;
    case AM_GO_T_CHAR_CONSTANT:
      return literal(p, am_go_character(token.text, value), token.text, "malformed character");
    case AM_GO_T_NUMBER:
      return literal(p, am_go_number(token.text, value), token.text, "illegal number");
    default:
      return literal(p, am_go_unquote(token.text, arena, value), token.text, "invalid syntax in");
  }
}

/* *out NULL: what comes next is no term. */
static adam_status term(parser *p, am_go_node **out) {
  am_go_token token;
  *out = NULL;
  TRY(next_word(p, &token));
  switch (token.kind) {
    case AM_GO_T_IDENTIFIER: {
      int function = am_go_function_find(token.text);
      if (function < 0) return fail_name(p, "function not defined:", token.text);
      TRY(new_node(p, AM_GO_NODE_FUNCTION, out));
      (*out)->function = function;
      return ADAM_OK;
    }
    case AM_GO_T_DOT:
      return new_node(p, AM_GO_NODE_DOT, out);
    case AM_GO_T_NIL:
      return new_node(p, AM_GO_NODE_NIL, out);
    case AM_GO_T_VARIABLE:
      return use_variable(p, token, out);
    case AM_GO_T_FIELD:
      TRY(new_node(p, AM_GO_NODE_FIELD, out));
      return add_name(p, *out, (am_go_name){token.text.text + 1, token.text.n_bytes - 1});
    case AM_GO_T_BOOL:
    case AM_GO_T_CHAR_CONSTANT:
    case AM_GO_T_NUMBER:
    case AM_GO_T_STRING:
    case AM_GO_T_RAW_STRING:
      return constant(p, token, out);
    case AM_GO_T_LPAREN:
      TRY(enter(p));
      TRY(pipeline(p, "parenthesized pipeline", AM_GO_T_RPAREN, out));
      p->depth--;
      return ADAM_OK;
    default:
      put_back(p, token);
      return ADAM_OK;
  }
}

/* A term and the fields taken of it. */
static adam_status operand(parser *p, am_go_node **out) {
  am_go_token token;
  TRY(term(p, out));
  if (!*out) return ADAM_OK;
  TRY(peek(p, &token));
  if (token.kind != AM_GO_T_FIELD) return ADAM_OK;
  am_go_node *node = *out;
  if (node->kind == AM_GO_NODE_CONSTANT || node->kind == AM_GO_NODE_NIL || node->kind == AM_GO_NODE_DOT)
    return fail(p, "unexpected . after term");
  if (node->kind != AM_GO_NODE_FIELD && node->kind != AM_GO_NODE_VARIABLE) {
    TRY(new_node(p, AM_GO_NODE_CHAIN, &node));
    node->pipe = *out;
    *out = node;
  }
  for (; token.kind == AM_GO_T_FIELD;) {
    TRY(next(p, &token));
    TRY(add_name(p, node, (am_go_name){token.text.text + 1, token.text.n_bytes - 1}));
    TRY(peek(p, &token));
  }
  return ADAM_OK;
}

static adam_status command(parser *p, am_go_node **out) {
  nodes arguments = {0};
  am_go_token token;
  TRY(new_node(p, AM_GO_NODE_COMMAND, out));
  for (;;) {
    am_go_node *node = NULL;
    TRY(peek_word(p, &token)); /* passes over spaces */
    TRY(operand(p, &node));
    if (node) TRY(push(p, &arguments, node));
    TRY(next(p, &token));
    if (token.kind == AM_GO_T_SPACE) continue;
    if (token.kind == AM_GO_T_RIGHT || token.kind == AM_GO_T_RPAREN)
      put_back(p, token);
    else if (token.kind != AM_GO_T_PIPE)
      return unexpected(p, token, "operand");
    break;
  }
  if (arguments.n == 0) return fail(p, "empty command");
  (*out)->nodes = arguments.items;
  (*out)->n_nodes = arguments.n;
  return ADAM_OK;
}

/* "$x :=", "$x =", and in a range "$i, $x :=". */
static adam_status declarations(parser *p, const char *context, am_go_node *pipe) {
  bool range = strcmp(context, "range") == 0;
  for (;;) {
    am_go_token variable, after, word;
    TRY(peek_word(p, &variable));
    if (variable.kind != AM_GO_T_VARIABLE) return ADAM_OK;
    TRY(next(p, &variable));
    TRY(peek(p, &after));
    TRY(peek_word(p, &word));
    if (word.kind == AM_GO_T_ASSIGN || word.kind == AM_GO_T_DECLARE) {
      TRY(next_word(p, &word));
      pipe->assigns = word.kind == AM_GO_T_ASSIGN;
      TRY(add_name(p, pipe, variable.text));
      return declare(p, variable.text);
    }
    if (word.kind == AM_GO_T_CHAR && am_go_name_is(word.text, ",")) {
      TRY(next_word(p, &word));
      TRY(add_name(p, pipe, variable.text));
      TRY(declare(p, variable.text));
      TRY(peek_word(p, &word));
      if (!range || pipe->n_names >= 2) return fail(p, "too many declarations");
      if (word.kind != AM_GO_T_VARIABLE && word.kind != AM_GO_T_RIGHT && word.kind != AM_GO_T_RPAREN)
        return fail(p, "range can only initialize variables");
      continue;
    }
    if (after.kind == AM_GO_T_SPACE) put_back(p, after);
    put_back(p, variable);
    return ADAM_OK;
  }
}

static bool starts_command(am_go_token_kind kind) {
  switch (kind) {
    case AM_GO_T_BOOL:
    case AM_GO_T_CHAR_CONSTANT:
    case AM_GO_T_DOT:
    case AM_GO_T_FIELD:
    case AM_GO_T_IDENTIFIER:
    case AM_GO_T_NUMBER:
    case AM_GO_T_NIL:
    case AM_GO_T_RAW_STRING:
    case AM_GO_T_STRING:
    case AM_GO_T_VARIABLE:
    case AM_GO_T_LPAREN:
      return true;
    default:
      return false;
  }
}

static adam_status check_pipeline(const parser *p, const am_go_node *pipe) {
  if (pipe->n_nodes == 0) return fail(p, "missing value");
  for (size_t i = 1; i < pipe->n_nodes; i++) {
    am_go_node_kind first = pipe->nodes[i]->nodes[0]->kind;
    if (first == AM_GO_NODE_CONSTANT || first == AM_GO_NODE_DOT || first == AM_GO_NODE_NIL)
      return fail(p, "a value behind a pipe: expected a function or field");
  }
  return ADAM_OK;
}

static adam_status pipeline(parser *p, const char *context, am_go_token_kind end, am_go_node **out) {
  nodes commands = {0};
  am_go_token token;
  TRY(new_node(p, AM_GO_NODE_PIPE, out));
  TRY(declarations(p, context, *out));
  for (;;) {
    am_go_node *node = NULL;
    TRY(next_word(p, &token));
    if (token.kind == end) break;
    if (!starts_command(token.kind)) return unexpected(p, token, context);
    put_back(p, token);
    TRY(command(p, &node));
    TRY(push(p, &commands, node));
  }
  (*out)->nodes = commands.items;
  (*out)->n_nodes = commands.n;
  return check_pipeline(p, *out);
}

/* --- actions --- */

typedef enum ending { ENDS_NOT, ENDS_END, ENDS_ELSE, ENDS_ELSE_IF, ENDS_ELSE_WITH } ending;

static adam_status action(parser *p, am_go_node **out, ending *end);

/* Text or action; *end tells of {{end}} and {{else}}, which are no nodes. */
static adam_status text_or_action(parser *p, am_go_node **out, ending *end) {
  am_go_token token;
  *out = NULL;
  *end = ENDS_NOT;
  TRY(next_word(p, &token));
  if (token.kind == AM_GO_T_LEFT) return action(p, out, end);
  if (token.kind != AM_GO_T_TEXT) return unexpected(p, token, "input");
  TRY(new_node(p, AM_GO_NODE_TEXT, out));
  (*out)->text = token.text;
  return ADAM_OK;
}

/* To the {{end}} or {{else}}. */
static adam_status item_list(parser *p, am_go_node **out, ending *end) {
  nodes list = {0};
  TRY(enter(p));
  TRY(new_node(p, AM_GO_NODE_LIST, out));
  for (;;) {
    am_go_token token;
    am_go_node *node = NULL;
    TRY(peek_word(p, &token));
    if (token.kind == AM_GO_T_EOF) return fail(p, "unexpected end of the template: an {{ end }} is missing");
    TRY(text_or_action(p, &node, end));
    if (*end != ENDS_NOT) break;
    TRY(push(p, &list, node));
  }
  (*out)->nodes = list.items;
  (*out)->n_nodes = list.n;
  p->depth--;
  return ADAM_OK;
}

static adam_status control(parser *p, am_go_node_kind kind, const char *context, am_go_node **out) {
  size_t n_variables = p->n_variables;
  ending end = ENDS_NOT;
  bool range = kind == AM_GO_NODE_RANGE;
  TRY(new_node(p, kind, out));
  am_go_node *node = *out;
  TRY(pipeline(p, context, AM_GO_T_RIGHT, &node->pipe));
  p->range_depth += range;
  TRY(item_list(p, &node->list, &end));
  p->range_depth -= range;
  bool chained =
      (end == ENDS_ELSE_IF && kind == AM_GO_NODE_IF) || (end == ENDS_ELSE_WITH && kind == AM_GO_NODE_WITH);
  if (chained) { /* as if {{else}}{{if}} had an {{end}} of its own */
    am_go_token word;
    nodes one = {0};
    am_go_node *inner;
    TRY(next_word(p, &word));
    TRY(enter(p));
    TRY(new_node(p, AM_GO_NODE_LIST, &node->other));
    TRY(control(p, kind, context, &inner));
    p->depth--;
    TRY(push(p, &one, inner));
    node->other->nodes = one.items;
    node->other->n_nodes = 1;
  } else if (end == ENDS_ELSE) {
    TRY(item_list(p, &node->other, &end));
    if (end != ENDS_END) return fail(p, "expected end; found else");
  } else if (end != ENDS_END) {
    return fail(p, "this block takes no such else");
  }
  p->n_variables = n_variables;
  return ADAM_OK;
}

static adam_status quoted_name(parser *p, const char *context, am_go_name *out) {
  am_go_token token;
  am_go_value value;
  TRY(next_word(p, &token));
  if (token.kind != AM_GO_T_STRING && token.kind != AM_GO_T_RAW_STRING) return unexpected(p, token, context);
  TRY(literal(p, am_go_unquote(token.text, &p->tmpl->arena, &value), token.text, "invalid syntax in"));
  *out = (am_go_name){value.as.string, value.n};
  return ADAM_OK;
}

/* Nothing but white space. */
static bool is_empty(const am_go_node *list) {
  for (size_t i = 0; i < list->n_nodes; i++) {
    if (list->nodes[i]->kind != AM_GO_NODE_TEXT) return false;
    am_go_name text = list->nodes[i]->text;
    for (size_t k = 0; k < text.n_bytes;) {
      uint32_t c;
      int length = am_utf8_decode(text.text + k, text.n_bytes - k, &c);
      if (length < 0 || !(c == ' ' || (c >= '\t' && c <= '\r') || c == 0x85 || c == 0xa0)) return false;
      k += (size_t)length;
    }
  }
  return true;
}

/* A second definition of a name must be empty, or replace an empty one. */
static adam_status add_definition(parser *p, am_go_name name, am_go_node *root) {
  am_go_template *tmpl = p->tmpl;
  for (size_t i = 0; i < tmpl->n_definitions; i++) {
    am_go_definition *have = &tmpl->definitions[i];
    if (!am_go_names_equal(have->name, name)) continue;
    if (is_empty(have->root))
      have->root = root;
    else if (!is_empty(root))
      return fail_name(p, "multiple definition of template", name);
    return ADAM_OK;
  }
  if (tmpl->n_definitions == AM_GO_MAX_DEFINITIONS) return fail(p, "too many definitions");
  if (!tmpl->definitions)
    tmpl->definitions = am_arena_zalloc(&tmpl->arena, AM_GO_MAX_DEFINITIONS, sizeof *tmpl->definitions);
  if (!tmpl->definitions) return no_memory(p);
  tmpl->definitions[tmpl->n_definitions++] = (am_go_definition){name, root};
  return ADAM_OK;
}

/* The list of a definition sees no variables but $. */
static adam_status definition_list(parser *p, am_go_name name, const char *context) {
  size_t first = p->first_variable, n = p->n_variables;
  uint32_t ranges = p->range_depth;
  ending end = ENDS_NOT;
  am_go_node *root;
  p->first_variable = n;
  p->range_depth = 0;
  TRY(declare(p, (am_go_name){"$", 1}));
  TRY(item_list(p, &root, &end));
  if (end != ENDS_END) return fail_name(p, "unexpected else in", (am_go_name){context, strlen(context)});
  TRY(add_definition(p, name, root));
  p->first_variable = first;
  p->n_variables = n;
  p->range_depth = ranges;
  return ADAM_OK;
}

static adam_status template_action(parser *p, bool block, am_go_node **out) {
  const char *context = block ? "block clause" : "template clause";
  am_go_token token;
  TRY(new_node(p, AM_GO_NODE_TEMPLATE, out));
  TRY(quoted_name(p, context, &(*out)->text));
  if (!block) {
    TRY(next_word(p, &token));
    if (token.kind == AM_GO_T_RIGHT) return ADAM_OK;
    put_back(p, token);
  }
  TRY(pipeline(p, context, AM_GO_T_RIGHT, &(*out)->pipe));
  return block ? definition_list(p, (*out)->text, context) : ADAM_OK;
}

static adam_status else_action(parser *p, ending *end) {
  am_go_token token;
  TRY(peek_word(p, &token));
  *end = token.kind == AM_GO_T_IF ? ENDS_ELSE_IF : token.kind == AM_GO_T_WITH ? ENDS_ELSE_WITH : ENDS_ELSE;
  return *end == ENDS_ELSE ? expect_right(p, "else") : ADAM_OK;
}

static adam_status jump(parser *p, am_go_node_kind kind, am_go_node **out) {
  TRY(expect_right(p, kind == AM_GO_NODE_BREAK ? "break" : "continue"));
  if (p->range_depth == 0) return fail(p, "break or continue outside of a range");
  return new_node(p, kind, out);
}

/* Behind the {{. */
static adam_status action(parser *p, am_go_node **out, ending *end) {
  am_go_token token;
  TRY(next_word(p, &token));
  switch (token.kind) {
    case AM_GO_T_BLOCK:
      return template_action(p, true, out);
    case AM_GO_T_TEMPLATE:
      return template_action(p, false, out);
    case AM_GO_T_BREAK:
      return jump(p, AM_GO_NODE_BREAK, out);
    case AM_GO_T_CONTINUE:
      return jump(p, AM_GO_NODE_CONTINUE, out);
    case AM_GO_T_ELSE:
      return else_action(p, end);
    case AM_GO_T_END:
      *end = ENDS_END;
      return expect_right(p, "end");
    case AM_GO_T_IF:
      return control(p, AM_GO_NODE_IF, "if", out);
    case AM_GO_T_RANGE:
      return control(p, AM_GO_NODE_RANGE, "range", out);
    case AM_GO_T_WITH:
      return control(p, AM_GO_NODE_WITH, "with", out);
    default:
      break;
  }
  put_back(p, token);
  TRY(new_node(p, AM_GO_NODE_ACTION, out));
  return pipeline(p, "command", AM_GO_T_RIGHT, &(*out)->pipe);
}

static adam_status define(parser *p) {
  am_go_name name;
  TRY(quoted_name(p, "define clause", &name));
  TRY(expect_right(p, "define clause"));
  return definition_list(p, name, "define clause");
}

static adam_status top_level(parser *p, am_go_node **out) {
  nodes list = {0};
  am_go_token token, word;
  TRY(new_node(p, AM_GO_NODE_LIST, out));
  for (;;) {
    am_go_node *node = NULL;
    ending end;
    TRY(peek(p, &token));
    if (token.kind == AM_GO_T_EOF) break;
    if (token.kind == AM_GO_T_LEFT) {
      TRY(next(p, &token));
      TRY(next_word(p, &word));
      if (word.kind == AM_GO_T_DEFINE) {
        TRY(define(p));
        continue;
      }
      put_back(p, word);
      put_back(p, token);
    }
    TRY(text_or_action(p, &node, &end));
    if (end != ENDS_NOT) return fail(p, end == ENDS_END ? "unexpected {{ end }}" : "unexpected {{ else }}");
    TRY(push(p, &list, node));
  }
  (*out)->nodes = list.items;
  (*out)->n_nodes = list.n;
  return ADAM_OK;
}

adam_status am_go_parse(am_go_template *tmpl, const char *text, size_t n_bytes, adam_error *error) {
  if (n_bytes > MAX_TEXT_BYTES)
    return am_fail(error, ADAM_LIMIT, tmpl->name, NULL, "a template of more than %d bytes", MAX_TEXT_BYTES);
  if (!am_utf8_valid(text, n_bytes))
    return am_fail(error, ADAM_TEMPLATE, tmpl->name, NULL, "line 1: at byte %zu: expected UTF-8",
                   am_utf8_valid_prefix(text, n_bytes));
  parser p = {.tmpl = tmpl, .error = error, .line = 1};
  const char *copy = am_arena_dup(&tmpl->arena, text, n_bytes);
  p.variables = am_arena_alloc(&tmpl->arena, MAX_VARIABLES * sizeof *p.variables);
  if (!copy || !p.variables) return no_memory(&p);
  p.variables[p.n_variables++] = (am_go_name){"$", 1};
  p.lexer = (am_go_lexer){.name = tmpl->name, .text = copy, .n_bytes = n_bytes, .line = 1, .error = error};
  TRY(top_level(&p, &tmpl->root));
  /* the text itself is the template named "" */
  am_go_name unnamed = {"", 0};
  TRY(add_definition(&p, unnamed, tmpl->root));
  for (size_t i = 0; i < tmpl->n_definitions; i++)
    if (am_go_names_equal(tmpl->definitions[i].name, unnamed)) tmpl->root = tmpl->definitions[i].root;
  return ADAM_OK;
}
