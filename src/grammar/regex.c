/* SPDX-License-Identifier: Apache-2.0 */
#include "grammar/regex.h"

#include "base/error.h"
#include "base/utf8.h"
#include "grammar/grammar.h"

#include <ctype.h>
#include <string.h>
#include <utf8proc.h>

typedef struct reader {
  const char *what, *text;
  size_t n, at;
  am_arena *arena;
  adam_error *error;
  adam_status status;
} reader;

static am_expr *parse_choice(reader *r, int depth);

static am_expr *fail(reader *r, const char *why) {
  if (!r->status) r->status = am_fail(r->error, ADAM_INVALID, r->what, NULL, "offset %zu: %s", r->at, why);
  return NULL;
}

static am_expr *make(reader *r, am_expr_kind kind) {
  am_expr *expr = am_expr_new(r->arena, kind);
  if (!expr && !r->status) r->status = am_fail(r->error, ADAM_LIMIT, r->what, NULL, "it is too long");
  return expr;
}

static int peek(const reader *r, size_t ahead) {
  return r->at + ahead < r->n ? (unsigned char)r->text[r->at + ahead] : -1;
}

static bool take(reader *r, const char *text) {
  size_t n = strlen(text);
  if (r->n - r->at < n || memcmp(r->text + r->at, text, n) != 0) return false;
  r->at += n;
  return true;
}

/* The next character of valid UTF-8. */
static uint32_t take_character(reader *r) {
  uint32_t c = 0;
  r->at += (size_t)am_utf8_decode(r->text + r->at, r->n - r->at, &c);
  return c;
}

static bool take_hex(reader *r, unsigned least, unsigned most, uint32_t *value) {
  unsigned n = 0;
  for (*value = 0; n < most && peek(r, 0) >= 0 && isxdigit(peek(r, 0)); n++, r->at++) {
    int c = tolower(peek(r, 0));
    *value = *value << 4 | (uint32_t)(c <= '9' ? c - '0' : c - 'a' + 10);
  }
  return n >= least && *value <= AM_CHARSET_LAST && (*value < 0xD800 || *value > 0xDFFF);
}

/* Beyond ASCII, what Python or ECMAScript may count as one of the kind: 'd', 'w' or 's'. */
static bool may_be(int kind, uint32_t c) {
  utf8proc_category_t category = utf8proc_category((utf8proc_int32_t)c);
  const utf8proc_property_t *property = utf8proc_get_property((utf8proc_int32_t)c);
  if (kind == 'd') return category == UTF8PROC_CATEGORY_ND;
  if (kind == 's')
    return (category >= UTF8PROC_CATEGORY_ZS && category <= UTF8PROC_CATEGORY_ZP) ||
           property->bidi_class == UTF8PROC_BIDI_CLASS_B || property->bidi_class == UTF8PROC_BIDI_CLASS_S ||
           property->bidi_class == UTF8PROC_BIDI_CLASS_WS || c == 0xFEFF || c == 0x85;
  return (category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_NO) ||
         category == UTF8PROC_CATEGORY_CN || category == UTF8PROC_CATEGORY_CO;
}

/* \d \w \s as few as anyone means by them, or with `wide` as many; \D \W \S are the rest of the other. In
 * a negated class it is the wide ones that keep the class sure. */
static void add_kind(am_charset *set, int letter, bool wide) {
  am_charset kind = {0};
  int lower = tolower(letter);
  bool rest = letter != lower;
  if (lower != 's') am_charset_add(&kind, '0', '9');
  if (lower == 'w') {
    am_charset_add(&kind, 'a', 'z');
    am_charset_add(&kind, 'A', 'Z');
    am_charset_add(&kind, '_', '_');
  } else if (lower == 's') {
    am_charset_add(&kind, '\t', '\r');
    am_charset_add(&kind, ' ', ' ');
  }
  if (wide != rest) {
    if (lower == 's') am_charset_add(&kind, 0x1C, 0x1F); /* Python's isspace */
    for (uint32_t c = 0x80; c <= AM_CHARSET_LAST; c++) {
      uint32_t first = c;
      while (c <= AM_CHARSET_LAST && may_be(lower, c)) c++;
      if (c > first) am_charset_add(&kind, first, c - 1);
    }
  }
  am_charset_normalise(&kind);
  if (rest) am_charset_negate(&kind);
  am_charset_add_all(set, &kind);
  am_charset_close(&kind);
}

