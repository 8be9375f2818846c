/* SPDX-License-Identifier: Apache-2.0 */
#include "template/jinja/parser.h"

#include <stdio.h>
#include <string.h>

/* The tags that may end a body; NULL ends the list. */
typedef const char *const *end_tags;

static bool parse_body(am_jparser *parser, end_tags ends, am_jnodes *out);

static bool is_end(const am_jparser *parser, end_tags ends) {
  for (; ends && *ends; ends++)
    if (am_jparser_is(parser, *ends)) return true;
  return false;
}

static bool fail_unclosed(am_jparser *parser, const am_jtoken *tag, end_tags ends) {
  char looking[120] = "", innermost[160] = "";
  size_t n = 0;
  for (; ends && *ends && n < sizeof looking - 1; ends++)
    n += (size_t)snprintf(looking + n, sizeof looking - n, "%s'%s'", n ? " or " : "", *ends);
  if (parser->blocks) {
    size_t bytes = parser->open_tag_bytes[parser->blocks];
    snprintf(innermost, sizeof innermost, " The innermost block that needs to be closed is '%.*s'.",
             (int)(bytes < 60 ? bytes : 60), parser->open_tag[parser->blocks]);
  }
  char found[120] = "Unexpected end of template.";
  if (tag)
    snprintf(found, sizeof found, "Encountered unknown tag '%.*s'.",
             (int)(tag->n_bytes < 60 ? tag->n_bytes : 60), tag->text);
  return am_jparser_fail(parser, parser->current.line, "%s%s%s%s%s", found,
                         n ? " Jinja was looking for the following tags: " : "", looking, n ? "." : "",
                         innermost);
}

/* After the head of a tag: `:` if any, the end of the tag, the body. The current token is then the name
 * of the end tag, or after it with drop_end. */
static bool parse_statements(am_jparser *parser, end_tags ends, bool drop_end, am_jnodes *out) {
  if (parser->current.kind == AM_JT_COLON && !am_jparser_advance(parser)) return false;
  if (!am_jparser_expect(parser, AM_JT_BLOCK_END) || !parse_body(parser, ends, out)) return false;
  if (parser->current.kind == AM_JT_EOF) return fail_unclosed(parser, NULL, ends);
  return !drop_end || am_jparser_advance(parser);
}

#define ENDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static bool name_target(am_jparser *parser, am_jcontext context, am_jnode **out) {
  am_jnode *node = am_jparser_node(parser, AM_JN_NAME, parser->current.line);
  if (!node || !am_jparser_expect_name(parser, &node->as.name.name)) return false;
  node->op = context;
  static const char *const constants[] = {"true", "false", "none", "True", "False", "None"};
  for (size_t i = 0; i < sizeof constants / sizeof *constants; i++)
    if (node->as.name.name.n_bytes == strlen(constants[i]) &&
        memcmp(node->as.name.name.text, constants[i], node->as.name.name.n_bytes) == 0)
      return am_jparser_fail(parser, node->line, "can't assign to 'name'");
  *out = node;
  return true;
}

static bool parse_set(am_jparser *parser, am_jnode *node) {
  bool assigns = false;
  if (!am_jparse_target(parser, (am_jtuple_rules){.with_namespace = true}, AM_JCTX_STORE,
                        &node->as.set.target))
    return false;
  assigns = parser->current.kind == AM_JT_ASSIGN;
  if (assigns) {
    node->kind = AM_JN_SET;
    return am_jparser_advance(parser) && am_jparse_tuple(parser, (am_jtuple_rules){0}, &node->as.set.value);
  }
  node->kind = AM_JN_SET_BLOCK;
  return am_jparse_filters(parser, NULL, false, &node->as.set.filter) &&
         parse_statements(parser, ENDS("endset"), true, &node->as.set.body);
}

