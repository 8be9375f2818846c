/* SPDX-License-Identifier: Apache-2.0 */
#include "grammar/expression.h"

#include <stdio.h>
#include <string.h>

am_expr *am_expr_new(am_arena *arena, am_expr_kind kind) {
  am_expr *expr = am_arena_zalloc(arena, 1, sizeof *expr);
  if (expr) expr->kind = kind;
  return expr;
}

void am_expr_append(am_expr *parent, am_expr *child) {
  if (parent->last)
    parent->last->sibling = child;
  else
    parent->child = child;
  parent->last = child;
}

void am_expr_close(am_expr *expr) {
  for (; expr; expr = expr->sibling) {
    am_charset_close(&expr->set);
    am_expr_close(expr->child);
  }
}

static void emit_escapes(const am_charset *set, am_builder *b, uint32_t from, uint32_t to) {
  static const char letters[] = "\"\"\\\\\bb\ff\nn\rr\tt"; /* character, letter of its escape */
  for (uint32_t c = 1; c <= '\\'; c++) {
    char text[8];
    const char *found =
        c < 0x20 || c == '"' || c == '\\' ? memchr(letters, (int)c, sizeof letters - 1) : NULL;
    if ((c >= 0x20 && c != '"' && c != '\\') || !am_charset_has(set, c)) continue;
    /* letters come in pairs, so that a letter is never taken for a character: b f n r t are above 0x20 */
    int n = found ? snprintf(text, sizeof text, "\\%c", found[1]) : snprintf(text, sizeof text, "\\u%04x", c);
    am_builder_literal(b, from, text, (size_t)n, to);
  }
}

void am_expr_emit_set(const am_charset *set, am_alphabet alphabet, am_builder *b, uint32_t from,
                      uint32_t to) {
  if (alphabet == AM_ALPHABET_TEXT) {
    am_charset_emit(set, b, from, to);
    return;
  }
  static const am_char_range plain[] = {{0x20, 0x21}, {0x23, 0x5B}, {0x5D, AM_CHARSET_LAST}};
  for (size_t i = 0; i < sizeof plain / sizeof *plain; i++) {
    am_charset part = {0};
    am_charset_add_all(&part, set);
    am_charset_clip(&part, plain[i].first, plain[i].last);
    am_charset_emit(&part, b, from, to);
    am_charset_close(&part);
  }
  emit_escapes(set, b, from, to);
}

/* A body that is written out more than once becomes a rule, so that sizes add up and do not multiply. */
static uint32_t shared_rule(const am_expr *body, am_alphabet alphabet, am_builder *b) {
  uint32_t before = am_builder_begun(b), rule = am_builder_rule(b, NULL);
  am_builder_begin(b, rule);
  am_expr_emit(body, alphabet, b, am_builder_start(b, rule), am_builder_final(b, rule));
  am_builder_begin(b, before);
  return rule;
}

static void emit_repeat(const am_expr *expr, am_alphabet alphabet, am_builder *b, uint32_t from,
                        uint32_t to) {
  const am_expr *body = expr->child;
  bool forever = expr->most == AM_EXPR_FOREVER;
  uint32_t copies = forever ? expr->least + 1 : expr->most;
  bool shares = copies > 1 && body->kind != AM_EXPR_RULE;
  uint32_t rule = body->kind == AM_EXPR_RULE ? body->rule : shares ? shared_rule(body, alphabet, b) : 0;
  bool calls = shares || body->kind == AM_EXPR_RULE;
  uint32_t at = am_builder_state(b);
  am_builder_skip(b, from, at);
  for (uint32_t i = 0; i < expr->least || (!forever && i < expr->most); i++) {
    uint32_t next = am_builder_state(b);
    if (am_builder_failed(b)) return;
    if (i >= expr->least) am_builder_skip(b, at, to);
    if (calls)
      am_builder_call(b, at, rule, next);
    else
      am_expr_emit(body, alphabet, b, at, next);
    at = next;
  }
  if (forever) {
    uint32_t loop = am_builder_state(b);
    am_builder_skip(b, at, loop);
    if (calls)
      am_builder_call(b, loop, rule, loop);
    else
      am_expr_emit(body, alphabet, b, loop, loop);
    at = loop;
  }
  am_builder_skip(b, at, to);
}

void am_expr_emit(const am_expr *expr, am_alphabet alphabet, am_builder *b, uint32_t from, uint32_t to) {
  switch (expr->kind) {
    case AM_EXPR_SET:
      am_expr_emit_set(&expr->set, alphabet, b, from, to);
      break;
    case AM_EXPR_RULE:
      am_builder_call(b, from, expr->rule, to);
      break;
    case AM_EXPR_REPEAT:
      emit_repeat(expr, alphabet, b, from, to);
      break;
    case AM_EXPR_CHOICE:
      for (const am_expr *child = expr->child; child; child = child->sibling)
        am_expr_emit(child, alphabet, b, from, to);
      break;
    case AM_EXPR_SEQUENCE:
      if (!expr->child) am_builder_skip(b, from, to);
      for (const am_expr *child = expr->child; child; child = child->sibling) {
        uint32_t next = child->sibling ? am_builder_state(b) : to;
        am_expr_emit(child, alphabet, b, from, next);
        from = next;
      }
      break;
    case AM_EXPR_BEGIN:
    case AM_EXPR_END:
      am_builder_skip(b, from, to);
      break;
  }
}
