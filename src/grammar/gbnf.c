/* SPDX-License-Identifier: Apache-2.0 */
/* GBNF, the grammar files of llama.cpp (its grammars/README.md):
 *   name ::= alternatives        names of letters, digits, - and _; # begins a comment
 *   "text" [a-z^\n] [^x] . name ( ... ) | and behind any of them * + ? {m} {m,} {m,n}
 *   escapes \n \r \t \\ \" \[ \] \- \^ \xHH \uHHHH \UHHHHHHHH. A rule ends with its line, unless a group is
 *   open or the next line begins with | . Left recursion is refused. */
#include "base/error.h"
#include "base/map.h"
#include "base/utf8.h"
#include "grammar/expression.h"
#include "grammar/grammar.h"

#include <ctype.h>
#include <string.h>

typedef struct gbnf_rule {
  struct gbnf_rule *next;
  const char *name;
  size_t at; /* where it was first met */
  am_expr *body;
  uint32_t rule;
} gbnf_rule;

typedef struct reader {
  const char *text;
  size_t n, at;
  am_arena *arena;
  am_builder *builder;
  am_map names; /* to gbnf_rule */
  gbnf_rule *rules, **last_rule;
  adam_error *error;
  adam_status status;
} reader;

static am_expr *parse_alternatives(reader *r, int depth);

static am_expr *fail(reader *r, const char *why) {
  size_t line = 1;
  for (size_t i = 0; i < r->at && i < r->n; i++) line += r->text[i] == '\n';
  if (!r->status)
    r->status =
        am_fail(r->error, ADAM_INVALID, "grammar", NULL, "line %zu, offset %zu: %s", line, r->at, why);
  return NULL;
}

static am_expr *make(reader *r, am_expr_kind kind) {
  am_expr *expr = am_expr_new(r->arena, kind);
  if (!expr && !r->status) r->status = am_fail(r->error, ADAM_LIMIT, "grammar", NULL, "it is too long");
  return expr;
}

static int peek(const reader *r) { return r->at < r->n ? (unsigned char)r->text[r->at] : -1; }

static bool take(reader *r, const char *text) {
  size_t n = strlen(text);
  if (r->n - r->at < n || memcmp(r->text + r->at, text, n) != 0) return false;
  r->at += n;
  return true;
}

static void skip_space(reader *r, bool lines) {
  for (;;) {
    int c = peek(r);
    if (c == '#')
      while (peek(r) >= 0 && peek(r) != '\n' && peek(r) != '\r') r->at++;
    else if (c == ' ' || c == '\t' || (lines && (c == '\n' || c == '\r')))
      r->at++;
    else
      return;
  }
}

static bool is_name(int c) { return c >= 0 && c < 0x80 && (isalnum(c) || c == '-' || c == '_'); }

/* The rule of a name, made when it is first met. */
static gbnf_rule *find_rule(reader *r, const char *name, size_t n_bytes) {
  uint64_t found = 0;
  if (am_map_get(&r->names, name, n_bytes, &found)) return (gbnf_rule *)(uintptr_t)found;
  gbnf_rule *rule = am_arena_zalloc(r->arena, 1, sizeof *rule);
  char *copy = rule ? am_arena_dup(r->arena, name, n_bytes) : NULL;
  if (!copy || !am_map_set(&r->names, copy, n_bytes, (uint64_t)(uintptr_t)rule)) {
    if (!r->status) r->status = am_fail_memory(r->error, "grammar");
    return NULL;
  }
  rule->name = copy;
  rule->at = r->at;
  rule->rule = am_builder_rule(r->builder, copy);
  *r->last_rule = rule;
  r->last_rule = &rule->next;
  return rule;
}

static bool take_hex(reader *r, unsigned digits, uint32_t *value) {
  for (*value = 0; digits > 0; digits--, r->at++) {
    int c = peek(r) >= 0 && isxdigit(peek(r)) ? tolower(peek(r)) : -1;
    if (c < 0) return false;
    *value = *value << 4 | (uint32_t)(c <= '9' ? c - '0' : c - 'a' + 10);
  }
  return *value <= AM_CHARSET_LAST && (*value < 0xD800 || *value > 0xDFFF);
}