/* The same target once more, to be bound in another scope. */
static bool copy_target(am_jparser *parser, const am_jnode *target, am_jnode **out) {
  am_jnode *copy = am_jparser_node(parser, target->kind, target->line);
  if (!copy) return false;
  *copy = *target;
  if (target->kind == AM_JN_TUPLE) {
    copy->as.items = (am_jnodes){0};
    for (size_t i = 0; i < target->as.items.n; i++) {
      am_jnode *item = NULL;
      if (!copy_target(parser, target->as.items.items[i], &item) ||
          !am_jparser_push(parser, &copy->as.items, item))
        return false;
    }
  }
  *out = copy;
  return true;
}

static bool parse_for(am_jparser *parser, am_jnode *node) {
  bool has_test = false;
  node->kind = AM_JN_FOR;
  if (!am_jparse_target(parser, (am_jtuple_rules){.end_name = "in"}, AM_JCTX_STORE, &node->as.loop.target))
    return false;
  if (!am_jparser_is(parser, "in"))
    return am_jparser_fail(parser, parser->current.line, "expected token 'in', got %s",
                           am_jparser_describe(parser, &parser->current));
  if (!am_jparser_advance(parser) ||
      !am_jparse_tuple(parser, (am_jtuple_rules){.no_condition = true, .end_name = "recursive"},
                       &node->as.loop.iter) ||
      !am_jparser_skip_name(parser, "if", &has_test) ||
      (has_test && (!am_jparse_expression(parser, false, &node->as.loop.test) ||
                    !copy_target(parser, node->as.loop.target, &node->as.loop.test_target))) ||
      !am_jparser_skip_name(parser, "recursive", &node->as.loop.recursive) ||
      !parse_statements(parser, ENDS("endfor", "else"), false, &node->as.loop.body))
    return false;
  bool has_else = am_jparser_is(parser, "else");
  return am_jparser_advance(parser) &&
         (!has_else || parse_statements(parser, ENDS("endfor"), true, &node->as.loop.otherwise));
}

static bool grow_branches(am_jparser *parser, am_jnode *node, size_t n) {
  am_jnode **tests = am_jinja_alloc(parser->jinja, n, sizeof *tests);
  uint32_t *lines = am_jinja_alloc(parser->jinja, n, sizeof *lines);
  am_jnodes *bodies = am_jinja_alloc(parser->jinja, n + 1, sizeof *bodies);
  if (!tests || !lines || !bodies) return false;
  size_t old = node->as.branch.n_tests;
  memset(bodies, 0, (n + 1) * sizeof *bodies);
  if (old) {
    memcpy(tests, node->as.branch.tests, old * sizeof *tests);
    memcpy(lines, node->as.branch.lines, old * sizeof *lines);
    memcpy(bodies, node->as.branch.bodies, old * sizeof *bodies);
  }
  node->as.branch.tests = tests;
  node->as.branch.lines = lines;
  node->as.branch.bodies = bodies;
  return true;
}

static bool parse_if(am_jparser *parser, am_jnode *node) {
  uint32_t line = node->line;
  size_t capacity = 0;
  node->kind = AM_JN_IF;
  for (;;) {
    size_t n = node->as.branch.n_tests;
    if (n == capacity) {
      capacity = capacity ? capacity * 2 : 2;
      if (!grow_branches(parser, node, capacity)) return false;
    }
    node->as.branch.lines[n] = line;
    if (!am_jparse_tuple(parser, (am_jtuple_rules){.no_condition = true}, &node->as.branch.tests[n]) ||
        !parse_statements(parser, ENDS("elif", "else", "endif"), false, &node->as.branch.bodies[n]))
      return false;
    node->as.branch.n_tests = n + 1;
    bool is_elif = am_jparser_is(parser, "elif"), is_else = am_jparser_is(parser, "else");
    if (!am_jparser_advance(parser)) return false;
    line = parser->current.line;
    if (is_elif) continue;
    node->as.branch.has_else = is_else;
    return !is_else || parse_statements(parser, ENDS("endif"), true, &node->as.branch.bodies[n + 1]);
  }
}