/* Behind a backslash; a kind (\d) goes into the set at once, a character is returned. */
static bool parse_escape(reader *r, am_charset *set, bool in_class, bool negated, bool *is_kind,
                         uint32_t *c) {
  static const char letters[] = "t\tn\nr\rf\fv\v";
  int letter = peek(r, 0);
  *is_kind = letter >= 0 && strchr("dDwWsS", letter) && letter;
  if (letter < 0) return fail(r, "a backslash at the end") != NULL;
  if (*is_kind) {
    r->at++;
    add_kind(set, letter, negated);
    return true;
  }
  if (letter < 0x80 && !isalnum(letter)) {
    *c = (uint32_t)letter;
    r->at++;
    return true;
  }
  for (size_t i = 0; i + 1 < sizeof letters; i += 2)
    if (letters[i] == letter) {
      *c = (uint32_t)letters[i + 1];
      r->at++;
      return true;
    }
  if (letter == '0' && !isdigit(peek(r, 1) < 0 ? 'x' : peek(r, 1))) {
    *c = 0;
    r->at++;
    return true;
  }
  if (in_class && letter == 'b') {
    *c = '\b';
    r->at++;
    return true;
  }
  bool braces = false, ok = true;
  if (take(r, "x"))
    ok = take_hex(r, 2, 2, c);
  else if (take(r, "u{"))
    ok = (braces = take_hex(r, 1, 6, c)) && take(r, "}");
  else if (take(r, "u"))
    ok = take_hex(r, 4, 4, c);
  else if (take(r, "U"))
    ok = take_hex(r, 8, 8, c);
  else
    return fail(r, "this escape is not supported (\\d \\w \\s \\t \\n \\r \\f \\v \\xHH \\uHHHH are)") !=
           NULL;
  return ok || fail(r, "not the hexadecimal digits of a character") != NULL;
}

static bool parse_class_item(reader *r, am_charset *set, bool negated, bool *is_kind, uint32_t *c) {
  if (peek(r, 0) == '\\') {
    r->at++;
    return parse_escape(r, set, true, negated, is_kind, c);
  }
  *is_kind = false;
  *c = take_character(r);
  return true;
}

static am_expr *parse_class(reader *r) {
  am_expr *expr = make(r, AM_EXPR_SET);
  if (!expr) return NULL;
  bool negated = take(r, "^"), is_kind = false;
  uint32_t first = 0, last = 0;
  for (bool begun = false; peek(r, 0) != ']' || !begun; begun = true) {
    if (r->at >= r->n) {
      am_charset_close(&expr->set);
      return fail(r, "a [ without its ]");
    }
    bool ok = parse_class_item(r, &expr->set, negated, &is_kind, &first);
    last = first;
    if (ok && !is_kind && peek(r, 0) == '-' && peek(r, 1) >= 0 && peek(r, 1) != ']') {
      r->at++;
      ok = parse_class_item(r, &expr->set, negated, &is_kind, &last);
      if (ok && (is_kind || last < first)) ok = fail(r, "a range that is none") != NULL;
    }
    if (!ok) {
      am_charset_close(&expr->set);
      return NULL;
    }
    if (!is_kind) am_charset_add(&expr->set, first, last);
  }
  r->at++;
  am_charset_normalise(&expr->set);
  if (negated) am_charset_negate(&expr->set);
  return expr;
}

/* `.`: no line end of Python or ECMAScript. */
static void set_dot(am_charset *set) {
  am_charset_add(set, '\n', '\n');
  am_charset_add(set, '\r', '\r');
  am_charset_add(set, 0x2028, 0x2029);
  am_charset_negate(set);
}

static am_expr *parse_group(reader *r, int depth) {
  if (depth >= AM_EXPR_MOST_DEPTH) return fail(r, "groups are nested too deep");
  if (peek(r, 0) == '?') {
    bool named =
        take(r, "?P<") || (peek(r, 1) == '<' && peek(r, 2) != '=' && peek(r, 2) != '!' && take(r, "?<"));
    if (named) {
      while (peek(r, 0) >= 0 && peek(r, 0) != '>') r->at++;
      if (!take(r, ">")) return fail(r, "a group's name has no >");
    } else if (!take(r, "?:")) {
      return fail(r, "lookaround, flags and other (? ) are not supported");
    }
  }
  am_expr *inner = parse_choice(r, depth + 1);
  if (!inner) return NULL;
  if (!take(r, ")")) {
    am_expr_close(inner);
    return fail(r, "a ( without its )");
  }
  return inner;
}