static bool take_character(reader *r, uint32_t *c) {
  static const char escapes[] = "n\nr\rt\t\\\\\"\"[[]]--^^";
  if (!take(r, "\\")) {
    r->at += (size_t)am_utf8_decode(r->text + r->at, r->n - r->at, c);
    return true;
  }
  for (size_t i = 0; i + 1 < sizeof escapes; i += 2)
    if (peek(r) == escapes[i]) {
      *c = (uint32_t)(unsigned char)escapes[i + 1];
      r->at++;
      return true;
    }
  bool ok = take(r, "x")   ? take_hex(r, 2, c)
            : take(r, "u") ? take_hex(r, 4, c)
                           : take(r, "U") && take_hex(r, 8, c);
  return ok || fail(r, "unknown escape, or not a character") != NULL;
}

static am_expr *parse_text(reader *r) {
  am_expr *sequence = make(r, AM_EXPR_SEQUENCE);
  while (sequence && !take(r, "\"")) {
    uint32_t c = 0;
    bool ok = r->at < r->n ? take_character(r, &c) : fail(r, "a \" without its end") != NULL;
    am_expr *set = ok ? make(r, AM_EXPR_SET) : NULL;
    if (!set) {
      am_expr_close(sequence);
      return NULL;
    }
    am_charset_add(&set->set, c, c);
    am_expr_append(sequence, set);
  }
  return sequence;
}

static am_expr *parse_class(reader *r) {
  am_expr *expr = make(r, AM_EXPR_SET);
  if (!expr) return NULL;
  bool negated = take(r, "^"), ok = true;
  while (ok && !take(r, "]")) {
    uint32_t first = 0, last = 0;
    ok = r->at < r->n ? take_character(r, &first) : fail(r, "a [ without its ]") != NULL;
    last = first;
    if (ok && peek(r) == '-' && r->at + 1 < r->n && r->text[r->at + 1] != ']') {
      r->at++;
      ok = take_character(r, &last);
      if (ok && last < first) ok = fail(r, "a range that is none") != NULL;
    }
    am_charset_add(&expr->set, first, last);
  }
  am_charset_normalise(&expr->set);
  if (negated) am_charset_negate(&expr->set);
  if (ok) return expr;
  am_charset_close(&expr->set);
  return NULL;
}

static am_expr *parse_item(reader *r, int depth) {
  if (take(r, "\"")) return parse_text(r);
  if (take(r, "[")) return parse_class(r);
  if (take(r, ".")) {
    am_expr *any = make(r, AM_EXPR_SET);
    if (any) am_charset_negate(&any->set);
    return any;
  }
  if (take(r, "(")) {
    if (depth >= AM_EXPR_MOST_DEPTH) return fail(r, "groups are nested too deep");
    skip_space(r, true);
    am_expr *group = parse_alternatives(r, depth + 1);
    if (!group || take(r, ")")) return group;
    am_expr_close(group);
    return fail(r, "a ( without its )");
  }
  size_t begin = r->at;
  while (is_name(peek(r))) r->at++;
  gbnf_rule *rule = find_rule(r, r->text + begin, r->at - begin);
  am_expr *expr = rule ? make(r, AM_EXPR_RULE) : NULL;
  if (expr) expr->rule = rule->rule;
  return expr;
}

static bool take_number(reader *r, uint32_t *value) {
  size_t begin = r->at;
  for (*value = 0; peek(r) >= '0' && peek(r) <= '9'; r->at++)
    if (*value <= AM_EXPR_MOST_REPEAT) *value = *value * 10 + (uint32_t)(peek(r) - '0');
  return r->at > begin;
}

static bool take_counts(reader *r, uint32_t *least, uint32_t *most) {
  skip_space(r, true);
  if (!take_number(r, least)) return fail(r, "expected a number in { }") != NULL;
  skip_space(r, true);
  *most = *least;
  if (take(r, ",")) {
    skip_space(r, true);
    if (!take_number(r, most)) *most = AM_EXPR_FOREVER;
    skip_space(r, true);
  }
  if (!take(r, "}")) return fail(r, "a { without its }") != NULL;
  if (*least > *most) return fail(r, "a repetition with more at least than at most") != NULL;
  if (*least > AM_EXPR_MOST_REPEAT || (*most != AM_EXPR_FOREVER && *most > AM_EXPR_MOST_REPEAT))
    return fail(r, "more than 100000 repetitions") != NULL;
  return true;
}