static bool parse_signature(am_jparser *parser, am_jcode *code) {
  if (!am_jparser_expect(parser, AM_JT_LPAREN)) return false;
  while (parser->current.kind != AM_JT_RPAREN) {
    am_jnode *param = NULL, *value = NULL;
    if (code->params.n && !am_jparser_expect(parser, AM_JT_COMMA)) return false;
    if (!name_target(parser, AM_JCTX_PARAM, &param)) return false;
    if (code->params.n == AM_JPARSE_MAX_NAMES)
      return am_jparser_fail(parser, param->line, "too many parameters");
    for (size_t i = 0; i < code->params.n; i++)
      if (code->params.items[i]->as.name.name.text == param->as.name.name.text)
        return am_jparser_fail(parser, param->line, "duplicate argument '%.*s' in the definition of a macro",
                               (int)param->as.name.name.n_bytes, param->as.name.name.text);
    if (parser->current.kind == AM_JT_ASSIGN) {
      if (!am_jparser_advance(parser) || !am_jparse_expression(parser, false, &value) ||
          !am_jparser_push(parser, &code->defaults, value))
        return false;
    } else if (code->defaults.n) {
      return am_jparser_fail(parser, parser->current.line, "non-default argument follows default argument");
    }
    if (!am_jparser_push(parser, &code->params, param)) return false;
  }
  return am_jparser_advance(parser);
}

static am_jcode *new_code(am_jparser *parser) {
  am_jcode *code = am_jinja_alloc(parser->jinja, 1, sizeof *code);
  if (code) *code = (am_jcode){0};
  return code;
}

static bool parse_macro(am_jparser *parser, am_jnode *node) {
  node->kind = AM_JN_MACRO;
  am_jcode *code = node->as.macro.code = new_code(parser);
  am_jnode *name = NULL;
  if (!code || !name_target(parser, AM_JCTX_STORE, &name)) return false;
  code->name = name->as.name.name;
  return parse_signature(parser, code) && parse_statements(parser, ENDS("endmacro"), true, &code->body);
}

static bool parse_call_block(am_jparser *parser, am_jnode *node) {
  node->kind = AM_JN_CALL_BLOCK;
  am_jcode *code = node->as.macro.code = new_code(parser);
  if (!code || (parser->current.kind == AM_JT_LPAREN && !parse_signature(parser, code)) ||
      !am_jparse_expression(parser, false, &node->as.macro.call))
    return false;
  if (node->as.macro.call->kind != AM_JN_CALL) return am_jparser_fail(parser, node->line, "expected call");
  return parse_statements(parser, ENDS("endcall"), true, &code->body);
}

static bool parse_generation(am_jparser *parser, am_jnode *node) {
  node->kind = AM_JN_GENERATION;
  am_jcode *code = node->as.macro.code = new_code(parser);
  return code && parse_statements(parser, ENDS("endgeneration"), true, &code->body);
}

static bool parse_filter_block(am_jparser *parser, am_jnode *node) {
  node->kind = AM_JN_FILTER_BLOCK;
  return am_jparse_filters(parser, NULL, true, &node->as.set.filter) &&
         parse_statements(parser, ENDS("endfilter"), true, &node->as.set.body);
}

static bool parse_with(am_jparser *parser, am_jnode *node) {
  node->kind = AM_JN_WITH;
  while (parser->current.kind != AM_JT_BLOCK_END) {
    am_jnode *target = NULL, *value = NULL;
    if (node->as.with.targets.n && !am_jparser_expect(parser, AM_JT_COMMA)) return false;
    if (!am_jparse_target(parser, (am_jtuple_rules){0}, AM_JCTX_PARAM, &target) ||
        !am_jparser_expect(parser, AM_JT_ASSIGN) || !am_jparse_expression(parser, false, &value) ||
        !am_jparser_push(parser, &node->as.with.targets, target) ||
        !am_jparser_push(parser, &node->as.with.values, value))
      return false;
  }
  return parse_statements(parser, ENDS("endwith"), true, &node->as.with.body);
}