static am_expr *parse_atom(reader *r, int depth) {
  am_expr *expr = NULL;
  int c = peek(r, 0);
  bool is_kind = false;
  uint32_t character = 0;
  if (c == '(') {
    r->at++;
    return parse_group(r, depth);
  }
  if (c == '[') {
    r->at++;
    return parse_class(r);
  }
  if (c == '*' || c == '+' || c == '?') return fail(r, "nothing to repeat");
  if (c == '^' || take(r, "\\A")) {
    r->at += c == '^';
    return make(r, AM_EXPR_BEGIN);
  }
  if (c == '$' || take(r, "\\Z") || take(r, "\\z")) {
    r->at += c == '$';
    return make(r, AM_EXPR_END);
  }
  expr = make(r, AM_EXPR_SET);
  if (!expr) return NULL;
  if (c == '.') {
    r->at++;
    set_dot(&expr->set);
    return expr;
  }
  if (c == '\\') {
    r->at++;
    if (!parse_escape(r, &expr->set, false, false, &is_kind, &character)) {
      am_charset_close(&expr->set);
      return NULL;
    }
  } else {
    character = take_character(r);
  }
  if (!is_kind) am_charset_add(&expr->set, character, character);
  am_charset_normalise(&expr->set);
  return expr;
}

static bool take_number(reader *r, uint32_t *value) {
  size_t begin = r->at;
  for (*value = 0; peek(r, 0) >= '0' && peek(r, 0) <= '9'; r->at++)
    if (*value <= AM_EXPR_MOST_REPEAT) *value = *value * 10 + (uint32_t)(peek(r, 0) - '0');
  return r->at > begin;
}

/* {m}, {m,}, {,n}, {m,n}; anything else in braces is text, as in Python. */
static bool take_counts(reader *r, uint32_t *least, uint32_t *most) {
  size_t begin = r->at;
  r->at++;
  bool has_least = take_number(r, least), comma = take(r, ","), has_most = comma && take_number(r, most);
  if (!has_least) *least = 0;
  if (!comma) *most = *least;
  if (comma && !has_most) *most = AM_EXPR_FOREVER;
  if ((has_least || has_most) && take(r, "}")) return true;
  r->at = begin;
  return false;
}

static bool take_quantifier(reader *r, uint32_t *least, uint32_t *most) {
  int c = peek(r, 0);
  *least = c == '+';
  *most = c == '?' ? 1 : AM_EXPR_FOREVER;
  if (c == '{') return take_counts(r, least, most);
  if (c != '*' && c != '+' && c != '?') return false;
  r->at++;
  return true;
}

static am_expr *parse_repeated(reader *r, int depth) {
  am_expr *body = parse_atom(r, depth);
  uint32_t least = 0, most = 0;
  if (!body || !take_quantifier(r, &least, &most)) return body;
  const char *why = NULL;
  if (body->kind == AM_EXPR_BEGIN || body->kind == AM_EXPR_END)
    why = "nothing to repeat";
  else if (least > most)
    why = "a repetition with more at least than at most";
  else if (least > AM_EXPR_MOST_REPEAT || (most != AM_EXPR_FOREVER && most > AM_EXPR_MOST_REPEAT))
    why = "more than 100000 repetitions";
  if (peek(r, 0) == '?') r->at++; /* lazy: the same texts */
  if (!why && (peek(r, 0) == '*' || peek(r, 0) == '+' || peek(r, 0) == '?'))
    why = "a repetition of a repetition (possessive ones are not supported)";
  am_expr *expr = why ? NULL : make(r, AM_EXPR_REPEAT);
  if (!expr) {
    am_expr_close(body);
    return why ? fail(r, why) : NULL;
  }
  expr->least = least;
  expr->most = most;
  am_expr_append(expr, body);
  return expr;
}

static am_expr *parse_sequence(reader *r, int depth) {
  am_expr *sequence = make(r, AM_EXPR_SEQUENCE);
  while (sequence && r->at < r->n && peek(r, 0) != '|' && peek(r, 0) != ')') {
    am_expr *item = parse_repeated(r, depth);
    if (!item) {
      am_expr_close(sequence);
      return NULL;
    }
    am_expr_append(sequence, item);
  }
  return sequence;
}

static am_expr *parse_choice(reader *r, int depth) {
  am_expr *choice = make(r, AM_EXPR_CHOICE);
  while (choice) {
    am_expr *sequence = parse_sequence(r, depth);
    if (!sequence) {
      am_expr_close(choice);
      return NULL;
    }
    am_expr_append(choice, sequence);
    if (!take(r, "|")) break;
  }
  return choice;
}