/* An item with all the repetition marks behind it. */
static am_expr *parse_repeated(reader *r, int depth) {
  am_expr *expr = parse_item(r, depth);
  for (int marks = 0; expr; marks++) {
    uint32_t least = 0, most = AM_EXPR_FOREVER;
    skip_space(r, depth > 0);
    int c = peek(r);
    if (c != '*' && c != '+' && c != '?' && c != '{') break;
    r->at++;
    least = c == '+';
    if (c == '?') most = 1;
    bool ok = c != '{' || take_counts(r, &least, &most);
    if (ok && marks >= 8) ok = fail(r, "too many repetitions") != NULL;
    am_expr *repeat = ok ? make(r, AM_EXPR_REPEAT) : NULL;
    if (!repeat) {
      am_expr_close(expr);
      return NULL;
    }
    repeat->least = least;
    repeat->most = most;
    am_expr_append(repeat, expr);
    expr = repeat;
  }
  return expr;
}

static am_expr *parse_sequence(reader *r, int depth) {
  am_expr *sequence = make(r, AM_EXPR_SEQUENCE);
  while (sequence &&
         (peek(r) == '"' || peek(r) == '[' || peek(r) == '.' || peek(r) == '(' || is_name(peek(r)))) {
    am_expr *item = parse_repeated(r, depth);
    if (!item) {
      am_expr_close(sequence);
      return NULL;
    }
    am_expr_append(sequence, item);
  }
  return sequence;
}

/* A | may also stand at the beginning of the next line. */
static bool take_bar(reader *r) {
  size_t begin = r->at;
  skip_space(r, true);
  if (take(r, "|")) {
    skip_space(r, true);
    return true;
  }
  r->at = begin;
  return false;
}

static am_expr *parse_alternatives(reader *r, int depth) {
  am_expr *choice = make(r, AM_EXPR_CHOICE);
  while (choice) {
    am_expr *sequence = parse_sequence(r, depth);
    if (!sequence) {
      am_expr_close(choice);
      return NULL;
    }
    am_expr_append(choice, sequence);
    if (!take_bar(r)) break;
  }
  if (depth > 0) skip_space(r, true);
  return choice;
}

static void parse_rule(reader *r) {
  size_t begin = r->at;
  while (is_name(peek(r))) r->at++;
  if (r->at == begin) {
    fail(r, "expected the name of a rule");
    return;
  }
  size_t length = r->at - begin;
  skip_space(r, false);
  if (!take(r, "::=")) {
    fail(r, "expected ::=");
    return;
  }
  gbnf_rule *rule = find_rule(r, r->text + begin, length);
  if (rule && rule->body) {
    fail(r, "this rule has been defined before");
    return;
  }
  skip_space(r, true);
  am_expr *body = rule ? parse_alternatives(r, 0) : NULL;
  if (!body) return;
  rule->body = body;
  skip_space(r, false);
  if (peek(r) >= 0 && peek(r) != '\n' && peek(r) != '\r') fail(r, "expected the end of the rule");
}

static void emit_rules(reader *r) {
  for (gbnf_rule *rule = r->rules; rule && !r->status; rule = rule->next) {
    if (!rule->body) {
      r->status = am_fail(r->error, ADAM_INVALID, "grammar", NULL, "offset %zu: there is no rule %.100s",
                          rule->at, rule->name);
      return;
    }
    am_builder_begin(r->builder, rule->rule);
    am_expr_emit(rule->body, AM_ALPHABET_TEXT, r->builder, am_builder_start(r->builder, rule->rule),
                 am_builder_final(r->builder, rule->rule));
  }
}

adam_status am_grammar_open_gbnf(const char *text, size_t n_bytes, am_grammar **out, adam_error *error) {
  am_arena arena = {.limit_bytes = (size_t)64 << 20};
  reader r = {.text = text, .n = n_bytes, .arena = &arena, .error = error};
  r.last_rule = &r.rules;
  size_t valid = am_utf8_valid_prefix(text, n_bytes);
  if (valid < n_bytes)
    return am_fail(error, ADAM_INVALID, "grammar", NULL, "it is not UTF-8 at offset %zu", valid);
  r.status = am_builder_open("grammar", &r.builder, error);
  if (!r.status) find_rule(&r, "root", 4); /* the builder's first rule */
  for (skip_space(&r, true); !r.status && r.at < r.n; skip_space(&r, true)) parse_rule(&r);
  if (!r.status) emit_rules(&r);
  if (!r.status) r.status = am_builder_finish(r.builder, out, error);
  for (gbnf_rule *rule = r.rules; rule; rule = rule->next) am_expr_close(rule->body);
  am_builder_close(&r.builder);
  am_map_close(&r.names);
  am_arena_close(&arena);
  return r.status;
}