static bool parse_autoescape(am_jparser *parser, am_jnode *node) {
  node->kind = AM_JN_SCOPE;
  am_jnode *value = NULL;
  uint32_t line = parser->current.line;
  if (!am_jparse_expression(parser, false, &value)) return false;
  if (value->kind != AM_JN_CONST || am_jvalue_truth(&value->as.constant))
    return am_jparser_fail(parser, line, "autoescape can only be false in a chat template");
  return parse_statements(parser, ENDS("endautoescape"), true, &node->as.with.body);
}

static bool is_blank(const am_jnodes *body) {
  for (size_t i = 0; i < body->n; i++) {
    if (body->items[i]->kind != AM_JN_OUTPUT) return false;
    for (size_t k = 0; k < body->items[i]->as.items.n; k++) {
      const am_jnode *item = body->items[i]->as.items.items[k];
      if (item->kind != AM_JN_DATA) return false;
      const am_jstring *text = item->as.constant.as.string;
      for (size_t b = 0; b < text->n_bytes; b++)
        if (!strchr(" \t\n\r\f\v", text->data[b])) return false;
    }
  }
  return true;
}

static bool parse_block(am_jparser *parser, am_jnode *node) {
  node->kind = AM_JN_BLOCK;
  am_jcode *code = node->as.block.code = new_code(parser);
  if (!code || !am_jparser_expect_name(parser, &node->as.block.name) ||
      !am_jparser_skip_name(parser, "scoped", &node->as.block.scoped) ||
      !am_jparser_skip_name(parser, "required", &node->as.block.required))
    return false;
  if (parser->current.kind == AM_JT_SUB)
    return am_jparser_fail(
        parser, parser->current.line,
        "Block names in Jinja have to be valid Python identifiers and may not contain hyphens, use "
        "an underscore instead.");
  if (!parse_statements(parser, ENDS("endblock"), true, &code->body)) return false;
  if (node->as.block.required && !is_blank(&code->body))
    return am_jparser_fail(parser, parser->current.line,
                           "Required blocks can only contain comments or whitespace");
  code->name = node->as.block.name;
  if (parser->current.kind == AM_JT_NAME && parser->current.n_bytes == code->name.n_bytes &&
      memcmp(parser->current.text, code->name.text, code->name.n_bytes) == 0)
    return am_jparser_advance(parser);
  return true;
}

static bool parse_print(am_jparser *parser, am_jnode *node) {
  node->kind = AM_JN_OUTPUT;
  while (parser->current.kind != AM_JT_BLOCK_END) {
    am_jnode *item = NULL;
    if (node->as.items.n && !am_jparser_expect(parser, AM_JT_COMMA)) return false;
    if (!am_jparse_expression(parser, false, &item) || !am_jparser_push(parser, &node->as.items, item))
      return false;
  }
  return true;
}

/* include, import, from, extends: what follows is read over, since the tag can only fail. */
static bool parse_no_loader(am_jparser *parser, am_jnode *node) {
  node->kind = AM_JN_NO_LOADER;
  am_jnode *ignored = NULL;
  if (!am_jparse_expression(parser, false, &ignored)) return false;
  while (parser->current.kind == AM_JT_NAME || parser->current.kind == AM_JT_COMMA)
    if (!am_jparser_advance(parser)) return false;
  return true;
}

static bool parse_break(am_jparser *parser, am_jnode *node) {
  (void)parser;
  node->kind = AM_JN_BREAK;
  return true;
}

static bool parse_continue(am_jparser *parser, am_jnode *node) {
  (void)parser;
  node->kind = AM_JN_CONTINUE;
  return true;
}