static bool has_anchor(const am_expr *expr) {
  for (; expr; expr = expr->sibling)
    if (expr->kind == AM_EXPR_BEGIN || expr->kind == AM_EXPR_END || has_anchor(expr->child)) return true;
  return false;
}

/* Any text at all, for what stands before and behind a searched pattern. */
static am_expr *anything(reader *r) {
  am_expr *repeat = make(r, AM_EXPR_REPEAT), *set = repeat ? make(r, AM_EXPR_SET) : NULL;
  if (!set) return NULL;
  am_charset_negate(&set->set);
  repeat->most = AM_EXPR_FOREVER;
  am_expr_append(repeat, set);
  return repeat;
}

/* Takes the anchors from the two ends of one alternative; a group around all of it is looked into. */
static bool resolve_ends(reader *r, am_expr *sequence, bool search) {
  bool begins = !search, ends = !search;
  while (sequence->child && sequence->child->kind == AM_EXPR_BEGIN) {
    begins = true;
    sequence->child = sequence->child->sibling;
  }
  if (!sequence->child) sequence->last = NULL;
  am_expr *last = NULL, *trailing = NULL;
  for (am_expr *e = sequence->child; e; e = e->sibling) {
    if (e->kind != AM_EXPR_END)
      trailing = NULL;
    else if (!trailing)
      trailing = e;
    if (!trailing) last = e;
  }
  if (trailing) {
    ends = true;
    sequence->last = last;
    if (last)
      last->sibling = NULL;
    else
      sequence->child = NULL;
  }
  if (has_anchor(sequence->child)) return fail(r, "^ and $ are supported at the two ends only") != NULL;
  am_expr *front = begins ? NULL : anything(r), *back = ends ? NULL : anything(r);
  if ((!begins && !front) || (!ends && !back)) {
    am_expr_close(front);
    am_expr_close(back);
    return false;
  }
  if (front) {
    front->sibling = sequence->child;
    sequence->child = front;
    if (!sequence->last) sequence->last = front;
  }
  if (back) am_expr_append(sequence, back);
  return true;
}

/* A group that is all of an alternative, as in (^a|b$), is as good as none. */
static bool resolve_anchors(reader *r, am_expr *choice, bool search, int depth) {
  for (am_expr *sequence = choice->child; sequence; sequence = sequence->sibling) {
    am_expr *only = sequence->child;
    bool wraps = only && !only->sibling && only->kind == AM_EXPR_CHOICE && has_anchor(only);
    bool ok = wraps ? depth < AM_EXPR_MOST_DEPTH && resolve_anchors(r, only, search, depth + 1)
                    : resolve_ends(r, sequence, search);
    if (!ok) return false;
  }
  return true;
}

adam_status am_regex_read(const char *what, const char *pattern, size_t n_bytes, bool search, am_arena *arena,
                          am_expr **out, adam_error *error) {
  reader r = {.what = what, .text = pattern, .n = n_bytes, .arena = arena, .error = error};
  size_t valid = am_utf8_valid_prefix(pattern, n_bytes);
  if (valid < n_bytes)
    return am_fail(error, ADAM_INVALID, what, NULL, "it is not UTF-8 at offset %zu", valid);
  am_expr *choice = parse_choice(&r, 0);
  if (choice && r.at < r.n) fail(&r, "a ) without its (");
  if (!r.status) resolve_anchors(&r, choice, search, 0);
  if (r.status) {
    am_expr_close(choice);
    return r.status;
  }
  *out = choice;
  return ADAM_OK;
}

adam_status am_grammar_open_regex(const char *text, size_t n_bytes, am_grammar **out, adam_error *error) {
  am_arena arena = {.limit_bytes = (size_t)64 << 20};
  am_builder *b = NULL;
  am_expr *expr = NULL;
  adam_status status = am_regex_read("regex", text, n_bytes, false, &arena, &expr, error);
  if (!status) status = am_builder_open("regex", &b, error);
  if (!status) {
    uint32_t rule = am_builder_rule(b, NULL);
    am_builder_begin(b, rule);
    am_expr_emit(expr, AM_ALPHABET_TEXT, b, am_builder_start(b, rule), am_builder_final(b, rule));
    status = am_builder_finish(b, out, error);
  }
  am_builder_close(&b);
  am_expr_close(expr);
  am_arena_close(&arena);
  return status;
}