static const struct {
  const char *tag;
  bool (*parse)(am_jparser *parser, am_jnode *node);
} statements[] = {{"for", parse_for},
                  {"if", parse_if},
                  {"set", parse_set},
                  {"macro", parse_macro},
                  {"call", parse_call_block},
                  {"filter", parse_filter_block},
                  {"generation", parse_generation},
                  {"with", parse_with},
                  {"autoescape", parse_autoescape},
                  {"block", parse_block},
                  {"print", parse_print},
                  {"break", parse_break},
                  {"continue", parse_continue},
                  {"include", parse_no_loader},
                  {"import", parse_no_loader},
                  {"from", parse_no_loader},
                  {"extends", parse_no_loader}};

static bool parse_statement(am_jparser *parser, end_tags ends, am_jnode **out) {
  am_jtoken tag = parser->current;
  if (tag.kind != AM_JT_NAME) return am_jparser_fail(parser, tag.line, "tag name expected");
  for (size_t i = 0; i < sizeof statements / sizeof *statements; i++) {
    if (!am_jparser_is(parser, statements[i].tag)) continue;
    if (parser->blocks >= AM_JPARSE_MAX_BLOCKS || !am_jinja_stack_ok(parser->jinja))
      return am_jparser_fail(parser, tag.line, "statements are nested too deep");
    parser->blocks++;
    parser->open_tag[parser->blocks] = tag.text;
    parser->open_tag_bytes[parser->blocks] = tag.n_bytes;
    am_jnode *node = am_jparser_node(parser, AM_JN_OUTPUT, tag.line);
    if (!node || !am_jparser_advance(parser) || !statements[i].parse(parser, node)) return false;
    parser->blocks--;
    *out = node;
    return true;
  }
  return fail_unclosed(parser, &tag, ends);
}

static bool push_output(am_jparser *parser, am_jnodes *body, am_jnode **output, am_jnode *item) {
  if (!*output) {
    *output = am_jparser_node(parser, AM_JN_OUTPUT, item->line);
    if (!*output || !am_jparser_push(parser, body, *output)) return false;
  }
  return am_jparser_push(parser, &(*output)->as.items, item);
}

static bool parse_data(am_jparser *parser, am_jnode **out) {
  *out = am_jparser_node(parser, AM_JN_DATA, parser->current.line);
  return *out &&
         am_jstring_view(parser->jinja, parser->current.text, parser->current.n_bytes,
                         &(*out)->as.constant) &&
         am_jparser_advance(parser);
}

static bool parse_body(am_jparser *parser, end_tags ends, am_jnodes *out) {
  am_jnode *output = NULL;
  while (parser->current.kind != AM_JT_EOF) {
    am_jnode *item = NULL;
    if (parser->current.kind == AM_JT_DATA) {
      if (!parse_data(parser, &item) || !push_output(parser, out, &output, item)) return false;
    } else if (parser->current.kind == AM_JT_VARIABLE_BEGIN) {
      if (!am_jparser_advance(parser) || !am_jparse_tuple(parser, (am_jtuple_rules){0}, &item) ||
          !push_output(parser, out, &output, item) || !am_jparser_expect(parser, AM_JT_VARIABLE_END))
        return false;
    } else {
      output = NULL;
      if (!am_jparser_advance(parser)) return false;
      if (is_end(parser, ends)) return true;
      if (!parse_statement(parser, ends, &item) || !am_jparser_push(parser, out, item) ||
          !am_jparser_expect(parser, AM_JT_BLOCK_END))
        return false;
    }
  }
  return true;
}

bool am_jparse(am_jinja *jinja, const char *text, size_t n_bytes, am_jnodes *out) {
  am_jparser parser = {.jinja = jinja};
  bool ok = am_jparser_intern_special(&parser) && am_jlexer_open(&parser.lexer, jinja, text, n_bytes) &&
            am_jparser_advance(&parser) && parse_body(&parser, NULL, out);
  am_map_close(&parser.names);
  return ok;
}
